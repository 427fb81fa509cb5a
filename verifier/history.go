package verifier

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/verifier/check"
)

// ErrHistory: what a post remembers of earlier checks is there and cannot be
// read. Nothing is decided then: a post that forgets would let a consent pass
// that was used up.
var ErrHistory = fault.New(fault.Unavailable, "history-unreadable", "what this post remembers of earlier checks cannot be read").
	WithHint("bring back the verifier's key file; if it is lost, delete the rows of the table histories and count crossings anew")

// pen seals what one post remembers: with a key of its own, and so that the
// memory of one post is not taken for that of another.
func (v *Verifier) pen(post []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(v.hash("history", post))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// openHistory reads what a post remembers; empty is nothing.
func (v *Verifier) openHistory(post, sealed []byte) (check.History, error) {
	var h check.History
	if len(sealed) == 0 {
		return h, nil
	}
	pen, err := v.pen(post)
	if err != nil {
		return h, err
	}
	plain, err := pen.Open(nil, nil, sealed, post)
	if err != nil {
		return check.History{}, ErrHistory.With(err)
	}
	if err := json.Unmarshal(plain, &h); err != nil {
		return check.History{}, ErrHistory.With(err)
	}
	return h, nil
}

// sealHistory gives what the book keeps of after: nil if before says the same.
func (v *Verifier) sealHistory(post []byte, before, after check.History) ([]byte, error) {
	if before.Empty() && after.Empty() {
		return nil, nil
	}
	old, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(after)
	if err != nil || bytes.Equal(old, plain) {
		return nil, err
	}
	pen, err := v.pen(post)
	if err != nil {
		return nil, err
	}
	return pen.Seal(nil, nil, plain, post), nil
}

// forget gives what is left of what a post remembers when it has forgotten what
// is over: nil for all of it, empty for nothing.
func (v *Verifier) forget(post, sealed []byte, now time.Time) ([]byte, error) {
	h, err := v.openHistory(post, sealed)
	if err != nil {
		return nil, err
	}
	left := h.Forget(now)
	if left.Empty() {
		return []byte{}, nil
	}
	return v.sealHistory(post, h, left)
}
