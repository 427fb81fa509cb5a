package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
)

var made = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// hub is the signer of the tests' bundles: one key for all, so that a file is the
// same whenever it is made.
var hub = func() keys.Signer {
	k, err := keys.New("key-1", keys.UseHub, keys.EdDSA, made, time.Time{})
	if err != nil {
		panic(err)
	}
	return k.Signer("did:web:hub.example#key-1")
}()

func header(n int64) Header {
	return Header{ID: fmt.Sprintf("bundle-%d", n), Sequence: n, CreatedAt: made.Add(time.Duration(n) * time.Minute), TrustList: 7}
}

func pack(t testing.TB, n int64, parts ...Part) *File {
	t.Helper()
	file, err := Pack(header(n), parts, hub)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, file)
}

func open(t testing.TB, file []byte) *File {
	t.Helper()
	f, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(hub.Public()); err != nil {
		t.Fatal(err)
	}
	return f
}

// lists makes a part of sets: so many lists from the first, of this many places,
// of which about one in every is a member.
func lists(t testing.TB, first, n int, size uint64, every int, seed uint64) []byte {
	t.Helper()
	var part []byte
	for i := first; i < first+n; i++ {
		r := rand.New(rand.NewPCG(uint64(i), seed))
		var all []uint64
		for m := uint64(0); m < size; m++ {
			if r.IntN(every) == 0 {
				all = append(all, m)
			}
		}
		places, err := status.BuildPlaces(size, all)
		if err != nil {
			t.Fatal(err)
		}
		part = AppendSet(part, ListKey(fmt.Sprint(i)), places)
	}
	return part
}

func small(t testing.TB, n int64) *File {
	return pack(t, n, Part{"trust", []byte("a trust list")}, Part{"lists", fmt.Appendf(nil, "a directory of %d", n)}, Part{"empty", nil},
		Part{"sets/did:web:a", lists(t, 1, 2, 300, 20, uint64(n))}, Part{"survivors/k", bytes.Repeat([]byte{byte(n)}, 24)})
}

