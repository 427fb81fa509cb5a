package wallet

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// A drop is a sealed message that one wallet leaves for others. The server that
// keeps it knows its size, its age and whose guardian left it, and cannot open
// it: the secret is in the fragment of a link, which goes from person to person.
// From the secret follow the key of the content and what a reader must send to
// be served, so that the id of a drop, should it stand in some log, is of no use.

// Faults of drops and links.
var (
	ErrLink            = fault.New(fault.Invalid, "link-invalid", "this is not a link that a wallet made").WithFields(fault.Field{Path: "/link", Rule: "is not a link that a wallet made"})
	ErrLinkGone        = fault.New(fault.Unprocessable, "link-gone", "the link was used, is over, or is for somebody else").WithHint("ask for a new link")
	ErrLinkUnreachable = fault.New(fault.Unavailable, "link-unreachable", "the wallet service that the link leads to could not be reached").WithHint("try again with the same link")
	ErrNoSuchDrop      = fault.New(fault.NotFound, "no-such-drop", "there is no such drop")
	ErrDropVersion     = fault.New(fault.Conflict, "drop-version", "the drop was written since it was read").WithHint("read it again")
	ErrDropForm        = fault.New(fault.Invalid, "drop-form", "a drop is read and written in another form")
	ErrDropMany        = fault.New(fault.Conflict, "drop-too-many", "the guardian has as many links open as is allowed").WithHint("wait until the older ones are over")
	ErrNoBase          = fault.New(fault.Unavailable, "wallet-address-missing", "this wallet service does not know its own address, so that it can make no links")
)

// Kinds of drops.
const (
	dropFirst = 1 // read by whoever comes first with the link, and by nobody else
	dropKey   = 2 // read by one holder key
	dropRoom  = 3 // read and written by all who have the secret
)

const (
	maxDrop     = 160 << 10 // bytes of content
	maxDrops    = 600       // open per guardian: ten classes
	secretSize  = 32
	dropPath    = "/wallet/drops/"
	proofWindow = 2 * time.Minute

	inviteLife = 7 * 24 * time.Hour
	shareLife  = 3 * 24 * time.Hour
	roomLife   = 30 * 24 * time.Hour
)

// dropLink is where a drop is and how to open it.
type dropLink struct {
	Base   string `json:"base"` // address of the wallet service that keeps it
	ID     string `json:"id"`
	Secret []byte `json:"secret"`
}

// LogValue keeps the secret out of every log.
func (l dropLink) LogValue() slog.Value { return slog.StringValue("link") }

func (l dropLink) String() string {
	return l.Base + dropPath + l.ID + "#" + b64.EncodeToString(l.Secret)
}

// parseLink reads a link. It contacts nobody.
func (w *Wallet) parseLink(text string) (dropLink, error) {
	if len(text) > 2048 {
		return dropLink{}, ErrLink
	}
	address, secret, ok := strings.Cut(strings.TrimSpace(text), "#")
	if !ok {
		return dropLink{}, ErrLink
	}
	l := dropLink{}
	var err error
	if l.Secret, err = b64.DecodeString(secret); err != nil || len(l.Secret) != secretSize || strings.ContainsAny(secret, "\r\n") {
		return dropLink{}, ErrLink
	}
	base, id, ok := strings.Cut(address, dropPath)
	if raw, err := b64.DecodeString(id); !ok || err != nil || len(raw) != 16 || strings.ContainsAny(id, "\r\n") {
		return dropLink{}, ErrLink
	}
	l.Base, l.ID = base, id
	if base == w.cfg.Base && base != "" {
		return l, nil
	}
	// Whoever sends a link chooses which public host is asked for one path, and
	// nothing else: no query, no other path, nothing inside the network.
	u, err := w.net.origin(base)
	if err != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Scheme+"://"+u.Host != base {
		return dropLink{}, ErrLink
	}
	return l, nil
}

func newLink(base string) dropLink {
	l := dropLink{Base: base, ID: store.Random(16), Secret: make([]byte, secretSize)}
	rand.Read(l.Secret) // never fails (crypto/rand)
	return l
}

func (l dropLink) derive(use string) ([]byte, error) {
	return hkdf.Expand(sha256.New, l.Secret, "kinpass/wallet/drop/"+use+"/v1", keySize)
}

