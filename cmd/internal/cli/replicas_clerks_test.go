package cli

import (
	"bytes"
	"crypto/ed25519"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// record is a birth or a guardianship as its clerk was told of it. Only the clerk
// writes it, until the siege is over.
type record struct {
	kind       string
	ref        string // childRef of the registration
	id         string // "" if nobody ever answered
	state      string
	credential string // id of its paper
	acts       []turn
	erased     bool     // somebody answered that it is
	leaves     [][]byte // what was erased: its commitments that are in the ledger
}

// turn is one change of a record's status. It happened between from, when it was
// asked for first, and to, when it was answered; zero: it may have happened, now
// or never.
type turn struct {
	status   string
	from, to time.Time
}

// consent is a place for a travel consent that a guardian signs.
type consent struct {
	place
	withdrawn *turn // nil: nobody asked for that
}

// at gives the statuses that a record can have in what is published as of a time:
// by the clocks of those who act and publish, which run up to siegeSkew ahead.
func (r *record) at(t time.Time) []string {
	out, last := []string{issuer.StatusValid}, issuer.StatusValid
	for _, a := range r.acts {
		switch {
		case !a.to.IsZero() && a.to.Add(siegeSkew).Before(t):
			out = out[:0]
		case !a.from.Before(t):
			return out
		}
		last = a.status
		out = append(out, last)
	}
	return out
}

// end gives the statuses that it can have when all is over.
func (r *record) end() []string { return r.at(time.Now().Add(time.Hour)) }

// clerk is one of those who work while replicas are killed.
type clerk struct {
	*siege
	lot       *rand.Rand
	token     string
	colleague string // another person's
	done      []answered
}

// answered is a request with an Idempotency-Key and its answer.
type answered struct {
	request
	outcome []byte
}

func (c *clerk) work() {
	for c.on() {
		c.family()
		if len(c.done) > 0 && c.lot.IntN(3) == 0 {
			c.again(c.done[c.lot.IntN(len(c.done))])
		}
	}
}

// insist asks one replica after another until one answers, and says whether one
// did: sometimes somebody whose connection was lost gives up.
func (c *clerk) insist(q request) (reply, bool) {
	for end := time.Now().Add(2 * time.Minute); ; {
		a, err := c.send(c.any(c.lot), q)
		switch {
		case err != nil:
			if c.givesUp(err) {
				return reply{}, false
			}
			time.Sleep(time.Duration(20+c.lot.IntN(100)) * time.Millisecond)
		case a.status == http.StatusTooManyRequests:
			return a, false
		case a.status >= 500:
			c.note(fmt.Sprintf("%s %s: %d %s", q.method, shape(q.path), a.status, a.body))
			time.Sleep(20 * time.Millisecond)
		default:
			return a, true
		}
		if time.Now().After(end) {
			c.Errorf("%s %s: nobody answers", q.method, shape(q.path))
			return reply{}, false
		}
	}
}

// givesUp reports whether somebody whose request was cut off leaves it at that.
func (c *clerk) givesUp(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) || c.lot.IntN(16) > 0 || !c.on() {
		return false
	}
	c.given.Add(1)
	return true
}

// shape takes the names out of a path.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for n, p := range parts {
		if len(p) >= 20 {
			parts[n] = ":id"
		}
	}
	return strings.Join(parts, "/")
}

func (c *clerk) as(token, method, path string, body any) request {
	q := request{method: method, path: path, headers: map[string]string{"Authorization": "Bearer " + token}}
	switch b := body.(type) {
	case nil:
	case []byte:
		q.body = b
	default:
		q.body, _ = json.Marshal(b)
	}
	return q
}

// post is a request that may be repeated.
func (c *clerk) post(path string, body any) request {
	q := c.as(c.token, "POST", path, body)
	q.headers["Idempotency-Key"] = store.Random(16)
	return q
}

