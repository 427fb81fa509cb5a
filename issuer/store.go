package issuer

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Store is the issuer's database. Each method is a whole step of the domain,
// in one transaction.
//
// Every transaction that adds or changes records takes the pen first (table
// pen), so these transactions are one after another on all replicas. Concurrent
// registrations of one process share a transaction: see submit.
type Store struct {
	db    *store.DB
	now   func() time.Time
	lists lists
	queue queue
	keys  newKeys
	// retain is how long a list is published after its quarter.
	retain time.Duration
	batch  int // see batch
	sample int // see walkSample
	// When keys are sorted into dedup, and how long one transaction does that.
	flush    int
	flushFor time.Duration
}

func newStore(cfg Config) *Store {
	s := &Store{db: cfg.DB, retain: cfg.Retain, batch: batch, sample: walkSample, flush: flushAt, flushFor: flushFor, now: func() time.Time { return cfg.Now().UTC() }}
	s.lists = lists{s: s, size: cfg.ListSize, open: map[listName]*lease{}}
	copy(s.lists.key[:], cfg.Ring.Secret("index"))
	return s
}

// write runs fn in a transaction that has the register to itself. fn may run
// again.
func (s *Store) write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE pen SET n = n + 1 WHERE id = 1`); err != nil {
			return err
		}
		return fn(tx)
	})
}

// binding says whose database this is.
type binding struct {
	did          string
	index, dedup []byte // fingerprints of secrets
}

// bind stores whose database this is if nobody did, and refuses another one.
func (s *Store) bind(ctx context.Context, b binding) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO binding (id, did, index_print, dedup_print, created) VALUES (1, $1, $2, $3, $4)
			ON CONFLICT (id) DO NOTHING`, b.did, b.index, b.dedup, store.Micros(s.now())); err != nil {
			return err
		}
		var has binding
		if err := tx.QueryRowContext(ctx, `SELECT did, index_print, dedup_print FROM binding WHERE id = 1`).Scan(&has.did, &has.index, &has.dedup); err != nil {
			return err
		}
		if has.did != b.did || !bytes.Equal(has.index, b.index) || !bytes.Equal(has.dedup, b.dedup) {
			return ErrBinding
		}
		return nil
	})
}

// reader is what rows can be read through: the database, or a transaction.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// row is one birth or guardianship as stored. Ref and ChildRef are of births,
// Birth is of guardianships.
type row struct {
	Kind        string
	ID          string
	Ref         string
	ChildRef    string
	Birth       string
	Digest      []byte
	Version     int
	State       string
	Rule        string
	Status      string
	SuspendedBy string
	// SuspendedUntil is when a suspension ends by itself; zero: it does not.
	SuspendedUntil time.Time
	suspension     suspension // read by changeStatus alone
	SignedAs       string     // of guardianships: the role whose key signs; see row.signedAs
	Record         []byte
	Proposer       Caller
	Approver       string
	Batch          string
	Created        time.Time
}

// same reports whether nothing that an issued credential depends on changed
// between two readings of a row.
func (r row) same(o row) bool {
	return r.ID == o.ID && r.Version == o.Version && r.State == o.State && r.Status == o.Status && r.ChildRef == o.ChildRef
}

// inForce refuses a record for which nothing may be issued now.
func (r row) inForce() error {
	switch {
	case r.State != StateIssued:
		return ErrRecordState
	case r.Status == StatusRevoked:
		return ErrRevoked
	case r.Status != StatusValid:
		return ErrSuspended
	}
	return nil
}

const (
	selectBirth = `SELECT id, COALESCE(ref, ''), child_ref, '', digest, version, state, rule, status, suspended_by, suspended_until, '', record,
		proposer_id, proposer_name, proposer_role, approver, batch, created FROM births`
	selectGuardianship = `SELECT id, '', '', birth, digest, version, state, rule, status, suspended_by, suspended_until, signed_as, record,
		proposer_id, proposer_name, proposer_role, approver, batch, created FROM guardianships`
)

