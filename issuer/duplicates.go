package issuer

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/kinpass/kinpass/internal/vc"
)

// Rules by which a birth is held as a possible duplicate. A registrar who
// invents a child registers a second one beside a real one: a sibling who cannot
// be, or the same child under another number.
const (
	DuplicateNumber      = "same-registration-number"
	DuplicateChild       = "similar-child-same-mother"
	DuplicateChildFather = "similar-child-same-father"
	DuplicateName        = "same-name-same-mother"
	DuplicateInterval    = "mother-birth-within-270-days"
	DuplicateOrder       = "same-birth-order"
	DuplicatePlurality   = "more-siblings-than-plurality"
)

// strongest gives the rules of Duplicate, the surest first: where a birth
// repeats several, the registrar is told of that one.
var strongest = []string{DuplicateNumber, DuplicateChild, DuplicateChildFather, DuplicateOrder, DuplicateName, DuplicateInterval}

// Limits of the rules, in days.
const (
	dobSlack      = 5    // similar children this close are one child
	twinSlack     = 2    // children of one delivery
	birthInterval = 270  // no mother gives birth twice within
	nameReuse     = 1096 // the name of a sibling comes back within three years
)

// maxKeyYears bounds for how many years an uncertain date gives search keys.
const maxKeyYears = 4

// DupKeys are the texts by which possible duplicates of a birth are looked up:
// two births of which Duplicate has something to say share at least one of
// them. They hold personal data; a store keeps their HMAC.
type DupKeys struct {
	Number string   // authority and number in the register
	Mother []string // each way to know the mother by herself
	Father []string // each way to know the father by himself
	Couple []string // mother and father known by name
	Child  []string // a mother known by name alone, with the year of the birth
}

