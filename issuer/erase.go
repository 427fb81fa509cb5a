package issuer

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Faults of erasing.
var (
	ErrEraseLiving = fault.New(fault.Conflict, "erase-living", "something of this record is still in force").
			WithHint("revoke the record first, or wait until its last credential has ended")
	ErrEraseWaits = fault.New(fault.Conflict, "erase-waits", "what happened to this record is not in the ledger yet").
			WithHint("decide again after the next publication of the status lists")
)

// actErase is the act that Approve executes for Erase.
const actErase = "erase"

// mayErase are the roles that may have a record's link to the ledger erased.
var mayErase = []string{RoleRegistrar, RoleHumanitarian}

// EraseReasons: why a record is to be unlinked from the ledger.
var EraseReasons = []string{
	"request",         // of the person, or of who speaks for the child
	"retentionEnded",  // the law says so
	"courtDecision",   // a court said so
	"recordedInError", // the record should never have been
}

func init() { acts[actErase] = act{roles: mayErase, execute: executeErase} }

// Erase proposes to delete what links the record of a credential to the ledger:
// the salts of its commitments, and which commitments were its. It happens when a
// second person accepts (Approve), and cannot be undone: the entries stay in the
// ledger, and nobody can tell any more whose they are, not even with the
// credentials and this database in hand. Logged then finds nothing.
//
// The record, its copies and their places in the status lists stay as they are
// here; how long the register keeps them is for the law on civil registration.
// A record of which something is in force is not erased.
func (i *Issuer) Erase(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	if err := c.may(mayErase...); err != nil {
		return Outcome{}, err
	}
	if err := known(reason, EraseReasons); err != nil {
		return Outcome{}, err
	}
	id := strings.TrimPrefix(credential, "urn:uuid:")
	cl, err := newClaim(c, idem, actErase, []byte(id), []byte(reason))
	if err != nil {
		return Outcome{}, err
	}
	payload, err := json.Marshal(revocation{reason})
	if err != nil {
		return Outcome{}, err
	}
	return i.store.changeStatus(ctx, found{"", id}, cl, func(r row) (step, error) {
		if err := i.mayErase(ctx, c, r); err != nil {
			return step{}, err
		}
		return step{proposal: &proposal{Kind: actErase, RecordKind: r.Kind, Record: r.ID, Payload: payload, Caller: c}}, nil
	})
}

// mayErase refuses the erasing of a record by somebody whose it is not, or before it
// is over.
func (i *Issuer) mayErase(ctx context.Context, c Caller, r row) error {
	if c.Role == RoleHumanitarian {
		if err := r.mayPropose(c); err != nil {
			return err
		}
	}
	return i.store.mayErase(ctx, i.db, r)
}

// Erasure says what erasing a record means. It holds nobody's data.
type Erasure struct {
	Kind    string `json:"recordKind"` // KindBirth or KindGuardianship
	Record  string `json:"record"`     // its identifier in this register
	Entries int    `json:"entries"`    // of the ledger, which nobody can tell any more whose they are
	Waiting int    `json:"waiting"`    // of these, not in the ledger yet: until they are it is ErrEraseWaits
	// Of one that was proposed.
	Reason   string `json:"reason,omitempty"`
	Proposer string `json:"proposer,omitempty"` // name
}

// Erasable says what Erase would mean for the record of a credential, with the same
// refusals, and changes nothing.
func (i *Issuer) Erasable(ctx context.Context, c Caller, credential string) (Erasure, error) {
	if err := c.may(mayErase...); err != nil {
		return Erasure{}, err
	}
	r, err := i.store.recordOf(ctx, i.db, strings.TrimPrefix(credential, "urn:uuid:"))
	if err != nil {
		return Erasure{}, err
	}
	if err := i.mayErase(ctx, c, r); err != nil {
		return Erasure{}, err
	}
	return i.erasure(ctx, r)
}

// Erasing says what was proposed with Erase, to the person who is to decide or to the
// one who proposed it. ErrNoSuchApproval: it is decided, or something else waits.
func (i *Issuer) Erasing(ctx context.Context, c Caller, approval string) (Erasure, error) {
	a, err := i.Approval(ctx, c, approval)
	if err != nil {
		return Erasure{}, err
	}
	var p revocation
	if a.Kind != actErase || json.Unmarshal(a.Proposal, &p) != nil {
		return Erasure{}, ErrNoSuchApproval
	}
	r, err := i.store.record(ctx, i.db, a.RecordKind, a.Record)
	if err != nil {
		return Erasure{}, err
	}
	e, err := i.erasure(ctx, r)
	e.Reason, e.Proposer = p.Reason, a.Proposer
	return e, err
}

func (i *Issuer) erasure(ctx context.Context, r row) (Erasure, error) {
	e := Erasure{Kind: r.Kind, Record: r.ID}
	var err error
	e.Entries, e.Waiting, err = i.store.linked(ctx, i.db, r)
	return e, err
}

// executeErase does what Erase proposed.
func executeErase(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	var p revocation
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		return Outcome{}, err
	}
	o, err := i.store.erase(ctx, a, d, p.Reason)
	if err == nil {
		i.db.Scrub(ctx)
	}
	return o, err
}