// tables of records, by kind.
var tables = map[string]struct {
	name, query string
	missing     error
}{
	KindBirth:        {"births", selectBirth, ErrNoSuchBirth},
	KindGuardianship: {"guardianships", selectGuardianship, ErrNoSuchGuardianship},
}

func (s *Store) rows(ctx context.Context, q reader, kind, where string, args ...any) ([]row, error) {
	rs, err := q.QueryContext(ctx, tables[kind].query+" "+where, args...)
	return store.All(rs, err, func(rs *sql.Rows) (row, error) {
		r := row{Kind: kind}
		var created, until int64
		err := rs.Scan(&r.ID, &r.Ref, &r.ChildRef, &r.Birth, &r.Digest, &r.Version, &r.State, &r.Rule, &r.Status,
			&r.SuspendedBy, &until, &r.SignedAs, &r.Record, &r.Proposer.ID, &r.Proposer.Name, &r.Proposer.Role, &r.Approver, &r.Batch, &created)
		r.Created = store.Time(created)
		if until > 0 {
			r.SuspendedUntil = store.Time(until)
		}
		return r, err
	})
}

// record reads one record; a discarded one is not there.
func (s *Store) record(ctx context.Context, q reader, kind, id string) (row, error) {
	rs, err := s.rows(ctx, q, kind, `WHERE id = $1 AND state <> $2`, id, StateDiscarded)
	if err != nil {
		return row{}, err
	}
	if len(rs) == 0 {
		return row{}, tables[kind].missing
	}
	return rs[0], nil
}

// guardianshipsOf lists the guardianships of a birth, oldest first.
func (s *Store) guardianshipsOf(ctx context.Context, q reader, birth string) ([]row, error) {
	return s.rows(ctx, q, KindGuardianship, `WHERE birth = $1 AND state <> $2 ORDER BY created, id`, birth, StateDiscarded)
}

// wards reads the births with these refs, by ref.
func (s *Store) wards(ctx context.Context, q reader, refs []string) (map[string]row, error) {
	out := map[string]row{}
	for part := range chunks(refs, 200) {
		among, values := store.Among(s.db, part)
		rs, err := s.rows(ctx, q, KindBirth, `WHERE ref IN `+among, values...)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			out[r.Ref] = r
		}
	}
	return out, nil
}

// knownGuardianships gives what came from these lines, by digest.
func (s *Store) knownGuardianships(ctx context.Context, q reader, digests [][]byte) (map[string]row, error) {
	return s.known(ctx, q, `SELECT id, digest, digest, state, rule, version FROM guardianships WHERE digest IN `, anys(digests))
}

// knownBirths gives what decides whether a ref is taken, by ref.
func (s *Store) knownBirths(ctx context.Context, q reader, refs []string) (map[string]row, error) {
	return s.known(ctx, q, `SELECT id, ref, digest, state, rule, version FROM births WHERE ref IN `, anys(refs))
}

