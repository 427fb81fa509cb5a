package check

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

const listSize = 1 << 20

// nation is a registrar whose lists are as those of a country.
type nation struct {
	*world
	r     *rand.Rand
	lists map[string][]*status.List // by purpose
}

func newNation(t testing.TB, lists int) *nation {
	n := &nation{world: newWorld(t), r: rand.New(rand.NewPCG(1, 2)), lists: map[string][]*status.List{}}
	for range lists {
		for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension, vc.PurposeIssued} {
			l, err := status.New(listSize)
			if err != nil {
				t.Fatal(err)
			}
			n.lists[p] = append(n.lists[p], l)
		}
	}
	return n
}

// mark sets so many places that are not set, of any list.
func (n *nation) mark(purpose string, count int) {
	for count > 0 {
		l, at := n.lists[purpose][n.r.IntN(len(n.lists[purpose]))], n.r.Int64N(listSize)
		if set, err := l.Get(at); err != nil {
			n.t.Fatal(err)
		} else if set {
			continue
		}
		if err := l.Set(at); err != nil {
			n.t.Fatal(err)
		}
		count--
	}
}

// give gives out all places of the first windows, and a part of the next.
func (n *nation) give(windows int, next int64) {
	for i := range int64(windows) << 17 {
		if err := n.lists[vc.PurposeIssued][i/listSize].Set(i % listSize); err != nil {
			n.t.Fatal(err)
		}
	}
	for _, i := range n.r.Perm(1 << 17)[:next] {
		at := int64(windows)<<17 + int64(i)
		if err := n.lists[vc.PurposeIssued][at/listSize].Set(at % listSize); err != nil {
			n.t.Fatal(err)
		}
	}
}

// signed gives the lists of a purpose as their issuer signs them.
func (n *nation) signed(purpose string, at time.Time) (out []string) {
	for i, l := range n.lists[purpose] {
		encoded, err := l.Encode()
		if err != nil {
			n.t.Fatal(err)
		}
		address := fmt.Sprintf("%s/status/%s/%d", shelf(vc.RoleRegistrar), purpose, i+1)
		subject, err := json.Marshal(map[string]any{"id": address + "#list", "type": "BitstringStatusList", "statusPurpose": purpose, "encodedList": encoded})
		if err != nil {
			n.t.Fatal(err)
		}
		out = append(out, n.sign(n.office[vc.RoleRegistrar], vc.TypCredential, vc.Credential{Context: []string{vc.ContextV2}, ID: address,
			Type: []string{vc.TypeCredential, vc.TypeStatusList}, Issuer: did.Base(n.office[vc.RoleRegistrar].KID),
			ValidFrom: at.UTC(), ValidTo: at.Add(7 * day).UTC(), Subject: subject}))
	}
	return out
}

// payload is what a hub fetches for the bundle of a time.
func (n *nation) payload(number int64, at time.Time) BundlePayload {
	return BundlePayload{ID: fmt.Sprint("bundle-", number), Sequence: number, CreatedAt: at, TrustList: n.sign(n.anchor.Signer("anchor"), vc.TypTrustList, n.trust),
		StatusLists: append(n.signed(vc.PurposeRevocation, at), n.signed(vc.PurposeSuspension, at)...), Issued: n.signed(vc.PurposeIssued, at)}
}

// at makes the bundle of a time.
func (n *nation) at(number int64, at time.Time) []byte {
	n.t.Helper()
	data, err := n.payload(number, at).Sign(n.hub)
	if err != nil {
		n.t.Fatal(err)
	}
	return data
}