// access is what a reader sends to be served.
func (l dropLink) access() ([]byte, error) { return l.derive("access") }

func (l dropLink) aead() (cipher.AEAD, error) {
	k, err := l.derive("seal")
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(k)
}

// bound names the one drop, kind and version that content is sealed for, so
// that the server can put nothing in the place of another.
func (l dropLink) bound(kind int, version int64) []byte {
	return name("drop", l.ID, strconv.Itoa(kind), strconv.FormatInt(version, 10))
}

func (l dropLink) seal(kind int, version int64, content any) ([]byte, error) {
	plain, err := plainJSON(content)
	if err != nil {
		return nil, err
	}
	a, err := l.aead()
	if err != nil {
		return nil, err
	}
	out := seal(a, plain, l.bound(kind, version))
	if len(out) > maxDrop {
		return nil, ErrDropForm.WithDetail("this is more than a link may lead to")
	}
	return out, nil
}

// open reads what was sealed. What comes out was written by somebody who has
// the link: a stranger's words.
func (l dropLink) open(kind int, version int64, sealed []byte, content any) error {
	a, err := l.aead()
	if err != nil {
		return err
	}
	plain, err := unseal(a, sealed, l.bound(kind, version))
	if err != nil {
		return ErrLinkGone.With(err)
	}
	if err := vc.StrictJSON(plain, content, vc.MaxDepth); err != nil {
		return ErrLinkGone.With(err)
	}
	return nil
}

// drop is a drop as it is stored.
type drop struct {
	id      string
	kind    int
	access  []byte
	reader  []byte
	version int64
	content []byte
	expires time.Time
}

// newDrop seals content for a link.
func newDrop(l dropLink, kind int, content any, expires time.Time) (drop, error) {
	sealed, err := l.seal(kind, 1, content)
	if err != nil {
		return drop{}, err
	}
	access, err := l.access()
	if err != nil {
		return drop{}, err
	}
	sum := sha256.Sum256(access)
	return drop{id: l.ID, kind: kind, access: sum[:], version: 1, content: sealed, expires: expires}, nil
}

// onlyFor makes the holder of one key the reader of a drop.
func (d *drop) onlyFor(key string) { d.reader = readerOf(d.id, key) }

func readerOf(id, key string) []byte {
	sum := sha256.Sum256(name("drop-reader", id, key))
	return sum[:]
}

// DropContent is a drop as it goes over the wire.
type DropContent struct {
	Version int64  `json:"version"`
	Content string `json:"content,omitempty"` // base64url
	Nonce   string `json:"nonce,omitempty"`   // to be signed by the one key that may read
}

// LogValue keeps what was sent out of every log.
func (d DropContent) LogValue() slog.Value { return slog.StringValue("drop") }

// DropReader says who takes a drop: a random name, or a proof of the one key.
type DropReader struct {
	Reader string `json:"reader"`
	Proof  string `json:"proof"`
}

// ReadDrop gives the content of a drop that several write in, or, for one that
// a single key may read, the nonce for its proof. Whoever does not have the
// secret cannot tell a drop from none.
func (w *Wallet) ReadDrop(ctx context.Context, id, access string) (DropContent, error) {
	d, err := w.dropOf(ctx, id, access)
	if err != nil {
		return DropContent{}, err
	}
	switch d.kind {
	case dropRoom:
		return d.shown(), nil
	case dropKey:
		return DropContent{Version: d.version, Nonce: w.dropNonce(id)}, nil
	}
	return DropContent{}, ErrNoSuchDrop
}

func (d *drop) shown() DropContent {
	return DropContent{Version: d.version, Content: b64.EncodeToString(d.content)}
}

// TakeDrop gives the content of a drop that is read once: to the first who
// asks, or to the key that it is for. The same reader gets it again, should the
// answer be lost.
func (w *Wallet) TakeDrop(ctx context.Context, id, access string, r DropReader) (DropContent, error) {
	d, err := w.dropOf(ctx, id, access)
	if err != nil {
		return DropContent{}, err
	}
	switch {
	case d.kind == dropFirst && r.Proof == "":
		raw, err := b64.DecodeString(r.Reader)
		if err != nil || len(raw) != sha256.Size {
			return DropContent{}, ErrDropForm
		}
		sum := sha256.Sum256(raw)
		if err := w.takeDrop(ctx, id, sum[:]); err != nil {
			return DropContent{}, err
		}
		return d.shown(), nil
	case d.kind == dropKey && r.Reader == "":
		key, err := w.dropProof(r.Proof, id)
		if err != nil || subtle.ConstantTimeCompare(readerOf(id, key), d.reader) != 1 {
			return DropContent{}, ErrNoSuchDrop.With(err)
		}
		return d.shown(), nil
	}
	return DropContent{}, ErrNoSuchDrop
}

