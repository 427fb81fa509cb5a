package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of the shelf.
var (
	ErrNoSuchStatusList = fault.New(fault.NotFound, "no-such-status-list", "there is no such status list")
	ErrListEnded        = fault.New(fault.NotFound, "status-list-ended", "this status list is published no more: all credentials on it ended long ago")
	ErrNoTrustList      = fault.New(fault.NotFound, "no-trust-list", "this issuer publishes no trust list")
	ErrNoSuchSchema     = fault.New(fault.NotFound, "no-such-schema", "there is no such schema")
	ErrNoSuchVct        = fault.New(fault.NotFound, "no-such-vct", "there is no such type of SD-JWT VC")
)

// Published is one document of the shelf: the public, signed or fixed files
// that verifiers fetch ahead of any check. Nothing on the shelf is about one
// child, so asking for it tells nothing about one.
type Published struct {
	Type  string // media type
	Cache string // Cache-Control
	Body  []byte
}

// Caching of the shelf. A proxy that keeps a status list longer delays a
// revocation (see Issuer.cache for those that are published at fixed times);
// keys and trust lists are announced well ahead; what has a version in its name
// never changes.
const (
	cacheStatus = "public, max-age=60, must-revalidate"
	cacheKeys   = "public, max-age=300"
	cacheFixed  = "public, max-age=31536000, immutable"
)

const (
	// listLife is how long a signed status list may be used offline, at most.
	// Verifiers have stricter rules of their own and show the age.
	listLife = 7 * 24 * time.Hour
	// keyAfterlife is how long a key stays published after it stopped signing:
	// no credential of the register lives longer.
	keyAfterlife = 365 * 24 * time.Hour
	// witnessAfterlife is that of a key that witnesses consents: one without an
	// end of its own is good for two years (vc.ConsentEnd).
	witnessAfterlife = 2*366*24*time.Hour + 48*time.Hour
)

// afterlife gives how long a key of a use stays published.
func afterlife(use string) time.Duration {
	if slices.Contains(mayWitness, use) {
		return witnessAfterlife
	}
	return keyAfterlife
}

// publishedUses are the uses of keys that sign what others verify: the
// register's own, then those of the roles that it holds keys for.
var publishedUses = func() []string {
	uses := []string{keys.UseCredentials, keys.UseSelective}
	for _, role := range keys.RoleUses() {
		uses = append(uses, role, keys.SelectiveOf(role))
	}
	return uses
}()

// publishedKeys gives the keys of a use that a verifier may meet at t or later:
// those that sign now, those that will, and those of which a credential can
// still be valid.
func (i *Issuer) publishedKeys(use string, t time.Time) []*keys.Key {
	var out []*keys.Key
	for _, k := range i.cfg.Ring.Of(use) {
		if k.NotAfter.IsZero() || t.Before(k.NotAfter.Add(afterlife(k.Use))) {
			out = append(out, k)
		}
	}
	return out
}

