package issuer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/witness"
)

// onlooker is a witness of other people, that can be away.
type onlooker struct {
	*witness.Witness
	LedgerWitness
	mu    sync.Mutex
	away  bool
	hang  chan struct{}
	asked int
}

func newOnlooker(t testing.TB, n byte, ring *keys.Ring) *onlooker {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32))
	o := &onlooker{}
	o.LedgerWitness = LedgerWitness{Name: fmt.Sprintf("witness.example/%d", n), Key: key.Public().(ed25519.PublicKey)}
	var err error
	o.Witness, err = witness.Open(context.Background(), witness.Config{Name: o.Name, Key: key, Dir: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Ledger: func(_ context.Context, origin string) (tlog.Verifier, error) {
			v := tlog.LogVerifier("registry.example/ledger", ring.Of(keys.UseLedger)[0].Public().(ed25519.PublicKey))
			if origin != v.Name {
				return tlog.Verifier{}, witness.ErrUnknownLog
			}
			return v, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	h := o.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.asked++
		away, hang := o.away, o.hang
		o.mu.Unlock()
		if hang != nil {
			<-hang
		}
		if away {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	o.URL = server.URL
	return o
}

func (o *onlooker) set(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
}

func (o *onlooker) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

// TestLedgerStatusSaysSinceWhen: the status of the ledger says since when something
// should be in it, and since when what is in it lacks witnesses, whatever these said
// when they were asked last.
func TestLedgerStatusSaysSinceWhen(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring, log := newRing(t, keys.EdDSA), new(bytes.Buffer)
		o := newOnlooker(t, 1, ring)
		d := watched(t, db, ring, log, o)
		d.demands(1, o)
		d.cfg.Publish = time.Hour
		is := func(what string, got, want time.Time) {
			t.Helper()
			if !got.Equal(want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		ours := d.child()
		begun := d.clock()
		is("issued, due at once", d.ledgerStatus().Due, begun)
		is("nothing to witness", d.ledgerStatus().Unwitnessed, time.Time{})
		d.pass(10 * time.Minute)
		d.all()
		entered := d.clock()
		is("in the ledger", d.ledgerStatus().Due, time.Time{})
		is("to witness", d.ledgerStatus().Unwitnessed, entered)
		d.gather()
		is("witnessed", d.ledgerStatus().Unwitnessed, time.Time{})

		d.pass(7 * time.Minute)
		if _, err := d.Suspend(context.Background(), judy, ours.guardianship.Credentials[0].ID, "courtDecision", ""); err != nil {
			t.Fatal(explain(err))
		}
		acted := d.clock()
		slot := acted.Truncate(time.Hour).Add(time.Hour)
		d.pass(21 * time.Minute)
		s := d.ledgerStatus()
		is("suspended", s.Oldest, acted)
		is("due with the slot", s.Due, slot)
		if d.clock().After(slot) {
			t.Fatal("the test comes too late for the slot")
		}
		d.child()
		is("issued meanwhile", d.ledgerStatus().Due, d.clock())
		d.all()
		entered = d.clock()
		is("waits for its slot", d.ledgerStatus().Due, slot)
		d.pass(5 * time.Hour)
		is("overdue", d.ledgerStatus().Due, slot)
		d.all()
		s = d.ledgerStatus()
		is("told", s.Due, time.Time{})
		is("nobody asked for hours", s.Unwitnessed, entered)
		if s.Witnessed >= s.Size || s.Witnesses[0].Answer != AnswerCosigned {
			t.Errorf("%+v", s)
		}
		d.gather()
		is("witnessed again", d.ledgerStatus().Unwitnessed, time.Time{})
	})
}

// watched opens a booth whose ledger these watch.
func watched(t testing.TB, db *store.DB, ring *keys.Ring, log *bytes.Buffer, by ...*onlooker) *booth {
	t.Helper()
	cfg := Config{DB: db, Ring: ring, ListSize: 1 << 17, LoopbackWitnesses: true, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, o := range by {
		cfg.Witnesses = append(cfg.Witnesses, o.LedgerWitness)
	}
	return &booth{openDeskWith(t, cfg)}
}

// demands puts the witnesses on a trust list that demands n of them.
func (d *desk) demands(n int, by ...*onlooker) {
	d.t.Helper()
	jwk := func(k ed25519.PublicKey) []byte {
		b, err := vc.PublicJWK(k, "", keys.EdDSA)
		if err != nil {
			d.t.Fatal(err)
		}
		return b
	}
	l := &vc.TrustList{Quorum: n, Issuers: []vc.TrustIssuer{{DID: d.DID(), Ledger: &vc.TrustLedger{Origin: d.LedgerOrigin(),
		JWK: jwk(d.ring.Of(keys.UseLedger)[0].Public().(ed25519.PublicKey))}}}}
	for _, o := range by {
		l.Witnesses = append(l.Witnesses, vc.TrustWitness{Name: o.Name, Operator: "somebody else", JWK: jwk(o.Key)})
	}
	d.cfg.Trust = func(context.Context) (*vc.TrustList, error) { return l, nil }
}

func (d *desk) gather() {
	d.t.Helper()
	if err := d.witnesses.round(context.Background()); err != nil {
		d.t.Fatal(explain(err))
	}
}

func (d *desk) ledgerStatus() LedgerStatus {
	d.t.Helper()
	s, err := d.LedgerStatus(context.Background(), judy)
	if err != nil {
		d.t.Fatal(explain(err))
	}
	return s
}

// TestWitnessed: witnesses cosign as the ledger grows; a proof is one that the
// trust list's policy accepts; a witness that is away is waited for by nobody.
func TestWitnessed(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring, log := newRing(t, keys.EdDSA), new(bytes.Buffer)
		a, b := newOnlooker(t, 1, ring), newOnlooker(t, 2, ring)
		d := watched(t, db, ring, log, a, b)
		d.demands(2, a, b)
		ctx := context.Background()
		if _, err := d.WitnessedCheckpoint(ctx); !errors.Is(err, ErrNotWitnessed) {
			t.Errorf("%v", err)
		}
		ours := d.child()
		if s := d.ledgerStatus(); s.Waiting != int64(d.total(`SELECT COUNT(*) FROM commitments`)) || s.Waiting < 2 || s.Size != 0 || s.Demanded != 2 || len(s.Witnesses) != 2 || s.Witnesses[0].Answer != AnswerNone {
			t.Errorf("%+v", s)
		}
		d.all()
		id := ours.birth.Credentials[0].ID
		b.set(true)
		d.gather()
		if _, err := d.Logged(ctx, id); !errors.Is(err, ErrNotLogged) {
			t.Errorf("proven with one witness of two: %v", err)
		}
		if s := d.ledgerStatus(); s.Witnessed != 0 || s.Witnesses[0].Answer != AnswerCosigned || s.Witnesses[0].Size != s.Size || s.Witnesses[1].Answer != AnswerAway || s.OtherHistory || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		// It is asked again after a while, not at once.
		n := b.count()
		d.gather()
		if b.count() != n {
			t.Error("a witness that is away is asked again at once")
		}
		b.set(false)
		d.pass(2 * time.Second)
		d.gather()
		n = a.count()
		d.gather()
		if a.count() != n {
			t.Error("a witness is asked about what it has cosigned")
		}
		policy, err := d.demanded(ctx)
		if err != nil {
			t.Fatal(err)
		}
		check := func(published Published, err error) tlog.Signed {
			t.Helper()
			if err != nil {
				t.Fatal(explain(err))
			}
			s, err := policy.Open(published.Body)
			if err != nil || len(s.Seen) != 2 {
				t.Fatalf("%d witnesses: %v\n%s", len(s.Seen), err, published.Body)
			}
			return s
		}
		first := check(d.WitnessedCheckpoint(ctx))
		if newest := check(d.Checkpoint(ctx)); newest.Checkpoint != first.Checkpoint {
			t.Error("the newest checkpoint lacks the cosignatures that it has")
		}
		for _, c := range ours.birth.Credentials {
			l, err := d.Logged(ctx, c.ID)
			if err != nil {
				t.Fatal(explain(err))
			}
			if _, in, err := policy.Verify(l.Entry, l.Proof); err != nil || in.Checkpoint != first.Checkpoint {
				t.Errorf("%v", err)
			}
		}
		// What comes later is witnessed later; what is witnessed stays so.
		late := d.child()
		d.all()
		if _, err := d.Logged(ctx, late.birth.Credentials[0].ID); !errors.Is(err, ErrNotLogged) {
			t.Errorf("%v", err)
		}
		if again := check(d.WitnessedCheckpoint(ctx)); again.Checkpoint != first.Checkpoint {
			t.Error("the witnessed checkpoint went away")
		}
		d.gather()
		if s := check(d.WitnessedCheckpoint(ctx)); s.Checkpoint != d.checkpoint().Checkpoint || s.Size <= first.Size {
			t.Errorf("%+v", s.Checkpoint)
		}
		if s := d.ledgerStatus(); s.Witnessed != s.Size || s.WitnessedAt.IsZero() || s.Witnesses[1].Answer != AnswerCosigned {
			t.Errorf("%+v", s)
		}
		if n := d.total(`SELECT COUNT(*) FROM ledger_cosigned`); n != 1 {
			t.Errorf("%d checkpoints are kept", n)
		}
		if _, err := d.LedgerStatus(ctx, thief); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%v", err)
		}
		if strings.Contains(log.String(), "another history") {
			t.Error(log)
		}
	})
}

// TestWitnessSeesFork: somebody with the ledger's key, or an old copy of the
// database, tells another history; the witness's answer tells us, in the log and in
// the status.
func TestWitnessSeesFork(t *testing.T) {
	for _, c := range []struct {
		name        string
		theirs, our int // children in each history
	}{{"a longer one", 3, 1}, {"a shorter one", 1, 3}, {"as long", 2, 2}} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
				ring, log := newRing(t, keys.EdDSA), new(bytes.Buffer)
				o, honest := newOnlooker(t, 1, ring), newOnlooker(t, 2, ring)
				thieves := watched(t, storetest.Open(t, store.SQLite, "issuer"), ring, new(bytes.Buffer), o)
				for range c.theirs {
					thieves.child()
				}
				thieves.all()
				thieves.gather()
				if s := thieves.ledgerStatus(); s.Witnessed != s.Size || s.OtherHistory {
					t.Fatalf("%+v", s)
				}
				d := watched(t, db, ring, log, o, honest)
				d.demands(1, o, honest)
				for range c.our {
					d.child()
				}
				d.all()
				d.gather()
				s := d.ledgerStatus()
				if !s.OtherHistory || s.Witnesses[0].Answer != AnswerForked || s.Witnesses[1].Answer != AnswerCosigned || s.Witnessed != s.Size {
					t.Errorf("%+v", s)
				}
				if n := strings.Count(log.String(), "the witness has seen another history"); n != 1 || !strings.Contains(log.String(), "level=ERROR") {
					t.Errorf("%d lines: %s", n, log)
				}
				d.pass(time.Hour)
				d.child()
				d.all()
				d.gather()
				if n := strings.Count(log.String(), "the witness has seen another history"); n != 1 {
					t.Errorf("said %d times", n)
				}
			})
		})
	}
}

