package issuer

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// jsonl writes one line per value; a string is a line as it is.
func jsonl(t testing.TB, vs ...any) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	for _, v := range vs {
		if s, ok := v.(string); ok {
			b.WriteString(s)
		} else {
			b.Write(raw(t, v))
		}
		b.WriteByte('\n')
	}
	return &b
}

func (d *desk) load(births, guardianships io.Reader) (Summary, []RefusedLine) {
	d.t.Helper()
	var refused bytes.Buffer
	s, err := d.Import(ctx, ImportConfig{Births: births, Guardianships: guardianships, Refused: &refused, Operator: "Olga", Approver: "Axel"})
	if err != nil {
		d.t.Fatal(explain(err))
	}
	var out []RefusedLine
	dec := json.NewDecoder(&refused)
	for dec.More() {
		var r RefusedLine
		if err := dec.Decode(&r); err != nil {
			d.t.Fatal(err)
		}
		out = append(out, r)
	}
	return s, out
}

func counts(s Summary) string {
	return fmt.Sprintf("accepted %d refused %d held %d notIssued %d seen %d", s.Accepted, s.Refused, s.Held, s.NotIssued, s.Seen)
}

func TestImport(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		ordinary, lateOne, adult := newBirth(), newBirth(late), newBirth(func(b *vc.Birth) {
			b.BirthDate.Value, b.Registration.Date = "2001-03-05", "2001-03-09"
		})
		twin := newBirth(twinOf(ordinary))
		other := newBirth(func(b *vc.Birth) { b.ChildRef = ordinary.ChildRef })
		wrong := newBirth(func(b *vc.Birth) { b.Sex = 5 })
		births := func() *bytes.Buffer {
			return jsonl(t, ordinary, "", lateOne, "  ", adult, twin, ordinary, other, wrong, "{not json", strings.Repeat("x", maxLine+1), "null")
		}
		gs := []any{
			newGuardianship(ordinary), newGuardianship(lateOne),
			newGuardianship(adult),
			newGuardianship(twin), newGuardianship(newBirth()),
		}
		s, refused := d.load(births(), jsonl(t, gs...))
		if got := counts(s); got != "accepted 7 refused 6 held 2 notIssued 1 seen 1" {
			t.Fatal(got)
		}
		var where []string
		for _, r := range refused {
			where = append(where, fmt.Sprintf("%s:%d", r.File, r.Line))
			if len(r.Fields) == 0 || r.Fields[0].Rule == "" {
				t.Errorf("line %d is refused without a rule", r.Line)
			}
		}
		if got := strings.Join(where, " "); got != "births:8 births:9 births:10 births:11 births:12 guardianships:5" {
			t.Error(got)
		}
		if len(refused[0].Registration) == 0 || refused[2].Registration != nil || refused[3].Registration != nil {
			t.Error("the refused lines are not given back")
		}
		if n := one(t, db, `SELECT COUNT(*) FROM approvals`); n != 0 {
			t.Errorf("%d approvals in an approved batch", n)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM births WHERE approver = 'Axel' AND proposer_name = 'Olga' AND batch = $1`, s.Batch); n != 4 {
			t.Errorf("%d births say who answers for them", n)
		}
		credentials := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'sealed'`)
		if credentials != 5 {
			t.Errorf("%d credentials", credentials)
		}
		again, refusedAgain := d.load(births(), jsonl(t, gs...))
		if got := counts(again); got != "accepted 7 refused 6 held 2 notIssued 1 seen 9" || len(refusedAgain) != len(refused) {
			t.Errorf("again: %s", got)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials`); n != credentials {
			t.Errorf("%d credentials after the same import", n)
		}
		// Another spelling of a line is the same line.
		var anyOrder map[string]any
		if err := json.Unmarshal(raw(t, ordinary), &anyOrder); err != nil {
			t.Fatal(err)
		}
		pretty, err := json.Marshal(anyOrder)
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := d.load(jsonl(t, strings.ReplaceAll(string(pretty), `":`, `" : `)), nil); counts(s) != "accepted 1 refused 0 held 0 notIssued 0 seen 1" {
			t.Errorf("another spelling: %s", counts(s))
		}
	})
}

func TestImportRefusesToStart(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	for _, c := range []struct {
		operator, approver string
		want               error
	}{{"", "", ErrImport}, {"Olga", "", ErrImport}, {"", "Axel", ErrImport}, {"Olga", "Olga", ErrSamePerson}, {strings.Repeat("O", 201), "Axel", ErrImport}} {
		_, err := d.Import(ctx, ImportConfig{Births: jsonl(t, newBirth()), Operator: c.operator, Approver: c.approver})
		wantFault(t, err, c.want)
	}
	if s, _ := d.load(nil, nil); counts(s) != "accepted 0 refused 0 held 0 notIssued 0 seen 0" {
		t.Error(counts(s))
	}
	if s, _ := d.load(strings.NewReader("\n\n \n"), strings.NewReader("")); counts(s) != "accepted 0 refused 0 held 0 notIssued 0 seen 0" {
		t.Error(counts(s))
	}
}

// TestImportLines: the last line needs no line end, a byte order mark is
// ignored, and the limit is exact.
func TestImportLines(t *testing.T) {
	t.Parallel()
	b := raw(t, newBirth())
	pad := func(n int) string { return string(b) + strings.Repeat(" ", n) }
	for name, c := range map[string]struct{ in, want string }{
		"no line end":    {string(b), "1:ok"},
		"crlf":           {string(b) + "\r\n\r\n" + string(b) + "\r\n", "1:ok 3:ok"},
		"mark":           {"\ufeff" + string(b) + "\n", "1:ok"},
		"limit":          {strings.Repeat("x", maxLine) + "\n" + string(b), "1:ok 2:ok"},
		"over the limit": {strings.Repeat("x", maxLine+1) + "\n" + string(b), "1:long 2:ok"},
		"far over":       {strings.Repeat("x", 5*maxLine) + "\n" + string(b), "1:long 2:ok"},
		"long at end":    {string(b) + "\n" + strings.Repeat("x", 3*maxLine), "1:ok 2:long"},
		"spaces":         {pad(100) + "\n", "1:ok"},
		"empty":          {"", ""},
	} {
		var got []string
		err := split(strings.NewReader(c.in), func(b *lines) error {
			for _, l := range b.list {
				s := "ok"
				if l.fault != nil {
					s = "long"
				}
				got = append(got, fmt.Sprintf("%d:%s", l.number, s))
			}
			return nil
		})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if err := split(io.MultiReader(strings.NewReader("{}"), broken{}), func(*lines) error { return nil }); err == nil {
		t.Error("a reading error is lost")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

// TestImportResumes: an import that is cut off anywhere goes on, and in the end
// everything is issued once.
func TestImportResumes(t *testing.T) {
	storetest.Volume(t)
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		var births, gs []any
		for range 1200 {
			b := newBirth()
			births = append(births, b)
			gs = append(gs, newGuardianship(b))
		}
		for _, after := range []int{1, 1001} {
			ctx, cancel := context.WithCancel(ctx)
			lines := 0
			_, err := d.Import(ctx, ImportConfig{Births: jsonl(t, births...), Guardianships: jsonl(t, gs...), Operator: "Olga", Approver: "Axel",
				Progress: func(n int) {
					if lines += n; lines >= after {
						cancel()
					}
				}})
			cancel()
			if err == nil {
				t.Fatal("the import was not cut off")
			}
		}
		// And one that died between reserving and sealing.
		last := newBirth()
		births, gs = append(births, last), append(gs, newGuardianship(last))
		d.crash(last)
		s, refused := d.load(jsonl(t, births...), jsonl(t, gs...))
		if s.Accepted != 2402 || len(refused) != 0 || s.Held != 0 || s.Seen == 0 {
			t.Fatal(counts(s))
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'sealed'`); n != 2402 {
			t.Errorf("%d sealed", n)
		}
		if n := one(t, db, `SELECT COUNT(DISTINCT record) FROM credentials`); n != 2402 {
			t.Errorf("credentials of %d records", n)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'reserved'`); n != 0 {
			t.Errorf("%d open", n)
		}
	})
}

// TestImportKilled kills a process that imports, again and again, and then lets
// it finish: nothing is lost and nothing is there twice.
func TestImportKilled(t *testing.T) {
	storetest.Volume(t)
	t.Parallel()
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "issuer.db")
	var in bytes.Buffer
	const births = 8000
	for range births {
		in.Write(raw(t, newBirth()))
		in.WriteByte('\n')
	}
	file := filepath.Join(dir, "births.jsonl")
	if err := os.WriteFile(file, in.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	db := storetest.Reopen(t, url, "issuer")
	killed := 0
	for n := range 4 {
		c := exec.Command(os.Args[0], "-test.run=^TestImportChild$")
		c.Env = append(os.Environ(), "KINPASS_IMPORT_CHILD="+url, "KINPASS_IMPORT_FILE="+file)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// Wait until it has written something new, then a little longer.
		before := one(t, db, `SELECT COUNT(*) FROM births`)
		for range 20_000 { // a busy machine may need long to begin
			if before == births || one(t, db, `SELECT COUNT(*) FROM births`) > before {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(time.Duration(n*15) * time.Millisecond)
		if c.Process.Kill() == nil && c.Wait() != nil {
			killed++
		}
	}
	if killed == 0 {
		t.Error("no run was killed: they were all done before")
	}
	d := openDeskWith(t, Config{DB: db, Ring: childRing(t)})
	s, refused := d.load(bytes.NewReader(in.Bytes()), nil)
	if s.Accepted != births || s.Seen == 0 || len(refused) != 0 {
		t.Errorf("%s after %d kills", counts(s), killed)
	}
	t.Logf("%d kills, %d open reservations found, %d lines seen before", killed, s.Recovered.Open, s.Seen)
	if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'sealed' AND jwt <> ''`); n != births {
		t.Errorf("%d sealed", n)
	}
	if n := one(t, db, `SELECT COUNT(DISTINCT record) FROM credentials`); n != births {
		t.Errorf("credentials of %d records", n)
	}
	if n := one(t, db, `SELECT COUNT(*) FROM commitments`); n != births {
		t.Errorf("%d commitments", n)
	}
}

