package wallet

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// partConfigs are the configurations of what is shown in parts.
var partConfigs = []string{"GuardianshipCredentialSdJwt", "BirthCredentialSdJwt", "GuardianshipCredentialSD", "BirthCredentialSD"}

// everyConfig are all that an office offers.
var everyConfig = slices.Concat(allConfigs, partConfigs)

func kindOf(config string) string {
	if strings.HasPrefix(config, "Birth") {
		return vc.TypeBirth
	}
	return vc.TypeGuardianship
}

// partMetadata describes them (OpenID4VCI 1.0, appendices A.1.2 and A.3).
func partMetadata() jsonObject {
	proofs := jsonObject{"jwt": jsonObject{"proof_signing_alg_values_supported": []string{"EdDSA", "ES256"}}}
	out := jsonObject{}
	for _, id := range partConfigs {
		if strings.HasSuffix(id, "SdJwt") {
			out[id] = jsonObject{"format": "dc+sd-jwt", "vct": vctOf(id), "proof_types_supported": proofs}
			continue
		}
		out[id] = jsonObject{"format": "ldp_vc", "proof_types_supported": proofs, "credential_definition": jsonObject{
			"@context": []string{vc.ContextV2, vc.ContextKinpass}, "type": []string{vc.TypeCredential, kindOf(id)}}}
	}
	return out
}

func vctOf(config string) string {
	if kindOf(config) == vc.TypeBirth {
		return vc.VctBirth
	}
	return vc.VctGuardianship
}

// sdJWT issues an SD-JWT VC of a subject.
func (o *office) sdJWT(d *deal, config string, subject jsonObject) string {
	must := func(err error) {
		if err != nil {
			o.t.Error(err)
		}
	}
	raw, err := json.Marshal(subject)
	must(err)
	holder, err := did.ParseKey(d.holder)
	must(err)
	now := o.clock.now().Truncate(time.Second)
	meta := vc.SDMeta{Issuer: o.did, Holder: holder, From: now, Until: now.Add(o.life),
		Status: vc.TokenStatus{URI: o.srv.URL + "/status/token/1", Index: uint64(o.next)}}
	var claims []byte
	var hide []string
	if kindOf(config) == vc.TypeBirth {
		var b vc.Birth
		must(json.Unmarshal(raw, &b))
		claims, hide, err = vc.BirthSDJWTVC(b, meta)
	} else {
		var g vc.Guardianship
		must(json.Unmarshal(raw, &g))
		claims, hide, err = vc.GuardianshipSDJWTVC(g, meta)
	}
	must(err)
	if o.alterClaims != nil {
		var c jsonObject
		must(json.Unmarshal(claims, &c))
		o.alterClaims(config, c, &hide)
		claims, err = json.Marshal(c)
		must(err)
	}
	payload, disclosures, err := vc.MakeSDJWT(claims, hide, vc.SDOptions{})
	must(err)
	text, err := vc.SignSDJWT(o.key.Signer(o.kid()), vc.TypSDJWTVC, "", payload, disclosures)
	must(err)
	return text
}

// ldp issues a credential with a base proof.
func (o *office) ldp(config string, doc jsonObject) string {
	raw, err := json.Marshal(doc)
	if err != nil {
		o.t.Error(err)
	}
	pointers, err := vc.MandatoryPointers(raw)
	if err != nil {
		pointers = []string{"/issuer"}
	}
	opts := vc.ProofOptions{Suite: vc.SuiteSD, Signer: o.p256.Signer(o.did + "#key-2"), Purpose: vc.PurposeAssertion,
		Created: o.clock.now().Truncate(time.Second), MandatoryPointers: pointers}
	if o.alterBase != nil {
		o.alterBase(config, &opts)
	}
	secured, err := vc.AddProof(raw, opts)
	if err != nil {
		o.t.Error(config, err)
	}
	return string(secured)
}

