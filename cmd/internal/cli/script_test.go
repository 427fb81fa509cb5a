package cli

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/legacy/aries"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

// clockEnv shifts the clock of a kinpass process under test. Only this test
// binary reads it; the released program has no such switch.
const clockEnv = "KINPASS_TEST_CLOCK"

// TestMain lets scripts run this binary as the programs they name: kinpass
// itself and a few small tools.
func TestMain(m *testing.M) {
	Aries = aries.Verify
	testscript.Main(m, map[string]func(){
		"kinpass": func() {
			if s := os.Getenv(clockEnv); s != "" {
				shift, err := time.ParseDuration(s)
				if err != nil {
					panic(err)
				}
				now = func() time.Time { return time.Now().Add(shift) }
			}
			if os.Getenv(dialEnv) != "" {
				refuseDialling()
			}
			os.Exit(Main(os.Args[1:]))
		},
		"http":      tool(httpTool),
		"dial":      tool(dialTool),
		"newborn":   tool(newbornTool),
		"tamper":    tool(tamperTool),
		"stranger":  tool(strangerTool),
		"isotime":   tool(isotimeTool),
		"jwk":       tool(jwkTool),
		"oldsystem": tool(oldSystemTool),
		"spoil":     tool(spoilTool),
		"forge":     tool(forgeTool),
		"signers":   tool(signersTool),
	})
}

func tool(f func(args []string) error) func() {
	return func() {
		if err := f(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// TestScripts runs the stories in testdata/script: each with its own data
// directory, its own databases and its own three services.
func TestScripts(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files: scriptsOn(t, engine),
				Setup: func(e *testscript.Env) error {
					e.Setenv("ENGINE", engine)
					e.Setenv("HOME", e.WorkDir)
					if engine == store.Postgres {
						url := storetest.URL(e.T().(testing.TB), engine, issuerRole)
						file := filepath.Join(e.WorkDir, "database-url")
						if err := os.WriteFile(file, []byte(url+"\n"), 0o600); err != nil {
							return err
						}
						e.Setenv("KINPASS_DB", file)
					}
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"services":  servicesCmd,
					"halt":      haltCmd,
					"start":     startCmd,
					"json":      jsonCmd,
					"killed":    killedCmd,
					"fill":      fillCmd,
					"fill-from": fillFromCmd,
					"family":    familyCmd,
					"present":   presentCmd,
					"household": householdCmd,
					"class":     classCmd,
					"authority": authorityCmd,
					"place":     placeCmd,
					"dump":      dumpCmd,
					"noleaks":   noleaksCmd,
					"offline":   offlineCmd,
					"again":     againCmd,
					"twist":     twistCmd,
					"steal":     stealCmd,
					"ends":      endsCmd,
					"until":     untilCmd,
				},
				Condition: func(cond string) (bool, error) { return cond == engine, nil },
			})
		})
	}
}

// started holds the services of a script by role.
type started map[string]*process

type process struct {
	*exec.Cmd
	ended chan struct{}
}

// services of each running script; scripts run in parallel.
var services = struct {
	sync.Mutex
	of map[*testscript.TestScript]started
}{of: map[*testscript.TestScript]started{}}

func service(ts *testscript.TestScript, role string) *process {
	services.Lock()
	defer services.Unlock()
	return services.of[ts][role]
}

// untilCmd runs a command again until its output has a text, for a minute: "until TEXT
// COMMAND ARGS...".
func untilCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT COMMAND ARGS...")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the output has no %q: %v", args[0], err)
		}
	}
}

