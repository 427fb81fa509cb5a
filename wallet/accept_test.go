package wallet

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/outbound"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

func faultCode(err error) string { return fault.As(err).Code }

func rules(err error) string {
	var out []string
	for _, f := range fault.As(err).Fields {
		out = append(out, f.Path+" "+f.Rule)
	}
	return strings.Join(out, "; ")
}

func TestAccept(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		if len(a.Credentials) != 4 || a.Child == "" {
			t.Fatalf("accepted %d credentials", len(a.Credentials))
		}
		seen := map[string]bool{}
		for _, c := range a.Credentials {
			seen[c.Type+" "+c.Profile] = true
			if c.State != "valid" || c.Child != a.Child || c.Issuer != s.o.did || c.IssuerName != "Civil register of Testland" || len(c.Summary) == 0 {
				t.Errorf("credential %+v", c)
			}
			if c.JWT != "" || c.Subject != nil {
				t.Error("a list gives the whole credential")
			}
		}
		if len(seen) != 4 {
			t.Errorf("kinds %v", seen)
		}
		kids, err := s.Children(t.Context(), amina)
		if err != nil || len(kids) != 1 {
			t.Fatalf("children %v %v", kids, err)
		}
		k := kids[0]
		if !slices.Equal(k.Names, []string{"Zainab Okonkwo", "زينب"}) || k.BirthDate != "2019-03-07" || k.Role != "mother" || !k.Ready || len(k.Credentials) != 4 || k.ID != a.Child {
			t.Errorf("child %+v", k)
		}
		one, err := s.Credential(t.Context(), amina, a.Credentials[0].ID)
		if err != nil || one.JWT == "" || !contains(one.Subject, zainab.ref) {
			t.Errorf("one credential: %v", err)
		}
		// A second child and a second guardian have ids of their own.
		b := s.accept(t, amina, tariq)
		c := s.accept(t, bilal, zainab)
		if b.Child == a.Child || c.Child == a.Child {
			t.Error("two children or guardians share an id")
		}
		if kids, _ := s.Children(t.Context(), amina); len(kids) != 2 {
			t.Errorf("%d children", len(kids))
		}
	})
}

// A second guardianship of the same child joins the child that is there.
func TestAcceptSameChildTwice(t *testing.T) {
	s := lite(t)
	a, b := s.accept(t, amina, zainab), s.accept(t, amina, zainab)
	if a.Child != b.Child || a.Credentials[0].ID == b.Credentials[0].ID {
		t.Error("the second offer for a child made another child, or replaced the first")
	}
	if n := count(t, s.db, "credentials"); n != 8 {
		t.Errorf("%d credentials", n)
	}
}

func TestAcceptByReferenceAndAsObject(t *testing.T) {
	s := lite(t)
	link := s.o.offer(zainab)
	ref := s.o.byReference(link)
	a, err := s.Accept(t.Context(), amina, ref, pin)
	if err != nil {
		t.Fatal(err)
	}
	// The reference is dead by now; the same offer still gives the same result.
	n := s.o.count("")
	again, err := s.Accept(t.Context(), amina, ref, pin)
	if err != nil || again.Child != a.Child || len(again.Credentials) != 4 || again.Credentials[0].ID != a.Credentials[0].ID {
		t.Errorf("again by reference: %v", err)
	}
	q, _ := url.Parse(link)
	object := q.Query().Get("credential_offer")
	again, err = s.Accept(t.Context(), amina, object, pin)
	if err != nil || again.Credentials[0].ID != a.Credentials[0].ID {
		t.Errorf("again as an object: %v", err)
	}
	if s.o.count("") != n {
		t.Error("an offer that is finished contacted the issuer")
	}
	_, err = s.Accept(t.Context(), bilal, ref, pin)
	mustCode(t, err, "offer-gone")
}

func tamper(part int) func(string, string) string {
	return func(config, jwt string) string {
		if config != "BirthCredential" {
			return jwt
		}
		parts := strings.Split(jwt, ".")
		b := []byte(parts[part])
		i := len(b) / 2
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		parts[part] = string(b)
		return strings.Join(parts, ".")
	}
}

// on changes the document of one configuration.
func on(config string, change func(jsonObject)) func(*office) {
	return func(o *office) {
		o.alter = func(c string, doc jsonObject) {
			if c == config {
				change(doc)
			}
		}
	}
}

func subject(doc jsonObject) jsonObject { return doc["credentialSubject"].(jsonObject) }

