package issuer

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestSlotsKilled: processes on one database close slots, twenty-five in a second, while
// they publish lists, store what was given out, commit to public facts, suspend,
// revoke and erase, and are killed (SIGKILL) at any moment. After each death a
// slot is as it was published, what was given out is on its list and nothing else
// is, what was erased is erased whole, a fact is committed to once, and the ledger
// goes on from what it was.
func TestSlotsKilled(t *testing.T) {
	storetest.Volume(t)
	t.Parallel()
	for engine, replicas := range map[string]int{store.SQLite: 1, store.Postgres: 2} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			k := newKilled(t, engine)
			rounds := 5
			if os.Getenv("KINPASS_LONG") == "1" {
				rounds = 60
			}
			for n := 0; n < rounds || n < 10*rounds && !k.enough(); n++ {
				k.round(n, replicas)
				k.look()
			}
			if !k.enough() {
				t.Error("nothing was shown")
			}
			t.Logf("%d lists, %d checkpoints, %d credentials, %d erasures, %d entries", len(k.lists), len(k.roots),
				k.total(`SELECT COUNT(*) FROM credentials`), k.total(`SELECT COUNT(*) FROM erasures`), k.size)
		})
	}
}

// killed is what the one who kills knows.
type killed struct {
	*booth
	url, notes, ring string
	begun            time.Time
	lot              *rand.Rand
	lists            map[string]string // digest of each list of each slot
	roots            map[int64]string  // of each checkpoint
	newest           slot
	read             int64 // of the notes
	size             int64 // of the ledger
}

const (
	killedEnv  = "KINPASS_SLOTS_CHILD"
	killedPass = "a passphrase that is so long that nobody need make it slow"
	killedPace = 25 // the clock runs so many times as fast
)

