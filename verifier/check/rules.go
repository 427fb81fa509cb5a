package check

import (
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/policy"
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
	CodeIssuerNotAccredited      = "ISSUER_NOT_ACCREDITED"
	CodeIssuerSuspended          = "ISSUER_SUSPENDED"
	CodeCredUnreadable           = "CRED_UNREADABLE"
	CodeCredExpiredRecent        = "CRED_EXPIRED_RECENT"
	CodeCredExpired              = "CRED_EXPIRED"
	CodeCredNotYetValid          = "CRED_NOT_YET_VALID"
	CodeStatusRevoked            = "STATUS_REVOKED"
	CodeStatusSuspended          = "STATUS_SUSPENDED"
	CodeStatusNotIssued          = "STATUS_NOT_ISSUED"
	CodeStatusStale              = "STATUS_STALE"
	CodeStatusUnknown            = "STATUS_UNKNOWN"
	CodeStatusIndexReused        = "STATUS_INDEX_REUSED"
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
	CodeConsentMissing           = "CONSENT_MISSING"
	CodeConsentQuorum            = "CONSENT_QUORUM"
	CodeConsentScope             = "CONSENT_SCOPE"
	CodeConsentWithdrawn         = "CONSENT_WITHDRAWN"
	CodeConsentAssuranceLow      = "CONSENT_ASSURANCE_LOW"
	CodeConsentOld               = "CONSENT_OLD"
	CodeConsentReused            = "CONSENT_REUSED"
	CodeReceiverUnverified       = "RECEIVER_UNVERIFIED"
	CodeParentMandateUnknown     = "PARENT_MANDATE_UNKNOWN"
	CodeParentageMissing         = "PARENTAGE_MISSING"
	CodeRecordIncompleteExpected = "RECORD_INCOMPLETE_EXPECTED"
	CodeSignal2                  = "SIGNAL_2"
	CodeSignal3                  = "SIGNAL_3"
	CodeSignal5                  = "SIGNAL_5"
	CodeSignal6                  = "SIGNAL_6"
	CodeFactsMissing             = "FACTS_MISSING"
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

	// Graver is the colour that it has where grave holds: because a country's
	// policy demands it, or for the case that When tells. It is not used
	// without grave.
	Graver Colour
	grave  func(*exam) bool
}

// Colours gives the colours that a rule can have, the usual one first.
func (r *Rule) Colours() []Colour {
	if r.grave == nil {
		return []Colour{r.Colour}
	}
	return []Colour{r.Colour, r.Graver}
}

// colour gives the colour of a rule that was found.
func (r *Rule) colour(e *exam) Colour {
	if r.grave != nil && r.grave(e) {
		return r.Graver
	}
	return r.Colour
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

	askSecondLine = "Ask a colleague of second line to talk to child and adult. This proves nothing by itself."
)

