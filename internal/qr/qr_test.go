package qr

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// jws makes a compact JWS of any header and payload with a made-up signature.
func jws(header, payload string) string {
	e := base64.RawURLEncoding
	signature := sha256.Sum256([]byte(header + payload))
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload)) + "." + e.EncodeToString(append(signature[:], signature[:]...))
}

// forge makes KP1 text of any text with markers and any values.
func forge(t testing.TB, text string, values ...byte) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, flate.BestCompression, dictionaryBytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return kp1(append(append([]byte{version1, dictionary1ID}, b.Bytes()...), values...))
}

func kp1(b []byte) string { return string(appendBase45([]byte(prefix), b)) }

// The format is published: a packet made years ago must unpack as it was made.
// Everything that both sides must agree on is in this digest.
func TestFormatIsPinned(t *testing.T) {
	h := sha256.New()
	for _, s := range [][]string{{dictionary1}, phrases1[:], words[:], powers[:], knownFragments, {knownHost, upper40, lower40, alphabet45}} {
		for _, x := range s {
			h.Write([]byte(x + "\n"))
		}
	}
	const want = "77cb47e239453aff8275388a8b492911327e671da58865b4d8df03289e373302"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("dictionary 1 or a table beside it has changed: SHA-256 %s; give a changed one a new dictionary number", got)
	}
	if n := len(dictionary1); n > 8<<10 {
		t.Errorf("the dictionary has %d bytes", n)
	}
}

