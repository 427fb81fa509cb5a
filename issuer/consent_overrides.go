package issuer

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

const (
	maxOverrides  = 512 // lists that one authority publishes over others'
	fetchesAtOnce = 8
)

// examiner starts to examine a dossier.
func (i *Issuer) examiner(trust *vc.TrustList) *examiner {
	return &examiner{i: i, trust: trust, now: i.now(), read: map[string]fetched{}, over: map[string]overruling{}}
}

// overruling is what one authority says over the lists of others, or why that
// cannot be had.
type overruling struct {
	lists []overrule
	err   error
}

// overrule is one authority's list over one list of another issuer.
type overrule struct {
	about, purpose string
	bits           *status.List
}

// overridden refuses what an authority overrides: where the trust list lets it
// (mayRevoke), what it calls revoked or suspended is, whatever the issuer
// publishes (settled: a court, also when the registrar does not comply). An
// authority that cannot be asked is ErrDossierStatus.
func (x *examiner) overridden(ctx context.Context, e vc.StatusEntry, issuer *vc.TrustIssuer) error {
	for n := range x.trust.Issuers {
		authority := &x.trust.Issuers[n]
		if authority.DID == issuer.DID || !slices.Contains(authority.MayRevoke, issuer.DID) {
			continue
		}
		o, ok := x.over[authority.DID]
		if !ok {
			o.lists, o.err = x.overrules(ctx, authority)
			x.over[authority.DID] = o
		}
		if o.err != nil {
			return o.err
		}
		for _, l := range o.lists {
			if l.about != e.List || l.purpose != e.Purpose {
				continue
			}
			index, err := status.ParseIndex(e.Index)
			if err != nil {
				return breach("has a status that cannot be checked")
			}
			// A list of overrides ends with the highest index that it sets.
			if on, err := l.bits.Get(index); err == nil && on {
				return breach("cannot be used")
			}
		}
	}
	return nil
}

// overrules reads all that an authority overrides. One list that cannot be read
// spoils all: it may be the one that matters.
func (x *examiner) overrules(ctx context.Context, authority *vc.TrustIssuer) ([]overrule, error) {
	body, err := x.published(ctx, authority.Shelf+"/overrides")
	if err != nil {
		return nil, ErrDossierStatus.With(err)
	}
	var index struct {
		Lists []string `json:"lists"`
	}
	if err := vc.StrictJSON(body, &index, 4); err != nil || index.Lists == nil || len(index.Lists) > maxOverrides {
		return nil, ErrDossierStatus.With(err)
	}
	for _, address := range index.Lists {
		name, ok := strings.CutPrefix(address, authority.Shelf+"/overrides/")
		if !ok || name == "" || strings.ContainsAny(name, "/?#%\\") || strings.Contains(name, "..") {
			return nil, ErrDossierStatus
		}
	}
	out := make([]overrule, len(index.Lists))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchesAtOnce)
	for n, address := range index.Lists {
		g.Go(func() error {
			body, err := x.published(ctx, address)
			if err == nil {
				out[n], err = x.overrule(string(body), address, authority)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, ErrDossierStatus.With(err)
	}
	return out, nil
}

// published reads what an authority publishes: our own from the register,
// another's over the network.
func (x *examiner) published(ctx context.Context, address string) ([]byte, error) {
	own, ok := strings.CutPrefix(address, x.i.cfg.Base+"/overrides")
	if !ok {
		return x.i.fetcher.Get(ctx, address, maxListBytes)
	}
	if own == "" {
		p, err := x.i.OverrideIndex(ctx)
		return p.Body, err
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(own, "/"), 10, 64)
	if err != nil || x.i.overrideURL(n) != address {
		return nil, ErrNoSuchStatusList
	}
	p, err := x.i.OverrideList(ctx, n)
	return p.Body, err
}

// overrule verifies one list of an authority: by a court's key or, for a
// suspension, a protection authority's.
func (x *examiner) overrule(compact, address string, authority *vc.TrustIssuer) (overrule, error) {
	s, err := vc.SplitLargeJWS(compact, maxListBytes)
	if err != nil {
		return overrule{}, err
	}
	is, key, pub := x.keyOf(s.Header.Kid)
	if key == nil || is.DID != authority.DID || s.Header.Typ != vc.TypCredential || !key.May(vc.TypeStatusList) {
		return overrule{}, vc.ErrStatusIssuer
	}
	payload, err := s.Verify(pub)
	if err != nil {
		return overrule{}, err
	}
	c, err := vc.ParseCredential(payload)
	if err != nil {
		return overrule{}, err
	}
	if !c.Is(vc.TypeStatusList) || c.Issuer != authority.DID || c.ID != address || !key.ValidAt(c.ValidFrom) || c.ValidFrom.After(x.now.Add(dossierSkew)) ||
		x.now.Sub(c.ValidFrom) > maxListAge || c.ValidTo.IsZero() || !x.now.Before(c.ValidTo) {
		return overrule{}, vc.ErrStatusValidity
	}
	var list struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		Encoded string `json:"encodedList"`
	}
	if err := json.Unmarshal(c.Subject, &list); err != nil {
		return overrule{}, err
	}
	about, _, _ := strings.Cut(list.ID, "#")
	court := key.Role == vc.RoleCourt
	switch {
	case list.Type != "BitstringStatusList" || about == address:
		return overrule{}, vc.ErrStatusList
	case list.Purpose == vc.PurposeRevocation && !court, list.Purpose == vc.PurposeSuspension && !court && key.Role != vc.RoleProtection,
		list.Purpose != vc.PurposeRevocation && list.Purpose != vc.PurposeSuspension:
		return overrule{}, vc.ErrStatusIssuer
	}
	bits, err := status.Decode(list.Encoded, maxListBytes)
	if err != nil {
		return overrule{}, err
	}
	return overrule{about, list.Purpose, bits}, nil
}
