package wallet

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/tlog"
)

// Names of the tables in the additional data of what is sealed. They stay even
// if a table is renamed.
const (
	tableHolder     = "holder_keys"
	tableGrant      = "grants"
	tableCredential = "credentials"
)

// States of a grant.
const (
	grantOpen = 0
	grantDone = 1
)

// grantLife is how long an offer that was paid for with a PIN and then never
// finished is kept.
const grantLife = 7 * 24 * time.Hour

var errNoWallet = errors.New("the guardian has no wallet yet")

// holder is a guardian's key pair, known to others by its did:key.
type holder struct {
	DID   string `json:"did"`
	PKCS8 []byte `json:"pkcs8"`
}

// LogValue keeps keys and who holds them out of every log.
func (h holder) LogValue() slog.Value { return slog.StringValue("holder key") }

// signer gives the key to sign with. Everything that needs a holder key goes
// through holder, so that a key bound to a device can take its place.
func (h holder) signer() (keys.Signer, error) { return keys.FromPrivate(h.PKCS8, did.KeyID(h.DID)) }

// grant is what an issuer gave for an offer: the right to the credentials of
// one child, now and when they are renewed.
type grant struct {
	ID   string `json:"-"`
	Done bool   `json:"-"`

	Issuer      string    `json:"issuer"`  // credential issuer identifier
	Configs     []string  `json:"configs"` // credential configuration ids, as offered
	URI         string    `json:"uri,omitempty"`
	Code        string    `json:"code"`
	PIN         string    `json:"pin,omitempty"`
	Access      string    `json:"access,omitempty"`
	Until       time.Time `json:"until,omitzero"` // of Access
	Refresh     string    `json:"refresh,omitempty"`
	Identifiers []string  `json:"identifiers,omitempty"` // credential identifiers, one per configuration, if the issuer gave any
	Child       string    `json:"child,omitempty"`
	Credentials []string  `json:"credentials,omitempty"` // ids of rows
	NotIssued   []string  `json:"notIssued,omitempty"`   // configurations that the issuer denied
}

// LogValue keeps codes, PINs and tokens out of every log.
func (g *grant) LogValue() slog.Value { return slog.StringValue("grant") }

// kept is a credential as it is sealed. State is what its status lists said
// when they were last read.
type kept struct {
	Config     string    `json:"config"`
	IssuerName string    `json:"issuerName"`
	JWT        string    `json:"jwt"` // the credential of whatever format, as it came
	State      string    `json:"state,omitempty"`
	Checked    time.Time `json:"checked"`
	// Receipt shows that it is in its issuer's ledger; nil: that is not shown yet.
	Receipt *tlog.Receipt `json:"receipt,omitempty"`
}

// States of a credential, by its status lists.
const (
	stateGood      = ""
	stateRevoked   = "revoked"
	stateSuspended = "suspended"
)

// vault opens the data key of a guardian, or gives errNoWallet.
func (w *Wallet) vault(ctx context.Context, guardian string) (*vault, error) {
	var x wrapped
	err := w.cfg.DB.QueryRowContext(ctx, `SELECT key_id, wrap_id, wrapped FROM guardians WHERE id = $1`, guardian).Scan(&x.keyID, &x.wrapID, &x.sealed)
	if err == sql.ErrNoRows {
		return nil, errNoWallet
	}
	if err != nil {
		return nil, err
	}
	return w.unwrap(guardian, x)
}

func (w *Wallet) unwrap(guardian string, x wrapped) (*vault, error) {
	dataKey, err := unwrap(guardian, x, w.wraps)
	if err != nil {
		return nil, err
	}
	return openVault(guardian, x.keyID, dataKey)
}

