package issuer

import (
	"context"
	"slices"
	"time"
)

// ActCorrect is what Standing calls a correction.
const ActCorrect = "correct"

// Possible is an act that somebody may do to a record as it is now.
type Possible struct {
	Act     string   // ActRevoke …
	Reasons []string // that the act takes from this person; none for a correction
	Second  bool     // it waits for a second person
}

// Standing is how a record stands for somebody: what they may do to it and what
// waits.
type Standing struct {
	Possible   []Possible
	Waiting    []Approval  // on this record, without its content
	Suspension *Suspension // nil: the record is not suspended
	// Other: somebody else has to confirm the suspension, for this person made it.
	Other bool
}

// Standing tells how a record stands for the caller.
func (i *Issuer) Standing(ctx context.Context, c Caller, kind, id string) (Standing, error) {
	if err := c.may(mayRead...); err != nil {
		return Standing{}, err
	}
	if _, ok := tables[kind]; !ok {
		return Standing{}, ErrNoSuchCredential
	}
	r, err := i.store.record(ctx, i.db, kind, id)
	if err != nil {
		return Standing{}, err
	}
	var out Standing
	if out.Waiting, err = i.waiting(ctx, c, r); err != nil {
		return Standing{}, err
	}
	if r.over(i.now()) {
		r.Status, r.SuspendedBy, r.SuspendedUntil = StatusValid, "", time.Time{}
	}
	if r.suspension, err = i.store.lastSuspension(ctx, i.db, r); err != nil {
		return Standing{}, err
	}
	if r.Status == StatusSuspended {
		out.Suspension = &Suspension{RecordKind: kind, Record: id, Role: r.SuspendedBy, By: r.suspension.by.Name, Reason: r.suspension.reason, Until: r.SuspendedUntil}
		out.Other = !r.SuspendedUntil.IsZero() && (r.suspension.by.ID == c.ID || r.suspension.by.Name == c.Name)
	}
	if r.State != StateIssued && r.State != StateNotIssued || r.Status == StatusRevoked {
		return out, nil
	}
	corrects := mayRegisterBirth
	if kind == KindGuardianship {
		corrects = keepsRegister
	}
	if slices.Contains(corrects, c.Role) {
		out.Possible = append(out.Possible, Possible{Act: ActCorrect, Second: kind == KindGuardianship})
	}
	for _, a := range statusActs {
		p := Possible{Act: a.name}
		for _, reason := range *a.reasons {
			do, err := a.judge(i, c, reason)(r)
			if err != nil || do == (step{}) {
				continue
			}
			p.Reasons = append(p.Reasons, reason)
			p.Second = do.proposal != nil
		}
		if len(p.Reasons) > 0 {
			out.Possible = append(out.Possible, p)
		}
	}
	return out, nil
}

// May gives the act of this name if it is possible.
func (s Standing) May(act string) (Possible, bool) {
	n := slices.IndexFunc(s.Possible, func(p Possible) bool { return p.Act == act })
	if n < 0 {
		return Possible{}, false
	}
	return s.Possible[n], true
}

// waiting lists what waits on a record and is the caller's business.
func (i *Issuer) waiting(ctx context.Context, c Caller, r row) ([]Approval, error) {
	as, err := i.store.approvals(ctx, i.db, `WHERE record = $2 AND state = 'pending' ORDER BY created, id LIMIT 20`, r.ID)
	if err != nil {
		return nil, err
	}
	var out []Approval
	for _, a := range as {
		if concerns(c, a, r) {
			out = append(out, Approval{ID: a.ID, Kind: a.Kind, RecordKind: a.RecordKind, Record: a.Record, Proposer: a.Caller.Name, Created: a.Created})
		}
	}
	return out, nil
}

// Event is something that happened to a record.
type Event struct {
	At      time.Time
	What    string // EventRegistered …, or an act on the status: revoked, suspended …
	By      string // name, "" where nobody did it or nobody knows
	Role    string // of By, "" where it is not known
	Second  string // name of the second person
	Reason  string // of an act on the status
	Kind    string // of a proposal: of act
	Version int    // of a version that came into force
	Profile string // of copies that were issued
	Count   int    // of those copies
}

// What an Event tells, beside the acts on the status.
const (
	EventRegistered = "registered" // the record was entered
	EventVersion    = "version"    // a correction came into force
	EventProposed   = "proposed"   // an act that waits for a second person
	EventApproved   = "approved"   // by the second person
	EventDenied     = "denied"
	EventIssued     = "issued"  // copies
	EventOffered    = "offered" // to a guardian
	EventRedeemed   = "redeemed"
)

// History tells what happened to a record, the last thing first. It says who did
// what and why, and nothing of what the record said before: that is gone.
func (i *Issuer) History(ctx context.Context, c Caller, kind, id string) ([]Event, error) {
	if err := c.may(mayRead...); err != nil {
		return nil, err
	}
	if _, ok := tables[kind]; !ok {
		return nil, ErrNoSuchCredential
	}
	r, err := i.store.record(ctx, i.db, kind, id)
	if err != nil {
		return nil, err
	}
	out, err := i.store.history(ctx, r)
	if err != nil {
		return nil, err
	}
	for n := range out {
		// One person's correction left no proposal: the record says whose it is.
		if e := &out[n]; e.What == EventVersion && e.Version == r.Version && e.By == "" {
			e.By, e.Role, e.Second = r.Proposer.Name, r.Proposer.Role, r.Approver
		}
	}
	first := Event{At: r.Created, What: EventRegistered}
	if r.Version == 1 {
		first.By, first.Role, first.Second = r.Proposer.Name, r.Proposer.Role, r.Approver
	}
	out = append(out, first)
	slices.SortStableFunc(out, func(a, b Event) int { return b.At.Compare(a.At) })
	return out, nil
}
