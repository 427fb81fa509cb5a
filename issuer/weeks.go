package issuer

import (
	"context"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
)

// Week counts what one office did in one week.
type Week struct {
	From          time.Time // Monday, 00:00 UTC
	Office        string    // as registrations name it, "" where they name none
	Registrations int       // births and guardianships
	Issuances     int       // copies
	Revocations   int       // records
}

// Weeks counts registrations, issuances and revocations per office in the last n
// weeks, this one included: numbers without personal data. A guardianship is
// counted where its child's birth was registered. Weeks in which an office did
// nothing are left out; the order is by office and week.
func (i *Issuer) Weeks(ctx context.Context, c Caller, n int) ([]Week, error) {
	if err := c.may(RoleRegistrar, RoleCourt, RoleProtection, RoleAuditor); err != nil {
		return nil, err
	}
	if err := i.catchUp(ctx); err != nil { // with which a birth's office becomes known
		return nil, err
	}
	return i.store.weeks(ctx, monday(i.now()).AddDate(0, 0, -7*(n-1)))
}

// monday gives the start of the week of t.
func monday(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d-(int(t.UTC().Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
}

// KeyState is a key of this issuer, without its secret part.
type KeyState struct {
	Name    string
	Use     string // credentials, or the role that it signs for
	Role    string // that it signs for; "" for the ledger
	Parts   bool   // it signs what is shown in parts
	Alg     string
	From    time.Time
	Until   time.Time // zero: no end
	Current bool      // it is the one that signs now
	Listed  bool      // the trust list has it, in force now
}

// KeyStates tells which keys this issuer has and whether verifiers believe them,
// and until when the trust list is good; zero where there is none or it cannot be
// had.
func (i *Issuer) KeyStates(ctx context.Context, c Caller) (keys []KeyState, listed time.Time, err error) {
	if err := c.may(RoleRegistrar, RoleCourt, RoleProtection, RoleAuditor); err != nil {
		return nil, time.Time{}, err
	}
	now := i.now()
	inForce := map[string]bool{}
	if l, err := i.trust(ctx); err == nil {
		listed = l.Next
		for _, is := range l.Issuers {
			for _, k := range is.Keys {
				inForce[k.ID] = is.DID == i.did && k.CutOff.IsZero() && k.ValidAt(now)
			}
		}
	}
	for _, k := range i.cfg.Ring.Keys {
		s := KeyState{Name: k.Name, Use: k.Use, Alg: k.Alg, From: k.NotBefore, Until: k.NotAfter, Listed: inForce[i.did+"#"+k.Name]}
		s.Role, s.Parts = signsFor(k.Use)
		if is, err := i.cfg.Ring.Current(k.Use, now); err == nil {
			s.Current = is.Name == k.Name
		}
		keys = append(keys, s)
	}
	return keys, listed, nil
}

// signsFor gives the role that keys of a use sign for, "" for the ledger's, and
// whether it is what is shown in parts.
func signsFor(use string) (role string, parts bool) {
	switch use {
	case keys.UseCredentials, keys.UseSelective:
		return RoleRegistrar, use == keys.UseSelective
	}
	return keys.RoleOf(use), keys.Selective(use)
}
