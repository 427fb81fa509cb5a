package policy

import (
	"slices"
	"strconv"

	"github.com/kinpass/kinpass/internal/vc"
)

// facts is a set of facts that somebody may not know.
type facts uint16

// Facts of a Situation that may be unknown.
const (
	childNationality facts = 1 << iota
	residence
	residenceProof
	companionNationality
	companionResidence
	companionAge
	returnBy
	otherCountry
	papers // what no officer can type: a parent's status, a mandate's basis
)

// asked are the words of Result.Ask, in the order of the facts.
var asked = []struct {
	fact facts
	word string
}{
	{childNationality, "childNationality"},
	{residence, "residence"},
	{residenceProof, "residenceProof"},
	{companionNationality, "companionNationality"},
	{companionResidence, "companionResidence"},
	{companionAge, "adultDocument"},
	{returnBy, "returnBy"},
	{otherCountry, "entry"}, // exit where the policy is for the way in
}

// answer is yes, no, or unknown for want of some facts.
type answer struct {
	known Known
	lack  facts
}

func is(b bool) answer {
	if b {
		return answer{known: Yes}
	}
	return answer{known: No}
}

func lacking(f facts) answer { return answer{lack: f} }

// not, and, or are Kleene's: what is unknown stays unknown unless the rest
// decides.
func (a answer) not() answer {
	switch a.known {
	case Yes:
		return answer{known: No}
	case No:
		return answer{known: Yes}
	}
	return a
}

func (a answer) and(b answer) answer {
	switch {
	case a.known == No || b.known == No:
		return answer{known: No}
	case a.known == Yes:
		return b
	case b.known == Yes:
		return a
	}
	return lacking(a.lack | b.lack)
}

func (a answer) or(b answer) answer { return a.not().and(b.not()).not() }

// argument is what stands in a predicate's brackets.
type argument struct {
	word   string
	number int
}

// predicate is one word of the vocabulary.
type predicate struct {
	name    string
	arg     *kind // nil: takes none
	meaning string
	holds   func(*view, argument) answer
}

// kind is a type of argument: words of a closed list, a country or a number.
type kind struct {
	name     string
	words    []string
	country  bool
	min, max int
}

// read gives the argument that a text stands for.
func (k *kind) read(s string) (argument, bool) {
	switch {
	case k.country:
		return argument{word: s}, isCountry(s)
	case k.words != nil:
		return argument{word: s}, slices.Contains(k.words, s)
	}
	n, err := strconv.Atoi(s)
	return argument{number: n}, err == nil && strconv.Itoa(n) == s && n >= k.min && n <= k.max
}

