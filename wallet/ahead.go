package wallet

import (
	"context"
	"log/slog"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrAhead says that presentations cannot be signed for that time.
var ErrAhead = fault.New(fault.Invalid, "presentation-ahead", "presentations are signed ahead for an hour or less at a time, which begins within four days").
	WithFields(fault.Field{Path: "/from", Rule: "is now or within four days"}, fault.Field{Path: "/until", Rule: "is an hour or less after from"})

const (
	// aheadStep is the time from one presentation that is signed ahead to the
	// next. It is a minute shorter than each is good for, so that a post's clock
	// that differs a little from the phone's finds one that is good.
	aheadStep = presentationLife - time.Minute
	maxAhead  = time.Hour
	maxEarly  = 4 * 24 * time.Hour // three days and the journey's own
)

// Ahead is a presentation that will be good from a time on.
type Ahead struct {
	From time.Time
	Presentation
}

// LogValue keeps a person's data out of every log.
func (a Ahead) LogValue() slog.Value { return slog.StringValue("presentation") }

// PresentAhead signs presentations for a journey without network, one after the
// other from a time on until another: whoever prepares a journey keeps them
// sealed on the phone. Each is as Present makes it, with a nonce of its own and
// good for no longer. It stops early where nothing that is held now will be good
// any more, and fails if that is so from the beginning. A request that repeats
// what a verifier asked for is refused: it is for now.
func (w *Wallet) PresentAhead(ctx context.Context, g Guardian, r Request, from, until time.Time) ([]Ahead, error) {
	now := w.cfg.Now()
	if r.Audience != "" || r.Nonce != "" || from.Before(now.Add(-maxAhead)) || !until.After(from) || until.Sub(from) > maxAhead || until.After(now.Add(maxEarly)) {
		return nil, ErrAhead
	}
	v, at, err := w.presenter(ctx, g, r)
	if err != nil {
		return nil, err
	}
	var out []Ahead
	for t := from.UTC().Truncate(time.Second); t.Before(until); t = t.Add(aheadStep) {
		p, err := at(t)
		if err != nil && len(out) == 0 {
			return nil, err
		}
		if err != nil {
			break
		}
		out = append(out, Ahead{t, p})
	}
	w.note(ctx, v, ActPrepared, r.Child)
	return out, nil
}
