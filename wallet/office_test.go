package wallet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/outbound"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// clock is a clock that a test turns.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// child is what an office knows about a child. Every value is one that must
// not be found in a copied database.
type child struct {
	ref, given, family, native, primary, secondary, born, number, passport string
}

var (
	zainab = child{"AAECAwQFBgcICQoLDA0ODw", "Zainab", "Okonkwo", "زينب", "OKONKWO", "ZAINAB", "2019-03-07", "BRN-77819-ZQ", "P5550123"}
	tariq  = child{"EBESExQVFhcYGRobHB0eHw", "Tariq", "Hassan", "طارق", "HASSAN", "TARIQ", "2021-06-15", "BRN-10203-TH", "P5559876"}
)

const pin = "493021"

// office is an issuer with the OpenID4VCI endpoints that a wallet needs, and
// with hooks to misbehave.
type office struct {
	t     *testing.T
	srv   *httptest.Server
	clock *clock
	key   *keys.Key
	p256  *keys.Key // signs ldp_vc
	did   string
	trust *vc.TrustList

	mu        sync.Mutex
	offers    map[string]*deal         // by code
	access    map[string]*deal         // by token
	refresh   map[string]*deal         // by token
	calls     map[string]int           // by path
	lists     map[string]*status.List  // by purpose
	next      int64                    // status index
	reserved  map[string][]jsonObject  // status entries of consents, by holder and jti
	owners    map[string]string        // did:key, by index of a consent
	override  map[string]http.Handler  // by path, in place of ours
	drop      map[string]int           // answers to lose, by path: the work is done
	configs   []string                 // offered
	others    map[string]string        // format by configuration, of what a wallet cannot ask for
	alter     func(string, jsonObject) // before signing, by configuration
	resign    func(string, string) string
	alterList func(jsonObject)

	alterClaims func(string, jsonObject, *[]string) // of an SD-JWT VC, and what it can hide
	alterBase   func(string, *vc.ProofOptions)      // of a base proof
	alterTokens func(*vc.TokenList)                 // of a Token Status List
	denied      []string
	noPIN       bool
	life        time.Duration // of credentials
}

type jsonObject = map[string]any

// deal is an offer and what became of it.
type deal struct {
	code, uri string
	child     child
	thumb     string
	redeemed  time.Time
	tries     int
	access    string
	refresh   string
	holder    string
	version   int
	issued    map[string]string // configuration → vc+jwt
}

var allConfigs = []string{"GuardianshipCredential", "GuardianshipCredentialBorder", "BirthCredential", "BirthCredentialBorder"}

