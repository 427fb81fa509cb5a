package issuer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// Limits of an import.
const (
	maxLine   = 64 << 10 // bytes of one line
	batchSize = 1000     // lines that share a transaction, at most
	batchText = 4 << 20  // and bytes, about
)

// ErrImport says that an import cannot start as it was asked for.
var ErrImport = fault.New(fault.Invalid, "import-invalid", "an import needs the names of its operator and of the person who approved it")

// ImportConfig says what to import. The files are JSON Lines: one registration
// per line, up to 64 KiB each; blank lines are skipped. Births come before
// guardianships.
type ImportConfig struct {
	Births        io.Reader // registrations of births; nil: none
	Guardianships io.Reader // registrations of guardianships; nil: none
	// Refused gets one JSON object per refused line, with the line itself: it is
	// the registrar's own data and goes back to the registrar. nil: none.
	Refused  io.Writer
	At       time.Time // the time to check and issue at; zero: now
	Operator string    // who imports
	Approver string    // who approved the batch; another person
	Progress func(lines int)
}

// Summary counts what became of the lines. Accepted, Refused and Held together
// are all lines; NotIssued are those of the accepted for which no credential is
// issued, because the mandate is over or the ward is of age.
type Summary struct {
	Batch     string `json:"batch"`
	Accepted  int    `json:"accepted"`
	Refused   int    `json:"refused"`
	Held      int    `json:"held"`
	NotIssued int    `json:"notIssued"`
	Seen      int    `json:"seen"` // of the accepted and held, registered before
	// Rules counts the lines that are held, not issued or without a border
	// profile (MRZ_NEEDED), by the rule that says why.
	Rules     map[string]int `json:"rules"`
	Recovered Recovered      `json:"recovered"`
	PerSecond float64        `json:"perSecond"` // lines
}

// RefusedLine is one line that was not accepted, as Refused gets it.
type RefusedLine struct {
	File         string          `json:"file"` // births or guardianships
	Line         int             `json:"line"` // from 1
	Fields       []fault.Field   `json:"fields"`
	Registration json.RawMessage `json:"registration,omitempty"` // the line; absent if it is not JSON
}

// Import registers the lines of two files, and issues their paper credentials,
// in batches that use every core. It may be killed at any moment: the same
// import again goes on where it was, with nothing lost and nothing issued
// twice. A line is known by the SHA-256 of its JCS form, so one that was
// registered before is accepted (or held) again and changes nothing.
//
// The operator and the approver answer for every record of the batch, so no
// record waits for another second person. A line that looks like another birth
// is held, as are the guardianships of a child who is held.
func (i *Issuer) Import(ctx context.Context, cfg ImportConfig) (Summary, error) {
	switch {
	case cfg.Operator == "" || cfg.Approver == "" || len(cfg.Operator) > 200 || len(cfg.Approver) > 200:
		return Summary{}, ErrImport
	case cfg.Operator == cfg.Approver:
		return Summary{}, ErrSamePerson
	}
	if cfg.At.IsZero() {
		cfg.At = i.now()
	}
	if cfg.Refused == nil {
		cfg.Refused = io.Discard
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int) {}
	}
	if err := i.signsAt(cfg.At); err != nil {
		return Summary{}, err
	}
	m := &importer{Issuer: i, cfg: cfg, out: json.NewEncoder(cfg.Refused)}
	m.out.SetEscapeHTML(false)
	m.sum.Batch, m.sum.Rules = token(), map[string]int{}
	m.src = source{
		caller:   Caller{ID: "import:" + m.sum.Batch, Name: cfg.Operator, Role: RoleRegistrar},
		approver: cfg.Approver,
		batch:    m.sum.Batch,
		at:       cfg.At.UTC(),
	}
	var err error
	if m.sum.Recovered, err = i.recover(ctx, always, ""); err != nil {
		return m.sum, err
	}
	if err := i.store.addBatch(ctx, m.sum.Batch, cfg.Operator, cfg.Approver, m.src.at); err != nil {
		return m.sum, err
	}
	start := time.Now()
	for _, f := range []struct {
		name, kind string
		r          io.Reader
	}{{"births", KindBirth, cfg.Births}, {"guardianships", KindGuardianship, cfg.Guardianships}} {
		if f.r == nil {
			continue
		}
		if err := m.read(ctx, f.name, f.kind, f.r); err != nil {
			return m.sum, err
		}
	}
	if s := time.Since(start).Seconds(); s > 0 {
		m.sum.PerSecond = float64(m.sum.Accepted+m.sum.Refused+m.sum.Held) / s
	}
	return m.sum, nil
}

