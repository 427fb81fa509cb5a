package verifier

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// book is what a verifier remembers: the bundle in force, the lists it was
// made of, and a line per check that names nobody. Each method is a whole
// step; replicas share one book.
type book struct{ db *store.DB }

// held is a status list that was verified.
type held struct {
	url, issuer string
	validFrom   time.Time
	until       time.Time // read from the credential, not stored
	over        string    // DID of the issuer whose list it overrides; read from the credential, too
	issued      bool      // says which places were given out; read from the credential, too
	revoked     []byte    // what an issuer's own list that was fetched calls revoked, as a set
	kid         string    // of the key that signed it; read from the credential
	credential  string    // vc+jwt
}

// edition is a bundle with what orders it among others.
type edition struct {
	pos      int64 // place in the order in which bundles came into force; 0: none
	id       string
	hub      string // kid of the key that signed it
	sequence int64
	created  time.Time
	body     []byte
	manifest string  // what identifies it, in hexadecimal
	digest   string  // of the body
	keep     keeping // which bundles stay
	now      time.Time
	trust    string    // the signed trust list inside
	list     int64     // its sequence
	lists    []held    // without credentials
	after    int64     // the place of the bundle that it was compared with
	refused  error     // what came of that
	vouched  time.Time // the latest time that a signature inside vouches for
}

// keepTrust remembers a verified trust list. An older one than the newest seen
// is ErrTrustOlder; so is another one with the same number: an anchor that
// signs two lists under one number must not split the posts.
func (b book) keepTrust(ctx context.Context, sequence int64, signed string) error {
	return b.db.Write(ctx, func(tx *sql.Tx) error { return keepTrust(tx, sequence, signed) })
}

func keepTrust(tx *sql.Tx, sequence int64, signed string) error {
	var have int64
	var text string
	// The update comes first: it locks the row, on both engines.
	err := tx.QueryRow(`UPDATE post SET bundles = bundles WHERE id = 1 RETURNING trust_sequence, trust`).Scan(&have, &text)
	switch {
	case err != nil:
		return err
	case sequence < have, sequence == have && payload(text) != payload(signed):
		return ErrTrustOlder
	case sequence == have:
		return nil
	}
	_, err = tx.Exec(`UPDATE post SET trust_sequence = $1, trust = $2 WHERE id = 1`, sequence, signed)
	return err
}

// payload is the part of a compact JWS that was signed: two signatures over
// one list are the same list.
func payload(compact string) string {
	_, rest, _ := strings.Cut(compact, ".")
	p, _, _ := strings.Cut(rest, ".")
	return p
}

// lastTrust gives the newest trust list that was seen, "" if none was.
func (b book) lastTrust(ctx context.Context) (signed string, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT trust FROM post WHERE id = 1`).Scan(&signed)
	return signed, err
}

// heldLists gives the last good status lists.
func (b book) heldLists(ctx context.Context) ([]held, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT url, issuer, valid_from, credential FROM lists ORDER BY url`)
	return store.All(rows, err, func(rows *sql.Rows) (h held, err error) {
		var from int64
		err = rows.Scan(&h.url, &h.issuer, &from, &h.credential)
		h.validFrom = fromMicro(from)
		return h, err
	})
}

// keepLists makes these the last good lists, except where another replica
// stored a newer one meanwhile, and adds to what was ever revoked what they revoke.
// sequence is that of the trust list that says who may sign them; if another replica
// has a newer one, it is ErrTrustOlder: that one may have cut off who signed them.
func (b book) keepLists(ctx context.Context, lists []held, sequence int64, now time.Time) error {
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		var newest int64
		// The update comes first: it locks the row, on both engines.
		if err := tx.QueryRow(`UPDATE post SET bundles = bundles WHERE id = 1 RETURNING trust_sequence`).Scan(&newest); err != nil {
			return err
		}
		if sequence < newest {
			return ErrTrustOlder
		}
		for _, h := range lists {
			if err := keepRevoked(tx, h, now); err != nil {
				return err
			}
			_, err := tx.Exec(`INSERT INTO lists (url, issuer, valid_from, credential) VALUES ($1, $2, $3, $4)
				ON CONFLICT (url) DO UPDATE SET issuer = excluded.issuer, valid_from = excluded.valid_from, credential = excluded.credential
				WHERE lists.valid_from < excluded.valid_from OR lists.issuer <> excluded.issuer`, h.url, h.issuer, h.validFrom.UnixMicro(), h.credential)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// dropLists forgets the lists at these addresses.
func (b book) dropLists(ctx context.Context, urls []string) error {
	if len(urls) == 0 {
		return nil
	}
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		for _, u := range urls {
			if _, err := tx.Exec(`DELETE FROM lists WHERE url = $1`, u); err != nil {
				return err
			}
		}
		return nil
	})
}