// Packets of the first release, with what they unpack to.
func TestPublishedPackets(t *testing.T) {
	for i, s := range shapes {
		base := filepath.Join("testdata", s.name)
		if *update {
			in := s.make(newFamily(t, seeded(9), []string{demoHost, otherHost}[i%2], []string{demoBase, otherBase}[i%2], []string{keys.EdDSA, keys.ES256}[i%2]))
			text, err := Pack(in)
			if err != nil {
				t.Fatal(err)
			}
			tokens := append([]string{}, in.Credentials...)
			if in.Presentation != "" {
				tokens = append(tokens, in.Presentation)
			}
			for name, data := range map[string]string{base + ".kp1": text, base + ".jwt": strings.Join(tokens, "\n")} {
				if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		text, err := os.ReadFile(base + ".kp1")
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(base + ".jwt")
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unpack(string(text))
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		tokens := append([]string{}, got.Credentials...)
		if got.Presentation != "" {
			tokens = append(tokens, got.Presentation)
		}
		if strings.Join(tokens, "\n") != string(want) {
			t.Errorf("%s unpacks to other bytes", s.name)
		}
	}
}

// What real credentials do not all have, and what no credential of ours has:
// everything that is JSON in a compact JWS comes back as it was.
func TestRoundTrip(t *testing.T) {
	f := newFamily(t, seeded(7), otherHost, otherBase, keys.ES256)
	const head = `{"alg":"EdDSA","cty":"vc","kid":"did:web:registry.nepal.example#key-1","typ":"vc+jwt"}`
	mother, motherKey := f.holder(keys.EdDSA)
	father, fatherKey := f.holder(keys.ES256)
	subject := func(s string) Packet { return Packet{Credentials: []string{jws(head, s)}} }
	enveloping := func(payload string) Packet {
		inner := jws(head, `{"id":"urn:uuid:0b5b3f0e-6a0e-4b57-9f0d-f2f9a1b9b7a1"}`)
		return Packet{Presentation: jws(`{"alg":"EdDSA","typ":"vp+jwt"}`, strings.ReplaceAll(payload, "JWT", envelope+inner))}
	}
	eight := Packet{}
	for range 8 {
		eight.Credentials = append(eight.Credentials, jws(head, `{"id":"`+f.uuid()+`"}`))
	}
	for name, in := range map[string]Packet{
		"birth":                      {Credentials: []string{f.birth()}},
		"same credential twice":      {Credentials: []string{jws(head, `{}`), jws(head, `{}`)}},
		"eight credentials":          eight,
		"companion with P-256 key":   {Presentation: f.present(father, fatherKey, f.birth(), f.guardianship(motherKey), f.guardianship(fatherKey))},
		"mother presents":            {Presentation: f.present(mother, motherKey, f.birth(), f.guardianship(fatherKey), f.guardianship(motherKey))},
		"names in other scripts":     subject(`{"names":[{"kind":"legal","script":"Deva","given":["काव्या"],"family":["गुरुङ"]},{"script":"Qaaa"},{"script":"Arab","full":"فاطمة"}]}`),
		"escaped and raw <":          subject(`{"primary":"AL\u003cHASSAN","secondary":"A<B","value":"A\u003cB<C","number":"A\u003CB"}`),
		"empty and long text":        subject(`{"primary":"","secondary":"` + strings.Repeat("A", 127) + `","value":"` + strings.Repeat("B", 128) + `","number":"A"}`),
		"text of every length":       subject(`{"primary":["A","AB","ABC","ABCD","ABCDE","A","AB"]}`),
		"digits that are not plain":  subject(`{"statusListIndex":"007","a":{"statusListIndex":"4294967295"},"b":{"statusListIndex":"4294967296"},"c":{"statusListIndex":"-1"},"d":{"statusListIndex":"0"}}`),
		"times":                      subject(`{"a":"2026-11-20T12:00:00Z","b":"2027-11-20T12:00:00Z","c":"2026-11-20T12:00:01Z","d":"2019-12-31T23:59:59Z","e":"2020-01-01T00:00:00Z","f":"2088-01-19T03:14:07Z","g":"2088-01-19T03:14:08Z","h":"2026-11-20t12:00:00z","i":"2026-02-30T12:00:00Z"}`),
		"dates":                      subject(`{"a":"1900-01-01","b":"1899-12-31","c":"2079-06-06","d":"2079-06-07","e":"2024-02-29","f":"2023-02-29","g":"0000-00-00"}`),
		"numbers":                    subject(`{"iat":1789000000,"exp":1789000300,"nbf":1789000300,"a":4294967295,"b":4294967296,"c":1789000600.5,"d":-1789000900,"e":1e9,"f":999999999,"g":0}`),
		"countries":                  subject(`{"a":"NPL","b":"NPL","c":["NPL","ZMB","AAA","ZZZ"],"type":"NID","d":"npl","e":"NP"}`),
		"powers":                     subject(`{"a":["travelAccompany"],"b":["walletManage"],"c":["travelConsent","travelAccompany"],"d":["travelAccompany","travelAccompany"],"e":["travelAccompany","fly"],"f":[],"g":["travelAccompany", "relocate"],"h":["travelAccompany"}`),
		"roles":                      subject(`{"role":"mother","x":1,"role":"kafil","y":{"role":"king"},"script":"mother"}`),
		"references":                 subject(`{"a":"AAAAAAAAAAAAAAAAAAAAAA","b":"AAAAAAAAAAAAAAAAAAAAAB","c":"AAAAAAAAAAAAAAAAAAAAAA","d":"` + f.random(32) + `","e":"` + f.random(16) + `"}`),
		"identifiers":                subject(`{"a":"urn:uuid:0b5b3f0e-6a0e-4b57-9f0d-f2f9a1b9b7a1","b":"urn:uuid:0B5B3F0E-6a0e-4b57-9f0d-f2f9a1b9b7a1","c":"urn:uuid:0b5b3f0e-6a0e-4b57-9f0d-f2f9a1b9b7a1","d":"urn:uuid:0b5b3f0e6a0e-4b57-9f0d-f2f9a1b9b7a1-"}`),
		"keys":                       subject(`{"a":"` + motherKey + `","b":"` + motherKey + `#x","c":"` + fatherKey + `","d":"did:key:z1` + motherKey[9:] + `","e":"did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme","f":"did:key:","g":"did:key:z"}`),
		"hosts":                      subject(`{"a":"did:web:localhost%3A8080","b":"http://localhost:8080/x/12","c":"https://localhost:8080/x/12","d":"did:web:Example.org","e":"did:web:example.org:issuers:7#key","f":"https://example.org/status/012","g":"https://example.org/","h":"did:web:","i":"did:web:a%3a1","j":"did:web:localhost","k":"http://localhost/1","l":"did:web:a#","m":"did:web:a#` + strings.Repeat("k", 128) + `","n":"did:web:` + strings.Repeat("h", 128) + `"}`),
		"not an object":              subject(`"data:application/vc+jwt,x"`),
		"white space":                subject("{\n\t\"a\" : [ 1 ,\r\n \"NPL\" ] , \"primary\" : \"ABC\" }\n"),
		"not JSON at all":            subject(`travelAccompany","`),
		"quotes and backslashes":     subject(`{"a\"b":"c\\","d":"\"","e":"\\\""}`),
		"as deep as allowed":         subject(strings.Repeat("[", 16) + strings.Repeat("]", 16)),
		"brackets in text":           subject(`{"a":"` + strings.Repeat("[{", 40) + `"}`),
		"enveloped anywhere":         enveloping(`{"x":["JWT"],"iat":1789000000}`),
		"enveloped twice":            enveloping(`{"verifiableCredential":[{"id":"JWT"},{"id":"JWT"}]}`),
		"envelope of another kind":   enveloping(`{"verifiableCredential":[{"id":"JWT"},{"id":"data:application/vc+sd-jwt,abc"}]}`),
		"control characters escaped": subject(`{"a":"\u0001\u001f","b":"\u00f5"}`),
	} {
		text, err := Pack(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := Unpack(text)
		if err != nil || !out.equal(in) {
			t.Errorf("%s: comes back changed (%v)", name, err)
		}
	}
}

// What comes out verifies under the keys that signed what went in.
func TestUnpackedVerifies(t *testing.T) {
	f := newFamily(t, seeded(8), otherHost, otherBase, keys.ES256)
	s, id := f.holder(keys.EdDSA)
	text, err := Pack(Packet{Presentation: f.present(s, id, f.birth(), f.guardianship(id))})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Unpack(text)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := vc.VerifyJWS(p.Presentation, vc.TypPresentation, s.Public())
	if err != nil {
		t.Fatal(err)
	}
	vp, err := vc.ParsePresentation(payload)
	if err != nil {
		t.Fatal(err)
	}
	if len(vp.Credentials) != 2 {
		t.Fatalf("%d credentials", len(vp.Credentials))
	}
	for _, e := range vp.Credentials {
		jwt, ok := e.JWT()
		if !ok {
			t.Fatal("not enveloped")
		}
		if _, err := vc.VerifyJWS(jwt, vc.TypCredential, f.issuer.Public()); err != nil {
			t.Error(err)
		}
		if _, err := vc.VerifyJWS(jwt, vc.TypCredential, s.Public()); err == nil {
			t.Error("verifies under a key that did not sign it")
		}
	}
}

// Unpackers are used again: what one text left behind never shows in another's
// packet, also when many are at work.
func TestUnpackConcurrently(t *testing.T) {
	var texts []string
	var packets []Packet
	for i, s := range shapes {
		f := newFamily(t, seeded(uint64(20+i)), otherHost, otherBase, keys.EdDSA)
		in := s.make(f)
		text, err := Pack(in)
		if err != nil {
			t.Fatal(err)
		}
		texts, packets = append(texts, text), append(packets, in)
	}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 60 {
				k := (worker + i) % len(texts)
				if _, err := Unpack(texts[k][:len(texts[k])-3*(i+1)]); err == nil {
					t.Error("a cut text unpacks")
				}
				if p, err := Unpack(texts[k]); err != nil || !p.equal(packets[k]) {
					t.Errorf("%s comes back changed: %v", shapes[k].name, err)
				}
			}
		})
	}
	all.Wait()
}

