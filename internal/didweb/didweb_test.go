package didweb

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/outbound"
)

func document(id string) string {
	return `{"@context":["https://www.w3.org/ns/did/v1"],"id":"` + id + `","verificationMethod":[{"id":"` + id + `#k","type":"JsonWebKey","controller":"` + id + `","publicKeyJwk":{"kty":"OKP"}}],"assertionMethod":["` + id + `#k"]}`
}

// host is an http server on 127.0.0.1 and its did:web.
func host(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, id string)) (id string, srv *httptest.Server) {
	t.Helper()
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, id) }))
	t.Cleanup(srv.Close)
	id = "did:web:" + strings.ReplaceAll(strings.TrimPrefix(srv.URL, "http://"), ":", "%3A")
	return id, srv
}

func TestDocument(t *testing.T) {
	var calls atomic.Int32
	id, _ := host(t, func(w http.ResponseWriter, r *http.Request, id string) {
		calls.Add(1)
		if r.Method != http.MethodGet || r.URL.Path != "/.well-known/did.json" || r.URL.RawQuery != "" || len(r.Cookies()) != 0 || r.Header.Get("Authorization") != "" {
			t.Errorf("unexpected request %s %s", r.Method, r.URL)
		}
		fmt.Fprint(w, document(id))
	})
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	f := New(Config{Loopback: true, Keep: time.Minute, Now: func() time.Time { return now }})
	for range 3 {
		d, err := f.Document(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		if d.ID != id || d.Method(id+"#k") == nil {
			t.Fatal("not the document")
		}
	}
	if calls.Load() != 1 {
		t.Errorf("%d calls within the time that a document is kept", calls.Load())
	}
	now = now.Add(time.Minute)
	if _, err := f.Document(context.Background(), id); err != nil || calls.Load() != 2 {
		t.Errorf("after that time: %d calls, %v", calls.Load(), err)
	}
	never := New(Config{Loopback: true, Keep: -1})
	for range 2 {
		if _, err := never.Document(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
	if calls.Load() != 4 {
		t.Errorf("kept although told not to: %d calls", calls.Load())
	}
}

func TestAnswersRefused(t *testing.T) {
	other, _ := host(t, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(500) })
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, id string)
		want   error
	}{
		"another id": {func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, document("did:web:example.com")) }, did.ErrMismatch},
		"another controller": {func(w http.ResponseWriter, _ *http.Request, id string) {
			fmt.Fprint(w, strings.Replace(document(id), `"controller":"`+id, `"controller":"`+other, 1))
		}, did.ErrMismatch},
		"not JSON":                 {func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, "<html>") }, did.ErrDocument},
		"empty":                    {func(http.ResponseWriter, *http.Request, string) {}, did.ErrDocument},
		"not found":                {func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(404) }, ErrNotFound},
		"gone":                     {func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(410) }, ErrNotFound},
		"gone, and so deactivated": {func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(410) }, did.ErrDeactivated},
		"deactivated": {func(w http.ResponseWriter, _ *http.Request, id string) {
			fmt.Fprint(w, strings.Replace(document(id), `{`, `{"deactivated":true,`, 1))
		}, did.ErrDeactivated},
		"two identifiers": {func(w http.ResponseWriter, _ *http.Request, id string) {
			fmt.Fprint(w, strings.Replace(document(id), `{`, `{"id":"did:web:example.com",`, 1))
		}, did.ErrDocument},
		"an identifier of another case": {func(w http.ResponseWriter, _ *http.Request, id string) {
			fmt.Fprint(w, strings.Replace(document(id), `"id"`, `"ID"`, 1))
		}, did.ErrDocument},
		"broken": {func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(500) }, ErrUnavailable},
		"created": {func(w http.ResponseWriter, _ *http.Request, id string) {
			w.WriteHeader(201)
			fmt.Fprint(w, document(id))
		}, ErrUnavailable},
		"large": {func(w http.ResponseWriter, _ *http.Request, _ string) { w.Write(make([]byte, maxDocument+1)) }, ErrTooLarge},
		"large header": {func(w http.ResponseWriter, _ *http.Request, id string) {
			w.Header().Set("X", strings.Repeat("x", 32<<10))
			fmt.Fprint(w, document(id))
		}, ErrUnavailable},
		"endless": {func(w http.ResponseWriter, r *http.Request, _ string) {
			for i := 0; i < 1000 && r.Context().Err() == nil; i++ {
				w.Write(make([]byte, 4096))
				w.(http.Flusher).Flush()
			}
		}, ErrTooLarge},
		"compressed": {func(w http.ResponseWriter, r *http.Request, _ string) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Error("compression was asked for")
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
		}, did.ErrInvalid},
		"redirect to another host": {func(w http.ResponseWriter, r *http.Request, _ string) {
			u, _ := did.WebURL(other)
			http.Redirect(w, r, u, http.StatusFound)
		}, ErrRefused},
		"redirect to the metadata service": {func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		}, ErrRefused},
		"redirect to another name of the host": {func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, strings.Replace("http://"+r.Host+"/x", "127.0.0.1", "localhost", 1), http.StatusFound)
		}, ErrRefused},
		"redirect to a file": {func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, ErrRefused},
		"redirects without an end": {func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			id, srv := host(t, c.answer)
			d, err := New(Config{Loopback: true}).Document(context.Background(), id)
			if !errors.Is(err, c.want) || d != nil {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), srv.Listener.Addr().String()) {
				t.Error("the error repeats the address")
			}
		})
	}
}

