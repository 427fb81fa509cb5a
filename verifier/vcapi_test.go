package verifier

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// counter is a desk whose office signs in every format: by Ed25519 with key-1
// and by P-256 with key-2, both on the trust list.
type counter struct {
	*desk
	ed, ec keys.Signer
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	c := &counter{desk: d, ed: d.o.signer}
	c.ec = c.addKey(d.o, "key-2", func(*vc.TrustKey) {})
	c.refresh()
	return c
}

// addKey puts one more key of an office on the trust list, which is not yet
// signed.
func (c *counter) addKey(o *office, name string, edit func(*vc.TrustKey)) keys.Signer {
	c.t.Helper()
	k, err := keys.New(name, keys.UseCredentials, keys.ES256, start.AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		c.t.Fatal(err)
	}
	id := o.did + "#" + name
	jwk, err := vc.PublicJWK(k.Public(), id, k.Alg)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range c.w.list.Issuers {
		if is := &c.w.list.Issuers[i]; is.DID == o.did {
			x := is.Keys[0]
			x.ID, x.JWK = id, jwk
			edit(&x)
			is.Keys = append(is.Keys, x)
		}
	}
	return k.Signer(id)
}

// refresh signs the trust list and takes in a bundle with it and the lists as
// they are.
func (c *counter) refresh() {
	c.t.Helper()
	c.w.wait(time.Second)
	c.w.list.Sequence++
	c.w.signTrust()
	if r := c.w.build(c.v); len(r.Problems) > 0 || r.Lists == 0 {
		c.t.Fatalf("bundle: %+v", r)
	}
}

// document is an unsigned credential of the office, and its status index.
func (c *counter) document(kind string, edit ...func(*vc.Credential)) ([]byte, int64) {
	c.t.Helper()
	subject, schema := c.subject(kind)
	c.w.serial++
	x := &vc.Credential{Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", c.w.serial),
		Type: []string{vc.TypeCredential, kind}, Issuer: c.o.did, ValidFrom: start.AddDate(0, -1, 0), ValidTo: start.AddDate(0, 3, 0),
		Subject: subject, Schema: &vc.Schema{ID: schema, Type: "JsonSchema"}}
	for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
		x.Status = append(x.Status, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: p, Index: fmt.Sprint(c.w.serial), List: c.o.listURL(p)})
	}
	for _, f := range edit {
		f(x)
	}
	return c.json(x), int64(c.w.serial)
}

const secretName = "ZYXOMMA"

func (c *counter) subject(kind string) (json.RawMessage, string) {
	if kind == vc.TypeGuardianship {
		return c.json(&vc.Guardianship{ID: did.Base(c.w.holder("anna").KID), Guardian: vc.Guardian{Kind: "naturalPerson",
			Names: []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: secretName}}}},
			Ward: vc.Ward{ChildRef: childRef}, Role: "mother", LegalBasis: vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: "UGA"},
			Powers: []string{"travelAccompany"}, Exercise: vc.Exercise{Mode: "independent", CoGuardianCount: 2}, Constraints: &vc.Constraints{},
			Effective: vc.Effective{From: "2018-05-04"}, Termination: vc.Termination{MajorityAge: 18, MajorityLaw: "UGA"}}), vc.SchemaGuardBorder
	}
	return c.json(c.child()), vc.SchemaBirthBorder
}

func (c *counter) child() *vc.Birth {
	return &vc.Birth{ChildRef: childRef, RecordVersion: 1, Circumstance: "ordinary",
		Names:     []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: secretName}}},
		BirthDate: vc.UncertainDate{Value: "2018-05-04", Precision: "day"}, Sex: 2, PlaceOfBirth: vc.Place{Country: "UGA"},
		Parentage:    []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "known"}},
		Registration: vc.Registration{Number: "UGA-2018-1", Date: "2018-05-20", Mode: "timely"}}
}

