package issuer

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Faults of changing a status.
var (
	ErrReason = fault.New(fault.Invalid, "reason-unknown", "the reason must be a code that this act allows").
			WithHint("free text is not taken: a reason outlives the case and must not describe a person")
	ErrHigherAuthority = fault.New(fault.Forbidden, "higher-authority", "the record was suspended by a higher authority").
				WithHint("only the role that suspended a record, or a higher one, reinstates it")
)

// actRevoke is the act that Approve executes for Revoke.
const actRevoke = "revoke"

func init() { acts[actRevoke] = act{mayRevoke, executeRevoke, false} }

// Who may change a status (domain: the roles entitled by law to do so).
var (
	mayRevoke  = []string{RoleRegistrar, RoleCourt}
	maySuspend = []string{RoleRegistrar, RoleCourt, RoleProtection}
)

// Reasons, by act. They are kept for the audit and published nowhere.
var (
	// RevokeReasons: why a record is void for good.
	RevokeReasons = []string{
		"recordedInError",  // the act should not have been entered
		"fraud",            // it was obtained by false statements
		"duplicate",        // another record is about the same child or mandate
		"courtDecision",    // a court said so
		"adoption",         // a new record takes its place
		"death",            // of the child or the guardian
		"mandateEnded",     // the guardian's mandate is over before its date
		"guardianReplaced", // somebody else is the guardian now
		"keyCompromised",   // a holder's key or paper is in wrong hands
	}
	// SuspendReasons: why a record must not be relied on for now.
	SuspendReasons = []string{
		"safety",         // the child may be in danger
		"investigation",  // facts are being looked into
		"disputed",       // another person claims otherwise
		"courtDecision",  // a court said so
		"holderLost",     // a holder's device or paper is lost or stolen
		"keyCompromised", // a holder's key is in wrong hands
	}
	// ReinstateReasons: why it may be relied on again.
	ReinstateReasons = []string{
		"resolved",         // the cause is gone
		"courtDecision",    // a court said so
		"suspendedInError", // there was no cause
	}
)

// reasonCorrected is the audit's reason of a guardianship that falls because its
// ward's birth was corrected. Nobody can give it.
const reasonCorrected = "birthCorrected"

// rank orders the roles that suspend: what one suspends, a lower one does not
// lift (a court that orders a suspension must not be overruled by an office).
func rank(role string) int {
	switch role {
	case RoleRegistrar:
		return 1
	case RoleProtection:
		return 2
	case RoleCourt:
		return 3
	}
	return 4 // who is not known is above all
}

// revocation is the payload of a proposal to revoke.
type revocation struct {
	Reason string `json:"reason"`
}

// Revoke proposes to revoke the record of a credential; it happens when a
// second registrar or court accepts (Approve). Then every copy of the record,
// of all holders and versions, is revoked in one transaction, for good.
//
// A birth takes its guardianships with it: their credentials name a child whose
// record is void, and a guardianship that outlives it could be joined to
// another birth with the same reference.
//
// A record that is revoked stays so and is told as such; a proposal that waits
// is given again.
func (i *Issuer) Revoke(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	if err := c.may(mayRevoke...); err != nil {
		return Outcome{}, err
	}
	if err := known(reason, RevokeReasons); err != nil {
		return Outcome{}, err
	}
	payload, err := json.Marshal(revocation{reason})
	if err != nil {
		return Outcome{}, err
	}
	return i.change(ctx, c, statusRequest{actRevoke, credential, reason, idem}, func(r row) (step, error) {
		if r.Status == StatusRevoked {
			return step{}, nil
		}
		return step{proposal: &proposal{Kind: actRevoke, RecordKind: r.Kind, Record: r.ID, Payload: payload, Caller: c}}, nil
	})
}

// executeRevoke does what Revoke proposed.
func executeRevoke(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	var p revocation
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		return Outcome{}, err
	}
	return i.store.revoke(ctx, a, d, p.Reason)
}

// Suspend suspends the record of a credential at once, with every copy. Nobody
// is told and no reason is published. Suspending again changes nothing, except
// that a higher role takes the suspension over.
func (i *Issuer) Suspend(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	if err := c.may(maySuspend...); err != nil {
		return Outcome{}, err
	}
	if err := known(reason, SuspendReasons); err != nil {
		return Outcome{}, err
	}
	return i.change(ctx, c, statusRequest{actSuspended, credential, reason, idem}, func(r row) (step, error) {
		switch {
		case r.Status == StatusRevoked:
			return step{}, ErrRevoked
		case r.Status == StatusSuspended && rank(c.Role) <= rank(r.SuspendedBy):
			return step{}, nil
		}
		return step{order: &order{act: actSuspended, reason: reason, by: c}}, nil
	})
}

// Reinstate lifts a suspension, if the caller's role is the one that suspended
// or a higher one: registrar, then protectionAuthority, then court. A record
// that is in force stays so.
func (i *Issuer) Reinstate(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	if err := c.may(maySuspend...); err != nil {
		return Outcome{}, err
	}
	if err := known(reason, ReinstateReasons); err != nil {
		return Outcome{}, err
	}
	return i.change(ctx, c, statusRequest{actReinstated, credential, reason, idem}, func(r row) (step, error) {
		switch {
		case r.Status == StatusRevoked:
			return step{}, ErrRevoked
		case r.Status == StatusValid:
			return step{}, nil
		case rank(c.Role) < rank(r.SuspendedBy):
			return step{}, ErrHigherAuthority
		}
		return step{order: &order{act: actReinstated, reason: reason, by: c}}, nil
	})
}

// known refuses a reason that is not on the list.
func known(reason string, list []string) error {
	if slices.Contains(list, reason) {
		return nil
	}
	return ErrReason.WithFields(fault.Field{Path: "/reason", Rule: "must be one of " + strings.Join(list, ", ")})
}

// statusRequest is what a caller asks for.
type statusRequest struct{ act, credential, reason, idem string }

// change has judge say what to do with the record of a credential as it is now,
// and does it.
func (i *Issuer) change(ctx context.Context, c Caller, q statusRequest, judge func(row) (step, error)) (Outcome, error) {
	id := strings.TrimPrefix(q.credential, "urn:uuid:")
	cl, err := newClaim(c, q.idem, q.act, []byte(id), []byte(q.reason))
	if err != nil {
		return Outcome{}, err
	}
	return i.store.changeStatus(ctx, id, cl, judge)
}