// enter opens the guardian's data key and makes it, with a holder key, the
// first time.
func (w *Wallet) enter(ctx context.Context, guardian string) (*vault, error) {
	if v, err := w.vault(ctx, guardian); err != errNoWallet {
		return v, err
	}
	now := w.cfg.Now()
	v, x, err := newVault(guardian, w.wraps[0])
	if err != nil {
		return nil, err
	}
	h, err := newHolder(now)
	if err != nil {
		return nil, err
	}
	id := store.Random(12)
	sealed, err := v.seal(tableHolder, id, h)
	if err != nil {
		return nil, err
	}
	err = w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO guardians (id, key_id, wrap_id, wrapped, version, created) VALUES ($1,$2,$3,$4,0,$5)
			ON CONFLICT (id) DO NOTHING`, guardian, x.keyID, x.wrapID, x.sealed, store.Micros(now))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err // another request made it first: its key counts
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO holder_keys (id, guardian, sealed, created) VALUES ($1,$2,$3,$4)`,
			id, guardian, sealed, store.Micros(now))
		return err
	})
	if err != nil {
		return nil, err
	}
	return w.vault(ctx, guardian)
}

func newHolder(now time.Time) (holder, error) {
	k, err := keys.New("holder", "holder", keys.EdDSA, now, time.Time{})
	if err != nil {
		return holder{}, err
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		return holder{}, err
	}
	der, err := k.Private()
	return holder{DID: id, PKCS8: der}, err
}

// holderOf gives the holder key of the guardian. There is one per guardian, so
// that credentials of several issuers can be shown together.
func (w *Wallet) holderOf(ctx context.Context, v *vault) (holder, error) {
	var id string
	var sealed []byte
	err := w.cfg.DB.QueryRowContext(ctx, `SELECT id, sealed FROM holder_keys WHERE guardian = $1 ORDER BY created, id LIMIT 1`, v.guardian).Scan(&id, &sealed)
	if err == sql.ErrNoRows {
		return holder{}, ErrWalletDeleted
	}
	if err != nil {
		return holder{}, err
	}
	var h holder
	return h, v.open(tableHolder, id, sealed, &h)
}

// lock makes the transaction the only one that writes for this guardian, and
// fails if the wallet was deleted since v was opened: what is sealed with a
// destroyed key must not be written into a wallet made anew.
func lock(ctx context.Context, tx *sql.Tx, v *vault) error {
	r, err := tx.ExecContext(ctx, `UPDATE guardians SET version = version + 1 WHERE id = $1 AND key_id = $2`, v.guardian, v.keyID)
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		return ErrWalletDeleted
	}
	return err
}

// row is what both *sql.Row and *sql.Rows are read through.
type row interface{ Scan(...any) error }

func scanGrant(r row, v *vault) (*grant, error) {
	var id string
	var state int64
	var sealed []byte
	if err := r.Scan(&id, &state, &sealed); err != nil {
		return nil, err
	}
	g := &grant{}
	if err := v.open(tableGrant, id, sealed, g); err != nil {
		return nil, err
	}
	g.ID, g.Done = id, state == grantDone
	return g, nil
}

// grantOf finds what an offer was redeemed for, by its code or by the address
// that it was fetched from. It gives nil if the offer is new.
func (w *Wallet) grantOf(ctx context.Context, v *vault, offerKey, uriKey []byte) (*grant, error) {
	g, err := scanGrant(w.cfg.DB.QueryRowContext(ctx, `SELECT id, state, sealed FROM grants
		WHERE guardian = $1 AND (offer_key = $2 OR uri_key = $3)`, v.guardian, offerKey, uriKey), v)
	if err == sql.ErrNoRows {
		return nil, nil
	}
	return g, err
}

func (v *vault) offerKey(issuer, code string) []byte { return v.find("offer", issuer, code) }

func (v *vault) uriKey(uri string) []byte {
	if uri == "" {
		return nil
	}
	return v.find("offer-uri", uri)
}

