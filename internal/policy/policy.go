package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrPolicy says that a text is not a policy that may be used. Fields name the
// places; a policy is never used in part.
var ErrPolicy = fault.New(fault.Invalid, "policy-invalid", "not a country policy that can be used")

// MaxSize is the most bytes that a policy may have.
const MaxSize = 64 << 10

// defaultTerm is how many months a consent without an end lasts where the
// policy does not say.
const defaultTerm = 24

// Limits of a policy, so that evaluating one is bounded too.
const (
	maxPolicy    = MaxSize
	maxDepth     = 12
	maxRules     = 64
	maxCountries = 64
	maxFields    = 20 // of one refusal
)

// Policy is what one country, or a group of countries, asks at one side of a
// border. It never changes after Parse.
type Policy struct {
	ID        string
	Version   int
	Label     string
	Country   string   // the only country, "" for several or for every country
	Countries []string // ISO 3166-1 alpha-3; none for every country (GENERIC)
	Direction Direction
	Sources   []string
	Cases     []Case // the policy's own table of cases; none after Raw

	raw []byte

	ageBelow      int
	nationality   []string
	habitual      []string
	overriding    []rule // asked first
	abroad        []rule // asked before rules when the child lives abroad
	rules         []rule
	proofMonths   int // how old the proof of it may be
	hasAbroad     bool
	notCounted    []string // statuses of parents whose consent is not asked for
	acting        []acting // which guardians who are no parents act as parents
	term          int      // months that a consent without an end lasts
	mayRelocate   bool
	independentOK bool
	missing       Severity
	highRisk      condition // none: no route is
	// others judges the children to whom this policy does not speak, nil for
	// Generic.
	others *Policy
}

// rule is one row of required.
type rule struct {
	when  condition
	needs []need
}

// need is one thing that a rule asks for; one of its members is set.
type need struct {
	consent   string // one of consentKinds
	rank      int    // of the least level that is enough
	maxAge    int    // months since it was given, 0 for any
	adult     bool   // accompanying
	receiver  []string
	parentage bool
	absence   int // days
}

// acting are guardians who act as parents.
type acting struct{ roles, bases []string }

// document is a policy as it is written.
type document struct {
	ID          string     `json:"policyId"`
	Version     int        `json:"version"`
	Label       string     `json:"label"`
	Country     string     `json:"country,omitempty"`
	Countries   []string   `json:"countries,omitempty"`
	Direction   Direction  `json:"direction"`
	Sources     []string   `json:"sources"`
	AppliesIf   scope      `json:"appliesIf"`
	Required    []row      `json:"required"`
	Substitutes []standIn  `json:"substitutes,omitempty"`
	Consent     *terms     `json:"consent,omitempty"`
	Abroad      *elsewhere `json:"residentAbroad,omitempty"`
	Independent bool       `json:"independentSuffices,omitempty"`
	OnMissing   string     `json:"onMissing"`
	HighRiskIf  string     `json:"highRiskIf,omitempty"`
	Cases       []Case     `json:"cases,omitempty"`
}

type scope struct {
	AgeBelow    int      `json:"ageBelow"`
	Nationality []string `json:"nationality,omitempty"`
	Residence   []string `json:"habitualResidence,omitempty"`
}

type row struct {
	If        string `json:"if"`
	Need      []ask  `json:"need"`
	Overrides bool   `json:"overrides,omitempty"`
	Source    string `json:"source,omitempty"`
}

type ask struct {
	Consent        string   `json:"consent,omitempty"`
	Assurance      []string `json:"assurance,omitempty"`
	MaxAgeMonths   int      `json:"maxAgeMonths,omitempty"`
	Accompanying   string   `json:"accompanying,omitempty"`
	Receiver       []string `json:"receiver,omitempty"`
	Birth          string   `json:"birth,omitempty"`
	MaxAbsenceDays int      `json:"maxAbsenceDays,omitempty"`
}

type standIn struct {
	Parent   string   `json:"parent,omitempty"`
	Proof    string   `json:"proof,omitempty"`
	Guardian []string `json:"guardian,omitempty"`
	Basis    []string `json:"basis,omitempty"`
	ActsAs   string   `json:"actsAs,omitempty"`
	Source   string   `json:"source,omitempty"`
}