func TestAcceptRefusesCredentials(t *testing.T) {
	stranger, err := keys.New("x", keys.UseCredentials, keys.EdDSA, time.Unix(0, 0), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	resigned := func(kid, typ string, key *keys.Key) func(*office) {
		return func(o *office) {
			o.resign = func(config, jwt string) string {
				if config != "GuardianshipCredential" {
					return jwt
				}
				s, err := vc.SplitJWS(jwt)
				if err != nil {
					t.Error(err)
				}
				k, id := key, kid
				if k == nil {
					k = o.key
				}
				if id == "" {
					id = o.kid()
				}
				out, err := vc.SignJWS(k.Signer(strings.ReplaceAll(id, "OFFICE", o.did)), typ, "vc", s.PayloadUnverified())
				if err != nil {
					t.Error(err)
				}
				return out
			}
		}
	}
	status1 := func(change func(*office, jsonObject)) func(*office) {
		return func(o *office) {
			o.alter = func(_ string, doc jsonObject) { change(o, doc["credentialStatus"].([]jsonObject)[0]) }
		}
	}
	for _, c := range []struct {
		name string
		do   func(*office)
		rule string
	}{
		{"payload changed", func(o *office) { o.resign = tamper(1) }, "signature that does not hold"},
		{"signature changed", func(o *office) { o.resign = tamper(2) }, "signature that does not hold"},
		{"signed by a stranger under our kid", resigned("", vc.TypCredential, stranger), "signature that does not hold"},
		{"signed by an unlisted key", resigned("OFFICE#key-9", vc.TypCredential, stranger), "not on the trust list"},
		{"signed by a key of another DID", resigned("did:web:other.test#key-1", vc.TypCredential, nil), "not on the trust list"},
		{"no kid", func(o *office) {
			o.resign = func(_, jwt string) string {
				parts := strings.Split(jwt, ".")
				parts[0] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"vc+jwt"}`))
				return strings.Join(parts, ".")
			}
		}, "not on the trust list"},
		{"alg none", func(o *office) {
			o.resign = func(_, jwt string) string {
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"vc+jwt","kid":"`+o.kid()+`"}`)) + "." + strings.Split(jwt, ".")[1] + "."
			}
		}, "not a signed credential"},
		{"typ JWT", resigned("", "JWT", nil), "not a signed credential"},
		{"typ vp+jwt", resigned("", vc.TypPresentation, nil), "not a signed credential"},
		{"line end in the signature", func(o *office) { o.resign = func(_, jwt string) string { return jwt + "\n" } }, "not a signed credential"},
		{"not a JWS", func(o *office) { o.resign = func(_, _ string) string { return "x.y" } }, "not a signed credential"},
		{"an object without a proof", func(o *office) { o.resign = func(_, _ string) string { return "{}" } }, "not a signed credential"},
		{"another issuer claim", on("BirthCredential", func(d jsonObject) { d["issuer"] = "did:web:other.test" }), "names another issuer"},
		{"for another holder", on("GuardianshipCredential", func(d jsonObject) {
			subject(d)["id"] = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
		}), "for another holder"},
		{"paper: no holder", on("GuardianshipCredentialBorder", func(d jsonObject) { delete(subject(d), "id") }), "for another holder"},
		{"birth with a subject", on("BirthCredentialBorder", func(d jsonObject) { subject(d)["id"] = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK" }), "schema"},
		{"two children", on("BirthCredential", func(d jsonObject) { subject(d)["childRef"] = tariq.ref }), "another child"},
		{"guardianship of another child", on("GuardianshipCredentialBorder", func(d jsonObject) {
			subject(d)["ward"] = jsonObject{"childRef": tariq.ref}
		}), "another child"},
		{"another type than offered", on("BirthCredential", func(d jsonObject) { d["type"] = []string{vc.TypeCredential, "ClimateCredential"} }), "another type"},
		{"birth where a guardianship was offered", func(o *office) {
			o.resign = func(config, jwt string) string {
				if config == "GuardianshipCredential" {
					for _, d := range o.offers {
						return o.issue(d, "BirthCredential")
					}
				}
				return jwt
			}
		}, "another type"},
		{"three types", on("BirthCredential", func(d jsonObject) {
			d["type"] = []string{vc.TypeCredential, vc.TypeBirth, vc.TypeGuardianship}
		}), "another type"},
		{"schema of the other type", on("BirthCredential", func(d jsonObject) {
			d["credentialSchema"] = jsonObject{"id": vc.SchemaGuardianship, "type": "JsonSchema"}
		}), "another schema"},
		{"schema of a stranger", on("BirthCredential", func(d jsonObject) {
			d["credentialSchema"] = jsonObject{"id": "https://evil.test/schema.json", "type": "JsonSchema"}
		}), "another schema"},
		{"no schema", on("BirthCredential", func(d jsonObject) { delete(d, "credentialSchema") }), "another schema"},
		{"border profile where full was offered", func(o *office) {
			o.alter = func(c string, d jsonObject) {
				if c == "BirthCredential" {
					d["credentialSchema"] = jsonObject{"id": vc.SchemaBirthBorder, "type": "JsonSchema"}
				}
			}
		}, "another profile"},
		{"a claim missing", on("BirthCredentialBorder", func(d jsonObject) { delete(subject(d), "sex") }), "schema"},
		{"a claim too many", on("GuardianshipCredential", func(d jsonObject) { subject(d)["religion"] = "none" }), "schema"},
		{"a claim of another kind", on("BirthCredential", func(d jsonObject) { subject(d)["recordVersion"] = "1" }), "schema"},
		{"not valid yet", on("BirthCredential", func(d jsonObject) { d["validFrom"] = "2026-11-20T09:40:00Z" }), "not valid yet"},
		{"expired", on("BirthCredential", func(d jsonObject) {
			d["validFrom"], d["validUntil"] = "2026-11-19T10:00:00Z", "2026-11-20T09:30:00Z"
		}), "expired"},
		{"no end", on("BirthCredential", func(d jsonObject) { delete(d, "validUntil") }), "schema"},
		{"end before begin", on("BirthCredential", func(d jsonObject) { d["validUntil"] = "2020-01-01T00:00:00Z" }), "known shape"},
		{"signed before the key was valid", on("BirthCredential", func(d jsonObject) { d["validFrom"] = "2026-11-01T00:00:00Z" }), "may not sign"},
		{"key may not sign births", func(o *office) { o.trust.Issuers[0].Keys[0].Types = []string{vc.TypeGuardianship} }, "may not sign"},
		{"revoked", func(o *office) { setAll(o, vc.PurposeRevocation) }, "not usable"},
		{"suspended", func(o *office) { setAll(o, vc.PurposeSuspension) }, "not usable"},
		{"status index outside the list", status1(func(_ *office, e jsonObject) { e["statusListIndex"] = "9999999" }), "cannot be checked"},
		{"status index in another spelling", status1(func(_ *office, e jsonObject) { e["statusListIndex"] = "007" }), "schema"},
		{"both entries for one purpose", status1(func(_ *office, e jsonObject) { e["statusPurpose"] = "suspension" }), "schema"},
		{"status list on another host", status1(func(_ *office, e jsonObject) { e["statusListCredential"] = "https://lists.test/status/revocation/1" }), "somewhere else"},
		{"status list at the cloud's metadata", status1(func(_ *office, e jsonObject) { e["statusListCredential"] = "http://169.254.169.254/status/1" }), "somewhere else"},
		{"status list above the shelf", status1(func(o *office, e jsonObject) { e["statusListCredential"] = o.srv.URL + "/status/../token" }), "somewhere else"},
		{"status list with a query", status1(func(o *office, e jsonObject) { e["statusListCredential"] = o.srv.URL + "/status/revocation/1?child=1" }), "somewhere else"},
		{"status list of the other purpose", status1(func(o *office, e jsonObject) { e["statusListCredential"] = o.srv.URL + "/status/suspension/1" }), "does not hold"},
		{"status list by another issuer", func(o *office) { o.alterList = func(d jsonObject) { d["issuer"] = "did:web:other.test" } }, "does not hold"},
		{"status list that is over", func(o *office) {
			o.alterList = func(d jsonObject) { d["validFrom"], d["validUntil"] = "2026-11-20T00:00:00Z", "2026-11-20T09:00:00Z" }
		}, "does not hold"},
		{"status list from the future", func(o *office) { o.alterList = func(d jsonObject) { d["validFrom"] = "2026-11-20T10:00:00Z" } }, "does not hold"},
		{"status list that is none", func(o *office) { o.alterList = func(d jsonObject) { d["type"] = []string{vc.TypeCredential} } }, "does not hold"},
		{"status list about another address", func(o *office) { o.alterList = func(d jsonObject) { subject(d)["id"] = "https://lists.test/1" } }, "does not hold"},
		{"status list too short", func(o *office) {
			o.alterList = func(d jsonObject) { subject(d)["encodedList"] = "uH4sIAAAAAAAAA2NgAAAAAv__" }
		}, "does not hold"},
		{"only a birth", func(o *office) { o.configs = []string{"BirthCredential", "BirthCredentialBorder"} }, "a birth and a guardianship"},
		{"only a guardianship", func(o *office) { o.configs = []string{"GuardianshipCredential"} }, "a birth and a guardianship"},
		{"all denied", func(o *office) { o.denied = allConfigs }, "a birth and a guardianship"},
		{"one credential twice", func(o *office) {
			o.alter = func(_ string, d jsonObject) { d["id"] = "urn:uuid:8f14e45f-ceea-4e7a-9c3a-0b5f3c0e1a11" }
		}, "sent twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lite(t)
			s.o.set(func() { c.do(s.o) })
			_, err := s.Accept(t.Context(), amina, s.o.offer(zainab), pin)
			mustCode(t, err, "credential-refused")
			if !strings.Contains(rules(err), c.rule) {
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

func setAll(o *office, purpose string) {
	for i := int64(4700); i < 4800; i++ {
		if err := o.lists[purpose].Set(i); err != nil {
			o.t.Error(err)
		}
	}
}

// What made one credential of an offer bad can be put right, and then the same
// offer goes through.
func TestAcceptAfterRefusal(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		link := s.o.offer(zainab)
		s.o.set(func() { setAll(s.o, vc.PurposeSuspension) })
		_, err := s.Accept(t.Context(), amina, link, pin)
		mustCode(t, err, "credential-refused")
		mustHoldNothing(t, s.db)
		s.o.set(func() { s.o.lists[vc.PurposeSuspension], _ = status.New(status.MinSize) })
		if _, err := s.Accept(t.Context(), amina, link, pin); err != nil {
			t.Fatal(err)
		}
	})
}

// A PIN and a code go nowhere before the issuer was found on the trust list.
func TestAcceptUntrusted(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*office)
	}{
		{"not listed", func(o *office) { o.trust.Issuers[0].DID = "did:web:elsewhere.test" }},
		{"empty list", func(o *office) { o.trust.Issuers = nil }},
		{"key is over", func(o *office) { o.trust.Issuers[0].Keys[0].NotAfter = o.clock.now() }},
		{"key not yet valid", func(o *office) { o.trust.Issuers[0].Keys[0].NotBefore = o.clock.now().Add(time.Hour) }},
		{"key stolen", func(o *office) { o.trust.Issuers[0].Keys[0].CutOff = o.clock.now().Add(-time.Minute) }},
		{"no keys", func(o *office) { o.trust.Issuers[0].Keys = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lite(t)
			c.do(s.o)
			link := s.o.offer(zainab)
			for _, text := range []string{link, s.o.byReference(link)} {
				_, err := s.Accept(t.Context(), amina, text, pin)
				mustCode(t, err, "issuer-untrusted")
			}
			if n := s.o.count(""); n != 0 {
				t.Errorf("%d requests to an issuer that is not trusted", n)
			}
			for _, table := range []string{"guardians", "grants", "credentials"} {
				if count(t, s.db, table) != 0 {
					t.Errorf("rows in %s", table)
				}
			}
		})
	}
}

func TestAcceptWithoutTrustList(t *testing.T) {
	s := lite(t)
	s.cfg.TrustList = func(context.Context) (*vc.TrustList, error) { return nil, errors.New("offline") }
	_, err := s.Accept(t.Context(), amina, s.o.offer(zainab), pin)
	mustCode(t, err, "trust-list-missing")
	s.cfg.TrustList = func(context.Context) (*vc.TrustList, error) { return nil, nil }
	_, err = s.Accept(t.Context(), amina, s.o.offer(zainab), pin)
	mustCode(t, err, "trust-list-missing")
	if s.o.count("") != 0 {
		t.Error("the issuer was contacted")
	}
}

func TestAcceptRefusesOffers(t *testing.T) {
	s := lite(t)
	base := s.o.srv.URL
	offer := func(change func(jsonObject)) string {
		var d jsonObject
		if err := json.Unmarshal([]byte(s.o.object("code-x")), &d); err != nil {
			t.Fatal(err)
		}
		change(d)
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	issuer := func(to string) string { return offer(func(d jsonObject) { d["credential_issuer"] = to }) }
	grant := func(d jsonObject) jsonObject { return d["grants"].(jsonObject)[grantPreAuthorized].(jsonObject) }
	ref := func(to string) string {
		return "openid-credential-offer://?" + url.Values{"credential_offer_uri": {to}}.Encode()
	}
	host := strings.TrimPrefix(base, "http://")
	for name, text := range map[string]string{
		"empty":                     "",
		"space":                     "   ",
		"not a link":                "hello",
		"json array":                "[]",
		"json null":                 "null",
		"open object":               "{",
		"empty object":              "{}",
		"two objects":               "{}{}",
		"member twice":              strings.Replace(offer(func(jsonObject) {}), `"grants"`, `"credential_issuer":"https://evil.test","grants"`, 1),
		"too deep":                  strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
		"too long":                  offer(func(d jsonObject) { d["x"] = strings.Repeat("x", 20000) }),
		"not utf-8":                 "{\"credential_issuer\":\"\xff\"}",
		"https link":                base + "/offers/1",
		"other scheme":              "openid4vp://?credential_offer_uri=" + base,
		"javascript":                "javascript:alert(1)",
		"no parameter":              "openid-credential-offer://",
		"both parameters":           "openid-credential-offer://?credential_offer=%7B%7D&credential_offer_uri=" + url.QueryEscape(base),
		"parameter twice":           "openid-credential-offer://?credential_offer=%7B%7D&credential_offer=%7B%7D",
		"bad query":                 "openid-credential-offer://?credential_offer=%zz",
		"file":                      ref("file:///etc/passwd"),
		"issuer file":               issuer("file:///etc/passwd"),
		"cloud metadata":            ref("http://169.254.169.254/latest/meta-data/"),
		"issuer at cloud metadata":  issuer("http://169.254.169.254"),
		"https cloud metadata":      ref("https://169.254.169.254/x"),
		"private 10/8":              ref("https://10.0.0.1/offer"),
		"private 192.168/16":        issuer("https://192.168.1.1"),
		"private v6":                ref("https://[fd00::1]/offer"),
		"mapped v4":                 ref("https://[::ffff:10.0.0.1]/offer"),
		"unspecified":               ref("http://0.0.0.0/offer"),
		"plain http":                ref("http://issuer.test/offer"),
		"issuer plain http":         issuer("http://issuer.test"),
		"gopher":                    ref("gopher://127.0.0.1:6379/_x"),
		"ftp":                       issuer("ftp://issuer.test"),
		"user in the address":       issuer("http://user:pw@" + host),
		"user hides the host":       ref("https://issuer.test@169.254.169.254/"),
		"fragment":                  issuer(base + "#x"),
		"empty fragment":            issuer(base + "#"),
		"query in the issuer":       issuer(base + "?x=1"),
		"path in the issuer":        issuer(base + "/tenant"),
		"no host":                   issuer("https:///x"),
		"opaque":                    issuer("https:issuer.test"),
		"upper case host":           issuer("https://Issuer.test"),
		"line end in the issuer":    issuer(base + "\n"),
		"not an address":            issuer("issuer"),
		"issuer missing":            offer(func(d jsonObject) { delete(d, "credential_issuer") }),
		"no configurations":         offer(func(d jsonObject) { d["credential_configuration_ids"] = []string{} }),
		"configuration twice":       offer(func(d jsonObject) { d["credential_configuration_ids"] = []string{"A", "A"} }),
		"configuration empty":       offer(func(d jsonObject) { d["credential_configuration_ids"] = []string{""} }),
		"nine configurations":       offer(func(d jsonObject) { d["credential_configuration_ids"] = strings.Split("ABCDEFGHI", "") }),
		"configurations not texts":  offer(func(d jsonObject) { d["credential_configuration_ids"] = []int{1} }),
		"no grant":                  offer(func(d jsonObject) { d["grants"] = jsonObject{} }),
		"other grant":               offer(func(d jsonObject) { d["grants"] = jsonObject{"authorization_code": jsonObject{}} }),
		"no code":                   offer(func(d jsonObject) { delete(grant(d), "pre-authorized_code") }),
		"long code":                 offer(func(d jsonObject) { grant(d)["pre-authorized_code"] = strings.Repeat("c", 5000) }),
		"PIN to another server":     offer(func(d jsonObject) { grant(d)["authorization_server"] = "https://evil.test" }),
		"PIN of unknown kind":       offer(func(d jsonObject) { grant(d)["tx_code"] = jsonObject{"input_mode": "blood"} }),
		"PIN of negative length":    offer(func(d jsonObject) { grant(d)["tx_code"] = jsonObject{"length": -1} }),
		"PIN of a kilobyte":         offer(func(d jsonObject) { grant(d)["tx_code"] = jsonObject{"length": 1000} }),
		"PIN described by a string": offer(func(d jsonObject) { grant(d)["tx_code"] = "six" }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Accept(t.Context(), amina, text, pin)
			mustCode(t, err, "offer-invalid")
			if len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Error("the refusal repeats the offer")
			}
		})
	}
	if n := s.o.count(""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	if count(t, s.db, "guardians") != 0 {
		t.Error("a wallet was made")
	}
}

// Without AllowLoopback nothing on this machine is contacted, whatever the
// trust list says.
func TestAcceptNoLoopback(t *testing.T) {
	s := lite(t)
	s.net = newNetwork(false)
	link := s.o.offer(zainab)
	for _, text := range []string{link, s.o.byReference(link), strings.ReplaceAll(link, "127.0.0.1", "localhost")} {
		_, err := s.Accept(t.Context(), amina, text, pin)
		mustCode(t, err, "offer-invalid")
	}
	if s.o.count("") != 0 {
		t.Error("loopback was contacted")
	}
}

func TestMayDial(t *testing.T) {
	for address, want := range map[string][2]bool{ // without loopback, with
		"93.184.216.34:443":            {true, true},
		"[2606:4700::1111]:443":        {true, true},
		"127.0.0.1:80":                 {false, true},
		"127.9.9.9:80":                 {false, true},
		"[::1]:80":                     {false, true},
		"[::ffff:127.0.0.1]:80":        {false, true},
		"169.254.169.254:80":           {false, false},
		"[::ffff:169.254.169.254]:80":  {false, false},
		"10.1.2.3:443":                 {false, false},
		"172.16.0.1:443":               {false, false},
		"192.168.0.1:443":              {false, false},
		"100.64.0.1:443":               {false, false},
		"0.0.0.0:80":                   {false, false},
		"224.0.0.1:80":                 {false, false},
		"255.255.255.255:80":           {false, false},
		"198.18.0.1:80":                {false, false},
		"[fe80::1]:80":                 {false, false},
		"[fd12::1]:80":                 {false, false},
		"[64:ff9b::a9fe:a9fe]:80":      {false, false},
		"[2002:a9fe:a9fe::1]:80":       {false, false},
		"[::]:80":                      {false, false},
		"[ff02::1]:80":                 {false, false},
		"issuer.test:443":              {false, false},
		"[2001:db8::1]:443":            {false, false},
		"[fe80::1%25eth0]:443":         {false, false},
		"/var/run/docker.sock":         {false, false},
		"[64:ff9b:1::a9fe:a9fe]:443":   {false, false},
		"[0:0:0:0:0:0:a9fe:a9fe]:443":  {false, false},
		"192.0.2.1:443":                {false, false},
		"[2001:0:53aa:64c:0:0:0:1]:80": {false, false},
	} {
		for i, loopback := range []bool{false, true} {
			a, err := netip.ParseAddrPort(address)
			if got := err == nil && outbound.New(reach(loopback)).May(a.Addr()); got != want[i] {
				t.Errorf("%s, loopback %v: %v", address, loopback, got)
			}
		}
	}
}

func TestAcceptPIN(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		link := s.o.offer(zainab)
		for _, bad := range []string{"", "12345", "1234567", "12345a", "１２３４５６", "12 456", strings.Repeat("1", 65), "12345\n"} {
			_, err := s.Accept(t.Context(), amina, link, bad)
			mustCode(t, err, "pin-form")
		}
		if n := s.o.count("/token"); n != 0 {
			t.Errorf("a PIN of the wrong form was sent %d times", n)
		}
		for range 4 {
			_, err := s.Accept(t.Context(), amina, link, "000000")
			mustCode(t, err, "offer-refused")
		}
		mustHoldNothing(t, s.db)
		if n := count(t, s.db, "grants"); n != 0 {
			t.Errorf("%d grants after wrong PINs", n)
		}
		if _, err := s.Accept(t.Context(), amina, link, pin); err != nil {
			t.Fatal(err)
		}
		// Once finished, a wrong PIN is still wrong, and the issuer is not asked.
		n := s.o.count("")
		_, err := s.Accept(t.Context(), amina, link, "000000")
		mustCode(t, err, "offer-refused")
		if s.o.count("") != n {
			t.Error("the issuer was asked about a finished offer")
		}
		// Nor can another guardian have it.
		_, err = s.Accept(t.Context(), bilal, link, pin)
		mustCode(t, err, "offer-refused")
		if kids, err := s.Children(t.Context(), bilal); err != nil || len(kids) != 0 {
			t.Error("another guardian got something")
		}
	})
}

