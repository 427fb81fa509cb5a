package issuer

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
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
}

func newStore(cfg Config) *Store {
	s := &Store{db: cfg.DB, now: func() time.Time { return cfg.Now().UTC() }}
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
	Record      []byte
	Proposer    Caller
	Approver    string
	Batch       string
	Created     time.Time
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
	selectBirth = `SELECT id, COALESCE(ref, ''), child_ref, '', digest, version, state, rule, status, suspended_by, record,
		proposer_id, proposer_name, proposer_role, approver, batch, created FROM births`
	selectGuardianship = `SELECT id, '', '', birth, digest, version, state, rule, status, suspended_by, record,
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
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var out []row
	for rs.Next() {
		r := row{Kind: kind}
		var created int64
		if err := rs.Scan(&r.ID, &r.Ref, &r.ChildRef, &r.Birth, &r.Digest, &r.Version, &r.State, &r.Rule, &r.Status,
			&r.SuspendedBy, &r.Record, &r.Proposer.ID, &r.Proposer.Name, &r.Proposer.Role, &r.Approver, &r.Batch, &created); err != nil {
			return nil, err
		}
		r.Created = store.Time(created)
		out = append(out, r)
	}
	return out, rs.Err()
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
		rs, err := s.rows(ctx, q, KindBirth, `WHERE ref IN `+s.marks(1, len(part)), anys(part)...)
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
		if err := s.knownPart(ctx, q, query+s.marks(1, len(part)), part, out); err != nil {
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
	birth *vc.Birth // of a birth, to compare with others
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

// hold turns an accepted entry into a held one.
func (e *entry) hold(rule string) {
	e.outcome = Outcome{ID: e.row.ID, State: StateHeld, Rule: rule, RecordVersion: e.row.Version}
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

// candidates reads every stored birth that shares one of the hashes.
func (s *Store) candidates(ctx context.Context, tx *sql.Tx, hashes [][]byte) (*rivals, error) {
	t := &rivals{byHash: map[string][]string{}, births: map[string]*vc.Birth{}}
	var ids []string
	for part := range chunks(hashes, 200) {
		rs, err := tx.QueryContext(ctx, `SELECT hash, birth FROM dedup WHERE hash IN `+s.marks(1, len(part)), anys(part)...)
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
			t.byHash[string(hash)] = append(t.byHash[string(hash)], id)
			if _, ok := t.births[id]; !ok {
				t.births[id] = nil
				ids = append(ids, id)
			}
		}
		if err := rs.Err(); err != nil {
			return nil, err
		}
	}
	for part := range chunks(ids, 200) {
		rs, err := s.rows(ctx, tx, KindBirth, `WHERE state <> 'discarded' AND id IN `+s.marks(1, len(part)), anys(part)...)
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
		e.accept()
		r := e.row
		known[string(e.row.Digest)] = r
		add = append(add, e)
	}
	return s.insertEntries(ctx, tx, KindGuardianship, add)
}

// wardStates reads what row.same compares, by ref.
func (s *Store) wardStates(ctx context.Context, tx *sql.Tx, refs []string) (map[string]row, error) {
	out := map[string]row{}
	for part := range chunks(refs, 200) {
		rs, err := tx.QueryContext(ctx, `SELECT id, ref, child_ref, version, state, status FROM births WHERE ref IN `+s.marks(1, len(part)), anys(part)...)
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
	var records, keys, answers [][]any
	var drafts []*draft
	now := s.now()
	at := store.Micros(now)
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
		}
		records = append(records, v)
		for _, k := range e.keys {
			keys = append(keys, []any{k, r.ID})
		}
		if len(e.outcome.Credentials) > 0 {
			drafts = append(drafts, e.draft)
		}
		if e.claim != nil {
			body, err := json.Marshal(e.outcome)
			if err != nil {
				return err
			}
			answers = append(answers, []any{e.claim.key, e.claim.request, body, at})
		}
	}
	head := `INSERT INTO guardianships (id, birth, digest, version, state, rule, record, proposer_id, proposer_name, proposer_role, approver, batch, created, changed)`
	if kind == KindBirth {
		head = `INSERT INTO births (id, ref, digest, version, state, rule, record, proposer_id, proposer_name, proposer_role, approver, batch, created, changed, child_ref)`
	}
	if err := s.insert(ctx, tx, head, records); err != nil {
		return err
	}
	if err := s.insert(ctx, tx, `INSERT INTO dedup (hash, birth)`, keys); err != nil {
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

// reserve stores the exact bytes of credentials with their places in the
// status lists and the commitments to them. They are sealed later (seal), by
// this process or by whoever finds them open.
func (s *Store) reserve(ctx context.Context, tx *sql.Tx, drafts []*draft, status string) error {
	var credentials, commitments, changes [][]any
	at := store.Micros(s.now())
	lists := map[int64]bool{}
	for _, d := range drafts {
		credentials = append(credentials, []any{d.info.ID, d.kind, d.record, d.info.RecordVersion, d.info.Type, d.info.Profile, d.holder,
			d.place.list, d.place.index, d.payload, "reserved", status,
			store.Micros(d.info.ValidFrom), store.Micros(d.info.ValidUntil), d.batch, at})
		commitments = append(commitments, []any{d.info.ID, "issued", d.salt, d.hash, at})
		if status == StatusSuspended {
			lists[d.place.list] = true
			changes = append(changes, []any{d.place.list, d.place.index, vc.PurposeSuspension, 1, at})
		}
	}
	if err := s.insert(ctx, tx, `INSERT INTO credentials (id, kind, record, version, type, profile, holder, list, idx, payload, state, status, valid_from, valid_until, batch, created)`, credentials); err != nil {
		return err
	}
	if err := s.insert(ctx, tx, `INSERT INTO commitments (credential_id, kind, salt, hash, created)`, commitments); err != nil {
		return err
	}
	return s.changed(ctx, tx, changes, lists)
}

// changed records changes of status bits and raises the version of their lists.
func (s *Store) changed(ctx context.Context, tx *sql.Tx, changes [][]any, lists map[int64]bool) error {
	if err := s.insert(ctx, tx, `INSERT INTO status_changes (list, idx, purpose, value, at)`, changes); err != nil {
		return err
	}
	for id := range lists {
		if _, err := tx.ExecContext(ctx, `UPDATE status_lists SET version = version + 1 WHERE id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}

