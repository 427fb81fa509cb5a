package issuer

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/kinpass/kinpass/internal/store"
)

// claim is an Idempotency-Key with the request that it stands for.
type claim struct {
	key     []byte
	request []byte
}

// replays finds the entries whose request was answered before. No two entries
// of one transaction have the same key (next).
func (s *Store) replays(ctx context.Context, tx *sql.Tx, in []*entry) error {
	byKey := map[string]*entry{}
	var keys [][]byte
	for _, e := range in {
		if e.claim != nil {
			keys = append(keys, e.claim.key)
			byKey[string(e.claim.key)] = e
		}
	}
	for part := range chunks(keys, 200) {
		among, values := store.Among(s.db, part)
		rs, err := tx.QueryContext(ctx, `SELECT key_hash, request, response FROM idempotency WHERE key_hash IN `+among, values...)
		if err != nil {
			return err
		}
		for rs.Next() {
			var key, request, response []byte
			if err := rs.Scan(&key, &request, &response); err != nil {
				rs.Close()
				return err
			}
			e := byKey[string(key)]
			e.outcome, e.replay, e.err = readAnswer(e.claim, request, response)
		}
		if err := rs.Err(); err != nil {
			return err
		}
	}
	return nil
}

func readAnswer(c *claim, request, response []byte) (Outcome, bool, error) {
	if !bytes.Equal(request, c.request) {
		return Outcome{}, false, ErrIdempotency
	}
	var o Outcome
	if err := json.Unmarshal(response, &o); err != nil {
		return Outcome{}, false, err
	}
	return o, true, nil
}

// replayed gives the answer to an earlier request with this claim; ok is false
// if there was none. A nil claim has none.
func (s *Store) replayed(ctx context.Context, q reader, c *claim) (o Outcome, ok bool, err error) {
	if c == nil {
		return Outcome{}, false, nil
	}
	var request, response []byte
	err = q.QueryRowContext(ctx, `SELECT request, response FROM idempotency WHERE key_hash = $1`, c.key).Scan(&request, &response)
	if errors.Is(err, sql.ErrNoRows) {
		return Outcome{}, false, nil
	}
	if err != nil {
		return Outcome{}, false, err
	}
	return readAnswer(c, request, response)
}

// answer stores the outcome for a claim, in the transaction of the act. A nil
// claim stores nothing.
func (s *Store) answer(ctx context.Context, tx *sql.Tx, c *claim, o Outcome) error {
	if c == nil {
		return nil
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO idempotency (key_hash, request, response, created) VALUES ($1, $2, $3, $4)`,
		c.key, c.request, body, store.Micros(s.now()))
	return err
}

// forgetAnswers deletes the answers that are older than a month, and empties the
// witnessed consents that they lead to: the guardians have these.
func (s *Store) forgetAnswers(ctx context.Context) error {
	old := store.Micros(s.now().AddDate(0, -1, 0))
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE created < $1`, old); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE witnessed SET jwt = '', state = 'gone' WHERE state = 'sealed' AND created < $1`, old)
		return err
	})
}

// proposal is an act that waits for a second person. ID is made by propose if
// it is empty.
type proposal struct {
	ID         string
	Kind       string // key of acts
	RecordKind string
	Record     string
	Payload    []byte
	Caller     Caller
}

// propose stores a proposal in the transaction at hand.
func (s *Store) propose(ctx context.Context, tx *sql.Tx, p proposal) error {
	if p.Payload == nil {
		p.Payload = []byte{}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO approvals (id, kind, record_kind, record, payload, proposer_id, proposer_name, proposer_role, created, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending')`,
		p.ID, p.Kind, p.RecordKind, p.Record, p.Payload, p.Caller.ID, p.Caller.Name, p.Caller.Role, store.Micros(s.now()))
	return err
}

// proposeChange stores a proposal to change a record that is as it was when it
// was read, in one transaction with the answer to the claim, and gives the
// outcome with the id of the approval. One proposal of a kind waits at a time.
func (s *Store) proposeChange(ctx context.Context, r row, p proposal, end closing) (o Outcome, err error) {
	p.RecordKind, p.Record = r.Kind, r.ID
	err = s.write(ctx, func(tx *sql.Tx) error {
		var again bool
		if o, again, err = s.replayed(ctx, tx, end.claim); err != nil || again {
			return err
		}
		now, err := s.record(ctx, tx, r.Kind, r.ID)
		if err != nil {
			return err
		}
		if !now.same(r) {
			return ErrRecordChanged
		}
		var waiting int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM approvals WHERE record = $1 AND kind = $2 AND state = 'pending'`, r.ID, p.Kind).
			Scan(&waiting); err != nil {
			return err
		}
		if waiting > 0 {
			return ErrWaiting
		}
		p.ID = token()
		if err := s.propose(ctx, tx, p); err != nil {
			return err
		}
		o = end.outcome
		o.Approval = p.ID
		return s.answer(ctx, tx, end.claim, o)
	})
	if err != nil {
		return Outcome{}, err
	}
	return o, nil
}

const selectApproval = `SELECT id, kind, record_kind, record, payload, proposer_id, proposer_name, proposer_role, created, state, decider_id, decider_name, COALESCE(outcome, $1) FROM approvals `

func (s *Store) approvals(ctx context.Context, q reader, where string, args ...any) ([]approval, error) {
	rs, err := q.QueryContext(ctx, selectApproval+where, append([]any{[]byte{}}, args...)...)
	return store.All(rs, err, func(rs *sql.Rows) (a approval, err error) {
		var created int64
		err = rs.Scan(&a.ID, &a.Kind, &a.RecordKind, &a.Record, &a.Payload, &a.Caller.ID, &a.Caller.Name, &a.Caller.Role, &created,
			&a.State, &a.Decider.ID, &a.Decider.Name, &a.Outcome)
		a.Created = store.Time(created)
		return a, err
	})
}

// approval reads one, decided or not.
func (s *Store) approval(ctx context.Context, id string) (approval, error) {
	as, err := s.approvals(ctx, s.db, `WHERE id = $2`, id)
	if err != nil {
		return approval{}, err
	}
	if len(as) == 0 {
		return approval{}, ErrNoSuchApproval
	}
	return as[0], nil
}

// closing is what ends a transaction: the answer to a claim or the decision of
// an approval, with the outcome to tell. Both may be nil.
type closing struct {
	claim    *claim
	decision *decision
	outcome  Outcome
}

func (s *Store) close(ctx context.Context, tx *sql.Tx, end closing) error {
	if end.decision != nil {
		if err := s.settle(ctx, tx, *end.decision, end.outcome); err != nil {
			return err
		}
	}
	return s.answer(ctx, tx, end.claim, end.outcome)
}

// refuse settles an approval that changes nothing.
func (s *Store) refuse(ctx context.Context, d decision, o Outcome) error {
	return s.write(ctx, func(tx *sql.Tx) error { return s.settle(ctx, tx, d, o) })
}

// settle closes an approval in the transaction that does what was approved, so
// that it is done once.
func (s *Store) settle(ctx context.Context, tx *sql.Tx, d decision, o Outcome) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	state := "denied"
	if d.accept {
		state = "approved"
	}
	r, err := tx.ExecContext(ctx, `UPDATE approvals SET state = $2, payload = $3, decider_id = $4, decider_name = $5, decided = $6, outcome = $7
		WHERE id = $1 AND state = 'pending'`, d.approval, state, []byte{}, d.by.ID, d.by.Name, store.Micros(s.now()), body)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return ErrAlreadyDecided
}
