// Package mirror is how border bundles travel: the directory of files that a hub,
// or anybody else, serves, and the way a post fetches from one or several of
// them.
//
// A mirror is signed files and nothing more, so that it need not be trusted:
//
//	latest.json         the newest bundle, its signed manifest, and which deltas there are
//	full/SEQ.kpb        bundles, by the sequence number of their hub
//	delta/FROM-TO.kpd   what changed between two of them
//
// latest.json is a hint. What counts is the signed manifest inside each bundle;
// a mirror can withhold and can be behind, and both show.
package mirror

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Names within a mirror.
const (
	IndexName = "latest.json"
	fullDir   = "full"
	deltaDir  = "delta"
	// Below is where a verifier's service has the mirror, below its address.
	Below = "bundles"
)

// Faults of mirrors. None repeats an address or what was read.
var (
	ErrIndex = fault.New(fault.Invalid, "mirror-index-invalid", "the list of bundles cannot be read")
	// ErrOlder: what would be put there is not newer than what is there.
	ErrOlder = fault.New(fault.Conflict, "mirror-newer", "the directory has a newer bundle, or another with this number")
	// ErrBehind: no mirror has a bundle that is as new as the one in hand.
	ErrBehind = fault.New(fault.Conflict, "mirrors-behind", "every mirror that answers is behind the bundle that is here").
			WithHint("the bundle that is here stays; name another mirror, or try again later")
	// ErrNoMirror: nothing could be fetched from any mirror.
	ErrNoMirror = fault.New(fault.Unavailable, "no-mirror", "no mirror gave a bundle that can be used").
			WithHint("check the addresses and the network; what was fetched so far is kept, and the next try goes on with it")
	// ErrNotServed: there is no such file on the mirror.
	ErrNotServed = fault.New(fault.NotFound, "mirror-file-missing", "the mirror has no such file")
	// ErrTransfer: it broke off, or what came is not what was asked for.
	ErrTransfer = fault.New(fault.Unavailable, "mirror-transfer", "the transfer broke off")
	// ErrSlow: the mirror answers, but not as fast as the slowest line.
	ErrSlow = fault.New(fault.Unavailable, "mirror-slow", "the mirror sends too slowly to get anywhere")
	// ErrDamaged: what came is not what the hub signed.
	ErrDamaged = fault.New(fault.Unprocessable, "mirror-file-damaged", "what the mirror gave is not what the hub signed")
)

// Bounds of an index.
const (
	maxIndex  = 256 << 10
	maxDeltas = 4096
)