func newOffice(t *testing.T, c *clock) *office {
	t.Helper()
	k, err := keys.New("key-1", keys.UseCredentials, keys.EdDSA, c.now().Add(-24*time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	p256, err := keys.New("key-2", keys.UseSelective, keys.ES256, c.now().Add(-24*time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, clock: c, key: k, p256: p256, configs: allConfigs, life: 365 * 24 * time.Hour,
		offers: map[string]*deal{}, access: map[string]*deal{}, refresh: map[string]*deal{}, calls: map[string]int{},
		lists: map[string]*status.List{}, override: map[string]http.Handler{}, drop: map[string]int{}, next: 4711,
		reserved: map[string][]jsonObject{}, owners: map[string]string{}}
	for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
		if o.lists[p], err = status.New(status.MinSize); err != nil {
			t.Fatal(err)
		}
	}
	o.srv = httptest.NewServer(o)
	t.Cleanup(o.srv.Close)
	if o.did, err = did.FromURL(o.srv.URL); err != nil {
		t.Fatal(err)
	}
	pub, err := vc.PublicJWK(k.Public(), o.kid(), keys.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	o.trust = &vc.TrustList{ID: "t", Sequence: 1, IssuedAt: c.now(), Issuers: []vc.TrustIssuer{{
		DID: o.did, Name: "Civil register of Testland", Shelf: o.srv.URL,
		Keys: []vc.TrustKey{{ID: o.kid(), JWK: pub, Role: vc.RoleRegistrar, Types: []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList},
			NotBefore: c.now().Add(-24 * time.Hour)}},
	}}}
	return o
}

func (o *office) kid() string { return o.did + "#key-1" }

// offer makes an offer for a child and gives its link, by value.
func (o *office) offer(c child) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := &deal{code: "code-" + store.Random(24), uri: "/offers/" + store.Random(12), child: c, version: 1}
	o.offers[d.code] = d
	return "openid-credential-offer://?" + url.Values{"credential_offer": {o.object(d.code)}}.Encode()
}

// byReference gives the link of the last offer for a child, by reference.
func (o *office) byReference(link string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for code, d := range o.offers {
		if strings.Contains(link, url.QueryEscape(code)) {
			return "openid-credential-offer://?" + url.Values{"credential_offer_uri": {o.srv.URL + d.uri}}.Encode()
		}
	}
	o.t.Fatal("no such offer")
	return ""
}

func (o *office) object(code string) string {
	grant := jsonObject{"pre-authorized_code": code}
	if !o.noPIN {
		grant["tx_code"] = jsonObject{"input_mode": "numeric", "length": 6}
	}
	b, err := json.Marshal(jsonObject{"credential_issuer": o.srv.URL, "credential_configuration_ids": o.configs,
		"grants": jsonObject{grantPreAuthorized: grant}})
	if err != nil {
		o.t.Fatal(err)
	}
	return string(b)
}

func (o *office) count(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if path != "" {
		return o.calls[path]
	}
	n := 0
	for _, c := range o.calls {
		n += c
	}
	return n
}

func (o *office) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.calls[r.URL.Path]++
	if h := o.override[r.URL.Path]; h != nil {
		o.mu.Unlock()
		h.ServeHTTP(w, r)
		return
	}
	defer o.mu.Unlock()
	rec := httptest.NewRecorder()
	o.serve(rec, r)
	if o.drop[r.URL.Path] > 0 {
		o.drop[r.URL.Path]--
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
		return
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	base := o.srv.URL
	switch {
	case r.URL.Path == "/.well-known/openid-credential-issuer":
		configs := jsonObject{}
		for _, id := range allConfigs {
			kind := kindOf(id)
			configs[id] = jsonObject{"format": "jwt_vc_json", "credential_definition": jsonObject{"type": []string{vc.TypeCredential, kind}},
				"proof_types_supported": jsonObject{"jwt": jsonObject{"proof_signing_alg_values_supported": []string{"EdDSA", "ES256"}}}}
		}
		maps.Copy(configs, partMetadata())
		for id, format := range o.others {
			configs[id] = jsonObject{"format": format}
		}
		answerJSON(w, 200, jsonObject{"credential_issuer": base, "credential_endpoint": base + "/credential", "nonce_endpoint": base + "/nonce",
			"credential_configurations_supported": configs})
	case r.URL.Path == "/.well-known/oauth-authorization-server":
		answerJSON(w, 200, jsonObject{"issuer": base, "token_endpoint": base + "/token"})
	case r.URL.Path == "/token":
		o.token(w, r)
	case r.URL.Path == "/nonce":
		answerJSON(w, 200, jsonObject{"c_nonce": "n-" + store.Random(16)})
	case r.URL.Path == "/credential":
		o.credential(w, r)
	case strings.HasPrefix(r.URL.Path, "/offers/"):
		for code, d := range o.offers {
			if d.uri == r.URL.Path && d.redeemed.IsZero() {
				w.Header().Set("Content-Type", "application/json")
				w.Write([]byte(o.object(code)))
				return
			}
		}
		answerJSON(w, 404, jsonObject{})
	case strings.HasPrefix(r.URL.Path, "/status/"):
		o.list(w, r)
	case strings.HasPrefix(r.URL.Path, "/consent-status"):
		o.consentStatus(w, r)
	default:
		answerJSON(w, 404, jsonObject{})
	}
}

func answerJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v)
}

// dpop checks the DPoP proof and gives the thumbprint of its key.
func (o *office) dpop(r *http.Request, access string) string {
	s, err := vc.SplitJWS(r.Header.Get("DPoP"))
	if err != nil || s.Header.Typ != vc.TypDPoP {
		return ""
	}
	pub, err := vc.ParseJWK(s.Header.Jwk)
	if err != nil {
		return ""
	}
	payload, err := s.Verify(pub)
	if err != nil {
		return ""
	}
	var c struct {
		HTM, HTU, JTI, ATH string
		IAT                int64
	}
	json.Unmarshal(payload, &c)
	sum := sha256.Sum256([]byte(access))
	if c.HTM != r.Method || c.HTU != o.srv.URL+r.URL.Path || c.JTI == "" || c.IAT != o.clock.now().Unix() ||
		(access != "" && c.ATH != base64.RawURLEncoding.EncodeToString(sum[:])) {
		return ""
	}
	id, err := did.EncodeKey(pub)
	if err != nil {
		return ""
	}
	return id
}

