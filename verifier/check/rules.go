package check

import (
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// Codes of reasons, in the order of the table. docs/ERRORS.md explains each.
const (
	CodeScanUnreadable           = "SCAN_UNREADABLE"
	CodeSigInvalid               = "SIG_INVALID"
	CodeIssuerUntrusted          = "ISSUER_UNTRUSTED"
	CodeIssuerUnknownStale       = "ISSUER_UNKNOWN_STALE"
	CodeIssuerKeyRevoked         = "ISSUER_KEY_REVOKED"
	CodeIssuerKeyUnproven        = "ISSUER_KEY_UNPROVEN"
	CodeCredUnreadable           = "CRED_UNREADABLE"
	CodeCredExpiredRecent        = "CRED_EXPIRED_RECENT"
	CodeCredExpired              = "CRED_EXPIRED"
	CodeCredNotYetValid          = "CRED_NOT_YET_VALID"
	CodeStatusRevoked            = "STATUS_REVOKED"
	CodeStatusSuspended          = "STATUS_SUSPENDED"
	CodeStatusStale              = "STATUS_STALE"
	CodeStatusUnknown            = "STATUS_UNKNOWN"
	CodeHolderBindingFailed      = "HOLDER_BINDING_FAILED"
	CodePresentationRepeated     = "PRESENTATION_REPEATED"
	CodePaperBearer              = "PAPER_BEARER"
	CodeChildMismatch            = "CHILD_MISMATCH"
	CodePortraitStale            = "PORTRAIT_STALE"
	CodeDocUnreadable            = "DOC_UNREADABLE"
	CodeDocNamePartial           = "DOC_NAME_PARTIAL"
	CodeDocNameMismatch          = "DOC_NAME_MISMATCH"
	CodeDocCompare               = "DOC_COMPARE"
	CodeLinkBroken               = "LINK_BROKEN"
	CodeBirthMissing             = "BIRTH_MISSING"
	CodeNotAMinor                = "NOT_A_MINOR"
	CodeAgeUncertainTreatAsChild = "AGE_UNCERTAIN_TREAT_AS_CHILD"
	CodeNoAuthority              = "NO_AUTHORITY"
	CodeGuardianMismatch         = "GUARDIAN_MISMATCH"
	CodePowerMissing             = "POWER_MISSING"
	CodeBasisProvisional         = "BASIS_PROVISIONAL"
	CodeExitProhibited           = "EXIT_PROHIBITED"
	CodeDestNotAllowed           = "DEST_NOT_ALLOWED"
	CodeDestUnknown              = "DEST_UNKNOWN"
	CodeAbsenceTooLong           = "ABSENCE_TOO_LONG"
	CodeMandateConditions        = "MANDATE_CONDITIONS"
	CodeConsentMissingCo         = "CONSENT_MISSING_CO"
	CodeDeviceClock              = "DEVICE_CLOCK"
	CodePolicyStale              = "POLICY_STALE"
	CodeOK                       = "OK"
)

// Rule is one row of the border policy: what the officer reads when it is
// found. Text and Next are fixed sentences; they never hold a person's data.
type Rule struct {
	Code   string
	Colour Colour
	When   string // the condition, for people who read the policy
	Text   string // what is the matter, on the officer's screen
	Next   string // the one next step

	found func(*exam) bool
}

// Rules gives a copy of the table, in its order, with OK as its last row.
func Rules() []Rule {
	out := make([]Rule, 0, len(rules)+1)
	return append(append(out, rules...), okRule)
}

// Next steps that several rules share. Red never means refuse entry and never
// accuses: a child is referred, and a person decides.
const (
	secondLine  = "Take child and adult to second line and call child protection. Do not hand the child back to the adult until it is cleared."
	callDesk    = "Call the desk and have it checked online."
	scanAgain   = "Scan again. If it still fails, type the reference or use the paper documents."
	updateFirst = "Update this device, then scan again. If you cannot, call the desk."
	askOffice   = "Call the authority that issued the mandate."
)

// rules is the border policy. Every rule is asked; the worst colour wins; codes
// are listed in this order.
var rules = []Rule{
	// Can it be read, and is it genuine?
	{CodeScanUnreadable, Amber,
		"The text is not a Kinpass code: another prefix, characters that no such code has, or too long.",
		"The code could not be read.", scanAgain,
		func(e *exam) bool { return e.unreadable }},
	{CodeSigInvalid, Red,
		"A Kinpass code that does not unpack, or a signature in it that does not hold.",
		"The code is damaged or was tampered with. A signature does not hold.", secondLine,
		func(e *exam) bool { return e.forged || e.any(func(c *credential) bool { return c.forged }) }},
	{CodeIssuerUntrusted, Red,
		"Signed by a key that the trust list does not know, or does not allow to sign this type of credential, in this role or at that time.",
		"A credential comes from an office that may not issue it.", secondLine,
		func(e *exam) bool {
			return e.any(func(c *credential) bool { return c.untrusted || c.unknownKey && !e.trustIsOld() })
		}},
	{CodeIssuerUnknownStale, Amber,
		"Signed by a key that this device does not know, and the bundle with its trust list is older than 24 hours.",
		"The issuing office is not known to this device, and its list of offices is old.", updateFirst,
		func(e *exam) bool { return e.any(func(c *credential) bool { return c.unknownKey && e.trustIsOld() }) }},
	{CodeIssuerKeyRevoked, Red,
		"Signed by a withdrawn key at or after the time from which it is no longer believed.",
		"A credential was signed with a key that had been withdrawn.", secondLine,
		func(e *exam) bool { return e.any(func(c *credential) bool { return c.cutOff }) }},
	{CodeIssuerKeyUnproven, Amber,
		"Signed by a withdrawn key, dated before the withdrawal; nothing on this device proves that date.",
		"A credential was signed with a key that was withdrawn later.", callDesk,
		func(e *exam) bool { return e.any(func(c *credential) bool { return c.unproven }) }},
	{CodeCredUnreadable, Amber,
		"Genuine, but of a form, type or schema that this device does not know, without an end date, or without something that the rules need.",
		"A credential is genuine, but this device cannot read all of it.", callDesk,
		func(e *exam) bool {
			return e.unclear || e.any(func(c *credential) bool { return c.unclear })
		}},

	// Is it in force?
	{CodeCredExpiredRecent, Amber,
		"The credential expired, at most 30 days ago.",
		"A credential expired less than a month ago.", "Ask the guardian to renew it online now, then scan again. Otherwise call the desk.",
		func(e *exam) bool {
			return e.any(func(c *credential) bool { d := e.expired(c); return d >= 0 && d <= recently })
		}},
	{CodeCredExpired, Red,
		"The credential expired more than 30 days ago, or the mandate itself has ended.",
		"A credential or the mandate has ended.", secondLine,
		func(e *exam) bool {
			return e.any(func(c *credential) bool { return e.expired(c) > recently || e.mandateOver(c) })
		}},
	{CodeCredNotYetValid, Red,
		"The credential is not valid yet, or the mandate has not begun.",
		"A credential or the mandate is not in force yet.", secondLine,
		func(e *exam) bool { return e.any(e.notYet) }},
	{CodeStatusRevoked, Red,
		"The status list says revoked.",
		notUsable, secondLine,
		func(e *exam) bool { return e.any(func(c *credential) bool { return c.answer.revoked }) }},
	{CodeStatusSuspended, Red,
		"The status list says suspended. The screen is the same as for a revoked credential: why is never shown.",
		notUsable, secondLine,
		func(e *exam) bool { return e.any(func(c *credential) bool { return c.answer.suspended }) }},
	{CodeStatusStale, Amber,
		"The oldest status list used for this presentation is older than 24 hours, at most 7 days.",
		"It could not be checked whether the papers were withdrawn in the last day.", updateFirst,
		func(e *exam) bool { return e.statusAge > freshStatus && e.statusAge <= oldStatus }},
	{CodeStatusUnknown, Amber,
		"No status list of this issuer answers for the credential, its index is not on the list, the list's key was withdrawn, or the list is older than 7 days.",
		"This device cannot tell whether the papers were withdrawn.", callDesk,
		func(e *exam) bool {
			return e.any(func(c *credential) bool { return c.Credential != nil && c.answer.unknown })
		}},

	// Is it shown by the one it belongs to, now?
	{CodeHolderBindingFailed, Red,
		"Not signed by the holder it names, not for this purpose, not the challenge asked for, older than five minutes, or a holder's credential shown without the holder.",
		"The code was not freshly made by the telephone it belongs to.", "Ask for a new code. If it fails again: " + lowerFirst(secondLine),
		func(e *exam) bool { return e.unbound }},
	{CodePresentationRepeated, Amber,
		"This post saw the same presentation in another session.",
		"The same code was already shown here for somebody else.", "Ask the adult to make a new code on their own telephone while you watch.",
		func(e *exam) bool { return e.repeated }},
	{CodePaperBearer, Amber,
		"A paper pass, and the officer has not confirmed the portrait, or the paper does not name the adult and the officer has not confirmed their document.",
		"A paper pass proves nothing about who carries it.", "Compare the child with the photograph and the adult with their travel document, then confirm both.",
		func(e *exam) bool { return e.paper && !e.paperConfirmed() }},
	{CodeChildMismatch, Red,
		"The officer says that the child is not the one in the photograph.",
		"The child does not match the photograph.", secondLine,
		func(e *exam) bool { return e.facts.denied(Portrait) }},
	{CodePortraitStale, Amber,
		"The photograph should have been taken again before the day of travel.",
		"The photograph is too old to recognise a child by.", "Identify the child another way: travel document, questions about family and home.",
		func(e *exam) bool { return e.any(e.portraitOld) }},
	{CodeDocUnreadable, Amber,
		"An adult's document has a machine-readable zone that does not read, a check digit that does not fit, or is a visa.",
		"An adult's travel document could not be read.", "Scan or type its machine-readable lines again. Look closely at the document.",
		func(e *exam) bool { return e.badDocument }},
	{CodeDocNamePartial, Amber,
		"The adult's document shares only part of the guardian's name, or the whole name with another document number, and the officer has not confirmed the document.",
		"The adult's name or document number fits the guardian only in part.", "Compare the names by eye: name order, missing or shortened names, a renewed passport. Confirm if it fits.",
		func(e *exam) bool {
			return e.anyPerson(func(p *person) bool { return p.document == partly }) && !e.facts.confirmed(Document)
		}},
	{CodeDocNameMismatch, Red,
		"The adult's document has no name in common with the guardian, or the officer says that it is not the guardian's.",
		"The adult's travel document is not that of the guardian named.", secondLine,
		func(e *exam) bool {
			return e.facts.denied(Document) || e.anyPerson(func(p *person) bool { return p.document == different })
		}},
	{CodeDocCompare, Info,
		"A confirmed paper pass, and no document of the adult was compared.",
		"The paper names a guardian, and nobody has compared the adult's document yet.", "Compare the adult's travel document with the guardian named before letting them go.",
		func(e *exam) bool {
			return e.paper && e.paperConfirmed() && !e.ofAge && !e.facts.confirmed(Document) &&
				e.anyPerson(func(p *person) bool { return p.onPaper && p.document == notCompared })
		}},

	// Do the papers belong together, and is this a child?
	{CodeLinkBroken, Red,
		"Birth and guardianship are about different children, or there are births of several children.",
		"The papers are about different children.", secondLine,
		func(e *exam) bool { return e.linkBroken }},
	{CodeBirthMissing, Amber,
		"A guardianship without a birth credential of the child.",
		"There is no birth credential, so the papers do not say who the child is.", "Ask for the child's birth credential and scan both together.",
		func(e *exam) bool { return len(e.births) == 0 && e.allRead() }},
	{CodeNotAMinor, Info,
		"Of age today and on the day of travel, even at the youngest that the record allows. Nothing about a mandate is asked then.",
		"This person is of age.", "Do the normal check for an adult.",
		func(e *exam) bool { return e.ofAge }},
	{CodeAgeUncertainTreatAsChild, Info,
		"The date of birth is not known well enough to say that this person is of age.",
		"The age is uncertain. Treat this person as a child.", "Go by the rules for a child.",
		func(e *exam) bool { return e.ageUncertain }},

	// Does this adult have a mandate that lets them travel with the child?
	{CodeNoAuthority, Red,
		"No guardianship was shown for a minor.",
		"Nothing shows that the adult may travel with this child.", secondLine,
		func(e *exam) bool { return !e.ofAge && len(e.mandates) == 0 && e.allRead() }},
	{CodeGuardianMismatch, Red,
		"The guardianship belongs to another holder's key than the one that signed, or to somebody with another document.",
		"The guardianship belongs to somebody else.", secondLine,
		func(e *exam) bool {
			return !e.ofAge && (len(e.wards) > 0 && len(e.persons) == 0 ||
				e.anyPerson(func(p *person) bool { return p.document == another }))
		}},
	{CodePowerMissing, Red,
		"None of the guardians present has the power to travel with the child.",
		"The guardian has no power to travel with this child.", secondLine,
		func(e *exam) bool { return !e.ofAge && len(e.persons) > 0 && !e.anyRelied(mayAccompany) }},
	{CodeBasisProvisional, Amber,
		"The legal basis is provisional, urgent or can be appealed, or it is a humanitarian mandate that no office of the State on the trust list countersigned.",
		"The mandate is not final.", askOffice,
		func(e *exam) bool { return !e.ofAge && e.anyRelied(e.provisional) }},
	{CodeExitProhibited, Red,
		"An order forbids that the child leaves. Only a journey into the State of that order is outside it.",
		"An order forbids that this child leaves the country.", secondLine,
		func(e *exam) bool { return !e.ofAge && e.anyWard(e.exitProhibited) }},
	{CodeDestNotAllowed, Red,
		"The mandate excludes the country of destination.",
		"The mandate does not allow travel to this country.", secondLine,
		func(e *exam) bool {
			return !e.ofAge && e.facts.Entry != "" && e.anyWard(func(g *vc.Guardianship) bool { return limitsPlace(g) && !allows(g.Constraints, e.facts.Entry) })
		}},
	{CodeDestUnknown, Amber,
		"The mandate limits the countries of destination, and the destination was not entered.",
		"The mandate allows travel to some countries only.", "Enter the country of destination and check again.",
		func(e *exam) bool { return !e.ofAge && e.facts.Entry == "" && e.anyWard(limitsPlace) }},
	{CodeAbsenceTooLong, Amber,
		"The mandate limits the length of the absence, and the return is later or was not entered.",
		"The mandate limits how long the child may be away.", "Ask for the date of return and compare. If it is later, call the authority that issued the mandate.",
		func(e *exam) bool { return !e.ofAge && e.anyWard(e.tooLong) }},
	{CodeMandateConditions, Info,
		"The mandate carries conditions in words, or contact must be supervised. No device can judge that.",
		"The mandate carries conditions.", "Ask to see the order and read its conditions.",
		func(e *exam) bool { return !e.ofAge && e.anyWard(conditional) }},
	{CodeConsentMissingCo, Amber,
		"A joint mandate, and fewer guardians are present than must decide together.",
		"Another guardian must agree, and is not here.", "Contact the other guardian and have the consent confirmed.",
		func(e *exam) bool { return !e.ofAge && e.consentMissing() }},

	// Can this device be relied on?
	{CodeDeviceClock, Amber,
		"The clock is before the bundle's signing time or more than ten minutes off, or the presentation is dated more than 30 seconds ahead.",
		"The clock of this device or of the telephone is wrong.", "Set the clock of this device, then ask for a new code.",
		func(e *exam) bool { return e.early || e.clockWrong() }},
	{CodePolicyStale, Amber,
		"The bundle is older than 30 days, or the trust list in it has run out.",
		"The rules and keys on this device are out of date.", updateFirst,
		func(e *exam) bool { return e.now.Sub(e.bundle.CreatedAt) > oldPolicy || e.trustRanOut() }},
}

// okRule is the row for "none of the above".
var okRule = Rule{CodeOK, Green,
	"No rule found anything against it.",
	"Papers and mandate are in order.", "Let them pass. Still observe the child.", nil}

const notUsable = "A credential can no longer be used."

// Terms of the policy.
const (
	recently  = 30 * 24 * time.Hour // since expiry: a renewal that was missed
	oldPolicy = 30 * 24 * time.Hour // since a bundle was made
	oldTrust  = 24 * time.Hour      // since a bundle brought its trust list: it may lack a new key
)

func lowerFirst(s string) string { return string(s[0]|0x20) + s[1:] }

func (e *exam) any(f func(*credential) bool) bool {
	for _, c := range e.creds {
		if f(c) {
			return true
		}
	}
	return false
}

func (e *exam) anyPerson(f func(*person) bool) bool {
	for _, p := range e.persons {
		if f(p) {
			return true
		}
	}
	return false
}

// anyWard asks every mandate for this child, also those of guardians who are
// not there: an order binds whoever travels.
func (e *exam) anyWard(f func(*vc.Guardianship) bool) bool {
	for _, c := range e.wards {
		if f(c.mandate) {
			return true
		}
	}
	return false
}

// anyRelied asks the mandates that the adults present rely on.
func (e *exam) anyRelied(f func(*vc.Guardianship) bool) bool {
	for _, p := range e.persons {
		for _, c := range p.accompanying() {
			if f(c.mandate) {
				return true
			}
		}
	}
	return false
}

// allRead reports whether something was shown and all of it was believed and
// understood, so that what is missing is really missing.
func (e *exam) allRead() bool {
	return e.opened > 0 && !e.forged && !e.unreadable &&
		!e.any(func(c *credential) bool { return c.birth == nil && c.mandate == nil })
}

// trustIsOld: the hub's signature says that this trust list was the one in force
// when the bundle was made, so the bundle's age is how long this device may lack
// a newer one. An anchor that is offline signs far more rarely than that.
func (e *exam) trustIsOld() bool { return e.now.Sub(e.bundle.CreatedAt) > oldTrust }

// trustRanOut: a list without an end ends after 30 days, like a bundle.
func (e *exam) trustRanOut() bool {
	if next := e.bundle.Trust.Next; !next.IsZero() {
		return !e.now.Before(next)
	}
	return e.now.Sub(e.bundle.Trust.IssuedAt) > oldPolicy
}

func (e *exam) clockWrong() bool {
	if e.now.Before(e.bundle.CreatedAt) || e.now.Before(e.bundle.Trust.IssuedAt) {
		return true
	}
	return !e.facts.LastTrustedTime.IsZero() && e.now.Sub(e.facts.LastTrustedTime).Abs() > clockSlack
}

// expired gives the time since the credential expired, negative if it did not.
func (e *exam) expired(c *credential) time.Duration {
	if c.Credential == nil || c.ValidTo.IsZero() {
		return -1
	}
	return e.now.Sub(c.ValidTo)
}

func (e *exam) mandateOver(c *credential) bool {
	if c.mandate == nil || c.mandate.Effective.Until == "" {
		return false
	}
	until, err := vc.ParseDate(c.mandate.Effective.Until)
	return err == nil && e.day.After(until)
}

func (e *exam) notYet(c *credential) bool {
	if c.Credential == nil {
		return false
	}
	if c.ValidFrom.Sub(e.now) > startSlack {
		return true
	}
	if c.mandate == nil {
		return false
	}
	from, err := vc.ParseDate(c.mandate.Effective.From)
	return err == nil && e.day.Before(from)
}

func (e *exam) portraitOld(c *credential) bool {
	if c.birth == nil || c.birth.Portrait == nil {
		return false
	}
	by, err := vc.ParseDate(c.birth.Portrait.RecaptureBy)
	return err == nil && e.day.After(by)
}

// paperConfirmed: the officer looked at the child, and the adult can be held
// against something or was.
func (e *exam) paperConfirmed() bool {
	return e.facts.confirmed(Portrait) && (e.facts.confirmed(Document) ||
		!e.anyPerson(func(p *person) bool { return p.onPaper && !p.named() }))
}

func mayAccompany(g *vc.Guardianship) bool { return contains(g.Powers, "travelAccompany") }

func (e *exam) provisional(g *vc.Guardianship) bool {
	b := &g.LegalBasis
	return b.Finality != "" && b.Finality != "final" ||
		b.Type == "humanitarianMandate" && !e.bundle.states[b.CountersignedBy]
}

func (e *exam) exitProhibited(g *vc.Guardianship) bool {
	if g.Constraints == nil || !g.Constraints.NoRemoval {
		return false
	}
	home := e.facts.Entry == g.LegalBasis.Law && e.facts.Exit != "" && e.facts.Exit != e.facts.Entry
	return !home
}

func limitsPlace(g *vc.Guardianship) bool {
	return g.Constraints != nil && len(g.Constraints.AllowedCountries)+len(g.Constraints.DeniedCountries) > 0
}

func allows(c *vc.Constraints, country string) bool {
	if contains(c.DeniedCountries, country) {
		return false
	}
	return len(c.AllowedCountries) == 0 || contains(c.AllowedCountries, country)
}

func (e *exam) tooLong(g *vc.Guardianship) bool {
	if g.Constraints == nil || g.Constraints.MaxAbsenceDays == 0 {
		return false
	}
	return e.facts.ReturnBy.IsZero() || e.day.DaysUntil(e.facts.ReturnBy) > g.Constraints.MaxAbsenceDays
}

func conditional(g *vc.Guardianship) bool {
	return g.Constraints != nil && (g.Constraints.Supervised || g.Constraints.Conditions != "")
}

// consentMissing: nobody present may decide alone, and they are fewer than must
// decide together (settled question 14). An absent quorum is the number of
// guardians, that one is two unless the mandate says otherwise.
func (e *exam) consentMissing() bool {
	if !e.anyRelied(mayAccompany) {
		return false
	}
	here := e.present()
	return !e.anyRelied(func(g *vc.Guardianship) bool {
		if !mayAccompany(g) {
			return false
		}
		x := &g.Exercise
		switch x.Mode {
		case "sole", "independent":
			return true
		case "joint":
			if len(x.JointFor) > 0 && !contains(x.JointFor, "travelAccompany") && !contains(x.JointFor, "travelConsent") {
				return true
			}
			need := x.Quorum
			if need <= 0 {
				need = x.CoGuardianCount
			}
			if need <= 0 {
				need = 2
			}
			return here >= need
		}
		return false
	})
}
