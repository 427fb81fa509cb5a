package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/kinpass/kinpass/internal/vc"
)

// CorrectBirth replaces a birth by its next version (recordVersion one higher)
// and issues its paper credential. Every copy of the old version is revoked in
// the transaction that reserves the new one; the wallets of holders fetch theirs
// when they renew. So are the guardianships that do not stand by the new version
// (KeepsMandate), for good and with all that leads to new copies of them.
//
// The childRef of the credentials stays, except where the amendment is sealed:
// then it is minted anew, and the guardianships that stand get new papers with
// it, so that nothing leads from the old identity to the new one.
//
// A correction that changes who can be guardian, or who the child is, takes a
// second person (CorrectionNeedsApproval).
func (i *Issuer) CorrectBirth(ctx context.Context, c Caller, id string, raw []byte, idem string) (Outcome, error) {
	if err := c.may(mayRegisterBirth...); err != nil {
		return Outcome{}, err
	}
	cl, err := newClaim(c, idem, actCorrectBirth, []byte(id), raw)
	if err != nil {
		return Outcome{}, err
	}
	if o, again, err := i.store.replayed(ctx, i.db, cl); err != nil || again {
		return i.again(ctx, o, err)
	}
	old, err := i.correctable(ctx, KindBirth, id)
	if err != nil {
		return Outcome{}, err
	}
	b, err := CheckBirth(raw, i.now())
	if err != nil {
		return Outcome{}, err
	}
	before, err := readBirth(old)
	if err != nil {
		return Outcome{}, err
	}
	if err := CheckCorrection(before, b); err != nil {
		return Outcome{}, err
	}
	if CorrectionNeedsApproval(before, b) {
		return i.proposeCorrection(ctx, old, b, proposal{Kind: actCorrectBirth, Caller: c}, cl)
	}
	o, err := i.correctBirth(ctx, old, b, authors{proposer: c}, closing{claim: cl})
	if errors.Is(err, ErrRecordChanged) {
		// The same request may have come twice at once and won elsewhere.
		if o, again, err := i.store.replayed(ctx, i.db, cl); err == nil && again {
			return i.again(ctx, o, nil)
		}
	}
	return o, err
}

// CorrectGuardianship proposes the next version of a guardianship. It takes the
// place of the old one, whose copies are revoked, when a second person accepts.
func (i *Issuer) CorrectGuardianship(ctx context.Context, c Caller, id string, raw []byte, idem string) (Outcome, error) {
	if err := c.may(mayRegisterGuardianship...); err != nil {
		return Outcome{}, err
	}
	cl, err := newClaim(c, idem, actCorrectGuardianship, []byte(id), raw)
	if err != nil {
		return Outcome{}, err
	}
	if o, again, err := i.store.replayed(ctx, i.db, cl); err != nil || again {
		return i.again(ctx, o, err)
	}
	if err := i.concerned(ctx, c, id); err != nil {
		return Outcome{}, err
	}
	old, err := i.correctable(ctx, KindGuardianship, id)
	if err != nil {
		return Outcome{}, err
	}
	g, err := CheckGuardianship(raw, i.now())
	if err != nil {
		return Outcome{}, err
	}
	if _, err := i.checkGuardianshipCorrection(ctx, old, g); err != nil {
		return Outcome{}, err
	}
	if _, err := i.mandates(g, source{caller: c, at: i.now()}); err != nil {
		return Outcome{}, err
	}
	return i.proposeCorrection(ctx, old, g, proposal{Kind: actCorrectGuardianship, Caller: c}, cl)
}

// concerned gives ErrNoSuchGuardianship to who does not keep the register for a
// mandate on a legal basis that is none of the caller's.
func (i *Issuer) concerned(ctx context.Context, c Caller, id string) error {
	if slices.Contains(keepsRegister, c.Role) {
		return nil
	}
	r, err := i.store.record(ctx, i.db, KindGuardianship, id)
	if err != nil {
		return err
	}
	g, err := readGuardianship(r)
	if err != nil {
		return err
	}
	if !decides(c.Role, g.LegalBasis.Type) {
		return ErrNoSuchGuardianship
	}
	return nil
}

