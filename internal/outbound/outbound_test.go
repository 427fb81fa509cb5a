package outbound

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

var words = Faults{
	Refused: fault.New(fault.Invalid, "refused", ""),
	Away:    fault.New(fault.Unavailable, "away", ""),
	Missing: fault.New(fault.NotFound, "missing", ""),
	Gone:    fault.New(fault.NotFound, "gone", ""),
	Large:   fault.New(fault.TooLarge, "large", ""),
}

func client(edit func(*Policy)) *Client {
	p := Policy{Faults: words, Loopback: true, Redirects: 3, Timeout: time.Minute}
	if edit != nil {
		edit(&p)
	}
	return New(p)
}

// get asks for at most ten bytes.
func get(t *testing.T, c *Client, address string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := c.Get(req, 10)
	return string(data), err
}

func host(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func TestMay(t *testing.T) {
	strict, local := client(func(p *Policy) { p.Loopback = false }), client(nil)
	within := client(func(p *Policy) {
		p.Loopback = false
		p.Private = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	})
	for address, want := range map[string][3]bool{ // strict, local, within
		"93.184.216.34": {true, true, true}, "2606:2800:220:1:248:1893:25c8:1946": {true, true, true}, "::ffff:93.184.216.34": {true, true, true},
		"127.0.0.1": {false, true, false}, "::1": {false, true, false}, "::ffff:127.0.0.1": {false, true, false}, "::ffff:127.9.9.9%x": {false, true, false},
		"10.1.2.3": {false, false, true}, "::ffff:10.1.2.3": {false, false, true}, "fd00::1": {false, false, true},
		"fec0::1%eth0": {false, false, true}, "2001:db8::1%eth0": {false, false, true},
		"169.254.169.254": {}, "::ffff:169.254.169.254": {}, "fe80::1%eth0": {}, "224.0.0.1": {}, "ff02::1": {},
	} {
		for i, c := range []*Client{strict, local, within} {
			if got := c.May(netip.MustParseAddr(address)); got != want[i] {
				t.Errorf("%s with policy %d: %v", address, i, got)
			}
		}
	}
}

func TestPublic(t *testing.T) {
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"} {
		if !Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	for _, a := range []string{"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "10.1.1.1", "172.31.255.255", "192.168.0.1", "169.254.1.1", "100.127.255.255", "198.19.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "fe80::1", "fc00::1", "fdff::1", "ff02::1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:1::", "2001:db8::1", "fec0::1", "fec0::1%eth0", "::ffff:10.0.0.1"} {
		if Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is not public", a)
		}
	}
}