// TestWitnessClaims: what a witness claims without showing it, signed with the
// ledger's key and its own, is no other history. It refuses, and that is all.
func TestWitnessClaims(t *testing.T) {
	ring, log := newRing(t, keys.EdDSA), new(bytes.Buffer)
	key, stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	var answer func(rw http.ResponseWriter)
	var shown []byte
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			answer(rw)
		case shown == nil:
			rw.WriteHeader(http.StatusNotFound)
		default:
			_, _ = rw.Write(shown)
		}
	}))
	t.Cleanup(server.Close)
	liar := &onlooker{LedgerWitness: LedgerWitness{Name: "witness.example/1", URL: server.URL, Key: key.Public().(ed25519.PublicKey)}}
	d := watched(t, storetest.Open(t, store.SQLite, "issuer"), ring, log, liar)
	d.demands(1, liar)
	d.child()
	d.all()
	first := d.checkpoint().Checkpoint
	d.child()
	d.all()
	now := d.checkpoint().Checkpoint
	ours := ed25519.PrivateKey(nil)
	if k, ok := ring.Of(keys.UseLedger)[0].Signer("").Signer.(ed25519.PrivateKey); ok {
		ours = k
	} else {
		t.Fatal("no ledger key")
	}
	signed := func(c tlog.Checkpoint, log, by ed25519.PrivateKey) []byte {
		t.Helper()
		ls, err := tlog.LogSigner(c.Origin, log)
		if err != nil {
			t.Fatal(err)
		}
		ws, err := tlog.WitnessSigner(liar.Name, by, d.clock)
		if err != nil {
			t.Fatal(err)
		}
		out, err := tlog.Sign(c, ls)
		if err == nil {
			out, err = tlog.Cosign(out, ws)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	larger, other := tlog.Checkpoint{Origin: now.Origin, Size: now.Size + 5, Root: first.Root}, tlog.Checkpoint{Origin: now.Origin, Size: first.Size, Root: now.Root}
	says := func(status int, size string) func(http.ResponseWriter) {
		return func(rw http.ResponseWriter) {
			if size != "" {
				rw.Header().Set("Content-Type", "text/x.tlog.size")
			}
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(size))
		}
	}
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter)
		shown  []byte
		want   string
	}{
		{"a number", says(409, "99999999\n"), nil, AnswerRefused},
		{"the same number", says(409, "0\n"), nil, AnswerRefused},
		{"no number", says(409, ""), nil, AnswerRefused},
		{"a proof that is none", says(422, ""), nil, AnswerRefused},
		{"it shows what is ours", says(409, "99999999\n"), signed(first, ours, key), AnswerRefused},
		{"the ledger has not signed", says(409, "99999999\n"), signed(larger, stranger, key), AnswerRefused},
		{"another witness has signed", says(409, "99999999\n"), signed(larger, ours, stranger), AnswerRefused},
		{"of another ledger", says(409, "99999999\n"), signed(tlog.Checkpoint{Origin: "elsewhere.example/ledger", Size: 99, Root: first.Root}, ours, key), AnswerRefused},
		{"it shows more", says(409, "99999999\n"), signed(larger, ours, key), AnswerForked},
		{"it shows another root", says(422, ""), signed(other, ours, key), AnswerForked},
	} {
		answer, shown = c.answer, c.shown
		d.pass(time.Hour)
		d.gather()
		if s := d.ledgerStatus(); s.Witnesses[0].Answer != c.want || s.OtherHistory != (c.want == AnswerForked) {
			t.Errorf("%s: %+v", c.name, s)
		}
		if said := strings.Contains(log.String(), "another history"); said != (c.want == AnswerForked) {
			t.Errorf("%s: %s", c.name, log)
		}
		log.Reset()
		if c.want == AnswerForked {
			d.witnesses.asked[0].told = ""
		}
	}
}

