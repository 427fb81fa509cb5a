package vc

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// edits calls try with every document that differs from doc in one place below
// at: a member or element taken away, a text or number changed, a member or an
// element put in. Each is undone before the next.
func edits(at any, path string, try func(what string)) {
	switch v := at.(type) {
	case object:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			old := v[name]
			delete(v, name)
			try(path + "/" + name + " taken away")
			if other := changed(old); other != nil {
				v[name] = other
				try(path + "/" + name + " changed")
			}
			v[name] = old
			edits(old, path+"/"+name, try)
		}
		for _, name := range []string{"name", "description", "nonce", "undefinedTerm", "https://x.example/#claim"} {
			if _, has := v[name]; !has {
				v[name] = "added"
				try(path + "/" + name + " added")
				delete(v, name)
			}
		}
	case []any:
		for i, old := range v {
			if other := changed(old); other != nil {
				v[i] = other
				try(fmt.Sprintf("%s/%d changed", path, i))
				v[i] = old
			}
			edits(old, fmt.Sprintf("%s/%d", path, i), try)
		}
	}
}

func changed(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case float64:
		return v + 1
	case []any:
		if len(v) == 0 {
			return nil
		}
		return append(v[:len(v):len(v)], "added")
	}
	return nil
}

// TestEveryClaimIsCovered edits a birth credential and its proof in every
// single place. No edit verifies.
func TestEveryClaimIsCovered(t *testing.T) {
	for _, c := range plainSuites(t) {
		signed, err := AddProof([]byte(benchBirth), options(c))
		if err != nil {
			t.Fatal(err)
		}
		doc := decode(t, signed)
		n := 0
		edits(doc, "", func(what string) {
			n++
			unsecured, proofs, err := VerifyProofs(encode(t, doc), testPolicy)
			if err == nil || unsecured != nil || proofs != nil {
				t.Errorf("%s: %s, and it still verifies", c.name, what)
			}
		})
		if _, _, err := VerifyProofs(encode(t, doc), testPolicy); err != nil {
			t.Errorf("%s: the edits were not undone: %v", c.name, err)
		}
		want := 168
		if c.suite.jcs { // its proof has an @context
			want = 172
		}
		if n != want {
			t.Errorf("%s: %d edits, expected %d", c.name, n, want)
		}
	}
}
