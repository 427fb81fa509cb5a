package qr

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"sync"
)

// unpacker is the memory of one Unpack, used again by the next.
type unpacker struct {
	in   bytes.Reader
	fl   io.ReadCloser
	bin  []byte                                    // what base45 held
	text [maxInflated + 2*(maxEmbedded+1) + 1]byte // with both separators of each JWS, and one byte that is too many
	out  []byte                                    // headers and payloads, expanded
	word []byte
}

var unpackers = sync.Pool{New: func() any {
	u := &unpacker{bin: make([]byte, 0, maxText*2/3), out: make([]byte, 0, maxInflated)}
	u.fl = flate.NewReaderDict(&u.in, []byte(dictionary1))
	return u
}}

// inflate decompresses the first bytes of packed and gives the text and what
// follows it.
func (u *unpacker) inflate(packed []byte) (text, values []byte, ok bool) {
	u.in.Reset(packed)
	if err := u.fl.(flate.Resetter).Reset(&u.in, dictionaryBytes); err != nil {
		return nil, nil, false
	}
	n, err := io.ReadFull(u.fl, u.text[:])
	if err != io.ErrUnexpectedEOF { // also: nothing at all, and more than the limit
		return nil, nil, false
	}
	if _, err := u.fl.Read(u.text[n : n+1]); err != io.EOF { // the stream itself must have ended
		return nil, nil, false
	}
	return u.text[:n], packed[len(packed)-u.in.Len():], true
}

// depth follows how deep the JSON in a text nests, without parsing it.
type depth struct {
	level           int
	quoted, escaped bool
}

// plain gives how many bytes at the start of text are no markers, and counts
// their brackets. ok is false once they nest deeper than maxDepth, and for a
// value where it would make the count wrong: behind a backslash, or quoted
// powers within a string.
func (d *depth) plain(text []byte) (n int, ok bool) {
	for i, c := range text {
		k := class[c]
		if k == 0 && !d.escaped {
			continue
		}
		switch {
		case k == classPhrase:
			return i, true
		case k == classValue:
			return i, !d.escaped && !(d.quoted && c == markPowers[0])
		case d.escaped:
			d.escaped = false
		case k == classQuote:
			d.quoted = !d.quoted
		case k == classBackslash:
			d.escaped = d.quoted
		case d.quoted:
		case k == classOpen:
			if d.level++; d.level > maxDepth {
				return i, false
			}
		case k == classClose:
			d.level--
		}
	}
	return len(text), true
}

// values reads the binary values in order. bad stays set once something is
// missing or not in its only form.
type values struct {
	b   []byte
	bad bool
}

func (v *values) take(n int) []byte {
	if len(v.b) < n {
		v.bad, v.b = true, nil
		return zeros[:n]
	}
	b := v.b[:n]
	v.b = v.b[n:]
	return b
}

var zeros [signatureSize]byte

// seen reads the number of an earlier value, if that is what comes next.
func (v *values) seen(pool []string) (string, bool) {
	if len(v.b) == 0 || v.b[0] < seen {
		return "", false
	}
	i := int(v.take(1)[0] &^ seen)
	if i >= len(pool) {
		v.bad = true
		return "", true
	}
	return pool[i], true
}

// text40 reads text of a 40-letter alphabet.
func (v *values) text40(dst []byte, alphabet string) []byte {
	n := int(v.take(1)[0])
	if n == 0 {
		v.bad = true
	}
	for ; n >= 3; n -= 3 {
		x := int(binary.BigEndian.Uint16(v.take(2)))
		if x >= 40*40*40 {
			v.bad = true
			return dst
		}
		dst = append(dst, alphabet[x/1600], alphabet[x/40%40], alphabet[x%40])
	}
	switch n {
	case 1:
		x := int(v.take(1)[0])
		if x >= 40 {
			v.bad = true
			return dst
		}
		dst = append(dst, alphabet[x])
	case 2:
		x := int(binary.BigEndian.Uint16(v.take(2)))
		if x >= 40*40 {
			v.bad = true
			return dst
		}
		dst = append(dst, alphabet[x/40], alphabet[x%40])
	}
	return dst
}

