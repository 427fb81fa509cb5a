package verifier

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// errOvertaken: another bundle came into force since this one was compared.
var errOvertaken = fault.New(fault.Conflict, "bundle-overtaken", "another bundle came into force meanwhile")

// revokedLife is how long what was revoked is remembered after the list was last
// read: longer than any credential on it lives.
const revokedLife = 2 * 365 * 24 * time.Hour

// keepRevoked adds what a list that was fetched revokes to what was ever revoked
// there, under the key that signed it, and notes when: what a key said is let go
// from its cut-off on (letGo), and what another key said too stays.
func keepRevoked(tx *sql.Tx, h held, now time.Time) error {
	if h.revoked == nil {
		return nil
	}
	// What other keys said there stays for as long as the list is read. The update
	// comes first: it locks the rows, on both engines.
	if _, err := tx.Exec(`UPDATE revoked SET seen = $3 WHERE issuer = $1 AND url = $2`, h.issuer, h.url, now.UnixMicro()); err != nil {
		return err
	}
	var stored []byte // empty: this key said nothing yet
	if err := tx.QueryRow(`INSERT INTO revoked (issuer, url, kid, seen, places) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (issuer, url, kid) DO UPDATE SET seen = excluded.seen RETURNING places`,
		h.issuer, h.url, h.kid, now.UnixMicro(), []byte{}).Scan(&stored); err != nil {
		return err
	}
	list, _, err := status.OpenPlaces(h.revoked)
	if err != nil {
		return err
	}
	all, added := h.revoked, h.revoked
	if len(stored) > 0 {
		before, _, err := status.OpenPlaces(stored)
		if err != nil {
			return err
		}
		if before.Universe() >= list.Universe() && list.Without(before) == 0 {
			return nil
		}
		if all, err = status.JoinPlaces(before, list); err != nil {
			return err
		}
		if added, err = without(list, before); err != nil {
			return err
		}
	}
	// Of two lists of one second that are read at once the second adds to what the
	// first did.
	var same []byte
	err = tx.QueryRow(`SELECT places FROM revoked_when WHERE issuer = $1 AND url = $2 AND kid = $3 AND valid_from = $4 AND at = $5`,
		h.issuer, h.url, h.kid, h.validFrom.UnixMicro(), now.UnixMicro()).Scan(&same)
	switch {
	case err == nil:
		added, err = joined(same, added)
	case errors.Is(err, sql.ErrNoRows):
		err = nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO revoked_when (issuer, url, kid, valid_from, at, places) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (issuer, url, kid, valid_from, at) DO UPDATE SET places = excluded.places`,
		h.issuer, h.url, h.kid, h.validFrom.UnixMicro(), now.UnixMicro(), added); err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE revoked SET places = $4 WHERE issuer = $1 AND url = $2 AND kid = $3`, h.issuer, h.url, h.kid, all)
	return err
}

// without gives the places of p that are not in q.
func without(p, q *status.Places) ([]byte, error) {
	var left []uint64
	for m := range p.All() {
		if in, err := q.Contains(m); err != nil || !in { // outside of q is not in it
			left = append(left, m)
		}
	}
	return status.BuildPlaces(p.Universe(), left)
}

// joined gives what either of two sets has.
func joined(a, b []byte) ([]byte, error) {
	p, _, err := status.OpenPlaces(a)
	if err != nil {
		return nil, err
	}
	q, _, err := status.OpenPlaces(b)
	if err != nil {
		return nil, err
	}
	return status.JoinPlaces(p, q)
}

// everRevoked gives all places that lists ever revoked, but for what was let go.
func (b book) everRevoked(ctx context.Context) (map[check.OwnList][]byte, error) {
	out := map[check.OwnList][]byte{}
	rows, err := b.db.QueryContext(ctx, `SELECT issuer, url, places FROM revoked`)
	_, err = store.All(rows, err, func(rows *sql.Rows) (name check.OwnList, err error) {
		var places []byte
		if err = rows.Scan(&name.Issuer, &name.Address, &places); err != nil {
			return name, err
		}
		if have := out[name]; have != nil {
			places, err = joined(have, places)
		}
		out[name] = places
		return name, err
	})
	return out, err
}