// keepGrant stores an open grant with its tokens, so that a lost answer can be
// made up for. An offer that is finished stays as it is. The grant learns its
// id.
func (w *Wallet) keepGrant(ctx context.Context, v *vault, g *grant) error {
	now := w.cfg.Now()
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM grants WHERE guardian = $1 AND state = $2 AND created < $3`,
			v.guardian, grantOpen, store.Micros(now.Add(-grantLife))); err != nil {
			return err
		}
		return putGrant(ctx, tx, v, g, now)
	})
}

// putGrant writes g unless its offer is finished and g is not.
func putGrant(ctx context.Context, tx *sql.Tx, v *vault, g *grant, now time.Time) error {
	var state int64
	err := tx.QueryRowContext(ctx, `SELECT id, state FROM grants WHERE guardian = $1 AND offer_key = $2`,
		v.guardian, v.offerKey(g.Issuer, g.Code)).Scan(&g.ID, &state)
	isNew := err == sql.ErrNoRows
	if err != nil && !isNew {
		return err
	}
	if isNew {
		g.ID = store.Random(12)
	}
	if state == grantDone && !g.Done {
		return nil
	}
	want := int64(grantOpen)
	if g.Done {
		want = grantDone
	}
	sealed, err := v.seal(tableGrant, g.ID, g)
	if err != nil {
		return err
	}
	if isNew {
		_, err = tx.ExecContext(ctx, `INSERT INTO grants (id, guardian, offer_key, uri_key, state, sealed, created) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
			g.ID, v.guardian, v.offerKey(g.Issuer, g.Code), v.uriKey(g.URI), want, sealed, store.Micros(now))
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE grants SET state = $1, sealed = $2 WHERE id = $3 AND guardian = $4`, want, sealed, g.ID, v.guardian)
	return err
}

// keepTokens stores the tokens of a finished grant after a refresh, before
// they are used: the old refresh token may be dead.
func (w *Wallet) keepTokens(ctx context.Context, v *vault, g *grant) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		now, err := scanGrant(tx.QueryRowContext(ctx, `SELECT id, state, sealed FROM grants WHERE id = $1 AND guardian = $2`, g.ID, v.guardian), v)
		if err == sql.ErrNoRows {
			return ErrNoSuchCredential // deleted meanwhile
		}
		if err != nil {
			return err
		}
		now.Access, now.Until, now.Refresh, now.Identifiers = g.Access, g.Until, g.Refresh, g.Identifiers
		return updateGrant(ctx, tx, v, now)
	})
}

func updateGrant(ctx context.Context, tx *sql.Tx, v *vault, g *grant) error {
	sealed, err := v.seal(tableGrant, g.ID, g)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE grants SET sealed = $1 WHERE id = $2 AND guardian = $3`, sealed, g.ID, v.guardian)
	return err
}

// grants lists the finished grants of a guardian, oldest first.
func (w *Wallet) grants(ctx context.Context, v *vault) ([]*grant, error) {
	rows, err := w.cfg.DB.QueryContext(ctx, `SELECT id, state, sealed FROM grants WHERE guardian = $1 AND state = $2 ORDER BY created, id`, v.guardian, grantDone)
	return store.All(rows, err, func(r *sql.Rows) (*grant, error) { return scanGrant(r, v) })
}

// accepted is a set of credentials of one child that has passed every check.
type accepted struct {
	issuer   string // DID
	childRef string
	keep     []keptCredential
	denied   []string // configurations
	at       time.Time
}

type keptCredential struct {
	kept
	urn string // the credential's own id
}

// finish stores what was accepted, all or nothing, and closes the grant. The
// same credential that came twice is stored once. A grant that another request
// has finished meanwhile stays as that request left it, and is what g becomes.
func (w *Wallet) finish(ctx context.Context, v *vault, g *grant, a accepted) error {
	now := w.cfg.Now()
	a.at = now
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		have, err := scanGrant(tx.QueryRowContext(ctx, `SELECT id, state, sealed FROM grants WHERE guardian = $1 AND offer_key = $2`,
			v.guardian, v.offerKey(g.Issuer, g.Code)), v)
		if err == sql.ErrNoRows {
			return ErrNoSuchCredential // deleted meanwhile
		}
		if err != nil {
			return err
		}
		renewal := g.Done
		if have.Done && !renewal {
			*g = *have
			return nil
		}
		have.Done = true
		have.Access, have.Until, have.NotIssued = "", time.Time{}, a.denied
		if have.Child, err = childFor(ctx, tx, v, have.Child, a); err != nil {
			return err
		}
		if err := replace(ctx, tx, v, have, a); err != nil {
			return err
		}
		if err := putGrant(ctx, tx, v, have, now); err != nil {
			return err
		}
		*g = *have
		return nil
	})
}