func newKilled(t *testing.T, engine string) *killed {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	k := &killed{url: storetest.URL(t, engine, "issuer"), notes: filepath.Join(dir, "notes"), ring: filepath.Join(dir, "ring"), begun: time.Now(),
		lot: rand.New(rand.NewPCG(seed, 0)), lists: map[string]string{}, roots: map[int64]string{}}
	ring := newRing(t, keys.EdDSA)
	anchor, err := keys.New("anchor", keys.UseAnchor, keys.EdDSA, deskTime.AddDate(-1, 0, 0), time.Time{})
	if err == nil {
		err = ring.Add(anchor)
	}
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := ring.Seal([]byte(killedPass))
	if err == nil {
		err = os.WriteFile(k.ring, sealed, 0o600)
	}
	if err == nil {
		err = os.WriteFile(k.notes, nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	k.booth = &booth{openDeskWith(t, Config{DB: storetest.Reopen(t, k.url, "issuer"), Ring: ring, ListSize: status.MinSize, Publish: time.Second})}
	return k
}

// enough reports whether so much happened that it shows something.
func (k *killed) enough() bool {
	return k.total(`SELECT COUNT(*) FROM erasures`) > 2 && k.total(`SELECT COUNT(*) FROM issued_sets`) > 0 && len(k.lists) > 20 && len(k.roots) > 5
}

// round starts processes, lets them work for a while and kills them.
func (k *killed) round(n, replicas int) {
	k.t.Helper()
	var all []*exec.Cmd
	for r := range replicas {
		c := exec.Command(os.Args[0], "-test.run=^TestSlotsChild$")
		c.Env = append(os.Environ(), killedEnv+"="+strings.Join([]string{k.url, k.notes, k.ring, strconv.FormatInt(k.begun.UnixNano(), 10), strconv.Itoa(n*replicas + r)}, "|"))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			k.t.Fatal(err)
		}
		all = append(all, c)
	}
	for range 6000 { // a busy machine may need long to begin
		if s, err := os.Stat(k.notes); err != nil || s.Size() > k.read {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(time.Duration(k.lot.IntN(1000)) * time.Millisecond)
	for _, c := range all {
		if err := c.Process.Kill(); err != nil {
			k.t.Error(err)
		}
		if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			k.t.Errorf("a process ended by itself: %v", err)
		}
		time.Sleep(time.Duration(k.lot.IntN(100)) * time.Millisecond)
	}
}

// look holds what is there against what was published.
func (k *killed) look() {
	k.t.Helper()
	k.readNotes()
	last, err := k.store.newestSlot(ctx, k.db, deskTime.AddDate(1, 0, 0))
	if err != nil {
		k.t.Fatal(err)
	}
	if o := k.newest; last.at.Before(o.at) || last.changes < o.changes || last.acts < o.acts || last.issued < o.issued || last.lists < o.lists {
		k.t.Errorf("the slot went back from %+v to %+v", o, last)
	}
	k.newest = last
	for what, query := range map[string]string{
		"facts twice":                      `SELECT COUNT(*) FROM (SELECT hash FROM commitments WHERE kind IN ('key', 'trust', 'accreditation') GROUP BY kind, hash HAVING COUNT(*) > 1) AS twice`,
		"erased records with a commitment": `SELECT COUNT(*) FROM commitments WHERE credential_id IN (SELECT id FROM credentials WHERE record IN (SELECT record FROM erasures))`,
		"commitments erased":               `SELECT (SELECT COUNT(*) FROM commitments WHERE kind NOT IN ('key', 'trust', 'accreditation') AND credential_id = '') - (SELECT COALESCE(SUM(commitments), 0) FROM erasures)`,
		"erasures that nobody agreed to":   `SELECT (SELECT COUNT(*) FROM erasures) - (SELECT COUNT(*) FROM approvals WHERE kind = 'erase' AND state = 'approved')`,
		"credentials not committed to": `SELECT COUNT(*) FROM credentials c WHERE record NOT IN (SELECT record FROM erasures)
			AND (SELECT COUNT(*) FROM commitments m WHERE m.credential_id = c.id AND kind = 'issued') <> 1`,
		"records whose bits differ": `SELECT COUNT(*) FROM credentials c WHERE (status = 'revoked') <> EXISTS
			(SELECT 1 FROM status_changes s WHERE s.list = c.list AND s.idx = c.idx AND purpose = 'revocation' AND value = 1)`,
	} {
		if n := k.total(query); n != 0 {
			k.t.Errorf("%s: %d", what, n)
		}
	}
	// A process that starts now shows the slot as those did that are dead.
	k.mu.Lock()
	k.time = last.at.Add(time.Millisecond)
	k.mu.Unlock()
	again, err := New(k.cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := publish(again, k.compare); err != nil {
		k.t.Error(explain(err))
	}
	want := map[int64]int64{}
	for p, from := range k.places() {
		n, err := k.store.activeLists(ctx, last)
		if err != nil || len(n) == 0 || p.list > n[len(n)-1] {
			continue // of the next slot
		}
		bits, _ := k.issuedBits(again, p.list)
		if in, err := bits.Get(p.index); err != nil || in != from.Before(last.at) {
			k.t.Errorf("%v from %v is %v in the set of %v (%v)", p, from, in, last.at, err)
		}
		if from.Before(last.at) {
			want[p.list]++
		}
	}
	for n := range want {
		if bits, _ := k.issuedBits(again, n); bits.Count() != want[n] {
			k.t.Errorf("list %d has %d places, want %d", n, bits.Count(), want[n])
		}
	}
	k.ledger()
}

// ledger: it goes on from every checkpoint that was signed, and each commitment
// whose time has come is in it once.
func (k *killed) ledger() {
	k.t.Helper()
	k.all()
	list := k.entries()
	k.size = int64(len(list))
	seen, acts := map[[32]byte]bool{}, 0
	var tree [][]byte
	for _, e := range list {
		if seen[e.Commitment] {
			k.t.Errorf("an entry is there twice: %+v", e)
		}
		seen[e.Commitment] = true
		if e.Kind == tlog.Changed {
			acts++
		}
		b, err := e.Bytes()
		if err != nil {
			k.t.Fatal(err)
		}
		tree = append(tree, b)
	}
	// Acts that others took back before they were published are not there.
	if n := k.total(`SELECT COUNT(*) FROM commitments WHERE kind IN ` + issuedKinds); len(list)-acts != n {
		k.t.Errorf("%d entries of %d commitments", len(list)-acts, n)
	}
	for size, root := range k.roots {
		if size > k.size {
			k.t.Errorf("the checkpoint of %d entries is lost", size)
			continue
		}
		if size == 0 {
			continue
		}
		if _, again, err := tlog.Append(0, tree[:size], nil); err != nil || hex.EncodeToString(again[:]) != root {
			k.t.Errorf("the checkpoint of %d entries is of another history (%v)", size, err)
		}
	}
	rows, err := k.db.Query(`SELECT hash FROM commitments WHERE kind IN ` + issuedKinds + ` OR kind = 'revoked' AND id <= (SELECT MAX(acts) FROM slots)`)
	if err != nil {
		k.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var hash []byte
		if err := rows.Scan(&hash); err != nil {
			k.t.Fatal(err)
		}
		if len(hash) > 0 && !seen[[32]byte(hash)] {
			k.t.Error("a commitment is not in the ledger")
		}
	}
}

// readNotes reads what the processes published since.
func (k *killed) readNotes() {
	k.t.Helper()
	f, err := os.Open(k.notes)
	if err != nil {
		k.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(k.read, 0); err != nil {
		k.t.Fatal(err)
	}
	for s := bufio.NewScanner(f); s.Scan(); {
		k.read += int64(len(s.Bytes())) + 1
		what, digest, ok := strings.Cut(s.Text(), " is ")
		if !ok {
			k.t.Fatalf("%q", s.Text())
		}
		k.compare(what, digest)
	}
}

func (k *killed) compare(what, digest string) {
	k.t.Helper()
	if size, ok := strings.CutPrefix(what, "checkpoint "); ok {
		n, err := strconv.ParseInt(size, 10, 64)
		if have := k.roots[n]; err != nil || have != "" && have != digest {
			k.t.Errorf("two checkpoints of %s entries", size)
		}
		k.roots[n] = digest
		return
	}
	if have := k.lists[what]; have != "" && have != digest {
		k.t.Errorf("%s was published twice", what)
	}
	k.lists[what] = digest
}

// publish reads every list of the slot and the checkpoint, and tells of them.
func publish(i *Issuer, note func(what, digest string)) error {
	s, err := i.slot(ctx)
	if err != nil {
		return err
	}
	ids, err := i.store.activeLists(ctx, s)
	if err != nil {
		return err
	}
	for _, n := range ids {
		for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension, vc.PurposeIssued} {
			p, err := i.StatusList(ctx, purpose, n)
			if err != nil {
				return err
			}
			_, at, err := readBits(p.Body)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(p.Body)
			note(fmt.Sprintf("%s %d of %d", purpose, n, at.Unix()), hex.EncodeToString(sum[:]))
		}
	}
	p, err := i.Checkpoint(ctx)
	if err != nil {
		return err
	}
	c, err := tlog.Peek(p.Body)
	note(fmt.Sprintf("checkpoint %d", c.Size), hex.EncodeToString(c.Root[:]))
	return err
}

// TestSlotsChild is a process that TestSlotsKilled kills.
func TestSlotsChild(t *testing.T) {
	env := strings.Split(os.Getenv(killedEnv), "|")
	if len(env) != 5 {
		t.Skip("started by TestSlotsKilled")
	}
	sealed, err := os.ReadFile(env[2])
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(sealed, []byte(killedPass))
	if err != nil {
		t.Fatal(err)
	}
	begun, err := strconv.ParseInt(env[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(env[4])
	if err != nil {
		t.Fatal(err)
	}
	notes, err := os.OpenFile(env[1], os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	serial.Store(int64(number+1) * 100_000)                   // nobody is registered by two of them
	ahead := time.Duration(number%3) * 400 * time.Millisecond // clocks differ
	clock := func() time.Time { return deskTime.Add(time.Since(time.Unix(0, begun))*killedPace + ahead) }
	d := &desk{t: t, ring: ring}
	if d.Issuer, err = New(Config{Base: "https://registry.example", DB: storetest.Reopen(t, env[0], "issuer"), Ring: ring, Now: clock, ListSize: status.MinSize, Publish: time.Second}); err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t, d)
	a.anchor, err = ring.Current(keys.UseAnchor, clock())
	if err != nil {
		t.Fatal(err)
	}
	if a.list, err = trust.New(a.anchor.Public()); err != nil {
		t.Fatal(err)
	}
	a.sign(d)
	a.give(d)
	d.Issuer.cfg.TrustList, d.Issuer.cfg.Trust = d.cfg.TrustList, d.cfg.Trust
	check := func(err error) {
		if err != nil { // nobody waits for the end of this test
			fmt.Fprintln(os.Stderr, explain(err))
			os.Exit(3)
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			a.sign(d)
			_, err := d.LogFacts(ctx)
			check(err)
			d.issued.mu.Lock()
			d.issued.saved = -saveEvery // what was given out is stored each time
			d.issued.mu.Unlock()
			check(d.Refresh(ctx))
			check(publish(d.Issuer, func(what, digest string) {
				_, err := notes.WriteString(what + " is " + digest + "\n")
				check(err)
			}))
		}
	})
	all.Go(func() {
		for {
			_, err := d.Sequence(ctx)
			check(err)
			time.Sleep(time.Millisecond)
		}
	})
	for range 3 {
		all.Go(func() {
			for {
				check(d.life())
			}
		})
	}
	all.Wait()
}

// life is what becomes of a child's papers, in short.
func (d *desk) life() error {
	b := newBirth()
	o, err := d.RegisterBirth(ctx, rita, raw(d.t, b), "")
	if err != nil {
		return err
	}
	if _, err := d.RegisterGuardianship(ctx, rita, raw(d.t, newGuardianship(b)), ""); err != nil {
		return err
	}
	id := o.Credentials[0].ID
	if _, err := d.Suspend(ctx, rita, id, "safety", ""); err != nil {
		return err
	}
	if _, err := d.Reinstate(ctx, rita, id, "resolved", ""); err != nil {
		return err
	}
	for _, propose := range []func() (Outcome, error){
		func() (Outcome, error) { return d.Revoke(ctx, rita, id, "duplicate", "") },
		func() (Outcome, error) { return d.Erase(ctx, rita, id, "request", "") },
	} {
		if o, err = propose(); err != nil {
			return err
		}
		for {
			if _, err = d.Approve(ctx, rob, o.Approval, true); !errors.Is(err, ErrEraseWaits) {
				break
			}
			time.Sleep(5 * time.Millisecond) // for the next slot
		}
		if err != nil {
			return err
		}
	}
	return nil
}
