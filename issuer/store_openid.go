package issuer

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// pinTries is how many wrong PINs a code survives: with five tries a guess
// succeeds once in 200,000 offers.
const pinTries = 5

// offerRow is an offer as stored: nothing in it opens the offer.
type offerRow struct {
	ID           string
	Code         []byte // HMAC of the code
	Guardianship string
	Configs      []string // credential configurations
	Maker        string   // token id
	Idem         []byte   // HMAC of maker and Idempotency-Key; nil without one
	Created      time.Time
	Expires      time.Time
	Tries        int64
	Redeemed     time.Time
}

// grantRow is what a redeemed offer allows.
type grantRow struct {
	ID           string
	Guardianship string
	DPoP         string // key thumbprint, "" for bearer tokens
	Holder       string // did:key, "" until one was proven
	Created      time.Time
	Expires      time.Time
}

// addOffer stores an offer. When an offer with the same idem exists it is given
// back instead and new is false.
func (s *openidStore) addOffer(ctx context.Context, o offerRow) (offer offerRow, fresh bool, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		offer, fresh = o, true
		r, err := tx.ExecContext(ctx, `INSERT INTO offers (id, code, guardianship, configs, maker, idem, created, expires)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT (idem) DO NOTHING`,
			o.ID, o.Code, o.Guardianship, strings.Join(o.Configs, " "), o.Maker, o.Idem, store.Micros(o.Created), store.Micros(o.Expires))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 1 {
			return err
		}
		fresh = false
		offer, err = scanOffer(tx.QueryRowContext(ctx, selectOffer+` WHERE idem = $1`, o.Idem))
		return err
	})
	return offer, fresh, err
}

const selectOffer = `SELECT id, code, guardianship, configs, maker, idem, created, expires, tries, redeemed FROM offers`

func scanOffer(row *sql.Row) (offerRow, error) {
	var o offerRow
	var configs string
	var created, expires, redeemed int64
	err := row.Scan(&o.ID, &o.Code, &o.Guardianship, &configs, &o.Maker, &o.Idem, &created, &expires, &o.Tries, &redeemed)
	o.Configs = strings.Fields(configs)
	o.Created, o.Expires, o.Redeemed = store.Time(created), store.Time(expires), store.Time(redeemed)
	return o, err
}

// offer gives an offer that can still be redeemed; false for every other.
func (s *openidStore) offer(ctx context.Context, id string, now time.Time) (offerRow, bool, error) {
	o, err := scanOffer(s.db.QueryRowContext(ctx, selectOffer+` WHERE id = $1 AND expires > $2 AND redeemed = 0 AND tries < $3`,
		id, store.Micros(now), pinTries))
	if errors.Is(err, sql.ErrNoRows) {
		return offerRow{}, false, nil
	}
	return o, err == nil, err
}

// openOffers lists the offers for a guardianship that can still be redeemed.
func (s *openidStore) openOffers(ctx context.Context, guardianship string, now time.Time) ([]OpenOffer, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT id, created, expires FROM offers
		WHERE guardianship = $1 AND expires > $2 AND redeemed = 0 AND tries < $3 ORDER BY created DESC, id`, guardianship, store.Micros(now), pinTries)
	return store.All(rs, err, func(rs *sql.Rows) (o OpenOffer, err error) {
		var created, expires int64
		err = rs.Scan(&o.ID, &created, &expires)
		o.Created, o.Expires = store.Time(created), store.Time(expires)
		return o, err
	})
}

// withdrawOffers ends them now.
func (s *openidStore) withdrawOffers(ctx context.Context, guardianship string, now time.Time) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE offers SET expires = $2 WHERE guardianship = $1 AND expires > $2 AND redeemed = 0`, guardianship, store.Micros(now))
		return err
	})
}

// redemption is one attempt to redeem a code.
type redemption struct {
	Code    []byte               // HMAC of the code
	PIN     func(id string) bool // is the PIN that of this offer?
	DPoP    string               // key thumbprint, "" without
	Now     time.Time
	Issue   func(grant string) issued // the tokens' hashes for a new grant
	Expires time.Time                 // of a new grant
}

// issued are the hashes of the tokens of a grant. Refresh is nil for a grant
// without one.
type issued struct {
	Access        []byte
	AccessExpires time.Time
	Refresh       []byte
}

