package rdf

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Every claim of Kinpass's own credentials is part of what is signed: a change
// to any one of them, and taking away any member, changes the canonical form or
// is refused. Contexts are left as they are.
func TestEveryClaimIsSigned(t *testing.T) {
	for name, text := range ownDocuments {
		t.Run(name, func(t *testing.T) {
			doc := sample(text)
			want, err := canonicalSlow(doc, crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(doc, &v); err != nil {
				t.Fatal(err)
			}
			changes := 0
			eachChange(v, "", func(where string) {
				changes++
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := canonicalSlow(text, crypto.SHA256); err == nil && bytes.Equal(got, want) {
					t.Errorf("%s changes nothing", where)
				}
			})
			if changes < 4 {
				t.Errorf("%d changes", changes)
			}
		})
	}
}

// eachChange makes each change to v, one at a time, calls f and takes it back.
func eachChange(v any, at string, f func(where string)) {
	try := func(where string, set func(any), was any) {
		switch x := was.(type) {
		case string:
			set(x + "x")
		case float64:
			set(x + 1)
		case bool:
			set(!x)
		default:
			eachChange(was, where, f)
			return
		}
		f(where)
		set(was)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sorted(v) {
			was := v[k]
			where := at + "/" + k
			if k == "@context" {
				continue
			}
			if a, ok := was.([]any); !ok || len(a) > 0 {
				delete(v, k)
				f(where + ", taken away,")
				v[k] = was
			}
			try(where, func(x any) { v[k] = x }, was)
		}
	case []any:
		for i, was := range v {
			try(fmt.Sprintf("%s/%d", at, i), func(x any) { v[i] = x }, was)
		}
	}
}

// Every term of the Kinpass context that is a property occurs in a sample, so
// that none goes unseen here.
func TestSamplesHaveEveryProperty(t *testing.T) {
	var all []byte
	for _, text := range ownDocuments {
		all = append(all, sample(text)...)
	}
	body, _ := ContextFile("https://w3id.org/kinpass/v1")
	var c struct {
		Context map[string]any `json:"@context"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	var types []string
	properties := 0
	for term := range c.Context {
		switch {
		case strings.HasPrefix(term, "@"):
		case bytes.Contains(all, []byte(`"`+term+`":`)):
			properties++
		default:
			types = append(types, `"`+term+`"`)
		}
	}
	// What is left are types.
	list := sample(`{"@context":["$V2","$KP"],"legalBasis":{"type":[` + strings.Join(types, ",") + `]}}`)
	if quads, err := Quads(list); err != nil || len(quads) != len(types)+1 || properties != 116 || len(types) != 22 {
		t.Errorf("%v: %d properties, %d types", err, properties, len(types))
	}
}
