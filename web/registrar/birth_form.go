package registrar

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// where says which field of a form a place of the registration came from: the
// places that begin with Path are those of Field.
type where struct{ Path, Field string }

// answers reads a form.
type answers struct {
	*web.Form
	where []where
}

// get gives an answer without space around it.
func (a *answers) get(name string) string { return strings.TrimSpace(a.Values.Get(name)) }

// choice gives one of several answers, "" where "none" was chosen.
func (a *answers) choice(name string) string {
	if v := a.get(name); v != "none" {
		return v
	}
	return ""
}

// at notes where an answer goes.
func (a *answers) at(path, field string) { a.where = append(a.where, where{path, field}) }

// number reads a whole number; what is none is wrong.
func (a *answers) number(name string) int {
	s := digits(a.get(name))
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		a.Wrong(name, "registrar.wrong.number-text")
		return 0
	}
	return n
}

// digits turns the digits of every script into those of ASCII: people type those
// of their keyboard.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 || !unicode.Is(unicode.Nd, r) {
			return r
		}
		// Digits of a script stand together, zero first.
		n := rune(0)
		for n < 9 && unicode.Is(unicode.Nd, r-n-1) {
			n++
		}
		return '0' + n%10
	}, s)
}

// date reads a whole date: a day that does not exist is left to the register to
// refuse; "" if nothing is there.
func (a *answers) date(name string) string {
	value, precision := a.partOfDate(name)
	if value != "" && precision != "day" {
		a.Wrong(name, "registrar.wrong.whole-date")
		return ""
	}
	return value
}

// partOfDate reads a date as far as it is known: a year, a month, or a day.
func (a *answers) partOfDate(name string) (value, precision string) {
	day, month, year := digits(a.get(name+"-day")), digits(a.get(name+"-month")), digits(a.get(name+"-year"))
	if day == "" && month == "" && year == "" {
		return "", ""
	}
	ok := len(year) == 4 && short(month) && short(day) && (day == "" || month != "")
	if _, err := strconv.Atoi(year + month + day); err != nil || !ok {
		a.Wrong(name, "registrar.wrong.date")
		return "", ""
	}
	switch {
	case month == "":
		return year, "year"
	case day == "":
		return year + "-" + two(month), "month"
	}
	return year + "-" + two(month) + "-" + two(day), "day"
}

func short(s string) bool { return len(s) <= 2 }

func two(s string) string {
	if len(s) == 1 {
		return "0" + s
	}
	return s
}

// names reads the names of a person in up to three scripts, as prefix-given,
// prefix2-given and so on.
func (a *answers) names(path, prefix, status string) []vc.Name {
	var out []vc.Name
	for _, p := range []string{prefix, prefix + "2", prefix + "3"} {
		n := vc.Name{Kind: "legal", Full: a.get(p + "-full")}
		if given := a.get(p + "-given"); given != "" && status != "unnamed" {
			n.Given = []string{given}
		}
		if family := a.get(p + "-family"); family != "" {
			n.Family = []string{family}
		}
		if status != "known" {
			n.Status = status
		}
		if n.Full == "" && n.Given == nil && n.Family == nil && (p != prefix || status != "unnamed") {
			continue
		}
		n.Script = scriptOf(n.Full + strings.Join(n.Given, "") + strings.Join(n.Family, ""))
		at := path + "/names/" + strconv.Itoa(len(out))
		a.at(at, p+"-family")
		a.at(at+"/given", p+"-given")
		a.at(at+"/full", p+"-full")
		out = append(out, n)
	}
	if m := a.mrz(prefix); m != nil && len(out) > 0 {
		out[0].MRZ = m
		a.at(path+"/names/0/mrz", prefix+"-mrz-family")
	}
	return out
}

// scriptOf gives the script of a name. One in several scripts is called Latin,
// which the register refuses at the letter that is not.
func scriptOf(name string) string {
	if s := issuer.ScriptOf(name); s != "" {
		return s
	}
	return "Latn"
}

// mrz reads the name in the letters of a passport, where it was given.
func (a *answers) mrz(prefix string) *vc.MRZ {
	clean := func(name string) string {
		return strings.Join(strings.FieldsFunc(strings.ToUpper(a.get(name)), func(r rune) bool { return r == ' ' || r == '<' || r == '-' || r == '\'' }), "<")
	}
	m := vc.MRZ{Primary: clean(prefix + "-mrz-family"), Secondary: clean(prefix + "-mrz-given"), Source: "holderPreferred"}
	switch {
	case m.Primary == "" && m.Secondary == "":
		return nil
	case m.Primary == "": // whoever has one name has it as the primary one
		m.Primary, m.Secondary = m.Secondary, ""
	}
	return &m
}