// childFor gives the row of the child: the one that this childRef means, the
// one that is being renewed, or a new one. A renewal that brings the childRef
// of another child is refused.
func childFor(ctx context.Context, tx *sql.Tx, v *vault, child string, a accepted) (string, error) {
	ref := v.find("child", a.issuer, a.childRef)
	var known string
	err := tx.QueryRowContext(ctx, `SELECT child FROM child_refs WHERE guardian = $1 AND ref_key = $2`, v.guardian, ref).Scan(&known)
	switch {
	case err == nil && child != "" && child != known:
		return "", refused("childRef", "belongs to another child")
	case err == nil:
		return known, nil
	case err != sql.ErrNoRows:
		return "", err
	}
	if child == "" {
		child = store.Random(12)
		if _, err := tx.ExecContext(ctx, `INSERT INTO children (id, guardian, created) VALUES ($1,$2,$3)`, child, v.guardian, store.Micros(a.at)); err != nil {
			return "", err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO child_refs (guardian, ref_key, child) VALUES ($1,$2,$3)`, v.guardian, ref, child)
	return child, err
}

// replace puts the credentials of a grant in the place of those that it had,
// under the same ids where the configuration is the same.
func replace(ctx context.Context, tx *sql.Tx, v *vault, g *grant, a accepted) error {
	old := map[string]string{} // configuration → row
	for _, id := range g.Credentials {
		c, err := scanCredential(tx.QueryRowContext(ctx, selectCredential+` AND id = $2`, v.guardian, id), v)
		if err == sql.ErrNoRows {
			continue // the guardian deleted it
		}
		if err != nil {
			return err
		}
		if c.Grant == g.ID {
			old[c.Config] = id
		}
	}
	ids := []string{}
	for _, k := range a.keep {
		urn := v.find("urn", a.issuer, k.urn)
		var id, child string
		err := tx.QueryRowContext(ctx, `SELECT id, child FROM credentials WHERE guardian = $1 AND urn_key = $2`, v.guardian, urn).Scan(&id, &child)
		switch {
		case err == nil && child != g.Child:
			return refused("childRef", "belongs to another child")
		case err != nil && err != sql.ErrNoRows:
			return err
		}
		isNew := id == "" && old[k.Config] == ""
		switch {
		case isNew:
			id = store.Random(12)
		case id == "":
			id = old[k.Config]
		}
		sealed, err := v.seal(tableCredential, id, k.kept)
		if err != nil {
			return err
		}
		if isNew {
			_, err = tx.ExecContext(ctx, `INSERT INTO credentials (id, guardian, grant_id, child, urn_key, sealed, created) VALUES ($1,$2,$3,$4,$5,$6,$7)`,
				id, v.guardian, g.ID, g.Child, urn, sealed, store.Micros(a.at))
		} else {
			_, err = tx.ExecContext(ctx, `UPDATE credentials SET urn_key = $1, sealed = $2, child = $3 WHERE id = $4 AND guardian = $5`,
				urn, sealed, g.Child, id, v.guardian)
		}
		if err != nil {
			return err
		}
		maps.DeleteFunc(old, func(_, row string) bool { return row == id })
		ids = append(ids, id)
	}
	for _, id := range old {
		if _, err := tx.ExecContext(ctx, `DELETE FROM credentials WHERE id = $1 AND guardian = $2`, id, v.guardian); err != nil {
			return err
		}
	}
	g.Credentials = ids
	return nil
}

const selectCredential = `SELECT id, grant_id, child, sealed FROM credentials WHERE guardian = $1`

func scanCredential(r row, v *vault) (held, error) {
	var c held
	var sealed []byte
	if err := r.Scan(&c.ID, &c.Grant, &c.Child, &sealed); err != nil {
		return held{}, err
	}
	if err := v.open(tableCredential, c.ID, sealed, &c.kept); err != nil {
		return held{}, err
	}
	return c, c.read()
}

// credentials opens all credentials of a guardian, first received first.
func (w *Wallet) credentials(ctx context.Context, v *vault) ([]held, error) {
	rows, err := w.cfg.DB.QueryContext(ctx, selectCredential+` ORDER BY created, id`, v.guardian)
	return store.All(rows, err, func(r *sql.Rows) (held, error) { return scanCredential(r, v) })
}

// credential opens one credential. The guardian is part of the question, so
// another guardian's credential is as absent as one that never was.
func (w *Wallet) credential(ctx context.Context, v *vault, id string) (held, error) {
	c, err := scanCredential(w.cfg.DB.QueryRowContext(ctx, selectCredential+` AND id = $2`, v.guardian, id), v)
	if err == sql.ErrNoRows {
		return held{}, ErrNoSuchCredential
	}
	return c, err
}

// mark stores what the status lists say now.
func (w *Wallet) mark(ctx context.Context, v *vault, seen []held) error {
	return w.amend(ctx, v, seen, func(row *held, s held) { row.State, row.Checked = s.State, s.Checked })
}

// keepReceipts stores proofs of the ledger beside their credentials.
func (w *Wallet) keepReceipts(ctx context.Context, v *vault, with []held) error {
	if len(with) == 0 {
		return nil
	}
	return w.amend(ctx, v, with, func(row *held, s held) { row.Receipt = s.Receipt })
}

// amend takes over into its row what was found out about each credential, and seals
// the row anew. Rows that are gone or were replaced since are left alone.
func (w *Wallet) amend(ctx context.Context, v *vault, about []held, take func(row *held, s held)) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		for _, s := range about {
			c, err := scanCredential(tx.QueryRowContext(ctx, selectCredential+` AND id = $2`, v.guardian, s.ID), v)
			if err == sql.ErrNoRows || (err == nil && c.JWT != s.JWT) {
				continue
			}
			if err != nil {
				return err
			}
			take(&c, s)
			sealed, err := v.seal(tableCredential, c.ID, c.kept)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE credentials SET sealed = $1 WHERE id = $2 AND guardian = $3`, sealed, c.ID, v.guardian); err != nil {
				return err
			}
		}
		return nil
	})
}

