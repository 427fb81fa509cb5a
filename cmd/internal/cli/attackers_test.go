package cli

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/witness"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// TestAttackerWithEverything: somebody holds all keys of an issuer and writes into
// its database as they like. Each of the things that they may try is caught by
// somebody who has neither, and the row says by whom.
func TestAttackerWithEverything(t *testing.T) {
	for _, a := range []struct {
		attack string
		do     func(*attacked)
		by     string // who catches it
		as     string // as what: codes of a decision, of findings, or of a refusal
	}{
		{"mints with a key that was cut off, dated now", (*attacked).mintAfterCutOff, "verifier", check.CodeIssuerKeyRevoked},
		{"mints with a key that was cut off, dated before", (*attacked).mintBeforeCutOff, "verifier", check.CodeIssuerKeyUnproven},
		{"mints, dates it before the cut-off and logs it afterwards", (*attacked).mintAndLogLate, "verifier", check.CodeIssuerKeyUnproven},
		{"mints with the key in force, at a place that nobody has", (*attacked).mintNowhere, "verifier", check.CodeStatusNotIssued},
		{"mints at the place of a credential that was shown there", (*attacked).reusePlace, "verifier", check.CodeStatusIndexReused},
		{"logs something under an hour of last week", (*attacked).dateBack, "auditor", "hour-backdated"},
		{"takes an entry out of the log", (*attacked).rewrite, "auditor", "split-view!"},
		{"takes an entry out of the log, and hides what witnesses signed", (*attacked).rewriteAndHide, "auditor", "history-rewritten!"},
		{"takes an entry out of the log and goes on", (*attacked).rewriteBeforeWitness, "witness", "witness-proof"},
		{"signs another history of the same size", (*attacked).forkBeforeWitness, "witness", "witness-other-history"},
		{"shows a victim another history", (*attacked).showAnother, "auditor", "split-view!"},
		{"shows a victim a history that is larger than its log will be", (*attacked).showFarther, "auditor", "view-ahead"},
		{"shows a mirror another history", (*attacked).mirrorAnother, "auditor", "split-view!"},
		{"takes a revocation back on the lists", (*attacked).unrevoke, "auditor", "status-undone!"},
		{"takes a revocation back in the log, too", (*attacked).unrevokeInLog, "auditor", "revocation-lifted!"},
		{"revokes without an entry", (*attacked).revokeUnlogged, "auditor", "status-unlogged"},
		{"gives out a single place without an entry", (*attacked).giveUnlogged, "auditor", "issued-unlogged"},
		{"takes a revocation back on the lists that the hub sees alone", (*attacked).unrevokeForHub, "hub", "revocation-lifted"},
		{"shows the hub alone lists that never had the revocation", (*attacked).hideFromHub, "auditor", "bundle-undone"},
		{"gives out places on the lists that the hub sees alone", (*attacked).giveForHub, "auditor", "bundle-unlogged"},
		{"takes a revocation back, and has the hub's key, too", (*attacked).unrevokeAsHub, "device", "bundle-takes-back"},
	} {
		t.Run(a.attack+" caught by the "+a.by, func(t *testing.T) {
			t.Parallel()
			x := attack(t)
			a.do(x)
			if x.by != a.by || x.as != a.as {
				t.Errorf("caught by %q as %q, want %q as %q", x.by, x.as, a.by, a.as)
			}
		})
	}
}

// attacked is a registry with one family, and what its attacker has: its keys and
// its database. by and as say who caught the attack.
type attacked struct {
	*testing.T
	p      *player
	ring   *keys.Ring
	db     *store.DB
	w      *witness.Witness
	state  string
	by, as string
}

