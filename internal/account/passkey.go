package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/kinpass/kinpass/internal/store"
)

// Kinds of ceremonies.
const (
	kindJoin      = "join"
	kindAdd       = "add"
	kindSignIn    = "sign-in"
	kindFederated = "federated"
	kindConfirm   = "confirm"
)

// passkey is a passkey as it is stored.
type passkey struct {
	id           string
	credentialID []byte
	record       []byte
	label        string
}

// ceremony is what is kept between the two halves. Of an invitation the secret
// is kept here for ten minutes: it is used up only when the passkey is there.
type ceremony struct {
	Session    webauthn.SessionData `json:"session"`
	Invitation string               `json:"invitation,omitempty"`
	Account    string               `json:"account,omitempty"`
}

// holder is an account as the passkey library sees it.
type holder struct {
	account Account
	service string
	keys    []webauthn.Credential
}

// WebAuthnID is the user handle: the account's random id.
func (h holder) WebAuthnID() []byte { return []byte(h.account.ID) }

// WebAuthnName is what the phone shows in its list of passkeys. It says
// nothing about a guardian, nor about children.
func (h holder) WebAuthnName() string {
	if h.account.Name != "" {
		return h.account.Name
	}
	return "Kinpass " + h.account.ID[:min(4, len(h.account.ID))]
}

// WebAuthnDisplayName is the same.
func (h holder) WebAuthnDisplayName() string { return h.WebAuthnName() }

// WebAuthnCredentials are the passkeys that there are.
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

func (x *Accounts) holder(ctx context.Context, a Account) (holder, error) {
	h := holder{account: a, service: x.cfg.Service}
	records, err := x.records(ctx, a.ID)
	if err != nil {
		return h, err
	}
	for _, r := range records {
		var c webauthn.Credential
		if err := json.Unmarshal(r, &c); err != nil {
			return h, err
		}
		h.keys = append(h.keys, c)
	}
	return h, nil
}

// BeginJoin gives the options with which a browser makes a passkey for an
// invitation. The visit names the browser.
func (x *Accounts) BeginJoin(ctx context.Context, visit, secret string) (any, error) {
	i, err := x.Invitation(ctx, secret)
	if err != nil {
		return nil, err
	}
	code, _ := readCode(secret)
	return x.beginRegistration(ctx, visit, kindJoin, ceremony{Invitation: code, Account: i.Account}, Account{ID: i.Account, Role: i.Role, Name: i.Name})
}

// BeginAdd gives the options with which a browser makes one more passkey for
// the account that is signed in.
func (x *Accounts) BeginAdd(ctx context.Context, visit string, s Session) (any, error) {
	return x.beginRegistration(ctx, visit, kindAdd, ceremony{Account: s.Account.ID}, s.Account)
}

func (x *Accounts) beginRegistration(ctx context.Context, visit, kind string, c ceremony, a Account) (any, error) {
	if x.passkeys == nil {
		return nil, ErrNoPasskeys
	}
	h, err := x.holder(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(h.keys) >= maxPasskeys {
		return nil, ErrTooManyPasskeys
	}
	options, session, err := x.passkeys.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	if err != nil {
		return nil, err
	}
	c.Session = *session
	return options, x.keep(ctx, visit, kind, c)
}

func (x *Accounts) keep(ctx context.Context, visit, kind string, c any) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return x.remember(ctx, visit, kind, data)
}

func (x *Accounts) taken(ctx context.Context, visit, kind string, c any) error {
	data, err := x.recall(ctx, visit, kind)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, c)
}

// FinishJoin takes the browser's answer, uses the invitation up and signs the
// new device in. It gives the session's secret.
func (x *Accounts) FinishJoin(ctx context.Context, visit string, response []byte, device string) (string, error) {
	var c ceremony
	if err := x.taken(ctx, visit, kindJoin, &c); err != nil {
		return "", err
	}
	p, err := x.made(ctx, c, response, device)
	if err != nil {
		return "", err
	}
	return x.join(ctx, joining{secret: c.Invitation, passkey: p, device: device})
}

// FinishAdd takes the browser's answer and adds the passkey to the account of
// the session, if that is the one that began.
func (x *Accounts) FinishAdd(ctx context.Context, visit string, s Session, response []byte) error {
	var c ceremony
	if err := x.taken(ctx, visit, kindAdd, &c); err != nil {
		return err
	}
	if c.Account != s.Account.ID {
		return ErrCeremony
	}
	p, err := x.made(ctx, c, response, s.Device)
	if err != nil {
		return err
	}
	return x.addPasskey(ctx, s.Account.ID, p)
}

// made verifies a new passkey.
func (x *Accounts) made(ctx context.Context, c ceremony, response []byte, device string) (*passkey, error) {
	if x.passkeys == nil {
		return nil, ErrNoPasskeys
	}
	if len(response) > maxResponse {
		return nil, ErrPasskey
	}
	parsed, err := protocol.ParseCredentialCreationResponseBody(bytes.NewReader(response))
	if err != nil {
		return nil, ErrPasskey.With(err)
	}
	h, err := x.holder(ctx, Account{ID: c.Account})
	if err != nil {
		return nil, err
	}
	key, err := x.passkeys.CreateCredential(h, c.Session, parsed)
	if err != nil {
		return nil, ErrPasskey.With(err)
	}
	// What proves the make of the device is not kept: nobody reads it, and it
	// can tell devices apart.
	key.Attestation = webauthn.CredentialAttestation{}
	return stored(key, device)
}

