package issuer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// Which places of a list were given out. The public lists say VALID for every
// place, also for one that nobody has: whoever stole a key could sign a
// credential for it, and no list would ever call it revoked. So the shelf says
// of each list which places are taken, as of a slot, and a post that knows takes
// a credential from before the slot at another place for what it is (settled
// question 26).
//
// Every credential that is valid from before the slot is in its set: the slot is
// closed with the pen in hand, and what is reserved after that is not valid from
// before it (undate).

const (
	issuedPage = 8192
	// saveEvery is how many places a restart reads again, at most.
	saveEvery = 1 << 18
)

// issuedShelf keeps in memory which places were given out and follows the
// commitments, which are written in one order. The zero value has read nothing.
type issuedShelf struct {
	mu     sync.Mutex
	loaded bool
	live   bool // is of now, and saves nothing
	slot   slot
	cursor int64 // last commitment that was read
	// erasure is the last erasure that was read. A place whose record is erased is
	// known by it alone; all are read again after a restart.
	erasure int64
	saved   int64 // the one as of which sets are in the database
	lists   map[int64]*status.List
	signed  map[int64]signedList
	// later are places that were read and are of the next slot.
	later []issuedPlace
}

// IssuedList gives which places of the n-th status list were given out, as a
// BitstringStatusListCredential of purpose vc.PurposeIssued. It is made and kept
// as StatusList says.
func (i *Issuer) IssuedList(ctx context.Context, n int64) (Published, error) {
	if n < 1 {
		return Published{}, ErrNoSuchStatusList
	}
	l, err := i.issuedList(ctx, &i.issued, n, i.cfg.Refresh)
	if err != nil {
		return Published{}, err
	}
	return Published{Type: "application/vc+jwt", Cache: i.cache(l.at), Body: l.body}, nil
}

func (i *Issuer) issuedList(ctx context.Context, x *issuedShelf, n int64, maxAge time.Duration) (signedList, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := i.now()
	last, has := x.signed[n]
	err := i.followIssued(ctx, x, n, maxAge)
	if notPublished(err) {
		delete(x.lists, n)
		delete(x.signed, n)
		return signedList{}, err
	}
	if err == nil {
		if last, has = x.signed[n]; has && x.slot.shows(last.at, maxAge) && i.believed(ctx, last) {
			return last, nil
		}
		key, kerr := i.signerAt(ctx, RoleRegistrar, x.slot)
		if err = kerr; err == nil {
			url := i.listURL(vc.PurposeIssued, n)
			var fresh signedList
			if fresh, err = i.signBits(x.lists[n], bitList{url: url, about: url, purpose: vc.PurposeIssued, at: x.slot.at}, key); err == nil {
				x.signed[n] = fresh
				return fresh, nil
			}
		}
	}
	// An older set is never wrong, it only knows less.
	if has && now.Before(last.at.Add(listLife)) {
		i.log.Warn("issued list not brought up to date", "list", n, "error", fmt.Sprintf("%T", err))
		return last, nil
	}
	return signedList{}, err
}

// followIssued brings a list up to the slot that is published now.
func (i *Issuer) followIssued(ctx context.Context, x *issuedShelf, n int64, maxAge time.Duration) error {
	if !x.loaded {
		if err := x.load(ctx, i.store); err != nil {
			return err
		}
	}
	if err := x.begin(ctx, i.store, n); err != nil {
		return err
	}
	var to slot
	if x.live || i.cfg.Publish == 0 {
		newest, err := i.store.lastCommitment(ctx)
		if err != nil {
			return err
		}
		to = everything(i.now().Truncate(time.Second))
		if newest == x.cursor && x.slot.at.Add(maxAge).After(to.at) && !to.at.Before(x.slot.at) {
			return nil
		}
		if to.issued, err = i.store.snapshotNow(ctx, to.at, i.now().Add(slotSkew)); err != nil {
			return err
		}
	} else {
		var err error
		if to, err = i.slot(ctx); err != nil || !x.slot.at.Before(to.at) {
			return err
		}
	}
	return x.follow(ctx, i.store, to)
}

// load reads what was saved. Places of lists that ended since are dropped by
// whoever asks for the list.
func (x *issuedShelf) load(ctx context.Context, st *Store) error {
	sets, cut, err := st.savedSets(ctx)
	if err != nil {
		return err
	}
	lists := map[int64]*status.List{}
	for n, text := range sets {
		if lists[n], err = status.Decode(text, status.MaxSize/8); err != nil {
			return err
		}
	}
	x.lists, x.signed = lists, map[int64]signedList{}
	x.cursor, x.saved, x.loaded = cut, cut, true
	return nil
}

// begin makes the empty set of a list that is published and has none.
func (x *issuedShelf) begin(ctx context.Context, st *Store, n int64) error {
	size, _, err := st.listed(ctx, n)
	if err != nil || x.lists[n] != nil {
		return err
	}
	x.lists[n], err = status.New(max((size+7)/8*8, status.MinSize))
	return err
}

// follow reads what was given out since, up to a slot. After an error the next
// call goes on where this one was.
func (x *issuedShelf) follow(ctx context.Context, st *Store, to slot) error {
	later := x.later
	x.later = nil
	for _, p := range later {
		if err := x.take(ctx, st, p, to); err != nil {
			x.later = later
			return err
		}
	}
	for {
		places, err := st.issuedAfter(ctx, x.cursor, to.issued, issuedPage)
		if err != nil {
			return err
		}
		for _, p := range places {
			if err := x.take(ctx, st, p, to); err != nil {
				return err
			}
			x.cursor = p.id
		}
		if len(places) < issuedPage {
			break
		}
	}
	// After them, what was erased since: a commitment that was erased before it was
	// read here did not tell its place.
	erased, last, err := st.erasedPlaces(ctx, x.erasure)
	if err != nil {
		return err
	}
	for _, p := range erased {
		if err := x.take(ctx, st, p, to); err != nil {
			return err
		}
	}
	x.cursor, x.erasure = max(x.cursor, to.issued), last
	x.slot = to
	return nil
}

// take puts a place into its set, or keeps it for a later slot: one that is
// valid from the slot on is not in what the slot shows.
func (x *issuedShelf) take(ctx context.Context, st *Store, p issuedPlace, to slot) error {
	if p.list == 0 {
		return nil
	}
	if !to.live && !p.from.Before(to.at) {
		x.later = append(x.later, p)
		return nil
	}
	if x.lists[p.list] == nil {
		err := x.begin(ctx, st, p.list)
		if notPublished(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	delete(x.signed, p.list)
	return x.lists[p.list].Set(p.index)
}

// keep drops the lists of a slot that ended.
func (x *issuedShelf) keep(ids []int64, of slot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for n := range x.lists {
		if n <= of.lists && !slices.Contains(ids, n) {
			delete(x.lists, n)
			delete(x.signed, n)
		}
	}
}

// save stores the sets when many places came since they were.
func (x *issuedShelf) save(ctx context.Context, st *Store) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	cut := x.cursor
	for _, p := range x.later {
		if p.id > 0 {
			cut = min(cut, p.id-1)
		}
	}
	if x.live || cut-x.saved < saveEvery {
		return nil
	}
	sets := map[int64]string{}
	for n, bits := range x.lists {
		text, err := bits.Encode()
		if err != nil {
			return err
		}
		sets[n] = text
	}
	if err := st.saveSets(ctx, sets, cut); err != nil {
		return err
	}
	x.saved = cut
	return nil
}
