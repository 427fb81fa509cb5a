package policy

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed policies/*.json
var shippedTree embed.FS

// ShippedFiles gives the policies that come with Kinpass by file name. They are
// illustrative, not legal advice.
func ShippedFiles() map[string][]byte {
	out := map[string][]byte{}
	entries, err := shippedTree.ReadDir("policies")
	if err != nil {
		panic(err) // embedded
	}
	for _, e := range entries {
		b, err := shippedTree.ReadFile("policies/" + e.Name())
		if err != nil {
			panic(err)
		}
		out[e.Name()] = b
	}
	return out
}

var shipped = sync.OnceValue(func() []*Policy {
	var out []*Policy
	for name, b := range ShippedFiles() {
		p, err := Parse(b)
		if err != nil {
			panic(name + ": " + err.Error())
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Policy) int { return strings.Compare(a.ID, b.ID) })
	return out
})

// Shipped gives the policies that come with Kinpass, in the order of their IDs.
func Shipped() []*Policy { return slices.Clone(shipped()) }

var generic = sync.OnceValue(func() *Policy {
	for _, p := range shipped() {
		if len(p.Countries) == 0 {
			return p
		}
	}
	panic("no policy for every country")
})

// Generic is the shipped policy for every country that has none of its own.
func Generic() *Policy { return generic() }

// Set is the policies that a post goes by: at most one for each side of each
// country's border, and one for all others.
type Set struct {
	policies []*Policy
	fallback *Policy
}

// NewSet reads policies. It refuses all of them (ErrPolicy) if one cannot be
// used, or if two speak for the same side of the same border. Where none is for
// every country, Generic is.
func NewSet(raw [][]byte) (*Set, error) {
	policies := make([]*Policy, 0, len(raw))
	for i, b := range raw {
		p, err := Parse(b)
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", i, err)
		}
		policies = append(policies, p)
	}
	return SetOf(policies)
}

// maxPolicies in one set.
const maxPolicies = 512

// SetOf is NewSet for policies that were read.
func SetOf(policies []*Policy) (*Set, error) {
	if len(policies) > maxPolicies {
		return nil, ErrPolicy.WithFields(field("", fmt.Sprintf("is one of more than %d", maxPolicies)))
	}
	s := &Set{policies: slices.Clone(policies), fallback: Generic()}
	taken := map[string]bool{}
	for i, p := range policies {
		if len(p.Countries) == 0 {
			if p.Direction != Both {
				return nil, ErrPolicy.WithFields(field(fmt.Sprintf("/%d/direction", i), "is both where the policy is for every country"))
			}
			s.fallback = p
		}
		places := p.Countries
		if len(places) == 0 {
			places = []string{""}
		}
		for _, c := range places {
			for _, d := range []Direction{Exit, Entry} {
				if !p.Speaks(c, d) {
					continue
				}
				if key := c + "/" + string(d); taken[key] {
					return nil, ErrPolicy.WithFields(field(fmt.Sprintf("/%d", i), "is the second for the same side of the same border"))
				} else {
					taken[key] = true
				}
			}
		}
	}
	for i, p := range s.policies {
		if len(p.Countries) > 0 {
			own := *p // a Policy never changes
			own.others = s.fallback
			s.policies[i] = &own
		}
	}
	return s, nil
}

// For gives the policy for one side of a country's border, never nil: the one
// for every country where there is no other, and for "".
func (s *Set) For(country string, d Direction) *Policy {
	for _, p := range s.policies {
		if len(p.Countries) > 0 && p.Speaks(country, d) {
			return p
		}
	}
	return s.fallback
}

// Policies lists the set's own policies.
func (s *Set) Policies() []*Policy { return slices.Clone(s.policies) }

// Raw gives the policies as they go into a bundle, in the order of their IDs.
func (s *Set) Raw() [][]byte {
	sorted := s.Policies()
	slices.SortFunc(sorted, func(a, b *Policy) int { return strings.Compare(a.ID, b.ID) })
	out := make([][]byte, 0, len(sorted))
	for _, p := range sorted {
		out = append(out, p.Raw())
	}
	return out
}
