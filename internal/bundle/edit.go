package bundle

import (
	"encoding/binary"
)

// An edit makes one text of another: in turn, a counted piece that is new, and
// the place and the length of one that is in the old text (0 and 0 at the end,
// where there is none).

// grain is the length of the pieces by which an old text is found again.
const grain = 16

// diffBytes gives an edit.
func diffBytes(from, to []byte) []byte {
	places := make(map[[grain]byte]int, len(from)/grain)
	for i := 0; i+grain <= len(from); i += grain {
		if k := [grain]byte(from[i:]); places[k] == 0 {
			places[k] = i + 1
		}
	}
	var out []byte
	emit := func(piece []byte, at, n int) {
		out = append(binary.AppendUvarint(out, uint64(len(piece))), piece...)
		out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(at)), uint64(n))
	}
	start := 0 // of what was not written yet
	for i := 0; i+grain <= len(to); {
		at := places[[grain]byte(to[i:])] - 1
		if at < 0 {
			i++
			continue
		}
		n := grain
		for i > start && at > 0 && to[i-1] == from[at-1] {
			i, at, n = i-1, at-1, n+1
		}
		for i+n < len(to) && at+n < len(from) && to[i+n] == from[at+n] {
			n++
		}
		emit(to[start:i], at, n)
		i += n
		start = i
	}
	if start < len(to) {
		emit(to[start:], 0, 0)
	}
	return out
}

// patchBytes makes an edit, of at most limit bytes.
func patchBytes(from, edit []byte, limit uint64) ([]byte, error) {
	var out []byte
	for len(edit) > 0 {
		piece, rest, ok := counted(edit)
		if !ok {
			return nil, ErrDelta
		}
		at, rest, ok := uvarint(rest)
		if !ok {
			return nil, ErrDelta
		}
		n, rest, ok := uvarint(rest)
		if !ok || at > uint64(len(from)) || n > uint64(len(from))-at || uint64(len(out))+uint64(len(piece))+n > limit {
			return nil, ErrDelta
		}
		out = append(append(out, piece...), from[at:at+n]...)
		edit = rest
	}
	return out, nil
}

// uvarint reads a number in its one shortest form.
func uvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// counted reads a piece that its length stands before.
func counted(b []byte) (piece, rest []byte, ok bool) {
	n, b, ok := uvarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}