func TestFile(t *testing.T) {
	f := small(t, 3)
	if f.ID != "bundle-3" || f.Sequence != 3 || !f.CreatedAt.Equal(made.Add(3*time.Minute)) || f.TrustList != 7 || f.KID != hub.KID || len(f.Table) != 5 || f.Parts != 5 {
		t.Errorf("%+v", f)
	}
	for name, want := range map[string]string{"trust": "a trust list", "empty": "", "lists": "a directory of 3"} {
		if got, ok := f.Part(name); !ok || string(got) != want || cap(got) != len(got) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, ok := f.Part("policies"); ok {
		t.Error("a part that is not there")
	}
	if !IsFile(f.Bytes()) || IsDelta(f.Bytes()) || len(f.Bytes())%8 != 0 {
		t.Error("not laid out as it should be")
	}
	// Signed once more, it is the same bundle.
	again := small(t, 3)
	if again.Digest() != f.Digest() || again.Digest() == small(t, 4).Digest() {
		t.Error("digest")
	}
	other, err := keys.New("key-2", keys.UseHub, keys.EdDSA, made, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(other.Public()); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v", err)
	}
}

func TestPackRefuses(t *testing.T) {
	good := []Part{{"trust", nil}}
	for name, c := range map[string]struct {
		header Header
		parts  []Part
	}{
		"no name":          {Header{Sequence: 1, CreatedAt: made, TrustList: 1}, good},
		"long name":        {Header{strings.Repeat("x", 65), 1, made, 1}, good},
		"no number":        {Header{"x", 0, made, 1}, good},
		"no time":          {Header{"x", 1, time.Time{}, 1}, good},
		"no trust list":    {Header{"x", 1, made, 0}, good},
		"no parts":         {header(1), nil},
		"twice":            {header(1), []Part{{"a", nil}, {"a", nil}}},
		"without a name":   {header(1), []Part{{"", nil}}},
		"a name of blanks": {header(1), []Part{{"a b", nil}}},
		"a long name":      {header(1), []Part{{strings.Repeat("x", 513), nil}}},
		"too many":         {header(1), make([]Part, 4097)},
		"too large":        {header(1), []Part{{"a", make([]byte, MaxSize)}}},
	} {
		if file, err := Pack(c.header, c.parts, hub); !errors.Is(err, ErrParts) || file != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEveryByteCounts flips every bit of a bundle, and cuts it off and lengthens
// it everywhere: each is found, whatever it is that was damaged.
func TestEveryByteCounts(t *testing.T) {
	f := small(t, 3)
	refused := func(data []byte) error {
		g, err := Open(data)
		if err == nil {
			err = g.Verify(hub.Public())
		}
		return err
	}
	names := map[string]bool{}
	for i := range f.Bytes() {
		for bit := range 8 {
			data := slices.Clone(f.Bytes())
			data[i] ^= 1 << bit
			err := refused(data)
			if err == nil {
				t.Fatalf("bit %d of byte %d was flipped and nobody saw it", bit, i)
			}
			if errors.Is(err, ErrPart) {
				names[err.Error()] = true
			}
		}
		if err := refused(f.Bytes()[:i]); err == nil {
			t.Fatalf("cut off at %d", i)
		}
	}
	if len(names) != 4 { // the fifth is empty
		t.Errorf("damaged parts that were named: %v", names)
	}
	for _, more := range []string{"\n", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if err := refused(append(slices.Clone(f.Bytes()), more...)); err == nil {
			t.Errorf("lengthened by %q", more)
		}
	}
}

// TestPartsChangePlaces: a table that was not signed is found, whatever is wrong.
func TestPartsChangePlaces(t *testing.T) {
	f := small(t, 3)
	var parts []Part
	for i := range f.Table {
		parts = append(parts, Part{f.Table[i].Name, f.part(i)})
	}
	for name, change := range map[string]func([]Part) []Part{
		"missing":      func(p []Part) []Part { return append(p[:1], p[2:]...) },
		"twice":        func(p []Part) []Part { return append(p, p[1]) },
		"one more":     func(p []Part) []Part { return append(p, Part{"more", nil}) },
		"other order":  func(p []Part) []Part { p[0], p[1] = p[1], p[0]; return p },
		"other name":   func(p []Part) []Part { p[1].Name = "list"; return p },
		"other bytes":  func(p []Part) []Part { p[1].Bytes = []byte("x"); return p },
		"names moved":  func(p []Part) []Part { p[0].Name, p[1].Name = p[1].Name, p[0].Name; return p },
		"bytes moved":  func(p []Part) []Part { p[0].Bytes, p[1].Bytes = p[1].Bytes, p[0].Bytes; return p },
		"nothing left": func(p []Part) []Part { return p[:0] },
	} {
		p := change(slices.Clone(parts))
		table := make([]PartInfo, 0, len(p))
		for i := range p {
			one, err := tabled(p[i : i+1])
			if err != nil {
				t.Fatal(err)
			}
			table = append(table, one...)
		}
		if _, err := Open(assemble(f.JWS, table, p)); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// TestRoot holds the tree against the definition of RFC 9162.
func TestRoot(t *testing.T) {
	var leaves [][]byte
	seen := map[[32]byte]bool{}
	for i := range 20 {
		got := Root(leaves)
		if seen[got] {
			t.Fatalf("two trees of one root at %d", i)
		}
		seen[got] = true
		leaves = append(leaves, []byte{byte(i)})
	}
	// Of the empty tree and one leaf of nothing, as in the RFC's test vectors.
	if got := fmt.Sprintf("%x", Root(nil)); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Error(got)
	}
	if got := fmt.Sprintf("%x", Root([][]byte{{}})); got != "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" {
		t.Error(got)
	}
	if got := fmt.Sprintf("%x", Root([][]byte{{}, {0}, {0x10}})); got != "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" {
		t.Error(got)
	}
}

// TestGood: a download that broke off goes on after the last whole part.
func TestGood(t *testing.T) {
	f := small(t, 3)
	ends := []int64{0}
	_, _, head, err := ReadHead(f.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	ends = append(ends, head)
	for i := range f.Table {
		ends = append(ends, padded(f.starts[i]+f.Table[i].Size))
	}
	for n := range len(f.Bytes()) + 1 {
		want := int64(0)
		for _, e := range ends {
			if e <= int64(n) {
				want = e
			}
		}
		if got := Good(f.Bytes()[:n]); got != want {
			t.Fatalf("of %d bytes %d are good, want %d", n, got, want)
		}
		if n < int(head) {
			if _, _, _, err := ReadHead(f.Bytes()[:n]); !errors.Is(err, ErrShort) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	}
	for i := int(head); i < len(f.Bytes()); i++ {
		data := slices.Clone(f.Bytes())
		data[i] ^= 4
		if got := Good(data); got > int64(i) || got < head {
			t.Fatalf("damaged at %d, %d are good", i, got)
		}
	}
	if _, _, _, err := ReadHead([]byte("KPX")); !errors.Is(err, ErrFile) {
		t.Error(err)
	}
}

// TestDelta: between any two bundles, and from none, the file that comes is the
// one that was packed.
func TestDelta(t *testing.T) {
	text := strings.Repeat("the same, and the same again; ", 200)
	all := []*File{nil,
		pack(t, 1, Part{"trust", []byte("x")}),
		small(t, 2), small(t, 3),
		pack(t, 4, Part{"trust", []byte("y")}, Part{"sets/a", lists(t, 1, 3, 131072, 100, 1)}, Part{"lists", []byte(text)}),
		// Other members, lists that went and came, in another order; a text that changed in its midst.
		pack(t, 5, Part{"lists", []byte(text[:1000] + "!" + text[1007:])}, Part{"sets/a", append(lists(t, 9, 1, 131072, 100, 1), lists(t, 2, 2, 131072, 90, 2)...)}, Part{"trust", []byte("y")}),
		// Lists that grew; dense ones; the same part under another name.
		pack(t, 6, Part{"trust", []byte("y")}, Part{"sets/b", lists(t, 2, 2, 131072, 90, 2)}, Part{"sets/a", lists(t, 2, 2, 140000, 90, 2)}, Part{"issued/a", lists(t, 3, 2, 262144+8, 2, 2)}),
		pack(t, 7, Part{"trust", []byte("y")}, Part{"sets/a", lists(t, 2, 2, 131072, 90, 2)}, Part{"issued/a", lists(t, 3, 2, 262144+8, 2, 3)}),
		// What is called a set and is none is sent whole.
		pack(t, 8, Part{"trust", []byte("y")}, Part{"sets/a", []byte("no sets at all")}, Part{"issued/a", nil}),
		// Sets that this program would lay out otherwise are sent whole.
		pack(t, 9, Part{"trust", []byte("y")}, Part{"sets/a", oddly(2, 131072, 5)}, Part{"sets/b", lists(t, 2, 2, 131072, 90, 3)}),
	}
	for i, from := range all {
		for j, to := range all {
			if to == nil {
				continue
			}
			delta, err := Diff(from, to)
			if err != nil {
				t.Fatalf("%d to %d: %v", i, j, err)
			}
			made, err := Apply(from, delta)
			if err != nil || !bytes.Equal(made, to.Bytes()) {
				t.Fatalf("%d to %d: %v", i, j, err)
			}
			d, err := ReadDelta(delta)
			if err != nil || d.To.Sequence != to.Sequence || !IsDelta(delta) || IsFile(delta) {
				t.Fatalf("%d to %d: %v", i, j, err)
			}
			if from == nil && d.From != [32]byte{} || from != nil && d.From != from.Digest() {
				t.Errorf("%d to %d: starts elsewhere", i, j)
			}
			for k, other := range all {
				if k != (i+1+j%2)%len(all) {
					continue
				}
				if made, err := Apply(other, delta); !errors.Is(err, ErrChain) || made != nil {
					t.Errorf("from %d, made for %d: %v", k, i, err)
				}
			}
		}
	}
}

// oddly gives a part with one set of one member, in a bit for each place.
func oddly(key byte, places uint64, member int) []byte {
	b := append([]byte{key, 0, 0, 0, 0, 0, 0, 0}, "KPWS\x01\x00\x11\x00"...)
	b = append(binary.LittleEndian.AppendUint64(b, places), 2, 0, 0, 0, 0, 0, 0, 0)
	bits := make([]byte, places/8)
	bits[member/8] = 1 << (member % 8)
	return append(b, bits...)
}

// TestDeltaEveryByteCounts flips every bit of a delta and cuts it off everywhere.
func TestDeltaEveryByteCounts(t *testing.T) {
	from, to := small(t, 2), small(t, 3)
	delta, err := Diff(from, to)
	if err != nil {
		t.Fatal(err)
	}
	for i := range delta {
		for bit := range 8 {
			data := slices.Clone(delta)
			data[i] ^= 1 << bit
			if made, err := Apply(from, data); err == nil || made != nil {
				t.Fatalf("bit %d of byte %d was flipped and nobody saw it", bit, i)
			}
		}
		if _, err := Apply(from, delta[:i]); !errors.Is(err, ErrDelta) {
			t.Fatalf("cut off at %d: %v", i, err)
		}
	}
	if _, err := Apply(from, append(slices.Clone(delta), 0)); !errors.Is(err, ErrDelta) {
		t.Error(err)
	}
	// The base was damaged since it was opened: what comes of it is not the bundle.
	for i := from.starts[0]; i < int64(len(from.Bytes())); i++ {
		data := slices.Clone(from.Bytes())
		data[i] ^= 1
		f, err := Open(data)
		if err != nil {
			continue
		}
		made, err := Apply(f, delta)
		if err == nil && !bytes.Equal(made, to.Bytes()) {
			t.Fatalf("made something else of a base damaged at %d", i)
		}
	}
}

// TestDeltaOfLies: bodies that a stranger wrote, whole to the checksum.
func TestDeltaOfLies(t *testing.T) {
	from, to := small(t, 2), small(t, 3)
	for name, body := range map[string][]byte{
		"nothing":           {},
		"too few parts":     {1, opSame, 0},
		"no such part":      {99, opSame, 0},
		"the same as none":  {0, 1, 'x', opSame, 0},
		"no such op":        {1, 9, 0},
		"a name cut off":    {0, 200},
		"same with a text":  {1, opSame, 1, 'x'},
		"sets that are not": {1, opSets, 0},
		"another root":      {1, opSame, 0, 2, opSame, 0, 3, opSame, 0, 4, opSame, 0, 5, opSame, 0},
		"more than that":    {1, opSame, 0, 2, opSame, 0, 3, opSame, 0, 4, opSame, 0, 5, opSame, 0, 1, opSame, 0},
		"one part twice":    {1, opSame, 0, 1, opSame, 0, 1, opSame, 0, 1, opSame, 0, 1, opSame, 0},
		"an edit too long":  append([]byte{2, opEdit}, counts(binary.AppendUvarint([]byte{0, 0}, 1<<40))...),
		"an edit elsewhere": append([]byte{2, opEdit}, counts(binary.AppendUvarint([]byte{0}, 1<<40), []byte{1})...),
		"a set of 2^40":     append([]byte{4, opSets}, counts([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8}, counts([]byte{1}, binary.AppendUvarint(nil, 1<<40), make([]byte, 64)))...),
	} {
		if made, err := Apply(from, forged(from, to, body)); !errors.Is(err, ErrDelta) || made != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlacesAreBounded: a short text cannot ask for the work of more places than a
// bundle may have, also not by naming one list again and again.
func TestPlacesAreBounded(t *testing.T) {
	part := lists(t, 1, 1, 300, 20, 1)
	for left, want := range map[uint64]error{300: nil, 299: ErrDelta, 0: ErrDelta} {
		places := left
		if made, err := patchSets(part, []byte{1, 0}, &places); !errors.Is(err, want) || want == nil && !bytes.Equal(made, part) {
			t.Errorf("%d places left: %v", left, err)
		}
	}
	places := uint64(500)
	if _, err := patchSets(part, []byte{1, 0, 1, 0}, &places); !errors.Is(err, ErrDelta) {
		t.Errorf("twice: %v", err)
	}
}

// counts joins pieces and writes their length before them.
func counts(pieces ...[]byte) []byte {
	all := slices.Concat(pieces...)
	return append(binary.AppendUvarint(nil, uint64(len(all))), all...)
}
