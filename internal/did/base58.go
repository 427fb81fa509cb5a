package did

import (
	"encoding/base64"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrMultibase: the text is not strict multibase base58btc or base64url.
var ErrMultibase = fault.New(fault.Invalid, "multibase-invalid", "not a usable multibase value")

const alphabet58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// maxBase58 bounds a conversion whose work grows with the square of the
// length: 1024 characters, about 750 bytes, take some microseconds. The longest
// value we know is a P-521 signature, 132 bytes.
const maxBase58 = 1024

// digit58 gives the value of a base58 character plus one; 0 is none.
var digit58 = func() (d [256]byte) {
	for i := range len(alphabet58) {
		d[alphabet58[i]] = byte(i + 1)
	}
	return d
}()

// pow58 are the powers of 58 that fit into 32 bits.
var pow58 = [...]uint32{1, 58, 58 * 58, 58 * 58 * 58, 58 * 58 * 58 * 58, 58 * 58 * 58 * 58 * 58}

// DecodeMultibase gives the bytes of a multibase value (Controlled Identifiers
// 1.0, section 2.4) with the header "z" (base58btc) or "u" (base64url without
// padding), of which there must be between 1 and max. Every value has one
// spelling: line breaks, padding and stray bits are refused, with ErrMultibase.
func DecodeMultibase(s string, max int) ([]byte, error) {
	if len(s) < 2 || max <= 0 {
		return nil, ErrMultibase
	}
	switch body := s[1:]; s[0] {
	case 'z':
		if len(body) > 2*max {
			return nil, ErrMultibase
		}
		if b, ok := decode58(body); ok && len(b) <= max {
			return b, nil
		}
	case 'u':
		if base64.RawURLEncoding.DecodedLen(len(body)) > max {
			return nil, ErrMultibase
		}
		if b, ok := decode64(body); ok {
			return b, nil
		}
	}
	return nil, ErrMultibase
}

// decode64 is strict base64url without padding. The package of the standard
// library skips line breaks, which would give a value many spellings.
func decode64(s string) ([]byte, bool) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}

// EncodeBase58 gives b in base58btc (Bitcoin alphabet), without the multibase
// header "z".
func EncodeBase58(b []byte) string {
	zeros := 0
	for zeros < len(b) && b[zeros] == 0 {
		zeros++
	}
	// The number as digits of base 58^5, the least significant first.
	limbs := make([]uint32, 0, len(b)/3+1)
	for _, c := range b[zeros:] {
		carry := uint64(c)
		for i := range limbs {
			carry += uint64(limbs[i]) << 8
			limbs[i] = uint32(carry % uint64(pow58[5]))
			carry /= uint64(pow58[5])
		}
		if carry > 0 {
			limbs = append(limbs, uint32(carry))
		}
	}
	out := make([]byte, zeros, zeros+5*len(limbs))
	for i := range out {
		out[i] = alphabet58[0]
	}
	for i := len(limbs) - 1; i >= 0; i-- {
		for p := 4; p >= 0; p-- {
			d := limbs[i] / pow58[p] % 58
			if d == 0 && len(out) == zeros {
				continue
			}
			out = append(out, alphabet58[d])
		}
	}
	return string(out)
}

// decode58 reads base58btc of at most maxBase58 characters.
func decode58(s string) ([]byte, bool) {
	if s == "" || len(s) > maxBase58 {
		return nil, false
	}
	zeros := 0
	for zeros < len(s) && s[zeros] == alphabet58[0] {
		zeros++
	}
	// The number as digits of base 2^32, the least significant first: five
	// characters at a time, since 58^5 fits.
	var room [36]uint32
	limbs := room[:0]
	for i := zeros; i < len(s); {
		var group uint32
		n := 0
		for ; n < 5 && i < len(s); n, i = n+1, i+1 {
			d := digit58[s[i]]
			if d == 0 {
				return nil, false
			}
			group = group*58 + uint32(d-1)
		}
		carry := uint64(group)
		for j := range limbs {
			carry += uint64(limbs[j]) * uint64(pow58[n])
			limbs[j] = uint32(carry)
			carry >>= 32
		}
		if carry > 0 {
			limbs = append(limbs, uint32(carry))
		}
	}
	out := make([]byte, zeros, zeros+4*len(limbs))
	for i := len(limbs) - 1; i >= 0; i-- {
		for shift := 24; shift >= 0; shift -= 8 {
			c := byte(limbs[i] >> shift)
			if c == 0 && len(out) == zeros {
				continue
			}
			out = append(out, c)
		}
	}
	return out, true
}