// Index says what a mirror has. Everything in it but Manifest is a hint.
type Index struct {
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"`
	CreatedAt time.Time `json:"createdAt"`
	Hub       string    `json:"hub"` // the key that signed the bundle
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`   // of the whole file, hexadecimal
	Manifest  string    `json:"manifest"` // compact JWS, as it is in the file
	// OnDemand: a delta from any version that is kept to this one is made when it
	// is asked for, also where Deltas does not have it.
	OnDemand bool    `json:"onDemand,omitempty"`
	Deltas   []Delta `json:"deltas"`

	signed *bundle.Manifest
}

// Delta is one delta that a mirror has. Size 0 is not known.
type Delta struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
	Size int64 `json:"size,omitempty"`
}

// FullName gives the name of a bundle within a mirror.
func FullName(sequence int64) string { return fmt.Sprintf("%s/%d.kpb", fullDir, sequence) }

// DeltaName gives the name of a delta within a mirror.
func DeltaName(from, to int64) string { return fmt.Sprintf("%s/%d-%d.kpd", deltaDir, from, to) }

// ParseFullName reads the last part of a bundle's name, such as 12.kpb.
func ParseFullName(name string) (sequence int64, ok bool) {
	digits, ok := strings.CutSuffix(name, ".kpb")
	if !ok {
		return 0, false
	}
	return number(digits)
}

// ParseDeltaName reads the last part of a delta's name, such as 11-12.kpd.
func ParseDeltaName(name string) (from, to int64, ok bool) {
	both, ok := strings.CutSuffix(name, ".kpd")
	first, second, dash := strings.Cut(both, "-")
	from, one := number(first)
	to, two := number(second)
	return from, to, ok && dash && one && two && from != to
}

// number reads a sequence number in the one way that it is written.
func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0 && s == strconv.FormatInt(n, 10)
}

// NewIndex describes a bundle file.
func NewIndex(file *bundle.File, deltas []Delta) *Index {
	if deltas == nil {
		deltas = []Delta{}
	}
	return &Index{ID: file.ID, Sequence: file.Sequence, CreatedAt: file.CreatedAt, Hub: file.KID, Size: int64(len(file.Bytes())),
		SHA256: digest(file.Bytes()), Manifest: file.JWS, Deltas: deltas, signed: file.Manifest}
}

// Marshal gives the index as it is served.
func (i *Index) Marshal() ([]byte, error) {
	b, err := json.Marshal(i)
	return append(b, '\n'), err
}

// ParseIndex reads an index. Its hints agree with the manifest inside, whose
// signature was not checked.
func ParseIndex(data []byte) (*Index, error) {
	if len(data) > maxIndex {
		return nil, ErrIndex
	}
	var i Index
	if err := vc.StrictJSON(data, &i, 4); err != nil {
		return nil, ErrIndex.With(err)
	}
	m, err := bundle.OpenManifest(i.Manifest)
	if err != nil {
		return nil, ErrIndex.With(err)
	}
	if i.ID != m.ID || i.Sequence != m.Sequence || !i.CreatedAt.Equal(m.CreatedAt) || i.Hub != m.KID || i.Sequence < 1 ||
		i.Size < 1 || i.Size > bundle.MaxSize || len(i.Deltas) > maxDeltas {
		return nil, ErrIndex
	}
	for _, d := range i.Deltas {
		if d.From < 1 || d.To < 1 || d.From == d.To || d.Size < 0 || d.Size > bundle.MaxSize {
			return nil, ErrIndex
		}
	}
	i.signed = m
	return &i, nil
}

// Newer reports whether a is a newer bundle than b: by its number if one hub
// signed both, and by the time in any case.
func Newer(a, b *bundle.Manifest) bool {
	if a.KID == b.KID && a.Sequence <= b.Sequence {
		return false
	}
	return !a.CreatedAt.Before(b.CreatedAt)
}

// way finds the deltas that lead from one version to the newest with the fewest
// bytes, each request counted as one kilobyte; nil if there is none that is
// smaller than the whole bundle.
func (i *Index) way(from int64) []Delta {
	const request = 1 << 10
	if from == i.Sequence {
		return nil
	}
	deltas := i.Deltas
	if i.OnDemand {
		deltas = append([]Delta{{From: from, To: i.Sequence}}, deltas...)
	}
	// Backwards from the newest: few versions and few deltas, so the plain form
	// of the search will do.
	cost := map[int64]int64{i.Sequence: 0}
	next := map[int64]Delta{}
	for range len(deltas) {
		changed := false
		for _, d := range deltas {
			rest, ok := cost[d.To]
			if !ok {
				continue
			}
			sum := rest + d.Size + request
			if have, ok := cost[d.From]; !ok || sum < have {
				cost[d.From], next[d.From], changed = sum, d, true
			}
		}
		if !changed {
			break
		}
	}
	sum, ok := cost[from]
	if !ok || sum >= i.Size+request {
		return nil
	}
	var out []Delta
	for at := from; at != i.Sequence; {
		d := next[at]
		out = append(out, d)
		at = d.To
	}
	return out
}

// Keep says which of the versions stay that were published before: all of the
// newest time, and of each day (UTC) of the time before that the last one.
type Keep struct {
	All   time.Duration // default 48 hours
	Daily time.Duration // default 60 days
}

func (k Keep) defaults() Keep {
	if k.All <= 0 {
		k.All = 48 * time.Hour
	}
	if k.Daily <= 0 {
		k.Daily = 60 * 24 * time.Hour
	}
	return k
}

// Stay reports for each version, newest first, whether it stays. The newest
// does, however old it is.
func (k Keep) Stay(created []time.Time, now time.Time) []bool {
	k = k.defaults()
	out := make([]bool, len(created))
	day := ""
	for n, at := range created {
		this := at.UTC().Format(time.DateOnly)
		switch age := now.Sub(at); {
		case n == 0 || age <= k.All:
			out[n] = true
		case age <= k.Daily:
			out[n] = this != day
		}
		if out[n] {
			day = this
		}
	}
	return out
}
