package issuer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// Kinds of commitment that are about consents.
const (
	actReserved  = "reserved"
	actWithdrawn = "withdrawn"
	// actWitnessed: a credential that takes no place. The guardian's reserved one is
	// its own, often of another issuer.
	actWitnessed = "witnessed"
)

// holding gives the id of the guardianship by which a holder may act, or
// ErrNoSuchGuardianship: for a credential that is not there, not the holder's,
// not in force or without the power, all in the same words.
func (s *Store) holding(ctx context.Context, q reader, m mandated) (string, error) {
	cs, err := s.copies(ctx, q, `WHERE id = $1 AND holder = $2`, m.credential, m.holder)
	if err != nil {
		return "", err
	}
	if len(cs) == 0 {
		return "", ErrNoSuchGuardianship
	}
	g, err := s.record(ctx, q, KindGuardianship, cs[0].Record)
	if err != nil {
		return "", err
	}
	ward, err := s.record(ctx, q, KindBirth, g.Birth)
	if err != nil {
		return "", err
	}
	switch may, err := m.may(cs[0], g, ward, s.now()); {
	case err != nil:
		return "", err
	case !may:
		return "", ErrNoSuchGuardianship
	}
	return g.ID, nil
}

// reserveConsent stores a place for a consent, and the commitment to it, if the
// holder may consent by the credential, in one transaction with that check: no
// place is reserved beside a revocation and missed by it. A request that is
// repeated gets the place that it got.
func (s *Store) reserveConsent(ctx context.Context, credential string, want consentPlace) (got consentPlace, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		record, err := s.holding(ctx, tx, mandated{credential, want.holder, powerConsent})
		if err != nil {
			return err
		}
		old, err := s.consentPlaces(ctx, tx, `WHERE request = $1`, want.request)
		if err != nil {
			return err
		}
		if len(old) > 0 {
			if got = old[0]; got.record != record {
				return ErrConsentReused
			}
			return nil
		}
		now := s.now()
		var today int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM consent_places WHERE record = $1 AND holder = $2 AND created > $3`,
			record, want.holder, store.Micros(now.Add(-24*time.Hour))).Scan(&today); err != nil {
			return err
		}
		if today >= consentsPerDay {
			return ErrConsentLimit
		}
		got = want
		got.record = record
		if _, err := tx.ExecContext(ctx, `INSERT INTO consent_places (id, request, record, holder, list, idx, status, valid_until, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, got.id, got.request, got.record, got.holder, got.place.list, got.place.index,
			got.status, store.Micros(got.until), store.Micros(now)); err != nil {
			return err
		}
		return s.commitPlace(ctx, tx, got, now)
	})
	return got, err
}

// commitPlace commits to a place that was reserved: the issuer cannot say later
// that it gave out another.
func (s *Store) commitPlace(ctx context.Context, tx *sql.Tx, p consentPlace, at time.Time) error {
	entry, err := json.Marshal(struct {
		Place string    `json:"place"`
		Act   string    `json:"act"`
		List  int64     `json:"list"`
		Index int64     `json:"index"`
		At    time.Time `json:"at"`
	}{"urn:uuid:" + p.id, actReserved, p.place.list, p.place.index, store.Time(store.Micros(at))})
	if err != nil {
		return err
	}
	salt := make([]byte, 32)
	rand.Read(salt) // never fails (crypto/rand)
	_, err = tx.ExecContext(ctx, `INSERT INTO commitments (credential_id, kind, salt, hash, created) VALUES ($1, $2, $3, $4, $5)`,
		p.id, actReserved, salt, commitment(salt, entry), store.Micros(at))
	return err
}

// withdrawConsent revokes the consent at a place that the holder reserved. It is
// ErrNoSuchConsent for any other place.
func (s *Store) withdrawConsent(ctx context.Context, p place, holder string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		ps, err := s.consentPlaces(ctx, tx, `WHERE list = $1 AND idx = $2 AND holder = $3`, p.list, p.index, holder)
		if err != nil {
			return err
		}
		if len(ps) == 0 {
			return ErrNoSuchConsent
		}
		// What fell with its guardianship was not withdrawn, but the guardian
		// said so too: the row keeps both.
		if _, err := tx.ExecContext(ctx, `UPDATE consent_places SET withdrawn = $2 WHERE id = $1 AND withdrawn = 0`, ps[0].id, store.Micros(s.now())); err != nil {
			return err
		}
		return s.markIn(ctx, tx, marking{"consent_places", "id", ps[0].id, StatusRevoked, actWithdrawn})
	})
}

