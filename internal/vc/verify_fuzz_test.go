package vc

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vectest"
)

// verifySeeds are credentials of every format, and published vectors where
// they are there.
func verifySeeds(f *testing.F) {
	for _, x := range mxFormats() {
		w := newMxWorld(f, x)
		f.Add(w.good)
		f.Add(w.signature(f, w.good, func(sig []byte) []byte { return sig[:len(sig)/2] }))
		if x.present != nil {
			f.Add(x.present(f, x, w.good, mxSign{signer: w.issuer, ask: true}))
		}
	}
	for _, seed := range []string{modelV1, modelV2, modelVP, modelEnvelope, `{}`, `""`, `[]`, `null`, `~`, `..`, `.~.~`, `{"@context":["https://www.w3.org/ns/credentials/v2"],"proof":{}}`} {
		f.Add([]byte(seed))
	}
	for _, sub := range []string{"vc-jose-cose", "vc-di-eddsa", "vc-di-ecdsa"} {
		for _, suffix := range []string{".txt", ".json"} {
			for _, seed := range vectest.Seeds(sub, suffix, 12) {
				f.Add(bytes.TrimSpace(seed))
			}
		}
	}
}

// fuzzed checks what must hold whatever came in: an error and nothing, or
// something and a signature that held.
func fuzzed(t *testing.T, v *Verified, err error, held uint64) {
	t.Helper()
	if (err == nil) == (v == nil) {
		t.Fatal("a refusal that gives something, or an acceptance of nothing")
	}
	if err != nil {
		if ProblemType(err) == "" {
			t.Fatal("an error without a problem type")
		}
		return
	}
	if held == 0 {
		t.Fatal("accepted without a signature that held")
	}
	if v.Document != nil && !json.Valid(v.Document) || len(v.Proofs) == 0 || v.Proofs[0].Controller == "" {
		t.Fatalf("accepted: %+v", v)
	}
}

func FuzzVerifyCredential(f *testing.F) {
	verifySeeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		p := proofOnly()
		p.Ed2020 = true
		before := signaturesHeld.Load()
		v, err := VerifyCredential(in, p)
		fuzzed(t, v, err, signaturesHeld.Load()-before)
		if v, err := VerifyCredential(in, Policy{}); err == nil || v != nil {
			t.Fatal("the zero policy accepts")
		}
	})
}

func FuzzVerifyPresentation(f *testing.F) {
	verifySeeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		p := proofOnly()
		p.Ed2020, p.LegacyJWT, p.Challenge, p.Domain = true, true, mxChallenge, mxDomain
		before := signaturesHeld.Load()
		v, err := VerifyPresentation(in, p)
		fuzzed(t, v, err, signaturesHeld.Load()-before)
		if v != nil {
			for _, c := range v.Credentials {
				if len(c.Proofs) == 0 || c.Issuer == "" {
					t.Fatalf("%+v", c)
				}
			}
		}
	})
}

// FuzzCheckModel compares what is accepted with a plain reading of the
// document: slow, with maps, and written for nothing else.
func FuzzCheckModel(f *testing.F) {
	for _, seed := range []string{modelV1, modelV2, modelVP, modelEnvelope, `{}`, `{"@context":[]}`} {
		for flags := range byte(32) {
			f.Add([]byte(seed), flags)
		}
	}
	for _, sub := range []string{"vc-jose-cose", "vc-di-eddsa", "vc-di-ecdsa"} {
		for _, seed := range vectest.Seeds(sub, ".json", 20) {
			f.Add(seed, byte(1))
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, flags byte) {
		m := ModelCheck{Version1: flags&1 != 0, Presentation: flags&2 != 0, Issue: flags&4 != 0, JWT: flags&8 != 0, Closed: flags&16 != 0}
		if err := CheckModel(doc, m); err != nil {
			if ProblemType(err) == "" {
				t.Fatal("an error without a problem type")
			}
			return
		}
		var d map[string]any
		if err := json.Unmarshal(doc, &d); err != nil {
			t.Fatal(err)
		}
		contexts, _ := d["@context"].([]any)
		if len(contexts) == 0 || contexts[0] != ContextV2 && !(m.Version1 && contexts[0] == ContextV1) {
			t.Fatal("accepted without a base context")
		}
		for _, c := range contexts {
			switch c.(type) {
			case string, map[string]any:
			default:
				t.Fatal("accepted a context of another kind")
			}
		}
		types, ok := d["type"].([]any)
		if one, is := d["type"].(string); is && m.Presentation {
			types, ok = []any{one}, true
		}
		need := TypeCredential
		if m.Presentation {
			need = TypePresentation
		}
		if !ok || !slices.Contains(types, any(need)) {
			t.Fatal("accepted without its type")
		}
		if id, there := d["id"]; there {
			if s, ok := id.(string); !ok || !strings.Contains(s, ":") {
				t.Fatal("accepted an id that is no URL")
			}
		}
		if m.Presentation {
			return
		}
		issuer := d["issuer"]
		if o, ok := issuer.(map[string]any); ok {
			if issuer, ok = o["id"]; !ok && m.Issue {
				issuer = "x:y"
			}
		}
		if s, ok := issuer.(string); !ok || !strings.Contains(s, ":") {
			t.Fatal("accepted without an issuer")
		}
		subjects, ok := d["credentialSubject"].([]any)
		if !ok {
			subjects = []any{d["credentialSubject"]}
		}
		if len(subjects) == 0 {
			t.Fatal("accepted without a subject")
		}
		for _, s := range subjects {
			if o, ok := s.(map[string]any); !ok || len(o) == 0 {
				t.Fatal("accepted a subject without claims")
			}
		}
	})
}

func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{"2024-03-01T08:00:00Z", "2024-02-29T24:00:00.000+01:00", "-0044-03-15T12:00:00-14:00", "12024-03-01T08:00:00.5Z", "2024-02-30T08:00:00Z", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseTimestamp([]byte(s))
		if !ok {
			if !got.IsZero() {
				t.Fatal("a refusal that gives a time")
			}
			return
		}
		if len(s) < 20 || s[4] != '-' || s[11:13] == "24" {
			return // years and hours that time.Parse does not read
		}
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil && strings.Contains(err.Error(), "out of range") && !strings.Contains(err.Error(), "day") {
			return // an offset that it takes for too large
		}
		if i := strings.IndexByte(s, '.'); i > 0 && len(strings.TrimRight(s[i+1:], "Z+-:0123456789")) == 0 && err == nil && len(s) > 29 {
			return // beyond nanoseconds
		}
		if err != nil || !got.Equal(want) {
			t.Fatalf("%q: %v, but %v %v", s, got, want, err)
		}
	})
}