// reserveSequence gives a hub key its next number: higher than any that was
// given out or taken in, and at least floor, so that a hub whose database was
// lost does not start below what the posts have seen.
func (b book) reserveSequence(ctx context.Context, hub string, floor int64) (n int64, err error) {
	err = b.db.Write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRow(`INSERT INTO hubs (id, reserved, published) VALUES ($1, $2, 0)
			ON CONFLICT (id) DO UPDATE SET reserved = CASE WHEN hubs.reserved + 1 > $2 THEN hubs.reserved + 1 ELSE $2 END
			RETURNING reserved`, hub, floor).Scan(&n)
	})
	return n, err
}

// publish puts a verified bundle in force. One that is not newer than the
// bundle in force is ErrRollback: a lower or equal number from the same hub, or
// made earlier, with an older trust list (ErrTrustOlder) or an older status list
// than a bundle before had for the same address. So whoever has a hub's key
// cannot take a revocation back at a post that knows of it.
// It gives the bundle's place.
func (b book) publish(ctx context.Context, e edition) (pos int64, err error) {
	err = b.db.Write(ctx, func(tx *sql.Tx) error {
		if err := keepTrust(tx, e.list, e.trust); err != nil {
			return err
		}
		var made sql.NullInt64
		if err := tx.QueryRow(`SELECT MAX(created) FROM bundles`).Scan(&made); err != nil {
			return err
		}
		if made.Valid && e.created.UnixMicro() < made.Int64 {
			return ErrRollback
		}
		for _, l := range e.lists {
			var newest int64
			if err := tx.QueryRow(`INSERT INTO ages (issuer, url, valid_from) VALUES ($1, $2, $3)
				ON CONFLICT (issuer, url) DO UPDATE SET valid_from = CASE WHEN ages.valid_from > excluded.valid_from THEN ages.valid_from ELSE excluded.valid_from END
				RETURNING valid_from`, l.issuer, l.url, l.validFrom.UnixMicro()).Scan(&newest); err != nil {
				return err
			}
			if newest > l.validFrom.UnixMicro() {
				return ErrRollback
			}
		}
		var published int64
		err := tx.QueryRow(`SELECT published FROM hubs WHERE id = $1`, e.hub).Scan(&published)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if e.sequence <= published {
			return ErrRollback
		}
		if _, err := tx.Exec(`INSERT INTO hubs (id, reserved, published) VALUES ($1, $2, $2)
			ON CONFLICT (id) DO UPDATE SET published = $2, reserved = CASE WHEN hubs.reserved > $2 THEN hubs.reserved ELSE $2 END`,
			e.hub, e.sequence); err != nil {
			return err
		}
		// The clock may go back here: a bundle that is new cures a post whose
		// clock was once ahead.
		if err := tx.QueryRow(`UPDATE post SET bundles = bundles + 1, clock = $1 WHERE id = 1 RETURNING bundles`, e.vouched.UnixMicro()).Scan(&pos); err != nil {
			return err
		}
		if pos != e.after+1 {
			return errOvertaken
		}
		if e.refused != nil {
			return e.refused
		}
		if _, err := tx.Exec(`INSERT INTO bundles (pos, id, hub, sequence, created, body, manifest, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			pos, e.id, e.hub, e.sequence, e.created.UnixMicro(), e.body, e.manifest, e.digest); err != nil {
			if store.IsUnique(err) {
				return ErrRollback // the same bundle again under another number
			}
			return err
		}
		return thin(tx, e.keep, e.now)
	})
	return pos, err
}

// inForce gives the place of the bundle in force, 0 if there is none.
func (b book) inForce(ctx context.Context) (pos int64, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT bundles FROM post WHERE id = 1`).Scan(&pos)
	return pos, err
}

// clock gives the latest time of which this installation knows.
func (b book) clock(ctx context.Context) (time.Time, error) {
	var at int64
	err := b.db.QueryRowContext(ctx, `SELECT clock FROM post WHERE id = 1`).Scan(&at)
	return fromMicro(at), err
}

// setClock stores a time that others vouched for, later or earlier.
func (b book) setClock(ctx context.Context, at time.Time) error {
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE post SET clock = $1 WHERE id = 1`, at.UnixMicro())
		return err
	})
}

// Record is what is kept of a check: nothing in it leads to a person. StatusAge
// is -1 where no status list was used, BundleAge where it was not kept. With
// the bundle they say what the post could know at the time. Policies are those
// that were asked, as "ID/version".
type Record struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Colour    string    `json:"colour"`
	Codes     []string  `json:"codes"`
	Bundle    string    `json:"bundle,omitempty"`
	BundleAge int64     `json:"bundleAgeSeconds"`
	StatusAge int64     `json:"statusAgeSeconds"`
	Policies  []string  `json:"policies"`

	// Of a check that was made on a device: the post that it was made at, and
	// what a person decided otherwise.
	Post     string    `json:"post,omitempty"`
	Override *Override `json:"override,omitempty"`

	reporter string // account that reported it, "" for a check of this service
}

// use is one nonce that a check meets, and the session it is used in, as
// hashes.
type use struct {
	nonce, session []byte
	expires        time.Time
	place          int // in the history that the check gave
}

// memory is what a post remembers, sealed; post is a hash of its name.
type memory struct{ post, sealed []byte }

// outcome is what a check leaves in the book.
type outcome struct {
	records []Record
	sealed  []byte // what the post remembers now; nil: as before
}

// entry is a check that is to be put into the book: decided once already, as
// first, with what the post remembered before.
type entry struct {
	now    time.Time
	uses   []use
	before memory
	first  outcome
	again  func(sealed []byte, repeated []int) (outcome, error)
}

// recall gives what a post remembers, nil for nothing.
func (b book) recall(ctx context.Context, post []byte) (sealed []byte, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT sealed FROM histories WHERE post = $1`, post).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return sealed, err
}

// record finishes a check: it claims the nonces for their sessions and stores
// the outcome, all or nothing. Of two replicas that check the same presentation
// at the same time, one sees the other's claim.
//
// If another session has claimed a nonce, or the check changes what the post
// remembers and somebody else has changed that since, it is decided again: with
// what is remembered now, which nobody else changes until the book is closed,
// and with the places of the claimed nonces. again may be called several times
// and must depend on its arguments alone.
func (b book) record(ctx context.Context, e entry) error {
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		var repeated []int
		for _, u := range e.uses {
			var session []byte
			// DO UPDATE, not DO NOTHING: it waits for a rival transaction and
			// then gives what that one stored. A claim that expired is free.
			err := tx.QueryRow(`INSERT INTO nonces (hash, session, expires) VALUES ($1, $2, $3)
				ON CONFLICT (hash) DO UPDATE SET
					session = CASE WHEN nonces.expires > $4 THEN nonces.session ELSE excluded.session END,
					expires = CASE WHEN nonces.expires > excluded.expires THEN nonces.expires ELSE excluded.expires END
				RETURNING session`, u.nonce, u.session, u.expires.UnixMicro(), e.now.UnixMicro()).Scan(&session)
			if err != nil {
				return err
			}
			if !bytes.Equal(session, u.session) {
				repeated = append(repeated, u.place)
			}
		}
		out := e.first
		if len(repeated) > 0 || out.sealed != nil {
			// The insert comes first: it locks the row, on both engines.
			var sealed []byte
			if err := tx.QueryRow(`INSERT INTO histories (post, sealed, changed) VALUES ($1, $2, $3)
				ON CONFLICT (post) DO UPDATE SET changed = excluded.changed RETURNING sealed`,
				e.before.post, []byte{}, e.now.UnixMicro()).Scan(&sealed); err != nil {
				return err
			}
			if len(repeated) > 0 || !bytes.Equal(sealed, e.before.sealed) {
				var err error
				if out, err = e.again(sealed, repeated); err != nil {
					return err
				}
			}
			if out.sealed != nil {
				if _, err := tx.Exec(`UPDATE histories SET sealed = $2 WHERE post = $1`, e.before.post, out.sealed); err != nil {
					return err
				}
			}
		}
		// Once a minute is enough, and spares replicas waiting for each other.
		if _, err := tx.Exec(`UPDATE post SET clock = $1 WHERE id = 1 AND clock < $2`, e.now.UnixMicro(), e.now.Add(-time.Minute).UnixMicro()); err != nil {
			return err
		}
		for _, r := range out.records {
			if _, err := tx.Exec(`INSERT INTO checks (id, at, colour, codes, bundle, bundle_age, status_age, policies) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
				r.ID, r.At.UnixMicro(), r.Colour, strings.Join(r.Codes, " "), r.Bundle, r.BundleAge, r.StatusAge, strings.Join(r.Policies, " ")); err != nil {
				return err
			}
		}
		return nil
	})
}

// posts lists the posts that remember something.
func (b book) posts(ctx context.Context) ([][]byte, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT post FROM histories ORDER BY post`)
	return store.All(rows, err, store.One[[]byte])
}

// forget lets a post forget: change gets what it remembers and gives what is
// left, empty for nothing, nil for no change.
func (b book) forget(ctx context.Context, post []byte, change func(sealed []byte) ([]byte, error)) error {
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRow(`UPDATE histories SET changed = changed WHERE post = $1 RETURNING sealed`, post).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		left, err := change(sealed)
		switch {
		case err != nil:
			return err
		case left == nil:
			return nil
		case len(left) == 0:
			_, err = tx.Exec(`DELETE FROM histories WHERE post = $1`, post)
		default:
			_, err = tx.Exec(`UPDATE histories SET sealed = $2 WHERE post = $1`, post, left)
		}
		return err
	})
}