func (v *values) digits(dst []byte) []byte {
	n, size := binary.Uvarint(v.b)
	if size <= 0 || n > 0xffffffff || size > 1 && v.b[size-1] == 0 {
		v.bad = true
		return dst
	}
	v.take(size)
	return strconv.AppendUint(dst, n, 10)
}

// expand puts the values back and rebuilds every compact JWS, the presentation
// last if there is one. ok is false unless text and values are used up exactly.
func (u *unpacker) expand(text []byte, v *values) (tokens []string, presentation bool, ok bool) {
	p := newPools()
	u.out = u.out[:0]
	var header []byte
	start := 0         // of the header or payload being expanded, in u.out
	used, room := 0, 0 // credentials embedded so far, and the characters they took
	inPayload := false
	var nesting depth
	var rest []byte // of the text, while a phrase is expanded
	for {
		n, shallow := nesting.plain(text)
		u.out = append(u.out, text[:n]...)
		if !shallow || len(u.out)-room > maxInflated {
			return nil, false, false
		}
		if text = text[n:]; len(text) == 0 {
			if rest == nil {
				break
			}
			text, rest = rest, nil
			continue
		}
		m := text[:1]
		text = text[1:]
		if phrase := phraseOf[m[0]]; phrase != nil {
			text, rest = phrase, text // no phrase holds another
			continue
		}
		switch string(m) {
		case markHeaderEnd:
			if inPayload || presentation || start == len(u.out) {
				return nil, false, false
			}
			header, start, inPayload, nesting = u.out[start:], len(u.out), true, depth{}
		case markPayloadEnd:
			if !inPayload || start == len(u.out) || len(tokens) > maxEmbedded || used > 0 && used != len(tokens) {
				return nil, false, false
			}
			presentation = used > 0
			tokens = append(tokens, u.compact(header, u.out[start:], v.take(signatureSize)))
			start, inPayload, nesting = len(u.out), false, depth{}
		case markEmbedded:
			if !inPayload || used == len(tokens) {
				return nil, false, false
			}
			u.out = append(append(u.out, envelope...), tokens[used]...)
			room += len(envelope) + len(tokens[used])
			used++
		default:
			u.out = p.expand(u.out, m, v)
		}
		if v.bad || len(u.out)-room > maxInflated {
			return nil, false, false
		}
	}
	if inPayload || start != len(u.out) || len(tokens) == 0 || len(v.b) != 0 || !presentation && len(tokens) > maxEmbedded {
		return nil, false, false
	}
	return tokens, presentation, true
}

// compact writes header and payload in base64url and the signature after them.
func (u *unpacker) compact(header, payload, signature []byte) string {
	var b strings.Builder
	b.Grow(b64.EncodedLen(len(header)) + b64.EncodedLen(len(payload)) + b64.EncodedLen(len(signature)) + 2)
	for i, part := range [...][]byte{header, payload, signature} {
		if i > 0 {
			b.WriteByte('.')
		}
		u.word = b64.AppendEncode(u.word[:0], part)
		b.Write(u.word)
	}
	return b.String()
}

