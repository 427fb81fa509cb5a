package qr

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Before DEFLATE, values that no dictionary can know (identifiers, keys, dates,
// names in capitals) leave the text. One marker byte stays in their place and
// the value follows the compressed text in its shortest binary form, in order
// of appearance. Markers are bytes that JSON in UTF-8 cannot hold, so no text can
// be mistaken for one and nothing needs escaping.
//
// A marker says of which kind the value is. Whether it is new or was seen
// before is said by the value itself (a first byte with the high bit set is the
// number of an earlier value of that kind), so that the text looks the same in
// both cases and the dictionary matches it in one piece. Markers with "again"
// carry no value at all.
const (
	markEmbedded    = "\x01" // data:application/vc+jwt,<the next credential>
	markUUID        = "\x02" // 16 bytes
	markUUIDSeen    = "\x03" // 1 byte: which UUID of this packet
	markRef         = "\x04" // 22 characters of base64url: 16 bytes
	markRefFirst    = "\x05" // again the first reference of this packet: the child's
	markDigest      = "\x06" // 43 characters of base64url: 32 bytes
	markKey         = "\x07" // the multibase part of a did:key
	markKeyAgain    = "\x08" // again the key just named
	markHost        = "\x0b" // the host of a did:web, in its form there
	markHostAgain   = "\x0c" // again the host just named
	markOrigin      = "\x0e" // that host as an origin, such as https://example.org
	markFragment    = "\x0f" // the fragment of a did:web URL
	markTime        = "\x10" // RFC 3339 time, whole seconds, Z
	markDate        = "\x11" // RFC 3339 full-date
	markIndex       = "\x12" // a status list index: digits
	markIndexAgain  = "\x13" // the same index
	markNumber      = "\x14" // the last segment of a path: digits
	markNumberAgain = "\x15" // the same number
	markSeconds     = "\x16" // NumericDate (RFC 7519), 4 bytes
	markFiveMinutes = "\x17" // 300 s after the NumericDate before it
	markCapitals    = "\x18" // text of upper40
	markEscaped     = "\x19" // the same with "<" as the six characters \u003c
	markCountry     = "\x1a" // three capitals
	markPowers      = "\x1b" // quoted powers of a guardian, in the schema's order
	markWord        = "\x1c" // 1 byte: which of words

	markHeaderEnd  = "\x1d" // ends a JOSE header
	markPayloadEnd = "\x1e" // ends a payload; the signature is its value
)

// class sorts the bytes of a packed text: markers, the characters that decide
// how deep JSON nests, and the rest.
var class = func() (t [256]byte) {
	for i := range 0x20 {
		t[i] = classValue
	}
	t['\t'], t['\n'], t['\r'] = 0, 0, 0
	for i := range phrases1 {
		t[phraseMark(i)[0]] = classPhrase
	}
	t['"'], t['\\'], t['{'], t['['], t['}'], t[']'] = classQuote, classBackslash, classOpen, classOpen, classClose, classClose
	return t
}()

const (
	classValue = 1 + iota
	classPhrase
	classQuote
	classBackslash
	classOpen
	classClose
)

// isMark tells markers from text: every control character but tab, line feed
// and carriage return, and the bytes that UTF-8 has no use for.
func isMark(c byte) bool { return class[c] == classValue || class[c] == classPhrase }

// Alphabets of 40, three characters to two bytes: ICAO MRZ and register
// numbers; host names and key names.
const (
	upper40 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<-/ "
	lower40 = "abcdefghijklmnopqrstuvwxyz0123456789-.:_"
)

// powers is the enumeration of registration/guardianship 1.
var powers = [...]string{"travelAccompany", "travelConsent", "relocate", "passportApply", "healthRoutine",
	"healthMajor", "education", "legalRepresentation", "residence", "property", "delegate", "walletManage"}

// words are the values of members that take any of a long list: the script of
// a name (ISO 15924) and the role of a guardian. As a piece of the template
// each would cut a match in two.
var words = [...]string{
	"Latn", "Arab", "Cyrl", "Deva", "Beng", "Ethi", "Khmr", "Laoo", "Mymr", "Sinh", "Taml", "Telu", "Thai", "Tibt",
	"Armn", "Geor", "Grek", "Hebr", "Hans", "Hant", "Hani", "Jpan", "Hira", "Kana", "Kore", "Hang", "Mong", "Thaa",
	"Gujr", "Guru", "Knda", "Mlym", "Orya", "Syrc", "Tfng", "Nkoo", "Adlm", "Vaii", "Olck", "Cher",
	"mother", "father", "parent", "stepParent", "grandparent", "relative", "legalGuardian", "testamentaryGuardian",
	"kafil", "fosterCarer", "stateGuardian", "ngoGuardian", "guardianAdLitem",
}

const (
	allPowers = 1<<len(powers) - 1
	escapedLT = `\u003c`
	loopback  = "localhost" // its origin is http, as did:web resolution has it there
	knownHost = "localhost:8080"

	seen    = 0x80    // first byte of a value that repeats number b&0x7f
	daySpan = 1 << 14 // a time in whole days from the one before it, offset by this

	keyEd25519 = 1 // form of a key: Ed25519; 2 and 3 are P-256 points in SEC 1 form
)

var (
	b64        = base64.RawURLEncoding.Strict()
	timeEpoch  = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	dateEpoch  = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	daySeconds = int64(24 * 60 * 60)
)

// pools are the values named so far in a packet; packer and unpacker fill them
// alike.
type pools struct {
	uuids, refs, keys, hosts, fragments, texts, countries []string
	key, host                                             string // just named
	index, number                                         string
	seconds                                               uint32
	time                                                  int64
}

// knownFragments are the key names that keys are given by default and by the
// year, so that most need one byte.
var knownFragments = func() (names []string) {
	for n := 1; n <= 4; n++ {
		names = append(names, "key-"+strconv.Itoa(n))
	}
	for year := 2026; year <= 2045; year++ {
		for n := 1; n <= 3; n++ {
			names = append(names, "key-"+strconv.Itoa(year)+"-"+strconv.Itoa(n))
		}
	}
	return names
}()

func newPools() pools {
	return pools{hosts: []string{knownHost}, fragments: slices.Clip(knownFragments)}
}

// append40 packs characters of a 40-letter alphabet.
func append40(dst []byte, s, alphabet string) []byte {
	for ; len(s) >= 3; s = s[3:] {
		n := (strings.IndexByte(alphabet, s[0])*40+strings.IndexByte(alphabet, s[1]))*40 + strings.IndexByte(alphabet, s[2])
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	}
	switch len(s) {
	case 1:
		dst = append(dst, byte(strings.IndexByte(alphabet, s[0])))
	case 2:
		dst = binary.BigEndian.AppendUint16(dst, uint16(strings.IndexByte(alphabet, s[0])*40+strings.IndexByte(alphabet, s[1])))
	}
	return dst
}

func only(s, alphabet string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

const alphabet58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// keyBytes gives the packed form of the multibase part of a did:key, or nil
// for one that is neither Ed25519 nor P-256, or not written as did:key does.
func keyBytes(multibase string) []byte {
	if len(multibase) < 40 || len(multibase) > 60 || multibase[0] != 'z' {
		return nil
	}
	n, radix := new(big.Int), big.NewInt(58)
	for i := 1; i < len(multibase); i++ {
		v := strings.IndexByte(alphabet58, multibase[i])
		if v < 0 {
			return nil
		}
		n.Add(n.Mul(n, radix), big.NewInt(int64(v)))
	}
	raw := n.Bytes()
	if len(raw) < 3 || string(appendMultibase(nil, raw)) != multibase {
		return nil
	}
	switch {
	case len(raw) == 34 && raw[0] == 0xed && raw[1] == 0x01:
		return append([]byte{keyEd25519}, raw[2:]...)
	case len(raw) == 35 && raw[0] == 0x80 && raw[1] == 0x24 && (raw[2] == 2 || raw[2] == 3):
		return raw[2:]
	}
	return nil
}

// appendMultibase appends "z" and the base58 form of a multicodec key whose
// first byte is not zero. It works in limbs of 58^5, which fit 32 bits.
func appendMultibase(dst, raw []byte) []byte {
	const limb = 58 * 58 * 58 * 58 * 58
	var limbs [12]uint64 // lowest first; 12 limbs hold 60 digits
	used := 0
	for i := 0; i < len(raw); {
		carry, shift := uint64(0), 0
		for ; i < len(raw) && shift < 32; i++ {
			carry, shift = carry<<8|uint64(raw[i]), shift+8
		}
		for k := range used {
			carry += limbs[k] << shift
			limbs[k] = carry % limb
			carry /= limb
		}
		for ; carry > 0; carry /= limb {
			limbs[used] = carry % limb
			used++
		}
	}
	dst = append(dst, 'z')
	start := len(dst)
	for k := used - 1; k >= 0; k-- {
		v := limbs[k]
		var digits [5]byte
		for d := 4; d >= 0; d-- {
			digits[d] = alphabet58[v%58]
			v /= 58
		}
		for _, c := range digits {
			if c == '1' && len(dst) == start {
				continue // no leading zero digits
			}
			dst = append(dst, c)
		}
	}
	return dst
}

func appendUUID(dst, b []byte) []byte {
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[:n])
		b = b[n:]
	}
	return dst
}