// tokenList serves the Token Status List of what the bitstring lists say.
func (o *office) tokenList(w http.ResponseWriter, r *http.Request) {
	tokens, err := status.NewTokens(2, o.lists[vc.PurposeRevocation].Len())
	if err != nil {
		o.t.Error(err)
		return
	}
	for _, p := range []struct {
		purpose string
		value   uint8
	}{{vc.PurposeSuspension, status.TokenSuspended}, {vc.PurposeRevocation, status.TokenInvalid}} {
		for i := int64(4700); i <= o.next; i++ {
			if set, err := o.lists[p.purpose].Get(i); err == nil && set {
				if err := tokens.Set(i, p.value); err != nil {
					o.t.Error(err)
				}
			}
		}
	}
	now := o.clock.now().Truncate(time.Second)
	l := vc.TokenList{URL: o.srv.URL + r.URL.Path, Issuer: o.did, IssuedAt: now, Expires: now.Add(7 * 24 * time.Hour), TTL: time.Hour, List: tokens}
	if o.alterTokens != nil {
		o.alterTokens(&l)
	}
	signed, err := l.SignJWT(o.key.Signer(o.kid()))
	if err != nil {
		o.t.Error(err)
	}
	w.Header().Set("Content-Type", vc.MediaTokenJWT)
	w.Write([]byte(signed))
}

// inParts is a scene whose office offers every format, with a second key.
func inParts(s scene) scene {
	s.o.configs = everyConfig
	kid := s.o.did + "#key-2"
	pub, err := vc.PublicJWK(s.o.p256.Public(), kid, keys.ES256)
	if err != nil {
		s.o.t.Fatal(err)
	}
	is := &s.o.trust.Issuers[0]
	is.Keys = append(is.Keys, vc.TrustKey{ID: kid, JWK: pub, Role: vc.RoleRegistrar, Types: []string{vc.TypeBirth, vc.TypeGuardianship}, NotBefore: is.Keys[0].NotBefore})
	return s
}

// TestAcceptParts: credentials of every format are taken, told apart by their
// form, shown with it, renewed with the others and forgotten with the child.
func TestAcceptParts(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		inParts(s)
		a := s.accept(t, amina, zainab)
		if len(a.Credentials) != len(everyConfig) || len(a.NotIssued) != 0 {
			t.Fatalf("%d credentials, not issued: %v", len(a.Credentials), a.NotIssued)
		}
		count := map[string]int{}
		for i, c := range a.Credentials {
			count[c.Format]++
			if c.Type != kindOf(everyConfig[i]) || c.State != "valid" || c.Child != a.Child || c.Issuer != s.o.did {
				t.Errorf("%s: %+v", everyConfig[i], c)
			}
			if want := strings.HasSuffix(everyConfig[i], "Border"); want != (c.Profile == "border") {
				t.Errorf("%s is %s", everyConfig[i], c.Profile)
			}
			if !c.ValidFrom.Equal(s.o.clock.now().Truncate(time.Second)) || !c.ValidUntil.Equal(c.ValidFrom.Add(s.o.life)) {
				t.Errorf("%s: from %v until %v", everyConfig[i], c.ValidFrom, c.ValidUntil)
			}
			one, err := s.Credential(t.Context(), amina, c.ID)
			if err != nil || !contains(one.Subject, zainab.ref) || one.JWT == "" {
				t.Errorf("%s: %v", everyConfig[i], err)
			}
		}
		if count["vc+jwt"] != 4 || count["dc+sd-jwt"] != 2 || count["ldp_vc"] != 2 {
			t.Errorf("formats %v", count)
		}
		// A border post gets what is made for it.
		p, err := s.Present(t.Context(), amina, Request{Child: a.Child})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.Presentation, "~") || len(p.KP1) > 3000 {
			t.Error("another credential than the border's was shown")
		}
		for i, c := range a.Credentials {
			_, err := s.Present(t.Context(), amina, Request{Child: a.Child, Credentials: []string{c.ID, a.Credentials[1].ID}})
			if i >= len(allConfigs) && err == nil {
				t.Errorf("%s was shown to a border post", everyConfig[i])
			}
		}

		s.o.clock.add(320 * 24 * time.Hour)
		for _, d := range s.o.offers {
			d.issued = nil
		}
		if r, err := s.Renew(t.Context(), amina); err != nil || r.Renewed != len(everyConfig) || r.Failed != 0 || r.Checked != len(everyConfig) {
			t.Errorf("renewal: %+v, %v", r, err)
		}
		if n := count2(t, s); n != len(everyConfig) {
			t.Errorf("%d rows after the renewal", n)
		}
		all, err := s.Credentials(t.Context(), amina)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.ValidFrom.Before(s.o.clock.now().Add(-time.Hour)) {
				t.Errorf("%s %s was not renewed", c.Format, c.Type)
			}
			if err := s.DeleteCredential(t.Context(), amina, c.ID); err != nil {
				t.Error(err)
			}
		}
		mustHoldNothing(t, s.db)
	})
}

