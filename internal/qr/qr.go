// Package qr carries a whole W3C presentation in one QR code: it packs compact
// JWS into KP1 text without losing a byte, and draws and reads the code.
//
// KP1 is a transport, not a credential format. What Unpack gives is the same
// vp+jwt or vc+jwt, byte for byte, that Pack was given, so any verifier of
// VC-JOSE-COSE 1.0 can check it. Unpack checks nothing but form: its result is
// a stranger's words until the signatures are verified.
//
// KP1 text is "KP1:" and the base45 form (RFC 9285) of
//
//	version   1 byte, 1
//	dictionary 1 byte, 1
//	text      raw DEFLATE (RFC 1951) with the dictionary preset
//	values    what the markers in the text stand for, in their order
//
// The text is, for each JWS, its decoded JOSE header, a separator, its decoded
// payload, a separator. Credentials come first; a presentation comes last, and
// where it envelops a credential the text has a marker for "the next one". The
// markers for other values, and how each is written, are in values.go. A
// signature is the value of the separator that ends its JWS.
//
// A published dictionary never changes; another one gets another number.
package qr

import (
	"github.com/kinpass/kinpass/internal/fault"
)

// Packet is what one QR code carries: either a holder-signed presentation
// (compact vp+jwt) whose credentials are enveloped vc+jwt, or, on paper, one to
// eight bare credentials (compact vc+jwt).
type Packet struct {
	Presentation string
	Credentials  []string
}

// Limits of a packet.
const (
	maxText     = 4296     // characters: what a QR code can hold (ISO/IEC 18004, version 40-L)
	maxInflated = 16 << 10 // bytes of all headers and payloads together, without embedded credentials
	maxEmbedded = 8        // credentials
	maxDepth    = 16       // nesting of a header or payload
)

const (
	prefix        = "KP1:"
	version1      = 1
	dictionary1ID = 1
)

// Errors of unpacking. ErrPrefix, ErrEncoding and ErrOversize mean that the
// text is not a readable KP1 text: a wrong code, or a bad scan. ErrCorrupt means
// that it is one and does not unpack; since a QR code corrects its own errors,
// somebody made it so. None repeats its input.
var (
	ErrPrefix   = fault.New(fault.Invalid, "kp1-prefix", "not a Kinpass code")
	ErrEncoding = fault.New(fault.Invalid, "kp1-encoding", "the code was not read correctly").WithHint("scan it again")
	ErrOversize = fault.New(fault.TooLarge, "kp1-oversize", "the code holds more than a Kinpass code can")
	ErrCorrupt  = fault.New(fault.Invalid, "kp1-corrupt", "a Kinpass code that does not unpack")
)

// ErrNotPackable says that a packet could not be rebuilt byte for byte from
// what would be packed, or breaks a limit that Unpack holds.
var ErrNotPackable = fault.New(fault.Invalid, "kp1-not-packable", "this cannot be carried in a Kinpass code")

// Pack gives the KP1 text of a packet. It unpacks its own result and returns
// ErrNotPackable unless that gives the same bytes.
func Pack(p Packet) (string, error) {
	b, err := pack(p)
	if err != nil {
		return "", err
	}
	text := string(appendBase45([]byte(prefix), b))
	if len(text) > maxText {
		return "", ErrTooLarge
	}
	back, err := Unpack(text)
	if err != nil {
		return "", ErrNotPackable.With(err)
	}
	if !back.equal(p) {
		return "", ErrNotPackable
	}
	return text, nil
}

func (p Packet) equal(o Packet) bool {
	if p.Presentation != o.Presentation || len(p.Credentials) != len(o.Credentials) {
		return false
	}
	for i := range p.Credentials {
		if p.Credentials[i] != o.Credentials[i] {
			return false
		}
	}
	return true
}

// pack gives the bytes before base45.
func pack(in Packet) ([]byte, error) {
	credentials := in.Credentials
	if in.Presentation != "" {
		if len(in.Credentials) > 0 {
			return nil, ErrNotPackable.WithDetail("a packet is a presentation or bare credentials, not both")
		}
		_, payload, _, ok := split(in.Presentation)
		if !ok {
			return nil, ErrNotPackable.WithDetail("the presentation is not a compact JWS with a signature of 64 bytes and base64url without padding")
		}
		if credentials = embedded(payload); len(credentials) == 0 {
			return nil, ErrNotPackable.WithDetail("no credential was found in it as \"data:application/vc+jwt,…\" written without escapes")
		}
	}
	if len(credentials) == 0 || len(credentials) > maxEmbedded {
		return nil, ErrNotPackable.WithDetail("a packet holds one to eight credentials")
	}
	p := &packer{pools: newPools()}
	for _, c := range credentials {
		if err := p.add(c, false); err != nil {
			return nil, err
		}
	}
	if in.Presentation != "" {
		if err := p.add(in.Presentation, true); err != nil {
			return nil, err
		}
	}
	deflated, err := deflate(phrased(p.text))
	if err != nil {
		return nil, err
	}
	return append(append([]byte{version1, dictionary1ID}, deflated...), p.raw...), nil
}

// Unpack takes KP1 text apart and rebuilds what was packed. Its work and
// memory are bounded whatever the text is.
func Unpack(text string) (Packet, error) {
	if len(text) < len(prefix) || text[:len(prefix)] != prefix {
		return Packet{}, ErrPrefix
	}
	if len(text) > maxText {
		return Packet{}, ErrOversize
	}
	u := unpackers.Get().(*unpacker)
	defer unpackers.Put(u)
	var ok bool
	if u.bin, ok = decodeBase45(u.bin[:0], text[len(prefix):]); !ok {
		return Packet{}, ErrEncoding
	}
	if len(u.bin) < 2 || u.bin[0] != version1 || u.bin[1] != dictionary1ID {
		return Packet{}, ErrCorrupt.WithDetail("a Kinpass code of an unknown version").
			WithHint("bring this device up to date; if it is, treat the code as forged")
	}
	inflated, rest, ok := u.inflate(u.bin[2:])
	if !ok {
		return Packet{}, ErrCorrupt
	}
	tokens, presentation, ok := u.expand(inflated, &values{b: rest})
	switch {
	case !ok:
		return Packet{}, ErrCorrupt
	case presentation:
		return Packet{Presentation: tokens[len(tokens)-1]}, nil
	}
	return Packet{Credentials: tokens}, nil
}

// ErrTooLarge says that a packet does not fit the QR code of its medium.
var ErrTooLarge = fault.New(fault.TooLarge, "qr-too-large", "this does not fit a QR code of the allowed size").
	WithHint("leave out a guardianship or the native-script name, or use the online presentation")
