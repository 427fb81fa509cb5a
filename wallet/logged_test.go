package wallet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// officeLedger is the office's ledger with one witness: it enters whatever it
// issued when it is asked, and spoils what a case says.
type officeLedger struct {
	t       *testing.T
	o       *office
	off     bool
	spoil   func(*tlog.Receipt)
	witness byte // 0: none cosigns
	asked   []string
	entries [][]byte
	stored  []tlog.Hash
}

func (l *officeLedger) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range at {
		out = append(out, l.stored[i])
	}
	return out, nil
}

func seedOf(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func keepLedger(t *testing.T, o *office) *officeLedger {
	l := &officeLedger{t: t, o: o, witness: 2}
	jwk := func(n byte) json.RawMessage {
		b, err := vc.PublicJWK(seedOf(n).Public(), "", keys.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	o.set(func() {
		o.trust.Issuers[0].Ledger = &vc.TrustLedger{Origin: "office.example/ledger", JWK: jwk(1)}
		o.trust.Witnesses, o.trust.Quorum = []vc.TrustWitness{{Name: "witness.example/2", Operator: "others", JWK: jwk(2)}}, 1
		o.override["/ledger/proofs"] = http.HandlerFunc(l.serve)
	})
	return l
}

func (l *officeLedger) serve(w http.ResponseWriter, r *http.Request) {
	var body struct{ Request string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		l.t.Error(err)
	}
	j, err := vc.SplitJWS(body.Request)
	if err != nil || j.Header.Typ != vc.TypLedgerProof || !strings.HasPrefix(j.Header.Kid, "did:key:") {
		l.t.Errorf("%v", err)
		return
	}
	var claims struct {
		Audience    string   `json:"aud"`
		IssuedAt    int64    `json:"iat"`
		Credentials []string `json:"credentials"`
	}
	if err := json.Unmarshal(j.PayloadUnverified(), &claims); err != nil || claims.Audience != l.o.did || claims.IssuedAt != l.o.clock.now().Unix() {
		l.t.Errorf("%+v %v", claims, err)
	}
	l.asked = claims.Credentials
	if l.off {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	content := map[string][]byte{}
	l.o.set(func() {
		for _, d := range l.o.offers {
			for _, jwt := range d.issued {
				p, err := vc.SplitJWS(jwt)
				if err != nil {
					continue
				}
				c, err := vc.ParseCredential(p.PayloadUnverified())
				if err != nil {
					l.t.Error(err)
					continue
				}
				content[c.ID] = p.PayloadUnverified()
			}
		}
	})
	var out []Proof
	first := len(l.entries)
	salt := bytes.Repeat([]byte{7}, tlog.SaltSize)
	for _, id := range l.asked {
		e := tlog.Entry{Kind: tlog.Issued, Hour: l.o.clock.now().UTC().Truncate(time.Hour), Office: "registrar", Commitment: tlog.Commit([tlog.SaltSize]byte(salt), content[id])}
		b, err := e.Bytes()
		if err != nil {
			l.t.Error(err)
		}
		hashes, _, err := tlog.Append(int64(len(l.entries)), [][]byte{b}, l)
		if err != nil {
			l.t.Error(err)
		}
		l.entries, l.stored = append(l.entries, b), append(l.stored, hashes...)
	}
	root, err := tlog.Root(int64(len(l.entries)), l)
	if err != nil {
		l.t.Error(err)
	}
	signers := []note.Signer{}
	s, err := tlog.LogSigner("office.example/ledger", seedOf(1))
	if err != nil {
		l.t.Error(err)
	}
	signers = append(signers, s)
	if l.witness > 0 {
		s, err := tlog.WitnessSigner("witness.example/2", seedOf(l.witness), l.o.clock.now)
		if err != nil {
			l.t.Error(err)
		}
		signers = append(signers, s)
	}
	signed, err := tlog.Sign(tlog.Checkpoint{Origin: "office.example/ledger", Size: int64(len(l.entries)), Root: root}, signers...)
	if err != nil {
		l.t.Error(err)
	}
	for n, id := range l.asked {
		proof, err := tlog.Prove(int64(first+n), signed, l)
		if err != nil {
			l.t.Error(err)
		}
		p := Proof{id, tlog.Receipt{Entry: l.entries[first+n], Salt: salt, Proof: string(proof)}}
		if l.spoil != nil {
			l.spoil(&p.Receipt)
		}
		out = append(out, p)
	}
	answerJSON(w, 200, jsonObject{"proofs": out, "waiting": []string{}})
}

// TestStaple: the wallet fetches proofs in the background, believes only what the
// trust list makes it believe, keeps it sealed, and fetches it once.
func TestStaple(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		l := keepLedger(t, s.o)
		a := s.accept(t, amina, zainab)
		logged := func() (n int) {
			t.Helper()
			all, err := s.Credentials(t.Context(), amina)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range all {
				if c.Logged {
					n++
				}
			}
			return n
		}
		for name, set := range map[string]func(){
			"away":         func() { l.off = true },
			"another salt": func() { l.spoil = func(r *tlog.Receipt) { r.Salt = bytes.Repeat([]byte{8}, tlog.SaltSize) } },
			"another entry": func() {
				l.spoil = func(r *tlog.Receipt) {
					r.Entry = append(bytes.Clone(r.Entry[:len(r.Entry)-1]), ^r.Entry[len(r.Entry)-1])
				}
			},
			"damaged":        func() { l.spoil = func(r *tlog.Receipt) { r.Proof = strings.Replace(r.Proof, "index ", "index 9", 1) } },
			"no witness":     func() { l.witness = 0 },
			"wrong witness":  func() { l.witness = 9 },
			"nothing at all": func() { l.spoil = func(r *tlog.Receipt) { *r = tlog.Receipt{} } },
		} {
			l.off, l.spoil, l.witness = false, nil, 2
			l.entries, l.stored = nil, nil
			set()
			if n, err := s.Staple(t.Context(), amina); err == nil || n != 4 || logged() != 0 {
				t.Fatalf("%s: %d are logged, %d wait, %v", name, logged(), n, err)
			}
			if _, err := s.Proofs(t.Context(), amina, a.Child); !errors.Is(err, ErrNoProofs) {
				t.Errorf("%s: %v", name, err)
			}
		}
		l.off, l.spoil, l.witness = false, nil, 2
		if n, err := s.Staple(t.Context(), amina); n != 0 || err != nil || logged() != 4 {
			t.Fatalf("%d wait, %d are logged, %v", n, logged(), err)
		}
		proofs, err := s.Proofs(t.Context(), amina, a.Child)
		if err != nil || len(proofs) != 4 {
			t.Fatalf("%d %v", len(proofs), err)
		}
		if _, err := s.Proofs(t.Context(), Guardian{ID: "g-father"}, a.Child); !errors.Is(err, ErrNoSuchChild) {
			t.Errorf("somebody else's: %v", err)
		}
		before := s.o.count("/ledger/proofs")
		if _, err := s.Staple(t.Context(), amina); err != nil || s.o.count("/ledger/proofs") != before {
			t.Errorf("fetched twice: %v", err)
		}
		// What is in the database tells none of it.
		var sealed []byte
		if err := s.cfg.DB.QueryRowContext(t.Context(), `SELECT sealed FROM credentials LIMIT 1`).Scan(&sealed); err != nil || bytes.Contains(sealed, []byte("tlog-proof")) {
			t.Errorf("a proof lies open: %v", err)
		}
		// A status that is read later does not lose the proofs.
		if _, err := s.Renew(t.Context(), amina); err != nil || logged() != 4 {
			t.Errorf("%d, %v", logged(), err)
		}
	})
}

// TestStapleLater: an office that is away is asked again, less and less often, and
// no ledger on the trust list means that nobody is asked.
func TestStapleLater(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.accept(t, amina, zainab)
		s.o.clock.add(time.Minute)
		s.fetchDue(t.Context())
		if n := s.o.count("/ledger/proofs"); n != 0 {
			t.Errorf("asked %d times without a ledger", n)
		}
		l := keepLedger(t, s.o)
		l.off = true
		s.wantProofs(amina.ID)
		s.fetchDue(t.Context())
		if n := s.o.count("/ledger/proofs"); n != 0 {
			t.Error("asked at once: nothing can be there")
		}
		for range 100 {
			s.o.clock.add(time.Second)
			s.fetchDue(t.Context())
		}
		if n := s.o.count("/ledger/proofs"); n < 5 || n > 8 {
			t.Errorf("asked %d times in 100 seconds", n)
		}
		l.off = false
		s.o.clock.add(time.Hour)
		s.fetchDue(t.Context())
		all, err := s.Credentials(t.Context(), amina)
		if err != nil || len(all) != 4 || !all[0].Logged {
			t.Errorf("%+v %v", all, err)
		}
		if len(s.stapler.due) != 0 {
			t.Error(fmt.Sprint("goes on asking: ", s.stapler.due))
		}
	})
}
