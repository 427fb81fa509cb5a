package issuer

import (
	"crypto/hmac"
	"crypto/sha256"
)

// DraftKey gives the key (32 bytes) under which the pages of the desk keep what a
// person has typed and not yet sent, in their browser. It is the same for the
// same person, and no other's.
func (i *Issuer) DraftKey(c Caller) []byte {
	m := hmac.New(sha256.New, i.cfg.Ring.Secret("oauth"))
	m.Write([]byte("kinpass/draft/v1\x00"))
	m.Write([]byte(c.ID))
	return m.Sum(nil)
}