func (s *Store) consentPlaces(ctx context.Context, q reader, where string, args ...any) ([]consentPlace, error) {
	rs, err := q.QueryContext(ctx, `SELECT id, request, record, holder, list, idx, status, valid_until FROM consent_places `+where, args...)
	return store.All(rs, err, func(rs *sql.Rows) (p consentPlace, err error) {
		var until int64
		err = rs.Scan(&p.id, &p.request, &p.record, &p.holder, &p.place.list, &p.place.index, &p.status, &until)
		p.until = store.Time(until)
		return p, err
	})
}

// placesOf gives the place if the holder reserved it.
func (s *Store) placesOf(ctx context.Context, p place, holder string) ([]consentPlace, error) {
	return s.consentPlaces(ctx, s.db, `WHERE list = $1 AND idx = $2 AND holder = $3`, p.list, p.index, holder)
}

// witnessed is one row of the table: a consent that this office witnessed.
type witnessed struct {
	ID        string
	Role      string
	Salt      []byte
	Digest    []byte // salted hash of the trip digest
	Reference string
	Signed    int
	Quorum    int
	Payload   []byte
	JWT       string
	State     string // reserved, sealed or gone
	From      time.Time
	Until     time.Time
	By        Caller
}

const selectWitnessed = `SELECT id, role, salt, digest, reference, signed, quorum, payload, jwt, state, valid_from, valid_until, caller_id, caller_name FROM witnessed `

// witnessedRows reads consents that this office witnessed.
func (s *Store) witnessedRows(ctx context.Context, where string, args ...any) ([]witnessed, error) {
	rs, err := s.db.QueryContext(ctx, selectWitnessed+where, args...)
	return store.All(rs, err, func(rs *sql.Rows) (w witnessed, err error) {
		var from, until int64
		err = rs.Scan(&w.ID, &w.Role, &w.Salt, &w.Digest, &w.Reference, &w.Signed, &w.Quorum, &w.Payload, &w.JWT, &w.State,
			&from, &until, &w.By.ID, &w.By.Name)
		w.From, w.Until, w.By.Role = store.Time(from), store.Time(until), w.Role
		return w, err
	})
}

// reserveWitnessed stores the exact bytes of a witnessed consent and the
// commitment to them, in one transaction with the answer to the claim. A request
// that was answered before gets that answer: the id of what was made then.
func (s *Store) reserveWitnessed(ctx context.Context, w witnessed, c *claim) (id string, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		o, again, err := s.replayed(ctx, tx, c)
		if err != nil {
			return err
		}
		if id = o.ID; again {
			return nil
		}
		id = w.ID
		at := store.Micros(s.now())
		if _, err := tx.ExecContext(ctx, `INSERT INTO witnessed (id, role, salt, digest, reference, signed, quorum, payload, state, valid_from, valid_until, caller_id, caller_name, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'reserved', $9, $10, $11, $12, $13)`, w.ID, w.Role, w.Salt, w.Digest, w.Reference, w.Signed, w.Quorum,
			w.Payload, store.Micros(w.From), store.Micros(w.Until), w.By.ID, w.By.Name, at); err != nil {
			return err
		}
		salt := make([]byte, 32)
		rand.Read(salt) // never fails (crypto/rand)
		if _, err := tx.ExecContext(ctx, `INSERT INTO commitments (credential_id, kind, salt, hash, created) VALUES ($1, $2, $3, $4, $5)`,
			w.ID, actWitnessed, salt, commitment(salt, w.Payload), at); err != nil {
			return err
		}
		return s.answer(ctx, tx, c, Outcome{ID: w.ID, State: StateIssued})
	})
	return id, err
}

// sealWitnessed closes the reservation of a witnessed consent, once, and gives
// what it holds then: that of whoever came first.
func (s *Store) sealWitnessed(ctx context.Context, id, jwt string) (sealed string, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE witnessed SET jwt = $2, payload = NULL, state = 'sealed' WHERE id = $1 AND state = 'reserved'`, id, jwt); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT jwt FROM witnessed WHERE id = $1`, id).Scan(&sealed)
	})
	return sealed, err
}

// openWitnessed lists reservations made before a time, oldest first, at most 500
// after the first skip.
func (s *Store) openWitnessed(ctx context.Context, before time.Time, skip int) ([]witnessed, error) {
	return s.witnessedRows(ctx, `WHERE state = 'reserved' AND created <= $1 ORDER BY created, id LIMIT 500 OFFSET $2`, store.Micros(before), skip)
}

// sealedWitnessed gives up to 500 sealed consents by id after this one.
func (s *Store) sealedWitnessed(ctx context.Context, id string) ([]witnessed, error) {
	return s.witnessedRows(ctx, `WHERE state = 'sealed' AND id > $1 ORDER BY id LIMIT 500`, id)
}