func attack(t *testing.T) *attacked {
	t.Helper()
	h := &home{dir: t.TempDir()}
	d, err := h.startDemo(t.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	x := &attacked{T: t, p: d.player(io.Discard), db: d.issuer.db, state: t.TempDir()}
	x.ring, err = h.ring(issuerRole)
	x.must(err)
	x.must(x.p.register(t.Context()))
	x.must(x.p.accept(t.Context()))
	key, err := keys.New("w", keys.UseLedger, keys.EdDSA, now(), time.Time{})
	x.must(err)
	x.w, err = witness.Open(t.Context(), witness.Config{Name: "witness.example/1", Key: key.Signer(""), Dir: t.TempDir(), Now: now, Log: slog.New(slog.DiscardHandler),
		Ledger: func(ctx context.Context, origin string) (tlog.Verifier, error) { return x.policy().Log, nil }})
	x.must(err)
	t.Cleanup(x.w.Close)
	signed, r, _ := x.history(x.log())
	_, err = x.seen(signed, r)
	x.must(err)
	if x.audit() != auditClean {
		t.Fatal("the registry is not clean before the attack:", x.as)
	}
	x.by, x.as = "", ""
	return x
}

func (x *attacked) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *attacked) policy() tlog.Policy {
	l, err := x.p.home.openTrust()
	x.must(err)
	p, err := l.LedgerPolicy(x.p.issuer.issuer.DID())
	x.must(err)
	return p
}

// audit has an auditor look, who has the trust list, its anchor and the shelf's
// address. Whatever is proven, a third party checks with the same.
func (x *attacked) audit(more ...func(*auditOptions)) int {
	x.Helper()
	var out bytes.Buffer
	o := &auditOptions{home: x.p.home, loopback: true, asJSON: true, settle: 4 * time.Second, state: x.state, printTo: &out, progressTo: io.Discard}
	for _, m := range more {
		m(o)
	}
	code, err := o.once(x.Context())
	x.must(err)
	var line auditLine
	x.must(json.Unmarshal(out.Bytes(), &line))
	x.by = "auditor"
	var codes []string
	for _, f := range line.Findings {
		c := f.Code
		if f.Proven {
			c += "!"
			var e *exit
			third := &auditOptions{home: x.p.home, evidence: f.Evidence, printTo: io.Discard}
			if err := third.checkEvidence(x.Context()); !errors.As(err, &e) || e.code != auditProven {
				x.Errorf("%s: a third party is not convinced: %v", f.Code, err)
			}
		}
		codes = append(codes, c)
	}
	slices.Sort(codes)
	if x.as = strings.Join(slices.Compact(codes), " "); code == auditUndone {
		x.as = line.Error
	}
	return code
}

// settle lets the ledger take in what waits for it, and the registry's own
// witnesses cosign that.
func (x *attacked) settle() {
	x.Helper()
	for {
		n, err := x.p.issuer.issuer.Sequence(x.Context())
		x.must(err)
		if n == 0 {
			break
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		newest, err := x.p.issuer.issuer.Checkpoint(x.Context())
		x.must(err)
		if _, err := x.policy().Open(newest.Body); err == nil {
			return
		}
		if time.Now().After(end) {
			x.Fatal("the witnesses do not cosign")
		}
	}
}

// log reads the whole ledger, as the attacker finds it.
func (x *attacked) log() [][]byte {
	x.Helper()
	x.settle()
	p, err := x.p.issuer.issuer.Checkpoint(x.Context())
	x.must(err)
	c, err := tlog.Peek(p.Body)
	x.must(err)
	var out [][]byte
	for at := int64(0); at < c.Size; at += 256 {
		tile := tlog.EntryBundle(at, c.Size)
		p, err := x.p.issuer.issuer.LedgerTile(x.Context(), tlog.TilePath(tile))
		x.must(err)
		part, err := tlog.ParseBundle(p.Body, tile.W)
		x.must(err)
		out = append(out, part...)
	}
	return out
}

// history signs a log of these entries with the issuer's real key.
func (x *attacked) history(entries [][]byte) (signed []byte, r tlog.Reader, root tlog.Hash) {
	x.Helper()
	hashes, root, err := tlog.Append(0, entries, nil)
	x.must(err)
	origin := x.p.issuer.issuer.LedgerOrigin()
	s, err := tlog.LogSigner(origin, x.ring.Of(keys.UseLedger)[0].Signer(""))
	x.must(err)
	signed, err = tlog.Sign(tlog.Checkpoint{Origin: origin, Size: int64(len(entries)), Root: root}, s)
	x.must(err)
	return signed, tlog.After(0, hashes, nil), root
}

// replaceLog puts another log in the place of the issuer's.
func (x *attacked) replaceLog(entries [][]byte) {
	x.Helper()
	signed, r, _ := x.history(entries)
	size := int64(len(entries))
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		for _, q := range []string{`DELETE FROM ledger_tiles`, `DELETE FROM ledger_bundles`} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		for _, t := range tlog.NewTiles(0, size) {
			var data []byte
			var err error
			if t.L == -1 {
				if data, err = tlog.Bundle(entries[t.N<<8 : t.N<<8+int64(t.W)]); err == nil {
					_, err = tx.Exec(`INSERT INTO ledger_bundles (n, data) VALUES ($1, $2)`, t.N, data)
				}
			} else if data, err = tlog.ReadTile(t, r); err == nil {
				_, err = tx.Exec(`INSERT INTO ledger_tiles (level, n, data) VALUES ($1, $2, $3)`, t.L, t.N, data)
			}
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(`UPDATE ledger SET size = $1, checkpoint = $2 WHERE id = 1`, size, signed)
		return err
	}))
}

