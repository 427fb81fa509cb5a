package guardian

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// A consent is written down on small pages, a question or two on each. What was
// answered is kept, sealed, in the wallet: one can stop, sign out, and go on from
// another device.

// answers is what a guardian answered so far.
type answers struct {
	Child     string        `json:"child"`
	Mode      string        `json:"mode,omitempty"`
	Adults    []adultAnswer `json:"adults,omitempty"`
	Nobody    bool          `json:"nobody,omitempty"` // no adult is named, where none must be
	From      string        `json:"from,omitempty"`
	To        []string      `json:"to,omitempty"`
	Through   []string      `json:"through,omitempty"`
	First     string        `json:"first,omitempty"` // YYYY-MM-DD, as the other days
	Last      string        `json:"last,omitempty"`
	Back      string        `json:"back,omitempty"`
	Crossings int           `json:"crossings,omitempty"`
	Stay      *vc.Receiver  `json:"stay,omitempty"`
	Purpose   string        `json:"purpose,omitempty"`
	Settle    bool          `json:"settle,omitempty"`
	Medical   string        `json:"medical,omitempty"`
}

// adultAnswer is an adult as the page asks for one.
type adultAnswer struct {
	Given    string `json:"given,omitempty"`
	Family   string `json:"family,omitempty"`
	Relation string `json:"relation,omitempty"`
	Born     string `json:"born,omitempty"`
	Kind     string `json:"kind,omitempty"` // of the document
	Number   string `json:"number,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Key      string `json:"key,omitempty"`
}

// Name is what the adult is called on the pages.
func (a adultAnswer) Name() string { return strings.TrimSpace(a.Given + " " + a.Family) }

// maxAdults is how many adults the pages take: more do not fit into one code.
const maxAdults = 5

func (a adultAnswer) companion() vc.Companion {
	c := vc.Companion{Names: []vc.Name{{Kind: "legal", Script: scriptOf(a.Name()), Given: strings.Fields(a.Given), Family: strings.Fields(a.Family)}}, Key: a.Key, Relation: a.Relation}
	if a.Born != "" {
		c.BirthDate = &vc.UncertainDate{Value: a.Born, Precision: "day", Basis: "informant"}
	}
	if a.Number != "" {
		c.Document = &vc.Identifier{Type: a.Kind, Value: a.Number, Issuer: a.Issuer}
	}
	return c
}

// scriptOf gives the ISO 15924 code of the script that a name is written in.
func scriptOf(name string) string {
	for code, table := range map[string]*unicode.RangeTable{"Arab": unicode.Arabic, "Cyrl": unicode.Cyrillic, "Deva": unicode.Devanagari,
		"Grek": unicode.Greek, "Ethi": unicode.Ethiopic, "Beng": unicode.Bengali, "Hani": unicode.Han, "Hebr": unicode.Hebrew, "Thai": unicode.Thai} {
		if strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(table, r) }) {
			return code
		}
	}
	return "Latn"
}

// draft is the consent that the answers make. What was not asked yet has a
// value that nobody will see, so that what was can be judged.
func (a *answers) draft(now time.Time) (wallet.Draft, error) {
	today := vc.DateOf(now)
	d := wallet.Draft{Child: a.Child, Mode: a.Mode, RelocationAllowed: a.Settle, MedicalConsent: a.Medical}
	if d.Mode == "" {
		d.Mode = vc.ModeOneGuardian
	}
	trip := vc.Trip{DepartFrom: a.From, Destinations: a.To, Transit: a.Through, NotBefore: a.First, NotAfter: a.Last, ReturnBy: a.Back, Crossings: a.Crossings, Purpose: a.Purpose}
	if trip.DepartFrom == "" {
		trip.DepartFrom, trip.Destinations = "GHA", []string{"TGO"}
	}
	if trip.NotBefore == "" {
		trip.NotBefore, trip.NotAfter = today.String(), today.AddDays(1).String()
	}
	var adults []vc.Companion
	for _, x := range a.Adults {
		adults = append(adults, x.companion())
	}
	if len(adults) == 0 && (d.Mode == vc.ModeThirdParty || d.Mode == vc.ModeGroup) {
		adults = []vc.Companion{adultAnswer{Given: "A", Family: "B"}.companion()}
	}
	stay := a.Stay
	if stay == nil && d.Mode == vc.ModeAlone {
		stay = &vc.Receiver{Name: "A", Contact: "B"}
	}
	var err error
	put := func(to *json.RawMessage, v any) {
		if err == nil {
			*to, err = json.Marshal(v)
		}
	}
	put(&d.Trip, trip)
	if len(adults) > 0 {
		put(&d.Accompanying, adults)
	}
	if stay != nil && *stay != (vc.Receiver{}) {
		put(&d.Receiving, stay)
	}
	return d, err
}

// step is one page of questions.
type step struct {
	name     string
	prefixes []string // of the fields of a draft that are asked here
	missing  func(*answers) bool
	fill     func(*answers, map[string][]string)
	read     func(*answers, *web.Form)
}

// steps are the pages in their order. "adults" is a page of its own kind.
var steps = []step{
	{"who", []string{"/mode"}, func(a *answers) bool { return a.Mode == "" }, fillWho, readWho},
	{"adults", []string{"/accompanying"}, func(a *answers) bool { return a.Mode != vc.ModeAlone && len(a.Adults) == 0 && !a.Nobody }, nil, nil},
	{"where", []string{"/trip/departFrom", "/trip/destinations", "/trip/transit"}, func(a *answers) bool { return a.From == "" }, fillWhere, readWhere},
	{"when", []string{"/trip/notBefore", "/trip/notAfter", "/trip/returnBy", "/trip/crossings", "/grantedOn"}, func(a *answers) bool { return a.First == "" }, fillWhen, readWhen},
	{"stay", []string{"/receiving"}, func(a *answers) bool { return a.Stay == nil }, fillStay, readStay},
	{"more", []string{"/trip/purpose", "/relocationAllowed", "/medicalConsent"}, func(a *answers) bool { return a.Medical == "" }, fillMore, readMore},
}

func stepOf(name string) (step, int) {
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
	if i < 0 {
		return step{}, -1
	}
	return steps[i], i
}

// next gives the address of the first page that was not answered, or of the
// summary.
func (a *answers) next(id string) string {
	for _, s := range steps {
		if s.missing(a) {
			return "/app/drafts/" + id + "/" + s.name
		}
	}
	return "/app/drafts/" + id
}

var modes = []string{vc.ModeOneGuardian, vc.ModeThirdParty, vc.ModeGroup, vc.ModeAlone}

func fillWho(a *answers, v map[string][]string) { v["mode"] = []string{a.Mode} }

func readWho(a *answers, f *web.Form) {
	a.Mode = f.Values.Get("mode")
	if !slices.Contains(modes, a.Mode) {
		f.Wrong("mode", "guardian.journey.wrong.who")
	}
	if a.Mode == vc.ModeAlone {
		a.Adults = nil
	}
	if a.Mode != vc.ModeOneGuardian {
		a.Nobody = false
	}
}

func fillWhere(a *answers, v map[string][]string) {
	v["from"] = []string{a.From}
	for i, c := range a.To {
		v["to-"+strconv.Itoa(i+1)] = []string{c}
	}
	for i, c := range a.Through {
		v["through-"+strconv.Itoa(i+1)] = []string{c}
	}
}

// maxCountries is how many countries the page takes, to go to and to pass
// through.
const maxCountries = 3

func readWhere(a *answers, f *web.Form) {
	country := func(name string) string {
		code := f.Values.Get(name)
		if code != "" && !icao.IsTerritory(code) {
			f.Wrong(name, "guardian.journey.wrong.country")
		}
		return code
	}
	a.From, a.To, a.Through = country("from"), nil, nil
	if a.From == "" {
		f.Wrong("from", "guardian.journey.wrong.from")
	}
	for i := range maxCountries {
		n := strconv.Itoa(i + 1)
		if to := country("to-" + n); to != "" && !slices.Contains(a.To, to) {
			a.To = append(a.To, to)
			if to == a.From {
				f.Wrong("to-"+n, "guardian.journey.wrong.same-country")
			}
		}
		if by := country("through-" + n); by != "" && !slices.Contains(a.Through, by) {
			a.Through = append(a.Through, by)
		}
	}
	if len(a.To) == 0 {
		f.Wrong("to-1", "guardian.journey.wrong.to")
	}
}

// crossings are the choices of how often a border may be crossed.
var crossings = []string{"2", "1", "more"}

func fillWhen(a *answers, v map[string][]string) {
	fillDay(v, "first", a.First)
	fillDay(v, "last", a.Last)
	fillDay(v, "back", a.Back)
	switch n := strconv.Itoa(a.Crossings); {
	case slices.Contains(crossings, n):
		v["crossings"] = []string{n}
	case a.Crossings > 2:
		v["crossings"], v["times"] = []string{"more"}, []string{n}
	}
}

func readWhen(a *answers, f *web.Form) {
	a.First = readDay(f, "first", "guardian.journey.wrong.first")
	a.Last = readDay(f, "last", "guardian.journey.wrong.last")
	a.Back = readDay(f, "back", "")
	switch way := f.Values.Get("crossings"); way {
	case "1", "2":
		a.Crossings, _ = strconv.Atoi(way)
	case "more":
		var err error
		if a.Crossings, err = strconv.Atoi(digits(f.Values.Get("times"))); err != nil || a.Crossings < 1 || a.Crossings > 20 {
			f.Wrong("times", "guardian.journey.wrong.times")
		}
	default:
		f.Wrong("crossings", "guardian.journey.wrong.crossings")
	}
}

func fillDay(v map[string][]string, name, day string) {
	d, err := vc.ParseDate(day)
	if err != nil {
		return
	}
	t := d.Time()
	v[name+"-day"], v[name+"-month"], v[name+"-year"] = []string{strconv.Itoa(t.Day())}, []string{strconv.Itoa(int(t.Month()))}, []string{strconv.Itoa(t.Year())}
}

// readDay gives the day that was typed, as YYYY-MM-DD. An empty one is refused
// with missing, if that is a message.
func readDay(f *web.Form, name, missing string) string {
	part := func(p string) string { return digits(f.Values.Get(name + p)) }
	day, month, year := part("-day"), part("-month"), part("-year")
	if day+month+year == "" {
		if missing != "" {
			f.Wrong(name, missing)
		}
		return ""
	}
	pad := func(s string, n int) string { return strings.Repeat("0", max(0, n-len(s))) + s }
	text := pad(year, 4) + "-" + pad(month, 2) + "-" + pad(day, 2)
	if d, err := vc.ParseDate(text); err != nil || d.Time().Year() < 1900 {
		f.Wrong(name, "guardian.journey.wrong.day")
		return ""
	}
	return text
}

func fillStay(a *answers, v map[string][]string) {
	if a.Stay != nil {
		v["name"], v["address"], v["contact"] = []string{a.Stay.Name}, []string{a.Stay.Address}, []string{a.Stay.Contact}
	}
}

func readStay(a *answers, f *web.Form) {
	get := func(name string) string { return strings.TrimSpace(f.Values.Get(name)) }
	a.Stay = &vc.Receiver{Name: get("name"), Address: get("address"), Contact: get("contact")}
	if a.Mode == vc.ModeAlone && a.Stay.Name == "" {
		f.Wrong("name", "guardian.journey.wrong.stay-name")
	}
	if a.Mode == vc.ModeAlone && a.Stay.Address == "" && a.Stay.Contact == "" {
		f.Wrong("contact", "guardian.journey.wrong.stay-contact")
	}
}

// Closed lists, in the order in which they are shown.
var (
	purposes  = []string{"holiday", "family", "study", "medical", "sport", "relocation", "other"}
	medicals  = []string{"emergency", "full", "none"}
	relations = []string{"mother", "father", "grandparent", "sibling", "relative", "friendOfFamily", "teacher", "coach", "carrierStaff", "other"}
	documents = []string{"passport", "NID", "laissezPasser", "other"}
)

func fillMore(a *answers, v map[string][]string) {
	v["purpose"], v["medical"] = []string{a.Purpose}, []string{a.Medical}
	if a.Medical != "" {
		v["settle"] = []string{map[bool]string{true: "yes", false: "no"}[a.Settle]}
	}
}

func readMore(a *answers, f *web.Form) {
	a.Purpose, a.Medical, a.Settle = f.Values.Get("purpose"), f.Values.Get("medical"), f.Values.Get("settle") == "yes"
	if !slices.Contains(purposes, a.Purpose) {
		f.Wrong("purpose", "guardian.journey.wrong.purpose")
	}
	if !slices.Contains([]string{"yes", "no"}, f.Values.Get("settle")) {
		f.Wrong("settle", "guardian.journey.wrong.settle")
	} else if a.Purpose == "relocation" && !a.Settle {
		f.Wrong("settle", "guardian.journey.wrong.relocation")
	}
	if !slices.Contains(medicals, a.Medical) {
		f.Wrong("medical", "guardian.journey.wrong.medical")
	}
}

// written is a journey that is being written down, for one request.
type written struct {
	wallet.Journey
	answers
}

func (h routes) written(c echo.Context, s account.Session) (written, error) {
	j, err := h.Journey(c.Request().Context(), owner(s), c.Param("id"))
	if err != nil {
		return written{}, err
	}
	w := written{Journey: j}
	return w, json.Unmarshal(j.Answers, &w.answers)
}

func (h routes) keep(c echo.Context, s account.Session, w written) (written, error) {
	var err error
	if w.Answers, err = json.Marshal(w.answers); err != nil {
		return w, err
	}
	w.Journey, err = h.KeepJourney(c.Request().Context(), owner(s), w.Journey)
	return w, err
}

func to(c echo.Context, address string) error { return c.Redirect(http.StatusSeeOther, address) }

// beginPage asks for which child; where there is one, that is no question.
func (h routes) beginPage(c echo.Context, s account.Session) error {
	return h.showBegin(c, s, web.Form{})
}

func (h routes) showBegin(c echo.Context, s account.Session, f web.Form) error {
	all, err := h.Children(c.Request().Context(), owner(s))
	if err != nil {
		return err
	}
	w := h.words(c.Request())
	var options []web.Option
	for _, k := range all {
		if k.Shared {
			continue // a companion agrees to nothing
		}
		o := web.Option{Value: k.ID, Label: w.say("guardian.paper.say.child")}
		if len(k.Names) > 0 {
			o.Label = k.Names[0]
		}
		if k.BirthDate != "" {
			o.Hint = w.say("guardian.journey.born", "date", w.born(k.BirthDate))
		}
		options = append(options, o)
	}
	if len(options) == 1 {
		options[0].Checked = true
	}
	status := 0
	if !f.Good() {
		status = http.StatusUnprocessableEntity
	}
	return h.sheetPage(c, web.View{Page: "guardian/journey-child", Title: "guardian.paper.title", Status: status, Form: f, Data: map[string]any{"Children": options}})
}

func (h routes) begin(c echo.Context, s account.Session) error {
	values, err := c.FormParams()
	if err != nil {
		return serve.ErrRequest.With(err)
	}
	f := web.Form{Values: values}
	w := written{answers: answers{Child: values.Get("child")}}
	if w.Child == "" {
		f.Wrong("child", "guardian.journey.wrong.child")
		return h.showBegin(c, s, f)
	}
	// Who cannot agree hears it before ten questions and not after.
	if _, err := h.judge(c, s, &w.answers); err != nil {
		return err
	}
	if w, err = h.keep(c, s, w); err != nil {
		return err
	}
	return to(c, w.next(w.ID))
}

// judge makes the consent that the answers would become.
func (h routes) judge(c echo.Context, s account.Session, a *answers) (wallet.Consent, error) {
	d, err := a.draft(h.Now())
	if err != nil {
		return wallet.Consent{}, err
	}
	return h.Preview(c.Request().Context(), owner(s), d)
}

// complain adds to a form what the wallet refused of the answers of a step, and
// reports whether there was anything. err is the wallet's.
func complain(f *web.Form, at step, err error) bool {
	var refused *fault.Fault
	if !errors.As(err, &refused) || !refused.Is(wallet.ErrConsentInvalid) {
		return false
	}
	for _, x := range refused.Fields {
		if slices.ContainsFunc(at.prefixes, func(p string) bool { return strings.HasPrefix(x.Path, p) }) {
			field, text := wording(x)
			f.Wrong(field, text)
		}
	}
	return !f.Good()
}

// wording gives the field of a page and the message for what the wallet refused.
func wording(x fault.Field) (field, text string) {
	part := x.Path[strings.LastIndex(x.Path, "/")+1:]
	switch {
	case strings.HasPrefix(x.Path, "/trip/destinations"):
		return "to-1", "guardian.journey.wrong.same-country"
	case x.Path == "/trip/notBefore" && strings.Contains(x.Rule, "two years"):
		return "first", "guardian.journey.wrong.too-far"
	case x.Path == "/trip/notBefore":
		return "first", "guardian.journey.wrong.day"
	case x.Path == "/trip/notAfter" && strings.Contains(x.Rule, "two years"):
		return "last", "guardian.journey.wrong.too-far"
	case x.Path == "/trip/notAfter" && strings.Contains(x.Rule, "over"):
		return "last", "guardian.journey.wrong.over"
	case x.Path == "/trip/notAfter":
		return "last", "guardian.journey.wrong.before"
	case x.Path == "/trip/returnBy":
		return "back", "guardian.journey.wrong.back"
	case x.Path == "/relocationAllowed":
		return "settle", "guardian.journey.wrong.relocation"
	case strings.HasPrefix(x.Path, "/receiving"):
		return "name", "guardian.journey.wrong.text"
	case part == "key" && strings.Contains(x.Rule, "your own"):
		return "key", "guardian.journey.wrong.own-key"
	case part == "key" && strings.Contains(x.Rule, "twice"):
		return "key", "guardian.journey.wrong.key-twice"
	case part == "key":
		return "key", "guardian.journey.wrong.key"
	case part == "birthDate":
		return "born", "guardian.journey.wrong.born"
	case strings.Contains(x.Path, "/document"):
		return "number", "guardian.journey.wrong.number"
	case strings.HasPrefix(x.Path, "/accompanying") && strings.Contains(x.Rule, "Latin"):
		return "given", "guardian.journey.wrong.latin"
	case strings.HasPrefix(x.Path, "/accompanying"):
		return "given", "guardian.journey.wrong.name"
	}
	return "", "guardian.journey.wrong.text"
}

func (h routes) stepPage(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	at, _ := stepOf(c.Param("step"))
	if at.fill == nil {
		return serve.ErrNoRoute
	}
	f := web.Form{Values: map[string][]string{}}
	at.fill(&w.answers, f.Values)
	return h.showStep(c, w, at, f)
}

// showStep shows the page of a step.
func (h routes) showStep(c echo.Context, w written, at step, f web.Form) error {
	say := h.words(c.Request())
	_, n := stepOf(at.name)
	known := func(key string, values []string) []web.Option {
		var out []web.Option
		for _, v := range values {
			out = append(out, web.Option{Value: v, Label: say.known(key, v)})
		}
		return out
	}
	data := map[string]any{"ID": w.ID, "Answers": w.answers, "Step": n + 1, "Steps": len(steps), "Back": w.before(n), "Alone": w.Mode == vc.ModeAlone}
	switch at.name {
	case "who":
		data["Modes"] = known("guardian.journey.mode.", modes)
	case "when":
		data["Crossings"] = known("guardian.journey.crossings.", crossings)
		data["Example"] = h.Now().AddDate(0, 1, 0)
	case "more":
		data["Purposes"] = known("guardian.journey.purpose.", purposes)
		data["Medicals"] = known("guardian.journey.medical.", medicals)
	}
	v := web.View{Page: "guardian/journey-" + at.name, Title: "guardian.paper.title", Form: f, Data: data}
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	return h.sheetPage(c, v)
}

// before gives the address of the page before the nth.
func (w written) before(n int) string {
	for n--; n >= 0; n-- {
		if steps[n].name == "adults" && w.Mode == vc.ModeAlone {
			continue
		}
		return "/app/drafts/" + w.ID + "/" + steps[n].name
	}
	return "/app/papers"
}

func (h routes) step(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	at, _ := stepOf(c.Param("step"))
	if at.read == nil {
		return serve.ErrNoRoute
	}
	f := web.Form{}
	if f.Values, err = c.FormParams(); err != nil {
		return serve.ErrRequest.With(err)
	}
	at.read(&w.answers, &f)
	if f.Good() {
		if _, err := h.judge(c, s, &w.answers); err != nil && !complain(&f, at, err) && !errors.Is(err, wallet.ErrConsentInvalid) {
			return err
		}
	}
	if !f.Good() {
		return h.showStep(c, w, at, f)
	}
	if w, err = h.keep(c, s, w); err != nil {
		return err
	}
	return to(c, w.next(w.ID))
}

// adults lists the adults who were named, or asks for the first one.
func (h routes) adults(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	if len(w.Adults) == 0 {
		return h.showAdult(c, w, 0, web.Form{Values: map[string][]string{}})
	}
	_, n := stepOf("adults")
	return h.sheetPage(c, web.View{Page: "guardian/journey-adults", Title: "guardian.paper.title",
		Data: map[string]any{"ID": w.ID, "Answers": w.answers, "Step": n + 1, "Steps": len(steps), "Back": w.before(n), "Next": w.next(w.ID), "Full": len(w.Adults) >= maxAdults}})
}

// place gives which adult a request is about: one who was named, or the next.
func (w written) place(c echo.Context) (int, error) {
	i, err := strconv.Atoi(c.Param("n"))
	if err != nil || i < 0 || i > len(w.Adults) || i >= maxAdults {
		return 0, serve.ErrNoRoute
	}
	return i, nil
}

func (h routes) adultPage(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	i, err := w.place(c)
	if err != nil {
		return err
	}
	f := web.Form{Values: map[string][]string{}}
	if i < len(w.Adults) {
		a := w.Adults[i]
		for name, value := range map[string]string{"given": a.Given, "family": a.Family, "relation": a.Relation, "kind": a.Kind, "number": a.Number, "issuer": a.Issuer, "key": a.Key} {
			f.Values.Set(name, value)
		}
		fillDay(f.Values, "born", a.Born)
	}
	return h.showAdult(c, w, i, f)
}

func (h routes) showAdult(c echo.Context, w written, i int, f web.Form) error {
	say := h.words(c.Request())
	_, n := stepOf("adults")
	back := w.before(n)
	if len(w.Adults) > 0 {
		back = "/app/drafts/" + w.ID + "/adults"
	}
	choose := web.Option{Label: say.say("guardian.journey.choose")}
	relation, kinds := []web.Option{choose}, []web.Option{}
	for _, v := range relations {
		relation = append(relation, web.Option{Value: v, Label: say.known("guardian.journey.relation.", v)})
	}
	for _, v := range documents {
		kinds = append(kinds, web.Option{Value: v, Label: say.known("guardian.journey.document.", v)})
	}
	v := web.View{Page: "guardian/journey-adult", Title: "guardian.paper.title", Form: f,
		Data: map[string]any{"ID": w.ID, "N": i, "Answers": w.answers, "Step": n + 1, "Steps": len(steps), "Back": back, "Relations": relation, "Documents": kinds,
			"Guardian": w.Mode == vc.ModeOneGuardian, "Group": w.Mode == vc.ModeGroup, "MaySkip": w.Mode == vc.ModeOneGuardian && len(w.Adults) == 0}}
	scanning(&v)
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	return h.sheetPage(c, v)
}

func (h routes) adult(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	i, err := w.place(c)
	if err != nil {
		return err
	}
	f := web.Form{}
	if f.Values, err = c.FormParams(); err != nil {
		return serve.ErrRequest.With(err)
	}
	if f.Values.Has("skip") && w.Mode == vc.ModeOneGuardian && len(w.Adults) == 0 {
		w.Nobody = true
		if w, err = h.keep(c, s, w); err != nil {
			return err
		}
		return to(c, w.next(w.ID))
	}
	get := func(name string) string { return strings.TrimSpace(f.Values.Get(name)) }
	a := adultAnswer{Given: get("given"), Family: get("family"), Relation: get("relation"), Born: readDay(&f, "born", ""), Number: get("number"), Issuer: get("issuer"), Key: get("key")}
	if a.Name() == "" {
		f.Wrong("given", "guardian.journey.wrong.name")
	}
	if a.Relation != "" && !slices.Contains(relations, a.Relation) {
		f.Wrong("relation", "guardian.journey.wrong.text")
	}
	if a.Number != "" {
		if a.Kind = get("kind"); !slices.Contains(documents, a.Kind) {
			f.Wrong("kind", "guardian.journey.wrong.kind")
		}
	} else {
		a.Issuer = ""
	}
	if f.Good() {
		// This adult alone, and then with the others: what is wrong must be of this
		// one.
		try := w.answers
		try.Adults = slices.Clone(w.Adults)
		if i < len(try.Adults) {
			try.Adults[i] = a
		} else {
			try.Adults = append(try.Adults, a)
		}
		at, _ := stepOf("adults")
		if _, err := h.judge(c, s, &try); err != nil && !complain(&f, at, err) && !errors.Is(err, wallet.ErrConsentInvalid) {
			return err
		}
		w.Adults, w.Nobody = try.Adults, false
	}
	if !f.Good() {
		return h.showAdult(c, w, i, f)
	}
	return h.keepAdults(c, s, w)
}

func (h routes) keepAdults(c echo.Context, s account.Session, w written) error {
	w, err := h.keep(c, s, w)
	if err != nil {
		return err
	}
	return to(c, "/app/drafts/"+w.ID+"/adults")
}

func (h routes) removeAdult(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	i, err := w.place(c)
	if err != nil || i == len(w.Adults) {
		return serve.ErrNoRoute
	}
	w.Adults = slices.Delete(w.Adults, i, i+1)
	return h.keepAdults(c, s, w)
}

// summary shows everything before it is made a consent.
func (h routes) summary(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	if next := w.next(w.ID); next != "/app/drafts/"+w.ID {
		return to(c, next)
	}
	return h.showSummary(c, s, w)
}

func (h routes) showSummary(c echo.Context, s account.Session, w written) error {
	consent, err := h.judge(c, s, &w.answers)
	say := h.words(c.Request())
	data := map[string]any{"ID": w.ID, "Quorum": consent.Quorum}
	v := web.View{Page: "guardian/journey-check", Title: "guardian.paper.title", Data: data}
	var refused *fault.Fault
	switch {
	case err == nil:
		data["Clauses"] = say.clauses(consent.Terms, consent.ValidUntil)
	case errors.As(err, &refused) && refused.Is(wallet.ErrConsentInvalid):
		// Time has passed since it was answered, or an answer no longer fits one
		// that was changed later.
		v.Status = http.StatusUnprocessableEntity
		data["Wrong"] = h.mistakes(refused)
	default:
		return err
	}
	return h.sheetPage(c, v)
}

// mistake is an answer that does not hold, and the page to change it.
type mistake struct{ Step, Text string }

func (h routes) mistakes(f *fault.Fault) []mistake {
	var out []mistake
	for _, x := range f.Fields {
		at := slices.IndexFunc(steps, func(s step) bool {
			return slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(x.Path, p) })
		})
		_, text := wording(x)
		m := mistake{steps[max(at, 0)].name, text}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// finish makes the consent. Nothing is signed yet.
func (h routes) finish(c echo.Context, s account.Session) error {
	w, err := h.written(c, s)
	if err != nil {
		return err
	}
	if next := w.next(w.ID); next != "/app/drafts/"+w.ID {
		return to(c, next)
	}
	d, err := w.draft(h.Now())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	made, err := h.DraftConsent(ctx, owner(s), d)
	if errors.Is(err, wallet.ErrConsentInvalid) {
		return h.showSummary(c, s, w)
	}
	if err != nil {
		return err
	}
	if err := h.DropJourney(ctx, owner(s), w.ID); err != nil {
		return err
	}
	return to(c, "/app/papers/"+made.ID)
}

func (h routes) dropJourney(c echo.Context, s account.Session) error {
	if err := h.DropJourney(c.Request().Context(), owner(s), c.Param("id")); err != nil {
		return err
	}
	return to(c, "/app/papers?done=dropped")
}
