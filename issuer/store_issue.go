package issuer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// reserve stores the exact bytes of credentials with their places in the
// status lists and the commitments to them: signed, or unsigned ones that are
// sealed later (seal), by this process or by whoever finds them open.
func (s *Store) reserve(ctx context.Context, tx *sql.Tx, drafts []*draft, status string) error {
	if err := s.undate(ctx, tx, drafts); err != nil {
		return err
	}
	var credentials, commitments, changes [][]any
	at := store.Micros(s.now())
	lists := map[int64]bool{}
	for _, d := range drafts {
		payload, state := any(d.payload), "reserved"
		if d.jwt != "" {
			payload, state = nil, "sealed"
		}
		credentials = append(credentials, []any{d.info.ID, d.kind, d.record, d.info.RecordVersion, d.info.Type, d.info.Profile, d.holder,
			d.place.list, d.place.index, payload, d.jwt, state, status,
			store.Micros(d.info.ValidFrom), store.Micros(d.info.ValidUntil), d.batch, at, d.role, d.office})
		commitments = append(commitments, []any{d.info.ID, "issued", d.salt, d.hash, at})
		if status == StatusSuspended {
			lists[d.place.list] = true
			changes = append(changes, []any{d.place.list, d.place.index, vc.PurposeSuspension, 1, at})
			// The published bit is in the ledger like any other.
			salt := make([]byte, 32)
			rand.Read(salt) // never fails (crypto/rand)
			hash, err := statusCommitment(salt, d.info.ID, actSuspended, store.Time(at))
			if err != nil {
				return err
			}
			commitments = append(commitments, []any{d.info.ID, actSuspended, salt, hash, at})
		}
	}
	if err := s.insert(ctx, tx, `INSERT INTO credentials (id, kind, record, version, type, profile, holder, list, idx, payload, jwt, state, status, valid_from, valid_until, batch, created, signed_as, office)`, credentials); err != nil {
		return err
	}
	if err := s.insert(ctx, tx, `INSERT INTO commitments (credential_id, kind, salt, hash, created)`, commitments); err != nil {
		return err
	}
	return s.changed(ctx, tx, changes, lists)
}