func TestPackRefuses(t *testing.T) {
	const head = `{"alg":"EdDSA","typ":"vc+jwt"}`
	good := jws(head, `{"a":1}`)
	parts := strings.Split(good, ".")
	presentation := func(payload string) Packet {
		return Packet{Presentation: jws(head, strings.ReplaceAll(payload, "JWT", good))}
	}
	var many []string
	for range 9 {
		many = append(many, good)
	}
	for name, c := range map[string]struct {
		in  Packet
		err error
	}{
		"nothing":                      {Packet{}, ErrNotPackable},
		"both":                         {Packet{Presentation: good, Credentials: []string{good}}, ErrNotPackable},
		"nine credentials":             {Packet{Credentials: many}, ErrNotPackable},
		"nine enveloped":               {presentation(`["` + strings.Repeat(envelope+`JWT","`, 8) + envelope + `JWT"]`), ErrNotPackable},
		"presentation without any":     {presentation(`{"verifiableCredential":[]}`), ErrNotPackable},
		"enveloped that is no JWS":     {presentation(`["` + envelope + `abc"]`), ErrNotPackable},
		"enveloped with an escape":     {presentation(`["data:application\/vc+jwt,JWT"]`), ErrNotPackable},
		"envelope cut off":             {presentation(`["` + envelope + `JWT`), ErrNotPackable},
		"two parts":                    {Packet{Credentials: []string{parts[0] + "." + parts[1]}}, ErrNotPackable},
		"four parts":                   {Packet{Credentials: []string{good + "." + parts[2]}}, ErrNotPackable},
		"empty header":                 {Packet{Credentials: []string{"." + parts[1] + "." + parts[2]}}, ErrNotPackable},
		"empty payload":                {Packet{Credentials: []string{parts[0] + ".." + parts[2]}}, ErrNotPackable},
		"no signature":                 {Packet{Credentials: []string{parts[0] + "." + parts[1] + "."}}, ErrNotPackable},
		"short signature":              {Packet{Credentials: []string{good[:len(good)-4]}}, ErrNotPackable},
		"padding":                      {Packet{Credentials: []string{parts[0] + "=." + parts[1] + "." + parts[2]}}, ErrNotPackable},
		"base64 that is not canonical": {Packet{Credentials: []string{parts[0] + "." + parts[1] + "." + parts[2][:85] + "B"}}, ErrNotPackable},
		"line feed in base64":          {Packet{Credentials: []string{parts[0] + "." + parts[1] + "." + parts[2] + "\n"}}, ErrNotPackable},
		"standard alphabet":            {Packet{Credentials: []string{"+" + good[1:]}}, ErrNotPackable},
		"control character":            {Packet{Credentials: []string{jws(head, "{\"a\":\"\x05\"}")}}, ErrNotPackable},
		"control character outside":    {Packet{Credentials: []string{jws(head, "{\x1d}")}}, ErrNotPackable},
		"byte that is not UTF-8":       {Packet{Credentials: []string{jws(head, "{\"a\":\"\xff\"}")}}, ErrNotPackable},
		"marker at the end":            {Packet{Credentials: []string{jws(head, "\"\x1e")}}, ErrNotPackable},
		"too deep":                     {Packet{Credentials: []string{jws(head, strings.Repeat("[", 17)+strings.Repeat("]", 17))}}, ErrNotPackable},
		"too large":                    {Packet{Credentials: []string{jws(head, `{"a":"`+strings.Repeat("a", maxInflated)+`"}`)}}, ErrTooLarge},
		"too large together":           {Packet{Credentials: []string{jws(head, `{"a":"`+strings.Repeat("a", maxInflated/2)+`"}`), jws(head, `{"b":"`+strings.Repeat("b", maxInflated/2)+`"}`)}}, ErrTooLarge},
		"too random":                   {Packet{Credentials: []string{jws(head, `{"a":"`+newFamily(t, seeded(1), demoHost, demoBase, keys.EdDSA).random(4000)+`"}`)}}, ErrTooLarge},
		"far too large":                {Packet{Presentation: jws(head, strings.Repeat("a", 1<<20))}, ErrNotPackable},
	} {
		text, err := Pack(c.in)
		if !errors.Is(err, c.err) || text != "" {
			t.Errorf("%s: %v", name, err)
		}
		silent(t, name, err)
	}
}