// signsAt refuses a time of issue at which no key signs, or not the one that
// signs now: what it signed would be refused by every verifier.
func (i *Issuer) signsAt(t time.Time) error {
	k, err := i.cfg.Ring.Current(keys.UseCredentials, i.now())
	if err == nil && k.ValidAt(t) {
		return nil
	}
	return keys.ErrNoKey.WithDetail("no signing key is valid at the time of the import").
		WithHint("make a key that begins earlier with --from, or import at a later time")
}

// importer is one run of Import.
type importer struct {
	*Issuer
	cfg ImportConfig
	src source
	out *json.Encoder
	sum Summary
}

// line is one line on its way: refused, seen before, or an entry to register.
type line struct {
	number int
	raw    []byte // nil if it was too long to read
	digest []byte
	guard  *vc.Guardianship
	seen   *row
	entry  *entry
	fault  *fault.Fault
}

// lines is a batch; ready is closed when it was checked.
type lines struct {
	list  []*line
	ready chan struct{}
	err   error
}

// read takes one file through the stages: read, check and sign (all cores),
// register (in the order of the file, so that of two duplicates the first one
// counts), and sign and seal what could not be signed before (all cores).
func (m *importer) read(ctx context.Context, file, kind string, r io.Reader) error {
	g, ctx := errgroup.WithContext(ctx)
	cores := runtime.GOMAXPROCS(0)
	work := make(chan *lines, cores)
	ordered := make(chan *lines, cores)
	signing := make(chan []*draft, cores)
	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		return split(r, func(b *lines) error {
			for _, c := range []chan *lines{ordered, work} {
				select {
				case c <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	for range cores {
		g.Go(func() error {
			for b := range work {
				b.err = m.check(ctx, kind, b.list)
				close(b.ready)
			}
			return nil
		})
		g.Go(func() error {
			for ds := range signing {
				if err := m.seal(ctx, ds...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(signing)
		for b := range ordered {
			select {
			case <-b.ready:
			case <-ctx.Done():
				return ctx.Err()
			}
			if b.err != nil {
				return b.err
			}
			drafts, err := m.add(ctx, file, kind, b.list)
			if err != nil {
				return err
			}
			select {
			case signing <- drafts:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return g.Wait()
}

// split cuts a file into batches of lines.
func split(r io.Reader, emit func(*lines) error) error {
	in := bufio.NewReaderSize(r, maxLine+2)
	b, size := &lines{ready: make(chan struct{})}, 0
	for n := 1; ; n++ {
		raw, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return err
		}
		raw = bytes.TrimSpace(raw)
		if n == 1 {
			raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // some editors begin a file so
		}
		switch {
		case long || len(raw) > maxLine:
			f := fault.New(fault.TooLarge, "line-too-long", "the line is longer than 64 KiB")
			b.list = append(b.list, &line{number: n, fault: f})
		case len(raw) > 0:
			b.list = append(b.list, &line{number: n, raw: bytes.Clone(raw)})
			size += len(raw)
		}
		if len(b.list) == batchSize || size >= batchText || (err == io.EOF && len(b.list) > 0) {
			if err := emit(b); err != nil {
				return err
			}
			b, size = &lines{ready: make(chan struct{})}, 0
		}
		if err == io.EOF {
			return nil
		}
	}
}

// check does with a batch what needs no transaction: which lines are known,
// which are refused, and what the others would be issued, signed.
func (m *importer) check(ctx context.Context, kind string, list []*line) error {
	if err := m.findKnown(ctx, kind, list); err != nil {
		return err
	}
	var err error
	var refs []string
	for _, l := range list {
		if l.seen != nil || l.fault != nil {
			continue
		}
		if kind == KindBirth {
			err = m.checkBirth(ctx, l)
		} else if l.guard, err = CheckGuardianship(l.raw, m.src.at); err == nil {
			refs = append(refs, l.guard.Ward.ChildRef)
		}
		if err = l.refuse(err); err != nil {
			return err
		}
	}
	if kind != KindBirth {
		if err := m.checkWards(ctx, list, refs); err != nil {
			return err
		}
	}
	for _, l := range list {
		if l.entry == nil {
			continue
		}
		if err := m.signAhead(l.entry.draft); err != nil {
			return err
		}
	}
	return nil
}

// findKnown finds the lines that were registered before.
func (m *importer) findKnown(ctx context.Context, kind string, list []*line) error {
	var digests [][]byte
	var refs []string
	byRef := map[*line]string{}
	for _, l := range list {
		if l.raw == nil {
			continue
		}
		// A line without a JCS form has no identity; the checks refuse it.
		d, err := lineDigest(l.raw)
		if err != nil {
			continue
		}
		l.digest = d
		digests = append(digests, d)
		var b struct {
			ChildRef string `json:"childRef"`
		}
		if kind == KindBirth && json.Unmarshal(l.raw, &b) == nil {
			byRef[l] = b.ChildRef
			refs = append(refs, b.ChildRef)
		}
	}
	if kind == KindBirth {
		known, err := m.store.knownBirths(ctx, m.db, refs)
		for _, l := range list {
			if r, ok := known[byRef[l]]; ok && bytes.Equal(r.Digest, l.digest) {
				l.seen = &r
			}
		}
		return err
	}
	known, err := m.store.knownGuardianships(ctx, m.db, digests)
	for _, l := range list {
		if r, ok := known[string(l.digest)]; ok {
			l.seen = &r
		}
	}
	return err
}

func (m *importer) checkBirth(ctx context.Context, l *line) error {
	b, err := CheckBirth(l.raw, m.src.at)
	if err != nil {
		return err
	}
	if l.digest == nil {
		return vc.ErrJSON
	}
	l.entry, err = m.birthEntry(ctx, b, l.digest, m.src)
	return err
}

// checkWards prepares the guardianships of a batch that were not refused.
func (m *importer) checkWards(ctx context.Context, list []*line, refs []string) error {
	wards, err := m.store.wards(ctx, m.db, refs)
	if err != nil {
		return err
	}
	for _, l := range list {
		if l.guard == nil || l.fault != nil {
			continue
		}
		if l.digest == nil {
			l.fault = vc.ErrJSON
			continue
		}
		l.entry, err = m.guardianshipEntry(ctx, l.guard, l.digest, wards[l.guard.Ward.ChildRef], m.src)
		if err := l.refuse(err); err != nil {
			return err
		}
	}
	return nil
}

// refuse keeps a fault as the line's own; any other error is nobody's line and
// ends the import.
func (l *line) refuse(err error) error {
	if err == nil {
		return nil
	}
	f := fault.As(err)
	if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return err
	}
	l.fault = f
	return nil
}

// add registers a checked batch in one transaction and counts its lines. It
// gives the credentials that were reserved.
func (m *importer) add(ctx context.Context, file, kind string, list []*line) ([]*draft, error) {
	var entries []*entry
	for _, l := range list {
		if l.entry != nil {
			entries = append(entries, l.entry)
		}
	}
	if len(entries) > 0 {
		w := &work{births: entries}
		if kind == KindGuardianship {
			w = &work{wards: entries}
		}
		if err := m.store.submit(ctx, w); err != nil {
			return nil, err
		}
	}
	var drafts []*draft
	for _, l := range list {
		if l.entry != nil && errors.Is(l.entry.err, errStale) {
			if err := m.addAgain(ctx, l); err != nil {
				return nil, err
			}
		}
		if e := l.entry; e != nil && e.stored() && len(e.outcome.Credentials) > 0 {
			drafts = append(drafts, e.draft)
		} else if e != nil && !e.kept() {
			m.drop(e.draft)
		}
		if err := m.count(file, l); err != nil {
			return nil, err
		}
	}
	m.cfg.Progress(len(list))
	return drafts, nil
}

// addAgain registers a guardianship whose ward changed while it was checked.
func (m *importer) addAgain(ctx context.Context, l *line) error {
	for range 5 {
		m.drop(l.entry.draft)
		l.entry = nil
		if err := m.checkWards(ctx, []*line{l}, []string{l.guard.Ward.ChildRef}); err != nil || l.fault != nil {
			return err
		}
		if err := m.store.submit(ctx, &work{wards: []*entry{l.entry}}); err != nil {
			return err
		}
		if !errors.Is(l.entry.err, errStale) {
			return nil
		}
	}
	return ErrRecordChanged
}

// count adds a line to the summary, and to the refused ones if it was.
func (m *importer) count(file string, l *line) error {
	state, rule := "", ""
	switch e := l.entry; {
	case l.seen != nil:
		state, rule = l.seen.State, l.seen.Rule
		m.sum.Seen++
	case e == nil:
	case e.seen != nil:
		state, rule = e.seen.State, e.seen.Rule
		m.sum.Seen++
	case e.err != nil:
		if err := l.refuse(e.err); err != nil {
			return err
		}
	default:
		state, rule = e.outcome.State, e.outcome.Rule
	}
	if l.fault == nil && rule != "" {
		m.sum.Rules[rule]++
	}
	switch {
	case l.fault != nil:
		m.sum.Refused++
		return m.writeRefused(file, l)
	case state == StateHeld:
		m.sum.Held++
	case state == StateNotIssued:
		m.sum.NotIssued++
		m.sum.Accepted++
	default:
		m.sum.Accepted++
	}
	return nil
}

func (m *importer) writeRefused(file string, l *line) error {
	r := RefusedLine{File: file, Line: l.number, Fields: l.fault.Fields}
	if len(r.Fields) == 0 {
		r.Fields = []fault.Field{{Path: "", Rule: l.fault.Code}}
	}
	if utf8.Valid(l.raw) && json.Valid(l.raw) {
		r.Registration = l.raw
	}
	return m.out.Encode(r)
}
