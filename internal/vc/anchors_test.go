package vc_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// cosigned puts these signatures under one payload, each made over its own
// compact JWS, as RFC 7515 has it in section 7.2.1.
func cosigned(t testing.TB, compact ...string) string {
	t.Helper()
	type sig struct {
		Protected string `json:"protected"`
		Signature string `json:"signature"`
	}
	var j struct {
		Payload    string `json:"payload"`
		Signatures []sig  `json:"signatures"`
	}
	for _, c := range compact {
		p := strings.Split(c, ".")
		j.Payload = p[1]
		j.Signatures = append(j.Signatures, sig{p[0], p[2]})
	}
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// anchorSigner signs as an anchor does: its kid is the thumbprint of its key.
func anchorSigner(t testing.TB, alg string) keys.Signer {
	t.Helper()
	k, err := keys.New("a", keys.UseAnchor, alg, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	name, err := vc.Thumbprint(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k.Signer(name)
}

func trustPayload(t testing.TB, sequence int64) []byte {
	t.Helper()
	b, err := json.Marshal(vc.TrustList{ID: "x", Sequence: sequence, IssuedAt: time.Unix(1, 0).UTC(), Next: time.Unix(2, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTrustListNeedsItsAnchors(t *testing.T) {
	a, b, c, stranger := anchorSigner(t, keys.EdDSA), anchorSigner(t, keys.ES256), anchorSigner(t, keys.EdDSA), anchorSigner(t, keys.EdDSA)
	two := vc.Anchors{Keys: []crypto.PublicKey{a.Public(), b.Public(), c.Public()}, Threshold: 2}
	one := vc.OneOf(two.Keys...)
	payload := trustPayload(t, 4)
	sign := func(s keys.Signer, typ string, payload []byte) string {
		t.Helper()
		out, err := vc.SignJWS(s, typ, "", payload)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	by := func(s keys.Signer) string { return sign(s, vc.TypTrustList, payload) }
	nameless := a
	nameless.KID = "anchor#a"
	misnamed := stranger
	misnamed.KID = a.KID
	spoilt := func(s string) string {
		p := strings.Split(s, ".")
		first := "A"
		if p[2][0] == 'A' {
			first = "B"
		}
		p[2] = first + p[2][1:]
		return strings.Join(p, ".")
	}
	many := make([]string, 33)
	for i := range many {
		many[i] = by(a)
	}
	for _, row := range []struct {
		name    string
		anchors vc.Anchors
		signed  string
		want    error
	}{
		{"one of one, compact", one, by(b), nil},
		{"one of one, whatever the kid says", one, by(nameless), nil},
		{"one of one, in JSON", one, cosigned(t, by(a)), nil},
		{"two of three", two, cosigned(t, by(a), by(b)), nil},
		{"two others of three", two, cosigned(t, by(c), by(b)), nil},
		{"all three", two, cosigned(t, by(c), by(b), by(a)), nil},
		{"two and a stranger", two, cosigned(t, by(stranger), by(b), by(a)), nil},
		{"two and a spoilt third", two, cosigned(t, spoilt(by(c)), by(b), by(a)), nil},
		{"one too few, compact", two, by(a), vc.ErrThreshold},
		{"one too few, in JSON", two, cosigned(t, by(a)), vc.ErrThreshold},
		{"the same anchor twice", two, cosigned(t, by(a), by(a)), vc.ErrThreshold},
		{"the same anchor twice, with two ECDSA signatures", two, cosigned(t, by(b), by(b)), vc.ErrThreshold},
		{"one and a stranger", two, cosigned(t, by(a), by(stranger)), vc.ErrThreshold},
		{"one and a stranger under an anchor's name", two, cosigned(t, by(b), by(misnamed)), vc.ErrThreshold},
		{"one and a spoilt one", two, cosigned(t, by(b), spoilt(by(a))), vc.ErrThreshold},
		{"one over this list and one over another", two, cosigned(t, sign(a, vc.TypTrustList, trustPayload(t, 5)), by(b)), vc.ErrThreshold},
		{"a name that is no thumbprint", two, cosigned(t, by(b), by(nameless)), vc.ErrThreshold},
		{"strangers alone", two, cosigned(t, by(stranger), by(misnamed)), vc.ErrAnchor},
		{"a stranger, compact", one, by(stranger), vc.ErrAnchor},
		{"another type", two, cosigned(t, by(a), sign(b, vc.TypBundle, payload)), vc.ErrTrustList},
		{"no signatures", two, `{"payload":"e30","signatures":[]}`, vc.ErrTrustList},
		{"too many signatures", two, cosigned(t, many...), vc.ErrTrustList},
		{"a header that nobody signed", two, strings.Replace(cosigned(t, by(a), by(b)), `"protected"`, `"header":{"kid":"x"},"protected"`, 1), vc.ErrTrustList},
		{"a member named twice", two, strings.Replace(cosigned(t, by(a), by(b)), `"payload"`, `"payload":"e30","payload"`, 1), vc.ErrTrustList},
		{"not a list", two, cosigned(t, sign(a, vc.TypTrustList, []byte(`[]`)), sign(b, vc.TypTrustList, []byte(`[]`))), vc.ErrTrustList},
		{"no anchors", vc.Anchors{}, by(a), vc.ErrAnchor},
		{"no threshold", vc.Anchors{Keys: two.Keys}, cosigned(t, by(a), by(b), by(c)), vc.ErrAnchor},
		{"a threshold that cannot be met", vc.Anchors{Keys: two.Keys, Threshold: 4}, cosigned(t, by(a), by(b), by(c)), vc.ErrAnchor},
		{"one anchor given twice", vc.Anchors{Keys: []crypto.PublicKey{a.Public(), a.Public()}, Threshold: 2}, cosigned(t, by(a), by(a)), vc.ErrAnchor},
	} {
		l, err := vc.OpenTrustList(row.signed, row.anchors)
		if !errors.Is(err, row.want) || (err == nil) != (l != nil) || l != nil && l.Sequence != 4 {
			t.Errorf("%s: %+v %v, want %v", row.name, l, err, row.want)
		}
	}
}

func TestAnchorFile(t *testing.T) {
	jwk := func(s keys.Signer) string {
		b, err := vc.PublicJWK(s.Public(), "key-1", s.Alg)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	a, b := anchorSigner(t, keys.EdDSA), anchorSigner(t, keys.ES256)
	both := jwk(a) + "," + jwk(b)
	many := jwk(a)
	for range vc.MaxAnchors {
		many += "," + jwk(anchorSigner(t, keys.EdDSA))
	}
	for file, threshold := range map[string]int{
		`{"keys":[` + jwk(a) + `]}`:                              1,
		`{"keys":[` + both + `]}`:                                1,
		`{"keys":[` + both + `],"threshold":1}`:                  1,
		`{"keys":[` + both + `],"threshold":2}`:                  2,
		`{"keys":[` + both + `],"threshold":0}`:                  0,
		`{"keys":[` + both + `],"threshold":3}`:                  0,
		`{"keys":[` + both + `],"threshold":-1}`:                 0,
		`{"keys":[` + both + `],"threshold":"2"}`:                0,
		`{"keys":[` + both + `],"threshold":2,"threshold":1}`:    0,
		`{"keys":[` + both + `],"threshold":2,"Threshold":1}`:    0,
		`{"keys":[` + jwk(a) + `,` + jwk(a) + `],"threshold":2}`: 0,
		`{"keys":[]}`:                       0,
		`{}`:                                0,
		`[]`:                                0,
		``:                                  0,
		`{"keys":[{"kty":"oct","k":"AA"}]}`: 0,
		`{"keys":[` + many + `]}`:           0,
		`{"keys":[` + jwk(a) + `]` + strings.Repeat(" ", 64<<10) + `}`: 0,
	} {
		got, err := vc.ParseAnchors([]byte(file))
		if (err == nil) != (threshold > 0) || got.Threshold != threshold {
			t.Errorf("%.300s: %+v %v", file, got, err)
		}
		if err != nil {
			continue
		}
		again, err := got.File()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := vc.ParseAnchors(again); err != nil || back.Threshold != threshold || len(back.Keys) != len(got.Keys) {
			t.Errorf("%s: %v", again, err)
		}
	}
	if _, err := (vc.Anchors{}).File(); err == nil {
		t.Error("anchors that believe nothing were written")
	}
}

// FuzzParseAnchors: what is read can be met, and is written and read the same.
func FuzzParseAnchors(f *testing.F) {
	a, b := anchorSigner(f, keys.EdDSA), anchorSigner(f, keys.ES256)
	for _, x := range []vc.Anchors{vc.OneOf(a.Public()), {Keys: []crypto.PublicKey{a.Public(), b.Public()}, Threshold: 2}} {
		file, err := x.File()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := vc.ParseAnchors(data)
		if err != nil {
			if x.Keys != nil || x.Threshold != 0 {
				t.Fatal("a failed parse gave anchors")
			}
			return
		}
		if x.Threshold < 1 || x.Threshold > len(x.Keys) || len(x.Keys) > vc.MaxAnchors {
			t.Fatalf("%+v", x)
		}
		file, err := x.File()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := vc.ParseAnchors(file); err != nil || again.Threshold != x.Threshold || len(again.Keys) != len(x.Keys) {
			t.Fatalf("%s: %v", file, err)
		}
	})
}

// FuzzCosignedTrustList: a list opens only with the payload that two anchors
// signed, however the JSON around it is written.
func FuzzCosignedTrustList(f *testing.F) {
	a, b, c := anchorSigner(f, keys.EdDSA), anchorSigner(f, keys.ES256), anchorSigner(f, keys.EdDSA)
	anchors := vc.Anchors{Keys: []crypto.PublicKey{a.Public(), b.Public(), c.Public()}, Threshold: 2}
	var signed []string
	for i, s := range []keys.Signer{a, b, c} {
		text, err := vc.SignJWS(s, vc.TypTrustList, "", trustPayload(f, []int64{7, 7, 8}[i]))
		if err != nil {
			f.Fatal(err)
		}
		signed = append(signed, text)
	}
	f.Add(cosigned(f, signed[0], signed[1]))
	f.Add(cosigned(f, signed[0], signed[2]))
	f.Add(cosigned(f, signed[0], signed[0]))
	f.Add(signed[0])
	f.Fuzz(func(t *testing.T, text string) {
		l, err := vc.OpenTrustList(text, anchors)
		if err == nil && l.Sequence != 7 || err != nil && l != nil {
			t.Fatal("a list that two anchors did not sign was opened")
		}
	})
}
