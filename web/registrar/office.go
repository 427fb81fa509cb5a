package registrar

import (
	"html/template"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// counters see numbers without names, and the keys.
var counters = append(slices.Clone(readers), issuer.RoleAuditor)

// running is what keeps an office going: suspensions that end, keys, numbers, and
// paper passes.
var running = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/suspensions", h.pages.For(h.suspensions, readers...))
		e.GET("/app/keys", h.pages.For(h.keys, counters...))
		e.GET("/app/ledger", h.pages.For(h.ledger, counters...))
		e.GET("/app/statistics", h.pages.For(h.statistics, counters...))
		e.GET("/app/guardianships/:id/paper", h.pages.For(h.paper, readers...))
	},
	nav: func(role string) []web.NavItem {
		if slices.Contains(readers, role) {
			return []web.NavItem{{Href: "/app/suspensions", Label: "registrar.suspensions.nav"}}
		}
		return nil
	},
	cards: func(h routes, c echo.Context, s account.Session) (out []card, err error) {
		if slices.Contains(readers, s.Account.Role) {
			list, err := h.Suspensions(c.Request().Context(), caller(s))
			if err != nil {
				return nil, err
			}
			out = append(out, card{Title: "registrar.suspensions.title", Text: "registrar.suspensions.card", Href: "/app/suspensions", Count: len(list)})
		}
		if slices.Contains(counters, s.Account.Role) {
			ledger, err := h.ledgerCard(c, s)
			if err != nil {
				return nil, err
			}
			out = append(out, card{Title: "registrar.stats.title", Text: "registrar.stats.card", Href: "/app/statistics"},
				card{Title: "registrar.keys.title", Text: "registrar.keys.card", Href: "/app/keys"}, ledger)
		}
		return out, nil
	},
}

// suspended is a suspension that nobody confirmed, with what it is about.
type suspended struct {
	issuer.Suspension
	About about
	Own   bool
}

func (h routes) suspensions(c echo.Context, s account.Session) error {
	list, err := h.Suspensions(c.Request().Context(), caller(s))
	if err != nil {
		return err
	}
	var out []suspended
	for _, x := range list {
		_, a, err := h.record(c, s, x.RecordKind, x.Record)
		if err != nil {
			return err
		}
		out = append(out, suspended{x, a, x.By == s.Account.Name})
	}
	return h.show(c, web.View{Page: "registrar/suspensions", Title: "registrar.suspensions.title", Styles: officeStyles, Data: out})
}

// keyRow is a key as it is shown.
type keyRow struct {
	issuer.KeyState
	State string // end of a key of a message
	Ends  bool   // it ends within thirty days
	For   string // whose signatures it makes
}

func (h routes) keys(c echo.Context, s account.Session) error {
	list, trusted, err := h.KeyStates(c.Request().Context(), caller(s))
	if err != nil {
		return err
	}
	now := time.Now()
	var out []keyRow
	for _, k := range list {
		row := keyRow{KeyState: k, Ends: !k.Until.IsZero() && k.Until.Before(now.AddDate(0, 0, 30)), For: h.text(c, "registrar.keys.use-ledger")}
		if k.Role != "" {
			row.For = h.text(c, "role."+k.Role)
		}
		if k.Parts {
			row.For += " – " + h.text(c, "registrar.keys.use-parts")
		}
		switch {
		case !k.Until.IsZero() && !now.Before(k.Until):
			row.State = "over"
		case now.Before(k.From):
			row.State = "later"
		case k.Current && k.Role == "": // the ledger's stands on no trust list
			row.State = "used"
		case k.Current && k.Listed:
			row.State = "signs"
		case k.Current:
			row.State = "unlisted"
		default:
			row.State = "spare"
		}
		out = append(out, row)
	}
	return h.show(c, web.View{Page: "registrar/keys", Title: "registrar.keys.title", Styles: officeStyles, Data: map[string]any{"Keys": out, "Trusted": trusted, "Soon": trusted.Before(now.AddDate(0, 0, 7))}})
}

// bar is one column of a chart.
type bar struct {
	X, Y, Width, Height int
	Kind                string // class
}

// chart is what an office did, week by week.
type chart struct {
	Office string
	Bars   []bar
	Top    int
	Rows   []issuer.Week
	Labels []chartLabel
	Sum    issuer.Week
}

type chartLabel struct {
	X    int
	Text string
}

// weeksShown is how far a chart goes back.
const weeksShown = 12

// Sizes of a chart, in its own units.
const (
	chartHeight = 100
	weekWidth   = 30
	barWidth    = 8
)

