// Package audit follows an issuer's ledger from outside: with its public files, the
// trust list and nothing else. It recomputes the ledger's tree from its entries,
// holds it against what it saw before and what others were shown, counts what each
// office issues in each hour, and compares the published status lists with what the
// ledger says, place by place. What it can prove it writes down so that a third
// party can check it without believing the auditor.
package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of auditing: with any of them nothing was found out.
var (
	ErrEntries  = fault.New(fault.Unprocessable, "audit-entries", "the entries on the shelf do not make the tree that is signed")
	ErrHanded   = fault.New(fault.Invalid, "audit-checkpoint", "not a signed checkpoint of this ledger, nor a proof with one")
	ErrTooMuch  = fault.New(fault.TooLarge, "audit-too-much", "the ledger speaks of more status lists than an auditor keeps")
	ErrNoPolicy = fault.New(fault.Internal, "audit-policy", "an audit needs a ledger's policy, a shelf and a directory")
)

// What an audit finds. Those of the first group are proven: the evidence stands
// alone. The others are for people to look at.
const (
	SplitView        = "split-view"        // two parties were shown different histories
	HistoryRewritten = "history-rewritten" // the log does not continue what it was
	EntryMalformed   = "entry-malformed"   // a signed tree holds what is no entry
	RevocationLifted = "revocation-lifted" // the log takes back what is final
	StatusUndone     = "status-undone"     // the log says revoked or suspended, the shelf does not

	StatusUnlogged  = "status-unlogged"   // the shelf says so, the log does not
	IssuedUnlogged  = "issued-unlogged"   // more places are given out than were logged
	IssuedTakenBack = "issued-taken-back" // a place was given out and is not any more
	BundleUndone    = "bundle-undone"     // the ledger says revoked or suspended, a hub's bundle does not
	BundleUnlogged  = "bundle-unlogged"   // a hub's bundle says what ledger and shelf do not
	BundleLifted    = "bundle-lifted"     // a hub was given lists that take back what is final
	ViewAhead       = "view-ahead"        // another party was shown more than the shelf has
	FactUnlogged    = "fact-unlogged"     // a published key or trust list is not in the log
	ListUnusable    = "list-unusable"
	ListGone        = "list-gone"
	PlaceOutside    = "place-outside"
	LogShrunk       = "log-shrunk"
	HourBackdated   = "hour-backdated"
	HourFuture      = "hour-future"
	OfficeNew       = "office-new"
	OfficeHour      = "office-hour"
	OfficeDay       = "office-day"
	OfficeBurst     = "office-burst"
	ChangesBurst    = "changes-burst"
)

// Finding is one thing that an audit found, or several alike. Nothing in it is
// about a person: the ledger knows of none.
type Finding struct {
	Code     string    `json:"code"`
	Proven   bool      `json:"proven"`
	Detail   string    `json:"detail"`
	Office   string    `json:"office,omitempty"`
	Hour     time.Time `json:"hour,omitzero"`
	List     int64     `json:"list,omitempty"`
	Index    int64     `json:"index,omitempty"`
	Entry    int64     `json:"entry,omitempty"`
	Count    int64     `json:"count"`
	Source   string    `json:"source,omitempty"`
	Hub      string    `json:"hub,omitempty"`      // whose bundle it is about
	Evidence string    `json:"evidence,omitempty"` // file
}

// Counted is what an office did in an hour, of what is new.
type Counted struct {
	Office string    `json:"office"`
	Hour   time.Time `json:"hour"`
	Count  int64     `json:"count"`
}