func opened(t testing.TB, data []byte) *bundle.File {
	t.Helper()
	f, err := bundle.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sizeOf(f *bundle.File, name string) int {
	part, _ := f.Part(name)
	return len(part)
}

const nationLists = 96 // of 2^20, for 100,000,000

// whole is a nation of a hundred million credentials, of which one in a hundred is
// revoked and one in five thousand suspended.
func whole(t testing.TB) *nation {
	n := newNation(t, nationLists)
	n.mark(vc.PurposeRevocation, 1_000_000)
	n.mark(vc.PurposeSuspension, 20_000)
	n.give(762, 100_000) // the list that is being filled, in its third window
	return n
}

// TestSizes is a nation of a hundred million credentials, of which one in a hundred
// is revoked and one in five thousand suspended: what a post carries, and what it
// fetches in a day. Sizes are not times: they are held here.
func TestSizes(t *testing.T) {
	if raced || testing.Short() {
		t.Skip("a hundred million credentials")
	}
	const lists = nationLists
	n := whole(t)
	first := opened(t, n.at(1, n.built))
	sets := sizeOf(first, partSets+registrarDID)
	whole, err := bundle.Diff(nil, first)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("file %d bytes: sets of revoked and suspended %d, given out %d, directory %d", len(first.Bytes()), sets,
		sizeOf(first, partIssued+registrarDID), sizeOf(first, partLists))
	t.Logf("whole, on its way: %d bytes", len(whole))

	quiet := opened(t, n.at(2, n.built.Add(5*time.Minute)))
	nothing, err := bundle.Diff(first, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("after five minutes in which nothing happened: %d bytes", len(nothing))

	// A year's revocations are a million, and a tenth as many are suspended or not
	// any more.
	n.mark(vc.PurposeRevocation, 2740)
	n.mark(vc.PurposeSuspension, 274)
	revoked := opened(t, n.at(3, n.built.Add(day)))
	delta, err := bundle.Diff(quiet, revoked)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("after a day, revocations: %d bytes", len(delta))
	n.give(762, 1<<17)
	n.give(763, 24_000)
	later := opened(t, n.at(4, n.built.Add(day+time.Hour)))
	given, err := bundle.Diff(revoked, later)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("and 55,000 issued: %d bytes", len(given))
	for what, size := range map[string][2]int{
		"sets": {sets, 1_200_000}, "file": {len(first.Bytes()), 1_300_000}, "transfer": {len(whole), 1_100_000}, "directory": {sizeOf(first, partLists), 10_000},
		"nothing": {len(nothing), 1500}, "a day's revocations": {len(delta), 25_000}, "a day's issuance": {len(given), 25_000},
	} {
		if size[0] > size[1] || size[0] == 0 {
			t.Errorf("%s: %d bytes, limit %d", what, size[0], size[1])
		}
	}
	if made, err := bundle.Apply(first, mustDiff(t, first, later)); err != nil || !bytes.Equal(made, later.Bytes()) {
		t.Errorf("over several days: %v", err)
	}
	// The answers are those of the lists.
	b, err := Open(later.Bytes(), n.anchors())
	if err != nil || b.RefusedLists != 0 {
		t.Fatal(err)
	}
	for range 200_000 {
		i, at := n.r.IntN(lists), n.r.Int64N(listSize)
		want, err := n.lists[vc.PurposeRevocation][i].Get(at)
		if err != nil {
			t.Fatal(err)
		}
		l := b.lists[listName{registrarDID, fmt.Sprintf("%s/status/revocation/%d", shelf(vc.RoleRegistrar), i+1)}]
		if got, err := l.places.Contains(uint64(at)); err != nil || got != want {
			t.Fatalf("list %d, place %d: %v, %v", i+1, at, got, err)
		}
	}
}

func mustDiff(t testing.TB, from, to *bundle.File) []byte {
	t.Helper()
	d, err := bundle.Diff(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// tenLists are ten million places, one in a hundred set, and what a post did with
// them when bundles held the signed lists.
func tenLists(b *testing.B) (n *nation, file []byte, compact []string) {
	n = newNation(b, 10)
	n.mark(vc.PurposeRevocation, listSize*10/100)
	n.give(80, 0)
	return n, n.at(1, n.built), n.signed(vc.PurposeRevocation, n.built)
}

// BenchmarkBundleOpen opens a bundle of ten lists with ten million places, from the
// anchors down; beside it the way of before: the ten signed lists of revocations,
// verified and unpacked. kept-B is what the opened bundle holds beside its file.
func BenchmarkBundleOpen(b *testing.B) {
	n, file, compact := tenLists(b)
	anchors := n.anchors()
	b.Run("sets", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Open(file, anchors); err != nil {
				b.Fatal(err)
			}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		held, err := Open(file, anchors)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil || held.RefusedLists != 0 {
			b.Fatal(err)
		}
		b.ReportMetric(float64(after.HeapAlloc)-float64(before.HeapAlloc), "kept-B")
		b.ReportMetric(float64(len(file)), "file-B")
		runtime.KeepAlive(held)
	})
	b.Run("hash-alone", func(b *testing.B) {
		for b.Loop() {
			sha256.Sum256(file)
		}
	})
	b.Run("signed-lists", func(b *testing.B) {
		b.ReportAllocs()
		t := newBundle(&n.trust)
		if err := t.addKeys(); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			for _, s := range compact {
				if t.readList(s) == nil {
					b.Fatal("not read")
				}
			}
		}
	})
}

// BenchmarkBundleLookup asks one list of ten, at random; beside it the same places
// in the unpacked lists.
func BenchmarkBundleLookup(b *testing.B) {
	n, file, _ := tenLists(b)
	opened, err := Open(file, n.anchors())
	if err != nil {
		b.Fatal(err)
	}
	names := make([]listName, 10)
	for i := range names {
		names[i] = listName{registrarDID, fmt.Sprintf("%s/status/revocation/%d", shelf(vc.RoleRegistrar), i+1)}
	}
	places := make([]int64, 1<<16)
	for i := range places {
		places[i] = n.r.Int64N(listSize)
	}
	b.Run("sets", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, err := opened.lists[names[i%10]].places.Contains(uint64(places[i%len(places)])); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("unpacked-lists", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, err := n.lists[vc.PurposeRevocation][i%10].Get(places[i%len(places)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

// BenchmarkBundleDelta makes and applies the change of a day to ten lists with ten
// million places.
func BenchmarkBundleDelta(b *testing.B) {
	n, file, _ := tenLists(b)
	n.mark(vc.PurposeRevocation, 274)
	from, to := opened(b, file), opened(b, n.at(2, n.built.Add(day)))
	delta := mustDiff(b, from, to)
	b.Run("diff", func(b *testing.B) {
		for b.Loop() {
			mustDiff(b, from, to)
		}
		b.ReportMetric(float64(len(delta)), "delta-B")
	})
	b.Run("apply", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := bundle.Apply(from, delta); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			n.at(3, n.built.Add(2*day))
		}
	})
}

// BenchmarkNational is the bundle of a hundred million credentials: a hub makes it of
// the issuer's 288 signed lists, a post opens it and asks it, and the next day's comes
// as a change.
func BenchmarkNational(b *testing.B) {
	n := whole(b)
	fetched := n.payload(1, n.built)
	file := n.at(1, n.built)
	n.mark(vc.PurposeRevocation, 2740)
	n.mark(vc.PurposeSuspension, 274)
	from, to := opened(b, file), opened(b, n.at(2, n.built.Add(day)))
	delta := mustDiff(b, from, to)
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			if _, err := fetched.Sign(n.hub); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(file)), "B")
	})
	b.Run("transfer", func(b *testing.B) {
		size := 0
		for b.Loop() {
			size = len(mustDiff(b, nil, from))
		}
		b.ReportMetric(float64(size), "B")
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if post, err := Open(file, n.anchors()); err != nil || post.RefusedLists != 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("lookup", func(b *testing.B) {
		post, err := Open(file, n.anchors())
		if err != nil {
			b.Fatal(err)
		}
		names := make([]listName, nationLists)
		for i := range names {
			names[i] = listName{registrarDID, fmt.Sprintf("%s/status/revocation/%d", shelf(vc.RoleRegistrar), i+1)}
		}
		b.ReportAllocs()
		i := uint64(0)
		for b.Loop() {
			i = i*6364136223846793005 + 1442695040888963407
			if _, err := post.lists[names[i>>32%nationLists]].places.Contains(i >> 44); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("day/diff", func(b *testing.B) {
		for b.Loop() {
			mustDiff(b, from, to)
		}
		b.ReportMetric(float64(len(delta)), "B")
	})
	b.Run("day/apply", func(b *testing.B) {
		for b.Loop() {
			if _, err := bundle.Apply(from, delta); err != nil {
				b.Fatal(err)
			}
		}
	})
}
