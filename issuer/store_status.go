package issuer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// acts on a record's status, as status_acts and commitments name them.
const (
	actRevoked    = "revoked"
	actSuspended  = "suspended"
	actReinstated = "reinstated"
	actConfirmed  = "confirmed" // a suspension, by a second person
	actExpired    = "expired"   // a suspension that nobody confirmed
)

// order is a change of a record's status with who answers for it.
type order struct {
	act      string
	reason   string
	by       Caller
	approver Caller    // the second person; zero where none is needed
	cause    string    // id of the birth that this record falls with
	until    time.Time // of a suspension: its end if nobody confirms it; zero: none
}

// suspension is who suspended a record last, and why.
type suspension struct {
	by     Caller
	reason string
}

// step is what is to be done with a record: propose something, change its
// status, or, if both are nil, nothing.
type step struct {
	proposal *proposal
	order    *order
}

// changeStatus does what judge says about a record, or about that of a credential
// where no kind is given, in one transaction with the answer to the claim. judge sees the record as it is in
// that transaction and may be asked again. A proposal like one that waits is
// not made twice: the outcome names the one that waits.
func (s *Store) changeStatus(ctx context.Context, what found, cl *claim, judge judge) (o Outcome, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		var again bool
		if o, again, err = s.replayed(ctx, tx, cl); err != nil || again {
			return err
		}
		var r row
		if what.kind == "" {
			r, err = s.recordOf(ctx, tx, what.id)
		} else {
			r, err = s.record(ctx, tx, what.kind, what.id)
		}
		if err != nil {
			return err
		}
		if r, err = s.expire(ctx, tx, r); err != nil {
			return err
		}
		if r.suspension, err = s.lastSuspension(ctx, tx, r); err != nil {
			return err
		}
		do, err := judge(r)
		if err != nil {
			return err
		}
		if do.order != nil && !do.order.until.IsZero() {
			if do.order.until, err = s.alone(ctx, tx, r, *do.order); err != nil {
				return err
			}
		}
		if do.proposal != nil {
			o, err = s.proposeOnce(ctx, tx, r, *do.proposal)
		} else {
			if do.order != nil {
				if err := s.carryOut(ctx, tx, r, *do.order); err != nil {
					return err
				}
			}
			o, err = s.standing(ctx, tx, r)
		}
		if err != nil {
			return err
		}
		return s.answer(ctx, tx, cl, o)
	})
	if err != nil {
		return Outcome{}, err
	}
	return o, nil
}

// proposeOnce stores a proposal, unless one of its kind waits on the record.
func (s *Store) proposeOnce(ctx context.Context, tx *sql.Tx, r row, p proposal) (Outcome, error) {
	o := Outcome{ID: r.ID, State: StatePending, RecordVersion: r.Version}
	waiting, err := s.approvals(ctx, tx, `WHERE record = $2 AND kind = $3 AND state = 'pending'`, p.Record, p.Kind)
	if err != nil {
		return Outcome{}, err
	}
	if len(waiting) > 0 {
		o.Approval = waiting[0].ID
		return o, nil
	}
	p.ID = token()
	o.Approval = p.ID
	return o, s.propose(ctx, tx, p)
}

// revoke revokes the record of an approval, with the guardianships of a birth,
// and settles the approval, in one transaction.
func (s *Store) revoke(ctx context.Context, a approval, d decision, reason string) (Outcome, error) {
	return s.decided(ctx, a, d, func(tx *sql.Tx, r row) error {
		do := order{act: actRevoked, reason: reason, by: a.Caller, approver: d.by}
		if err := s.revokeRecord(ctx, tx, r, do, a.ID); err != nil {
			return err
		}
		if r.Kind == KindBirth {
			return s.revokeWards(ctx, tx, r, do)
		}
		return nil
	})
}

// decided does to a record what an approval asked for, and settles the approval with
// how the record stands then, in one transaction.
func (s *Store) decided(ctx context.Context, a approval, d decision, do func(*sql.Tx, row) error) (o Outcome, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		r, err := s.record(ctx, tx, a.RecordKind, a.Record)
		if err != nil {
			return err
		}
		if err := do(tx, r); err != nil {
			return err
		}
		if o, err = s.standing(ctx, tx, r); err != nil {
			return err
		}
		return s.settle(ctx, tx, d, o)
	})
	if err != nil {
		return Outcome{}, err
	}
	return o, nil
}

