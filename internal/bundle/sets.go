package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/kinpass/kinpass/internal/status"
)

// A part of sets holds one set of places for each list of an issuer, one after
// the other: 8 bytes of key, then the set as status.Places writes it. The key says
// which list it is, so that lists may come and go and a change still finds the set
// that was.

// Places of all lists of one bundle together, and of one list.
const (
	// MaxPlaces bounds the places of one list.
	MaxPlaces = 1 << 27
	// MaxAllPlaces bounds those of all lists of a bundle.
	MaxAllPlaces = 1 << 32
)

// Keyed is the set of one list.
type Keyed struct {
	Key [8]byte
	*status.Places
}

// ListKey gives the key of a list, by whatever names it.
func ListKey(name string) [8]byte {
	sum := sha256.Sum256([]byte(name))
	return [8]byte(sum[:])
}

// AppendSet adds the set of one list to a part.
func AppendSet(part []byte, key [8]byte, places []byte) []byte {
	return append(append(part, key[:]...), places...)
}

// OpenSets reads a part of sets where it lies (ErrFile).
func OpenSets(part []byte) ([]Keyed, error) {
	var out []Keyed
	seen := map[[8]byte]bool{}
	for len(part) > 0 {
		if len(part) < 8 {
			return nil, ErrFile
		}
		k := Keyed{Key: [8]byte(part)}
		p, rest, err := status.OpenPlaces(part[8:])
		if err != nil || seen[k.Key] || p.Universe() > MaxPlaces {
			return nil, ErrFile.With(err)
		}
		k.Places, part = p, rest
		seen[k.Key] = true
		out = append(out, k)
	}
	return out, nil
}

// isSets reports whether the parts of this name are parts of sets.
func isSets(name string) bool {
	return strings.HasPrefix(name, "sets/") || strings.HasPrefix(name, "issued/")
}

// diffSets gives the change of a part of sets: for each set of the new part the
// number of the one that it comes of, counted from 1, and the length and the bytes
// of its change; or 0, its key, and the same for a set that is new.
func diffSets(from, to []byte) ([]byte, error) {
	old, err := OpenSets(from)
	if err != nil {
		return nil, err
	}
	next, err := OpenSets(to)
	if err != nil {
		return nil, err
	}
	at := make(map[[8]byte]int, len(old))
	for i := range old {
		at[old[i].Key] = i
	}
	var out []byte
	for _, n := range next {
		var was *status.Places
		if i, ok := at[n.Key]; ok && old[i].Universe() <= n.Universe() {
			out, was = binary.AppendUvarint(out, uint64(i)+1), old[i].Places
			if string(was.Bytes()) == string(n.Bytes()) {
				out = append(out, 0)
				continue
			}
		} else {
			out = append(append(out, 0), n.Key[:]...)
		}
		change, err := status.DiffPlaces(was, n.Places)
		if err != nil {
			return nil, err
		}
		out = append(binary.AppendUvarint(out, uint64(len(change))), change...)
	}
	return out, nil
}

// patchSets makes a change to a part of sets. places is how many there may still
// be in all lists.
func patchSets(from, change []byte, places *uint64) ([]byte, error) {
	old, err := OpenSets(from)
	if err != nil {
		return nil, err
	}
	var out []byte
	for len(change) > 0 {
		i, rest, ok := uvarint(change)
		if !ok || i > uint64(len(old)) {
			return nil, ErrDelta
		}
		var was *status.Places
		if i > 0 {
			k := &old[i-1]
			out, was = append(out, k.Key[:]...), k.Places
		} else {
			if len(rest) < 8 {
				return nil, ErrDelta
			}
			out, rest = append(out, rest[:8]...), rest[8:]
		}
		text, rest, ok := counted(rest)
		if !ok {
			return nil, ErrDelta
		}
		change = rest
		made := []byte(nil)
		if len(text) == 0 && was != nil {
			made = was.Bytes()
		} else if made, err = status.PatchPlaces(was, text, min(*places, MaxPlaces)); err != nil {
			return nil, ErrDelta.With(err)
		}
		p, _, err := status.OpenPlaces(made)
		if err != nil || p.Universe() > *places {
			return nil, ErrDelta.With(err)
		}
		*places -= p.Universe()
		if out = append(out, made...); len(out) > MaxSize {
			return nil, ErrDelta
		}
	}
	return out, nil
}
