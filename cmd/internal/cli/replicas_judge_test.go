package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/issuer"
)

// judge holds the database and the public shelf against what the clerks were told
// and the lookouts saw.
func (s *siege) judge() {
	s.Helper()
	if s.kills.Load() < 2 || s.births.Load() < 30 || s.cut.Load() == 0 || len(s.shelf.roots) < 5 || len(s.shelf.lists) < 20 {
		s.Error("this shows nothing")
	}
	trouble := []string{"panic", "fatal error"}
	if !s.broken { // who has no database says so, and is asked again
		trouble = append(trouble, `"level":"ERROR"`)
		for what, n := range s.trouble {
			s.Errorf("%d× %s", n, what)
		}
	}
	for _, line := range s.logs(trouble...) {
		s.Error(line)
	}
	j := &judgement{siege: s, byPlace: map[place]*credential{}, byID: map[string]*credential{}, leaves: map[[32]byte]int64{}, erased: map[string]bool{}}
	j.readRegister()
	j.readLedger()
	j.registered()
	j.logged()
	j.listed()
	j.facts()
}

// judgement is all that is known in the end.
type judgement struct {
	*siege
	credentials []*credential
	byPlace     map[place]*credential
	byID        map[string]*credential
	commitments []commitment
	erased      map[string]bool // records
	tree        tlog.Tree
	entries     [][]byte
	leaves      map[[32]byte]int64 // entry of each commitment
	hashes      []tlog.Hash        // of the tree, as x/mod stores them
}

type place struct{ list, index int64 }

// profileConsent is in place of a profile where a place is of a consent: what its
// guardian signs the register never sees.
const profileConsent = "consent"

// credential is a row of the register.
type credential struct {
	id, record, profile, state, status, jwt string
	place
	from, created time.Time
	committed     int
}

type commitment struct {
	id               int64
	credential, kind string
	salt, hash       []byte
}

func (j *judgement) readRegister() {
	j.Helper()
	rows, err := j.db.QueryContext(j.Context(), `SELECT id, record, profile, state, status, jwt, list, idx, valid_from, created FROM credentials`)
	j.must(err)
	for rows.Next() {
		c := &credential{}
		var from, created int64
		j.must(rows.Scan(&c.id, &c.record, &c.profile, &c.state, &c.status, &c.jwt, &c.list, &c.index, &from, &created))
		c.from, c.created = store.Time(from), store.Time(created)
		if other := j.byPlace[c.place]; other != nil {
			j.Errorf("two credentials at place %d of list %d", c.index, c.list)
		}
		j.byPlace[c.place], j.byID[c.id] = c, c
		j.credentials = append(j.credentials, c)
	}
	j.must(rows.Err())
	rows, err = j.db.QueryContext(j.Context(), `SELECT id, record, status, list, idx, created FROM consent_places`)
	j.must(err)
	for rows.Next() {
		c := &credential{profile: profileConsent, state: "sealed"}
		var created int64
		j.must(rows.Scan(&c.id, &c.record, &c.status, &c.list, &c.index, &created))
		// It is dated by the clocks of others.
		c.from, c.created = store.Time(created).Add(siegeSkew), store.Time(created)
		if other := j.byPlace[c.place]; other != nil {
			j.Errorf("a consent and another have place %d of list %d", c.index, c.list)
		}
		j.byPlace[c.place], j.byID[c.id] = c, c
		j.credentials = append(j.credentials, c)
	}
	j.must(rows.Err())
	rows, err = j.db.QueryContext(j.Context(), `SELECT id, credential_id, kind, salt, hash FROM commitments ORDER BY id`)
	j.must(err)
	for rows.Next() {
		var c commitment
		j.must(rows.Scan(&c.id, &c.credential, &c.kind, &c.salt, &c.hash))
		j.commitments = append(j.commitments, c)
	}
	j.must(rows.Err())
	rows, err = j.db.QueryContext(j.Context(), `SELECT record FROM erasures`)
	j.must(err)
	for rows.Next() {
		var record string
		j.must(rows.Scan(&record))
		if j.erased[record] {
			j.Error("a record was erased twice")
		}
		j.erased[record] = true
	}
	j.must(rows.Err())
}