// silent checks that an error tells nothing of what it was about.
func silent(t *testing.T, name string, err error) {
	t.Helper()
	var f *fault.Fault
	if err != nil && (!errors.As(err, &f) || len(f.Error()) > 200 || strings.Contains(f.Error(), prefix)) {
		t.Errorf("%s: %v", name, err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	f := newFamily(t, seeded(11), otherHost, otherBase, keys.EdDSA)
	s, id := f.holder(keys.EdDSA)
	good, err := Pack(Packet{Presentation: f.present(s, id, f.birth(), f.guardianship(id))})
	if err != nil {
		t.Fatal(err)
	}
	bin, _ := decodeBase45(nil, good[len(prefix):])
	with := func(i int, b byte) string { c := bytes.Clone(bin); c[i] = b; return kp1(c) }
	for name, c := range map[string]struct {
		text string
		err  error
	}{
		"nothing":                     {"", ErrPrefix},
		"part of the prefix":          {"KP1", ErrPrefix},
		"lower case":                  {strings.ToLower(good), ErrPrefix},
		"lower case after the prefix": {prefix + strings.ToLower(good[len(prefix):]), ErrEncoding},
		"space before":                {" " + good, ErrPrefix},
		"line feed after":             {good + "\n", ErrEncoding},
		"another code":                {"HC1:" + good[len(prefix):], ErrPrefix},
		"the next KP":                 {"KP2:" + good[len(prefix):], ErrPrefix},
		"a link":                      {"https://example.org", ErrPrefix},
		"one character":               {prefix + "0", ErrEncoding},
		"length that none has":        {prefix + "0000", ErrEncoding},
		"group above 65535":           {prefix + ":::", ErrEncoding},
		"pair above 255":              {prefix + "::", ErrEncoding},
		"character not in base45":     {prefix + "00!", ErrEncoding},
		"accented":                    {prefix + "00é", ErrEncoding},
		"one character too many":      {prefix + strings.Repeat("0", maxText-len(prefix)+1), ErrOversize},
		"a megabyte":                  {prefix + strings.Repeat("0", 1<<20), ErrOversize},
		"prefix alone":                {prefix, ErrCorrupt},
		"version alone":               {kp1([]byte{version1}), ErrCorrupt},
		"version and dictionary":      {kp1([]byte{version1, dictionary1ID}), ErrCorrupt},
		"version 0":                   {with(0, 0), ErrCorrupt},
		"version 2":                   {with(0, 2), ErrCorrupt},
		"dictionary 0":                {with(1, 0), ErrCorrupt},
		"dictionary 2":                {with(1, 2), ErrCorrupt},
		"zeros":                       {prefix + strings.Repeat("0", 300), ErrCorrupt},
		"one byte more":               {kp1(append(bytes.Clone(bin), 0)), ErrCorrupt},
		"a signature more":            {kp1(append(bytes.Clone(bin), bin[len(bin)-64:]...)), ErrCorrupt},
		"twice":                       {kp1(append(bytes.Clone(bin), bin...)), ErrCorrupt},
		"longest text of nothing":     {prefix + strings.Repeat("0", (maxText-len(prefix))/3*3), ErrCorrupt},
	} {
		p, err := Unpack(c.text)
		if !errors.Is(err, c.err) || p.Presentation != "" || p.Credentials != nil {
			t.Errorf("%s: %v", name, err)
		}
		silent(t, name, err)
	}
}

// Cut at any byte it does not unpack. Changed in any byte it either does not
// unpack or gives other bytes than were signed: the unused bits of the last byte
// of the DEFLATE stream are the only ones that carry nothing.
func TestEveryByteCounts(t *testing.T) {
	f := newFamily(t, seeded(12), demoHost, demoBase, keys.EdDSA)
	s, id := f.holder(keys.EdDSA)
	in := Packet{Presentation: f.present(s, id, f.birth(), f.guardianship(id))}
	text, err := Pack(in)
	if err != nil {
		t.Fatal(err)
	}
	bin, _ := decodeBase45(nil, text[len(prefix):])
	same := 0
	for i := range bin {
		if _, err := Unpack(kp1(bin[:i])); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at byte %d: %v", i, err)
		}
		for bit := range 8 {
			changed := bytes.Clone(bin)
			changed[i] ^= 1 << bit
			p, err := Unpack(kp1(changed))
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("bit %d of byte %d: %v", bit, i, err)
				}
				continue
			}
			if p.equal(in) {
				same++
			}
		}
	}
	if same > 7 {
		t.Errorf("%d changed bits give the same presentation", same)
	}
	for i := range len(text) {
		if p, err := Unpack(text[:i]); err == nil {
			t.Errorf("cut at character %d: %d credentials", i, len(p.Credentials))
		}
	}
}