func (o *office) token(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	thumb := o.dpop(r, "")
	if thumb == "" {
		answerJSON(w, 400, jsonObject{"error": "invalid_dpop_proof"})
		return
	}
	now := o.clock.now()
	switch r.Form.Get("grant_type") {
	case grantPreAuthorized:
		d := o.offers[r.Form.Get("pre-authorized_code")]
		if d == nil || d.tries >= 5 || (!d.redeemed.IsZero() && (d.thumb != thumb || now.Sub(d.redeemed) > 10*time.Minute)) {
			answerJSON(w, 400, jsonObject{"error": "invalid_grant"})
			return
		}
		if got, ok := r.Form["tx_code"]; ok == o.noPIN || (!o.noPIN && got[0] != pin) {
			d.tries++
			answerJSON(w, 400, jsonObject{"error": "invalid_grant"})
			return
		}
		if d.redeemed.IsZero() {
			d.redeemed, d.thumb = now, thumb
			d.access, d.refresh = "acc-"+store.Random(24), "ref-"+store.Random(24)
			o.access[d.access], o.refresh[d.refresh] = d, d
		}
		answerJSON(w, 200, jsonObject{"access_token": d.access, "token_type": "DPoP", "expires_in": 300, "refresh_token": d.refresh})
	case "refresh_token":
		d := o.refresh[r.Form.Get("refresh_token")]
		if d == nil || d.thumb != thumb {
			answerJSON(w, 400, jsonObject{"error": "invalid_grant"})
			return
		}
		a := "acc-" + store.Random(24)
		o.access[a] = d
		answerJSON(w, 200, jsonObject{"access_token": a, "token_type": "DPoP", "expires_in": 300, "refresh_token": r.Form.Get("refresh_token")})
	default:
		answerJSON(w, 400, jsonObject{"error": "unsupported_grant_type"})
	}
}

func (o *office) credential(w http.ResponseWriter, r *http.Request) {
	access, _ := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
	d := o.access[access]
	if d == nil || o.dpop(r, access) != d.thumb {
		answerJSON(w, 401, jsonObject{"error": "invalid_token"})
		return
	}
	var in struct {
		Config string `json:"credential_configuration_id"`
		Proofs struct{ JWT []string }
	}
	json.NewDecoder(r.Body).Decode(&in)
	holder := ""
	if len(in.Proofs.JWT) == 1 {
		if s, err := vc.SplitJWS(in.Proofs.JWT[0]); err == nil && s.Header.Typ == vc.TypProof {
			if pub, err := did.ParseKey(s.Header.Kid); err == nil {
				if p, err := s.Verify(pub); err == nil && strings.Contains(string(p), `"aud":"`+o.srv.URL+`"`) && strings.Contains(string(p), `"nonce":"n-`) {
					holder, _ = did.EncodeKey(pub)
				}
			}
		}
	}
	switch {
	case holder == "" || (d.holder != "" && d.holder != holder):
		answerJSON(w, 400, jsonObject{"error": "invalid_proof"})
		return
	case slices.Contains(o.denied, in.Config):
		answerJSON(w, 400, jsonObject{"error": "credential_request_denied"})
		return
	}
	d.holder = holder
	if d.issued == nil {
		d.issued = map[string]string{}
	}
	if d.issued[in.Config] == "" {
		d.issued[in.Config] = o.issue(d, in.Config)
	}
	var delivered any = d.issued[in.Config]
	if strings.HasPrefix(d.issued[in.Config], "{") {
		delivered = json.RawMessage(d.issued[in.Config])
	}
	answerJSON(w, 200, jsonObject{"credentials": []jsonObject{{"credential": delivered}}})
}