// expand appends the text that a value marker stands for.
func (p *pools) expand(dst, mark []byte, v *values) []byte {
	start := len(dst)
	switch string(mark) {
	case markUUID:
		dst = appendUUID(dst, v.take(16))
		p.uuids = append(p.uuids, string(dst[start:]))
	case markUUIDSeen:
		i := int(v.take(1)[0])
		if i >= len(p.uuids) {
			v.bad = true
			break
		}
		dst = append(dst, p.uuids[i]...)
	case markRef:
		dst = b64.AppendEncode(dst, v.take(16))
		p.refs = append(p.refs, string(dst[start:]))
	case markRefFirst:
		if len(p.refs) == 0 {
			v.bad = true
			break
		}
		dst = append(dst, p.refs[0]...)
	case markDigest:
		dst = b64.AppendEncode(dst, v.take(32))
	case markKey:
		known, again := v.seen(p.keys)
		if !again {
			var codec []byte
			switch form := v.take(1); form[0] {
			case keyEd25519:
				codec = append([]byte{0xed, 0x01}, v.take(32)...)
			case 2, 3:
				codec = append([]byte{0x80, 0x24, form[0]}, v.take(32)...)
			default:
				v.bad = true
				return dst
			}
			known = string(appendMultibase(nil, codec))
			p.keys = append(p.keys, known)
		}
		p.key = known
		dst = append(dst, known...)
	case markKeyAgain:
		if p.key == "" {
			v.bad = true
		}
		dst = append(dst, p.key...)
	case markHost:
		p.host = v.text(&p.hosts, lower40)
		dst = appendWebHost(dst, p.host)
	case markHostAgain:
		if p.host == "" {
			v.bad = true
		}
		dst = appendWebHost(dst, p.host)
	case markOrigin:
		if p.host == "" {
			v.bad = true
		}
		dst = append(append(dst, scheme(p.host)...), p.host...)
	case markFragment:
		dst = append(dst, v.text(&p.fragments, lower40)...)
	case markTime:
		if len(v.b) > 0 && v.b[0] >= seen {
			if p.time == 0 {
				v.bad = true
			}
			p.time += (int64(binary.BigEndian.Uint16(v.take(2))&^(seen<<8)) - daySpan) * daySeconds
		} else {
			p.time = timeEpoch + int64(binary.BigEndian.Uint32(v.take(4)))
		}
		if p.time < timeEpoch || p.time-timeEpoch >= 1<<31 {
			v.bad = true
			break
		}
		dst = appendTime(dst, p.time)
	case markDate:
		dst = appendDate(dst, dateEpoch+int64(binary.BigEndian.Uint16(v.take(2)))*daySeconds)
	case markIndex:
		dst = v.digits(dst)
		p.index = string(dst[start:])
	case markIndexAgain:
		if p.index == "" {
			v.bad = true
		}
		dst = append(dst, p.index...)
	case markNumber:
		dst = v.digits(dst)
		p.number = string(dst[start:])
	case markNumberAgain:
		if p.number == "" {
			v.bad = true
		}
		dst = append(dst, p.number...)
	case markSeconds:
		p.seconds = binary.BigEndian.Uint32(v.take(4))
		if p.seconds < 1e9 {
			v.bad = true // packed only with ten digits
		}
		dst = strconv.AppendUint(dst, uint64(p.seconds), 10)
	case markFiveMinutes:
		if p.seconds == 0 || p.seconds > 0xffffffff-300 {
			v.bad = true
			break
		}
		p.seconds += 300
		dst = strconv.AppendUint(dst, uint64(p.seconds), 10)
	case markCapitals:
		dst = append(dst, v.text(&p.texts, upper40)...)
	case markEscaped:
		for _, c := range []byte(v.text(&p.texts, upper40)) {
			if c == '<' {
				dst = append(dst, escapedLT...)
			} else {
				dst = append(dst, c)
			}
		}
	case markCountry:
		known, again := v.seen(p.countries)
		if !again {
			n := int(binary.BigEndian.Uint16(v.take(2)))
			if n >= 26*26*26 {
				v.bad = true
				break
			}
			known = string([]byte{'A' + byte(n/676), 'A' + byte(n/26%26), 'A' + byte(n%26)})
			p.countries = append(p.countries, known)
		}
		dst = append(dst, known...)
	case markWord:
		i := int(v.take(1)[0])
		if i >= len(words) {
			v.bad = true
			break
		}
		dst = append(dst, words[i]...)
	case markPowers:
		mask := allPowers
		if len(v.b) > 0 && v.b[0] == seen {
			v.take(1)
		} else if mask = int(binary.BigEndian.Uint16(v.take(2))); mask == 0 || mask >= allPowers {
			v.bad = true
			break
		}
		for k, name := range powers {
			if mask>>k&1 == 0 {
				continue
			}
			if len(dst) > start {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), name...), '"')
		}
	default:
		v.bad = true
	}
	return dst
}

// text reads a value of a 40-letter alphabet, new or seen.
func (v *values) text(pool *[]string, alphabet string) string {
	s, again := v.seen(*pool)
	if !again {
		var buf [128]byte
		s = string(v.text40(buf[:0], alphabet))
		*pool = append(*pool, s)
	}
	return s
}