// uncertain reads a date of birth: known, at least in part, between two days, or
// not known.
func (a *answers) uncertain(path, name, basis string) vc.UncertainDate {
	u := vc.UncertainDate{Basis: basis}
	a.at(path, name)
	a.at(path+"/basis", name+"-basis")
	switch a.get(name + "-kind") {
	case "range":
		u.Precision = "range"
		u.Earliest, u.Latest = a.date(name+"-earliest"), a.date(name+"-latest")
		a.at(path, name+"-earliest")
		a.at(path+"/latest", name+"-latest")
		for _, end := range []struct{ value, field string }{{u.Earliest, name + "-earliest"}, {u.Latest, name + "-latest"}} {
			if end.value == "" && !a.wrong(end.field) {
				a.Wrong(end.field, "registrar.wrong.date-needed")
			}
		}
	case "unknown":
		u.Precision = "unknown"
		a.at(path, name+"-kind")
	default:
		u.Value, u.Precision = a.partOfDate(name)
		if u.Value == "" && !a.wrong(name) {
			a.Wrong(name, "registrar.wrong.date-needed")
		}
	}
	return u
}

// wrong reports whether a field has an error already.
func (a *answers) wrong(field string) bool {
	for _, e := range a.Errors {
		if e.Field == field {
			return true
		}
	}
	return false
}

// needed notes what has to be answered.
func (a *answers) needed(name, text string) string {
	v := a.get(name)
	if v == "" && !a.wrong(name) {
		a.Wrong(name, text)
	}
	return v
}

// birthOf reads the form of a birth. authority names the register.
func birthOf(f *web.Form, authority string) (*vc.Birth, []where) {
	a := &answers{Form: f}
	b := &vc.Birth{ChildRef: a.get("ref"), RecordVersion: 1, Circumstance: circumstances[a.get("case")], Parentage: []vc.Parent{}}
	a.at("", "")
	status := a.get("name-status")
	if status == "" {
		status = "known"
	}
	b.Names = a.names("", "child", status)
	a.at("/names", "child-family")
	if len(b.Names) == 0 {
		a.Wrong("child-family", "registrar.wrong.name-needed")
	}
	b.BirthDate = a.uncertain("/birthDate", "born", a.get("born-basis"))
	a.at("/birthDate/precision", "born-kind")
	b.TimeOfBirth = digits(a.get("born-time"))
	a.at("/timeOfBirth", "born-time")
	if s := a.needed("sex", "registrar.wrong.sex"); s != "" {
		b.Sex, _ = strconv.Atoi(s)
	}
	a.at("/sex", "sex")
	a.place(b)
	a.several(b)
	for _, p := range []string{"p1", "p2"} {
		a.parent(b, p)
	}
	a.at("/parentage", "p1-status")
	b.Registration = vc.Registration{Number: a.needed("number", "registrar.wrong.number"), Authority: authority, Office: a.get("office"),
		Date: a.date("registered"), Mode: a.get("mode"), Informant: a.get("informant")}
	if b.Registration.Date == "" && !a.wrong("registered") {
		a.Wrong("registered", "registrar.wrong.date-needed")
	}
	for path, field := range map[string]string{"/registration/number": "number", "/registration/office": "office", "/registration/date": "registered",
		"/registration/mode": "mode", "/registration/informant": "informant"} {
		a.at(path, field)
	}
	b.TravelDocuments = a.document("/travelDocuments")
	return b, a.where
}

func (a *answers) place(b *vc.Birth) {
	p := vc.Place{Status: a.get("place-status"), Country: a.get("place-country"), AdminArea: a.get("place-area"), Locality: a.get("place-town"),
		FacilityType: a.choice("place-kind"), FacilityID: a.get("place-facility")}
	if p.Status == "unknown" {
		p = vc.Place{Status: p.Status}
	} else if p.Country == "" && p.FacilityType != "vessel" && p.FacilityType != "aircraft" {
		a.Wrong("place-country", "registrar.wrong.country")
	}
	if p.Status == "foundAt" {
		p.FacilityType = ""
	}
	b.PlaceOfBirth = p
	a.at("/placeOfBirth", "place-status")
	for path, field := range map[string]string{"country": "place-country", "adminArea": "place-area", "locality": "place-town", "facilityType": "place-kind", "facilityId": "place-facility"} {
		a.at("/placeOfBirth/"+path, field)
	}
}

// several reads whether the child is one of twins or more.
func (a *answers) several(b *vc.Birth) {
	if n := a.number("plurality"); n > 1 {
		b.MultipleBirth = &vc.MultipleBirth{Plurality: n, Order: a.number("order")}
	}
	a.at("/multipleBirth", "order")
	a.at("/multipleBirth/plurality", "plurality")
}

// parent reads one parent. What was typed of one who is not named is not taken.
func (a *answers) parent(b *vc.Birth, p string) {
	status := a.choice(p + "-status")
	if status == "" {
		return
	}
	x := vc.Parent{Role: a.get(p + "-role"), Status: status}
	at := "/parentage/" + strconv.Itoa(len(b.Parentage))
	a.at(at, p+"-status")
	a.at(at+"/role", p+"-role")
	if status == "known" || status == "deceased" {
		x.Filiation = a.choice(p + "-filiation")
		x.Names = a.names(at, p, "known")
		if len(x.Names) == 0 {
			a.Wrong(p+"-family", "registrar.wrong.parent-name")
		}
		if value, precision := a.partOfDate(p + "-born"); value != "" {
			x.BirthDate = &vc.UncertainDate{Value: value, Precision: precision, Basis: "documentary"}
		}
		if n := a.get(p + "-nationality"); n != "" {
			x.Nationality = []string{n}
		}
		a.at(at+"/filiation", p+"-filiation")
		a.at(at+"/birthDate", p+"-born")
		a.at(at+"/nationality", p+"-nationality")
	}
	b.Parentage = append(b.Parentage, x)
}

