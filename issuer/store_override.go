package issuer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

const selectOverride = `SELECT o.id, l.address, o.idx, l.purpose, o.state, o.reason, o.caller_role, o.caller_name, o.caller_id, o.ends, o.created, o.list
	FROM overrides AS o JOIN override_lists AS l ON l.id = o.list `

func (s *Store) overrides(ctx context.Context, q reader, where string, args ...any) ([]Override, error) {
	rs, err := q.QueryContext(ctx, selectOverride+where, args...)
	return store.All(rs, err, func(rs *sql.Rows) (o Override, err error) {
		var ends, created int64
		err = rs.Scan(&o.ID, &o.List, &o.index, &o.Purpose, &o.State, &o.Reason, &o.Role, &o.By, &o.caller, &ends, &created, &o.list)
		o.Index, o.Created = strconv.FormatInt(o.index, 10), store.Time(created)
		if ends > 0 {
			o.Until = store.Time(ends)
		}
		return o, err
	})
}

// outcome tells how an override stands.
func (o Override) outcome() Outcome {
	out := Outcome{ID: o.ID, State: o.State}
	if o.State == OverrideActive {
		out.Status = map[string]string{vc.PurposeRevocation: StatusRevoked, vc.PurposeSuspension: StatusSuspended}[o.Purpose]
	}
	return out
}

// addOverride stores an override, or finds the one that lives at its place, in
// one transaction with the answer to the claim. A revocation waits for a second
// person; a higher role takes over what a lower one ordered.
func (s *Store) addOverride(ctx context.Context, o Override, cl *claim) (out Outcome, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		var again bool
		if out, again, err = s.replayed(ctx, tx, cl); err != nil || again {
			return err
		}
		list, err := s.listOver(ctx, tx, o)
		if err != nil {
			return err
		}
		o := o
		o.list = list
		by := Caller{ID: o.caller, Name: o.By, Role: o.Role}
		living, err := s.livingOverride(ctx, tx, o)
		if err != nil {
			return err
		}
		switch {
		case living != nil && living.State == StatePending:
			out, err = s.waitingOverride(ctx, tx, *living)
		case living != nil && rank(o.Role) <= rank(living.Role):
			out = living.outcome()
		case o.Purpose == vc.PurposeRevocation:
			out, err = s.proposeOverride(ctx, tx, o, by)
		default:
			out, err = s.suspendOver(ctx, tx, o, living)
		}
		if err != nil {
			return err
		}
		return s.answer(ctx, tx, cl, out)
	})
	if err != nil {
		return Outcome{}, err
	}
	return out, nil
}

