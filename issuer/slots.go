package issuer

import (
	"context"
	"strconv"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
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
// Without, everything that is committed is.
func (i *Issuer) slot(ctx context.Context) (slot, error) {
	now := i.now()
	if i.cfg.Publish == 0 {
		return everything(now.Truncate(time.Second)), nil
	}
	due := i.due(now)
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
// replica, whenever it comes to it.
func (i *Issuer) signerAt(role string, s slot) (keys.Signer, error) {
	if s.live {
		return i.signer(role)
	}
	return i.signerFor(useOf(role), s.at)
}
