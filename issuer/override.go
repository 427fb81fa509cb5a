package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of overrides.
var (
	ErrOverride = fault.New(fault.Invalid, "override-invalid", "not an override of a place on another issuer's status list").
			WithHint("take statusListCredential, statusListIndex and statusPurpose from the credential's credentialStatus")
	ErrNoSuchOverride = fault.New(fault.NotFound, "no-such-override", "there is no such override")
)

// States of an override, beside StatePending.
const (
	OverrideActive  = "active"
	OverrideLifted  = "lifted"
	OverrideExpired = "expired" // a suspension that nobody confirmed
	OverrideDenied  = "denied"  // by the second person
)

// Acts on overrides that a second person decides.
const (
	actOverride     = "override"
	actLiftOverride = "liftOverride"
)

// kindOverride is the kind of record that approvals of overrides name.
const kindOverride = "override"

// mayOverride are the roles that speak over other issuers' lists: a court, and
// for a suspension the authority for the protection of children.
var mayOverride = []string{RoleCourt, RoleProtection}

func init() {
	acts[actOverride] = act{roles: byCourt, execute: executeOverride, refuse: refuseOverride}
	acts[actLiftOverride] = act{roles: byCourt, execute: executeLiftOverride, refuse: refuseLiftOverride}
}

const (
	// maxOverrideAddress bounds the address of a list, in bytes.
	maxOverrideAddress = 512
	// maxOverrideIndex bounds the length of an override list to 2 MiB of bits, 16
	// times what Kinpass issuers publish.
	maxOverrideIndex = 1<<24 - 1
)

// OverrideRequest says which place on whose list, and why. Its members are those
// of a BitstringStatusListEntry.
type OverrideRequest struct {
	List    string `json:"statusListCredential"`
	Index   string `json:"statusListIndex"`
	Purpose string `json:"statusPurpose"`
	Reason  string `json:"reason"`
}

// Override is one place on another issuer's list, as this authority's staff sees
// it.
type Override struct {
	ID      string    `json:"id"`
	List    string    `json:"statusListCredential"`
	Index   string    `json:"statusListIndex"`
	Purpose string    `json:"statusPurpose"`
	State   string    `json:"state"`
	Reason  string    `json:"reason"`
	Role    string    `json:"role"` // of who ordered it
	By      string    `json:"by"`   // name
	Until   time.Time `json:"until,omitzero"`
	Created time.Time `json:"created"`
	index   int64
	list    int64
	caller  string // id
}

// over reports that an override has ended at t, whether somebody wrote that down
// or not.
func (o Override) over(t time.Time) bool {
	return o.State == OverrideActive && !o.Until.IsZero() && !t.Before(o.Until)
}

// AddOverride speaks over another issuer's status list, because that issuer does
// not carry out what this authority decided: verifiers take the place for revoked
// or suspended whatever the issuer publishes, where the trust list lets this
// authority override it. A suspension is in force at once and ends after three
// days unless it is confirmed; a court's order stands by itself. A revocation is a
// court's, and waits for a second person.
func (i *Issuer) AddOverride(ctx context.Context, c Caller, q OverrideRequest, idem string) (Outcome, error) {
	if err := c.may(mayOverride...); err != nil {
		return Outcome{}, err
	}
	o, err := i.readOverride(q)
	if err != nil {
		return Outcome{}, err
	}
	if o.Purpose == vc.PurposeRevocation && c.Role != RoleCourt {
		return Outcome{}, ErrNotAllowed
	}
	if _, err := i.signer(c.Role); err != nil {
		return Outcome{}, err // nobody would believe the list
	}
	cl, err := newClaim(c, idem, actOverride, []byte(q.List), []byte(q.Index), []byte(q.Purpose), []byte(q.Reason))
	if err != nil {
		return Outcome{}, err
	}
	o.Role, o.By, o.caller = c.Role, c.Name, c.ID
	if o.Purpose == vc.PurposeSuspension && (c.Role != RoleCourt || o.Reason != reasonByCourt) {
		o.Until = i.now().Add(suspensionTerm)
	}
	return i.store.addOverride(ctx, o, cl)
}

// readOverride checks a request. Nothing of it comes back in a refusal.
func (i *Issuer) readOverride(q OverrideRequest) (Override, error) {
	var fields []fault.Field
	refuse := func(path, rule string) { fields = append(fields, fault.Field{Path: path, Rule: rule}) }
	index, err := status.ParseIndex(q.Index)
	if err != nil || index > maxOverrideIndex || strconv.FormatInt(index, 10) != q.Index {
		refuse("/statusListIndex", "must be a whole number below 16777216, without leading zeros")
	}
	if !listAddress(q.List) {
		refuse("/statusListCredential", "must be an https address (http on loopback) without user, query and fragment, of at most 512 bytes")
	} else if q.List == i.cfg.Base || strings.HasPrefix(q.List, i.cfg.Base+"/") {
		refuse("/statusListCredential", "must be another issuer's list: revoke or suspend the own record itself")
	}
	reasons := SuspendReasons
	switch q.Purpose {
	case vc.PurposeSuspension:
	case vc.PurposeRevocation:
		reasons = RevokeReasons
	default:
		refuse("/statusPurpose", "must be revocation or suspension")
	}
	if !slices.Contains(reasons, q.Reason) {
		refuse("/reason", "must be one of "+strings.Join(reasons, ", "))
	}
	if len(fields) > 0 {
		return Override{}, ErrOverride.WithFields(fields...)
	}
	return Override{ID: token(), List: q.List, Index: q.Index, Purpose: q.Purpose, State: OverrideActive, Reason: q.Reason, index: index}, nil
}

