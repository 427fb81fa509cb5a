package check

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// registryLog is the registrar's ledger with two witnesses, in memory.
type registryLog struct {
	t       testing.TB
	entries [][]byte
	salts   [][]byte
	stored  []tlog.Hash
}

const logOrigin = "registrar.example/ledger"

func seed(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func (l *registryLog) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range at {
		out = append(out, l.stored[i])
	}
	return out, nil
}

func (l *registryLog) add(kind tlog.Kind, content []byte) int64 {
	l.t.Helper()
	salt := bytes.Repeat([]byte{byte(len(l.entries) + 1)}, tlog.SaltSize)
	e := tlog.Entry{Kind: kind, Hour: now.Truncate(time.Hour), Office: "registrar", Commitment: tlog.Commit([tlog.SaltSize]byte(salt), content)}
	b, err := e.Bytes()
	if err != nil {
		l.t.Fatal(err)
	}
	hashes, _, err := tlog.Append(int64(len(l.entries)), [][]byte{b}, l)
	if err != nil {
		l.t.Fatal(err)
	}
	l.stored, l.entries, l.salts = append(l.stored, hashes...), append(l.entries, b), append(l.salts, salt)
	return int64(len(l.entries)) - 1
}

// signed is the newest checkpoint under an origin, cosigned by these witnesses.
func (l *registryLog) signed(origin string, logKey byte, witnesses ...byte) []byte {
	l.t.Helper()
	root, err := tlog.Root(int64(len(l.entries)), l)
	if err != nil {
		l.t.Fatal(err)
	}
	s, err := tlog.LogSigner(origin, seed(logKey))
	if err != nil {
		l.t.Fatal(err)
	}
	signers := []note.Signer{s}
	for _, n := range witnesses {
		w, err := tlog.WitnessSigner(fmt.Sprint("witness.example/", n), seed(n), func() time.Time { return now })
		if err != nil {
			l.t.Fatal(err)
		}
		signers = append(signers, w)
	}
	b, err := tlog.Sign(tlog.Checkpoint{Origin: origin, Size: int64(len(l.entries)), Root: root}, signers...)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *registryLog) receipt(at int64, signed []byte) LogProof {
	l.t.Helper()
	proof, err := tlog.Prove(at, signed, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return LogProof{Entry: l.entries[at], Salt: l.salts[at], Proof: string(proof)}
}

func payloadOf(t testing.TB, jwt string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// logged makes a family whose papers are in the registrar's ledger and whose key is
// withdrawn now, when the ledger has six entries. The lists are signed by another
// key of the registrar's, as after such an act.
func logged(t testing.TB) (w *world, text string, l *registryLog, jwts []string) {
	t.Helper()
	w = newWorld(t)
	l = &registryLog{t: t}
	jwk := func(n byte) json.RawMessage {
		b, err := vc.PublicJWK(seed(n).Public(), "", keys.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	w.trust.Issuers[0].Ledger = &vc.TrustLedger{Origin: logOrigin, JWK: jwk(1)}
	for _, n := range []byte{2, 3, 4} {
		w.trust.Witnesses = append(w.trust.Witnesses, vc.TrustWitness{Name: fmt.Sprint("witness.example/", n), Operator: "others", JWK: jwk(n)})
	}
	w.trust.Quorum = 2
	jwts = []string{w.issue(w.birth()), w.issue(w.mandate("mother"))}
	for _, content := range [][]byte{[]byte("one"), payloadOf(t, jwts[0]), []byte("two"), []byte("three"), payloadOf(t, jwts[1]), []byte("four")} {
		l.add(tlog.Issued, content)
	}
	text = w.present("mother", jwts...)
	old := w.office[vc.RoleRegistrar]
	next := w.key(keys.EdDSA).Signer("did:web:registrar.example#key-2")
	k := w.trustKey(next, vc.RoleRegistrar)
	k.Types = []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList}
	w.trust.Issuers[0].Keys = append(w.trust.Issuers[0].Keys, k)
	w.trust.Issuers[0].Keys[0].CutOff, w.trust.Issuers[0].Keys[0].CutOffSize = now, 6
	w.office[vc.RoleRegistrar] = next
	t.Cleanup(func() { w.office[vc.RoleRegistrar] = old })
	return w, text, l, jwts
}

// TestLoggedBeforeCutOff: what a withdrawn key signed is good if it is proven to
// have been in the ledger before; no other proof makes it so.
func TestLoggedBeforeCutOff(t *testing.T) {
	good := func(l *registryLog) []LogProof {
		s := l.signed(logOrigin, 1, 2, 3)
		return []LogProof{l.receipt(1, s), l.receipt(4, s)}
	}
	for _, c := range []struct {
		name   string
		trust  func(*vc.TrustList)
		proofs func(l *registryLog) []LogProof
		want   string
	}{
		{"both proven", nil, good, "OK"},
		{"in another order, with others", nil, func(l *registryLog) []LogProof {
			s := l.signed(logOrigin, 1, 2, 3)
			return []LogProof{l.receipt(5, s), l.receipt(4, s), l.receipt(0, s), l.receipt(1, s)}
		}, "OK"},
		{"in a later tree", nil, func(l *registryLog) []LogProof {
			for n := range 300 {
				l.add(tlog.Issued, fmt.Append(nil, "later ", n))
			}
			return good(l)
		}, "OK"},
		{"all three witnesses", nil, func(l *registryLog) []LogProof {
			s := l.signed(logOrigin, 1, 2, 3, 4)
			return []LogProof{l.receipt(1, s), l.receipt(4, s)}
		}, "OK"},
		{"no proof", nil, func(*registryLog) []LogProof { return nil }, CodeIssuerKeyUnproven},
		{"one of two", nil, func(l *registryLog) []LogProof { return good(l)[:1] }, CodeIssuerKeyUnproven},
		{"of another credential", nil, func(l *registryLog) []LogProof {
			s := l.signed(logOrigin, 1, 2, 3)
			return []LogProof{l.receipt(1, s), l.receipt(3, s)}
		}, CodeIssuerKeyUnproven},
		{"of another entry with this salt", nil, func(l *registryLog) []LogProof {
			p := good(l)
			p[1].Entry = l.entries[3]
			return p
		}, CodeIssuerKeyUnproven},
		{"entered after the withdrawal", nil, func(l *registryLog) []LogProof {
			// The thief has the key and the salt of everything, and enters it again.
			l.add(tlog.Issued, nil)
			e, err := tlog.ParseEntry(l.entries[4])
			if err != nil {
				t.Fatal(err)
			}
			b, err := e.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			hashes, _, err := tlog.Append(int64(len(l.entries)), [][]byte{b}, l)
			if err != nil {
				t.Fatal(err)
			}
			l.stored, l.entries, l.salts = append(l.stored, hashes...), append(l.entries, b), append(l.salts, l.salts[4])
			s := l.signed(logOrigin, 1, 2, 3)
			return []LogProof{l.receipt(1, s), l.receipt(7, s)}
		}, CodeIssuerKeyUnproven},
		{"the ledger was shorter then", func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOffSize = 4 }, good, CodeIssuerKeyUnproven},
		{"the ledger's size then is not known", func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOffSize = 0 }, good, CodeIssuerKeyUnproven},
		{"no ledger on the list", func(l *vc.TrustList) { l.Issuers[0].Ledger = nil }, good, CodeIssuerKeyUnproven},
		{"more witnesses demanded", func(l *vc.TrustList) { l.Quorum = 3 }, good, CodeIssuerKeyUnproven},
		{"one witness", nil, func(l *registryLog) []LogProof {
			s := l.signed(logOrigin, 1, 2)
			return []LogProof{l.receipt(1, s), l.receipt(4, s)}
		}, CodeIssuerKeyUnproven},
		{"one witness twice", nil, func(l *registryLog) []LogProof {
			s := l.signed(logOrigin, 1, 2, 2)
			return []LogProof{l.receipt(1, s), l.receipt(4, s)}
		}, CodeIssuerKeyUnproven},
		{"a witness that is not listed", nil, func(l *registryLog) []LogProof {
			s := l.signed(logOrigin, 1, 2, 9)
			return []LogProof{l.receipt(1, s), l.receipt(4, s)}
		}, CodeIssuerKeyUnproven},
		{"another ledger", nil, func(l *registryLog) []LogProof {
			s := l.signed("elsewhere.example/ledger", 1, 2, 3)
			return []LogProof{l.receipt(1, s), l.receipt(4, s)}
		}, CodeIssuerKeyUnproven},
		{"another key", nil, func(l *registryLog) []LogProof {
			s := l.signed(logOrigin, 7, 2, 3)
			return []LogProof{l.receipt(1, s), l.receipt(4, s)}
		}, CodeIssuerKeyUnproven},
		{"a damaged hash", nil, func(l *registryLog) []LogProof {
			p := good(l)
			at := strings.Index(p[1].Proof, "index 4\n") + len("index 4\n")
			p[1].Proof = p[1].Proof[:at] + "AAAA" + p[1].Proof[at+4:]
			return p
		}, CodeIssuerKeyUnproven},
		{"another index", nil, func(l *registryLog) []LogProof {
			p := good(l)
			p[1].Proof = strings.Replace(p[1].Proof, "index 4\n", "index 2\n", 1)
			return p
		}, CodeIssuerKeyUnproven},
		{"another salt", nil, func(l *registryLog) []LogProof {
			p := good(l)
			p[1].Salt = bytes.Repeat([]byte{200}, tlog.SaltSize)
			return p
		}, CodeIssuerKeyUnproven},
		{"an entry of another kind", nil, func(l *registryLog) []LogProof {
			e, err := tlog.ParseEntry(l.entries[4])
			if err != nil {
				t.Fatal(err)
			}
			e.Kind = tlog.Reserved
			p := good(l)
			if p[1].Entry, err = e.Bytes(); err != nil {
				t.Fatal(err)
			}
			return p
		}, CodeIssuerKeyUnproven},
		{"dated after the withdrawal", func(l *vc.TrustList) { l.Issuers[0].Keys[0].CutOff = issued }, good, CodeIssuerKeyRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, text, l, _ := logged(t)
			if c.trust != nil {
				c.trust(&w.trust)
			}
			f := Facts{Proofs: c.proofs(l), Confirm: []string{Portrait}}
			b := w.open(w.payload())
			d, _, err := Check(text, b, f, History{}, now)
			if err != nil {
				t.Fatal(err)
			}
			if !d.Has(c.want) || c.want == CodeOK && d.Colour != Green || c.want == CodeIssuerKeyUnproven && d.Colour != Amber || c.want == CodeIssuerKeyRevoked && d.Colour != Red {
				t.Errorf("%v %v, not %s", d.Colour, d.Codes(), c.want)
			}
			f.Online = true
			online, _, err := Check(text, b, f, History{}, now)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]Colour{CodeOK: Green, CodeIssuerKeyUnproven: Red, CodeIssuerKeyRevoked: Red}[c.want]; online.Colour != want || !slices.Equal(online.Codes(), d.Codes()) {
				t.Errorf("online: %v %v", online.Colour, online.Codes())
			}
		})
	}
}