// outcome does what changes the register, now and then with two replicas at once.
func (c *clerk) outcome(q request, allowed ...int) (issuer.Outcome, bool) {
	var o issuer.Outcome
	var twin reply
	var twinned bool
	var wg sync.WaitGroup
	if c.lot.IntN(8) == 0 && q.headers["Idempotency-Key"] != "" {
		other := &clerk{siege: c.siege, lot: rand.New(rand.NewPCG(c.lot.Uint64(), 0))}
		wg.Go(func() { twin, twinned = other.insist(q) })
	}
	a, ok := c.insist(q)
	wg.Wait()
	if !ok {
		return o, false
	}
	if !slices.Contains(allowed, a.status) {
		c.Errorf("%s %s: %d %s", q.method, shape(q.path), a.status, a.body)
		return o, false
	}
	if twinned && !bytes.Equal(twin.body, a.body) {
		c.Errorf("%s %s: asked twice at once with one key: %s and %s", q.method, shape(q.path), a.body, twin.body)
	}
	if a.status >= 300 {
		return o, true
	}
	if err := json.Unmarshal(a.body, &o); err != nil {
		c.Errorf("%s %s: %s", q.method, shape(q.path), a.body)
		return o, false
	}
	if q.headers["Idempotency-Key"] != "" && len(c.done) < 1000 {
		c.done = append(c.done, answered{q, a.body})
	}
	return o, true
}

// again repeats a request that was answered: the answer is the same.
func (c *clerk) again(d answered) {
	a, ok := c.insist(d.request)
	if ok && (a.status >= 300 || !bytes.Equal(a.body, d.outcome)) {
		c.Errorf("%s %s with the same key: first %s, then %d %s", d.method, shape(d.path), d.outcome, a.status, a.body)
	}
}

// decide has the colleague agree to what waits.
func (c *clerk) decide(approval string, allowed ...int) (issuer.Outcome, bool) {
	return c.outcome(c.as(c.colleague, "POST", "/approvals/"+approval, map[string]string{"decision": "approve"}), allowed...)
}

// register registers and gives the record, nil if it is not in force.
func (c *clerk) register(kind, ref string, body []byte) *record {
	r := &record{kind: kind, ref: ref}
	c.mu.Lock()
	c.records = append(c.records, r)
	c.mu.Unlock()
	o, ok := c.outcome(c.post("/"+kind+"s", body), 201, 202)
	if !ok {
		return nil
	}
	r.id, r.state = o.ID, o.State
	if o.State == issuer.StatePending {
		if o, ok = c.decide(o.Approval, 200); !ok {
			return nil
		}
		r.state = o.State
	}
	if o.State != issuer.StateIssued {
		return nil // it looks like another one
	}
	if len(o.Credentials) != 1 || o.Credentials[0].Profile != issuer.ProfilePaper {
		c.Errorf("%s: %+v", kind, o)
		return nil
	}
	r.credential = o.Credentials[0].ID
	return r
}

// family registers a child and a mandate, gives out the papers and what may become
// of them.
func (c *clerk) family() {
	birth, guardianship, err := family(time.Now().UTC())
	if err != nil {
		c.Error(err)
		return
	}
	var b vc.Birth
	if err := json.Unmarshal(birth, &b); err != nil {
		c.Error(err)
		return
	}
	if c.lot.IntN(4) == 0 { // needs a second person
		b.Registration.Mode, b.Registration.Date = "late", vc.DateOf(time.Now().UTC()).AddDays(-3).String()
		birth, _ = json.Marshal(b)
	}
	child := c.register(issuer.KindBirth, b.ChildRef, birth)
	if child == nil {
		return
	}
	c.births.Add(1)
	mandate := c.register(issuer.KindGuardianship, b.ChildRef, guardianship)
	if mandate == nil {
		return
	}
	if !c.printed(child, mandate) {
		return
	}
	if c.lot.IntN(6) == 0 && c.on() && !c.redeem(mandate) {
		return
	}
	of := mandate
	if c.lot.IntN(3) == 0 {
		of = child
	}
	for range c.lot.IntN(5) {
		if !c.on() || !c.change(of, mandate) {
			return
		}
	}
	if slices.Equal(mandate.end(), []string{issuer.StatusRevoked}) && c.lot.IntN(2) == 0 && c.on() {
		c.erase(mandate)
	}
}

