package trust

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrFacts: the published documents of an issuer cannot be read.
var ErrFacts = fault.New(fault.Invalid, "public-facts-unreadable", "the issuer's key set or trust list cannot be read")

// Fact is something public that the issuer's ledger commits to: a key, a trust
// list, an accreditation. Whoever has the public document finds its entry: the
// salt of the commitment is 32 zero bytes.
type Fact struct {
	Name       string // for people
	Kind       tlog.Kind
	Commitment [32]byte
}

// Events of keys.
const (
	KeyPublished = "published"
	KeyRetired   = "retired"
	KeyCutOff    = "cutOff"
)

// FactCommitment commits to the content of a public fact.
func FactCommitment(content []byte) [32]byte { return tlog.Commit([tlog.SaltSize]byte{}, content) }

// KeyFact is the content of the entry about a key: the JCS form of
// {"at","did","event","kid","publicKeyJwk"}, the key with the members kty, crv, x
// and y alone. at is the nbf of the issuer's key set for a key that was published,
// its exp for one that was retired, the trust list's cut-off for one that was
// withdrawn.
func KeyFact(issuer, kid string, jwk []byte, event string, at time.Time) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := vc.StrictJSON(jwk, &all, vc.MaxDepth); err != nil {
		return nil, ErrFacts.With(err)
	}
	key := map[string]json.RawMessage{}
	for _, member := range []string{"kty", "crv", "x", "y"} {
		if v, ok := all[member]; ok {
			key[member] = v
		}
	}
	return canonical(map[string]any{"at": second(at).Format(time.RFC3339), "did": issuer, "event": event, "kid": kid, "publicKeyJwk": key})
}

// AccreditationFact is the content of the entry about an accreditation: the JCS
// form of {"accreditation","did"}, as it stands on the list.
func AccreditationFact(issuer string, a *vc.Accreditation) ([]byte, error) {
	return canonical(map[string]any{"accreditation": a, "did": issuer})
}

func canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return vc.CanonicalJSON(b)
}

// Facts gives what the ledger of an issuer must hold, now, of the documents on its
// shelf: its key set (/.well-known/jwks.json), and the signed trust list that it
// passes on (/trust-list), which may be empty. The content of the entry about a
// list is its payload. Whose signatures the list has is not looked at.
func Facts(issuer string, jwks []byte, list string, now time.Time) ([]Fact, error) {
	var out []Fact
	add := func(name string, kind tlog.Kind, content []byte, err error) error {
		if err == nil {
			out = append(out, Fact{name, kind, FactCommitment(content)})
		}
		return err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := vc.StrictJSON(jwks, &set, vc.MaxDepth); err != nil {
		return nil, ErrFacts.With(err)
	}
	for _, raw := range set.Keys {
		var k struct {
			KID string `json:"kid"`
			NBF int64  `json:"nbf"`
			EXP int64  `json:"exp"`
		}
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, ErrFacts.With(err)
		}
		content, err := KeyFact(issuer, k.KID, raw, KeyPublished, time.Unix(k.NBF, 0))
		if err := add("key "+k.KID, tlog.Key, content, err); err != nil {
			return nil, err
		}
		if k.EXP == 0 || now.Unix() < k.EXP {
			continue
		}
		content, err = KeyFact(issuer, k.KID, raw, KeyRetired, time.Unix(k.EXP, 0))
		if err := add("key "+k.KID+", retired", tlog.Key, content, err); err != nil {
			return nil, err
		}
	}
	if list == "" {
		return out, nil
	}
	payload, err := vc.TrustListPayload(list)
	if err != nil {
		return nil, ErrFacts.With(err)
	}
	var l vc.TrustList
	if err := vc.StrictJSON(payload, &l, vc.MaxDepth); err != nil {
		return nil, ErrFacts.With(err)
	}
	if err := add("trust list "+l.IssuedAt.Format(time.RFC3339), tlog.TrustList, bytes.Clone(payload), nil); err != nil {
		return nil, err
	}
	for i := range l.Issuers {
		is := &l.Issuers[i]
		if is.Accreditation != nil {
			content, err := AccreditationFact(is.DID, is.Accreditation)
			if err := add("accreditation of "+is.DID, tlog.Accreditation, content, err); err != nil {
				return nil, err
			}
		}
		if is.DID != issuer {
			continue
		}
		for _, k := range is.Keys {
			if k.CutOff.IsZero() {
				continue
			}
			content, err := KeyFact(issuer, k.ID, k.JWK, KeyCutOff, k.CutOff)
			if err := add("key "+k.ID+", withdrawn", tlog.Key, content, err); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