// records lists checks, newest first, that come after the one named before in
// that order; "" begins at the newest.
func (b book) records(ctx context.Context, before string, limit int) ([]Record, error) {
	at, id := int64(1)<<62, ""
	if before != "" {
		id = before
		err := b.db.QueryRowContext(ctx, `SELECT at FROM checks WHERE id = $1`, before).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, ErrNoSuchCheck
		}
		if err != nil {
			return nil, err
		}
	}
	rows, err := b.db.QueryContext(ctx, `SELECT `+recordColumns+` FROM checks LEFT JOIN overrides ON overrides.check_id = checks.id
		WHERE checks.at < $1 OR (checks.at = $1 AND checks.id < $2) ORDER BY checks.at DESC, checks.id DESC LIMIT $3`, at, id, limit)
	return store.All(rows, err, func(r *sql.Rows) (Record, error) { return scanRecord(r.Scan) })
}

// ask stores the hash of a nonce that this verifier hands out.
func (b book) ask(ctx context.Context, hash []byte, expires time.Time) error {
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO challenges (hash, expires) VALUES ($1, $2)`, hash, expires.UnixMicro())
		return err
	})
}

// asked reports whether this verifier handed the nonce out and it has not
// expired.
func (b book) asked(ctx context.Context, hash []byte, now time.Time) (bool, error) {
	var n int
	err := b.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM challenges WHERE hash = $1 AND expires > $2`, hash, now.UnixMicro()).Scan(&n)
	return n == 1, err
}