// listOver gives the number of the list over another issuer's list, which it
// makes or makes longer where it has to.
func (s *Store) listOver(ctx context.Context, tx *sql.Tx, o Override) (int64, error) {
	// As long as this issuer's own lists, which says nothing of what is on it.
	size := int64(status.MinSize)
	for size < s.lists.size || size <= o.index {
		size *= 2
	}
	var id, have int64
	err := tx.QueryRowContext(ctx, `SELECT id, size FROM override_lists WHERE address = $1 AND purpose = $2`, o.List, o.Purpose).Scan(&id, &have)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE override_lists SET size = $2 WHERE id = $1`, id, max(size, have))
		return id, err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM override_lists`).Scan(&id); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO override_lists (id, address, purpose, role, size, version, created) VALUES ($1, $2, $3, $4, $5, 0, $6)`,
		id, o.List, o.Purpose, o.Role, size, store.Micros(s.now()))
	return id, err
}

// livingOverride gives the override at a place that waits or is in force, or nil.
// One whose time is over ends here.
func (s *Store) livingOverride(ctx context.Context, tx *sql.Tx, o Override) (*Override, error) {
	os, err := s.overrides(ctx, tx, `WHERE o.list = $1 AND o.idx = $2 AND o.state IN ('pendingApproval', 'active')`, o.list, o.index)
	if err != nil || len(os) == 0 {
		return nil, err
	}
	if os[0].over(s.now()) {
		return nil, s.endOverride(ctx, tx, os[0])
	}
	return &os[0], nil
}

// waitingOverride tells which approval a pending override waits for.
func (s *Store) waitingOverride(ctx context.Context, tx *sql.Tx, o Override) (Outcome, error) {
	as, err := s.approvals(ctx, tx, `WHERE record = $2 AND kind = $3 AND state = 'pending'`, o.ID, actOverride)
	if err != nil {
		return Outcome{}, err
	}
	out := o.outcome()
	if len(as) > 0 {
		out.Approval = as[0].ID
	}
	return out, nil
}

func (s *Store) proposeOverride(ctx context.Context, tx *sql.Tx, o Override, by Caller) (Outcome, error) {
	o.State = StatePending
	if err := s.insertOverride(ctx, tx, o); err != nil {
		return Outcome{}, err
	}
	payload, err := json.Marshal(OverrideRequest{o.List, o.Index, o.Purpose, o.Reason})
	if err != nil {
		return Outcome{}, err
	}
	p := proposal{ID: token(), Kind: actOverride, RecordKind: kindOverride, Record: o.ID, Payload: payload, Caller: by}
	out := o.outcome()
	out.Approval = p.ID
	return out, s.propose(ctx, tx, p)
}

// suspendOver puts a suspension into force, in the place of one by a lower role
// if there is one.
func (s *Store) suspendOver(ctx context.Context, tx *sql.Tx, o Override, lower *Override) (Outcome, error) {
	if lower != nil {
		if lower.Until.IsZero() {
			o.Until = time.Time{} // what was confirmed stays so
		}
		to := *lower
		to.State = OverrideLifted
		if err := s.moveOverride(ctx, tx, to, overrideAct{act: "takenOver", reason: o.Reason, by: Caller{ID: o.caller, Name: o.By, Role: o.Role}}); err != nil {
			return Outcome{}, err
		}
	}
	if !o.Until.IsZero() {
		until, err := s.aloneOver(ctx, tx, o)
		if err != nil {
			return Outcome{}, err
		}
		o.Until = until
	}
	if err := s.insertOverride(ctx, tx, o); err != nil {
		return Outcome{}, err
	}
	return o.outcome(), s.moveOverride(ctx, tx, o, overrideAct{act: actSuspended, reason: o.Reason, by: Caller{ID: o.caller, Name: o.By, Role: o.Role}})
}

// aloneOver is alone for a place on another issuer's list.
func (s *Store) aloneOver(ctx context.Context, tx *sql.Tx, o Override) (time.Time, error) {
	now := s.now()
	var first sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT MIN(created) FROM overrides WHERE list = $1 AND idx = $2 AND (caller_id = $3 OR caller_name = $4)
		AND confirmed = 0 AND state IN ('lifted', 'expired') AND created > $5`, o.list, o.index, o.caller, o.By, store.Micros(now.Add(-suspensionMemory))).Scan(&first)
	if err != nil {
		return time.Time{}, err
	}
	until := o.Until
	if first.Valid {
		until = earlier(until, store.Time(first.Int64).Add(suspensionTerm))
	}
	if !now.Before(until) {
		return time.Time{}, ErrSuspensionRepeated
	}
	return until, nil
}

func (s *Store) insertOverride(ctx context.Context, tx *sql.Tx, o Override) error {
	at := store.Micros(s.now())
	_, err := tx.ExecContext(ctx, `INSERT INTO overrides (id, list, idx, state, reason, ends, confirmed, caller_id, caller_name, caller_role, created, changed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		o.ID, o.list, o.index, o.State, o.Reason, ends(o), confirmed(o), o.caller, o.By, o.Role, at, at)
	return err
}

func ends(o Override) int64 {
	if o.Until.IsZero() || o.State != OverrideActive {
		return 0
	}
	return store.Micros(o.Until)
}

func confirmed(o Override) int {
	if o.Until.IsZero() {
		return 1
	}
	return 0
}

// overrideAct is a row of the audit.
type overrideAct struct {
	act, reason  string
	by, approver Caller
}

// moveOverride makes an override what o says, with the audit's row, and has its
// list signed anew.
func (s *Store) moveOverride(ctx context.Context, tx *sql.Tx, o Override, a overrideAct) error {
	at := store.Micros(s.now())
	if _, err := tx.ExecContext(ctx, `UPDATE overrides SET state = $2, ends = $3, confirmed = $4, caller_role = $5, changed = $6 WHERE id = $1`,
		o.ID, o.State, ends(o), confirmed(o), o.Role, at); err != nil {
		return err
	}
	// What a court has a part in is signed by the court.
	if _, err := tx.ExecContext(ctx, `UPDATE override_lists SET version = version + 1, role = CASE WHEN $2 = 'court' THEN 'court' ELSE role END WHERE id = $1`,
		o.list, o.Role); err != nil {
		return err
	}
	value := 0
	if o.State == OverrideActive {
		value = 1
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO override_changes (list, idx, value, role, size, at) SELECT id, $2, $3, role, size, $4 FROM override_lists WHERE id = $1`,
		o.list, o.index, value, at); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO override_acts (override, act, reason, caller_id, caller_name, caller_role, approver_id, approver_name, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, o.ID, a.act, a.reason, a.by.ID, a.by.Name, a.by.Role, a.approver.ID, a.approver.Name, at)
	return err
}

