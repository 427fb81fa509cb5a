package issuer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/vc"
)

// Ages in whole years beyond which a parentage by birth is an error of writing
// and not a rare case. They are judged by the span of uncertain dates, so that
// only what is impossible on every reading is refused.
const (
	youngestParent = 10
	oldestMother   = 75
	oldestFather   = 110
)

// oldestChild bounds the age of a person whose birth is registered, in years.
const oldestChild = 120

// lastingPortrait bounds how long a child's portrait may serve, in years: as
// long as a child's passport, at most.
const lastingPortrait = 5

// birth checks what the schema of a birth lets pass, and normalises in place.
func (c *inspection) birth(b *vc.Birth) {
	b.Parentage, b.TravelDocuments = first(b.Parentage, 4), first(b.TravelDocuments, 10)
	b.Names = c.names("/names", b.Names, true)
	c.childNames(b)
	born := c.born("/birthDate", b.BirthDate)
	if b.BirthDate.Precision == "day" && b.BirthDate.Basis == "ageAssessment" {
		c.refuse("/birthDate/precision", "must not be day where the basis is an age assessment: give a range")
	}
	if born.known && born.latest.AddYears(oldestChild).Before(c.today) {
		c.refuse("/birthDate", "must not lie more than 120 years back")
	}
	c.timeOfBirth(b)
	c.place(b)
	if m := b.MultipleBirth; m != nil && m.Order > m.Plurality {
		c.refuse("/multipleBirth/order", "must not be greater than plurality")
	}
	c.parents(b, born)
	c.registration(b, born)
	c.amendment(b, born)
	c.documents("/travelDocuments", b.TravelDocuments)
	c.portrait(b.Portrait, born)
	c.circumstance(b)
}

// childNames checks what the child's names say together.
func (c *inspection) childNames(b *vc.Birth) {
	usable, unnamed, named := false, false, false
	for _, n := range b.Names {
		usable = usable || n.Kind == "legal" || n.Kind == "usual" || n.Kind == "atBirth"
		if n.Kind == "legal" {
			unnamed = unnamed || n.Status == "unnamed"
			named = named || n.Status != "unnamed"
		}
	}
	if len(b.Names) > 0 && !usable {
		c.refuse("/names", "must hold a name in use: legal, usual or atBirth")
	}
	if unnamed && named {
		c.refuse("/names", "must not say both that the child has a legal name and that it has none")
	}
}

func (c *inspection) timeOfBirth(b *vc.Birth) {
	if b.TimeOfBirth == "" {
		return
	}
	if len(b.TimeOfBirth) == len("15:04") && (b.TimeOfBirth[:2] > "23" || b.TimeOfBirth[3:] > "59") {
		c.refuse("/timeOfBirth", "must be a time of day from 00:00 to 23:59")
	}
	if b.BirthDate.Precision != "day" {
		c.refuse("/timeOfBirth", "must be absent where the day of birth is not known")
	}
}

func (c *inspection) place(b *vc.Birth) {
	p := &b.PlaceOfBirth
	c.territory("/placeOfBirth/country", p.Country)
	c.text("/placeOfBirth/adminArea", &p.AdminArea, 200)
	c.text("/placeOfBirth/locality", &p.Locality, 200)
	c.text("/placeOfBirth/facilityId", &p.FacilityID, 200)
	nowhere := p.Country == "" && p.AdminArea == "" && p.Locality == ""
	// At sea and in the air no State need be named: the craft is the place.
	aboard := b.Circumstance == "inTransit" && (p.FacilityType == "vessel" || p.FacilityType == "aircraft")
	switch p.Status {
	case "unknown":
		if p.Locality != "" {
			c.refuse("/placeOfBirth/locality", "must be absent where the place is unknown")
		}
		if p.FacilityID != "" {
			c.refuse("/placeOfBirth/facilityId", "must be absent where the place is unknown")
		}
	case "known":
		if nowhere && p.FacilityID == "" && !aboard {
			c.refuse("/placeOfBirth", "must name a place where its status is known")
		}
	case "foundAt":
		if nowhere {
			c.refuse("/placeOfBirth", "must name the place where the child was found")
		}
	}
}

// territory checks the code of a place or of a law, country any code.
func (c *inspection) territory(path, code string) {
	if code != "" && !icao.IsTerritory(code) {
		c.refuse(path, "must be the code of a country (ISO 3166-1 alpha-3 or ICAO 9303-3)")
	}
}

