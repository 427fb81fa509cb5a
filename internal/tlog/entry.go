package tlog

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Kind is what an entry is about.
type Kind byte

// Kinds of entries. Their numbers are in the ledger for ever.
const (
	Issued        Kind = 1 // a credential
	Reserved      Kind = 2 // a place for a consent that a guardian signs
	Changed       Kind = 3 // a place on a status list, as published
	Key           Kind = 4 // a key: made, retired, cut off
	TrustList     Kind = 5 // a trust list
	Accreditation Kind = 6 // an accreditation: granted, lapsed, suspended
	Witnessed     Kind = 7 // a consent that was witnessed: its place was reserved, in this ledger or another
)

// Status is what a place on the published lists became.
type Status byte

// Values of a changed place.
const (
	Valid     Status = 0
	Invalid   Status = 1
	Suspended Status = 2
)

// Entry is one entry of the ledger. It holds no personal data and no hash of any:
// the commitment hides what it commits to from whoever lacks the salt, and when the
// salt is deleted, for ever.
//
// Its bytes, big endian, are
//
//	1   version, 1
//	1   kind
//	4   hour: hours since 1970-01-01 UTC in which it happened, or of a changed place, was published
//	1   length of the office's label, then the label: at most 64 bytes of a-z, 0-9 and "-"; the role, or role-office
//	32  commitment
//	    and of a changed place only: list (4), index (4), status (1)
//
// The hour and not the second: two entries of one hour cannot be told apart by
// who knows when somebody was at the counter.
type Entry struct {
	Kind       Kind
	Hour       time.Time // a whole hour, UTC
	Office     string
	Commitment [32]byte

	// Of a changed place.
	List, Index uint32
	Status      Status
}

// SaltSize is the length of a commitment's salt, in bytes.
const SaltSize = 32

const (
	entryVersion = 1
	maxOffice    = 64
	// maxHour is in the year 2700.
	maxHour = 6_400_000
)

// Commit gives the commitment to a credential, or to what stands for a change:
// H("kinpass/commit/v1" || salt || H(content)). The salt is random and as long as
// every other, so that the parts cannot be divided otherwise.
func Commit(salt [SaltSize]byte, content []byte) [32]byte {
	return CommitSum(salt, sha256.Sum256(content))
}

// CommitSum is Commit for who has only the content's SHA-256.
func CommitSum(salt [SaltSize]byte, content [32]byte) [32]byte {
	return sha256.Sum256(slices.Concat([]byte("kinpass/commit/v1"), salt[:], content[:]))
}

// Bytes gives the entry's bytes, ErrEntry if it is none.
func (e Entry) Bytes() ([]byte, error) {
	hour := e.Hour.Unix() / 3600
	if e.Kind < Issued || e.Kind > Witnessed || !goodOffice(e.Office) || e.Hour.Unix()%3600 != 0 || e.Hour.Nanosecond() != 0 || hour < 0 || hour > maxHour {
		return nil, ErrEntry
	}
	if e.Kind != Changed && (e.List != 0 || e.Index != 0 || e.Status != 0) || e.Status > Suspended {
		return nil, ErrEntry
	}
	out := append(make([]byte, 0, 7+len(e.Office)+32+9), entryVersion, byte(e.Kind))
	out = binary.BigEndian.AppendUint32(out, uint32(hour))
	out = append(append(out, byte(len(e.Office))), e.Office...)
	out = append(out, e.Commitment[:]...)
	if e.Kind == Changed {
		out = binary.BigEndian.AppendUint32(out, e.List)
		out = append(binary.BigEndian.AppendUint32(out, e.Index), byte(e.Status))
	}
	return out, nil
}

func goodOffice(s string) bool {
	if len(s) > maxOffice {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ParseEntry reads an entry: exactly the bytes that Bytes gives, or ErrEntry.
func ParseEntry(b []byte) (Entry, error) {
	if len(b) < 7+32 || b[0] != entryVersion {
		return Entry{}, ErrEntry
	}
	n := int(b[6])
	e := Entry{Kind: Kind(b[1]), Hour: time.Unix(int64(binary.BigEndian.Uint32(b[2:]))*3600, 0).UTC()}
	b = b[7:]
	want := n + 32
	if e.Kind == Changed {
		want += 9
	}
	if len(b) != want {
		return Entry{}, ErrEntry
	}
	e.Office = string(b[:n])
	copy(e.Commitment[:], b[n:])
	if e.Kind == Changed {
		b = b[n+32:]
		e.List, e.Index, e.Status = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), Status(b[8])
	}
	if _, err := e.Bytes(); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// LeafHash gives the hash of an entry in the tree (RFC 9162, section 2.1.1).
func LeafHash(entry []byte) Hash { return tlog.RecordHash(entry) }