// Any public document is fetched within the same bounds, each time anew.
func TestGet(t *testing.T) {
	var calls atomic.Int32
	_, srv := host(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		calls.Add(1)
		if r.Method != http.MethodGet || r.URL.Path != "/status/revocation/1" || len(r.Cookies()) != 0 || r.Header.Get("Authorization") != "" {
			t.Errorf("unexpected request %s %s", r.Method, r.URL)
		}
		fmt.Fprint(w, "0123456789")
	})
	f := New(Config{Loopback: true})
	for range 2 {
		if b, err := f.Get(context.Background(), srv.URL+"/status/revocation/1", 10); err != nil || string(b) != "0123456789" {
			t.Errorf("%q %v", b, err)
		}
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
	for name, c := range map[string]struct {
		f       *Fetcher
		address string
		limit   int64
		want    error
	}{
		"too large":         {f, srv.URL + "/status/revocation/1", 9, ErrTooLarge},
		"loopback":          {New(Config{}), srv.URL + "/status/revocation/1", 10, ErrRefused},
		"https on loopback": {f, strings.Replace(srv.URL, "http:", "https:", 1), 10, ErrRefused},
		"a private address": {f, "https://10.0.0.1/status/revocation/1", 10, ErrRefused},
		"a file":            {f, "file:///etc/passwd", 10, did.ErrInvalid},
		"another scheme":    {f, "gopher://127.0.0.1/x", 10, ErrRefused},
		"with a password":   {f, strings.Replace(srv.URL, "http://", "http://a:b@", 1), 10, did.ErrInvalid},
		"no address":        {f, "", 10, did.ErrInvalid},
	} {
		if b, err := c.f.Get(context.Background(), c.address, c.limit); !errors.Is(err, c.want) || b != nil {
			t.Errorf("%s: %q %v, want %v", name, b, err, c.want)
		}
	}
}

func TestRedirectOnTheHost(t *testing.T) {
	id, _ := host(t, func(w http.ResponseWriter, r *http.Request, id string) {
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusMovedPermanently)
			return
		}
		fmt.Fprint(w, document(id))
	})
	if _, err := New(Config{Loopback: true}).Document(context.Background(), id); err != nil {
		t.Fatal(err)
	}
}

func TestSlowHost(t *testing.T) {
	stop := make(chan struct{})
	id, _ := host(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Write([]byte("{"))
		w.(http.Flusher).Flush()
		<-stop
	})
	t.Cleanup(func() { close(stop) }) // before the server closes
	start := time.Now()
	_, err := New(Config{Loopback: true, Timeout: 100 * time.Millisecond}).Document(context.Background(), id)
	if !errors.Is(err, ErrUnavailable) || time.Since(start) > 5*time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
}

