// Package stage plays a journey in a small world of its own, so that a policy
// can be tried before any border uses it: offices with keys on a signed trust
// list, a hub with a signed bundle, holders with telephones.
//
// Nothing here decides. Every credential, consent, list and presentation is
// signed and is judged by verifier/check alone.
package stage

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// roles are those of the offices, each with the credentials that it signs.
var roles = map[string][]string{
	vc.RoleRegistrar:    {vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList},
	vc.RoleCourt:        {vc.TypeGuardianship, vc.TypeConsent, vc.TypeStatusList},
	vc.RoleProtection:   {vc.TypeGuardianship, vc.TypeStatusList},
	vc.RoleNotary:       {vc.TypeGuardianship, vc.TypeConsent},
	vc.RoleConsulate:    {vc.TypeConsent},
	vc.RoleWitness:      {vc.TypeConsent},
	vc.RoleHumanitarian: {vc.TypeGuardianship},
}

// Stage is one world. It plays one journey at a time.
type Stage struct {
	anchor, hub keys.Signer
	office      map[string]keys.Signer // by role
	holder      map[string]keys.Signer // by name, made when first asked for
	list        vc.TrustList
	trust       string   // the same, signed
	lists       []string // the signed status lists
	bundles     map[string]*bundle
	serial      int

	// Twist, if there is one, changes what is signed: of kind trust, list,
	// bundle, credential or presentation. So a test sees what a check says of
	// papers that no office issues.
	Twist func(kind string, doc []byte) []byte
}

// bundle is a border bundle with its signed bytes.
type bundle struct {
	*check.Bundle
	data []byte
}

// built is when the bundle was made, now when journeys are checked.
var (
	now   = policy.CaseDay.Time().Add(10 * time.Hour)
	built = now.Add(-time.Hour)
)

// New makes a world with new keys.
func New() (*Stage, error) { return NewTwisted(nil) }

// NewTwisted makes a world in which twist has changed the trust list and the
// status lists; see Stage.Twist.
func NewTwisted(twist func(kind string, doc []byte) []byte) (*Stage, error) {
	s := &Stage{office: map[string]keys.Signer{}, holder: map[string]keys.Signer{}, bundles: map[string]*bundle{}, Twist: twist}
	var err error
	if s.anchor, err = newKey(""); err != nil {
		return nil, err
	}
	if s.hub, err = newKey(""); err != nil {
		return nil, err
	}
	hub, err := trusted(s.hub, vc.RoleHub, nil)
	if err != nil {
		return nil, err
	}
	trust := vc.TrustList{ID: "stage", Sequence: 1, IssuedAt: built, Next: now.AddDate(0, 1, 0), Hubs: []vc.TrustKey{hub}}
	for _, role := range []string{vc.RoleRegistrar, vc.RoleCourt, vc.RoleProtection, vc.RoleNotary, vc.RoleConsulate, vc.RoleWitness, vc.RoleHumanitarian} {
		if s.office[role], err = newKey(office(role) + "#key-1"); err != nil {
			return nil, err
		}
		k, err := trusted(s.office[role], role, roles[role])
		if err != nil {
			return nil, err
		}
		trust.Issuers = append(trust.Issuers, vc.TrustIssuer{DID: office(role), Name: role, Shelf: shelf(role),
			Keys: []vc.TrustKey{k}, ConsentStatus: role == vc.RoleRegistrar})
	}
	// The registrar keeps the lists of all, except the court's and the
	// protection authority's, which keep their own.
	s.list = trust
	if s.trust, err = s.Trust(); err != nil {
		return nil, err
	}
	return s, s.publish()
}

// Trust gives the trust list as the anchor signs it; Twist may change it.
func (s *Stage) Trust() (string, error) { return s.signed(s.anchor, vc.TypTrustList, "", s.list) }

func office(role string) string { return "did:web:" + strings.ToLower(role) + ".example" }

func shelf(role string) string { return "https://" + strings.ToLower(role) + ".example" }

func listAddress(role, purpose string) string { return shelf(role) + "/status/" + purpose + "/1" }

// newKey makes a key; without an identifier it is a holder's did:key.
func newKey(kid string) (keys.Signer, error) {
	k, err := keys.New("key-1", keys.UseCredentials, keys.EdDSA, now.AddDate(-3, 0, 0), time.Time{})
	if err != nil {
		return keys.Signer{}, err
	}
	if kid == "" {
		id, err := did.EncodeKey(k.Public())
		if err != nil {
			return keys.Signer{}, err
		}
		kid = did.KeyID(id)
	}
	return k.Signer(kid), nil
}

