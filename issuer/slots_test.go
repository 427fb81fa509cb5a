package issuer_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// openSlots opens an office that publishes every five minutes, half a minute after
// it did, as a court too.
func openSlots(t *testing.T, db *store.DB) *office {
	t.Helper()
	o := openOffice(t, db)
	k, err := keys.New("court-1", keys.UseCourt, keys.EdDSA, o.clock.Add(-time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.ring.Add(k); err != nil {
		t.Fatal(err)
	}
	o.publish = 5 * time.Minute
	o.iss, o.srv = o.open()
	o.pass(30 * time.Second)
	return o
}

// shelf reads everything that is published, with all headers, as a program that
// starts from nothing does. What it finds is by address and media type.
func (o *office) shelf() map[string]string {
	o.t.Helper()
	out := map[string]string{}
	get := func(path, accept string) string {
		a := o.send("GET", path, "", "Accept", accept)
		var b strings.Builder
		fmt.Fprintln(&b, a.status)
		for _, name := range slices.Sorted(maps.Keys(a.header)) {
			if name != "X-Request-Id" {
				fmt.Fprintln(&b, name, a.header[name])
			}
		}
		fmt.Fprint(&b, a.body)
		out[path+" "+accept] = b.String()
		return a.body
	}
	for _, path := range []string{"/.well-known/did.json", "/.well-known/jwks.json", "/trust-list", "/ledger/checkpoint", "/status/revocation/99", "/overrides/99",
		"/.well-known/openid-credential-issuer"} {
		get(path, "*/*")
	}
	for _, index := range []string{"/status", "/overrides"} {
		var lists struct{ Lists []string }
		if err := json.Unmarshal([]byte(get(index, "*/*")), &lists); err != nil {
			o.t.Fatal(err)
		}
		for _, l := range lists.Lists {
			path := strings.TrimPrefix(l, officeBase)
			get(path, vc.MediaTokenJWT)
			if strings.Contains(path, "/token/") {
				get(path, vc.MediaTokenCWT)
			}
		}
	}
	size, err := tlogSize(o.send("GET", "/ledger/checkpoint", "").body)
	if err != nil {
		o.t.Fatal(err)
	}
	for at := int64(0); at <= size; at += 256 { // and what is not there yet
		for w := range 2 {
			get("/ledger/"+tlog.TilePath(tlog.Tile{H: tlog.TileHeight, L: -1, N: at / 256, W: min(int(size-at)+w, 256)}), "*/*")
		}
	}
	return out
}

func tlogSize(checkpoint string) (n int64, err error) {
	_, err = fmt.Sscanf(strings.Split(checkpoint, "\n")[1], "%d", &n)
	return n, err
}

func (o *office) sequence() (n int) {
	o.t.Helper()
	for {
		more, err := o.iss.Sequence(o.t.Context())
		if err != nil {
			o.t.Fatal(err)
		}
		if n += more; more == 0 {
			return n
		}
	}
}

// copyOf gives the newest credential of a record.
func (o *office) copyOf(record string) (id string) {
	o.t.Helper()
	if err := o.db.QueryRow(`SELECT id FROM credentials WHERE record = $1 ORDER BY created DESC, id LIMIT 1`, record).Scan(&id); err != nil {
		o.t.Fatal(err)
	}
	return id
}

// set counts the bits of all lists of a purpose.
func set(t *testing.T, shelf map[string]string, purpose string) (n int64) {
	t.Helper()
	for path, text := range shelf {
		if strings.Contains(path, purpose+"/") && !strings.Contains(path, "/99") {
			_, bits := listOf(t, text)
			n += bits.Count()
		}
	}
	return n
}

// listOf reads a list credential off an answer.
func listOf(t testing.TB, text string) (*vc.Credential, *status.List) {
	t.Helper()
	lines := strings.Split(text, "\n")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(lines[len(lines)-1], ".")[1])
	if err != nil {
		t.Fatalf("%.300s: %v", text, err)
	}
	c, err := vc.ParseCredential(payload)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ EncodedList string }
	if err := json.Unmarshal(c.Subject, &s); err != nil {
		t.Fatal(err)
	}
	bits, err := status.Decode(s.EncodedList, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return c, bits
}

func same(t *testing.T, what string, a, b map[string]string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(a)) {
		if a[path] != b[path] {
			t.Errorf("%s: %s differs:\n%.1500s\n---\n%.1500s", what, path, a[path], b[path])
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s: %d files, %d files", what, len(a), len(b))
	}
}

// TestShelfTellsNothingBetweenSlots: whether somebody was suspended, revoked or
// overridden makes no difference to a byte of the shelf until the next slot, on
// the replica that did it and on one that knows nothing; then everything is signed
// anew, changed or not.
func TestShelfTellsNothingBetweenSlots(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openSlots(t, db)
		_, birth, _ := o.family()
		_, other, _ := o.family()
		override := func(index string) {
			t.Helper()
			o.call("POST", "/overrides", "carla", `{"statusListCredential":"https://elsewhere.example/status/revocation/1","statusListIndex":"`+index+
				`","statusPurpose":"suspension","reason":"courtDecision"}`).want(200)
		}
		override("7")
		o.sequence()
		o.pass(5 * time.Minute)
		o.sequence()
		before := o.shelf()
		if set(t, before, "suspension") != 0 || set(t, before, "overrides") != 1 {
			t.Fatalf("%d suspended, %d overridden", set(t, before, "suspension"), set(t, before, "overrides"))
		}
		kept, srv := o.iss, o.srv

		o.call("POST", "/credentials/"+o.copyOf(birth)+"/suspend", "rita", `{"reason":"safety"}`).want(200)
		o.call("POST", "/credentials/"+o.copyOf(other)+"/suspend", "carla", `{"reason":"courtDecision"}`).want(200)
		o.call("POST", "/credentials/"+o.copyOf(other)+"/reinstate", "carla", `{"reason":"courtDecision"}`).want(200)
		override("8")
		o.sequence()
		same(t, "where it was done", before, o.shelf())
		o.iss, o.srv = o.open()
		same(t, "another replica", before, o.shelf())

		// Later in the same slot only the time left for copies is another.
		o.pass(4*time.Minute + 29*time.Second)
		for path, text := range o.shelf() {
			_, was, _ := strings.Cut(before[path], "Etag")
			if _, is, _ := strings.Cut(text, "Etag"); is != was {
				t.Errorf("%s differs later in the slot", path)
			}
			if strings.HasPrefix(path, "/status") && !strings.Contains(path, "/99") && !strings.Contains(text, "max-age=1,") {
				t.Errorf("%s may be kept longer than the slot: %.200s", path, text)
			}
		}

		o.pass(time.Second) // exactly the time of the next
		size, _ := tlogSize(o.send("GET", "/ledger/checkpoint", "").body)
		if n := o.sequence(); n < 3 {
			t.Errorf("%d entries with the slot", n)
		}
		after := o.shelf()
		for path, text := range before {
			lists := strings.HasPrefix(path, "/status/") || strings.HasPrefix(path, "/overrides/")
			if lists && !strings.Contains(path, "/99") && after[path] == text {
				t.Errorf("%s was not signed anew", path)
			}
			if lists && !strings.Contains(path, "/token/") && !strings.Contains(path, "/99") {
				if c, _ := listOf(t, after[path]); !c.ValidFrom.Equal(o.now()) {
					t.Errorf("%s: validFrom %v at %v", path, c.ValidFrom, o.now())
				}
			}
		}
		if set(t, after, "suspension") == 0 || set(t, after, "overrides") != 2 {
			t.Errorf("%d suspended, %d overridden", set(t, after, "suspension"), set(t, after, "overrides"))
		}
		// The other replica gives the same bytes.
		o.iss, o.srv = kept, srv
		same(t, "the first replica", after, o.shelf())
		if now, _ := tlogSize(o.send("GET", "/ledger/checkpoint", "").body); now <= size {
			t.Error("the ledger does not tell of the changes")
		}
	})
}

