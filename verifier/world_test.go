package verifier

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

// passport is a specimen of ICAO Doc 9303-4.
const passport = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"

// start is when every test begins.
var start = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// world is an anchor, a hub and issuers whose shelves are served over HTTP.
type world struct {
	t       testing.TB
	anchor  *keys.Key
	ring    *keys.Ring
	list    *vc.TrustList
	source  string // file of the signed trust list
	mu      sync.Mutex
	clock   time.Time
	holders map[string]keys.Signer
	serial  int
}

// office is an issuer with its shelf. What it publishes can be changed by a
// test through files and answer.
type office struct {
	w      *world
	did    string
	url    string
	key    *keys.Key
	signer keys.Signer
	bits   map[string]*status.List // by purpose

	mu     sync.Mutex
	files  map[string][]byte                             // by path; absent: made afresh
	answer func(http.ResponseWriter, *http.Request) bool // true: it has answered
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: start, source: filepath.Join(t.TempDir(), "trust.jws"), ring: &keys.Ring{}, holders: map[string]keys.Signer{}}
	w.anchor = newKey(t, keys.UseAnchor)
	hub := newKey(t, keys.UseHub)
	if err := w.ring.Add(hub); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ring.EnsureSecret("history"); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.list, err = trust.New(w.anchor.Public()); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.AddHub(w.list, hub.Public(), start.AddDate(-1, 0, 0), time.Time{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func newKey(t testing.TB, use string) *keys.Key {
	t.Helper()
	k, err := keys.New("key-1", use, keys.EdDSA, start.AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// office starts an issuer and puts it on the trust list, which is not yet
// signed.
func (w *world) office(types ...string) *office {
	w.t.Helper()
	if len(types) == 0 {
		types = []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList}
	}
	return w.enter(trust.Entry{Name: "Office", Role: vc.RoleRegistrar, Types: types})
}

// authority starts an issuer of this role that may override the lists of over,
// and puts it on the trust list.
func (w *world) authority(role string, over ...*office) *office {
	w.t.Helper()
	e := trust.Entry{Name: "Authority", Role: role, Types: trust.DefaultTypes(role)}
	for _, o := range over {
		e.MayRevoke = append(e.MayRevoke, o.did)
	}
	return w.enter(e)
}

// enter starts an issuer and puts it on the trust list with this entry.
func (w *world) enter(e trust.Entry) *office {
	w.t.Helper()
	o := &office{w: w, key: newKey(w.t, keys.UseCredentials), bits: map[string]*status.List{}, files: map[string][]byte{}}
	for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
		l, err := status.New(status.MinSize)
		if err != nil {
			w.t.Fatal(err)
		}
		o.bits[p] = l
	}
	srv := httptest.NewServer(o)
	w.t.Cleanup(srv.Close)
	o.url = srv.URL
	var err error
	if o.did, err = did.FromURL(o.url); err != nil {
		w.t.Fatal(err)
	}
	o.signer = o.key.Signer(o.did + "#key-1")
	e.Document, e.Shelf, e.From = o.document(), o.url, start.AddDate(-1, 0, 0)
	if err := trust.AddIssuer(w.list, e); err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (o *office) document() *did.Document {
	jwk, err := vc.PublicJWK(o.key.Public(), o.did+"#key-1", o.key.Alg)
	if err != nil {
		o.w.t.Error(err)
	}
	return &did.Document{ID: o.did, AssertionMethod: []string{o.did + "#key-1"},
		VerificationMethod: []did.VerificationMethod{{ID: o.did + "#key-1", Type: "JsonWebKey", Controller: o.did, PublicKeyJwk: jwk}}}
}

// put publishes these bytes at a path; nil brings back what belongs there.
func (o *office) put(path string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if data == nil {
		delete(o.files, path)
		return
	}
	o.files[path] = data
}

// reply lets a test answer requests itself.
func (o *office) reply(f func(http.ResponseWriter, *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = f
}

func (o *office) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	data, ok := o.files[r.URL.Path]
	answer := o.answer
	o.mu.Unlock()
	if answer != nil && answer(rw, r) {
		return
	}
	if !ok {
		data = o.file(r.URL.Path)
	}
	if data == nil {
		http.NotFound(rw, r)
		return
	}
	rw.Write(data)
}

// file makes what an honest issuer publishes.
func (o *office) file(path string) []byte {
	switch path {
	case "/.well-known/did.json":
		b, err := json.Marshal(o.document())
		if err != nil {
			o.w.t.Error(err)
		}
		return b
	case "/status":
		// The token list of the same indexes is on the index, and not for a bundle.
		return fmt.Appendf(nil, `{"lists":[%q,%q,%q]}`, o.listURL(vc.PurposeRevocation), o.listURL(vc.PurposeSuspension), o.listURL("token"))
	case "/overrides":
		return []byte(`{"lists":[]}`)
	case "/status/revocation/1":
		return o.sign(o.signer, o.statusList(vc.PurposeRevocation))
	case "/status/suspension/1":
		return o.sign(o.signer, o.statusList(vc.PurposeSuspension))
	}
	return nil
}

func (o *office) listURL(purpose string) string { return o.url + "/status/" + purpose + "/1" }

// statusList is the credential that an honest issuer signs now.
func (o *office) statusList(purpose string) *vc.Credential {
	encoded, err := o.bits[purpose].Encode()
	if err != nil {
		o.w.t.Error(err)
	}
	return o.statusListWith(purpose, map[string]any{"id": o.listURL(purpose) + "#list", "type": "BitstringStatusList",
		"statusPurpose": purpose, "encodedList": encoded, "ttl": 300000})
}

func (o *office) statusListWith(purpose string, subject map[string]any) *vc.Credential {
	b, err := json.Marshal(subject)
	if err != nil {
		o.w.t.Error(err)
	}
	at := o.w.now().Truncate(time.Second)
	return &vc.Credential{Context: []string{vc.ContextV2}, ID: o.listURL(purpose), Type: []string{vc.TypeCredential, vc.TypeStatusList},
		Issuer: o.did, ValidFrom: at, ValidTo: at.Add(7 * 24 * time.Hour), Subject: b}
}

func (o *office) sign(s keys.Signer, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		o.w.t.Error(err)
	}
	jws, err := vc.SignJWS(s, vc.TypCredential, "vc", b)
	if err != nil {
		o.w.t.Error(err)
	}
	return []byte(jws)
}

// signTrust signs the trust list as it is now and puts it at the source.
func (w *world) signTrust() string {
	w.t.Helper()
	signed, err := trust.Sign(w.list, w.anchor.Signer("anchor"), w.now(), 90*24*time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	w.writeTrust(signed)
	return signed
}

func (w *world) writeTrust(signed string) {
	w.t.Helper()
	if err := os.WriteFile(w.source, []byte(signed+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) config(db *store.DB) Config {
	return Config{DB: db, Ring: w.ring, Base: "http://localhost:8082", Anchors: vc.OneOf(w.anchor.Public()), TrustSource: w.source,
		HTTP: HTTPPolicy{Loopback: true, Timeout: 2 * time.Second}, Now: w.now}
}

func (w *world) verifier(db *store.DB) *Verifier {
	w.t.Helper()
	v, err := New(w.config(db))
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) build(v *Verifier) Report {
	w.t.Helper()
	r, err := v.Build(context.Background())
	if err != nil {
		w.t.Fatalf("build: %v", err)
	}
	return r
}

const childRef = "AAAAAAAAAAAAAAAAAAAAAA"

// family gives the border credentials of a child and of the guardian called
// name, issued by o, and the status index of the birth credential.
func (o *office) family(name string) (birth, mandate string, index int64) {
	w := o.w
	b := &vc.Birth{ChildRef: childRef, RecordVersion: 1, Circumstance: "ordinary",
		Names:     []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: "OKELLO", Secondary: "AMINA"}}},
		BirthDate: vc.UncertainDate{Value: "2018-05-04", Precision: "day"}, Sex: 2, PlaceOfBirth: vc.Place{Country: "UGA"},
		Parentage:    []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "known"}},
		Registration: vc.Registration{Number: "UGA-2018-1", Date: "2018-05-20", Mode: "timely"}}
	g := &vc.Guardianship{ID: did.Base(w.holder(name).KID), Guardian: vc.Guardian{Kind: "naturalPerson",
		Names: []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: "ERIKSSON", Secondary: "ANNA<MARIA"}}}},
		Ward: vc.Ward{ChildRef: childRef}, Role: "mother", LegalBasis: vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: "UGA"},
		Powers: []string{"travelAccompany", "travelConsent"}, Exercise: vc.Exercise{Mode: "independent", CoGuardianCount: 2},
		Effective: vc.Effective{From: "2018-05-04"}, Termination: vc.Termination{MajorityAge: 18, MajorityLaw: "UGA"}}
	birth, index = o.issue(vc.TypeBirth, vc.SchemaBirthBorder, b)
	mandate, _ = o.issue(vc.TypeGuardianship, vc.SchemaGuardBorder, g)
	return birth, mandate, index
}

