package wallet

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// maxTerm is how far ahead a journey may end: nobody should sign today for a
// child who is grown up by then, and a host keeps a status that long.
const maxTerm = 2 // years

// subject gives the credentialSubject that the draft makes, checked against
// the schema and against sense. Fields name what was refused.
func (d *Draft) subject(by vc.Grantor, ref string, now time.Time) (json.RawMessage, error) {
	granted := d.GrantedOn
	if granted == "" {
		granted = vc.DateOf(now).String()
	}
	raw, err := plainJSON(struct {
		ChildRef   string          `json:"childRef"`
		Grantors   []vc.Grantor    `json:"grantors"`
		Mode       string          `json:"mode"`
		With       json.RawMessage `json:"accompanying,omitempty"`
		Receiving  json.RawMessage `json:"receiving,omitempty"`
		Trip       json.RawMessage `json:"trip,omitempty"`
		Relocation bool            `json:"relocationAllowed,omitempty"`
		Medical    string          `json:"medicalConsent,omitempty"`
		Assurance  vc.Assurance    `json:"assurance"`
		Nonce      string          `json:"nonce"`
		GrantedOn  string          `json:"grantedOn"`
	}{ref, []vc.Grantor{by}, d.Mode, d.Accompanying, d.Receiving, d.Trip, d.RelocationAllowed, d.MedicalConsent,
		vc.Assurance{Level: vc.LevelSelfSigned}, store.Random(16), granted})
	if err != nil {
		return nil, ErrConsentInvalid.With(err)
	}
	if err := vc.ValidateSchema(vc.SchemaRegistrationTravel, raw); err != nil {
		var f *fault.Fault
		if !errors.As(err, &f) {
			return nil, err
		}
		return nil, ErrConsentInvalid.WithFields(f.Fields...)
	}
	var c vc.TravelConsent
	if err := vc.StrictJSON(raw, &c, vc.MaxDepth); err != nil {
		return nil, ErrConsentInvalid.With(err)
	}
	x := reading{consent: &c, now: now}
	x.all()
	for i := range c.Accompanying {
		if c.Accompanying[i].Key == by.Key {
			x.refuse("/accompanying/"+strconv.Itoa(i)+"/key", "is your own: whoever travels with the child does not need to agree")
		}
	}
	if granted, err := vc.ParseDate(c.GrantedOn); err == nil && granted.After(vc.DateOf(now.Add(14*time.Hour))) {
		x.refuse("/grantedOn", "is in the future")
	}
	if len(x.fields) == 0 && !now.Before(consentEnd(&c)) {
		x.refuse("/trip/notAfter", "is over")
	}
	if len(x.fields) > 0 {
		return nil, ErrConsentInvalid.WithFields(x.fields...)
	}
	return plainJSON(c)
}

// reading checks what the schema cannot say of a consent, and writes what a
// person typed in the form in which it is signed.
type reading struct {
	consent *vc.TravelConsent
	now     time.Time
	fields  []fault.Field
}

func (x *reading) refuse(path, rule string) {
	if len(x.fields) < 20 {
		x.fields = append(x.fields, fault.Field{Path: path, Rule: rule})
	}
}

func (x *reading) all() {
	x.who()
	x.receiver()
	x.countries()
	x.dates()
	if x.consent.Trip.Purpose == "relocation" && !x.consent.RelocationAllowed {
		// A permission to travel is never one to settle (CNJ 131/2011, Art. 11).
		x.refuse("/relocationAllowed", "must be true for a move abroad")
	}
}

// who checks who travels with the child.
func (x *reading) who() {
	c := x.consent
	switch {
	case c.Mode == vc.ModeAlone && len(c.Accompanying) > 0:
		x.refuse("/accompanying", "is for a child who does not travel alone")
	case (c.Mode == vc.ModeThirdParty || c.Mode == vc.ModeGroup) && len(c.Accompanying) == 0:
		x.refuse("/accompanying", "must name at least one adult")
	case c.Mode == vc.ModeOneGuardian && len(c.Accompanying) > 1:
		x.refuse("/accompanying", "names the one guardian who travels, or nobody")
	}
	var keys []string
	for i := range c.Accompanying {
		a := &c.Accompanying[i]
		at := "/accompanying/" + strconv.Itoa(i)
		x.names(at+"/names", a.Names)
		if a.BirthDate != nil {
			if _, latest, ok := a.BirthDate.Span(); !ok || latest.After(vc.DateOf(x.now)) {
				x.refuse(at+"/birthDate", "is not a date that has been")
			}
		}
		x.document(at+"/document", a.Document)
		if a.Key == "" {
			continue
		}
		if _, err := did.ParseKey(a.Key); err != nil || strings.Contains(a.Key, "#") {
			x.refuse(at+"/key", "is not a did:key of a wallet")
		}
		if slices.Contains(keys, a.Key) {
			x.refuse(at+"/key", "is named twice")
		}
		keys = append(keys, a.Key)
	}
}

