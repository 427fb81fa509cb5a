package policy

import (
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// condition is an "if": alternatives, each of which holds when all its terms
// do. && binds closer than ||, ! belongs to the word after it, and there are no
// brackets but those around an argument, so that it reads as a sentence.
type condition struct{ alternatives [][]term }

type term struct {
	*predicate
	argument
	negated bool
}

// Limits of a condition.
const (
	maxCondition = 500 // characters
	maxTerms     = 16
)

// parseCondition reads an "if". rule says what is wrong with it, "" if nothing;
// it never repeats the text.
func parseCondition(s string) (c condition, rule string) {
	if len(s) > maxCondition {
		return condition{}, "is too long"
	}
	n := 0
	for _, alternative := range strings.Split(s, "||") {
		var all []term
		for _, text := range strings.Split(alternative, "&&") {
			if n++; n > maxTerms {
				return condition{}, "has too many words"
			}
			t, rule := parseTerm(strings.TrimSpace(text))
			if rule != "" {
				return condition{}, rule
			}
			all = append(all, t)
		}
		c.alternatives = append(c.alternatives, all)
	}
	return c, ""
}

func parseTerm(text string) (t term, rule string) {
	text, t.negated = strings.CutPrefix(text, "!")
	name, rest, bracket := strings.Cut(text, "(")
	switch t.predicate = predicateNamed(name); {
	case text == "":
		return term{}, "lacks a word beside && or ||"
	case t.predicate == nil:
		return term{}, "uses a word that is not in the vocabulary (see: kinpass policy vocabulary)"
	case !bracket && t.arg == nil:
		return t, ""
	case !bracket:
		return term{}, t.name + " needs a " + t.arg.name + " in brackets"
	case t.arg == nil:
		return term{}, t.name + " takes nothing in brackets"
	}
	value, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return term{}, t.name + " has no closing bracket"
	}
	var ok bool
	if t.argument, ok = t.arg.read(value); !ok {
		return term{}, t.name + " takes a " + t.arg.name + " of its own list or range"
	}
	return t, ""
}

func (c condition) holds(v *view) answer {
	out := is(false)
	for _, all := range c.alternatives {
		a := is(true)
		for i := range all {
			t := &all[i]
			b := t.predicate.holds(v, t.argument)
			if t.negated {
				b = b.not()
			}
			a = a.and(b)
			if a.known == No {
				break
			}
		}
		if out = out.or(a); out.known == Yes {
			break
		}
	}
	return out
}

// coverage are the three words of which exactly one holds at every crossing.
var coverage = []string{"bothParents", "oneParent", "aloneOrThirdParty"}

// covers reports whether the condition holds whenever word does, by its form:
// an alternative that is this word alone, or always.
func (c condition) covers(word string) bool {
	for _, all := range c.alternatives {
		if len(all) == 1 && !all[0].negated && (all[0].name == word || all[0].name == "always") {
			return true
		}
	}
	return false
}

// excludes reports whether the condition cannot hold when nobody with the child
// may decide for it, by its form: each alternative asks for a guardian.
func (c condition) excludes() bool {
	for _, all := range c.alternatives {
		out := false
		for _, t := range all {
			switch t.name {
			case "bothParents", "oneParent", "sole", "independent":
				out = out || !t.negated
			case "aloneOrThirdParty":
				out = out || t.negated
			}
		}
		if !out {
			return false
		}
	}
	return true
}

func field(path, rule string) fault.Field { return fault.Field{Path: path, Rule: rule} }
