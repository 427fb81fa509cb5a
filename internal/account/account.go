// Package account is who signs in to the pages of a service: accounts that an
// administrator invited, with passkeys or an organisation's sign-in (OpenID
// Connect), sessions and the devices that they are on. There are no passwords.
//
// An account has a random id and one role. Staff have a name, which no other
// account of the service has: an act that needs a second person compares them.
// A guardian has none, and the account's id is that of the wallet: every device
// of the account opens the same wallet, and so do the API tokens that are made
// for it.
//
// Of every secret (invitation, session) only the SHA-256 is stored; all have
// at least 100 random bits. What an account may do is decided by the role's own
// methods, as for an API token: this package only says who asks.
package account

import (
	"context"
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store"
)

// Roles that this package itself knows. Every service has administrators, who
// invite people and close accounts and may do nothing else.
const (
	RoleAdministrator = "administrator"
	RoleGuardian      = "guardian"
)

// Faults of accounts. One serves for unknown, used, withdrawn and expired
// invitations, and one for whatever is wrong with a passkey, so that nobody
// learns which.
var (
	ErrInvitation        = fault.New(fault.NotFound, "invitation-invalid", "the invitation is unknown, used or expired").WithHint("ask for a new one")
	ErrNoSuchInvitation  = fault.New(fault.NotFound, "no-such-invitation", "there is no such invitation")
	ErrInvitationRole    = fault.New(fault.Invalid, "invitation-role", "this service has no such role")
	ErrInvitationName    = fault.New(fault.Invalid, "invitation-name", "staff have a name of 1 to 80 printable characters, guardians have none")
	ErrNameTaken         = fault.New(fault.Conflict, "name-taken", "another account has this name").WithHint("add the person's number or office to the name")
	ErrNoSuchToken       = fault.New(fault.NotFound, "no-such-token", "there is no such token")
	ErrPasskey           = fault.New(fault.Unauthenticated, "passkey-refused", "the passkey was not accepted").WithHint("try again, or use another passkey")
	ErrPasskeyKnown      = fault.New(fault.Conflict, "passkey-known", "this passkey is registered already")
	ErrTooManyPasskeys   = fault.New(fault.Conflict, "passkeys-full", "the account has as many passkeys as it may have").WithHint("remove one first")
	ErrNoSuchPasskey     = fault.New(fault.NotFound, "no-such-passkey", "there is no such passkey")
	ErrLastPasskey       = fault.New(fault.Conflict, "last-passkey", "this is the only passkey of the account").WithHint("add another one first, or confirm that nobody needs to sign in any more")
	ErrPasskeyName       = fault.New(fault.Invalid, "passkey-name", "a passkey's name has 1 to 40 printable characters")
	ErrConfirm           = fault.New(fault.Unauthenticated, "confirm-needed", "this asks for a proof of who is signed in, not older than five minutes").WithHint("confirm with a passkey and repeat it")
	ErrNoPasskeys        = fault.New(fault.Unavailable, "passkeys-unavailable", "this service cannot use passkeys at its address").WithHint("give it a name with --public: passkeys do not work with an IP address")
	ErrCeremony          = fault.New(fault.Conflict, "sign-in-expired", "the sign-in took too long or was started elsewhere").WithHint("start again")
	ErrSession           = fault.New(fault.Unauthenticated, "session-over", "nobody is signed in, or the session is over").WithHint("sign in again")
	ErrNoSuchSession     = fault.New(fault.NotFound, "no-such-session", "there is no such session")
	ErrNoSuchAccount     = fault.New(fault.NotFound, "no-such-account", "there is no such account, it has another role or it is closed")
	ErrLastAdministrator = fault.New(fault.Conflict, "last-administrator", "this is the only administrator").WithHint("invite another one first")
	ErrForged            = fault.New(fault.Forbidden, "form-forged", "the form did not come from this service's own page").WithHint("open the page again and send the form from there")
	ErrNoFederation      = fault.New(fault.NotFound, "federation-unknown", "this service has no organisation's sign-in")
	ErrFederation        = fault.New(fault.Unauthenticated, "federation-refused", "the organisation's sign-in did not succeed").WithHint("try again, or use a passkey")
	ErrFederationAway    = fault.New(fault.Unavailable, "federation-unreachable", "the organisation's sign-in cannot be reached").WithHint("try again later, or use a passkey")
	ErrNotInvited        = fault.New(fault.Forbidden, "not-invited", "nobody invited this person").WithHint("ask an administrator of this service for an invitation, and join with it")
)