// WriteDrop puts new content into a drop that several write in, if its version
// is still the one that the writer read.
func (w *Wallet) WriteDrop(ctx context.Context, id, access string, c DropContent) (DropContent, error) {
	content, err := b64.DecodeString(c.Content)
	if err != nil || len(content) == 0 || len(content) > maxDrop {
		return DropContent{}, ErrDropForm
	}
	d, err := w.dropOf(ctx, id, access)
	if err != nil {
		return DropContent{}, err
	}
	if d.kind != dropRoom {
		return DropContent{}, ErrNoSuchDrop
	}
	if err := w.writeDrop(ctx, id, c.Version, content); err != nil {
		return DropContent{}, err
	}
	return DropContent{Version: c.Version + 1}, nil
}

// dropOf finds a drop that is not over, for a reader who has its secret.
func (w *Wallet) dropOf(ctx context.Context, id, access string) (*drop, error) {
	raw, err := b64.DecodeString(access)
	if err != nil || len(raw) != keySize {
		return nil, ErrNoSuchDrop
	}
	d, err := w.drop(ctx, id)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	if subtle.ConstantTimeCompare(sum[:], d.access) != 1 || !w.cfg.Now().Before(d.expires) {
		return nil, ErrNoSuchDrop
	}
	return d, nil
}

// dropNonce makes a challenge that any replica knows again: end, randomness and
// a MAC that names the drop.
func (w *Wallet) dropNonce(id string) string {
	b := make([]byte, 24, 40)
	binary.BigEndian.PutUint64(b, uint64(w.cfg.Now().Add(proofWindow).Unix()))
	rand.Read(b[8:])
	return b64.EncodeToString(append(b, w.dropMAC(w.wraps[0].key, id, b)...))
}

func (w *Wallet) dropMAC(key []byte, id string, b []byte) []byte {
	own, err := hkdf.Expand(sha256.New, key, "kinpass/wallet/drop-nonce/v1", keySize)
	if err != nil {
		return nil // as long as no MAC is
	}
	m := hmac.New(sha256.New, own)
	m.Write(name("drop-nonce", id, string(b)))
	return m.Sum(nil)[:16]
}

func (w *Wallet) dropNonceHolds(nonce, id string) bool {
	b, err := b64.DecodeString(nonce)
	if err != nil || len(b) != 40 || w.cfg.Now().Unix() >= int64(binary.BigEndian.Uint64(b)) {
		return false
	}
	for _, k := range w.wraps {
		if subtle.ConstantTimeCompare(b[24:], w.dropMAC(k.key, id, b[:24])) == 1 {
			return true
		}
	}
	return false
}

// TypDrop is the typ of a proof that a holder key makes to read a drop.
const TypDrop = "kinpass-drop+jwt"

type dropClaims struct {
	Audience string `json:"aud"` // address of the wallet service
	IssuedAt int64  `json:"iat"`
	Nonce    string `json:"nonce"`
}

var errDropProof = errors.New("a proof that does not hold")

// dropProof judges a proof and gives the did:key that made it.
func (w *Wallet) dropProof(proof, id string) (string, error) {
	s, err := vc.SplitJWS(proof)
	if err != nil || s.Header.Typ != TypDrop {
		return "", errDropProof
	}
	pub, err := did.ParseKey(s.Header.Kid)
	if err != nil {
		return "", errDropProof
	}
	payload, err := s.Verify(pub)
	if err != nil {
		return "", errDropProof
	}
	var c dropClaims
	if err := vc.StrictJSON(payload, &c, 4); err != nil {
		return "", errDropProof
	}
	now := w.cfg.Now().Unix()
	if w.cfg.Base == "" || c.Audience != w.cfg.Base || c.IssuedAt > now+int64(skew.Seconds()) || c.IssuedAt < now-int64(skew.Seconds()) || !w.dropNonceHolds(c.Nonce, id) {
		return "", errDropProof
	}
	return did.EncodeKey(pub)
}

