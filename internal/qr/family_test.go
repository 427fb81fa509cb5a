package qr

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// family makes random credentials of one child in the shapes that the issuer
// and the wallet write, with values drawn from r.
type family struct {
	t        testing.TB
	r        *rand.Rand
	unsigned bool   // the signatures are made up, where only sizes count
	host     string // as in did:web
	base     string
	list     int
	issuer   keys.Signer
	now      time.Time
	child    string
	country  string
	born     time.Time
	surname  string
}

var (
	surnames = []string{"SHARMA", "GURUNG", "THAPA", "RAI", "MAGAR", "KARKI", "BASNET", "PHIRI", "BANDA", "OKAFOR", "AL<HASSAN", "RODRIGUEZ<MARTINEZ", "NGUYEN", "KOVALENKO", "MUKAMANA", "OUEDRAOGO"}
	givens   = []string{"KAVYA", "AARAV", "SITA<MAYA", "BISHAL", "DIYA", "AISHA", "OMAR", "FATIMA<ZAHRA", "JOHN<PAUL", "OLENA", "DANYLO", "ESPERANCE", "MARIA<JOSE", "IBRAHIM", "LI", "CHISOMO"}
	lands    = []string{"NPL", "ZMB", "UKR", "RWA", "BFA", "PER", "SYR", "NGA"}
)

const (
	demoHost  = "localhost%3A8080"
	demoBase  = "http://localhost:8080"
	otherHost = "registry.nepal.example"
	otherBase = "https://registry.nepal.example"
)

