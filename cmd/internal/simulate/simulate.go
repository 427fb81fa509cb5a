// Package simulate plays the life of a nation's registry and of its border posts:
// credentials are issued, revoked and suspended, a hub makes border bundles of the
// signed status lists, and posts with good and bad lines fetch them. What is counted
// is what the real code makes: lists are signed and compressed as an issuer does it,
// bundles are packed, changed and opened by the code that a post runs.
//
// The same nation gives the same figures on every machine, but for times and memory,
// which are those of the machine.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/verifier/check"
)

// Nation says what is played.
type Nation struct {
	Credentials int64   `json:"credentials"` // in force at any time
	Revoked     float64 `json:"revoked"`     // part of all places that is revoked at the start, and that much more in a year
	Suspended   float64 `json:"suspended"`   // part of all places that is suspended at any time
	Posts       int     `json:"posts"`
	Days        int     `json:"days"`
	// Every is the time between two bundles.
	Every time.Duration `json:"every"`
	// Keep is how long the hub keeps a bundle to make changes from.
	Keep time.Duration `json:"keep"`
	Seed uint64        `json:"seed"`
}

// Bounds of what can be played: a bundle holds 64 MB.
const (
	maxCredentials = 1_000_000_000
	maxPosts       = 100_000
	maxSteps       = 10_000
)

// Validate says what cannot be played.
func (n Nation) Validate() error {
	switch {
	case n.Credentials < 1000 || n.Credentials > maxCredentials:
		return errors.New("credentials: between 1000 and 1e9")
	case !(n.Revoked >= 0 && n.Revoked <= 0.2) || !(n.Suspended >= 0 && n.Suspended <= 0.2):
		return errors.New("revoked and suspended: between 0% and 20%")
	case n.Posts < 1 || n.Posts > maxPosts:
		return errors.New("posts: between 1 and 100000")
	case n.Every < time.Minute || n.Every > 24*time.Hour || (24*time.Hour)%n.Every != 0:
		return errors.New("every: a part of a day, between 1m and 24h, such as 15m, 1h or 6h")
	case n.Days < 1 || n.steps() > maxSteps:
		return fmt.Errorf("days: at least 1, and at most %d bundles", maxSteps)
	case n.Keep < n.Every:
		return errors.New("keep: not shorter than every")
	}
	return nil
}

func (n Nation) steps() int { return int(time.Duration(n.Days) * 24 * time.Hour / n.Every) }

// Result is what was counted. Sizes are bytes.
type Result struct {
	Nation  Nation    `json:"nation"`
	First   Size      `json:"firstBundle"`
	Last    Size      `json:"lastBundle"`
	Entropy int64     `json:"entropyBound"` // of the revoked places of the first bundle
	Gzip    int64     `json:"gzip"`         // the same places as compressed bitstrings
	Days    []Day     `json:"days"`
	Posts   []Pattern `json:"posts"`
	Each    []Stale   `json:"eachPost"`
	Machine Machine   `json:"thisMachine"`
}

// Size is what a bundle weighs: its sets of revoked and suspended places, its sets
// of places that were given out, and the rest (trust list, directory, manifest).
type Size struct {
	Bytes  int64 `json:"bytes"`
	Sets   int64 `json:"sets"`
	Issued int64 `json:"issued"`
	Other  int64 `json:"other"`
	Lists  int   `json:"lists"`
}

// Day is what one day brought.
type Day struct {
	Day       int   `json:"day"`
	Issued    int64 `json:"issuedCredentials"`
	Revoked   int64 `json:"revokedCredentials"`
	Suspended int64 `json:"suspendedCredentials"`
	Bundle    int64 `json:"bundle"` // the day's last
	Deltas    int64 `json:"deltas"` // all of the day, one after the other
	Delta     int64 `json:"delta"`  // from the last bundle of the day before at once
}

// Machine is what it cost here: the only figures that another run does not repeat.
type Machine struct {
	Processor string        `json:"processor"`
	Publish   time.Duration `json:"publish"` // compress and sign all lists of one time
	Pack      time.Duration `json:"pack"`    // verify all lists and pack a bundle
	Diff      time.Duration `json:"diff"`
	Apply     time.Duration `json:"apply"`
	Open      time.Duration `json:"open"`   // verify a bundle as a post does
	Memory    int64         `json:"memory"` // taken from the system at the most
	Whole     time.Duration `json:"whole"`
	// Load is how many programs wanted a core at the end, on average over five minutes;
	// empty where the system does not say.
	Load string `json:"load,omitempty"`
}

