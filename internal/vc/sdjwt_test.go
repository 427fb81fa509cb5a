package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vectest"
)

var sdjNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const sdjTyp = TypCredentialSD

func sdjSigner(t testing.TB, alg string) keys.Signer {
	t.Helper()
	k, err := keys.New("k", keys.UseCredentials, alg, sdjNow, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return k.Signer("did:web:r.example#k")
}

// sdjDisclosure writes a disclosure as it travels.
func sdjDisclosure(array string) string { return b64.EncodeToString([]byte(array)) }

func sdjDigest(array string) string { return digest(crypto.SHA256, sdjDisclosure(array)) }

// sdjSign signs a payload as it is and appends disclosures.
func sdjSign(t testing.TB, s keys.Signer, payload string, arrays ...string) string {
	t.Helper()
	list := make([]string, len(arrays))
	for i, a := range arrays {
		list[i] = sdjDisclosure(a)
	}
	text, err := SignSDJWT(s, sdjTyp, "", []byte(payload), list)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func sdjVerify(text string, pub crypto.PublicKey, b KeyBinding) (*SDClaims, error) {
	x, err := SplitSDJWT(text, sdjTyp)
	if err != nil {
		if x != nil {
			return nil, errors.New("a failed parse gave a value")
		}
		return nil, err
	}
	c, err := x.Verify(pub, b)
	if err != nil && c != nil {
		return nil, errors.New("a failed verification gave claims")
	}
	return c, err
}

const sdjPerson = `{"iss":"https://i.example","name":"Ada","born":{"year":1815,"place":"London"},"langs":["en","fr",["x","y"]],"a/b~c":{"":0},"n":1.50}`

var sdjAll = []string{"/name", "/born", "/born/year", "/langs/0", "/langs/2", "/langs/2/1", "/a~1b~0c/"}

func TestSDJWTRoundTrip(t *testing.T) {
	for _, alg := range []string{keys.EdDSA, keys.ES256} {
		s := sdjSigner(t, alg)
		payload, list, err := MakeSDJWT([]byte(sdjPerson), sdjAll, SDOptions{Pad: map[string]int{"": 5, "/langs": 4, "/born": 3}})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"Ada", "name", "born", "1815", "London", "year", `"en"`, `"y"`} {
			if strings.Contains(string(payload), secret) {
				t.Errorf("the payload tells %s", secret)
			}
		}
		text, err := SignSDJWT(s, sdjTyp, "vc", payload, list)
		if err != nil {
			t.Fatal(err)
		}
		c, err := sdjVerify(text, s.Public(), KeyBinding{None: true})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(sdjValue(t, c.Claims), sdjValue(t, []byte(sdjPerson))) {
			t.Errorf("claims %s", c.Claims)
		}
		if !strings.Contains(string(c.Claims), "1.50") {
			t.Error("a number was written anew")
		}
		if !slices.Equal(c.Disclosed, slices.Sorted(slices.Values(sdjAll))) {
			t.Errorf("disclosed %q", c.Disclosed)
		}
		// Root: name, born and three decoys; langs: two and two; born: one and two.
		if c.Hidden != 3+2+2 {
			t.Errorf("%d hidden", c.Hidden)
		}

		x, err := SplitSDJWT(text, sdjTyp)
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string]struct {
			show Presenting
			want string
		}{
			"nothing":        {Presenting{}, `{"iss":"https://i.example","langs":["fr"],"a/b~c":{},"n":1.50}`},
			"visible anyway": {Presenting{Disclose: []string{"/iss", "/langs/1", ""}}, `{"iss":"https://i.example","langs":["fr"],"a/b~c":{},"n":1.50}`},
			"one":            {Presenting{Disclose: []string{"/name"}}, `{"iss":"https://i.example","name":"Ada","langs":["fr"],"a/b~c":{},"n":1.50}`},
			"parent alone":   {Presenting{Disclose: []string{"/born"}}, `{"iss":"https://i.example","born":{"place":"London"},"langs":["fr"],"a/b~c":{},"n":1.50}`},
			"child":          {Presenting{Disclose: []string{"/born/year"}}, `{"iss":"https://i.example","born":{"place":"London","year":1815},"langs":["fr"],"a/b~c":{},"n":1.50}`},
			"inside visible": {Presenting{Disclose: []string{"/born/place"}}, `{"iss":"https://i.example","born":{"place":"London"},"langs":["fr"],"a/b~c":{},"n":1.50}`},
			"whole":          {Presenting{Whole: []string{"/born", "/langs"}}, `{"iss":"https://i.example","born":{"place":"London","year":1815},"langs":["en","fr",["x","y"]],"a/b~c":{},"n":1.50}`},
			"element":        {Presenting{Disclose: []string{"/langs/2/1"}}, `{"iss":"https://i.example","langs":["fr",["x","y"]],"a/b~c":{},"n":1.50}`},
			"odd name":       {Presenting{Disclose: []string{"/a~1b~0c/"}}, `{"iss":"https://i.example","langs":["fr"],"a/b~c":{"":0},"n":1.50}`},
		} {
			shown, err := x.Present(p.show)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			c, err := sdjVerify(shown, s.Public(), KeyBinding{None: true})
			if err != nil || !reflect.DeepEqual(sdjValue(t, c.Claims), sdjValue(t, []byte(p.want))) {
				t.Errorf("%s: %v %+v", name, err, c)
			}
		}
		for _, at := range []string{"/nobody", "name", "/langs/3", "/langs/00", "/langs/-1", "/langs/x", "/name/x", "/born/"} {
			if shown, err := x.Present(Presenting{Disclose: []string{at}}); !errors.Is(err, ErrSDPointer) || shown != "" {
				t.Errorf("%q: %v", at, err)
			}
		}
	}
}

