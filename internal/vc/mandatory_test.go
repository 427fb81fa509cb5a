package vc

import (
	"crypto"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
)

// manUnsigned is a credential as an issuer reserves it.
func manUnsigned(t testing.TB, kind, schema string, subject any, edit ...func(map[string]any)) []byte {
	t.Helper()
	body, err := compactJSON(subject)
	if err != nil {
		t.Fatal(err)
	}
	c, err := compactJSON(Credential{
		Context: []string{ContextV2, ContextKinpass}, ID: "urn:uuid:0e8b5a4e-4d63-4b25-9c1f-0a6d8a3f2b11",
		Type: []string{TypeCredential, kind}, Issuer: "did:web:registry.npl.example",
		ValidFrom: sdjNow, ValidTo: sdjNow.AddDate(1, 0, 0), Subject: body,
		Status: []StatusEntry{
			{Type: "BitstringStatusListEntry", Purpose: PurposeRevocation, Index: "94567", List: "https://registry.npl.example/status/revocation/3"},
			{Type: "BitstringStatusListEntry", Purpose: PurposeSuspension, Index: "94567", List: "https://registry.npl.example/status/suspension/3"},
		},
		Schema: &Schema{ID: schema, Type: "JsonSchema"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(edit) > 0 {
		m := sdvClaims(t, string(c))
		for _, e := range edit {
			e(m)
		}
		if c, err = compactJSON(m); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func manGuardianship(t testing.TB, edit ...func(map[string]any)) []byte {
	g := sdvGuardianship()
	g.Guardian.HolderKey, g.ID = "", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
	return manUnsigned(t, TypeGuardianship, SchemaGuardianship, g, edit...)
}

func manBirth(t testing.TB, edit ...func(map[string]any)) []byte {
	return manUnsigned(t, TypeBirth, SchemaBirth, sdvBirth(), edit...)
}

func manSigner(t testing.TB) keys.Signer {
	s := sdjSigner(t, keys.ES256)
	s.KID = "did:web:registry.npl.example#selective-1"
	return s
}

// inSubject changes the subject of a credential.
func inSubject(change func(map[string]any)) func(map[string]any) {
	return func(m map[string]any) { change(m["credentialSubject"].(map[string]any)) }
}

func TestMandatoryPointers(t *testing.T) {
	envelope := []string{"/type", "/issuer", "/validFrom", "/validUntil", "/credentialStatus", "/credentialSchema"}
	of := func(list ...string) []string {
		out := slices.Clone(envelope)
		for _, at := range list {
			out = append(out, "/credentialSubject/"+at)
		}
		return out
	}
	mandate := []string{"powers", "legalBasis", "constraints", "exercise", "effective", "termination", "role", "ward/childRef", "guardian/kind"}
	without := func(at string) func(map[string]any) {
		return func(m map[string]any) {
			steps := strings.Split(at, "/")
			for _, s := range steps[:len(steps)-1] {
				m = m[s].(map[string]any)
			}
			delete(m, steps[len(steps)-1])
		}
	}
	delegates := inSubject(func(m map[string]any) { m["guardian"].(map[string]any)["delegates"] = []any{"did:key:z6MkA"} })
	noDelegates := inSubject(without("guardian/delegates"))
	for name, c := range map[string]struct {
		doc  []byte
		want []string
		err  error
	}{
		"birth":                          {manBirth(t), of(), nil},
		"a date without how exact it is": {manBirth(t, inSubject(without("birthDate/precision"))), nil, ErrHidden},
		"no date":                        {manBirth(t, inSubject(without("birthDate"))), of(), nil},
		"guardianship":                   {manGuardianship(t, noDelegates), of(mandate...), nil},
		"with delegates":                 {manGuardianship(t, delegates), of(append(slices.Clone(mandate), "guardian/delegates")...), nil},
		"no end":                         {manBirth(t, without("validUntil")), nil, ErrHidden},
		"no status":                      {manGuardianship(t, without("credentialStatus")), nil, ErrHidden},
		"no schema":                      {manGuardianship(t, without("credentialSchema")), nil, ErrHidden},
		"no constraints":                 {manGuardianship(t, inSubject(without("constraints"))), nil, ErrHidden},
		"constraints null":               {manGuardianship(t, inSubject(func(m map[string]any) { m["constraints"] = nil })), nil, ErrHidden},
		"no powers":                      {manGuardianship(t, inSubject(without("powers"))), nil, ErrHidden},
		"no basis":                       {manGuardianship(t, inSubject(without("legalBasis"))), nil, ErrHidden},
		"no exercise":                    {manGuardianship(t, inSubject(without("exercise"))), nil, ErrHidden},
		"no child":                       {manGuardianship(t, inSubject(without("ward/childRef"))), nil, ErrHidden},
		"no guardian":                    {manGuardianship(t, inSubject(without("guardian"))), nil, ErrHidden},
		"no circumstance":                {manBirth(t, inSubject(without("circumstance"))), of(), nil},
		"a list":                         {manUnsigned(t, TypeStatusList, "x", map[string]any{"a": 1}), nil, ErrCredential},
		"no issuer":                      {manBirth(t, without("issuer")), nil, ErrCredential},
		"not JSON":                       {[]byte("{"), nil, ErrCredential},
		"a member that is twice":         {[]byte(`{"issuer":"a","issuer":"b"}`), nil, ErrCredential},
		"nothing":                        {nil, nil, ErrCredential},
	} {
		got, err := MandatoryPointers(c.doc)
		if !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err := CheckShown(c.doc); !errors.Is(err, c.err) {
			t.Errorf("%s: shown: %v", name, err)
		}
	}
}

// TestDerivedShowsTheMandate: whatever a holder leaves out, the derived
// credential has the mandate as it was issued, and of the rest only what was
// asked for.
func TestDerivedShowsTheMandate(t *testing.T) {
	s := manSigner(t)
	doc := manGuardianship(t, inSubject(func(m map[string]any) { m["constraints"] = map[string]any{} }))
	for name, doc := range map[string][]byte{"no constraints": doc, "constraints": manGuardianship(t)} {
		u, err := Prepare(doc)
		if err != nil {
			t.Fatal(err)
		}
		base, err := u.SignSelective(s, sdjNow)
		if err != nil {
			t.Fatal(err)
		}
		find := func(string) (crypto.PublicKey, string, error) { return s.Public(), "did:web:registry.npl.example", nil }
		if got, err := OpenBase(base, find); err != nil || string(got) != string(doc) {
			t.Fatalf("%s: the base proof: %v", name, err)
		}
		for _, pointers := range [][]string{nil, {"/credentialSubject/guardian/birthDate"}} {
			derived, err := Derive(base, pointers)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := CheckShown(derived); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			was, is := sdvClaims(t, string(doc)), sdvClaims(t, string(derived))
			mandatory, err := MandatoryPointers(doc)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range mandatory {
				a, _ := lookup(was, at)
				b, ok := lookup(is, at)
				if !ok || !reflect.DeepEqual(a, b) {
					t.Errorf("%s: %s is %v", name, at, b)
				}
			}
			for _, secret := range []string{"names", "documents", "personRef"} {
				if strings.Contains(string(derived), `"`+secret+`"`) {
					t.Errorf("%s: %s is shown", name, secret)
				}
			}
			if shown := strings.Contains(string(derived), `"birthDate"`); shown != (pointers != nil) {
				t.Errorf("%s: birth date shown: %v", name, shown)
			}
			// A part that is cut out later breaks the proof and the rule.
			for _, at := range mandatory[len(envelopePointers):] {
				cut := sdvClaims(t, string(derived))
				steps := strings.Split(at[1:], "/")
				m := cut
				for _, step := range steps[:len(steps)-1] {
					m = m[step].(map[string]any)
				}
				delete(m, steps[len(steps)-1])
				text, err := compactJSON(cut)
				if err != nil {
					t.Fatal(err)
				}
				if at != "/credentialSubject/guardian/delegates" && !errors.Is(CheckShown(text), ErrHidden) {
					t.Errorf("%s: %s can be missing", name, at)
				}
				if _, _, err := VerifyProofs(text, ProofPolicy{Keys: find, Purpose: PurposeAssertion, Now: sdjNow}); err == nil {
					t.Errorf("%s: verifies without %s", name, at)
				}
			}
		}
	}
}

// TestLeastOfABirth: of a birth all of the subject can be kept back, of a
// guardianship nothing of the mandate.
func TestLeastOfABirth(t *testing.T) {
	s := manSigner(t)
	u, err := Prepare(manBirth(t))
	if err != nil {
		t.Fatal(err)
	}
	base, err := u.SignSelective(s, sdjNow)
	if err != nil {
		t.Fatal(err)
	}
	least, err := Derive(base, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := sdvClaims(t, string(least)); m["credentialSubject"] != nil {
		t.Errorf("shown: %v", m["credentialSubject"])
	}
	if err := CheckShown(least); err != nil {
		t.Error(err)
	}
	policy := Policy{
		Keys:   func(string) (crypto.PublicKey, string, error) { return s.Public(), "did:web:registry.npl.example", nil },
		Trusts: func(*Verified) error { return nil }, Status: func(*Verified) error { return nil }, Now: sdjNow.Add(time.Hour),
	}
	if v, err := VerifyCredential(least, policy); err == nil || v != nil {
		t.Error("a credential about nobody verifies")
	}
	none := manGuardianship(t, func(m map[string]any) { delete(m, "credentialSubject") })
	if err := CheckShown(none); !errors.Is(err, ErrHidden) {
		t.Errorf("a guardianship without a subject: %v", err)
	}
	for _, bad := range []string{"", " ", "{", "[]", "null", `"x"`, "{}"} {
		if err := CheckShown([]byte(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestSignSelectiveOnce(t *testing.T) {
	ed, p256 := sdjSigner(t, keys.EdDSA), manSigner(t)
	u, err := Prepare(manBirth(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.SignSelective(p256, sdjNow); err != nil {
		t.Fatal(err)
	}
	if out, err := u.SignSelective(p256, sdjNow); !errors.Is(err, ErrSignedAlready) || out != nil {
		t.Errorf("a second time: %v", err)
	}
	if _, err := u.Sign(ed); !errors.Is(err, ErrSignedAlready) {
		t.Errorf("as a JWT besides: %v", err)
	}
	if u, err = Prepare(manBirth(t)); err != nil {
		t.Fatal(err)
	}
	if out, err := u.SignSelective(ed, sdjNow); err == nil || out != nil {
		t.Error("signed with Ed25519")
	}
	if u, err = Prepare(manBirth(t)); err != nil {
		t.Fatal(err)
	}
	if out, err := u.SignSelective(p256, time.Time{}); !errors.Is(err, ErrProofOptions) || out != nil {
		t.Errorf("signed at no time: %v", err)
	}
}

func TestReopenSDJWTVC(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.EdDSA), sdjSigner(t, keys.EdDSA)
	claims, hide, err := GuardianshipSDJWTVC(sdvGuardianship(), sdvMeta(holder.Public()))
	if err != nil {
		t.Fatal(err)
	}
	u, err := PrepareSDJWTVC(claims, hide)
	if err != nil {
		t.Fatal(err)
	}
	stored := u.Bytes()
	again, err := ReopenSDJWTVC(stored)
	if err != nil {
		t.Fatal(err)
	}
	if string(again.Bytes()) != string(stored) || again.Issuer != u.Issuer || *again.Status != *u.Status || u.Issuer == "" {
		t.Error("what was stored is not what came out")
	}
	issuer.KID = u.Issuer + "#key-1"
	text, err := again.Sign(issuer)
	if err != nil {
		t.Fatal(err)
	}
	jws, rest, _ := strings.Cut(text, "~")
	_, disclosures, _ := strings.Cut(string(stored), "~")
	if rest != disclosures || strings.Split(jws, ".")[1] != strings.Split(string(stored), "~")[0] {
		t.Error("the stored bytes were not what was signed")
	}
	if _, err := again.Sign(issuer); !errors.Is(err, ErrSignedAlready) {
		t.Errorf("a second signature: %v", err)
	}

	parts := strings.Split(strings.TrimSuffix(string(stored), "~"), "~")
	build := func(change func(m map[string]any), rest ...string) string {
		data, err := b64.DecodeString(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		m := sdvClaims(t, string(data))
		if change != nil {
			change(m)
		}
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(append([]string{b64.EncodeToString(out)}, rest...), "~") + "~"
	}
	other, _, err := BirthSDJWTVC(sdvBirth(), sdvMeta(holder.Public()))
	if err != nil {
		t.Fatal(err)
	}
	// The mandate hidden: a payload that the type does not allow.
	payload, hidden, err := MakeSDJWT(claims, append(slices.Clone(hide), "/powers"), SDOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"nothing":               "",
		"not ended":             strings.TrimSuffix(string(stored), "~"),
		"a key binding":         string(stored) + "x",
		"no payload":            "~" + strings.Join(parts[1:], "~") + "~",
		"a disclosure twice":    string(stored) + parts[1] + "~",
		"a disclosure empty":    string(stored) + "~",
		"no constraints":        build(func(m map[string]any) { delete(m, "constraints") }, parts[1:]...),
		"no holder":             build(func(m map[string]any) { delete(m, "cnf") }, parts[1:]...),
		"no status":             build(func(m map[string]any) { delete(m, "status") }, parts[1:]...),
		"another type":          build(func(m map[string]any) { m["vct"] = "https://other.example/type" }, parts[1:]...),
		"a role that is none":   build(func(m map[string]any) { m["role"] = "owner" }, parts[1:]...),
		"a claim more":          build(func(m map[string]any) { m["note"] = "x" }, parts[1:]...),
		"nothing can be hidden": strings.Join([]string{b64.EncodeToString(other)}, "~") + "~",
		"the powers hidden":     strings.Join(append([]string{b64.EncodeToString(payload)}, hidden...), "~") + "~",
		"standard base64":       strings.ReplaceAll(string(stored), parts[0], parts[0]+"="),
		"too large":             strings.Repeat("A", maxSDJWT+1),
	} {
		if u, err := ReopenSDJWTVC([]byte(bad)); err == nil || u != nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// TestVerifierRefusesHiddenMandateInDerived: an issuer that left the mandate
// out of its mandatory pointers signs nothing that a verifier here believes.
func TestVerifierRefusesHiddenMandateInDerived(t *testing.T) {
	s := manSigner(t)
	doc := manGuardianship(t)
	all, err := MandatoryPointers(doc)
	if err != nil {
		t.Fatal(err)
	}
	policy := Policy{
		Keys:   func(string) (crypto.PublicKey, string, error) { return s.Public(), "did:web:registry.npl.example", nil },
		Trusts: func(*Verified) error { return nil }, Status: func(*Verified) error { return nil }, Now: sdjNow.Add(time.Hour),
	}
	derived := func(pointers []string) []byte {
		base, err := AddProof(doc, ProofOptions{Suite: SuiteSD, Signer: s, Purpose: PurposeAssertion, Created: sdjNow, MandatoryPointers: pointers})
		if err != nil {
			t.Fatal(err)
		}
		out, err := Derive(base, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if v, err := VerifyCredential(derived(all), policy); err != nil || v == nil {
		t.Fatalf("with all that must be shown: %v", err)
	}
	for i, at := range all {
		if at == "/type" || at == "/credentialSubject/guardian/delegates" {
			continue // shown as the type of a node on the way; may be missing
		}
		v, err := VerifyCredential(derived(slices.Delete(slices.Clone(all), i, i+1)), policy)
		if err == nil || v != nil {
			t.Errorf("verified without %s", at)
		}
		if strings.HasPrefix(at, "/credentialSubject") && !errors.Is(err, ErrHidden) {
			t.Errorf("without %s: %v", at, err)
		}
	}
}