// printed fetches the papers, twice: they are the same.
func (c *clerk) printed(child, mandate *record) bool {
	var jwts [2][]string
	for n := range jwts {
		q := c.as(c.token, "GET", "/births/"+child.id+"/paper?guardianship="+mandate.id, nil)
		q.headers["Accept"] = "text/plain"
		a, ok := c.insist(q)
		if !ok {
			return false
		}
		p, err := qr.Unpack(string(a.body))
		if err != nil || a.status != http.StatusOK {
			c.Errorf("papers: %d %s %v", a.status, a.body, err)
			return false
		}
		jwts[n] = p.Credentials
	}
	if !slices.Equal(jwts[0], jwts[1]) || len(jwts[0]) != 2 {
		c.Error("the same papers are not the same")
	}
	c.hand(jwts[0]...)
	return true
}

// hand keeps credentials as somebody got them.
func (c *clerk) hand(jwts ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handed = append(c.handed, jwts...)
}

// change does the next thing to a record's status; what happens to a birth happens
// to its mandate when it is for good. It reports whether it was done.
func (c *clerk) change(r, mandate *record) bool {
	now := r.end()
	act := "suspend"
	switch {
	case slices.Equal(now, []string{issuer.StatusRevoked}):
		return true
	case c.lot.IntN(4) == 0:
		act = "revoke"
	case slices.Equal(now, []string{issuer.StatusSuspended}):
		act = "reinstate"
	}
	reason := map[string]string{"suspend": "investigation", "reinstate": "resolved", "revoke": "recordedInError"}[act]
	status := map[string]string{"suspend": issuer.StatusSuspended, "reinstate": issuer.StatusValid, "revoke": issuer.StatusRevoked}[act]
	of := []*record{r}
	if act == "revoke" && r != mandate {
		of = append(of, mandate)
	}
	begin := time.Now()
	say := func(to time.Time) {
		for _, x := range of {
			x.acts = append(x.acts, turn{status, begin, to})
		}
	}
	o, ok := c.outcome(c.post("/credentials/"+r.credential+"/"+act, map[string]string{"reason": reason}), 200, 202)
	if ok && act == "revoke" {
		if o.State != issuer.StatePending {
			c.Errorf("revoked alone: %+v", o)
		}
		begin = time.Now()
		o, ok = c.decide(o.Approval, 200)
	} else if !ok && act == "revoke" {
		return false // nobody has agreed to it
	}
	if !ok {
		say(time.Time{})
		return false
	}
	say(time.Now())
	if o.Status != status {
		c.Errorf("%s answers %+v", act, o)
	}
	if c.lot.IntN(2) == 0 {
		return c.check(of, status)
	}
	return true
}

// check reads the records: they are as somebody was told.
func (c *clerk) check(of []*record, status string) bool {
	for _, r := range of {
		a, ok := c.insist(c.as(c.token, "GET", "/"+r.kind+"s/"+r.id, nil))
		if !ok {
			return false
		}
		var x issuer.Record
		if err := json.Unmarshal(a.body, &x); err != nil || x.Status != status {
			c.Errorf("a %s that is %s reads %d %s", r.kind, status, a.status, x.Status)
		}
	}
	return true
}

