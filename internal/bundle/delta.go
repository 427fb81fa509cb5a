package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/flate"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of deltas.
var (
	// ErrDelta: the bytes are not a delta, cut off or damaged.
	ErrDelta = fault.New(fault.Invalid, "bundle-delta", "not a change of a border bundle that can be read")
	// ErrChain: the delta starts at another bundle than this one. Fetch the whole.
	ErrChain = fault.New(fault.Conflict, "bundle-chain", "the change starts at another border bundle than this one").
			WithHint("fetch the whole bundle")
)

const (
	deltaMagic = "KPD2\n\x00\x00\x00"
	deltaStart = 44 // of the manifest

	opSame  = 0
	opWhole = 1
	opEdit  = 2
	opSets  = 3
)

// IsDelta reports whether data begins as a delta does.
func IsDelta(data []byte) bool { return bytes.HasPrefix(data, []byte(deltaMagic)) }

// Delta is the change from one bundle to another.
type Delta struct {
	From [32]byte // the digest of the manifest at which it starts; zero: at nothing
	To   *Manifest

	body []byte // compressed
}

// ReadDelta reads a delta (ErrDelta). Nothing of it is to be believed: what Apply
// makes of it is verified as any bundle is.
func ReadDelta(delta []byte) (*Delta, error) {
	if len(delta) > MaxSize || len(delta) < deltaStart+sha256.Size || !IsDelta(delta) {
		return nil, ErrDelta
	}
	rest := delta[:len(delta)-sha256.Size]
	if sha256.Sum256(rest) != [32]byte(delta[len(rest):]) {
		return nil, ErrDelta
	}
	signed := uint64(binary.LittleEndian.Uint32(rest[40:]))
	if signed > maxSigned || signed > uint64(len(rest)-deltaStart) {
		return nil, ErrDelta
	}
	m, err := OpenManifest(string(rest[deltaStart : deltaStart+signed]))
	if err != nil {
		return nil, ErrDelta.With(err)
	}
	return &Delta{From: [32]byte(rest[8:]), To: m, body: rest[deltaStart+signed:]}, nil
}

// Diff gives the change from any bundle to any other. A nil from is no bundle at
// all: that is the smallest form in which a whole one travels. Apply was tried
// with what it gives.
func Diff(from, to *File) ([]byte, error) {
	change, err := diff(from, to, false)
	if err != nil {
		return nil, err
	}
	if made, err := Apply(from, change); err == nil && bytes.Equal(made, to.data) {
		return change, nil
	}
	// Somebody laid out a set otherwise than this program does.
	if change, err = diff(from, to, true); err != nil {
		return nil, err
	}
	made, err := Apply(from, change)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(made, to.data) {
		return nil, ErrDelta.WithDetail("the change does not make the bundle that it should")
	}
	return change, nil
}

// diff writes a change. With tried, each change of sets was tried by itself, and
// where it does not give the part the whole part is written.
func diff(from, to *File, tried bool) ([]byte, error) {
	var old []PartInfo
	out := append([]byte(deltaMagic), make([]byte, 32)...)
	if from != nil {
		d := from.Digest()
		copy(out[8:], d[:])
		old = from.Table
	}
	names := make(map[string]int, len(old))
	for i := range old {
		names[old[i].Name] = i
	}
	var body []byte
	for i := range to.Table {
		p, now := &to.Table[i], to.part(i)
		var was []byte
		j, had := names[p.Name]
		if had {
			was = from.part(j)
			body = binary.AppendUvarint(body, uint64(j)+1)
		} else {
			body = append(binary.AppendUvarint(append(body, 0), uint64(len(p.Name))), p.Name...)
		}
		op, change := byte(opSame), []byte(nil)
		if !had || p.Size != old[j].Size || p.SHA256 != old[j].SHA256 {
			op, change = diffPart(p.Name, was, now, tried)
		}
		body = append(binary.AppendUvarint(append(body, op), uint64(len(change))), change...)
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(to.JWS)))
	packed := bytes.NewBuffer(append(out, to.JWS...))
	w, err := flate.NewWriter(packed, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(packed.Bytes())
	packed.Write(sum[:])
	return packed.Bytes(), nil
}

// diffPart gives the shortest way to write a part.
func diffPart(name string, was, now []byte, tried bool) (op byte, change []byte) {
	if isSets(name) {
		c, err := diffSets(was, now)
		if err != nil || len(c) >= len(now) {
			return opWhole, now
		}
		if tried {
			places := uint64(MaxAllPlaces)
			if made, err := patchSets(was, c, &places); err != nil || !bytes.Equal(made, now) {
				return opWhole, now
			}
		}
		return opSets, c
	}
	if c := diffBytes(was, now); len(was) > 0 && len(c) < len(now) {
		return opEdit, c
	}
	return opWhole, now
}

// Apply makes the new file of the old one: byte for byte the one that the hub
// packed, or an error. ErrChain says that the delta starts at another bundle; from
// is nil for one that starts at nothing. What was made is not verified: that takes
// the anchors, and is the same for every bundle.
func Apply(from *File, delta []byte) ([]byte, error) {
	d, err := ReadDelta(delta)
	if err != nil {
		return nil, err
	}
	var start [32]byte
	var old []PartInfo
	if from != nil {
		start, old = from.Digest(), from.Table
	}
	if d.From != start {
		return nil, ErrChain
	}
	body, err := inflate(d.body)
	if err != nil {
		return nil, err
	}
	var parts []Part
	places, room := uint64(MaxAllPlaces), uint64(MaxSize)
	for range d.To.Parts {
		var p Part
		var was []byte
		j, rest, ok := uvarint(body)
		switch {
		case !ok || j > uint64(len(old)):
			return nil, ErrDelta
		case j > 0:
			p.Name, was = old[j-1].Name, from.part(int(j-1))
		default:
			var name []byte
			if name, rest, ok = counted(rest); !ok {
				return nil, ErrDelta
			}
			p.Name = string(name)
		}
		if len(rest) == 0 {
			return nil, ErrDelta
		}
		op := rest[0]
		change, rest, ok := counted(rest[1:])
		if !ok {
			return nil, ErrDelta
		}
		body = rest
		switch {
		case op == opSame && j > 0 && len(change) == 0:
			p.Bytes = was
		case op == opWhole:
			p.Bytes = change
		case op == opEdit:
			p.Bytes, err = patchBytes(was, change, room)
		case op == opSets && isSets(p.Name):
			p.Bytes, err = patchSets(was, change, &places)
		default:
			err = ErrDelta
		}
		if err != nil {
			return nil, err
		}
		if uint64(len(p.Bytes)) > room {
			return nil, ErrDelta
		}
		room -= uint64(len(p.Bytes))
		parts = append(parts, p)
	}
	if len(body) != 0 {
		return nil, ErrDelta
	}
	table, err := tabled(parts)
	if err != nil {
		return nil, ErrDelta.With(err)
	}
	if root(table) != d.To.Root {
		return nil, ErrDelta.With(ErrRoot)
	}
	return assemble(d.To.JWS, table, parts), nil
}

// inflate expands what fills packed exactly, up to the size of a bundle.
func inflate(packed []byte) ([]byte, error) {
	in := bytes.NewReader(packed)
	r := flate.NewReader(in)
	out, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil || len(out) > MaxSize || in.Len() != 0 {
		return nil, ErrDelta.With(err)
	}
	return out, nil
}
