package qr

// alphabet45 is the alphabet of RFC 9285, table 1: the 45 characters of the
// alphanumeric mode of a QR code (ISO/IEC 18004), in their order there.
const alphabet45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// value45 holds the value of each character, 0xff for every other byte.
var value45 = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet45) {
		t[alphabet45[i]] = byte(i)
	}
	return t
}()

// appendBase45 appends the base45 form of b (RFC 9285, section 4): three
// characters for two bytes, two for a last single one.
func appendBase45(dst, b []byte) []byte {
	for ; len(b) >= 2; b = b[2:] {
		n := int(b[0])<<8 | int(b[1])
		dst = append(dst, alphabet45[n%45], alphabet45[n/45%45], alphabet45[n/(45*45)])
	}
	if len(b) == 1 {
		dst = append(dst, alphabet45[b[0]%45], alphabet45[b[0]/45])
	}
	return dst
}

// decodeBase45 appends what s encodes to dst. ok is false for a character
// outside the alphabet, a length that no encoder makes and a group above the
// largest value, so that every byte sequence has exactly one text.
func decodeBase45(dst []byte, s string) (_ []byte, ok bool) {
	for ; len(s) >= 3; s = s[3:] {
		c, d, e := value45[s[0]], value45[s[1]], value45[s[2]]
		if c == 0xff || d == 0xff || e == 0xff {
			return dst, false
		}
		n := int(c) + 45*int(d) + 45*45*int(e)
		if n > 0xffff {
			return dst, false
		}
		dst = append(dst, byte(n>>8), byte(n))
	}
	switch len(s) {
	case 0:
		return dst, true
	case 2:
		c, d := value45[s[0]], value45[s[1]]
		n := int(c) + 45*int(d)
		if c == 0xff || d == 0xff || n > 0xff {
			return dst, false
		}
		return append(dst, byte(n)), true
	}
	return dst, false
}
