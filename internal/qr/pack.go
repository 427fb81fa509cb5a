package qr

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
)

// packer turns compact JWS into text with markers and the values beside it.
type packer struct {
	pools
	text, raw []byte
	size      int // bytes of headers and payloads, without embedded credentials
}

// envelope starts the id of an enveloped credential (VC Data Model 2.0, section
// 4.12.1).
const envelope = "data:application/vc+jwt,"

// signatureSize is the size of an EdDSA (RFC 8032) and of an ES256 (RFC 7518)
// signature.
const signatureSize = 64

// maxCompact bounds a compact JWS that is packed: eight of the largest
// credentials in a presentation are below it.
const maxCompact = 4 * maxInflated

// split takes a compact JWS apart. ok is false for what cannot be rebuilt.
func split(compact string) (header, payload, signature []byte, ok bool) {
	if len(compact) > maxCompact {
		return nil, nil, nil, false
	}
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return nil, nil, nil, false
	}
	var out [3][]byte
	for i, p := range parts {
		b, err := b64.DecodeString(p)
		if err != nil || b64.EncodeToString(b) != p {
			return nil, nil, nil, false
		}
		out[i] = b
	}
	return out[0], out[1], out[2], len(out[0]) > 0 && len(out[1]) > 0 && len(out[2]) == signatureSize
}

// embedded lists the credentials that the strings of a payload envelop.
func embedded(payload []byte) []string {
	var found []string
	walk(payload, func(s string) {
		if jwt, ok := strings.CutPrefix(s, envelope); ok {
			found = append(found, jwt)
		}
	})
	return found
}

// walk calls fn with the raw content of every JSON string that is not a member
// name.
func walk(b []byte, fn func(string)) {
	for i := 0; i < len(b); i++ {
		if b[i] != '"' {
			continue
		}
		end := stringEnd(b, i+1)
		if end < 0 {
			return
		}
		if end+1 >= len(b) || b[end+1] != ':' {
			fn(string(b[i+1 : end]))
		}
		i = end
	}
}

// stringEnd gives the index of the quote that closes a JSON string.
func stringEnd(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// add packs one JWS. enveloped says that it is a presentation whose enveloped
// credentials have been added before it.
func (p *packer) add(compact string, enveloped bool) error {
	header, payload, signature, ok := split(compact)
	if !ok {
		return ErrNotPackable.WithDetail("not a compact JWS in canonical base64url with a signature of 64 bytes")
	}
	p.size += len(header) + len(payload)
	if enveloped {
		for _, jwt := range embedded(payload) {
			p.size -= len(envelope) + len(jwt)
		}
	}
	if p.size > maxInflated {
		return ErrTooLarge
	}
	if !p.json(header, false) || !p.mark(markHeaderEnd) || !p.json(payload, enveloped) || !p.mark(markPayloadEnd) {
		return ErrNotPackable.WithDetail("a header or payload holds control characters, so it is not JSON")
	}
	p.raw = append(p.raw, signature...)
	return nil
}

func (p *packer) mark(m string) bool {
	p.text = append(p.text, m...)
	return true
}

// json copies JSON and takes values out of its strings and numbers.
func (p *packer) json(b []byte, enveloped bool) bool {
	member := ""
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case isMark(c):
			return false
		case c == '"':
			end := stringEnd(b, i+1)
			if end < 0 {
				end = len(b) - 1
			}
			s := string(b[i+1 : max(end, i+1)])
			if slices.ContainsFunc([]byte(s), isMark) {
				return false
			}
			switch {
			case end+1 < len(b) && b[end+1] == ':':
				member = s
				if s == "role" && i > 0 && b[i-1] == ',' {
					member = guardianRole
				}
				p.text = append(p.text, b[i:end+1]...)
			case i > 0 && b[i-1] == '[' && p.powers(b, &end, i):
			default:
				p.text = append(p.text, '"')
				p.str(member, s, enveloped)
				p.text = append(p.text, b[max(end, i+1):end+1]...)
			}
			i = end
		case '1' <= c && c <= '9' && i > 0 && b[i-1] == ':':
			end := i
			for end < len(b) && '0' <= b[end] && b[end] <= '9' {
				end++
			}
			p.seconds(string(b[i:end]))
			i = end - 1
		default:
			p.text = append(p.text, c)
		}
	}
	return true
}