// again tells the outcome of an earlier request, after sealing what it left
// open.
func (i *Issuer) again(ctx context.Context, o Outcome, err error) (Outcome, error) {
	if err != nil {
		return Outcome{}, err
	}
	return o, i.finish(ctx, o)
}

// correctable reads a record that may be corrected: in force or recorded
// without being issued, and not revoked. One that is suspended may be, and stays
// suspended.
func (i *Issuer) correctable(ctx context.Context, kind, id string) (row, error) {
	r, err := i.store.record(ctx, i.db, kind, id)
	if err != nil {
		return row{}, err
	}
	switch {
	case r.State != StateIssued && r.State != StateNotIssued:
		return row{}, ErrRecordState
	case r.Status == StatusRevoked:
		return row{}, ErrRevoked
	}
	return r, nil
}

// proposeCorrection stores the new version for a second person to decide.
func (i *Issuer) proposeCorrection(ctx context.Context, old row, next any, p proposal, cl *claim) (Outcome, error) {
	payload, err := encode(next)
	if err != nil {
		return Outcome{}, err
	}
	p.Payload = payload
	o := Outcome{ID: old.ID, State: StatePending, RecordVersion: old.Version}
	return i.store.proposeChange(ctx, old, p, closing{claim: cl, outcome: o})
}

func executeCorrectBirth(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	var b vc.Birth
	if err := json.Unmarshal(a.Payload, &b); err != nil {
		return Outcome{}, err
	}
	old, err := i.correctable(ctx, KindBirth, a.Record)
	if err != nil {
		return Outcome{}, err
	}
	before, err := readBirth(old)
	if err != nil {
		return Outcome{}, err
	}
	if err := CheckCorrection(before, &b); err != nil {
		return Outcome{}, err
	}
	return i.correctBirth(ctx, old, &b, authors{a.Caller, d.by}, closing{decision: &d})
}

// authors are who answer for a version of a record: who proposed it, and the
// second person where one was needed.
type authors struct {
	proposer Caller
	approver Caller
}

// correctBirth puts a checked new version of a birth into force.
func (i *Issuer) correctBirth(ctx context.Context, old row, b *vc.Birth, by authors, end closing) (Outcome, error) {
	record, err := encode(b)
	if err != nil {
		return Outcome{}, err
	}
	before, err := readBirth(old)
	if err != nil {
		return Outcome{}, err
	}
	v := version{old: old, new: old, birth: b, oldKeys: i.dedupKeys(before), keys: i.dedupKeys(b)}
	v.new.Version, v.new.Record, v.new.Proposer, v.new.Approver, v.new.Batch = b.RecordVersion, record, by.proposer, by.approver.Name, ""
	v.fall = order{act: actRevoked, reason: reasonCorrected, by: by.proposer, approver: by.approver, cause: old.ID}
	if isSealed(b) {
		v.new.ChildRef = token()
	}
	for range 5 {
		o, err := i.correctBirthOnce(ctx, v, end)
		if !errors.Is(err, errStale) {
			return o, err
		}
	}
	return Outcome{}, ErrRecordChanged
}

func (i *Issuer) correctBirthOnce(ctx context.Context, v version, end closing) (Outcome, error) {
	if err := i.judgeWards(ctx, &v); err != nil {
		return Outcome{}, err
	}
	d, rule, err := i.paperBirth(ctx, v.new, v.birth)
	if err != nil {
		return Outcome{}, err
	}
	v.new.Rule, v.drafts = rule, append(v.drafts, d)
	if v.cut() {
		if err := i.cutWards(ctx, &v); err != nil {
			i.dropAll(v.drafts)
			return Outcome{}, err
		}
	}
	return i.replace(ctx, v, end)
}

// judgeWards reads the guardianships of a birth and tells those that stand by
// its new version from those that fall with it. One that is recorded without
// being issued gives nobody anything and is left, but for a sealed record.
func (i *Issuer) judgeWards(ctx context.Context, v *version) error {
	gs, err := i.store.guardianshipsOf(ctx, i.db, v.old.ID)
	if err != nil {
		return err
	}
	v.wards = gs
	for _, r := range gs {
		if r.Status == StatusRevoked {
			continue
		}
		g, err := readGuardianship(r)
		if err != nil {
			return err
		}
		switch {
		case r.State == StateNotIssued && !isSealed(v.birth), KeepsMandate(g, v.birth, i.now()):
			v.stand = append(v.stand, r)
		default:
			v.falling = append(v.falling, r)
		}
	}
	return nil
}