// issue signs a credential of a configuration.
func (o *office) issue(d *deal, config string) string {
	c, now := d.child, o.clock.now().Truncate(time.Second)
	o.next++
	border := strings.HasSuffix(config, "Border")
	entry := func(purpose string) jsonObject {
		return jsonObject{"type": "BitstringStatusListEntry", "statusPurpose": purpose, "statusListIndex": fmt.Sprint(o.next),
			"statusListCredential": o.srv.URL + "/status/" + purpose + "/1"}
	}
	mrz := jsonObject{"primary": c.primary, "secondary": c.secondary}
	documents := []jsonObject{{"type": "passport", "value": c.passport, "issuer": "UTO"}}
	var subject jsonObject
	schema := ""
	switch {
	case strings.HasPrefix(config, "Birth") && border:
		schema = vc.SchemaBirthBorder
		subject = jsonObject{"childRef": c.ref, "recordVersion": d.version, "circumstance": "ordinary",
			"names":     []jsonObject{{"kind": "legal", "script": "Latn", "mrz": mrz}},
			"birthDate": jsonObject{"value": c.born, "precision": "day"}, "sex": 2, "placeOfBirth": jsonObject{"country": "UTO"},
			"parentage":    []jsonObject{{"role": "mother", "status": "known"}},
			"registration": jsonObject{"number": c.number, "date": c.born, "mode": "timely"}, "travelDocuments": documents}
	case strings.HasPrefix(config, "Birth"):
		schema = vc.SchemaBirth
		subject = jsonObject{"childRef": c.ref, "recordVersion": d.version, "circumstance": "ordinary",
			"names": []jsonObject{{"kind": "legal", "script": "Latn", "given": []string{c.given}, "family": []string{c.family}, "mrz": mrz},
				{"kind": "legal", "script": "Arab", "full": c.native}},
			"birthDate": jsonObject{"value": c.born, "precision": "day", "basis": "medicalRecord"}, "sex": 2,
			"placeOfBirth": jsonObject{"status": "known", "country": "UTO"},
			"parentage":    []jsonObject{{"role": "mother", "status": "known"}},
			"registration": jsonObject{"number": c.number, "authority": "https://register.test", "date": c.born, "mode": "timely"}, "travelDocuments": documents}
	default:
		schema = vc.SchemaGuardianship
		guardian := jsonObject{"kind": "naturalPerson", "names": []jsonObject{{"kind": "legal", "script": "Latn", "full": "Amina " + c.family, "mrz": jsonObject{"primary": c.primary, "secondary": "AMINA"}}}}
		basis := jsonObject{"type": "parentalResponsibilityByBirth", "law": "UTO"}
		if border {
			schema = vc.SchemaGuardBorder
			guardian["names"] = []jsonObject{{"kind": "legal", "script": "Latn", "mrz": jsonObject{"primary": c.primary, "secondary": "AMINA"}}}
		}
		subject = jsonObject{"id": d.holder, "guardian": guardian, "ward": jsonObject{"childRef": c.ref}, "role": "mother", "legalBasis": basis,
			"powers": []string{"travelAccompany", "travelConsent", "healthRoutine"}, "exercise": jsonObject{"mode": "sole"},
			"effective": jsonObject{"from": c.born}, "termination": jsonObject{"majorityAge": 18, "majorityLaw": "UTO"}}
		if strings.HasSuffix(config, "SD") {
			subject["constraints"] = jsonObject{}
		}
	}
	doc := jsonObject{"@context": []string{vc.ContextV2, vc.ContextKinpass}, "id": "urn:uuid:" + uuid.NewString(),
		"type": []string{vc.TypeCredential, kindOf(config)}, "issuer": o.did,
		"validFrom": now.Format(time.RFC3339), "validUntil": now.Add(o.life).Format(time.RFC3339), "credentialSubject": subject,
		"credentialStatus": []jsonObject{entry(vc.PurposeRevocation), entry(vc.PurposeSuspension)},
		"credentialSchema": jsonObject{"id": schema, "type": "JsonSchema"}}
	if o.alter != nil {
		o.alter(config, doc)
	}
	var jwt string
	switch {
	case strings.HasSuffix(config, "SdJwt"):
		jwt = o.sdJWT(d, config, subject)
	case strings.HasSuffix(config, "SD"):
		jwt = o.ldp(config, doc)
	default:
		jwt = o.sign(doc)
	}
	if o.resign != nil {
		jwt = o.resign(config, jwt)
	}
	return jwt
}

func (o *office) sign(doc any) string {
	payload, err := json.Marshal(doc)
	if err != nil {
		o.t.Error(err)
	}
	jwt, err := vc.SignJWS(o.key.Signer(o.kid()), vc.TypCredential, "vc", payload)
	if err != nil {
		o.t.Error(err)
	}
	return jwt
}

