package status

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vectest"
)

func TestBits(t *testing.T) {
	l, err := New(MinSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{0, 7, 8, 94567, MinSize - 1} {
		if err := l.Set(i); err != nil {
			t.Fatal(err)
		}
	}
	if l.bits[0] != 0x81 || l.bits[1] != 0x80 {
		t.Fatalf("index 0 must be the most significant bit: % x", l.bits[:2])
	}
	if l.Count() != 5 || l.Len() != MinSize {
		t.Fatalf("count %d, len %d", l.Count(), l.Len())
	}
	if err := l.Clear(7); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int64]bool{0: true, 1: false, 6: false, 7: false, 8: true, 9: false, 94567: true, 94566: false, 94568: false, MinSize - 1: true} {
		if got, err := l.Get(i); err != nil || got != want {
			t.Errorf("index %d: %v, %v", i, got, err)
		}
	}
	for _, i := range []int64{-1, MinSize, 1 << 62, -1 << 63} {
		if got, err := l.Get(i); !errors.Is(err, ErrRange) || !got {
			t.Errorf("get %d: %v, %v", i, got, err)
		}
		if err := l.Set(i); !errors.Is(err, ErrRange) {
			t.Errorf("set %d: %v", i, err)
		}
		if err := l.Clear(i); !errors.Is(err, ErrRange) {
			t.Errorf("clear %d: %v", i, err)
		}
	}
	var zero List
	if set, err := zero.Get(0); !set || !errors.Is(err, ErrRange) {
		t.Error("the zero list must not say that anything is valid")
	}
	if _, err := zero.Encode(); !errors.Is(err, ErrLength) {
		t.Error("the zero list must not be published")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, n := range []int64{-8, 0, 8, MinSize - 8, MinSize + 1, MinSize + 7, MaxSize + 8, -1 << 63} {
		if l, err := New(n); !errors.Is(err, ErrSize) || l != nil {
			t.Errorf("size %d: %v", n, err)
		}
	}
}

func TestParseIndex(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "7": 7, "94567": 94567, "999999999999999999": 999999999999999999} {
		if got, err := ParseIndex(s); err != nil || got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "-1", "+1", "-0", "00", "01", " 1", "1 ", "1.0", "1e3", "0x10", "1_000", "٣", "1\n", "9223372036854775807", "99999999999999999999"} {
		if got, err := ParseIndex(s); !errors.Is(err, ErrIndex) || got != 0 {
			t.Errorf("%q was read as %d, %v", s, got, err)
		}
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int64{MinSize, MinSize + 8, 1 << 20} {
		for _, set := range []int{0, 1, 1000, int(size)} {
			l, _ := New(size)
			want := map[int64]bool{}
			for range set {
				i := rnd.Int64N(size)
				want[i] = true
				_ = l.Set(i)
			}
			a, err := l.Encode()
			if err != nil {
				t.Fatal(err)
			}
			b, _ := l.Encode()
			if a != b {
				t.Fatal("the same list gave two texts")
			}
			got, err := Decode(a, size/8)
			if err != nil || got.Len() != size || got.Count() != int64(len(want)) {
				t.Fatalf("size %d: %v", size, err)
			}
			for i := range want {
				if s, _ := got.Get(i); !s {
					t.Fatalf("index %d lost", i)
				}
			}
			if _, err := Decode(a, size/8-1); !errors.Is(err, ErrEncoding) {
				t.Errorf("a list over the limit was read: %v", err)
			}
		}
	}
}

// pack is what another implementation may publish.
func pack(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := stdgzip.NewWriter(&buf)
	w.Name, w.Comment, w.Extra = "list", "x", []byte{1, 2, 3, 4}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestDecodeHostile(t *testing.T) {
	const max = 1 << 17
	good := pack(t, make([]byte, MinSize/8))
	text := func(b []byte) string { return "u" + base64.RawURLEncoding.EncodeToString(b) }
	if _, err := Decode(text(good), max); err != nil {
		t.Fatalf("a good list was refused: %v", err)
	}
	change := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		if at < 0 {
			at += len(c)
		}
		c[at] ^= b
		return c
	}
	bomb := pack(t, make([]byte, 64<<20))
	lying := bytes.Clone(bomb) // says 16 KiB in its trailer
	copy(lying[len(lying)-4:], []byte{0, 0x40, 0, 0})
	promise := bytes.Clone(good) // says 4 GiB
	copy(promise[len(promise)-4:], []byte{0xff, 0xff, 0xff, 0xff})
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"empty":                {"", ErrEncoding},
		"header only":          {"u", ErrEncoding},
		"no multibase":         {text(good)[1:], ErrEncoding},
		"upper-case multibase": {"U" + text(good)[1:], ErrEncoding},
		"base58 multibase":     {"z" + text(good)[1:], ErrEncoding},
		"standard base64":      {"u" + base64.RawStdEncoding.EncodeToString(append(good, 0xff, 0xff, 0xff)), ErrEncoding},
		"padding":              {"u" + base64.URLEncoding.EncodeToString(good[:len(good)-1]) + "=", ErrEncoding},
		"line end":             {text(good)[:20] + "\n" + text(good)[20:], ErrEncoding},
		"carriage return":      {text(good) + "\r", ErrEncoding},
		"space":                {text(good) + " ", ErrEncoding},
		"not gzip":             {text(make([]byte, 64)), ErrEncoding},
		"raw bits":             {text(make([]byte, MinSize/8)), ErrEncoding},
		"cut":                  {text(good[:len(good)-9]), ErrEncoding},
		"trailing byte":        {text(append(bytes.Clone(good), 0)), ErrEncoding},
		"second member":        {text(append(bytes.Clone(good), good...)), ErrEncoding},
		"empty second member":  {text(append(bytes.Clone(good), pack(t, nil)...)), ErrEncoding},
		"checksum":             {text(change(-5, 1)), ErrEncoding},
		"length":               {text(change(-3, 1)), ErrEncoding},
		"method":               {text(change(2, 1)), ErrEncoding},
		"bomb":                 {text(bomb), ErrEncoding},
		"bomb that lies":       {text(lying), ErrEncoding},
		"promise":              {text(promise), ErrEncoding},
		"too long a text":      {"u" + strings.Repeat("A", 4*max), ErrEncoding},
		"short list":           {text(pack(t, make([]byte, MinSize/8-1))), ErrLength},
		"no entries":           {text(pack(t, nil)), ErrLength},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Decode(c.in, max)
			if !errors.Is(err, c.want) || l != nil {
				t.Fatalf("got %v, %v", l != nil, err)
			}
		})
	}
	if l, err := Decode(text(good), -1); err == nil || l != nil {
		t.Error("a negative limit read something")
	}
}