func trusted(s keys.Signer, role string, types []string) (vc.TrustKey, error) {
	jwk, err := vc.PublicJWK(s.Public(), s.KID, s.Alg)
	return vc.TrustKey{ID: s.KID, JWK: jwk, Role: role, Types: types, NotBefore: now.AddDate(-3, 0, 0)}, err
}

func (s *Stage) signed(by keys.Signer, typ, cty string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return vc.SignJWS(by, typ, cty, s.twisted(kinds[typ], b))
}

// kinds are what Twist calls what is signed, by its media type.
var kinds = map[string]string{vc.TypTrustList: "trust", vc.TypCredential: "list", vc.TypPresentation: "presentation"}

func (s *Stage) twisted(kind string, doc []byte) []byte {
	if s.Twist == nil {
		return doc
	}
	return s.Twist(kind, doc)
}

// publish signs the status lists, on which nothing is revoked.
func (s *Stage) publish() (err error) {
	s.lists, err = s.Lists(built)
	return err
}

// Lists gives the status lists as their issuers sign them at a time.
func (s *Stage) Lists(at time.Time) ([]string, error) {
	l, err := status.New(status.MinSize)
	if err != nil {
		return nil, err
	}
	encoded, err := l.Encode()
	if err != nil {
		return nil, err
	}
	var out []string
	for role := range roles {
		for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			list := listAddress(role, purpose)
			subject, err := json.Marshal(map[string]any{"id": list + "#list", "type": "BitstringStatusList", "statusPurpose": purpose, "encodedList": encoded, "ttl": 300000})
			if err != nil {
				return nil, err
			}
			jwt, err := s.signed(s.office[role], vc.TypCredential, "vc", vc.Credential{Context: []string{vc.ContextV2}, ID: list,
				Type: []string{vc.TypeCredential, vc.TypeStatusList}, Issuer: office(role), ValidFrom: at, ValidTo: at.AddDate(0, 0, 7), Subject: subject})
			if err != nil {
				return nil, err
			}
			out = append(out, jwt)
		}
	}
	return out, nil
}

// neutral is the policy of the country on the other side: it asks for nothing
// beyond what every border does, so that a case tells about its own policy.
const neutral = `{"policyId":"OTHER-SIDE","version":1,"label":"the other side of the stage","country":"%s","direction":"both",
"sources":["none: it stands for a country without rules of its own"],"appliesIf":{"ageBelow":15},
"required":[{"if":"bothParents || oneParent","need":[]},{"if":"aloneOrThirdParty","need":[{"consent":"allParents"}]}],
"substitutes":[{"parent":"undeclared"},{"parent":"unknown"},{"parent":"withheld"},{"parent":"deceased"},{"parent":"powerRemoved"}],
"consent":{"relocationDefault":true},"independentSuffices":true,"onMissing":"AMBER"}`

// bundle gives the border bundle with a policy and the neutral one beside it.
func (s *Stage) bundle(p *policy.Policy, other string) (*bundle, error) {
	name := p.ID + "/" + string(p.Raw()) + "/" + other
	if b := s.bundles[name]; b != nil {
		return b, nil
	}
	payload := check.BundlePayload{ID: "stage", Sequence: 1, CreatedAt: built, TrustList: s.trust, StatusLists: s.lists,
		Policies: []json.RawMessage{p.Raw(), json.RawMessage(fmt.Sprintf(neutral, other))}}
	if s.Twist != nil {
		b, err := json.Marshal(payload)
		if err != nil {
			return nil, err
		}
		payload = check.BundlePayload{}
		if err := json.Unmarshal(s.Twist("bundle", b), &payload); err != nil {
			return nil, err
		}
	}
	data, err := payload.Sign(s.hub)
	if err != nil {
		return nil, err
	}
	b, err := check.Open(data, vc.OneOf(s.anchor.Public()))
	if err != nil {
		return nil, err
	}
	s.bundles[name] = &bundle{b, data}
	return s.bundles[name], nil
}

// Anchor gives the world's trust anchor as vc.ParseAnchors reads it.
func (s *Stage) Anchor() ([]byte, error) {
	k, err := vc.PublicJWK(s.anchor.Public(), "", "")
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"keys": []json.RawMessage{k}})
}

// person gives the key of somebody, made when they first appear.
func (s *Stage) person(who string) (keys.Signer, error) {
	if k, ok := s.holder[who]; ok {
		return k, nil
	}
	k, err := newKey("")
	if err == nil {
		s.holder[who] = k
	}
	return k, err
}
