package account

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/store"
)

// row is what both *sql.Row and *sql.Rows are read through.
type row interface{ Scan(...any) error }

func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// orNull stores "" as NULL, which a unique column may hold many times.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

const accountColumns = `a.id, a.role, COALESCE(a.name,''), a.created, a.disabled, COALESCE(a.oidc_issuer,'')`

func scanAccount(r row, more ...any) (Account, error) {
	var a Account
	var created, disabled int64
	err := r.Scan(append([]any{&a.ID, &a.Role, &a.Name, &created, &disabled, &a.Organisation}, more...)...)
	a.Created, a.Closed = store.Time(created), disabled != 0
	return a, err
}

// account gives an account of this service that is open.
func (x *Accounts) account(ctx context.Context, id string) (Account, error) {
	a, err := scanAccount(x.cfg.DB.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.id = $1 AND a.disabled = 0`, id))
	if err == sql.ErrNoRows {
		return Account{}, ErrNoSuchAccount
	}
	return a, err
}

// List gives every account, oldest first.
func (x *Accounts) List(ctx context.Context) ([]Account, error) {
	rows, err := x.cfg.DB.QueryContext(ctx, `SELECT `+accountColumns+`,
		(SELECT COUNT(*) FROM passkeys p WHERE p.account = a.id) FROM accounts a ORDER BY a.created, a.id`)
	return store.All(rows, err, func(r *sql.Rows) (Account, error) {
		var n int
		a, err := scanAccount(r, &n)
		a.Passkeys = n
		return a, err
	})
}

// saveInvitation stores an invitation. One for a new account needs a name that
// nobody has; the name is taken when it is used, not before.
func (x *Accounts) saveInvitation(ctx context.Context, secret string, i Invitation) error {
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if !i.Device && i.Name != "" {
			var n int
			if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts WHERE name = $1`, i.Name).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return ErrNameTaken
			}
		}
		if i.token != "" {
			var role string
			err := tx.QueryRowContext(ctx, `SELECT role FROM tokens WHERE id = $1 AND account = ''`, i.token).Scan(&role)
			if err == sql.ErrNoRows || err == nil && role != i.Role {
				return ErrNoSuchToken
			}
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO invitations (id, hash, account, device, role, name, by_id, created, expires) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`,
			i.ID, hashOf(secret), i.Account, flag(i.Device), i.Role, orNull(i.Name), i.By, store.Micros(i.Created), store.Micros(i.Expires))
		return err
	})
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const invitationColumns = `i.id, i.account, i.device, i.role, COALESCE(i.name,''), i.by_id, i.created, i.expires`

func scanInvitation(r row) (Invitation, error) {
	var i Invitation
	var device, created, expires int64
	err := r.Scan(&i.ID, &i.Account, &device, &i.Role, &i.Name, &i.By, &created, &expires)
	i.Device, i.Created, i.Expires = device != 0, store.Time(created), store.Time(expires)
	return i, err
}

// query is what both *sql.DB and *sql.Tx ask through.
type query interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// invitation finds one that can still be used. One for a device is good only
// while its account is open, one for an account only while there is none.
func (x *Accounts) invitation(ctx context.Context, q query, secret string) (Invitation, error) {
	i, err := scanInvitation(q.QueryRowContext(ctx, `SELECT `+invitationColumns+` FROM invitations i LEFT JOIN accounts a ON a.id = i.account
		WHERE i.hash = $1 AND i.used = 0 AND i.expires > $2 AND ((i.device = 1 AND a.disabled = 0) OR (i.device = 0 AND a.id IS NULL))`,
		hashOf(secret), store.Micros(x.cfg.Now())))
	if err == sql.ErrNoRows {
		return Invitation{}, ErrInvitation
	}
	return i, err
}

// Invitations lists those for new accounts that can still be used, newest
// first.
func (x *Accounts) Invitations(ctx context.Context) ([]Invitation, error) {
	rows, err := x.cfg.DB.QueryContext(ctx, `SELECT `+invitationColumns+` FROM invitations i WHERE i.used = 0 AND i.device = 0 AND i.expires > $1 ORDER BY i.created DESC, i.id`,
		store.Micros(x.cfg.Now()))
	return store.All(rows, err, func(r *sql.Rows) (Invitation, error) { return scanInvitation(r) })
}

// Withdraw makes an invitation for a new account useless.
func (x *Accounts) Withdraw(ctx context.Context, id string) error {
	return x.one(ctx, ErrNoSuchInvitation, `DELETE FROM invitations WHERE id = $1 AND used = 0 AND device = 0`, id)
}

// one runs a statement that must change a row, or gives absent.
func (x *Accounts) one(ctx context.Context, absent error, statement string, args ...any) error {
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err == nil && n == 0 {
			return absent
		}
		return err
	})
}

// joining is how somebody joins with an invitation: by a passkey, or by an
// organisation's sign-in.
type joining struct {
	secret          string // of the invitation
	passkey         *passkey
	issuer, subject string
	device          string
}

// join uses an invitation up, makes the account where there is none, adds the
// passkey and opens a session, all or nothing: of two that come with the same
// invitation one finds it used.
func (x *Accounts) join(ctx context.Context, j joining) (string, error) {
	now := x.cfg.Now()
	var session string
	err := x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		i, err := x.invitation(ctx, tx, j.secret)
		if err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE invitations SET used = $1 WHERE id = $2 AND used = 0`, store.Micros(now), i.ID)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return ErrInvitation.With(err)
		}
		if !i.Device {
			_, err := tx.ExecContext(ctx, `INSERT INTO accounts (id, role, name, created, oidc_issuer, oidc_subject) VALUES ($1,$2,$3,$4,$5,$6)`,
				i.Account, i.Role, orNull(i.Name), store.Micros(now), orNull(j.issuer), orNull(j.subject))
			if store.IsUnique(err) {
				return ErrInvitation.With(err) // the name, or the organisation's person, has an account meanwhile
			}
			if err != nil {
				return err
			}
		}
		opened := ""
		if j.passkey != nil {
			opened = j.passkey.id
			if err := insertPasskey(ctx, tx, i.Account, j.passkey, now); err != nil {
				return err
			}
		}
		session, err = x.insertSession(ctx, tx, Session{Account: Account{ID: i.Account, Role: i.Role}, Device: j.device, Passkey: opened})
		return err
	})
	return session, err
}