func stored(key *webauthn.Credential, label string) (*passkey, error) {
	record, err := json.Marshal(key)
	return &passkey{id: store.Random(12), credentialID: key.ID, record: record, label: label}, err
}

// BeginSignIn gives the options with which a browser proves a passkey. They are
// the same for everybody: the passkey says whose it is.
func (x *Accounts) BeginSignIn(ctx context.Context, visit string) (any, error) {
	if x.passkeys == nil {
		return nil, ErrNoPasskeys
	}
	options, session, err := x.passkeys.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	return options, x.keep(ctx, visit, kindSignIn, ceremony{Session: *session})
}

// FinishSignIn takes the browser's proof and gives the secret of a session.
func (x *Accounts) FinishSignIn(ctx context.Context, visit string, response []byte, device string) (string, error) {
	var c ceremony
	if err := x.taken(ctx, visit, kindSignIn, &c); err != nil {
		return "", err
	}
	if x.passkeys == nil {
		return "", ErrNoPasskeys
	}
	if len(response) > maxResponse {
		return "", ErrPasskey
	}
	parsed, err := protocol.ParseCredentialRequestResponseBody(bytes.NewReader(response))
	if err != nil {
		return "", ErrPasskey.With(err)
	}
	var broken error // of ours, not of the passkey
	user, key, err := x.passkeys.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		if len(handle) == 0 || len(handle) > 64 {
			return nil, ErrPasskey
		}
		a, err := x.account(ctx, string(handle))
		if err != nil {
			if !errors.Is(err, ErrNoSuchAccount) {
				broken = err
			}
			return nil, err
		}
		h, err := x.holder(ctx, a)
		broken = err
		return h, err
	}, c.Session, parsed)
	if broken != nil {
		return "", broken
	}
	if err != nil {
		return "", ErrPasskey.With(err)
	}
	// A counter that went back: there is a copy of the passkey, and which of the
	// two this is cannot be known.
	if key.Authenticator.CloneWarning {
		return "", ErrPasskey
	}
	p, err := stored(key, "")
	if err != nil {
		return "", err
	}
	return x.signIn(ctx, string(user.WebAuthnID()), p, device)
}

// BeginConfirm gives the options with which a browser proves a passkey of who is
// signed in already.
func (x *Accounts) BeginConfirm(ctx context.Context, s Session) (any, error) {
	if x.passkeys == nil {
		return nil, ErrNoPasskeys
	}
	h, err := x.holder(ctx, s.Account)
	if err != nil {
		return nil, err
	}
	if len(h.keys) == 0 {
		return nil, ErrPasskey
	}
	options, session, err := x.passkeys.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	return options, x.keep(ctx, s.ID, kindConfirm, ceremony{Session: *session, Account: s.Account.ID})
}

// FinishConfirm takes the browser's proof: for five minutes the session may do
// what asks for a fresh one.
func (x *Accounts) FinishConfirm(ctx context.Context, s Session, response []byte) error {
	var c ceremony
	if err := x.taken(ctx, s.ID, kindConfirm, &c); err != nil {
		return err
	}
	if x.passkeys == nil || c.Account != s.Account.ID {
		return ErrCeremony
	}
	if len(response) > maxResponse {
		return ErrPasskey
	}
	parsed, err := protocol.ParseCredentialRequestResponseBody(bytes.NewReader(response))
	if err != nil {
		return ErrPasskey.With(err)
	}
	h, err := x.holder(ctx, s.Account)
	if err != nil {
		return err
	}
	key, err := x.passkeys.ValidateLogin(h, c.Session, parsed)
	if err != nil || key.Authenticator.CloneWarning {
		return ErrPasskey.With(err)
	}
	p, err := stored(key, "")
	if err != nil {
		return err
	}
	return x.prove(ctx, s, p)
}

// Press confirms without any proof a session that was opened without any, by a
// demonstration.
func (x *Accounts) Press(ctx context.Context, s Session) error {
	if x.cfg.Development == nil || !s.Demonstration() {
		return ErrPasskey
	}
	return x.prove(ctx, s, nil)
}

// DeviceOf names a browser and its system from what it says of itself, coarse
// enough to be the same for many people.
func DeviceOf(userAgent string) string {
	find := func(pairs [][2]string) string {
		for _, p := range pairs {
			if strings.Contains(userAgent, p[0]) {
				return p[1]
			}
		}
		return ""
	}
	browser := find([][2]string{{"Edg/", "Edge"}, {"SamsungBrowser/", "Samsung Internet"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}})
	system := find([][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Macintosh", "Mac"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}})
	switch {
	case browser == "" && system == "":
		return ""
	case browser == "" || system == "":
		return browser + system
	}
	return browser + ", " + system
}
