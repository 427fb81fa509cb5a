package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/klauspost/compress/flate"
)

// forged makes a delta with this body, whole to the checksum.
func forged(from, to *File, body []byte) []byte {
	d := from.Digest()
	out := append([]byte(deltaMagic), d[:]...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(to.JWS)))
	packed := bytes.NewBuffer(append(out, to.JWS...))
	w, err := flate.NewWriter(packed, 1)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write(body); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	sum := sha256.Sum256(packed.Bytes())
	return append(packed.Bytes(), sum[:]...)
}

// FuzzFile: whatever opens and verifies is the file that was packed.
func FuzzFile(f *testing.F) {
	good := small(f, 3)
	f.Add(0, byte(1), good.Bytes())
	f.Add(len(good.Bytes())-1, byte(128), good.Bytes())
	f.Add(9, byte(255), good.Bytes()[:40])
	f.Fuzz(func(t *testing.T, at int, flip byte, data []byte) {
		if len(data) > 0 {
			data = slices.Clone(data)
			data[uint(at)%uint(len(data))] ^= flip
		}
		n := Good(data)
		if n > int64(len(data)) || n%8 != 0 {
			t.Fatalf("%d of %d are good", n, len(data))
		}
		file, err := Open(data)
		if err != nil {
			if file != nil {
				t.Fatal("a file and an error")
			}
			return
		}
		for i := range file.Table {
			if p, ok := file.Part(file.Table[i].Name); !ok || int64(len(p)) != file.Table[i].Size {
				t.Fatal("a part is not what the table says")
			}
		}
		if file.Verify(hub.Public()) == nil && !bytes.Equal(data, good.Bytes()) {
			t.Fatal("a bundle that nobody packed verifies")
		}
	})
}

// FuzzManifest: what reads as a manifest and verifies was signed.
func FuzzManifest(f *testing.F) {
	good := small(f, 3)
	f.Add(good.JWS)
	f.Add("ey.ey.ey")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := OpenManifest(text)
		if err != nil {
			return
		}
		if m.ID == "" || m.Sequence < 1 || m.Parts < 1 {
			t.Fatalf("%+v", m)
		}
		if m.Verify(hub.Public()) == nil && text != good.JWS {
			t.Fatal("a manifest that nobody signed verifies")
		}
	})
}

// FuzzDelta: a body that a stranger wrote makes the bundle that was signed, or
// nothing; and whatever it says, it does so in bounded time and memory.
func FuzzDelta(f *testing.F) {
	from, to := small(f, 2), small(f, 3)
	good, err := Diff(from, to)
	if err != nil {
		f.Fatal(err)
	}
	d, err := ReadDelta(good)
	if err != nil {
		f.Fatal(err)
	}
	body, err := inflate(d.body)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte{4, opSets, 3, 1, 1, 0})
	f.Add([]byte{1, opSame, 0, 2, opEdit, 4, 1, 'x', 0, 5})
	f.Fuzz(func(t *testing.T, body []byte) {
		made, err := Apply(from, forged(from, to, body))
		if err == nil && !bytes.Equal(made, to.Bytes()) {
			t.Fatal("made something that nobody signed")
		}
		if _, err := Apply(from, body); err == nil {
			t.Fatal("a delta without a checksum")
		}
		if p, err := OpenSets(body); err == nil {
			for _, k := range p {
				for _, x := range []uint64{0, k.Universe() / 2, k.Universe()} {
					if in, err := k.Contains(x); err != nil && x < k.Universe() || err == nil && in && k.Len() == 0 {
						t.Fatalf("%d of %d: %v %v", x, k.Universe(), in, err)
					}
				}
			}
		}
	})
}
