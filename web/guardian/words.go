package guardian

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/web"
)

// words says things in a visitor's language.
type words struct {
	site *web.Site
	r    *http.Request
}

func (h routes) words(r *http.Request) words { return words{h.pages.Site(), r} }

func (w words) say(key string, args ...any) string { return w.site.Text(w.r, key, args...) }

// known gives the message for a value of a closed list, or the one for any
// other: what a later version of a list brings has no words here.
func (w words) known(list, value string) string {
	if text := w.say(list + value); text != list+value {
		return text
	}
	return w.say(list + "other")
}

func (w words) day(t time.Time) string {
	return w.site.Text(w.r, "date", "day", t.Day(), "month", w.month(t), "year", t.Year())
}

func (w words) month(t time.Time) string {
	return w.site.Text(w.r, "month."+strconv.Itoa(int(t.Month())))
}

// date says a date as far as it is known: YYYY, YYYY-MM or YYYY-MM-DD.
func (w words) date(s string) string {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return w.day(t)
	}
	if t, err := time.Parse("2006-01", s); err == nil {
		return w.month(t) + " " + strconv.Itoa(t.Year())
	}
	return s
}

// born says a date of birth as the wallet gives it for a child.
func (w words) born(s string) string {
	if span, ok := strings.CutPrefix(s, "between "); ok {
		if from, to, ok := strings.Cut(span, " and "); ok {
			return w.say("guardian.between", "from", w.date(from), "to", w.date(to))
		}
	}
	return w.date(s)
}

// uncertain says a date of birth as a credential has it.
func (w words) uncertain(u vc.UncertainDate) string {
	if u.Value != "" && u.Precision != "range" && u.Precision != "unknown" {
		return w.date(u.Value)
	}
	if e, l, ok := u.Span(); ok {
		return w.say("guardian.between", "from", w.date(e.String()), "to", w.date(l.String()))
	}
	return w.say("guardian.not-known")
}