func insertPasskey(ctx context.Context, tx *sql.Tx, account string, p *passkey, now time.Time) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM passkeys WHERE account = $1`, account).Scan(&n); err != nil {
		return err
	}
	if n >= maxPasskeys {
		return ErrTooManyPasskeys
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO passkeys (id, account, credential_id, record, label, created, used) VALUES ($1,$2,$3,$4,$5,$6,$6)`,
		p.id, account, p.credentialID, p.record, p.label, store.Micros(now))
	if store.IsUnique(err) {
		return ErrPasskeyKnown.With(err)
	}
	return err
}

// addPasskey adds a passkey to an account that is open.
func (x *Accounts) addPasskey(ctx context.Context, account string, p *passkey) error {
	now := x.cfg.Now()
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		// The row is written so that closing the account waits for this.
		r, err := tx.ExecContext(ctx, `UPDATE accounts SET disabled = 0 WHERE id = $1 AND disabled = 0`, account)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return ErrNoSuchAccount.With(err)
		}
		return insertPasskey(ctx, tx, account, p, now)
	})
}

// records gives the passkeys of an account as they are stored.
func (x *Accounts) records(ctx context.Context, account string) ([][]byte, error) {
	rows, err := x.cfg.DB.QueryContext(ctx, `SELECT record FROM passkeys WHERE account = $1 ORDER BY created, id`, account)
	return store.All(rows, err, store.One[[]byte])
}

// Passkeys lists the passkeys of an account, oldest first.
func (x *Accounts) Passkeys(ctx context.Context, account string) ([]Passkey, error) {
	rows, err := x.cfg.DB.QueryContext(ctx, `SELECT id, label, created, used FROM passkeys WHERE account = $1 ORDER BY created, id`, account)
	return store.All(rows, err, func(rows *sql.Rows) (p Passkey, err error) {
		var created, used int64
		err = rows.Scan(&p.ID, &p.Label, &created, &used)
		p.Created, p.Used = store.Time(created), store.Time(used)
		return p, err
	})
}