// TestWitnessReplicas: replicas that ask at the same time, while the ledger grows,
// do not take each other for thieves, and lose no cosignature.
func TestWitnessReplicas(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		a, b := newOnlooker(t, 1, ring), newOnlooker(t, 2, ring)
		var logs [3]bytes.Buffer
		var all []*booth
		for n := range logs {
			d := watched(t, db, ring, &logs[n], a, b)
			d.demands(2, a, b)
			all = append(all, d)
		}
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for _, d := range all[1:] {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := d.witnesses.round(context.Background()); err != nil {
						t.Error(explain(err))
						return
					}
				}
			})
		}
		for range 8 {
			all[0].child()
			all[0].all()
		}
		close(stop)
		wg.Wait()
		for _, d := range all[1:] {
			d.pass(time.Hour)
			d.gather()
		}
		if s := all[0].ledgerStatus(); s.Witnessed != s.Size || s.OtherHistory {
			t.Errorf("%+v", s)
		}
		for n := range logs {
			if strings.Contains(logs[n].String(), "another history") {
				t.Error(logs[n].String())
			}
		}
		// One at a time where nobody is in a hurry; the next when that one is gone.
		ctx := context.Background()
		first, err := all[0].store.mayGather(ctx, "first")
		second, err2 := all[0].store.mayGather(ctx, "second")
		again, err3 := all[0].store.mayGather(ctx, "first")
		if !first || second || !again || errors.Join(err, err2, err3) != nil {
			t.Errorf("%v %v %v %v", first, second, again, errors.Join(err, err2, err3))
		}
		all[0].pass(2 * gatherTerm)
		if ok, err := all[0].store.mayGather(ctx, "second"); err != nil || !ok {
			t.Errorf("nobody takes over: %v", err)
		}
	})
}

