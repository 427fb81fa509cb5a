// Package did reads and writes the decentralized identifiers that Kinpass
// uses: did:key for holders, did:web for issuers, did:jwk where others use it.
// It also answers what a DID resolver is asked.
//
// It only parses: nothing here reaches for the network. Fetching did:web
// documents is internal/didweb, and whoever serves a resolver mounts Resolve.
package did

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"net/url"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of this package. None repeats its input.
var (
	ErrInvalid     = fault.New(fault.Invalid, "did-invalid", "not a usable decentralized identifier")
	ErrUnsupported = fault.New(fault.Invalid, "did-method-unsupported", "this DID method or key type is not supported")
	ErrFragment    = fault.New(fault.Invalid, "did-fragment-unknown", "the identifier names no key of its document")
)

const (
	maxDID    = 512     // bytes; longer identifiers are refused unread
	maxDIDURL = 4 << 10 // bytes; a did:jwk holds a whole JWK
)

// ParseKey gives the public key of a did:key: an ed25519.PublicKey or a
// P-256 *ecdsa.PublicKey. A fragment is accepted only if it repeats the key,
// as did:key writes its verification methods.
func ParseKey(id string) (crypto.PublicKey, error) {
	if len(id) > maxDID {
		return nil, ErrInvalid
	}
	mb, ok := strings.CutPrefix(id, "did:key:")
	if !ok {
		return nil, ErrUnsupported
	}
	if base, frag, has := strings.Cut(mb, "#"); has {
		if base != frag {
			return nil, ErrInvalid
		}
		mb = base
	}
	pub, err := ParseMultikey(mb)
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return k, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	if err == nil || errors.Is(err, ErrKeyType) {
		return nil, ErrUnsupported.With(err)
	}
	return nil, ErrInvalid.With(err)
}

// EncodeKey gives the did:key of an Ed25519 or P-256 public key.
func EncodeKey(pub crypto.PublicKey) (string, error) {
	if k, ok := pub.(*ecdsa.PublicKey); ok && k != nil && k.Curve != elliptic.P256() {
		return "", ErrUnsupported
	}
	switch pub.(type) {
	case ed25519.PublicKey, *ecdsa.PublicKey:
	default:
		return "", ErrUnsupported
	}
	mb, err := EncodeMultikey(pub)
	if err != nil {
		return "", ErrInvalid.With(err)
	}
	return "did:key:" + mb, nil
}

// KeyID gives the verification method of a did:key: the DID, "#" and the
// multibase key again.
func KeyID(id string) string {
	mb, _ := strings.CutPrefix(id, "did:key:")
	return id + "#" + mb
}

// Base gives the DID of a DID URL: all before the first of "/?#".
func Base(u string) string {
	if i := strings.IndexAny(u, "/?#"); i >= 0 {
		return u[:i]
	}
	return u
}

// WebURL gives the address of a did:web document (did:web method, section
// 3.2): https, except for loopback hosts, where http is used so that a
// demonstration needs no certificate.
func WebURL(id string) (string, error) {
	rest, ok := strings.CutPrefix(id, "did:web:")
	if !ok || rest == "" {
		return "", ErrUnsupported
	}
	if len(id) > maxDID {
		return "", ErrInvalid
	}
	parts := strings.Split(rest, ":")
	for i, p := range parts {
		u, err := url.PathUnescape(p)
		// A percent sign that is left would be unescaped once more by the host,
		// into a path that nobody checked; letters beyond ASCII have two forms
		// in a host name.
		if err != nil || u == "" || strings.ContainsAny(u, "/?#@\\% ") || u == "." || u == ".." || !ascii(u) {
			return "", ErrInvalid
		}
		parts[i] = u
	}
	scheme := "https://"
	host, _, _ := strings.Cut(parts[0], ":")
	if host == "localhost" || host == "127.0.0.1" {
		scheme = "http://"
	}
	if len(parts) == 1 {
		return scheme + parts[0] + "/.well-known/did.json", nil
	}
	return scheme + strings.Join(parts, "/") + "/did.json", nil
}

// FromURL gives the did:web of a service's base address, without a path:
// http://localhost:8080 becomes did:web:localhost%3A8080.
func FromURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Path != "" && u.Path != "/") {
		return "", ErrInvalid
	}
	return "did:web:" + strings.ReplaceAll(u.Host, ":", "%3A"), nil
}