// seen asks the witness for its cosignature.
func (x *attacked) seen(signed []byte, r tlog.Reader) ([]byte, error) {
	x.Helper()
	c, err := tlog.Peek(signed)
	x.must(err)
	req := witness.Request{Signed: signed}
	if before := x.w.Ledgers(); len(before) > 0 {
		if req.Old = before[0].Size; req.Old > 0 && req.Old < c.Size {
			req.Proof, err = tlog.ProveConsistency(c.Size, req.Old, r)
			x.must(err)
		}
	}
	line, err := x.w.Add(x.Context(), req)
	if err != nil {
		x.by, x.as = "witness", faultCode(err)
		return nil, err
	}
	return append(slices.Clone(signed), line...), nil
}

func faultCode(err error) string {
	var f interface{ Error() string }
	if errors.As(err, &f) {
		code, _, _ := strings.Cut(f.Error(), ":")
		return code
	}
	return ""
}

// mint signs the family's credentials anew with the issuer's key, for a holder's
// key of the attacker's, at an index of their choice (none: those of the
// family's own), and shows them at a border that remembers what was before.
func (x *attacked) mint(issued time.Time, index string, before check.History) {
	x.Helper()
	x.show(x.minted(issued, index), before, nil)
}

// forged is what the attacker shows: papers and the holder's key that they name.
type forged struct {
	holder *keys.Key
	id     string
	jwts   []string
}

func (x *attacked) show(f forged, before check.History, proofs []check.LogProof) {
	x.Helper()
	at := now().UTC()
	text, err := presentAs(f.holder.Signer(did.KeyID(f.id)), f.id, f.jwts, at)
	x.must(err)
	d, _, err := check.Check(text, x.p.bundle.Bundle, check.Facts{Proofs: proofs}, before, at)
	x.must(err)
	x.by, x.as = "verifier", strings.Join(d.Codes(), " ")
	if d.Colour == check.Green {
		x.by = ""
	}
}

func (x *attacked) minted(issued time.Time, index string) forged {
	x.Helper()
	shown, err := x.p.present(x.Context())
	x.must(err)
	_, jwts, err := credentialsOf(shown.Presentation)
	x.must(err)
	holder, err := keys.New("mine", "", keys.EdDSA, now(), time.Time{})
	x.must(err)
	id, err := did.EncodeKey(holder.Public())
	x.must(err)
	k, err := x.ring.Current(keys.UseCredentials, now())
	x.must(err)
	var minted []string
	for _, j := range jwts {
		minted = append(minted, x.resign(j, k, func(c map[string]any) {
			c["id"] = "urn:uuid:" + uuid.NewString()
			c["validFrom"] = issued.UTC().Truncate(time.Second).Format(time.RFC3339)
			if s := c["credentialSubject"].(map[string]any); s["id"] != nil {
				s["id"] = id
			}
			for _, e := range c["credentialStatus"].([]any) {
				if index != "" {
					e.(map[string]any)["statusListIndex"] = index
				}
			}
		}))
	}
	return forged{holder, id, minted}
}

// resign changes a credential and signs it with the issuer's key.
func (x *attacked) resign(jwt string, k *keys.Key, edit func(map[string]any)) string {
	x.Helper()
	j, err := vc.SplitJWS(jwt)
	x.must(err)
	var c map[string]any
	x.must(json.Unmarshal(j.PayloadUnverified(), &c))
	edit(c)
	payload, err := json.Marshal(c)
	x.must(err)
	out, err := vc.SignJWS(k.Signer(j.Header.Kid), vc.TypCredential, "vc", payload)
	x.must(err)
	return out
}

