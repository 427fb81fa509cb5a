package reference_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/web/reference"
)

// TestEveryOperationIsDescribed: what the description has for a role is on its
// page, nothing of another role's, and no link to a shape leads nowhere.
func TestEveryOperationIsDescribed(t *testing.T) {
	total := 0
	for _, role := range []string{"issuer", "wallet", "verifier"} {
		d, err := reference.Read(api.Spec, role)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, s := range d.Schemas {
			known[s.Name] = true
		}
		names := func(f []reference.Field) {
			for _, x := range f {
				if x.Type.Name != "" && !known[x.Type.Name] {
					t.Errorf("%s: nothing describes %s", role, x.Type.Name)
				}
				if x.Type.Words == "" {
					t.Errorf("%s: %s has no type", role, x.Name)
				}
			}
		}
		for _, s := range d.Schemas {
			names(s.Fields)
		}
		ids := map[string]bool{}
		for _, g := range d.Groups {
			for _, o := range g.Operations {
				total++
				if o.ID == "" || ids[o.ID] || o.Summary == "" || len(o.Answers) == 0 {
					t.Errorf("%s: %s %s has no name of its own, no summary or no answer", role, o.Method, o.Path)
				}
				ids[o.ID] = true
				names(o.Parameters)
				for _, b := range o.Bodies {
					names(b.Fields)
				}
			}
		}
		if wrong := map[string]string{"issuer": "readWallet", "wallet": "registerBirth", "verifier": "registerBirth"}[role]; ids[wrong] {
			t.Errorf("%s has %s", role, wrong)
		}
	}
	// An operation of two roles is on both pages.
	all := regexp.MustCompile(`(?m)^\s+tags: \[([a-z, ]+)\]`).FindAllSubmatch(api.Spec, -1)
	want := 0
	for _, m := range all {
		want += len(strings.Split(string(m[1]), ","))
	}
	if total != want || total < 50 {
		t.Errorf("%d operations, the description has %d", total, want)
	}
}

func TestFind(t *testing.T) {
	d, err := reference.Read(api.Spec, "issuer")
	if err != nil {
		t.Fatal(err)
	}
	found := func(query string) (out []string) {
		for _, g := range d.Find(query).Groups {
			for _, o := range g.Operations {
				out = append(out, o.ID)
			}
		}
		return out
	}
	if got := found("POST /births correct"); !slices.Equal(got, []string{"correctBirth"}) {
		t.Error(got)
	}
	if got := found("no such thing"); got != nil {
		t.Error(got)
	}
	if len(found("")) < 20 || len(found("BIRTH")) < 5 {
		t.Error("too little is found")
	}
}