func isCountry(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range 3 {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// Kinds of arguments. The words are those of the schemas of guardianships,
// births and consents.
var (
	years    = &kind{name: "years", min: 1, max: 21}
	days     = &kind{name: "days", min: 1, max: 3660}
	country  = &kind{name: "country", country: true}
	basis    = &kind{name: "legal basis", words: bases}
	role     = &kind{name: "role", words: roles}
	status   = &kind{name: "status", words: statuses}
	purpose  = &kind{name: "purpose", words: []string{"holiday", "family", "study", "medical", "sport", "relocation", "other"}}
	bases    = []string{"parentalResponsibilityByBirth", "acknowledgement", "parentalAgreement", "courtOrder", "adoptionSimple", "adoptionPlenary", "kafala", "testamentary", "publicAuthority", "humanitarianMandate", "customary"}
	roles    = []string{"mother", "father", "parent", "stepParent", "grandparent", "relative", "legalGuardian", "testamentaryGuardian", "kafil", "fosterCarer", "stateGuardian", "ngoGuardian", "guardianAdLitem"}
	statuses = []string{"known", "unknown", "undeclared", "withheld", "deceased", "powerRemoved"}
)

// predicates is the vocabulary of conditions. It is closed: a policy that uses
// another word is refused when it is loaded.
var predicates = []predicate{
	{"always", nil, "holds in every case",
		func(*view, argument) answer { return is(true) }},
	{"bothParents", nil, "all who must decide together travel with the child: both parents, a sole guardian, or as many as their mandates ask for",
		func(v *view, _ argument) answer { return is(v.company == withAll) }},
	{"oneParent", nil, "a parent or guardian travels with the child, and others must decide too",
		func(v *view, _ argument) answer { return is(v.company == withSome) }},
	{"aloneOrThirdParty", nil, "nobody with the child may decide for it: alone, with other adults or with a group",
		func(v *view, _ argument) answer { return is(v.company == withNone) }},
	{"alone", nil, "the child travels without any adult",
		func(v *view, _ argument) answer { return is(v.company == withNone && v.alone()) }},
	{"thirdParty", nil, "the child travels with adults, none of whom may decide for it",
		func(v *view, _ argument) answer { return is(v.company == withNone && !v.alone()) }},
	{"group", nil, "the same, with a group such as a school class",
		func(v *view, _ argument) answer { return is(v.company == withNone && v.s.Company == Group) }},
	{"sole", nil, "a guardian who decides alone travels with the child",
		func(v *view, _ argument) answer { return is(v.company != withNone && v.s.Sole) }},
	{"independent", nil, "a guardian travels with the child whose mandate lets each act without the other",
		func(v *view, _ argument) answer { return is(v.company != withNone && v.s.Independent) }},
	{"child.national", nil, "the child has the nationality of the country, or of one of the countries, of the policy",
		func(v *view, _ argument) answer { return v.among(v.s.ChildNationality, childNationality) }},
	{"child.residentAbroad", nil, "the child lives in none of the countries of the policy",
		func(v *view, _ argument) answer { return v.among(v.s.Residence, residence).not() }},
	{"child.goesHome", nil, "the country on the other side of the journey is where the child lives",
		func(v *view, _ argument) answer {
			switch {
			case v.s.Residence == "":
				return lacking(residence)
			case v.s.Other == "":
				return lacking(otherCountry)
			}
			return is(v.s.Residence == v.s.Other)
		}},
	{"companion.isParent", nil, "an adult with the child is a parent",
		func(v *view, _ argument) answer {
			if v.alone() {
				return is(false)
			}
			return v.given(v.s.CompanionParent, papers)
		}},
	{"companion.isAdult", nil, "the adult with the child is 18 or older",
		func(v *view, _ argument) answer { return v.companionAdult() }},
	{"companion.named", nil, "every adult with the child who is no guardian is named in the consents",
		func(v *view, _ argument) answer { return is(v.s.CompanionNamed) }},
	{"companion.foreignResidentAbroad", nil, "an adult with the child has another nationality than those of the policy's countries and lives in none of them",
		func(v *view, _ argument) answer {
			if v.alone() {
				return is(false)
			}
			return v.among(v.s.CompanionNationality, companionNationality).not().
				and(v.among(v.s.CompanionResidence, companionResidence).not())
		}},
	{"relocation", nil, "the journey has no way back, or its purpose is to settle abroad",
		func(v *view, _ argument) answer { return is(v.s.Relocation) }},
	{"ageBelow", years, "the child, as young as the record allows, is younger than this on the day of the crossing",
		func(v *view, a argument) answer { return is(v.s.Age < a.number) }},
	{"absenceAtMost", days, "the child will be back within so many days",
		func(v *view, a argument) answer { return v.back(a.number) }},
	{"other", country, "this is the country on the other side of the journey",
		func(v *view, a argument) answer {
			if v.s.Other == "" {
				return lacking(otherCountry)
			}
			return is(v.s.Other == a.word)
		}},
	{"purpose", purpose, "the consents give this purpose of the journey",
		func(v *view, a argument) answer {
			if v.s.Purpose == "" {
				return lacking(papers)
			}
			return is(v.s.Purpose == a.word)
		}},
	{"basis", basis, "a guardian with the child (with nobody there: one who consents) has a mandate on this legal basis",
		func(v *view, a argument) answer { return v.contains(v.s.Bases, a.word) }},
	{"role", role, "a guardian with the child (with nobody there: one who consents) has this role",
		func(v *view, a argument) answer { return v.contains(v.s.Roles, a.word) }},
	{"parent", status, "the birth credential says this of one of the parents",
		func(v *view, a argument) answer {
			if !v.s.BirthShown {
				return lacking(papers)
			}
			return is(slices.ContainsFunc(v.s.Parents, func(p Parent) bool { return p.Status == a.word }))
		}},
}

// predicateNamed finds a word of the vocabulary, or nil.
func predicateNamed(name string) *predicate {
	for i := range predicates {
		if predicates[i].name == name {
			return &predicates[i]
		}
	}
	return nil
}

// Word is one word of the language, for those who write policies.
type Word struct {
	Name    string   `json:"name"`
	Takes   string   `json:"takes,omitempty"` // type of its argument
	Values  []string `json:"values,omitempty"`
	Meaning string   `json:"meaning"`
}

// Predicates lists the words that may stand in a rule's "if".
func Predicates() []Word {
	out := make([]Word, 0, len(predicates))
	for _, p := range predicates {
		w := Word{Name: p.name, Meaning: p.meaning}
		if p.arg != nil {
			w.Takes, w.Values = p.arg.name, slices.Clone(p.arg.words)
		}
		out = append(out, w)
	}
	return out
}

// Needs lists the words that may stand in a rule's "need".
func Needs() []Word {
	return []Word{
		{"consent", "who", slices.Clone(consentKinds), "who must agree: the guardians who do not travel (otherParent), all who must decide together (allParents), or a court"},
		{"assurance", "list of levels", slices.Clone(levels), "with consent: the levels that are enough, with every level above the least; without it every level is enough"},
		{"maxAgeMonths", "months", nil, "with consent: given at most so many months ago"},
		{"accompanying", "who", []string{namedAdult}, "every adult with the child is named in the consents and is 18 or older"},
		{"receiver", "list", slices.Clone(receiverParts), "who awaits a child that travels alone: what must be known of them"},
		{"birth", "what", []string{parentage}, "the birth credential is shown and says who the parents are, or that they are not known"},
		{"maxAbsenceDays", "days", nil, "the child comes back within so many days"},
	}
}

// Words of needs.
const (
	otherParent = "otherParent"
	allParents  = "allParents"
	court       = "court"
	namedAdult  = "namedAdult18"
	parentage   = "parentage"
)

var (
	consentKinds  = []string{otherParent, allParents, court}
	receiverParts = []string{"name", "address", "contact", "document"}
	levels        = []string{vc.LevelSelfSigned, vc.LevelWitnessed, vc.LevelNotarised, vc.LevelConsular, vc.LevelJudicial}
)