// rules is the border policy. Every rule is asked; the worst colour wins; codes
// are listed in this order.
var rules = []Rule{
	// Can it be read, and is it genuine?
	{Code: CodeScanUnreadable, Colour: Amber,
		When: "The text is not a Kinpass code: another prefix, characters that no such code has, or too long.",
		Text: "The code could not be read.", Next: scanAgain,
		found: func(e *exam) bool { return e.unreadable }},
	{Code: CodeSigInvalid, Colour: Red,
		When: "A Kinpass code that does not unpack, or a signature in it that does not hold.",
		Text: "The code is damaged or was tampered with. A signature does not hold.", Next: secondLine,
		found: func(e *exam) bool { return e.forged || e.any(func(c *credential) bool { return c.forged }) }},
	{Code: CodeIssuerUntrusted, Colour: Red,
		When: "Signed by a key that the trust list does not know, or does not allow to sign this type of credential, in this role or at that time.",
		Text: "A credential comes from an office that may not issue it.", Next: secondLine,
		found: func(e *exam) bool {
			return e.any(func(c *credential) bool { return c.untrusted || c.unknownKey && !e.trustIsOld() })
		}},
	{Code: CodeIssuerUnknownStale, Colour: Amber,
		When: "Signed by a key that this device does not know, and the bundle with its trust list is older than 24 hours.",
		Text: "The issuing office is not known to this device, and its list of offices is old.", Next: updateFirst,
		found: func(e *exam) bool { return e.any(func(c *credential) bool { return c.unknownKey && e.trustIsOld() }) }},
	{Code: CodeIssuerKeyRevoked, Colour: Red,
		When: "Signed by a withdrawn key at or after the time from which it is no longer believed.",
		Text: "A credential was signed with a key that had been withdrawn.", Next: secondLine,
		found: func(e *exam) bool { return e.any(func(c *credential) bool { return c.cutOff }) }},
	{Code: CodeIssuerKeyUnproven, Colour: Amber,
		When: "Signed by a withdrawn key, dated before the withdrawal, and nothing shows that date: no proof was brought that the credential was in the issuer's ledger before the withdrawal. Red in a check that asked the issuers online.",
		Text: "A credential was signed with a key that was withdrawn later.", Next: callDesk,
		found:  func(e *exam) bool { return e.any(func(c *credential) bool { return c.unproven }) },
		Graver: Red, grave: func(e *exam) bool { return e.facts.Online }},
	{Code: CodeIssuerNotAccredited, Colour: Red,
		When: "The issuing office was not accredited when it issued: its accreditation had ended, or was suspended. What it issued before the end of its accreditation is good.",
		Text: "A credential was issued while its office had no accreditation.", Next: secondLine,
		found: func(e *exam) bool { return e.any(func(c *credential) bool { return c.unaccredited }) }},
	{Code: CodeIssuerSuspended, Colour: Amber,
		When: "The issuing office is suspended now, and issued this before.",
		Text: "The office that issued a credential was suspended later.", Next: callDesk,
		found: func(e *exam) bool { return e.any(func(c *credential) bool { return c.suspendedOffice }) }},
	{Code: CodeCredUnreadable, Colour: Amber,
		When: "Genuine, but of a form, type or schema that this device does not know, without an end date, or without something that the rules need.",
		Text: "A credential is genuine, but this device cannot read all of it.", Next: callDesk,
		found: func(e *exam) bool {
			return e.unclear || e.any(func(c *credential) bool { return c.unclear })
		}},

	// Is it in force?
	{Code: CodeCredExpiredRecent, Colour: Amber,
		When: "The credential expired, at most 30 days ago. A consent that is over is `CONSENT_SCOPE`.",
		Text: "A credential expired less than a month ago.", Next: "Ask the guardian to renew it online now, then scan again. Otherwise call the desk.",
		found: func(e *exam) bool {
			return e.any(func(c *credential) bool { d := e.expired(c); return c.consent == nil && d >= 0 && d <= recently })
		}},
	{Code: CodeCredExpired, Colour: Red,
		When: "The credential expired more than 30 days ago, or the mandate itself has ended.",
		Text: "A credential or the mandate has ended.", Next: secondLine,
		found: func(e *exam) bool {
			return e.any(func(c *credential) bool { return c.consent == nil && e.expired(c) > recently || e.mandateOver(c) })
		}},
	{Code: CodeCredNotYetValid, Colour: Red,
		When: "The credential is not valid yet, or the mandate has not begun.",
		Text: "A credential or the mandate is not in force yet.", Next: secondLine,
		found: func(e *exam) bool { return e.any(e.notYet) }},
	{Code: CodeStatusRevoked, Colour: Red,
		When: "The status list says revoked.",
		Text: notUsable, Next: secondLine,
		found: func(e *exam) bool {
			return e.any(func(c *credential) bool { return c.consent == nil && c.answer.revoked })
		}},
	{Code: CodeStatusSuspended, Colour: Red,
		When: "The status list says suspended. The screen is the same as for a revoked credential: why is never shown.",
		Text: notUsable, Next: secondLine,
		found: func(e *exam) bool {
			return e.any(func(c *credential) bool { return c.consent == nil && c.answer.suspended })
		}},
	{Code: CodeStatusNotIssued, Colour: Red,
		When: "The issuer had given the credential's place on the status list to nobody by the time of its list of given places, and the credential says that it is from before that. A consent's time is that of a telephone, so ten minutes are allowed for.",
		Text: "The office has not issued this credential. Its key may be in wrong hands.", Next: secondLine,
		found: func(e *exam) bool { return e.any((*credential).neverIssued) }},
	{Code: CodeStatusStale, Colour: Amber,
		When: "The oldest status list used for this presentation is older than 24 hours, at most 7 days, and has not ended.",
		Text: "It could not be checked whether the papers were withdrawn in the last day.", Next: updateFirst,
		found: func(e *exam) bool { return e.stale && e.statusAge <= oldStatus }},
	{Code: CodeStatusUnknown, Colour: Amber,
		When: "No status list of this issuer (for a consent: of the issuer of the birth credential) answers for the credential or for each grantor, its index is not on the list, the list's key was withdrawn, the list is older than 7 days, or the credential is newer than what this device knows to be issued. Red where a country's policy holds the route for one of high risk.",
		Text: "This device cannot tell whether the papers were withdrawn.", Next: callDesk,
		found: func(e *exam) bool {
			return e.any(func(c *credential) bool {
				return c.Credential != nil && (c.answer.unknown || c.answer.newer(c.dated()))
			})
		},
		Graver: Red, grave: func(e *exam) bool { return e.highRisk }},

	{Code: CodeStatusIndexReused, Colour: Amber,
		When: "Two different birth or guardianship credentials have one place on a status list: two that are shown together, or one that is and one that this post saw within a day. No honest issuer gives a place twice; which of the two is false, only the register knows.",
		Text: "Two different papers have one number. One of them is false.", Next: callDesk,
		found: (*exam).placeTaken},

	// Is it shown by the one it belongs to, now?
	{Code: CodeHolderBindingFailed, Colour: Red,
		When: "Not signed by the holder it names, not for this purpose, not the challenge asked for, older than five minutes, or a holder's credential shown without the holder.",
		Text: "The code was not freshly made by the telephone it belongs to.", Next: "Ask for a new code. If it fails again: " + lowerFirst(secondLine),
		found: func(e *exam) bool { return e.unbound }},
	{Code: CodePresentationRepeated, Colour: Amber,
		When: "This post saw the same presentation in another session.",
		Text: "The same code was already shown here for somebody else.", Next: "Ask the adult to make a new code on their own telephone while you watch.",
		found: func(e *exam) bool { return e.repeated }},
	{Code: CodePaperBearer, Colour: Amber,
		When: "A paper pass, and the officer has not confirmed the portrait, or the paper does not name the adult and the officer has not confirmed their document.",
		Text: "A paper pass proves nothing about who carries it.", Next: "Compare the child with the photograph and the adult with their travel document, then confirm both.",
		found: func(e *exam) bool { return e.paper && !e.paperConfirmed() }},
	{Code: CodeChildMismatch, Colour: Red,
		When: "The officer says that the child is not the one in the photograph.",
		Text: "The child does not match the photograph.", Next: secondLine,
		found: func(e *exam) bool { return e.facts.denied(Portrait) }},
	{Code: CodePortraitStale, Colour: Amber,
		When: "The photograph should have been taken again before the day of travel.",
		Text: "The photograph is too old to recognise a child by.", Next: "Identify the child another way: travel document, questions about family and home.",
		found: func(e *exam) bool { return e.any(e.portraitOld) }},
	{Code: CodeDocUnreadable, Colour: Amber,
		When: "An adult's document has a machine-readable zone that does not read, a check digit that does not fit, or is a visa.",
		Text: "An adult's travel document could not be read.", Next: "Scan or type its machine-readable lines again. Look closely at the document.",
		found: func(e *exam) bool { return e.badDocument }},
	{Code: CodeDocNamePartial, Colour: Amber,
		When: "The adult's document shares only part of the name of the guardian or of the adult whom a consent names, or the whole name with another document number, and the officer has not confirmed the document.",
		Text: "The adult's name or document number fits the papers only in part.", Next: "Compare the names by eye: name order, missing or shortened names, a renewed passport. Confirm if it fits.",
		found: func(e *exam) bool {
			return e.anyPerson(func(p *person) bool { return p.document == partly }) && !e.facts.confirmed(Document)
		}},
	{Code: CodeDocNameMismatch, Colour: Red,
		When: "The adult's document has no name in common with the guardian, or the officer says that it is not the guardian's.",
		Text: "The adult's travel document is not that of the guardian named.", Next: secondLine,
		found: func(e *exam) bool {
			return e.facts.denied(Document) || e.anyPerson(func(p *person) bool { return p.as == guardian && p.document == different })
		}},
	{Code: CodeDocCompare, Colour: Info,
		When: "A confirmed paper pass, and no document of the adult was compared. Amber where a consent names the adult without the key that signed, so that only a document can tell who is there.",
		Text: "The papers name an adult, and nobody has compared the adult's document yet.", Next: "Compare the adult's travel document with the adult named before letting them go.",
		found: func(e *exam) bool {
			return !e.ofAge && !e.facts.confirmed(Document) && (e.nobodyCompared() ||
				e.paper && e.paperConfirmed() && e.anyPerson(func(p *person) bool { return p.onPaper && p.document == notCompared }))
		},
		Graver: Amber, grave: (*exam).nobodyCompared},

	// Do the papers belong together, and is this a child?
	{Code: CodeLinkBroken, Colour: Red,
		When: "Birth, guardianship and consent are about different children, or there are births of several children.",
		Text: "The papers are about different children.", Next: secondLine,
		found: func(e *exam) bool { return e.linkBroken }},
	{Code: CodeBirthMissing, Colour: Amber,
		When: "A guardianship or a consent without a birth credential of the child.",
		Text: "There is no birth credential, so the papers do not say who the child is.", Next: "Ask for the child's birth credential and scan both together.",
		found: func(e *exam) bool { return len(e.births) == 0 && e.allRead() }},
	{Code: CodeNotAMinor, Colour: Info,
		When: "Of age today and on the day of travel, even at the youngest that the record allows. Nothing about a mandate is asked then.",
		Text: "This person is of age.", Next: "Do the normal check for an adult.",
		found: func(e *exam) bool { return e.ofAge }},
	{Code: CodeAgeUncertainTreatAsChild, Colour: Info,
		When: "The date of birth is not known well enough to say that this person is of age.",
		Text: "The age is uncertain. Treat this person as a child.", Next: "Go by the rules for a child.",
		found: func(e *exam) bool { return e.ageUncertain }},

	// Does this adult have a mandate that lets them travel with the child?
	{Code: CodeNoAuthority, Colour: Red,
		When: "Neither a guardianship nor a consent was shown for a minor, and the officer did not say who travels.",
		Text: "Nothing shows that the adult may travel with this child.", Next: secondLine,
		found: func(e *exam) bool { return !e.ofAge && !e.companyKnown && len(e.mandates) == 0 && e.allRead() }},
	{Code: CodeGuardianMismatch, Colour: Red,
		When: "The guardianship belongs to another holder's key than the one that signed, or to somebody with another document. One that a consent names as its grantor's is evidence and may be another's.",
		Text: "The guardianship belongs to somebody else.", Next: secondLine,
		found: func(e *exam) bool {
			return !e.ofAge && (e.borrowed() ||
				e.anyPerson(func(p *person) bool { return p.as == guardian && p.document == another }))
		}},
	{Code: CodePowerMissing, Colour: Red,
		When: "None of the guardians present, and nobody who acts for one, has the power to travel with the child.",
		Text: "The guardian has no power to travel with this child.", Next: secondLine,
		found: func(e *exam) bool { return !e.ofAge && e.powerless() }},
	{Code: CodeBasisProvisional, Colour: Amber,
		When: "The legal basis is provisional, urgent or can be appealed, or it is a humanitarian mandate that no office of the State on the trust list countersigned.",
		Text: "The mandate is not final.", Next: askOffice,
		found: func(e *exam) bool { return !e.ofAge && e.anyRelied(e.provisional) }},
	{Code: CodeExitProhibited, Colour: Red,
		When: "An order forbids that the child leaves. Only a journey into the State of that order is outside it.",
		Text: "An order forbids that this child leaves the country.", Next: secondLine,
		found: func(e *exam) bool { return !e.ofAge && e.anyWard(e.exitProhibited) }},
	{Code: CodeDestNotAllowed, Colour: Red,
		When: "The mandate excludes the country of destination.",
		Text: "The mandate does not allow travel to this country.", Next: secondLine,
		found: func(e *exam) bool {
			return !e.ofAge && e.facts.Entry != "" && e.anyWard(func(g *vc.Guardianship) bool { return limitsPlace(g) && !allows(g.Constraints, e.facts.Entry) })
		}},
	{Code: CodeDestUnknown, Colour: Amber,
		When: "The mandate or a consent that is needed limits the countries of destination, and the destination was not entered.",
		Text: "The mandate or the consent is for some countries only.", Next: "Enter the country of destination and check again.",
		found: func(e *exam) bool {
			return !e.ofAge && e.facts.Entry == "" && (e.anyWard(limitsPlace) || e.asked() && len(e.consents) > 0)
		}},
	{Code: CodeAbsenceTooLong, Colour: Amber,
		When: "The mandate limits the length of the absence, and the return is later or is not known. Red where a country's policy demands it.",
		Text: "The mandate limits how long the child may be away.", Next: "Ask for the date of return and compare. If it is later, call the authority that issued the mandate.",
		found:  func(e *exam) bool { return !e.ofAge && (e.anyWard(e.tooLong) || e.finds(CodeAbsenceTooLong, false)) },
		Graver: Red, grave: demanded(CodeAbsenceTooLong)},
	{Code: CodeMandateConditions, Colour: Info,
		When: "The mandate carries conditions in words, or contact must be supervised. No device can judge that.",
		Text: "The mandate carries conditions.", Next: "Ask to see the order and read its conditions.",
		found: func(e *exam) bool { return !e.ofAge && e.anyWard(conditional) }},

	// Do those who are not there agree? Where the colour depends on the
	// country, it is the policy of the country left or entered that demands it.
	{Code: CodeConsentMissingCo, Colour: Amber,
		When: "A guardian is there, others must decide too, and none of them agrees. Red where a country's policy demands it.",
		Text: "Another guardian must agree, and is not here.", Next: "Contact the other guardian and have the consent confirmed.",
		found:  func(e *exam) bool { return e.finds(CodeConsentMissingCo, false) },
		Graver: Red, grave: demanded(CodeConsentMissingCo)},
	{Code: CodeConsentMissing, Colour: Red,
		When: "No guardian is there (the child is alone, with others or with a group), and there is no consent at all.",
		Text: "The child travels without a guardian, and no guardian's consent was shown.", Next: secondLine,
		found: func(e *exam) bool { return e.finds(CodeConsentMissing, false) }},
	{Code: CodeConsentQuorum, Colour: Red,
		When: "Fewer guardians agree than must decide together, or a consent was shown whose grantor no guardianship proves.",
		Text: "Not all guardians who must agree have agreed.", Next: secondLine,
		found: func(e *exam) bool { return e.finds(CodeConsentQuorum, false) || e.hollow() }},
	{Code: CodeConsentScope, Colour: Red,
		When: "The consent is for another time, for another route or for other adults than those with the child, or it does not let the child settle abroad.",
		Text: "The consent is not for this journey or not for these adults.", Next: secondLine,
		found: func(e *exam) bool {
			return e.finds(CodeConsentScope, false) ||
				e.anyConsent(func(c *credential) bool { return c.outside || c.offRoute || c.wrongAdult })
		}},
	{Code: CodeConsentWithdrawn, Colour: Red,
		When: "A grantor withdrew the consent, or an authority holds it back. Who did, and why, is never shown.",
		Text: "The consent can no longer be used.", Next: secondLine,
		found: func(e *exam) bool { return e.anyConsent((*credential).withdrawn) }},
	{Code: CodeConsentAssuranceLow, Colour: Amber,
		When: "The consent was given with less assurance than a country's policy asks: nobody, or nobody of the rank that it asks, witnessed it. Red where that policy demands it.",
		Text: "The consent was not witnessed as this country asks.", Next: "Call the guardians who agreed, by a number that you found yourself, or have the desk confirm it.",
		found:  func(e *exam) bool { return e.finds(CodeConsentAssuranceLow, false) },
		Graver: Red, grave: demanded(CodeConsentAssuranceLow)},
	{Code: CodeConsentOld, Colour: Amber,
		When: "The consent was given longer ago than a country's policy takes for fresh. Red where that policy demands it.",
		Text: "The consent was given too long ago for this country.", Next: "Call the guardians who agreed, by a number that you found yourself, or have the desk confirm it.",
		found:  func(e *exam) bool { return e.finds(CodeConsentOld, false) },
		Graver: Red, grave: demanded(CodeConsentOld)},
	{Code: CodeConsentReused, Colour: Amber,
		When: "This post saw the consent at as many crossings as it was given for.",
		Text: "The consent was already used for all the crossings that it allows.", Next: "Ask about the earlier journeys and call the guardians who agreed.",
		found: func(e *exam) bool { return e.asked() && e.usedUp }},
	{Code: CodeReceiverUnverified, Colour: Amber,
		When: "The child travels alone, and nobody in particular awaits them, or the officer could not reach them. Red where a country's policy demands it, as for young children, and where the officer says that it is somebody else.",
		Text: "It is not certain who takes the child in.", Next: "Call the person who takes the child in, then hand the child to the carrier's desk for unaccompanied minors.",
		found:  func(e *exam) bool { return e.finds(CodeReceiverUnverified, false) || e.noReceiver() },
		Graver: Red, grave: func(e *exam) bool { return e.finds(CodeReceiverUnverified, true) || e.noReceiver() }},
	{Code: CodeParentMandateUnknown, Colour: Amber,
		When: "The register names a parent, and no mandate tells whether that parent decides too.",
		Text: "A parent is named in the register, and it is not known whether they must agree.", Next: "Ask about the other parent, and call the registry of the birth.",
		found: func(e *exam) bool { return !e.ofAge && e.companyKnown && e.required.mandateUnknown }},
	{Code: CodeParentageMissing, Colour: Amber,
		When: "A country's policy asks for a birth credential that names the parents. Red where that policy demands it.",
		Text: "This country asks for a birth record that names the parents.", Next: "Ask for the full birth certificate.",
		found:  func(e *exam) bool { return e.finds(CodeParentageMissing, false) },
		Graver: Red, grave: demanded(CodeParentageMissing)},
	{Code: CodeRecordIncompleteExpected, Colour: Info,
		When: "Parents are unknown, undeclared or withheld, or the child was found or fled, and a mandate tells who decides. It never makes anything worse.",
		Text: "The birth record is incomplete. For this child that is expected.", Next: "Do not hold the gaps in the record against anybody.",
		found: func(e *exam) bool { return !e.ofAge && e.incompleteExpected() }},

	// Is there something to look at twice? Never worse than amber, and never
	// from who somebody is (signals.go).
	{Code: CodeSignal2, Colour: Amber,
		When: "One adult brings four or more children of whom they are no guardian in one session, and it is no journey with a group.",
		Text: "This adult brings several children of other families.", Next: askSecondLine,
		found: func(e *exam) bool { return !e.ofAge && e.signals.manyUnrelated() }},
	{Code: CodeSignal3, Colour: Amber,
		When: "The mandate of an adult who is not a parent by birth took effect less than 30 days before the journey, is no adoption under the Hague Convention of 1993, and no State office stands behind it.",
		Text: "The mandate is very new.", Next: askSecondLine,
		found: func(e *exam) bool { return !e.ofAge && e.signals.newPair() }},
	{Code: CodeSignal5, Colour: Amber,
		When: "The birth of a child of more than a year was registered late or reconstructed less than 60 days before the journey. Not for a displaced child or a foundling with a guardian of the State.",
		Text: "The birth was registered late and very recently.", Next: askSecondLine,
		found: func(e *exam) bool { return !e.ofAge && e.signals.newRecord() }},
	{Code: CodeSignal6, Colour: Amber,
		When: "The same consent was shown at this post twice within 30 days when it was over, used up or for another route.",
		Text: "This consent was shown before when it did not fit.", Next: askSecondLine,
		found: func(e *exam) bool { return !e.ofAge && e.signals.failedAgain() }},

	{Code: CodeFactsMissing, Colour: Info,
		When: "The outcome depends on facts that nobody entered: who the travellers are to the countries, or when they return.",
		Text: "Something that this country's rules depend on was not entered.", Next: "Enter what is missing and check again.",
		found: (*exam).factsMissing},

	// Can this device be relied on?
	{Code: CodeDeviceClock, Colour: Amber,
		When: "The clock is before the bundle's signing time or more than ten minutes off, or the presentation is dated more than 30 seconds ahead.",
		Text: "The clock of this device or of the telephone is wrong.", Next: "Set the clock of this device, then ask for a new code.",
		found: func(e *exam) bool { return e.early || e.clockWrong() }},
	{Code: CodePolicyStale, Colour: Amber,
		When: "The bundle is older than 30 days, or the trust list in it has run out.",
		Text: "The rules and keys on this device are out of date.", Next: updateFirst,
		found: func(e *exam) bool { return e.now.Sub(e.bundle.CreatedAt) > oldPolicy || e.trustRanOut() }},
}