// cutOff has the trust authority withdraw the issuer's key; the posts hear of it.
func (x *attacked) cutOff(at time.Time) {
	x.Helper()
	k, err := x.ring.Current(keys.UseCredentials, now())
	x.must(err)
	_, err = x.p.home.editTrust(func(l *vc.TrustList) error {
		return trust.CutOff(l, x.p.issuer.issuer.DID()+"#"+k.Name, at, int64(len(x.log())))
	})
	x.must(err)
	// What the cut-off key signed of lists is refused from now on; the issuer
	// takes another key in production.
	x.must(x.p.fetchBundle(x.Context()))
}

// mintNowhere signs with the key in force, for a place that the issuer gave to
// nobody, and dates it before the hub asked.
func (x *attacked) mintNowhere() {
	x.must(x.p.fetchBundle(x.Context()))
	x.mint(now().Add(-time.Hour), "4711", check.History{})
	x.only(check.CodeStatusNotIssued)
}

func (x *attacked) mintAfterCutOff() {
	cut := now().Add(-time.Hour)
	x.cutOff(cut)
	x.mint(now(), "4711", check.History{})
	x.only(check.CodeIssuerKeyRevoked)
}

func (x *attacked) mintBeforeCutOff() {
	x.cutOff(now().Add(-time.Minute))
	x.mint(now().Add(-time.Hour), "4711", check.History{})
	x.only(check.CodeIssuerKeyUnproven)
}

// mintAndLogLate has the ledger commit to what was minted, in its place after the
// cut-off, whatever the papers say of their date. The proof holds and is no help.
func (x *attacked) mintAndLogLate() {
	x.cutOff(now().Add(-time.Minute))
	f := x.minted(now().Add(-time.Hour), "")
	salt := [tlog.SaltSize]byte{5}
	var payloads [][]byte
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		for _, jwt := range f.jwts {
			j, err := vc.SplitJWS(jwt)
			if err != nil {
				return err
			}
			payloads = append(payloads, j.PayloadUnverified())
			hash := tlog.Commit(salt, j.PayloadUnverified())
			if _, err := tx.Exec(`INSERT INTO commitments (credential_id, kind, salt, hash, created) VALUES ($1, 'issued', $2, $3, $4)`,
				uuid.NewString(), salt[:], hash[:], store.Micros(now().Add(-time.Hour))); err != nil {
				return err
			}
		}
		return nil
	}))
	entries := x.log()
	c, err := x.p.issuer.issuer.Checkpoint(x.Context())
	x.must(err)
	_, r, _ := x.history(entries)
	var proofs []check.LogProof
	for n, payload := range payloads {
		at := len(entries) - len(payloads) + n
		proof, err := tlog.Prove(int64(at), c.Body, r)
		x.must(err)
		p := check.LogProof{Entry: entries[at], Salt: salt[:], Proof: string(proof)}
		if _, _, err := p.Shows(x.policy(), payload); err != nil {
			x.Fatal("the proof does not hold: ", err)
		}
		proofs = append(proofs, p)
	}
	x.show(f, check.History{}, proofs)
	x.only(check.CodeIssuerKeyUnproven)
}

// reusePlace: the family crosses, and somebody with papers at its places.
func (x *attacked) reusePlace() {
	shown, err := x.p.present(x.Context())
	x.must(err)
	d, h, err := check.Check(shown.KP1, x.p.bundle.Bundle, check.Facts{}, check.History{}, now().UTC())
	x.must(err)
	if d.Colour != check.Green {
		x.Fatal(d.Codes())
	}
	x.mint(now().Add(-time.Minute), "", h)
	x.only(check.CodeStatusIndexReused)
}

// only leaves the code that says why of a decision, where it is there.
func (x *attacked) only(code string) {
	if strings.Contains(" "+x.as+" ", " "+code+" ") {
		x.as = code
	}
}