// TestWitnessHangs: a witness that does not answer holds up nothing: not issuing,
// not the ledger, not the other witness.
func TestWitnessHangs(t *testing.T) {
	ring, log := newRing(t, keys.EdDSA), new(bytes.Buffer)
	a, b := newOnlooker(t, 1, ring), newOnlooker(t, 2, ring)
	b.hang = make(chan struct{})
	d := watched(t, storetest.Open(t, store.SQLite, "issuer"), ring, log, a, b)
	d.demands(1, a, b)
	d.child()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.runLedger(ctx) })
	wg.Go(func() { d.witnesses.run(ctx) })
	until := time.Now().Add(5 * time.Second)
	for time.Now().Before(until) {
		if s := d.ledgerStatus(); s.Witnessed > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	start := time.Now()
	d.child()
	for d.ledgerStatus().Waiting > 0 && time.Now().Before(until) {
		time.Sleep(5 * time.Millisecond)
	}
	if s := d.ledgerStatus(); s.Witnessed == 0 || s.Waiting > 0 || s.Witnesses[1].Answer == AnswerCosigned {
		t.Errorf("after %v: %+v", time.Since(start), s)
	}
	cancel()
	wg.Wait()
	close(b.hang)
	if d.total(`SELECT COUNT(*) FROM ledger_gatherer WHERE until = 0`) != 1 {
		t.Error("another replica has to wait for the term to end")
	}
}

// TestWitnessConfig: what a witness must be to be asked.
func TestWitnessConfig(t *testing.T) {
	ring := newRing(t, keys.EdDSA)
	key := ring.Of(keys.UseLedger)[0].Public().(ed25519.PublicKey)
	good := LedgerWitness{Name: "w", URL: "https://witness.example", Key: key}
	for name, x := range map[string][]LedgerWitness{
		"no name": {{URL: good.URL, Key: key}}, "no key": {{Name: "w", URL: good.URL}}, "twice": {good, good},
		"http": {{Name: "w", URL: "http://witness.example", Key: key}}, "loopback": {{Name: "w", URL: "http://127.0.0.1:1", Key: key}},
	} {
		if _, err := New(Config{Base: "https://registry.example", DB: storetest.Open(t, store.SQLite, "issuer"), Ring: ring, Witnesses: x}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := New(Config{Base: "https://registry.example", DB: storetest.Open(t, store.SQLite, "issuer"), Ring: ring, Witnesses: slices.Clone([]LedgerWitness{good})}); err != nil {
		t.Error(explain(err))
	}
}
