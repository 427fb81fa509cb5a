package issuer

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// People of the tests.
var (
	rita  = Caller{ID: "t-rita", Name: "Rita", Role: RoleRegistrar}
	rob   = Caller{ID: "t-rob", Name: "Rob", Role: RoleRegistrar}
	clara = Caller{ID: "t-clara", Name: "Clara", Role: RoleCourt}
	peter = Caller{ID: "t-peter", Name: "Peter", Role: RoleProtection}
	anna  = Caller{ID: "t-anna", Name: "Anna", Role: RoleAuditor}
)

// desk is an issuer with a clock that stands still until it is moved.
type desk struct {
	*Issuer
	t    testing.TB
	ring *keys.Ring
	mu   sync.Mutex
	time time.Time
}

var deskTime = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func newRing(t testing.TB, alg string) *keys.Ring {
	t.Helper()
	ring := &keys.Ring{}
	k, err := keys.New("key-1", keys.UseCredentials, alg, deskTime.AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(k); err != nil {
		t.Fatal(err)
	}
	addSelective(t, ring, deskTime)
	addLedger(t, ring)
	addOffices(t, ring, deskTime, RoleCourt, RoleProtection, RoleNotary, RoleHumanitarian)
	for _, name := range []string{"index", "dedup", "oauth"} {
		if _, err := ring.EnsureSecret(name); err != nil {
			t.Fatal(err)
		}
	}
	return ring
}

// addLedger adds the key of the ledger's checkpoints.
func addLedger(t testing.TB, ring *keys.Ring) {
	t.Helper()
	k, err := keys.New("ledger-1", keys.UseLedger, keys.EdDSA, deskTime.AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(k); err != nil {
		t.Fatal(err)
	}
}

// addSelective adds the P-256 key of what is shown in parts.
func addSelective(t testing.TB, ring *keys.Ring, at time.Time) {
	t.Helper()
	k, err := keys.New("selective-1", keys.UseSelective, keys.ES256, at.AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(k); err != nil {
		t.Fatal(err)
	}
}

func openDesk(t testing.TB, db *store.DB) *desk {
	return openDeskWith(t, Config{DB: db, Ring: newRing(t, keys.EdDSA)})
}

func openDeskWith(t testing.TB, cfg Config) *desk {
	t.Helper()
	d := &desk{t: t, time: deskTime, ring: cfg.Ring}
	cfg.Base, cfg.Now = "https://registry.example", d.clock
	var err error
	if d.Issuer, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := d.Bind(context.Background()); err != nil {
		t.Fatal(explain(err))
	}
	return d
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.time
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.time = d.time.Add(by)
}

var serial atomic.Int64

// newBirth is an ordinary birth that repeats no other, changed by edit.
func newBirth(edit ...func(*vc.Birth)) *vc.Birth {
	n := int(serial.Add(1))
	name := letters(n)
	b := &vc.Birth{
		ChildRef: token(), RecordVersion: 1, Circumstance: "ordinary",
		Names: []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{"G" + name}, Family: []string{"F" + name},
			MRZ: &vc.MRZ{Primary: strings.ToUpper("F" + name), Secondary: strings.ToUpper("G" + name)}}},
		BirthDate:    vc.UncertainDate{Value: "2019-03-05", Precision: "day", Basis: "medicalRecord"},
		Sex:          2,
		PlaceOfBirth: vc.Place{Status: "known", Country: "ZAF", Locality: "George"},
		Parentage: []vc.Parent{{Role: "mother", Status: "known", Filiation: "birth", PersonRef: token(),
			Names:     []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{"M" + name}, Family: []string{"F" + name}}},
			BirthDate: &vc.UncertainDate{Value: "1990-01-02", Precision: "day", Basis: "documentary"}}},
		Registration: vc.Registration{Number: fmt.Sprintf("ZAF-2019-%08d", n), Authority: "https://registry.zaf.example",
			Office: "ZAF-1", Date: "2019-03-09", Mode: "timely", Informant: "mother"},
	}
	for _, e := range edit {
		e(b)
	}
	return b
}

// letters spells a number, so that names differ without digits.
func letters(n int) string {
	out := ""
	for range 6 {
		out = string(rune('a'+n%26)) + out
		n /= 26
	}
	return out
}

func late(b *vc.Birth) {
	b.Registration.Mode, b.Registration.Date = "late", "2025-06-01"
}

// twinOf makes a birth that repeats another one in all but its reference.
func twinOf(b *vc.Birth) func(*vc.Birth) {
	return func(c *vc.Birth) {
		ref := c.ChildRef
		*c = *b
		c.ChildRef = ref
	}
}