// okRule is the row for "none of the above".
var okRule = Rule{Code: CodeOK, Colour: Green,
	When: "No rule found anything against it.",
	Text: "Papers and mandate are in order.", Next: "Let them pass. Still observe the child."}

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

// anyRelied asks the mandates that the adults present rely on, and those of the
// guardians who consent as far as they were shown.
func (e *exam) anyRelied(f func(*vc.Guardianship) bool) bool {
	for _, c := range e.reliedOn {
		if f(c.mandate) {
			return true
		}
	}
	return false
}

// anyConsent asks the consents, where anybody's consent matters.
func (e *exam) anyConsent(f func(*credential) bool) bool {
	if e.asked() {
		for _, c := range e.consents {
			if f(c) {
				return true
			}
		}
	}
	return false
}

// demanded reports whether a country's policy makes this code red.
func demanded(code string) func(*exam) bool {
	return func(e *exam) bool { return e.finds(code, true) }
}

// nobodyCompared: a consent names an adult without the key that signed, and no
// document was held against the name.
func (e *exam) nobodyCompared() bool {
	return !e.ofAge && len(e.guardians) == 0 && !e.facts.confirmed(Document) && !e.strangers() &&
		e.anyPerson(func(p *person) bool { return p.unproven && (p.document == notCompared || p.document == silent) })
}

