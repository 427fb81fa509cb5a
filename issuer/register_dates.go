package issuer

import (
	"strconv"

	"github.com/kinpass/kinpass/internal/vc"
)

func itoa(n int) string { return strconv.Itoa(n) }

// firstYear is the earliest year that a date in a register of living children
// and their parents can have.
const firstYear = 1850

// span is the time in which an uncertain day lies; the zero span is unknown.
type span struct {
	earliest, latest vc.Date
	known            bool
}

func spanOf(u vc.UncertainDate) span {
	e, l, ok := u.Span()
	if !ok {
		return span{}
	}
	return span{e, l, true}
}

// meets reports whether the two can be the same day; an unknown one can be any.
func (s span) meets(t span) bool {
	return !s.known || !t.known || !s.earliest.After(t.latest) && !t.earliest.After(s.latest)
}

// exact reports whether the day is known.
func (s span) exact() bool { return s.known && s.earliest == s.latest }

// nearest and farthest give the least and greatest number of days that can lie
// between two known spans.
func (s span) nearest(t span) int {
	switch {
	case s.latest.Before(t.earliest):
		return s.latest.DaysUntil(t.earliest)
	case t.latest.Before(s.earliest):
		return t.latest.DaysUntil(s.earliest)
	}
	return 0
}

func (s span) farthest(t span) int {
	return max(s.earliest.DaysUntil(t.latest), t.earliest.DaysUntil(s.latest))
}

// date reads a full date; an absent or refused one is the zero Date.
func (c *inspection) date(path, s string) vc.Date {
	if s == "" {
		return vc.Date{}
	}
	d, err := vc.ParseDate(s)
	switch {
	case err != nil:
		c.refuse(path, "must be a date that exists")
		return vc.Date{}
	case d.Year < firstYear:
		c.refuse(path, "must not lie before 1850")
		return vc.Date{}
	}
	return d
}

// pastDate reads a date of something that has happened.
func (c *inspection) pastDate(path, s string) vc.Date {
	d := c.date(path, s)
	if d.After(c.today) {
		c.refuse(path, "must not lie in the future")
		return vc.Date{}
	}
	return d
}

// order refuses later at path when it lies before earlier; absent dates are in
// any order.
func (c *inspection) order(earlier, later vc.Date, path, rule string) {
	if !earlier.IsZero() && !later.IsZero() && later.Before(earlier) {
		c.refuse(path, rule)
	}
}

// born checks a date of birth and gives its span, unknown where it is refused.
func (c *inspection) born(path string, u vc.UncertainDate) span {
	broken := len(c.fields)
	if length, ok := map[string]int{"day": 10, "month": 7, "year": 4}[u.Precision]; ok {
		if u.Value != "" && len(u.Value) != length {
			c.refuse(at(path, "value"), "must be as long as its precision says: YYYY-MM-DD, YYYY-MM or YYYY")
		}
	} else if u.Value != "" {
		c.refuse(at(path, "value"), "must be absent where the precision is range or unknown")
	}
	earliest, latest := c.pastDate(at(path, "earliest"), u.Earliest), c.pastDate(at(path, "latest"), u.Latest)
	if (u.Earliest == "") != (u.Latest == "") {
		c.refuse(path, "needs earliest and latest together")
	}
	c.order(earliest, latest, at(path, "latest"), "must not lie before earliest")
	if u.Precision == "unknown" && (u.Earliest != "" || u.Latest != "") {
		c.refuse(at(path, "precision"), "must be range where earliest and latest are given")
	}
	if len(c.fields) > broken {
		return span{}
	}
	s := spanOf(u)
	switch {
	case u.Precision == "unknown" || u.Precision == "range" && u.Earliest == "" || u.Value == "" && u.Precision != "range":
		return span{} // nothing is known, or the schema has refused it
	case !s.known:
		c.refuse(at(path, "value"), "must be a date that exists")
		return span{}
	case s.earliest.Year < firstYear:
		c.refuse(at(path, "value"), "must not lie before 1850")
		return span{}
	case s.earliest.After(c.today):
		c.refuse(at(path, "value"), "must not lie in the future")
		return span{}
	}
	if u.Precision != "range" && !earliest.IsZero() {
		if earliest.Before(s.earliest) || latest.After(s.latest) {
			c.refuse(path, "needs earliest and latest within value")
			return span{}
		}
		s.earliest, s.latest = earliest, latest
	}
	// Whoever is in the register has been born: a year or month that is not over
	// ends today.
	if s.latest.After(c.today) {
		s.latest = c.today
	}
	return s
}
