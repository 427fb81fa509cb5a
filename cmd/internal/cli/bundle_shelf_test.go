package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// TestJudge: a hub is proved wrong by the very lists that it used, and by
// nothing else.
func TestJudge(t *testing.T) {
	other := []string{"https://registry.example/status/revocation/1"}
	for _, c := range []struct {
		name string
		got  []shelfResult
		want error
		code int
	}{
		{"nothing was compared", nil, nil, 0},
		{"all the same", []shelfResult{{Same: 4, Evidence: true}}, nil, 0},
		{"published anew", []shelfResult{{Same: 3, Other: 1}}, errNotCompared, 0},
		{"not to be had", []shelfResult{{Same: 4, Evidence: true}, {Missing: 2}}, errNotCompared, 0},
		{"two lists of one second", []shelfResult{{Same: 3, Contradicted: other}}, errListsDiffer, 0},
		{"the lists that the hub used", []shelfResult{{Missing: 1}, {Contradicted: other, Evidence: true}}, errHubWrong, exitWrong},
	} {
		err := judge(c.got)
		var e *exit
		code := 0
		if errors.As(err, &e) {
			err, code = e.err, e.code
		}
		if !errors.Is(err, c.want) || c.want == nil && err != nil || code != c.code {
			t.Errorf("%s: %v, exit code %d", c.name, err, code)
		}
	}
}

// TestTakesBackExits: a bundle that takes a revocation back is refused as one that
// does not verify, with its own code and hint.
func TestTakesBackExits(t *testing.T) {
	var e *exit
	err := bundleExit(post.TakesBack(check.List{Address: "https://registry.example/status/revocation/1"}))
	if !errors.As(err, &e) || e.code != exitRefused {
		t.Fatal(err)
	}
	if f := fault.As(e.err); f.Code != "bundle-takes-back" || f.Hint == "" || !strings.HasSuffix(f.Detail, ": https://registry.example/status/revocation/1") {
		t.Errorf("%+v", f)
	}
}
