package verifier

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// secondKey gives the office a key that signs its lists from now on.
func (o *office) secondKey(t *testing.T) {
	t.Helper()
	second := newKey(t, keys.UseCredentials)
	jwk, err := vc.PublicJWK(second.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	d := o.document()
	m := d.VerificationMethod[0]
	m.ID, m.PublicKeyJwk = o.did+"#key-2", jwk
	d.VerificationMethod, d.AssertionMethod = append(d.VerificationMethod, m), append(d.AssertionMethod, m.ID)
	if err := trust.AddIssuer(o.w.list, trust.Entry{Document: d, Name: "Office", Shelf: o.url, Role: vc.RoleRegistrar,
		Types: []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList}, From: start.AddDate(-1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	o.put("/.well-known/did.json", asJSON(t, d))
	o.signer = second.Signer(m.ID)
}

// TestProofsOverHTTP: what a key signed that was cut off later stays good for a post
// to which the holder brings the proof that it was in the ledger before, and for no
// other.
func TestProofsOverHTTP(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	w, o := d.w, d.o
	ledger, elsewhere, witness := newKey(t, keys.UseLedger), newKey(t, keys.UseLedger), newKey(t, keys.UseLedger)
	const origin = "office.example/ledger"
	if err := trust.SetLedger(w.list, o.did, origin, ledger.Public()); err != nil {
		t.Fatal(err)
	}
	if err := trust.AddWitness(w.list, "witness.example/1", "others", witness.Public()); err != nil {
		t.Fatal(err)
	}
	if err := trust.SetQuorum(w.list, 1); err != nil {
		t.Fatal(err)
	}
	birth, mandate, _ := o.family("mother")
	_, other, _ := o.family("mother")
	var m ledgerBook
	for _, jwt := range []string{birth, mandate, other} {
		m.log(t, tlog.Issued, payloadOf(t, jwt))
	}
	size := int64(len(m.entries))
	m.log(t, tlog.Issued, payloadOf(t, mandate)) // once more, after the key was cut off
	o.secondKey(t)
	if err := trust.CutOff(w.list, o.did+"#key-1", start, size); err != nil {
		t.Fatal(err)
	}
	w.wait(time.Hour)
	w.signTrust()
	if r := w.build(d.v); r.Lists != 2 {
		t.Fatalf("%d lists: %v", r.Lists, r.Problems)
	}

	// proof is what a wallet keeps of the entry at an index, of a ledger of this name
	// and key.
	proof := func(at int64, name string, key *keys.Key, witnesses ...note.Signer) map[string]any {
		t.Helper()
		s, err := tlog.LogSigner(name, key.Signer(""))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := tlog.Sign(tlog.Checkpoint{Origin: name, Size: int64(len(m.entries)), Root: m.root}, append([]note.Signer{s}, witnesses...)...)
		if err != nil {
			t.Fatal(err)
		}
		p, err := tlog.Prove(at, signed, &m)
		if err != nil {
			t.Fatal(err)
		}
		salt := [tlog.SaltSize]byte{byte(at), 1}
		return map[string]any{"entry": m.entries[at], "salt": salt[:], "proof": string(p)}
	}
	seen, err := tlog.WitnessSigner("witness.example/1", witness.Signer(""), w.now)
	if err != nil {
		t.Fatal(err)
	}
	good := func(at int64) map[string]any { return proof(at, origin, ledger, seen) }
	with := func(p map[string]any, member string, v any) map[string]any {
		p[member] = v
		return p
	}
	type proofs = []map[string]any
	for _, c := range []struct {
		name   string
		proofs proofs
		green  bool
	}{
		{"none", nil, false},
		{"of both", proofs{good(0), good(1)}, true},
		{"as the wallet's file names them", proofs{with(good(0), "credential", "urn:uuid:00000000-0000-4000-8000-000000000001"), good(1)}, true},
		{"beside others", proofs{good(2), good(1), good(3), good(0)}, true},
		{"of one", proofs{good(0)}, false},
		{"of another's", proofs{good(0), good(2)}, false},
		{"entered after the key was cut off", proofs{good(0), good(3)}, false},
		{"of another ledger", proofs{good(0), proof(1, "elsewhere.example/ledger", elsewhere, seen)}, false},
		{"by another key", proofs{good(0), proof(1, origin, elsewhere, seen)}, false},
		{"that nobody witnessed", proofs{good(0), proof(1, origin, ledger)}, false},
		{"with another salt", proofs{good(0), with(good(1), "salt", make([]byte, tlog.SaltSize))}, false},
		{"with another entry", proofs{good(0), with(good(1), "entry", m.entries[2])}, false},
		{"that is none", proofs{good(0), with(good(1), "proof", "c2sp.org/tlog-proof@v1\n")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdict := func(media string, body []byte, group bool) {
				t.Helper()
				rec := d.ask(RoleOfficer, "POST", "/checks", media, body)
				if rec.Code != http.StatusOK {
					t.Fatalf("%d %s", rec.Code, rec.Body)
				}
				var g Group
				into := any(&g)
				if !group {
					g.Decisions = make([]Result, 1)
					into = &g.Decisions[0]
				}
				if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
					t.Fatal(err)
				}
				r := g.Decisions[0]
				if c.green && r.Colour != check.Green || !c.green && (r.Colour != check.Amber || !slices.Contains(r.Codes(), check.CodeIssuerKeyUnproven)) {
					t.Errorf("%v %v", r.Colour, r.Codes())
				}
			}
			facts := map[string]any{"confirm": []string{"portrait", "document"}, "proofs": c.proofs}
			if c.proofs == nil {
				delete(facts, "proofs")
			}
			code := func() string { return w.present("mother", store.Random(16), birth, mandate) }

			var form bytes.Buffer
			parts := multipart.NewWriter(&form)
			for _, p := range []struct {
				name string
				data []byte
			}{{"image", drawn(t, code())}, {"facts", d.json(facts)}} {
				part, err := parts.CreateFormFile(p.name, p.name)
				if err != nil {
					t.Fatal(err)
				}
				part.Write(p.data)
			}
			parts.Close()
			verdict(parts.FormDataContentType(), form.Bytes(), false)
			facts["presentation"] = code()
			verdict(jsonType, d.json(facts), false)
			delete(facts, "presentation")
			facts["presentations"], facts["group"] = []string{code()}, true
			verdict(jsonType, d.json(facts), true)
		})
	}

	for name, p := range map[string]proofs{
		"a short salt": {with(good(0), "salt", []byte{1})},
		"no proof":     {with(good(0), "proof", "")},
		"too many":     slices.Repeat(proofs{good(0)}, 33),
	} {
		rec := d.ask(RoleOfficer, "POST", "/checks", jsonType, d.json(map[string]any{"presentation": w.present("mother", store.Random(16), birth, mandate), "proofs": p}))
		if rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}