func (s *Store) known(ctx context.Context, q reader, query string, keys []any) (map[string]row, error) {
	out := map[string]row{}
	for part := range chunks(keys, 200) {
		among, values := store.Among(s.db, part)
		if err := s.knownPart(ctx, q, query+among, values, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Store) knownPart(ctx context.Context, q reader, query string, keys []any, into map[string]row) error {
	rs, err := q.QueryContext(ctx, query, keys...)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var r row
		var key []byte
		if err := rs.Scan(&r.ID, &key, &r.Digest, &r.State, &r.Rule, &r.Version); err != nil {
			return err
		}
		into[string(key)] = r
	}
	return rs.Err()
}

// entry is one registration on its way into the register. The draft is the
// paper credential to reserve with it; nil if none is to be issued.
type entry struct {
	row   row
	ward  row       // of a guardianship: the birth as it was when the entry was checked
	birth *vc.Birth // the birth, or the ward's, to compare with others
	guard *vc.Guardianship
	at    time.Time // when it was checked
	keys  [][]byte  // of a birth: hashed search keys
	draft *draft
	claim *claim
	// Results.
	seen    *row    // the same line was registered before
	outcome Outcome // what was stored, or what an earlier request was answered
	replay  bool    // outcome is that of an earlier request
	err     error   // a fault: nothing was stored
}

func (e *entry) reset() { e.seen, e.outcome, e.replay, e.err = nil, Outcome{}, false, nil }

// stored reports whether this entry is to be written.
func (e *entry) stored() bool { return e.seen == nil && !e.replay && e.err == nil }

// kept reports whether what an entry found registered is the entry itself: it was
// committed with others, nobody heard of that because the connection broke, and
// each was tried again. Its place is taken.
func (e *entry) kept() bool {
	return e.seen != nil && e.seen.ID == e.row.ID || e.replay && e.outcome.ID == e.row.ID
}

// hold turns an accepted entry into a held one.
func (e *entry) hold(rule string) {
	e.outcome = Outcome{ID: e.row.ID, State: StateHeld, Rule: rule, RecordVersion: e.row.Version}
}

// wait turns an accepted entry into one that a second person decides.
func (e *entry) wait(rule string) {
	e.outcome = Outcome{ID: e.row.ID, State: StatePending, Rule: rule, RecordVersion: e.row.Version, Approval: token()}
}

// accept gives the entry the state that its checks asked for.
func (e *entry) accept() {
	e.outcome = Outcome{ID: e.row.ID, State: e.row.State, Rule: e.row.Rule, RecordVersion: e.row.Version}
	switch {
	case e.row.State == StatePending:
		e.outcome.Approval = token()
	case e.row.State == StateIssued && e.draft != nil:
		e.outcome.Credentials = []CredentialInfo{e.draft.info}
	}
}

// errStale says that the ward changed while its guardianship was checked.
var errStale = errors.New("the ward's record changed")

// addBirths registers births in their order: each is stored as accepted or, if
// it looks like another one, as held. What an entry came to is in its results.
func (s *Store) addBirths(ctx context.Context, tx *sql.Tx, in []*entry) error {
	if err := s.replays(ctx, tx, in); err != nil {
		return err
	}
	var refs []string
	var hashes [][]byte
	for _, e := range in {
		refs = append(refs, e.row.Ref)
		hashes = append(hashes, e.keys...)
	}
	known, err := s.knownBirths(ctx, tx, refs)
	if err != nil {
		return err
	}
	found, err := s.candidates(ctx, tx, hashes)
	if err != nil {
		return err
	}
	var add []*entry
	for _, e := range in {
		if !e.stored() {
			continue
		}
		if r, ok := known[e.row.Ref]; ok {
			if bytes.Equal(r.Digest, e.row.Digest) {
				e.seen = &r
			} else {
				e.err = ErrBirthExists
			}
			continue
		}
		if rule := found.like(e); rule != "" {
			e.hold(rule)
		} else {
			e.accept()
		}
		found.add(e)
		r := e.row
		r.State, r.Rule = e.outcome.State, e.outcome.Rule
		known[e.row.Ref] = r
		add = append(add, e)
	}
	return s.insertEntries(ctx, tx, KindBirth, add)
}

// rivals are the births that share a search key with the entries at hand.
type rivals struct {
	byHash map[string][]string // hash → birth ids, stored and new
	births map[string]*vc.Birth
}

// candidates reads every stored birth that shares one of the hashes. What the runs
// have is looked up before what they are sorted into.
func (s *Store) candidates(ctx context.Context, q reader, hashes [][]byte) (*rivals, error) {
	if err := s.readRuns(ctx, q); err != nil {
		return nil, err
	}
	t := &rivals{byHash: map[string][]string{}, births: map[string]*vc.Birth{}}
	var ids []string
	add := func(hash, id string) {
		t.byHash[hash] = append(t.byHash[hash], id)
		if _, ok := t.births[id]; !ok {
			t.births[id] = nil
			ids = append(ids, id)
		}
	}
	for _, h := range hashes {
		for _, id := range s.keys.of(h) {
			add(string(h), id)
		}
	}
	for part := range chunks(hashes, 200) {
		among, values := store.Among(s.db, part)
		rs, err := q.QueryContext(ctx, `SELECT hash, birth FROM dedup WHERE hash IN `+among, values...)
		if err != nil {
			return nil, err
		}
		for rs.Next() {
			var hash []byte
			var id string
			if err := rs.Scan(&hash, &id); err != nil {
				rs.Close()
				return nil, err
			}
			add(string(hash), id)
		}
		if err := rs.Err(); err != nil {
			return nil, err
		}
	}
	for part := range chunks(ids, 200) {
		among, values := store.Among(s.db, part)
		rs, err := s.rows(ctx, q, KindBirth, `WHERE state <> 'discarded' AND id IN `+among, values...)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			b, err := readBirth(r)
			if err != nil {
				return nil, err
			}
			t.births[r.ID] = b
		}
	}
	return t, nil
}

