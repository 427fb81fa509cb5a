package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrLookup refuses to look for nothing in particular: the register is asked
// about one person, and listed for nobody.
var ErrLookup = fault.New(fault.Invalid, "lookup-invalid", "a search needs a name, a number or a date of birth")

// Lookup is what staff know of whom they look for; what is given must all fit.
type Lookup struct {
	Name   string // words of names in any script, or beginnings of at least two letters
	Number string // of the registration, a document or a decision
	Born   string // YYYY, YYYY-MM or YYYY-MM-DD
}

// Bounds of a search.
const (
	maxLookup = 200 // bytes of a name or number
	maxFound  = 50  // records
	maxSought = 8   // words
	// searchStep bounds the records that are made searchable before a search; the
	// others follow in Run.
	searchStep = 2000
)

// Found is what a search came to.
type Found struct {
	Records []Hit
	More    bool // there are more: ask for more
	// Waiting is how many records cannot be found yet, as after a large import.
	Waiting int
}

// Hit is one record that fits.
type Hit struct {
	Kind    string
	ID      string
	State   string
	Status  string
	Birth   string           // of a guardianship: id of the ward's birth
	Child   *vc.Birth        // the birth, or the ward's; personal data
	Mandate *vc.Guardianship // of a guardianship
	Created time.Time

	rank int
}

// Search finds births and guardianships. What was looked for stands in no log.
func (i *Issuer) Search(ctx context.Context, c Caller, q Lookup) (Found, error) {
	if err := c.may(mayRead...); err != nil {
		return Found{}, err
	}
	terms, err := q.terms()
	if err != nil {
		return Found{}, err
	}
	if err := i.catchUp(ctx); err != nil {
		return Found{}, err
	}
	var out Found
	if out.Waiting, err = i.store.unsearchable(ctx); err != nil {
		return Found{}, err
	}
	keys, err := i.store.find(ctx, terms)
	if err != nil {
		return Found{}, err
	}
	for _, k := range keys {
		h, err := i.hit(ctx, k)
		if errors.Is(err, tables[k.kind].missing) {
			continue // discarded meanwhile
		}
		if err != nil {
			return Found{}, err
		}
		h.rank = rankOf(h, terms)
		out.Records = append(out.Records, h)
	}
	slices.SortStableFunc(out.Records, func(a, b Hit) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return b.Created.Compare(a.Created)
	})
	if len(out.Records) > maxFound {
		out.Records, out.More = out.Records[:maxFound], true
	}
	return out, nil
}

// found names a record.
type found struct{ kind, id string }

func (i *Issuer) hit(ctx context.Context, k found) (Hit, error) {
	r, err := i.store.record(ctx, i.db, k.kind, k.id)
	if err != nil {
		return Hit{}, err
	}
	h := Hit{Kind: r.Kind, ID: r.ID, State: r.State, Status: r.Status, Birth: r.Birth, Created: r.Created}
	if r.Kind == KindGuardianship {
		if h.Mandate, err = readGuardianship(r); err != nil {
			return Hit{}, err
		}
		if r, err = i.store.record(ctx, i.db, KindBirth, r.Birth); err != nil {
			return Hit{}, err
		}
	}
	h.Child, err = readBirth(r)
	return h, err
}

// rankOf puts first what a search was most likely for: the child's own birth, by
// whole words.
func rankOf(h Hit, terms []term) int {
	own := map[string]bool{}
	for _, n := range h.Child.Names {
		for _, w := range nameWords(n) {
			own[w] = true
		}
	}
	rank := 0
	if h.Kind == KindGuardianship {
		rank = 1
	}
	for _, t := range terms {
		if t.name && !slices.ContainsFunc(t.words, func(w string) bool { return own[w] }) {
			rank += 2
		}
	}
	return rank
}

// term is one thing that must be said by a record: any of words, or anything that
// begins with one of prefixes.
type term struct {
	name            bool
	words, prefixes []string
}

// The first letter of a word says of what it is.
const (
	wordName   = "n"
	wordNumber = "r"
	wordDate   = "d"
)

// Check refuses what Search would refuse to look for.
func (q Lookup) Check() error {
	_, err := q.terms()
	return err
}