// cutWards makes new papers for the guardianships that stand when the childRef
// of their ward changes; all their old copies are revoked.
func (i *Issuer) cutWards(ctx context.Context, v *version) error {
	for _, r := range v.stand {
		g, err := readGuardianship(r)
		if err != nil {
			return err
		}
		if v.old.Status != StatusValid || r.inForce() != nil || NotIssuable(g, v.birth, i.now()) != "" {
			continue
		}
		d, _, err := i.paperGuardianship(ctx, r, g, wardRecord{v.new, v.birth})
		if err != nil {
			return err
		}
		v.drafts = append(v.drafts, d)
	}
	return nil
}

// checkGuardianshipCorrection checks a new version of a guardianship against
// the old one and against the ward.
func (i *Issuer) checkGuardianshipCorrection(ctx context.Context, old row, g *vc.Guardianship) (wardRecord, error) {
	before, err := readGuardianship(old)
	if err != nil {
		return wardRecord{}, err
	}
	if err := CheckGuardianshipCorrection(before, g); err != nil {
		return wardRecord{}, err
	}
	w, b, err := i.ward(ctx, old)
	if err != nil {
		return wardRecord{}, err
	}
	return wardRecord{w, b}, CheckWard(g, b, i.now())
}

func executeCorrectGuardianship(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	var g vc.Guardianship
	if err := json.Unmarshal(a.Payload, &g); err != nil {
		return Outcome{}, err
	}
	old, err := i.correctable(ctx, KindGuardianship, a.Record)
	if err != nil {
		return Outcome{}, err
	}
	w, err := i.checkGuardianshipCorrection(ctx, old, &g)
	if err != nil {
		return Outcome{}, err
	}
	if err := w.row.inForce(); err != nil {
		return Outcome{}, err
	}
	before, err := readGuardianship(old)
	if err != nil {
		return Outcome{}, err
	}
	// Who could not have decided the old version cannot put another basis in its
	// place either.
	if _, err := decidingRole(before, a.Caller.Role, d.by.Role); err != nil {
		return Outcome{}, err
	}
	if err := countersigned(&g, a.Caller.Role, d.by.Role); err != nil {
		return Outcome{}, err
	}
	v := version{old: old, new: old, guard: &g, birth: w.birth, ward: w.row}
	if v.new.SignedAs, err = decidingRole(&g, a.Caller.Role, d.by.Role); err != nil {
		return Outcome{}, err
	}
	v.new.Version, v.new.Record, v.new.Proposer, v.new.Approver, v.new.Batch = old.Version+1, a.Payload, a.Caller, d.by.Name, ""
	v.new.State, v.new.Rule = StateIssued, ""
	if why := NotIssuable(&g, w.birth, i.now()); why != "" {
		v.new.State, v.new.Rule = StateNotIssued, why
	} else {
		dr, rule, err := i.paperGuardianship(ctx, v.new, &g, w)
		if err != nil {
			return Outcome{}, err
		}
		v.new.Rule = rule
		v.drafts = append(v.drafts, dr)
	}
	return i.replace(ctx, v, closing{decision: &d})
}

// replace stores a new version and seals its paper credentials.
func (i *Issuer) replace(ctx context.Context, v version, end closing) (Outcome, error) {
	o := Outcome{ID: v.old.ID, State: v.new.State, Rule: v.new.Rule, RecordVersion: v.new.Version}
	for _, d := range v.drafts {
		if d != nil {
			info := d.info
			info.State = v.old.Status
			o.Credentials = append(o.Credentials, info)
		}
	}
	end.outcome = o
	if err := i.store.replace(ctx, v, end); err != nil {
		if refused(err) {
			i.dropAll(v.drafts)
		}
		return Outcome{}, err
	}
	return o, i.seal(ctx, v.drafts...)
}