// like gives the rule by which e repeats another birth, or "".
func (t *rivals) like(e *entry) string {
	var list []*vc.Birth
	listed := map[string]bool{e.row.ID: true}
	for _, k := range e.keys {
		for _, id := range t.byHash[string(k)] {
			if b := t.births[id]; b != nil && !listed[id] {
				listed[id] = true
				list = append(list, b)
			}
		}
	}
	rule, _ := FindDuplicate(e.birth, list)
	return rule
}

func (t *rivals) add(e *entry) {
	t.births[e.row.ID] = e.birth
	for _, k := range e.keys {
		t.byHash[string(k)] = append(t.byHash[string(k)], e.row.ID)
	}
}

// addGuardianships registers guardianships whose wards are as they were when
// the entries were checked; the others get errStale and are checked again.
func (s *Store) addGuardianships(ctx context.Context, tx *sql.Tx, in []*entry) error {
	if err := s.replays(ctx, tx, in); err != nil {
		return err
	}
	var refs []string
	var digests [][]byte
	for _, e := range in {
		refs = append(refs, e.ward.Ref)
		digests = append(digests, e.row.Digest)
	}
	wards, err := s.wardStates(ctx, tx, refs)
	if err != nil {
		return err
	}
	known, err := s.knownGuardianships(ctx, tx, digests)
	if err != nil {
		return err
	}
	live, err := s.mandates(ctx, tx, in)
	if err != nil {
		return err
	}
	var add []*entry
	for _, e := range in {
		if !e.stored() {
			continue
		}
		if r, ok := known[string(e.row.Digest)]; ok {
			e.seen = &r
			continue
		}
		if w, ok := wards[e.ward.Ref]; !ok || !w.same(e.ward) {
			e.err = errStale
			continue
		}
		live.judge(e)
		r := e.row
		r.State, r.Rule = e.outcome.State, e.outcome.Rule
		known[string(e.row.Digest)] = r
		add = append(add, e)
	}
	return s.insertEntries(ctx, tx, KindGuardianship, add)
}

// mandates are the guardianships that live, by the id of the ward's birth.
type mandates map[string][]*vc.Guardianship

// livingMandates selects guardianships that are in force or may come into force;
// one that is suspended lives.
const livingMandates = `WHERE state IN ('issued', 'pendingApproval') AND status <> 'revoked'`

// mandates reads the guardianships that live for the wards of the entries.
func (s *Store) mandates(ctx context.Context, tx *sql.Tx, in []*entry) (mandates, error) {
	var births []string
	seen := map[string]bool{}
	for _, e := range in {
		if !seen[e.row.Birth] {
			seen[e.row.Birth] = true
			births = append(births, e.row.Birth)
		}
	}
	out := mandates{}
	for part := range chunks(births, 200) {
		among, values := store.Among(s.db, part)
		rs, err := s.rows(ctx, tx, KindGuardianship, livingMandates+` AND birth IN `+among, values...)
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			g, err := readGuardianship(r)
			if err != nil {
				return nil, err
			}
			out[r.Birth] = append(out[r.Birth], g)
		}
	}
	return out, nil
}