func (x *attacked) dateBack() {
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO commitments (credential_id, kind, salt, hash, created) VALUES ($1, 'issued', $2, $3, $4)`,
			uuid.NewString(), make([]byte, 32), bytes.Repeat([]byte{7}, 32), store.Micros(now().AddDate(0, 0, -7)))
		return err
	}))
	x.settle()
	x.audit()
}

// shorter is the log without its second entry, and with two more.
func (x *attacked) shorter() [][]byte {
	x.Helper()
	all := x.log()
	if len(all) < 4 {
		x.Fatal("a log of", len(all))
	}
	out := append([][]byte{all[0]}, all[2:]...)
	e, err := tlog.Entry{Kind: tlog.Issued, Hour: now().UTC().Truncate(time.Hour), Office: "registrar", Commitment: [32]byte{9}}.Bytes()
	x.must(err)
	return append(out, e, e)
}

func (x *attacked) rewrite() {
	x.replaceLog(x.shorter())
	x.audit()
}

func (x *attacked) rewriteAndHide() {
	x.replaceLog(x.shorter())
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM ledger_cosigned`)
		return err
	}))
	if code := x.audit(); code != auditProven {
		x.Error(code)
	}
}

func (x *attacked) rewriteBeforeWitness() {
	signed, r, _ := x.history(x.shorter())
	if _, err := x.seen(signed, r); err == nil {
		x.Error("cosigned")
	}
}

func (x *attacked) forkBeforeWitness() {
	other := x.shorter()
	signed, r, _ := x.history(other[:len(other)-1])
	if _, err := x.seen(signed, r); err == nil {
		x.Error("cosigned")
	}
}

// showAnother gives a victim a proof in a history that nobody else sees. The
// victim hands it to an auditor.
func (x *attacked) showAnother() {
	// The shelf has to have as many entries before the two can be compared.
	if code := x.audit(x.handed(x.shorter())); code != auditAnomalies || x.as != "view-ahead" {
		x.Errorf("before the shelf has grown: %d, %s", code, x.as)
	}
	x.must(x.p.register(x.Context()))
	x.settle()
	x.audit()
}

// handed gives an auditor a proof in a history that the issuer signed, as a victim
// got it.
func (x *attacked) handed(entries [][]byte) func(*auditOptions) {
	x.Helper()
	signed, r, _ := x.history(entries)
	proof, err := tlog.Prove(int64(len(entries)-1), signed, r)
	x.must(err)
	file := filepath.Join(x.TempDir(), "proof.txt")
	x.must(os.WriteFile(file, proof, 0o600))
	return func(o *auditOptions) { o.checkpoints = []string{file} }
}

// showFarther is showAnother with a history that the shelf will not have as many
// entries as for years.
func (x *attacked) showFarther() {
	other := x.shorter()
	for len(other) < 20_000 {
		other = append(other, other[len(other)-1])
	}
	x.audit(x.handed(other))
	x.must(x.p.register(x.Context()))
	x.settle()
	if code := x.audit(); code != auditAnomalies {
		x.Errorf("when the shelf has grown a little: %d", code)
	}
}

func (x *attacked) mirrorAnother() {
	other := x.shorter()
	signed, r, _ := x.history(other)
	dir := x.TempDir()
	write := func(path string, b []byte) {
		p := filepath.Join(dir, filepath.FromSlash(path))
		x.must(os.MkdirAll(filepath.Dir(p), 0o755))
		x.must(os.WriteFile(p, b, 0o600))
	}
	write("ledger/checkpoint", signed)
	for _, t := range tlog.NewTiles(0, int64(len(other))) {
		if t.L >= 0 {
			data, err := tlog.ReadTile(t, r)
			x.must(err)
			write("ledger/"+tlog.TilePath(t), data)
		}
	}
	x.audit(func(o *auditOptions) { o.also = []string{dir} })
}

// revoked has two registrars revoke the guardianship, everybody hear of it, and
// gives its place.
func (x *attacked) revoked() (list, index int64) {
	x.Helper()
	var o issuer.Outcome
	x.must(x.p.registrar.Do(x.Context(), "POST", "/credentials/"+x.p.credential+"/revoke", map[string]string{"reason": "mandateEnded"}, &o))
	x.must(x.p.colleague.Do(x.Context(), "POST", "/approvals/"+o.Approval, map[string]string{"decision": "approve"}, nil))
	x.settle()
	if code := x.audit(); code != auditClean {
		x.Fatal("the revocation:", code, x.as)
	}
	x.must(x.db.QueryRowContext(x.Context(), `SELECT list, idx FROM credentials WHERE id = $1`, x.p.credential).Scan(&list, &index))
	return list, index
}

