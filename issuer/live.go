package issuer

import (
	"context"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrHub refuses a request for the lists as of now. It does not say why: the
// lists of the slot are there for everybody.
var ErrHub = fault.New(fault.Unauthenticated, "hub-invalid", "the lists as of now are for the hubs of the trust list").
	WithHint("send a fresh token as: Authorization: KinpassHub TOKEN, or none for the lists as they are published")

const (
	// hubScheme is that of the Authorization header of a hub.
	hubScheme = "KinpassHub "
	// hubLife is how long a hub's token may be good, and hubSkew how far its clock
	// may be off.
	hubLife   = 5 * time.Minute
	hubSkew   = time.Minute
	maxHubJWS = 2 << 10 // bytes
	// cacheLive keeps what only a hub may see out of every cache.
	cacheLive = "private, no-store"
)

// Live judges what a hub sends to have the lists as of now and not as of the
// last slot: a JWT of vc.TypHub, signed with a key that the trust list names as
// a hub's, for this shelf, fresh, and used once. Silent suspensions show at once
// there: a hub asks for a whole list, and never says about whom.
func (i *Issuer) Live(ctx context.Context, token string) error {
	if len(token) > maxHubJWS {
		return ErrHub
	}
	v, err := vc.SplitJWS(token)
	if err != nil || v.Header.Typ != vc.TypHub || v.Header.Jwk != nil {
		return ErrHub
	}
	l, err := i.trust(ctx)
	if err != nil {
		return ErrHub
	}
	now := i.now()
	var key *vc.TrustKey
	for n := range l.Hubs {
		if h := &l.Hubs[n]; h.ID == v.Header.Kid && h.Role == vc.RoleHub && h.ValidAt(now) && h.CutOff.IsZero() {
			if key != nil {
				return ErrHub // a name for two keys is a name for none
			}
			key = h
		}
	}
	if key == nil {
		return ErrHub
	}
	pub, err := vc.ParseJWK(key.JWK)
	if err != nil {
		return ErrHub
	}
	payload, err := v.Verify(pub)
	if err != nil {
		return ErrHub
	}
	var c struct {
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		ID       string `json:"jti"`
	}
	if err := vc.StrictJSON(payload, &c, 1); err != nil {
		return ErrHub
	}
	iat, exp := time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0)
	if c.Audience != i.cfg.Base || !goodJTI.MatchString(c.ID) || !exp.After(iat) || exp.Sub(iat) > hubLife ||
		iat.After(now.Add(hubSkew)) || !now.Before(exp.Add(hubSkew)) {
		return ErrHub
	}
	used := sum([]byte("kinpass/hub/v1\x00"+key.ID+"\x00"), []byte(c.ID))
	fresh, err := (&openidStore{i.db}).useProof(ctx, used, now, exp.Add(hubSkew+time.Second))
	if err != nil {
		return err
	}
	if !fresh {
		return ErrHub
	}
	return nil
}

// liveFor reports whether a request asks for the lists as of now, and may.
func (i *Issuer) liveFor(ctx context.Context, authorization string) (bool, error) {
	token, ok := strings.CutPrefix(authorization, hubScheme)
	if !ok {
		return false, nil
	}
	return true, i.Live(ctx, token)
}

// LiveIndex is StatusIndex as of now.
func (i *Issuer) LiveIndex(ctx context.Context) (Published, error) {
	return private(i.statusIndex(ctx, everything(i.now())))
}

// LiveList is StatusList as of now.
func (i *Issuer) LiveList(ctx context.Context, purpose string, n int64) (Published, error) {
	if n < 1 {
		return Published{}, ErrNoSuchStatusList
	}
	var l signedList
	var err error
	switch purpose {
	case vc.PurposeIssued:
		l, err = i.issuedList(ctx, &i.present.issued, n, time.Second)
	case vc.PurposeRevocation, vc.PurposeSuspension:
		l, err = i.signedList(ctx, &i.present.shelf, purpose, n, time.Second)
	default:
		err = ErrNoSuchStatusList
	}
	return private(Published{Type: "application/vc+jwt", Body: l.body}, err)
}

// LiveOverrideIndex is OverrideIndex as of now.
func (i *Issuer) LiveOverrideIndex(ctx context.Context) (Published, error) {
	return private(i.overrideIndex(ctx, everything(i.now())))
}

// LiveOverride is OverrideList as of now.
func (i *Issuer) LiveOverride(ctx context.Context, n int64) (Published, error) {
	return private(i.overrideListOf(ctx, &i.present.overrides, n))
}

func private(p Published, err error) (Published, error) {
	if err != nil {
		return Published{}, err
	}
	p.Cache = cacheLive
	return p, nil
}