// judge gives an entry the state that its checks asked for, unless another
// mandate of its ward stands against it, and adds it to those that live.
func (m mandates) judge(e *entry) {
	e.accept()
	if e.row.State != StateIssued && e.row.State != StatePending {
		return
	}
	switch again, sole := beside(e.guard, e.birth, m[e.row.Birth], e.at); {
	case again:
		e.hold(RuleGuardianHasMandate)
		return
	case sole && e.row.Approver == "":
		e.wait(RuleSoleBesideOthers)
	}
	m[e.row.Birth] = append(m[e.row.Birth], e.guard)
}

// free refuses a guardianship whose guardian has another one that lives.
func (s *Store) free(ctx context.Context, tx *sql.Tx, r row, g *vc.Guardianship, ward *vc.Birth) error {
	rs, err := s.rows(ctx, tx, KindGuardianship, livingMandates+` AND birth = $1 AND id <> $2`, r.Birth, r.ID)
	if err != nil {
		return err
	}
	var others []*vc.Guardianship
	for _, o := range rs {
		x, err := readGuardianship(o)
		if err != nil {
			return err
		}
		others = append(others, x)
	}
	if again, _ := beside(g, ward, others, s.now()); again {
		return ErrGuardianHasMandate
	}
	return nil
}

// wardStates reads what row.same compares, by ref.
func (s *Store) wardStates(ctx context.Context, tx *sql.Tx, refs []string) (map[string]row, error) {
	out := map[string]row{}
	for part := range chunks(refs, 200) {
		among, values := store.Among(s.db, part)
		rs, err := tx.QueryContext(ctx, `SELECT id, ref, child_ref, version, state, status FROM births WHERE ref IN `+among, values...)
		if err != nil {
			return nil, err
		}
		for rs.Next() {
			var r row
			if err := rs.Scan(&r.ID, &r.Ref, &r.ChildRef, &r.Version, &r.State, &r.Status); err != nil {
				rs.Close()
				return nil, err
			}
			out[r.Ref] = r
		}
		if err := rs.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// insertEntries writes accepted and held entries with their search keys,
// credentials, approvals and answers.
func (s *Store) insertEntries(ctx context.Context, tx *sql.Tx, kind string, in []*entry) error {
	var records, answers [][]any
	var drafts []*draft
	now := s.now()
	at := store.Micros(now)
	for _, e := range in {
		if len(e.outcome.Credentials) > 0 {
			drafts = append(drafts, e.draft)
		}
	}
	if err := s.undate(ctx, tx, drafts); err != nil {
		return err
	}
	for _, e := range in {
		r := e.row
		link := any(r.Birth)
		if kind == KindBirth {
			link = r.Ref
		}
		v := []any{r.ID, link, r.Digest, r.Version, e.outcome.State, e.outcome.Rule, r.Record,
			r.Proposer.ID, r.Proposer.Name, r.Proposer.Role, r.Approver, r.Batch, at, at}
		if kind == KindBirth {
			v = append(v, r.ChildRef)
		} else {
			v = append(v, r.SignedAs)
		}
		records = append(records, v)
		if e.draft != nil {
			e.outcome.dated([]*draft{e.draft})
		}
		if e.claim != nil {
			body, err := json.Marshal(e.outcome)
			if err != nil {
				return err
			}
			answers = append(answers, []any{e.claim.key, e.claim.request, body, at})
		}
	}
	head := `INSERT INTO guardianships (id, birth, digest, version, state, rule, record, proposer_id, proposer_name, proposer_role, approver, batch, created, changed, signed_as)`
	if kind == KindBirth {
		head = `INSERT INTO births (id, ref, digest, version, state, rule, record, proposer_id, proposer_name, proposer_role, approver, batch, created, changed, child_ref)`
	}
	if err := s.insert(ctx, tx, head, records); err != nil {
		return err
	}
	if err := s.addKeys(ctx, tx, in); err != nil {
		return err
	}
	if err := s.reserve(ctx, tx, drafts, StatusValid); err != nil {
		return err
	}
	for _, e := range in {
		if e.outcome.Approval == "" {
			continue
		}
		p := proposal{ID: e.outcome.Approval, Kind: registerKinds[kind], RecordKind: kind, Record: e.row.ID, Caller: e.row.Proposer}
		if err := s.propose(ctx, tx, p); err != nil {
			return err
		}
	}
	return s.insert(ctx, tx, `INSERT INTO idempotency (key_hash, request, response, created)`, answers)
}

// addBatch records who runs an import and who approved it.
func (s *Store) addBatch(ctx context.Context, id, operator, approver string, at time.Time) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO batches (id, operator, approver, at, created) VALUES ($1, $2, $3, $4, $5)`,
		id, operator, approver, store.Micros(at), store.Micros(s.now()))
	return err
}

// count gives how many records and credentials there are, by state and status.
func (s *Store) count(ctx context.Context) (Statistics, error) {
	out := Statistics{Births: map[string]int{}, Guardianships: map[string]int{}, Credentials: map[string]int{}}
	for _, x := range []struct {
		query string
		into  map[string]int
	}{
		{`SELECT state, COUNT(*) FROM births GROUP BY state`, out.Births},
		{`SELECT state, COUNT(*) FROM guardianships GROUP BY state`, out.Guardianships},
		{`SELECT status, COUNT(*) FROM credentials GROUP BY status`, out.Credentials},
	} {
		rs, err := s.db.QueryContext(ctx, x.query)
		if err != nil {
			return Statistics{}, err
		}
		for rs.Next() {
			var name string
			var n int
			if err := rs.Scan(&name, &n); err != nil {
				rs.Close()
				return Statistics{}, err
			}
			x.into[name] = n
		}
		if err := rs.Err(); err != nil {
			return Statistics{}, err
		}
	}
	err := s.db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM credentials WHERE state = 'reserved') + (SELECT COUNT(*) FROM witnessed WHERE state = 'reserved')`).Scan(&out.Open)
	return out, err
}