// servicesCmd sets up a trust anchor and the three services: "services". It
// sets $ISSUER, $WALLET, $VERIFIER and writes the token files registrar.token,
// colleague.token, court.token, notary.token, guardian.token, stranger.token, officer.token.
func servicesCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: services")
	}
	port, err := freePorts("127.0.0.1")
	ts.Check(err)
	for n, role := range roles {
		ts.Setenv(strings.ToUpper(role), "http://localhost:"+strconv.Itoa(port+n))
		ts.Setenv(strings.ToUpper(role)+"_PORT", strconv.Itoa(port+n))
	}
	ts.Check(ts.Exec("kinpass", "trust", "init"))
	startCmd(ts, false, []string{issuerRole})
	ts.Check(ts.Exec("kinpass", "trust", "add", "did:web:localhost%3A"+strconv.Itoa(port), "--role", "registrar", "--name", "Registry",
		"--roles", "court,notary", "--consent-status"))
	ts.Check(ts.Exec("kinpass", "trust", "add-hub"))
	startCmd(ts, false, []string{walletRole})
	startCmd(ts, false, []string{verifierRole})
	for _, p := range [][3]string{{"registrar", "registrar", issuerRole}, {"colleague", "registrar", issuerRole}, {"court", "court", issuerRole}, {"notary", "notary", issuerRole},
		{"guardian", "guardian", walletRole}, {"stranger", "guardian", walletRole}, {"officer", "officer", verifierRole}} {
		h := &home{dir: ts.MkAbs("kinpass-data"), dbFile: ts.Getenv("KINPASS_DB")}
		db, err := h.open(context.Background(), p[2])
		ts.Check(err)
		secret, _, err := db.AddToken(context.Background(), p[0], p[1], time.Time{})
		db.Close()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(p[0]+".token"), []byte(secret+"\n"), 0o600))
	}
}

// startCmd starts one service and waits until it answers: "start ROLE
// [CLOCKSHIFT]", or "start issuer --publish INTERVAL".
func startCmd(ts *testscript.TestScript, neg bool, args []string) {
	publish := "0" // no story waits for the next publication
	if len(args) == 3 && args[1] == "--publish" {
		publish, args = args[2], args[:1]
	}
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: start ROLE [CLOCKSHIFT]")
	}
	role := args[0]
	port := ts.Getenv(strings.ToUpper(role) + "_PORT")
	bin, err := findIn(ts.Getenv("PATH"), "kinpass")
	ts.Check(err)
	cmdArgs := []string{"serve", role, "--listen", "127.0.0.1:" + port, "--verbose"}
	if role != issuerRole {
		cmdArgs = append(cmdArgs, "--allow-loopback")
	} else {
		cmdArgs = append(cmdArgs, "--offices", "court,notary", "--publish", publish)
	}
	cmd := exec.Command(bin, cmdArgs...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "KINPASS_DB="+ts.Getenv("KINPASS_DB"))
	if len(args) == 2 {
		cmd.Env = append(cmd.Env, clockEnv+"="+args[1])
	}
	log, err := os.OpenFile(ts.MkAbs(role+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	services.Lock()
	if services.of[ts] == nil {
		services.of[ts] = started{}
	}
	services.of[ts][role] = &process{cmd, ended}
	services.Unlock()
	ts.Defer(func() {
		cmd.Process.Kill()
		<-ended
		log.Close()
	})
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		res, err := http.Get("http://127.0.0.1:" + port + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ended:
			ts.Fatalf("%s ended:\n%s", role, ts.ReadFile(role+".log"))
		default:
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not answer:\n%s", role, ts.ReadFile(role+".log"))
		}
	}
}

// haltCmd ends a service: "halt ROLE" as an operator would, "halt -9 ROLE" as
// a power cut would.
func haltCmd(ts *testscript.TestScript, neg bool, args []string) {
	sig := syscall.SIGTERM
	if len(args) == 2 && args[0] == "-9" {
		sig, args = syscall.SIGKILL, args[1:]
	}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: halt [-9] ROLE")
	}
	cmd := service(ts, args[0])
	if cmd == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	ts.Check(cmd.Process.Signal(sig))
	<-cmd.ended
}

