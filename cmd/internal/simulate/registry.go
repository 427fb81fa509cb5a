package simulate

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// start is when the play begins: two weeks before a quarter ends, so that lists
// come and go.
var start = time.Date(2027, 3, 15, 0, 0, 0, 0, time.UTC)

const (
	shelf  = "https://registry.example"
	office = "did:web:registry.example"

	listSize   = 1 << 20
	windowSize = 1 << 17 // places that are given out before the next ones of a list
	life       = 365 * 24 * time.Hour
	held       = 30 * 24 * time.Hour // how long a suspension lasts, on average
)

// kinds of credentials and their parts of the whole.
var kinds = []struct {
	name string
	part float64
}{{"birth", 0.45}, {"guardianship", 0.45}, {"consent", 0.10}}

// registry is the nation's register: lists by kind and expiry quarter.
type registry struct {
	n       Nation
	chance  *rand.Rand
	groups  []*group
	number  int // of lists so far
	signer  keys.Signer
	hub     keys.Signer
	anchors vc.Anchors
	trust   string
	// revocations counts those up to each step.
	revocations []int64
	suspended   []place
}

type place struct {
	l  *list
	at int64
}

// group is the lists of one kind and quarter.
type group struct {
	kind    int
	quarter time.Time // its first day
	lists   []*list
}

// list is one status list of 2^20 places in windows.
type list struct {
	number  int
	order   []int32 // of the places within the window that is being filled
	given   int64   // places given out
	bits    [kindsOfList]*status.List
	encoded [kindsOfList]string // of what did not change
}

// What a list is about.
const (
	revocation = iota
	suspension
	issued
	kindsOfList
)

var purposes = [kindsOfList]string{vc.PurposeRevocation, vc.PurposeSuspension, vc.PurposeIssued}

func newRegistry(n Nation) (*registry, error) {
	r := &registry{n: n, chance: n.chance(1), revocations: []int64{0}}
	var ks [3]keys.Signer
	for i, name := range []string{"anchor#1", office + "#key-1", "hub#1"} {
		var seed [32]byte
		seed[0] = byte(i + 1)
		ks[i] = keys.Signer{KID: name, Alg: keys.EdDSA, Signer: ed25519.NewKeyFromSeed(seed[:])}
	}
	r.signer, r.hub, r.anchors = ks[1], ks[2], vc.OneOf(ks[0].Public())
	if err := r.signTrust(ks[0]); err != nil {
		return nil, err
	}
	// What is in force was issued evenly over the last year.
	for k := range kinds {
		all := float64(n.Credentials) * kinds[k].part
		const parts = 24
		for i := range parts {
			r.give(k, start.Add(life/parts*time.Duration(i)+life/parts/2), int64(all/parts))
		}
	}
	for _, g := range r.groups {
		for _, l := range g.lists {
			for range r.round(float64(l.given) * n.Revoked) {
				l.mark(r, revocation)
			}
			for range r.round(float64(l.given) * n.Suspended) {
				if at, ok := l.mark(r, suspension); ok {
					r.suspended = append(r.suspended, place{l, at})
				}
			}
		}
	}
	return r, nil
}

func (r *registry) round(x float64) int64 {
	whole := math.Floor(x)
	if r.chance.Float64() < x-whole {
		whole++
	}
	return int64(whole)
}

func quarter(t time.Time) time.Time {
	return time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
}

// give issues credentials that expire at a time.
func (r *registry) give(kind int, expires time.Time, count int64) {
	q := quarter(expires)
	var g *group
	for _, x := range r.groups {
		if x.kind == kind && x.quarter.Equal(q) {
			g = x
		}
	}
	if g == nil {
		g = &group{kind: kind, quarter: q}
		r.groups = append(r.groups, g)
	}
	for ; count > 0; count-- {
		var l *list
		if len(g.lists) > 0 {
			l = g.lists[len(g.lists)-1]
		}
		if l == nil || l.given == listSize {
			r.number++
			l = &list{number: r.number}
			for p := range l.bits {
				l.bits[p], _ = status.New(listSize) // a size that every list has
			}
			g.lists = append(g.lists, l)
		}
		if l.given%windowSize == 0 && count >= windowSize { // a whole window at once
			l.fill(issued, l.given, windowSize)
			l.given += windowSize
			count -= windowSize - 1
			continue
		}
		if l.order == nil {
			l.order = make([]int32, windowSize)
			for i, x := range r.chance.Perm(windowSize) {
				l.order[i] = int32(x)
			}
		}
		base := l.given / windowSize * windowSize
		l.fill(issued, base+int64(l.order[l.given-base]), 1)
		if l.given++; l.given%windowSize == 0 {
			l.order = nil
		}
	}
}

func (l *list) fill(purpose int, at, n int64) {
	for i := range n {
		_ = l.bits[purpose].Set(at + i) // on the list: at is below its size
	}
	l.encoded[purpose] = ""
}

// mark sets a place that was given out and is not set, by chance.
func (l *list) mark(r *registry, purpose int) (int64, bool) {
	for range 1000 {
		at := r.chance.Int64N(min(listSize, (l.given+windowSize-1)/windowSize*windowSize))
		out, _ := l.bits[issued].Get(at)
		set, _ := l.bits[purpose].Get(at)
		if out && !set {
			l.fill(purpose, at, 1)
			return at, true
		}
	}
	return 0, false
}

