package tlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// String gives the verifier as a note key (C2SP signed-note): name, hash and key,
// joined by "+".
func (v Verifier) String() string {
	alg := byte(algLog)
	if v.witness {
		alg = algCosignature
	}
	return fmt.Sprintf("%s+%08x+%s", v.Name, v.hash, base64.StdEncoding.EncodeToString(append([]byte{alg}, v.key...)))
}

// ParseVerifier reads what String gives, ErrVerifier for anything else.
func ParseVerifier(s string) (Verifier, error) {
	last := strings.LastIndex(s, "+")
	// The key's base64 may have a "+" of its own; the hash before it has eight digits.
	for last >= 0 {
		name, hash, ok := cutLast(s[:last])
		if ok && len(hash) == 8 && name != "" && !strings.ContainsAny(name, " \n+") {
			n, err := strconv.ParseUint(hash, 16, 32)
			key, err2 := base64.StdEncoding.Strict().DecodeString(s[last+1:])
			if err == nil && err2 == nil && len(key) == 1+ed25519.PublicKeySize {
				v := LogVerifier(name, key[1:])
				if key[0] == algCosignature {
					v = WitnessVerifier(name, key[1:])
				}
				if (key[0] == algLog || key[0] == algCosignature) && v.hash == uint32(n) && v.String() == s {
					return v, nil
				}
			}
		}
		last = strings.LastIndex(s[:last], "+")
	}
	return Verifier{}, ErrVerifier
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndex(s, "+")
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// PublicKey gives the key itself.
func (v Verifier) PublicKey() ed25519.PublicKey { return v.key }

// IsWitness tells a witness's key from a log's.
func (v Verifier) IsWitness() bool { return v.witness }

// Origin reads of which log a signed checkpoint says it is. Nothing is verified,
// and the signatures are not looked at.
func Origin(signed []byte) (string, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok || len(signed) > maxCheckpoint {
		return "", ErrCheckpoint
	}
	c, err := parseText(text + "\n")
	return c.Origin, err
}

// Known gives the checkpoint with those of its signatures that the policy knows:
// one of each, in the policy's order, so that what strangers add to a note goes no
// further.
func (p Policy) Known(signed []byte) ([]byte, error) {
	if _, err := p.Open(signed); err != nil {
		return nil, err
	}
	text, lines, err := split(signed)
	if err != nil {
		return nil, err
	}
	out := []byte(text + "\n")
	for _, v := range append([]Verifier{p.Log}, p.Witnesses...) {
		at := slices.IndexFunc(lines, func(l signature) bool { return v.signs(l) })
		if at >= 0 {
			out = append(out, lines[at].String()...)
		}
	}
	return out, nil
}

func (v Verifier) signs(l signature) bool {
	return v.key != nil && v.Name == l.name && v.hash == l.hash
}

// String gives the signature's line.
func (l signature) String() string {
	return "— " + l.name + " " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, l.hash), l.sig...)) + "\n"
}

// Cosigned finds a witness's cosignature of a signed checkpoint among the lines
// that it answered with, and tells when the witness saw it. Other lines are passed
// over; one of this witness that does not hold is ErrUnsigned.
func Cosigned(signed, answer []byte, w Verifier) (line []byte, at time.Time, err error) {
	text, _, err := split(signed)
	if err != nil {
		return nil, time.Time{}, err
	}
	_, lines, err := split(append([]byte(text+"\n"), answer...))
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, l := range lines {
		if !w.signs(l) {
			continue
		}
		at, ok := w.verify([]byte(text), l.sig)
		if !ok || !w.witness || at.Unix() == 0 {
			return nil, time.Time{}, ErrUnsigned
		}
		return []byte(l.String()), at, nil
	}
	return nil, time.Time{}, ErrUnsigned
}

// Merge adds to a signed checkpoint the signatures of another copy of it that it
// lacks. Nothing is verified; ErrCheckpoint if they are not of one checkpoint.
func Merge(signed, other []byte) ([]byte, error) {
	text, have, err := split(signed)
	if err != nil {
		return nil, err
	}
	text2, more, err := split(other)
	if err != nil {
		return nil, err
	}
	if text != text2 {
		return nil, ErrCheckpoint
	}
	out := bytes.Clone(signed)
	for _, l := range more {
		if !slices.ContainsFunc(have, func(h signature) bool { return h.name == l.name && h.hash == l.hash }) {
			out = append(out, l.String()...)
		}
	}
	return out, nil
}

// Peek reads a signed checkpoint without verifying it.
func Peek(signed []byte) (Checkpoint, error) {
	text, _, err := split(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	return parseText(text)
}

// EmptyRoot is the root of a log without entries.
func EmptyRoot() Hash { return Hash(sha256.Sum256(nil)) }

// ParseHash reads a hash in base64, in its one spelling.
func ParseHash(s string) (Hash, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(Hash{}) || Hash(b).String() != s {
		return Hash{}, ErrProof
	}
	return Hash(b), nil
}