// RemovePasskey takes a passkey from an account and ends the sessions that it
// opened. The last one goes only if that is asked for, knowing that nobody can
// sign in to the account afterwards.
func (x *Accounts) RemovePasskey(ctx context.Context, account, id string, evenLast bool) error {
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		// Two removals at once must not both see another one left: the account's
		// row is the lock.
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET role = role WHERE id = $1`, account); err != nil {
			return err
		}
		var n, mine, federated int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(CASE WHEN id = $2 THEN 1 END) FROM passkeys WHERE account = $1`, account, id).Scan(&n, &mine)
		if err != nil {
			return err
		}
		if mine == 0 {
			return ErrNoSuchPasskey
		}
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts WHERE id = $1 AND oidc_issuer IS NOT NULL`, account).Scan(&federated); err != nil {
			return err
		}
		if n == 1 && federated == 0 && !evenLast {
			return ErrLastPasskey
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE account = $1 AND passkey = $2`, account, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM passkeys WHERE account = $1 AND id = $2`, account, id)
		return err
	})
}

// signIn stores what a passkey's use changed and opens a session.
func (x *Accounts) signIn(ctx context.Context, account string, p *passkey, device string) (string, error) {
	now := x.cfg.Now()
	var secret string
	err := x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		a, err := scanAccount(tx.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.id = $1 AND a.disabled = 0`, account))
		if err == sql.ErrNoRows {
			return ErrPasskey
		}
		if err != nil {
			return err
		}
		opened := ""
		if p != nil {
			err := tx.QueryRowContext(ctx, `UPDATE passkeys SET record = $1, used = $2 WHERE account = $3 AND credential_id = $4 RETURNING id`,
				p.record, store.Micros(now), account, p.credentialID).Scan(&opened)
			if err == sql.ErrNoRows {
				return ErrPasskey // removed meanwhile
			}
			if err != nil {
				return err
			}
		}
		secret, err = x.insertSession(ctx, tx, Session{Account: a, Device: device, Passkey: opened})
		return err
	})
	return secret, err
}

// demonstrate opens a session of somebody who needs no passkey, in an account
// that is made if there is none.
func (x *Accounts) demonstrate(ctx context.Context, g Guest, device string) (string, error) {
	var secret string
	err := x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		a, err := scanAccount(tx.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE a.id = $1 OR a.name = $2`, g.Token, orNull(g.Name)))
		if err == sql.ErrNoRows {
			a = Account{ID: store.Random(12), Role: g.Role}
			if g.Token != "" {
				a.ID = g.Token
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO accounts (id, role, name, created) VALUES ($1,$2,$3,$4)`, a.ID, g.Role, orNull(g.Name), store.Micros(x.cfg.Now()))
		}
		if err != nil {
			return err
		}
		if a.Role != g.Role || a.Closed {
			return ErrNoDemonstration
		}
		secret, err = x.insertSession(ctx, tx, Session{Account: a, Device: device, Passkey: byDemonstration})
		return err
	})
	return secret, err
}

// prove notes that who is signed in has proved anew who they are; p is the
// passkey that did, nil for an organisation's sign-in.
func (x *Accounts) prove(ctx context.Context, s Session, p *passkey) error {
	now := store.Micros(x.cfg.Now())
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if p != nil {
			var id string
			err := tx.QueryRowContext(ctx, `UPDATE passkeys SET record = $1, used = $2 WHERE account = $3 AND credential_id = $4 RETURNING id`,
				p.record, now, s.Account.ID, p.credentialID).Scan(&id)
			if err == sql.ErrNoRows {
				return ErrPasskey // removed meanwhile
			}
			if err != nil {
				return err
			}
		}
		r, err := tx.ExecContext(ctx, `UPDATE sessions SET proven = $1 WHERE account = $2 AND id = $3`, now, s.Account.ID, s.ID)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return ErrSession.With(err)
		}
		return nil
	})
}