// childRing has the same secrets in every process, and a key of its own.
func childRing(t testing.TB) *keys.Ring {
	r := newRing(t, keys.EdDSA)
	for name := range r.Secrets {
		r.Secrets[name] = bytes.Repeat([]byte(name[:1]), 32)
	}
	return r
}

// TestImportChild is the process that TestImportKilled kills.
func TestImportChild(t *testing.T) {
	url := os.Getenv("KINPASS_IMPORT_CHILD")
	if url == "" {
		t.Skip("started by TestImportKilled")
	}
	in, err := os.ReadFile(os.Getenv("KINPASS_IMPORT_FILE"))
	if err != nil {
		t.Fatal(err)
	}
	d := openDeskWith(t, Config{DB: storetest.Reopen(t, url, "issuer"), Ring: childRing(t)})
	d.load(bytes.NewReader(in), nil)
}

// TestImportAt: the time to check and issue at can be another one.
func TestImportAt(t *testing.T) {
	t.Parallel()
	ring := newRing(t, keys.EdDSA)
	ring.Keys[0].NotBefore = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)
	d := openDeskWith(t, Config{DB: storetest.Open(t, store.SQLite, "issuer"), Ring: ring})
	b := newBirth()
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	s, err := d.Import(ctx, ImportConfig{Births: jsonl(t, b), Guardianships: jsonl(t, newGuardianship(b)), At: at, Operator: "Olga", Approver: "Axel"})
	if err != nil || s.Accepted != 2 {
		t.Fatal(counts(s), err)
	}
	if n := one(t, d.db, `SELECT COUNT(*) FROM credentials WHERE valid_from = $1`, store.Micros(at)); n != 2 {
		t.Errorf("%d credentials of that time", n)
	}
	early := newBirth()
	if s, err := d.Import(ctx, ImportConfig{Births: jsonl(t, early), At: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), Operator: "Olga", Approver: "Axel"}); err != nil || s.Refused != 1 {
		t.Errorf("a birth of the future: %s %v", counts(s), err)
	}
}