func (o *office) issue(kind, schema string, subject any) (string, int64) {
	w := o.w
	w.serial++
	b, err := json.Marshal(subject)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &vc.Credential{Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", w.serial),
		Type: []string{vc.TypeCredential, kind}, Issuer: o.did, ValidFrom: start.AddDate(0, -1, 0), ValidTo: start.AddDate(0, 3, 0),
		Subject: b, Schema: &vc.Schema{ID: schema, Type: "JsonSchema"}}
	for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
		c.Status = append(c.Status, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: p, Index: fmt.Sprint(w.serial), List: o.listURL(p)})
	}
	return string(o.sign(o.signer, c)), int64(w.serial)
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) holder(name string) keys.Signer {
	if s, ok := w.holders[name]; ok {
		return s
	}
	k := newKey(w.t, "holder")
	d, err := did.EncodeKey(k.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	w.holders[name] = k.Signer(did.KeyID(d))
	return w.holders[name]
}

// present signs a fresh presentation of these credentials with this nonce and
// packs it as KP1.
func (w *world) present(name, nonce string, credentials ...string) string {
	w.t.Helper()
	s := w.holder(name)
	p := vc.Presentation{Context: []string{vc.ContextV2}, Type: []string{vc.TypePresentation}, Holder: did.Base(s.KID),
		Audience: vc.BorderAudience, Nonce: nonce, IssuedAt: w.now().Unix(), Expires: w.now().Unix() + 300}
	for _, c := range credentials {
		p.Credentials = append(p.Credentials, vc.Envelop(c))
	}
	b, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	jws, err := vc.SignJWS(s, vc.TypPresentation, "vp", b)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := qr.Pack(qr.Packet{Presentation: jws})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// codes lists the codes of a report's problems.
func codes(r Report) string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, p.Code)
	}
	return strings.Join(out, " ")
}

// everything gives the text of every row of every table.
func everything(t testing.TB, db *store.DB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"post", "hubs", "bundles", "lists", "ages", "checks", "nonces", "challenges", "histories"} {
		rows, err := db.Query("SELECT * FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				switch x := (*v.(*any)).(type) {
				case []byte:
					fmt.Fprintf(&b, "%s.%s=%s\n", table, columns[i], x)
				default:
					fmt.Fprintf(&b, "%s.%s=%v\n", table, columns[i], x)
				}
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
