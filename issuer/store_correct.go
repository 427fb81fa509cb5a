package issuer

import (
	"context"
	"database/sql"
	"slices"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// version is a new version of a record that replaces an old one.
type version struct {
	old           row
	new           row       // Version, ChildRef, State, Rule, Record, Proposer, Approver count
	birth         *vc.Birth // the new version, or the ward of guard
	guard         *vc.Guardianship
	oldKeys, keys [][]byte // of a birth: hashed search keys
	drafts        []*draft
	ward          row // of a guardianship: the birth as it was when the version was checked
	// Of a birth: its guardianships as they were when the version was checked,
	// those of them that stand by it, and those that fall, which fall says how.
	wards, stand, falling []row
	fall                  order
}

// cut reports that the ward's reference changes, which no old copy may survive.
func (v version) cut() bool { return v.old.ChildRef != v.new.ChildRef }

// replace stores a new version, revokes every copy of the old one and reserves
// the new paper credentials, in one transaction. Another correction that waits
// is denied: it was written for the old version.
func (s *Store) replace(ctx context.Context, v version, end closing) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.replaceVersion(ctx, tx, v); err != nil {
			return err
		}
		end.outcome.dated(v.drafts)
		if err := s.close(ctx, tx, end); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE approvals SET state = 'denied', payload = $2, decided = $3
			WHERE record = $1 AND state = 'pending' AND kind IN ($4, $5)`,
			v.old.ID, []byte{}, store.Micros(s.now()), actCorrectBirth, actCorrectGuardianship)
		return err
	})
}

func (s *Store) replaceVersion(ctx context.Context, tx *sql.Tx, v version) error {
	if err := s.unchanged(ctx, tx, v); err != nil {
		return err
	}
	n := v.new
	var err error
	at := store.Micros(s.now())
	if v.old.Kind == KindGuardianship {
		if n.State == StateIssued {
			if err := s.free(ctx, tx, n, v.guard, v.birth); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE guardianships SET version = $2, state = $3, rule = $4, record = $5, proposer_id = $6,
			proposer_name = $7, proposer_role = $8, approver = $9, changed = $10, signed_as = $11 WHERE id = $1`,
			n.ID, n.Version, n.State, n.Rule, n.Record, n.Proposer.ID, n.Proposer.Name, n.Proposer.Role, n.Approver, at, n.SignedAs)
	} else {
		err = s.replaceBirth(ctx, tx, v, at)
	}
	if err != nil {
		return err
	}
	if err := s.unsearch(ctx, tx, n.Kind, n.ID); err != nil {
		return err
	}
	cut := []row{v.old}
	if v.cut() {
		cut = append(cut, v.stand...)
	}
	for _, r := range cut {
		if err := s.mark(ctx, tx, r.ID, StatusRevoked, actRevoked); err != nil {
			return err
		}
	}
	for _, r := range v.falling {
		if err := s.fell(ctx, tx, r, v.fall); err != nil {
			return err
		}
	}
	return s.reserve(ctx, tx, v.drafts, v.old.Status)
}

// fell revokes a guardianship that its ward's birth does not bear any more,
// whatever state it is in, denies what waits on it and ends what its holders
// could fetch new copies with.
func (s *Store) fell(ctx context.Context, tx *sql.Tx, r row, o order) error {
	if err := s.revokeRecord(ctx, tx, r, o, ""); err != nil {
		return err
	}
	return s.endGrants(ctx, tx, r.ID)
}

// unchanged refuses a version that was checked against a record that changed
// since. It gives errStale where only guardianships of the birth did.
func (s *Store) unchanged(ctx context.Context, tx *sql.Tx, v version) error {
	before := []row{v.old}
	if v.ward.ID != "" {
		before = append(before, v.ward)
	}
	for _, r := range before {
		now, err := s.record(ctx, tx, r.Kind, r.ID)
		if err != nil {
			return err
		}
		if !now.same(r) {
			return ErrRecordChanged
		}
	}
	if v.old.Kind != KindBirth {
		return nil
	}
	gs, err := s.guardianshipsOf(ctx, tx, v.old.ID)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(gs, v.wards, row.same) {
		return errStale
	}
	return nil
}

func (s *Store) replaceBirth(ctx context.Context, tx *sql.Tx, v version, at int64) error {
	n := v.new
	t, err := s.candidates(ctx, tx, v.keys)
	if err != nil {
		return err
	}
	if err := s.dropKeys(ctx, tx, n.ID, v.oldKeys); err != nil {
		return err
	}
	if t.like(&entry{row: n, birth: v.birth, keys: v.keys}) != "" {
		return ErrDuplicate
	}
	if _, err := tx.ExecContext(ctx, `UPDATE births SET version = $2, child_ref = $3, state = $4, rule = $5, record = $6, proposer_id = $7,
		proposer_name = $8, proposer_role = $9, approver = $10, changed = $11 WHERE id = $1`,
		n.ID, n.Version, n.ChildRef, n.State, n.Rule, n.Record, n.Proposer.ID, n.Proposer.Name, n.Proposer.Role, n.Approver, at); err != nil {
		return err
	}
	var keys [][]any
	for _, k := range v.keys {
		keys = append(keys, []any{k, n.ID})
	}
	return s.insert(ctx, tx, `INSERT INTO dedup (hash, birth)`, keys)
}