func uuidBytes(s string) []byte {
	if len(s) != 36 {
		return nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != 16 || string(appendUUID(nil, b)) != s {
		return nil
	}
	return b
}

// appendTime writes what time.RFC3339 writes for UTC, several times faster.
func appendTime(dst []byte, unix int64) []byte {
	dst = appendDate(dst, unix)
	s := unix % daySeconds
	dst = append(dst, 'T')
	dst = append2(dst, s/3600)
	dst = append(dst, ':')
	dst = append2(dst, s/60%60)
	dst = append(dst, ':')
	dst = append2(dst, s%60)
	return append(dst, 'Z')
}

func appendDate(dst []byte, unix int64) []byte {
	y, m, d := time.Unix(unix, 0).UTC().Date()
	dst = append2(dst, int64(y/100))
	dst = append2(dst, int64(y%100))
	dst = append(dst, '-')
	dst = append2(dst, int64(m))
	dst = append(dst, '-')
	return append2(dst, int64(d))
}

func append2(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// scheme starts the origin of a did:web host: http only for the loopback host
// of a demonstration.
func scheme(host string) string {
	if host == loopback || strings.HasPrefix(host, loopback+":") {
		return "http://"
	}
	return "https://"
}

// appendWebHost appends the form that a host has in a did:web.
func appendWebHost(dst []byte, host string) []byte {
	for i := range len(host) {
		if host[i] == ':' {
			dst = append(dst, "%3A"...)
		} else {
			dst = append(dst, host[i])
		}
	}
	return dst
}