// DIDDocument gives the issuer's did:web document (DID Core 1.0; Controlled
// Identifiers 1.0 for JsonWebKey and, for the keys of Data Integrity proofs,
// Multikey). Keys are published as soon as they exist, before they sign, so that
// a copy kept for offline use knows the next one. A method expires when the last
// credential it can have signed does. A key for a role says which, for the
// operator of a trust list to compare with what was agreed; nothing is believed
// for it. A key that the trust list has cut off still has its method, so that what
// it signed can be read, and is for assertions no more: nobody takes it for good
// again.
func (i *Issuer) DIDDocument(ctx context.Context) (Published, error) {
	d := did.Document{
		Context: []string{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1", "https://w3id.org/security/multikey/v1"},
		ID:      i.did, VerificationMethod: []did.VerificationMethod{}, AssertionMethod: []string{},
	}
	cut := i.withdrawn(ctx)
	for _, use := range publishedUses {
		for _, k := range i.publishedKeys(use, i.now()) {
			m, err := i.method(k)
			if err != nil {
				return Published{}, err
			}
			d.VerificationMethod = append(d.VerificationMethod, m)
			if !cut[m.ID] {
				d.AssertionMethod = append(d.AssertionMethod, m.ID)
			}
		}
	}
	return published("application/did+json", cacheKeys, d)
}

// method gives the verification method of a key.
func (i *Issuer) method(k *keys.Key) (did.VerificationMethod, error) {
	m := did.VerificationMethod{ID: i.did + "#" + k.Name, Controller: i.did, Role: keys.RoleOf(k.Use)}
	if !k.NotAfter.IsZero() {
		m.Expires = k.NotAfter.Add(afterlife(k.Use)).UTC().Format(time.RFC3339)
	}
	var err error
	if keys.Selective(k.Use) {
		m.Type = "Multikey"
		m.PublicKeyMultibase, err = did.EncodeMultikey(k.Public())
	} else {
		m.Type = "JsonWebKey"
		m.PublicKeyJwk, err = vc.PublicJWK(k.Public(), m.ID, k.Alg)
	}
	return m, err
}

// JWKS gives the same keys as a JWK Set (RFC 7517), for verifiers that know no
// DIDs. kid is the one in the JOSE header of each credential; nbf and exp say,
// in seconds since 1970, from when to when the key signs.
func (i *Issuer) JWKS() (Published, error) {
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	var list []*keys.Key
	for _, use := range publishedUses {
		list = append(list, i.publishedKeys(use, i.now())...)
	}
	for _, k := range list {
		jwk, err := vc.PublicJWK(k.Public(), i.did+"#"+k.Name, k.Alg)
		if err != nil {
			return Published{}, err
		}
		var members map[string]any
		if err := json.Unmarshal(jwk, &members); err != nil {
			return Published{}, err
		}
		members["nbf"] = k.NotBefore.Unix()
		if !k.NotAfter.IsZero() {
			members["exp"] = k.NotAfter.Unix()
		}
		if jwk, err = json.Marshal(members); err != nil {
			return Published{}, err
		}
		set.Keys = append(set.Keys, jwk)
	}
	return published("application/jwk-set+json", cacheKeys, set)
}

// TrustList gives the signed trust list that this issuer passes on, or
// ErrNoTrustList.
func (i *Issuer) TrustList() (Published, error) {
	if i.cfg.TrustList == nil {
		return Published{}, ErrNoTrustList
	}
	b, err := i.cfg.TrustList()
	if err != nil {
		return Published{}, err
	}
	if len(b) == 0 {
		return Published{}, ErrNoTrustList
	}
	media := "application/jwt"
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		media = "application/jose+json" // signed by several anchors
	}
	return Published{Type: media, Cache: cacheKeys, Body: b}, nil
}

// Schema gives a JSON Schema by its path below vc.SchemaBase, such as
// "credential/birth/1.json", or ErrNoSuchSchema.
func (i *Issuer) Schema(path string) (Published, error) {
	b, ok := schemaFiles()[path]
	if !ok {
		return Published{}, ErrNoSuchSchema
	}
	return Published{Type: "application/schema+json", Cache: cacheFixed, Body: b}, nil
}

// schemaFiles holds the schemas' bytes; nobody changes them.
var schemaFiles = sync.OnceValue(vc.SchemaFiles)

// Vct gives the Type Metadata of an SD-JWT VC (SD-JWT VC, section 6) by its
// path below vc.VctBase, such as "birth/1", or ErrNoSuchVct.
func (i *Issuer) Vct(path string) (Published, error) {
	b, ok := vctFiles()[path]
	if !ok {
		return Published{}, ErrNoSuchVct
	}
	return Published{Type: "application/json", Cache: cacheFixed, Body: b}, nil
}

// vctFiles holds the type metadata's bytes; nobody changes them.
var vctFiles = sync.OnceValue(vc.VctFiles)

// Context gives the JSON-LD context of Kinpass.
func (i *Issuer) Context() (Published, error) {
	return Published{Type: "application/ld+json", Cache: cacheFixed, Body: vc.ContextFile()}, nil
}

func published(mediaType, cache string, v any) (Published, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Published{}, err
	}
	return Published{Type: mediaType, Cache: cache, Body: b}, nil
}

// StatusIndex gives {"lists": [address, …]}: every status list that a
// credential in force can be on, for those who fetch them all.
func (i *Issuer) StatusIndex(ctx context.Context) (Published, error) {
	s, err := i.slot(ctx)
	if err != nil {
		return Published{}, err
	}
	return i.statusIndex(ctx, s)
}

func (i *Issuer) statusIndex(ctx context.Context, s slot) (Published, error) {
	ids, err := i.store.activeLists(ctx, s)
	if err != nil {
		return Published{}, err
	}
	index := struct {
		Lists []string `json:"lists"`
	}{Lists: []string{}}
	for _, n := range ids {
		for _, p := range purposes {
			index.Lists = append(index.Lists, i.listURL(p, n))
		}
		index.Lists = append(index.Lists, i.listURL(tokenLists, n), i.listURL(vc.PurposeIssued, n))
	}
	return published("application/json", i.cache(s.at), index)
}