// An answer that is lost at any step costs nothing: the same offer and PIN
// again finish the work.
func TestAcceptLostAnswers(t *testing.T) {
	for _, wait := range []time.Duration{0, 20 * time.Minute} {
		for _, path := range []string{"/.well-known/openid-credential-issuer", "/token", "/nonce", "/credential", "/status/revocation/1"} {
			if path == "/token" && wait > 0 {
				continue // the code is dead, and nothing of ours came through
			}
			t.Run(path+" "+wait.String(), func(t *testing.T) {
				run := each
				if wait == 0 || path != "/credential" {
					run = func(t *testing.T, fn func(*testing.T, scene)) { fn(t, lite(t)) }
				}
				run(t, func(t *testing.T, s scene) {
					link := s.o.offer(zainab)
					s.o.set(func() { s.o.drop[path] = 2 }) // net/http retries a GET once by itself
					for range 3 {
						_, err := s.Accept(t.Context(), amina, link, pin)
						if err == nil {
							break
						}
						mustCode(t, err, "issuer-unreachable")
						mustHoldNothing(t, s.db)
						s.o.clock.add(wait)
					}
					a, err := s.Accept(t.Context(), amina, link, pin)
					if err != nil || len(a.Credentials) != 4 {
						t.Fatalf("after lost answers: %v", err)
					}
					if count(t, s.db, "credentials") != 4 || count(t, s.db, "children") != 1 {
						t.Error("something is there twice")
					}
				})
			})
		}
	}
}

