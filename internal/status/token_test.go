package status

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/kinpass/kinpass/internal/vectest"
)

// The test vectors of the Token Status List draft, all four widths, in JSON and
// in CBOR: every entry is compared, not only those that are set.
func TestTokenVectors(t *testing.T) {
	var file struct {
		TestVectors []struct {
			Bits     int
			Entries  int64
			Statuses map[string]uint8
			Lst      string
			CBORHex  string `json:"cborHex"`
		}
	}
	if err := json.Unmarshal(vectest.Read(t, vectest.Dir(t, "token-status-list"), "vectors.json"), &file); err != nil {
		t.Fatal(err)
	}
	widths := map[int]bool{}
	for _, v := range file.TestVectors {
		packed, err := hex.DecodeString(v.CBORHex)
		if err != nil {
			t.Fatal(err)
		}
		var inCBOR struct {
			Bits int    `cbor:"bits"`
			Lst  []byte `cbor:"lst"`
		}
		if err := cbor.Unmarshal(packed, &inCBOR); err != nil {
			t.Fatal(err)
		}
		fromJSON, err := DecodeTokens(v.Bits, v.Lst, 1<<20)
		if err != nil {
			t.Fatalf("%d bits: %v", v.Bits, err)
		}
		fromCBOR, err := ExpandTokens(inCBOR.Bits, inCBOR.Lst, 1<<20)
		if err != nil {
			t.Fatalf("%d bits: %v", v.Bits, err)
		}
		made, err := NewTokens(v.Bits, v.Entries)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range v.Statuses {
			n, err := strconv.ParseInt(i, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if err := made.Set(n, s); err != nil {
				t.Errorf("%d bits, entry %d: %v", v.Bits, n, err)
			}
		}
		if fromJSON.Len() != v.Entries || fromCBOR.Len() != v.Entries {
			t.Errorf("%d bits: %d and %d entries", v.Bits, fromJSON.Len(), fromCBOR.Len())
		}
		for i := range v.Entries {
			want := v.Statuses[strconv.FormatInt(i, 10)]
			for name, l := range map[string]*Tokens{"JSON": fromJSON, "CBOR": fromCBOR, "made": made} {
				if got, err := l.Get(i); err != nil || got != want {
					t.Fatalf("%d bits, %s, entry %d: %d, %v; want %d", v.Bits, name, i, got, err, want)
				}
			}
		}
		again, err := made.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if l, err := DecodeTokens(v.Bits, again, 1<<20); err != nil || !bytes.Equal(l.data, fromJSON.data) {
			t.Errorf("%d bits: not the same after encoding: %v", v.Bits, err)
		}
		widths[v.Bits] = true
	}
	t.Logf("%d vectors, JSON and CBOR", len(file.TestVectors))
	if len(widths) != 4 {
		t.Errorf("vectors for %d widths, not 4", len(widths))
	}
}

// The examples of section 4.1: entry 0 sits in the lowest bits.
func TestTokenBitOrder(t *testing.T) {
	one, err := NewTokens(1, 16)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []uint8{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1} {
		if err := one.Set(int64(i), v); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.data, []byte{0xb9, 0xa3}) {
		t.Errorf("1 bit: %x", one.data)
	}
	two, err := NewTokens(2, 16)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []uint8{1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3} {
		if err := two.Set(int64(i), v); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(two.data[:3], []byte{0xc9, 0x44, 0xf9}) {
		t.Errorf("2 bits: %x", two.data)
	}
	if err := two.Set(1, TokenValid); err != nil {
		t.Fatal(err)
	}
	if v, _ := two.Get(1); v != TokenValid {
		t.Error("a status cannot be taken back")
	}
}

func TestTokensRefuse(t *testing.T) {
	if _, err := NewTokens(3, 8); !errors.Is(err, ErrWidth) {
		t.Error("3 bits:", err)
	}
	for _, n := range []int64{0, -8, 9, MaxSize + 8} {
		if _, err := NewTokens(1, n); !errors.Is(err, ErrSize) {
			t.Errorf("%d entries: %v", n, err)
		}
	}
	l, err := NewTokens(2, 16)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Set(0, 4); !errors.Is(err, ErrWidth) {
		t.Error("a value of three bits:", err)
	}
	for _, i := range []int64{-1, 16, 1 << 62} {
		if err := l.Set(i, 1); !errors.Is(err, ErrRange) {
			t.Errorf("set %d: %v", i, err)
		}
		if v, err := l.Get(i); !errors.Is(err, ErrRange) || v != TokenInvalid {
			t.Errorf("get %d: %d, %v", i, v, err)
		}
	}
	var none Tokens
	if v, err := none.Get(0); err == nil || v != TokenInvalid || none.Len() != 0 {
		t.Error("a list without entries says that a token is valid")
	}
	good, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for name, lst := range map[string]string{
		"empty": "", "not base64url": good + "*", "padded": good + "=", "a line end": good[:4] + "\n" + good[4:],
		"cut off": good[:len(good)-4], "not zlib": "AAAA", "something behind": good + "AAAA",
		"larger than allowed": base64.RawURLEncoding.EncodeToString(bomb.Bytes()),
	} {
		if l, err := DecodeTokens(2, lst, 1<<16); !errors.Is(err, ErrEncoding) || l != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeTokens(0, good, 1<<16); !errors.Is(err, ErrWidth) {
		t.Error("0 bits:", err)
	}
}

// Entries of several bits in a bitstring: the first bit is the highest.
func TestBitstringOfSeveralBits(t *testing.T) {
	l, err := New(MinSize)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.SetValue(1, 2, 0b10); err != nil {
		t.Fatal(err)
	}
	if err := l.SetValue(3, 5, 0b10011); err != nil {
		t.Fatal(err)
	}
	for bit, want := range []bool{false, false, true, false, false, false} {
		if got, _ := l.Get(int64(bit)); got != want {
			t.Errorf("bit %d: %v", bit, got)
		}
	}
	for _, x := range []struct {
		index int64
		size  int
		want  uint64
	}{{0, 2, 0}, {1, 2, 2}, {3, 5, 0b10011}, {0, 1, 0}, {2, 1, 1}, {0, 64, 1<<61 | 0b10011<<44}} {
		if got, err := l.Value(x.index, x.size); err != nil || got != x.want {
			t.Errorf("entry %d of %d bits: %b, %v", x.index, x.size, got, err)
		}
	}
	if err := l.SetValue(1, 2, 0); err != nil {
		t.Fatal(err)
	}
	if v, _ := l.Value(1, 2); v != 0 {
		t.Error("a status cannot be taken back")
	}
	last := int64(MinSize / 2)
	if _, err := l.Value(last-1, 2); err != nil {
		t.Error("the last entry:", err)
	}
	for _, x := range []struct {
		index int64
		size  int
		want  error
	}{{last, 2, ErrRange}, {-1, 2, ErrRange}, {1 << 62, 64, ErrRange}, {MinSize / 3, 3, ErrRange}, {0, 0, ErrWidth}, {0, 65, ErrWidth}} {
		if v, err := l.Value(x.index, x.size); !errors.Is(err, x.want) || v == 0 {
			t.Errorf("entry %d of %d bits: %d, %v", x.index, x.size, v, err)
		}
		if err := l.SetValue(x.index, x.size, 0); !errors.Is(err, x.want) {
			t.Errorf("entry %d of %d bits set: %v", x.index, x.size, err)
		}
	}
	if err := l.SetValue(0, 2, 4); !errors.Is(err, ErrWidth) {
		t.Error("a value of three bits:", err)
	}
}

func FuzzDecodeTokens(f *testing.F) {
	for _, width := range []int{1, 2, 4, 8} {
		l, _ := NewTokens(width, 64)
		_ = l.Set(5, 1)
		s, _ := l.Encode()
		f.Add(width, s)
	}
	f.Add(1, "eNrbuRgAAhcBXQ")
	f.Add(2, "")
	for _, lst := range vectest.SeedTexts("token-status-list", "vectors.json", "lst") {
		for _, width := range []int{1, 2, 4, 8} {
			f.Add(width, lst)
		}
	}
	const max = 128 << 10 // the published list of single bits fits
	f.Fuzz(func(t *testing.T, width int, lst string) {
		l, err := DecodeTokens(width, lst, max)
		if err != nil {
			if l != nil {
				t.Fatal("a list with an error")
			}
			return
		}
		if l.Len() < 1 || len(l.data) > max {
			t.Fatalf("%d entries", l.Len())
		}
		again, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if m, err := DecodeTokens(width, again, max); err != nil || !bytes.Equal(m.data, l.data) {
			t.Fatal("not the same after encoding")
		}
	})
}

// TestMarked: going through the marked places gives what asking for each gives.
func TestMarked(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, width := range []int{1, 2, 4, 8} {
		tokens, err := NewTokens(width, 4096)
		if err != nil {
			t.Fatal(err)
		}
		bits, err := New(MinSize)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int64]uint8{}
		for range 300 {
			i, v := r.Int64N(4096), uint8(1+r.IntN(1<<width-1))
			want[i] = v
			if err := errors.Join(tokens.Set(i, v), bits.Set(i)); err != nil {
				t.Fatal(err)
			}
		}
		last, n := int64(-1), 0
		for i, v := range tokens.Marked() {
			if i <= last || want[i] != v {
				t.Fatalf("%d: %d after %d, want %d", i, v, last, want[i])
			}
			last = i
			n++
		}
		last = -1
		for i := range bits.Marked() {
			if i <= last || want[i] == 0 {
				t.Fatalf("bit %d after %d", i, last)
			}
			last = i
			n++
		}
		if n != 2*len(want) {
			t.Errorf("%d of %d", n, 2*len(want))
		}
		for range tokens.Marked() {
			break
		}
		for range bits.Marked() {
			break
		}
	}
	for range (&Tokens{}).Marked() {
		t.Error("the zero list has entries")
	}
}