// purposes of a status list, in the order of a credential's entries.
var purposes = []string{vc.PurposeRevocation, vc.PurposeSuspension}

// tokenLists stands in the address of a Token Status List where a bitstring
// list has its purpose.
const tokenLists = "token"

// forms are all that is signed of one list: the bitstring lists by purpose, and
// the Token Status List of the same indexes in its two encodings.
var forms = []string{vc.PurposeRevocation, vc.PurposeSuspension, vc.MediaTokenJWT, vc.MediaTokenCWT}

// shelf keeps the status lists in memory: their bits, and each as it was last
// signed. The database stays the truth; a list is read whole once and then
// follows the changes. The zero shelf is empty.
type shelf struct {
	live  bool // shows what is committed now
	mu    sync.Mutex
	lists map[int64]*shelfList
}

// shelfList is one list in all its forms. Its lock is held while it is read
// and signed, so that many requests for a changed list sign it once.
type shelfList struct {
	mu     sync.Mutex
	until  time.Time               // when it is published no more
	slot   slot                    // that the bits show
	cursor int64                   // last change that is in the bits
	bits   map[string]*status.List // by purpose; nil until read
	tokens *status.Tokens          // what the bits of both purposes say together
	signed map[string]signedList   // by form
}

type signedList struct {
	body []byte
	at   time.Time // validFrom or iat
	kid  string    // of the key that signed it
}

// StatusList gives the n-th status list for a purpose, as a
// BitstringStatusListCredential secured as vc+jwt (Bitstring Status List 1.0,
// section 2.2). It holds what the slot shows that is published now (see slot) and
// is signed anew in each, whether a bit changed or not. Without slots it holds
// every change committed before the call, and the bytes stay the same until a
// bit of the list changes or Config.Refresh has passed.
//
// When the database does not answer, the list as last signed is given for as
// long as it is valid: its age is in it.
func (i *Issuer) StatusList(ctx context.Context, purpose string, n int64) (Published, error) {
	if purpose == vc.PurposeIssued {
		return i.IssuedList(ctx, n)
	}
	if (purpose != vc.PurposeRevocation && purpose != vc.PurposeSuspension) || n < 1 {
		return Published{}, ErrNoSuchStatusList
	}
	l, err := i.signedList(ctx, &i.shelf, purpose, n, i.cfg.Refresh)
	if err != nil {
		return Published{}, err
	}
	return Published{Type: "application/vc+jwt", Cache: i.cache(l.at), Body: l.body}, nil
}

// TokenList gives the n-th Token Status List as vc.MediaTokenJWT or
// vc.MediaTokenCWT (Token Status List, sections 5.1 and 5.2). At each index it
// says what the two bitstring lists with the same number say there together:
// revoked is INVALID, whether suspended or not. It is made and kept as
// StatusList says.
func (i *Issuer) TokenList(ctx context.Context, media string, n int64) (Published, error) {
	if (media != vc.MediaTokenJWT && media != vc.MediaTokenCWT) || n < 1 {
		return Published{}, ErrNoSuchStatusList
	}
	l, err := i.signedList(ctx, &i.shelf, media, n, i.cfg.Refresh)
	if err != nil {
		return Published{}, err
	}
	return Published{Type: media, Cache: i.cache(l.at), Body: l.body}, nil
}

// signedList gives a form of a list as it is published now; without slots, one
// that was signed less than maxAge ago.
func (i *Issuer) signedList(ctx context.Context, x *shelf, form string, n int64, maxAge time.Duration) (signedList, error) {
	i.expireSuspensions(ctx)
	l := x.list(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := i.now()
	last, has := l.signed[form]
	s, err := i.slotOf(ctx, x.live)
	if err == nil {
		err = l.follow(ctx, i.store, n, s)
	}
	if err != nil {
		if notPublished(err) {
			x.drop(n)
			return signedList{}, err
		}
		if has && now.Before(last.at.Add(listLife)) {
			i.log.Warn("status list not brought up to date", "list", n, "error", fmt.Sprintf("%T", err))
			return last, nil
		}
		return signedList{}, err
	}
	last, has = l.signed[form]
	if has && l.slot.shows(last.at, maxAge) && i.believed(ctx, last) {
		return last, nil
	}
	fresh, err := i.signForm(ctx, l, form, n)
	if err != nil {
		if has && now.Before(last.at.Add(listLife)) { // nothing changed since, it is only older
			i.log.Warn("status list not signed anew", "list", n, "code", fault.As(err).Code)
			return last, nil
		}
		return signedList{}, err
	}
	l.signed[form] = fresh
	return fresh, nil
}

// notPublished reports whether there is no such list, or none any more.
func notPublished(err error) bool {
	return errors.Is(err, ErrNoSuchStatusList) || errors.Is(err, ErrListEnded)
}

// list gives the list with this number, unread if it is new.
func (s *shelf) list(n int64) *shelfList {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lists[n]
	if l == nil {
		l = &shelfList{signed: map[string]signedList{}}
		if s.lists == nil {
			s.lists = map[int64]*shelfList{}
		}
		s.lists[n] = l
	}
	return l
}

// drop forgets a list. Whoever holds it goes on with it; the next one reads it
// from the database.
func (s *shelf) drop(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lists, n)
}