// jsonCmd reads a value out of a JSON file: "json NAME FILE a.0.b" sets $NAME;
// "json FILE a.0.b VALUE" compares.
func jsonCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json NAME FILE PATH, or json FILE PATH VALUE")
	}
	set := strings.ToUpper(args[0]) == args[0] && args[0] != "stdout"
	file, path := args[0], args[1]
	if set {
		file, path = args[1], args[2]
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(file)), &v); err != nil {
		ts.Fatalf("%s is not JSON: %s", file, ts.ReadFile(file))
	}
	for _, p := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			n, err := strconv.Atoi(p)
			if err != nil || n >= len(x) {
				v = nil
			} else {
				v = x[n]
			}
		default:
			v = nil
		}
	}
	text := fmt.Sprint(v)
	if b, err := json.Marshal(v); err == nil {
		if _, isString := v.(string); !isString {
			text = string(b)
		}
	}
	if set {
		ts.Setenv(args[0], text)
		return
	}
	if (text == args[2]) == neg {
		ts.Fatalf("%s in %s is %s\n%s", path, file, text, ts.ReadFile(file))
	}
}

// fillCmd replaces $NAMES in files by the script's variables: "fill FILE…".
func fillCmd(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o600))
	}
}

// fillFromCmd sets a variable to what a file holds: "fill-from NAME FILE".
func fillFromCmd(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// familyCmd brings a family to the border: it registers a birth and the
// mother's mandate, has the guardian's wallet accept them, and has the verifier
// build border.kpb. It sets $BIRTH, $GUARDIANSHIP, $CREDENTIAL and $CHILD.
func familyCmd(ts *testscript.TestScript, neg bool, args []string) {
	p := playerOf(ts)
	ctx := context.Background()
	ts.Check(p.register(ctx))
	ts.Check(p.accept(ctx))
	ts.Check(os.WriteFile(ts.MkAbs("border.kpb"), p.bundle.data, 0o600))
	ts.Setenv("BIRTH", p.birth)
	ts.Setenv("GUARDIANSHIP", p.guardianship)
	ts.Setenv("CREDENTIAL", p.credential)
	ts.Setenv("CHILD", p.child)
}

// presentCmd has the guardian's wallet sign a presentation: "present FILE".
func presentCmd(ts *testscript.TestScript, neg bool, args []string) {
	p := playerOf(ts)
	p.child = ts.Getenv("CHILD")
	out, err := p.present(context.Background())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.KP1+"\n"), 0o600))
}

// playerOf gives the story's player over the services of a script.
func playerOf(ts *testscript.TestScript) *player {
	client := func(role, who string) *api.Client {
		return &api.Client{Base: ts.Getenv(strings.ToUpper(role)), Token: strings.TrimSpace(ts.ReadFile(who + ".token"))}
	}
	d := &demo{home: &home{dir: ts.MkAbs("kinpass-data")}}
	return &player{demo: d, w: io.Discard,
		registrar: client(issuerRole, "registrar"), colleague: client(issuerRole, "colleague"),
		guardian: client(walletRole, "guardian"), officer: client(verifierRole, "officer")}
}

// dumpCmd writes every value of every table of a role, as text and as bytes,
// and on SQLite the database's files as they are: "dump ROLE FILE".
func dumpCmd(ts *testscript.TestScript, neg bool, args []string) {
	role := args[0]
	h := &home{dir: ts.MkAbs("kinpass-data"), dbFile: ts.Getenv("KINPASS_DB")}
	db, err := h.open(context.Background(), role)
	ts.Check(err)
	defer db.Close()
	var out bytes.Buffer
	list := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if db.Engine == store.Postgres {
		list = `SELECT table_name FROM information_schema.tables WHERE table_schema = '` + role + `'`
	}
	for _, table := range column(ts, db, list) {
		rows, err := db.Query(`SELECT * FROM ` + table)
		ts.Check(err)
		cols, err := rows.Columns()
		ts.Check(err)
		n := 0
		for rows.Next() {
			vals := make([]any, len(cols))
			for i := range vals {
				vals[i] = new(any)
			}
			ts.Check(rows.Scan(vals...))
			for _, v := range vals {
				switch x := (*v.(*any)).(type) {
				case []byte:
					out.Write(x)
				default:
					fmt.Fprint(&out, x)
				}
				out.WriteByte('\n')
			}
			n++
		}
		ts.Check(rows.Err())
		rows.Close()
		ts.Logf("%s: %d rows", table, n)
	}
	if db.Engine == store.SQLite {
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(h.path(role + ".db" + suffix))
			if err == nil {
				out.Write(b)
			}
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o600))
}