func TestVectors(t *testing.T) {
	dir := vectors(t)
	var file struct {
		Lists []struct {
			Length       int64   `json:"length"`
			Set          []int64 `json:"set"`
			Encoded      string  `json:"encodedList"`
			DecodedBytes int     `json:"decodedBytes"`
		} `json:"lists"`
	}
	read(t, filepath.Join(dir, "lists.json"), &file)
	if len(file.Lists) < 5 {
		t.Fatal("too few lists")
	}
	for n, v := range file.Lists {
		l, err := Decode(v.Encoded, 1<<20)
		if err != nil || l.Len() != v.Length || len(l.bits) != v.DecodedBytes {
			t.Fatalf("list %d: %v", n, err)
		}
		own, _ := New(v.Length)
		for _, i := range v.Set {
			if set, err := l.Get(i); err != nil || !set {
				t.Errorf("list %d: index %d is not set: %v", n, i, err)
			}
			if err := own.Set(i); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(own.bits, l.bits) {
			t.Errorf("list %d: other bits are set too", n)
		}
	}

	var examples []struct {
		Type    []string        `json:"type"`
		Subject json.RawMessage `json:"credentialSubject"`
		Status  json.RawMessage `json:"credentialStatus"`
	}
	read(t, filepath.Join(dir, "spec-examples.json"), &examples)
	lists := 0
	for n, x := range examples {
		var subject struct {
			Encoded string `json:"encodedList"`
		}
		if err := json.Unmarshal(x.Subject, &subject); err != nil {
			t.Fatal(err)
		}
		if subject.Encoded == "" {
			continue
		}
		lists++
		if l, err := Decode(subject.Encoded, 1<<20); err != nil || l.Len() != MinSize || l.Count() != 0 {
			t.Errorf("example %d: %v", n, err)
		}
	}
	if lists == 0 {
		t.Fatal("no status list among the examples of the specification")
	}
}

func vectors(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KINPASS_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "bitstring-status-list")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
			t.Fatalf("no vectors: %v", err)
		}
		t.Skipf("no vectors (set KINPASS_VECTORS): %v", err)
	}
	return dir
}

func read(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecode(f *testing.F) {
	l, _ := New(MinSize)
	_ = l.Set(42)
	s, _ := l.Encode()
	f.Add(s)
	f.Add("u" + base64.RawURLEncoding.EncodeToString(pack(f, make([]byte, MinSize/8))))
	f.Add("u" + base64.RawURLEncoding.EncodeToString(pack(f, make([]byte, 1<<20))))
	f.Add("uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA")
	f.Add("u")
	f.Add("")
	for _, list := range vectest.SeedTexts("bitstring-status-list", ".json", "encodedList") {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, in string) {
		const max = 64 << 10
		l, err := Decode(in, max)
		if err != nil {
			if l != nil {
				t.Fatal("a refused list was returned")
			}
			return
		}
		if l.Len() < MinSize || l.Len() > max*8 {
			t.Fatalf("length %d", l.Len())
		}
		out, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(out, max)
		if err != nil || !bytes.Equal(back.bits, l.bits) {
			t.Fatal("encoding what was read changes it")
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	for _, s := range []string{"0", "94567", "01", "-1", "999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseIndex(s)
		if err == nil && (n < 0 || strconv.FormatInt(n, 10) != s) {
			t.Fatal("an index with two spellings")
		}
	})
}

// sparse is a list of 2^20 entries of which one in a hundred is set.
func sparse(b *testing.B) *List {
	b.Helper()
	l, err := New(1 << 20)
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1 << 20 / 100 {
		_ = l.Set(rnd.Int64N(1 << 20))
	}
	return l
}

func BenchmarkEncode1M(b *testing.B) {
	l := sparse(b)
	for b.Loop() {
		s, err := l.Encode()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(s)), "bytes/list")
	}
}

// BenchmarkEncode1MStandardLibrary is the baseline: compress/gzip at its
// default level.
func BenchmarkEncode1MStandardLibrary(b *testing.B) {
	l := sparse(b)
	for b.Loop() {
		var buf bytes.Buffer
		w := stdgzip.NewWriter(&buf)
		_, _ = w.Write(l.bits)
		_ = w.Close()
		s := "u" + base64.RawURLEncoding.EncodeToString(buf.Bytes())
		b.ReportMetric(float64(len(s)), "bytes/list")
	}
}

func BenchmarkDecode1M(b *testing.B) {
	s, err := sparse(b).Encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Decode(s, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
