package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Faults of changing a status.
var (
	ErrReason = fault.New(fault.Invalid, "reason-unknown", "the reason must be a code that this act allows").
			WithHint("free text is not taken: a reason outlives the case and must not describe a person")
	ErrNotSuspended = fault.New(fault.Conflict, "not-suspended", "the record is not suspended")
	// ErrSuspensionRepeated refuses to prolong by repetition what nobody confirmed.
	ErrSuspensionRepeated = fault.New(fault.Conflict, "suspension-repeated", "the three days in which this person may suspend the record alone are over").
				WithHint("ask a colleague or the court: another person decides whether it is to be suspended again")
	ErrHigherAuthority = fault.New(fault.Forbidden, "higher-authority", "the record was suspended by a higher authority").
				WithHint("only the role that suspended a record, or a higher one, reinstates it")
)

// actRevoke is the act that Approve executes for Revoke.
const actRevoke = "revoke"

func init() { acts[actRevoke] = act{roles: mayChange, execute: executeRevoke} }

// mayChange are the roles that change the status of records: of which, and for
// which reason, follows from the record (row.mayPropose, row.maySuspend).
var mayChange = []string{RoleRegistrar, RoleCourt, RoleProtection, RoleHumanitarian}

// suspensionTerm is how long one person may suspend a record alone: a false
// report must not keep a family apart, and a true one finds a second person or a
// court in three days.
const suspensionTerm = 72 * time.Hour

// suspensionMemory is how long a person's unconfirmed suspensions of one record
// count together.
const suspensionMemory = 30 * 24 * time.Hour

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
	// ConfirmReasons: why a suspension stays beyond three days.
	ConfirmReasons = []string{
		"upheld",      // a second person looked into it
		reasonByCourt, // a court said so
	}
	// holderReasons are about a holder's device or paper and not about the record.
	holderReasons = []string{"holderLost", "keyCompromised"}
)

// reasonByCourt is the reason of what a court said. Given by a court it is the
// court's order, which needs nobody else.
const reasonByCourt = "courtDecision"

// reasonUnconfirmed is the audit's reason of a suspension that ended because
// nobody confirmed it. Nobody can give it.
const reasonUnconfirmed = "unconfirmed"

// reasonCorrected is the audit's reason of a guardianship that falls because its
// ward's birth was corrected. Nobody can give it.
const reasonCorrected = "birthCorrected"

