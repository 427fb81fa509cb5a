package tlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var hour = time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)

// log is a log in memory.
type log struct {
	entries [][]byte
	hashes  []Hash
	root    Hash
}

func (l *log) ReadHashes(at []int64) ([]Hash, error) {
	out := make([]Hash, len(at))
	for k, i := range at {
		if i >= int64(len(l.hashes)) {
			return nil, fmt.Errorf("hash %d is not stored", i)
		}
		out[k] = l.hashes[i]
	}
	return out, nil
}

func (l *log) add(t testing.TB, entries ...[]byte) {
	t.Helper()
	stored, root, err := Append(int64(len(l.entries)), entries, l)
	if err != nil {
		t.Fatal(err)
	}
	l.hashes, l.root, l.entries = append(l.hashes, stored...), root, append(l.entries, entries...)
}

func (l *log) checkpoint() Checkpoint {
	return Checkpoint{"log.example/kinpass", int64(len(l.entries)), l.root}
}

func entry(t testing.TB, i int) []byte {
	t.Helper()
	b, err := Entry{Kind: Issued, Hour: hour, Office: "civil", Commitment: Commit([32]byte{byte(i), byte(i >> 8)}, []byte("x"))}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// key gives a key that is the same in each run.
func key(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func pub(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func logSigner(t testing.TB) note.Signer {
	t.Helper()
	s, err := LogSigner("log.example/kinpass", key(1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func witnessSigner(t testing.TB, n byte) note.Signer {
	t.Helper()
	s, err := WitnessSigner(fmt.Sprintf("witness.example/%d", n), key(n), func() time.Time { return hour.Add(time.Duration(n) * time.Minute) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func policy(quorum int) Policy {
	p := Policy{Log: LogVerifier("log.example/kinpass", pub(key(1))), Quorum: quorum}
	for n := byte(2); n <= 4; n++ {
		p.Witnesses = append(p.Witnesses, WitnessVerifier(fmt.Sprintf("witness.example/%d", n), pub(key(n))))
	}
	return p
}

// TestGrowth: a log that grows in steps of any size has the root of one that was
// made at once, continues each of its earlier selves, and proves every entry.
func TestGrowth(t *testing.T) {
	var grown, once log
	r := rand.New(rand.NewPCG(1, 2))
	earlier := []Checkpoint{grown.checkpoint()}
	for len(grown.entries) < 700 {
		var more [][]byte
		for range 1 + r.IntN(40) {
			more = append(more, entry(t, len(grown.entries)+len(more)))
		}
		grown.add(t, more...)
		earlier = append(earlier, grown.checkpoint())
	}
	once.add(t, grown.entries...)
	if once.root != grown.root || !slices.Equal(once.hashes, grown.hashes) {
		t.Fatal("the steps make another tree")
	}
	now := grown.checkpoint()
	for _, c := range earlier {
		var proof []Hash
		if c.Size > 0 {
			var err error
			if proof, err = ProveConsistency(now.Size, c.Size, &grown); err != nil {
				t.Fatal(err)
			}
		}
		if err := CheckConsistency(c, now, proof); err != nil {
			t.Fatalf("from %d: %v", c.Size, err)
		}
		bad := c
		bad.Root[3] ^= 1
		if c.Size > 0 {
			if err := CheckConsistency(bad, now, proof); !errors.Is(err, ErrInconsistent) {
				t.Fatalf("another history of %d: %v", c.Size, err)
			}
		}
		if c.Size < now.Size {
			if err := CheckConsistency(now, c, proof); !errors.Is(err, ErrInconsistent) {
				t.Fatalf("the log shrank to %d: %v", c.Size, err)
			}
		}
	}
	same := now
	same.Root[0] ^= 1
	if err := CheckConsistency(now, same, nil); !errors.Is(err, ErrInconsistent) {
		t.Errorf("two trees of one size: %v", err)
	}
	other := now
	other.Origin = "another.example"
	if err := CheckConsistency(now, other, nil); !errors.Is(err, ErrInconsistent) {
		t.Errorf("another log: %v", err)
	}
}

func signed(t testing.TB, l *log, witnesses ...byte) []byte {
	t.Helper()
	s, err := Sign(l.checkpoint(), logSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range witnesses {
		if s, err = Cosign(s, witnessSigner(t, w)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func filled(t testing.TB, n int) *log {
	t.Helper()
	l := &log{}
	for i := range n {
		l.add(t, entry(t, i))
	}
	return l
}

func TestPolicy(t *testing.T) {
	l := filled(t, 9)
	for _, c := range []struct {
		name      string
		witnesses []byte
		quorum    int
		want      error
	}{
		{"the log alone", nil, 0, nil}, {"no witness", nil, 1, ErrUnsigned}, {"one of one", []byte{2}, 1, nil}, {"one of two", []byte{2}, 2, ErrUnsigned},
		{"one twice", []byte{2, 2}, 2, ErrUnsigned}, {"two of two", []byte{2, 4}, 2, nil}, {"a stranger", []byte{9}, 1, ErrUnsigned},
		{"a stranger and one", []byte{9, 3}, 1, nil}, {"less than none", nil, -1, ErrUnsigned},
	} {
		got, err := policy(c.quorum).Open(signed(t, l, c.witnesses...))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil && (got.Checkpoint != l.checkpoint() || slices.Contains(c.witnesses, 2) && !got.Seen["witness.example/2"].Equal(hour.Add(2*time.Minute))) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	whole := string(signed(t, l, 2))
	for i := range whole {
		bad := whole[:i] + string(whole[i]^2) + whole[i+1:]
		if got, err := policy(1).Open([]byte(bad)); err == nil && got.Checkpoint != l.checkpoint() {
			t.Fatalf("another checkpoint with byte %d changed", i)
		} else if err == nil {
			t.Fatalf("byte %d may be changed", i)
		}
	}
	// A witness that signs another text, or another time, signs nothing.
	for name, bad := range map[string]string{
		"no text":         "\n\n— x AAAAAAAA\n",
		"no signature":    l.checkpoint().Text() + "\n",
		"an extension":    strings.Replace(whole, "\n\n", "\nmore\n\n", 1),
		"size with zero":  strings.Replace(whole, "\n9\n", "\n09\n", 1),
		"size with plus":  strings.Replace(whole, "\n9\n", "\n+9\n", 1),
		"negative":        strings.Replace(whole, "\n9\n", "\n-9\n", 1),
		"too long":        whole + strings.Repeat("— x AAAAAAAA\n", 2000),
		"no line's end":   strings.TrimSuffix(whole, "\n"),
		"another's name":  strings.Replace(whole, "log.example/kinpass\n", "log.example/other\n", 1),
		"empty signature": l.checkpoint().Text() + "\n— log.example/kinpass \n",
	} {
		if _, err := policy(0).Open([]byte(bad)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestProofs(t *testing.T) {
	for _, n := range []int{1, 2, 3, 255, 256, 257, 300} {
		l := filled(t, n)
		s := signed(t, l, 2)
		for _, i := range []int{0, n / 2, n - 1} {
			proof, err := Prove(int64(i), s, l)
			if err != nil {
				t.Fatal(err)
			}
			at, in, err := policy(1).Verify(l.entries[i], proof)
			if err != nil || at != int64(i) || in.Checkpoint != l.checkpoint() {
				t.Fatalf("%d of %d: %d %+v %v", i, n, at, in, err)
			}
			if _, _, err := policy(1).Verify(entry(t, n+1), proof); !errors.Is(err, ErrProof) {
				t.Errorf("another entry: %v", err)
			}
			if _, _, err := policy(2).Verify(l.entries[i], proof); !errors.Is(err, ErrUnsigned) {
				t.Errorf("too few witnesses: %v", err)
			}
		}
		if _, err := Prove(int64(n), s, l); !errors.Is(err, ErrProof) {
			t.Errorf("an entry that is not there: %v", err)
		}
	}
	l := filled(t, 20)
	proof, err := Prove(7, signed(t, l, 2), l)
	if err != nil {
		t.Fatal(err)
	}
	for i := range proof {
		bad := slices.Clone(proof)
		bad[i] ^= 2
		if at, in, err := policy(1).Verify(l.entries[7], bad); err == nil {
			t.Fatalf("byte %d may be changed: %d %+v", i, at, in)
		}
	}
}

// TestOtherSoftware: torchwood reads our checkpoints, cosignatures and proofs,
// and we read its.
func TestOtherSoftware(t *testing.T) {
	l := filled(t, 300)
	whole := signed(t, l, 2, 3)
	vkey, err := note.NewEd25519VerifierKey("log.example/kinpass", pub(key(1)))
	if err != nil {
		t.Fatal(err)
	}
	logKey, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	var witnesses []torchwood.Policy
	for _, n := range []byte{2, 3} {
		s, err := torchwood.NewCosignatureSigner(fmt.Sprintf("witness.example/%d", n), key(n))
		if err != nil {
			t.Fatal(err)
		}
		witnesses = append(witnesses, torchwood.SingleVerifierPolicy(s.Verifier()))
	}
	theirs := torchwood.ThresholdPolicy(4, append(witnesses, torchwood.SingleVerifierPolicy(logKey), torchwood.OriginPolicy("log.example/kinpass"))...)
	proof, err := Prove(123, whole, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := torchwood.VerifyProof(theirs, LeafHash(l.entries[123]), proof); err != nil {
		t.Error("torchwood refuses our proof: ", err)
	}
	if err := torchwood.VerifyProof(theirs, LeafHash(l.entries[124]), proof); err == nil {
		t.Error("torchwood takes anything")
	}

	c := l.checkpoint()
	signer, err := torchwood.NewCosignatureSigner("witness.example/4", key(4))
	if err != nil {
		t.Fatal(err)
	}
	made, err := note.Sign(&note.Note{Text: torchwood.Checkpoint{Origin: c.Origin, Tree: tlog.Tree{N: c.Size, Hash: c.Root}}.String()}, logSigner(t), signer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := policy(1).Open(made)
	if err != nil || got.Checkpoint != c || time.Since(got.Seen["witness.example/4"]).Abs() > time.Hour {
		t.Errorf("we refuse torchwood's checkpoint: %+v %v", got, err)
	}
	hashes, err := tlog.ProveRecord(c.Size, 5, l)
	if err != nil {
		t.Fatal(err)
	}
	if at, _, err := policy(1).Verify(l.entries[5], torchwood.FormatProof(5, hashes, made)); err != nil || at != 5 {
		t.Errorf("we refuse torchwood's proof: %d %v", at, err)
	}
}

// shelf is what a log's tiles look like to a client.
type shelf map[string][]byte

func (s shelf) ReadTiles(_ context.Context, tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		b, ok := s[torchwood.TilePath(t)]
		if !ok {
			return nil, fmt.Errorf("no tile %s", torchwood.TilePath(t))
		}
		out = append(out, b)
	}
	return out, nil
}
func (s shelf) SaveTiles([]tlog.Tile, [][]byte) {}
func (s shelf) ReadEndpoint(context.Context, string) ([]byte, error) {
	return nil, errors.New("none")
}

// TestTiles: a client of other making reads every entry from the shelf of a log
// that grew in steps, and holds each against the tree.
func TestTiles(t *testing.T) {
	l, s := &log{}, shelf{}
	from := int64(0)
	for _, step := range []int{1, 3, 252, 1, 300, 41} {
		for range step {
			l.add(t, entry(t, len(l.entries)))
		}
		to := int64(len(l.entries))
		for _, tile := range NewTiles(from, to) {
			var data []byte
			var err error
			if tile.L == -1 {
				data, err = Bundle(l.entries[tile.N<<8 : tile.N<<8+int64(tile.W)])
			} else {
				data, err = ReadTile(tile, l)
			}
			if err != nil {
				t.Fatal(err)
			}
			path := TilePath(tile)
			if back, err := ParseTilePath(path); err != nil || back != tile || path != torchwood.TilePath(tile) {
				t.Errorf("%s: %+v %v", path, back, err)
			}
			s[path] = data
		}
		from = to
	}
	client, err := torchwood.NewClient(s)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, e := range client.AllEntries(t.Context(), tlog.Tree{N: int64(len(l.entries)), Hash: l.root}, 0) {
		if !bytes.Equal(e, l.entries[i]) {
			t.Fatalf("entry %d differs", i)
		}
		n++
	}
	if client.Err() != nil || n != len(l.entries) {
		t.Errorf("%d of %d entries: %v", n, len(l.entries), client.Err())
	}
	for _, bad := range []string{"", "tile/", "tile/entries/", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/../000", "tile/8/0/000", "tile/data/000", "tile/-1/000", "tile/entries/000.p/03", "tile/64/000"} {
		if tile, err := ParseTilePath(bad); err == nil {
			t.Errorf("%q is the path of %+v", bad, tile)
		}
	}
	if _, err := Bundle([][]byte{make([]byte, maxEntry+1)}); !errors.Is(err, ErrEntry) {
		t.Errorf("a long entry: %v", err)
	}
}

func TestEntries(t *testing.T) {
	for _, e := range []Entry{
		{Kind: Issued, Hour: hour, Office: "civil", Commitment: [32]byte{1}},
		{Kind: Changed, Hour: hour, Office: "", Commitment: [32]byte{2}, List: 1<<32 - 1, Index: 77, Status: Suspended},
		{Kind: Accreditation, Hour: time.Unix(0, 0).UTC(), Office: strings.Repeat("a", 64)},
		{Kind: Witnessed, Hour: hour, Office: "notary"},
	} {
		b, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseEntry(b)
		if err != nil || got != e {
			t.Errorf("%+v came back as %+v (%v)", e, got, err)
		}
		for i := range b {
			if _, err := ParseEntry(b[:i]); !errors.Is(err, ErrEntry) {
				t.Errorf("cut at %d: %v", i, err)
			}
		}
		if _, err := ParseEntry(append(b, 0)); !errors.Is(err, ErrEntry) {
			t.Errorf("longer: %v", err)
		}
	}
	for name, e := range map[string]Entry{
		"no kind": {Hour: hour}, "unknown kind": {Kind: 8, Hour: hour}, "minutes": {Kind: Issued, Hour: hour.Add(time.Minute)}, "before 1970": {Kind: Issued, Hour: time.Unix(-3600, 0)},
		"far": {Kind: Issued, Hour: time.Date(2900, 1, 1, 0, 0, 0, 0, time.UTC)}, "a name in the label": {Kind: Issued, Hour: hour, Office: "Maria Silva"},
		"long label": {Kind: Issued, Hour: hour, Office: strings.Repeat("a", 65)}, "a place where none is": {Kind: Issued, Hour: hour, Index: 1}, "unknown status": {Kind: Changed, Hour: hour, Status: 3},
	} {
		if _, err := e.Bytes(); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, b := Commit([32]byte{1}, []byte("x")), Commit([32]byte{2}, []byte("x")); a == b || a == Commit([32]byte{1}, []byte("y")) {
		t.Error("a commitment does not depend on its salt or content")
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(entry(f, 1))
	b, err := Entry{Kind: Changed, Hour: hour, Office: "court", Index: 5, Status: Invalid}.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		if again, err := e.Bytes(); err != nil || !bytes.Equal(again, b) {
			t.Error("read, but not as it is written")
		}
	})
}

func FuzzProof(f *testing.F) {
	l := filled(f, 5)
	proof, err := Prove(2, signed(f, l, 2), l)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof)
	p := policy(1)
	f.Fuzz(func(t *testing.T, proof []byte) {
		if at, in, err := p.Verify(l.entries[2], proof); err == nil && (at != 2 || in.Checkpoint != l.checkpoint()) {
			t.Errorf("proven at %d of %+v", at, in)
		}
	})
}

func FuzzBundle(f *testing.F) {
	b, err := Bundle([][]byte{entry(f, 1), {}, entry(f, 2)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, 3)
	f.Add(b, 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		entries, err := ParseBundle(b, n)
		if err != nil {
			return
		}
		if again, err := Bundle(entries); err != nil || !bytes.Equal(again, b) {
			t.Error("read, but not as it is written")
		}
	})
}

// BenchmarkAppend adds a thousand entries to a log of a million, beside their
// bare hashes.
func BenchmarkAppend(b *testing.B) {
	l := &log{}
	var some [][]byte
	for i := range 1000 {
		some = append(some, entry(b, i))
	}
	for range 1000 {
		l.add(b, some...)
	}
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := Append(int64(len(l.entries)), some, l); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare hashes", func(b *testing.B) {
		for b.Loop() {
			for _, e := range some {
				LeafHash(e)
			}
		}
	})
}
