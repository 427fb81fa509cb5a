package cli

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/web"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestPagesInABrowser goes through every page of accounts as people do: an
// administrator who comes in by the command line's link invites somebody, who
// joins, adds a device, signs out and in again. In the long run each service of many
// hands is gone through on a phone and on a desktop.
func TestPagesInABrowser(t *testing.T) {
	chromium := webtest.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h := &home{dir: t.TempDir()}
	d, err := h.startDemo(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	type way struct {
		role string
		size webtest.Size
		lang string
	}
	// The services know nothing of one another, so that they are gone through at
	// the same time.
	for _, c := range []struct {
		at   *running
		ways []way
	}{
		{d.issuer, []way{{"registrar", webtest.Desktop, "en"}, {"registrar", webtest.Phone, "hi"}}},
		{d.wallet, []way{{"guardian", webtest.Phone, "ar"}, {"guardian", webtest.Desktop, "ar"}}},
		{d.verifier, []way{{"officer", webtest.Phone, "fr"}}},
	} {
		t.Run(c.at.role, func(t *testing.T) {
			t.Parallel()
			for i, w := range c.ways {
				if i > 0 && os.Getenv("KINPASS_LONG") != "1" {
					break
				}
				name := w.role + " " + w.size.Name + " " + w.lang
				t.Run(w.size.Name+" "+w.lang, func(t *testing.T) {
					v := &visit{t: t, ctx: ctx, at: c.at, role: w.role, name: name, open: func() *webtest.Tab { return chromium.Tab(t, w.size, w.lang) }}
					v.signIn()
					admin := v.administrator()
					person, link := v.invite(admin)
					v.join(person, link)
					v.account(person)
					v.close(admin)
				})
			}
		})
	}
}

// TestOneWalletOfSeveralDevices: an account that is made over a token opens the
// wallet that the token has, so does every further token of the account, and
// another guardian's does not.
func TestOneWalletOfSeveralDevices(t *testing.T) {
	chromium := webtest.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h := &home{dir: t.TempDir()}
	d, err := h.startDemo(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	if err := d.leaveFamily(ctx); err != nil {
		t.Fatal(err)
	}
	token, err := d.wallet.db.TokenBySecret(ctx, d.tokens.Guardian, now())
	if err != nil {
		t.Fatal(err)
	}
	phone := chromium.Tab(t, webtest.Phone, "en")
	join := func(x *webtest.Tab, g account.Guest) {
		t.Helper()
		secret, _, err := d.wallet.accounts.Invite(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		x.Go(d.wallet.accounts.Link(secret))
		x.See("[data-invited]")
		x.Press("[data-go]")
	}
	join(phone, account.Guest{Role: "guardian", Token: token.ID})
	// The routes that programs use, with the session in place of a token.
	const children = `fetch('/wallet/children').then((r) => r.text())`
	mine := webtest.Value[string](phone, children)
	if !strings.Contains(mine, `"children":[{"id":"`) {
		t.Fatalf("the wallet is not there: %s", mine)
	}
	another, _, err := d.wallet.db.AddTokenOf(ctx, token.ID, store.Token{Name: "second phone", Role: "guardian"})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{d.tokens.Guardian, another} {
		if got := webtest.Value[string](phone, `fetch('/wallet/children', { headers: { Authorization: 'Bearer `+secret+`' } }).then((r) => r.text())`); got != mine {
			t.Errorf("a token of the account shows something else: %s", got)
		}
	}
	// Changing something takes the page's own token.
	const destroy = `fetch('/wallet', { method: 'DELETE' }).then((r) => r.status)`
	if status := webtest.Value[int](phone, destroy); status != 403 {
		t.Errorf("a wallet was deleted without the page's token: %d", status)
	}
	stranger := chromium.Tab(t, webtest.Phone, "en")
	join(stranger, account.Guest{Role: "guardian"})
	if got := webtest.Value[string](stranger, children); !strings.Contains(got, `"children":[]`) {
		t.Errorf("another guardian sees %s", got)
	}
	id := strings.Split(strings.SplitAfter(mine, `"credentials":["`)[1], `"`)[0]
	ask := func(id string) string {
		return webtest.Value[string](stranger, `fetch('/wallet/credentials/`+id+`').then(async (r) => r.status + await r.text())`)
	}
	if a, b := ask(id), ask(strings.Repeat("A", len(id))); a != b || !strings.HasPrefix(a, "404") {
		t.Errorf("another's credential looks other than none: %s and %s", a, b)
	}
	phone.Go(d.wallet.base + "/app/account")
	if status := webtest.Value[int](phone, `fetch('/wallet', { method: 'DELETE', headers: { 'X-CSRF-Token': document.querySelector('[data-csrf]').dataset.csrf } }).then((r) => r.status)`); status != 204 {
		t.Errorf("with it: %d", status)
	}
	if got := webtest.Value[string](phone, children); !strings.Contains(got, `"children":[]`) {
		t.Errorf("the wallet is still there: %s", got)
	}
}

// TestRolesHaveWords: every role that people can be invited to is named on the
// pages, in every language.
func TestRolesHaveWords(t *testing.T) {
	for service, roles := range tokenRoles {
		site, err := web.New(service, "http://localhost:8080")
		if err != nil {
			t.Fatal(err)
		}
		for _, lang := range web.Languages {
			r := httptest.NewRequest("GET", "/app/", nil)
			r.Header.Set("Accept-Language", lang)
			for _, role := range append([]string{account.RoleAdministrator}, roles...) {
				if text := site.Text(r, "role."+role); text == "role."+role {
					t.Errorf("%s has no word for %s", lang, role)
				}
			}
		}
	}
}

// visit is one way through the pages.
type visit struct {
	t          *testing.T
	ctx        context.Context
	at         *running
	role, name string
	open       func() *webtest.Tab
}

func (v *visit) look(x *webtest.Tab, name string) {
	v.t.Helper()
	x.Look(v.at.role + " " + name)
}

func (v *visit) invitation(g account.Guest) string {
	v.t.Helper()
	secret, _, err := v.at.accounts.Invite(v.ctx, g)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.at.accounts.Link(secret)
}

// signIn is for somebody who is nobody here yet.
func (v *visit) signIn() {
	x := v.open()
	x.Go(v.at.base + "/app/account")
	if x.Path() != "/app/sign-in" {
		v.t.Fatalf("at %s", x.Path())
	}
	v.look(x, "sign-in")
	x.Click(".kp-languages__now")
	v.look(x, "sign-in languages")
	x.Click(".kp-languages__now")
	x.Go(v.at.base + "/app/join")
	v.look(x, "join")
	x.Type("#code", "0000-0000-0000-0000-0000")
	x.Click("[data-code-form] button")
	x.See("[data-problem]")
	v.look(x, "join refused")
	x.Go(v.at.base + "/app/nothing")
	v.look(x, "error")
}

// administrator comes in by a link as the command line prints it.
func (v *visit) administrator() *webtest.Tab {
	x := v.open()
	x.Go(v.invitation(account.Guest{Role: account.RoleAdministrator, Name: "Ada " + v.name}))
	x.See("[data-invited]")
	if p := x.Path(); p != "/app/join" {
		v.t.Errorf("the secret stays in the address: %s", p)
	}
	for _, a := range x.Asked() {
		if strings.Contains(a, "#") {
			v.t.Errorf("the secret was sent: %s", a)
		}
	}
	v.look(x, "join invited")
	x.Press("[data-go]")
	v.look(x, "home administrator")
	// Whoever invites may do nothing else: what the service is for is closed.
	routes := map[string][]string{
		issuerRole:   {"/births?state=held", "/births/x", "/guardianships?state=held", "/approvals", "/statistics", "/credentials/x"},
		walletRole:   {"/wallet/children", "/wallet/credentials", "/wallet/credentials/x"},
		verifierRole: {"/verifier/checks"},
	}[v.at.role]
	for _, path := range routes {
		if status := webtest.Value[int](x, `fetch('`+path+`').then((r) => r.status)`); status != 403 {
			v.t.Errorf("an administrator asks for %s: %d", path, status)
		}
	}
	return x
}

// invite makes an invitation on the people's page.
func (v *visit) invite(x *webtest.Tab) (person *webtest.Tab, link string) {
	x.Go(v.at.base + "/app/people")
	v.look(x, "people")
	x.Press("main form button[type=submit]")
	v.look(x, "people errors")
	x.Click(`input[value="` + v.role + `"]`)
	if v.role != "guardian" {
		x.Type("#name", "اسم طويل جدا Ọláyínká "+v.name)
	}
	x.Press("main form button[type=submit]")
	v.look(x, "people invited")
	link = x.Text("[data-invitation-link]")
	x.Go(v.at.base + "/app/people")
	v.look(x, "people open")
	return v.open(), link
}

func (v *visit) join(x *webtest.Tab, link string) {
	x.Go(link)
	x.See("[data-invited]")
	v.look(x, "join "+v.role)
	x.Press("[data-go]")
	if x.Path() != "/app/" {
		v.t.Fatalf("at %s", x.Path())
	}
	v.look(x, "home")
	// The link works once.
	again := v.open()
	again.Go(link)
	again.See("[data-problem]")
	v.look(again, "join used")
}

func (v *visit) account(x *webtest.Tab) {
	account := v.at.base + "/app/account"
	x.Go(account)
	v.look(x, "account")
	// The device has a passkey for this account: it says so.
	x.Click("[data-go]")
	x.See("[data-problem]")
	v.look(x, "account known")

	x.Press(`form[action="/app/account/devices"] button`)
	v.look(x, "device")
	second := v.open()
	second.Go(x.Text("[data-invitation-link]"))
	second.See("[data-invited]")
	v.look(second, "join device")
	second.Press("[data-go]")

	x.Go(account)
	v.look(x, "account two")
	x.Press(`a[href$="/remove"]`)
	v.look(x, "remove here")
	// The other device's passkey goes, and the other device is out.
	x.Go(account)
	x.Press(`li:nth-child(2) a[href$="/remove"]`)
	v.look(x, "remove")
	x.Press("main form button")
	v.look(x, "account removed")
	second.Go(account)
	if second.Path() != "/app/sign-in" {
		v.t.Errorf("the removed device is in: %s", second.Path())
	}
	second.Click("[data-go]")
	second.See("[data-problem]")
	v.look(second, "sign-in refused")

	x.Press(`a[href$="/name"]`)
	v.look(x, "name")
	webtest.Value[string](x, `document.querySelector('#name').value = ''`)
	x.Type("#name", "हाथ का फ़ोन")
	x.Press("main form button")
	v.look(x, "account named")
	if !strings.Contains(x.Text("main"), "हाथ का फ़ोन") {
		v.t.Error("the passkey has not the name that it was given")
	}

	x.Press(`a[href$="/remove"]`)
	v.look(x, "remove last")
	x.Press("main form button")
	v.look(x, "remove last refused")

	// Out and in again, and back to where one wanted to go.
	x.Go(account)
	x.Press(`form[action="/app/sign-out-everywhere"] button`)
	x.Go(account)
	x.Press("[data-go]")
	if x.Path() != "/app/account" {
		v.t.Errorf("after signing in at %s", x.Path())
	}
	v.look(x, "account again")

	// What lasts asks once more who is there, and then goes on.
	v.stale()
	x.Press(`form[action="/app/account/devices"] button`)
	v.look(x, "confirm")
	x.Press("[data-go]")
	if !strings.Contains(x.Text("main"), x.Text("[data-invitation-code]")) {
		v.t.Error("the form that was held back was not sent")
	}
	v.stale()
	x.Go(account)
	x.Press(`a[href$="/remove"]`)
	x.Press("[data-go]")
	if !strings.HasSuffix(x.Path(), "/remove") {
		v.t.Errorf("after confirming at %s", x.Path())
	}
	if v.role != "guardian" {
		return
	}
	x.Go(account)
	x.Press(`a[href="/app/account/delete"]`)
	v.look(x, "delete")
	x.Press("main form button")
	v.look(x, "delete refused")
	x.Click(`input[name="sure"]`)
	x.Press("main form button")
	v.look(x, "deleted")
	x.Go(account)
	x.Click("[data-go]")
	x.See("[data-problem]")
}

// stale lets the proofs of everybody who is signed in grow old.
func (v *visit) stale() {
	v.t.Helper()
	if _, err := v.at.db.ExecContext(v.ctx, `UPDATE sessions SET proven = 0`); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visit) close(x *webtest.Tab) {
	x.Go(v.at.base + "/app/people")
	if v.role == "guardian" {
		return // deleted already
	}
	x.Press(`tbody tr:last-child a[href$="/close"]`)
	x.Press("[data-go]") // the proof is old, see stale
	v.look(x, "close")
	x.Press("main form button")
	v.look(x, "people closed")
}