// Whoever asked may be gone: what was begun is carried through.
func TestAcceptDisconnected(t *testing.T) {
	s := lite(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.o.override["/token"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		s.o.mu.Lock()
		defer s.o.mu.Unlock()
		s.o.token(w, r)
	})
	if a, err := s.Accept(ctx, amina, s.o.offer(zainab), pin); err != nil || len(a.Credentials) != 4 {
		t.Error(err)
	}
}

// An offer may ask for no PIN; then none is sent, and none is compared.
func TestAcceptNoPIN(t *testing.T) {
	s := lite(t)
	s.o.noPIN = true
	link := s.o.offer(zainab)
	ref := s.o.byReference(link)
	for i, p := range []string{"ignored", "", "another"} {
		if a, err := s.Accept(t.Context(), amina, ref, p); err != nil || len(a.Credentials) != 4 {
			t.Fatalf("%d: %v", i, err)
		}
	}
}

// An offer that was paid for with a PIN and never finished is forgotten after
// a week.
func TestOpenGrantsEnd(t *testing.T) {
	s := lite(t)
	s.o.set(func() { s.o.drop["/credential"] = 1 })
	if _, err := s.Accept(t.Context(), amina, s.o.offer(zainab), pin); err == nil {
		t.Fatal("nothing was interrupted")
	}
	s.o.clock.add(grantLife)
	s.accept(t, amina, tariq)
	if n := count(t, s.db, "grants"); n != 2 {
		t.Errorf("%d grants before the week is over", n)
	}
	s.o.clock.add(time.Hour)
	s.accept(t, amina, tariq)
	if n := count(t, s.db, "grants"); n != 2 {
		t.Errorf("%d grants after it", n)
	}
	if kids, err := s.Children(t.Context(), amina); err != nil || len(kids) != 1 {
		t.Error("a finished grant was forgotten")
	}
}

