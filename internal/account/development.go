package account

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/kinpass/kinpass/internal/fault"
)

// Development is the sign-in of a demonstration: its people come in at the press
// of a button, without a passkey. It is for a machine that serves nobody but
// itself. New refuses it at any address but plain http on loopback, every request
// for it must come from this machine and ask for it by that name, and without it
// a session that it opened is none, so that what a demonstration leaves behind
// opens nothing in a service that is run for real.
type Development struct {
	// Start is the address of the demonstration's start page.
	Start string
	// Secret is what a form of the start page proves itself with, beside the
	// proof that a page of the service's own carries.
	Secret string
	// People gives those who can come in.
	People func() []Person
}

// Person is somebody of a demonstration.
type Person struct {
	Key    string // names the person in a form
	Name   string // as it is shown, of guardians too
	Guest  Guest
	Hidden bool // is not offered on the sign-in page
}

// errDevelopment says that a service was set up in a way that it must never
// be.
var errDevelopment = fault.New(fault.Internal, "development-address", "the sign-in of a demonstration is for loopback without TLS only")

// ErrNoDemonstration says that a service has no sign-in of a demonstration, or
// nobody of that name.
var ErrNoDemonstration = fault.New(fault.NotFound, "no-demonstration", "there is nobody of a demonstration here")

// byDemonstration stands where a session has the passkey that opened it.
const byDemonstration = "demonstration"

// Demonstration reports whether somebody came in by the sign-in of a
// demonstration: without a passkey, and with none to prove.
func (s Session) Demonstration() bool { return s.Passkey == byDemonstration }

// Demonstrate signs somebody in without a passkey and makes the account if there
// is none. It works in a demonstration only.
func (x *Accounts) Demonstrate(ctx context.Context, g Guest, device string) (string, error) {
	if x.cfg.Development == nil {
		return "", ErrNoDemonstration
	}
	if err := x.fits(&g); err != nil {
		return "", err
	}
	return x.demonstrate(ctx, g, device)
}

// person gives somebody of the demonstration.
func (x *Accounts) person(key string) (Person, error) {
	if x.cfg.Development != nil && key != "" {
		for _, p := range x.cfg.Development.People() {
			if p.Key == key {
				return p, nil
			}
		}
	}
	return Person{}, ErrNoDemonstration
}

// loopbackBase reports whether a service is reached on this machine only.
func loopbackBase(u *url.URL) bool { return u.Scheme == "http" && loopbackHost(u.Hostname()) }

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// here reports whether a request was made on this machine for this machine. A
// name that somebody else gave our address, and a proxy in front of us, are not.
func here(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(from)
	u, bad := url.Parse("http://" + r.Host)
	return err == nil && ip != nil && ip.IsLoopback() && bad == nil && loopbackHost(u.Hostname())
}