// TestSlotIsOneAnswer: a slot that was published never changes, whatever commits
// late and with whatever time; a replica whose clock is behind follows the one
// that is ahead and nobody sees a list go back; nothing is lost.
func TestSlotIsOneAnswer(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openSlots(t, db)
		var births []string
		for range 4 {
			_, b, _ := o.family()
			births = append(births, b)
		}
		ahead, srv := o.iss, o.srv
		behind := time.Duration(0)
		slow, err := issuer.New(issuer.Config{Base: officeBase, DB: db, Ring: o.ring, Publish: o.publish,
			Now: func() time.Time { return o.now().Add(-behind) }})
		if err != nil {
			t.Fatal(err)
		}
		rita := issuer.Caller{ID: "rita", Name: "rita", Role: issuer.RoleRegistrar}
		suspend := func(by *issuer.Issuer, birth string) {
			t.Helper()
			if _, err := by.Suspend(t.Context(), rita, o.copyOf(birth), "safety", ""); err != nil {
				t.Fatal(err)
			}
		}
		list := func(by *issuer.Issuer) (time.Time, int64, []byte) {
			t.Helper()
			p, err := by.StatusList(t.Context(), "suspension", 1)
			if err != nil {
				t.Fatal(err)
			}
			c, bits := listOf(t, "\n"+string(p.Body))
			return c.ValidFrom, bits.Count(), p.Body
		}
		behind = time.Minute
		suspend(slow, births[0]) // 09:59:30 by its clock, 10:00:30 by the other's
		suspend(ahead, births[1])
		o.pass(4*time.Minute + 45*time.Second) // 10:05:15; the slow one has 10:04:15
		at, n, first := list(ahead)
		if n != 2 || !at.Equal(o.now().Truncate(5*time.Minute)) {
			t.Fatalf("%d at %v", n, at)
		}
		if at2, n2, body := list(slow); n2 != n || !at2.Equal(at) || !bytes.Equal(body, first) {
			t.Errorf("the slow replica shows %d at %v", n2, at2)
		}
		// Committed after the slot was published, with a time from before it.
		suspend(slow, births[2])
		suspend(ahead, births[3])
		for _, by := range []*issuer.Issuer{ahead, slow} {
			if _, _, body := list(by); !bytes.Equal(body, first) {
				t.Error("a published slot changed")
			}
		}
		o.srv = srv
		o.iss, o.srv = o.open() // a restart
		if _, _, body := list(o.iss); !bytes.Equal(body, first) {
			t.Error("a published slot is another one after a restart")
		}
		o.pass(5 * time.Minute)
		for n, by := range []*issuer.Issuer{ahead, slow, o.iss} { // the slow one follows
			if at, suspended, _ := list(by); suspended != 4 || !at.Equal(o.now().Truncate(5*time.Minute)) {
				t.Errorf("replica %d: %d suspended at %v", n, suspended, at)
			}
		}
		// A clock a month ahead publishes nothing that holds the others back.
		behind = -30 * 24 * time.Hour
		if _, err := slow.Suspensions(t.Context(), rita); err != nil {
			t.Fatal(err)
		}
		list(slow)
		mad := births[0]
		if _, err := slow.Reinstate(t.Context(), rita, o.copyOf(mad), "resolved", ""); err != nil {
			t.Fatal(err)
		}
		_, b, _ := o.family()
		suspend(o.iss, b)
		o.pass(5 * time.Minute)
		at, n, _ = list(o.iss)
		if !at.Equal(o.now().Truncate(5 * time.Minute)) {
			t.Errorf("after a mad clock the lists are of %v", at)
		}
		if n == 0 {
			t.Error("after a mad clock nothing is suspended")
		}
	})
}