func TestAcceptTwice(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		link := s.o.offer(zainab)
		first, err := s.Accept(t.Context(), amina, link, pin)
		if err != nil {
			t.Fatal(err)
		}
		n := s.o.count("")
		again, err := s.Accept(t.Context(), amina, link, pin)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(again)
		if !bytes.Equal(a, b) {
			t.Errorf("another result:\n%s\n%s", a, b)
		}
		if s.o.count("") != n {
			t.Error("the issuer was contacted again")
		}
	})
}

func TestAcceptAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		link := s.o.offer(zainab)
		const n = 6
		got := make([]Accepted, n)
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { got[i], errs[i] = s.Accept(t.Context(), amina, link, pin) })
		}
		wg.Wait()
		for i := range n {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			if got[i].Child != got[0].Child || got[i].Credentials[0].ID != got[0].Credentials[0].ID {
				t.Error("two results of one offer")
			}
		}
		for table, want := range map[string]int{"guardians": 1, "holder_keys": 1, "grants": 1, "children": 1, "child_refs": 1, "credentials": 4} {
			if n := count(t, s.db, table); n != want {
				t.Errorf("%d rows in %s, want %d", n, table, want)
			}
		}
	})
}

// A wallet that is deleted while an offer is being redeemed stays deleted.
func TestDeleteDuringAccept(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		link := s.o.offer(zainab)
		hit := false
		s.o.set(func() {
			s.o.override["/nonce"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !hit {
					hit = true
					if err := s.Delete(context.Background(), amina); err != nil {
						t.Error(err)
					}
				}
				answerJSON(w, 200, jsonObject{"c_nonce": "n-1"})
			})
		})
		_, err := s.Accept(t.Context(), amina, link, pin)
		mustCode(t, err, "wallet-deleted")
		mustHoldNothing(t, s.db)
		for _, table := range []string{"guardians", "holder_keys", "grants"} {
			if n := count(t, s.db, table); n != 0 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
	})
}

