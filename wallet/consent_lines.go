package wallet

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/kinpass/kinpass/internal/vc"
)

// lines says in short, plain sentences what the consent allows: for a guardian
// who does not read well, or to whom it is read aloud.
func (c *consentHeld) lines(now time.Time) []string {
	s := &c.subject
	child := first([]string{c.Name}, first(ownNames(c.birth.birth.Names), "The child"))
	if d := bornOn(c.birth.birth.BirthDate); d != "" {
		child += ", born " + d + ","
	}
	out := []string{child + " may travel from " + country(s.Trip.DepartFrom) + " to " + countries(s.Trip.Destinations) + "."}
	if len(s.Trip.Transit) > 0 {
		out = append(out, "On the way through "+countries(s.Trip.Transit)+".")
	}
	out = append(out, companions(s)...)
	if r := s.Receiving; r != nil {
		out = append(out, receiver(r))
	}
	out = append(out, when(&s.Trip)...)
	if s.Trip.NotAfter == "" {
		out = append(out, "No last day is named: this ends on "+longDay(vc.DateOf(c.until()))+".")
	}
	if w := purposeWords[s.Trip.Purpose]; w != "" {
		out = append(out, "The reason: "+w+".")
	}
	if s.RelocationAllowed {
		out = append(out, "The child may stay and live there.")
	} else {
		out = append(out, "The child may not move there for good.")
	}
	switch s.MedicalConsent {
	case "emergency":
		out = append(out, "Doctors may treat the child in an emergency.")
	case "full":
		out = append(out, "Whoever travels with the child may decide about doctors.")
	}
	for _, g := range c.guards {
		if k := g.guardianship.Constraints; k != nil && k.NoRemoval {
			out = append(out, "A court has ordered that the child stays in the country. A border will stop this journey.")
			break
		}
	}
	return append(out, c.standing(now)...)
}

// standing says how far the consent has come and what its reader can do.
func (c *consentHeld) standing(now time.Time) []string {
	state := c.state(now)
	switch {
	case state == consentWithdrawn && c.Sign != nil && !c.Told:
		return []string{"You took it back. The office could not be reached yet; it is told as soon as it can be."}
	case state == consentWithdrawn:
		return []string{"You took it back. It is not good any more."}
	case state == consentExpired:
		return []string{"It is over."}
	case (state == consentSigned || state == consentWitnessed) && c.State != stateGood:
		return []string{"Not usable. Please contact the guardians or the office."}
	}
	var out []string
	switch state {
	case consentWitnessed:
		out = append(out, "Signed and witnessed.")
	case consentSigned:
		out = append(out, "Signed by everybody who was asked.")
	default:
		if n := max(c.Quorum, len(c.Parties)); n > 1 {
			out = append(out, strconv.Itoa(c.signed())+" of "+strconv.Itoa(n)+" guardians have signed.")
		} else {
			out = append(out, "You have not signed yet.")
		}
	}
	if n := len(c.Parties); (state == consentSigned || state == consentWitnessed) && n < c.Quorum {
		out = append(out, "Only "+strconv.Itoa(n)+" of "+strconv.Itoa(c.Quorum)+" guardians agreed. A border may refuse it.")
	}
	if c.Shared {
		return append(out, "The guardians let you show it. You cannot pass it on. It ends on "+longDay(vc.DateOf(c.until()))+", or earlier if a guardian takes it back.")
	}
	return append(out, "You can take it back at any time. Nobody is told.")
}

