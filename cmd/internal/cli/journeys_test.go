package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/wallet"
)

// TestStoryReplays checks every file of the demonstration again with kinpass
// check, which knows nothing but the bundle, the anchor and the file.
func TestStoryReplays(t *testing.T) {
	dir := t.TempDir()
	if code := quiet(t, "demo", "--once", "--out", dir); code != 0 {
		t.Fatalf("the demonstration ended with %d", code)
	}
	var steps []step
	b, err := os.ReadFile(filepath.Join(dir, "story.json"))
	if err != nil || json.Unmarshal(b, &steps) != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"guardian", "no-consent-brazil", "no-consent-elsewhere", "notarised-consent", "crossing-3", "aunt-named", "aunt-not-named",
		"no-removal", "provisional", "withdrawn", "class-12"} {
		if !slices.ContainsFunc(steps, func(s step) bool { return s.Step == name }) {
			t.Errorf("the story lacks %s", name)
		}
	}
	for _, s := range steps {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&bytes.Buffer{})
		root.SetArgs([]string{"check", "--json", "--at", s.At.Format(time.RFC3339), "--bundle", filepath.Join(dir, s.Bundle),
			"--anchor", filepath.Join(dir, "anchor.json"), filepath.Join(dir, s.File)})
		if err := root.Execute(); err != nil && s.Colour == check.Green {
			t.Errorf("%s: %v", s.Step, err)
		}
		var d check.Decision
		if err := json.Unmarshal(out.Bytes(), &d); err != nil {
			t.Errorf("%s: no decision: %v", s.Step, err)
			continue
		}
		if d.Colour != s.Colour || !slices.Equal(d.Codes(), s.Codes) || s.Colour != s.Expected {
			t.Errorf("%s: %s %v, the story has %s %v", s.Step, d.Colour, d.Codes(), s.Colour, s.Codes)
		}
	}
}

// TestEncounterFiles: a file is an encounter only if it is one; anything else
// is what was scanned. What is typed now counts before what the file says.
func TestEncounterFiles(t *testing.T) {
	for _, text := range []string{"", "KP1:ABC", "[]", "{", `{}`, `{"presentation":""}`, `{"presentation":"x","presentation":"y"}`,
		`{"presentation":"x","name":"Ana"}`, `{"presentation":` + strings.Repeat("[", 40) + `}`} {
		if _, ok := readEncounter([]byte(text)); ok {
			t.Errorf("%q is an encounter", text)
		}
	}
	e, ok := readEncounter([]byte(" {\"presentation\":\"KP1:X\",\"exit\":\"BRA\",\"entry\":\"ARG\"}\n"))
	if !ok || e.Presentation != "KP1:X" {
		t.Fatalf("%+v, %v", e, ok)
	}
	f := check.Facts{Exit: "GHA"}
	e.add(&f)
	if f.Exit != "GHA" || f.Entry != "ARG" {
		t.Errorf("%+v", f)
	}
}

// adultOf gives a person of a script a wallet, whose token is NAME.token.
func adultOf(ts *testscript.TestScript, name string) *adult {
	file := name + ".token"
	if _, err := os.Stat(ts.MkAbs(file)); err != nil {
		h := &home{dir: ts.MkAbs("kinpass-data"), dbFile: ts.Getenv("KINPASS_DB")}
		db, err := h.open(context.Background(), walletRole)
		ts.Check(err)
		secret, _, err := db.AddToken(context.Background(), name, wallet.RoleGuardian, time.Time{})
		db.Close()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(secret+"\n"), 0o600))
	}
	return &adult{Client: &api.Client{Base: ts.Getenv("WALLET"), Token: strings.TrimSpace(ts.ReadFile(file))},
		name: strings.ToUpper(name[:1]) + name[1:], last: "Adjei"}
}

// householdCmd registers a child and its guardians, whose wallets take the
// credentials: "household COUNTRY NAME:ROLE[:HOW]…". HOW is noRemoval or
// provisional, a court's order, or sole. It sets $NAME_CHILD for each, $TODAY
// and $LATER; NAME.token is that guardian's.
func householdCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: household COUNTRY NAME:ROLE[:HOW]...")
	}
	p := playerOf(ts)
	court := &api.Client{Base: ts.Getenv("ISSUER"), Token: strings.TrimSpace(ts.ReadFile("court.token"))}
	var all []mandate
	for _, a := range args[1:] {
		part := strings.Split(a+":", ":")
		m := mandate{who: adultOf(ts, part[0]), role: part[1]}
		ordered := func(g *vc.Guardianship) {
			g.LegalBasis = vc.LegalBasis{Type: "courtOrder", Law: args[0], Authority: "https://court.example", Reference: "FC-7", DecidedOn: "2026-01-15", Finality: "final"}
			g.Exercise, g.Effective.From = vc.Exercise{Mode: "sole"}, "2026-01-15"
		}
		switch part[2] {
		case "":
		case "sole":
			m.change = func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }
		case "noRemoval":
			m.judge, m.change = court, func(g *vc.Guardianship) { ordered(g); g.Constraints = &vc.Constraints{NoRemoval: true} }
		case "provisional":
			m.judge, m.change = court, func(g *vc.Guardianship) { ordered(g); g.LegalBasis.Finality = "provisional" }
		default:
			ts.Fatalf("household: no such mandate: %s", part[2])
		}
		all = append(all, m)
	}
	ts.Check(p.household(context.Background(), args[0], all...))
	today := vc.DateOf(now())
	ts.Setenv("TODAY", today.String())
	ts.Setenv("LATER", today.AddDays(30).String())
	for i, a := range args[1:] {
		name, _, _ := strings.Cut(a, ":")
		ts.Setenv(strings.ToUpper(name)+"_CHILD", all[i].who.child)
	}
}

// classCmd gives a teacher a class of children, each with a consent of its own:
// "class TEACHER N". It writes the teacher's presentations pupil-01.kp1 and so
// on, once the verifier has a new bundle in border.kpb.
func classCmd(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	p, ctx := playerOf(ts), context.Background()
	teacher := adultOf(ts, args[0])
	notary := &api.Client{Base: ts.Getenv("ISSUER"), Token: strings.TrimSpace(ts.ReadFile("notary.token"))}
	for i := range n {
		ts.Check(p.pupil(ctx, adultOf(ts, "parent"+string(rune('a'+i))), teacher, notary))
	}
	ts.Check(p.fetchBundle(ctx))
	ts.Check(os.WriteFile(ts.MkAbs("border.kpb"), p.bundle.data, 0o600))
	var all struct {
		Children []wallet.Child `json:"children"`
	}
	ts.Check(teacher.Do(ctx, "GET", "/wallet/children", nil, &all))
	if len(all.Children) != n {
		ts.Fatalf("the teacher's wallet holds %d children", len(all.Children))
	}
	for i, c := range all.Children {
		teacher.child = c.ID
		out, err := teacher.shows(ctx, "")
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(fmt.Sprintf("pupil-%02d.kp1", i+1)), []byte(out.KP1+"\n"), 0o600))
	}
}