// Bounds.
const (
	maxPasskeys  = 20
	maxResponse  = 64 << 10 // of a browser's answer about a passkey, in bytes
	ceremonyLife = 10 * time.Minute
	// maxPasskeyName is in characters.
	maxPasskeyName = 40
	// proofLife is how long a proof of who is signed in serves for acts that
	// cannot be taken back.
	proofLife = 5 * time.Minute
	// InvitationLife is how long an invitation can be used.
	InvitationLife = 7 * 24 * time.Hour
	deviceLife     = 10 * time.Minute
)

// terms say how long a session lasts: without being used, and altogether.
type terms struct{ idle, life time.Duration }

// termsOf: a phone can be taken out of a hand, an officer's shift is long, and
// who invites others signs in anew before the hour is over.
func termsOf(role string) terms {
	switch role {
	case RoleGuardian:
		return terms{30 * time.Minute, 12 * time.Hour}
	case "officer":
		return terms{2 * time.Hour, 12 * time.Hour}
	case RoleAdministrator:
		return terms{15 * time.Minute, time.Hour}
	}
	return terms{30 * time.Minute, 10 * time.Hour}
}

// Account is a person of a service.
type Account struct {
	ID           string    `json:"id"`
	Role         string    `json:"role"`
	Name         string    `json:"name,omitempty"` // of staff
	Created      time.Time `json:"created"`
	Closed       bool      `json:"closed,omitempty"`
	Organisation string    `json:"organisation,omitempty"` // issuer of the sign-in that it was joined with
	Passkeys     int       `json:"passkeys"`               // how many; List counts them
}