// names writes the machine-readable form of an adult's names, as an issuer does
// for those it registers (ICAO Doc 9303-3, section 6): an officer compares that
// and never transliterates.
func (x *reading) names(at string, names []vc.Name) {
	readable, needed := false, false
	for j := range names {
		n := &names[j]
		place := at + "/" + strconv.Itoa(j)
		for _, s := range append([]*string{&n.Full}, pointers(n.Given, n.Family)...) {
			x.text(place, s)
		}
		if n.Full == "" && len(n.Given)+len(n.Family) == 0 {
			x.refuse(place, "holds no name")
			continue
		}
		if n.MRZ == nil {
			p, s, err := machineReadable(n)
			if err != nil || p == "" {
				needed = true
				continue
			}
			n.MRZ = &vc.MRZ{Primary: p, Secondary: s}
		} else {
			if !icao.IsIdentifier(n.MRZ.Primary) || n.MRZ.Secondary != "" && !icao.IsIdentifier(n.MRZ.Secondary) {
				x.refuse(place+"/mrz", "is written A to Z, with one < between parts")
				continue
			}
			n.MRZ.Primary, n.MRZ.Secondary = icao.Fit(n.MRZ.Primary, n.MRZ.Secondary)
		}
		readable = true
	}
	switch {
	case len(names) == 0:
		x.refuse(at, "must hold a name")
	case !readable && needed:
		x.refuse(at, "cannot be written in Latin letters by the standard: give mrz as it stands in the passport")
	}
}

// machineReadable transliterates a name as an issuer does.
func machineReadable(n *vc.Name) (primary, secondary string, err error) {
	return icao.Name{Family: n.Family, Given: n.Given, Full: n.Full, Script: n.Script, Lang: n.Lang}.Identifiers()
}

func pointers(lists ...[]string) []*string {
	var out []*string
	for _, l := range lists {
		for i := range l {
			out = append(out, &l[i])
		}
	}
	return out
}

// text cleans what a person typed: NFC, one space, nothing that hides or turns
// the writing direction. Something that can be read must be left.
func (x *reading) text(at string, s *string) {
	if *s == "" {
		return
	}
	*s = norm.NFC.String(strings.Join(strings.Fields(plain(*s)), " "))
	marks := 0
	for i, r := range *s {
		if !unicode.Is(unicode.M, r) {
			marks = 0
			continue
		}
		if marks++; i == 0 || marks > 8 {
			x.refuse(at, "holds combining marks without a letter to carry them")
			return
		}
	}
	if !strings.ContainsFunc(*s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		x.refuse(at, "must hold a letter or a number")
	}
}

func (x *reading) document(at string, d *vc.Identifier) {
	if d == nil {
		return
	}
	x.text(at+"/value", &d.Value)
	if d.Issuer != "" && !icao.IsAuthority(d.Issuer) {
		x.refuse(at+"/issuer", "is not a country code of ICAO Doc 9303")
	}
}

// receiver checks who takes the child in.
func (x *reading) receiver() {
	r := x.consent.Receiving
	if r == nil {
		return
	}
	x.text("/receiving/name", &r.Name)
	x.text("/receiving/address", &r.Address)
	x.text("/receiving/contact", &r.Contact)
	x.document("/receiving/document", r.Document)
	if x.consent.Mode == vc.ModeAlone && (r.Name == "" || r.Address == "" && r.Contact == "") {
		x.refuse("/receiving", "must say who takes the child in, and where or how to reach them")
	}
}

func (x *reading) countries() {
	t := &x.consent.Trip
	check := func(at, code string) {
		if !icao.IsTerritory(code) {
			x.refuse(at, "is not a country code of ICAO Doc 9303")
		}
	}
	check("/trip/departFrom", t.DepartFrom)
	for i, c := range t.Destinations {
		at := "/trip/destinations/" + strconv.Itoa(i)
		check(at, c)
		if c == t.DepartFrom {
			x.refuse(at, "is where the journey begins")
		}
	}
	for i, c := range t.Transit {
		check("/trip/transit/"+strconv.Itoa(i), c)
	}
	x.text("/trip/carrierRef", &t.CarrierRef)
}

func (x *reading) dates() {
	t := &x.consent.Trip
	day := func(at, s string) vc.Date {
		d, err := vc.ParseDate(s)
		if s != "" && err != nil {
			x.refuse(at, "is not a date that exists")
		}
		return d
	}
	from, until, back := day("/trip/notBefore", t.NotBefore), day("/trip/notAfter", t.NotAfter), day("/trip/returnBy", t.ReturnBy)
	day("/grantedOn", x.consent.GrantedOn)
	latest := vc.DateOf(x.now).AddYears(maxTerm)
	switch {
	case !until.IsZero() && until.Before(from):
		x.refuse("/trip/notAfter", "is before the journey begins")
	case until.After(latest):
		x.refuse("/trip/notAfter", "is more than two years ahead")
	case until.IsZero() && !from.Time().Before(consentEnd(x.consent)):
		x.refuse("/trip/notBefore", "is more than two years after the consent was given, and no end is named")
	}
	switch {
	case back.IsZero():
	case back.Before(from):
		x.refuse("/trip/returnBy", "is before the journey begins")
	case !until.IsZero() && back.After(until):
		x.refuse("/trip/returnBy", "is after the journey ends")
	}
}