// TestImportWithoutKey: an import at a time that no signing key covers reserves
// nothing.
func TestImportWithoutKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db) // its key begins a year before
		before := deskTime.AddDate(-1, 0, -1)
		for name, now := range map[string]time.Time{"at that time": before, "by a clock of today": deskTime} {
			d.pass(now.Sub(d.clock()))
			_, err := d.Import(ctx, ImportConfig{Births: jsonl(t, newBirth()), At: before, Operator: "Olga", Approver: "Axel"})
			wantFault(t, err, keys.ErrNoKey)
			if f := fault.As(err); f.Hint == "" {
				t.Errorf("%s: no hint", name)
			}
		}
		for _, table := range []string{"births", "credentials", "batches", "commitments"} {
			if n := one(t, db, `SELECT COUNT(*) FROM `+table); n != 0 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
		// Nor does a single registration.
		d.pass(before.Sub(d.clock()))
		_, err := d.RegisterBirth(ctx, rita, raw(t, newBirth(func(b *vc.Birth) { b.Registration.Date = "2019-03-09" })), "")
		wantFault(t, err, keys.ErrNoKey)
		if n := one(t, db, `SELECT COUNT(*) FROM births`); n != 0 {
			t.Errorf("%d births", n)
		}
	})
}

// TestImportRules: the summary names the rule of every line that is held, not
// issued or without a border profile, also when it was seen before.
func TestImportRules(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		twin := newBirth(twinOf(b))
		hangul := newBirth(func(b *vc.Birth) { b.Names = []vc.Name{{Kind: "legal", Script: "Hang", Full: "홍길동"}} })
		births := []any{b, twin, hangul, newBirth(func(b *vc.Birth) { b.Sex = 5 })}
		gs := []any{newGuardianship(b), newGuardianship(b), newGuardianship(twin),
			newGuardianship(b, func(g *vc.Guardianship) { g.Effective.Until = "2020-01-01" })}
		for range 2 {
			s, _ := d.load(jsonl(t, births...), jsonl(t, gs...))
			named := 0
			for rule, n := range s.Rules {
				if rule != RuleMRZNeeded {
					named += n
				}
			}
			if s.Held != 3 || s.NotIssued != 1 || named != s.Held+s.NotIssued || s.Rules[RuleMRZNeeded] != 1 ||
				s.Rules[RuleGuardianHasMandate] != 1 || s.Rules[RuleWardHeld] != 1 || s.Rules[ReasonMandateOver] != 1 {
				t.Errorf("%s: %v", counts(s), s.Rules)
			}
		}
		if s, _ := d.load(nil, nil); !strings.Contains(string(raw(t, s)), `"rules":{}`) {
			t.Error("no rules in the summary")
		}
	})
}