// Invitation is an invitation without its secret.
type Invitation struct {
	ID      string    `json:"id"`
	Account string    `json:"account"` // that it opens or adds a device to
	Device  bool      `json:"device,omitempty"`
	Role    string    `json:"role"`
	Name    string    `json:"name,omitempty"`
	By      string    `json:"by,omitempty"` // account of who made it; "" is the command line
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`

	token string // id of the token whose wallet the account takes over
}

// Passkey is a passkey as its owner sees it.
type Passkey struct {
	ID      string
	Label   string
	Created time.Time
	Used    time.Time
}

// Session is an account that is signed in on a device.
type Session struct {
	ID      string
	Account Account
	Device  string // such as "Firefox, Android"
	Passkey string // id of the one that opened it; "" is an organisation's sign-in
	Created time.Time
	Seen    time.Time
	Proven  time.Time // when the person last proved who they are
	Expires time.Time
}

// Config says what the accounts of a service need. DB, Service, Base, Roles
// and Now must be set.
type Config struct {
	DB      *store.DB
	Service string   // issuer, wallet or verifier
	Base    string   // the service's public address: passkeys are bound to its host
	Roles   []string // that its people can have, beside administrator
	Now     func() time.Time
	// Federation is an organisation's sign-in for staff; nil means none.
	Federation *Federation
	// Development is the sign-in of a demonstration; nil means none.
	Development *Development
}

// Accounts are the accounts of one service.
type Accounts struct {
	cfg      Config
	passkeys *webauthn.WebAuthn // nil where the address cannot have any
	op       *provider          // nil without a federation
}

// New makes the accounts usable.
func New(cfg Config) (*Accounts, error) {
	u, err := url.Parse(cfg.Base)
	if err != nil {
		return nil, err
	}
	if cfg.Development != nil && (!loopbackBase(u) || cfg.Development.Secret == "" || cfg.Development.People == nil) {
		return nil, errDevelopment
	}
	x := &Accounts{cfg: cfg}
	if host := u.Hostname(); protocol.ValidateRPID(host) == nil {
		x.passkeys, err = webauthn.New(&webauthn.Config{
			RPID: host, RPDisplayName: "Kinpass", RPOrigins: []string{cfg.Base},
			AttestationPreference: protocol.PreferNoAttestation,
			AuthenticatorSelection: protocol.AuthenticatorSelection{
				RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired,
				UserVerification: protocol.VerificationRequired,
			},
			// The library would ask the machine's clock; how old a ceremony is, is
			// decided by ours when it is recalled.
			Timeouts: webauthn.TimeoutsConfig{
				Login:        webauthn.TimeoutConfig{Timeout: ceremonyLife, TimeoutUVD: ceremonyLife},
				Registration: webauthn.TimeoutConfig{Timeout: ceremonyLife, TimeoutUVD: ceremonyLife},
			},
			// Browser extensions that keep passkeys answer more than was asked.
			ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
		})
		if err != nil {
			return nil, err
		}
	}
	if cfg.Federation != nil {
		if x.op, err = newProvider(*cfg.Federation, cfg.Base); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Run removes what is over, every hour, until ctx ends. A failure is tried again
// the next time: nothing that is over works meanwhile.
func (x *Accounts) Run(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		_ = x.Purge(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Roles gives the roles that people of this service can be invited to.
func (x *Accounts) Roles() []string { return append([]string{RoleAdministrator}, x.cfg.Roles...) }

// Organisation gives the name of the organisation's sign-in, "" if there is
// none.
func (x *Accounts) Organisation() string {
	if x.op == nil {
		return ""
	}
	return x.op.cfg.Name
}

// Fresh reports whether who is signed in proved lately who they are.
func (x *Accounts) Fresh(s Session) bool {
	age := x.cfg.Now().Sub(s.Proven)
	return age >= 0 && age < proofLife
}

// Guest is who is to be invited.
type Guest struct {
	Role string
	Name string // of staff
	By   string // account of who invites; "" is the command line
	// Token is the id of a guardian's API token that has a wallet: the account
	// takes its id and so the wallet. Only the command line can do this.
	Token string
}

// Invite makes an invitation for a new account. The secret is shown once and
// stored nowhere.
func (x *Accounts) Invite(ctx context.Context, g Guest) (string, Invitation, error) {
	if err := x.fits(&g); err != nil {
		return "", Invitation{}, err
	}
	now := x.cfg.Now()
	i := Invitation{ID: store.Random(12), Account: store.Random(12), Role: g.Role, Name: g.Name, By: g.By, Created: now, Expires: now.Add(InvitationLife)}
	if g.Token != "" {
		i.Account, i.token = g.Token, g.Token
	}
	secret := newCode()
	return secret, i, x.saveInvitation(ctx, secret, i)
}

// fits reports whether there can be such a person here.
func (x *Accounts) fits(g *Guest) error {
	if !slices.Contains(x.Roles(), g.Role) {
		return ErrInvitationRole
	}
	g.Name = strings.TrimSpace(g.Name)
	if (g.Role == RoleGuardian) != (g.Name == "") || !printable(g.Name) {
		return ErrInvitationName
	}
	return nil
}

// InviteDevice makes an invitation that adds a device to the account of whoever
// is signed in. Nobody can make one for somebody else's account.
func (x *Accounts) InviteDevice(ctx context.Context, s Session) (string, Invitation, error) {
	now := x.cfg.Now()
	i := Invitation{ID: store.Random(12), Account: s.Account.ID, Device: true, Role: s.Account.Role, Name: s.Account.Name, By: s.Account.ID,
		Created: now, Expires: now.Add(deviceLife)}
	secret := newCode()
	return secret, i, x.saveInvitation(ctx, secret, i)
}

// Invitation describes an invitation to who holds its secret, and leaves it as
// it is.
func (x *Accounts) Invitation(ctx context.Context, secret string) (Invitation, error) {
	code, ok := readCode(secret)
	if !ok {
		return Invitation{}, ErrInvitation
	}
	return x.invitation(ctx, x.cfg.DB, code)
}

// Link gives the address that an invitation's QR code holds. The secret is in
// the fragment, which browsers send to nobody.
func (x *Accounts) Link(secret string) string { return x.cfg.Base + "/app/join#" + secret }

// The alphabet of invitation codes: Crockford's, without letters that are read
// as digits.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newCode makes a secret of 100 random bits that can be read out and typed:
// five groups of four.
func newCode() string {
	b := make([]byte, 20)
	rand.Read(b) // never fails (crypto/rand)
	var out strings.Builder
	for i, v := range b {
		if i > 0 && i%4 == 0 {
			out.WriteByte('-')
		}
		out.WriteByte(alphabet[v&31])
	}
	return out.String()
}

// readCode takes a code as people type it: small letters, spaces, no dashes, O
// for 0 and I or L for 1.
func readCode(s string) (string, bool) {
	if len(s) > 64 {
		return "", false
	}
	s = strings.NewReplacer("O", "0", "I", "1", "L", "1", "-", "", " ", "", "\t", "", "\n", "", "\r", "").Replace(strings.ToUpper(s))
	if len(s) != 20 || strings.Trim(s, alphabet) != "" {
		return "", false
	}
	return strings.Join([]string{s[:4], s[4:8], s[8:12], s[12:16], s[16:]}, "-"), true
}

// printable reports whether a name can be shown on one line of a screen; an
// empty one can.
func printable(name string) bool {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 80 {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
