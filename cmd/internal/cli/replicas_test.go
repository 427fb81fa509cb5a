package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

const (
	// besiegers is how many clerks work at once.
	besiegers = 64
	// siegePublish is how often the shelf is published.
	siegePublish = time.Second
	// siegeSkew is how far the clocks of two processes may differ.
	siegeSkew = 800 * time.Millisecond
)

// TestReplicasKilled: issuer processes on one database register, issue, suspend,
// revoke and erase for 64 clerks over HTTP, while each process is killed
// (SIGKILL) at random moments, its start among them, and started again with a clock
// that is a little off. All the time others read the ledger and the lists from every
// process and keep what they saw. Then everything is held against what the clerks
// were told (see judge).
//
// KINPASS_SEED=N repeats what is drawn by lot, though not the order in which the
// machine runs it.
func TestReplicasKilled(t *testing.T) {
	for _, x := range []struct {
		engine   string
		replicas int
		broken   bool // the database breaks connections, too
	}{{store.Postgres, 2, false}, {store.SQLite, 1, false}, {store.Postgres, 2, true}} {
		name := x.engine
		if x.broken {
			name += " breaks connections"
		}
		t.Run(name, func(t *testing.T) {
			if x.broken && os.Getenv("KINPASS_LONG") != "1" {
				t.Skip("with KINPASS_LONG=1")
			}
			t.Parallel()
			atLeast, atMost := 6*time.Second, 9*time.Second
			if os.Getenv("KINPASS_LONG") == "1" {
				atLeast, atMost = 2*time.Minute, 2*time.Minute
			}
			s := besiege(t, x.engine, x.replicas)
			s.broken = x.broken
			s.last(atLeast, atMost)
			s.judge()
		})
	}
}

// siege is a register under attack by kill -9, and what everybody saw of it.
type siege struct {
	*testing.T
	seed     uint64
	broken   bool
	home     *home
	db       *store.DB
	dbFile   string
	public   string
	replicas []*replica
	tokens   []string
	http     *http.Client
	over     chan struct{} // closed when nobody is killed any more
	shelf    *lookout

	kills, births, erased, lost, cut, given atomic.Int64

	mu       sync.Mutex
	records  []*record
	consents []*consent
	handed   []string // credentials as their holders got them
	trouble  map[string]int
}

func besiege(t *testing.T, engine string, replicas int) *siege {
	t.Helper()
	s := &siege{T: t, seed: rand.Uint64(), home: &home{dir: t.TempDir()}, over: make(chan struct{}), trouble: map[string]int{}}
	if text := os.Getenv("KINPASS_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.seed = n
	}
	t.Logf("KINPASS_SEED=%d", s.seed)
	url := storetest.URL(t, engine, issuerRole)
	own := url
	if engine == store.Postgres {
		own += "&application_name=judge"
	}
	s.db = storetest.Reopen(t, own, issuerRole)
	s.dbFile = filepath.Join(s.home.dir, "database-url")
	s.must(os.WriteFile(s.dbFile, []byte(url+"\n"), 0o600))
	_, err := s.home.initTrust()
	s.must(err)
	_, err = s.home.ensureRing(issuerRole, keys.EdDSA)
	s.must(err)
	for n := range besiegers {
		secret, _, err := s.db.AddToken(t.Context(), "clerk "+strconv.Itoa(n), "registrar", time.Time{})
		s.must(err)
		s.tokens = append(s.tokens, secret)
	}
	s.http = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: besiegers + 8, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext}}
	t.Cleanup(s.http.CloseIdleConnections)
	for n := range replicas {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		s.must(err)
		address := l.Addr().String()
		l.Close()
		log, err := os.OpenFile(filepath.Join(s.home.dir, fmt.Sprintf("replica-%d.log", n)), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
		s.must(err)
		s.replicas = append(s.replicas, &replica{siege: s, address: address, log: log, lot: s.lot(uint64(1000 + n))})
		t.Cleanup(func() { log.Close() })
	}
	s.public = "http://localhost:" + s.replicas[0].address[strings.LastIndex(s.replicas[0].address, ":")+1:]
	return s
}

func (s *siege) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// lot gives a source of random numbers for one who takes part.
func (s *siege) lot(who uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, who)) }