// TestPublishInterval: only what divides time into slots of whole seconds.
func TestPublishInterval(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	for d, good := range map[time.Duration]bool{0: true, time.Second: true, 7 * time.Minute: true, 24 * time.Hour: true,
		-time.Minute: false, time.Millisecond: false, 1500 * time.Millisecond: false, 25 * time.Hour: false} {
		if _, err := issuer.New(issuer.Config{Base: officeBase, DB: o.db, Ring: o.ring, Publish: d}); (err == nil) != good {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// signers gives which keys signed the lists of a shelf, and as of when.
func signers(t *testing.T, shelf map[string]string) map[string]map[time.Time]int {
	t.Helper()
	out := map[string]map[time.Time]int{}
	for path, text := range shelf {
		if (!strings.HasPrefix(path, "/status/") && !strings.HasPrefix(path, "/overrides/")) || strings.Contains(path, "/99") || strings.Contains(path, "/token/") {
			continue
		}
		lines := strings.Split(text, "\n")
		j, err := vc.SplitLargeJWS(lines[len(lines)-1], 1<<22)
		if err != nil {
			t.Fatalf("%s: %.200s: %v", path, text, err)
		}
		c, _ := listOf(t, text)
		_, name, _ := strings.Cut(j.Header.Kid, "#")
		if out[name] == nil {
			out[name] = map[time.Time]int{}
		}
		out[name][c.ValidFrom.UTC()]++
	}
	return out
}

// TestSlotOfACutOffKey: once the trust list cuts off the key that signed a slot's
// lists, all of them are signed by another, with the same places and as of a time at
// which that one may sign: no hub has to wait for the next slot, a day.
func TestSlotOfACutOffKey(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openSlots(t, db)
		_, birth, _ := o.family()
		o.call("POST", "/credentials/"+o.copyOf(birth)+"/suspend", "rita", `{"reason":"safety"}`).want(200)
		o.call("POST", "/overrides", "carla", `{"statusListCredential":"https://elsewhere.example/status/revocation/1","statusListIndex":"7","statusPurpose":"suspension","reason":"courtDecision"}`).want(200)
		o.publish = 24 * time.Hour
		o.pass(15 * time.Hour)
		o.iss, o.srv = o.open()
		midnight := o.now().Truncate(24 * time.Hour)
		before := o.shelf()
		lists := signers(t, before)["key-1"][midnight]
		if lists < 3 || set(t, before, "suspension") == 0 || set(t, before, "issued") == 0 || signers(t, before)["court-1"][midnight] != 1 {
			t.Fatalf("signed by %v", signers(t, before))
		}
		ended := o.now().Truncate(time.Second)
		for _, k := range o.ring.Keys {
			if k.Name == "key-1" {
				k.NotAfter = ended
			}
		}
		k, err := keys.New("key-2", keys.UseCredentials, keys.EdDSA, ended, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.ring.Add(k); err != nil {
			t.Fatal(err)
		}
		if got := signers(t, o.shelf()); got["key-1"][midnight] != lists || len(got) != 2 {
			t.Errorf("with a key that only ended: %v", got)
		}

		did := o.iss.DID() + "#"
		from := ended.Add(time.Minute) // the list believes the new key a little later than the ring
		o.pass(2 * time.Minute)
		o.trust = &vc.TrustList{ID: "did:key:z", Sequence: 2, IssuedAt: o.now(), Next: o.now().AddDate(0, 1, 0), Issuers: []vc.TrustIssuer{{DID: o.iss.DID(),
			Keys: []vc.TrustKey{{ID: did + "key-1", CutOff: ended.Add(-time.Hour), CutOffSize: 1}, {ID: did + "key-2", NotBefore: from}, {ID: did + "court-1"}}}}}
		check := func(what string) map[string]string {
			t.Helper()
			shelf := o.shelf()
			got := signers(t, shelf)
			if got["key-2"][from] != lists || got["court-1"][from] != 1 || len(got) != 2 {
				t.Errorf("%s: signed by %v", what, got)
			}
			for _, purpose := range []string{"suspension", "issued", "overrides"} {
				if set(t, shelf, purpose) != set(t, before, purpose) {
					t.Errorf("%s: %d places of %s, were %d", what, set(t, shelf, purpose), purpose, set(t, before, purpose))
				}
			}
			return shelf
		}
		here := check("a service that runs")
		o.iss, o.srv = o.open()
		same(t, "after a restart", here, check("a restart"))
		o.pass(24 * time.Hour)
		if got := signers(t, o.shelf()); got["key-2"][midnight.Add(24*time.Hour)] != lists {
			t.Errorf("the next slot is signed by %v", got)
		}

		// Where another one could sign as of the slot, it does.
		o.pass(24 * time.Hour)
		third, err := keys.New("key-3", keys.UseCredentials, keys.EdDSA, ended.Add(time.Hour), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.ring.Add(third); err != nil {
			t.Fatal(err)
		}
		o.shelf()
		o.trust.Issuers[0].Keys = append(o.trust.Issuers[0].Keys, vc.TrustKey{ID: did + "key-3", CutOff: o.now().Add(-time.Minute), CutOffSize: 1})
		if got := signers(t, o.shelf()); got["key-2"][midnight.Add(48*time.Hour)] != lists || len(got) != 2 {
			t.Errorf("signed by %v", got)
		}
	})
}
