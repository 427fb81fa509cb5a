package issuer

import (
	"context"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

// factKinds name the public facts that are committed to. A fact is committed to
// once, whoever finds it and how often.
var factKinds = map[tlog.Kind]string{tlog.Key: "key", tlog.TrustList: "trust", tlog.Accreditation: "accreditation"}

// LogFacts commits to what is public and new: keys of this issuer, the trust list
// on its shelf, the accreditations on it. It gives how many were new. Anybody can
// make the commitments from the published documents (trust.Facts).
func (i *Issuer) LogFacts(ctx context.Context) (int, error) {
	if _, err := i.ledgerKey(); err != nil {
		return 0, nil // nobody would ever see them
	}
	set, err := i.JWKS()
	if err != nil {
		return 0, err
	}
	list, err := i.listToLog(ctx)
	if err != nil {
		return 0, err
	}
	facts, err := trust.Facts(i.did, set.Body, list, i.now())
	if err != nil {
		return 0, err
	}
	return i.store.logFacts(ctx, facts, i.now())
}

// listToLog gives the signed trust list on the shelf, "" if there is none that
// its anchors signed: what nobody believes has no place in the ledger.
func (i *Issuer) listToLog(ctx context.Context) (string, error) {
	if i.cfg.TrustList == nil || i.cfg.Trust == nil {
		return "", nil
	}
	believed, err := i.cfg.Trust(ctx)
	if err != nil || believed == nil {
		return "", nil // the service runs without, too
	}
	b, err := i.cfg.TrustList()
	if err != nil {
		return "", nil
	}
	text := strings.TrimSpace(string(b))
	payload, err := vc.TrustListPayload(text)
	if err != nil {
		return "", nil
	}
	var l struct {
		Sequence int64     `json:"sequence"`
		IssuedAt time.Time `json:"issuedAt"`
	}
	if err := vc.DecodeChecked(payload, &l); err != nil || l.Sequence != believed.Sequence || !l.IssuedAt.Equal(believed.IssuedAt) {
		return "", nil // another list is being put there: the next time
	}
	return text, nil
}