func (h routes) statistics(c echo.Context, s account.Session) error {
	ctx := c.Request().Context()
	total, err := h.Statistics(ctx, caller(s))
	if err != nil {
		return err
	}
	weeks, err := h.Weeks(ctx, caller(s), weeksShown)
	if err != nil {
		return err
	}
	var charts []chart
	for n := 0; n < len(weeks); {
		end := n
		for end < len(weeks) && weeks[end].Office == weeks[n].Office {
			end++
		}
		charts = append(charts, draw(weeks[n:end], time.Now()))
		n = end
	}
	return h.show(c, web.View{Page: "registrar/statistics", Title: "registrar.stats.title", Styles: officeStyles,
		Data: map[string]any{"Total": total, "Charts": charts, "Width": weeksShown * weekWidth, "Wide": weeksShown*weekWidth + 40, "Height": chartHeight}})
}

// draw makes the chart of one office: three columns a week, all to one scale.
func draw(weeks []issuer.Week, now time.Time) chart {
	y, m, d := now.UTC().Date()
	last := time.Date(y, m, d-(int(now.UTC().Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	out := chart{Office: weeks[0].Office, Top: 1, Rows: weeks}
	for _, w := range weeks {
		out.Top = max(out.Top, w.Registrations, w.Issuances, w.Revocations)
		out.Sum.Registrations += w.Registrations
		out.Sum.Issuances += w.Issuances
		out.Sum.Revocations += w.Revocations
	}
	for _, w := range weeks {
		ago := int(last.Sub(w.From).Hours()/24) / 7
		x := (weeksShown - 1 - ago) * weekWidth
		for n, v := range []struct {
			kind  string
			count int
		}{{"registrations", w.Registrations}, {"issuances", w.Issuances}, {"revocations", w.Revocations}} {
			height := v.count * chartHeight / out.Top
			if v.count > 0 {
				height = max(height, 2)
			}
			out.Bars = append(out.Bars, bar{X: x + 3 + n*barWidth, Y: chartHeight - height, Width: barWidth - 1, Height: height, Kind: v.kind})
		}
	}
	for n := 0; n < weeksShown; n += 3 {
		out.Labels = append(out.Labels, chartLabel{n * weekWidth, last.AddDate(0, 0, -7*(weeksShown-1-n)).Format("2.1.")})
	}
	return out
}

// paper shows a paper pass: the child's birth and one guardianship as one code,
// with what people can read.
func (h routes) paper(c echo.Context, s account.Session) error {
	r, about, err := h.record(c, s, issuer.KindGuardianship, c.Param("id"))
	if err != nil {
		return err
	}
	birth, guardianship, err := h.Paper(c.Request().Context(), caller(s), r.Birth, r.ID)
	if err != nil {
		if !mendable(err) {
			return err
		}
		return h.show(c, web.View{Page: "registrar/no-paper", Title: "registrar.paper.title", Styles: officeStyles,
			Data: map[string]any{"About": about, "Why": h.pages.Site().Fault(c.Request(), fault.As(err))}})
	}
	text, err := qr.Pack(qr.Packet{Credentials: []string{birth, guardianship}})
	if err != nil {
		return err
	}
	image, err := qr.Draw(text, qr.Paper)
	if err != nil {
		return err
	}
	var until time.Time
	fresh, err := h.Guardianship(c.Request().Context(), caller(s), r.ID)
	if err != nil {
		return err
	}
	for _, x := range fresh.Credentials {
		if x.Profile == issuer.ProfilePaper && x.State == issuer.StatusValid && x.ValidUntil.After(until) {
			until = x.ValidUntil
		}
	}
	_, b, err := h.ward(c, s, r.Birth)
	if err != nil {
		return err
	}
	second := "en"
	if h.pages.Site().Language(c.Request()) == "en" {
		second = "fr"
	}
	if l := c.QueryParam("second"); slices.Contains(web.Languages, l) {
		second = l
	}
	return h.show(c, web.View{Page: "registrar/paper", Title: "registrar.paper.title", Styles: officeStyles, Scripts: []string{"registrar/office.js"},
		// The drawing is made of numbers.
		Data: map[string]any{"About": about, "QR": template.HTML(image.SVG()), "Until": until, "Second": second, "Other": h.pages.Site().In(second, c.Request()), "Languages": h.others(c, second), "Sex": b.Sex, "Latin": latinNames(b.Names)}})
}

// others are the languages that a pass can have beside the visitor's.
func (h routes) others(c echo.Context, second string) []web.Option {
	var out []web.Option
	for _, l := range web.Languages {
		if l != h.pages.Site().Language(c.Request()) {
			out = append(out, web.Option{Value: l, Label: web.LanguageName(l), Checked: l == second})
		}
	}
	return out
}

// latinNames is the name as a passport writes it.
func latinNames(names []vc.Name) string {
	for _, n := range names {
		if n.MRZ != nil {
			return n.MRZ.Primary + "<<" + n.MRZ.Secondary
		}
	}
	return ""
}