func column(ts *testscript.TestScript, db *store.DB, query string) []string {
	rows, err := db.Query(query)
	ts.Check(err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		ts.Check(rows.Scan(&s))
		out = append(out, s)
	}
	ts.Check(rows.Err())
	return out
}

// noleaksCmd fails if one of the files holds a name, date, number or reference
// of the registrations: "noleaks BIRTH.json GUARDIANSHIP.json FILE…".
func noleaksCmd(ts *testscript.TestScript, neg bool, args []string) {
	secrets := map[string]bool{}
	for _, name := range args[:2] {
		var v any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &v))
		personal(v, "", secrets)
	}
	if len(secrets) < 10 {
		ts.Fatalf("only %d values to look for", len(secrets))
	}
	leaks := 0
	for _, name := range args[2:] {
		text := ts.ReadFile(name)
		if len(text) < 100 {
			ts.Fatalf("%s is empty", name)
		}
		for s := range secrets {
			for _, form := range []string{s, strings.ToUpper(s), strings.ReplaceAll(s, "-", ""), enc64(s), fmt.Sprintf("%x", s)} {
				if strings.Contains(text, form) {
					leaks++
					if !neg {
						ts.Logf("%s holds %q", name, s)
					}
				}
			}
		}
	}
	if (leaks > 0) != neg {
		ts.Fatalf("%d leaks", leaks)
	}
}

func enc64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// personal collects the values that tell something of a person.
func personal(v any, key string, into map[string]bool) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			personal(e, k, into)
		}
	case []any:
		for _, e := range x {
			personal(e, key, into)
		}
	case string:
		switch key {
		case "given", "family", "full", "primary", "secondary", "value", "earliest", "latest", "personRef", "childRef", "number", "sha256", "locality", "adminArea", "date", "from":
			if len(x) >= 4 {
				into[x] = true
			}
		}
	}
}

// killedCmd runs a kinpass command and kills it with SIGKILL after a while:
// "killed MILLISECONDS ARGS…". It does not matter whether it was done before.
func killedCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: killed MILLISECONDS ARGS...")
	}
	ms, err := strconv.Atoi(args[0])
	ts.Check(err)
	bin, err := findIn(ts.Getenv("PATH"), "kinpass")
	ts.Check(err)
	cmd := exec.Command(bin, args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "KINPASS_DB="+ts.Getenv("KINPASS_DB"))
	ts.Check(cmd.Start())
	time.Sleep(time.Duration(ms) * time.Millisecond)
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait()
}

// dialEnv has a kinpass process under test refuse every connection.
const dialEnv = "KINPASS_TEST_NO_DIAL"

// refuseDialling stands in for a machine without a network where the system
// cannot make one: names are not resolved and HTTP is not spoken.
func refuseDialling() {
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: refuse}
	http.DefaultTransport = &http.Transport{DialContext: refuse}
	http.DefaultClient = &http.Client{Transport: http.DefaultTransport}
}

// namespace gives the command that runs another without a network (a namespace
// of its own with no interface that is up), nil if this machine cannot.
var namespace = sync.OnceValue(func() []string {
	for _, c := range [][]string{{"unshare", "-n", "--"}, {"unshare", "-rn", "--"}} {
		if exec.Command(c[0], append(c[1:], "true")...).Run() == nil {
			return c
		}
	}
	return nil
})