func TestAcceptWithoutBorder(t *testing.T) {
	s := lite(t)
	s.o.denied = []string{"BirthCredentialBorder", "GuardianshipCredentialBorder"}
	a := s.accept(t, amina, zainab)
	if len(a.Credentials) != 2 || len(a.NotIssued) != 2 {
		t.Fatalf("%d credentials, not issued: %v", len(a.Credentials), a.NotIssued)
	}
	kids, err := s.Children(t.Context(), amina)
	if err != nil || len(kids) != 1 || kids[0].Ready {
		t.Error("the child seems ready for a border")
	}
	_, err = s.Present(t.Context(), amina, Request{Child: a.Child})
	mustCode(t, err, "no-border-credential")
}

// TestAcceptUnknownFormats: what an offer lists for other wallets is not asked
// for, and nobody is told that something is missing.
func TestAcceptUnknownFormats(t *testing.T) {
	s := lite(t)
	s.o.others = map[string]string{"BirthCredentialMdoc": "mso_mdoc", "GuardianshipCredentialMdoc": "mso_mdoc"}
	s.o.configs = append([]string{"BirthCredentialMdoc"}, append(slices.Clone(allConfigs), "GuardianshipCredentialMdoc")...)
	a := s.accept(t, amina, zainab)
	if len(a.Credentials) != len(allConfigs) || len(a.NotIssued) != 0 {
		t.Fatalf("%d credentials, not issued: %v", len(a.Credentials), a.NotIssued)
	}
	if n := s.o.count("/credential"); n != len(allConfigs) {
		t.Errorf("%d requests for credentials", n)
	}
	s.o.clock.add(320 * 24 * time.Hour)
	if r, err := s.Renew(t.Context(), amina); err != nil || r.Renewed != len(allConfigs) || r.Failed != 0 {
		t.Errorf("renewal: %+v, %v", r, err)
	}
}

