package account_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

const base = "http://localhost:8080"

// house is the accounts of one service with a clock that is moved by hand.
type house struct {
	*account.Accounts
	t     *testing.T
	db    *store.DB
	ctx   context.Context
	mu    sync.Mutex
	clock time.Time
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

func open(t *testing.T, db *store.DB) *house {
	t.Helper()
	h := &house{t: t, db: db, ctx: context.Background(), clock: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}
	roles := map[string][]string{"issuer": {"registrar", "court"}, "wallet": {"guardian"}}[db.Role]
	x, err := account.New(account.Config{DB: db, Service: db.Role, Base: base, Roles: roles, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	h.Accounts = x
	return h
}

// key is a passkey of a device that confirms whatever it is asked.
type key struct {
	private *ecdsa.PrivateKey
	id      []byte
	handle  []byte
	counter uint32

	// What a wrong device or browser does.
	origin string
	flags  byte
	rp     string
}

const (
	present  = 0x01
	verified = 0x04
	attested = 0x40
)

func newKey() *key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	return &key{private: private, id: id, origin: base, flags: present | verified, rp: "localhost"}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (k *key) authData(more byte, rest []byte) []byte {
	rp := sha256.Sum256([]byte(k.rp))
	out := append(rp[:], k.flags|more)
	out = binary.BigEndian.AppendUint32(out, k.counter)
	return append(out, rest...)
}

func (k *key) client(kind, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": k.origin, "crossOrigin": false})
	return b
}

// options reads what the service sent to the browser.
func options(t *testing.T, v any) (challenge string, handle []byte) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		PublicKey struct {
			Challenge string `json:"challenge"`
			User      struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			} `json:"user"`
			UserVerification string `json:"userVerification"`
			Selection        struct {
				UserVerification string `json:"userVerification"`
				ResidentKey      string `json:"residentKey"`
			} `json:"authenticatorSelection"`
		} `json:"publicKey"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	if o.PublicKey.UserVerification != "required" && o.PublicKey.Selection.UserVerification != "required" {
		t.Errorf("the person need not be verified: %s", b)
	}
	handle, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(o.PublicKey.User.ID, "="))
	if err != nil {
		t.Fatal(err)
	}
	return o.PublicKey.Challenge, handle
}

// create answers as navigator.credentials.create would.
func (k *key) create(t *testing.T, v any) []byte {
	t.Helper()
	challenge, handle := options(t, v)
	k.handle = handle
	public, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: k.private.X.FillBytes(make([]byte, 32)), -3: k.private.Y.FillBytes(make([]byte, 32))})
	if err != nil {
		t.Fatal(err)
	}
	rest := append(make([]byte, 16), 0, byte(len(k.id)))
	rest = append(append(rest, k.id...), public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": k.authData(attested, rest)})
	if err != nil {
		t.Fatal(err)
	}
	return k.answer(t, map[string]any{"clientDataJSON": b64(k.client("webauthn.create", challenge)), "attestationObject": b64(object), "transports": []string{"internal"}})
}

// get answers as navigator.credentials.get would.
func (k *key) get(t *testing.T, v any) []byte {
	t.Helper()
	challenge, _ := options(t, v)
	data, client := k.authData(0, nil), k.client("webauthn.get", challenge)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return k.answer(t, map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(k.handle)})
}

func (k *key) answer(t *testing.T, response map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// invited gives the secret of a new invitation.
func (h *house) invited(g account.Guest) string {
	h.t.Helper()
	secret, _, err := h.Invite(h.ctx, g)
	if err != nil {
		h.t.Fatal(err)
	}
	return secret
}

// joined lets a device join with an invitation and gives its session.
func (h *house) joined(secret string, k *key) (account.Session, error) {
	h.t.Helper()
	visit := store.Random(24)
	o, err := h.BeginJoin(h.ctx, visit, secret)
	if err != nil {
		return account.Session{}, err
	}
	session, err := h.FinishJoin(h.ctx, visit, k.create(h.t, o), "Firefox, Linux")
	if err != nil {
		return account.Session{}, err
	}
	return h.Session(h.ctx, session)
}

func (h *house) member(g account.Guest) (account.Session, *key) {
	h.t.Helper()
	k := newKey()
	s, err := h.joined(h.invited(g), k)
	if err != nil {
		h.t.Fatal(err)
	}
	return s, k
}

func (h *house) signedIn(k *key) (string, error) {
	h.t.Helper()
	visit := store.Random(24)
	o, err := h.BeginSignIn(h.ctx, visit)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.FinishSignIn(h.ctx, visit, k.get(h.t, o), "Chrome, Android")
}

func each(t *testing.T, role string, fn func(t *testing.T, h *house)) {
	t.Helper()
	storetest.Each(t, role, func(t *testing.T, db *store.DB) { fn(t, open(t, db)) })
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

var rita = account.Guest{Role: "registrar", Name: "Rita, desk 1"}

func TestJoinAndSignIn(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		s, k := h.member(rita)
		if s.Account.Role != "registrar" || s.Account.Name != rita.Name || len(s.Account.ID) < 16 || string(k.handle) != s.Account.ID {
			t.Fatalf("%+v, handle %s", s.Account, k.handle)
		}
		secret, err := h.signedIn(k)
		if err != nil {
			t.Fatal(err)
		}
		again, err := h.Session(h.ctx, secret)
		if err != nil || again.Account.ID != s.Account.ID || again.ID == s.ID {
			t.Fatalf("%+v, %v", again, err)
		}
		all, err := h.Sessions(h.ctx, s.Account)
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		// No secret stands in the database.
		for _, table := range []string{"sessions", "invitations"} {
			var n int
			if err := h.db.QueryRow(`SELECT COUNT(*) FROM `+table+` WHERE CAST(hash AS TEXT) = $1`, secret).Scan(&n); err != nil || n != 0 {
				t.Errorf("the secret stands in %s: %d, %v", table, n, err)
			}
		}
	})
}

func TestInvitationRefuses(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		for name, g := range map[string]account.Guest{
			"role of another service": {Role: "guardian"}, "no role": {Name: "X"}, "a role that there is not": {Role: "root", Name: "X"},
		} {
			_, _, err := h.Invite(h.ctx, g)
			is(t, name, err, account.ErrInvitationRole)
		}
		for name, text := range map[string]string{"no name": "", "blank": "  ", "long": strings.Repeat("a", 81), "control": "a\nb", "not UTF-8": "a\xff", "overrides the direction": "a\u202eb"} {
			_, _, err := h.Invite(h.ctx, account.Guest{Role: "registrar", Name: text})
			is(t, name, err, account.ErrInvitationName)
		}
		used := h.invited(rita)
		if _, err := h.joined(used, newKey()); err != nil {
			t.Fatal(err)
		}
		_, _, err := h.Invite(h.ctx, rita)
		is(t, "a name that is taken", err, account.ErrNameTaken)

		over := h.invited(account.Guest{Role: "court", Name: "late"})
		withdrawn, i, err := h.Invite(h.ctx, account.Guest{Role: "court", Name: "withdrawn"})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Withdraw(h.ctx, i.ID); err != nil {
			t.Fatal(err)
		}
		is(t, "withdrawn twice", h.Withdraw(h.ctx, i.ID), account.ErrNoSuchInvitation)
		h.wait(account.InvitationLife)
		for name, secret := range map[string]string{"used": used, "expired": over, "withdrawn": withdrawn, "unknown": "0000-0000-0000-0000-0000", "empty": "",
			"short": used[:len(used)-1], "id instead": i.ID, "long": strings.Repeat("0", 1000), "strange": "0000-0000-0000-0000-000é"} {
			_, err := h.Invitation(h.ctx, secret)
			is(t, name, err, account.ErrInvitation)
			_, err = h.joined(secret, newKey())
			is(t, name+", joining", err, account.ErrInvitation)
		}
	})
}

// TestCodeAsTyped: the code is read as people write it down.
func TestCodeAsTyped(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		secret := h.invited(rita)
		if link := h.Link(secret); link != base+"/app/join#"+secret {
			t.Error(link)
		}
		loose := strings.NewReplacer("0", "o", "1", "l", "-", " ").Replace(strings.ToLower(secret))
		for _, typed := range []string{secret, strings.ToLower(secret), strings.ReplaceAll(secret, "-", ""), " " + secret + "\n", loose} {
			i, err := h.Invitation(h.ctx, typed)
			if err != nil || i.Name != rita.Name {
				t.Errorf("%q: %v", typed, err)
			}
		}
		if _, err := h.joined(loose, newKey()); err != nil {
			t.Error(err)
		}
	})
}

// TestInvitationOnce: of many who use one invitation at the same time one gets
// in, and the others leave nothing behind.
func TestInvitationOnce(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		secret := h.invited(rita)
		var wg sync.WaitGroup
		var mu sync.Mutex
		in := 0
		for range 6 {
			wg.Go(func() {
				_, err := h.joined(secret, newKey())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					in++
				} else if !errors.Is(err, account.ErrInvitation) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		all, err := h.List(h.ctx)
		if err != nil || in != 1 || len(all) != 1 || all[0].Passkeys != 1 {
			t.Fatalf("%d got in; %+v, %v", in, all, err)
		}
	})
}

// TestTwoInvitationsOfOneName: the name is given to whoever joins first.
func TestTwoInvitationsOfOneName(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		first, second := h.invited(rita), h.invited(rita)
		if _, err := h.joined(second, newKey()); err != nil {
			t.Fatal(err)
		}
		_, err := h.joined(first, newKey())
		is(t, "the other", err, account.ErrInvitation)
	})
}

func TestPasskeyRefuses(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		s, good := h.member(rita)
		for name, spoil := range map[string]func(k *key){
			"another origin":     func(k *key) { k.origin = "http://evil.example" },
			"another port":       func(k *key) { k.origin = "http://localhost:8081" },
			"another party":      func(k *key) { k.rp = "evil.example" },
			"nobody verified":    func(k *key) { k.flags = present },
			"nobody present":     func(k *key) { k.flags = verified },
			"another key":        func(k *key) { k.private = newKey().private },
			"another credential": func(k *key) { k.id = newKey().id },
			"another account":    func(k *key) { k.handle = []byte("somebody-else-12") },
			"no account":         func(k *key) { k.handle = nil },
		} {
			bad := *good
			spoil(&bad)
			_, err := h.signedIn(&bad)
			is(t, name, err, account.ErrPasskey)
			if name == "another key" || name == "another credential" || name == "another account" || name == "no account" {
				continue
			}
			fresh := newKey()
			spoil(fresh)
			_, err = h.joined(h.invited(account.Guest{Role: "court", Name: name}), fresh)
			is(t, name+", joining", err, account.ErrPasskey)
		}
		visit := store.Random(24)
		o, err := h.BeginSignIn(h.ctx, visit)
		if err != nil {
			t.Fatal(err)
		}
		proof := good.get(t, o)
		_, err = h.FinishSignIn(h.ctx, store.Random(24), proof, "")
		is(t, "another browser", err, account.ErrCeremony)
		if _, err := h.FinishSignIn(h.ctx, visit, proof, ""); err != nil {
			t.Fatal(err)
		}
		_, err = h.FinishSignIn(h.ctx, visit, proof, "")
		is(t, "shown again", err, account.ErrCeremony)

		if _, err = h.BeginSignIn(h.ctx, visit); err != nil {
			t.Fatal(err)
		}
		_, err = h.FinishSignIn(h.ctx, visit, proof, "")
		is(t, "the proof of another challenge", err, account.ErrPasskey)

		for name, b := range map[string][]byte{"empty": nil, "not JSON": []byte("{"), "huge": []byte(strings.Repeat("[", 100_000)), "strange": []byte(`{"id":"x","rawId":"x","type":"public-key","response":{}}`)} {
			if _, err := h.BeginSignIn(h.ctx, visit); err != nil {
				t.Fatal(err)
			}
			_, err = h.FinishSignIn(h.ctx, visit, b, "")
			is(t, name, err, account.ErrPasskey)
			if _, err := h.BeginAdd(h.ctx, visit, s); err != nil {
				t.Fatal(err)
			}
			is(t, name+", adding", h.FinishAdd(h.ctx, visit, s, b), account.ErrPasskey)
		}

		o, err = h.BeginSignIn(h.ctx, visit)
		if err != nil {
			t.Fatal(err)
		}
		h.wait(11 * time.Minute)
		_, err = h.FinishSignIn(h.ctx, visit, good.get(t, o), "")
		is(t, "too late", err, account.ErrCeremony)

		// A counter that goes back betrays a copy.
		good.counter = 7
		if _, err := h.signedIn(good); err != nil {
			t.Fatal(err)
		}
		good.counter = 6
		_, err = h.signedIn(good)
		is(t, "a copy", err, account.ErrPasskey)
	})
}

func TestSessionsEnd(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		s, k := h.member(rita)
		sign := func() string {
			t.Helper()
			secret, err := h.signedIn(k)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		over := func(what, secret string) {
			t.Helper()
			_, err := h.Session(h.ctx, secret)
			is(t, what, err, account.ErrSession)
		}
		for name, bad := range map[string]string{"empty": "", "unknown": store.Random(32), "id instead": s.ID, "long": strings.Repeat("a", 500)} {
			over(name, bad)
		}
		idle := sign()
		h.wait(29 * time.Minute)
		if _, err := h.Session(h.ctx, idle); err != nil {
			t.Fatal(err)
		}
		h.wait(30 * time.Minute)
		over("not used for half an hour", idle)

		old := sign()
		for range 22 {
			if _, err := h.Session(h.ctx, old); err != nil {
				t.Fatal(err)
			}
			h.wait(27 * time.Minute)
			if _, err := h.Session(h.ctx, old); err != nil {
				t.Fatal(err)
			}
		}
		h.wait(20 * time.Minute)
		over("ten hours old", old)

		// One device, and everywhere.
		a, b := sign(), sign()
		sa, err := h.Session(h.ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := h.member(account.Guest{Role: "court", Name: "Carla"})
		is(t, "somebody else's session", h.SignOut(h.ctx, other.Account.ID, sa.ID), account.ErrNoSuchSession)
		if err := h.SignOut(h.ctx, s.Account.ID, sa.ID); err != nil {
			t.Fatal(err)
		}
		over("signed out", a)
		if _, err := h.Session(h.ctx, b); err != nil {
			t.Fatal(err)
		}
		device, _, err := h.InviteDevice(h.ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.SignOutEverywhere(h.ctx, s.Account.ID); err != nil {
			t.Fatal(err)
		}
		over("signed out everywhere", b)
		_, err = h.Invitation(h.ctx, device)
		is(t, "a device's invitation after that", err, account.ErrInvitation)

		if err := h.Purge(h.ctx); err != nil {
			t.Fatal(err)
		}
		if all, err := h.Sessions(h.ctx, other.Account); err != nil || len(all) != 1 {
			t.Errorf("somebody else's sessions: %v, %v", all, err)
		}
	})
}

func TestPasskeysAndDevices(t *testing.T) {
	each(t, "wallet", func(t *testing.T, h *house) {
		s, first := h.member(account.Guest{Role: "guardian"})
		if s.Account.Name != "" {
			t.Error("a guardian has a name")
		}
		is(t, "the last passkey", h.RemovePasskey(h.ctx, s.Account.ID, s.Passkey, false), account.ErrLastPasskey)

		// Another device, by an invitation that the guardian makes.
		secret, i, err := h.InviteDevice(h.ctx, s)
		if err != nil || !i.Device || i.Account != s.Account.ID {
			t.Fatalf("%+v, %v", i, err)
		}
		second := newKey()
		phone, err := h.joined(secret, second)
		if err != nil || phone.Account.ID != s.Account.ID {
			t.Fatalf("%+v, %v", phone, err)
		}
		_, err = h.joined(secret, newKey())
		is(t, "used twice", err, account.ErrInvitation)
		late, _, err := h.InviteDevice(h.ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		h.wait(10 * time.Minute)
		_, err = h.joined(late, newKey())
		is(t, "after ten minutes", err, account.ErrInvitation)

		// One more on the same device.
		visit := store.Random(24)
		o, err := h.BeginAdd(h.ctx, visit, s)
		if err != nil {
			t.Fatal(err)
		}
		third := newKey()
		made := third.create(t, o)
		stranger, _ := h.member(account.Guest{Role: "guardian"})
		is(t, "the answer for another account", h.FinishAdd(h.ctx, visit, stranger, made), account.ErrCeremony)
		if o, err = h.BeginAdd(h.ctx, visit, s); err != nil {
			t.Fatal(err)
		}
		if err := h.FinishAdd(h.ctx, visit, s, third.create(t, o)); err != nil {
			t.Fatal(err)
		}
		if o, err = h.BeginAdd(h.ctx, visit, s); err != nil {
			t.Fatal(err)
		}
		is(t, "the same passkey again", h.FinishAdd(h.ctx, visit, s, third.create(t, o)), account.ErrPasskeyKnown)

		keys, err := h.Passkeys(h.ctx, s.Account.ID)
		if err != nil || len(keys) != 3 {
			t.Fatalf("%+v, %v", keys, err)
		}
		is(t, "another's passkey", h.RemovePasskey(h.ctx, stranger.Account.ID, keys[0].ID, true), account.ErrNoSuchPasskey)
		is(t, "no passkey", h.RemovePasskey(h.ctx, s.Account.ID, "nothing", true), account.ErrNoSuchPasskey)

		// Removing one ends what it opened, and only that.
		if err := h.RemovePasskey(h.ctx, s.Account.ID, phone.Passkey, false); err != nil {
			t.Fatal(err)
		}
		_, err = h.signedIn(second)
		is(t, "a removed passkey", err, account.ErrPasskey)
		if all, err := h.Sessions(h.ctx, s.Account); err != nil || len(all) != 1 || all[0].ID != s.ID {
			t.Errorf("%+v, %v", all, err)
		}
		if _, err := h.signedIn(first); err != nil {
			t.Error(err)
		}
		if err := h.RemovePasskey(h.ctx, s.Account.ID, s.Passkey, false); err != nil {
			t.Fatal(err)
		}
		keys, err = h.Passkeys(h.ctx, s.Account.ID)
		if err != nil || len(keys) != 1 {
			t.Fatalf("%+v, %v", keys, err)
		}
		if err := h.RemovePasskey(h.ctx, s.Account.ID, keys[0].ID, true); err != nil {
			t.Error("asked for, knowing:", err)
		}
	})
}

// TestLastPasskeyInARace: of two removals at once one must see that it is the
// last.
func TestLastPasskeyInARace(t *testing.T) {
	each(t, "wallet", func(t *testing.T, h *house) {
		for range 5 {
			s, _ := h.member(account.Guest{Role: "guardian"})
			secret, _, err := h.InviteDevice(h.ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.joined(secret, newKey()); err != nil {
				t.Fatal(err)
			}
			keys, err := h.Passkeys(h.ctx, s.Account.ID)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for _, k := range keys {
				wg.Go(func() {
					if err := h.RemovePasskey(h.ctx, s.Account.ID, k.ID, false); err != nil && !errors.Is(err, account.ErrLastPasskey) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if keys, err = h.Passkeys(h.ctx, s.Account.ID); err != nil || len(keys) != 1 {
				t.Fatalf("%d are left, %v", len(keys), err)
			}
		}
	})
}

func TestTooManyPasskeys(t *testing.T) {
	each(t, "wallet", func(t *testing.T, h *house) {
		s, _ := h.member(account.Guest{Role: "guardian"})
		visit := store.Random(24)
		for n := 1; n < 20; n++ {
			o, err := h.BeginAdd(h.ctx, visit, s)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.FinishAdd(h.ctx, visit, s, newKey().create(t, o)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := h.BeginAdd(h.ctx, visit, s)
		is(t, "one more", err, account.ErrTooManyPasskeys)
	})
}

func TestCloseAndReopen(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		admin, _ := h.member(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
		is(t, "the only administrator", h.Close(h.ctx, admin.Account.ID), account.ErrLastAdministrator)
		s, k := h.member(rita)
		secret, err := h.signedIn(k)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := h.db.AddTokenOf(h.ctx, s.Account.ID, store.Token{Name: "script", Role: "registrar"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.db.TokenBySecret(h.ctx, token, h.now()); err != nil || got.Caller() != s.Account.ID {
			t.Fatalf("%+v, %v", got, err)
		}
		if err := h.Close(h.ctx, s.Account.ID); err != nil {
			t.Fatal(err)
		}
		is(t, "closed twice", h.Close(h.ctx, s.Account.ID), account.ErrNoSuchAccount)
		is(t, "nobody", h.Close(h.ctx, "nobody"), account.ErrNoSuchAccount)
		_, err = h.Session(h.ctx, secret)
		is(t, "its session", err, account.ErrSession)
		_, err = h.signedIn(k)
		is(t, "its passkey", err, account.ErrPasskey)
		_, err = h.db.TokenBySecret(h.ctx, token, h.now())
		is(t, "its token", err, store.ErrToken)
		_, _, err = h.db.AddTokenOf(h.ctx, s.Account.ID, store.Token{Name: "script", Role: "registrar"})
		is(t, "a token for it", err, store.ErrTokenOwner)
		if err := h.Reopen(h.ctx, s.Account.ID); err != nil {
			t.Fatal(err)
		}
		_, err = h.Session(h.ctx, secret)
		is(t, "its session after that", err, account.ErrSession)
		if _, err := h.signedIn(k); err != nil {
			t.Error(err)
		}
		_, _, err = h.db.AddTokenOf(h.ctx, s.Account.ID, store.Token{Name: "script", Role: "court"})
		is(t, "a token of another role", err, store.ErrTokenOwner)
	})
}

// TestAdministratorsDoNotCloseEachOther: one of two stays, also when each closes
// the other at the same time.
func TestAdministratorsDoNotCloseEachOther(t *testing.T) {
	each(t, "issuer", func(t *testing.T, h *house) {
		a, _ := h.member(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
		b, _ := h.member(account.Guest{Role: account.RoleAdministrator, Name: "Ben"})
		var wg sync.WaitGroup
		for _, id := range []string{a.Account.ID, b.Account.ID} {
			wg.Go(func() { _ = h.Close(h.ctx, id) })
		}
		wg.Wait()
		all, err := h.List(h.ctx)
		left := 0
		for _, x := range all {
			if !x.Closed {
				left++
			}
		}
		if err != nil || left != 1 {
			t.Fatalf("%d administrators are left, %v", left, err)
		}
	})
}

// TestWalletOfAToken: the account of a token that has a wallet takes its id; the
// token goes on opening the same wallet.
func TestWalletOfAToken(t *testing.T) {
	each(t, "wallet", func(t *testing.T, h *house) {
		token, tok, err := h.db.AddToken(h.ctx, "old phone", "guardian", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = h.Invite(h.ctx, account.Guest{Role: "guardian", Token: "nothing"})
		is(t, "a token that there is not", err, account.ErrNoSuchToken)
		_, _, err = h.Invite(h.ctx, account.Guest{Role: account.RoleAdministrator, Name: "Ada", Token: tok.ID})
		is(t, "a token of another role", err, account.ErrNoSuchToken)
		secret := h.invited(account.Guest{Role: "guardian", Token: tok.ID})
		again := h.invited(account.Guest{Role: "guardian", Token: tok.ID})
		s, err := h.joined(secret, newKey())
		if err != nil || s.Account.ID != tok.ID {
			t.Fatalf("%+v, %v", s.Account, err)
		}
		_, err = h.joined(again, newKey())
		is(t, "a second invitation over the same token", err, account.ErrInvitation)
		if got, err := h.db.TokenBySecret(h.ctx, token, h.now()); err != nil || got.Caller() != s.Account.ID {
			t.Errorf("%+v, %v", got, err)
		}
		more, _, err := h.db.AddTokenOf(h.ctx, s.Account.ID, store.Token{Name: "new phone", Role: "guardian"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.db.TokenBySecret(h.ctx, more, h.now()); err != nil || got.Caller() != s.Account.ID || got.ID == s.Account.ID {
			t.Errorf("%+v, %v", got, err)
		}
		if err := h.Close(h.ctx, s.Account.ID); err != nil {
			t.Fatal(err)
		}
		for _, x := range []string{token, more} {
			_, err := h.db.TokenBySecret(h.ctx, x, h.now())
			is(t, "a token of a closed account", err, store.ErrToken)
		}
	})
}

// TestRestart: what was begun goes on at another replica, and after a restart.
func TestRestart(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine, "issuer")
			one, two := open(t, storetest.Reopen(t, url, "issuer")), open(t, storetest.Reopen(t, url, "issuer"))
			k, visit := newKey(), store.Random(24)
			o, err := one.BeginJoin(one.ctx, visit, one.invited(rita))
			if err != nil {
				t.Fatal(err)
			}
			secret, err := two.FinishJoin(two.ctx, visit, k.create(t, o), "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := one.Session(one.ctx, secret); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestNoPasskeysAtAnIPAddress: a service at an IP address starts, and says what
// it cannot do.
func TestNoPasskeysAtAnIPAddress(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	x, err := account.New(account.Config{DB: db, Service: "issuer", Base: "http://127.0.0.1:8080", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.BeginSignIn(context.Background(), "v")
	is(t, "an IP address", err, account.ErrNoPasskeys)
}

func TestDeviceOf(t *testing.T) {
	for agent, want := range map[string]string{
		"": "", "curl/8": "",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36":                   "Chrome, Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari, iPhone",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0":                                                        "Firefox, Windows",
		"<script>alert(1)</script> Windows": "Windows",
	} {
		if got := account.DeviceOf(agent); got != want {
			t.Errorf("%q: %q", agent, got)
		}
	}
}

// TestConfirmAndDelete: what both engines must agree about.
func TestConfirmAndDelete(t *testing.T) {
	storetest.Each(t, "wallet", func(t *testing.T, db *store.DB) {
		h := open(t, db)
		s, k := h.member(account.Guest{Role: "guardian"})
		other, _ := h.member(account.Guest{Role: "guardian"})
		if !h.Fresh(s) {
			t.Error("who has just come in is asked again")
		}
		h.wait(5 * time.Minute)
		if h.Fresh(s) {
			t.Error("five minutes are over")
		}
		o, err := h.BeginConfirm(h.ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		answer := k.get(t, o)
		is(t, "another's session", h.FinishConfirm(h.ctx, other, answer), account.ErrCeremony)
		if err := h.FinishConfirm(h.ctx, s, answer); err != nil {
			t.Fatal(err)
		}
		is(t, "the same again", h.FinishConfirm(h.ctx, s, answer), account.ErrCeremony)
		o, err = h.BeginConfirm(h.ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.SignOut(h.ctx, s.Account.ID, s.ID); err != nil {
			t.Fatal(err)
		}
		is(t, "signed out meanwhile", h.FinishConfirm(h.ctx, s, k.get(t, o)), account.ErrSession)
		if err := h.Delete(h.ctx, s.Account.ID); err != nil {
			t.Fatal(err)
		}
		is(t, "twice", h.Delete(h.ctx, s.Account.ID), account.ErrNoSuchAccount)
		all, err := h.List(h.ctx)
		if err != nil || len(all) != 1 || all[0].ID != other.Account.ID || all[0].Passkeys != 1 {
			t.Fatal(all, err)
		}
	})
}