// changed records changes of status bits and raises the version of their lists.
func (s *Store) changed(ctx context.Context, tx *sql.Tx, changes [][]any, lists map[int64]bool) error {
	if err := s.insert(ctx, tx, `INSERT INTO status_changes (list, idx, purpose, value, at)`, changes); err != nil {
		return err
	}
	for id := range lists {
		if _, err := tx.ExecContext(ctx, `UPDATE status_lists SET version = version + 1 WHERE id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}

// sealing is a signed credential on its way into its reservation. After the
// transaction JWT is what the reservation holds: that of whoever came first.
type sealing struct {
	ID  string
	JWT string
}

// seal closes reservations. A reservation is closed once: if somebody else
// signed it meanwhile, theirs stays and is given back.
func (s *Store) seal(ctx context.Context, tx *sql.Tx, in []*sealing) error {
	first := map[string]*sealing{}
	var each []*sealing // one per reservation
	for _, x := range in {
		if first[x.ID] == nil {
			first[x.ID] = x
			each = append(each, x)
		}
	}
	for part := range halves(each, 64) {
		if err := s.sealPart(ctx, tx, part); err != nil {
			return err
		}
	}
	for _, x := range in {
		x.JWT = first[x.ID].JWT
	}
	return nil
}

func (s *Store) sealPart(ctx context.Context, tx *sql.Tx, in []*sealing) error {
	args := make([]any, 0, 2*len(in))
	late := make(map[string]*sealing, len(in))
	for _, x := range in {
		args = append(args, x.ID, x.JWT)
		late[x.ID] = x
	}
	rs, err := tx.QueryContext(ctx, `WITH v (id, jwt) AS (VALUES `+s.tuples(len(in), 2)+`)
		UPDATE credentials SET jwt = v.jwt, payload = NULL, state = 'sealed' FROM v
		WHERE credentials.id = v.id AND credentials.state = 'reserved' RETURNING credentials.id`, args...)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var id string
		if err := rs.Scan(&id); err != nil {
			return err
		}
		delete(late, id)
	}
	if err := rs.Err(); err != nil {
		return err
	}
	for id, x := range late {
		if err := tx.QueryRowContext(ctx, `SELECT jwt FROM credentials WHERE id = $1`, id).Scan(&x.JWT); err != nil {
			return err
		}
	}
	return nil
}

// reserved is a reservation that is open: the exact bytes to sign.
type reserved struct {
	ID      string
	Profile string
	Role    string // that it is signed for
	Place   place
	Payload []byte
}

// open lists reservations made before a time, oldest first, at most 500 after
// the first skip; of one record if record is not "".
func (s *Store) open(ctx context.Context, before time.Time, record string, skip int) ([]reserved, error) {
	q, args := ``, []any{store.Micros(before), skip}
	if record != "" {
		q, args = ` AND record = $3`, append(args, record)
	}
	rs, err := s.db.QueryContext(ctx, `SELECT id, profile, signed_as, list, idx, payload FROM credentials WHERE state = 'reserved' AND created <= $1`+q+
		` ORDER BY created, id LIMIT 500 OFFSET $2`, args...)
	return store.All(rs, err, func(rs *sql.Rows) (r reserved, err error) {
		err = rs.Scan(&r.ID, &r.Profile, &r.Role, &r.Place.list, &r.Place.index, &r.Payload)
		return r, err
	})
}

// copied is a stored credential.
type copied struct {
	CredentialInfo
	Record string
	Holder string
	Role   string // that it is signed for
	Place  place
	Sealed bool
	JWT    string
}

const selectCopies = `SELECT id, record, version, type, profile, holder, signed_as, list, idx, jwt, state, status, valid_from, valid_until FROM credentials `

func (s *Store) copies(ctx context.Context, q reader, where string, args ...any) ([]copied, error) {
	rs, err := q.QueryContext(ctx, selectCopies+where, args...)
	return store.All(rs, err, func(rs *sql.Rows) (c copied, err error) {
		var state string
		var from, until int64
		err = rs.Scan(&c.ID, &c.Record, &c.RecordVersion, &c.Type, &c.Profile, &c.Holder, &c.Role, &c.Place.list, &c.Place.index, &c.JWT, &state, &c.State, &from, &until)
		c.Sealed = state == "sealed"
		c.ValidFrom, c.ValidUntil = store.Time(from), store.Time(until)
		return c, err
	})
}

// sealedAfter gives up to 500 sealed credentials by id after this one.
func (s *Store) sealedAfter(ctx context.Context, id string) ([]copied, error) {
	return s.copies(ctx, s.db, `WHERE state = 'sealed' AND id > $1 ORDER BY id LIMIT 500`, id)
}

// newest gives the copy of this version of a record for this holder and profile
// that expires last; ok is false if there is none that is valid.
func (s *Store) newest(ctx context.Context, q reader, d copyOf) (copied, bool, error) {
	cs, err := s.copies(ctx, q, `WHERE record = $1 AND version = $2 AND profile = $3 AND holder = $4 AND status = $5
		ORDER BY valid_until DESC, created DESC LIMIT 1`, d.record.ID, d.record.Version, d.profile, d.holder, StatusValid)
	if err != nil || len(cs) == 0 {
		return copied{}, false, err
	}
	return cs[0], true, nil
}

// reserveCopies reserves the drafts of copies, if the records are as they were
// when they were read; else it is errStale. Where somebody else reserved a copy
// for the same holder meanwhile, that one is given back in its place and the
// draft is not reserved.
func (s *Store) reserveCopies(ctx context.Context, rows []row, list []copyOf, drafts []*draft) (made []copied, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		made = make([]copied, len(list))
		for _, r := range rows {
			now, err := s.record(ctx, tx, r.Kind, r.ID)
			if err != nil {
				return err
			}
			if !now.same(r) {
				return errStale
			}
		}
		var add []*draft
		for n, d := range drafts {
			if d == nil {
				continue
			}
			other, ok, err := s.newest(ctx, tx, list[n])
			if err != nil {
				return err
			}
			if ok && list[n].stillDoes(other, d.info.ValidUntil) {
				made[n] = other
				continue
			}
			add = append(add, d)
		}
		return s.reserve(ctx, tx, add, StatusValid)
	})
	return made, err
}

// infos lists the copies of a record, newest first.
func (s *Store) infos(ctx context.Context, record string) ([]CredentialInfo, error) {
	cs, err := s.copies(ctx, s.db, `WHERE record = $1 ORDER BY created DESC, id LIMIT 200`, record)
	if err != nil {
		return nil, err
	}
	out := make([]CredentialInfo, 0, len(cs))
	for _, c := range cs {
		out = append(out, c.CredentialInfo)
	}
	return out, nil
}
