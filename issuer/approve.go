package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// Kinds of acts that wait for a second person.
const (
	actRegisterBirth        = "registerBirth"
	actRegisterGuardianship = "registerGuardianship"
	actCorrectBirth         = "correctBirth"
	actCorrectGuardianship  = "correctGuardianship"
	actRelease              = "release"             // a held birth: issue or discard
	actReleaseGuardianship  = "releaseGuardianship" // a held guardianship: issue or discard
)

// registerKinds are the acts that put a pending record into force, by the kind
// of record.
var registerKinds = map[string]string{
	KindBirth:        actRegisterBirth,
	KindGuardianship: actRegisterGuardianship,
}

// act is something that happens when a second person accepts it.
type act struct {
	// may decide: the roles that may do the act alone where none is needed.
	roles []string
	// execute does what was proposed. The transaction that does it settles the
	// approval with the decision, which fails if somebody decided before.
	execute func(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error)
	// whole: the proposal is the record itself, which is discarded when it is
	// denied.
	whole bool
	// refuse does what the denial of an act on something else than a record asks
	// for, in the transaction that settles the approval; nil: nothing.
	refuse func(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error)
}

// acts holds every kind of act. Files with acts of their own add them in init.
var acts = map[string]act{}

func init() {
	acts[actRegisterBirth] = act{roles: mayRegisterBirth, execute: executeRegister, whole: true}
	acts[actRegisterGuardianship] = act{roles: mayRegisterGuardianship, execute: executeRegister, whole: true}
	acts[actCorrectBirth] = act{roles: mayRegisterBirth, execute: executeCorrectBirth}
	acts[actCorrectGuardianship] = act{roles: mayRegisterGuardianship, execute: executeCorrectGuardianship}
	acts[actRelease] = act{roles: mayRegisterBirth, execute: executeRelease}
	acts[actReleaseGuardianship] = act{roles: keepsRegister, execute: executeRelease}
}

// approval is a proposal as stored.
type approval struct {
	proposal
	Created time.Time
	State   string // pending, approved or denied
	Decider Caller
	Outcome []byte
}

// decision is what the second person said to what the first one proposed.
type decision struct {
	approval string
	proposer Caller
	by       Caller
	accept   bool
}

// Approval is an act that waits for a second person.
type Approval struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	RecordKind string          `json:"recordKind"`
	Record     string          `json:"record"`   // id
	Proposer   string          `json:"proposer"` // name
	Created    time.Time       `json:"created"`
	Proposal   json.RawMessage `json:"proposal,omitempty"` // what would change; personal data
	Current    json.RawMessage `json:"current,omitempty"`  // the record as it is; personal data

	Own   bool   `json:"-"` // the caller proposed it, so another person decides
	Birth string `json:"-"` // of a guardianship: id of the ward's birth
	// Needs are the roles one of which has to approve it because the proposer has
	// none of them; nil where the caller may. Whoever else finds it may refuse it.
	Needs []string `json:"-"`
	// Of the record.
	State  string `json:"-"`
	Status string `json:"-"`
}