// flip changes a bit of a list, as the issuer does.
func (x *attacked) flip(list, index int64, value int) {
	x.Helper()
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO status_changes (list, idx, purpose, value, at) VALUES ($1, $2, $3, $4, $5)`, list, index, vc.PurposeRevocation, value, store.Micros(now()))
		return err
	}))
	time.Sleep(1100 * time.Millisecond) // lists are dated in seconds
}

func (x *attacked) unrevoke() {
	list, index := x.revoked()
	x.flip(list, index, 0)
	x.audit()
}

func (x *attacked) unrevokeInLog() {
	list, index := x.revoked()
	x.flip(list, index, 0)
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO commitments (credential_id, kind, salt, hash, created) VALUES ($1, 'reinstated', $2, $3, $4)`,
			x.p.credential, make([]byte, 32), bytes.Repeat([]byte{7}, 32), store.Micros(now()))
		return err
	}))
	x.settle()
	x.audit()
	if strings.Contains(x.as, "status-undone!") { // it is, too
		x.as = "revocation-lifted!"
	}
}

// unrevokeForHub signs lists without the revocation for the hub, and puts back the
// true ones before anybody else looks.
func (x *attacked) unrevokeForHub() {
	x.revoked()
	x.must(x.p.fetchBundle(x.Context()))
	if c := x.border(); c != check.Red {
		x.Fatal("before:", c)
	}
	x.flipAll(0)
	var r verifier.Report
	x.must(x.p.officer.Do(x.Context(), "POST", "/verifier/bundles", nil, &r))
	x.must(x.p.fetchBundle(x.Context()))
	x.flipAll(1)
	x.settle()
	if code := x.audit(); code != auditClean {
		x.Error("the audit caught it, too: a row of its own says so better", x.as)
	}
	x.by, x.as = "hub", ""
	for _, p := range r.Problems {
		if p.Issuer != x.p.issuer.issuer.DID() || !strings.Contains(p.List, "/status/revocation/") {
			x.Errorf("%+v", p)
		}
		x.as = p.Code
	}
	if c := x.border(); c != check.Red {
		x.Error("the family passes:", c)
		x.by = ""
	}
}