// FuzzImportLines: every line that is not blank is counted once, whatever is in
// it, and the identity of a line does not depend on its spelling.
func FuzzImportLines(f *testing.F) {
	f.Add([]byte("{}\n\n[1]\r\n"))
	f.Add([]byte("\ufeff{\"a\":1e3,\"b\":\"\\u00e9\"}"))
	f.Add([]byte("{\"a\":1,\"a\":2}\nnull\n\x00"))
	f.Add(bytes.Repeat([]byte("["), maxLine+3))
	f.Fuzz(func(t *testing.T, in []byte) {
		want := 0
		for n, l := range bytes.Split(in, []byte("\n")) {
			if l = bytes.TrimSpace(l); n == 0 {
				l = bytes.TrimPrefix(l, []byte("\ufeff"))
			}
			if len(l) > 0 {
				want++
			}
		}
		got := 0
		err := split(bytes.NewReader(in), func(b *lines) error {
			for _, l := range b.list {
				got++
				if l.fault != nil {
					continue
				}
				d, err := lineDigest(l.raw)
				if err != nil {
					continue
				}
				if again, err := lineDigest(append([]byte("  "), l.raw...)); err != nil || !bytes.Equal(d, again) {
					t.Error("spacing changes the identity")
				}
			}
			return nil
		})
		if err != nil || got != want {
			t.Errorf("%d lines, want %d: %v", got, want, err)
		}
	})
}

// dataFile opens a file of the shared data, or skips.
func dataFile(t testing.TB, path string) []byte {
	t.Helper()
	dir := os.Getenv("KINPASS_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
			t.Fatal("the shared data is not there: set KINPASS_DATA")
		}
		t.Skip("the shared data is not there: set KINPASS_DATA")
	}
	return data
}

