package wallet

import (
	"encoding/json"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/kinpass/kinpass/internal/vc"
)

// Credential is a credential as its guardian sees it.
type Credential struct {
	ID         string    `json:"id"`               // the wallet's own, random
	Child      string    `json:"child"`            // the wallet's id of the child
	Type       string    `json:"type"`             // BirthCredential or GuardianshipCredential, or what another system calls it
	Format     string    `json:"format"`           // vc+jwt, dc+sd-jwt or ldp_vc; jwt or a suite of another system
	Profile    string    `json:"profile"`          // full, border or legacy
	Legacy     bool      `json:"legacy,omitempty"` // of another system: never shown at a border
	Issuer     string    `json:"issuer"`           // DID
	IssuerName string    `json:"issuerName"`
	ValidFrom  time.Time `json:"validFrom"`
	ValidUntil time.Time `json:"validUntil,omitzero"`
	State      string    `json:"state"`   // valid, notYetValid, expired, notUsable or legacy
	Checked    time.Time `json:"checked"` // when its status was last read
	Logged     bool      `json:"logged"`  // shown to be in the issuer's public ledger
	Summary    []string  `json:"summary"` // plain language, a few lines

	// Subject and JWT are given for one credential only: all that it says, and
	// the signed original, an ldp_vc as the text of its JSON.
	Subject json.RawMessage `json:"subject,omitempty"`
	JWT     string          `json:"credential,omitempty"`
}

// Child is a child as its guardian sees it. ID is the wallet's own and random:
// it says nothing outside this wallet.
type Child struct {
	ID          string   `json:"id"`
	Names       []string `json:"names"`     // the child's own name, one entry per script
	BirthDate   string   `json:"birthDate"` // as far as it is known
	Role        string   `json:"role"`      // of the guardian
	Credentials []string `json:"credentials"`
	Ready       bool     `json:"ready"` // a presentation for a border can be made now
	// Shared: the caller is no guardian of the child, but was named in a consent
	// and given what it takes to show it.
	Shared bool `json:"shared,omitempty"`
}

// LogValue keeps a person's data out of every log.
func (c Credential) LogValue() slog.Value { return slog.StringValue("credential") }

// LogValue keeps a person's data out of every log.
func (c Child) LogValue() slog.Value { return slog.StringValue("child") }

// States of a credential as they are shown. notUsable covers suspension and
// revocation: the wallet does not know, and does not say, why.
const (
	shownValid       = "valid"
	shownNotYetValid = "notYetValid"
	shownExpired     = "expired"
	shownNotUsable   = "notUsable"
)

// held is one stored credential, opened.
type held struct {
	ID    string
	Child string
	Grant string
	kept

	vc           *vc.Credential   // of an SD-JWT VC what it would be in the data model
	token        *vc.TokenStatus  // of an SD-JWT VC
	birth        *vc.Birth        // one of birth and guardianship is set
	guardianship *vc.Guardianship // its subject is the guardian
}

func (c *held) kind() string {
	if c.birth != nil {
		return vc.TypeBirth
	}
	return vc.TypeGuardianship
}

func (c *held) format() string { return formatOf(c.JWT) }

// forBorder reports whether a border post takes the credential.
func (c *held) forBorder() bool { return c.format() == formatSigned && c.profile() == profileBorder }

func (c *held) profile() string {
	if c.token != nil {
		return profileFull
	}
	if c.vc.Schema == nil {
		return ""
	}
	return schemas[c.vc.Schema.ID].profile
}

// childRef is the issuer's join key of the child. It never leaves the wallet
// but inside a presentation.
func (c *held) childRef() string {
	if c.birth != nil {
		return c.birth.ChildRef
	}
	return c.guardianship.Ward.ChildRef
}

func (c *held) state(now time.Time) string {
	switch {
	case c.State != stateGood:
		return shownNotUsable
	case !now.Before(c.vc.ValidTo):
		return shownExpired
	case now.Before(c.vc.ValidFrom.Add(-skew)):
		return shownNotYetValid
	}
	return shownValid
}

func (c *held) shown(now time.Time) Credential {
	return Credential{
		ID: c.ID, Child: c.Child, Type: c.kind(), Format: c.format(), Profile: c.profile(),
		Issuer: c.vc.Issuer, IssuerName: plain(c.IssuerName),
		ValidFrom: c.vc.ValidFrom, ValidUntil: c.vc.ValidTo,
		State: c.state(now), Checked: c.Checked, Logged: c.Receipt != nil, Summary: c.summary(now),
	}
}

// summary says in plain words what the credential is for.
func (c *held) summary(now time.Time) []string {
	var out []string
	if c.birth != nil {
		line := "Birth record of " + first(ownNames(c.birth.Names), "a child whose name is not recorded")
		if d := bornOn(c.birth.BirthDate); d != "" {
			line += ", born " + d
		}
		out = append(out, line+".")
	} else {
		out = append(out, "You are "+role(c.guardianship.Role)+" of the child.")
		out = append(out, "You may: "+first([]string{powers(c.guardianship.Powers)}, "nothing that is listed")+".")
		if c.guardianship.Exercise.Mode == "joint" {
			out = append(out, "Some decisions need another guardian as well.")
		}
		if k := c.guardianship.Constraints; k != nil && k.NoRemoval {
			out = append(out, "A court has ordered that the child stays in the country.")
		}
	}
	switch {
	case c.profile() == profileBorder:
		out = append(out, "Made for border checks: it holds only what an officer needs.")
	case c.format() != formatSigned:
		out = append(out, "Can be shown in parts: you choose what others see.")
	}
	switch c.state(now) {
	case shownNotUsable:
		out = append(out, "Not usable. Please contact the office that issued it.")
	case shownExpired:
		out = append(out, "It ended on "+day(c.vc.ValidTo)+". It can be renewed.")
	default:
		out = append(out, "Good until "+day(c.vc.ValidTo)+".")
	}
	return out
}

