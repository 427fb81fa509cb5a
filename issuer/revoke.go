package issuer

import (
	"context"
	"database/sql"
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

func init() { acts[actRevoke] = act{mayRevoke, executeRevoke, nil} }

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
func (i *Issuer) Revoke(ctx context.Context, c Caller, credential, reason, idem string) (o Outcome, err error) {
	if err := c.may(mayRevoke...); err != nil {
		return Outcome{}, err
	}
	if err := known(reason, RevokeReasons); err != nil {
		return Outcome{}, err
	}
	return i.change(ctx, c, statusRequest{actRevoke, credential, reason, idem}, func(tx *sql.Tx, r row) (Outcome, error) {
		if r.Status == StatusRevoked {
			return i.standing(ctx, tx, r)
		}
		waiting, err := i.store.approvals(ctx, tx, `WHERE record = $2 AND kind = $3 AND state = 'pending'`, r.ID, actRevoke)
		if err != nil {
			return Outcome{}, err
		}
		if len(waiting) > 0 {
			return Outcome{ID: r.ID, State: StatePending, Approval: waiting[0].ID, RecordVersion: r.Version}, nil
		}
		payload, err := json.Marshal(revocation{reason})
		if err != nil {
			return Outcome{}, err
		}
		id, err := i.propose(ctx, tx, proposal{Kind: actRevoke, RecordKind: r.Kind, Record: r.ID, Payload: payload, Caller: c})
		return Outcome{ID: r.ID, State: StatePending, Approval: id, RecordVersion: r.Version}, err
	})
}

// executeRevoke does what Revoke proposed.
func executeRevoke(ctx context.Context, i *Issuer, a approval, d decision) (o Outcome, err error) {
	var p revocation
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		return Outcome{}, err
	}
	err = i.store.write(ctx, func(tx *sql.Tx) error {
		r, err := i.store.record(ctx, tx, a.RecordKind, a.Record)
		if err != nil {
			return err
		}
		order := ordered{act: actRevoked, reason: p.Reason, by: a.Caller, approver: d.by}
		if err := i.revoke(ctx, tx, r, order, a.ID); err != nil {
			return err
		}
		if r.Kind == KindBirth {
			if err := i.revokeWards(ctx, tx, r, order); err != nil {
				return err
			}
		}
		if o, err = i.standing(ctx, tx, r); err != nil {
			return err
		}
		return i.store.settle(ctx, tx, d, o)
	})
	return o, err
}

// revoke revokes one record with all its copies and denies what waits on it.
func (i *Issuer) revoke(ctx context.Context, tx *sql.Tx, r row, o ordered, approval string) error {
	if r.Status == StatusRevoked {
		return nil
	}
	if err := i.store.order(ctx, tx, r, o); err != nil {
		return err
	}
	return i.store.closeProposals(ctx, tx, r.ID, approval)
}

// revokeWards revokes the guardianships of a birth. One that waits for a second
// person cannot come into force any more and is left to be denied.
func (i *Issuer) revokeWards(ctx context.Context, tx *sql.Tx, birth row, o ordered) error {
	gs, err := i.store.guardianshipsOf(ctx, tx, birth.ID)
	if err != nil {
		return err
	}
	o.cause = birth.ID
	for _, g := range gs {
		if g.State != StateIssued && g.State != StateNotIssued {
			continue
		}
		if err := i.revoke(ctx, tx, g, o, ""); err != nil {
			return err
		}
	}
	return nil
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
	return i.change(ctx, c, statusRequest{actSuspended, credential, reason, idem}, func(tx *sql.Tx, r row) (Outcome, error) {
		if r.Status == StatusRevoked {
			return Outcome{}, ErrRevoked
		}
		if r.Status == StatusValid || rank(c.Role) > rank(r.SuspendedBy) {
			if err := i.store.order(ctx, tx, r, ordered{act: actSuspended, reason: reason, by: c}); err != nil {
				return Outcome{}, err
			}
		}
		return i.standing(ctx, tx, r)
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
	return i.change(ctx, c, statusRequest{actReinstated, credential, reason, idem}, func(tx *sql.Tx, r row) (Outcome, error) {
		switch {
		case r.Status == StatusRevoked:
			return Outcome{}, ErrRevoked
		case r.Status == StatusSuspended && rank(c.Role) < rank(r.SuspendedBy):
			return Outcome{}, ErrHigherAuthority
		case r.Status == StatusSuspended:
			if err := i.store.order(ctx, tx, r, ordered{act: actReinstated, reason: reason, by: c}); err != nil {
				return Outcome{}, err
			}
		}
		return i.standing(ctx, tx, r)
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

// change runs do on the record of a credential, in one transaction with the
// answer to the Idempotency-Key.
func (i *Issuer) change(ctx context.Context, c Caller, q statusRequest, do func(*sql.Tx, row) (Outcome, error)) (o Outcome, err error) {
	id := strings.TrimPrefix(q.credential, "urn:uuid:")
	cl, err := newClaim(c, q.idem, q.act, []byte(id), []byte(q.reason))
	if err != nil {
		return Outcome{}, err
	}
	err = i.store.write(ctx, func(tx *sql.Tx) error {
		var again bool
		if o, again, err = i.store.replayed(ctx, tx, cl); err != nil || again {
			return err
		}
		r, err := i.store.recordOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if o, err = do(tx, r); err != nil {
			return err
		}
		return i.store.answer(ctx, tx, cl, o)
	})
	if err != nil {
		return Outcome{}, err
	}
	return o, nil
}

// standing tells how a record and its copies stand now, in the transaction at
// hand.
func (i *Issuer) standing(ctx context.Context, tx *sql.Tx, r row) (Outcome, error) {
	cs, err := i.store.copies(ctx, tx, `WHERE record = $1 ORDER BY created DESC, id LIMIT 200`, r.ID)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{ID: r.ID, State: r.State, Rule: r.Rule, RecordVersion: r.Version}
	for _, c := range cs {
		o.Credentials = append(o.Credentials, c.CredentialInfo)
	}
	return o, nil
}