// newGuardianship is that of the first parent in the birth record, changed by
// edit.
func newGuardianship(b *vc.Birth, edit ...func(*vc.Guardianship)) *vc.Guardianship {
	mother := b.Parentage[0]
	g := &vc.Guardianship{
		Guardian: vc.Guardian{Kind: "naturalPerson", PersonRef: mother.PersonRef, Names: mother.Names, BirthDate: mother.BirthDate,
			Documents: []vc.Identifier{{Type: "passport", Value: fmt.Sprintf("A%07d", serial.Add(1)), Issuer: "ZAF"}}},
		Ward: vc.Ward{ChildRef: b.ChildRef}, Role: "mother",
		LegalBasis: vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: "ZAF"},
		Powers:     []string{"travelAccompany", "travelConsent", "walletManage"},
		Exercise:   vc.Exercise{Mode: "independent", CoGuardianCount: 2},
		Effective:  vc.Effective{From: b.BirthDate.Value}, Termination: vc.Termination{MajorityAge: 18, MajorityLaw: "ZAF"},
	}
	for _, e := range edit {
		e(g)
	}
	return g
}

// next is the corrected version of a birth, changed by edit.
func next(b *vc.Birth, edit ...func(*vc.Birth)) *vc.Birth {
	n := *b
	n.RecordVersion++
	n.Names = append([]vc.Name(nil), b.Names...)
	n.Amendment = &vc.Amendment{Reason: "clericalCorrection", Effective: "2026-11-01"}
	for _, e := range edit {
		e(&n)
	}
	return &n
}

// renamed gives the child another given name.
func renamed(name string) func(*vc.Birth) {
	return func(b *vc.Birth) {
		b.Names[0].Given = []string{name}
		b.Names[0].MRZ = &vc.MRZ{Primary: b.Names[0].MRZ.Primary, Secondary: strings.ToUpper(name)}
	}
}