// overrideChange is a change of one override: by a caller with a claim, or by
// the decision of a second person.
type overrideChange struct {
	id       string
	by       Caller
	reason   string
	claim    *claim
	decision *decision
	judge    func(Override) (overrideStep, error)
}

// changeOverride does what judge says about an override, in one transaction with
// the answer to the claim or the decision. judge sees it as it is in that
// transaction and may be asked again.
func (s *Store) changeOverride(ctx context.Context, c overrideChange) (out Outcome, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		var again bool
		if out, again, err = s.replayed(ctx, tx, c.claim); err != nil || again {
			return err
		}
		o, err := s.override(ctx, tx, c.id)
		if err != nil {
			return err
		}
		do, err := c.judge(o)
		if err != nil {
			return err
		}
		out = o.outcome()
		switch {
		case do.proposal != nil:
			if out, err = s.proposeOnce(ctx, tx, row{Kind: kindOverride, ID: o.ID}, *do.proposal); err != nil {
				return err
			}
		case do.to != nil:
			if err := s.moveOverride(ctx, tx, *do.to, overrideAct{act: do.act, reason: c.reason, by: c.by, approver: do.approver}); err != nil {
				return err
			}
			out = do.to.outcome()
		}
		return s.close(ctx, tx, closing{claim: c.claim, decision: c.decision, outcome: out})
	})
	if err != nil {
		return Outcome{}, err
	}
	return out, nil
}

// override reads one, ended if its time is over.
func (s *Store) override(ctx context.Context, tx *sql.Tx, id string) (Override, error) {
	os, err := s.overrides(ctx, tx, `WHERE o.id = $1`, id)
	if err != nil {
		return Override{}, err
	}
	if len(os) == 0 {
		return Override{}, ErrNoSuchOverride
	}
	if !os[0].over(s.now()) {
		return os[0], nil
	}
	if err := s.endOverride(ctx, tx, os[0]); err != nil {
		return Override{}, err
	}
	os[0].State = OverrideExpired
	return os[0], nil
}

// endOverride ends a suspension that nobody confirmed.
func (s *Store) endOverride(ctx context.Context, tx *sql.Tx, o Override) error {
	o.State = OverrideExpired
	return s.moveOverride(ctx, tx, o, overrideAct{act: actExpired, reason: reasonUnconfirmed})
}

// expireOverrides ends every suspension by override that nobody confirmed in
// time, as expireSuspensions does those of the own records.
func (s *Store) expireOverrides(ctx context.Context) error {
	for {
		at := store.Micros(s.now())
		var one int
		err := s.db.QueryRowContext(ctx, `SELECT 1 FROM overrides WHERE ends > 0 AND ends <= $1 LIMIT 1`, at).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		n := 0
		err = s.write(ctx, func(tx *sql.Tx) error {
			os, err := s.overrides(ctx, tx, `WHERE o.ends > 0 AND o.ends <= $1 ORDER BY o.ends, o.id LIMIT $2`, at, expireBatch)
			if err != nil {
				return err
			}
			for _, o := range os {
				if err := s.endOverride(ctx, tx, o); err != nil {
					return err
				}
			}
			n = len(os)
			return nil
		})
		if err != nil || n == 0 { // somebody else ended them
			return err
		}
	}
}

// overrideLists gives the numbers of the lists over others' lists on which
// something was in force by a slot, oldest first.
func (s *Store) overrideLists(ctx context.Context, of slot) ([]int64, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT DISTINCT list FROM override_changes WHERE id <= $1 ORDER BY list`, of.overrides)
	return store.All(rs, err, store.One[int64])
}

// overrideList reads a list as a slot shows it, or gives ErrNoSuchStatusList.
func (s *Store) overrideList(ctx context.Context, n int64, of slot) (overrideList, error) {
	l := overrideList{set: map[int64]bool{}}
	rs, err := s.db.QueryContext(ctx, `SELECT l.address, l.purpose, c.role, c.size, c.id, c.idx, c.value FROM override_lists AS l
		JOIN override_changes AS c ON c.list = l.id WHERE l.id = $1 AND c.id <= $2 ORDER BY c.id`, n, of.overrides)
	if err != nil {
		return l, err
	}
	defer rs.Close()
	for rs.Next() {
		var index, value int64
		if err := rs.Scan(&l.address, &l.purpose, &l.role, &l.size, &l.cursor, &index, &value); err != nil {
			return l, err
		}
		if delete(l.set, index); value != 0 {
			l.set[index] = true
		}
	}
	if err := rs.Err(); err != nil {
		return l, err
	}
	if l.cursor == 0 {
		return l, ErrNoSuchStatusList
	}
	return l, nil
}