// Approvals lists what waits for a decision that the caller's role may make,
// oldest first, of the oldest 200. Those that the caller proposed are among them.
// Who does not keep the register sees what is on a legal basis of its own alone.
func (i *Issuer) Approvals(ctx context.Context, c Caller) ([]Approval, error) {
	if err := c.may(mayRegisterGuardianship...); err != nil {
		return nil, err
	}
	as, err := i.store.approvals(ctx, i.db, `WHERE state = 'pending' AND kind IN (`+kindsFor(c.Role)+`) ORDER BY created, id LIMIT 200`)
	if err != nil {
		return nil, err
	}
	out := []Approval{}
	for _, a := range as {
		x, err := i.told(ctx, c, a)
		if errors.Is(err, ErrNoSuchApproval) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// Approval gives one act that waits for a decision that the caller's role may
// make.
func (i *Issuer) Approval(ctx context.Context, c Caller, id string) (Approval, error) {
	if err := c.may(mayRegisterGuardianship...); err != nil {
		return Approval{}, err
	}
	a, err := i.store.approval(ctx, id)
	if err != nil {
		return Approval{}, err
	}
	if x, ok := acts[a.Kind]; !ok || !slices.Contains(x.roles, c.Role) || a.State != "pending" {
		return Approval{}, ErrNoSuchApproval
	}
	return i.told(ctx, c, a)
}

// told is what somebody is told of a proposal, or ErrNoSuchApproval for one that
// is none of their business.
func (i *Issuer) told(ctx context.Context, c Caller, a approval) (Approval, error) {
	x := Approval{ID: a.ID, Kind: a.Kind, RecordKind: a.RecordKind, Record: a.Record, Proposer: a.Caller.Name, Created: a.Created,
		Own: c.ID == a.Caller.ID || c.Name == a.Caller.Name}
	if len(a.Payload) > 0 {
		x.Proposal = a.Payload
	}
	if _, ok := tables[a.RecordKind]; ok {
		r, err := i.store.record(ctx, i.db, a.RecordKind, a.Record)
		if err != nil {
			return Approval{}, err
		}
		if !concerns(c, a, r) {
			return Approval{}, ErrNoSuchApproval
		}
		x.Current, x.Birth, x.State, x.Status = r.Record, r.Birth, r.State, r.Status
		if x.Needs, err = needs(c, a, r); err != nil {
			return Approval{}, err
		}
	}
	return x, nil
}

// needs gives the roles one of which has to approve an act on a mandate where
// neither the proposer's nor the caller's decides on it, as approving will ask.
func needs(c Caller, a approval, r row) ([]string, error) {
	if r.Kind != KindGuardianship {
		return nil, nil
	}
	records, by := [][]byte{r.Record}, []string{a.Caller.Role, c.Role}
	switch a.Kind {
	case actRevoke:
		roles, err := r.entitled()
		if err != nil || slices.ContainsFunc(by, func(role string) bool { return slices.Contains(roles, role) }) {
			return nil, err
		}
		return roles, nil
	case actCorrectGuardianship:
		records = append(records, a.Payload)
	case actRegisterGuardianship, actReleaseGuardianship:
		if r.SignedAs != "" {
			return nil, nil
		}
		by = append(by, r.Proposer.Role)
	default:
		return nil, nil
	}
	for _, record := range records {
		var g vc.Guardianship
		if err := json.Unmarshal(record, &g); err != nil {
			return nil, err
		}
		if decidedBy(g.LegalBasis.Type, by...) == "" {
			return vc.RolesFor(g.LegalBasis.Type), nil
		}
	}
	return nil, nil
}

// concerns reports whether an act on a record is the caller's business. A
// revocation is that of who may propose it; all else of who keeps the register
// and, for a mandate, of who decides on its legal basis, before and after.
func concerns(c Caller, a approval, r row) bool {
	switch {
	case a.Kind == actRevoke:
		return r.mayPropose(c) == nil
	case slices.Contains(keepsRegister, c.Role):
		return true
	case r.Kind != KindGuardianship:
		return false
	}
	for _, record := range [][]byte{r.Record, a.Payload} {
		var g vc.Guardianship
		if len(record) == 0 { // of a decided proposal
			continue
		}
		if json.Unmarshal(record, &g) != nil || !decides(c.Role, g.LegalBasis.Type) {
			return false
		}
	}
	return true
}

// kindsFor lists the acts that a role may decide, as SQL texts. They are
// constants of this package.
func kindsFor(role string) string {
	kinds := []string{"''"}
	for kind, a := range acts {
		if slices.Contains(a.roles, role) {
			kinds = append(kinds, "'"+kind+"'")
		}
	}
	slices.Sort(kinds)
	return strings.Join(kinds, ",")
}

// Held lists the births that are held as possible duplicates, oldest first, at
// most 200. They wait for Release.
func (i *Issuer) Held(ctx context.Context, c Caller) ([]Record, error) {
	return i.held(ctx, c, KindBirth, `WHERE state = $1 AND state <> 'issued' AND status <> $2 ORDER BY created, id LIMIT 200`)
}

// HeldGuardianships lists the guardianships that are held because the guardian
// has one for the same child, oldest first, at most 200. They wait for
// ReleaseGuardianship. Those that are held for their child's birth go on with
// it and are not listed.
func (i *Issuer) HeldGuardianships(ctx context.Context, c Caller) ([]Record, error) {
	return i.held(ctx, c, KindGuardianship, `WHERE state = $1 AND state <> 'issued' AND status <> $2 AND rule = 'guardian-has-mandate'
		ORDER BY created, id LIMIT 200`)
}

func (i *Issuer) held(ctx context.Context, c Caller, kind, where string) ([]Record, error) {
	if err := c.may(mayRead...); err != nil {
		return nil, err
	}
	rs, err := i.store.rows(ctx, i.db, kind, where, StateHeld, StatusRevoked)
	if err != nil {
		return nil, err
	}
	out := []Record{}
	for _, r := range rs {
		out = append(out, Record{ID: r.ID, Kind: r.Kind, State: r.State, Status: r.Status, Rule: r.Rule, Birth: r.Birth,
			RecordVersion: r.Version, Created: r.Created, Record: r.Record, Credentials: []CredentialInfo{}})
	}
	return out, nil
}

// Approve decides an act that somebody else proposed: accept does it, otherwise
// it is discarded. The decider needs a role that may do the act, and must differ
// from the proposer in token and in name. The same decision by the same person
// again gives the same outcome.
func (i *Issuer) Approve(ctx context.Context, c Caller, id string, accept bool) (Outcome, error) {
	if err := c.may(mayRegisterGuardianship...); err != nil {
		return Outcome{}, err
	}
	a, err := i.store.approval(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	x, ok := acts[a.Kind]
	if !ok || !slices.Contains(x.roles, c.Role) {
		return Outcome{}, ErrNoSuchApproval
	}
	if _, ok := tables[a.RecordKind]; ok {
		r, err := i.store.record(ctx, i.db, a.RecordKind, a.Record)
		switch {
		case errors.Is(err, tables[a.RecordKind].missing) && a.State != "pending":
			// Discarded by this decision: nothing is left to judge by.
			if !slices.Contains(keepsRegister, c.Role) && a.Decider.ID != c.ID {
				return Outcome{}, ErrNoSuchApproval
			}
		case err != nil:
			return Outcome{}, err
		case !concerns(c, a, r):
			return Outcome{}, ErrNoSuchApproval
		}
	}
	if a.State != "pending" {
		return i.decided(ctx, c, a, accept)
	}
	if c.ID == a.Caller.ID || c.Name == a.Caller.Name {
		return Outcome{}, ErrSamePerson
	}
	d := decision{approval: a.ID, proposer: a.Caller, by: c, accept: accept}
	if !accept && x.refuse != nil {
		return x.refuse(ctx, i, a, d)
	}
	if !accept {
		return i.deny(ctx, x, a, d)
	}
	o, err := x.execute(ctx, i, a, d)
	if err != nil {
		return Outcome{}, err
	}
	return o, i.finish(ctx, o)
}

// decided answers a decision that comes again.
func (i *Issuer) decided(ctx context.Context, c Caller, a approval, accept bool) (Outcome, error) {
	if a.Decider.ID != c.ID || accept != (a.State == "approved") {
		return Outcome{}, ErrAlreadyDecided
	}
	var o Outcome
	if err := json.Unmarshal(a.Outcome, &o); err != nil {
		return Outcome{}, err
	}
	return o, i.finish(ctx, o)
}

func (i *Issuer) deny(ctx context.Context, x act, a approval, d decision) (Outcome, error) {
	r, err := i.store.record(ctx, i.db, a.RecordKind, a.Record)
	if err != nil {
		return Outcome{}, err
	}
	if x.whole {
		return i.discard(ctx, r, StatePending, d)
	}
	o := Outcome{ID: r.ID, State: r.State, Rule: r.Rule, RecordVersion: r.Version}
	return o, i.store.refuse(ctx, d, o)
}

// discard forgets a record that is still in the state in which it never was in
// force.
func (i *Issuer) discard(ctx context.Context, r row, state string, d decision) (Outcome, error) {
	if r.State != state {
		return Outcome{}, ErrRecordState
	}
	var keys [][]byte
	if r.Kind == KindBirth {
		b, err := readBirth(r)
		if err != nil {
			return Outcome{}, err
		}
		keys = i.dedupKeys(b)
	}
	o := Outcome{ID: r.ID, State: StateDiscarded, RecordVersion: r.Version}
	if err := i.store.discard(ctx, r, keys, closing{decision: &d, outcome: o}); err != nil {
		return o, err
	}
	i.db.Scrub(ctx)
	return o, nil
}

func executeRegister(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	r, err := i.store.record(ctx, i.db, a.RecordKind, a.Record)
	if err != nil {
		return Outcome{}, err
	}
	if r.State != StatePending {
		return Outcome{}, ErrRecordState
	}
	return i.admit(ctx, r, d)
}

// released is the payload of a proposal to release a held birth.
type released struct {
	Decision string `json:"decision"` // issue or discard
}

// Release proposes what becomes of a birth that is held as a duplicate:
// "issue", because it is another child, or "discard". A second registrar
// decides.
func (i *Issuer) Release(ctx context.Context, c Caller, birth, decision, idem string) (Outcome, error) {
	if err := c.may(mayRegisterBirth...); err != nil {
		return Outcome{}, err
	}
	return i.release(ctx, c, releasing{actRelease, KindBirth, birth, decision}, idem)
}

// ReleaseGuardianship proposes what becomes of a guardianship that is held
// because the guardian has one for the same child: "discard", or "issue", which
// is refused for as long as the other one lives. A second person decides.
func (i *Issuer) ReleaseGuardianship(ctx context.Context, c Caller, guardianship, decision, idem string) (Outcome, error) {
	if err := c.may(keepsRegister...); err != nil {
		return Outcome{}, err
	}
	return i.release(ctx, c, releasing{actReleaseGuardianship, KindGuardianship, guardianship, decision}, idem)
}

// releasing is a proposal to release a held record.
type releasing struct{ act, kind, id, decision string }

func (i *Issuer) release(ctx context.Context, c Caller, q releasing, idem string) (Outcome, error) {
	if q.decision != "issue" && q.decision != "discard" {
		return Outcome{}, ErrDecision
	}
	cl, err := newClaim(c, idem, q.act, []byte(q.id), []byte(q.decision))
	if err != nil {
		return Outcome{}, err
	}
	payload, err := json.Marshal(released{q.decision})
	if err != nil {
		return Outcome{}, err
	}
	if o, again, err := i.store.replayed(ctx, i.db, cl); err != nil || again {
		return o, err
	}
	r, err := i.store.record(ctx, i.db, q.kind, q.id)
	if err != nil {
		return Outcome{}, err
	}
	if err := releasable(r); err != nil {
		return Outcome{}, err
	}
	o := Outcome{ID: r.ID, State: StateHeld, Rule: r.Rule, RecordVersion: r.Version}
	return i.store.proposeChange(ctx, r, proposal{Kind: q.act, Payload: payload, Caller: c}, closing{claim: cl, outcome: o})
}

// releasable refuses a record that is not held, or that goes on with its ward.
func releasable(r row) error {
	switch {
	case r.Status == StatusRevoked:
		return ErrRevoked
	case r.State != StateHeld || r.Rule == RuleWardHeld:
		return ErrRecordState
	}
	return nil
}

func executeRelease(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	var p released
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		return Outcome{}, err
	}
	r, err := i.store.record(ctx, i.db, a.RecordKind, a.Record)
	if err != nil {
		return Outcome{}, err
	}
	if err := releasable(r); err != nil {
		return Outcome{}, err
	}
	if p.Decision == "issue" {
		return i.admit(ctx, r, d)
	}
	return i.discard(ctx, r, StateHeld, d)
}

// admit puts a pending or held record into force with its paper credential; with
// a birth, the guardianships that were held for it go on: into force, or to a
// second person where they need one.
func (i *Issuer) admit(ctx context.Context, r row, d decision) (Outcome, error) {
	for range 5 {
		o, err := i.admitOnce(ctx, r, d)
		if !errors.Is(err, errStale) {
			return o, err
		}
		if r, err = i.store.record(ctx, i.db, r.Kind, r.ID); err != nil {
			return Outcome{}, err
		}
		if r.State != StatePending && r.State != StateHeld {
			return Outcome{}, ErrRecordState
		}
	}
	return Outcome{}, ErrRecordChanged
}

func (i *Issuer) admitOnce(ctx context.Context, r row, d decision) (Outcome, error) {
	if r.Status == StatusRevoked {
		return Outcome{}, ErrRevoked
	}
	var list []admission
	var wardOf string // the birth whose held guardianships go on
	if r.Kind == KindBirth {
		a, b, err := i.admitBirth(ctx, r, d)
		if err != nil {
			return Outcome{}, err
		}
		list = append(list, a)
		held, err := i.admitHeld(ctx, r, b)
		if err != nil {
			return Outcome{}, err
		}
		list = append(list, held...)
		wardOf = r.ID
	} else {
		w, b, err := i.ward(ctx, r)
		if err != nil {
			return Outcome{}, err
		}
		if err := w.inForce(); err != nil {
			return Outcome{}, err
		}
		g, err := readGuardianship(r)
		if err != nil {
			return Outcome{}, err
		}
		if err := CheckWard(g, b, i.now()); err != nil {
			return Outcome{}, err
		}
		if err := countersigned(g, r.Proposer.Role, d.proposer.Role, d.by.Role); err != nil {
			return Outcome{}, err
		}
		if r.SignedAs == "" {
			if r.SignedAs, err = decidingRole(g, r.Proposer.Role, d.proposer.Role, d.by.Role); err != nil {
				return Outcome{}, err
			}
		}
		a, err := i.admitGuardianship(ctx, r, g, wardRecord{w, b})
		if err != nil {
			return Outcome{}, err
		}
		a.approver, a.guard, a.ward = d.by.Name, g, wardRecord{w, b}
		list = append(list, a)
	}
	o := Outcome{ID: r.ID, State: list[0].state, Rule: list[0].rule, RecordVersion: r.Version}
	for _, a := range list {
		if a.draft != nil {
			o.Credentials = append(o.Credentials, a.draft.info)
		}
	}
	if err := i.store.admit(ctx, list, wardOf, closing{decision: &d, outcome: o}); err != nil {
		if refused(err) {
			for _, a := range list {
				i.drop(a.draft)
			}
		}
		return Outcome{}, err
	}
	drafts := make([]*draft, 0, len(list))
	for _, a := range list {
		drafts = append(drafts, a.draft)
	}
	return o, i.seal(ctx, drafts...)
}

func (i *Issuer) admitBirth(ctx context.Context, r row, d decision) (admission, *vc.Birth, error) {
	b, err := readBirth(r)
	if err != nil {
		return admission{}, nil, err
	}
	dr, rule, err := i.paperBirth(ctx, r, b)
	if err != nil {
		return admission{}, nil, err
	}
	return admission{old: r, state: StateIssued, rule: rule, approver: d.by.Name, draft: dr}, b, nil
}

// admitHeld prepares the guardianships that were held for a birth, oldest first:
// of two of one guardian the first one goes on and the second one stays held.
func (i *Issuer) admitHeld(ctx context.Context, birth row, b *vc.Birth) ([]admission, error) {
	gs, err := i.store.guardianshipsOf(ctx, i.db, birth.ID)
	if err != nil {
		return nil, err
	}
	var out []admission
	var live []*vc.Guardianship
	for _, r := range gs {
		if r.State != StateHeld || r.Status != StatusValid {
			continue
		}
		g, err := readGuardianship(r)
		if err != nil {
			return nil, err
		}
		again, sole := beside(g, b, live, i.now())
		if NotIssuable(g, b, i.now()) == "" {
			if again {
				out = append(out, admission{old: r, state: StateHeld, rule: RuleGuardianHasMandate, approver: r.Approver})
				continue
			}
			live = append(live, g)
			undecided := decidedBy(g.LegalBasis.Type, r.SignedAs, r.Proposer.Role) == ""
			if r.Approver == "" && (sole || undecided || GuardianshipNeedsApproval(g, b)) {
				a := admission{old: r, state: StatePending, approval: token()}
				if sole {
					a.rule = RuleSoleBesideOthers
				}
				out = append(out, a)
				continue
			}
		}
		a, err := i.admitGuardianship(ctx, r, g, wardRecord{birth, b})
		if err != nil {
			return nil, err
		}
		a.approver = r.Approver
		out = append(out, a)
	}
	return out, nil
}

func (i *Issuer) admitGuardianship(ctx context.Context, r row, g *vc.Guardianship, w wardRecord) (admission, error) {
	if why := NotIssuable(g, w.birth, i.now()); why != "" {
		return admission{old: r, state: StateNotIssued, rule: why}, nil
	}
	d, rule, err := i.paperGuardianship(ctx, r, g, w)
	return admission{old: r, state: StateIssued, rule: rule, draft: d}, err
}