// borrowed: nobody who is there is a guardian or named by a consent, and a
// guardianship was shown that no consent cites.
func (e *exam) borrowed() bool {
	if len(e.persons) > 0 || e.staysBehind() {
		return false
	}
	for _, c := range e.wards {
		if !e.cited(c) {
			return true
		}
	}
	return false
}

// powerless: those who travel by a mandate have none that lets them.
func (e *exam) powerless() bool {
	by := false
	for _, p := range e.persons {
		if p.as == delegate || p.guards() && (len(e.guardians) == 0 && !e.staysBehind() || slices.Contains(e.guardians, p)) {
			if p.mayTravel() {
				return false
			}
			by = true
		}
	}
	return by
}

// hollow: a consent was shown whose grantor proves no mandate, and it would be
// needed.
func (e *exam) hollow() bool {
	if !e.asked() || !e.unproven {
		return false
	}
	agreed := 0
	for _, c := range e.given {
		agreed += c.Grantors
	}
	return agreed < e.required.need
}

// noReceiver: the officer says that whoever takes the child in is not the one
// named.
func (e *exam) noReceiver() bool {
	return e.asked() && e.company == policy.Alone && e.facts.denied(Receiver)
}

// factsMissing: policies lack a fact that no other row asks for. The day of
// return is asked for by ABSENCE_TOO_LONG where a mandate limits it.
func (e *exam) factsMissing() bool {
	for _, f := range e.lacking {
		if f != "returnBy" || !e.anyWard(e.tooLong) {
			return !e.ofAge
		}
	}
	return false
}