// sealing is a signed credential on its way into its reservation. After the
// transaction JWT is what the reservation holds: that of whoever came first.
type sealing struct {
	ID  string
	JWT string
}

// seal closes reservations. A reservation is closed once: if somebody else
// signed it meanwhile, theirs stays and is given back.
func (s *Store) seal(ctx context.Context, tx *sql.Tx, in []*sealing) error {
	first := map[string]*sealing{}
	var each []*sealing // one per reservation
	for _, x := range in {
		if first[x.ID] == nil {
			first[x.ID] = x
			each = append(each, x)
		}
	}
	for part := range chunks(each, 100) {
		if err := s.sealPart(ctx, tx, part); err != nil {
			return err
		}
	}
	for _, x := range in {
		x.JWT = first[x.ID].JWT
	}
	return nil
}

func (s *Store) sealPart(ctx context.Context, tx *sql.Tx, in []*sealing) error {
	args := make([]any, 0, 2*len(in))
	late := make(map[string]*sealing, len(in))
	for _, x := range in {
		args = append(args, x.ID, x.JWT)
		late[x.ID] = x
	}
	rs, err := tx.QueryContext(ctx, `WITH v (id, jwt) AS (VALUES `+s.tuples(len(in), 2)+`)
		UPDATE credentials SET jwt = v.jwt, payload = NULL, state = 'sealed' FROM v
		WHERE credentials.id = v.id AND credentials.state = 'reserved' RETURNING credentials.id`, args...)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var id string
		if err := rs.Scan(&id); err != nil {
			return err
		}
		delete(late, id)
	}
	if err := rs.Err(); err != nil {
		return err
	}
	for id, x := range late {
		if err := tx.QueryRowContext(ctx, `SELECT jwt FROM credentials WHERE id = $1`, id).Scan(&x.JWT); err != nil {
			return err
		}
	}
	return nil
}