func count2(t *testing.T, s scene) int { return count(t, s.db, "credentials") }

// TestAcceptPartsAlone: whoever wants nothing but what is shown in parts gets
// that, and cannot cross a border with it.
func TestAcceptPartsAlone(t *testing.T) {
	for _, configs := range [][]string{partConfigs[:2], partConfigs[2:], {partConfigs[0], partConfigs[3]}} {
		s := inParts(lite(t))
		s.o.configs = configs
		a := s.accept(t, amina, zainab)
		if len(a.Credentials) != 2 {
			t.Errorf("%v: %d credentials", configs, len(a.Credentials))
		}
		_, err := s.Present(t.Context(), amina, Request{Child: a.Child})
		mustCode(t, err, "no-border-credential")
		ch, err := s.Children(t.Context(), amina)
		if err != nil || len(ch) != 1 || ch[0].Ready || ch[0].BirthDate != zainab.born || ch[0].Names[0] != "Zainab Okonkwo" {
			t.Errorf("%v %+v", err, ch)
		}
	}
}

// TestAcceptWithoutSelectiveKey: where the trust list has no key for an ldp_vc,
// none is asked for, and the family gets the rest.
func TestAcceptWithoutSelectiveKey(t *testing.T) {
	for name, change := range map[string]func(*office, *vc.TrustIssuer){
		"not there":     func(_ *office, is *vc.TrustIssuer) { is.Keys = is.Keys[:1] },
		"not yet valid": func(o *office, is *vc.TrustIssuer) { is.Keys[1].NotBefore = o.clock.now().Add(time.Hour) },
		"over":          func(o *office, is *vc.TrustIssuer) { is.Keys[1].NotAfter = o.clock.now() },
		"not believed":  func(o *office, is *vc.TrustIssuer) { is.Keys[1].CutOff = o.clock.now() },
		"for others":    func(_ *office, is *vc.TrustIssuer) { is.Keys[1].Types = []string{vc.TypeStatusList} },
	} {
		s := inParts(lite(t))
		s.o.set(func() { change(s.o, &s.o.trust.Issuers[0]) })
		a := s.accept(t, amina, zainab)
		if len(a.Credentials) != 6 || len(a.NotIssued) != 0 || s.o.count("/credential") != 6 {
			t.Errorf("%s: %d credentials, %d requests, not issued: %v", name, len(a.Credentials), s.o.count("/credential"), a.NotIssued)
		}
		if _, err := s.Present(t.Context(), amina, Request{Child: a.Child}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPartsByForm: the label of a configuration does not decide what a
// credential is taken for.
func TestPartsByForm(t *testing.T) {
	s := lite(t)
	s.o.configs = []string{"GuardianshipCredential", "BirthCredential"}
	var deal *deal
	s.o.resign = func(config, jwt string) string {
		for _, d := range s.o.offers {
			deal = d
		}
		s.o.resign = nil
		return s.o.issue(deal, config+"SdJwt")
	}
	a := s.accept(t, amina, zainab)
	if a.Credentials[0].Format != "dc+sd-jwt" || a.Credentials[1].Format != "vc+jwt" {
		t.Errorf("%+v", a.Credentials)
	}
}

// TestAcceptRefusesParts: one credential that breaks a rule refuses the whole
// set, and nothing is stored.
func TestAcceptRefusesParts(t *testing.T) {
	stranger, err := keys.New("x", keys.UseCredentials, keys.EdDSA, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.New("x", keys.UseSelective, keys.ES256, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	const birthJWT, guardJWT, birthLDP, guardLDP = "BirthCredentialSdJwt", "GuardianshipCredentialSdJwt", "BirthCredentialSD", "GuardianshipCredentialSD"
	text := func(config string, change func(*office, string) string) func(*office) {
		return func(o *office) {
			o.resign = func(c, text string) string {
				if c == config {
					return change(o, text)
				}
				return text
			}
		}
	}
	claims := func(config string, change func(*office, jsonObject)) func(*office) {
		return func(o *office) {
			o.alterClaims = func(c string, d jsonObject, _ *[]string) {
				if c == config {
					change(o, d)
				}
			}
		}
	}
	hide := func(config string, change func([]string) []string) func(*office) {
		return func(o *office) {
			o.alterClaims = func(c string, _ jsonObject, hide *[]string) {
				if c == config {
					*hide = change(*hide)
				}
			}
		}
	}
	doc := func(config string, change func(jsonObject)) func(*office) {
		return func(o *office) {
			o.alter = func(c string, d jsonObject) {
				if c == config {
					change(d)
				}
			}
		}
	}
	base := func(config string, change func(*office, *vc.ProofOptions)) func(*office) {
		return func(o *office) {
			o.alterBase = func(c string, p *vc.ProofOptions) {
				if c == config {
					change(o, p)
				}
			}
		}
	}
	resigned := func(kid, typ string, key *keys.Key) func(*office) {
		return text(birthJWT, func(o *office, text string) string {
			jwt, rest, _ := strings.Cut(text, "~")
			s, err := vc.SplitJOSE(jwt)
			if err != nil {
				t.Error(err)
				return text
			}
			k := key
			if k == nil {
				k = o.key
			}
			out, err := vc.SignJOSE(k.Signer(strings.ReplaceAll(kid, "OFFICE", o.did)), typ, "", s.PayloadUnverified())
			if err != nil {
				t.Error(err)
			}
			return out + "~" + rest
		})
	}
	drop := func(name string) func(*office) {
		return text(birthJWT, func(_ *office, text string) string {
			return strings.Join(slices.DeleteFunc(strings.Split(text, "~"), func(part string) bool {
				raw, err := base64.RawURLEncoding.DecodeString(part)
				return err == nil && strings.Contains(string(raw), `,"`+name+`",`)
			}), "~")
		})
	}
	proof := func(config string, change func(jsonObject)) func(*office) {
		return text(config, func(_ *office, text string) string {
			var d jsonObject
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				t.Error(err)
			}
			change(d)
			out, err := json.Marshal(d)
			if err != nil {
				t.Error(err)
			}
			return string(out)
		})
	}
	status1 := func(change func(*office, jsonObject)) func(*office) {
		return claims(birthJWT, func(o *office, d jsonObject) { change(o, d["status"].(jsonObject)["status_list"].(jsonObject)) })
	}
	for _, c := range []struct {
		name string
		do   func(*office)
		rule string
	}{
		// SD-JWT VC
		{"claims changed", text(birthJWT, func(_ *office, s string) string {
			parts := strings.SplitN(s, ".", 3)
			parts[1] = "A" + parts[1][1:]
			return strings.Join(parts, ".")
		}), "signature that does not hold"},
		{"signed by a stranger under our kid", resigned("OFFICE#key-1", vc.TypSDJWTVC, stranger), "signature that does not hold"},
		{"signed by an unlisted key", resigned("OFFICE#key-9", vc.TypSDJWTVC, stranger), "not on the trust list"},
		{"signed by a key of another DID", resigned("did:web:other.test#key-1", vc.TypSDJWTVC, nil), "not on the trust list"},
		{"typ of another SD-JWT", resigned("OFFICE#key-1", vc.TypCredentialSD, nil), "signature that does not hold"},
		{"typ of a credential", resigned("OFFICE#key-1", vc.TypCredential, nil), "signature that does not hold"},
		{"key not believed any more", func(o *office) { o.trust.Issuers[0].Keys[0].CutOff = o.clock.now() }, "not believed any more"},
		{"key may not sign births", func(o *office) {
			o.configs = partConfigs[:2]
			o.trust.Issuers[0].Keys[0].Types = []string{vc.TypeGuardianship}
		}, "may not sign"},
		{"signed before the key was valid", claims(birthJWT, func(o *office, d jsonObject) { d["nbf"] = o.clock.now().Add(-48 * time.Hour).Unix() }), "may not sign"},
		{"a birth date kept back", drop("birthDate"), "everything that it can show"},
		{"parents kept back", drop("parentage"), "does not hold"},
		{"the child's reference kept back", drop("childRef"), "everything that it can show"},
		{"an age kept back", drop("18"), "everything that it can show"},
		{"a disclosure of a stranger", text(birthJWT, func(_ *office, s string) string { return s + "WyJzYWx0IiwicmVsaWdpb24iLCJ4Il0~" }), "signature that does not hold"},
		{"with a key binding", text(birthJWT, func(_ *office, s string) string { return s + "a.b.c" }), "signature that does not hold"},
		{"a claim that cannot be hidden", hide(birthJWT, func(h []string) []string {
			return slices.DeleteFunc(h, func(p string) bool { return p == "/birthDate" })
		}), "everything that it can show"},
		{"powers that can be hidden", hide(guardJWT, func(h []string) []string { return append(h, "/powers") }), "signature that does not hold"},
		{"constraints that can be hidden", hide(guardJWT, func(h []string) []string { return append(h, "/constraints") }), "signature that does not hold"},
		{"a basis that can be hidden", hide(guardJWT, func(h []string) []string { return append(h, "/legalBasis/law") }), "signature that does not hold"},
		{"a status that can be hidden", hide(birthJWT, func(h []string) []string { return append(h, "/status") }), "signature that does not hold"},
		{"for another holder", claims(birthJWT, func(o *office, d jsonObject) { d["cnf"] = cnfOf(t, stranger) }), "for another holder"},
		{"a guardian's for another holder", claims(guardJWT, func(o *office, d jsonObject) { d["cnf"] = cnfOf(t, stranger) }), "for another holder"},
		{"for no holder", claims(birthJWT, func(o *office, d jsonObject) { delete(d, "cnf") }), "that it can show|does not hold"},
		{"another issuer claim", claims(birthJWT, func(o *office, d jsonObject) { d["iss"] = "did:web:other.test" }), "signature that does not hold"},
		{"another type of claims", claims(birthJWT, func(o *office, d jsonObject) { d["vct"] = "https://evil.test/birth" }), "signature that does not hold"},
		{"a later version of the type", claims(birthJWT, func(o *office, d jsonObject) { d["vct"] = vc.VctBase + "birth/2" }), "signature that does not hold"},
		{"a guardianship where a birth was offered", text(birthJWT, func(o *office, _ string) string {
			return o.issue(dealOf(o), guardJWT)
		}), "another type"},
		{"expired", claims(birthJWT, func(o *office, d jsonObject) { d["exp"] = o.clock.now().Unix() }), "expired|does not hold"},
		{"not valid yet", claims(birthJWT, func(o *office, d jsonObject) { d["nbf"] = o.clock.now().Add(10 * time.Minute).Unix() }), "not valid yet"},
		{"no end", claims(birthJWT, func(o *office, d jsonObject) { delete(d, "exp") }), "that it can show|known shape|does not hold"},
		{"no status", claims(birthJWT, func(o *office, d jsonObject) { delete(d, "status") }), "that it can show|known shape|does not hold"},
		{"no child", claims(guardJWT, func(o *office, d jsonObject) { d["ward"] = jsonObject{} }), "does not hold"},
		{"another child", claims(birthJWT, func(o *office, d jsonObject) { d["childRef"] = tariq.ref }), "another child"},
		{"a claim too many", claims(birthJWT, func(o *office, d jsonObject) { d["religion"] = "none" }), "that it can show|does not hold"},
		{"a claim of another kind", claims(birthJWT, func(o *office, d jsonObject) { d["sex"] = "2" }), "that it can show|does not hold"},
		{"status index outside the list", status1(func(_ *office, e jsonObject) { e["idx"] = 1 << 40 }), "cannot be checked"},
		{"status list on another host", status1(func(_ *office, e jsonObject) { e["uri"] = "https://lists.test/status/token/1" }), "somewhere else"},
		{"status list at the cloud's metadata", status1(func(_ *office, e jsonObject) { e["uri"] = "http://169.254.169.254/status/token/1" }), "somewhere else"},
		{"status list above the shelf", status1(func(o *office, e jsonObject) { e["uri"] = o.srv.URL + "/status/../token" }), "somewhere else"},
		{"status list with a query", status1(func(o *office, e jsonObject) { e["uri"] = o.srv.URL + "/status/token/1?child=1" }), "somewhere else"},
		{"status list of another address", func(o *office) { o.alterTokens = func(l *vc.TokenList) { l.URL += "2" } }, "cannot be checked"},
		{"status list by another issuer", func(o *office) { o.alterTokens = func(l *vc.TokenList) { l.Issuer = "did:web:other.test" } }, "status list that does not hold"},
		{"status list that is over", func(o *office) {
			o.alterTokens = func(l *vc.TokenList) { l.IssuedAt, l.Expires = l.IssuedAt.Add(-time.Hour), l.IssuedAt }
		}, "status list that does not hold"},
		{"status list from the future", func(o *office) {
			o.alterTokens = func(l *vc.TokenList) { l.IssuedAt = l.IssuedAt.Add(time.Hour) }
		}, "status list that does not hold"},
		{"status list without an end", func(o *office) { o.alterTokens = func(l *vc.TokenList) { l.Expires = time.Time{} } }, "status list that does not hold"},
		{"revoked", func(o *office) { o.configs = partConfigs[:2]; setAll(o, vc.PurposeRevocation) }, "not usable"},
		{"suspended", func(o *office) { o.configs = partConfigs[:2]; setAll(o, vc.PurposeSuspension) }, "not usable"},
		{"a status of another kind", func(o *office) {
			o.alterTokens = func(l *vc.TokenList) {
				for i := int64(4700); i < 4800; i++ {
					if err := l.List.Set(i, 3); err != nil {
						t.Error(err)
					}
				}
			}
		}, "cannot be checked"},
		{"one credential twice", status1(func(o *office, e jsonObject) { e["idx"] = o.next - 1 }), "sent twice"},

		// ldp_vc
		{"ldp: no proof", proof(birthLDP, func(d jsonObject) { delete(d, "proof") }), "not a signed credential"},
		{"ldp: empty proof", proof(birthLDP, func(d jsonObject) { d["proof"] = []any{} }), "not a signed credential"},
		{"ldp: two proofs", proof(birthLDP, func(d jsonObject) { d["proof"] = []any{d["proof"], d["proof"]} }), "not a signed credential"},
		{"ldp: claim changed", proof(birthLDP, func(d jsonObject) { d["credentialSubject"].(jsonObject)["sex"] = 1 }), "signature that does not hold"},
		{"ldp: claim added", proof(birthLDP, func(d jsonObject) { d["credentialSubject"].(jsonObject)["timeOfBirth"] = "08:15" }), "signature that does not hold"},
		{"ldp: undefined term added", proof(birthLDP, func(d jsonObject) { d["credentialSubject"].(jsonObject)["religion"] = "none" }), "signature that does not hold"},
		{"ldp: claim removed", proof(birthLDP, func(d jsonObject) { delete(d["credentialSubject"].(jsonObject), "sex") }), "signature that does not hold"},
		{"ldp: validity changed", proof(birthLDP, func(d jsonObject) { d["validUntil"] = "2030-01-01T00:00:00Z" }), "signature that does not hold"},
		{"ldp: proof of another time", proof(birthLDP, func(d jsonObject) { d["proof"].(jsonObject)["created"] = "2026-11-20T09:00:00Z" }), "signature that does not hold"},
		{"ldp: proof value cut", proof(birthLDP, func(d jsonObject) {
			p := d["proof"].(jsonObject)
			p["proofValue"] = p["proofValue"].(string)[:200]
		}), "signature that does not hold"},
		{"ldp: a derived credential", text(birthLDP, func(_ *office, s string) string {
			d, err := vc.Derive([]byte(s), []string{"/credentialSubject"})
			if err != nil {
				t.Error(err)
			}
			return string(d)
		}), "signature that does not hold"},
		{"ldp: by a stranger under our id", base(birthLDP, func(o *office, p *vc.ProofOptions) { p.Signer = other.Signer(o.did + "#key-2") }), "signature that does not hold"},
		{"ldp: by an unlisted key", base(birthLDP, func(o *office, p *vc.ProofOptions) { p.Signer = other.Signer(o.did + "#key-9") }), "not on the trust list"},
		{"ldp: by a key of another DID", base(birthLDP, func(o *office, p *vc.ProofOptions) { p.Signer = other.Signer("did:web:other.test#key-2") }), "not on the trust list"},
		{"ldp: under the id of the Ed25519 key", base(birthLDP, func(o *office, p *vc.ProofOptions) { p.Signer = other.Signer(o.did + "#key-1") }), "signature that does not hold"},
		{"ldp: by another suite", text(birthLDP, func(o *office, s string) string {
			doc, err := withoutProof([]byte(s))
			if err != nil {
				t.Error(err)
			}
			out, err := vc.AddProof(doc, vc.ProofOptions{Suite: vc.SuiteEdDSARDFC, Signer: o.key.Signer(o.kid()), Purpose: vc.PurposeAssertion, Created: o.clock.now()})
			if err != nil {
				t.Error(err)
			}
			return string(out)
		}), "signature that does not hold"},
		{"ldp: a proof for authentication", base(birthLDP, func(_ *office, p *vc.ProofOptions) { p.Purpose = vc.PurposeAuthentication }), "not made for a credential"},
		{"ldp: a proof that ends", base(birthLDP, func(_ *office, p *vc.ProofOptions) { p.Expires = p.Created.Add(time.Hour) }), "not made for a credential"},
		{"ldp: key not believed any more", func(o *office) {
			// Its successor is on the list, and was not used.
			is := &o.trust.Issuers[0]
			next := is.Keys[1]
			next.ID = o.did + "#key-3"
			is.Keys[1].CutOff = o.clock.now()
			is.Keys = append(is.Keys, next)
		}, "not believed any more"},
		{"ldp: key may not sign births", func(o *office) { o.trust.Issuers[0].Keys[1].Types = []string{vc.TypeGuardianship} }, "may not sign"},
		{"ldp: key not valid then", doc(birthLDP, func(d jsonObject) { d["validFrom"] = "2026-11-01T00:00:00Z" }), "may not sign"},
		{"ldp: powers that can be hidden", base(guardLDP, without("/credentialSubject/powers")), "without what everybody must see"},
		{"ldp: constraints that can be hidden", base(guardLDP, without("/credentialSubject/constraints")), "without what everybody must see"},
		{"ldp: a status that can be hidden", base(birthLDP, without("/credentialStatus")), "without what everybody must see"},
		{"ldp: an end that can be hidden", base(birthLDP, without("/validUntil")), "without what everybody must see"},
		{"ldp: a circumstance that is always shown", base(birthLDP, with("/credentialSubject/circumstance")), "cannot be shown in parts"},
		{"ldp: a birth date that is always shown", base(birthLDP, with("/credentialSubject/birthDate")), "cannot be shown in parts"},
		{"ldp: one name that is always shown", base(birthLDP, with("/credentialSubject/names/0")), "cannot be shown in parts"},
		{"ldp: everything always shown", base(birthLDP, with("/credentialSubject")), "cannot be shown in parts"},
		{"ldp: another issuer", doc(birthLDP, func(d jsonObject) { d["issuer"] = "did:web:other.test" }), "another issuer"},
		{"ldp: another type", doc(birthLDP, func(d jsonObject) { d["type"] = []string{vc.TypeCredential, vc.TypeGuardianship} }), "known shape|another type|does not hold|in parts|must see"},
		{"ldp: for another holder", doc(guardLDP, func(d jsonObject) { subject(d)["id"] = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK" }), "another holder"},
		{"ldp: another child", doc(birthLDP, func(d jsonObject) { subject(d)["childRef"] = tariq.ref }), "another child"},
		{"ldp: not in its schema", doc(birthLDP, func(d jsonObject) { delete(subject(d), "sex") }), "does not follow its schema"},
		{"ldp: border profile", doc(birthLDP, func(d jsonObject) {
			d["credentialSchema"] = jsonObject{"id": vc.SchemaBirthBorder, "type": "JsonSchema"}
		}), "not shown in parts"},
		{"ldp: expired", doc(birthLDP, func(d jsonObject) {
			d["validFrom"], d["validUntil"] = "2026-11-19T10:00:00Z", "2026-11-20T09:30:00Z"
		}), "expired"},
		{"ldp: not valid yet", doc(birthLDP, func(d jsonObject) { d["validFrom"] = "2026-11-20T09:40:00Z" }), "not valid yet"},
		{"ldp: revoked", func(o *office) { o.configs = partConfigs[2:]; setAll(o, vc.PurposeRevocation) }, "not usable"},
		{"ldp: suspended", func(o *office) { o.configs = partConfigs[2:]; setAll(o, vc.PurposeSuspension) }, "not usable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := inParts(lite(t))
			if strings.HasPrefix(c.name, "ldp: key") || strings.HasPrefix(c.name, "ldp:") {
				s.o.configs = partConfigs[2:]
			} else {
				s.o.configs = partConfigs[:2]
			}
			s.o.set(func() { c.do(s.o) })
			_, err := s.Accept(t.Context(), amina, s.o.offer(zainab), pin)
			mustCode(t, err, "credential-refused")
			if !slices.ContainsFunc(strings.Split(c.rule, "|"), func(r string) bool { return strings.Contains(rules(err), r) }) {
				t.Errorf("rule %q, want %q", rules(err), c.rule)
			}
			for _, secret := range []string{"Zainab", zainab.ref, "did:", zainab.number} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the refusal holds %q", secret)
				}
			}
			mustHoldNothing(t, s.db)
		})
	}
}

func without(pointer string) func(*office, *vc.ProofOptions) {
	return func(_ *office, p *vc.ProofOptions) {
		p.MandatoryPointers = slices.DeleteFunc(slices.Clone(p.MandatoryPointers), func(s string) bool { return s == pointer })
	}
}

func with(pointer string) func(*office, *vc.ProofOptions) {
	return func(_ *office, p *vc.ProofOptions) {
		p.MandatoryPointers = append(slices.Clone(p.MandatoryPointers), pointer)
	}
}

func cnfOf(t *testing.T, k *keys.Key) jsonObject {
	raw, err := vc.PublicJWK(k.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	var jwk jsonObject
	if err := json.Unmarshal(raw, &jwk); err != nil {
		t.Fatal(err)
	}
	delete(jwk, "use")
	return jsonObject{"jwk": jwk}
}

func dealOf(o *office) *deal {
	for _, d := range o.offers {
		return d
	}
	return nil
}

// TestOutgrownAges: a birth that denies an age which the child has reached since
// is fetched anew.
func TestOutgrownAges(t *testing.T) {
	s := inParts(lite(t))
	s.o.configs = partConfigs[:2]
	c := zainab
	born := s.o.clock.now().AddDate(-13, 0, 30)
	c.born = born.Format(time.DateOnly)
	a := s.accept(t, amina, c)
	tells := func() string {
		one, err := s.Credential(t.Context(), amina, a.Credentials[1].ID)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Ages map[string]bool `json:"age_equal_or_over"`
		}
		if err := json.Unmarshal(one.Subject, &d); err != nil {
			t.Fatal(err)
		}
		return strconv.FormatBool(d.Ages["13"]) + strconv.FormatBool(d.Ages["15"])
	}
	for _, step := range []struct {
		days    int
		renewed int
		says    string
	}{{29, 0, "falsefalse"}, {1, 2, "truefalse"}, {1, 0, "truefalse"}} {
		s.o.clock.add(time.Duration(step.days) * 24 * time.Hour)
		dealOf(s.o).issued = nil
		r, err := s.Renew(t.Context(), amina)
		if err != nil || r.Renewed != step.renewed || r.Failed != 0 {
			t.Errorf("after %d days: %+v, %v", step.days, r, err)
		}
		if got := tells(); got != step.says {
			t.Errorf("13 and 15: %s, want %s", got, step.says)
		}
	}
}

// TestFormatOf tells formats by their first look.
func TestFormatOf(t *testing.T) {
	for text, want := range map[string]string{"{}": formatLDP, "{~": formatLDP, "a.b.c": formatSigned, "a.b.c~": formatSDJWT, "": formatSigned, "~": formatSDJWT} {
		if got := formatOf(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// FuzzOpen feeds an issuer's answer to everything that reads a credential: what
// no key of the trust list signed is never one.
func FuzzOpen(f *testing.F) {
	f.Add(`{"proof":{"type":"DataIntegrityProof","proofPurpose":"assertionMethod","cryptosuite":"ecdsa-sd-2023","proofValue":"u2V0A"}}`)
	f.Add("eyJhbGciOiJFZERTQSIsInR5cCI6ImRjK3NkLWp3dCIsImtpZCI6ImRpZDp3ZWI6eCNhIn0.e30.AAAA~WyJhIiwiYiIsMV0~")
	f.Add("eyJhbGciOiJFZERTQSIsInR5cCI6InZjK2p3dCIsImtpZCI6ImRpZDp3ZWI6eCNhIn0.e30.AAAA")
	f.Add("~")
	f.Add("{")
	k, err := keys.New("k", keys.UseCredentials, keys.EdDSA, time.Now(), time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	jwk, err := vc.PublicJWK(k.Public(), "did:web:x#a", keys.EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	issuer := &vc.TrustIssuer{DID: "did:web:x", Keys: []vc.TrustKey{{ID: "did:web:x#a", JWK: jwk, Types: []string{vc.TypeBirth, vc.TypeGuardianship}}}}
	f.Fuzz(func(t *testing.T, text string) {
		if o, err := open(text, received{issuer: issuer, holder: "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}, time.Now()); err == nil || o != nil {
			t.Error("opened")
		}
		if c, _, err := reread(text); (err == nil) != (c != nil) {
			t.Error("half read")
		}
		if s, err := credentialText(json.RawMessage(text)); err != nil && s != "" {
			t.Error("text with an error")
		}
	})
}