func newFamily(t testing.TB, r *rand.Rand, host, base, alg string) *family {
	f := &family{t: t, r: r, host: host, base: base, list: 7 + r.IntN(40)}
	f.now = time.Date(2026, 11, 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
	k, err := keys.New("key-2026-1", keys.UseCredentials, alg, f.now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	f.issuer = k.Signer("did:web:" + host + "#" + k.Name)
	f.child = f.random(16)
	f.country = pick(r, lands)
	f.born = f.day(2010, 15*365)
	f.surname = pick(r, surnames)
	return f
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (f *family) random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.r.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func (f *family) uuid() string {
	b := make([]byte, 16)
	for i := range b {
		b[i] = byte(f.r.Uint32())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (f *family) day(year, span int) time.Time {
	return time.Date(year, 1, 1+f.r.IntN(span), 0, 0, 0, 0, time.UTC)
}

func date(t time.Time) string { return t.Format(time.DateOnly) }

func (f *family) names(script string) []vc.Name {
	return []vc.Name{{Kind: "legal", Script: script, MRZ: &vc.MRZ{Primary: f.surname, Secondary: pick(f.r, givens)}}}
}

func (f *family) document() []vc.Identifier {
	return []vc.Identifier{{Type: "passport", Value: string(rune('A'+f.r.IntN(26))) + strconv.Itoa(1000000+f.r.IntN(9000000)), Issuer: f.country}}
}

// holder makes a key of a guardian and its did:key.
func (f *family) holder(alg string) (keys.Signer, string) {
	k, err := keys.New("holder", keys.UseCredentials, alg, f.now, time.Time{})
	if err != nil {
		f.t.Fatal(err)
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	return k.Signer(did.KeyID(id)), id
}

func (f *family) credential(kind, schema string, days int, subject any) string {
	b := f.marshal(subject)
	f.now = f.now.Add(time.Duration(1+f.r.IntN(3600)) * time.Second)
	index := strconv.Itoa(f.r.IntN(1 << 20))
	c := vc.Credential{
		Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: f.uuid(), Type: []string{vc.TypeCredential, kind},
		Issuer: "did:web:" + f.host, ValidFrom: f.now, ValidTo: f.now.AddDate(0, 0, days), Subject: b,
		Status: []vc.StatusEntry{
			{Type: "BitstringStatusListEntry", Purpose: vc.PurposeRevocation, Index: index, List: fmt.Sprintf("%s/status/revocation/%d", f.base, f.list)},
			{Type: "BitstringStatusListEntry", Purpose: vc.PurposeSuspension, Index: index, List: fmt.Sprintf("%s/status/suspension/%d", f.base, f.list)},
		},
		Schema: &vc.Schema{ID: schema, Type: "JsonSchema"},
	}
	return f.sign(f.issuer, vc.TypCredential, "vc", c)
}

// marshal writes JSON as the issuer does, with "<" as it is.
func (f *family) marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		f.t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (f *family) sign(s keys.Signer, typ, cty string, v any) string {
	if f.unsigned {
		return jws(fmt.Sprintf(`{"alg":%q,"cty":%q,"kid":%q,"typ":%q}`, s.Alg, cty, s.KID, typ), string(f.marshal(v)))
	}
	out, err := vc.SignJWS(s, typ, cty, f.marshal(v))
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// birth is a border birth credential.
func (f *family) birth() string {
	b := vc.Birth{
		ChildRef: f.child, RecordVersion: 1, Circumstance: "ordinary", Names: f.names("Latn"),
		BirthDate: vc.UncertainDate{Value: date(f.born), Precision: "day"}, Sex: 1 + f.r.IntN(2),
		PlaceOfBirth: vc.Place{Country: f.country},
		Parentage:    []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "known"}},
		Registration: vc.Registration{Number: fmt.Sprintf("%s-%d-%06d", f.country, f.born.Year(), f.r.IntN(1e6)), Date: date(f.born.AddDate(0, 0, f.r.IntN(60))), Mode: "timely"},
	}
	b.TravelDocuments = f.document()
	return f.credential(vc.TypeBirth, vc.SchemaBirthBorder, 365, b)
}

// guardianship is a border guardianship of a parent; holder is empty on paper.
func (f *family) guardianship(holder string) string {
	g := vc.Guardianship{
		ID:       holder,
		Guardian: vc.Guardian{Kind: "naturalPerson", Names: f.names("Latn"), Documents: f.document()},
		Ward:     vc.Ward{ChildRef: f.child}, Role: pick(f.r, []string{"mother", "father"}),
		LegalBasis: vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: f.country},
		Powers: []string{"travelAccompany", "travelConsent", "relocate", "passportApply", "healthRoutine", "healthMajor",
			"education", "legalRepresentation", "residence", "property", "delegate", "walletManage"},
		Exercise:    vc.Exercise{Mode: "independent", CoGuardianCount: 2},
		Effective:   vc.Effective{From: date(f.born)},
		Termination: vc.Termination{MajorityAge: 18, MajorityLaw: f.country},
	}
	return f.credential(vc.TypeGuardianship, vc.SchemaGuardBorder, 365, g)
}

// consent is a travel consent witnessed by a trust-list role.
func (f *family) consent(guardianships ...string) string {
	type grantor struct {
		Guardianship string `json:"guardianshipCredential"`
		Key          string `json:"key"`
	}
	var grantors []grantor
	for _, g := range guardianships {
		_, payload, _, _ := split(g)
		var v struct {
			ID      string
			Subject struct{ ID string } `json:"credentialSubject"`
		}
		if err := json.Unmarshal(payload, &v); err != nil {
			f.t.Fatal(err)
		}
		grantors = append(grantors, grantor{v.ID, v.Subject.ID})
	}
	leave := f.now.AddDate(0, 0, f.r.IntN(30))
	type trip struct {
		DepartFrom   string   `json:"departFrom"`
		Destinations []string `json:"destinations"`
		NotBefore    string   `json:"notBefore"`
		NotAfter     string   `json:"notAfter"`
		ReturnBy     string   `json:"returnBy"`
		Crossings    int      `json:"crossings"`
		Purpose      string   `json:"purpose"`
	}
	type assurance struct {
		Level   string `json:"level"`
		Witness string `json:"witness"`
	}
	c := struct {
		ChildRef  string    `json:"childRef"`
		Grantors  []grantor `json:"grantors"`
		Mode      string    `json:"mode"`
		Trip      trip      `json:"trip"`
		Assurance assurance `json:"assurance"`
		Nonce     string    `json:"nonce"`
		GrantedOn string    `json:"grantedOn"`
	}{
		f.child, grantors, "withOneGuardian",
		trip{f.country, []string{pick(f.r, lands)}, date(leave), date(leave.AddDate(0, 0, 20)), date(leave.AddDate(0, 0, 20)), 2, pick(f.r, []string{"holiday", "family", "study"})},
		assurance{"witnessed", "did:web:" + f.host}, f.random(16), date(f.now),
	}
	return f.credential("TravelConsentCredential", vc.SchemaBase+"credential/consent/1.json", 90, c)
}

// present envelops credentials in a vp+jwt signed by the holder.
func (f *family) present(s keys.Signer, holder string, credentials ...string) string {
	p := vc.Presentation{Context: []string{vc.ContextV2}, Type: []string{vc.TypePresentation}, Holder: holder,
		Audience: vc.BorderAudience, Nonce: f.random(16), IssuedAt: f.now.Unix(), Expires: f.now.Unix() + 300}
	for _, c := range credentials {
		p.Credentials = append(p.Credentials, vc.Envelop(c))
	}
	return f.sign(s, vc.TypPresentation, "vp", p)
}

// shapes are the five contents of the size table, in its order.
var shapes = []struct {
	name string
	goal int // bytes before base45
	make func(f *family) Packet
}{
	{"birth", 235, func(f *family) Packet { return Packet{Credentials: []string{f.birth()}} }},
	{"paper", 426, func(f *family) Packet { return Packet{Credentials: []string{f.birth(), f.guardianship("")}} }},
	{"presentation", 533, func(f *family) Packet {
		s, id := f.holder(keys.EdDSA)
		return Packet{Presentation: f.present(s, id, f.birth(), f.guardianship(id))}
	}},
	{"consent", 660, func(f *family) Packet {
		s, id := f.holder(keys.EdDSA)
		g := f.guardianship(id)
		return Packet{Presentation: f.present(s, id, f.birth(), g, f.consent(g))}
	}},
	{"two-guardians-consent", 814, func(f *family) Packet {
		s, id := f.holder(keys.EdDSA)
		_, other := f.holder(keys.EdDSA)
		g, h := f.guardianship(id), f.guardianship(other)
		return Packet{Presentation: f.present(s, id, f.birth(), g, h, f.consent(h))}
	}},
}

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 9303)) }