// NamePasskey gives a passkey of an account the name that its owner knows it
// by.
func (x *Accounts) NamePasskey(ctx context.Context, account, id, name string) error {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxPasskeyName || !printable(name) {
		return ErrPasskeyName
	}
	return x.one(ctx, ErrNoSuchPasskey, `UPDATE passkeys SET label = $1 WHERE account = $2 AND id = $3`, name, account, id)
}

// Delete removes a guardian's account as if there had never been one: passkeys,
// sessions, invitations and API tokens go with it. The accounts of staff are
// closed and stay, because their name stands in what they did.
func (x *Accounts) Delete(ctx context.Context, id string) error {
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		// The row is written first, so that whoever adds a device waits for this.
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET role = role WHERE id = $1`, id); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM sessions WHERE account = $1`, `DELETE FROM passkeys WHERE account = $1`, `DELETE FROM invitations WHERE account = $1`,
			`DELETE FROM tokens WHERE account = $1 OR id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		r, err := tx.ExecContext(ctx, `DELETE FROM accounts WHERE id = $1 AND role = $2`, id, RoleGuardian)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return ErrNoSuchAccount.With(err) // nothing of the above is kept
		}
		return nil
	})
}

// bySubject gives the account that an organisation's person joined with.
func (x *Accounts) bySubject(ctx context.Context, issuer, subject string) (string, error) {
	var id string
	err := x.cfg.DB.QueryRowContext(ctx, `SELECT id FROM accounts WHERE oidc_issuer = $1 AND oidc_subject = $2 AND disabled = 0`, issuer, subject).Scan(&id)
	if err == sql.ErrNoRows {
		return "", ErrNotInvited
	}
	return id, err
}

func (x *Accounts) insertSession(ctx context.Context, tx *sql.Tx, s Session) (string, error) {
	now := x.cfg.Now()
	secret := store.Random(32)
	_, err := tx.ExecContext(ctx, `INSERT INTO sessions (hash, id, account, device, passkey, created, seen, proven, expires) VALUES ($1,$2,$3,$4,$5,$6,$6,$6,$7)`,
		hashOf(secret), store.Random(12), s.Account.ID, s.Device, s.Passkey, store.Micros(now), store.Micros(now.Add(termsOf(s.Account.Role).life)))
	return secret, err
}

// Session finds the session that a cookie names, with its account. It counts as
// used, at most once a minute, and is gone when it was not used for too long or
// is too old.
func (x *Accounts) Session(ctx context.Context, secret string) (Session, error) {
	if secret == "" || len(secret) > 128 {
		return Session{}, ErrSession
	}
	now, hash := x.cfg.Now(), hashOf(secret)
	var s Session
	var created, seen, proven, expires int64
	a, err := scanAccount(x.cfg.DB.QueryRowContext(ctx, `SELECT `+accountColumns+`, s.id, s.device, s.passkey, s.created, s.seen, s.proven, s.expires
		FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.hash = $1 AND a.disabled = 0`, hash),
		&s.ID, &s.Device, &s.Passkey, &created, &seen, &proven, &expires)
	if err == sql.ErrNoRows {
		return Session{}, ErrSession
	}
	if err != nil {
		return Session{}, err
	}
	s.Account, s.Created, s.Seen, s.Proven, s.Expires = a, store.Time(created), store.Time(seen), store.Time(proven), store.Time(expires)
	if !now.Before(s.Expires) || now.Sub(s.Seen) >= termsOf(a.Role).idle || s.Demonstration() && x.cfg.Development == nil {
		return Session{}, ErrSession
	}
	if now.Sub(s.Seen) < time.Minute {
		return s, nil
	}
	s.Seen = now
	return s, x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET seen = $1 WHERE hash = $2`, store.Micros(now), hash)
		return err
	})
}