func (c *inspection) country(path, code string) {
	if code != "" && !icao.IsCountry(code) {
		c.refuse(path, "must be a known code (ISO 3166-1 alpha-3 or ICAO 9303-3)")
	}
}

// nameless reports a parent of whom the record says that it names nobody.
func nameless(p vc.Parent) bool {
	return p.Status == "unknown" || p.Status == "undeclared" || p.Status == "withheld"
}

// adoptive reports a filiation by law, to which no biology applies.
func adoptive(p vc.Parent) bool { return p.Filiation == "adoption" || p.Filiation == "parentalOrder" }

func (c *inspection) parents(b *vc.Birth, born span) {
	byBirth := 0
	for i := range b.Parentage {
		p := &b.Parentage[i]
		path := at("/parentage", i)
		c.text(at(path, "personRef"), &p.PersonRef, 200)
		p.Names = c.names(at(path, "names"), p.Names, true)
		for n, code := range p.Nationality {
			c.country(at(path, "nationality", n), code)
		}
		var parent span
		if p.BirthDate != nil {
			parent = c.born(at(path, "birthDate"), *p.BirthDate)
		}
		if nameless(*p) {
			c.namelessParent(path, p)
		}
		if p.PersonRef != "" && p.PersonRef == b.ChildRef {
			c.refuse(at(path, "personRef"), "must not be the child")
		}
		c.parentAge(at(path, "birthDate"), *p, parent, born)
		if p.Filiation == "birth" {
			byBirth++
		}
		for j := range i {
			c.parentPair(path, b.Parentage[j], *p)
		}
	}
	if byBirth > 2 {
		c.refuse("/parentage", "must not hold more than two parents by birth")
	}
}

// namelessParent refuses what would identify a parent of whom the record says
// that it does not.
func (c *inspection) namelessParent(path string, p *vc.Parent) {
	const rule = "must be absent where the parent is unknown, undeclared or withheld"
	if p.BirthDate != nil {
		c.refuse(at(path, "birthDate"), rule)
	}
	if len(p.Nationality) > 0 {
		c.refuse(at(path, "nationality"), rule)
	}
	if len(p.Names) > 0 {
		c.refuse(at(path, "names"), rule)
	}
	if p.PersonRef != "" {
		c.refuse(at(path, "personRef"), rule)
	}
}

func (c *inspection) parentAge(path string, p vc.Parent, parent, child span) {
	if !parent.known || !child.known {
		return
	}
	if child.latest.Before(parent.earliest.AddYears(youngestParent)) {
		c.refuse(path, "makes the parent impossibly young at the birth")
	}
	oldest := oldestFather
	if p.Role == "mother" {
		oldest = oldestMother
	}
	if !adoptive(p) && child.earliest.After(parent.latest.AddYears(oldest)) {
		c.refuse(path, "makes the parent impossibly old at the birth")
	}
}

// parentPair refuses an entry at path that contradicts an earlier one.
func (c *inspection) parentPair(path string, a, b vc.Parent) {
	if a.PersonRef != "" && a.PersonRef == b.PersonRef {
		c.refuse(at(path, "personRef"), "names a parent twice")
	}
	if a.PersonRef == "" || b.PersonRef == "" {
		if a.BirthDate != nil && b.BirthDate != nil && *a.BirthDate == *b.BirthDate && a.BirthDate.Precision == "day" && shareName(a.Names, b.Names) {
			c.refuse(path, "names a parent twice")
		}
	}
	if a.Role != b.Role || a.Role == "parent" {
		return
	}
	switch {
	case a.Filiation == "birth" && b.Filiation == "birth":
		c.refuse(at(path, "filiation"), "must not make two mothers, or two fathers, by birth")
	case nameless(a) && nameless(b):
		c.refuse(path, "says twice that the parent of this role is not named")
	case nameless(a) && !nameless(b) && !adoptive(b) && b.Filiation != "", nameless(b) && !nameless(a) && !adoptive(a) && a.Filiation != "":
		c.refuse(path, "contradicts the other parent of this role")
	}
}

func shareName(a, b []vc.Name) bool {
	for _, x := range a {
		if slices.ContainsFunc(b, func(y vc.Name) bool { return x.Script == y.Script && sameName(x, y) }) {
			return true
		}
	}
	return false
}