// readLedger reads the whole ledger from the shelf, makes the tree of its entries
// anew and holds every checkpoint that anybody ever saw against it: if each is of
// the beginning of one tree, any two go on from one another.
func (j *judgement) readLedger() {
	j.Helper()
	r := j.replicas[len(j.replicas)-1]
	var err error
	j.tree, err = j.shelf.checkpoint(r)
	j.must(err)
	from := tiles{j.shelf, r}
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, n := range at {
			out = append(out, j.hashes[n])
		}
		return out, nil
	})
	for n := int64(0); n < j.tree.N; n += 256 {
		list, err := from.entries(n>>8, int(min(256, j.tree.N-n)))
		j.must(err)
		for k, e := range list {
			hashes, err := tlog.StoredHashes(n+int64(k), e, read)
			j.must(err)
			j.hashes, j.entries = append(j.hashes, hashes...), append(j.entries, e)
		}
	}
	for size, root := range j.shelf.roots {
		if size > j.tree.N {
			j.Errorf("a checkpoint of %d entries is lost: there are %d", size, j.tree.N)
			continue
		}
		if size == 0 {
			continue
		}
		if again, err := tlog.TreeHash(size, read); err != nil || again != root {
			j.Errorf("the checkpoint of %d entries is of another history: %v", size, err)
		}
	}
	// The tiles of hashes are those of this tree, too.
	tree := tlog.TileHashReader(j.tree, from)
	for n, e := range j.entries {
		at := tlog.StoredHashIndex(0, int64(n))
		if h, err := tree.ReadHashes([]int64{at}); n%97 == 0 && (err != nil || h[0] != tlog.RecordHash(e)) {
			j.Errorf("the tiles do not hold entry %d: %v", n, err)
		}
		c, err := commitmentIn(e)
		j.must(err)
		if first, ok := j.leaves[c]; ok {
			j.Errorf("entries %d and %d are of one commitment", first, n)
		}
		j.leaves[c] = int64(n)
		proof, err := tlog.ProveRecord(j.tree.N, int64(n), read)
		j.must(err)
		j.must(tlog.CheckRecord(proof, j.tree.N, j.tree.Hash, int64(n), tlog.RecordHash(e)))
	}
}

// commitmentIn reads an entry as docs/AUDIT.md describes it.
func commitmentIn(e []byte) (c [32]byte, err error) {
	if len(e) < 7 || len(e) < 7+int(e[6])+32 || e[0] != 1 {
		return c, fmt.Errorf("no entry: %x", e)
	}
	copy(c[:], e[7+int(e[6]):])
	return c, nil
}

// registered: what somebody was told is in the register, once and as told.
func (j *judgement) registered() {
	j.Helper()
	papers := map[string]int{}
	for _, c := range j.credentials {
		if c.state != "sealed" || c.jwt == "" && c.profile != profileConsent {
			j.Errorf("credential %s is %s", c.id, c.state)
		}
		if c.profile == issuer.ProfilePaper {
			papers[c.record]++
		}
	}
	for _, r := range j.records {
		if r.kind == issuer.KindBirth {
			switch n := j.count(`SELECT COUNT(*) FROM births WHERE ref = $1`, r.ref); {
			case n > 1 || n == 0 && r.id != "":
				j.Errorf("a birth is registered %d times", n)
			}
		}
		if r.id == "" {
			continue
		}
		if n := j.count(`SELECT COUNT(*) FROM `+r.kind+`s WHERE id = $1`, r.id); n != 1 {
			j.Errorf("a %s that was acknowledged is there %d times", r.kind, n)
		}
		if r.credential == "" {
			continue
		}
		if c := j.byID[r.credential]; c == nil || c.record != r.id || papers[r.id] != 1 {
			j.Errorf("a %s has %d papers, and not that which was acknowledged", r.kind, papers[r.id])
		}
	}
	known := map[string]*credential{}
	for _, c := range j.credentials {
		if c.profile == profileConsent {
			continue
		}
		if known[c.jwt] != nil {
			j.Errorf("credentials %s and %s are one", c.id, known[c.jwt].id)
		}
		known[c.jwt] = c
	}
	places := map[place]string{}
	for _, x := range j.consents {
		if c := j.byPlace[x.place]; c == nil || c.profile != profileConsent || places[x.place] != "" {
			j.Errorf("place %v was given out for a consent", x.place)
		}
		places[x.place] = "a consent"
	}
	for _, jwt := range j.handed {
		c := known[jwt]
		if c == nil {
			j.Error("somebody has a credential that the register does not know")
			continue
		}
		p, err := placeIn(jwt)
		j.must(err)
		if p != c.place {
			j.Errorf("credential %s says place %v and has %v", c.id, p, c.place)
		}
		if other, ok := places[p]; ok && other != jwt {
			j.Errorf("two credentials were given out at place %v", p)
		}
		places[p] = jwt
	}
}

