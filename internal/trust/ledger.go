package trust

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// maxWitnesses bounds the witnesses of a list.
const maxWitnesses = 64

// ErrLedgerChanged: an issuer keeps one ledger, under one name and one key. A
// second one would be a second history.
var ErrLedgerChanged = fault.New(fault.Conflict, "trust-ledger-changed", "the trust list names another ledger of this issuer, and a ledger never changes its name or its key")

// SetLedger names an issuer's ledger: its origin and the key that signs its
// checkpoints. Naming the same one again changes nothing.
func SetLedger(l *vc.TrustList, issuer, origin string, key crypto.PublicKey) error {
	jwk, err := vc.PublicJWK(key, "", "")
	if err != nil {
		return err
	}
	return editIssuer(l, issuer, func(is *vc.TrustIssuer) error {
		next := &vc.TrustLedger{Origin: origin, JWK: jwk}
		if is.Ledger != nil && !sameLedger(is.Ledger, next) {
			return ErrLedgerChanged
		}
		if is.Ledger == nil {
			is.Ledger = next
		}
		return nil
	})
}

// AddWitness puts a witness on the list. operator says who runs it.
func AddWitness(l *vc.TrustList, name, operator string, key crypto.PublicKey) error {
	jwk, err := vc.PublicJWK(key, "", "")
	if err != nil {
		return err
	}
	return edit(l, func(l *vc.TrustList) error {
		if slices.ContainsFunc(l.Witnesses, func(w vc.TrustWitness) bool { return w.Name == name }) {
			return ErrExists
		}
		l.Witnesses = append(l.Witnesses, vc.TrustWitness{Name: name, Operator: operator, JWK: jwk})
		return nil
	})
}

// RemoveWitness takes a witness off the list. It is refused while the quorum
// needs it: lower that first.
func RemoveWitness(l *vc.TrustList, name string) error {
	return edit(l, func(l *vc.TrustList) error {
		n := len(l.Witnesses)
		l.Witnesses = slices.DeleteFunc(l.Witnesses, func(w vc.TrustWitness) bool { return w.Name == name })
		if len(l.Witnesses) == n {
			return ErrNoWitness
		}
		return nil
	})
}

// SetQuorum says how many witnesses must have signed a checkpoint that a
// verifier believes.
func SetQuorum(l *vc.TrustList, n int) error {
	return edit(l, func(l *vc.TrustList) error {
		l.Quorum = n
		return nil
	})
}

func editIssuer(l *vc.TrustList, issuer string, f func(*vc.TrustIssuer) error) error {
	return edit(l, func(l *vc.TrustList) error {
		is := findIssuer(l, issuer)
		if is == nil {
			return ErrNoSuchKey
		}
		return f(is)
	})
}

func findIssuer(l *vc.TrustList, issuer string) *vc.TrustIssuer {
	for i := range l.Issuers {
		if l.Issuers[i].DID == issuer {
			return &l.Issuers[i]
		}
	}
	return nil
}

func sameLedger(a, b *vc.TrustLedger) bool {
	return a.Origin == b.Origin && SameKey(a.JWK, b.JWK)
}

// sameLedgers refuses a ledger that changed or went away under an issuer that is
// still listed, and a witness's name that stands for another key.
func sameLedgers(old, next *vc.TrustList) error {
	for i := range old.Issuers {
		was := &old.Issuers[i]
		is := findIssuer(next, was.DID)
		if was.Ledger != nil && is != nil && (is.Ledger == nil || !sameLedger(was.Ledger, is.Ledger)) {
			return ErrLedgerChanged
		}
	}
	for _, was := range old.Witnesses {
		for _, w := range next.Witnesses {
			if w.Name == was.Name && !SameKey(w.JWK, was.JWK) {
				return ErrKeyReused
			}
		}
	}
	return nil
}

func (c *checker) ledger(at string, l *vc.TrustLedger) {
	if l == nil {
		return
	}
	c.note(at+"/origin", l.Origin)
	c.noteKey(at, l.JWK)
}

func (c *checker) witnesses(l *vc.TrustList) {
	if len(l.Witnesses) > maxWitnesses {
		c.fail("/witnesses", "must be at most 64")
		return
	}
	for i := range l.Witnesses {
		w, at := &l.Witnesses[i], pointer("/witnesses", i)
		c.note(at+"/name", w.Name)
		if !plain(w.Operator, maxText) {
			c.fail(at+"/operator", "must be a line of 1 to 256 bytes")
		}
		c.noteKey(at, w.JWK)
	}
	if l.Quorum < 0 || l.Quorum > len(l.Witnesses) {
		c.fail("/witnessQuorum", "must be from 0 to the number of witnesses")
	}
}

// note checks the name under which somebody signs checkpoints: no two on the
// list have the same (C2SP signed-note).
func (c *checker) note(at, name string) {
	if !plain(name, maxText) || strings.Contains(name, "+") || strings.ContainsFunc(name, unicode.IsSpace) {
		c.fail(at, "must be 1 to 256 bytes without space and plus")
	}
	if c.notes[name] {
		c.fail(at, "used twice")
	}
	c.notes[name] = true
}

func (c *checker) noteKey(at string, jwk json.RawMessage) {
	if pub := c.material(at, jwk); pub != nil {
		if _, ok := pub.(ed25519.PublicKey); !ok {
			c.fail(at+"/publicKeyJwk", "must be an Ed25519 key")
		}
	}
}

// plain reports whether s is one line of text that a person can read.
func plain(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	})
}

func cloneLedger(l *vc.TrustLedger) *vc.TrustLedger {
	if l == nil {
		return nil
	}
	return &vc.TrustLedger{Origin: l.Origin, JWK: bytes.Clone(l.JWK)}
}