// listAddress accepts the address of a status list: https anywhere, http on
// loopback only.
func listAddress(s string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxOverrideAddress || u.Host == "" || u.User != nil || u.Opaque != "" ||
		u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") || u.String() != s {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && a.IsLoopback())
}

// Overrides lists what this authority says over other issuers' lists, or has
// proposed to, newest first, at most 500.
func (i *Issuer) Overrides(ctx context.Context, c Caller) ([]Override, error) {
	if err := c.may(mayOverride...); err != nil {
		return nil, err
	}
	if err := i.store.expireOverrides(ctx); err != nil {
		return nil, err
	}
	return i.store.overrides(ctx, i.db, `WHERE o.state IN ('pendingApproval', 'active') ORDER BY o.created DESC, o.id LIMIT 500`)
}

// ConfirmOverride makes a suspension by override last until it is lifted, as
// ConfirmSuspension does one of the own records.
func (i *Issuer) ConfirmOverride(ctx context.Context, c Caller, id, reason, idem string) (Outcome, error) {
	if err := c.may(mayOverride...); err != nil {
		return Outcome{}, err
	}
	if err := known(reason, ConfirmReasons); err != nil {
		return Outcome{}, err
	}
	return i.changeOverride(ctx, c, statusRequest{act: "confirmOverride", target: id, reason: reason, idem: idem}, func(o Override) (overrideStep, error) {
		switch {
		case o.State != OverrideActive:
			return overrideStep{}, ErrNotSuspended
		case o.Until.IsZero():
			return overrideStep{}, nil
		case (c.ID == o.caller || c.Name == o.By) && (c.Role != RoleCourt || reason != reasonByCourt):
			return overrideStep{}, ErrSamePerson
		}
		to := o
		to.Until = time.Time{}
		if rank(c.Role) > rank(o.Role) {
			to.Role = c.Role
		}
		return overrideStep{to: &to, act: actConfirmed}, nil
	})
}

// LiftOverride ends an override: a suspension at once, by the role that ordered
// it or a higher one; a revocation when a second person of the court accepts.
func (i *Issuer) LiftOverride(ctx context.Context, c Caller, id, reason, idem string) (Outcome, error) {
	if err := c.may(mayOverride...); err != nil {
		return Outcome{}, err
	}
	if err := known(reason, ReinstateReasons); err != nil {
		return Outcome{}, err
	}
	payload, err := json.Marshal(revocation{reason})
	if err != nil {
		return Outcome{}, err
	}
	return i.changeOverride(ctx, c, statusRequest{act: actLiftOverride, target: id, reason: reason, idem: idem}, func(o Override) (overrideStep, error) {
		switch {
		case rank(c.Role) < rank(o.Role):
			return overrideStep{}, ErrHigherAuthority
		case o.State == StatePending:
			return overrideStep{}, ErrWaiting
		case o.State != OverrideActive:
			return overrideStep{}, nil
		case o.Purpose == vc.PurposeRevocation:
			return overrideStep{proposal: &proposal{Kind: actLiftOverride, RecordKind: kindOverride, Record: o.ID, Payload: payload, Caller: c}}, nil
		}
		to := o
		to.State = OverrideLifted
		return overrideStep{to: &to, act: OverrideLifted}, nil
	})
}

// overrideStep is what is to be done with an override: propose something, make it
// this, or, if both are nil, nothing.
type overrideStep struct {
	proposal *proposal
	to       *Override
	act      string
	approver Caller
}

func (i *Issuer) changeOverride(ctx context.Context, c Caller, q statusRequest, judge func(Override) (overrideStep, error)) (Outcome, error) {
	cl, err := newClaim(c, q.idem, q.act, []byte(q.target), []byte(q.reason))
	if err != nil {
		return Outcome{}, err
	}
	return i.store.changeOverride(ctx, overrideChange{id: q.target, by: c, reason: q.reason, claim: cl, judge: judge})
}

func executeOverride(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	if _, err := i.signer(RoleCourt); err != nil {
		return Outcome{}, err
	}
	return i.settleOverride(ctx, a, d, StatePending, OverrideActive)
}

func refuseOverride(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	return i.settleOverride(ctx, a, d, StatePending, OverrideDenied)
}

func executeLiftOverride(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	return i.settleOverride(ctx, a, d, OverrideActive, OverrideLifted)
}