// Report is the outcome of a round.
type Report struct {
	Origin   string               `json:"origin"`
	At       time.Time            `json:"at"`
	Size     int64                `json:"size"`
	Root     string               `json:"root"`
	Seen     map[string]time.Time `json:"witnesses,omitempty"`
	New      int64                `json:"new"` // entries
	Kinds    map[string]int64     `json:"kinds"`
	Counts   []Counted            `json:"counts,omitempty"`
	Lists    int                  `json:"lists"`             // signed lists compared with the ledger
	Others   int                  `json:"others"`            // checkpoints of others compared with it
	Bundles  int                  `json:"bundles,omitempty"` // of hubs, compared with it
	Findings []Finding            `json:"findings"`
	Notes    []string             `json:"notes,omitempty"` // what was not looked at, and why
}

// Proven reports whether there is proof of misbehaviour.
func (r *Report) Proven() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Proven })
}

// Fact is a public document that the ledger has to commit to.
type Fact struct {
	Name       string
	Commitment [32]byte
}

// Handed is a checkpoint that another party gave away: as a signed note, a C2SP
// tlog-proof, or JSON with such a proof.
type Handed struct {
	From string
	Data []byte
}

// Config says what is audited.
type Config struct {
	Policy    tlog.Policy
	Shelf     Source
	Base      string        // the shelf's public address, by which lists name themselves
	Keys      vc.KeyFinder  // who may sign status lists; nil: lists are not looked at
	Also      []Source      // mirrors and other views of the same shelf
	Witnesses []Source      // that say which checkpoint they cosigned last
	Handed    []Handed      // checkpoints of others
	Dir       string        // for state and evidence
	Settle    time.Duration // how long list and ledger may differ before it counts; default two minutes
	Now       func() time.Time
	// Facts gives the public documents that the ledger must commit to, out of the
	// shelf and whatever else is known; nil: none are looked for.
	Facts func(ctx context.Context, shelf Source) ([]Fact, error)
	// Bundles gives what hubs tell posts, newly asked in every round; nil: hubs are
	// not looked at.
	Bundles func(ctx context.Context) ([]Bundle, error)
	// Progress is told now and then how far a long reading is.
	Progress func(done, size int64)
}

// Auditor audits one ledger. It is used by one goroutine.
type Auditor struct {
	cfg Config
	log tlog.Policy // the policy without witnesses: who signs answers for it
}