// purge deletes records of checks made before since, what is of no use after
// so long, and what expired before now. It gives the number of records.
func (b book) purge(ctx context.Context, since, now time.Time) (n int64, err error) {
	err = b.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`DELETE FROM overrides WHERE check_id IN (SELECT id FROM checks WHERE at < $1)`, since.UnixMicro()); err != nil {
			return err
		}
		res, err := tx.Exec(`DELETE FROM checks WHERE at < $1`, since.UnixMicro())
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil {
			return err
		}
		for _, q := range []string{`DELETE FROM nonces WHERE expires <= $1`, `DELETE FROM challenges WHERE expires <= $1`} {
			if _, err := tx.Exec(q, now.UnixMicro()); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`DELETE FROM ages WHERE valid_from < $1`, since.UnixMicro()); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM revoked WHERE seen < $1`, now.Add(-revokedLife).UnixMicro()); err != nil {
			return err
		}
		// What was revoked so long ago has ended since.
		if _, err := tx.Exec(`DELETE FROM revoked_when WHERE at < $1`, now.Add(-revokedLife).UnixMicro()); err != nil {
			return err
		}
		// Bundles stay known as long as a record may name them.
		_, err = tx.Exec(`DELETE FROM bundles WHERE body IS NULL AND created < $1
			AND NOT EXISTS (SELECT 1 FROM checks WHERE checks.bundle = bundles.id)`, since.UnixMicro())
		return err
	})
	return n, err
}

func fromMicro(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