// refuseLiftOverride leaves an override as it is.
func refuseLiftOverride(ctx context.Context, i *Issuer, a approval, d decision) (Outcome, error) {
	return i.settleOverride(ctx, a, d, OverrideActive, OverrideActive)
}

// settleOverride does what a second person decided.
func (i *Issuer) settleOverride(ctx context.Context, a approval, d decision, from, to string) (Outcome, error) {
	var p revocation
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		return Outcome{}, err
	}
	return i.store.changeOverride(ctx, overrideChange{id: a.Record, by: a.Caller, reason: p.Reason, decision: &d, judge: func(o Override) (overrideStep, error) {
		switch {
		case o.State != from:
			return overrideStep{}, ErrRecordState
		case from == to:
			return overrideStep{}, nil
		}
		next := o
		next.State = to
		return overrideStep{to: &next, act: to, approver: d.by}, nil
	}})
}

// overrideURL is the address of one of this authority's override lists.
func (i *Issuer) overrideURL(list int64) string {
	return i.cfg.Base + "/overrides/" + strconv.FormatInt(list, 10)
}

// OverrideIndex gives {"lists": [address, …]}: every list that this authority
// publishes over those of others. A list that is empty again stays, so that a
// verifier can tell "lifted" from "taken away".
func (i *Issuer) OverrideIndex(ctx context.Context) (Published, error) {
	s, err := i.slot(ctx)
	if err != nil {
		return Published{}, err
	}
	return i.overrideIndex(ctx, s)
}

func (i *Issuer) overrideIndex(ctx context.Context, s slot) (Published, error) {
	ids, err := i.store.overrideLists(ctx, s)
	if err != nil {
		return Published{}, err
	}
	index := struct {
		Lists []string `json:"lists"`
	}{Lists: []string{}}
	for _, n := range ids {
		index.Lists = append(index.Lists, i.overrideURL(n))
	}
	return published("application/json", i.cache(s.at), index)
}

// overrideShelf keeps the override lists as last signed.
type overrideShelf struct {
	live   bool // shows what is committed now
	mu     sync.Mutex
	signed map[int64]signedOverride
}

// maxAge is how old a list may be when nothing changed.
func (x *overrideShelf) maxAge(usual time.Duration) time.Duration {
	if x.live {
		return time.Second
	}
	return usual
}

type signedOverride struct {
	signedList
	cursor int64 // last change that is in it
}

// OverrideList gives the n-th list over another issuer's list, as a
// BitstringStatusListCredential of this authority secured as vc+jwt: its id is
// its own address, its subject's id that of the overridden list (settled so that
// a verifier finds the place by the credential's own entry). It is made and kept
// as StatusList says.
func (i *Issuer) OverrideList(ctx context.Context, n int64) (Published, error) {
	return i.overrideListOf(ctx, &i.overrideShelf, n)
}

func (i *Issuer) overrideListOf(ctx context.Context, x *overrideShelf, n int64) (Published, error) {
	if n < 1 {
		return Published{}, ErrNoSuchStatusList
	}
	i.expireSuspensions(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	now := i.now()
	last, has := x.signed[n]
	show := func(l signedList) (Published, error) {
		return Published{Type: "application/vc+jwt", Cache: i.cache(l.at), Body: l.body}, nil
	}
	var l overrideList
	s, err := i.slotOf(ctx, x.live)
	if err == nil && has && !s.live && s.at.Before(last.at) {
		return show(last.signedList) // another read the time later and was here before
	}
	if err == nil {
		l, err = i.store.overrideList(ctx, n, s)
	}
	if err == nil && has && last.cursor == l.cursor && s.shows(last.at, x.maxAge(i.cfg.Refresh)) && i.believed(ctx, last.signedList) {
		return show(last.signedList)
	}
	var fresh signedList
	if err == nil {
		fresh, err = i.signOverride(ctx, l, n, s)
	}
	if errors.Is(err, ErrNoSuchStatusList) {
		return Published{}, err
	}
	if err != nil {
		if has && now.Before(last.at.Add(listLife)) { // its age is in it
			i.log.Warn("override list not signed anew", "list", n, "code", fault.As(err).Code)
			return show(last.signedList)
		}
		return Published{}, err
	}
	if x.signed == nil {
		x.signed = map[int64]signedOverride{}
	}
	x.signed[n] = signedOverride{fresh, l.cursor}
	return show(fresh)
}

// overrideList is a list as a slot shows it.
type overrideList struct {
	address, purpose, role string
	size, cursor           int64
	set                    map[int64]bool // indexes
}

func (i *Issuer) signOverride(ctx context.Context, l overrideList, n int64, of slot) (signedList, error) {
	bits, err := status.New(l.size)
	if err != nil {
		return signedList{}, err
	}
	for index := range l.set {
		if err := bits.Set(index); err != nil {
			return signedList{}, err
		}
	}
	s, err := i.signerAt(ctx, l.role, of)
	if err != nil {
		return signedList{}, err
	}
	return i.signBits(bits, bitList{url: i.overrideURL(n), about: l.address, purpose: l.purpose, at: of.at}, s)
}