func (c *inspection) registration(b *vc.Birth, born span) {
	r := &b.Registration
	c.text("/registration/number", &r.Number, 64)
	c.authority("/registration/authority", r.Authority)
	c.text("/registration/office", &r.Office, 200)
	date := c.pastDate("/registration/date", r.Date)
	c.order(born.earliest, date, "/registration/date", "must not lie before the birth")
	// A child that is registered has been born. What is reconstructed may keep
	// the date of the act that was lost.
	latest, err := vc.ParseDate(b.BirthDate.Latest)
	if err == nil && r.Mode != "reconstructed" && b.BirthDate.Earliest != "" {
		c.order(latest, date, "/birthDate/latest", "must not lie after the registration")
	}
	c.informant(b)
}

// informant refuses a parent who registered the birth and is unknown to the
// register. After an amendment the informant stays who it was, so that a parent
// who was removed may still be it. One who is withheld is known to the register,
// and one who is undeclared was there without being a parent by law.
func (c *inspection) informant(b *vc.Birth) {
	who := b.Registration.Informant
	if who != "mother" && who != "father" || b.Amendment != nil {
		return
	}
	unknown := false
	for _, p := range b.Parentage {
		if p.Role != who {
			continue
		}
		if p.Status != "unknown" {
			return
		}
		unknown = true
	}
	if unknown {
		c.refuse("/registration/informant", "must not be a parent who is unknown")
	}
}

// authority checks the name of a register: an absolute http, https, urn or did
// URI, of which none runs or holds anything.
func (c *inspection) authority(path, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || !plain(s) || strings.Contains(s, " "):
	case (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil:
		return
	case u.Scheme == "urn" && urn(u.Opaque):
		return
	case u.Scheme == "did" && strings.Count(s, ":") >= 2 && !strings.HasSuffix(s, ":") && !strings.Contains(s, "::"):
		return
	}
	c.refuse(path, "must be an absolute http, https, urn or did URI")
}