// orphaned is how long before a key's cut-off a list may have been read last to be
// one that the cut-off silenced, and not one that had ended.
const orphaned = 48 * time.Hour

// orphans gives the lists of which nobody said what is revoked but keys that are cut
// off, and that were read until about then: where such a list is not there, what was
// on it is kept without it. What was kept before keys were noted is nobody's.
func (b book) orphans(ctx context.Context, l *vc.TrustList) ([]check.OwnList, error) {
	cut := map[string]time.Time{}
	for i := range l.Issuers {
		for _, k := range l.Issuers[i].Keys {
			if !k.CutOff.IsZero() {
				cut[k.ID] = k.CutOff
			}
		}
	}
	if len(cut) == 0 {
		return nil, nil
	}
	type said struct {
		check.OwnList
		kid  string
		seen time.Time
	}
	rows, err := b.db.QueryContext(ctx, `SELECT issuer, url, kid, seen FROM revoked ORDER BY issuer, url, kid`)
	all, err := store.All(rows, err, func(rows *sql.Rows) (s said, err error) {
		var seen int64
		err = rows.Scan(&s.Issuer, &s.Address, &s.kid, &seen)
		s.seen = store.Time(seen)
		return s, err
	})
	if err != nil {
		return nil, err
	}
	var out []check.OwnList
	for from := 0; from < len(all); {
		to, said, silent := from, false, true
		for ; to < len(all) && all[to].OwnList == all[from].OwnList; to++ {
			if all[to].kid == "" {
				continue
			}
			at, ok := cut[all[to].kid]
			said, silent = true, silent && ok && all[to].seen.After(at.Add(-orphaned))
		}
		if said && silent {
			out = append(out, all[from].OwnList)
		}
		from = to
	}
	return out, nil
}

// letGo forgets what lists said that keys signed from their cut-offs on, or that
// were not seen before these, whatever date they have: else what a thief called
// revoked would stay so for ever. What the same key said before, and what another
// said too, stays; what was honest and came late is on the next key's lists.
func (b book) letGo(ctx context.Context, l *vc.TrustList) error {
	type said struct {
		issuer, kid, url string
		cut              int64
	}
	var gone []said
	for i := range l.Issuers {
		is := &l.Issuers[i]
		for j := range is.Keys {
			k := &is.Keys[j]
			if k.CutOff.IsZero() {
				continue
			}
			rows, err := b.db.QueryContext(ctx, `SELECT DISTINCT url FROM revoked_when WHERE issuer = $1 AND kid = $2 AND (valid_from >= $3 OR at >= $3)`,
				is.DID, k.ID, k.CutOff.UnixMicro())
			urls, err := store.All(rows, err, store.One[string])
			if err != nil {
				return err
			}
			for _, u := range urls {
				gone = append(gone, said{is.DID, k.ID, u, k.CutOff.UnixMicro()})
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		for _, s := range gone {
			if err := letGo(tx, s.issuer, s.url, s.kid, s.cut); err != nil {
				return err
			}
		}
		return nil
	})
}

// letGo forgets what one key said on one list, or was heard to say, from cut on, in
// microseconds.
func letGo(tx *sql.Tx, issuer, url, kid string, cut int64) error {
	// The update comes first: it locks the row, on both engines.
	if _, err := tx.Exec(`UPDATE revoked SET seen = seen WHERE issuer = $1 AND url = $2 AND kid = $3`, issuer, url, kid); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM revoked_when WHERE issuer = $1 AND url = $2 AND kid = $3 AND (valid_from >= $4 OR at >= $4)`, issuer, url, kid, cut); err != nil {
		return err
	}
	rows, err := tx.Query(`SELECT places FROM revoked_when WHERE issuer = $1 AND url = $2 AND kid = $3 ORDER BY valid_from, at`, issuer, url, kid)
	left, err := store.All(rows, err, store.One[[]byte])
	if err != nil {
		return err
	}
	if len(left) == 0 {
		_, err := tx.Exec(`DELETE FROM revoked WHERE issuer = $1 AND url = $2 AND kid = $3`, issuer, url, kid)
		return err
	}
	all := left[0]
	for _, more := range left[1:] {
		if all, err = joined(all, more); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`UPDATE revoked SET places = $4 WHERE issuer = $1 AND url = $2 AND kid = $3`, issuer, url, kid, all)
	return err
}