// placeIn reads where a credential's status stands.
func placeIn(jwt string) (place, error) {
	payload, err := payloadIn(jwt)
	if err != nil {
		return place{}, err
	}
	return statusIn(payload)
}

func statusIn(payload []byte) (place, error) {
	var x struct {
		Entries []struct {
			List  string `json:"statusListCredential"`
			Index string `json:"statusListIndex"`
		} `json:"credentialStatus"`
		Status struct {
			List struct {
				URI   string `json:"uri"`
				Index int64  `json:"idx"`
			} `json:"status_list"`
		} `json:"status"`
	}
	if err := json.Unmarshal(payload, &x); err != nil {
		return place{}, err
	}
	list, index := x.Status.List.URI, x.Status.List.Index
	if len(x.Entries) > 0 {
		list = x.Entries[0].List
		var err error
		if index, err = strconv.ParseInt(x.Entries[0].Index, 10, 64); err != nil {
			return place{}, err
		}
	}
	n, err := strconv.ParseInt(list[strings.LastIndex(list, "/")+1:], 10, 64)
	return place{n, index}, err
}

func payloadIn(jwt string) ([]byte, error) {
	jwt, _, _ = strings.Cut(jwt, "~")
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a JWT: %.40s", jwt)
	}
	return base64.RawURLEncoding.DecodeString(parts[1])
}

// logged: every entry is of one commitment, and every commitment is one entry but
// for acts that others took back before they were published; each credential has one
// for its issuance, of its own bytes.
func (j *judgement) logged() {
	j.Helper()
	known, gone, silent := 0, 0, 0
	for _, c := range j.commitments {
		if len(c.hash) == 0 {
			gone++
			continue
		}
		at, ok := j.leaves[[32]byte(c.hash)]
		if !ok {
			if silent++; c.kind != "suspended" && c.kind != "reinstated" {
				j.Errorf("commitment %d (%s) is not in the ledger", c.id, c.kind)
			}
			continue
		}
		known++
		if c.kind != "issued" && c.credential == "" {
			continue
		}
		x := j.byID[c.credential]
		if x == nil {
			j.Errorf("entry %d (%s) is of a credential that there is not", at, c.kind)
			continue
		}
		if j.erased[x.record] {
			j.Errorf("credential %s was erased and has a commitment", c.credential)
		}
		if c.kind != "issued" && c.kind != "reserved" {
			continue
		}
		x.committed++
		if x.profile == profileConsent || x.profile == issuer.ProfileSDJWT || x.profile == issuer.ProfileLDP {
			continue // signed is another form than what is committed to
		}
		payload, err := payloadIn(x.jwt)
		j.must(err)
		inner := sha256.Sum256(payload)
		if sum := sha256.Sum256(slices.Concat([]byte("kinpass/commit/v1"), c.salt, inner[:])); !bytes.Equal(sum[:], c.hash) {
			j.Errorf("entry %d is not of credential %s as it was given out", at, x.id)
		}
	}
	for _, c := range j.credentials {
		if want := map[bool]int{false: 1}[j.erased[c.record]]; c.committed != want {
			j.Errorf("credential %s has %d entries for its issuance", c.id, c.committed)
		}
	}
	if more := len(j.entries) - known; more < 0 || more > gone {
		j.Errorf("%d entries of %d commitments, of which %d are erased", len(j.entries), len(j.commitments), gone)
	}
	for _, r := range j.records {
		if r.erased && !j.erased[r.id] {
			j.Error("a record that was erased is not")
		}
		for _, hash := range r.leaves {
			if _, ok := j.leaves[[32]byte(hash)]; !ok {
				j.Error("what was erased is not in the ledger any more")
			}
		}
	}
	j.Logf("%d credentials, %d entries, %d commitments erased, %d never published", len(j.credentials), len(j.entries), gone, silent)
}

