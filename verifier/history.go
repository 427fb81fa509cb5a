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

// openHistory reads what a post remembers; empty is nothing. It gives the text
// of it, too.
func (v *Verifier) openHistory(post, sealed []byte) (h check.History, plain []byte, err error) {
	if len(sealed) == 0 {
		return h, nil, nil
	}
	pen, err := v.pen(post)
	if err != nil {
		return h, nil, err
	}
	if plain, err = pen.Open(nil, nil, sealed, post); err != nil {
		return h, nil, ErrHistory.With(err)
	}
	if err := json.Unmarshal(plain, &h); err != nil {
		return check.History{}, nil, ErrHistory.With(err)
	}
	return h, plain, nil
}

// sealHistory gives what the book keeps of after: nil if before, a text of
// openHistory, says the same.
func (v *Verifier) sealHistory(post, before []byte, after check.History) ([]byte, error) {
	if len(before) == 0 && after.Empty() {
		return nil, nil
	}
	plain, err := json.Marshal(after)
	if err != nil || bytes.Equal(before, plain) {
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
	h, plain, err := v.openHistory(post, sealed)
	if err != nil {
		return nil, err
	}
	left := h.Forget(now)
	if left.Empty() {
		return []byte{}, nil
	}
	return v.sealHistory(post, plain, left)
}