// reserved is a reservation that is open: the exact bytes to sign.
type reserved struct {
	ID      string
	Payload []byte
}

// open lists reservations made before a time, oldest first, at most 500 after
// the first skip; of one record if record is not "".
func (s *Store) open(ctx context.Context, before time.Time, record string, skip int) ([]reserved, error) {
	q, args := ``, []any{store.Micros(before), skip}
	if record != "" {
		q, args = ` AND record = $3`, append(args, record)
	}
	rs, err := s.db.QueryContext(ctx, `SELECT id, payload FROM credentials WHERE state = 'reserved' AND created <= $1`+q+
		` ORDER BY created, id LIMIT 500 OFFSET $2`, args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var out []reserved
	for rs.Next() {
		var r reserved
		if err := rs.Scan(&r.ID, &r.Payload); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rs.Err()
}

// copied is a stored credential.
type copied struct {
	CredentialInfo
	Record string
	Holder string
	Sealed bool
	JWT    string
}

const selectCopies = `SELECT id, record, version, type, profile, holder, jwt, state, status, valid_from, valid_until FROM credentials `

func (s *Store) copies(ctx context.Context, q reader, where string, args ...any) ([]copied, error) {
	rs, err := q.QueryContext(ctx, selectCopies+where, args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var out []copied
	for rs.Next() {
		var c copied
		var state string
		var from, until int64
		if err := rs.Scan(&c.ID, &c.Record, &c.RecordVersion, &c.Type, &c.Profile, &c.Holder, &c.JWT, &state, &c.State, &from, &until); err != nil {
			return nil, err
		}
		c.Sealed = state == "sealed"
		c.ValidFrom, c.ValidUntil = store.Time(from), store.Time(until)
		out = append(out, c)
	}
	return out, rs.Err()
}

// newest gives the copy of this version of a record for this holder and profile
// that expires last; ok is false if there is none that is valid.
func (s *Store) newest(ctx context.Context, q reader, d copyOf) (copied, bool, error) {
	cs, err := s.copies(ctx, q, `WHERE record = $1 AND version = $2 AND profile = $3 AND holder = $4 AND status = $5
		ORDER BY valid_until DESC, created DESC LIMIT 1`, d.record.ID, d.record.Version, d.profile, d.holder, StatusValid)
	if err != nil || len(cs) == 0 {
		return copied{}, false, err
	}
	return cs[0], true, nil
}

// infos lists the copies of a record, newest first.
func (s *Store) infos(ctx context.Context, record string) ([]CredentialInfo, error) {
	cs, err := s.copies(ctx, s.db, `WHERE record = $1 ORDER BY created DESC, id LIMIT 200`, record)
	if err != nil {
		return nil, err
	}
	out := make([]CredentialInfo, 0, len(cs))
	for _, c := range cs {
		out = append(out, c.CredentialInfo)
	}
	return out, nil
}

// version is a new version of a record that replaces an old one.
type version struct {
	old           row
	new           row // Version, ChildRef, State, Rule, Record, Proposer, Approver count
	birth         *vc.Birth
	oldKeys, keys [][]byte // of a birth: hashed search keys
	drafts        []*draft
	ward          row   // of a guardianship: the birth as it was when the version was checked
	wards         []row // of a birth: guardianships whose copies are cut as well (sealed records)
}

// replace stores a new version, revokes every copy of the old one and reserves
// the new paper credentials.
func (s *Store) replace(ctx context.Context, tx *sql.Tx, v version) error {
	if err := s.unchanged(ctx, tx, v); err != nil {
		return err
	}
	n := v.new
	var err error
	at := store.Micros(s.now())
	if v.old.Kind == KindGuardianship {
		_, err = tx.ExecContext(ctx, `UPDATE guardianships SET version = $2, state = $3, rule = $4, record = $5, proposer_id = $6,
			proposer_name = $7, proposer_role = $8, approver = $9, changed = $10 WHERE id = $1`,
			n.ID, n.Version, n.State, n.Rule, n.Record, n.Proposer.ID, n.Proposer.Name, n.Proposer.Role, n.Approver, at)
	} else {
		err = s.replaceBirth(ctx, tx, v, at)
	}
	if err != nil {
		return err
	}
	for _, r := range append([]row{v.old}, v.wards...) {
		if _, err := s.mark(ctx, tx, r.ID, StatusRevoked, actRevoked); err != nil {
			return err
		}
	}
	return s.reserve(ctx, tx, v.drafts, v.old.Status)
}

// unchanged refuses a version that was checked against records that changed
// since.
func (s *Store) unchanged(ctx context.Context, tx *sql.Tx, v version) error {
	before := append([]row{v.old}, v.wards...)
	if v.ward.ID != "" {
		before = append(before, v.ward)
	}
	for _, r := range before {
		now, err := s.record(ctx, tx, r.Kind, r.ID)
		if err != nil {
			return err
		}
		if !now.same(r) {
			return ErrRecordChanged
		}
	}
	if len(v.wards) == 0 && v.old.ChildRef == v.new.ChildRef {
		return nil
	}
	gs, err := s.guardianshipsOf(ctx, tx, v.old.ID)
	if err != nil {
		return err
	}
	if len(gs) != len(v.wards) {
		return ErrRecordChanged
	}
	return nil
}

func (s *Store) replaceBirth(ctx context.Context, tx *sql.Tx, v version, at int64) error {
	n := v.new
	if err := s.dropKeys(ctx, tx, n.ID, v.oldKeys); err != nil {
		return err
	}
	t, err := s.candidates(ctx, tx, v.keys)
	if err != nil {
		return err
	}
	if t.like(&entry{row: n, birth: v.birth, keys: v.keys}) != "" {
		return ErrDuplicate
	}
	if _, err := tx.ExecContext(ctx, `UPDATE births SET version = $2, child_ref = $3, state = $4, rule = $5, record = $6, proposer_id = $7,
		proposer_name = $8, proposer_role = $9, approver = $10, changed = $11 WHERE id = $1`,
		n.ID, n.Version, n.ChildRef, n.State, n.Rule, n.Record, n.Proposer.ID, n.Proposer.Name, n.Proposer.Role, n.Approver, at); err != nil {
		return err
	}
	var keys [][]any
	for _, k := range v.keys {
		keys = append(keys, []any{k, n.ID})
	}
	return s.insert(ctx, tx, `INSERT INTO dedup (hash, birth)`, keys)
}

// admission turns waiting records into ones in force (or pending, or not
// issued), with their paper credentials.
type admission struct {
	old      row
	state    string
	rule     string
	approver string
	draft    *draft
	approval string // id of the approval that it now waits for
	ward     row    // of a guardianship by itself: the birth as it was when it was checked
}

// admit changes the states of records that are as they were when they were
// read. It gives errStale if one is not, or if birth has guardianships that
// are not in the list.
func (s *Store) admit(ctx context.Context, tx *sql.Tx, in []admission, birth string) error {
	if birth != "" {
		gs, err := s.guardianshipsOf(ctx, tx, birth)
		if err != nil {
			return err
		}
		listed := map[string]bool{}
		for _, a := range in {
			listed[a.old.ID] = true
		}
		for _, g := range gs {
			if g.State == StateHeld && !listed[g.ID] {
				return errStale
			}
		}
	}
	var drafts []*draft
	for _, a := range in {
		for _, r := range []row{a.old, a.ward} {
			if r.ID == "" {
				continue
			}
			now, err := s.record(ctx, tx, r.Kind, r.ID)
			if err != nil {
				return err
			}
			if !now.same(r) {
				return errStale
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE `+tables[a.old.Kind].name+` SET state = $2, rule = $3, approver = $4, changed = $5 WHERE id = $1`,
			a.old.ID, a.state, a.rule, a.approver, store.Micros(s.now())); err != nil {
			return err
		}
		if a.draft != nil {
			drafts = append(drafts, a.draft)
		}
		if a.approval != "" {
			p := proposal{ID: a.approval, Kind: registerKinds[a.old.Kind], RecordKind: a.old.Kind, Record: a.old.ID, Caller: a.old.Proposer}
			if err := s.propose(ctx, tx, p); err != nil {
				return err
			}
		}
	}
	return s.reserve(ctx, tx, drafts, StatusValid)
}

// dropKeys deletes the search keys of a birth.
func (s *Store) dropKeys(ctx context.Context, tx *sql.Tx, birth string, keys [][]byte) error {
	for _, k := range keys {
		if _, err := tx.ExecContext(ctx, `DELETE FROM dedup WHERE hash = $1 AND birth = $2`, k, birth); err != nil {
			return err
		}
	}
	return nil
}

// discard forgets a record that was never in force, with the search keys and
// the guardianships of a birth: what is left says only that there was one.
func (s *Store) discard(ctx context.Context, tx *sql.Tx, r row, keys [][]byte) error {
	at := store.Micros(s.now())
	ids := []string{r.ID}
	if r.Kind == KindBirth {
		if err := s.dropKeys(ctx, tx, r.ID, keys); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE births SET state = $2, ref = NULL, digest = NULL, record = $3, changed = $4 WHERE id = $1`,
			r.ID, StateDiscarded, []byte{}, at); err != nil {
			return err
		}
		gs, err := s.guardianshipsOf(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		for _, g := range gs {
			ids = append(ids, g.ID)
		}
	}
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, `UPDATE guardianships SET state = $2, digest = NULL, record = $3, changed = $4 WHERE id = $1`,
			id, StateDiscarded, []byte{}, at); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE approvals SET state = 'denied', payload = $2, decided = $3 WHERE record = $1 AND state = 'pending'`,
			id, []byte{}, at); err != nil {
			return err
		}
	}
	return nil
}

// claim is an Idempotency-Key with the request that it stands for.
type claim struct {
	key     []byte
	request []byte
}

// replays finds the entries whose request was answered before. No two entries
// of one transaction have the same key (next).
func (s *Store) replays(ctx context.Context, tx *sql.Tx, in []*entry) error {
	byKey := map[string]*entry{}
	var keys [][]byte
	for _, e := range in {
		if e.claim != nil {
			keys = append(keys, e.claim.key)
			byKey[string(e.claim.key)] = e
		}
	}
	for part := range chunks(keys, 200) {
		rs, err := tx.QueryContext(ctx, `SELECT key_hash, request, response FROM idempotency WHERE key_hash IN `+s.marks(1, len(part)), anys(part)...)
		if err != nil {
			return err
		}
		for rs.Next() {
			var key, request, response []byte
			if err := rs.Scan(&key, &request, &response); err != nil {
				rs.Close()
				return err
			}
			e := byKey[string(key)]
			e.outcome, e.replay, e.err = readAnswer(e.claim, request, response)
		}
		if err := rs.Err(); err != nil {
			return err
		}
	}
	return nil
}

func readAnswer(c *claim, request, response []byte) (Outcome, bool, error) {
	if !bytes.Equal(request, c.request) {
		return Outcome{}, false, ErrIdempotency
	}
	var o Outcome
	if err := json.Unmarshal(response, &o); err != nil {
		return Outcome{}, false, err
	}
	return o, true, nil
}

// replayed gives the answer to an earlier request with this claim; ok is false
// if there was none. A nil claim has none.
func (s *Store) replayed(ctx context.Context, q reader, c *claim) (o Outcome, ok bool, err error) {
	if c == nil {
		return Outcome{}, false, nil
	}
	var request, response []byte
	err = q.QueryRowContext(ctx, `SELECT request, response FROM idempotency WHERE key_hash = $1`, c.key).Scan(&request, &response)
	if errors.Is(err, sql.ErrNoRows) {
		return Outcome{}, false, nil
	}
	if err != nil {
		return Outcome{}, false, err
	}
	return readAnswer(c, request, response)
}

// answer stores the outcome for a claim, in the transaction of the act. A nil
// claim stores nothing.
func (s *Store) answer(ctx context.Context, tx *sql.Tx, c *claim, o Outcome) error {
	if c == nil {
		return nil
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO idempotency (key_hash, request, response, created) VALUES ($1, $2, $3, $4)`,
		c.key, c.request, body, store.Micros(s.now()))
	return err
}

// forgetAnswers deletes the answers that are older than a month.
func (s *Store) forgetAnswers(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM idempotency WHERE created < $1`, store.Micros(s.now().AddDate(0, -1, 0)))
	return err
}

// proposal is an act that waits for a second person. ID is made by propose if
// it is empty.
type proposal struct {
	ID         string
	Kind       string // key of acts
	RecordKind string
	Record     string
	Payload    []byte
	Caller     Caller
}

// propose stores a proposal in the transaction at hand.
func (s *Store) propose(ctx context.Context, tx *sql.Tx, p proposal) error {
	if p.Payload == nil {
		p.Payload = []byte{}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO approvals (id, kind, record_kind, record, payload, proposer_id, proposer_name, proposer_role, created, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending')`,
		p.ID, p.Kind, p.RecordKind, p.Record, p.Payload, p.Caller.ID, p.Caller.Name, p.Caller.Role, store.Micros(s.now()))
	return err
}

// pending reports whether an act of this kind on this record waits already.
func (s *Store) pending(ctx context.Context, tx *sql.Tx, kind, record string) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM approvals WHERE record = $1 AND kind = $2 AND state = 'pending'`, record, kind).Scan(&n)
	return n > 0, err
}

const selectApproval = `SELECT id, kind, record_kind, record, payload, proposer_id, proposer_name, proposer_role, created, state, decider_id, decider_name, COALESCE(outcome, $1) FROM approvals `

func (s *Store) approvals(ctx context.Context, q reader, where string, args ...any) ([]approval, error) {
	rs, err := q.QueryContext(ctx, selectApproval+where, append([]any{[]byte{}}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var out []approval
	for rs.Next() {
		var a approval
		var created int64
		if err := rs.Scan(&a.ID, &a.Kind, &a.RecordKind, &a.Record, &a.Payload, &a.Caller.ID, &a.Caller.Name, &a.Caller.Role, &created,
			&a.State, &a.Decider.ID, &a.Decider.Name, &a.Outcome); err != nil {
			return nil, err
		}
		a.Created = store.Time(created)
		out = append(out, a)
	}
	return out, rs.Err()
}

// approval reads one, decided or not.
func (s *Store) approval(ctx context.Context, id string) (approval, error) {
	as, err := s.approvals(ctx, s.db, `WHERE id = $2`, id)
	if err != nil {
		return approval{}, err
	}
	if len(as) == 0 {
		return approval{}, ErrNoSuchApproval
	}
	return as[0], nil
}

// settle closes an approval in the transaction that does what was approved, so
// that it is done once.
func (s *Store) settle(ctx context.Context, tx *sql.Tx, d decision, o Outcome) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	state := "denied"
	if d.accept {
		state = "approved"
	}
	r, err := tx.ExecContext(ctx, `UPDATE approvals SET state = $2, payload = $3, decider_id = $4, decider_name = $5, decided = $6, outcome = $7
		WHERE id = $1 AND state = 'pending'`, d.approval, state, []byte{}, d.by.ID, d.by.Name, store.Micros(s.now()), body)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return ErrAlreadyDecided
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
	err := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM credentials WHERE state = 'reserved'`).Scan(&out.Open)
	return out, err
}

// insert adds rows with as few statements as the engines' limits allow.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, head string, rows [][]any) error {
	for part := range chunks(rows, 64) {
		cols := len(part[0])
		args := make([]any, 0, cols*len(part))
		for _, r := range part {
			args = append(args, r...)
		}
		if _, err := tx.ExecContext(ctx, head+` VALUES `+s.tuples(len(part), cols), args...); err != nil {
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
		b.WriteString(s.marks(i*cols+1, cols))
	}
	return b.String()
}

// marks writes ($from,…) for n values. A statement that uses it has no other
// parameters before or after, so that SQLite can be given plain question marks:
// it looks up every $n by name, in time that grows with the square of their
// number.
func (s *Store) marks(from, n int) string {
	b := make([]byte, 0, n*5+2)
	b = append(b, '(')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if s.db.Engine == store.SQLite {
			b = append(b, '?')
			continue
		}
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(from+i), 10)
	}
	return string(append(b, ')'))
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