// rank orders the roles that suspend: what one suspends, a lower one does not
// lift (a court that orders a suspension must not be overruled by an office).
func rank(role string) int {
	switch role {
	case RoleHumanitarian:
		return 0
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
// second person accepts (Approve), and one of the two is of a role that the law
// entitles: a registrar or court for a birth and what follows from it, a court
// for what a court decided. Then every copy of the record, of all holders and
// versions, is revoked in one transaction, for good.
//
// A birth takes its guardianships with it: their credentials name a child whose
// record is void, and a guardianship that outlives it could be joined to
// another birth with the same reference.
//
// A record that is revoked stays so and is told as such; a proposal that waits
// is given again.
func (i *Issuer) Revoke(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	return i.change(ctx, c, statusRequest{act: ActRevoke, target: credential, reason: reason, idem: idem})
}

func (i *Issuer) judgeRevoke(c Caller, reason string) judge {
	return func(r row) (step, error) {
		if err := r.mayPropose(c); err != nil || r.Status == StatusRevoked {
			return step{}, err
		}
		payload, err := json.Marshal(revocation{reason})
		return step{proposal: &proposal{Kind: actRevoke, RecordKind: r.Kind, Record: r.ID, Payload: payload, Caller: c}}, err
	}
}

// executeRevoke does what Revoke proposed.
func executeRevoke(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	var p revocation
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		return Outcome{}, err
	}
	r, err := i.store.record(ctx, i.db, a.RecordKind, a.Record)
	if err != nil {
		return Outcome{}, err
	}
	roles, err := r.entitled()
	if err != nil {
		return Outcome{}, err
	}
	if !slices.Contains(roles, a.Caller.Role) && !slices.Contains(roles, d.by.Role) {
		return Outcome{}, ErrBasisDecision.WithFields(fault.Field{Path: "/legalBasis/type", Rule: "is revoked by " + strings.Join(roles, " or ")})
	}
	return i.store.revoke(ctx, a, d, p.Reason)
}

// Suspend suspends the record of a credential at once, with every copy. Nobody
// is told and no reason is published. It ends by itself after three days, as
// silently, unless somebody confirms it (ConfirmSuspension); a court's order
// stands by itself. Suspending again changes nothing, except that a higher role
// takes the suspension over.
func (i *Issuer) Suspend(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	return i.change(ctx, c, statusRequest{act: ActSuspend, target: credential, reason: reason, idem: idem})
}

func (i *Issuer) judgeSuspend(c Caller, reason string) judge {
	return func(r row) (step, error) {
		o := order{act: actSuspended, reason: reason, by: c, until: i.now().Add(suspensionTerm)}
		switch err := r.maySuspend(c, reason); {
		case err != nil:
			return step{}, err
		case r.Status == StatusRevoked:
			return step{}, ErrRevoked
		case r.Status == StatusSuspended && rank(c.Role) <= rank(r.SuspendedBy):
			return step{}, nil
		case c.Role == RoleCourt && reason == reasonByCourt, r.Status == StatusSuspended && r.SuspendedUntil.IsZero():
			o.until = time.Time{} // an order, or what was confirmed before
		}
		return step{order: &o}, nil
	}
}

// ConfirmSuspension makes a suspension last until it is lifted. Another person
// than the one who suspended has to, or a court by its order; either of a role
// that could have suspended the record. Confirmed again, nothing changes.
func (i *Issuer) ConfirmSuspension(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	return i.change(ctx, c, statusRequest{act: ActConfirm, target: credential, reason: reason, idem: idem})
}

func (i *Issuer) judgeConfirm(c Caller, reason string) judge {
	return func(r row) (step, error) {
		last := r.suspension
		switch err := r.maySuspend(c, last.reason); {
		case err != nil:
			return step{}, err
		case r.Status == StatusRevoked:
			return step{}, ErrRevoked
		case r.Status != StatusSuspended:
			return step{}, ErrNotSuspended
		case r.SuspendedUntil.IsZero():
			return step{}, nil
		case (c.ID == last.by.ID || c.Name == last.by.Name) && (c.Role != RoleCourt || reason != reasonByCourt):
			return step{}, ErrSamePerson
		}
		return step{order: &order{act: actConfirmed, reason: reason, by: c}}, nil
	}
}

// Reinstate lifts a suspension, if the caller's role is the one that suspended
// or a higher one: registrar, then protectionAuthority, then court. A record
// that is in force stays so.
func (i *Issuer) Reinstate(ctx context.Context, c Caller, credential, reason, idem string) (Outcome, error) {
	return i.change(ctx, c, statusRequest{act: ActReinstate, target: credential, reason: reason, idem: idem})
}

func (i *Issuer) judgeReinstate(c Caller, reason string) judge {
	return func(r row) (step, error) {
		switch {
		case c.Role == RoleHumanitarian && r.maySuspend(c, reason) != nil:
			return step{}, ErrNoSuchCredential
		case r.Status == StatusRevoked:
			return step{}, ErrRevoked
		case r.Status == StatusValid:
			return step{}, nil
		case rank(c.Role) < rank(r.SuspendedBy):
			return step{}, ErrHigherAuthority
		}
		return step{order: &order{act: actReinstated, reason: reason, by: c}}, nil
	}
}

// known refuses a reason that is not on the list.
func known(reason string, list []string) error {
	if slices.Contains(list, reason) {
		return nil
	}
	return ErrReason.WithFields(fault.Field{Path: "/reason", Rule: "must be one of " + strings.Join(list, ", ")})
}

// Acts on the status of a record, as ChangeStatus takes them.
const (
	ActRevoke    = "revoke"
	ActSuspend   = "suspend"
	ActConfirm   = "confirm"
	ActReinstate = "reinstate"
)

// judge says what to do with a record as it is now.
type judge func(row) (step, error)

// statusAct is one act with the reasons that it allows.
type statusAct struct {
	name    string
	claim   string // what an Idempotency-Key is bound to
	reasons *[]string
	judge   func(i *Issuer, c Caller, reason string) judge
}

var statusActs = []statusAct{
	{ActSuspend, actSuspended, &SuspendReasons, (*Issuer).judgeSuspend},
	{ActConfirm, actConfirmed, &ConfirmReasons, (*Issuer).judgeConfirm},
	{ActReinstate, actReinstated, &ReinstateReasons, (*Issuer).judgeReinstate},
	{ActRevoke, actRevoke, &RevokeReasons, (*Issuer).judgeRevoke},
}

// statusRequest is what a caller asks for: an act on the record of a credential,
// or, where kind is given, on a record itself.
type statusRequest struct{ act, kind, target, reason, idem string }

// StatusChange is an act on a record.
type StatusChange struct {
	Act    string // ActRevoke …
	Kind   string // KindBirth or KindGuardianship
	Record string // id
	Reason string
	Idem   string // Idempotency-Key, "" without one
}

// ChangeStatus does to a record what Revoke, Suspend, ConfirmSuspension and
// Reinstate do to that of a credential: also to one that has no copies yet.
func (i *Issuer) ChangeStatus(ctx context.Context, c Caller, q StatusChange) (Outcome, error) {
	if _, ok := tables[q.Kind]; !ok {
		return Outcome{}, ErrNoSuchCredential
	}
	o, err := i.change(ctx, c, statusRequest{q.Act, q.Kind, q.Record, q.Reason, q.Idem})
	if errors.Is(err, ErrNoSuchCredential) {
		err = tables[q.Kind].missing
	}
	return o, err
}

// change does an act on the record of a credential as it is now, or on a record.
func (i *Issuer) change(ctx context.Context, c Caller, q statusRequest) (Outcome, error) {
	if err := c.may(mayChange...); err != nil {
		return Outcome{}, err
	}
	n := slices.IndexFunc(statusActs, func(a statusAct) bool { return a.name == q.act })
	if n < 0 {
		return Outcome{}, ErrNotAllowed
	}
	a := statusActs[n]
	if err := known(q.reason, *a.reasons); err != nil {
		return Outcome{}, err
	}
	judge := a.judge(i, c, q.reason)
	if q.kind == "" {
		id := strings.TrimPrefix(q.target, "urn:uuid:")
		cl, err := newClaim(c, q.idem, a.claim, []byte(id), []byte(q.reason))
		if err != nil {
			return Outcome{}, err
		}
		return i.store.changeStatus(ctx, found{"", id}, cl, judge)
	}
	cl, err := newClaim(c, q.idem, a.claim, []byte(q.kind), []byte(q.target), []byte(q.reason))
	if err != nil {
		return Outcome{}, err
	}
	return i.store.changeStatus(ctx, found{q.kind, q.target}, cl, func(r row) (step, error) {
		if r.State != StateIssued && r.State != StateNotIssued {
			return step{}, ErrRecordState
		}
		return judge(r)
	})
}