// TestProofsFile: what a wallet writes is read; nothing too large is.
func TestProofsFile(t *testing.T) {
	_, _, l, _ := logged(t)
	p := l.receipt(1, l.signed(logOrigin, 1, 2, 3))
	type named struct {
		LogProof
		Credential string `json:"credential"`
	}
	for name, v := range map[string]any{"one": p, "a list": map[string]any{"proofs": []any{p, named{p, "x"}}}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseProofs(data)
		if err != nil || len(got) == 0 || got[0].Proof != p.Proof || !bytes.Equal(got[len(got)-1].Salt, p.Salt) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	many, err := json.Marshal(map[string]any{"proofs": slices.Repeat([]LogProof{p}, maxProofs+1)})
	if err != nil {
		t.Fatal(err)
	}
	long := p
	long.Proof = strings.Repeat("x", maxProof+1)
	tooLong, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "empty": []byte("{}"), "no proofs": []byte(`{"proofs":[]}`), "a list": []byte("[]"), "many": many, "long": tooLong,
		"too large": bytes.Repeat([]byte(" "), maxLogFiles+1), "a member twice": []byte(`{"salt":"","salt":"","entry":"","proof":""}`), "text": []byte("proof")} {
		if got, err := ParseProofs(data); !errors.Is(err, ErrProofs) {
			t.Errorf("%s: %d proofs, %v", name, len(got), err)
		}
	}
	if err := (&Facts{Proofs: slices.Repeat([]LogProof{p}, maxProofs+1)}).check(); !errors.Is(err, ErrProofs) {
		t.Errorf("%v", err)
	}
}

func FuzzProofs(f *testing.F) {
	w, text, l, _ := logged(f)
	b := w.open(w.payload())
	s := l.signed(logOrigin, 1, 2, 3)
	one, err := json.Marshal(l.receipt(1, s))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Add([]byte(`{"proofs":[{"entry":"AQ==","salt":"","proof":"c2sp.org/tlog-proof@v1\nindex 0\n\n"}]}`))
	whole := l.receipt(4, s)
	f.Fuzz(func(t *testing.T, data []byte) {
		proofs, err := ParseProofs(data)
		if err != nil {
			return
		}
		d, _, err := Check(text, b, Facts{Proofs: proofs}, History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		if d.Colour == Green && !slices.ContainsFunc(proofs, func(p LogProof) bool { return bytes.Equal(p.Salt, whole.Salt) }) {
			t.Fatal("green without the proof")
		}
	})
}