// erase has a record's link to the ledger deleted, once the ledger has it all.
func (c *clerk) erase(r *record) {
	rows, err := c.db.QueryContext(c.Context(), `SELECT hash FROM commitments WHERE kind IN ('issued', 'revoked') AND credential_id IN
		(SELECT id FROM credentials WHERE record = $1)`, r.id)
	if err != nil {
		c.Error(err)
		return
	}
	for rows.Next() {
		var hash []byte
		if err := rows.Scan(&hash); err != nil {
			c.Error(err)
		}
		r.leaves = append(r.leaves, hash)
	}
	rows.Close()
	o, ok := c.outcome(c.post("/credentials/"+r.credential+"/erase", map[string]string{"reason": "request"}), 202)
	for end := time.Now().Add(time.Minute); ok; time.Sleep(200 * time.Millisecond) {
		var done issuer.Outcome
		if done, ok = c.decide(o.Approval, 200, 409); ok && done.ID != "" {
			r.erased = true
			c.erased.Add(1)
			return
		}
		if time.Now().After(end) {
			c.Error("a revoked record is never erased")
			return
		}
	}
}

// redeem fetches a holder's credentials with a wallet written from the
// specifications (OpenID4VCI 1.0, RFC 9449), each twice: they are the same.
func (c *clerk) redeem(mandate *record) bool {
	a, ok := c.insist(c.post("/offers", map[string]string{"guardianship": mandate.id}))
	if !ok {
		return a.status == http.StatusTooManyRequests
	}
	var offer struct {
		Offer struct {
			Grants map[string]struct {
				Code string `json:"pre-authorized_code"`
			} `json:"grants"`
		} `json:"offer"`
		PIN string `json:"pin"`
	}
	if err := json.Unmarshal(a.body, &offer); err != nil || a.status != http.StatusCreated {
		c.Errorf("offer: %d %s", a.status, a.body)
		return false
	}
	const grant = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	w := newHandWallet(c)
	form := url.Values{"grant_type": {grant}, "pre-authorized_code": {offer.Offer.Grants[grant].Code}, "tx_code": {offer.PIN}}
	var token struct {
		Access string `json:"access_token"`
	}
	if done, again := w.ask("/token", form.Encode(), "", &token); !done {
		return again
	}
	for _, config := range []string{issuer.ConfigGuardBorder, issuer.ConfigBirthBorder, issuer.ConfigGuardSDJWT} {
		var got [2]string
		for n := range got {
			var nonce struct {
				Nonce string `json:"c_nonce"`
			}
			if done, again := w.ask("/nonce", "", "", &nonce); !done {
				return again
			}
			proof := w.sign(map[string]any{"typ": "openid4vci-proof+jwt", "kid": did.KeyID(w.id)},
				map[string]any{"aud": c.public, "iat": time.Now().Unix(), "nonce": nonce.Nonce})
			body, _ := json.Marshal(map[string]any{"credential_configuration_id": config, "proofs": map[string]any{"jwt": []string{proof}}})
			var out struct {
				Credentials []struct {
					Credential string `json:"credential"`
				} `json:"credentials"`
			}
			if done, again := w.ask("/credential", string(body), token.Access, &out); !done {
				return again
			}
			if len(out.Credentials) != 1 {
				c.Errorf("%s: %+v", config, out)
				return false
			}
			got[n] = out.Credentials[0].Credential
		}
		if got[0] != got[1] {
			c.Errorf("%s, asked for twice by one holder, is not the same", config)
		}
		c.hand(got[0])
		if config == issuer.ConfigGuardBorder && !w.consent(got[0]) {
			return false
		}
	}
	return true
}