// forget deletes a credential, and the grant and the child that have no other.
func (w *Wallet) forget(ctx context.Context, v *vault, id string) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return gone(absent(err), ErrNoSuchCredential)
		}
		var child string
		err := tx.QueryRowContext(ctx, `DELETE FROM credentials WHERE guardian = $1 AND id = $2 RETURNING child`, v.guardian, id).Scan(&child)
		if err == sql.ErrNoRows {
			return ErrNoSuchCredential
		}
		if err != nil {
			return err
		}
		left, err := ids(tx.QueryContext(ctx, `SELECT id FROM credentials WHERE guardian = $1`, v.guardian))
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT id, state, sealed FROM grants WHERE guardian = $1 AND state = $2`, v.guardian, grantDone)
		all, err := store.All(rows, err, func(r *sql.Rows) (*grant, error) { return scanGrant(r, v) })
		if err != nil {
			return err
		}
		for _, g := range all {
			g.Credentials = slices.DeleteFunc(g.Credentials, func(x string) bool { return !slices.Contains(left, x) })
			if len(g.Credentials) > 0 {
				err = updateGrant(ctx, tx, v, g)
			} else {
				_, err = tx.ExecContext(ctx, `DELETE FROM grants WHERE id = $1 AND guardian = $2`, g.ID, v.guardian)
			}
			if err != nil {
				return err
			}
		}
		for _, q := range []string{
			`DELETE FROM child_refs WHERE guardian = $1 AND child = $2 AND NOT EXISTS (SELECT 1 FROM credentials WHERE guardian = $1 AND child = $2)`,
			`DELETE FROM children WHERE guardian = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM credentials WHERE guardian = $1 AND child = $2)`,
		} {
			if _, err := tx.ExecContext(ctx, q, v.guardian, child); err != nil {
				return err
			}
		}
		return nil
	})
}

// absent says that a wallet deleted meanwhile has nothing.
func absent(err error) error {
	if errors.Is(err, ErrWalletDeleted) {
		return errNoWallet
	}
	return err
}

func ids(rows *sql.Rows, err error) ([]string, error) {
	return store.All(rows, err, store.One[string])
}

// shred destroys a guardian's data key and then removes every row. The key is
// overwritten first, so that the page that held it holds it no longer.
func (w *Wallet) shred(ctx context.Context, guardian string) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE guardians SET wrapped = $1, version = version + 1 WHERE id = $2`, make([]byte, 24+keySize+16), guardian)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		for _, q := range []string{
			`DELETE FROM acts WHERE guardian = $1`,
			`DELETE FROM journeys WHERE guardian = $1`,
			`DELETE FROM drops WHERE guardian = $1`,
			`DELETE FROM consents WHERE guardian = $1`,
			`DELETE FROM credentials WHERE guardian = $1`,
			`DELETE FROM legacy_credentials WHERE guardian = $1`,
			`DELETE FROM child_refs WHERE guardian = $1`,
			`DELETE FROM children WHERE guardian = $1`,
			`DELETE FROM grants WHERE guardian = $1`,
			`DELETE FROM holder_keys WHERE guardian = $1`,
			`DELETE FROM guardians WHERE id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, q, guardian); err != nil {
				return err
			}
		}
		return nil
	})
}

// guardians gives the ids of all who have a wallet.
func (w *Wallet) guardians(ctx context.Context) ([]string, error) {
	return ids(w.cfg.DB.QueryContext(ctx, `SELECT id FROM guardians ORDER BY created, id`))
}

// Rewrap wraps every data key with the ring's current service key and gives
// the number of those that were under another. Once it gives 0 without error,
// the previous service key can be thrown away. What is sealed stays as it is.
func (w *Wallet) Rewrap(ctx context.Context) (int, error) {
	all, err := ids(w.cfg.DB.QueryContext(ctx, `SELECT id FROM guardians WHERE wrap_id <> $1 ORDER BY id`, w.wraps[0].id))
	if err != nil {
		return 0, err
	}
	n := 0
	for _, guardian := range all {
		done := false
		err := w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
			var err error
			done, err = w.rewrap(ctx, tx, guardian)
			return err
		})
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

func (w *Wallet) rewrap(ctx context.Context, tx *sql.Tx, guardian string) (bool, error) {
	var x wrapped
	err := tx.QueryRowContext(ctx, `UPDATE guardians SET version = version + 1 WHERE id = $1 AND wrap_id <> $2
		RETURNING key_id, wrap_id, wrapped`, guardian, w.wraps[0].id).Scan(&x.keyID, &x.wrapID, &x.sealed)
	if err == sql.ErrNoRows {
		return false, nil // deleted, or done by a replica
	}
	if err != nil {
		return false, err
	}
	dataKey, err := unwrap(guardian, x, w.wraps)
	if err != nil {
		return false, err
	}
	sealed, err := wrap(guardian, x.keyID, dataKey, w.wraps[0])
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE guardians SET wrap_id = $1, wrapped = $2 WHERE id = $3`, w.wraps[0].id, sealed, guardian)
	return err == nil, err
}

// read fills in what the credential says. What is kept was verified before it
// was sealed.
func (c *held) read() error {
	var err error
	if c.vc, c.token, err = reread(c.JWT); err != nil {
		return errUnsealed.With(err)
	}
	if c.birth, c.guardianship, err = subjectOf(c.vc); err != nil {
		return errUnsealed.With(err)
	}
	return nil
}