// offlineCmd runs a command without a network: "offline kinpass ARGS...".
func offlineCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: offline COMMAND ARGS...")
	}
	if wrap := namespace(); wrap != nil {
		args = append(slices.Clone(wrap), args...)
	} else {
		ts.Setenv(dialEnv, "1")
		defer ts.Setenv(dialEnv, "")
	}
	switch err := ts.Exec(args[0], args[1:]...); {
	case err == nil && neg:
		ts.Fatalf("unexpected success")
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	}
}

// endsCmd runs a command without a network and compares its exit code:
// "ends CODE kinpass ARGS...".
func endsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ends CODE COMMAND ARGS...")
	}
	want := args[0]
	args = args[1:]
	if wrap := namespace(); wrap != nil {
		args = append(slices.Clone(wrap), args...)
	} else {
		ts.Setenv(dialEnv, "1")
		defer ts.Setenv(dialEnv, "")
	}
	got := "0"
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = strconv.Itoa(exit.ExitCode())
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("ended with %s, want %s", got, want)
	}
}

// dialTool connects to the host of an address: "dial URL".
func dialTool(args []string) error {
	if os.Getenv(dialEnv) != "" {
		return errors.New("no network")
	}
	u, err := url.Parse(args[0])
	if err != nil {
		return err
	}
	c, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

func findIn(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		p := filepath.Join(dir, name)
		if fi, err := os.Stat(p); err == nil && !fi.IsDir() {
			return p, nil
		}
	}
	return "", exec.ErrNotFound
}