func TestAddressesRefused(t *testing.T) {
	id, _ := host(t, func(http.ResponseWriter, *http.Request, string) { t.Error("called") })
	_, port, _ := strings.Cut(strings.TrimPrefix(id, "did:web:"), "%3A")
	for _, c := range []struct {
		id       string
		loopback bool
		want     error
	}{
		{id, false, ErrRefused}, // plain http needs the word
		{"did:web:localhost%3A" + port, false, ErrRefused},
		{"did:web:127.0.0.2%3A" + port, true, ErrRefused}, // https, and loopback is not public
		{"did:web:%5B%3A%3A1%5D%3A" + port, true, ErrRefused},
		{"did:web:%5B%3A%3Affff%3A127.0.0.1%5D%3A" + port, true, ErrRefused},
		{"did:web:0.0.0.0%3A" + port, true, ErrRefused},
		{"did:web:10.0.0.1", true, ErrRefused},
		{"did:web:192.168.1.1", true, ErrRefused},
		{"did:web:172.16.0.1", true, ErrRefused},
		{"did:web:169.254.169.254", true, ErrRefused},
		{"did:web:100.64.0.1", true, ErrRefused},
		{"did:web:%5Bfd00%3A%3A1%5D", true, ErrRefused},
		{"did:web:%5B64%3Aff9b%3A%3A7f00%3A1%5D", true, ErrRefused},
		{"did:web:%3A" + port, true, did.ErrInvalid}, // no host means localhost to a dialer
		{"did:web:", true, did.ErrUnsupported},
		{"did:key:z6Mk", true, did.ErrUnsupported},
		{"did:web:a%2Fb", true, did.ErrInvalid},
		{"did:web:user%40example.com", true, did.ErrInvalid},
		{"did:web:example.com%00", true, did.ErrInvalid},
		{"did:web:example.com#key", true, did.ErrInvalid},
		{"did:web:example.com:..:x", true, did.ErrInvalid},
	} {
		d, err := New(Config{Loopback: c.loopback, Timeout: time.Second}).Document(context.Background(), c.id)
		if !errors.Is(err, c.want) || d != nil {
			t.Errorf("%s: %v", c.id, err)
		}
	}
}

// An https host on an address that is not public is called only if its range
// is configured and its certificate is good.
func TestPrivateRange(t *testing.T) {
	ip := inside(t)
	l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), "0"))
	if err != nil {
		t.Skipf("nothing can listen there: %v", err)
	}
	id := "did:web:" + url.QueryEscape(l.Addr().String())
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/did.json" && r.URL.RawQuery == "" {
			fmt.Fprint(w, document(id))
		}
	}))
	srv.Listener.Close()
	srv.Listener = l
	cert, roots := certificate(t, ip.AsSlice())
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	t.Cleanup(srv.Close)

	here := []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}
	if _, err := New(Config{Private: here, Roots: roots}).Document(context.Background(), id); err != nil {
		t.Errorf("a configured range was refused: %v", err)
	}
	if _, err := New(Config{Private: here}).Document(context.Background(), id); !errors.Is(err, ErrUnavailable) {
		t.Errorf("an unknown certificate: %v", err)
	}
	if _, err := New(Config{Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: roots, Loopback: true}).Document(context.Background(), id); !errors.Is(err, ErrRefused) {
		t.Errorf("another range: %v", err)
	}
}

// inside gives an address of this machine that others in its network may know and
// that is not public.
func inside(t *testing.T) netip.Addr {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Skip(err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() && !outbound.Public(p.Addr()) {
			return p.Addr().Unmap()
		}
	}
	t.Skip("this machine has no such address")
	return netip.Addr{}
}

func certificate(t *testing.T, ip net.IP) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestKeptIsBounded(t *testing.T) {
	now := time.Now()
	f := New(Config{})
	for i := range 3 * maxKept {
		f.keep(fmt.Sprint(i), kept{&did.Document{}, 1, now.Add(time.Minute)}, now)
	}
	if len(f.kept) > maxKept {
		t.Fatalf("%d documents kept", len(f.kept))
	}
	if f.recall(fmt.Sprint(3*maxKept-1), now) == nil {
		t.Error("the last document was not kept")
	}
	for i := range 3 * maxKeptBytes / maxDocument {
		f.keep(fmt.Sprint(i%100), kept{&did.Document{}, maxDocument, now.Add(time.Minute)}, now)
		if f.held > maxKeptBytes {
			t.Fatalf("%d bytes kept", f.held)
		}
	}
	sum := 0
	for _, k := range f.kept {
		sum += k.size
	}
	if sum != f.held {
		t.Fatalf("%d bytes counted, %d kept", f.held, sum)
	}
	// What is out of date goes first.
	f = New(Config{})
	f.keep("fresh", kept{&did.Document{}, 1, now.Add(time.Hour)}, now)
	for i := range maxKept - 1 {
		f.keep(fmt.Sprint(i), kept{&did.Document{}, 1, now.Add(time.Minute)}, now)
	}
	later := now.Add(2 * time.Minute)
	f.keep("new", kept{&did.Document{}, 1, later.Add(time.Hour)}, later)
	if f.recall("fresh", later) == nil || f.recall("new", later) == nil || len(f.kept) != 2 || f.held != 2 {
		t.Errorf("%d documents of %d bytes kept", len(f.kept), f.held)
	}
}
