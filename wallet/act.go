package wallet

import (
	"context"
	"log/slog"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store"
)

// What a wallet writes down of what it did, for its guardian to read.
const (
	ActAccepted  = "accepted"  // credentials came from an office
	ActShown     = "shown"     // a code for a border was made
	ActPrepared  = "prepared"  // codes were made for a journey without network
	ActAnswered  = "answered"  // a verifier had asked for it
	ActDisclosed = "disclosed" // a part of a credential was shown
	ActDeleted   = "deleted"   // a credential was deleted
	ActJoined    = "joined"    // an invitation to agree was taken
	ActSigned    = "signed"
	ActWithdrawn = "withdrawn"
	ActShared    = "shared"    // given to a companion
	ActReceived  = "received"  // taken from a guardian
	ActDossier   = "dossier"   // taken to a witness
	ActWitnessed = "witnessed" // a witness's signature was kept
	ActPrinted   = "printed"
)

const (
	maxActs = 500 // per guardian; the oldest go first
	actLife = 365 * 24 * time.Hour
	// actPause: a code that is made anew while it is on the screen is one showing.
	actPause = 30 * time.Minute
)

// Act is one thing that the wallet did. It says what and when, and no place and
// nobody's name: whoever gets hold of the phone reads it too.
type Act struct {
	What  string    `json:"what"`            // an Act… constant
	Child string    `json:"child,omitempty"` // the wallet's id
	At    time.Time `json:"at"`
	Last  time.Time `json:"last"` // the same as At, unless it went on
	Times int       `json:"times"`
}

// LogValue keeps a person's data out of every log.
func (a Act) LogValue() slog.Value { return slog.StringValue("act") }

// Acts lists what the wallet did in the last year, the latest first.
func (w *Wallet) Acts(ctx context.Context, g Guardian) ([]Act, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return nil, ignore(err, errNoWallet)
	}
	return w.acts(ctx, v)
}

// note writes down what was done. A log that cannot be written stops nobody at a
// border.
func (w *Wallet) note(ctx context.Context, v *vault, what, child string) {
	at := store.Time(store.Micros(w.cfg.Now()))
	if err := w.addAct(ctx, v, Act{What: what, Child: child, At: at, Last: at, Times: 1}); err != nil {
		w.cfg.Log.Warn("act", "written", false, "code", fault.As(err).Code)
	}
}