// last lets the siege last so long, longer on a busy machine that has not come far,
// and until everybody has finished what they began.
func (s *siege) last(atLeast, atMost time.Duration) {
	s.Helper()
	for _, r := range s.replicas {
		r.start(0)
		s.Cleanup(r.kill)
	}
	for _, r := range s.replicas {
		if !r.ready(time.Minute) {
			s.Fatal("a replica does not start")
		}
	}
	s.shelf = look(s)
	stop := make(chan struct{})
	var killers, clerks, lookouts sync.WaitGroup
	for _, r := range s.replicas {
		killers.Go(r.besieged)
	}
	for n := range besiegers {
		c := &clerk{siege: s, lot: s.lot(uint64(n)), token: s.tokens[n], colleague: s.tokens[(n+1)%besiegers]}
		clerks.Go(c.work)
	}
	for n := range 2 {
		lookouts.Go(func() { s.shelf.followLedger(s.lot(uint64(2000+n)), stop) })
		lookouts.Go(func() { s.shelf.followLists(s.lot(uint64(3000+n)), stop) })
	}
	clerks.Go(s.editTrust)
	if s.broken {
		clerks.Go(s.breakConnections)
	}
	begin := time.Now()
	for d := time.Since(begin); d < atLeast || d < atMost && !s.enough(); d = time.Since(begin) {
		time.Sleep(20 * time.Millisecond)
	}
	close(s.over)
	killers.Wait()
	clerks.Wait()
	s.settled()
	close(stop)
	lookouts.Wait()
	s.shelf.lookOnce()
	s.Logf("%d kills, %d births, %d consents, %d requests cut off, %d connections refused, %d things given up, %d checkpoints, %d publications of lists",
		s.kills.Load(), s.births.Load(), len(s.consents), s.cut.Load(), s.lost.Load()-s.cut.Load(), s.given.Load(), len(s.shelf.roots), len(s.shelf.lists))
	for what, n := range s.trouble {
		s.Logf("%d× %s", n, what)
	}
}

// enough reports whether so much happened that it shows something.
func (s *siege) enough() bool {
	return s.kills.Load() >= 6 && s.births.Load() >= 150 && s.erased.Load() >= 3
}

// settled starts every replica anew, a quarter of a minute later by its clock: what
// the killed ones had begun is old enough to be finished then. It waits until it
// is, and published.
func (s *siege) settled() {
	s.Helper()
	if n := s.count(`SELECT COUNT(*) FROM credentials WHERE state = 'reserved' AND created < $1`, store.Micros(time.Now().Add(-20*time.Second))); n > 0 {
		s.Errorf("%d reservations of more than twenty seconds ago are open", n)
	}
	for _, r := range s.replicas {
		r.kill()
		r.start(15 * time.Second)
	}
	for _, r := range s.replicas {
		if !r.ready(time.Minute) {
			s.Fatal("a replica does not start")
		}
	}
	facts := s.whatIsPublic()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		open := s.count(`SELECT COUNT(*) FROM credentials WHERE state = 'reserved'`)
		waiting := s.count(`SELECT COUNT(*) FROM commitments, ledger WHERE kind IN ('issued', 'reserved', 'key', 'trust', 'accreditation') AND commitments.id > ledger.issued
			OR kind NOT IN ('issued', 'reserved', 'key', 'trust', 'accreditation') AND commitments.id > ledger.acts`)
		missing := 0
		for _, f := range facts {
			missing += 1 - s.count(`SELECT COUNT(*) FROM commitments WHERE hash = $1`, f.Commitment[:])
		}
		if open == 0 && waiting == 0 && missing == 0 {
			break
		}
		if time.Now().After(end) {
			s.Errorf("%d reservations are open, %d commitments wait for the ledger, %d facts are not committed to", open, waiting, missing)
			break
		}
	}
}

// did names the issuer.
func (s *siege) did() string {
	return "did:web:" + strings.ReplaceAll(strings.TrimPrefix(s.public, "http://"), ":", "%3A")
}

// whatIsPublic gives the facts that a registry commits to: its keys and the trust
// list on its shelf.
func (s *siege) whatIsPublic() []trust.Fact {
	s.Helper()
	base := "http://" + s.replicas[0].address
	facts, err := trust.Facts(s.did(), fetch(s.T, base+"/.well-known/jwks.json"), strings.TrimSpace(string(fetch(s.T, base+"/trust-list"))), time.Now())
	s.must(err)
	return facts
}

func (s *siege) count(query string, args ...any) (n int) {
	s.Helper()
	s.must(s.db.QueryRowContext(s.Context(), query, args...).Scan(&n))
	return n
}

// editTrust puts new trust lists beside the issuer, which it commits to.
func (s *siege) editTrust() {
	for s.on() {
		if _, err := s.home.editTrust(func(*vc.TrustList) error { return nil }); err != nil {
			s.Error(err)
		}
		s.pause(700 * time.Millisecond)
	}
}

