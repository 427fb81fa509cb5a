package vc_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/vectest"
)

// cb encodes by the core deterministic rules.
func cb(t testing.TB, v any) []byte {
	t.Helper()
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sign1 writes a COSE_Sign1 by hand (RFC 9052, section 4.4): protected and
// unprotected are encoded maps, and the signature is right.
func sign1(t testing.TB, key ed25519.PrivateKey, protected, unprotected, payload []byte) []byte {
	t.Helper()
	sig := ed25519.Sign(key, cb(t, []any{"Signature1", protected, []byte{}, payload}))
	return around(t, protected, unprotected, payload, sig)
}

func around(t testing.TB, protected, unprotected, payload, sig []byte) []byte {
	t.Helper()
	out := append([]byte{0xd2, 0x84}, cb(t, protected)...)
	out = append(out, unprotected...)
	return append(append(out, cb(t, payload)...), cb(t, sig)...)
}

type labels map[any]any

func goodLabels() labels {
	return labels{1: -8, 3: "application/vc", 4: []byte("https://issuer.example/keys#1"), 16: "application/vc+cose"}
}

func (l labels) but(pairs ...any) labels {
	for i := 0; i+1 < len(pairs); i += 2 {
		if l[pairs[i]] = pairs[i+1]; pairs[i+1] == nil {
			delete(l, pairs[i])
		}
	}
	return l
}

func TestCOSERoundTrip(t *testing.T) {
	payload := []byte(`{ "a":"é" }`)
	for _, alg := range joseAlgs {
		s := joseSigner(t, alg)
		data, err := vc.SignCOSE(s, vc.MediaCredential, payload)
		if err != nil {
			t.Fatal(err)
		}
		got, err := vc.VerifyCOSE(data, vc.MediaCredential, s.Public())
		if err != nil || !bytes.Equal(got, payload) {
			t.Errorf("%s: %v, payload %s", alg, err, got)
		}
		c, err := vc.OpenCOSE(data, vc.MediaCredential)
		if err != nil || c.Alg != alg || c.KID != s.KID || c.Issuer != "" {
			t.Errorf("%s: %+v, %v", alg, c, err)
		}
		// By go-cose alone.
		var m cose.Sign1Message
		if err := m.UnmarshalCBOR(data); err != nil {
			t.Fatal(err)
		}
		named, err := m.Headers.Protected.Algorithm()
		if err != nil || m.Headers.Protected[cose.HeaderLabelContentType] != "application/vc" || m.Headers.Protected[cose.HeaderLabelType] != "application/vc+cose" {
			t.Errorf("%s: headers %v", alg, m.Headers.Protected)
		}
		v, err := cose.NewVerifier(named, s.Public())
		if err != nil || m.Verify(nil, v) != nil {
			t.Errorf("%s by go-cose: %v", alg, err)
		}
		for _, other := range joseAlgs {
			o := joseSigner(t, other)
			if _, err := vc.VerifyCOSE(data, vc.MediaCredential, o.Public()); !errors.Is(err, vc.ErrSignature) || errors.Is(err, vc.ErrKeyAlgorithm) != (other != alg) {
				t.Errorf("%s with a key for %s: %v", alg, other, err)
			}
		}
		if _, err := vc.VerifyCOSE(data, vc.MediaPresentation, s.Public()); !errors.Is(err, vc.ErrCOSEContentType) {
			t.Errorf("%s: a credential as a presentation: %v", alg, err)
		}
	}
	s := joseSigner(t, keys.EdDSA)
	if _, err := vc.SignCOSE(s, "", payload); !errors.Is(err, vc.ErrCOSEContentType) {
		t.Errorf("no media type: %v", err)
	}
	if _, err := vc.SignCOSE(s, vc.MediaCredential, nil); !errors.Is(err, vc.ErrCOSEPayload) {
		t.Errorf("no payload: %v", err)
	}
	s.KID = ""
	data, err := vc.SignCOSE(s, vc.MediaCredential, payload)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := vc.OpenCOSE(data, vc.MediaCredential); err != nil || c.KID != "" {
		t.Errorf("no kid: %+v, %v", c, err)
	}
}

// TestCOSERefuses: everything here carries a signature of the right key over
// exactly what is sent, unless it says otherwise.
func TestCOSERefuses(t *testing.T) {
	s := joseSigner(t, keys.EdDSA)
	key := s.Signer.(ed25519.PrivateKey)
	body := []byte("{}")
	none := []byte{0xa0}
	over := func(l labels) []byte { return sign1(t, key, cb(t, l), none, body) }
	good := over(goodLabels())
	if _, err := vc.VerifyCOSE(good, vc.MediaCredential, s.Public()); err != nil {
		t.Fatal(err)
	}
	protected := cb(t, goodLabels())
	sig := ed25519.Sign(key, cb(t, []any{"Signature1", protected, []byte{}, body}))
	replace := func(old, new string) []byte {
		out := bytes.Replace(good, []byte(old), []byte(new), 1)
		if bytes.Equal(out, good) {
			t.Fatalf("%x changes nothing", old)
		}
		return out
	}
	long := func(head string, part []byte) []byte { // a byte string with a longer length than it needs
		return append([]byte(head), part...)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	outer := []byte{0xd2, 0x84}
	mac0 := cb(t, cbor.Tag{Number: 17, Content: []any{protected, labels{}, body, sig[:32]}})
	sign := cb(t, cbor.Tag{Number: 98, Content: []any{protected, labels{}, body, []any{[]any{protected, labels{}, sig}}}})
	twice := append([]byte{0xa5, 0x01, 0x27}, protected[1:]...)         // {1: -8, 1: -8, …}
	spelled := append([]byte{0xa5, 0x18, 0x01, 0x26}, protected[1:]...) // {1: -7 with a longer 1, 1: -8, …}
	endless := append(append([]byte{0xbf}, protected[1:]...), 0xff)     // a map of indefinite length
	deep := append(bytes.Repeat([]byte{0x81}, 40), 0xa0)                // [[[…{}…]]]
	headers := func(extra []byte) []byte {
		return append([]byte{0xa5}, append(protected[1:len(protected):len(protected)], extra...)...)
	}
	in := func(p []byte) []byte { return sign1(t, key, p, none, body) }
	outside := func(u labels) []byte { return sign1(t, key, protected, cb(t, u), body) }
	cases := map[string]struct {
		data []byte
		want *fault.Fault
	}{
		"empty":                        {nil, vc.ErrCOSEMalformed},
		"the tag alone":                {good[:1], vc.ErrCOSEMalformed},
		"cut":                          {good[:len(good)-1], vc.ErrCOSEMalformed},
		"and more":                     {append(bytes.Clone(good), 0), vc.ErrCOSEMalformed},
		"twice":                        {append(bytes.Clone(good), good...), vc.ErrCOSEMalformed},
		"untagged":                     {good[1:], vc.ErrCOSEMalformed},
		"tag 18 in two bytes":          {append([]byte{0xd8, 18}, good[1:]...), vc.ErrCOSEMalformed},
		"CWT tag around":               {append([]byte{0xd8, 61}, good...), vc.ErrCOSEMalformed},
		"tag 18 twice":                 {append([]byte{0xd2}, good...), vc.ErrCOSEMalformed},
		"COSE_Mac0":                    {mac0, vc.ErrCOSEMalformed},
		"COSE_Sign":                    {sign, vc.ErrCOSEMalformed},
		"tag 18 around COSE_Mac0":      {append([]byte{0xd2}, mac0...), vc.ErrCOSEMalformed},
		"three parts":                  {join([]byte{0xd2, 0x83}, good[2:len(good)-66]), vc.ErrCOSEMalformed},
		"five parts":                   {join([]byte{0xd2, 0x85}, good[2:], []byte{0x00}), vc.ErrCOSEMalformed},
		"a map":                        {[]byte{0xd2, 0xa0}, vc.ErrCOSEMalformed},
		"text":                         {[]byte("0oRY"), vc.ErrCOSEMalformed},
		"JSON":                         {[]byte(`{"a":1}`), vc.ErrCOSEMalformed},
		"a JWS":                        {[]byte("eyJ.eyJ.AAA"), vc.ErrCOSEMalformed},
		"array of indefinite length":   {join([]byte{0xd2, 0x9f}, good[2:], []byte{0xff}), vc.ErrCOSEMalformed},
		"payload of indefinite length": {replace("\x42{}", "\x5f\x42{}\xff"), vc.ErrCOSEMalformed},
		"payload longer written":       {replace("\x42{}", "\x58\x02{}"), vc.ErrCOSEMalformed},
		"array longer written":         {join([]byte{0xd2, 0x98, 0x04}, good[2:]), vc.ErrCOSEMalformed},
		"protected longer written":     {join(outer, long("\x59\x00"+string(rune(len(protected))), protected), none, cb(t, body), cb(t, sig)), vc.ErrCOSEMalformed},
		"signature longer written":     {join(outer, cb(t, protected), none, cb(t, body), long("\x59\x00\x40", sig)), vc.ErrCOSEMalformed},
		"payload a text":               {join(outer, cb(t, protected), none, cb(t, "{}"), cb(t, sig)), vc.ErrCOSEMalformed},
		"payload a list":               {join(outer, cb(t, protected), none, []byte{0x82, 0x18, 0x7b, 0x18, 0x7d}, cb(t, sig)), vc.ErrCOSEMalformed},
		"payload undefined":            {join(outer, cb(t, protected), none, []byte{0xf7}, cb(t, sig)), vc.ErrCOSEMalformed},
		"payload detached":             {join(outer, cb(t, protected), none, []byte{0xf6}, cb(t, sig)), vc.ErrCOSEPayload},
		"payload empty":                {sign1(t, key, protected, none, []byte{}), vc.ErrCOSEPayload},
		"signature empty":              {around(t, protected, none, body, []byte{}), vc.ErrCOSEMalformed},
		"signature null":               {join(outer, cb(t, protected), none, cb(t, body), []byte{0xf6}), vc.ErrCOSEMalformed},
		"protected a map":              {join(outer, protected, none, cb(t, body), cb(t, sig)), vc.ErrCOSEMalformed},
		"protected null":               {join(outer, []byte{0xf6}, none, cb(t, body), cb(t, sig)), vc.ErrCOSEMalformed},
		"protected empty":              {sign1(t, key, []byte{}, none, body), vc.ErrCOSEAlgorithm},
		"protected an empty map":       {sign1(t, key, none, none, body), vc.ErrCOSEAlgorithm},
		"protected and more":           {in(append(bytes.Clone(protected), 0)), vc.ErrCOSEMalformed},
		"protected a list":             {in([]byte{0x80}), vc.ErrCOSEMalformed},
		"protected of indefinite":      {in(endless), vc.ErrCOSEMalformed},
		"a header twice":               {in(twice), vc.ErrCOSEMalformed},
		"a header twice, spelled":      {in(spelled), vc.ErrCOSEMalformed},
		"a header with a list as name": {in(headers([]byte{0x80, 0x00})), vc.ErrCOSEMalformed},
		"a header with bytes as name":  {in(headers([]byte{0x41, 0x01, 0x00})), vc.ErrCOSEMalformed},
		"a header with a tag":          {in(headers([]byte{0x18, 99, 0xc1, 0x00})), vc.ErrCOSEMalformed},
		"a header that is deep":        {in(headers(append([]byte{0x18, 99}, deep...))), vc.ErrCOSEMalformed},
		"a header with no UTF-8":       {in(headers([]byte{0x18, 99, 0x61, 0xff})), vc.ErrCOSEMalformed},
		"many headers":                 {over(many(goodLabels(), 40)), vc.ErrCOSEMalformed},
		"unprotected a list":           {sign1(t, key, protected, []byte{0x80}, body), vc.ErrCOSEMalformed},
		"unprotected null":             {sign1(t, key, protected, []byte{0xf6}, body), vc.ErrCOSEMalformed},
		"unprotected deep":             {sign1(t, key, protected, append([]byte{0xa1, 0x18, 99}, deep...), body), vc.ErrCOSEMalformed},
		"unprotected of indefinite":    {sign1(t, key, protected, []byte{0xbf, 0xff}, body), vc.ErrCOSEMalformed},
		"unprotected twice":            {sign1(t, key, protected, []byte{0xa2, 0x18, 99, 0x00, 0x18, 99, 0x01}, body), vc.ErrCOSEMalformed},
		"many unprotected":             {sign1(t, key, protected, cb(t, many(labels{}, 40)), body), vc.ErrCOSEMalformed},
		"alg missing":                  {over(goodLabels().but(1, nil)), vc.ErrCOSEAlgorithm},
		"alg none":                     {over(goodLabels().but(1, "none")), vc.ErrCOSEAlgorithm},
		"alg by its JOSE name":         {over(goodLabels().but(1, "EdDSA")), vc.ErrCOSEAlgorithm},
		"alg 0":                        {over(goodLabels().but(1, 0)), vc.ErrCOSEAlgorithm},
		"alg HMAC":                     {over(goodLabels().but(1, 5)), vc.ErrCOSEAlgorithm},
		"alg PS256":                    {over(goodLabels().but(1, -37)), vc.ErrCOSEAlgorithm},
		"alg ES256K":                   {over(goodLabels().but(1, -47)), vc.ErrCOSEAlgorithm},
		"alg a list":                   {over(goodLabels().but(1, []int{-8})), vc.ErrCOSEMalformed},
		"alg of another kind of key":   {over(goodLabels().but(1, -7)), vc.ErrKeyAlgorithm},
		"alg ES384":                    {over(goodLabels().but(1, -35)), vc.ErrKeyAlgorithm},
		"alg outside alone":            {sign1(t, key, cb(t, goodLabels().but(1, nil)), cb(t, labels{1: -8}), body), vc.ErrCOSEUnprotected},
		"alg outside too":              {outside(labels{1: -8}), vc.ErrCOSEUnprotected},
		"crit":                         {over(goodLabels().but(2, []int{99}, 99, 1)), vc.ErrCOSECritical},
		"crit of what is known":        {over(goodLabels().but(2, []int{1})), vc.ErrCOSECritical},
		"crit empty":                   {over(goodLabels().but(2, []int{})), vc.ErrCOSEMalformed},
		"crit of what is not there":    {over(goodLabels().but(2, []int{98})), vc.ErrCOSEMalformed},
		"crit outside":                 {outside(labels{2: []int{1}}), vc.ErrCOSEMalformed},
		"content type missing":         {over(goodLabels().but(3, nil)), vc.ErrCOSEContentType},
		"content type bad":             {over(goodLabels().but(3, "very/bad")), vc.ErrCOSEContentType},
		"content type vp":              {over(goodLabels().but(3, "application/vp")), vc.ErrCOSEContentType},
		"content type with +cose":      {over(goodLabels().but(3, "application/vc+cose")), vc.ErrCOSEContentType},
		"content type with parameters": {over(goodLabels().but(3, "application/vc;v=2")), vc.ErrCOSEContentType},
		"content type in capitals":     {over(goodLabels().but(3, "Application/VC")), vc.ErrCOSEContentType},
		"content type a number":        {over(goodLabels().but(3, 50)), vc.ErrCOSEContentType},
		"content type outside":         {sign1(t, key, cb(t, goodLabels().but(3, nil)), cb(t, labels{3: "application/vc"}), body), vc.ErrCOSEUnprotected},
		"type bad":                     {over(goodLabels().but(16, "bad/type")), vc.ErrCOSEType},
		"type vp":                      {over(goodLabels().but(16, "application/vp+cose")), vc.ErrCOSEType},
		"type a number":                {over(goodLabels().but(16, 18)), vc.ErrCOSEType},
		"type outside":                 {sign1(t, key, cb(t, goodLabels().but(16, nil)), cb(t, labels{16: "application/vc+cose"}), body), vc.ErrCOSEUnprotected},
		"kid a text":                   {over(goodLabels().but(4, "k")), vc.ErrCOSEMalformed},
		"kid no UTF-8":                 {over(goodLabels().but(4, []byte{0xff})), vc.ErrCOSEMalformed},
		"kid outside too":              {outside(labels{4: []byte("k")}), vc.ErrCOSEUnprotected},
		"claims a list":                {over(goodLabels().but(15, []int{1})), vc.ErrCOSEMalformed},
		"iss a number":                 {over(goodLabels().but(15, map[int]int{1: 1})), vc.ErrCOSEMalformed},
		"claims outside":               {outside(labels{15: map[int]string{1: "https://issuer.example"}}), vc.ErrCOSEUnprotected},
		"changed payload":              {around(t, protected, none, []byte(`{"a":1}`), sig), vc.ErrSignature},
		"changed header":               {around(t, cb(t, goodLabels().but(4, []byte("k"))), none, body, sig), vc.ErrSignature},
		"changed signature":            {around(t, protected, none, body, bytes.Repeat([]byte("x"), 64)), vc.ErrSignature},
		"short signature":              {around(t, protected, none, body, sig[:63]), vc.ErrSignature},
		"long signature":               {around(t, protected, none, body, append(bytes.Clone(sig), 0)), vc.ErrSignature},
		"signed without its context":   {around(t, protected, none, body, ed25519.Sign(key, body)), vc.ErrSignature},
		"signed as COSE_Sign":          {around(t, protected, none, body, ed25519.Sign(key, cb(t, []any{"Signature", protected, protected, []byte{}, body}))), vc.ErrSignature},
		"signed with external data":    {around(t, protected, none, body, ed25519.Sign(key, cb(t, []any{"Signature1", protected, []byte("x"), body}))), vc.ErrSignature},
		"oversize":                     {sign1(t, key, protected, none, bytes.Repeat([]byte(" "), 257<<10)), vc.ErrCOSELarge},
	}
	for name, c := range cases {
		payload, err := vc.VerifyCOSE(c.data, vc.MediaCredential, s.Public())
		if !errors.Is(err, c.want) || payload != nil {
			t.Errorf("%s: %v, want %s", name, err, c.want.Code)
		}
		if o, err := vc.OpenCOSE(c.data, vc.MediaCredential); err != nil && o != nil {
			t.Errorf("%s: a failed parse gave a value", name)
		}
	}
	if _, err := vc.VerifyCOSE(good, "", s.Public()); !errors.Is(err, vc.ErrCOSEContentType) {
		t.Errorf("no media type asked for: %v", err)
	}
	for name, k := range map[string]crypto.PublicKey{"nil": nil, "a private key": key, "another": joseSigner(t, keys.EdDSA).Public()} {
		if _, err := vc.VerifyCOSE(good, vc.MediaCredential, k); !errors.Is(err, vc.ErrSignature) {
			t.Errorf("%s as key: %v", name, err)
		}
	}
	t.Logf("%d refusals", len(cases)+4)
}

// many adds headers that nobody knows.
func many(l labels, n int) labels {
	for i := range n {
		l[1000+i] = i
	}
	return l
}

// TestCOSEHeaders: what may be there beside what has to.
func TestCOSEHeaders(t *testing.T) {
	s, stranger := joseSigner(t, keys.EdDSA), joseSigner(t, keys.EdDSA)
	key := s.Signer.(ed25519.PrivateKey)
	cert := []byte("a certificate of a stranger")
	for name, c := range map[string]struct {
		protected, unprotected labels
		kid, issuer            string
	}{
		"no type":       {goodLabels().but(16, nil), labels{}, "https://issuer.example/keys#1", ""},
		"no kid":        {goodLabels().but(4, nil), labels{}, "", ""},
		"kid outside":   {goodLabels().but(4, nil), labels{4: []byte("k")}, "k", ""},
		"claims":        {goodLabels().but(15, map[int]any{1: "https://issuer.example", 2: "x"}), labels{}, "https://issuer.example/keys#1", "https://issuer.example"},
		"certificates":  {goodLabels().but(33, cert), labels{32: cert, 35: "https://stranger.example/c"}, "https://issuer.example/keys#1", ""},
		"what is new":   {goodLabels().but("x", 1, 99, []int{1}), labels{"y": 1}, "https://issuer.example/keys#1", ""},
		"an IV outside": {goodLabels(), labels{5: []byte("iv")}, "https://issuer.example/keys#1", ""},
	} {
		by := func(k keys.Signer) []byte {
			return sign1(t, k.Signer.(ed25519.PrivateKey), cb(t, c.protected), cb(t, c.unprotected), []byte("{}"))
		}
		o, err := vc.OpenCOSE(by(s), vc.MediaCredential)
		if err != nil || o.KID != c.kid || o.Issuer != c.issuer {
			t.Errorf("%s: %+v, %v", name, o, err)
			continue
		}
		if _, err := o.Verify(key.Public()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := vc.VerifyCOSE(by(stranger), vc.MediaCredential, s.Public()); !errors.Is(err, vc.ErrSignature) {
			t.Errorf("%s, signed by a stranger: %v", name, err)
		}
	}
}

// FuzzVerifyCOSE: what verifies says what was signed, whatever stands outside
// the signature; a failed parse gives nothing.
func FuzzVerifyCOSE(f *testing.F) {
	s := joseSigner(f, keys.EdDSA)
	good, err := vc.SignCOSE(s, vc.MediaCredential, []byte(`{"a":1}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(sign1(f, s.Signer.(ed25519.PrivateKey), cb(f, goodLabels()), cb(f, labels{33: []byte("x"), 7: []any{[]byte{}, labels{}, []byte{1}}}), []byte("{}")))
	for _, seed := range vectest.Seeds("vc-jose-cose", ".txt", 50) {
		if b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(string(seed), "=\n")); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, media := range []string{vc.MediaCredential, vc.MediaPresentation} {
			c, err := vc.OpenCOSE(data, media)
			if err != nil {
				if c != nil {
					t.Fatal("a failed parse gave a value")
				}
				continue
			}
			payload, err := c.Verify(s.Public())
			if err != nil && payload != nil {
				t.Fatal("a payload came with an error")
			}
			if err == nil && string(payload) != `{"a":1}` && string(payload) != "{}" {
				t.Fatalf("what was not signed verifies: %q", payload)
			}
			if err == nil && string(payload) == `{"a":1}` && !bytes.Equal(data[:40], good[:40]) {
				t.Fatal("a second text of what is signed verifies")
			}
		}
	})
}

// FuzzCOSEHeaders: any header map with a right signature over it is refused, or
// says what OpenCOSE has read from it.
func FuzzCOSEHeaders(f *testing.F) {
	s := joseSigner(f, keys.EdDSA)
	key := s.Signer.(ed25519.PrivateKey)
	f.Add(cb(f, goodLabels()), []byte{0xa0})
	f.Add(cb(f, goodLabels().but(15, map[int]any{1: "https://issuer.example"})), cb(f, labels{33: []byte("x")}))
	f.Add(cb(f, goodLabels().but(2, []int{1})), cb(f, labels{7: []any{[]byte{}, labels{}, []byte{1}}}))
	f.Add([]byte{0xbf, 0x01, 0x27, 0xff}, []byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, protected, unprotected []byte) {
		data := sign1(t, key, protected, unprotected, []byte("{}"))
		payload, err := vc.VerifyCOSE(data, vc.MediaCredential, s.Public())
		if err != nil {
			if payload != nil || errors.Is(err, vc.ErrSignature) && !errors.Is(err, vc.ErrKeyAlgorithm) {
				t.Fatalf("%v with payload %q", err, payload)
			}
			return
		}
		// By another decoder, without go-cose.
		var in, out map[any]any
		if err := cbor.Unmarshal(protected, &in); err != nil {
			t.Fatal(err)
		}
		if err := cbor.Unmarshal(unprotected, &out); err != nil {
			t.Fatal(err)
		}
		_, crit := in[uint64(2)]
		_, alg := out[uint64(1)]
		typ, typed := in[uint64(16)]
		if in[uint64(1)] != int64(-8) || in[uint64(3)] != "application/vc" || crit || alg || typed && typ != "application/vc+cose" {
			t.Fatalf("accepted with %v and %v", in, out)
		}
	})
}
