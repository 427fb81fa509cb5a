package vc

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"

	"github.com/kinpass/kinpass/internal/vectest"
)

// jcsOf is canonicalJCS behind the check that it relies on.
func jcsOf(data []byte) ([]byte, error) {
	if err := CheckJSON(data, maxNesting); err != nil {
		return nil, err
	}
	return canonicalJCS(data, 0)
}

func TestJCSVectors(t *testing.T) {
	dir := vectest.Dir(t, "jcs")
	files, err := os.ReadDir(filepath.Join(dir, "input"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		// Not by way of CheckJSON, which takes "A" and "a" for one name.
		got, err := canonicalJCS(vectest.Read(t, dir, "input", f.Name()), 0)
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		if want := strings.TrimSpace(string(vectest.Read(t, dir, "output", f.Name()))); string(got) != want {
			t.Errorf("%s: %s, want %s", f.Name(), got, want)
		}
		raw := strings.Join(strings.Fields(string(vectest.Read(t, dir, "outhex", strings.TrimSuffix(f.Name(), ".json")+".txt"))), "")
		if hex.EncodeToString(got) != raw {
			t.Errorf("%s: other bytes than outhex", f.Name())
		}
		n += 2
	}
	if n != 12 {
		t.Errorf("%d JCS vectors, expected 12", n)
	}
	t.Logf("%d JCS vectors", n)
}

// TestJCSNumbers has the samples of RFC 8785, appendix B, by their bits.
func TestJCSNumbers(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0",
		0x8000000000000000: "0",
		0x0000000000000001: "5e-324",
		0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308",
		0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992",
		0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22",
		0x44b52d02c7e14af6: "1e+23",
		0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000",
		0x444b1ae4d6e2ef4f: "999999999999999900000",
		0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332",
		0x41b3de4355555554: "333333333.33333325",
		0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got := string(appendNumber([]byte("x"), math.Float64frombits(bits))); got != "x"+want {
			t.Errorf("%016x: %s, want %s", bits, got, want)
		}
	}
}

func TestJCS(t *testing.T) {
	for in, want := range map[string]string{
		` { "b" : [ ] , "a" : { } } `:                          `{"a":{},"b":[]}`,
		`{"b":{"d":1,"c":[true,null,{"z":0,"y":-0}]},"a":"x"}`: `{"a":"x","b":{"c":[true,null,{"y":0,"z":0}],"d":1}}`,
		`{"\u0062":1,"a":2}`:                                   `{"a":2,"b":1}`,
		`{"\uffe0":1,"\ud83d\ude00":2,"😁":3,"z":4}`:            `{"z":4,"😀":2,"😁":3,"￠":1}`,
		`["\u0000\u001f\u007f\/\"\\\b\t\n\f\r\u20ac"]`:         `["\u0000\u001f` + "\x7f" + `/\"\\\b\t\n\f\r€"]`,
		`{"ab":1,"a":2,"":3}`:                                  `{"":3,"a":2,"ab":1}`,
		`[1.0,1e2,1E-7,12345678901234567e-1,9007199254740992]`: `[1,100,1e-7,1234567890123456.8,9007199254740992]`,
		`{"q":1,"p":2,"o":3,"n":4,"m":5,"l":6,"k":7,"j":8,"i":9,"h":10,"g":11,"f":12,"e":13,"d":14,"c":15,"b":16,"a":17}`: `{"a":17,"b":16,"c":15,"d":14,"e":13,"f":12,"g":11,"h":10,"i":9,"j":8,"k":7,"l":6,"m":5,"n":4,"o":3,"p":2,"q":1}`,
	} {
		got, err := jcsOf([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
}

// TestJCSRefuses has texts that two readers could take for different values.
func TestJCSRefuses(t *testing.T) {
	for _, in := range []string{
		`["\ud800"]`, `["\ud800\u0041"]`, `["\udc00\ud800"]`, `["\ud83d"," \ude00"]`, `["\ud83dx"]`,
		`{"a":1,"\ud800":2}`, `{"x":{"b":1,"\ud800xx}}":0}}`,
		`[9007199254740993]`, `[-9007199254740993]`, `[123456789012345678901]`, `[1e400]`,
	} {
		if got, err := jcsOf([]byte(in)); !errors.Is(err, ErrJSON) || got != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

// FuzzJCS compares with another implementation wherever both give a text, and
// holds that the canonical form is a fixed point.
func FuzzJCS(f *testing.F) {
	for _, s := range vectest.Seeds("jcs/input", ".json", 10) {
		f.Add(s)
	}
	f.Add([]byte(`{"b":[1e21,-0.0,{"\ud83d\ude00":"\u0007"}],"a":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := jcsOf(data)
		if err != nil {
			if got != nil {
				t.Fatal("a failure gave a text")
			}
			return
		}
		if !json.Valid(got) {
			t.Fatalf("not JSON: %s", got)
		}
		again, err := jcsOf(got)
		if err != nil || string(again) != string(got) {
			t.Fatalf("not a fixed point: %s, then %s, %v", got, again, err)
		}
		// The other implementation reads no scalar with spaces around it.
		if c := got[0]; c == '{' || c == '[' {
			if want, err := jcs.Transform(data); err == nil && string(want) != string(got) {
				t.Fatalf("%s, another implementation %s", got, want)
			}
		}
	})
}

func BenchmarkJCS(b *testing.B) {
	data := vectest.Read(b, vectest.Dir(b, "vc-di-eddsa"), "employmentAuth.json")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := canonicalJCS(data, 0); err != nil {
			b.Fatal(err)
		}
	}
}