// breakConnections has the database end connections of the replicas, as one does
// that is restarted or taken over: a commit may have happened of which nobody heard.
func (s *siege) breakConnections() {
	for lot := s.lot(4000); s.on(); s.pause(time.Duration(lot.IntN(100)) * time.Millisecond) {
		if _, err := s.db.ExecContext(s.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
			AND state <> 'idle' AND application_name <> 'judge' ORDER BY md5(pid::text || $1) LIMIT 2`, strconv.Itoa(lot.Int())); err != nil {
			s.Error(err)
		}
	}
}

// on reports whether replicas are still killed.
func (s *siege) on() bool {
	select {
	case <-s.over:
		return false
	default:
		return !s.Failed()
	}
}

func (s *siege) pause(d time.Duration) {
	select {
	case <-s.over:
	case <-time.After(d):
	}
}

// note counts what went wrong and need not have.
func (s *siege) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble[what]++
}

// replica is one process of the issuer.
type replica struct {
	*siege
	address string
	log     *os.File
	lot     *rand.Rand
	cmd     *exec.Cmd
	ended   chan struct{}
	killed  atomic.Bool
}

// start starts the process, with a clock so much ahead.
func (r *replica) start(ahead time.Duration) {
	c := exec.Command(os.Args[0], "serve", issuerRole, "--listen", r.address, "--public", r.public, "--publish", siegePublish.String(),
		"--data", r.home.dir, "--db-file", r.dbFile)
	c.Args[0] = "kinpass" // how TestMain knows which program it is
	c.Env = os.Environ()
	if ahead > 0 {
		c.Env = append(c.Env, clockEnv+"="+ahead.String())
	}
	c.Stdout, c.Stderr = r.log, r.log
	if err := c.Start(); err != nil {
		r.Error(err)
		return
	}
	ended := make(chan struct{})
	r.cmd, r.ended = c, ended
	r.killed.Store(false)
	go func() {
		c.Wait()
		if !r.killed.Load() && !r.broken { // without a database none starts
			r.Errorf("a replica ended by itself: %s", r.tail())
		}
		close(ended)
	}()
}

func (r *replica) kill() {
	r.killed.Store(true)
	_ = r.cmd.Process.Signal(syscall.SIGKILL)
	<-r.ended
}

// ready waits until the process answers.
func (r *replica) ready(atMost time.Duration) bool {
	for end := time.Now().Add(atMost); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		res, err := r.http.Get("http://" + r.address + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-r.ended:
			return false
		default:
		}
	}
	return false
}

// besieged kills the process and starts it again until nobody is killed any more.
// One time in six it does not live to answer.
func (r *replica) besieged() {
	for r.on() {
		if r.lot.IntN(6) > 0 {
			r.ready(20 * time.Second)
			r.pause(time.Duration(r.lot.IntN(2400)) * time.Millisecond)
		} else {
			r.pause(time.Duration(r.lot.IntN(400)) * time.Millisecond)
		}
		if !r.on() {
			break
		}
		r.kill()
		r.kills.Add(1)
		r.pause(time.Duration(r.lot.IntN(200)) * time.Millisecond)
		r.start(time.Duration(r.lot.Int64N(int64(siegeSkew))))
	}
	if r.broken {
		r.kill()
		r.start(0)
	}
	if !r.ready(time.Minute) {
		r.Error("a replica does not start")
	}
}

// tail gives the end of what the process said.
func (r *replica) tail() string {
	b, _ := os.ReadFile(r.log.Name())
	lines := bytes.Split(b, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}

// request is what somebody asks of any replica.
type request struct {
	method, path string
	headers      map[string]string
	body         []byte
}

type reply struct {
	status int
	body   []byte
}

// send asks one replica once.
func (s *siege) send(r *replica, q request) (reply, error) {
	req, err := http.NewRequestWithContext(context.Background(), q.method, "http://"+r.address+q.path, bytes.NewReader(q.body))
	if err != nil {
		return reply{}, err
	}
	if len(q.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, v := range q.headers {
		req.Header.Set(name, v)
	}
	res, err := s.http.Do(req)
	if err != nil {
		if !errors.Is(err, syscall.ECONNREFUSED) {
			s.cut.Add(1)
		}
		s.lost.Add(1)
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, body}, err
}

// any gives one of the replicas.
func (s *siege) any(lot *rand.Rand) *replica { return s.replicas[lot.IntN(len(s.replicas))] }

// logs gives the lines of all replicas that hold one of these words.
func (s *siege) logs(words ...string) (out []string) {
	for _, r := range s.replicas {
		b, err := os.ReadFile(r.log.Name())
		s.must(err)
		for _, line := range strings.Split(string(b), "\n") {
			if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
				out = append(out, line)
			}
		}
	}
	return out
}