type terms struct {
	DefaultValidityMonths int  `json:"defaultValidityMonths,omitempty"`
	RelocationDefault     bool `json:"relocationDefault,omitempty"`
}

type elsewhere struct {
	Proof             string `json:"proof"`
	ProofMaxAgeMonths int    `json:"proofMaxAgeMonths"`
	Required          []row  `json:"required"`
}

// Raw gives the policy without its cases and without spaces, as it goes into a
// bundle. Parse reads it.
func (p *Policy) Raw() []byte { return slices.Clone(p.raw) }

// Speaks reports whether the policy is for this side of this country's border.
// One for every country speaks for each, and for "".
func (p *Policy) Speaks(country string, d Direction) bool {
	return (p.Direction == Both || p.Direction == d) && (len(p.Countries) == 0 || slices.Contains(p.Countries, country))
}

// Parse reads a policy. It is strict: what the language does not know, what is
// out of range, and a policy that leaves a crossing open or lets a child go
// with nobody's consent are ErrPolicy.
func Parse(data []byte) (*Policy, error) {
	if len(data) > maxPolicy {
		return nil, ErrPolicy.WithFields(field("", fmt.Sprintf("is larger than %d kB", maxPolicy>>10)))
	}
	if err := vc.CheckJSON(data, maxDepth); err != nil {
		return nil, ErrPolicy.With(err).WithFields(field("", fault.As(err).Detail))
	}
	l := &loader{}
	l.shape(data)
	if l.refused() {
		return nil, l.error()
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, ErrPolicy.With(err)
	}
	p := l.policy(&d)
	if l.refused() {
		return nil, l.error()
	}
	d.Cases = nil
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(&d); err != nil {
		return nil, err
	}
	p.raw = bytes.TrimSpace(b.Bytes())
	return p, nil
}

// loader collects what is wrong with a policy.
type loader struct{ fields []fault.Field }

func (l *loader) refuse(path, rule string) {
	if len(l.fields) < maxFields {
		l.fields = append(l.fields, field(path, rule))
	}
}

func (l *loader) refused() bool { return len(l.fields) > 0 }

func (l *loader) error() error { return ErrPolicy.WithFields(l.fields...) }

func (l *loader) need(ok bool, path, rule string) {
	if !ok {
		l.refuse(path, rule)
	}
}

// text asks for printable text of a bounded length.
func (l *loader) text(s, path string, most int) {
	l.need(s != "" && len(s) <= most && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}),
		path, fmt.Sprintf("is a text of one line, at most %d bytes", most))
}

func (l *loader) number(n, least, most int, path string) {
	l.need(n >= least && n <= most, path, fmt.Sprintf("is a whole number from %d to %d", least, most))
}

// list asks for words of a closed list, each once, at least one.
func (l *loader) list(words, allowed []string, path string) {
	l.need(len(words) > 0, path, "names at least one")
	for i, w := range words {
		at := fmt.Sprintf("%s/%d", path, i)
		l.need(slices.Contains(allowed, w), at, "is one of "+strings.Join(allowed, ", "))
		l.need(!slices.Contains(words[:i], w), at, "is named twice")
	}
}

func (l *loader) countries(list []string, path string) {
	l.need(len(list) <= maxCountries, path, fmt.Sprintf("has at most %d countries", maxCountries))
	for i, c := range list {
		at := fmt.Sprintf("%s/%d", path, i)
		l.need(isCountry(c), at, "is three capital letters (ISO 3166-1 alpha-3)")
		l.need(!slices.Contains(list[:i], c), at, "is named twice")
	}
}

var policyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,39}$`)

func (l *loader) policy(d *document) *Policy {
	p := &Policy{ID: d.ID, Version: d.Version, Label: d.Label, Direction: d.Direction, Sources: slices.Clone(d.Sources), Cases: d.Cases,
		ageBelow: d.AppliesIf.AgeBelow, nationality: d.AppliesIf.Nationality, habitual: d.AppliesIf.Residence, independentOK: d.Independent}
	l.need(policyID.MatchString(d.ID), "/policyId", "is 1 to 40 letters, digits, dots and hyphens")
	l.number(d.Version, 1, 1_000_000, "/version")
	l.text(d.Label, "/label", 200)
	l.need(slices.Contains([]Direction{Exit, Entry, Both}, d.Direction), "/direction", "is exit, entry or both")
	l.need(d.Country == "" || d.Countries == nil, "/countries", "stands in the place of country, not beside it")
	l.need(d.Countries == nil || len(d.Countries) > 0, "/countries", "names at least one")
	if d.Country != "" {
		l.need(isCountry(d.Country), "/country", "is three capital letters (ISO 3166-1 alpha-3)")
		p.Countries = []string{d.Country}
	}
	l.countries(d.Countries, "/countries")
	p.Countries = append(p.Countries, d.Countries...)
	if len(p.Countries) == 1 {
		p.Country = p.Countries[0]
	}
	l.need(len(d.Sources) > 0 && len(d.Sources) <= 30, "/sources", "names 1 to 30 sources")
	for i, s := range d.Sources {
		l.text(s, fmt.Sprintf("/sources/%d", i), 400)
	}
	// The ages of majority that mandates may name (schema registration/guardianship).
	l.number(p.ageBelow, 15, 21, "/appliesIf/ageBelow")
	l.countries(p.nationality, "/appliesIf/nationality")
	l.countries(p.habitual, "/appliesIf/habitualResidence")
	l.need(len(p.Countries) > 0 || len(p.nationality)+len(p.habitual) == 0, "/appliesIf", "leaves nobody out where the policy is for every country")
	switch d.OnMissing {
	case "AMBER":
		p.missing = Amber
	case "RED":
		p.missing = Red
	default:
		l.refuse("/onMissing", "is AMBER or RED")
	}
	p.term = defaultTerm
	if d.Consent != nil {
		if n := d.Consent.DefaultValidityMonths; n != 0 {
			l.number(n, 1, 120, "/consent/defaultValidityMonths")
			p.term = n
		}
		p.mayRelocate = d.Consent.RelocationDefault
	}
	if d.HighRiskIf != "" {
		var wrong string
		if p.highRisk, wrong = parseCondition(d.HighRiskIf); wrong != "" {
			l.refuse("/highRiskIf", wrong)
		}
	}
	l.substitutes(d, p)
	l.need(len(d.Required) > 0 && len(d.Required) <= maxRules, "/required", fmt.Sprintf("has 1 to %d rules", maxRules))
	p.overriding, p.rules = l.rules(d.Required, "/required", coverage)
	if d.Abroad != nil {
		p.hasAbroad, p.proofMonths = true, d.Abroad.ProofMaxAgeMonths
		l.need(d.Abroad.Proof == "consularResidence", "/residentAbroad/proof", "is consularResidence")
		l.number(p.proofMonths, 1, 120, "/residentAbroad/proofMaxAgeMonths")
		l.need(len(p.Countries) > 0, "/residentAbroad", "needs a country")
		l.need(len(d.Abroad.Required) > 0 && len(d.Abroad.Required) <= maxRules, "/residentAbroad/required", fmt.Sprintf("has 1 to %d rules", maxRules))
		// What they leave open is asked of required.
		first, rest := l.rules(d.Abroad.Required, "/residentAbroad/required", nil)
		p.abroad = append(first, rest...)
	}
	l.cases(d.Cases)
	return p
}

func (l *loader) substitutes(d *document, p *Policy) {
	l.need(len(d.Substitutes) <= 16, "/substitutes", "has at most 16")
	for i, s := range d.Substitutes {
		at := fmt.Sprintf("/substitutes/%d", i)
		if s.Source != "" {
			l.text(s.Source, at+"/source", 200)
		}
		switch {
		case s.Parent != "" && s.Guardian == nil && s.Basis == nil && s.ActsAs == "":
			l.need(slices.Contains(statuses[1:], s.Parent), at+"/parent", "is one of "+strings.Join(statuses[1:], ", "))
			l.need(slices.Contains([]string{"", "deathStatus", "birthRecord", "birthRecordAnnotation"}, s.Proof), at+"/proof", "is deathStatus, birthRecord or birthRecordAnnotation")
			p.notCounted = append(p.notCounted, s.Parent)
		case s.Parent == "" && s.Proof == "":
			l.list(s.Guardian, roles, at+"/guardian")
			l.list(s.Basis, bases, at+"/basis")
			l.need(s.ActsAs == "parents", at+"/actsAs", "is parents")
			p.acting = append(p.acting, acting{s.Guardian, s.Basis})
		default:
			l.refuse(at, "names a parent and a proof, or guardian, basis and actsAs")
		}
	}
}

// rules reads rows: those with overrides, and the others.
func (l *loader) rules(rows []row, path string, cover []string) (first, rest []rule) {
	if len(rows) > maxRules {
		return nil, nil
	}
	for i := range rows {
		at := fmt.Sprintf("%s/%d", path, i)
		r := &rows[i]
		when, wrong := parseCondition(r.If)
		if wrong != "" {
			l.refuse(at+"/if", wrong)
			continue
		}
		if r.Source != "" {
			l.text(r.Source, at+"/source", 200)
		}
		l.need(r.Need != nil, at+"/need", "is a list; an empty one asks for nothing")
		l.need(len(r.Need) <= 8, at+"/need", "has at most 8")
		x := rule{when: when}
		consent := false
		for j := range r.Need {
			n := l.asked(&r.Need[j], fmt.Sprintf("%s/need/%d", at, j))
			consent = consent || n.consent == allParents || n.consent == court
			x.needs = append(x.needs, n)
		}
		l.need(consent || when.excludes(), at+"/need", "asks for the consent of allParents or a court, unless a parent or guardian travels with the child")
		if r.Overrides {
			first = append(first, x)
		} else {
			rest = append(rest, x)
		}
	}
	all := slices.Concat(first, rest)
	for _, word := range cover {
		l.need(slices.ContainsFunc(all, func(r rule) bool { return r.when.covers(word) }), path, "has a rule for every case of "+word)
	}
	return first, rest
}

func (l *loader) asked(a *ask, at string) need {
	var n need
	set := 0
	if a.Consent != "" {
		set++
		n.consent = a.Consent
		l.need(slices.Contains(consentKinds, a.Consent), at+"/consent", "is one of "+strings.Join(consentKinds, ", "))
		if a.Assurance != nil {
			l.list(a.Assurance, levels, at+"/assurance")
			n.rank = len(levels)
			for _, s := range a.Assurance {
				n.rank = min(n.rank, max(0, vc.LevelRank(s)))
			}
			// A list with a gap would make a better consent count for less.
			l.need(len(a.Assurance) == len(levels)-n.rank, at+"/assurance", "names every level above the least one it names")
		}
		if a.Consent == court {
			n.rank = vc.LevelRank(vc.LevelJudicial)
		}
		if a.MaxAgeMonths != 0 {
			l.number(a.MaxAgeMonths, 1, 120, at+"/maxAgeMonths")
			n.maxAge = a.MaxAgeMonths
		}
	} else {
		l.need(a.Assurance == nil && a.MaxAgeMonths == 0, at, "gives assurance and maxAgeMonths only with consent")
	}
	if a.Accompanying != "" {
		set++
		n.adult = true
		l.need(a.Accompanying == namedAdult, at+"/accompanying", "is "+namedAdult)
	}
	if a.Receiver != nil {
		set++
		n.receiver = a.Receiver
		l.list(a.Receiver, receiverParts, at+"/receiver")
	}
	if a.Birth != "" {
		set++
		n.parentage = true
		l.need(a.Birth == parentage, at+"/birth", "is "+parentage)
	}
	if a.MaxAbsenceDays != 0 {
		set++
		l.number(a.MaxAbsenceDays, 1, 3660, at+"/maxAbsenceDays")
		n.absence = a.MaxAbsenceDays
	}
	l.need(set == 1, at, "asks for one thing: consent, accompanying, receiver, birth or maxAbsenceDays")
	return n
}