// terms reads a lookup. A refusal names the field.
func (q Lookup) terms() ([]term, error) {
	var out []term
	refuse := func(path, rule string) ([]term, error) {
		return nil, ErrLookup.WithFields(fault.Field{Path: path, Rule: rule})
	}
	for _, s := range []string{q.Name, q.Number, q.Born} {
		if !utf8.ValidString(s) || len(s) > maxLookup {
			return refuse("", "must be short and in Unicode")
		}
	}
	words := wordsOf(q.Name)
	if len(words) > maxSought {
		return refuse("/name", "must be at most 8 words")
	}
	for _, w := range words {
		t := term{name: true}
		for _, form := range formsOf(w) {
			t.words = append(t.words, wordName+form)
			if utf8.RuneCountInString(form) > 1 {
				t.prefixes = append(t.prefixes, wordName+form)
			}
		}
		out = append(out, t)
	}
	switch n := numberWord(q.Number); {
	case n != "":
		out = append(out, term{words: []string{wordNumber + n}})
	case strings.TrimSpace(q.Number) != "":
		return refuse("/number", "must have letters or digits")
	}
	if q.Born != "" {
		if _, err := vc.ParseDate((q.Born + "-01-01")[:10]); err != nil || !slices.Contains([]int{4, 7, 10}, len(q.Born)) {
			return refuse("/born", "must be a year, a month or a day")
		}
		t := term{prefixes: []string{wordDate + q.Born}}
		// A record that knows less of the date fits as well.
		for n := len(q.Born) - 3; n >= 4; n -= 3 {
			t.words = append(t.words, wordDate+q.Born[:n])
		}
		out = append(out, t)
	}
	if len(words) == 0 && q.Name != "" {
		return refuse("/name", "must have letters")
	}
	if len(words) == 1 && len(out) == 1 && utf8.RuneCountInString(words[0]) < 2 {
		return refuse("/name", "must have more than one letter")
	}
	if len(out) == 0 {
		return refuse("/name", "must be given, or a number, or a date of birth")
	}
	return out, nil
}

// sameLetters are letters of Arabic script that many write for one another.
var sameLetters = strings.NewReplacer("ة", "ه", "ى", "ي", "ک", "ك", "ی", "ي")

// wordsOf cuts a text into words as they are compared.
func wordsOf(s string) []string {
	return strings.FieldsFunc(sameLetters.Replace(fold(s)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// formsOf gives a word that somebody looks for as it may stand on a record: as
// written, and in the letters of a machine-readable zone.
func formsOf(word string) []string {
	out := []string{word}
	for _, script := range []string{"Latn", "Cyrl", "Arab"} {
		if s, err := icao.Transliterate([]string{norm.NFC.String(word)}, script, ""); err == nil && s != "" {
			out = append(out, strings.ToLower(s))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// nameWords gives the words of a name, as words to find it by.
func nameWords(n vc.Name) []string {
	var out []string
	add := func(words ...string) {
		for _, w := range words {
			if w = strings.ToLower(w); w != "" {
				out = append(out, wordName+w)
			}
		}
	}
	for _, part := range append(append(append([]string(nil), n.Given...), n.Family...), n.Full) {
		add(wordsOf(part)...)
	}
	if n.MRZ != nil {
		add(components(n.MRZ.Primary + "<" + n.MRZ.Secondary)...)
	}
	if p, s, err := transliterated(&n); err == nil {
		add(components(p + "<" + s)...)
	}
	return out
}

// numberWord writes a number so that separators and letter case do not matter.
func numberWord(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return r
		}
		return -1
	}, fold(s))
}

// searchWords gives the words by which a record is found: a birth by its child
// and parents, a guardianship by its guardian.
func searchWords(r row) (words []string, office string, err error) {
	if r.State == StateDiscarded {
		return nil, "", nil
	}
	var names [][]vc.Name
	var numbers []string
	if r.Kind == KindBirth {
		b, err := readBirth(r)
		if err != nil {
			return nil, "", err
		}
		names = append(names, b.Names)
		for _, p := range b.Parentage {
			names = append(names, p.Names)
		}
		numbers = append(numbers, b.Registration.Number, b.ChildRef)
		for _, d := range b.TravelDocuments {
			numbers = append(numbers, d.Value)
		}
		if b.BirthDate.Value != "" {
			words = append(words, wordDate+b.BirthDate.Value)
		}
		if office = b.Registration.Office; office == "" {
			office = b.Registration.Authority
		}
	} else {
		g, err := readGuardianship(r)
		if err != nil {
			return nil, "", err
		}
		names = append(names, g.Guardian.Names)
		numbers = append(numbers, g.LegalBasis.Reference, g.Guardian.PersonRef)
		for _, d := range g.Guardian.Documents {
			numbers = append(numbers, d.Value)
		}
	}
	for _, list := range names {
		for _, n := range list {
			words = append(words, nameWords(n)...)
		}
	}
	for _, n := range numbers {
		if n = numberWord(n); n != "" {
			words = append(words, wordNumber+n)
		}
	}
	slices.Sort(words)
	return slices.Compact(words), office, nil
}

// catchUp makes records searchable that are not yet, searchStep at most.
func (i *Issuer) catchUp(ctx context.Context) error {
	for range searchStep / searchBatch {
		if n, err := i.store.makeSearchable(ctx); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// keepSearchable makes all records searchable that are not yet. What goes wrong
// is logged and tried again.
func (i *Issuer) keepSearchable(ctx context.Context) {
	for {
		n, err := i.store.makeSearchable(ctx)
		if err != nil && ctx.Err() == nil {
			i.log.Error("records not made searchable", "code", fault.As(err).Code)
		}
		if err != nil || n == 0 {
			return
		}
	}
}