// secure secures an unsigned credential in a format; the signers are those of
// Ed25519 and of P-256.
func (c *counter) secure(format string, doc []byte, ed, ec keys.Signer) []byte {
	c.t.Helper()
	switch format {
	case "vc+jwt", "enveloped", "vc+jwt ES256":
		s := ed
		if format == "vc+jwt ES256" {
			s = ec
		}
		jws, err := vc.SignJWS(s, vc.TypCredential, "vc", doc)
		if err != nil {
			c.t.Fatal(err)
		}
		if format == "enveloped" {
			return c.json(vc.Envelop(jws))
		}
		return c.json(jws)
	}
	s := ed
	if strings.HasPrefix(format, "ecdsa") {
		s = ec
	}
	o := vc.ProofOptions{Suite: format, Signer: s, Purpose: vc.PurposeAssertion, Created: c.w.now()}
	if format == vc.SuiteSD {
		var err error
		if o.MandatoryPointers, err = vc.MandatoryPointers(doc); err != nil {
			c.t.Fatal(err)
		}
	}
	out, err := vc.AddProof(doc, o)
	if err != nil {
		c.t.Fatalf("%s: %v", format, err)
	}
	if format == vc.SuiteSD {
		show := "/credentialSubject/birthDate"
		if bytes.Contains(doc, []byte(vc.TypeGuardianship)) {
			show = "/credentialSubject/role"
		}
		if out, err = vc.Derive(out, []string{show}); err != nil {
			c.t.Fatal(err)
		}
	}
	return out
}

// sdjwt is a birth as SD-JWT VC, bound to a holder, on a token list.
func (c *counter) sdjwt(holder string, list string) (*vc.SDJWT, string, int64) {
	c.t.Helper()
	c.w.serial++
	b := *c.child()
	b.Names[0].Full, b.BirthDate.Basis, b.PlaceOfBirth.Status = secretName, "documentary", "known"
	b.Registration.Authority = "https://registry.example"
	claims, hide, err := vc.BirthSDJWTVC(b, vc.SDMeta{Issuer: c.o.did, Holder: c.holderKey(holder), From: start.AddDate(0, -1, 0), Until: start.AddDate(0, 3, 0),
		Status: vc.TokenStatus{URI: list, Index: uint64(c.w.serial)}})
	if err != nil {
		c.t.Fatal(err)
	}
	u, err := vc.PrepareSDJWTVC(claims, hide)
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := u.Sign(c.ec)
	if err != nil {
		c.t.Fatal(err)
	}
	x, err := vc.SplitSDJWT(text, vc.TypSDJWTVC)
	if err != nil {
		c.t.Fatal(err)
	}
	return x, text, int64(c.w.serial)
}

func (c *counter) holderKey(name string) any {
	pub, _, err := did.MethodKey(c.w.holder(name).KID)
	if err != nil {
		c.t.Fatal(err)
	}
	return pub
}

var formats = []string{"vc+jwt", "vc+jwt ES256", "enveloped", "eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019", "ecdsa-sd-2023"}

// verify asks to verify a credential and gives the code of the refusal, "" if
// there is none.
func (c *counter) verify(credential []byte) string {
	c.t.Helper()
	return c.judge("/credentials/verify", c.json(map[string]any{"verifiableCredential": json.RawMessage(credential), "options": struct{}{}}))
}