// live lets time pass: what is issued, revoked, suspended and reinstated until now.
func (r *registry) live(step time.Duration, now time.Time) (given, revoked, suspended int64) {
	part := float64(step) / float64(life)
	for k := range kinds {
		n := r.round(float64(r.n.Credentials) * kinds[k].part * part)
		r.give(k, now.Add(life), n)
		given += n
	}
	// A list ends with the quarter in which its credentials expire.
	kept := r.groups[:0]
	for _, g := range r.groups {
		if !quarter(now).After(g.quarter) {
			kept = append(kept, g)
		}
	}
	r.groups = kept
	for range r.round(float64(r.n.Credentials) * r.n.Revoked * part) {
		if _, ok := r.any().mark(r, revocation); ok {
			revoked++
		}
	}
	r.revocations = append(r.revocations, r.revocations[len(r.revocations)-1]+revoked)
	change := float64(r.n.Credentials) * r.n.Suspended * float64(step) / float64(held)
	for range r.round(change) {
		l := r.any()
		if at, ok := l.mark(r, suspension); ok {
			r.suspended = append(r.suspended, place{l, at})
			suspended++
		}
	}
	for range r.round(change) {
		if len(r.suspended) == 0 {
			break
		}
		i := r.chance.IntN(len(r.suspended))
		p := r.suspended[i]
		r.suspended[i] = r.suspended[len(r.suspended)-1]
		r.suspended = r.suspended[:len(r.suspended)-1]
		_ = p.l.bits[suspension].Clear(p.at) // it was set
		p.l.encoded[suspension] = ""
	}
	return given, revoked, suspended
}

// any gives a list by chance, by what was given out on it.
func (r *registry) any() *list {
	total := int64(0)
	for _, g := range r.groups {
		for _, l := range g.lists {
			total += l.given
		}
	}
	at := r.chance.Int64N(total)
	for _, g := range r.groups {
		for _, l := range g.lists {
			if at -= l.given; at < 0 {
				return l
			}
		}
	}
	panic("no list") // the sum was made of the same lists
}

// publish signs every list, as an issuer does at each of its fixed times, on every
// core.
func (r *registry) publish(now time.Time, sequence int) (check.BundlePayload, error) {
	p := check.BundlePayload{ID: fmt.Sprintf("simulated-%d", sequence), Sequence: int64(sequence), CreatedAt: now, TrustList: r.trust}
	lists := 0
	for _, x := range r.groups {
		lists += len(x.lists)
	}
	p.StatusLists, p.Issued = make([]string, 2*lists), make([]string, lists)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	at := 0
	for _, x := range r.groups {
		for _, l := range x.lists {
			to := [kindsOfList]*string{&p.StatusLists[2*at], &p.StatusLists[2*at+1], &p.Issued[at]}
			at++
			g.Go(func() error {
				for purpose, to := range to {
					var err error
					if *to, err = r.sign(l, purpose, now); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	return p, g.Wait()
}

func (r *registry) sign(l *list, purpose int, now time.Time) (string, error) {
	if l.encoded[purpose] == "" {
		encoded, err := l.bits[purpose].Encode()
		if err != nil {
			return "", err
		}
		l.encoded[purpose] = encoded
	}
	name := purposes[purpose]
	url := fmt.Sprintf("%s/status/%s/%d", shelf, name, l.number)
	subject, err := json.Marshal(map[string]any{"id": url + "#list", "type": "BitstringStatusList", "statusPurpose": name, "encodedList": l.encoded[purpose], "ttl": 300000})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(vc.Credential{Context: []string{vc.ContextV2}, ID: url, Type: []string{vc.TypeCredential, vc.TypeStatusList},
		Issuer: office, ValidFrom: now, ValidTo: now.AddDate(0, 0, 7), Subject: subject})
	if err != nil {
		return "", err
	}
	return vc.SignJWS(r.signer, vc.TypCredential, "vc", payload)
}

func (r *registry) signTrust(anchor keys.Signer) error {
	key := func(s keys.Signer, role string, types ...string) (vc.TrustKey, error) {
		jwk, err := vc.PublicJWK(s.Public(), s.KID, "")
		return vc.TrustKey{ID: s.KID, JWK: jwk, Role: role, Types: types, NotBefore: start.AddDate(-2, 0, 0)}, err
	}
	is, err := key(r.signer, vc.RoleRegistrar, vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList)
	if err != nil {
		return err
	}
	hub, err := key(r.hub, vc.RoleHub)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(vc.TrustList{ID: "simulated", Sequence: 1, IssuedAt: start.AddDate(0, 0, -1), Next: start.AddDate(1, 0, 0),
		Issuers: []vc.TrustIssuer{{DID: office, Name: "Registry", Shelf: shelf, Keys: []vc.TrustKey{is}}}, Hubs: []vc.TrustKey{hub}})
	if err != nil {
		return err
	}
	r.trust, err = vc.SignJWS(anchor, vc.TypTrustList, "", payload)
	return err
}

// bounds gives the least that the revoked places could be written in, and what they
// take as compressed bitstrings, in bytes.
func (r *registry) bounds() (entropy, gzip int64) {
	bits := 0.0
	for _, g := range r.groups {
		for _, l := range g.lists {
			p := float64(l.bits[revocation].Count()) / listSize
			if p > 0 && p < 1 {
				bits -= listSize * (p*math.Log2(p) + (1-p)*math.Log2(1-p))
			}
			gzip += int64(len(l.encoded[revocation])) * 3 / 4
		}
	}
	return int64(bits / 8), gzip
}