// What is no https address, or no http address of this machine, is not asked.
func TestAddresses(t *testing.T) {
	srv := host(t, func(http.ResponseWriter, *http.Request) { t.Error("called") })
	port := srv.Listener.Addr().String()[len("127.0.0.1"):]
	strict := client(func(p *Policy) { p.Loopback = false })
	for _, a := range []string{srv.URL, "http://localhost" + port, "https://127.0.0.1" + port, "https://localhost" + port, "https://[::ffff:127.0.0.1]" + port, "https://0.0.0.0" + port, "https://10.0.0.1/", "https://169.254.169.254/"} {
		if _, err := get(t, strict, a); !errors.Is(err, words.Refused) {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{"http://registry.example/", "http://10.0.0.1/", "http://u:p@127.0.0.1" + port, "https://u@registry.example/", "ftp://127.0.0.1" + port, "file:///etc/passwd", "http:/x", "https:///x", "http://localhost.example" + port} {
		if _, err := get(t, client(nil), a); !errors.Is(err, words.Refused) {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// names is a name server on this machine that says for every name what it is told
// to, and forgets it at once.
type names struct {
	mu     sync.Mutex
	answer []netip.Addr
}

func (n *names) say(a ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = nil
	for _, x := range a {
		n.answer = append(n.answer, netip.MustParseAddr(x))
	}
}

func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			k, from, err := l.ReadFrom(b)
			if err != nil {
				return
			}
			l.WriteTo(n.reply(b[:k]), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", l.LocalAddr().String())
	}}
}

// reply answers a question as RFC 1035 section 4 describes: its header, the question
// itself, and an A or AAAA record for each address of that kind.
func (n *names) reply(q []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	end := 12 + bytes.IndexByte(q[12:], 0) + 1
	kind := binary.BigEndian.Uint16(q[end:])
	out := append([]byte{}, q[:end+4]...)
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	for _, a := range n.answer {
		if (kind == 1) != a.Is4() || kind != 1 && kind != 28 {
			continue
		}
		out[7]++
		out = append(out, 0xc0, 12)
		out = binary.BigEndian.AppendUint16(out, kind)
		out = append(out, 0, 1, 0, 0, 0, 0)
		out = binary.BigEndian.AppendUint16(out, uint16(a.BitLen()/8))
		out = append(out, a.AsSlice()...)
	}
	return out
}

// A name that resolves to a public address at first and to the inside afterwards, or
// to both at once, leads nowhere inside.
func TestNameThatTurns(t *testing.T) {
	var called atomic.Bool
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	defer srv.Close()
	// In the place of a public host, which a test does not call.
	errThere := errors.New("a public address")
	n := &names{}
	c := client(func(p *Policy) { p.Loopback, p.Once = false, true })
	c.tls.Resolver = n.resolver(t)
	guard := c.tls.Control
	c.tls.Control = func(network, address string, raw syscall.RawConn) error {
		if err := guard(network, address, raw); err != nil {
			return err
		}
		return errThere
	}
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	address := "https://registry.example:" + port
	n.say("93.184.216.34")
	if _, err := get(t, c, address); !errors.Is(err, words.Away) || !errors.Is(err, errThere) {
		t.Fatalf("a public address: %v", errors.Unwrap(err))
	}
	for name, turned := range map[string][]string{
		"loopback": {"127.0.0.1"}, "loopback of IPv6": {"::1"}, "private": {"10.0.0.7"}, "metadata": {"169.254.169.254"},
		"an IPv4 address in IPv6": {"::ffff:127.0.0.1"}, "a private IPv4 address in IPv6": {"::ffff:10.0.0.7"}, "NAT64": {"64:ff9b::7f00:1"},
	} {
		n.say(turned...)
		if _, err := get(t, c, address); !errors.Is(err, words.Refused) || errors.Is(err, errThere) {
			t.Errorf("%s: %v", name, errors.Unwrap(err))
		}
	}
	n.say("93.184.216.34", "127.0.0.1")
	if _, err := get(t, c, address); err == nil {
		t.Error("both")
	}
	if called.Load() {
		t.Error("the inside was called")
	}
}

// A name of this machine that leads elsewhere gets no http.
func TestNoPlainTextLeavesTheMachine(t *testing.T) {
	n := &names{}
	c := client(nil)
	c.plain.Resolver = n.resolver(t)
	n.say("93.184.216.34")
	if _, err := get(t, c, "http://registry.localhost/"); !errors.Is(err, words.Refused) {
		t.Errorf("%v", errors.Unwrap(err))
	}
}

func TestRedirects(t *testing.T) {
	var seen http.Header
	other := host(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect to another host was followed") })
	srv := host(t, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{"/other": other.URL, "/inside": "https://10.0.0.7/", "/metadata": "http://169.254.169.254/", "/loop": "/loop", "/file": "file:///etc/passwd",
			"/name": strings.Replace("http://"+r.Host, "127.0.0.1", "localhost", 1), "/scheme": "https://" + r.Host, "/user": "http://u@" + r.Host, "/1": "/2?x=1", "/2": "/3", "/3": "/there", "/0": "/1"}[r.URL.Path]
		if to != "" {
			http.SetCookie(w, &http.Cookie{Name: "c", Value: "1", Path: "/"})
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		seen = r.Header
		w.Write([]byte("there"))
	})
	c := client(nil)
	for _, p := range []string{"/other", "/inside", "/metadata", "/loop", "/file", "/name", "/scheme", "/user", "/0"} {
		_, err := get(t, c, srv.URL+p)
		if !errors.Is(err, words.Refused) {
			t.Errorf("%s: %v", p, errors.Unwrap(err))
		}
		if e := errors.Unwrap(err); e != nil && strings.Contains(e.Error(), "://") {
			t.Errorf("%s: the cause has an address: %v", p, e)
		}
	}
	if b, err := get(t, c, srv.URL+"/1"); err != nil || b != "there" {
		t.Errorf("three redirects: %q %v", b, err)
	}
	for _, h := range []string{"Referer", "Cookie", "Accept-Encoding", "Authorization"} {
		if seen.Get(h) != "" {
			t.Errorf("%s goes along", h)
		}
	}
	req, err := http.NewRequest(http.MethodGet, srv.URL+"/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client(func(p *Policy) { p.Redirects = 0 }).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusFound {
		t.Errorf("a redirect was followed: %d", res.StatusCode)
	}
}

func TestBounds(t *testing.T) {
	stop := make(chan struct{})
	srv := host(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ten":
			w.Write(make([]byte, 10))
		case "/declared":
			w.Header().Set("Content-Length", "1000000000")
			w.Write(make([]byte, 10))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/endless":
			for r.Context().Err() == nil {
				w.Write(make([]byte, 4096))
				w.(http.Flusher).Flush()
			}
		case "/short":
			w.Header().Set("Content-Length", "9")
			w.Write([]byte("x"))
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 32<<10))
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/created":
			w.WriteHeader(http.StatusCreated)
		case "/dripping":
			for {
				w.Write([]byte("x"))
				w.(http.Flusher).Flush()
				select {
				case <-stop:
					return
				case <-time.After(90 * time.Millisecond):
				}
			}
		case "/late":
			select {
			case <-stop:
			case <-r.Context().Done():
			case <-time.After(3 * time.Second):
			}
			w.Write(make([]byte, 10))
		}
	})
	t.Cleanup(func() { close(stop) }) // before the server closes
	hasty := client(func(p *Policy) { p.Timeout = 250 * time.Millisecond })
	mute := client(func(p *Policy) { p.Answer = 100 * time.Millisecond })
	for path, x := range map[string]struct {
		c    *Client
		want error
	}{
		"/ten": {client(nil), nil}, "/declared": {client(nil), words.Large}, "/endless": {client(nil), words.Large}, "/short": {client(nil), words.Away},
		"/header": {client(nil), words.Away}, "/gone": {client(nil), words.Gone}, "/missing": {client(nil), words.Missing}, "/created": {client(nil), words.Away},
		"/dripping": {hasty, words.Away}, "/late": {mute, words.Away},
	} {
		b, err := get(t, x.c, srv.URL+path)
		if !errors.Is(err, x.want) || x.want == nil && err != nil || (err == nil) != (len(b) == 10) {
			t.Errorf("%s: %d bytes, %v", path, len(b), err)
		}
		if err != nil && strings.Contains(err.Error(), srv.Listener.Addr().String()) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := get(t, client(func(p *Policy) { p.Faults.Gone = nil }), srv.URL+"/gone"); !errors.Is(err, words.Missing) {
		t.Errorf("gone without a word for it: %v", err)
	}
}

// The environment's proxy would be the one that is called.
func TestNoProxy(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	// net/http never takes a proxy for loopback: what counts is that there is none
	// to ask.
	for _, tr := range transports(client(nil)) {
		if tr.Proxy != nil {
			t.Error("there is a proxy")
		}
	}
}

// No more connections than PerHost are open to a host at a time.
func TestPerHost(t *testing.T) {
	var now, most atomic.Int32
	srv := host(t, func(w http.ResponseWriter, _ *http.Request) {
		if k := now.Add(1); k > most.Load() {
			most.Store(k)
		}
		time.Sleep(20 * time.Millisecond) // others would come meanwhile
		now.Add(-1)
		w.Write([]byte("x"))
	})
	c := client(func(p *Policy) { p.PerHost = 2 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := get(t, c, srv.URL); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d at a time", most.Load())
	}
}

func transports(c *Client) []*http.Transport {
	b := c.http.Transport.(byScheme)
	return []*http.Transport{b.https, b.http}
}

// TestIdle: an answer may take long as long as it is never silent for long, its header
// and each part being a sign of life.
func TestIdle(t *testing.T) {
	const idle = 400 * time.Millisecond
	var silent atomic.Bool
	srv := host(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(idle * 5 / 8)
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		for range 2 {
			time.Sleep(idle * 5 / 8)
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
		}
		if silent.Load() {
			<-r.Context().Done()
		}
	})
	c := client(func(p *Policy) { p.Timeout, p.Idle = 0, idle })
	if body, err := get(t, c, srv.URL); err != nil || body != "xx" {
		t.Errorf("%q, %v", body, err)
	}
	silent.Store(true)
	if _, err := get(t, c, srv.URL); err == nil {
		t.Error("silent for ever")
	}
}

func TestLocal(t *testing.T) {
	for h, want := range map[string]bool{"localhost": true, "a.localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"localhost.example": false, "xlocalhost": false, "10.0.0.1": false, "": false, "example": false} {
		if got := Local(h); got != want {
			t.Errorf("%s: %v", h, got)
		}
	}
	if u, err := url.Parse("http://[::1]:1/"); err != nil || !Local(u.Hostname()) {
		t.Error("brackets")
	}
}