// httpTool makes a request: http [-token FILE] [-status N] [-accept TYPE]
// [-type TYPE] METHOD URL [BODYFILE]. The body of the answer goes to standard
// output. Without -status any 2xx will do.
func httpTool(args []string) error {
	opts := map[string]string{}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		opts[args[0]], args = args[1], args[2:]
	}
	if len(args) < 2 {
		return fmt.Errorf("usage: http [options] METHOD URL [BODYFILE]")
	}
	var body io.Reader
	if len(args) == 3 {
		b, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.Background(), args[0], args[1], body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if v := opts["-type"]; v != "" {
		req.Header.Set("Content-Type", v)
	}
	if v := opts["-accept"]; v != "" {
		req.Header.Set("Accept", v)
	}
	if v := opts["-token"]; v != "" {
		b, err := os.ReadFile(v)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(b)))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(os.Stdout, res.Body); err != nil {
		return err
	}
	want := opts["-status"]
	if want == "" && res.StatusCode/100 != 2 || want != "" && strconv.Itoa(res.StatusCode) != want {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// spoilTool makes something bad of a bundle: "spoil flip|missing|signer|half IN
// OUT"; or an index of a mirror that has it: "spoil index IN OUT".
func spoilTool(args []string) error {
	data, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	out := bytes.Clone(data)
	var f *bundle.File
	if bundle.IsFile(data) {
		if f, err = bundle.Open(data); err != nil {
			return err
		}
	}
	switch args[0] {
	case "flip":
		out[len(out)*2/3] ^= 1
	case "half":
		out = out[:len(out)/2]
	case "missing":
		// The policies are gone, and the table of parts still names them.
		part, ok := f.Part("policies")
		if !ok {
			return errors.New("there is no such part")
		}
		at := bytes.Index(data, part)
		out = slices.Concat(data[:at], data[at+(len(part)+7)&^7:])
	case "signer":
		// All of it is right but for the key.
		k, err := keys.New("stranger", keys.UseHub, keys.EdDSA, time.Now().AddDate(-1, 0, 0), time.Time{})
		if err != nil {
			return err
		}
		var parts []bundle.Part
		for _, p := range f.Table {
			part, _ := f.Part(p.Name)
			parts = append(parts, bundle.Part{Name: p.Name, Bytes: part})
		}
		if out, err = bundle.Pack(f.Header, parts, k.Signer(f.KID)); err != nil {
			return err
		}
	case "lie":
		// The hub itself puts in what an older bundle says: "spoil lie IN OUT OLDER".
		older, err := os.ReadFile(args[3])
		if err != nil {
			return err
		}
		then, err := bundle.Open(older)
		if err != nil {
			return err
		}
		ring, err := (&home{dir: "kinpass-data"}).ring(verifierRole)
		if err != nil {
			return err
		}
		var parts []bundle.Part
		for _, p := range f.Table {
			part, _ := f.Part(p.Name)
			if strings.HasPrefix(p.Name, "sets/") {
				part, _ = then.Part(p.Name)
			}
			parts = append(parts, bundle.Part{Name: p.Name, Bytes: part})
		}
		k, err := ring.Current(keys.UseHub, time.Now())
		if err != nil {
			return err
		}
		if out, err = bundle.Pack(f.Header, parts, k.Signer(f.KID)); err != nil {
			return err
		}
	case "index":
		if out, err = mirror.NewIndex(f, nil).Marshal(); err != nil {
			return err
		}
	}
	return os.WriteFile(args[2], out, 0o600)
}

// newbornTool writes birth.json and guardianship.json of a new family.
func newbornTool(args []string) error {
	b, g, err := family(time.Now().UTC())
	if err != nil {
		return err
	}
	if err := os.WriteFile("birth.json", b, 0o600); err != nil {
		return err
	}
	return os.WriteFile("guardianship.json", g, 0o600)
}

// tamperTool changes a signature inside KP1 text: tamper IN.
func tamperTool(args []string) error {
	b, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	p, err := qr.Unpack(strings.TrimSpace(string(b)))
	if err != nil {
		return err
	}
	text, err := changeSignature(p.Presentation)
	if err != nil {
		return err
	}
	fmt.Println(text)
	return nil
}

// strangerTool presents the credentials of another's KP1 text under a fresh
// key: stranger birth|all IN.
func strangerTool(args []string) error {
	b, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	p, err := qr.Unpack(strings.TrimSpace(string(b)))
	if err != nil {
		return err
	}
	_, jwts, err := credentialsOf(p.Presentation)
	if err != nil {
		return err
	}
	if args[0] == "birth" {
		jwts = jwts[:1]
	}
	text, err := signedBy(at(), jwts)
	if err != nil {
		return err
	}
	fmt.Println(text)
	return nil
}

// isotimeTool prints the time shifted by a duration: isotime 6m.
func isotimeTool(args []string) error {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	fmt.Print(time.Now().UTC().Add(d).Truncate(time.Second).Format(time.RFC3339))
	return nil
}

// jwkTool writes a fresh key as a verification method: jwk ALG FILE.
func jwkTool(args []string) error {
	alg, file := args[0], args[1]
	var key crypto.Signer
	var err error
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	if curve := curves[alg]; curve != nil {
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	} else {
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return err
	}
	half := func(key any) (jwk.Key, error) {
		k, err := jwk.Import(key)
		if err != nil {
			return nil, err
		}
		if err := k.Set(jwk.AlgorithmKey, alg); err != nil {
			return nil, err
		}
		return k, jwk.AssignKeyID(k)
	}
	private, err := half(key)
	if err != nil {
		return err
	}
	public, err := half(key.Public())
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(map[string]any{
		"id": "https://issuer.example/a#key-1", "type": "JsonWebKey", "controller": "https://issuer.example/a",
		"publicKeyJwk": public, "secretKeyJwk": private,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

// scriptsOn gives the scripts that are played on an engine. What the services
// promise of a database is tested on both below them (storetest.Each), so that a
// script takes the one that its name falls to; one that asks for an engine, and
// all in the long run, take both.
func scriptsOn(t *testing.T, engine string) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d scripts, %v", len(all), err)
	}
	var out []string
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h := fnv.New32a()
		io.WriteString(h, filepath.Base(file))
		falls := []string{store.SQLite, store.Postgres}[h.Sum32()%2]
		if falls == engine || os.Getenv("KINPASS_LONG") == "1" || regexp.MustCompile(`\[!?(sqlite|postgres)\]`).Match(text) {
			out = append(out, file)
		}
	}
	return out
}