// Streams that only an attacker writes.
func TestForgedStreams(t *testing.T) {
	sig := make([]byte, signatureSize)
	item := func(payload string) string { return "{}" + markHeaderEnd + payload + markPayloadEnd }
	sigs := func(n int, before ...byte) []byte { return append(before, bytes.Repeat(sig, n)...) }
	vp := func(refs int) string { return item(`{"v":["` + strings.Repeat(markEmbedded, refs) + `"]}`) }
	one := item(`{}`)

	// The same pieces, put together rightly, do unpack: so what follows is refused
	// for its fault and not for something else.
	for name, c := range map[string]struct {
		text   string
		values []byte
		tokens int // credentials; 0 is a presentation
	}{
		"credential":       {one, sigs(1), 1},
		"eight":            {strings.Repeat(one, 8), sigs(8), 8},
		"presentation":     {one + vp(1), sigs(2), 0},
		"presents eight":   {strings.Repeat(one, 8) + vp(8), sigs(9), 0},
		"sixteen deep":     {item(strings.Repeat("[", 16) + strings.Repeat("]", 16)), sigs(1), 1},
		"text":             {item(`{"a":"` + markCapitals + `"}`), sigs(1, 1, 0), 1},
		"seen text":        {item(`{"a":"` + markCapitals + markCapitals + `"}`), sigs(1, 1, 0, seen), 1},
		"time and again":   {item(`{"a":"` + markTime + markTime + `"}`), sigs(1, 0, 0, 0, 1, 0xc0, 1), 1},
		"uvarint":          {item(`{"a":"` + markIndex + markIndexAgain + `"}`), sigs(1, 0x80, 1), 1},
		"phrase":           {item(`{` + phraseMark(6) + `}`), sigs(1, 1, 0, 0, 0), 1},
		"16 KiB":           {item(strings.Repeat(" ", maxInflated-2)), sigs(1), 1},
		"quoted brackets":  {item(`"\"` + strings.Repeat("[", 17) + `"`), sigs(1), 1},
		"powers":           {item(`[` + markPowers + `]`), sigs(1, seen), 1},
		"unclosed strings": {"\"[" + markHeaderEnd + "\"[[" + markPayloadEnd, sigs(1), 1},
	} {
		p, err := Unpack(forge(t, c.text, c.values...))
		if err != nil || len(p.Credentials) != c.tokens || (c.tokens == 0) != (p.Presentation != "") {
			t.Errorf("%s: %d credentials, %v", name, len(p.Credentials), err)
		}
	}

	long := strings.Repeat("h", 127)
	host := append40([]byte{127}, long, lower40)
	for name, c := range map[string]struct {
		text   string
		values []byte
	}{
		"nothing":                      {"", nil},
		"text outside of a JWS":        {one + "x", sigs(1)},
		"text before a JWS":            {"x" + markPayloadEnd + one, sigs(2)},
		"header alone":                 {"{}" + markHeaderEnd, sigs(1)},
		"payload not ended":            {"{}" + markHeaderEnd + "{}", sigs(1)},
		"header ended twice":           {"{}" + markHeaderEnd + markHeaderEnd + "{}" + markPayloadEnd, sigs(1)},
		"payload ended twice":          {one + markPayloadEnd, sigs(2)},
		"empty header":                 {markHeaderEnd + "{}" + markPayloadEnd, sigs(1)},
		"empty payload":                {"{}" + markHeaderEnd + markPayloadEnd, sigs(1)},
		"nine credentials":             {strings.Repeat(one, 9), sigs(9)},
		"ten, one a presentation":      {strings.Repeat(one, 9) + vp(9), sigs(10)},
		"signature missing":            {one, nil},
		"signature short":              {one, sig[:63]},
		"value left over":              {one, sigs(1, 0)},
		"embeds nothing":               {vp(1), sigs(1)},
		"embeds itself":                {one + vp(2), sigs(2)},
		"embeds too few":               {one + one + vp(1), sigs(3)},
		"embeds in a header":           {one + `{"` + markEmbedded + `"}` + markHeaderEnd + "{}" + markPayloadEnd, sigs(2)},
		"embeds in a credential":       {one + vp(1) + one, sigs(3)},
		"presentation in presentation": {one + vp(1) + vp(1), sigs(3)},
		"seventeen deep":               {item(strings.Repeat("[", 17) + strings.Repeat("]", 17)), sigs(1)},
		"deep header":                  {strings.Repeat("[", 17) + markHeaderEnd + "{}" + markPayloadEnd, sigs(1)},
		"deep after a phrase":          {item(strings.Repeat("[", 15) + phraseMark(6) + "}"), sigs(1, 1, 0, 0, 0)},
		"deep behind a quote":          {`"` + markHeaderEnd + strings.Repeat("[", 17) + markPayloadEnd, sigs(1)},
		"deep behind a backslash":      {item(`"\\"` + strings.Repeat("[", 17)), sigs(1)},
		"value behind a backslash":     {item(`"\` + markCapitals + `"`), sigs(1, 1, 0)},
		"powers in a string":           {item(`"` + markPowers + `"`), sigs(1, seen)},
		"zip bomb":                     {item(strings.Repeat(" ", 1<<20)), sigs(1)},
		"one byte too many":            {item(strings.Repeat(" ", maxInflated-1)), sigs(1)},
		"bomb of phrases":              {item(strings.Repeat(phraseMark(0), 1000)), sigs(1)},
		"bomb of hosts":                {item(markHost + strings.Repeat(markHostAgain, 1000)), sigs(1, host...)},
		"bomb of powers":               {item("[" + strings.Repeat(markPowers, 200)), append(bytes.Repeat([]byte{seen}, 200), sig...)},
		"unknown marker":               {item("\x00"), sigs(1)},
		"another unknown marker":       {item("\x1f"), sigs(1)},
		"key before any":               {item(markKeyAgain), sigs(1)},
		"host before any":              {item(markHostAgain), sigs(1)},
		"origin before any host":       {item(markOrigin), sigs(1)},
		"index before any":             {item(markIndexAgain), sigs(1)},
		"number before any":            {item(markNumberAgain), sigs(1)},
		"reference before any":         {item(markRefFirst), sigs(1)},
		"UUID before any":              {item(markUUIDSeen), sigs(1, 0)},
		"five minutes after nothing":   {item(markFiveMinutes), sigs(1)},
		"seconds of nine digits":       {item(markSeconds), sigs(1, 0, 0, 0, 1)},
		"seconds beyond 32 bits":       {item(markSeconds + markFiveMinutes), sigs(1, 255, 255, 255, 255)},
		"time after nothing":           {item(markTime), sigs(1, 0xc0, 0)},
		"time before its epoch":        {item(markTime + markTime), sigs(1, 0, 0, 0, 0, 0x80, 0)},
		"text of no length":            {item(markCapitals), sigs(1, 0)},
		"text seen before any":         {item(markCapitals), sigs(1, seen)},
		"text seen out of range":       {item(markCapitals + markCapitals), sigs(1, 1, 0, seen|1)},
		"three characters too large":   {item(markCapitals), sigs(1, 3, 0xfa, 0)},
		"two characters too large":     {item(markCapitals), sigs(1, 2, 0x06, 0x40)},
		"one character too large":      {item(markCapitals), sigs(1, 1, 40)},
		"host seen out of range":       {item(markHost), sigs(1, seen|1)},
		"key seen before any":          {item(markKey), sigs(1, seen)},
		"key of no form":               {item(markKey), sigs(1, make([]byte, 33)...)},
		"key of another form":          {item(markKey), append(append([]byte{4}, make([]byte, 32)...), sig...)},
		"country too large":            {item(markCountry), sigs(1, 0x44, 0xa8)},
		"country seen before any":      {item(markCountry), sigs(1, seen)},
		"no powers":                    {item("[" + markPowers + "]"), sigs(1, 0, 0)},
		"all powers one by one":        {item("[" + markPowers + "]"), sigs(1, 0x0f, 0xff)},
		"a thirteenth power":           {item("[" + markPowers + "]"), sigs(1, 0x10, 0)},
		"word out of range":            {item(markWord), sigs(1, byte(len(words)))},
		"number with a useless byte":   {item(markIndex), sigs(1, 0x81, 0x00)},
		"number beyond 32 bits":        {item(markIndex), sigs(1, 0x80, 0x80, 0x80, 0x80, 0x10)},
		"number without end":           {item(markIndex), bytes.Repeat([]byte{0xff}, 80)},
	} {
		text := forge(t, c.text, c.values...)
		if len(text) > maxText {
			t.Errorf("%s: the forgery has %d characters", name, len(text))
		}
		p, err := Unpack(text)
		if !errors.Is(err, ErrCorrupt) || p.Presentation != "" || p.Credentials != nil {
			t.Errorf("%s: %d credentials, %v", name, len(p.Credentials), err)
		}
	}
}

// The vectors of RFC 9285, section 4.3 and 4.4.
func TestBase45(t *testing.T) {
	for plain, want := range map[string]string{"AB": "BB8", "Hello!!": "%69 VD92EX0", "base-45": "UJCLQE7W581", "ietf!": "QED8WEX0", "": ""} {
		if got := string(appendBase45(nil, []byte(plain))); got != want {
			t.Errorf("%q: %q, want %q", plain, got, want)
		}
		if got, ok := decodeBase45(nil, want); !ok || string(got) != plain {
			t.Errorf("%q: %q, %t", want, got, ok)
		}
	}
	for _, bad := range []string{"GGX", "A", "BB8A", ":::", "::", "bb8", "BB8\n", "B\x008"} {
		if _, ok := decodeBase45(nil, bad); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// The packer's own DEFLATE is DEFLATE: the standard library reads it.
func TestDeflateFixed(t *testing.T) {
	r := seeded(13)
	for i := range 300 {
		text := make([]byte, r.IntN(700))
		letters := 1 + r.IntN(40)
		for j := range text {
			if text[j] = byte(r.IntN(letters)); i%3 == 0 {
				text[j] = byte(r.Uint32())
			}
		}
		if at := r.IntN(len(dictionary1) - 400); i%2 == 0 {
			text = append(text, dictionary1[at:at+r.IntN(400)]...)
		}
		got := new(bytes.Buffer)
		if _, err := got.ReadFrom(flate.NewReaderDict(bytes.NewReader(deflateFixed(text)), dictionaryBytes)); err != nil || !bytes.Equal(got.Bytes(), text) {
			t.Fatalf("text %d: %v", i, err)
		}
	}
	long := bytes.Repeat([]byte("ab"), maxInflated/2)
	got := new(bytes.Buffer)
	if _, err := got.ReadFrom(flate.NewReaderDict(bytes.NewReader(deflateFixed(long)), dictionaryBytes)); err != nil || !bytes.Equal(got.Bytes(), long) {
		t.Fatal("the longest text is not read back", err)
	}
}

// Any JSON is packed, however its strings look to the packer.
func TestRandomJSON(t *testing.T) {
	r := seeded(14)
	pieces := []string{"", "urn:uuid:", "0b5b3f0e-6a0e-4b57-9f0d-f2f9a1b9b7a1", "did:key:", "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "#", "did:web:",
		"localhost%3A8080", "localhost:8080", "http://", "https://", "example.org", "/", "7", "007", "2026-11-20", "T12:00:00Z", "NPL", "ABC<DEF", `\\u003c`, "-", "key-1",
		"travelAccompany", "relocate", "Deva", "mother", "AAAAAAAAAAAAAAAAAAAAAA", "name", `\\`, `\"`, `\/`, `\\n`, "é", "देव", "1789000000", ":", "x", envelope, "<"}
	members := []string{"primary", "value", "number", "statusListIndex", "role", "script", "type", "law", "a", `b\"c`}
	var value func(depth int) string
	text := func() string {
		s := ""
		for range r.IntN(5) {
			s += strings.ReplaceAll(pick(r, pieces), `\\`, `\`)
		}
		if s = `"` + s + `"`; !json.Valid([]byte(s)) {
			return `"` + pick(r, powers[:]) + `"`
		}
		return s
	}
	value = func(depth int) string {
		switch k := r.IntN(8); {
		case k < 4 || depth > 10:
			return text()
		case k == 4:
			return pick(r, []string{"0", "1", "-5", "1789000000", "1789000300", "1789000300.0", "17890003000", "1e10", "true", "null"})
		case k == 5:
			var all []string
			for range r.IntN(4) {
				all = append(all, value(depth+1))
			}
			return "[" + strings.Join(all, pick(r, []string{",", ",", " , "})) + "]"
		default:
			var all []string
			for range r.IntN(5) {
				all = append(all, `"`+pick(r, members)+`"`+pick(r, []string{":", ":", ":", " : "})+value(depth+1))
			}
			return "{" + strings.Join(all, ",") + "}"
		}
	}
	for i := range 400 {
		var in Packet
		for range 1 + r.IntN(3) {
			in.Credentials = append(in.Credentials, jws(value(0), value(0)))
		}
		for _, c := range in.Credentials {
			if header, payload, _, _ := split(c); !json.Valid(header) || !json.Valid(payload) {
				t.Fatalf("the test makes no JSON: %s %s", header, payload)
			}
		}
		if i%2 == 0 {
			v := value(1)
			if strings.Contains(v, envelope) {
				continue // what looks enveloped must be a credential
			}
			in = Packet{Presentation: jws(value(0), `["`+envelope+strings.Join(in.Credentials, `","`+envelope)+`",`+v+`]`)}
		}
		packed, err := Pack(in)
		if err != nil {
			t.Fatalf("%v: %+v", err, in)
		}
		if out, err := Unpack(packed); err != nil || !out.equal(in) {
			t.Fatalf("comes back changed: %v: %+v", err, in)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, s := range shapes {
		text, err := os.ReadFile(filepath.Join("testdata", s.name+".kp1"))
		if err != nil {
			f.Fatal(err)
		}
		bin, _ := decodeBase45(nil, string(text[len(prefix):]))
		f.Add(string(text), []byte{}, []byte{})
		f.Add("", bin[2:], []byte{})
	}
	f.Add("KP1:", []byte{}, []byte("{}"+markHeaderEnd+"{"+markTime+markPayloadEnd))
	f.Fuzz(func(t *testing.T, text string, stream, plain []byte) {
		texts := []string{text, kp1(append([]byte{version1, dictionary1ID}, stream...))}
		if len(plain) > 0 && len(plain) < 1<<12 {
			texts = append(texts, forge(t, string(plain), stream...))
		}
		for _, text := range texts {
			p, err := Unpack(text)
			if err != nil {
				if p.Presentation != "" || p.Credentials != nil {
					t.Fatal("an error and a packet")
				}
				continue
			}
			if (p.Presentation == "") == (len(p.Credentials) == 0) || len(p.Credentials) > maxEmbedded || len(p.Presentation) > maxCompact {
				t.Fatalf("%d credentials, presentation of %d bytes", len(p.Credentials), len(p.Presentation))
			}
			// Whatever unpacks is a packet that can be packed, unless it only fitted
			// because somebody packed it better.
			again, err := Pack(p)
			if errors.Is(err, ErrTooLarge) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if q, err := Unpack(again); err != nil || !q.equal(p) {
				t.Fatal("comes back changed", err)
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(`{"alg":"EdDSA","cty":"vc","kid":"did:web:localhost%3A8080#key-1","typ":"vc+jwt"}`), []byte(`{"id":"urn:uuid:0b5b3f0e-6a0e-4b57-9f0d-f2f9a1b9b7a1","role":"mother"}`))
	for _, s := range shapes {
		b, err := os.ReadFile(filepath.Join("testdata", s.name+".jwt"))
		if err != nil {
			f.Fatal(err)
		}
		header, payload, _, ok := split(strings.Split(string(b), "\n")[0])
		if !ok {
			f.Fatal(s.name)
		}
		f.Add(header, payload)
	}
	f.Fuzz(func(t *testing.T, header, payload []byte) {
		token := jws(string(header), string(payload))
		for _, in := range []Packet{
			{Credentials: []string{token}},
			{Presentation: jws(string(header), `{"v":["`+envelope+token+`"],"x":`+string(payload)+`}`)},
		} {
			text, err := Pack(in)
			switch {
			case err == nil:
				if out, err := Unpack(text); err != nil || !out.equal(in) {
					t.Fatal("comes back changed", err)
				}
			case errors.Is(err, ErrTooLarge):
			case !errors.Is(err, ErrNotPackable):
				t.Fatal(err)
			case valid(header) && valid(payload) && !bytes.Contains(payload, []byte(envelope)):
				t.Fatal("JSON that is refused")
			}
		}
	})
}

// valid reports whether b is JSON in UTF-8 that no limit forbids.
func valid(b []byte) bool {
	return json.Valid(b) && vc.CheckJSON(b, maxDepth-1) == nil
}
