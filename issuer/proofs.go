package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of requests for proofs.
var (
	ErrProofsRequest = fault.New(fault.Invalid, "ledger-request-invalid", "this is no request for proofs of the ledger that a wallet signed")
	ErrProofsOther   = fault.New(fault.Invalid, "ledger-request-other", "the request for proofs is not for this issuer, or is too old")
)

// maxProofs bounds the credentials of one request.
const maxProofs = 32

// proofsSkew is how far the clock of a wallet may be off.
const proofsSkew = 5 * time.Minute

// LedgerProof proves that one credential is in the ledger.
type LedgerProof struct {
	Credential string `json:"credential"` // its id, urn:uuid:…
	tlog.Receipt
}

// LedgerProofs is the answer to a wallet. Waiting are credentials of the holder that
// are not in a checkpoint yet that counts: it asks again in a while. What is
// neither there nor here is not the holder's, or not there at all.
type LedgerProofs struct {
	Proofs  []LedgerProof `json:"proofs"`
	Waiting []string      `json:"waiting"`
}

// ProofsFor gives a holder the proofs that its credentials are in the ledger.
// request is a compact JWS of vc.TypLedgerProof by the holder key, over exactly
// {"aud": our DID, "iat", "credentials": ids}. Repeating one tells nobody more than
// the first time did.
func (i *Issuer) ProofsFor(ctx context.Context, request string) (LedgerProofs, error) {
	out := LedgerProofs{Proofs: []LedgerProof{}, Waiting: []string{}}
	ids, holder, err := i.readProofsRequest(request)
	if err != nil {
		return out, err
	}
	for _, id := range ids {
		own := strings.TrimPrefix(id, "urn:uuid:")
		cs, err := i.store.copies(ctx, i.db, `WHERE id = $1 AND holder = $2`, own, holder)
		if err != nil {
			return LedgerProofs{}, err
		}
		if len(cs) == 0 {
			continue
		}
		l, err := i.Logged(ctx, own)
		switch {
		case errors.Is(err, ErrNotLogged):
			out.Waiting = append(out.Waiting, id)
		case err != nil:
			return LedgerProofs{}, err
		default:
			out.Proofs = append(out.Proofs, LedgerProof{id, tlog.Receipt{Entry: l.Entry, Salt: l.Salt, Proof: string(l.Proof)}})
		}
	}
	return out, nil
}

// readProofsRequest verifies a request and gives the ids and whose key signed it.
func (i *Issuer) readProofsRequest(compact string) (ids []string, holder string, err error) {
	if len(compact) > maxConsentJWS {
		return nil, "", ErrProofsRequest
	}
	payload, holder, err := signedByHolder(compact, vc.TypLedgerProof)
	if err != nil {
		return nil, "", ErrProofsRequest.With(err)
	}
	var r struct {
		Audience    string   `json:"aud"`
		IssuedAt    int64    `json:"iat"`
		Credentials []string `json:"credentials"`
	}
	var members map[string]json.RawMessage
	if err := vc.StrictJSON(payload, &members, 2); err != nil || len(members) != 3 || json.Unmarshal(payload, &r) != nil {
		return nil, "", ErrProofsRequest.With(err)
	}
	if len(r.Credentials) == 0 || len(r.Credentials) > maxProofs {
		return nil, "", ErrProofsRequest.WithFields(fault.Field{Path: "/credentials", Rule: "names 1 to 32 credentials"})
	}
	seen := map[string]bool{}
	for _, id := range r.Credentials {
		if !goodUUID.MatchString(id) || seen[id] {
			return nil, "", ErrProofsRequest.WithFields(fault.Field{Path: "/credentials", Rule: "is ids of credentials, urn:uuid:…, each once"})
		}
		seen[id] = true
	}
	if off := i.now().Sub(time.Unix(r.IssuedAt, 0)); r.Audience != i.did || off > proofsSkew || off < -proofsSkew {
		return nil, "", ErrProofsOther
	}
	return r.Credentials, holder, nil
}