// listed: each publication of each list says of every place what it was then; no
// place that nobody has is on one; no honest credential would be taken for one that
// was never issued; and the ledger told of no change before the lists did.
func (j *judgement) listed() {
	j.Helper()
	records := map[string]*record{}
	for _, r := range j.records {
		records[r.id] = r
	}
	perList := map[int64][]*credential{}
	for _, c := range j.credentials {
		perList[c.list] = append(perList[c.list], c)
	}
	consents := map[place]*consent{}
	for _, x := range j.consents {
		consents[x.place] = x
	}
	changes := j.changes()
	j.told(changes)
	newest := map[string]publication{}
	for at, p := range j.shelf.lists {
		if at.slot.After(newest[at.path].slot) {
			newest[at.path] = at
		}
		purpose, list := at.purpose()
		on := 0
		for _, c := range perList[list] {
			var says string
			switch purpose {
			case "issued":
				if p.bit(c.index) {
					on++
				} else if c.from.Before(at.slot) {
					j.Errorf("as of %s credential %s, valid from %s, was never issued", at.slot, c.id, c.from)
				}
				continue
			case "token":
				says = statuses[p.token(c.index)]
				on += min(1, int(p.token(c.index)))
			case "revocation":
				if says = issuer.StatusValid; p.bit(c.index) {
					says = issuer.StatusRevoked
					on++
				}
			case "suspension":
				if says = issuer.StatusValid; p.bit(c.index) {
					says = issuer.StatusSuspended
					on++
				}
			default:
				j.Errorf("a list for %q", purpose)
			}
			r := records[c.record]
			if r == nil {
				continue // nobody was told of it
			}
			can := r.at(at.slot)
			if x := consents[c.place]; x != nil && x.withdrawn != nil {
				can = x.at(at.slot, can)
			} else if x == nil && c.profile == profileConsent {
				continue // nobody was told of it
			}
			if !c.created.Before(at.slot.Add(-siegeSkew)) {
				can = append(can, issuer.StatusValid) // it was not there yet
			}
			if !slices.ContainsFunc(can, func(status string) bool { return agrees(purpose, says, status) }) {
				j.Errorf("%s as of %s says %s of a credential that was %v: %v", at.path, at.slot.Format(time.StampMilli), says, can, r.acts)
			}
			if purpose == "token" {
				j.notAhead(at, p, changes[c.place], says)
			}
		}
		if n := places(purpose, p.bits); n != on {
			j.Errorf("%s as of %s has %d places that are set, and %d credentials are there", at.path, at.slot, n, on)
		}
	}
	for path, at := range newest { // all is over
		purpose, list := at.purpose()
		if purpose != "token" {
			continue
		}
		for _, c := range perList[list] {
			says := statuses[j.shelf.lists[at].token(c.index)]
			if says != c.status {
				j.Errorf("in the end %s says %s of a credential that is %s", path, says, c.status)
			}
			if l := changes[c.place]; len(l) > 0 && l[len(l)-1].status != says || len(l) == 0 && says != issuer.StatusValid {
				j.Errorf("in the end %s says %s and the ledger %v", path, says, l)
			}
		}
	}
}