// consent has a place reserved for a travel consent, twice with one request, and now
// and then withdraws it.
func (w *handWallet) consent(guardianship string) bool {
	payload, err := payloadIn(guardianship)
	if err != nil {
		w.Error(err)
		return false
	}
	var credential struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(payload, &credential); err != nil {
		w.Error(err)
		return false
	}
	sign := func(path, act string, more map[string]any) request {
		claims := map[string]any{"aud": w.did(), "iat": time.Now().Unix(), "jti": store.Random(16), "act": act}
		maps.Copy(claims, more)
		body, _ := json.Marshal(map[string]string{"request": w.sign(map[string]any{"typ": vc.TypConsentStatus, "kid": did.KeyID(w.id)}, claims)})
		return request{method: "POST", path: path, body: body}
	}
	reserve := sign("/consent-status", "reserve", map[string]any{"guardianship": credential.ID})
	var got [2]place
	for n := range got {
		a, ok := w.insist(reserve)
		if !ok {
			return a.status == http.StatusTooManyRequests
		}
		if got[n], err = statusIn(a.body); err != nil || a.status != http.StatusCreated {
			w.Errorf("consent: %d %s %v", a.status, a.body, err)
			return false
		}
	}
	if got[0] != got[1] {
		w.Errorf("one request for a consent has places %v and %v", got[0], got[1])
	}
	x := &consent{place: got[0]}
	w.mu.Lock()
	w.consents = append(w.consents, x)
	w.mu.Unlock()
	if w.lot.IntN(2) == 0 {
		return true
	}
	x.withdrawn = &turn{status: issuer.StatusRevoked, from: time.Now()}
	a, ok := w.insist(sign("/consent-status/withdraw", "withdraw", map[string]any{
		"list": fmt.Sprintf("%s/status/revocation/%d", w.public, x.list), "index": strconv.FormatInt(x.index, 10)}))
	if !ok {
		return a.status == http.StatusTooManyRequests
	}
	x.withdrawn.to = time.Now()
	if a.status != http.StatusNoContent {
		w.Errorf("withdraw: %d %s", a.status, a.body)
		return false
	}
	return true
}

// handWallet is a holder's wallet.
type handWallet struct {
	*clerk
	key ed25519.PrivateKey
	id  string // did:key
}

func newHandWallet(c *clerk) *handWallet {
	_, key, err := ed25519.GenerateKey(crand.Reader)
	if err != nil {
		c.Error(err)
	}
	id, err := did.EncodeKey(key.Public())
	if err != nil {
		c.Error(err)
	}
	return &handWallet{c, key, id}
}

func (w *handWallet) sign(header, claims map[string]any) string {
	header["alg"] = "EdDSA"
	h, _ := json.Marshal(header)
	p, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(p)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(w.key, []byte(text)))
}

// ask posts until somebody answers, each time with a fresh proof of the key. If
// nobody does, goOn says whether that is for want of time alone.
func (w *handWallet) ask(path, body, access string, out any) (done, goOn bool) {
	for {
		claims := map[string]any{"jti": store.Random(16), "htm": "POST", "htu": w.public + path, "iat": time.Now().Unix()}
		q := request{method: "POST", path: path, body: []byte(body), headers: map[string]string{}}
		if access != "" {
			sum := sha256.Sum256([]byte(access))
			claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
			q.headers["Authorization"] = "DPoP " + access
		}
		if path == "/token" {
			q.headers["Content-Type"] = "application/x-www-form-urlencoded"
		}
		if path != "/nonce" {
			jwk := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(w.key.Public().(ed25519.PublicKey))}
			q.headers["DPoP"] = w.sign(map[string]any{"typ": "dpop+jwt", "jwk": jwk}, claims)
		}
		a, err := w.send(w.any(w.lot), q)
		switch {
		case err != nil:
			if w.givesUp(err) {
				return false, true
			}
			time.Sleep(30 * time.Millisecond)
		case a.status == http.StatusTooManyRequests:
			return false, true
		case a.status >= 500:
			w.note(fmt.Sprintf("POST %s: %d %s", path, a.status, a.body))
			time.Sleep(20 * time.Millisecond)
		case a.status != http.StatusOK:
			w.Errorf("%s: %d %s", path, a.status, a.body)
			return false, false
		default:
			if err := json.Unmarshal(a.body, out); err != nil {
				w.Errorf("%s: %s", path, a.body)
				return false, false
			}
			return true, true
		}
	}
}