func (o *office) list(w http.ResponseWriter, r *http.Request) {
	purpose := strings.Split(r.URL.Path, "/")[2]
	if purpose == "token" {
		o.tokenList(w, r)
		return
	}
	l := o.lists[purpose]
	if l == nil {
		answerJSON(w, 404, jsonObject{})
		return
	}
	enc, err := l.Encode()
	if err != nil {
		o.t.Error(err)
	}
	now := o.clock.now().Truncate(time.Second)
	doc := jsonObject{"@context": []string{vc.ContextV2}, "id": o.srv.URL + r.URL.Path, "type": []string{vc.TypeCredential, vc.TypeStatusList}, "issuer": o.did,
		"validFrom": now.Format(time.RFC3339), "validUntil": now.Add(7 * 24 * time.Hour).Format(time.RFC3339),
		"credentialSubject": jsonObject{"id": o.srv.URL + r.URL.Path, "type": "BitstringStatusList", "statusPurpose": purpose, "encodedList": enc}}
	if o.alterList != nil {
		o.alterList(doc)
	}
	w.Header().Set("Content-Type", "application/vc+jwt")
	w.Write([]byte(o.sign(doc)))
}

// newRing makes a service key.
func newRing(t *testing.T) *keys.Ring {
	t.Helper()
	r := &keys.Ring{}
	if _, err := r.EnsureSecret(SecretWrap); err != nil {
		t.Fatal(err)
	}
	return r
}

// newWallet makes a wallet that trusts the office.
func newWallet(t *testing.T, db *store.DB, ring *keys.Ring, o *office) *Wallet {
	t.Helper()
	w, err := New(Config{DB: db, Ring: ring, Now: o.clock.now, AllowLoopback: true, Base: "http://127.0.0.1:9",
		TrustList: func(context.Context) (*vc.TrustList, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			l := *o.trust
			l.Issuers = slices.Clone(l.Issuers)
			for i := range l.Issuers {
				l.Issuers[i].Keys = slices.Clone(l.Issuers[i].Keys)
			}
			return &l, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.net.client = patient(2 * time.Second)
	return w
}

// patient is a client of issuers that waits as long as this.
func patient(d time.Duration) *outbound.Client {
	p := reach(true)
	p.Timeout = d
	return outbound.New(p)
}

// scene is a wallet and an office on one database.
type scene struct {
	*Wallet
	o    *office
	db   *store.DB
	ring *keys.Ring
}

func newScene(t *testing.T, db *store.DB) scene {
	t.Helper()
	o, ring := newOffice(t, newClock()), newRing(t)
	return scene{newWallet(t, db, ring, o), o, db, ring}
}

var (
	amina = Guardian{ID: "token-amina"}
	bilal = Guardian{ID: "token-bilal"}
)

func (s scene) accept(t *testing.T, g Guardian, c child) Accepted {
	t.Helper()
	a, err := s.Accept(t.Context(), g, s.o.offer(c), pin)
	if err != nil {
		t.Fatalf("accepting: %v", err)
	}
	return a
}

// count counts the rows of a table.
func count(t *testing.T, db *store.DB, table string) int {
	t.Helper()
	n := 0
	if err := db.QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// mustHoldNothing fails if any credential or child is stored.
func mustHoldNothing(t *testing.T, db *store.DB) {
	t.Helper()
	for _, table := range []string{"credentials", "children", "child_refs"} {
		if n := count(t, db, table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
}

func mustCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	if got := faultCode(err); got != code {
		t.Fatalf("got %s (%v), want %s", got, err, code)
	}
}

// each runs fn on a database of each engine.
func each(t *testing.T, fn func(t *testing.T, s scene)) {
	storetest.Each(t, "wallet", func(t *testing.T, db *store.DB) { fn(t, newScene(t, db)) })
}

// lite is a scene on SQLite, for what does not depend on the engine.
func lite(t *testing.T) scene {
	t.Helper()
	return newScene(t, storetest.Open(t, store.SQLite, "wallet"))
}

func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

// held opens everything of a guardian; nothing for one who has no wallet.
func (w *Wallet) held(ctx context.Context, g Guardian) ([]held, error) {
	v, err := w.vault(ctx, g.ID)
	if err == errNoWallet {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return w.credentials(ctx, v)
}