// redeem spends a code, in one transaction that counts a wrong PIN. The same
// key may come again while the window lasts and gets the same grant; ok is
// false for every refusal, whatever its reason. redeemed is when the code was
// first used.
func (s *openidStore) redeem(ctx context.Context, r redemption) (g grantRow, redeemed time.Time, ok bool, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		g, redeemed, ok = grantRow{}, time.Time{}, false
		// The update takes the row: two wallets with one code queue here. It
		// counts a try before the PIN is looked at, so that no race gives a
		// sixth.
		var offer string
		var used int64
		err := tx.QueryRowContext(ctx, `UPDATE offers SET tries = tries + 1
			WHERE code = $1 AND tries < $2 AND (redeemed > $3 OR (redeemed = 0 AND expires > $4))
			RETURNING id, guardianship, redeemed`,
			r.Code, pinTries, store.Micros(r.Now.Add(-redeemAgain)), store.Micros(r.Now)).
			Scan(&offer, &g.Guardianship, &used)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if !r.PIN(offer) {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE offers SET tries = tries - 1 WHERE id = $1`, offer); err != nil {
			return err
		}
		if used != 0 {
			g, err = scanGrant(tx.QueryRowContext(ctx, selectGrant+` WHERE g.offer = $1`, offer))
			redeemed, ok = store.Time(used), err == nil && r.DPoP != "" && g.DPoP == r.DPoP
			return err
		}
		g = grantRow{ID: store.Random(16), Guardianship: g.Guardianship, DPoP: r.DPoP, Created: r.Now, Expires: r.Expires}
		if err := addGrant(ctx, tx, offer, g, r.Issue(g.ID)); err != nil {
			return err
		}
		redeemed, ok = r.Now, true
		return nil
	})
	return g, redeemed, ok && err == nil, err
}

func addGrant(ctx context.Context, tx *sql.Tx, offer string, g grantRow, t issued) error {
	if _, err := tx.ExecContext(ctx, `UPDATE offers SET redeemed = $2 WHERE id = $1`, offer, store.Micros(g.Created)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO grants (id, offer, guardianship, dpop, refresh, created, expires)
		VALUES ($1,$2,$3,$4,$5,$6,$7)`,
		g.ID, offer, g.Guardianship, g.DPoP, t.Refresh, store.Micros(g.Created), store.Micros(g.Expires))
	if err != nil {
		return err
	}
	return addAccess(ctx, tx, g.ID, t, g.Created)
}

// addAccess stores an access token and forgets those that are over.
func addAccess(ctx context.Context, tx *sql.Tx, grant string, t issued, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM access_tokens WHERE expires <= $1`, store.Micros(now)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO access_tokens (hash, grant_id, expires) VALUES ($1,$2,$3)`,
		t.Access, grant, store.Micros(t.AccessExpires))
	return err
}

const selectGrant = `SELECT g.id, g.guardianship, g.dpop, g.holder, g.created, g.expires FROM grants g`

func scanGrant(row *sql.Row) (grantRow, error) {
	var g grantRow
	var created, expires int64
	err := row.Scan(&g.ID, &g.Guardianship, &g.DPoP, &g.Holder, &created, &expires)
	g.Created, g.Expires = store.Time(created), store.Time(expires)
	return g, err
}

// refresh adds an access token to the grant of a refresh token that is bound to
// the key with this thumbprint, and moves the grant's end. ok is false if
// there is no such grant.
func (s *openidStore) refresh(ctx context.Context, refresh []byte, dpop string, t issued, expires time.Time) (ok bool, err error) {
	now := t.AccessExpires.Add(-accessLife)
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		ok = false
		var id string
		err := tx.QueryRowContext(ctx, `UPDATE grants SET expires = $4
			WHERE refresh = $1 AND dpop = $2 AND dpop <> '' AND expires > $3 RETURNING id`,
			refresh, dpop, store.Micros(now), store.Micros(expires)).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		return addAccess(ctx, tx, id, t, now)
	})
	return ok && err == nil, err
}

// grant finds the grant of an access token that is not over.
func (s *openidStore) grant(ctx context.Context, access []byte, now time.Time) (grantRow, bool, error) {
	g, err := scanGrant(s.db.QueryRowContext(ctx, selectGrant+` JOIN access_tokens a ON a.grant_id = g.id
		WHERE a.hash = $1 AND a.expires > $2 AND g.expires > $2`, access, store.Micros(now)))
	if errors.Is(err, sql.ErrNoRows) {
		return grantRow{}, false, nil
	}
	return g, err == nil, err
}

// bind makes holder the only key that this grant serves. ok is false if it
// serves another.
func (s *openidStore) bind(ctx context.Context, grant, holder string) (ok bool, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		var id string
		err := tx.QueryRowContext(ctx, `UPDATE grants SET holder = $2 WHERE id = $1 AND (holder = '' OR holder = $2) RETURNING id`,
			grant, holder).Scan(&id)
		ok = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return ok && err == nil, err
}

// endGrants ends what new copies of a guardianship are fetched with: offers that
// are open or can be repeated, and refresh tokens. Access tokens run out by
// themselves and get nothing for a record that is not in force. The offers come
// first: a redemption that runs meanwhile holds its offer's row, so its grant is
// there when this goes on.
func (s *Store) endGrants(ctx context.Context, tx *sql.Tx, guardianship string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE offers SET tries = $2 WHERE guardianship = $1 AND tries < $2`, guardianship, pinTries); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE grants SET refresh = NULL WHERE guardianship = $1`, guardianship)
	return err
}

// useProof remembers a DPoP proof until it expires and forgets the old ones.
// fresh is false if it was used before, by whichever replica.
func (s *openidStore) useProof(ctx context.Context, hash []byte, now, expires time.Time) (fresh bool, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM dpop_proofs WHERE expires <= $1`, store.Micros(now)); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `INSERT INTO dpop_proofs (hash, expires) VALUES ($1,$2) ON CONFLICT (hash) DO NOTHING`,
			hash, store.Micros(expires))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		fresh = n == 1
		return err
	})
	return fresh && err == nil, err
}

// openidStore is the part of the issuer's database that offers and grants live
// in.
type openidStore struct{ db *store.DB }

// credential reads one copy of a record.
func (s *Store) credential(ctx context.Context, id string) (copied, error) {
	cs, err := s.copies(ctx, s.db, `WHERE id = $1`, id)
	if err != nil {
		return copied{}, err
	}
	if len(cs) == 0 {
		return copied{}, ErrNoSuchCredential
	}
	return cs[0], nil
}