// keep drops all lists but these.
func (s *shelf) keep(ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	active := map[int64]bool{}
	for _, n := range ids {
		active[n] = true
	}
	for n := range s.lists {
		if !active[n] {
			delete(s.lists, n)
		}
	}
}

// follow brings the bits up to what a slot shows and forgets the signatures of
// what changed; a list that shows a later one stays. On an error the bits are as
// they were, or unread.
func (l *shelfList) follow(ctx context.Context, st *Store, n int64, to slot) error {
	if to.at.Before(l.slot.at) && !to.live {
		return nil // whoever asked read the time before another did
	}
	if l.bits == nil {
		size, until, err := st.listed(ctx, n)
		if err != nil {
			return err
		}
		// A list for a small register may hold fewer entries than may be
		// published: the rest are never set.
		size = max((size+7)/8*8, status.MinSize)
		bits := map[string]*status.List{}
		for _, p := range purposes {
			if bits[p], err = status.New(size); err != nil {
				return err
			}
		}
		if l.tokens, err = status.NewTokens(2, size); err != nil {
			return err
		}
		l.bits, l.cursor, l.until = bits, 0, until
	}
	if !st.now().Before(l.until) {
		return ErrListEnded
	}
	flips, err := st.flips(ctx, n, l.cursor, to.changes)
	if err != nil {
		return err
	}
	for _, f := range flips {
		if err := l.set(f); err != nil {
			l.bits = nil // read anew next time
			return err
		}
		l.cursor = f.id
	}
	l.slot = to
	return nil
}

func (l *shelfList) set(f flip) error {
	bits := l.bits[f.purpose]
	if bits == nil {
		return status.ErrRange
	}
	delete(l.signed, f.purpose)
	change := bits.Clear
	if f.on {
		change = bits.Set
	}
	if err := change(f.index); err != nil {
		return err
	}
	return l.setToken(f.index)
}

// setToken repeats in the token list what the bits say at an index.
func (l *shelfList) setToken(index int64) error {
	revoked, err := l.bits[vc.PurposeRevocation].Get(index)
	if err != nil {
		return err
	}
	suspended, err := l.bits[vc.PurposeSuspension].Get(index)
	if err != nil {
		return err
	}
	value := uint8(status.TokenValid)
	switch {
	case revoked:
		value = status.TokenInvalid
	case suspended:
		value = status.TokenSuspended
	}
	if have, err := l.tokens.Get(index); err != nil || have == value {
		return err
	}
	delete(l.signed, vc.MediaTokenJWT)
	delete(l.signed, vc.MediaTokenCWT)
	return l.tokens.Set(index, value)
}

// signForm signs a list in one of its forms.
func (i *Issuer) signForm(ctx context.Context, l *shelfList, form string, n int64) (signedList, error) {
	key, err := i.signerAt(ctx, RoleRegistrar, l.slot)
	if err != nil {
		return signedList{}, err
	}
	if form == vc.MediaTokenJWT || form == vc.MediaTokenCWT {
		list := vc.TokenList{URL: i.listURL(tokenLists, n), Issuer: i.did, IssuedAt: l.slot.at, Expires: l.slot.at.Add(listLife), TTL: i.every(), List: l.tokens}
		return signTokens(list, form, key)
	}
	url := i.listURL(form, n)
	return i.signBits(l.bits[form], bitList{url: url, about: url, purpose: form, at: l.slot.at}, key)
}

