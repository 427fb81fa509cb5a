package vc

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vectest"
)

// shelfOf makes status lists of one issuer in every form.
type shelfOf struct {
	t      testing.TB
	signer keys.Signer
	issuer string
	at     time.Time
}

const (
	listURL  = "https://registry.example/status/revocation/1"
	tokenURL = "https://registry.example/status/token/1"
	onList   = 94567 // the index that is set
)

func newShelf(t testing.TB, at time.Time) shelfOf {
	s := didSigner(t, keys.EdDSA)
	return shelfOf{t: t, signer: s, issuer: did.Base(s.KID), at: at}
}

func (s shelfOf) encoded() string {
	l, err := status.New(status.MinSize)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := l.Set(onList); err != nil {
		s.t.Fatal(err)
	}
	e, err := l.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// credential gives the list credential with some members replaced; a member
// that is replaced by nothing is left out.
func (s shelfOf) credential(change map[string]string) []byte {
	members := map[string]string{
		"id": `"` + listURL + `"`, "type": `["VerifiableCredential","BitstringStatusListCredential"]`, "issuer": `"` + s.issuer + `"`,
		"validFrom": `"` + s.at.UTC().Format(time.RFC3339) + `"`, "validUntil": `"` + s.at.Add(time.Hour).UTC().Format(time.RFC3339) + `"`,
		"purpose": `"revocation"`, "list": `"` + s.encoded() + `"`, "ttl": `300000`, "kind": `"BitstringStatusList"`,
	}
	for k, v := range change {
		members[k] = v
	}
	var b strings.Builder
	b.WriteString(`{"@context":["` + ContextV2 + `"]`)
	add := func(name, value string) {
		if value != "" {
			b.WriteString(`,"` + name + `":` + value)
		}
	}
	for _, k := range []string{"id", "type", "issuer", "validFrom", "validUntil"} {
		add(k, members[k])
	}
	b.WriteString(`,"credentialSubject":{"id":"` + listURL + `#list"`)
	add("type", members["kind"])
	add("statusPurpose", members["purpose"])
	add("encodedList", members["list"])
	add("ttl", members["ttl"])
	b.WriteString(`}}`)
	return []byte(b.String())
}

func (s shelfOf) jws(typ string, payload []byte) []byte {
	j, err := SignJWS(s.signer, typ, "", payload)
	if err != nil {
		s.t.Fatal(err)
	}
	return []byte(j)
}

func (s shelfOf) proven(doc []byte) []byte {
	out, err := AddProof(doc, ProofOptions{Suite: "eddsa-rdfc-2022", Signer: s.signer, Purpose: PurposeAssertion, Created: s.at})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s shelfOf) tokens() TokenList {
	l, err := status.NewTokens(2, status.MinSize)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, v := range map[int64]uint8{onList: status.TokenInvalid, onList + 1: status.TokenSuspended, onList + 2: 3} {
		if err := l.Set(i, v); err != nil {
			s.t.Fatal(err)
		}
	}
	return TokenList{URL: tokenURL, Issuer: s.issuer, IssuedAt: s.at, Expires: s.at.Add(time.Hour), TTL: 5 * time.Minute, List: l}
}

func (s shelfOf) tokenJWT() []byte {
	j, err := s.tokens().SignJWT(s.signer)
	if err != nil {
		s.t.Fatal(err)
	}
	return []byte(j)
}

func (s shelfOf) tokenCWT() []byte {
	c, err := s.tokens().SignCWT(s.signer)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func entry(index string) BitstringEntry {
	return BitstringEntry{StatusEntry: StatusEntry{Type: "BitstringStatusListEntry", Purpose: PurposeRevocation, Index: index, List: listURL}}
}

func TestStatusListsAnswer(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := newShelf(t, now)
	p := ListPolicy{Keys: did.MethodKey, Now: now.Add(time.Minute)}
	for name, body := range map[string][]byte{
		"vc+jwt":         s.jws(TypCredential, s.credential(nil)),
		"Data Integrity": s.proven(s.credential(nil)),
		"JWT":            s.tokenJWT(),
		"CWT":            s.tokenCWT(),
	} {
		l, err := OpenStatusList(body, p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l.Issuer != s.issuer || !l.From.Equal(now) || !l.Until.Equal(now.Add(time.Hour)) || l.TTL != 5*time.Minute {
			t.Errorf("%s: issuer or times are others: %v %v %v", name, l.From, l.Until, l.TTL)
		}
		if l.Stale(now.Add(5*time.Minute)) || !l.Stale(now.Add(6*time.Minute)) {
			t.Errorf("%s: stale at another time", name)
		}
		ask := func(index string) (StatusAnswer, error) { return l.Of(entry(index), s.issuer, p.Now) }
		want := map[string]State{"94566": StateGood, "94567": StateRevoked, "0": StateGood}
		if l.tokens != nil {
			ask = func(index string) (StatusAnswer, error) {
				n, err := status.ParseIndex(index)
				if err != nil {
					t.Fatal(err)
				}
				return l.OfToken(TokenStatus{URI: tokenURL, Index: uint64(n)}, s.issuer, p.Now)
			}
			want["94568"], want["94569"] = StateSuspended, StateOther
		}
		for index, state := range want {
			if a, err := ask(index); err != nil || a.State != state {
				t.Errorf("%s, index %s: %v, %v; want %v", name, index, a.State, err, state)
			}
		}
	}
}

// Whatever is wrong with a list, nothing is opened.
func TestStatusListsThatAreRefused(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s, stranger := newShelf(t, now), newShelf(t, now)
	p := ListPolicy{Keys: did.MethodKey, Now: now}
	stamp := func(d time.Duration) string { return `"` + now.Add(d).UTC().Format(time.RFC3339) + `"` }
	token := func(change func(*TokenList)) []byte {
		l := s.tokens()
		change(&l)
		j, err := l.SignJWT(s.signer)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(j)
	}
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	good := s.jws(TypCredential, s.credential(nil))
	cwt := s.tokenCWT()
	for _, c := range []struct {
		name string
		body []byte
		want error
	}{
		{"nothing", nil, ErrMalformed},
		{"not signed", s.credential(nil), ErrProofMissing},
		{"a claim changed", bytes.Replace(s.proven(s.credential(nil)), []byte("revocation/1#"), []byte("revocation/2#"), 1), ErrSignature},
		{"signature changed", append(good[:len(good)-6:len(good)-6], []byte("AAAAAA")...), ErrSignature},
		{"CWT changed", flip(cwt, len(cwt)-1), ErrSignature},
		{"signed by a stranger", stranger.jws(TypCredential, s.credential(nil)), ErrStatusIssuer},
		{"proven by a stranger", stranger.proven(s.credential(nil)), ErrStatusIssuer},
		{"token list of another iss", token(func(l *TokenList) { l.Issuer = stranger.issuer }), ErrStatusIssuer},
		{"over", s.jws(TypCredential, s.credential(map[string]string{"validFrom": stamp(-2 * time.Hour), "validUntil": stamp(0)})), ErrStatusValidity},
		{"not yet", s.jws(TypCredential, s.credential(map[string]string{"validFrom": stamp(time.Hour), "validUntil": stamp(2 * time.Hour)})), ErrStatusValidity},
		{"token list over", token(func(l *TokenList) { l.Expires = now }), ErrStatusValidity},
		{"token list not yet", token(func(l *TokenList) { l.IssuedAt = now.Add(time.Hour) }), ErrStatusValidity},
		{"token list without sub", token(func(l *TokenList) { l.URL = "" }), ErrStatusList},
		{"another typ", s.jws(TypPresentation, s.credential(nil)), ErrType},
		{"a token list called a credential", s.jws(TypCredential, []byte(`{"sub":"`+tokenURL+`","iat":1,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}`)), nil},
		{"a credential called a token list", s.jws(TypTokenListJWT, s.credential(nil)), ErrStatusList},
		{"no id", s.jws(TypCredential, s.credential(map[string]string{"id": ""})), ErrStatusList},
		{"not a list credential", s.jws(TypCredential, s.credential(map[string]string{"type": `["VerifiableCredential"]`})), ErrStatusList},
		{"another subject", s.jws(TypCredential, s.credential(map[string]string{"kind": `"BitstringStatusListEntry"`})), nil},
		{"no purpose", s.jws(TypCredential, s.credential(map[string]string{"purpose": ""})), ErrStatusList},
		{"no list", s.jws(TypCredential, s.credential(map[string]string{"list": ""})), status.ErrEncoding},
		{"a short list", s.jws(TypCredential, s.credential(map[string]string{"list": `"uH4sIAAAAAAAA_2NgGAWjYBQAAD7-2sIAAQAA"`})), nil},
		{"ttl below zero", s.jws(TypCredential, s.credential(map[string]string{"ttl": `-1`})), ErrStatusList},
		{"three bits", s.jws(TypTokenListJWT, []byte(`{"sub":"`+tokenURL+`","iat":1763700000,"status_list":{"bits":3,"lst":"eNrbuRgAAhcBXQ"}}`)), status.ErrWidth},
		{"lst is not zlib", s.jws(TypTokenListJWT, []byte(`{"sub":"`+tokenURL+`","iat":1763700000,"status_list":{"bits":1,"lst":"AAAA"}}`)), status.ErrEncoding},
		{"no iat", s.jws(TypTokenListJWT, []byte(`{"sub":"`+tokenURL+`","status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}`)), ErrStatusList},
		{"ttl zero", s.jws(TypTokenListJWT, []byte(`{"sub":"`+tokenURL+`","iat":1763700000,"ttl":0,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}`)), ErrStatusList},
		{"a member twice", s.jws(TypTokenListJWT, []byte(`{"sub":"`+tokenURL+`","sub":"x","iat":1763700000,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}`)), ErrStatusList},
		{"too large", bytes.Repeat([]byte("a"), maxStatusList+1), ErrSecuredLarge},
	} {
		l, err := OpenStatusList(c.body, p)
		if err == nil || l != nil {
			t.Errorf("%s: opened", c.name)
			continue
		}
		if c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	fresh := p
	fresh.Fresh, fresh.Now = true, now.Add(10*time.Minute)
	if _, err := OpenStatusList(good, fresh); !errors.Is(err, ErrStatusStale) {
		t.Errorf("older than its time to live: %v", err)
	}
	for _, p := range []ListPolicy{{}, {Keys: did.MethodKey}, {Now: now}} {
		if _, err := OpenStatusList(good, p); !errors.Is(err, ErrStatusPolicy) {
			t.Errorf("without a policy: %v", err)
		}
	}
	unknown := ListPolicy{Now: now, Keys: func(string) (crypto.PublicKey, string, error) { return s.signer.Public(), "", nil }}
	if _, err := OpenStatusList(good, unknown); !errors.Is(err, ErrStatusIssuer) {
		t.Errorf("a key of nobody: %v", err)
	}
}

// Whatever is wrong with the question, the answer is not known.
func TestStatusListsDoNotAnswerOthers(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := newShelf(t, now)
	p := ListPolicy{Keys: did.MethodKey, Now: now}
	l, err := OpenStatusList(s.jws(TypCredential, s.credential(nil)), p)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := OpenStatusList(s.tokenJWT(), p)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*BitstringEntry)) BitstringEntry {
		e := entry("94566")
		change(&e)
		return e
	}
	for name, c := range map[string]struct {
		entry  BitstringEntry
		issuer string
		at     time.Time
		want   error
	}{
		"another issuer":      {entry("94566"), "did:web:other.example", now, ErrStatusIssuer},
		"no issuer":           {entry("94566"), "", now, ErrStatusIssuer},
		"another list":        {with(func(e *BitstringEntry) { e.List += "0" }), s.issuer, now, ErrStatusOther},
		"another purpose":     {with(func(e *BitstringEntry) { e.Purpose = PurposeSuspension }), s.issuer, now, ErrStatusOther},
		"another type":        {with(func(e *BitstringEntry) { e.Type = "StatusList2021Entry" }), s.issuer, now, ErrStatusEntry},
		"outside":             {entry("131072"), s.issuer, now, status.ErrRange},
		"far outside":         {entry("999999999999999999"), s.issuer, now, status.ErrRange},
		"not a number":        {entry("x"), s.issuer, now, status.ErrIndex},
		"a leading zero":      {entry("094566"), s.issuer, now, status.ErrIndex},
		"negative":            {entry("-1"), s.issuer, now, status.ErrIndex},
		"bits without words":  {with(func(e *BitstringEntry) { e.Size = 2 }), s.issuer, now, ErrStatusEntry},
		"negative size":       {with(func(e *BitstringEntry) { e.Size = -2 }), s.issuer, now, ErrStatusEntry},
		"the list ran out":    {entry("94566"), s.issuer, now.Add(2 * time.Hour), ErrStatusValidity},
		"before the list":     {entry("94566"), s.issuer, now.Add(-time.Hour), ErrStatusValidity},
		"outside by its size": {with(func(e *BitstringEntry) { e.Index, e.Size, e.Messages = "94566", 2, 4 }), s.issuer, now, status.ErrRange},
	} {
		if a, err := l.Of(c.entry, c.issuer, c.at); a.State != StateUnknown || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, a.State, err)
		}
	}
	for name, c := range map[string]struct {
		ref    TokenStatus
		issuer string
		want   error
	}{
		"another list":   {TokenStatus{URI: listURL, Index: 0}, s.issuer, ErrStatusOther},
		"no list":        {TokenStatus{}, s.issuer, ErrStatusOther},
		"another issuer": {TokenStatus{URI: tokenURL, Index: 0}, "did:web:other.example", ErrStatusIssuer},
		"outside":        {TokenStatus{URI: tokenURL, Index: status.MinSize}, s.issuer, status.ErrRange},
		"far outside":    {TokenStatus{URI: tokenURL, Index: 1 << 63}, s.issuer, status.ErrRange},
	} {
		if a, err := tok.OfToken(c.ref, c.issuer, now); a.State != StateUnknown || !errors.Is(err, c.want) {
			t.Errorf("token, %s: %v, %v", name, a.State, err)
		}
	}
	if a, err := l.OfToken(TokenStatus{URI: listURL}, s.issuer, now); a.State != StateUnknown || err == nil {
		t.Error("a bitstring answers for a token")
	}
	if a, err := tok.Of(entry("0"), s.issuer, now); a.State != StateUnknown || err == nil {
		t.Error("a token list answers for a bitstring entry")
	}
	if a, err := new(StatusList).Of(entry("0"), s.issuer, now); a.State != StateUnknown || err == nil {
		t.Error("the zero list answers")
	}
	// Who may speak for another is the verifier's to say.
	p.Speaks = func(list, credential string) bool {
		return list == s.issuer && credential == "did:web:district.example"
	}
	l, err = OpenStatusList(s.jws(TypCredential, s.credential(nil)), p)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := l.Of(entry("94567"), "did:web:district.example", now); err != nil || a.State != StateRevoked {
		t.Errorf("for the district: %v, %v", a.State, err)
	}
	if _, err := l.Of(entry("94567"), "did:web:other.example", now); !errors.Is(err, ErrStatusIssuer) {
		t.Errorf("for another: %v", err)
	}
}