// urn reports what follows "urn:": a namespace of two characters or more and a
// name in it (RFC 8141, section 2).
func urn(s string) bool {
	space, name, _ := strings.Cut(s, ":")
	return len(space) >= 2 && len(space) <= 32 && name != "" && space[0] != '-' && space[len(space)-1] != '-' &&
		strings.Trim(strings.ToLower(space), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// reference checks a URI that only has to be absolute and plain.
func (c *inspection) reference(path, s string) {
	if s == "" {
		return
	}
	if u, err := url.Parse(s); err != nil || !u.IsAbs() || !plain(s) || strings.Contains(s, " ") {
		c.refuse(path, "must be an absolute URI")
	}
}

func (c *inspection) amendment(b *vc.Birth, born span) {
	a := b.Amendment
	if a == nil {
		if b.RecordVersion > 1 {
			c.refuse("/amendment", "is required where recordVersion is greater than 1")
		}
		return
	}
	c.reference("/amendment/supersedes", a.Supersedes)
	effective := c.pastDate("/amendment/effective", a.Effective)
	c.order(born.earliest, effective, "/amendment/effective", "must not lie before the birth")
	if b.RecordVersion == 1 && a.Supersedes != "" {
		c.refuse("/amendment/supersedes", "must be absent from the first version of a record")
	}
	if a.Reason == "protectionIdentity" && !a.Sealed {
		c.refuse("/amendment/sealed", "must be true for a protected identity")
	}
	if a.Reason == "plenaryAdoption" && !a.Sealed {
		c.refuse("/amendment/sealed", "must be true for a plenary adoption")
	}
	if a.Sealed {
		c.sealed(b)
	}
	if a.Reason == "simpleAdoption" || a.Reason == "plenaryAdoption" {
		if !slices.ContainsFunc(b.Parentage, func(p vc.Parent) bool { return !nameless(p) && (adoptive(p) || p.Filiation == "") }) {
			c.refuse("/parentage", "must hold an adoptive parent after an adoption")
		}
	}
}

// sealed refuses what leads from a new identity back to the old one.
func (c *inspection) sealed(b *vc.Birth) {
	if b.Amendment.Supersedes != "" {
		c.refuse("/amendment/supersedes", "must be absent from a sealed record")
	}
	for i, n := range b.Names {
		if n.Kind == "former" || n.Kind == "atBirth" {
			c.refuse(at("/names", i, "kind"), "must not be an earlier name in a sealed record")
		}
	}
}

// documents checks numbers of documents and writes them in capitals, as a
// machine-readable zone does.
func (c *inspection) documents(path string, list []vc.Identifier) {
	for i := range list {
		d := &list[i]
		p := at(path, i)
		if d.Issuer != "" && !icao.IsAuthority(d.Issuer) {
			c.refuse(at(p, "issuer"), "must be the code of a State or organisation that issues documents (ICAO 9303-3)")
		}
		if d.Type == "courtCase" {
			c.refuse(at(p, "type"), "must be a document that a person can carry")
		}
		d.Value = capitals(strings.Trim(d.Value, " "))
		most := 40
		if d.Type == "passport" || d.Type == "laissezPasser" {
			most = 20
		}
		switch {
		case strings.Trim(d.Value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/. ") != "":
			c.refuse(at(p, "value"), "must be letters A to Z, digits, hyphens, slashes, full stops and spaces")
		case !strings.ContainsAny(d.Value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"):
			c.refuse(at(p, "value"), "must hold a letter or a number")
		case len(d.Value) > most:
			c.refuse(at(p, "value"), "is too long")
		}
		if slices.Contains(list[:i], *d) {
			c.refuse(p, "names a document twice")
		}
	}
}

// capitals writes ASCII letters large and nothing else: to Unicode the dotless i
// is an I as well, and a look-alike would become a number.
func capitals(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// emptyDigest is SHA-256 of nothing: the portrait of no child.
var emptyDigest = sha256.Sum256(nil)

func (c *inspection) portrait(p *vc.Portrait, born span) {
	if p == nil {
		return
	}
	var digest []byte
	var err error
	if len(p.SHA256) == hex.EncodedLen(sha256.Size) {
		digest, err = hex.DecodeString(p.SHA256)
	} else {
		digest, err = base64.RawURLEncoding.Strict().DecodeString(p.SHA256)
	}
	switch {
	case err != nil || len(digest) != sha256.Size:
		c.refuse("/portrait/sha256", "must be 32 bytes in base64url without padding, or in hexadecimal")
	case [sha256.Size]byte(digest) == emptyDigest || [sha256.Size]byte(digest) == [sha256.Size]byte{}:
		c.refuse("/portrait/sha256", "must be the digest of a picture")
	default:
		p.SHA256 = base64.RawURLEncoding.EncodeToString(digest)
	}
	captured := c.pastDate("/portrait/capturedAt", p.CapturedAt)
	c.order(born.earliest, captured, "/portrait/capturedAt", "must not lie before the birth")
	again := c.date("/portrait/recaptureBy", p.RecaptureBy)
	if captured.IsZero() || again.IsZero() {
		return
	}
	if !again.After(captured) {
		c.refuse("/portrait/recaptureBy", "must lie after capturedAt")
	}
	if again.After(captured.AddYears(lastingPortrait)) {
		c.refuse("/portrait/recaptureBy", "must not lie more than five years after capturedAt")
	}
}

// circumstance refuses what contradicts the circumstance that the record
// states. A record that was amended may have outgrown it: a foundling whose
// mother was found remains one.
func (c *inspection) circumstance(b *vc.Birth) {
	if b.Amendment != nil {
		return
	}
	switch b.Circumstance {
	case "ordinary":
		if b.PlaceOfBirth.Status == "foundAt" {
			c.refuse("/placeOfBirth/status", "must not be foundAt in an ordinary birth")
		}
		if b.BirthDate.Precision == "unknown" {
			c.refuse("/birthDate/precision", "must not be unknown in an ordinary birth")
		}
	case "foundling":
		for i, p := range b.Parentage {
			if !nameless(p) && !adoptive(p) {
				c.refuse(at("/parentage", i, "status"), "must not be a known parent of a foundling")
			}
		}
		if b.PlaceOfBirth.Status == "known" {
			c.refuse("/placeOfBirth/status", "must be foundAt or unknown for a foundling")
		}
		if b.Registration.Informant == "mother" || b.Registration.Informant == "father" {
			c.refuse("/registration/informant", "must not be a parent of a foundling")
		}
	case "refugeeHostState":
		if b.PlaceOfBirth.Status != "" && b.PlaceOfBirth.Status != "known" {
			c.refuse("/placeOfBirth/status", "must be known: the child was born in the host State")
		}
	case "reconstructed", "unaccompaniedDisplaced":
		if b.Circumstance == "reconstructed" && b.Registration.Mode == "timely" {
			c.refuse("/registration/mode", "must not be timely for a reconstructed record")
		}
	}
}