// seconds packs a NumericDate of ten digits; other numbers stay.
func (p *packer) seconds(s string) {
	n, err := strconv.ParseUint(s, 10, 32)
	switch {
	case err != nil || len(s) != 10:
		p.text = append(p.text, s...)
	case p.pools.seconds != 0 && uint32(n) == p.pools.seconds+300:
		p.mark(markFiveMinutes)
		p.pools.seconds = uint32(n)
	default:
		p.mark(markSeconds)
		p.raw = binary.BigEndian.AppendUint32(p.raw, uint32(n))
		p.pools.seconds = uint32(n)
	}
}

// powers packs a whole list of quoted powers that starts at i, if it is in the
// schema's order, and moves end to its last quote.
func (p *packer) powers(b []byte, end *int, i int) bool {
	mask, next, last := 0, 0, 0
	for {
		e := stringEnd(b, i+1)
		if e < 0 || e+1 >= len(b) {
			return false
		}
		k := slices.Index(powers[:], string(b[i+1:e]))
		if k < next {
			return false
		}
		mask, next, last = mask|1<<k, k+1, e
		if b[e+1] == ']' {
			break
		}
		if b[e+1] != ',' || e+2 >= len(b) || b[e+2] != '"' {
			return false
		}
		i = e + 2
	}
	p.mark(markPowers)
	if mask == allPowers {
		p.raw = append(p.raw, seen)
	} else {
		p.raw = binary.BigEndian.AppendUint16(p.raw, uint16(mask))
	}
	*end = last
	return true
}

// str packs the content of one string.
func (p *packer) str(member, s string, enveloped bool) {
	switch {
	case enveloped && strings.HasPrefix(s, envelope):
		p.mark(markEmbedded)
	case strings.HasPrefix(s, "urn:uuid:") && p.uuid(s):
	case strings.HasPrefix(s, "did:key:") && p.didKey(s):
	case strings.HasPrefix(s, "did:web:") && p.didWeb(s):
	case p.host != "" && strings.HasPrefix(s, scheme(p.host)+p.host+"/"):
		p.url(s)
	case len(s) == 22 && p.ref(s):
	case len(s) == 43 && p.digest(s):
	case len(s) == 20 && p.time(s):
	case len(s) == 10 && p.date(s):
	case member == "statusListIndex" && p.digits(s, &p.index, markIndex, markIndexAgain):
	case (member == "script" || member == guardianRole) && p.word(s):
	case isText[member] && p.capitals(s):
	case member != "type" && !isText[member] && p.country(s):
	default:
		p.text = append(p.text, s...)
	}
}

// isText names the members whose values are names and numbers in capitals.
var isText = map[string]bool{"primary": true, "secondary": true, "value": true, "number": true, "reference": true, "carrierRef": true}

// guardianRole stands for the member "role" where it is not the first of its
// object: a guardian's, which varies, not a parent's, which hardly does.
const guardianRole = "guardian role"

func (p *packer) word(s string) bool {
	i := slices.Index(words[:], s)
	if i < 0 {
		return false
	}
	p.mark(markWord)
	p.raw = append(p.raw, byte(i))
	return true
}

// again writes the number of an earlier value, if there was one.
func (p *packer) again(pool *[]string, s string) bool {
	if i := slices.Index(*pool, s); i >= 0 && i < seen {
		p.raw = append(p.raw, seen|byte(i))
		return true
	}
	*pool = append(*pool, s)
	return false
}

func (p *packer) uuid(s string) bool {
	b := uuidBytes(s[len("urn:uuid:"):])
	if b == nil {
		return false
	}
	p.text = append(p.text, "urn:uuid:"...)
	if i := slices.Index(p.uuids, s); i >= 0 && i < 256 {
		p.mark(markUUIDSeen)
		p.raw = append(p.raw, byte(i))
		return true
	}
	p.uuids = append(p.uuids, s)
	p.mark(markUUID)
	p.raw = append(p.raw, b...)
	return true
}

func (p *packer) ref(s string) bool {
	b, err := b64.DecodeString(s)
	if err != nil {
		return false
	}
	if len(p.refs) > 0 && p.refs[0] == s {
		p.mark(markRefFirst)
		return true
	}
	p.refs = append(p.refs, s)
	p.mark(markRef)
	p.raw = append(p.raw, b...)
	return true
}

func (p *packer) digest(s string) bool {
	b, err := b64.DecodeString(s)
	if err != nil {
		return false
	}
	p.mark(markDigest)
	p.raw = append(p.raw, b...)
	return true
}