// describeChild fills in what the guardian's credentials say about a child:
// from the full birth credential if there is one, the newest first.
func describeChild(ch *Child, all []held, now time.Time) {
	var birth, guard *held
	for i := range all {
		c := &all[i]
		if c.Child != ch.ID {
			continue
		}
		switch {
		case c.birth != nil && better(c, birth):
			birth = c
		case c.guardianship != nil && better(c, guard):
			guard = c
		}
	}
	ch.Names = []string{}
	if birth != nil {
		ch.Names = append(ch.Names, ownNames(birth.birth.Names)...)
		ch.BirthDate = bornOn(birth.birth.BirthDate)
	}
	if guard != nil {
		ch.Role = plain(guard.guardianship.Role)
	}
	_, _, err := choose(all, ch.ID, now)
	ch.Ready = err == nil
}

// sharedChildren lists the children whom a guardian knows from shares alone, and
// what is known of them: what a border would see.
func sharedChildren(v *vault, agreed []consentHeld, now time.Time) []Child {
	var out []Child
	at := map[string]int{}
	for i := range agreed {
		c := &agreed[i]
		if !c.Shared || c.Child != "" {
			continue
		}
		id := c.childID(v)
		n, ok := at[id]
		if !ok {
			n = len(out)
			at[id] = n
			out = append(out, Child{ID: id, Names: ownNames(c.birth.birth.Names), BirthDate: bornOn(c.birth.birth.BirthDate), Role: "companion",
				Credentials: []string{}, Shared: true})
		}
		out[n].Ready = out[n].Ready || c.usable(now)
	}
	return out
}

// better reports whether c tells more than d: the full profile before the
// border one, then the newer.
func better(c, d *held) bool {
	if d == nil {
		return true
	}
	if a, b := c.profile() == profileFull, d.profile() == profileFull; a != b {
		return a
	}
	return c.vc.ValidFrom.After(d.vc.ValidFrom)
}

// ownNames gives the child's name in each script: the legal one, or what there
// is instead of it.
func ownNames(names []vc.Name) []string {
	for _, kind := range []string{"legal", "usual", "atBirth", "alias", "former"} {
		var out []string
		for _, n := range names {
			if n.Kind != kind {
				continue
			}
			text := n.Full
			if text == "" {
				text = strings.Join(append(append([]string{}, n.Given...), n.Family...), " ")
			}
			if text == "" && n.MRZ != nil {
				text = strings.TrimSpace(strings.ReplaceAll(n.MRZ.Secondary, "<", " ") + " " + strings.ReplaceAll(n.MRZ.Primary, "<", " "))
			}
			if text = plain(text); text != "" {
				out = append(out, text)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// plain drops what could make a text look like another one: control characters
// and marks that turn the writing direction (joiners that scripts need stay).
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\u200c' || r == '\u200d' {
			return r
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s))
}

// bornOn writes an uncertain date as far as it is known.
func bornOn(u vc.UncertainDate) string {
	if u.Value != "" && u.Precision != "range" && u.Precision != "unknown" {
		return plain(u.Value)
	}
	if e, l, ok := u.Span(); ok {
		return "between " + e.String() + " and " + l.String()
	}
	return ""
}

func day(t time.Time) string { return vc.DateOf(t).String() }

func first(list []string, otherwise string) string {
	if len(list) > 0 && list[0] != "" {
		return list[0]
	}
	return otherwise
}

// words for the closed lists of the guardianship schema.
var (
	roleWords = map[string]string{
		"mother": "the mother", "father": "the father", "parent": "a parent", "stepParent": "a step-parent", "grandparent": "a grandparent",
		"relative": "a relative and guardian", "legalGuardian": "the legal guardian", "testamentaryGuardian": "the guardian named in a will",
		"kafil": "the kafil", "fosterCarer": "the foster carer", "stateGuardian": "the State's guardian", "ngoGuardian": "the organisation's guardian",
		"guardianAdLitem": "the guardian for a court case",
	}
	powerWords = map[string]string{
		"travelAccompany": "travel with the child", "travelConsent": "agree to a journey", "relocate": "move to another place with the child",
		"passportApply": "apply for a passport", "healthRoutine": "decide on everyday health care", "healthMajor": "decide on operations",
		"education": "decide on school", "legalRepresentation": "act for the child in law", "residence": "decide where the child lives",
		"property": "manage the child's property", "delegate": "let somebody act for you", "walletManage": "manage the child's wallet",
	}
)

func role(r string) string {
	if w := roleWords[r]; w != "" {
		return w
	}
	return "a guardian"
}

func powers(list []string) string {
	var out []string
	for _, p := range list {
		if w := powerWords[p]; w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, ", ")
}