// All gives every key once.
func (k DupKeys) All() []string {
	var all []string
	if k.Number != "" {
		all = append(all, k.Number)
	}
	for _, keys := range [][]string{k.Mother, k.Father, k.Couple, k.Child} {
		all = append(all, keys...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// BirthDupKeys gives the search keys of a birth. A sealed record has only its
// number, so that nothing in the store leads from a new identity to the old one.
func BirthDupKeys(b *vc.Birth) DupKeys {
	k := DupKeys{}
	if n := numberKey(b.Registration); n != "" {
		k.Number = "number|" + n
	}
	if isSealed(b) {
		return k
	}
	var husbands []string
	for _, f := range fathers(b) {
		k.Father = append(k.Father, personKeys("father", f)...)
		husbands = append(husbands, nameKeys(f.Names)...)
	}
	child := years(spanOf(b.BirthDate), dobSlack)
	for _, m := range mothers(b) {
		k.Mother = append(k.Mother, personKeys("mother", m)...)
		for _, name := range nameKeys(m.Names) {
			for _, y := range child {
				k.Child = append(k.Child, "child|"+name+"|"+y)
			}
			for _, husband := range husbands {
				k.Couple = append(k.Couple, "couple|"+name+"|"+husband)
			}
		}
	}
	return k
}

// personKeys are the ways to find a parent by equality: the reference, and name
// with year of birth.
func personKeys(role string, p vc.Parent) []string {
	var keys []string
	if p.PersonRef != "" {
		keys = append(keys, role+"-ref|"+p.PersonRef)
	}
	if p.BirthDate == nil {
		return keys
	}
	born := years(spanOf(*p.BirthDate), 0)
	for _, name := range nameKeys(p.Names) {
		for _, y := range born {
			keys = append(keys, role+"|"+name+"|"+y)
		}
	}
	return keys
}

// years gives the years that a span touches, widened by slack days; none where
// it is unknown or too wide to search by.
func years(s span, slack int) []string {
	if !s.known {
		return nil
	}
	first, last := s.earliest.AddDays(-slack).Year, s.latest.AddDays(slack).Year
	if last-first >= maxKeyYears {
		return nil
	}
	var list []string
	for y := first; y <= last; y++ {
		list = append(list, itoa(y))
	}
	return list
}

// Duplicate compares two births and names the rule by which the one repeats the
// other, or "". Twins are no duplicates of each other: both say so, are born
// within two days, and differ in given name or order. Biology does not apply to
// adoptive mothers, and sealed records are compared by number alone.
func Duplicate(a, b *vc.Birth) (rule string) {
	if a.ChildRef == b.ChildRef && a.RecordVersion != b.RecordVersion {
		return "" // versions of one record
	}
	if n := numberKey(a.Registration); n != "" && n == numberKey(b.Registration) {
		return DuplicateNumber
	}
	if isSealed(a) || isSealed(b) {
		return ""
	}
	if rule := sameMotherRule(a, b); rule != "" {
		return rule
	}
	if closeChildren(a, b) && !areTwins(a, b) && sameFather(a, b) == mother {
		return DuplicateChildFather
	}
	return ""
}

func sameMotherRule(a, b *vc.Birth) string {
	m := sameMother(a, b)
	if m == stranger {
		return ""
	}
	if sameOrder(a, b) {
		return DuplicateOrder
	}
	if areTwins(a, b) {
		return ""
	}
	if closeChildren(a, b) {
		return DuplicateChild
	}
	if m == namesake {
		return "" // a name alone does not make two mothers one
	}
	sa, sb := spanOf(a.BirthDate), spanOf(b.BirthDate)
	if !sa.known || !sb.known {
		return ""
	}
	if equalNames(a.Names, b.Names) && sa.nearest(sb) <= nameReuse {
		return DuplicateName
	}
	if m == mother && sa.farthest(sb) < birthInterval {
		return DuplicateInterval
	}
	return ""
}

// TooManySiblings reports whether group[0] and the others of the group that are
// of the same delivery are more than the plurality that any of them states: a
// third twin. The group may hold unrelated births.
func TooManySiblings(group []*vc.Birth) bool {
	if len(group) == 0 || group[0].MultipleBirth == nil || isSealed(group[0]) {
		return false
	}
	first := group[0]
	room := first.MultipleBirth.Plurality
	seen := []string{first.ChildRef}
	for _, b := range group[1:] {
		if isSealed(b) || slices.Contains(seen, b.ChildRef) || !sameDelivery(first, b) || sameMother(first, b) == stranger {
			continue
		}
		seen = append(seen, b.ChildRef)
		room = min(room, b.MultipleBirth.Plurality)
	}
	return len(seen) > room
}

// FindDuplicate compares a birth with candidates that share a search key, and
// gives the strongest rule that holds it with the position of the first birth
// that it repeats by that rule; rule is "" and the position -1 if there is none.
func FindDuplicate(b *vc.Birth, candidates []*vc.Birth) (rule string, of int) {
	of = -1
	for i, other := range candidates {
		found := Duplicate(b, other)
		if found != "" && (rule == "" || slices.Index(strongest, found) < slices.Index(strongest, rule)) {
			rule, of = found, i
		}
	}
	if rule != "" {
		return rule, of
	}
	if TooManySiblings(append([]*vc.Birth{b}, candidates...)) {
		for i, other := range candidates {
			if sameDelivery(b, other) && sameMother(b, other) != stranger {
				return DuplicatePlurality, i
			}
		}
	}
	return "", -1
}

func isSealed(b *vc.Birth) bool { return b.Amendment != nil && b.Amendment.Sealed }

// numberKey writes a registration number so that separators and letter case do
// not tell two apart. Each authority has numbers of its own.
func numberKey(r vc.Registration) string {
	words := strings.FieldsFunc(fold(r.Number), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsNumber(c) })
	if len(words) == 0 {
		return ""
	}
	return strings.ToLower(strings.TrimRight(r.Authority, "/")) + "|" + strings.Join(words, "-")
}

// mothers gives the named mothers of a record, fathers its other named parents.
func mothers(b *vc.Birth) []vc.Parent {
	return parentsWhere(b, func(p vc.Parent) bool { return p.Role == "mother" || p.Role == "parent" && p.Filiation == "birth" })
}

func fathers(b *vc.Birth) []vc.Parent {
	return parentsWhere(b, func(p vc.Parent) bool { return p.Role == "father" })
}

func parentsWhere(b *vc.Birth, want func(vc.Parent) bool) []vc.Parent {
	var list []vc.Parent
	for _, p := range b.Parentage {
		if !nameless(p) && want(p) {
			list = append(list, p)
		}
	}
	return list
}

// kin says how sure it is that two records name one mother.
type kin int

const (
	stranger kin = iota // different, or nothing to tell by
	namesake            // the same name, and nothing against it
	family              // the same couple by name, or one woman who adopted: biology does not apply
	mother              // the same woman, a mother by birth as far as is said
)

// sameMother compares the mothers of two records. Where names are few, two
// couples share theirs: enough to hold a child of the same name, not to say that
// one woman gave birth twice.
func sameMother(a, b *vc.Birth) kin {
	best := stranger
	for _, x := range mothers(a) {
		for _, y := range mothers(b) {
			k := samePerson(x, y)
			if k == namesake && sameFather(a, b) > stranger {
				k = family
			}
			if k == mother && (adoptive(x) || adoptive(y)) {
				k = family
			}
			best = max(best, k)
		}
	}
	return best
}

func sameFather(a, b *vc.Birth) kin {
	best := stranger
	for _, x := range fathers(a) {
		for _, y := range fathers(b) {
			best = max(best, samePerson(x, y))
		}
	}
	return best
}

// samePerson compares two parents: by reference where both have one, else by
// name with the day of birth; a name with dates that only may agree makes a
// namesake. mother stands for the same person here.
func samePerson(x, y vc.Parent) kin {
	if x.PersonRef != "" && y.PersonRef != "" {
		if x.PersonRef == y.PersonRef {
			return mother
		}
		return stranger
	}
	if !shareKey(x.Names, y.Names) {
		return stranger
	}
	var sx, sy span
	if x.BirthDate != nil {
		sx = spanOf(*x.BirthDate)
	}
	if y.BirthDate != nil {
		sy = spanOf(*y.BirthDate)
	}
	switch {
	case !sx.meets(sy):
		return stranger
	case sx.exact() && sy.exact():
		return mother
	}
	return namesake
}

// closeChildren reports children who may be one: similar names, born within
// days of each other, or on a day unknown.
func closeChildren(a, b *vc.Birth) bool {
	sa, sb := spanOf(a.BirthDate), spanOf(b.BirthDate)
	return (!sa.known || !sb.known || sa.nearest(sb) <= dobSlack) && similarNames(a.Names, b.Names)
}

// sameDelivery reports two children of a multiple birth within two days.
func sameDelivery(a, b *vc.Birth) bool {
	if a.MultipleBirth == nil || b.MultipleBirth == nil {
		return false
	}
	sa, sb := spanOf(a.BirthDate), spanOf(b.BirthDate)
	return sa.known && sb.known && sa.nearest(sb) <= twinSlack
}

func sameOrder(a, b *vc.Birth) bool {
	return sameDelivery(a, b) && a.MultipleBirth.Order != 0 && a.MultipleBirth.Order == b.MultipleBirth.Order
}

// areTwins reports two different children of one delivery.
func areTwins(a, b *vc.Birth) bool {
	if !sameDelivery(a, b) {
		return false
	}
	x, y := a.MultipleBirth.Order, b.MultipleBirth.Order
	return x != 0 && y != 0 && x != y || (x == 0 || y == 0) && !shareGiven(a.Names, b.Names)
}

// tokens gives the forms of a name to compare by: its words in the characters
// of a machine-readable zone, and as written where the script is not Latin.
// Only forms of one kind are compared with each other.
type tokens struct {
	form  string // "mrz" or a script
	words []string
}

func nameTokens(n vc.Name, given bool) []tokens {
	var list []tokens
	if given && len(n.Given) > 0 {
		n.Family, n.Full = nil, ""
		if n.MRZ != nil && n.MRZ.Secondary != "" {
			n.MRZ = &vc.MRZ{Primary: n.MRZ.Secondary}
		}
	}
	if n.MRZ != nil {
		list = append(list, tokens{"mrz", components(n.MRZ.Primary + "<" + n.MRZ.Secondary)})
	}
	if p, s, err := transliterated(&n); err == nil && p != "" {
		list = append(list, tokens{"mrz", components(p + "<" + s)})
	}
	if n.Script != "Latn" || len(list) == 0 {
		var words []string
		for _, part := range append(append(append([]string(nil), n.Given...), n.Family...), n.Full) {
			words = append(words, strings.FieldsFunc(fold(part), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })...)
		}
		list = append(list, tokens{n.Script, words})
	}
	for i := range list {
		slices.Sort(list[i].words)
	}
	return slices.DeleteFunc(list, func(t tokens) bool { return len(t.words) == 0 })
}

func (t tokens) key() string { return t.form + ":" + strings.Join(t.words, "<") }

// nameKeys gives every form of every name as one text: words sorted, so that
// the order of given and family names does not matter.
func nameKeys(names []vc.Name) []string {
	var keys []string
	for _, n := range names {
		for _, t := range nameTokens(n, false) {
			keys = append(keys, t.key())
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func shareKey(a, b []vc.Name) bool { return intersect(nameKeys(a), nameKeys(b)) }

func intersect(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

// equalNames reports a name in use in both, former names aside.
func equalNames(a, b []vc.Name) bool { return shareKey(inUse(a), inUse(b)) }

func inUse(names []vc.Name) []vc.Name {
	var list []vc.Name
	for _, n := range names {
		if n.Kind != "former" && n.Kind != "alias" {
			list = append(list, n)
		}
	}
	return list
}

// shareGiven reports an equal given name; names that are not divided count
// whole, and where a child has none nothing tells them apart.
func shareGiven(a, b []vc.Name) bool {
	keys := func(names []vc.Name) (k []string) {
		for _, n := range inUse(names) {
			if n.Status == "unnamed" {
				continue
			}
			for _, t := range nameTokens(n, true) {
				k = append(k, t.key())
			}
		}
		return k
	}
	x, y := keys(a), keys(b)
	return len(x) == 0 || len(y) == 0 || intersect(x, y)
}

// similarNames reports names that may be one, written by two hands: every word
// of the shorter is nearly one of the longer.
func similarNames(a, b []vc.Name) bool {
	for _, n := range a {
		for _, x := range nameTokens(n, false) {
			for _, m := range b {
				for _, y := range nameTokens(m, false) {
					if x.form == y.form && similarWords(x.words, y.words) {
						return true
					}
				}
			}
		}
	}
	return false
}

func similarWords(x, y []string) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) == 1 && len(y) > 2 {
		return false // one word of many is a family name, not a name
	}
	free := slices.Clone(y)
	for _, w := range x {
		i := slices.IndexFunc(free, func(v string) bool { return near(w, v) })
		if i < 0 {
			return false
		}
		free = slices.Delete(free, i, i+1)
	}
	return true
}

// fold removes what two hands write differently: compatibility forms, marks,
// letter case, joiners.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || isJoiner(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, norm.NFKD.String(s))
}

// near reports words that one slip of the pen can make of each other, or two in
// a long word.
func near(a, b string) bool {
	if a == b {
		return true
	}
	x, y := []rune(a), []rune(b)
	most := 0
	switch n := min(len(x), len(y)); {
	case n >= 8:
		most = 2
	case n >= 4:
		most = 1
	}
	if most == 0 || len(x)-len(y) > most || len(y)-len(x) > most {
		return false
	}
	return distance(x, y) <= most
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours.
func distance(x, y []rune) int {
	before, row := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		next := make([]int, len(y)+1)
		next[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			next[j] = min(next[j-1]+1, row[j]+1, row[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(y)]
}