// An entry of several bits needs a message for each value.
func TestStatusOfSeveralBits(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := newShelf(t, now)
	bits, err := status.New(status.MinSize)
	if err != nil {
		t.Fatal(err)
	}
	if err := bits.SetValue(7, 2, 2); err != nil {
		t.Fatal(err)
	}
	encoded, err := bits.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenStatusList(s.jws(TypCredential, s.credential(map[string]string{"list": `"` + encoded + `"`, "purpose": `["message","revocation"]`})),
		ListPolicy{Keys: did.MethodKey, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	credential := []byte(`{"credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"message","statusListIndex":"7","statusListCredential":"` + listURL +
		`","statusSize":2,"statusMessage":[{"status":"0x0","message":"a"},{"status":"0x1","message":"b"},{"status":"0x2","message":"c"},{"status":"0x3","message":"d"}]}]}`)
	entries, err := StatusEntries(credential)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if a, err := l.Of(entries[0], s.issuer, now); err != nil || a.State != StateOther || a.Value != 2 {
		t.Errorf("%v %d, %v", a.State, a.Value, err)
	}
	entries[0].Purpose = PurposeRevocation
	if a, err := l.Of(entries[0], s.issuer, now); err != nil || a.State != StateRevoked {
		t.Errorf("%v, %v", a.State, err)
	}
	for _, bad := range []string{`{"credentialStatus":{"type":"BitstringStatusListEntry","statusSize":0}}`, `{"credentialStatus":{"type":"BitstringStatusListEntry","statusSize":"2"}}`,
		`{"credentialStatus":{"statusListIndex":"1"}}`, `{"credentialStatus":"x"}`, `{"credentialStatus":[1]}`} {
		if e, err := StatusEntries([]byte(bad)); err == nil || e != nil {
			t.Errorf("read: %s", bad)
		}
	}
}

// The examples of the drafts: what they carry is read as they say.
func TestStatusListExamples(t *testing.T) {
	dir := vectest.Dir(t, "token-status-list")
	squeeze := func(b []byte) string { return strings.Join(strings.Fields(string(b)), "") }
	jwt := squeeze(vectest.Read(t, dir, "examples", "status_list_jwt_raw.md"))
	v, err := SplitJWS(jwt)
	if err != nil || v.Header.Typ != TypTokenListJWT {
		t.Fatal(v, err)
	}
	l, err := readTokenClaims(v.payload)
	if err != nil || l.URL != "https://example.com/statuslists/1" || l.TTL != 43200*time.Second || l.From.Unix() != 1686920170 || l.Until.Unix() != 2291720170 {
		t.Fatal(l, err)
	}
	want := []uint8{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1}
	same := func(l *StatusList) {
		t.Helper()
		for i, w := range want {
			if got, err := l.tokens.Get(int64(i)); err != nil || got != w {
				t.Errorf("entry %d: %d, %v", i, got, err)
			}
		}
	}
	same(l)
	cwt, err := hexBytes(squeeze(vectest.Read(t, dir, "examples", "status_list_cwt.md")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := openCOSE(cwt, coseKind{typ: MediaTokenCWT, limit: maxStatusList})
	if err != nil || c.KID != "12" || c.Alg != keys.ES256 {
		t.Fatal(c, err)
	}
	if l, err = readTokenCBOR(c.message.Payload); err != nil || l.URL != "https://example.com/statuslists/1" || l.TTL != 43200*time.Second {
		t.Fatal(l, err)
	}
	same(l)
	var examples []json.RawMessage
	if err := json.Unmarshal(vectest.Read(t, vectest.Dir(t, "bitstring-status-list"), "spec-examples.json"), &examples); err != nil {
		t.Fatal(err)
	}
	lists, entries := 0, 0
	for _, e := range examples {
		if bytes.Contains(e, []byte(`"BitstringStatusListCredential"`)) {
			if _, err := readListCredential(e); err != nil {
				t.Errorf("example list: %v", err)
			}
			lists++
			continue
		}
		got, err := StatusEntries(e)
		if err != nil {
			t.Errorf("example entry: %v", err)
		}
		entries += len(got)
	}
	t.Logf("%d example lists, %d example entries", lists, entries)
	if lists == 0 || entries == 0 {
		t.Error("no examples")
	}
}

func hexBytes(s string) ([]byte, error) {
	out := make([]byte, len(s)/2)
	for i := range out {
		for _, c := range []byte(s[2*i : 2*i+2]) {
			d := strings.IndexByte("0123456789abcdef", c)
			if d < 0 {
				return nil, errors.New("not hexadecimal")
			}
			out[i] = out[i]<<4 | byte(d)
		}
	}
	return out, nil
}

// publishedLists are the examples of both specifications as they are sent,
// signed or not, and what was signed: none where the vectors are absent.
func publishedLists() [][]byte {
	var out [][]byte
	for _, data := range vectest.Seeds("bitstring-status-list", ".json", 10) {
		out = append(out, data)
		var several []json.RawMessage
		if json.Unmarshal(data, &several) == nil {
			for _, e := range several {
				out = append(out, e)
			}
		}
	}
	for _, data := range vectest.Seeds("token-status-list/examples", ".md", 50) {
		if i := bytes.IndexByte(data, ':'); i >= 0 && bytes.HasSuffix(data[:i], []byte("encoded")) {
			data = data[i+1:] // behind the bits that were encoded
		}
		text := strings.Join(strings.Fields(string(data)), "")
		out = append(out, []byte(text))
		if cbor, err := hexBytes(text); err == nil && len(text)%2 == 0 {
			out = append(out, cbor)
			if c, err := openCOSE(cbor, coseKind{typ: MediaTokenCWT, limit: maxStatusList}); err == nil {
				out = append(out, c.message.Payload)
			}
		}
		if j, err := SplitJOSE(text); err == nil {
			out = append(out, j.payload)
		} else if _, claims, ok := strings.Cut(text, "}.{"); ok {
			out = append(out, []byte("{"+claims))
		}
	}
	return out
}

func FuzzOpenStatusList(f *testing.F) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := newShelf(f, now)
	f.Add(s.jws(TypCredential, s.credential(nil)))
	f.Add(s.proven(s.credential(nil)))
	f.Add(s.tokenJWT())
	f.Add(s.tokenCWT())
	for _, seed := range publishedLists() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := signaturesHeld.Load()
		l, err := OpenStatusList(body, ListPolicy{Keys: did.MethodKey, Now: now})
		if err != nil {
			if l != nil {
				t.Fatal("a list with an error")
			}
			return
		}
		if signaturesHeld.Load() == before {
			t.Fatal("opened without a signature")
		}
	})
}

// What was signed is read before and behind the signature check alike: the
// parsers take anything.
func FuzzStatusListPayload(f *testing.F) {
	s := newShelf(f, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	f.Add(s.credential(nil))
	f.Add([]byte(`{"sub":"` + tokenURL + `","iat":1763700000,"status_list":{"bits":1,"lst":"eNrbuRgAAhcBXQ"}}`))
	cwt, err := base64.RawURLEncoding.DecodeString("pQJ4IWh0dHBzOi8vZXhhbXBsZS5jb20vc3RhdHVzbGlzdHMvMQYaZIxb6gQaiJjf6hn__hmowBn__aJkYml0cwFjbHN0SnjatbkYAAIXAV0")
	if err == nil {
		f.Add(cwt)
	}
	for _, seed := range publishedLists() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, read := range []func([]byte) (*StatusList, error){readTokenClaims, readTokenCBOR} {
			if l, err := read(payload); err != nil && l != nil {
				t.Fatal("a list with an error")
			}
		}
		if CheckJSON(payload, MaxDepth) == nil {
			if l, err := readListCredential(payload); err != nil && l != nil {
				t.Fatal("a list with an error")
			}
		}
	})
}