func raw(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// birth registers a birth and fails unless it is in the wanted state.
func (d *desk) birth(state string, b *vc.Birth) Outcome {
	d.t.Helper()
	o, err := d.RegisterBirth(context.Background(), rita, raw(d.t, b), "")
	if err != nil {
		d.t.Fatalf("registering a birth: %v", explain(err))
	}
	if o.State != state {
		d.t.Fatalf("the birth is %s (%s), want %s", o.State, o.Rule, state)
	}
	return o
}

func (d *desk) guardianship(state string, g *vc.Guardianship) Outcome {
	d.t.Helper()
	o, err := d.RegisterGuardianship(context.Background(), rita, raw(d.t, g), "")
	if err != nil {
		d.t.Fatalf("registering a guardianship: %v", explain(err))
	}
	if o.State != state {
		d.t.Fatalf("the guardianship is %s (%s), want %s", o.State, o.Rule, state)
	}
	return o
}

// approve has Rob accept.
func (d *desk) approve(o Outcome) Outcome {
	d.t.Helper()
	return d.approveAs(rob, o)
}

// approveAs lets a second person accept what waits.
func (d *desk) approveAs(c Caller, o Outcome) Outcome {
	d.t.Helper()
	if o.Approval == "" {
		d.t.Fatal("the outcome waits for nobody")
	}
	out, err := d.Approve(context.Background(), c, o.Approval, true)
	if err != nil {
		d.t.Fatalf("approving: %v", explain(err))
	}
	return out
}

// state reads state and status of a record.
func (d *desk) state(kind, id string) string {
	d.t.Helper()
	r, err := d.read(context.Background(), rita, kind, id)
	if err != nil {
		return fault.As(err).Code
	}
	return r.State + " " + r.Status
}

// statuses counts the copies of a record by status.
func (d *desk) statuses(kind, id string) string {
	d.t.Helper()
	r, err := d.read(context.Background(), rita, kind, id)
	if err != nil {
		d.t.Fatal(err)
	}
	n := map[string]int{}
	for _, c := range r.Credentials {
		n[c.State]++
	}
	return fmt.Sprintf("%d valid %d suspended %d revoked", n[StatusValid], n[StatusSuspended], n[StatusRevoked])
}

// one reads a single number.
func one(t testing.TB, db *store.DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(context.Background(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// explain shows the cause of an internal error.
func explain(err error) string {
	out := err.Error()
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(e) {
		out += " <- " + e.Error()
	}
	return out
}

func wantFault(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// checkJWT verifies a credential with the issuer's key and gives its content.
func (d *desk) checkJWT(jwt string) *vc.Credential {
	d.t.Helper()
	payload, err := vc.VerifyJWS(jwt, vc.TypCredential, d.ring.Of(keys.UseCredentials)[0].Public())
	if err != nil {
		d.t.Fatalf("the credential does not verify: %v", err)
	}
	c, err := vc.ParseCredential(payload)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// copyFacts are what every copy tells, whatever its format.
type copyFacts struct {
	place       string // status list and index
	holder      string // did:key; "" where it names none
	from, until time.Time
}

// checkCopy verifies a holder's copy with the issuer's key for its format.
func (d *desk) checkCopy(c IssuedCredential) copyFacts {
	d.t.Helper()
	finder := func(use string) vc.KeyFinder {
		return func(method string) (crypto.PublicKey, string, error) {
			k := d.ring.Of(use)[0]
			if method != d.DID()+"#"+k.Name {
				d.t.Fatalf("signed with %s", method)
			}
			return k.Public(), d.DID(), nil
		}
	}
	if c.Profile == ProfileSDJWT {
		x, err := vc.VerifySDJWTVC(c.JWT, vc.SDPolicy{Keys: finder(keys.UseCredentials), Types: []string{sdType(c.Type)},
			Binding: vc.KeyBinding{None: true}, Now: c.ValidFrom})
		if err != nil {
			d.t.Fatalf("the SD-JWT VC does not verify: %v", err)
		}
		var claims struct {
			Cnf struct {
				JWK json.RawMessage `json:"jwk"`
			} `json:"cnf"`
		}
		if err := json.Unmarshal(x.Claims, &claims); err != nil {
			d.t.Fatal(err)
		}
		key, err := vc.ParseJWK(claims.Cnf.JWK)
		if err != nil {
			d.t.Fatal(err)
		}
		holder, err := did.EncodeKey(key)
		if err != nil {
			d.t.Fatal(err)
		}
		list := strings.Replace(x.Status.URI, "/token/", "/revocation/", 1)
		return copyFacts{fmt.Sprint(list, "#", x.Status.Index), holder, x.NotBefore, x.Expires}
	}
	var x *vc.Credential
	if c.Profile == ProfileLDP {
		payload, err := vc.OpenBase([]byte(c.JWT), finder(keys.UseSelective))
		if err != nil {
			d.t.Fatalf("the base proof does not verify: %v", err)
		}
		if x, err = vc.ParseCredential(payload); err != nil {
			d.t.Fatal(err)
		}
	} else {
		x = d.checkJWT(c.JWT)
	}
	var subject struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(x.Subject, &subject); err != nil {
		d.t.Fatal(err)
	}
	if x.ID != "urn:uuid:"+c.ID || len(x.Status) != 2 || x.Status[0].Index != x.Status[1].Index {
		d.t.Fatalf("id or status of the %s credential", c.Profile)
	}
	return copyFacts{x.Status[0].List + "#" + x.Status[0].Index, subject.ID, x.ValidFrom, x.ValidTo}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t, store.SQLite, "issuer")
	good := func() Config {
		return Config{Base: "https://registry.example", DB: db, Ring: newRing(t, keys.EdDSA)}
	}
	for name, edit := range map[string]func(*Config){
		"no database":        func(c *Config) { c.DB = nil },
		"no ring":            func(c *Config) { c.Ring = nil },
		"no base":            func(c *Config) { c.Base = "" },
		"slash":              func(c *Config) { c.Base += "/" },
		"path":               func(c *Config) { c.Base += "/issuer" },
		"no signing key":     func(c *Config) { c.Ring.Keys = nil },
		"selective key only": func(c *Config) { c.Ring.Keys = c.Ring.Keys[1:] },
		"hub key only":       func(c *Config) { c.Ring.Keys[0].Use = keys.UseHub },
		"no secret":          func(c *Config) { delete(c.Ring.Secrets, "dedup") },
		"negative list":      func(c *Config) { c.ListSize = -1 },
		"huge list":          func(c *Config) { c.ListSize = 1 << 40 },
		"short secret":       func(c *Config) { c.Ring.Secrets["index"] = []byte("x") },
	} {
		cfg := good()
		edit(&cfg)
		if i, err := New(cfg); err == nil || i != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	i, err := New(good())
	if err != nil {
		t.Fatal(err)
	}
	if i.DID() != "did:web:registry.example" {
		t.Errorf("DID %s", i.DID())
	}
}

// TestWhoMayDoWhat: who may do what, by role. A caller without a token may nothing.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	ctx := context.Background()
	b := newBirth()
	child := d.birth(StateIssued, b)
	g := d.guardianship(StateIssued, newGuardianship(b))
	nobody := Caller{Name: "Nobody", Role: RoleRegistrar}
	odd := Caller{ID: "x", Name: "Odd", Role: "administrator"}
	type act struct {
		name    string
		allowed []Caller
		do      func(Caller) error
	}
	for _, a := range []act{
		{"register a birth", []Caller{rita}, func(c Caller) error {
			_, err := d.RegisterBirth(ctx, c, raw(t, newBirth()), "")
			return err
		}},
		{"register a guardianship", []Caller{rita, clara, peter}, func(c Caller) error {
			_, err := d.RegisterGuardianship(ctx, c, raw(t, newGuardianship(b)), "")
			return err
		}},
		{"read a birth", []Caller{rita, clara, peter}, func(c Caller) error { _, err := d.Birth(ctx, c, child.ID); return err }},
		{"read a guardianship", []Caller{rita, clara, peter}, func(c Caller) error { _, err := d.Guardianship(ctx, c, g.ID); return err }},
		{"list approvals", []Caller{rita, clara, peter}, func(c Caller) error { _, err := d.Approvals(ctx, c); return err }},
		{"paper", []Caller{rita, clara, peter}, func(c Caller) error { _, _, err := d.Paper(ctx, c, child.ID, g.ID); return err }},
		{"statistics", []Caller{rita, clara, peter, anna}, func(c Caller) error { _, err := d.Statistics(ctx, c); return err }},
		{"correct a birth", []Caller{rita}, func(c Caller) error { return code(d.CorrectBirth(ctx, c, "none", nil, "")) }},
		{"correct a guardianship", []Caller{rita, clara, peter}, func(c Caller) error { return code(d.CorrectGuardianship(ctx, c, "none", nil, "")) }},
		{"release", []Caller{rita}, func(c Caller) error { return code(d.Release(ctx, c, "none", "issue", "")) }},
		{"decide", []Caller{rita, clara, peter}, func(c Caller) error { return code(d.Approve(ctx, c, "none", true)) }},
	} {
		for _, c := range []Caller{rita, clara, peter, anna, nobody, odd} {
			allowed := false
			for _, x := range a.allowed {
				allowed = allowed || x == c
			}
			err := a.do(c)
			if denied := errors.Is(err, ErrNotAllowed); denied == allowed {
				t.Errorf("%s by %s: %v, allowed %v", a.name, c.Name, err, allowed)
			}
		}
	}
}

func code(_ Outcome, err error) error { return err }

// TestNothingPersonalInFaults registers and corrects with a name that must not
// come back in any error, and that no log line may hold.
func TestNothingPersonalInFaults(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := openDeskWith(t, Config{DB: storetest.Open(t, store.SQLite, "issuer"), Ring: newRing(t, keys.EdDSA), Log: newLog(&log)})
	ctx := context.Background()
	const secret = "Xenophon"
	named := func(b *vc.Birth) { b.Names[0].Given = []string{secret} }
	b := newBirth(named)
	o := d.birth(StateIssued, b)
	var errs []error
	try := func(_ Outcome, err error) { errs = append(errs, err) }
	try(d.RegisterBirth(ctx, rita, raw(t, b), ""))
	try(d.RegisterBirth(ctx, rita, raw(t, newBirth(named, func(b *vc.Birth) { b.Sex = 7 })), ""))
	try(d.RegisterBirth(ctx, rita, []byte(`{"`+secret+`":1}`), ""))
	try(d.RegisterBirth(ctx, rita, []byte(secret), ""))
	try(d.RegisterBirth(ctx, rita, raw(t, b), secret+strings.Repeat("x", 200)))
	try(d.CorrectBirth(ctx, rita, o.ID, raw(t, b), ""))
	try(d.CorrectBirth(ctx, rita, secret, raw(t, b), ""))
	try(d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(newBirth(func(b *vc.Birth) { b.ChildRef = secret }))), ""))
	try(d.Approve(ctx, rita, secret, true))
	for n, err := range errs {
		if err == nil {
			t.Errorf("%d: accepted", n)
			continue
		}
		f := fault.As(err)
		all := fmt.Sprint(f.Error(), f.Hint, f.Fields)
		if f.Kind == fault.Internal || strings.Contains(all, secret) || strings.Contains(all, b.ChildRef) {
			t.Errorf("%d: %s", n, all)
		}
	}
	if strings.Contains(log.String(), secret) {
		t.Error("the log holds a name")
	}
}

func newLog(w *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