// signTokens signs a Token Status List. Its iat is the age that a verifier
// shows.
func signTokens(list vc.TokenList, media string, s keys.Signer) (signedList, error) {
	var body []byte
	var err error
	if media == vc.MediaTokenCWT {
		body, err = list.SignCWT(s)
	} else {
		var jwt string
		jwt, err = list.SignJWT(s)
		body = []byte(jwt)
	}
	if err != nil {
		return signedList{}, err
	}
	return signedList{body: body, at: list.IssuedAt, kid: s.KID}, nil
}

// bitList says where a list is published, which list it speaks about (itself, or
// one that it overrides), for what, and since when.
type bitList struct {
	url, about, purpose string
	at                  time.Time
}

// signBits makes and signs a BitstringStatusListCredential. Its validFrom is the
// age that a verifier shows.
func (i *Issuer) signBits(bits *status.List, l bitList, s keys.Signer) (signedList, error) {
	encoded, err := bits.Encode()
	if err != nil {
		return signedList{}, err
	}
	// The text is long and has nothing to escape, so it is put in at the end.
	const here = `"encodedList":"`
	subject, err := json.Marshal(struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		Encoded string `json:"encodedList"`
		TTL     int64  `json:"ttl"` // milliseconds
	}{l.about + "#list", "BitstringStatusList", l.purpose, "", i.every().Milliseconds()})
	if err != nil {
		return signedList{}, err
	}
	payload, err := json.Marshal(vc.Credential{
		Context: []string{vc.ContextV2},
		ID:      l.url,
		Type:    []string{vc.TypeCredential, vc.TypeStatusList},
		Issuer:  i.did, ValidFrom: l.at, ValidTo: l.at.Add(listLife),
		Subject: subject,
	})
	if err != nil {
		return signedList{}, err
	}
	before, after, ok := bytes.Cut(payload, []byte(here))
	if !ok {
		return signedList{}, status.ErrEncoding
	}
	payload = slices.Concat(before, []byte(here), []byte(encoded), after)
	jws, err := vc.SignJWS(s, vc.TypCredential, "vc", payload)
	if err != nil {
		return signedList{}, err
	}
	return signedList{body: []byte(jws), at: l.at, kid: s.KID}, nil
}

// Refresh signs every list of the slot, or every list anew whose signature has
// seen half of Config.Refresh, so that no request has to wait for a signature and
// a list that nobody asks for stays young.
func (i *Issuer) Refresh(ctx context.Context) error {
	s, err := i.slot(ctx)
	if err != nil {
		return err
	}
	ids, err := i.store.activeLists(ctx, s)
	if err != nil {
		return err
	}
	i.shelf.keep(ids)
	i.present.shelf.keep(ids)
	i.present.issued.keep(ids, s)
	i.issued.keep(ids, s)
	var failed error
	for _, n := range ids {
		for _, f := range forms {
			if _, err := i.signedList(ctx, &i.shelf, f, n, i.cfg.Refresh/2); err != nil {
				failed = errors.Join(failed, err)
			}
		}
		if _, err := i.issuedList(ctx, &i.issued, n, i.cfg.Refresh/2); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, i.issued.save(ctx, i.store))
}

// retire deletes what is kept of lists that are published no more.
func (i *Issuer) retire(ctx context.Context) {
	n, err := i.store.retire(ctx)
	if err != nil && ctx.Err() == nil {
		i.log.Error("old status lists not deleted", "code", fault.As(err).Code)
	}
	if n > 0 {
		i.log.Info("old status lists deleted", "lists", n)
	}
}

// Run finishes reservations that somebody left behind and keeps the status lists
// signed until ctx is done. What goes wrong is logged and tried again.
func (i *Issuer) Run(ctx context.Context) {
	var ledger sync.WaitGroup
	ledger.Go(func() { i.runLedger(ctx) })
	ledger.Go(func() { i.witnesses.run(ctx) })
	defer ledger.Wait()
	if err := i.store.forgetAnswers(ctx); err != nil && ctx.Err() == nil {
		i.log.Error("old answers not deleted", "code", fault.As(err).Code)
	}
	for {
		i.recoverOld(ctx)
		i.expireSuspensions(ctx)
		i.keepSearchable(ctx)
		i.retire(ctx)
		if _, err := i.LogFacts(ctx); err != nil && ctx.Err() == nil {
			i.log.Error("public facts are not in the ledger", "code", fault.As(err).Code)
		}
		if err := i.Refresh(ctx); err != nil && ctx.Err() == nil {
			i.log.Error("status lists not signed", "error", fmt.Sprintf("%T", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(i.untilNext()):
		}
	}
}