// TestImportSynthetic: the made records of the shared data are accepted or held
// for a rule, all of them.
func TestImportSynthetic(t *testing.T) {
	storetest.Volume(t)
	t.Parallel()
	births, gs := dataFile(t, "synthetic/births.jsonl"), dataFile(t, "synthetic/guardianships.jsonl")
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		s, refused := d.load(bytes.NewReader(births), bytes.NewReader(gs))
		for n, r := range refused {
			if n < 20 {
				t.Errorf("%s line %d: %v", r.File, r.Line, r.Fields)
			}
		}
		if s.Accepted+s.Refused+s.Held != 4019 {
			t.Error(counts(s))
		}
		t.Log(counts(s), fmt.Sprintf("%.0f lines/s", s.PerSecond))
		rs, err := db.QueryContext(ctx, `SELECT rule, COUNT(*) FROM births WHERE rule <> '' GROUP BY rule UNION ALL SELECT rule, COUNT(*) FROM guardianships WHERE rule <> '' GROUP BY rule`)
		if err != nil {
			t.Fatal(err)
		}
		defer rs.Close()
		for rs.Next() {
			var rule string
			var n int
			if err := rs.Scan(&rule, &n); err != nil {
				t.Fatal(err)
			}
			t.Log(rule, n)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM births WHERE state = 'held' AND rule = ''`); n != 0 {
			t.Errorf("%d held without a rule", n)
		}
		again, _ := d.load(bytes.NewReader(births), bytes.NewReader(gs))
		if again.Accepted != s.Accepted || again.Held != s.Held || again.NotIssued != s.NotIssued {
			t.Errorf("again: %s", counts(again))
		}
	})
}

// benchEngines runs fn on SQLite, and on PostgreSQL where there is one.
func benchEngines(b *testing.B, fn func(b *testing.B, d *desk)) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		b.Run(engine, func(b *testing.B) {
			if engine == store.Postgres && os.Getenv("KINPASS_TEST_POSTGRES") == "" {
				b.Skip("no PostgreSQL")
			}
			fn(b, openDesk(b, storetest.Open(b, engine, "issuer")))
		})
	}
}

// BenchmarkImport imports births, durable, signed and indexed: one operation is
// one birth. The bare signatures beside it are the limit.
func BenchmarkImport(b *testing.B) {
	benchEngines(b, func(b *testing.B, d *desk) {
		var in bytes.Buffer
		for range b.N {
			in.Write(raw(b, newBirth()))
			in.WriteByte('\n')
		}
		cpu := cpuTime(b)
		b.ResetTimer()
		s, err := d.Import(ctx, ImportConfig{Births: &in, Operator: "Olga", Approver: "Axel"})
		if err != nil || s.Accepted != b.N {
			b.Fatal(counts(s), err)
		}
		report(b, cpu)
	})
}

// report gives births per second, and the processor time of one birth: on a
// machine that others use too, only the latter can be compared.
func report(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "births/s")
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpuTime is the processor time that this process used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIssue registers single births from many callers at once, as POST
// /births does, each answered when it is durable and sealed.
func BenchmarkIssue(b *testing.B) {
	benchEngines(b, func(b *testing.B, d *desk) {
		bodies := make(chan []byte, b.N)
		for range b.N {
			bodies <- raw(b, newBirth())
		}
		close(bodies)
		b.SetParallelism(64)
		cpu := cpuTime(b)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if o, err := d.RegisterBirth(ctx, rita, <-bodies, ""); err != nil || o.State != StateIssued {
					b.Error(o.State, err)
					return
				}
			}
		})
		report(b, cpu)
	})
}

// BenchmarkBareSignature is the baseline: Ed25519 over the bytes of one paper
// birth credential.
func BenchmarkBareSignature(b *testing.B) {
	ring := newRing(b, keys.EdDSA)
	s := ring.Of(keys.UseCredentials)[0].Signer("did:web:registry.example#key-1")
	payload := bytes.Repeat([]byte("x"), 1200)
	b.ResetTimer()
	for range b.N {
		if _, err := s.Sign(nil, payload, crypto.Hash(0)); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzLineDigest: a line that is known keeps the digest that the library gives it.
func FuzzLineDigest(f *testing.F) {
	for _, x := range []string{string(raw(f, newBirth())), `{"b":1,"a":[1.50,-0,1e21,1e-7,123456789012345678]}`, `{"\ud83d\ude00":"\u000a\/<","\ufb33":"\u20ac$\u000f"}`,
		`{"a":"\ud800\u0041"}`, `{"a":"\ud800"}`, `{"a":1,"A":2}`, `{"a":1,"a":2}`, ` {"":{}} `, `{"a":tru}`} {
		f.Add([]byte(x))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := lineDigest(line)
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
			return
		}
		c, werr := jcs.Transform(line)
		if (err == nil) != (werr == nil) || err == nil && !bytes.Equal(got, sum(c)) {
			t.Errorf("%q: %x, %v, by the library %s, %v", line, got, err, c, werr)
		}
	})
}
