package wallet

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of journeys that are being written down.
var (
	ErrNoSuchJourney = fault.New(fault.NotFound, "no-such-journey", "there is no such journey in this wallet")
	ErrJourneyMany   = fault.New(fault.Conflict, "journey-too-many", "as many journeys are being written down as the wallet keeps").WithHint("delete one that is not needed")
)

const (
	maxJourneys = 30 // per guardian
	maxJourney  = 24 << 10
	// journeyLife is how long a journey is kept that nobody writes on.
	journeyLife = 30 * 24 * time.Hour
)

// Journey is a consent that a guardian is still writing down, a question at a
// time: what was answered so far, in the words of who asks. It is sealed as
// everything else, agrees to nothing and is seen by nobody else.
type Journey struct {
	ID      string
	Answers json.RawMessage
	Changed time.Time
}

// LogValue keeps a person's data out of every log.
func (j Journey) LogValue() slog.Value { return slog.StringValue("journey") }

// Journeys lists what the guardian is writing down, the last one first.
func (w *Wallet) Journeys(ctx context.Context, g Guardian) ([]Journey, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return nil, ignore(err, errNoWallet)
	}
	return w.journeys(ctx, v)
}

// Journey gives one.
func (w *Wallet) Journey(ctx context.Context, g Guardian, id string) (Journey, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Journey{}, gone(err, ErrNoSuchJourney)
	}
	return w.journey(ctx, v, id)
}

// KeepJourney stores what was answered; without an ID it is a new journey and
// gets one.
func (w *Wallet) KeepJourney(ctx context.Context, g Guardian, j Journey) (Journey, error) {
	if len(j.Answers) == 0 || len(j.Answers) > maxJourney || !json.Valid(j.Answers) {
		return Journey{}, ErrBody
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Journey{}, gone(err, ErrNoSuchJourney)
	}
	j.Changed = store.Time(store.Micros(w.cfg.Now()))
	if j.ID != "" {
		return j, w.rewriteJourney(ctx, v, j)
	}
	j.ID = store.Random(12)
	return j, w.addJourney(ctx, v, j)
}

// DropJourney forgets one. It is no error if it was not there.
func (w *Wallet) DropJourney(ctx context.Context, g Guardian, id string) error {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return ignore(err, errNoWallet)
	}
	return w.removeJourney(ctx, v, id)
}

// ignore gives no error for the one that says there is nothing.
func ignore(err, nothing error) error {
	if err == nothing {
		return nil
	}
	return err
}

// Preview gives the consent that a draft would become, and keeps nothing.
func (w *Wallet) Preview(ctx context.Context, g Guardian, d Draft) (Consent, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Consent{}, gone(err, ErrNoSuchChild)
	}
	k, _, err := w.drafted(ctx, v, d)
	if err != nil {
		return Consent{}, err
	}
	c := consentHeld{consentKept: k}
	if err := c.read(); err != nil {
		return Consent{}, err
	}
	return c.shown(v, w.cfg.Now())
}

// Terms is what a consent says, for pages that say it in their reader's
// language. Its texts are fit to be shown.
type Terms struct {
	Child    string // the child's name, "" if none is recorded
	Born     vc.UncertainDate
	Mode     string
	Adults   []Adult
	Receiver *vc.Receiver
	Trip     vc.Trip
	Settle   bool   // the child may stay abroad for good
	Medical  string // none, emergency, full or ""
	// NoRemoval: a court has ordered that the child stays in the country.
	NoRemoval bool
	// Told: the office knows of the withdrawal.
	Told bool
}

// LogValue keeps a person's data out of every log.
func (t Terms) LogValue() slog.Value { return slog.StringValue("terms") }

// Adult is somebody who may travel with the child.
type Adult struct {
	Name string
	// Others are the names by which a border would also take somebody for this
	// adult; whoever agrees must see them.
	Others   []string
	Relation string
	Born     *vc.UncertainDate
	Document *vc.Identifier
	Key      string // did:key of the adult's wallet, "" if none is named
}

// LogValue keeps a person's data out of every log.
func (a Adult) LogValue() slog.Value { return slog.StringValue("adult") }

func (c *consentHeld) terms() Terms {
	s := &c.subject
	t := Terms{Child: first([]string{c.Name}, first(ownNames(c.birth.birth.Names), "")), Born: c.birth.birth.BirthDate, Mode: s.Mode,
		Trip: s.Trip, Settle: s.RelocationAllowed, Medical: s.MedicalConsent, Told: c.Told || c.Sign == nil}
	for _, a := range s.Accompanying {
		out := Adult{Name: first(ownNames(a.Names), ""), Others: otherNames(a.Names), Relation: a.Relation, Born: a.BirthDate, Key: a.Key}
		if a.Document != nil {
			out.Document = &vc.Identifier{Type: a.Document.Type, Value: plain(a.Document.Value), Issuer: a.Document.Issuer}
		}
		t.Adults = append(t.Adults, out)
	}
	if r := s.Receiving; r != nil {
		t.Receiver = &vc.Receiver{Name: plain(r.Name), Address: plain(r.Address), Contact: plain(r.Contact)}
	}
	for _, g := range c.guards {
		if k := g.guardianship.Constraints; k != nil && k.NoRemoval {
			t.NoRemoval = true
		}
	}
	return t
}