func (p *packer) didKey(s string) bool {
	base, fragment, has := strings.Cut(s[len("did:key:"):], "#")
	b := keyBytes(base)
	if b == nil {
		return false
	}
	p.text = append(p.text, "did:key:"...)
	if p.key == base {
		p.mark(markKeyAgain)
	} else {
		p.key = base
		p.mark(markKey)
		if !p.again(&p.keys, base) {
			p.raw = append(p.raw, b...)
		}
	}
	if has {
		p.text = append(p.text, '#')
		if fragment == base {
			p.mark(markKeyAgain)
		} else {
			p.text = append(p.text, fragment...)
		}
	}
	return true
}

func (p *packer) didWeb(s string) bool {
	rest := s[len("did:web:"):]
	end := strings.IndexAny(rest, ":/?#")
	if end < 0 {
		end = len(rest)
	}
	host := strings.ReplaceAll(rest[:end], "%3A", ":")
	if host == "" || len(host) >= seen || !only(host, lower40) || string(appendWebHost(nil, host)) != rest[:end] {
		return false
	}
	p.text = append(p.text, "did:web:"...)
	if p.host == host {
		p.mark(markHostAgain)
	} else {
		p.host = host
		p.mark(markHost)
		p.text40(&p.hosts, host, lower40)
	}
	rest = rest[end:]
	if strings.HasPrefix(rest, "#") && len(rest) > 1 && len(rest) <= seen && only(rest[1:], lower40) {
		p.text = append(p.text, '#')
		p.mark(markFragment)
		p.text40(&p.fragments, rest[1:], lower40)
		return true
	}
	p.text = append(p.text, rest...)
	return true
}

// text40 writes a value of 1 to 127 characters of an alphabet.
func (p *packer) text40(pool *[]string, s, alphabet string) {
	if p.again(pool, s) {
		return
	}
	p.raw = append(p.raw, byte(len(s)))
	p.raw = append40(p.raw, s, alphabet)
}

func (p *packer) url(s string) {
	p.mark(markOrigin)
	s = s[len(scheme(p.host)+p.host):]
	i := strings.LastIndexByte(s, '/') + 1
	p.text = append(p.text, s[:i]...)
	if !p.digits(s[i:], &p.number, markNumber, markNumberAgain) {
		p.text = append(p.text, s[i:]...)
	}
}

// digits packs a decimal number that is written as strconv writes it.
func (p *packer) digits(s string, last *string, mark, again string) bool {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return false
	}
	if *last == s {
		return p.mark(again)
	}
	*last = s
	p.mark(mark)
	p.raw = binary.AppendUvarint(p.raw, n)
	return true
}

func (p *packer) time(s string) bool {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Format(time.RFC3339) != s {
		return false
	}
	n := t.Unix()
	if n < timeEpoch || n-timeEpoch >= 1<<31 {
		return false
	}
	p.mark(markTime)
	if d := (n-p.pools.time)/daySeconds + daySpan; p.pools.time != 0 && (n-p.pools.time)%daySeconds == 0 && d >= 0 && d < 2*daySpan {
		p.raw = binary.BigEndian.AppendUint16(p.raw, seen<<8|uint16(d))
	} else {
		p.raw = binary.BigEndian.AppendUint32(p.raw, uint32(n-timeEpoch))
	}
	p.pools.time = n
	return true
}

func (p *packer) date(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Format(time.DateOnly) != s {
		return false
	}
	n := (t.Unix() - dateEpoch) / daySeconds
	if t.Unix() < dateEpoch || n > 0xffff {
		return false
	}
	p.mark(markDate)
	p.raw = binary.BigEndian.AppendUint16(p.raw, uint16(n))
	return true
}

func (p *packer) capitals(s string) bool {
	mark := markCapitals
	if strings.Contains(s, escapedLT) && !strings.Contains(s, "<") {
		mark, s = markEscaped, strings.ReplaceAll(s, escapedLT, "<")
	}
	if s == "" || len(s) >= seen || !only(s, upper40) {
		return false
	}
	p.mark(mark)
	p.text40(&p.texts, s, upper40)
	return true
}

func (p *packer) country(s string) bool {
	if len(s) != 3 || !only(s, upper40[:26]) {
		return false
	}
	p.mark(markCountry)
	if !p.again(&p.countries, s) {
		n := (int(s[0]-'A')*26+int(s[1]-'A'))*26 + int(s[2]-'A')
		p.raw = binary.BigEndian.AppendUint16(p.raw, uint16(n))
	}
	return true
}