// Sessions lists the sessions of an account that are open, the latest used
// first.
func (x *Accounts) Sessions(ctx context.Context, a Account) ([]Session, error) {
	now := x.cfg.Now()
	rows, err := x.cfg.DB.QueryContext(ctx, `SELECT id, device, created, seen, expires FROM sessions WHERE account = $1 AND expires > $2 AND seen > $3 ORDER BY seen DESC, id`,
		a.ID, store.Micros(now), store.Micros(now.Add(-termsOf(a.Role).idle)))
	return store.All(rows, err, func(r *sql.Rows) (Session, error) {
		s := Session{Account: a}
		var created, seen, expires int64
		err := r.Scan(&s.ID, &s.Device, &created, &seen, &expires)
		s.Created, s.Seen, s.Expires = store.Time(created), store.Time(seen), store.Time(expires)
		return s, err
	})
}

// SignOut ends one session of an account.
func (x *Accounts) SignOut(ctx context.Context, account, id string) error {
	return x.one(ctx, ErrNoSuchSession, `DELETE FROM sessions WHERE account = $1 AND id = $2`, account, id)
}

// SignOutEverywhere ends every session of an account, and the invitations for
// further devices that were not used.
func (x *Accounts) SignOutEverywhere(ctx context.Context, account string) error {
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error { return endSessions(ctx, tx, account) })
}

func endSessions(ctx context.Context, tx *sql.Tx, account string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE account = $1`, account); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE account = $1 AND device = 1 AND used = 0`, account)
	return err
}

// Close shuts an account: nobody signs in to it, its sessions and tokens end at
// once. The last open administrator stays.
func (x *Accounts) Close(ctx context.Context, id string) error {
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		// Every administrator's row is written, so that two who close each other
		// wait for one another.
		if _, err := tx.ExecContext(ctx, `UPDATE accounts SET role = role WHERE role = $1`, RoleAdministrator); err != nil {
			return err
		}
		var role string
		err := tx.QueryRowContext(ctx, `UPDATE accounts SET disabled = 1 WHERE id = $1 AND disabled = 0 RETURNING role`, id).Scan(&role)
		if err == sql.ErrNoRows {
			return ErrNoSuchAccount
		}
		if err != nil {
			return err
		}
		var left int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts WHERE role = $1 AND disabled = 0`, RoleAdministrator).Scan(&left); err != nil {
			return err
		}
		if role == RoleAdministrator && left == 0 {
			return ErrLastAdministrator
		}
		return endSessions(ctx, tx, id)
	})
}

// Reopen lets the people of a closed account sign in again.
func (x *Accounts) Reopen(ctx context.Context, id string) error {
	return x.one(ctx, ErrNoSuchAccount, `UPDATE accounts SET disabled = 0 WHERE id = $1 AND disabled = 1`, id)
}

// remember keeps data between the halves of a ceremony of one visitor. A new
// one takes the place of an unfinished one.
func (x *Accounts) remember(ctx context.Context, visit, kind string, data []byte) error {
	now := x.cfg.Now()
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM ceremonies WHERE expires <= $1`, store.Micros(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO ceremonies (visit, kind, data, expires) VALUES ($1,$2,$3,$4)
			ON CONFLICT (visit, kind) DO UPDATE SET data = excluded.data, expires = excluded.expires`,
			hashOf(visit), kind, data, store.Micros(now.Add(ceremonyLife)))
		return err
	})
}

// recall gives what was remembered, once.
func (x *Accounts) recall(ctx context.Context, visit, kind string) ([]byte, error) {
	var data []byte
	var expires int64
	err := x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `DELETE FROM ceremonies WHERE visit = $1 AND kind = $2 RETURNING data, expires`, hashOf(visit), kind).Scan(&data, &expires)
	})
	if err == sql.ErrNoRows || err == nil && !x.cfg.Now().Before(store.Time(expires)) {
		return nil, ErrCeremony
	}
	return data, err
}

// Purge removes sessions and invitations that are over.
func (x *Accounts) Purge(ctx context.Context) error {
	now := x.cfg.Now()
	return x.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires <= $1`, store.Micros(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE expires <= $1`, store.Micros(now.Add(-30*24*time.Hour)))
		return err
	})
}