// document reads the one document that a form asks for; path is that of the list.
func (a *answers) document(path string) (out []vc.Identifier) {
	if n := a.get("doc-number"); n != "" {
		out = []vc.Identifier{{Type: a.choice("doc-type"), Value: n, Issuer: a.get("doc-issuer")}}
		if out[0].Type == "" {
			a.Wrong("doc-type", "registrar.wrong.doc-type")
		}
	}
	a.at(path, "doc-number")
	a.at(path+"/0/type", "doc-type")
	a.at(path+"/0/issuer", "doc-issuer")
	return out
}

// valuesOf gives the answers that make a birth: what birthOf reads.
func valuesOf(b *vc.Birth) url.Values {
	v := url.Values{"name-status": {"known"}, "sex": {strconv.Itoa(b.Sex)}, "born-basis": {b.BirthDate.Basis}, "plurality": {"1"},
		"place-status": {b.PlaceOfBirth.Status}, "place-country": {b.PlaceOfBirth.Country}, "place-area": {b.PlaceOfBirth.AdminArea},
		"place-town": {b.PlaceOfBirth.Locality}, "place-kind": {b.PlaceOfBirth.FacilityType}, "place-facility": {b.PlaceOfBirth.FacilityID},
		"number": {b.Registration.Number}, "office": {b.Registration.Office}, "mode": {b.Registration.Mode}, "informant": {b.Registration.Informant},
		"born-time": {b.TimeOfBirth}, "p1-status": {"none"}, "p2-status": {"none"}, "p1-role": {"mother"}, "p2-role": {"father"}}
	for _, s := range situations {
		if circumstances[s] == b.Circumstance && (s != "late" || b.Registration.Mode == "late") {
			v.Set("case", s)
		}
	}
	if len(b.Names) > 0 && b.Names[0].Status != "" {
		v.Set("name-status", b.Names[0].Status)
	}
	setNames(v, "child", b.Names)
	setDate(v, "born", b.BirthDate)
	setDay(v, "registered", b.Registration.Date)
	if m := b.MultipleBirth; m != nil {
		v.Set("plurality", strconv.Itoa(m.Plurality))
		v.Set("order", strconv.Itoa(m.Order))
	}
	for i, x := range b.Parentage[:min(len(b.Parentage), 2)] {
		p := "p" + strconv.Itoa(i+1)
		v.Set(p+"-role", x.Role)
		v.Set(p+"-status", x.Status)
		v.Set(p+"-filiation", x.Filiation)
		setNames(v, p, x.Names)
		if x.BirthDate != nil {
			setDate(v, p+"-born", *x.BirthDate)
		}
		if len(x.Nationality) > 0 {
			v.Set(p+"-nationality", x.Nationality[0])
		}
	}
	if len(b.TravelDocuments) > 0 {
		v.Set("doc-type", b.TravelDocuments[0].Type)
		v.Set("doc-number", b.TravelDocuments[0].Value)
		v.Set("doc-issuer", b.TravelDocuments[0].Issuer)
	}
	return v
}

func setNames(v url.Values, prefix string, names []vc.Name) {
	for i, n := range names[:min(len(names), 3)] {
		p := prefix
		if i > 0 {
			p += strconv.Itoa(i + 1)
		}
		v.Set(p+"-given", strings.Join(n.Given, " "))
		v.Set(p+"-family", strings.Join(n.Family, " "))
		v.Set(p+"-full", n.Full)
		if n.MRZ != nil && i == 0 {
			v.Set(p+"-mrz-family", strings.ReplaceAll(n.MRZ.Primary, "<", " "))
			v.Set(p+"-mrz-given", strings.ReplaceAll(n.MRZ.Secondary, "<", " "))
		}
	}
}

func setDate(v url.Values, name string, u vc.UncertainDate) {
	switch u.Precision {
	case "range":
		v.Set(name+"-kind", "range")
		setDay(v, name+"-earliest", u.Earliest)
		setDay(v, name+"-latest", u.Latest)
	case "unknown":
		v.Set(name+"-kind", "unknown")
	default:
		v.Set(name+"-kind", "known")
		setDay(v, name, u.Value)
	}
}

// setDay writes a date, or the part of it that is known, into its three fields.
func setDay(v url.Values, name, date string) {
	for i, part := range strings.SplitN(date, "-", 3) {
		v.Set(name+[]string{"-year", "-month", "-day"}[i], strings.TrimLeft(part, "0"))
	}
}

// today fills in a date field with the day that it is.
func today(v url.Values, name string) { setDay(v, name, time.Now().Format(time.DateOnly)) }