// insert adds rows with as few statements as the engines' limits allow.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, head string, rows [][]any) error {
	return s.insertOr(ctx, tx, head, rows, ``)
}

// insertOr is insert that ends with what is to be done where a row is there.
func (s *Store) insertOr(ctx context.Context, tx *sql.Tx, head string, rows [][]any, conflict string) error {
	for part := range halves(rows, 64) {
		cols := len(part[0])
		args := make([]any, 0, cols*len(part))
		for _, r := range part {
			args = append(args, r...)
		}
		if _, err := tx.ExecContext(ctx, head+` VALUES `+s.tuples(len(part), cols)+conflict, args...); err != nil {
			return err
		}
	}
	return nil
}

// tuples writes ($1,$2),($3,$4)… for n rows.
func (s *Store) tuples(n, cols int) string {
	var b strings.Builder
	b.Grow(n * (cols*5 + 3))
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.db.Marks(i*cols+1, cols))
	}
	return b.String()
}

// halves cuts in into parts of most, a power of two, then of half of it and so
// on: few different statements, as in store.Among.
func halves[T any](in []T, most int) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		for n := most; len(in) > 0; {
			for n > len(in) {
				n /= 2
			}
			if !yield(in[:n]) {
				return
			}
			in = in[n:]
		}
	}
}

// chunks cuts in into parts of at most n.
func chunks[T any](in []T, n int) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		for len(in) > 0 {
			k := min(n, len(in))
			if !yield(in[:k]) {
				return
			}
			in = in[k:]
		}
	}
}

func anys[T any](in []T) []any {
	out := make([]any, len(in))
	for i, x := range in {
		out[i] = x
	}
	return out
}