func companions(s *vc.TravelConsent) []string {
	switch {
	case s.Mode == vc.ModeAlone:
		return []string{"The child travels alone."}
	case s.Mode == vc.ModeOneGuardian && len(s.Accompanying) == 0:
		return []string{"The child travels with one of the guardians."}
	}
	out := []string{}
	lead := "The child travels with "
	if s.Mode == vc.ModeGroup {
		lead = "The child travels in a group with "
	}
	for i, a := range s.Accompanying {
		who := first(ownNames(a.Names), "an adult")
		if w := relationWords[a.Relation]; w != "" {
			who += ", " + w
		}
		if a.BirthDate != nil {
			if d := bornOn(*a.BirthDate); d != "" {
				who += ", born " + d
			}
		}
		if a.Document != nil {
			who += ", " + documentWords[a.Document.Type] + " " + plain(a.Document.Value)
		}
		if i > 0 {
			lead = "Or with "
		}
		out = append(out, lead+who+".")
		if more := otherNames(a.Names); len(more) > 0 {
			out = append(out, "The papers of this adult may also say "+strings.Join(more, " or ")+".")
		}
	}
	return out
}

// otherNames gives the names by which a border would also take an adult for the
// one who is meant: whoever agrees must hear them, or could be brought to agree
// to somebody else. A machine-readable form that only repeats the name is left
// out.
func otherNames(names []vc.Name) []string {
	shown := []string{first(ownNames(names), "")}
	add := func(text string) {
		if text != "" && !slices.Contains(shown, text) {
			shown = append(shown, text)
		}
	}
	for _, n := range names {
		text := n
		text.MRZ = nil
		add(first(ownNames([]vc.Name{text}), ""))
		if n.MRZ == nil {
			continue
		}
		primary, secondary, err := machineReadable(&n)
		if err == nil && primary == n.MRZ.Primary && secondary == n.MRZ.Secondary {
			continue
		}
		add(first(ownNames([]vc.Name{{Kind: n.Kind, MRZ: n.MRZ}}), ""))
	}
	return shown[1:]
}

func receiver(r *vc.Receiver) string {
	line := "There the child stays with " + first([]string{plain(r.Name)}, "somebody who is not named")
	for _, more := range []string{r.Address, r.Contact} {
		if more = plain(more); more != "" {
			line += ", " + more
		}
	}
	return line + "."
}

func when(t *vc.Trip) []string {
	day := func(s string) string {
		d, err := vc.ParseDate(s)
		if err != nil {
			return plain(s)
		}
		return longDay(d)
	}
	line := "From " + day(t.NotBefore)
	if t.NotAfter != "" {
		line += " until " + day(t.NotAfter)
	}
	out := []string{line + "."}
	if t.ReturnBy != "" {
		out = append(out, "The child must be back by "+day(t.ReturnBy)+".")
	}
	n := t.Crossings
	if n == 0 {
		n = 2
	}
	if n == 1 {
		return append(out, "The child may cross a border once: there is no way back with this.")
	}
	return append(out, "The child may cross a border "+strconv.Itoa(n)+" times.")
}

func longDay(d vc.Date) string { return d.Time().Format("2 January 2006") }

func countries(codes []string) string {
	var out []string
	for _, c := range codes {
		out = append(out, country(c))
	}
	if len(out) > 1 {
		return strings.Join(out[:len(out)-1], ", ") + " and " + out[len(out)-1]
	}
	return strings.Join(out, "")
}

// country gives the English name of a country, or its code where there is none.
func country(code string) string {
	r, err := language.ParseRegion(code)
	if err != nil || !r.IsCountry() {
		return code
	}
	return first([]string{display.English.Regions().Name(r)}, code)
}

var (
	relationWords = map[string]string{
		"mother": "the mother", "father": "the father", "grandparent": "a grandparent", "sibling": "a brother or sister", "relative": "a relative",
		"teacher": "a teacher", "coach": "a coach", "friendOfFamily": "a friend of the family", "carrierStaff": "staff of the carrier",
	}
	purposeWords = map[string]string{
		"holiday": "a holiday", "family": "a visit to the family", "study": "school or studies", "medical": "doctors", "sport": "sport", "relocation": "moving there",
	}
	documentWords = map[string]string{
		"passport": "passport", "laissezPasser": "travel paper", "NID": "identity card", "UIN": "identity number", "BRN": "birth number",
		"unhcrIndividual": "UNHCR number", "courtCase": "case", "other": "document",
	}
)