// revokeRecord revokes one record with all its copies and denies what waits on
// it, but for the approval that revokes it.
func (s *Store) revokeRecord(ctx context.Context, tx *sql.Tx, r row, o order, approval string) error {
	if r.Status == StatusRevoked {
		return nil
	}
	if err := s.carryOut(ctx, tx, r, o); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE approvals SET state = 'denied', payload = $3, decided = $4 WHERE record = $1 AND id <> $2 AND state = 'pending'`,
		r.ID, approval, []byte{}, store.Micros(s.now()))
	return err
}

// revokeWards revokes the guardianships of a birth. One that waits for a second
// person cannot come into force any more and is left to be denied.
func (s *Store) revokeWards(ctx context.Context, tx *sql.Tx, birth row, o order) error {
	gs, err := s.guardianshipsOf(ctx, tx, birth.ID)
	if err != nil {
		return err
	}
	o.cause = birth.ID
	for _, g := range gs {
		if g.State != StateIssued && g.State != StateNotIssued {
			continue
		}
		if err := s.revokeRecord(ctx, tx, g, o, ""); err != nil {
			return err
		}
	}
	return nil
}

// standing tells how a record and its copies stand now, in the transaction at
// hand.
func (s *Store) standing(ctx context.Context, tx *sql.Tx, r row) (Outcome, error) {
	r, err := s.record(ctx, tx, r.Kind, r.ID)
	if err != nil {
		return Outcome{}, err
	}
	cs, err := s.copies(ctx, tx, `WHERE record = $1 ORDER BY created DESC, id LIMIT 200`, r.ID)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{ID: r.ID, State: r.State, Status: r.Status, Rule: r.Rule, RecordVersion: r.Version}
	for _, c := range cs {
		o.Credentials = append(o.Credentials, c.CredentialInfo)
	}
	return o, nil
}

// recordOf finds the record that a credential is a copy of, in the transaction
// at hand.
func (s *Store) recordOf(ctx context.Context, q reader, credential string) (row, error) {
	var kind, record string
	err := q.QueryRowContext(ctx, `SELECT kind, record FROM credentials WHERE id = $1`, credential).Scan(&kind, &record)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, ErrNoSuchCredential
	}
	if err != nil {
		return row{}, err
	}
	return s.record(ctx, q, kind, record)
}

// carryOut changes the status of one record and of every copy of it, of all
// holders and versions, signed or still reserved, in the transaction at hand:
// the bits of the published lists, the commitments for the ledger and the
// audit's row. It changes nothing that has the status already.
func (s *Store) carryOut(ctx context.Context, tx *sql.Tx, r row, o order) error {
	status, suspendedBy, until, act := StatusValid, "", int64(0), o.act
	switch o.act {
	case actRevoked:
		status, suspendedBy = StatusRevoked, r.SuspendedBy
	case actSuspended:
		status, suspendedBy = StatusSuspended, o.by.Role
		if !o.until.IsZero() {
			until = store.Micros(o.until)
		}
	case actConfirmed:
		status, suspendedBy = StatusSuspended, r.SuspendedBy
		if rank(o.by.Role) > rank(r.SuspendedBy) {
			suspendedBy = o.by.Role
		}
	case actExpired:
		act = actReinstated // the ledger does not tell why
	}
	at := s.now()
	if _, err := tx.ExecContext(ctx, `UPDATE `+tables[r.Kind].name+` SET status = $2, suspended_by = $3, suspended_until = $4, changed = $5 WHERE id = $1`,
		r.ID, status, suspendedBy, until, store.Micros(at)); err != nil {
		return err
	}
	if err := s.mark(ctx, tx, r.ID, status, act); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO status_acts (record_kind, record, act, reason, cause, caller_id, caller_name, caller_role, approver_id, approver_name, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		r.Kind, r.ID, o.act, o.reason, o.cause, o.by.ID, o.by.Name, o.by.Role, o.approver.ID, o.approver.Name, store.Micros(at))
	return err
}

// mark gives every copy of a record this status, and every consent that was begun
// by it: a guardian who lost the mandate cannot go on consenting. What is revoked
// stays so: revocation is final.
func (s *Store) mark(ctx context.Context, tx *sql.Tx, record, status, act string) error {
	for _, table := range []string{"credentials", "consent_places"} {
		if err := s.markIn(ctx, tx, marking{table, "record", record, status, act}); err != nil {
			return err
		}
	}
	return nil
}

// marking says which rows with a place in the status lists get which status.
type marking struct {
	table, by, value string // rows of table whose column by has the value
	status, act      string
}

// markIn gives rows a status, except those that are revoked.
func (s *Store) markIn(ctx context.Context, tx *sql.Tx, m marking) error {
	rs, err := tx.QueryContext(ctx, `UPDATE `+m.table+` SET status = $2 WHERE `+m.by+` = $1 AND status <> $2 AND status <> $3 RETURNING id, list, idx`,
		m.value, m.status, StatusRevoked)
	if err != nil {
		return err
	}
	defer rs.Close()
	purpose, value := vc.PurposeSuspension, 0
	switch m.status {
	case StatusRevoked:
		purpose, value = vc.PurposeRevocation, 1
	case StatusSuspended:
		value = 1
	}
	at := s.now()
	var changes, commitments [][]any
	lists := map[int64]bool{}
	for rs.Next() {
		var id string
		var list, idx int64
		if err := rs.Scan(&id, &list, &idx); err != nil {
			return err
		}
		lists[list] = true
		changes = append(changes, []any{list, idx, purpose, value, store.Micros(at)})
		salt := make([]byte, 32)
		rand.Read(salt) // never fails (crypto/rand)
		hash, err := statusCommitment(salt, id, m.act, at)
		if err != nil {
			return err
		}
		commitments = append(commitments, []any{id, m.act, salt, hash, store.Micros(at)})
	}
	if err := rs.Err(); err != nil {
		return err
	}
	if err := s.changed(ctx, tx, changes, lists); err != nil {
		return err
	}
	return s.insert(ctx, tx, `INSERT INTO commitments (credential_id, kind, salt, hash, created)`, commitments)
}

// statusCommitment is the ledger's hash of one change of one credential, made
// like that of an issued one over {"credential","act","at"}: at is the row's
// time, to the microsecond. The salt keeps the ledger from telling which
// credential it was.
func statusCommitment(salt []byte, credential, act string, at time.Time) ([]byte, error) {
	entry, err := json.Marshal(struct {
		Credential string    `json:"credential"`
		Act        string    `json:"act"`
		At         time.Time `json:"at"`
	}{"urn:uuid:" + credential, act, store.Time(store.Micros(at))})
	if err != nil {
		return nil, err
	}
	return commitment(salt, entry), nil
}

// activeLists gives the status lists of a slot on which a credential can be in
// force then, by number. A list ends with the quarter in which its credentials
// expire, and is published for Config.Retain more, for those who look back.
func (s *Store) activeLists(ctx context.Context, of slot) ([]int64, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT id FROM status_lists WHERE quarter >= $1 AND id <= $2 ORDER BY id`, quarter(of.at.Add(-s.retain)), of.lists)
	return store.All(rs, err, store.One[int64])
}

// flip is one change of one bit.
type flip struct {
	id      int64
	index   int64
	purpose string
	on      bool
}

// flips gives the changes of a list after one and up to another, in their order.
// Ids grow in the order of commits because every writer holds the pen.
func (s *Store) flips(ctx context.Context, list, after, last int64) ([]flip, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT id, idx, purpose, value FROM status_changes WHERE list = $1 AND id > $2 AND id <= $3 ORDER BY id`, list, after, last)
	return store.All(rs, err, func(rs *sql.Rows) (f flip, err error) {
		var value int64
		err = rs.Scan(&f.id, &f.index, &f.purpose, &value)
		f.on = value != 0
		return f, err
	})
}