func (c *counter) judge(path string, body []byte) string {
	c.t.Helper()
	w := c.ask(RoleOfficer, "POST", path, jsonType, body)
	if strings.Contains(w.Body.String(), secretName) || strings.Contains(w.Body.String(), childRef) || strings.Contains(w.Body.String(), "did:") {
		c.t.Errorf("the answer repeats what was sent: %s", w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		c.t.Error("an answer may be cached")
	}
	if w.Code == 200 {
		var out struct {
			Verified bool
			Checks   []string
			Warnings []string
			Errors   []string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || !out.Verified || len(out.Errors) != 0 || len(out.Checks) == 0 || out.Warnings == nil {
			c.t.Errorf("%v: %s", err, w.Body)
		}
		return strings.Join(out.Warnings, " ")
	}
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != api.MediaProblem || p.Status != w.Code {
		c.t.Errorf("refused as %s: %s", w.Header().Get("Content-Type"), w.Body)
	}
	if strings.Contains(w.Body.String(), `"verified"`) {
		c.t.Errorf("a refusal speaks of verification: %s", w.Body)
	}
	return p.Code()
}

func TestVerifyEveryFormat(t *testing.T) {
	c := newCounter(t)
	for _, kind := range []string{vc.TypeBirth, vc.TypeGuardianship} {
		for _, f := range formats {
			doc, index := c.document(kind)
			secured := c.secure(f, doc, c.ed, c.ec)
			if code := c.verify(secured); code != "" {
				t.Errorf("%s as %s: %s", kind, f, code)
				continue
			}
			// Each format is refused once its index is set, by its own code.
			for _, x := range []struct{ purpose, code string }{{vc.PurposeSuspension, "status-suspended"}, {vc.PurposeRevocation, "status-revoked"}} {
				if err := c.o.bits[x.purpose].Set(index); err != nil {
					t.Fatal(err)
				}
				c.refresh()
				if code := c.verify(secured); code != x.code {
					t.Errorf("%s as %s, %s: %q", kind, f, x.purpose, code)
				}
			}
		}
	}
}

func TestVerifySDJWT(t *testing.T) {
	c := newCounter(t)
	list := c.o.listURL("token")
	x, text, index := c.sdjwt("anna", list)
	if code := c.verify(c.json(text)); code != "" {
		t.Fatalf("refused: %s", code)
	}
	holder := c.w.holder("anna")
	show := func(s *keys.Signer, aud, nonce string, claims ...string) string {
		t.Helper()
		out, err := x.Present(vc.Presenting{Whole: claims, Holder: s, Audience: aud, Nonce: nonce, At: c.w.now()})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	shown := show(&holder, "https://school.example", "n-1", "/age_equal_or_over/13")
	if code := c.presented(c.json(shown), "n-1", "https://school.example"); code != "" {
		t.Errorf("age alone: %s", code)
	}
	bare := show(nil, "", "")
	sum := sha256.Sum256([]byte(bare))
	bind := func(who string) string {
		t.Helper()
		out, err := vc.SignJWS(c.w.holder(who), vc.TypKeyBinding, "", c.json(map[string]any{"iat": c.w.now().Unix(), "aud": "https://school.example",
			"nonce": "n-1", "sd_hash": base64.RawURLEncoding.EncodeToString(sum[:])}))
		if err != nil {
			t.Fatal(err)
		}
		return bare + out
	}
	if code := c.presented(c.json(bind("anna")), "n-1", "https://school.example"); code != "" {
		t.Errorf("nothing disclosed: %s", code)
	}
	jws, _, _ := strings.Cut(text, "~")
	for name, q := range map[string]struct{ text, nonce, domain, code string }{
		"another challenge":     {shown, "n-2", "https://school.example", "key-binding"},
		"another domain":        {shown, "n-1", "https://shop.example", "key-binding"},
		"no key binding":        {text, "n-1", "https://school.example", "key-binding"},
		"bound by somebody":     {bind("stranger"), "n-1", "https://school.example", "key-binding"},
		"as a plain JWS":        {jws, "n-1", "https://school.example", ""},
		"a disclosure replaced": {strings.Replace(text, "~W", "~X", 1), "n-1", "https://school.example", ""},
	} {
		code := c.presented(c.json(q.text), q.nonce, q.domain)
		if code == "" || q.code != "" && !strings.HasPrefix(code, q.code) {
			t.Errorf("%s: %q", name, code)
		}
	}
	if code := c.verify(c.json(shown)); code == "" {
		t.Error("a presentation passes as a credential")
	}
	// The token list's index is that of the bitstring lists.
	if err := c.o.bits[vc.PurposeSuspension].Set(index); err != nil {
		t.Fatal(err)
	}
	c.refresh()
	if code := c.verify(c.json(text)); code != "status-suspended" {
		t.Errorf("suspended: %q", code)
	}
	if err := c.o.bits[vc.PurposeRevocation].Set(index); err != nil {
		t.Fatal(err)
	}
	c.refresh()
	if code := c.verify(c.json(text)); code != "status-revoked" {
		t.Errorf("revoked: %q", code)
	}
	// A list that the bundle does not have is never a good answer.
	other := c.w.office()
	c.refresh()
	for name, uri := range map[string]string{
		"no such list": strings.TrimSuffix(list, "1") + "2", "another issuer's": other.listURL("token"), "a bitstring list": c.o.listURL(vc.PurposeRevocation),
		"another path": c.o.url + "/lists/1", "path alone": "/status/token/1", "twice the path": c.o.url + "/status/token/status/token/1",
	} {
		_, text, _ := c.sdjwt("anna", uri)
		if code := c.verify(c.json(text)); code != "status-unknown" {
			t.Errorf("%s: %q", name, code)
		}
	}
}

// presented asks to verify a presentation.
func (c *counter) presented(presentation []byte, challenge, domain string) string {
	c.t.Helper()
	return c.judge("/presentations/verify", c.json(map[string]any{"verifiablePresentation": json.RawMessage(presentation),
		"options": map[string]string{"challenge": challenge, "domain": domain}}))
}

// A credential that somebody may not sign, or not so, or not then.
func TestVerifyRefusesIssuers(t *testing.T) {
	c := newCounter(t)
	ends := start.AddDate(0, -2, 0)
	noBirth := c.addKey(c.o, "key-3", func(k *vc.TrustKey) { k.Types = []string{vc.TypeGuardianship} })
	court := c.addKey(c.o, "key-4", func(k *vc.TrustKey) { k.Role, k.Bases = vc.RoleCourt, []string{"parentalResponsibilityByBirth"} })
	cut := c.addKey(c.o, "key-5", func(k *vc.TrustKey) { k.CutOff = start.AddDate(0, -2, 0) })
	cutLater := c.addKey(c.o, "key-6", func(k *vc.TrustKey) { k.CutOff = start })
	old := c.addKey(c.o, "key-7", func(k *vc.TrustKey) { k.NotAfter = ends })
	young := c.addKey(c.o, "key-8", func(k *vc.TrustKey) { k.NotBefore = start })
	other := c.w.office()
	// Offices of their own, each with an accreditation.
	accredited := func(terms ...vc.AccreditationTerm) *office {
		o, last := c.w.office(), len(terms)-1
		c.w.list.Issuers[len(c.w.list.Issuers)-1].Accreditation = &vc.Accreditation{AccreditationTerm: terms[last], Earlier: terms[:last]}
		return o
	}
	term := vc.AccreditationTerm{State: vc.Accredited, Since: start.AddDate(-1, 0, 0), Until: start.AddDate(1, 0, 0), Types: []string{vc.TypeBirth}}
	lapsing, narrow := term, term
	lapsing.Until = start.AddDate(0, -2, 0)
	narrow.Types = []string{vc.TypeGuardianship}
	lapsed, suspended, elsewhere := accredited(lapsing), accredited(term, vc.AccreditationTerm{State: vc.Suspended, Since: start.Add(-time.Minute)}), accredited(narrow)
	by := func(o *office) func(*vc.Credential) { return func(x *vc.Credential) { x.Issuer = o.did } }
	c.refresh()

	unlisted := newKey(t, keys.UseCredentials).Signer(c.o.did + "#key-9")
	forged := newKey(t, keys.UseCredentials).Signer(c.o.did + "#key-1")
	own := newKey(t, keys.UseCredentials)
	ownDID, err := did.EncodeKey(own.Public())
	if err != nil {
		t.Fatal(err)
	}
	self := own.Signer(did.KeyID(ownDID))
	for name, x := range map[string]struct {
		signer keys.Signer
		code   string
		edit   func(*vc.Credential)
	}{
		"right key, wrong type":        {noBirth, "issuer-type", nil},
		"right type, wrong role":       {court, "issuer-type", nil},
		"key after its cut-off":        {cut, "issuer-key-revoked", nil},
		"key before its cut-off":       {cutLater, "issuer-key-unproven", nil},
		"key after its period":         {old, "issuer-period", nil},
		"key before its period":        {young, "issuer-period", nil},
		"another issuer's key":         {other.signer, "issuer-key-mismatch", nil},
		"a key that is not listed":     {unlisted, "key-unknown", nil},
		"another key under a name":     {forged, "signature-invalid", nil},
		"did:key that is not listed":   {self, "issuer-untrusted", func(x *vc.Credential) { x.Issuer = ownDID }},
		"did:key for a listed issuer":  {self, "issuer-key-mismatch", nil},
		"an issuer that is not listed": {c.ed, "issuer-key-mismatch", func(x *vc.Credential) { x.Issuer = "did:web:nobody.example" }},
		"of two types":                 {c.ed, "issuer-type", func(x *vc.Credential) { x.Type = append(x.Type, vc.TypeGuardianship) }},
		"of no type":                   {c.ed, "issuer-type", func(x *vc.Credential) { x.Type = x.Type[:1] }},
		"no accreditation any more":    {lapsed.signer, "issuer-not-accredited", by(lapsed)},
		"suspended since":              {suspended.signer, "issuer-suspended", by(suspended)},
		"accredited for another type":  {elsewhere.signer, "issuer-type", by(elsewhere)},
		"no status":                    {c.ed, "status-missing", func(x *vc.Credential) { x.Status = nil }},
		"revocation alone":             {c.ed, "status-unknown", func(x *vc.Credential) { x.Status = x.Status[:1] }},
		"suspension alone":             {c.ed, "status-unknown", func(x *vc.Credential) { x.Status = x.Status[1:] }},
		"the same question twice":      {c.ed, "status-unknown", func(x *vc.Credential) { x.Status[1] = x.Status[0] }},
		"lists exchanged":              {c.ed, "status-unknown", func(x *vc.Credential) { x.Status[0].List, x.Status[1].List = x.Status[1].List, x.Status[0].List }},
		"list missing":                 {c.ed, "status-unknown", func(x *vc.Credential) { x.Status[0].List += "1" }},
		"another issuer's list":        {c.ed, "status-unknown", func(x *vc.Credential) { x.Status[0].List = other.listURL(vc.PurposeRevocation) }},
		"index outside the list":       {c.ed, "status-unknown", func(x *vc.Credential) { x.Status[0].Index = "999999999" }},
		"index that is no number":      {c.ed, "model-status-index", func(x *vc.Credential) { x.Status[0].Index = "0x1" }},
		"expired":                      {c.ed, "credential-expired", func(x *vc.Credential) { x.ValidTo = start }},
		"not yet valid":                {c.ed, "credential-not-yet-valid", func(x *vc.Credential) { x.ValidFrom = start.AddDate(0, 1, 0) }},
		"without an end":               {c.ed, "credential-incomplete", func(x *vc.Credential) { x.ValidTo = time.Time{} }},
	} {
		edit := x.edit
		if edit == nil {
			edit = func(*vc.Credential) {}
		}
		doc, _ := c.document(vc.TypeBirth, edit)
		suites := []string{"eddsa-jcs-2022", "vc+jwt"}
		if x.signer.Alg == keys.ES256 {
			suites = []string{"ecdsa-jcs-2019", "vc+jwt ES256"}
		}
		for _, f := range suites {
			if code := c.verify(c.secure(f, doc, x.signer, x.signer)); code != x.code {
				t.Errorf("%s as %s: %q, want %s", name, f, code, x.code)
			}
		}
	}
	// The same keys are good for what they may.
	doc, _ := c.document(vc.TypeGuardianship)
	for _, s := range []keys.Signer{noBirth, court, c.ec} {
		if code := c.verify(c.secure("ecdsa-jcs-2019", doc, s, s)); code != "" {
			t.Errorf("guardianship by %s: %s", s.KID, code)
		}
	}
}

// What was signed and changed, or was never signed.
func TestVerifyRefusesTampering(t *testing.T) {
	c := newCounter(t)
	doc, _ := c.document(vc.TypeBirth)
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("nothing to change: %s", old)
			}
			return bytes.Replace(b, []byte(old), []byte(new), 1)
		}
	}
	member := func(name string, v string) func([]byte) []byte {
		return func(b []byte) []byte {
			var m map[string]json.RawMessage
			if err := json.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			if v == "" {
				delete(m, name)
			} else {
				m[name] = json.RawMessage(v)
			}
			return c.json(m)
		}
	}
	for _, f := range []string{"eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019", "ecdsa-sd-2023"} {
		good := c.secure(f, doc, c.ed, c.ec)
		other, _ := c.document(vc.TypeBirth)
		var elsewhere struct{ Proof json.RawMessage }
		if err := json.Unmarshal(c.secure(f, other, c.ed, c.ec), &elsewhere); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func([]byte) []byte{
			"a claim changed":      replace("2018-05-04", "2008-05-04"),
			"a date changed":       member("validUntil", `"2036-01-01T00:00:00Z"`),
			"a claim added":        replace(`"credentialSubject":{`, `"credentialSubject":{"sex":1,"recordVersion":9,`),
			"undefined term added": member("surprise", `"x"`),
			"context dropped":      member("@context", `["https://www.w3.org/ns/credentials/v2"]`),
			"context unknown":      member("@context", `["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1","https://evil.example/v1"]`),
			"status dropped":       member("credentialStatus", ""),
			"proof dropped":        member("proof", ""),
			"no proofs":            member("proof", "[]"),
			"null proof":           member("proof", "null"),
			"another's proof":      member("proof", string(elsewhere.Proof)),
			"proof and a broken":   member("proof", `[`+string(elsewhere.Proof)+`,{"type":"DataIntegrityProof"}]`),
			"wrong purpose":        replace(`"assertionMethod"`, `"authentication"`),
			"unknown suite":        replace(`"`+f+`"`, `"none-2026"`),
			"another key":          replace("#key-", "#key-9"),
		} {
			if code := c.verify(change(good)); code == "" || code == "internal" {
				t.Errorf("%s, %s: %q", f, name, code)
			}
		}
	}
	jwt := c.secure("vc+jwt", doc, c.ed, c.ec)
	parts := strings.Split(strings.Trim(string(jwt), `"`), ".")
	for name, text := range map[string]string{
		"no signature":      parts[0] + "." + parts[1] + ".",
		"alg none":          "eyJhbGciOiJub25lIiwidHlwIjoidmMrand0In0." + parts[1] + ".",
		"another signature": parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-4] + "AAAA",
		"two parts":         parts[0] + "." + parts[1],
		"nothing":           "",
		"KP1":               "KP1:AAAA",
	} {
		if code := c.verify(c.json(text)); code == "" || code == "internal" {
			t.Errorf("vc+jwt, %s: %q", name, code)
		}
	}
	for name, text := range map[string]string{"unsecured": string(doc), "array": "[]", "number": "7", "null": "null", "true": "true", "quoted twice": `"\"x\""`,
		"Data Model 1.1": `{"@context":["https://www.w3.org/2018/credentials/v1"],"type":["VerifiableCredential"],"issuer":"did:key:x","issuanceDate":"2020-01-01T00:00:00Z","credentialSubject":{"id":"urn:x"}}`,
	} {
		if code := c.verify([]byte(text)); code == "" || code == "internal" {
			t.Errorf("%s: %q", name, code)
		}
	}
}