func TestMakeSDJWTSaltsAndOrder(t *testing.T) {
	seen := map[string]bool{}
	orders := map[string]bool{}
	for range 30 {
		payload, list, err := MakeSDJWT([]byte(sdjPerson), sdjAll, SDOptions{Pad: map[string]int{"": 4}})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			salt := sdjSalt(t, d)
			if raw, err := b64.DecodeString(salt); err != nil || len(raw) != 16 || seen[salt] {
				t.Fatalf("salt %q: used before, or not of 128 bits", salt)
			}
			seen[salt] = true
		}
		root := sdjValue(t, payload).(map[string]any)
		sd := root["_sd"].([]any)
		if len(sd) != 4 || !slices.IsSortedFunc(sd, func(a, b any) int { return strings.Compare(a.(string), b.(string)) }) {
			t.Fatalf("digests %v", sd)
		}
		orders[fmt.Sprint(slices.Index(sd, any(digest(crypto.SHA256, list[len(list)-1]))))] = true
		if root["_sd_alg"] != "sha-256" {
			t.Fatal("the hash is not named")
		}
	}
	if len(orders) < 2 {
		t.Error("the order of digests tells which is which")
	}
}

func TestMakeSDJWTRefuses(t *testing.T) {
	never := SDOptions{Never: []string{"/powers", "/guardian/kind"}}
	many := make([]string, maxDisclosures+1)
	for i := range many {
		many[i] = "/" + strconv.Itoa(i)
	}
	for name, c := range map[string]struct {
		claims   string
		disclose []string
		o        SDOptions
		want     error
	}{
		"never":            {`{"powers":["a"]}`, []string{"/powers"}, never, ErrNotDisclosable},
		"inside never":     {`{"powers":["a"]}`, []string{"/powers/0"}, never, ErrNotDisclosable},
		"around never":     {`{"guardian":{"kind":"x"}}`, []string{"/guardian"}, never, ErrNotDisclosable},
		"never and absent": {`{}`, []string{"/powers"}, never, ErrNotDisclosable},
		"the root":         {`{"a":1}`, []string{""}, SDOptions{}, ErrSDPointer},
		"absent":           {`{"a":1}`, []string{"/b"}, SDOptions{}, ErrSDPointer},
		"no pointer":       {`{"a":1}`, []string{"a"}, SDOptions{}, ErrSDPointer},
		"twice":            {`{"a":1}`, []string{"/a", "/a"}, SDOptions{}, ErrSDPointer},
		"index too large":  {`{"a":[1]}`, []string{"/a/1"}, SDOptions{}, ErrSDPointer},
		"_sd":              {`{"_sd":[]}`, nil, SDOptions{}, ErrSDReserved},
		"...":              {`{"a":[{"...":"x"}]}`, nil, SDOptions{}, ErrSDReserved},
		"_sd_alg":          {`{"_sd_alg":"md5"}`, nil, SDOptions{}, ErrSDReserved},
		"not an object":    {`[]`, nil, SDOptions{}, ErrSDPayload},
		"member twice":     {`{"a":1,"a":2}`, nil, SDOptions{}, ErrSDPayload},
		"too many":         {`{}`, many, SDOptions{}, ErrSDLarge},
		"too large":        {`{"a":"` + strings.Repeat("x", maxJWS) + `"}`, nil, SDOptions{}, ErrSDLarge},
		"too large hidden": {`{"a":"` + strings.Repeat("x", maxSDJWT) + `"}`, []string{"/a"}, SDOptions{}, ErrSDLarge},
		"no salt":          {`{"a":1}`, []string{"/a"}, SDOptions{Salt: func(string) (string, error) { return "", errors.ErrUnsupported }}, errors.ErrUnsupported},
		"no decoy":         {`{"a":1}`, nil, SDOptions{Pad: map[string]int{"": 1}, Salt: func(string) (string, error) { return "", errors.ErrUnsupported }}, errors.ErrUnsupported},
	} {
		payload, list, err := MakeSDJWT([]byte(c.claims), c.disclose, c.o)
		if !errors.Is(err, c.want) || payload != nil || list != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// sdjDeep nests n objects.
func sdjDeep(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

func TestSDJWTRefuses(t *testing.T) {
	s := sdjSigner(t, keys.ES256)
	a, b := `["s1","name","Ada"]`, `["s2","name","Eve"]`
	elem := `["s3","x"]`
	at := func(sums ...string) string {
		list, _ := json.Marshal(sums)
		return string(list)
	}
	sd := func(arrays ...string) string {
		sums := make([]string, len(arrays))
		for i, x := range arrays {
			sums[i] = sdjDigest(x)
		}
		return at(sums...)
	}
	good := func(payload string, arrays ...string) string { return sdjSign(t, s, payload, arrays...) }
	one := good(`{"_sd":`+sd(a)+`}`, a)
	if c, err := sdjVerify(one, s.Public(), KeyBinding{None: true}); err != nil || string(c.Claims) != `{"name":"Ada"}` {
		t.Fatal("what all cases start from is refused", err)
	}
	jws, _, _ := strings.Cut(one, "~")
	parts := strings.Split(jws, ".")
	header := func(h string) string {
		return b64.EncodeToString([]byte(h)) + "." + parts[1] + "." + parts[2] + "~" + sdjDisclosure(a) + "~"
	}
	flipped := []byte(parts[2])
	if flipped[3]++; flipped[3] != 'b' {
		flipped[3] = 'a'
	}
	shallow := `["s","d",` + sdjDeep(MaxDepth-1) + `]`
	var many strings.Builder
	for i := range maxDisclosures + 1 {
		many.WriteString(sdjDisclosure(fmt.Sprintf(`["s","c%d",1]`, i)) + "~")
	}
	inner := `["i","inner",1]`
	holds := func(x string) string { return `["o","outer",{"_sd":` + sd(x) + `}]` }

	cases := map[string]struct {
		text string
		want error
	}{
		// Form.
		"empty":                {"", ErrSDMalformed},
		"a JWS alone":          {jws, ErrSDMalformed},
		"a tilde alone":        {"~", ErrSDMalformed},
		"tildes alone":         {"~~", ErrSDMalformed},
		"leading tilde":        {"~" + one, ErrSDMalformed},
		"double tilde":         {strings.Replace(one, "~", "~~", 1), ErrSDMalformed},
		"double tilde at end":  {one + "~", ErrSDMalformed},
		"no tilde at end":      {strings.TrimSuffix(one, "~"), ErrBindingUnexpected},
		"JSON":                 {`{"payload":"","disclosures":[]}`, ErrSDMalformed},
		"too large":            {one + strings.Repeat("A", maxSDJWT), ErrSDLarge},
		"too many disclosures": {jws + "~" + many.String(), ErrSDLarge},
		"another typ":          {header(`{"alg":"ES256","typ":"vc+jwt"}`), ErrType},
		"no typ":               {header(`{"alg":"ES256"}`), ErrType},
		"alg none":             {header(`{"alg":"none","typ":"vc+sd-jwt"}`), ErrJWSAlgorithm},
		"alg none, unsigned":   {b64.EncodeToString([]byte(`{"alg":"none","typ":"vc+sd-jwt"}`)) + "." + parts[1] + ".~" + sdjDisclosure(a) + "~", ErrMalformed},
		"alg HS256":            {header(`{"alg":"HS256","typ":"vc+sd-jwt"}`), ErrJWSAlgorithm},
		"another header":       {header(`{"alg":"ES256","typ":"vc+sd-jwt","x":1}`), ErrSignature},
		"critical extension":   {header(`{"alg":"ES256","typ":"vc+sd-jwt","crit":["x"],"x":1}`), ErrCritical},

		// Signature, before anything else is read.
		"changed signature":                  {parts[0] + "." + parts[1] + "." + string(flipped) + "~", ErrSignature},
		"changed payload":                    {parts[0] + "." + b64.EncodeToString([]byte(`{"name":"Eve"}`)) + "." + parts[2] + "~", ErrSignature},
		"changed payload, stray disclosures": {parts[0] + ".e30." + parts[2] + "~" + sdjDisclosure(a) + "~", ErrSignature},
		"payload is no JSON, not signed":     {parts[0] + ".AAAA." + parts[2] + "~!!~", ErrSignature},

		// Payload.
		"payload an array":     {good(`[]`), ErrSDPayload},
		"payload a string":     {good(`"x"`), ErrSDPayload},
		"payload null":         {good(`null`), ErrSDPayload},
		"payload no JSON":      {good(`{`), ErrSDPayload},
		"payload twice":        {good(`{} {}`), ErrSDPayload},
		"member twice":         {good(`{"a":1,"a":2}`), ErrSDPayload},
		"member in two cases":  {good(`{"a":1,"A":2}`), ErrSDPayload},
		"payload not UTF-8":    {good("{\"a\":\"\xff\"}"), ErrSDPayload},
		"payload deep":         {good(sdjDeep(MaxDepth + 1)), ErrSDPayload},
		"deep by a disclosure": {good(`{"x":{"y":{"_sd":`+sd(shallow)+`}}}`, shallow), ErrJSONDeep},
		"hash unknown":         {good(`{"_sd_alg":"md5"}`), ErrSDHash},
		"hash in capitals":     {good(`{"_sd_alg":"SHA-256"}`), ErrSDHash},
		"hash a number":        {good(`{"_sd_alg":256}`), ErrSDHash},
		"hash null":            {good(`{"_sd_alg":null}`), ErrSDHash},
		"hash not the one":     {good(`{"_sd_alg":"sha-512","_sd":`+sd(a)+`}`, a), ErrSDStray},
		"_sd an object":        {good(`{"_sd":{}}`), ErrSDDigests},
		"_sd a string":         {good(`{"_sd":"` + sdjDigest(a) + `"}`), ErrSDDigests},
		"_sd null":             {good(`{"_sd":null}`), ErrSDDigests},
		"_sd of numbers":       {good(`{"_sd":[1]}`), ErrSDDigests},
		"_sd of arrays":        {good(`{"_sd":[["x"]]}`), ErrSDDigests},
		"_sd of null":          {good(`{"a":[{"_sd":[null]}]}`), ErrSDDigests},
		"_sd in another case":  {good(`{"_SD":[],"_sd":[]}`), ErrSDPayload},
		"... a number":         {good(`{"a":[{"...":1}]}`), ErrSDDigests},
		"... null":             {good(`{"a":[{"...":null}]}`), ErrSDDigests},
		"... with company":     {good(`{"a":[{"...":"x","b":1}]}`), ErrSDDigests},
		"... with _sd":         {good(`{"a":[{"...":"x","_sd":[]}]}`), ErrSDDigests},
		"... at the root":      {good(`{"...":"x"}`), ErrSDReserved},
		"... in an object":     {good(`{"a":{"...":"x"}}`), ErrSDReserved},
		"_sd_alg inside":       {good(`{"a":{"_sd_alg":"sha-256"}}`), ErrSDReserved},

		// Disclosures.
		"changed disclosure":         {strings.Replace(one, sdjDisclosure(a), sdjDisclosure(b), 1), ErrSDStray},
		"changed salt":               {strings.Replace(one, sdjDisclosure(a), sdjDisclosure(`["s9","name","Ada"]`), 1), ErrSDStray},
		"same JSON, other bytes":     {strings.Replace(one, sdjDisclosure(a), sdjDisclosure(`["s1", "name","Ada"]`), 1), ErrSDStray},
		"one more":                   {one + sdjDisclosure(elem) + "~", ErrSDStray},
		"referenced by a stray only": {good(`{}`, holds(inner), inner), ErrSDStray},
		"referenced by a value":      {good(`{"x":"`+sdjDigest(a)+`"}`, a), ErrSDStray},
		"referenced by an element":   {good(`{"x":["`+sdjDigest(elem)+`"]}`, elem), ErrSDStray},
		"a child without its parent": {good(`{"_sd":`+sd(holds(inner))+`}`, inner), ErrSDStray},
		"the same twice":             {one + sdjDisclosure(a) + "~", ErrSDTwice},
		"not base64url":              {good(`{}`) + "!!~", ErrSDDisclosure},
		"padded":                     {good(`{}`) + "WyJhIl0=~", ErrSDDisclosure},
		"loose last bits":            {good(`{}`) + "WyJhIl1~", ErrSDDisclosure},
		"a line end":                 {good(`{}`) + sdjDisclosure(a)[:8] + "\n" + sdjDisclosure(a)[8:] + "~", ErrSDDisclosure},
		"not JSON":                   {good(`{}`, `["a"`), ErrSDDisclosure},
		"two values":                 {good(`{}`, a+a), ErrSDDisclosure},
		"an object":                  {good(`{}`, `{"name":"Ada"}`), ErrSDDisclosure},
		"a string":                   {good(`{}`, `"Ada"`), ErrSDDisclosure},
		"not UTF-8":                  {good(`{}`, "[\"s\",\"n\",\"\xff\"]"), ErrSDDisclosure},
		"value with a member twice":  {good(`{}`, `["s","n",{"a":1,"a":2}]`), ErrSDDisclosure},
		"deep":                       {good(`{}`, `["s","n",`+sdjDeep(MaxDepth)+`]`), ErrSDDisclosure},
		"no members":                 {good(`{}`, `[]`), ErrSDShape},
		"one member":                 {good(`{}`, `["s"]`), ErrSDShape},
		"four members":               {good(`{}`, `["s","n",1,2]`), ErrSDShape},
		"salt a number":              {good(`{}`, `[1,"n",1]`), ErrSDShape},
		"name a number":              {good(`{}`, `["s",1,1]`), ErrSDShape},
		"name null":                  {good(`{}`, `["s",null,1]`), ErrSDShape},
		"element as claim":           {good(`{"_sd":`+sd(elem)+`}`, elem), ErrSDShape},
		"claim as element":           {good(`{"x":[{"...":"`+sdjDigest(a)+`"}]}`, a), ErrSDShape},
		"named _sd":                  {good(`{"_sd":`+sd(`["s","_sd",[]]`)+`}`, `["s","_sd",[]]`), ErrSDReserved},
		"named ...":                  {good(`{"_sd":`+sd(`["s","...","x"]`)+`}`, `["s","...","x"]`), ErrSDReserved},
		"named _sd_alg":              {good(`{"_sd":`+sd(`["s","_sd_alg","md5"]`)+`}`, `["s","_sd_alg","md5"]`), ErrSDReserved},
		"value with ...":             {good(`{"_sd":`+sd(`["s","n",{"...":"x"}]`)+`}`, `["s","n",{"...":"x"}]`), ErrSDReserved},
		"element that is ...":        {good(`{"x":[{"...":"`+sdjDigest(`["s",{"...":"x"}]`)+`"}]}`, `["s",{"...":"x"}]`), ErrSDReserved},
		"value with _sd_alg":         {good(`{"_sd":`+sd(`["s","n",{"_sd_alg":"sha-256"}]`)+`}`, `["s","n",{"_sd_alg":"sha-256"}]`), ErrSDReserved},
		"value with broken _sd":      {good(`{"_sd":`+sd(`["s","n",{"_sd":1}]`)+`}`, `["s","n",{"_sd":1}]`), ErrSDDigests},

		// Digests and claims that are there twice.
		"digest twice in one":        {good(`{"_sd":`+sd(a, a)+`}`, a), ErrSDDigestTwice},
		"digest in two objects":      {good(`{"_sd":`+sd(a)+`,"x":{"_sd":`+sd(a)+`}}`, a), ErrSDDigestTwice},
		"digest in object and array": {good(`{"_sd":`+sd(a)+`,"x":[{"...":"`+sdjDigest(a)+`"}]}`, a), ErrSDShape},
		"decoy in object and array":  {good(`{"_sd":` + sd(a) + `,"x":[{"...":"` + sdjDigest(a) + `"}]}`), ErrSDDigestTwice},
		"digest in two elements":     {good(`{"x":[{"...":"`+sdjDigest(elem)+`"},{"...":"`+sdjDigest(elem)+`"}]}`, elem), ErrSDDigestTwice},
		"digest in a disclosure too": {good(`{"_sd":`+sd(inner, holds(inner))+`}`, inner, holds(inner)), ErrSDDigestTwice},
		"decoy twice":                {good(`{"_sd":` + at("x", "x") + `}`), ErrSDDigestTwice},
		"claim there already":        {good(`{"name":"Eve","_sd":`+sd(a)+`}`, a), ErrSDCollision},
		"claim there as null":        {good(`{"name":null,"_sd":`+sd(a)+`}`, a), ErrSDCollision},
		"claim disclosed twice":      {good(`{"_sd":`+sd(a, b)+`}`, a, b), ErrSDCollision},
		"claim in another case":      {good(`{"Name":"Eve","_sd":`+sd(a)+`}`, a), ErrSDCollision},
		"collision inside":           {good(`{"x":[{"name":1,"_sd":`+sd(a)+`}]}`, a), ErrSDCollision},
	}
	for name, c := range cases {
		if got, err := sdjVerify(c.text, s.Public(), KeyBinding{None: true}); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	t.Logf("%d refusals", len(cases))

	stranger := sdjSigner(t, keys.ES256)
	for name, pub := range map[string]crypto.PublicKey{
		"stranger": stranger.Public(), "another algorithm": sdjSigner(t, keys.EdDSA).Public(), "nil": nil,
		"nil ed25519": ed25519.PublicKey(nil), "nil ecdsa": (*ecdsa.PublicKey)(nil), "text": "key",
	} {
		if c, err := verifySafely(one, pub); err == nil || c != nil {
			t.Errorf("%s: verified", name)
		}
	}
	if x, err := SplitSDJWT(one); !errors.Is(err, ErrType) || x != nil {
		t.Error("a caller that names no typ accepts one", err)
	}
}

func verifySafely(text string, pub crypto.PublicKey) (c *SDClaims, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("panic")
		}
	}()
	return sdjVerify(text, pub, KeyBinding{None: true})
}

func TestSDJWTHashes(t *testing.T) {
	s := sdjSigner(t, keys.EdDSA)
	a := `["s1","name","Ada"]`
	for name, h := range hashes {
		text := sdjSign(t, s, `{"_sd_alg":"`+name+`","_sd":["`+digest(h, sdjDisclosure(a))+`"]}`, a)
		if c, err := sdjVerify(text, s.Public(), KeyBinding{None: true}); err != nil || string(c.Claims) != `{"name":"Ada"}` {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(hashes) != 3 {
		t.Error("another hash is accepted")
	}
	// Absent is sha-256.
	if c, err := sdjVerify(sdjSign(t, s, `{"_sd":["`+sdjDigest(a)+`","decoy"]}`, a), s.Public(), KeyBinding{None: true}); err != nil || c.Hidden != 1 {
		t.Error(err)
	}
}

// sdjBound gives an SD-JWT with two disclosures for a holder.
func sdjBound(t testing.TB, issuer, holder keys.Signer) string {
	t.Helper()
	jwk, err := PublicJWK(holder.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	payload, list, err := MakeSDJWT([]byte(`{"a":1,"b":2,"cnf":{"jwk":`+string(jwk)+`}}`), []string{"/a", "/b"}, SDOptions{Never: []string{"/cnf"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := SignSDJWT(issuer, sdjTyp, "vc", payload, list)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestKeyBinding(t *testing.T) {
	for _, alg := range []string{keys.EdDSA, keys.ES256} {
		issuer, holder := sdjSigner(t, keys.ES256), sdjSigner(t, alg)
		x, err := SplitSDJWT(sdjBound(t, issuer, holder), sdjTyp)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := x.Present(Presenting{Disclose: []string{"/a"}, Holder: &holder, Audience: "https://v.example", Nonce: "n-1", At: sdjNow})
		if err != nil {
			t.Fatal(err)
		}
		if kb, err := SplitJWS(shown[strings.LastIndexByte(shown, '~')+1:]); err != nil || kb.Header.Kid != "" || kb.Header.Typ != TypKeyBinding {
			t.Error("a key binding names only its type and algorithm", err)
		}
		want := KeyBinding{Audience: "https://v.example", Nonce: "n-1", Now: sdjNow}
		c, err := sdjVerify(shown, issuer.Public(), want)
		if err != nil || !sameKey(c.Holder, holder.Public()) || !slices.Equal(c.Disclosed, []string{"/a"}) {
			t.Fatalf("%v %+v", err, c)
		}
		for _, d := range []time.Duration{-clockSkew, 0, bindingAge} {
			b := want
			b.Now = sdjNow.Add(d)
			if _, err := sdjVerify(shown, issuer.Public(), b); err != nil {
				t.Errorf("%s later: %v", d, err)
			}
		}
		long := want
		long.Now, long.MaxAge = sdjNow.Add(time.Hour), time.Hour
		if _, err := sdjVerify(shown, issuer.Public(), long); err != nil {
			t.Error(err)
		}
	}
}

func TestKeyBindingRefuses(t *testing.T) {
	issuer, holder, stranger := sdjSigner(t, keys.ES256), sdjSigner(t, keys.EdDSA), sdjSigner(t, keys.EdDSA)
	text := sdjBound(t, issuer, holder)
	want := KeyBinding{Audience: "https://v.example", Nonce: "n-1", Now: sdjNow}
	parts := strings.Split(strings.TrimSuffix(text, "~"), "~")

	// bind signs claims that differ from the right ones in what change says.
	bind := func(sd string, s keys.Signer, typ string, change map[string]any) string {
		c := map[string]any{"iat": sdjNow.Unix(), "aud": want.Audience, "nonce": want.Nonce, "sd_hash": digest(crypto.SHA256, sd)}
		maps.Copy(c, change)
		for name, v := range change {
			if v == "absent" {
				delete(c, name)
			}
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		kb, err := SignJWS(s, typ, "", data)
		if err != nil {
			t.Fatal(err)
		}
		return sd + kb
	}
	right := func(change map[string]any) string { return bind(text, holder, TypKeyBinding, change) }
	if _, err := sdjVerify(right(nil), issuer.Public(), want); err != nil {
		t.Fatal("what all cases start from is refused", err)
	}
	if _, err := sdjVerify(right(map[string]any{"iat": float64(sdjNow.Unix()) + 0.5, "exp": sdjNow.Unix() + 60, "nbf": sdjNow.Unix(), "extra": true}), issuer.Public(), want); err != nil {
		t.Error("further claims are ignored, and times may have a fraction", err)
	}
	full := right(nil)
	kb := full[strings.LastIndexByte(full, '~')+1:]
	kbParts := strings.Split(kb, ".")
	none := b64.EncodeToString([]byte(`{"alg":"none","typ":"kb+jwt"}`)) + "." + kbParts[1] + "."
	// payloads with another cnf
	with := func(payload string, arrays ...string) string {
		sd := sdjSign(t, issuer, payload, arrays...)
		return bind(sd, holder, TypKeyBinding, nil)
	}
	jwk, err := PublicJWK(holder.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	cnf := `["s","cnf",{"jwk":` + string(jwk) + `}]`
	inner := `["s","jwk",` + string(jwk) + `]`

	for name, c := range map[string]struct {
		text string
		b    KeyBinding
		want error
	}{
		"missing":                   {text, want, ErrBindingMissing},
		"missing, zero policy":      {text, KeyBinding{}, ErrBindingMissing},
		"there, none asked for":     {full, KeyBinding{None: true}, ErrBindingUnexpected},
		"zero policy":               {full, KeyBinding{}, ErrBindingAudience},
		"no nonce asked for":        {right(map[string]any{"nonce": ""}), KeyBinding{Audience: want.Audience, Now: sdjNow}, ErrBindingNonce},
		"no audience asked for":     {right(map[string]any{"aud": ""}), KeyBinding{Nonce: want.Nonce, Now: sdjNow}, ErrBindingAudience},
		"no time":                   {full, KeyBinding{Audience: want.Audience, Nonce: want.Nonce}, ErrBindingTime},
		"stranger's key":            {bind(text, stranger, TypKeyBinding, nil), want, ErrBindingSignature},
		"issuer's key":              {bind(text, issuer, TypKeyBinding, nil), want, ErrBindingSignature},
		"changed signature":         {text + kbParts[0] + "." + kbParts[1] + "." + strings.Repeat("A", len(kbParts[2])), want, ErrBindingSignature},
		"alg none":                  {text + none, want, ErrBindingMalformed},
		"not a JWS":                 {text + "e30", want, ErrBindingMalformed},
		"typ JWT":                   {bind(text, holder, "JWT", nil), want, ErrBindingType},
		"typ of a credential":       {bind(text, holder, TypCredential, nil), want, ErrBindingType},
		"another audience":          {right(map[string]any{"aud": "https://w.example"}), want, ErrBindingAudience},
		"audience a list":           {right(map[string]any{"aud": []string{want.Audience}}), want, ErrBindingAudience},
		"audience absent":           {right(map[string]any{"aud": "absent"}), want, ErrBindingAudience},
		"another nonce":             {right(map[string]any{"nonce": "n-2"}), want, ErrBindingNonce},
		"nonce absent":              {right(map[string]any{"nonce": "absent"}), want, ErrBindingNonce},
		"nonce a number":            {right(map[string]any{"nonce": 1}), want, ErrBindingMalformed},
		"too old":                   {right(map[string]any{"iat": sdjNow.Add(-bindingAge - time.Second).Unix()}), want, ErrBindingTime},
		"from the future":           {right(map[string]any{"iat": sdjNow.Add(clockSkew + time.Second).Unix()}), want, ErrBindingTime},
		"iat absent":                {right(map[string]any{"iat": "absent"}), want, ErrBindingTime},
		"iat null":                  {right(map[string]any{"iat": nil}), want, ErrBindingTime},
		"iat a string":              {right(map[string]any{"iat": strconv.FormatInt(sdjNow.Unix(), 10)}), want, ErrBindingTime},
		"iat negative":              {right(map[string]any{"iat": -1}), want, ErrBindingTime},
		"iat beyond time":           {right(map[string]any{"iat": 1e300}), want, ErrBindingTime},
		"expired":                   {right(map[string]any{"exp": sdjNow.Add(-time.Minute).Unix()}), want, ErrBindingTime},
		"not yet":                   {right(map[string]any{"nbf": sdjNow.Add(time.Minute).Unix()}), want, ErrBindingTime},
		"exp a string":              {right(map[string]any{"exp": "never"}), want, ErrBindingTime},
		"sd_hash of something":      {right(map[string]any{"sd_hash": digest(crypto.SHA256, "x")}), want, ErrBindingHash},
		"sd_hash absent":            {right(map[string]any{"sd_hash": "absent"}), want, ErrBindingHash},
		"sd_hash without the tilde": {right(map[string]any{"sd_hash": digest(crypto.SHA256, strings.TrimSuffix(text, "~"))}), want, ErrBindingHash},
		"sd_hash of the JWS":        {right(map[string]any{"sd_hash": digest(crypto.SHA256, parts[0])}), want, ErrBindingHash},
		"sd_hash by another hash":   {right(map[string]any{"sd_hash": digest(crypto.SHA512, text)}), want, ErrBindingHash},
		"one disclosure fewer":      {parts[0] + "~" + parts[1] + "~" + kb, want, ErrBindingHash},
		"no disclosures":            {parts[0] + "~" + kb, want, ErrBindingHash},
		"another order":             {parts[0] + "~" + parts[2] + "~" + parts[1] + "~" + kb, want, ErrBindingHash},
		"on another SD-JWT":         {sdjBound(t, issuer, holder) + kb, want, ErrBindingHash},
		"member twice":              {text + mustSign(t, holder, `{"iat":1,"iat":1}`), want, ErrBindingMalformed},
		"no object":                 {text + mustSign(t, holder, `[]`), want, ErrBindingMalformed},

		"no cnf":               {with(`{"a":1}`), want, ErrBindingKey},
		"cnf disclosed":        {with(`{"_sd":["`+sdjDigest(cnf)+`"]}`, cnf), want, ErrBindingKey},
		"jwk disclosed":        {with(`{"cnf":{"_sd":["`+sdjDigest(inner)+`"]}}`, inner), want, ErrBindingKey},
		"cnf deeper":           {with(`{"x":{"cnf":{"jwk":` + string(jwk) + `}}}`), want, ErrBindingKey},
		"cnf a string":         {with(`{"cnf":"x"}`), want, ErrBindingKey},
		"cnf by kid":           {with(`{"cnf":{"kid":"did:key:z6Mk"}}`), want, ErrBindingKey},
		"jwk a list":           {with(`{"cnf":{"jwk":[` + string(jwk) + `]}}`), want, ErrBindingKey},
		"jwk symmetric":        {with(`{"cnf":{"jwk":{"kty":"oct","k":"AAAA"}}}`), want, ErrBindingKey},
		"jwk not on the curve": {with(`{"cnf":{"jwk":{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}}}`), want, ErrBindingKey},
	} {
		if got, err := sdjVerify(c.text, issuer.Public(), c.b); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	x, err := SplitSDJWT(text, sdjTyp)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Presenting{
		"another key": {Holder: &stranger, Audience: "a", Nonce: "n", At: sdjNow},
		"no audience": {Holder: &holder, Nonce: "n", At: sdjNow},
		"no nonce":    {Holder: &holder, Audience: "a", At: sdjNow},
		"no time":     {Holder: &holder, Audience: "a", Nonce: "n"},
	} {
		if got, err := x.Present(p); !errors.Is(err, ErrBindingKey) || got != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	bound, err := SplitSDJWT(full, sdjTyp)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := bound.Present(Presenting{}); !errors.Is(err, ErrBindingUnexpected) || got != "" {
		t.Error("a presentation of somebody was presented again", err)
	}
}

func mustSign(t *testing.T, s keys.Signer, payload string) string {
	t.Helper()
	kb, err := SignJWS(s, TypKeyBinding, "", []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

func TestDottedPointer(t *testing.T) {
	for path, want := range map[string]string{
		"holder":                            "/holder",
		"credentialSubject.firstName":       "/credentialSubject/firstName",
		"credentialSubject.phoneNumbers[0]": "/credentialSubject/phoneNumbers/0",
		"a[1][20].b/c":                      "/a/1/20/b~1c",
		"~":                                 "/~0",
	} {
		if got, err := DottedPointer(path); err != nil || got != want {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
	for _, path := range []string{"", ".", "a.", ".a", "a..b", "[0]", "a[", "a[]", "a[x]", "a[-1]", "a[01]", "a[0", "a[0]b", "a]", "a[0]]", "a[0].", "a[ 0]"} {
		if got, err := DottedPointer(path); !errors.Is(err, ErrSDPointer) || got != "" {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
}

// FuzzSplitSDJWT: nothing verifies but what the issuer signed with disclosures
// that the issuer made, and claims never hold what the standard takes out.
func FuzzSplitSDJWT(f *testing.F) {
	s := sdjSigner(f, keys.EdDSA)
	payload, list, err := MakeSDJWT([]byte(sdjPerson), sdjAll, SDOptions{Pad: map[string]int{"/langs": 4}})
	if err != nil {
		f.Fatal(err)
	}
	good, err := SignSDJWT(s, sdjTyp, "", payload, list)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:strings.IndexByte(good, '~')+1])
	f.Add("e30.e30.e30~")
	for _, seed := range vectest.Seeds("sd-jwt", ".txt", 100) {
		f.Add(strings.ReplaceAll(string(seed), "\n", ""))
	}
	jws, _, _ := strings.Cut(good, "~")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := SplitSDJWT(text, sdjTyp, "example+sd-jwt", TypSDJWTVC)
		if err != nil {
			if x != nil {
				t.Fatal("a failed parse gave a value")
			}
			return
		}
		if c, err := x.ClaimsUnverified(); err == nil {
			checkClaims(t, c)
		} else if c != nil {
			t.Fatal("a failed parse gave claims")
		}
		c, err := x.Verify(s.Public(), KeyBinding{None: true})
		if err != nil {
			if c != nil {
				t.Fatal("a failed verification gave claims")
			}
			return
		}
		if !strings.HasPrefix(text, jws+"~") {
			t.Fatal("a JWS verifies that was not signed")
		}
		for _, d := range x.disclosures {
			if !slices.Contains(list, d) {
				t.Fatal("a disclosure that was not made")
			}
		}
		if c, err := x.Verify(s.Public(), KeyBinding{Audience: "a", Nonce: "n", Now: sdjNow}); err == nil || c != nil {
			t.Fatal("a holder where there is none")
		}
	})
}

// FuzzSDJWTPayload: any payload and disclosures that an issuer might sign are
// processed within bounds, and so that the claims can be read back.
func FuzzSDJWTPayload(f *testing.F) {
	f.Add([]byte(`{"_sd":["`+sdjDigest(`["s","a",1]`)+`"],"x":[{"...":"`+sdjDigest(`["s",{"_sd":[]}]`)+`"}],"_sd_alg":"sha-256"}`), []byte(`["s","a",1]`), []byte(`["s",{"_sd":[]}]`))
	f.Add([]byte(sdjPerson), []byte(`[]`), []byte(`["a","b","c"]`))
	for _, seed := range vectest.Seeds("sd-jwt", "sd_jwt_payload.json", 50) {
		f.Add(seed, []byte(`["2GLC42sKQveCfGfryNRN9w", "given_name", "John"]`), []byte(`["eluV5Og3gSNII8EYnsxA_A", "US"]`))
	}
	f.Fuzz(func(t *testing.T, payload, one, two []byte) {
		x := &SDJWT{disclosures: []string{sdjDisclosure(string(one)), sdjDisclosure(string(two))}}
		if c, err := x.open(payload); err == nil {
			checkClaims(t, c)
		} else if c != nil {
			t.Fatal("a failed parse gave claims")
		}
	})
}

// checkClaims holds processed claims to what their readers rely on.
func checkClaims(t *testing.T, c *SDClaims) {
	if err := CheckJSON(c.Claims, MaxDepth); err != nil {
		t.Fatalf("claims that cannot be read: %v", err)
	}
	v, err := sdObject(c.Claims)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for name, e := range x {
				if reserved(name) {
					t.Fatalf("%s is left", name)
				}
				walk(e)
			}
		}
	}
	walk(v)
	for _, at := range c.Disclosed {
		if _, ok := lookup(v, at); !ok {
			t.Fatalf("%q was disclosed and is not there", at)
		}
	}
	payload, list, err := MakeSDJWT(c.Claims, c.Disclosed, SDOptions{})
	if errors.Is(err, ErrSDLarge) {
		return
	}
	if err != nil {
		t.Fatal("claims that cannot be made again", err)
	}
	again, err := (&SDJWT{disclosures: list}).open(payload)
	if err != nil || string(again.Claims) != string(c.Claims) || !slices.Equal(again.Disclosed, c.Disclosed) {
		t.Fatal("claims that are others when made again", err)
	}
}