// flipAll changes every place that is revoked: each copy of a credential has one of
// its own.
func (x *attacked) flipAll(value int) {
	x.Helper()
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO status_changes (list, idx, purpose, value, at)
			SELECT DISTINCT list, idx, purpose, CAST($1 AS BIGINT), CAST($2 AS BIGINT) FROM status_changes WHERE purpose = $3`, value, store.Micros(now()), vc.PurposeRevocation)
		return err
	}))
	time.Sleep(1100 * time.Millisecond) // lists are dated in seconds
}

// border decides about the family with the bundle in hand.
func (x *attacked) border() check.Colour {
	x.Helper()
	shown, err := x.p.present(x.Context())
	x.must(err)
	d, _, err := check.Check(shown.KP1, x.p.bundle.Bundle, check.Facts{}, check.History{}, now().UTC())
	x.must(err)
	return d.Colour
}

// hideFromHub is unrevokeForHub before a hub that never saw the revocation.
func (x *attacked) hideFromHub() {
	x.revoked()
	x.flipAll(0)
	x.must(x.p.fetchBundle(x.Context()))
	x.flipAll(1)
	if c := x.border(); c != check.Green {
		x.Error("the attack does not work anyhow:", c)
	}
	x.auditHub()
}

// giveForHub signs a list for the hub that calls another place given out, and mints
// papers for it.
func (x *attacked) giveForHub() {
	f := x.minted(now().Add(-time.Hour), "4711")
	k, err := x.ring.Current(keys.UseCredentials, now())
	x.must(err)
	x.take(x.hubSigns(func(l check.List, signed string) string {
		if l.Purpose != vc.PurposeIssued {
			return signed
		}
		return x.resign(signed, k, func(c map[string]any) {
			s := c["credentialSubject"].(map[string]any)
			bits, err := status.Decode(s["encodedList"].(string), 1<<20)
			x.must(err)
			x.must(bits.Set(4711))
			s["encodedList"], err = bits.Encode()
			x.must(err)
		})
	}))
	if x.show(f, check.History{}, nil); x.by != "" {
		x.Error("the attack does not work anyhow:", x.as)
	}
	x.auditHub()
}

// auditHub has an auditor look who asks the hub, too, and sees the shelf as it is
// for everybody.
func (x *attacked) auditHub() {
	x.Helper()
	x.settle()
	if code := x.audit(); code != auditClean {
		x.Error("without the bundle it is caught, too:", x.as)
	}
	file := filepath.Join(x.TempDir(), "hub.kpb")
	x.must(os.WriteFile(file, x.p.bundle.data, 0o600))
	x.audit(func(o *auditOptions) { o.bundles = []string{file} })
}

// unrevokeAsHub has the hub's key as well, and signs a bundle of lists without the
// revocation. A device that knows of it does not take that.
func (x *attacked) unrevokeAsHub() {
	x.revoked()
	x.must(x.p.fetchBundle(x.Context()))
	anchor, err := x.p.home.readAnchor("")
	x.must(err)
	device, err := post.New(anchor)
	x.must(err)
	_, _, err = device.Take(x.p.bundle.data, now())
	x.must(err)
	x.flipAll(0)
	data := x.hubSigns(func(_ check.List, signed string) string { return signed })
	x.take(data)
	if c := x.border(); c != check.Green {
		x.Error("with the stolen bundle the family does not pass anyhow:", c)
	}
	if _, _, err = device.Take(data, now()); err != nil {
		x.by, x.as = "device", faultCode(err)
	}
}

// hubSigns makes the bundle that a hub makes of the lists that it is shown, signed
// with its key.
func (x *attacked) hubSigns(shown func(l check.List, signed string) string) []byte {
	x.Helper()
	have := x.p.bundle
	p := check.BundlePayload{ID: store.Random(16), Sequence: have.Sequence + 1, CreatedAt: now().UTC().Truncate(time.Second), TrustList: have.SignedTrust}
	for _, l := range have.Lists() {
		signed, err := (&shelves{fetch: true, loopback: true}).list(x.Context(), http.DefaultClient, l.Address)
		x.must(err)
		if signed = shown(l, signed); l.Purpose == vc.PurposeIssued {
			p.Issued = append(p.Issued, signed)
		} else {
			p.StatusLists = append(p.StatusLists, signed)
		}
	}
	ring, err := x.p.home.ring(verifierRole)
	x.must(err)
	data, err := p.Sign(ring.Of(keys.UseHub)[0].Signer(have.Hub))
	x.must(err)
	return data
}

// take puts a bundle into the post's hands.
func (x *attacked) take(data []byte) {
	x.Helper()
	anchors, err := x.p.home.anchors("")
	x.must(err)
	b, err := check.Open(data, anchors)
	x.must(err)
	x.p.bundle = &borderBundle{b, data}
}

func (x *attacked) revokeUnlogged() {
	x.flip(1, 12_345, 1)
	x.audit()
}

// giveUnlogged takes one place for papers that the ledger passes over: the shelf
// calls it given out, and no post would say that nobody has it.
func (x *attacked) giveUnlogged() {
	x.settle()
	x.must(x.db.Write(x.Context(), func(tx *sql.Tx) error {
		for _, q := range []string{
			`INSERT INTO credentials (id, kind, record, version, type, profile, holder, list, idx, payload, state, status, valid_from, valid_until, batch, created, signed_as)
				SELECT 'minted', kind, record, version, type, profile, holder, list, 4711, payload, state, status, valid_from, valid_until, batch, created, signed_as FROM credentials ORDER BY id LIMIT 1`,
			`INSERT INTO commitments (credential_id, kind, salt, hash, created) SELECT 'minted', kind, salt, hash, created FROM commitments WHERE kind = 'issued' ORDER BY id LIMIT 1`,
			`UPDATE ledger SET issued = (SELECT MAX(id) FROM commitments) WHERE id = 1`,
		} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		return nil
	}))
	x.audit()
}