// far is how this wallet reads and writes a drop, here or at another service.
type far struct {
	w    *Wallet
	link dropLink
}

// read gives the content of a room and its version.
func (f far) read(ctx context.Context, content any) (int64, error) {
	d, err := f.call(ctx, http.MethodGet, "", nil)
	if err != nil {
		return 0, err
	}
	return d.Version, f.open(dropRoom, d, content)
}

// write puts content into a room, if version is still its version.
func (f far) write(ctx context.Context, version int64, content any) error {
	sealed, err := f.link.seal(dropRoom, version+1, content)
	if err != nil {
		return err
	}
	_, err = f.call(ctx, http.MethodPut, "", DropContent{Version: version, Content: b64.EncodeToString(sealed)})
	return err
}

// take reads a drop that is for whoever comes first. reader is the same for the
// same guardian, so that a lost answer can be asked for again.
func (f far) take(ctx context.Context, v *vault, content any) error {
	d, err := f.call(ctx, http.MethodPost, "/take", DropReader{Reader: b64.EncodeToString(v.find("drop", f.link.Base, f.link.ID))})
	if err != nil {
		return err
	}
	return f.open(dropFirst, d, content)
}

// prove reads a drop that is for the holder key.
func (f far) prove(ctx context.Context, h holder, content any) error {
	d, err := f.call(ctx, http.MethodGet, "", nil)
	if err != nil {
		return err
	}
	if d.Nonce == "" || len(d.Nonce) > 256 {
		return ErrLinkGone
	}
	s, err := h.signer()
	if err != nil {
		return err
	}
	claims, err := plainJSON(dropClaims{Audience: f.link.Base, IssuedAt: f.w.cfg.Now().Unix(), Nonce: d.Nonce})
	if err != nil {
		return err
	}
	proof, err := vc.SignJWS(s, TypDrop, "", claims)
	if err != nil {
		return err
	}
	if d, err = f.call(ctx, http.MethodPost, "/take", DropReader{Proof: proof}); err != nil {
		return err
	}
	return f.open(dropKey, d, content)
}

func (f far) open(kind int, d DropContent, content any) error {
	sealed, err := b64.DecodeString(d.Content)
	if err != nil {
		return ErrLinkGone.With(err)
	}
	return f.link.open(kind, d.Version, sealed, content)
}

// call speaks with the service that keeps the drop; with itself, directly.
func (f far) call(ctx context.Context, method, suffix string, in any) (DropContent, error) {
	raw, err := f.link.access()
	if err != nil {
		return DropContent{}, err
	}
	access := b64.EncodeToString(raw)
	if f.link.Base == f.w.cfg.Base {
		d, err := f.here(ctx, access, in)
		var gone *fault.Fault
		if errors.As(err, &gone) && (gone.Is(ErrNoSuchDrop) || gone.Is(ErrDropForm)) {
			return DropContent{}, ErrLinkGone.With(err)
		}
		return d, err
	}
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return DropContent{}, err
		}
	}
	req, err := http.NewRequest(method, f.link.Base+dropPath+f.link.ID+suffix, bytes.NewReader(body))
	if err != nil {
		return DropContent{}, ErrLink.With(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+access)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	a, err := f.w.net.call(ctx, req, maxAnswer, "application/json")
	switch {
	case errors.Is(err, ErrUnreachable):
		return DropContent{}, ErrLinkUnreachable.With(err)
	case err != nil:
		return DropContent{}, ErrLinkGone.With(err)
	case a.status == http.StatusConflict:
		return DropContent{}, ErrDropVersion
	case a.status == http.StatusTooManyRequests:
		return DropContent{}, ErrLinkUnreachable
	case a.status != http.StatusOK:
		return DropContent{}, ErrLinkGone
	}
	var d DropContent
	if err := vc.StrictJSON(a.body, &d, 4); err != nil {
		return DropContent{}, ErrLinkGone.With(err)
	}
	return d, nil
}

func (f far) here(ctx context.Context, access string, in any) (DropContent, error) {
	switch x := in.(type) {
	case DropContent:
		return f.w.WriteDrop(ctx, f.link.ID, access, x)
	case DropReader:
		return f.w.TakeDrop(ctx, f.link.ID, access, x)
	}
	return f.w.ReadDrop(ctx, f.link.ID, access)
}