func TestVerifyOldAndMissingBundles(t *testing.T) {
	c := newCounter(t)
	doc, _ := c.document(vc.TypeBirth, func(x *vc.Credential) { x.ValidTo = start.AddDate(1, 0, 0) })
	good := c.secure("vc+jwt", doc, c.ed, c.ec)
	c.w.wait(25 * time.Hour)
	if code := c.verify(good); code != "status-stale" {
		t.Errorf("a day later: %q", code)
	}
	c.w.wait(7 * 24 * time.Hour)
	if code := c.verify(good); code != "status-unknown" {
		t.Errorf("a week later: %q", code)
	}
	c.w.wait(30 * 24 * time.Hour)
	if code := c.verify(good); code != "bundle-old" {
		t.Errorf("a month later: %q", code)
	}
	c.w.wait(-300 * 24 * time.Hour)
	if code := c.verify(good); code != "clock-wrong" {
		t.Errorf("before the bundle: %q", code)
	}
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	w := d.ask(RoleOfficer, "POST", "/credentials/verify", jsonType, []byte(`{"verifiableCredential":"x"}`))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "problems/no-bundle") {
		t.Errorf("no bundle: %d %s", w.Code, w.Body)
	}
}

// presentation signs credentials as a holder: with Data Integrity, or as
// vp+jwt.
func (c *counter) presentation(format, who string, credentials ...[]byte) []byte {
	c.t.Helper()
	s := c.w.holder(who)
	list := make([]json.RawMessage, len(credentials))
	for i, x := range credentials {
		list[i] = x
	}
	vp := map[string]any{"@context": []string{vc.ContextV2}, "type": []string{vc.TypePresentation}, "holder": did.Base(s.KID), "verifiableCredential": list}
	if format == "vp+jwt" {
		vp["aud"], vp["nonce"], vp["iat"], vp["exp"] = testDomain, testChallenge, c.w.now().Unix(), c.w.now().Unix()+300
		jws, err := vc.SignJWS(s, vc.TypPresentation, "vp", c.json(vp))
		if err != nil {
			c.t.Fatal(err)
		}
		return c.json(jws)
	}
	out, err := vc.AddProof(c.json(vp), vc.ProofOptions{Suite: format, Signer: s, Purpose: vc.PurposeAuthentication, Created: c.w.now(),
		Challenge: testChallenge, Domain: testDomain})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

const testDomain, testChallenge = "https://school.example", "c-1"

func TestVerifyPresentations(t *testing.T) {
	c := newCounter(t)
	birth, _ := c.document(vc.TypeBirth)
	mandate, index := c.document(vc.TypeGuardianship)
	proven := [][]byte{c.secure("eddsa-rdfc-2022", birth, c.ed, c.ec), c.secure("ecdsa-sd-2023", mandate, c.ed, c.ec), c.secure("enveloped", mandate, c.ed, c.ec)}
	enveloped := [][]byte{c.secure("enveloped", birth, c.ed, c.ec), c.secure("enveloped", mandate, c.ed, c.ec)}
	_, sd, _ := c.sdjwt("anna", c.o.listURL("token"))
	sdEnveloped := c.json(map[string]string{"@context": vc.ContextV2, "type": vc.TypeEnveloped, "id": "data:application/dc+sd-jwt," + sd})
	type made struct {
		format string
		list   [][]byte
	}
	all := []made{{"eddsa-rdfc-2022", proven}, {"eddsa-jcs-2022", proven}, {"vp+jwt", enveloped}, {"eddsa-rdfc-2022", enveloped}, {"vp+jwt", [][]byte{sdEnveloped}}}
	for _, x := range all {
		good := c.presentation(x.format, "anna", x.list...)
		if code := c.presented(good, testChallenge, testDomain); code != "" {
			t.Errorf("%s with %d: %s", x.format, len(x.list), code)
		}
		if code := c.presented(good, "c-2", testDomain); code == "" {
			t.Errorf("%s: the wrong challenge is answered", x.format)
		}
		if code := c.presented(good, testChallenge, "https://shop.example"); code == "" {
			t.Errorf("%s: the wrong domain is answered", x.format)
		}
		if code := c.verify(good); code == "" {
			t.Errorf("%s: a presentation passes as a credential", x.format)
		}
		// What is bound to Anna is not shown by Mallory.
		if code := c.presented(c.presentation(x.format, "mallory", x.list...), testChallenge, testDomain); code != "holder-unbound" {
			t.Errorf("%s, another holder: %q", x.format, code)
		}
	}
	// One without a credential proves nothing, however well it is signed.
	for _, format := range []string{"eddsa-rdfc-2022", "eddsa-jcs-2022", "vp+jwt"} {
		for _, who := range []string{"anna", "mallory"} {
			if code := c.presented(c.presentation(format, who), testChallenge, testDomain); code != "presentation-empty" {
				t.Errorf("%s of %s without a credential: %q", format, who, code)
			}
		}
	}
	bare := c.json(map[string]any{"@context": []string{vc.ContextV2}, "type": []string{vc.TypePresentation}})
	bare, err := vc.AddProof(bare, vc.ProofOptions{Suite: "eddsa-rdfc-2022", Signer: c.w.holder("anna"), Purpose: vc.PurposeAuthentication,
		Created: c.w.now(), Challenge: testChallenge, Domain: testDomain})
	if err != nil {
		t.Fatal(err)
	}
	if code := c.presented(bare, testChallenge, testDomain); code != "presentation-empty" {
		t.Errorf("without verifiableCredential: %q", code)
	}
	if code := c.presented(bare, "c-2", testDomain); code != "proof-challenge" {
		t.Errorf("without verifiableCredential, to another challenge: %q", code)
	}
	// A credential is no presentation.
	if code := c.presented(proven[0], testChallenge, testDomain); code == "" {
		t.Error("a credential passes as a presentation")
	}
	// The holder of the office's own key is none.
	s := c.ed
	c.w.holders["office"] = s
	if code := c.presented(c.presentation("vp+jwt", "office"), testChallenge, testDomain); code != "holder-key-of-issuer" {
		t.Errorf("signed by an issuer's key: %q", code)
	}
	// A presentation whose holder did not sign.
	lying := bytes.Replace(c.presentation("eddsa-jcs-2022", "mallory", proven...), []byte(did.Base(c.w.holder("mallory").KID)), []byte(did.Base(c.w.holder("anna").KID)), 1)
	if code := c.presented(lying, testChallenge, testDomain); code == "" {
		t.Error("a presentation in another's name")
	}
	// One bad credential spoils it, even the last one.
	good := c.presentation("eddsa-rdfc-2022", "anna", proven...)
	if err := c.o.bits[vc.PurposeRevocation].Set(index); err != nil {
		t.Fatal(err)
	}
	c.refresh()
	if code := c.presented(good, testChallenge, testDomain); code != "status-revoked" {
		t.Errorf("a revoked one inside: %q", code)
	}
	// An SD-JWT of a key that is somebody else's, in a presentation without key binding.
	for _, broken := range []string{`{}`, `null`, `""`, `"x"`, `[]`, `{"proof":[]}`} {
		if code := c.presented([]byte(broken), testChallenge, testDomain); code == "" || code == "internal" {
			t.Errorf("%s: %q", broken, code)
		}
	}
}

// Tokens, roles, forms and sizes.
func TestVerifyRequests(t *testing.T) {
	c := newCounter(t)
	doc, _ := c.document(vc.TypeBirth)
	good := c.secure("vc+jwt", doc, c.ed, c.ec)
	body := c.json(map[string]any{"verifiableCredential": json.RawMessage(good)})
	if w := c.ask(RoleOfficer, "POST", "/credentials/verify", jsonType, body); w.Code != 200 {
		t.Fatalf("without options: %d %s", w.Code, w.Body)
	}
	for role, status := range map[string]int{"": 401, "bad": 401, RoleAuditor: 403, "registrar": 403} {
		for _, path := range []string{"/credentials/verify", "/presentations/verify"} {
			b := body
			if path == "/presentations/verify" {
				b = c.json(map[string]any{"verifiablePresentation": "x", "options": map[string]string{"challenge": "c", "domain": "d"}})
			}
			if w := c.ask(role, "POST", path, jsonType, b); w.Code != status || strings.Contains(w.Body.String(), "verified\"") {
				t.Errorf("%s as %q: %d %s", path, role, w.Code, w.Body)
			}
			// Without a token nobody is told what a body must be.
			if w := c.ask(role, "POST", path, jsonType, []byte(`{}`)); status == 401 && w.Code != 401 {
				t.Errorf("an empty object to %s as %q: %d %s", path, role, w.Code, w.Body)
			}
		}
	}
	for name, x := range map[string]struct {
		path, media, body string
		status            int
	}{
		"GET's body":                 {"/credentials/verify", "text/plain", "{}", 415},
		"nothing to verify":          {"/credentials/verify", jsonType, `{}`, 400},
		"another member":             {"/credentials/verify", jsonType, `{"verifiableCredential":"x","verified":true}`, 400},
		"an option":                  {"/credentials/verify", jsonType, `{"verifiableCredential":"x","options":{"checks":[]}}`, 400},
		"twice":                      {"/credentials/verify", jsonType, `{"verifiableCredential":"x","verifiableCredential":"y"}`, 400},
		"oversize":                   {"/credentials/verify", jsonType, `{"verifiableCredential":"` + strings.Repeat("A", maxFacts) + `"}`, 413},
		"a large credential":         {"/credentials/verify", jsonType, `{"verifiableCredential":"` + strings.Repeat("A", 300<<10) + `"}`, 413},
		"deep":                       {"/credentials/verify", jsonType, `{"verifiableCredential":{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`, 400},
		"no challenge":               {"/presentations/verify", jsonType, `{"verifiablePresentation":"x","options":{"domain":"d"}}`, 400},
		"no domain":                  {"/presentations/verify", jsonType, `{"verifiablePresentation":"x","options":{"challenge":"c"}}`, 400},
		"empty challenge":            {"/presentations/verify", jsonType, `{"verifiablePresentation":"x","options":{"challenge":"","domain":"d"}}`, 400},
		"no options":                 {"/presentations/verify", jsonType, `{"verifiablePresentation":"x"}`, 400},
		"null options":               {"/presentations/verify", jsonType, `{"verifiablePresentation":"x","options":null}`, 400},
		"a credential to be trusted": {"/presentations/verify", jsonType, `{"verifiableCredential":"x","options":{"challenge":"c","domain":"d"}}`, 400},
	} {
		w := c.ask(RoleOfficer, "POST", x.path, x.media, []byte(x.body))
		if w.Code != x.status || w.Header().Get("Content-Type") != api.MediaProblem {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// The client reads the answers, member for member.
	srv := httptest.NewServer(c.server)
	t.Cleanup(srv.Close)
	client := &api.Client{Base: srv.URL, Token: c.tokens[RoleOfficer]}
	if v, err := client.VerifyCredential(t.Context(), json.RawMessage(good)); err != nil || !v.Verified || v.Bundle == "" {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := client.VerifyCredential(t.Context(), "eyJ"); err == nil || v.Verified {
		t.Errorf("%+v, %v", v, err)
	}
	shown := c.presentation("vp+jwt", "anna", c.secure("enveloped", doc, c.ed, c.ec))
	if v, err := client.VerifyPresentation(t.Context(), json.RawMessage(shown), testChallenge, testDomain); err != nil || !v.Verified {
		t.Errorf("%+v, %v", v, err)
	}
	var refusal *api.Problem
	if v, err := client.VerifyPresentation(t.Context(), json.RawMessage(shown), "c-2", testDomain); !errors.As(err, &refusal) || refusal.Code() != "presentation-nonce" || v.Verified {
		t.Errorf("%+v, %v", v, err)
	}
	// The W3C's name for the problem, and our code.
	broken := c.json(map[string]any{"verifiableCredential": json.RawMessage(bytes.Replace(good, []byte("."), []byte(".A"), 1))})
	w := c.ask(RoleOfficer, "POST", "/credentials/verify", jsonType, broken)
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 400 || !strings.HasPrefix(p.Type, "https://w") || strings.HasPrefix(p.Type, api.ProblemBase) || p.Fault == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// Nothing is kept of what was verified.
	if rows := everything(t, c.v.cfg.DB); strings.Contains(rows, secretName) || strings.Contains(rows, childRef) {
		t.Error("the database holds a name")
	}
	if strings.Contains(c.logs.String(), secretName) || strings.Contains(c.logs.String(), childRef) {
		t.Error("the log holds a name")
	}
	if list, err := c.v.Records(context.Background(), "", 10); err != nil || len(list) != 0 {
		t.Errorf("%d records, %v", len(list), err)
	}
}
