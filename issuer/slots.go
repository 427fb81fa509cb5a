package issuer

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// errPublish refuses a publication interval that has no slots of whole seconds.
var errPublish = fault.New(fault.Invalid, "publish-interval", "the shelf is published every so many whole seconds, at most once a day").
	WithHint("say --publish 5m, or 0 to publish each change at once")

// slotSkew is how far the clocks of replicas may differ. What a clock says that
// is further ahead is not believed.
const slotSkew = 10 * time.Minute

// goodPublish reports whether an interval divides time into slots.
func goodPublish(d time.Duration) bool {
	return d >= 0 && d <= 24*time.Hour && d%time.Second == 0
}

// slot gives what is published now. With Config.Publish the times are whole
// multiples of it since 1970, and whatever was decided since the last one shows
// at the next, with everything else: whoever watches the shelf sees it change at
// those times, whether something happened or not, and cannot tell when it did.
// Without, everything that is committed is. There is one more time when a key was
// cut off that signed lists (see dueSlot).
func (i *Issuer) slot(ctx context.Context) (slot, error) {
	now := i.now()
	if i.cfg.Publish == 0 {
		return everything(now.Truncate(time.Second)), nil
	}
	due := i.dueSlot(ctx, now)
	// A replica whose clock is ahead may have closed the next one: the shelf as a
	// whole never goes back.
	x, err := i.store.newestSlot(ctx, i.db, now.Add(slotSkew))
	if err != nil || !x.at.Before(due) {
		return x, err
	}
	return i.store.closeSlot(ctx, due, now.Add(slotSkew))
}

// slotOf is slot, or all there is for those who may see it.
func (i *Issuer) slotOf(ctx context.Context, live bool) (slot, error) {
	if live {
		return everything(i.now().Truncate(time.Second)), nil
	}
	return i.slot(ctx)
}

// due is the last time before now, or now, at which the shelf is published.
func (i *Issuer) due(now time.Time) time.Time {
	every := int64(i.cfg.Publish / time.Second)
	return time.Unix(now.Unix()/every*every, 0).UTC()
}

// dueSlot is due, or, where a key that signed that slot's lists was cut off since and
// no other one was there yet, the first time after it at which another may sign: no
// hub believes what the first signed, and what is revoked must not be unknown until
// the next slot, for up to a day. Every replica that knows the keys and the trust
// list gives the same time.
func (i *Issuer) dueSlot(ctx context.Context, now time.Time) time.Time {
	due := i.due(now)
	out := due
	listed := i.listSigners(ctx)
	for _, use := range listUses {
		if i.cutOffOf(use, listed) && i.listKey(use, due, listed) == nil {
			if t, ok := i.nextListKey(use, due, listed); ok && !t.After(now) && t.After(out) {
				out = t
			}
		}
	}
	return out
}

// listUses are the uses of the keys that sign lists: the register's own, and those
// of authorities over the lists of others.
var listUses = append([]string{keys.UseCredentials}, keys.RoleUses()...)

// listSigners is listedKeys, or nothing where each use has one key: then no other can
// sign lists in its place.
func (i *Issuer) listSigners(ctx context.Context) map[string]*vc.TrustKey {
	for _, use := range listUses {
		if len(i.cfg.Ring.Of(use)) > 1 {
			return i.listedKeys(ctx)
		}
	}
	return nil
}

// cutOffOf reports whether the trust list has cut off a key of this use.
func (i *Issuer) cutOffOf(use string, listed map[string]*vc.TrustKey) bool {
	return slices.ContainsFunc(i.cfg.Ring.Of(use), func(k *keys.Key) bool {
		l := listed[i.did+"#"+k.Name]
		return l != nil && !l.CutOff.IsZero()
	})
}

// listKey gives the key that signs lists as of a time: of those that may by the ring
// and the trust list, the one that became valid last; nil if there is none.
func (i *Issuer) listKey(use string, t time.Time, listed map[string]*vc.TrustKey) *keys.Key {
	var best *keys.Key
	for _, k := range i.cfg.Ring.Of(use) {
		l := listed[i.did+"#"+k.Name]
		if k.ValidAt(t) && (l == nil || l.CutOff.IsZero() && l.ValidAt(t)) && (best == nil || k.NotBefore.After(best.NotBefore)) {
			best = k
		}
	}
	return best
}

// nextListKey gives the first time after one, in whole seconds, at which a key may
// sign lists that is not cut off.
func (i *Issuer) nextListKey(use string, after time.Time, listed map[string]*vc.TrustKey) (first time.Time, ok bool) {
	for _, k := range i.cfg.Ring.Of(use) {
		t := k.NotBefore
		if l := listed[i.did+"#"+k.Name]; l != nil && l.NotBefore.After(t) {
			t = l.NotBefore
		}
		if s := t.Truncate(time.Second); s.Before(t) {
			t = s.Add(time.Second)
		}
		if t.After(after) && (!ok || t.Before(first)) && i.listKey(use, t, listed) != nil {
			first, ok = t.UTC(), true
		}
	}
	return first, ok
}

// shownAt is when something that was decided at a time is published.
func (i *Issuer) shownAt(at time.Time) time.Time {
	if i.cfg.Publish == 0 || at.IsZero() {
		return at
	}
	return i.due(at).Add(i.cfg.Publish)
}

// untilNext says how long Run waits: until the next slot, and never longer than
// half of Config.Refresh, so that a suspension whose time is over ends before the
// slot that shows it.
func (i *Issuer) untilNext() time.Duration {
	wait := max(i.cfg.Refresh/2, time.Second)
	if i.cfg.Publish == 0 {
		return wait
	}
	now := i.now()
	return min(wait, max(i.due(now).Add(i.cfg.Publish).Sub(now), 0)+10*time.Millisecond)
}

// shows reports whether a list that was signed as of a time is what the slot
// shows; without slots, whether it is younger than maxAge.
func (s slot) shows(at time.Time, maxAge time.Duration) bool {
	if s.live {
		return !s.at.Before(at) && s.at.Before(at.Add(maxAge))
	}
	return s.at.Equal(at)
}

// cache says how long a copy of what a slot shows may be used: until the next.
func (i *Issuer) cache(at time.Time) string {
	if i.cfg.Publish == 0 {
		return cacheStatus
	}
	left := max(at.Add(i.cfg.Publish).Sub(i.now()), 0)
	return "public, max-age=" + strconv.Itoa(int(left/time.Second)) + ", must-revalidate"
}

// every is how often a list is signed: in each slot, or when it was not for
// Config.Refresh.
func (i *Issuer) every() time.Duration {
	if i.cfg.Publish > 0 {
		return i.cfg.Publish
	}
	return i.cfg.Refresh
}

// signerAt gives the key that signs what a slot shows: the same on every
// replica, whenever it comes to it. A key that was cut off is passed over if there
// is another.
func (i *Issuer) signerAt(ctx context.Context, role string, s slot) (keys.Signer, error) {
	t := s.at
	if s.live {
		t = i.now()
	}
	use := useOf(role)
	if listed := i.listSigners(ctx); i.cutOffOf(use, listed) {
		if k := i.listKey(use, t, listed); k != nil {
			return k.Signer(i.did + "#" + k.Name), nil
		}
	}
	return i.signerFor(use, t)
}

// believed reports whether a list as it was last signed can be given out still: not
// once the key that signed it was cut off.
func (i *Issuer) believed(ctx context.Context, l signedList) bool {
	key := i.listSigners(ctx)[l.kid]
	return key == nil || key.CutOff.IsZero()
}