func TestAcceptHostileIssuer(t *testing.T) {
	victim := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { victim++ }))
	defer elsewhere.Close()
	const meta, as = "/.well-known/openid-credential-issuer", "/.well-known/oauth-authorization-server"
	raw := func(contentType, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Write([]byte(body))
		})
	}
	redirect := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/stolen", http.StatusTemporaryRedirect)
	})
	huge := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"x":"`))
		chunk := bytes.Repeat([]byte("x"), 1<<16)
		for range 1024 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	zipped := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(bytes.Repeat([]byte(" "), 64<<20))
		z.Close()
	})
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Second):
		}
	})
	dripping := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 12 {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	})
	headers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("h", 1<<20))
		answerJSON(w, 200, jsonObject{})
	})
	edit := func(path, old, new string) func(*office) http.Handler {
		return func(o *office) http.Handler {
			rec := httptest.NewRecorder()
			o.serve(rec, httptest.NewRequest("GET", path, nil))
			body := strings.ReplaceAll(rec.Body.String(), strings.ReplaceAll(old, "BASE", o.srv.URL), strings.ReplaceAll(new, "BASE", o.srv.URL))
			if body == rec.Body.String() {
				t.Fatal("nothing was edited")
			}
			return raw("application/json", body)
		}
	}
	fixed := func(h http.Handler) func(*office) http.Handler { return func(*office) http.Handler { return h } }
	token := func(v jsonObject) func(*office) http.Handler {
		return fixed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerJSON(w, 200, v) }))
	}
	for _, c := range []struct {
		name, path string
		with       func(*office) http.Handler
		code       string
		noPIN      bool // the token endpoint must not be reached
	}{
		{"huge metadata", meta, fixed(huge), "issuer-answer", true},
		{"huge server metadata", as, fixed(huge), "issuer-answer", true},
		{"huge token answer", "/token", fixed(huge), "issuer-answer", false},
		{"huge credential", "/credential", fixed(huge), "issuer-answer", false},
		{"zipped metadata", meta, fixed(zipped), "issuer-answer", true},
		{"long headers", meta, fixed(headers), "issuer-unreachable", true},
		{"metadata redirects", meta, fixed(redirect), "issuer-answer", true},
		{"token endpoint redirects", "/token", fixed(redirect), "issuer-answer", false},
		{"credential endpoint redirects", "/credential", fixed(redirect), "issuer-answer", false},
		{"status list redirects", "/status/revocation/1", fixed(redirect), "issuer-answer", false},
		{"slow metadata", meta, fixed(slow), "issuer-unreachable", true},
		{"dripping metadata", meta, fixed(dripping), "issuer-unreachable", true},
		{"slow token endpoint", "/token", fixed(slow), "issuer-unreachable", false},
		{"metadata as a page", meta, fixed(raw("text/html", "<html>")), "issuer-answer", true},
		{"metadata without type", meta, fixed(raw("", "{}")), "issuer-answer", true},
		{"metadata not JSON", meta, fixed(raw("application/json", "hello")), "issuer-answer", true},
		{"metadata empty", meta, fixed(raw("application/json", "")), "issuer-answer", true},
		{"metadata too deep", meta, fixed(raw("application/json", strings.Repeat("[", 5000)+strings.Repeat("]", 5000))), "issuer-answer", true},
		{"metadata with a member twice", meta, edit(meta, `{"credential_configurations_supported"`, `{"credential_issuer":"x","credential_configurations_supported"`), "issuer-answer", true},
		{"metadata of another issuer", meta, edit(meta, `"credential_issuer":"BASE"`, `"credential_issuer":"https://other.test"`), "issuer-answer", true},
		{"credential endpoint elsewhere", meta, edit(meta, "BASE/credential", elsewhere.URL+"/credential"), "issuer-answer", true},
		{"nonce endpoint elsewhere", meta, edit(meta, "BASE/nonce", elsewhere.URL+"/nonce"), "issuer-answer", true},
		{"nonce endpoint at the cloud's metadata", meta, edit(meta, "BASE/nonce", "http://169.254.169.254/"), "issuer-answer", true},
		{"another authorization server", meta, edit(meta, `{"credential_configurations_supported"`, `{"authorization_servers":["https://evil.test"],"credential_configurations_supported"`), "issuer-answer", true},
		{"unknown format", meta, edit(meta, "jwt_vc_json", "mso_mdoc"), "issuer-answer", true},
		{"configuration not there", meta, edit(meta, `"BirthCredentialBorder":`, `"Other":`), "issuer-answer", true},
		{"no proof that we can make", meta, edit(meta, `"EdDSA",`, ``), "issuer-answer", true},
		{"token endpoint elsewhere", as, edit(as, "BASE/token", elsewhere.URL+"/token"), "issuer-answer", true},
		{"token endpoint a file", as, edit(as, "BASE/token", "file:///etc/passwd"), "issuer-answer", true},
		{"server metadata of another", as, edit(as, `"issuer":"BASE"`, `"issuer":"https://other.test"`), "issuer-answer", true},
		{"bearer token", "/token", token(jsonObject{"access_token": "t", "token_type": "Bearer"}), "issuer-answer", false},
		{"token with a line end", "/token", token(jsonObject{"access_token": "t\r\nX: y", "token_type": "DPoP"}), "issuer-answer", false},
		{"no token", "/token", token(jsonObject{"token_type": "DPoP"}), "issuer-answer", false},
		{"token as text", "/token", fixed(raw("text/plain", "t")), "issuer-answer", false},
		{"token of negative life", "/token", token(jsonObject{"access_token": "t", "token_type": "DPoP", "expires_in": -5}), "issuer-answer", false},
		{"token never good", "/token", token(jsonObject{"access_token": "t", "token_type": "DPoP", "expires_in": 60}), "issuer-answer", false},
		{"server error", "/credential", fixed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })), "issuer-unreachable", false},
		{"deferred", "/credential", fixed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 202, jsonObject{"transaction_id": "1", "interval": 5})
		})), "issuer-answer", false},
		{"no credential", "/credential", token(jsonObject{"credentials": []any{}}), "issuer-answer", false},
		{"two credentials", "/credential", token(jsonObject{"credentials": []jsonObject{{"credential": "a"}, {"credential": "b"}}}), "issuer-answer", false},
		{"credential neither text nor object", "/credential", token(jsonObject{"credentials": []jsonObject{{"credential": []string{}}}}), "issuer-answer", false},
		{"nonces never good", "/credential", fixed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 400, jsonObject{"error": "invalid_nonce"})
		})), "offer-refused", false},
		{"DPoP nonces never good", "/token", fixed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("DPoP-Nonce", "again")
			answerJSON(w, 400, jsonObject{"error": "use_dpop_nonce"})
		})), "offer-refused", false},
		{"nonce empty", "/nonce", token(jsonObject{"c_nonce": ""}), "issuer-answer", false},
		{"status list as a page", "/status/revocation/1", fixed(raw("text/html", "<html>")), "issuer-answer", false},
		{"status list huge", "/status/revocation/1", fixed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/vc+jwt")
			w.Write(bytes.Repeat([]byte("A"), maxList+2))
		})), "issuer-answer", false},
		{"status list unsigned", "/status/revocation/1", fixed(raw("application/vc+jwt", "e30.e30.AAAA")), "credential-refused", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lite(t)
			if strings.Contains(c.name, "slow") || strings.Contains(c.name, "dripping") {
				s.net.client = patient(300 * time.Millisecond)
			}
			h := c.with(s.o)
			s.o.set(func() { s.o.override[c.path] = h })
			begin := time.Now()
			_, err := s.Accept(t.Context(), amina, s.o.offer(zainab), pin)
			mustCode(t, err, c.code)
			if d := time.Since(begin); d > 8*time.Second {
				t.Errorf("took %v", d)
			}
			if c.noPIN && s.o.count("/token") != 0 {
				t.Error("the PIN was sent")
			}
			mustHoldNothing(t, s.db)
		})
	}
	if victim != 0 {
		t.Errorf("%d requests went to another host", victim)
	}
}