// admission turns waiting records into ones in force (or pending, or not
// issued), with their paper credentials.
type admission struct {
	old      row
	state    string
	rule     string
	approver string
	draft    *draft
	approval string // id of the approval that it now waits for
	// Of a guardianship by itself: what it says, and the birth as it was when it
	// was checked.
	guard *vc.Guardianship
	ward  wardRecord
}

// admit changes the states of records that are as they were when they were
// read, in one transaction. It gives errStale if one is not, or if birth has
// held guardianships that are not in the list.
func (s *Store) admit(ctx context.Context, in []admission, birth string, end closing) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.admitRecords(ctx, tx, in, birth); err != nil {
			return err
		}
		for _, a := range in {
			end.outcome.dated([]*draft{a.draft})
		}
		return s.close(ctx, tx, end)
	})
}

func (s *Store) admitRecords(ctx context.Context, tx *sql.Tx, in []admission, birth string) error {
	if birth != "" {
		gs, err := s.guardianshipsOf(ctx, tx, birth)
		if err != nil {
			return err
		}
		listed := map[string]bool{}
		for _, a := range in {
			listed[a.old.ID] = true
		}
		for _, g := range gs {
			if g.State == StateHeld && g.Status == StatusValid && !listed[g.ID] {
				return errStale
			}
		}
	}
	var drafts []*draft
	for _, a := range in {
		for _, r := range []row{a.old, a.ward.row} {
			if r.ID == "" {
				continue
			}
			now, err := s.record(ctx, tx, r.Kind, r.ID)
			if err != nil {
				return err
			}
			if !now.same(r) {
				return errStale
			}
		}
		if a.guard != nil && a.state == StateIssued {
			if err := s.free(ctx, tx, a.old, a.guard, a.ward.birth); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE `+tables[a.old.Kind].name+` SET state = $2, rule = $3, approver = $4, changed = $5 WHERE id = $1`,
			a.old.ID, a.state, a.rule, a.approver, store.Micros(s.now())); err != nil {
			return err
		}
		if a.old.SignedAs != "" {
			if _, err := tx.ExecContext(ctx, `UPDATE guardianships SET signed_as = $2 WHERE id = $1`, a.old.ID, a.old.SignedAs); err != nil {
				return err
			}
		}
		if a.draft != nil {
			drafts = append(drafts, a.draft)
		}
		if a.approval != "" {
			p := proposal{ID: a.approval, Kind: registerKinds[a.old.Kind], RecordKind: a.old.Kind, Record: a.old.ID, Caller: a.old.Proposer}
			if err := s.propose(ctx, tx, p); err != nil {
				return err
			}
		}
	}
	return s.reserve(ctx, tx, drafts, StatusValid)
}

// discard forgets a record that was never in force, with the search keys and
// the guardianships of a birth, in one transaction: what is left says only that
// there was one.
func (s *Store) discard(ctx context.Context, r row, keys [][]byte, end closing) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		now, err := s.record(ctx, tx, r.Kind, r.ID)
		if err != nil {
			return err
		}
		if !now.same(r) {
			return ErrRecordChanged
		}
		if err := s.close(ctx, tx, end); err != nil {
			return err
		}
		return s.discardRecord(ctx, tx, r, keys)
	})
}

func (s *Store) discardRecord(ctx context.Context, tx *sql.Tx, r row, keys [][]byte) error {
	at := store.Micros(s.now())
	ids := []string{r.ID}
	if r.Kind == KindBirth {
		if err := s.dropKeys(ctx, tx, r.ID, keys); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE births SET state = $2, ref = NULL, digest = NULL, record = $3, changed = $4 WHERE id = $1`,
			r.ID, StateDiscarded, []byte{}, at); err != nil {
			return err
		}
		gs, err := s.guardianshipsOf(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		for _, g := range gs {
			ids = append(ids, g.ID)
		}
	}
	for _, id := range ids {
		if err := s.unsearch(ctx, tx, r.Kind, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE guardianships SET state = $2, digest = NULL, record = $3, changed = $4 WHERE id = $1`,
			id, StateDiscarded, []byte{}, at); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE approvals SET state = 'denied', payload = $2, decided = $3 WHERE record = $1 AND state = 'pending'`,
			id, []byte{}, at); err != nil {
			return err
		}
	}
	return nil
}