// incompleteExpected: the record has gaps that are nobody's fault, and somebody
// has a mandate all the same.
func (e *exam) incompleteExpected() bool {
	if e.born == nil || len(e.reliedOn) == 0 {
		return false
	}
	if oneOf(e.born.Circumstance, "foundling", "unaccompaniedDisplaced", "reconstructed") || len(e.born.Parentage) == 0 {
		return true
	}
	for i := range e.born.Parentage {
		if oneOf(e.born.Parentage[i].Status, "undeclared", "unknown", "withheld") {
			return true
		}
	}
	return false
}

// allRead reports whether something was shown and all of it was believed and
// understood, so that what is missing is really missing.
func (e *exam) allRead() bool {
	return e.opened > 0 && !e.forged && !e.unreadable &&
		!e.any(func(c *credential) bool { return c.birth == nil && c.mandate == nil && c.consent == nil && !c.bySelf })
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
		!e.anyPerson(func(p *person) bool { return p.onPaper && !p.onDocument() }))
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
	back := e.returnBy()
	return back.IsZero() || e.day.DaysUntil(back) > g.Constraints.MaxAbsenceDays
}

func conditional(g *vc.Guardianship) bool {
	return g.Constraints != nil && (g.Constraints.Supervised || g.Constraints.Conditions != "")
}