// New makes an auditor.
func New(cfg Config) (*Auditor, error) {
	if cfg.Policy.Log.Name == "" || cfg.Shelf == nil || cfg.Dir == "" {
		return nil, ErrNoPolicy
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Settle <= 0 {
		cfg.Settle = 2 * time.Minute
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	a := &Auditor{cfg: cfg, log: cfg.Policy}
	a.log.Quorum = 0
	for _, h := range cfg.Handed {
		if _, _, err := a.handed(h.Data); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// asked lists who is asked for checkpoints.
func (a *Auditor) asked() []string {
	out := []string{a.cfg.Shelf.String()}
	for _, s := range append(slices.Clone(a.cfg.Also), a.cfg.Witnesses...) {
		out = append(out, s.String())
	}
	for _, h := range a.cfg.Handed {
		out = append(out, h.From)
	}
	return out
}

func (a *Auditor) stateFile() string { return filepath.Join(a.cfg.Dir, "state.json") }

// round is one pass over the ledger.
type round struct {
	*Auditor
	now    time.Time
	state  *state
	kept   tlog.Checkpoint // of the state's
	keptAt time.Time
	listed time.Time // of the newest list that was seen in earlier rounds

	signed []byte // of this round
	tip    tlog.Signed

	forms  []form  // the lists on the shelf
	beyond *beyond // what the log tells without enough witnesses

	fresh   int64
	counted map[officeHour]int64
	open    map[officeHour]bool
	report  *Report
	saved   time.Time
}

// Round audits once. An error says that nothing could be found out; the report
// has what was found before it.
func (a *Auditor) Round(ctx context.Context) (*Report, error) {
	r := &round{Auditor: a, now: a.cfg.Now().UTC(), counted: map[officeHour]int64{}, open: map[officeHour]bool{}, saved: time.Now()}
	r.report = &Report{Origin: a.cfg.Policy.Log.Name, At: r.now.Truncate(time.Second), Findings: []Finding{}, Kinds: map[string]int64{}}
	err := r.run(ctx)
	if r.state != nil {
		for _, f := range r.state.Proven {
			if !slices.ContainsFunc(r.report.Findings, func(g Finding) bool { return g.Evidence == f.Evidence }) {
				r.report.Findings = append(r.report.Findings, f)
			}
		}
	}
	slices.SortStableFunc(r.report.Findings, func(x, y Finding) int { return order(x) - order(y) })
	return r.report, err
}

func order(f Finding) int {
	if f.Proven {
		return 0
	}
	return 1
}

func (r *round) run(ctx context.Context) error {
	if err := r.resume(); err != nil {
		return err
	}
	whole, err := r.follow(ctx)
	if err != nil {
		return err
	}
	if err := r.others(ctx); err != nil {
		return err
	}
	if whole {
		if err := r.lists(ctx); err != nil {
			return err
		}
		if err := r.facts(ctx); err != nil {
			return err
		}
		for k := range r.open {
			r.judge(k)
		}
		if err := r.prove(ctx); err != nil {
			return err
		}
	}
	var failed error
	if whole && r.cfg.Keys != nil {
		failed = r.bundles(ctx) // of what hubs say nothing is kept
	}
	r.tellBeyond()
	r.sum()
	return errors.Join(r.keep(), failed)
}

// resume reads the state: that of a reading that was interrupted, if there is one.
func (r *round) resume() error {
	s, err := load(r.stateFile(), r.cfg.Policy.Log.Name)
	if err != nil {
		return err
	}
	if s.Kept != "" {
		c, err := r.log.Open([]byte(s.Kept))
		if err != nil {
			return ErrState.With(err)
		}
		if s.tree.size != c.Size || s.tree.root() != c.Root {
			return ErrState
		}
		r.kept, r.keptAt, r.listed = c.Checkpoint, s.KeptAt, s.Listed
	} else if s.tree.size != 0 {
		return ErrState
	}
	r.state = s
	// What was read of the next part is proven only with its end; whatever is
	// wrong with the file, the reading begins again.
	if p, err := load(r.stateFile()+".part", r.cfg.Policy.Log.Name); err == nil && p.Kept == s.Kept && p.tree.size > s.tree.size {
		r.state, r.report.Findings = p, append(r.report.Findings, p.Pending...)
		p.Pending = nil
		for label, o := range p.Offices {
			for h := range o.Hours {
				if h >= p.Newest-24 {
					r.open[officeHour{label, h}] = true
				}
			}
		}
	}
	return nil
}

func (r *round) keep() error {
	if err := r.state.save(r.stateFile()); err != nil {
		return err
	}
	if err := os.Remove(r.stateFile() + ".part"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// checkpoint fetches the newest checkpoint of a source that the policy believes.
func (a *Auditor) checkpoint(ctx context.Context, from Source, p tlog.Policy) ([]byte, tlog.Signed, error) {
	paths := []string{"ledger/checkpoint"}
	if p.Quorum > 0 {
		paths = []string{"ledger/checkpoint/witnessed", "ledger/checkpoint"}
	}
	var failed error
	for _, path := range paths {
		data, err := from.Get(ctx, path, "", maxCheckpoint)
		if err == nil {
			var c tlog.Signed
			if c, err = p.Open(data); err == nil {
				return data, c, nil
			}
		}
		if failed == nil || errors.Is(failed, ErrMissing) {
			failed = err
		}
	}
	return nil, tlog.Signed{}, failed
}

// follow goes on from the kept checkpoint to the newest one. whole says that the
// state now holds all that the newest one signs.
func (r *round) follow(ctx context.Context) (whole bool, err error) {
	r.signed, r.tip, err = r.checkpoint(ctx, r.cfg.Shelf, r.cfg.Policy)
	if err != nil {
		return false, r.unwitnessed(ctx, err)
	}
	rep := r.report
	rep.Size, rep.Root, rep.Seen = r.tip.Size, r.tip.Root.String(), r.tip.Seen
	switch {
	case r.tip.Size < r.kept.Size:
		r.find(Finding{Code: LogShrunk, Detail: fmt.Sprintf("the shelf shows %d entries and had %d", r.tip.Size, r.kept.Size), Source: r.cfg.Shelf.String()})
		for _, e := range append(slices.Clone(r.state.Earlier), r.state.Kept) {
			if err := r.rewritten(ctx, view{from: seenBefore, signed: []byte(e)}); err != nil {
				rep.Notes = append(rep.Notes, "the tiles of the smaller log cannot be read")
				break
			}
		}
		return false, nil
	case r.tip.Size == r.kept.Size && r.kept.Origin != "":
		if r.tip.Root != r.kept.Root {
			return false, r.rewritten(ctx, view{from: seenBefore, signed: []byte(r.state.Kept)})
		}
		r.state.keepSame(r.signed, r.tip)
		return true, nil
	}
	return r.read(ctx)
}

// unwitnessed looks at what the log shows without the witnesses that it should
// have: nothing of it is believed, but it may contradict what was seen. why is
// returned in any case.
func (r *round) unwitnessed(ctx context.Context, why error) error {
	if r.kept.Size == 0 || !errors.Is(why, tlog.ErrUnsigned) && !errors.Is(why, ErrMissing) {
		return why
	}
	var err error
	if r.signed, r.tip, err = r.checkpoint(ctx, r.cfg.Shelf, r.log); err != nil {
		return why
	}
	if err := r.rewritten(ctx, view{from: seenBefore, signed: []byte(r.state.Kept)}); err != nil {
		r.report.Notes = append(r.report.Notes, "the checkpoint without witnesses cannot be compared: "+fault.As(err).Code)
	}
	return why
}

// read takes in the entries up to the tip and holds their root against it.
func (r *round) read(ctx context.Context) (whole bool, err error) {
	if r.state.tree.size > r.tip.Size { // what was half read is not in this tree
		if err := os.Remove(r.stateFile() + ".part"); err != nil {
			return false, err
		}
		if err := r.again(); err != nil {
			return false, err
		}
	}
	resumed := r.state.tree.size > r.kept.Size
	err = stream(ctx, r.cfg.Shelf, r.state.tree.size, r.tip.Size, func(index int64, raw []byte) error {
		if err := r.replay(index, raw); err != nil {
			return err
		}
		if index&0xffff == 0xffff {
			return r.pause(index + 1)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if r.state.tree.root() == r.tip.Root {
		r.state.keep(r.signed, r.tip, r.now)
		return true, nil
	}
	// Either the log is not what it was, or the shelf serves other entries than
	// are signed. The tiles, which are held against the root, tell which.
	if err := os.Remove(r.stateFile() + ".part"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := r.again(); err != nil {
		return false, err
	}
	if r.kept.Size > 0 {
		if err := r.rewritten(ctx, view{from: seenBefore, signed: []byte(r.state.Kept)}); err != nil {
			return false, ErrEntries.With(err)
		}
		if r.report.Proven() {
			return false, nil
		}
	}
	if resumed {
		return r.read(ctx)
	}
	return false, ErrEntries
}

// again forgets what is not proven.
func (r *round) again() error {
	s, err := load(r.stateFile(), r.cfg.Policy.Log.Name)
	if err != nil {
		return err
	}
	r.state, r.fresh, r.counted, r.open = s, 0, map[officeHour]int64{}, map[officeHour]bool{}
	r.report.Findings = []Finding{}
	return nil
}

// pause saves how far a long reading is.
func (r *round) pause(done int64) error {
	if r.cfg.Progress != nil {
		r.cfg.Progress(done, r.tip.Size)
	}
	if time.Since(r.saved) < 20*time.Second {
		return nil
	}
	r.saved = time.Now()
	// What was found is told again only by whoever reads it again: the state of
	// a half reading carries it.
	r.state.Pending = r.report.Findings
	return r.state.save(r.stateFile() + ".part")
}

// find adds a finding, or counts one like it.
func (r *round) find(f Finding) *Finding {
	if f.Count == 0 {
		f.Count = 1
	}
	for i := range r.report.Findings {
		g := &r.report.Findings[i]
		if g.Code == f.Code && g.Office == f.Office && g.Hour.Equal(f.Hour) && g.List == f.List && g.Source == f.Source && g.Hub == f.Hub && g.Code != StatusUndone {
			g.Count += f.Count
			return g
		}
	}
	if len(r.report.Findings) >= maxFindings {
		last := &r.report.Findings[len(r.report.Findings)-1]
		last.Count += f.Count
		return last
	}
	r.report.Findings = append(r.report.Findings, f)
	return &r.report.Findings[len(r.report.Findings)-1]
}

const maxFindings = 500

// proven writes the evidence of a finding. One whose evidence does not stand
// alone is not proven.
func (r *round) proven(f Finding, e *Evidence) error {
	name, err := r.file(e)
	if errors.Is(err, ErrNotProven) {
		r.find(f)
		return nil
	}
	if err != nil {
		return err
	}
	f.Proven, f.Evidence = true, name
	r.find(f)
	if len(r.state.Proven) < maxProven && !slices.ContainsFunc(r.state.Proven, func(g Finding) bool { return g.Evidence == name }) {
		r.state.Proven = append(r.state.Proven, f)
		// It stays told even if the rest of the round cannot be done; of the rest
		// of the state nothing is proven yet.
		s, err := load(r.stateFile(), r.cfg.Policy.Log.Name)
		if err != nil {
			return err
		}
		s.Proven = r.state.Proven
		return s.save(r.stateFile())
	}
	return nil
}

// handed reads a checkpoint that somebody gave away.
func (a *Auditor) handed(data []byte) (tlog.Signed, []byte, error) {
	signed, err := Handover(data)
	if err != nil {
		return tlog.Signed{}, nil, err
	}
	c, err := a.log.Open(signed)
	if err != nil {
		return tlog.Signed{}, nil, ErrHanded.With(err)
	}
	return c, signed, nil
}

// Handover finds the signed checkpoint in what a party handed over: the
// checkpoint itself, a C2SP tlog-proof, or JSON with such a proof as "proof".
func Handover(data []byte) ([]byte, error) {
	if len(data) > 256<<10 {
		return nil, ErrHanded
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var j struct {
			Proof string `json:"proof"`
		}
		if err := json.Unmarshal(data, &j); err != nil || j.Proof == "" {
			return nil, ErrHanded.With(err)
		}
		data = []byte(j.Proof)
		if b, err := base64.StdEncoding.DecodeString(j.Proof); err == nil {
			data = b
		} else if b, err := base64.RawURLEncoding.DecodeString(j.Proof); err == nil {
			data = b
		}
	}
	if rest, ok := bytes.CutPrefix(data, []byte("c2sp.org/tlog-proof@v1\n")); ok {
		_, signed, two := strings.Cut(string(rest), "\n\n")
		if !two {
			return nil, ErrHanded
		}
		return []byte(signed), nil
	}
	return data, nil
}

// prove makes the evidence of what was found in the entries.
func (r *round) prove(ctx context.Context) error {
	found := r.report.Findings
	r.report.Findings = []Finding{}
	made := map[string]int{}
	for _, f := range found {
		var e *Evidence
		var err error
		if made[f.Code] < 3 {
			switch f.Code {
			case EntryMalformed:
				e, err = r.entries(ctx, f.Code, f.Entry)
			case RevocationLifted:
				var first int64
				if first, err = r.locate(ctx, uint32(f.List), uint32(f.Index), tlog.Invalid); err == nil {
					e, err = r.entries(ctx, f.Code, first, f.Entry)
				}
			}
		}
		if err != nil {
			return err
		}
		if e == nil {
			r.report.Findings = append(r.report.Findings, f)
			continue
		}
		made[f.Code]++
		if err := r.proven(f, e); err != nil {
			return err
		}
	}
	return nil
}

// entries gives evidence of entries with the proofs that they are in the tip.
func (r *round) entries(ctx context.Context, kind string, indexes ...int64) (*Evidence, error) {
	e := &Evidence{Kind: kind}
	for _, i := range indexes {
		t := tlog.EntryBundle(i, r.tip.Size)
		data, err := fetchTile(ctx, r.cfg.Shelf, t, maxBundle)
		if err != nil {
			return nil, err
		}
		raw, err := tlog.EntryOf(data, i)
		if err != nil {
			return nil, err
		}
		proof, err := tlog.Prove(i, r.signed, hashes(ctx, r.cfg.Shelf, r.tip.Checkpoint))
		if err != nil {
			return nil, err
		}
		e.Entries = append(e.Entries, EvidenceEntry{bytes.Clone(raw), string(proof)})
	}
	return e, nil
}

// locate finds the first entry by which a place got a status. It reads the ledger
// from its beginning, which only evidence is worth.
func (r *round) locate(ctx context.Context, list, index uint32, status tlog.Status) (int64, error) {
	found := errors.New("found")
	var where int64
	err := stream(ctx, r.cfg.Shelf, 0, r.tip.Size, func(i int64, raw []byte) error {
		e, err := tlog.ParseEntry(raw)
		if err == nil && e.Kind == tlog.Changed && e.List == list && e.Index == index && e.Status == status {
			where = i
			return found
		}
		return nil
	})
	if errors.Is(err, found) {
		return where, nil
	}
	if err == nil {
		err = ErrEntries
	}
	return 0, err
}

// factPatience is how long a public document may be missing: an issuer looks for
// new ones every few minutes.
const factPatience = 15 * time.Minute

// facts looks for the commitments to public documents.
func (r *round) facts(ctx context.Context) error {
	if r.cfg.Facts == nil {
		return nil
	}
	facts, err := r.cfg.Facts(ctx, r.cfg.Shelf)
	if err != nil {
		return err
	}
	// A document may be published before it is in the log: it counts when it is missing
	// for longer than that takes.
	missing := map[string]time.Time{}
	for _, f := range facts {
		if r.state.facts[string(f.Commitment[:])] {
			continue
		}
		name := base64.StdEncoding.EncodeToString(f.Commitment[:])
		since, known := r.state.Missing[name]
		if !known {
			since = r.cfg.Now()
		}
		if len(missing) < maxFacts {
			missing[name] = since
		}
		if r.cfg.Now().Sub(since) >= factPatience {
			if r.beyond != nil && r.beyond.facts[string(f.Commitment[:])] {
				r.beyond.explains++
				continue
			}
			r.find(Finding{Code: FactUnlogged, Detail: f.Name + " is published and not in the log", Source: f.Name})
		}
	}
	r.state.Missing = missing
	return nil
}

// sum completes the report.
func (r *round) sum() {
	rep := r.report
	rep.New = r.fresh
	rep.Kinds = r.state.Kinds
	for k, n := range r.counted {
		rep.Counts = append(rep.Counts, Counted{k.office, at(k.hour), n})
	}
	slices.SortFunc(rep.Counts, func(a, b Counted) int {
		if c := b.Hour.Compare(a.Hour); c != 0 {
			return c
		}
		return strings.Compare(a.Office, b.Office)
	})
	if len(rep.Counts) > 1000 {
		rep.Counts = rep.Counts[:1000]
		rep.Notes = append(rep.Notes, "counts of older hours are left out")
	}
}