// Run plays a nation. progress is called after each bundle.
func Run(ctx context.Context, n Nation, progress func(done, of int)) (*Result, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	begin := time.Now()
	dir, err := os.MkdirTemp("", "kinpass-simulate-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	reg, err := newRegistry(n)
	if err != nil {
		return nil, err
	}
	r := &Result{Nation: n}
	hub := &hub{dir: dir, keep: int(n.Keep / n.Every), deltas: map[[2]int]int64{}}
	posts := newPosts(n)
	var publish, pack, open, diff, apply []time.Duration
	var day Day
	lastOfDay := 0
	for step := range n.steps() + 1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		now := start.Add(time.Duration(step) * n.Every)
		if step > 0 {
			issued, revoked, suspended := reg.live(n.Every, now)
			day.Issued, day.Revoked, day.Suspended = day.Issued+issued, day.Revoked+revoked, day.Suspended+suspended
		}
		t := time.Now()
		payload, err := reg.publish(now, step+1)
		if err != nil {
			return nil, err
		}
		publish = append(publish, time.Since(t))
		t = time.Now()
		data, err := payload.Sign(reg.hub)
		if err != nil {
			return nil, err
		}
		pack = append(pack, time.Since(t))
		if err := hub.keepBundle(step, data); err != nil {
			return nil, err
		}
		if step == 0 || step == n.steps() {
			t = time.Now()
			b, err := check.Open(data, reg.anchors)
			if err != nil {
				return nil, err
			}
			open = append(open, time.Since(t))
			size := weigh(data, len(b.Lists()))
			if step == 0 {
				r.First = size
				r.Entropy, r.Gzip = reg.bounds()
			}
			r.Last = size
		}
		if step > 0 {
			t = time.Now()
			size, delta, err := hub.delta(step-1, step)
			if err != nil {
				return nil, err
			}
			diff = append(diff, time.Since(t))
			day.Deltas += size
			if step%int(24*time.Hour/n.Every) == 0 {
				t = time.Now()
				if err := hub.applies(step-1, step, delta); err != nil {
					return nil, err
				}
				apply = append(apply, time.Since(t))
				if day.Delta, _, err = hub.delta(lastOfDay, step); err != nil {
					return nil, err
				}
				day.Day, day.Bundle = len(r.Days)+1, int64(len(data))
				r.Days = append(r.Days, day)
				day, lastOfDay = Day{}, step
			}
		}
		if err := hub.serve(ctx, posts, step); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(step+1, n.steps()+1)
		}
	}
	r.Posts, r.Each = patterns(posts, reg.revocations), each(posts)
	r.Machine = Machine{Processor: fmt.Sprintf("%d × %s/%s", runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH), Publish: median(publish), Pack: median(pack),
		Diff: median(diff), Apply: median(apply), Open: median(open), Memory: memory(), Whole: time.Since(begin), Load: load()}
	return r, nil
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// load reads the system's own account of it.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(text)); err == nil && len(f) > 1 {
		return f[1]
	}
	return ""
}

func memory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// hub keeps bundles on the disk, as one does, and the sizes of changes between them.
type hub struct {
	dir    string
	keep   int // steps
	newest int
	sizes  []int64
	deltas map[[2]int]int64
}

func (h *hub) file(step int) string { return filepath.Join(h.dir, fmt.Sprint(step)) }

func (h *hub) keepBundle(step int, data []byte) error {
	h.newest = step
	h.sizes = append(h.sizes, int64(len(data)))
	if old := step - h.keep - 1; old >= 0 {
		if err := os.Remove(h.file(old)); err != nil {
			return err
		}
	}
	return os.WriteFile(h.file(step), data, 0o600)
}

func (h *hub) open(step int) (*bundle.File, error) {
	data, err := os.ReadFile(h.file(step))
	if err != nil {
		return nil, err
	}
	return bundle.Open(data)
}

// serve lets every post pass one step, just after the hub made a bundle. A change
// that several posts ask for is made once, as a hub keeps it; different ones are
// made on every core.
func (h *hub) serve(ctx context.Context, posts []*post, step int) error {
	var asked []*post
	from := map[int]bool{}
	for _, p := range posts {
		if p.live(step) {
			asked = append(asked, p)
			if !lines[p.line].whole && h.keeps(p.have) {
				from[p.have] = true
			}
		}
	}
	var made sync.Map
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for have := range from {
		if _, ok := h.deltas[[2]int{have, step}]; ok {
			continue
		}
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			change, err := h.diff(have, step)
			made.Store(have, int64(len(change)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for have, size := range made.Range {
		h.deltas[[2]int{have.(int), step}] = size.(int64)
	}
	for _, p := range asked {
		p.bytes += h.size(p)
		p.fetched++
		p.have = step
	}
	return nil
}

// keeps reports whether the hub can still make a change from a bundle.
func (h *hub) keeps(step int) bool { return step >= 0 && step >= h.newest-h.keep }

// size gives what a post loads now: the smaller of a change and the whole.
func (h *hub) size(p *post) int64 {
	whole := h.sizes[h.newest]
	if size, ok := h.deltas[[2]int{p.have, h.newest}]; ok && !lines[p.line].whole {
		return min(size, whole)
	}
	return whole
}

// diff makes the change between two bundles.
func (h *hub) diff(from, to int) ([]byte, error) {
	a, err := h.open(from)
	if err != nil {
		return nil, err
	}
	b, err := h.open(to)
	if err != nil {
		return nil, err
	}
	return bundle.Diff(a, b)
}

// delta makes the change between two bundles and remembers its size.
func (h *hub) delta(from, to int) (int64, []byte, error) {
	change, err := h.diff(from, to)
	h.deltas[[2]int{from, to}] = int64(len(change))
	return int64(len(change)), change, err
}

// applies makes the change to the older bundle, which must become the newer.
func (h *hub) applies(from, to int, change []byte) error {
	a, err := h.open(from)
	if err != nil {
		return err
	}
	b, err := h.open(to)
	if err != nil {
		return err
	}
	got, err := bundle.Apply(a, change)
	if err != nil {
		return err
	}
	if !slices.Equal(got, b.Bytes()) {
		return errors.New("a change did not give the bundle that it was made of")
	}
	return nil
}

// weigh says what is in a bundle.
func weigh(data []byte, lists int) Size {
	s := Size{Bytes: int64(len(data)), Lists: lists}
	f, err := bundle.Open(data)
	if err != nil {
		return s
	}
	for _, p := range f.Table {
		switch {
		case len(p.Name) > 5 && p.Name[:5] == "sets/":
			s.Sets += p.Size
		case len(p.Name) > 7 && p.Name[:7] == "issued/":
			s.Issued += p.Size
		}
	}
	s.Other = s.Bytes - s.Sets - s.Issued
	return s
}

// chance gives a generator for one purpose, so that one more draw for one thing
// changes nothing else.
func (n Nation) chance(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(n.Seed, purpose)) }