// at gives the statuses that the place of a consent can have as of a time, with
// those that the mandate can have.
func (c *consent) at(t time.Time, mandate []string) []string {
	withdrawn := (&record{acts: []turn{*c.withdrawn}}).at(t)
	if !slices.Contains(withdrawn, issuer.StatusValid) {
		return withdrawn
	}
	return append(withdrawn[1:], mandate...)
}

// agrees reports whether a list for a purpose may say this of what has a status: a
// revoked credential may stay on the list of the suspended.
func agrees(purpose, says, status string) bool {
	switch purpose {
	case "revocation":
		return (says == issuer.StatusRevoked) == (status == issuer.StatusRevoked)
	case "suspension":
		return status == issuer.StatusRevoked || (says == issuer.StatusSuspended) == (status == issuer.StatusSuspended)
	}
	return says == status
}

// places counts what is set.
func places(purpose string, bits []byte) (n int) {
	for _, b := range bits {
		for ; b > 0; b >>= map[bool]int{true: 2, false: 1}[purpose == "token"] {
			if purpose == "token" && b&3 > 0 || purpose != "token" && b&1 > 0 {
				n++
			}
		}
	}
	return n
}

// changed is an entry about a place.
type changed struct {
	entry  int64
	status string
}

// changes reads what the ledger says of each place, in its order.
func (j *judgement) changes() map[place][]changed {
	out := map[place][]changed{}
	for n, e := range j.entries {
		if e[1] != 3 {
			continue
		}
		b := e[7+int(e[6])+32:]
		p := place{int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))}
		out[p] = append(out[p], changed{int64(n), statuses[b[8]&3]})
	}
	return out
}

// told: what the ledger says of a place one after the other is always something else,
// and whatever the lists showed one after the other is in it, in this order.
func (j *judgement) told(changes map[place][]changed) {
	j.Helper()
	perList := map[string][]publication{}
	for at := range j.shelf.lists {
		if purpose, _ := at.purpose(); purpose == "token" {
			perList[at.path] = append(perList[at.path], at)
		}
	}
	for path, list := range perList {
		slices.SortFunc(list, func(a, b publication) int { return a.slot.Compare(b.slot) })
		_, n := list[0].purpose()
		for _, c := range j.credentials {
			if c.list != n {
				continue
			}
			now, rest := issuer.StatusValid, changes[c.place]
			for k, x := range rest {
				if x.status == now {
					j.Errorf("the ledger says twice that place %v is %s", c.place, now)
				}
				now = rest[k].status
			}
			now = issuer.StatusValid
			for _, at := range list {
				says := statuses[j.shelf.lists[at].token(c.index)]
				if says == now {
					continue
				}
				k := slices.IndexFunc(rest, func(x changed) bool { return x.status == says })
				if k < 0 {
					j.Errorf("%s as of %s says %s, and the ledger did not tell: %v", path, at.slot, says, changes[c.place])
					break
				}
				now, rest = says, rest[k+1:]
			}
		}
	}
}

// statuses are the values of a Token Status List (section 7.1).
var statuses = []string{issuer.StatusValid, issuer.StatusRevoked, issuer.StatusSuspended, "?"}

// notAhead: what the ledger had said when a list was fetched, the list says, or
// something that came later.
func (j *judgement) notAhead(at publication, p *published, told []changed, says string) {
	last := slices.IndexFunc(told, func(c changed) bool { return c.entry >= p.logged })
	if last < 0 {
		last = len(told)
	}
	if last == 0 || slices.ContainsFunc(told[last-1:], func(c changed) bool { return c.status == says }) {
		return
	}
	j.Errorf("the ledger of %d entries told of %v before %s as of %s, which says %s", p.logged, told[last-1], at.path, at.slot, says)
}

// facts: what is public is in the ledger, once.
func (j *judgement) facts() {
	j.Helper()
	facts := j.whatIsPublic()
	for _, f := range facts {
		if _, ok := j.leaves[f.Commitment]; !ok {
			j.Errorf("a fact of kind %d is not in the ledger", f.Kind)
		}
	}
	if len(facts) < 2 {
		j.Errorf("%d facts", len(facts))
	}
}
