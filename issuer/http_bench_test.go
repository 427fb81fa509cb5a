package issuer_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

// connections is how many clients ask at the same time, each over a connection of
// its own that it keeps.
const connections = 128

// BenchmarkIssueHTTP registers births over HTTP on this machine, by the server
// that kinpass serve has, with its checks of tokens and requests, while the
// issuer does in the background what it always does: the ledger grows. Each
// request is answered when its birth, its place in a status list and its
// commitment are durable and the credential is signed. The clients are part of
// the process and of its processor time. "floor" is a server without any of
// this: it answers when one short row is durable, which it shares a commit for.
//
// PostgreSQL has to be one whose commits are durable: make bench starts it.
func BenchmarkIssueHTTP(b *testing.B) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		b.Run(engine, func(b *testing.B) {
			if engine == store.Postgres && os.Getenv("KINPASS_TEST_POSTGRES") == "" {
				b.Skip("no PostgreSQL")
			}
			b.Run("floor", func(b *testing.B) { benchFloor(b, storetest.Open(b, engine, "issuer")) })
			b.Run("issue", func(b *testing.B) {
				benchOffice(b, storetest.Open(b, engine, "issuer"), "/credentials/issue",
					func() string { return issueBody("BirthCredential", birthOf(ref())) })
			})
			b.Run("births", func(b *testing.B) {
				benchOffice(b, storetest.Open(b, engine, "issuer"), "/births", func() string { return birthOf(ref()) })
			})
		})
	}
}

// benchOffice asks an office for the same thing over and over.
func benchOffice(b *testing.B, db *store.DB, path string, body func() string) {
	o := openOffice(b, db)
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { o.iss.Run(ctx) })
	running.Go(func() { o.srv.Serve(ctx, l) })
	defer running.Wait()
	defer cancel()
	requests := func(n int) [][]byte {
		var out [][]byte
		for range n {
			out = append(out, post(l, path, o.tokens["rita"], body()))
		}
		return out
	}
	ask(b, l, requests(2*connections)) // connections, leases and caches
	measure(b, l, requests(b.N))
	var issued, logged, sealed int
	for query, into := range map[string]*int{
		`SELECT COUNT(*) FROM births WHERE state = 'issued'`:      &issued,
		`SELECT COUNT(*) FROM commitments WHERE kind = 'issued'`:  &logged,
		`SELECT COUNT(*) FROM credentials WHERE state = 'sealed'`: &sealed,
	} {
		if err := db.QueryRow(query).Scan(into); err != nil {
			b.Fatal(err)
		}
	}
	if n := b.N + 2*connections; issued != n || logged != n || sealed != n {
		b.Fatalf("%d births, %d commitments and %d credentials of %d", issued, logged, sealed, n)
	}
}

// benchFloor asks a server that stores one short row for each request.
func benchFloor(b *testing.B, db *store.DB) {
	if _, err := db.Exec(`CREATE TABLE floor (hash ` + map[string]string{store.SQLite: "BLOB", store.Postgres: "BYTEA"}[db.Engine] + `)`); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	type row struct {
		hash [32]byte
		done chan error
	}
	rows := make(chan row, connections)
	go func() {
		for first := range rows {
			group := []row{first}
			for len(rows) > 0 {
				group = append(group, <-rows)
			}
			err := db.Write(context.Background(), func(tx *sql.Tx) error {
				var marks []string
				var args []any
				for n, r := range group {
					marks = append(marks, "($"+strconv.Itoa(n+1)+")")
					args = append(args, r.hash[:])
				}
				_, err := tx.Exec(`INSERT INTO floor (hash) VALUES `+strings.Join(marks, ","), args...)
				return err
			})
			for _, r := range group {
				r.done <- err
			}
		}
	}()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			x := row{sha256.Sum256(body), make(chan error, 1)}
			rows <- x
			err = <-x.done
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
		w.Write([]byte(`{}`))
	})}
	go srv.Serve(l)
	defer srv.Close()
	var requests [][]byte
	for range b.N {
		requests = append(requests, post(l, "/", "none", ref()))
	}
	ask(b, l, requests[:min(len(requests), 2*connections)])
	measure(b, l, requests)
}

// post writes a request as its client sends it.
func post(l net.Listener, path, token, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, l.Addr(), token, len(body), body)
}

// measure sends the requests and reports how many were answered in a second, how
// long half of them and all but one in a hundred waited, and how much processor
// time one took, its client's included.
func measure(b *testing.B, l net.Listener, requests [][]byte) {
	before := processorTime(b)
	b.ResetTimer()
	took := ask(b, l, requests)
	b.StopTimer()
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(len(took)), "cpu-µs/op")
	b.ReportMetric(at(.5), "p50-ms")
	b.ReportMetric(at(.99), "p99-ms")
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ask sends each request once over one of the connections, waits for its answer,
// which has to be 201, and gives how long each took.
func ask(b *testing.B, l net.Listener, requests [][]byte) []time.Duration {
	took := make([]time.Duration, len(requests))
	var next atomic.Int64
	var clients sync.WaitGroup
	for range connections {
		clients.Go(func() {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			for {
				n := int(next.Add(1)) - 1
				if n >= len(requests) {
					return
				}
				start := time.Now()
				if _, err := c.Write(requests[n]); err != nil {
					b.Error(err)
					return
				}
				if err := created(in); err != nil {
					b.Error(err)
					return
				}
				took[n] = time.Since(start)
			}
		})
	}
	clients.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return took
}

// created reads one answer, as little of it as a client can.
func created(in *bufio.Reader) error {
	size := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 201")) {
			return fmt.Errorf("answered %s", line)
		}
		if len(line) == 0 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(v)); err != nil {
				return err
			}
		}
	}
	if size < 0 {
		return fmt.Errorf("an answer of unknown length")
	}
	_, err := in.Discard(size)
	return err
}