// The issuer may want its own nonce in DPoP proofs, and a fresh c_nonce.
func TestAcceptNonces(t *testing.T) {
	s := lite(t)
	var wanted, asked bool
	s.o.override["/token"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := vc.SplitJWS(r.Header.Get("DPoP"))
		if err != nil {
			t.Error(err)
			return
		}
		if !contains(d.PayloadUnverified(), `"nonce":"srv-1"`) {
			wanted = true
			w.Header().Set("DPoP-Nonce", "srv-1")
			answerJSON(w, 400, jsonObject{"error": "use_dpop_nonce"})
			return
		}
		s.o.mu.Lock()
		defer s.o.mu.Unlock()
		s.o.token(w, r)
	})
	s.o.override["/credential"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !asked {
			asked = true
			answerJSON(w, 400, jsonObject{"error": "invalid_nonce"})
			return
		}
		s.o.mu.Lock()
		defer s.o.mu.Unlock()
		s.o.credential(w, r)
	})
	s.accept(t, amina, zainab)
	if !wanted || !asked {
		t.Error("the detours were not taken")
	}
}

func FuzzParseOffer(f *testing.F) {
	f.Add(`openid-credential-offer://?credential_offer=%7B%22credential_issuer%22%3A%22https%3A%2F%2Fa.test%22%7D`)
	f.Add(`openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.test%2Fo`)
	f.Add(`{"credential_issuer":"https://a.test","credential_configuration_ids":["A"],"grants":{"urn:ietf:params:oauth:grant-type:pre-authorized_code":{"pre-authorized_code":"c","tx_code":{}}}}`)
	n := newNetwork(false)
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOffer(text)
		if err != nil {
			if o != nil {
				t.Fatal("a failed parse gave something")
			}
			return
		}
		if o.uri == "" && (o.Issuer == "" || o.grant().Code == "" || len(o.Configs) == 0 || len(o.Configs) > maxConfigs) {
			t.Fatal("an offer without what an offer needs")
		}
		address := o.uri
		if address == "" {
			address = o.Issuer
		}
		if u, err := n.origin(address); err == nil && (u.Scheme != "https" || u.User != nil || strings.HasPrefix(u.Host, "127.")) {
			t.Fatalf("an address that must not be called")
		}
	})
}

func FuzzStatusList(f *testing.F) {
	f.Add("e30.e30.AAAA")
	f.Add("eyJhbGciOiJFZERTQSJ9.e30.AAAA")
	issuer := &vc.TrustIssuer{DID: "did:web:a.test", Keys: []vc.TrustKey{{ID: "did:web:a.test#k", JWK: json.RawMessage(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)}}}
	f.Fuzz(func(t *testing.T, jwt string) {
		if l, err := openStatusList(jwt, "https://a.test/status/1", vc.PurposeRevocation, issuer, time.Unix(1e9, 0)); err == nil || l != nil {
			t.Fatal("a list without a signature was believed")
		}
	})
}
