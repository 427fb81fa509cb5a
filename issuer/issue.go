package issuer

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// renewAhead is how long before the end of a credential a new one may take its
// place.
const renewAhead = 60 * 24 * time.Hour

// source is where registrations come from.
type source struct {
	caller   Caller
	approver string    // the second person who approved the batch; "" for single acts
	batch    string    // id of the import
	at       time.Time // the time to check and issue at
}

// wardRecord is the birth that a guardianship belongs to.
type wardRecord struct {
	row   row
	birth *vc.Birth
}

// RegisterBirth records a birth and issues its paper credential. raw is a
// registration (schema registration/birth). The outcome says whether it is in
// force, waits for a second person or is held because it repeats another one.
// idem is the Idempotency-Key, or "".
func (i *Issuer) RegisterBirth(ctx context.Context, c Caller, raw []byte, idem string) (Outcome, error) {
	o, _, err := i.birth(ctx, c, raw, idem)
	return o, err
}

// birth is RegisterBirth. It also gives the credential, if it was signed for
// this very call.
func (i *Issuer) birth(ctx context.Context, c Caller, raw []byte, idem string) (o Outcome, jwt string, err error) {
	if err := c.may(mayRegisterBirth...); err != nil {
		return Outcome{}, "", err
	}
	cl, err := newClaim(c, idem, actRegisterBirth, raw)
	if err != nil {
		return Outcome{}, "", err
	}
	src := source{caller: c, at: i.now()}
	b, err := CheckBirth(raw, src.at)
	if err != nil {
		return i.refused(ctx, cl, err)
	}
	digest, err := lineDigest(raw)
	if err != nil {
		return Outcome{}, "", err
	}
	e, err := i.birthEntry(ctx, b, digest, src)
	if err != nil {
		return i.refused(ctx, cl, err)
	}
	e.claim = cl
	return i.register(ctx, &work{births: []*entry{e}}, e, ErrBirthExists)
}

// RegisterGuardianship records a guardianship of a child whose birth is
// registered, and issues its paper credential. raw is a registration (schema
// registration/guardianship); the childRef of its ward is the one that the
// birth's registration had. The guardianship of a child who is held is held, and
// so is a second one of the same guardian for the same child: the first one is
// to be corrected. A sole mandate beside somebody else's waits for a second
// person, as does any beside a sole one, and one that is not the caller's to
// decide: a registrar enters a court's order, and a court agrees.
func (i *Issuer) RegisterGuardianship(ctx context.Context, c Caller, raw []byte, idem string) (Outcome, error) {
	o, _, err := i.guardianship(ctx, c, raw, idem)
	return o, err
}

// guardianship is RegisterGuardianship. It also gives the credential, if it was
// signed for this very call.
func (i *Issuer) guardianship(ctx context.Context, c Caller, raw []byte, idem string) (o Outcome, jwt string, err error) {
	if err := c.may(mayRegisterGuardianship...); err != nil {
		return Outcome{}, "", err
	}
	cl, err := newClaim(c, idem, actRegisterGuardianship, raw)
	if err != nil {
		return Outcome{}, "", err
	}
	src := source{caller: c, at: i.now()}
	g, err := CheckGuardianship(raw, src.at)
	if err != nil {
		return i.refused(ctx, cl, err)
	}
	digest, err := lineDigest(raw)
	if err != nil {
		return Outcome{}, "", err
	}
	for range 5 {
		wards, err := i.store.wards(ctx, i.db, []string{g.Ward.ChildRef})
		if err != nil {
			return Outcome{}, "", err
		}
		e, err := i.guardianshipEntry(ctx, g, digest, wards[g.Ward.ChildRef], src)
		if err != nil {
			return i.refused(ctx, cl, err)
		}
		e.claim = cl
		o, jwt, err := i.register(ctx, &work{wards: []*entry{e}}, e, ErrGuardianshipExists)
		if !errors.Is(err, errStale) {
			return o, jwt, err
		}
	}
	return Outcome{}, "", ErrRecordChanged
}

// refused is how a registration is refused: what was answered before is answered
// again, also when it would be refused now, as when the ward's record was revoked
// since and only the answer was lost. Nobody who is not refused pays for the
// question.
func (i *Issuer) refused(ctx context.Context, cl *claim, refusal error) (o Outcome, jwt string, err error) {
	if o, again, err := i.store.replayed(ctx, i.db, cl); err == nil && again {
		o, err = i.again(ctx, o, nil)
		return o, "", err
	}
	return Outcome{}, "", refusal
}

// register signs one entry's credential, hands both to the register in one
// transaction and then gives the credential, "" if there is none or it was an
// earlier request's.
func (i *Issuer) register(ctx context.Context, w *work, e *entry, exists error) (o Outcome, jwt string, err error) {
	if err := i.signAhead(e.draft); err != nil {
		return Outcome{}, "", err
	}
	if err := i.store.submit(ctx, w); err != nil {
		return Outcome{}, "", err
	}
	if (len(e.outcome.Credentials) == 0 || e.replay) && !e.kept() {
		i.drop(e.draft)
	}
	switch {
	case e.err != nil:
		return Outcome{}, "", e.err
	case e.seen != nil:
		return Outcome{}, "", exists
	case e.replay:
		return e.outcome, "", i.finish(ctx, e.outcome)
	}
	if len(e.outcome.Credentials) == 0 {
		return e.outcome, "", nil
	}
	err = i.seal(ctx, e.draft)
	return e.outcome, e.draft.jwt, err
}

// birthEntry prepares a checked birth for the register.
func (i *Issuer) birthEntry(ctx context.Context, b *vc.Birth, digest []byte, src source) (*entry, error) {
	record, err := encode(b)
	if err != nil {
		return nil, err
	}
	e := &entry{birth: b, keys: i.dedupKeys(b), row: row{
		Kind: KindBirth, ID: recordID(), Ref: b.ChildRef, ChildRef: token(), Digest: digest, Version: b.RecordVersion,
		State: StateIssued, Status: StatusValid, Record: record, Proposer: src.caller, Approver: src.approver, Batch: src.batch,
	}}
	if src.approver == "" && BirthNeedsApproval(b) {
		e.row.State = StatePending
		return e, nil
	}
	e.draft, e.row.Rule, err = i.registered(ctx, copyOf{record: e.row, profile: ProfilePaper, birth: b, childRef: e.row.ChildRef, at: src.at})
	return e, err
}

// guardianshipEntry prepares a checked guardianship for the register; ward is
// the child's birth, zero if none is registered.
func (i *Issuer) guardianshipEntry(ctx context.Context, g *vc.Guardianship, digest []byte, ward row, src source) (*entry, error) {
	if ward.ID == "" {
		return nil, ErrNoSuchWard.WithFields(fault.Field{Path: "/ward/childRef", Rule: "no birth is registered for it"})
	}
	b, err := readBirth(ward)
	if err != nil {
		return nil, err
	}
	if err := CheckWard(g, b, src.at); err != nil {
		return nil, err
	}
	record, err := encode(g)
	if err != nil {
		return nil, err
	}
	by, err := i.mandates(g, src)
	if err != nil {
		return nil, err
	}
	e := &entry{ward: ward, birth: b, guard: g, at: src.at, row: row{
		Kind: KindGuardianship, ID: recordID(), Birth: ward.ID, Digest: digest, Version: 1, SignedAs: by,
		State: StateIssued, Status: StatusValid, Record: record, Proposer: src.caller, Approver: src.approver, Batch: src.batch,
	}}
	switch {
	case ward.State == StateHeld || ward.State == StatePending:
		e.row.State, e.row.Rule = StateHeld, RuleWardHeld
		return e, nil
	case ward.Status == StatusRevoked:
		return nil, ErrRevoked
	case ward.Status != StatusValid:
		return nil, ErrSuspended
	}
	if why := NotIssuable(g, b, src.at); why != "" {
		e.row.State, e.row.Rule = StateNotIssued, why
		return e, nil
	}
	if src.approver == "" && (by == "" || GuardianshipNeedsApproval(g, b)) {
		e.row.State = StatePending
		return e, nil
	}
	e.draft, e.row.Rule, err = i.registered(ctx, copyOf{record: e.row, profile: ProfilePaper, birth: b, guardianship: g, childRef: ward.ChildRef, at: src.at})
	return e, err
}

// registered drafts the paper copy that an office makes with a record. What holders
// fetch later is not counted for the office.
func (i *Issuer) registered(ctx context.Context, c copyOf) (*draft, string, error) {
	c.office = i.offices.of(c)
	return i.paper(ctx, c)
}

// paper drafts a copy in the border shape. Where a name cannot be written in the
// letters of a machine-readable zone there is none: the rule says so and the
// record stands.
func (i *Issuer) paper(ctx context.Context, c copyOf) (*draft, string, error) {
	d, err := i.draft(ctx, c)
	if errors.Is(err, ErrMRZNeeded) {
		return nil, RuleMRZNeeded, nil
	}
	return d, "", err
}

func (i *Issuer) paperBirth(ctx context.Context, r row, b *vc.Birth) (*draft, string, error) {
	return i.registered(ctx, copyOf{record: r, profile: ProfilePaper, birth: b, childRef: r.ChildRef, at: i.now()})
}

func (i *Issuer) paperGuardianship(ctx context.Context, r row, g *vc.Guardianship, w wardRecord) (*draft, string, error) {
	return i.registered(ctx, copyOf{record: r, profile: ProfilePaper, birth: w.birth, guardianship: g, childRef: w.row.ChildRef, at: i.now()})
}

// ward reads the birth that a guardianship belongs to.
func (i *Issuer) ward(ctx context.Context, g row) (row, *vc.Birth, error) {
	r, err := i.store.record(ctx, i.db, KindBirth, g.Birth)
	if err != nil {
		return row{}, nil, err
	}
	b, err := readBirth(r)
	return r, b, err
}

// IssueCopies gives a holder's credentials of a guardianship and of the ward's
// birth, each in all profiles for holders: eight, or fewer where a name cannot
// be written in the letters of a machine-readable zone and so in no border
// credential, or without a key for ProfileLDP. holder is the did:key that was
// proven. The same holder gets the same credentials until the record is
// corrected or they are close to their end.
func (i *Issuer) IssueCopies(ctx context.Context, guardianship, holder string) ([]IssuedCredential, error) {
	if _, err := did.ParseKey(holder); err != nil {
		return nil, err
	}
	profiles := []string{ProfileFull, ProfileBorder, ProfileSDJWT}
	if i.signs(form{ProfileLDP, RoleRegistrar}) {
		profiles = append(profiles, ProfileLDP)
	}
	return i.holderCopies(ctx, guardianship, holder, profiles...)
}

// holderCopies gives a holder's credentials of a guardianship and of the ward's
// birth in these profiles.
func (i *Issuer) holderCopies(ctx context.Context, guardianship, holder string, profiles ...string) ([]IssuedCredential, error) {
	g, err := i.store.record(ctx, i.db, KindGuardianship, guardianship)
	if err != nil {
		return nil, err
	}
	var wanted []copyOf
	for _, p := range profiles {
		wanted = append(wanted, copyOf{profile: p, holder: holder})
	}
	return i.issue(ctx, g, wanted)
}

// Paper gives the paper credentials of a birth and of one of its guardianships
// as compact vc+jwt: the newest ones, and new ones where those are close to
// their end. It is ErrMRZNeeded where the name of the child or of the guardian
// cannot be written in the letters of a machine-readable zone.
func (i *Issuer) Paper(ctx context.Context, c Caller, birth, guardianship string) (birthJWT, guardianshipJWT string, err error) {
	if err := c.may(mayRead...); err != nil {
		return "", "", err
	}
	if _, err := i.store.record(ctx, i.db, KindBirth, birth); err != nil {
		return "", "", err
	}
	g, err := i.store.record(ctx, i.db, KindGuardianship, guardianship)
	if err != nil {
		return "", "", err
	}
	if g.Birth != birth {
		return "", "", ErrNoSuchGuardianship
	}
	return i.printed(ctx, g)
}

// printed gives the paper credentials of a guardianship and its ward's birth.
func (i *Issuer) printed(ctx context.Context, g row) (birthJWT, guardianshipJWT string, err error) {
	out, err := i.issue(ctx, g, []copyOf{{profile: ProfilePaper}})
	if err != nil {
		return "", "", err
	}
	for _, x := range out {
		switch x.Type {
		case vc.TypeBirth:
			birthJWT = x.JWT
		case vc.TypeGuardianship:
			guardianshipJWT = x.JWT
		}
	}
	if birthJWT == "" || guardianshipJWT == "" {
		return "", "", ErrMRZNeeded
	}
	return birthJWT, guardianshipJWT, nil
}

// issue gives the wanted copies of a guardianship and of its ward's birth,
// existing ones where they still do.
func (i *Issuer) issue(ctx context.Context, g row, wanted []copyOf) ([]IssuedCredential, error) {
	out, _, err := i.issueAgain(ctx, func() ([]row, []copyOf, error) { return i.wanted(ctx, g.ID, wanted) })
	return out, err
}

// reprint gives the paper of one birth or guardianship by itself, and whether it was
// made now.
func (i *Issuer) reprint(ctx context.Context, kind, id string) (made bool, err error) {
	paper := []copyOf{{profile: ProfilePaper}}
	out, made, err := i.issueAgain(ctx, func() ([]row, []copyOf, error) {
		if kind == KindGuardianship {
			rows, list, err := i.wanted(ctx, id, paper)
			return rows, slices.DeleteFunc(list, func(c copyOf) bool { return c.guardianship == nil }), err
		}
		r, err := i.store.record(ctx, i.db, kind, id)
		if err != nil {
			return nil, nil, err
		}
		b, err := readBirth(r)
		if err != nil {
			return nil, nil, err
		}
		if err := r.inForce(); err != nil {
			return nil, nil, err
		}
		return []row{r}, []copyOf{{record: r, profile: ProfilePaper, birth: b, childRef: r.ChildRef, at: i.now(), cut: i.withdrawn(ctx)}}, nil
	})
	if err == nil && len(out) == 0 {
		err = ErrMRZNeeded
	}
	return made, err
}

// issueAgain gives the copies that want asks for, and whether any was made now. It
// starts over where a record changed meanwhile.
func (i *Issuer) issueAgain(ctx context.Context, want func() ([]row, []copyOf, error)) ([]IssuedCredential, bool, error) {
	for range 5 {
		out, made, err := i.issueOnce(ctx, want)
		if !errors.Is(err, errStale) {
			return out, made, err
		}
	}
	return nil, false, ErrRecordChanged
}

func (i *Issuer) issueOnce(ctx context.Context, want func() ([]row, []copyOf, error)) ([]IssuedCredential, bool, error) {
	rows, list, err := want()
	if err != nil {
		return nil, false, err
	}
	have := make([]copied, len(list))
	drafts := make([]*draft, len(list))
	missing := 0
	for n, c := range list {
		if have[n], drafts[n], err = i.haveOrDraft(ctx, c); err != nil {
			return nil, false, err
		}
		if drafts[n] != nil {
			missing++
		}
	}
	if missing > 0 {
		if err := i.reserveCopies(ctx, rows, list, have, drafts); err != nil {
			return nil, false, err
		}
	}
	out, err := i.collect(ctx, have, drafts)
	return out, missing > 0, err
}

// wanted reads guardianship and birth, refuses what is not in force, and fills
// in the list of copies.
func (i *Issuer) wanted(ctx context.Context, guardianship string, wanted []copyOf) ([]row, []copyOf, error) {
	gr, err := i.store.record(ctx, i.db, KindGuardianship, guardianship)
	if err != nil {
		return nil, nil, err
	}
	wr, b, err := i.ward(ctx, gr)
	if err != nil {
		return nil, nil, err
	}
	g, err := readGuardianship(gr)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range []row{gr, wr} {
		if err := r.inForce(); err != nil {
			return nil, nil, err
		}
	}
	if NotIssuable(g, b, i.now()) != "" {
		return nil, nil, ErrNotIssuable
	}
	var list []copyOf
	cut := i.withdrawn(ctx)
	for _, c := range wanted {
		c.birth, c.childRef, c.at, c.cut = b, wr.ChildRef, i.now(), cut
		c.record, c.guardianship = wr, nil
		list = append(list, c)
		c.record, c.guardianship = gr, g
		list = append(list, c)
	}
	return []row{gr, wr}, list, nil
}

// haveOrDraft gives the copy that exists and still does, or a draft of a new
// one; neither where there can be none for want of a name in Latin letters.
func (i *Issuer) haveOrDraft(ctx context.Context, c copyOf) (copied, *draft, error) {
	old, ok, err := i.store.newest(ctx, i.db, c)
	if err != nil {
		return copied{}, nil, err
	}
	if ok {
		if _, until := c.validity(); c.stillDoes(old, until) {
			return old, nil, nil
		}
	}
	if f := c.form(); f.profile == ProfileLDP && f.use() != keys.UseSelective && !i.signs(f) {
		return copied{}, nil, nil // that office has the other formats
	}
	d, _, err := i.paper(ctx, c)
	return copied{}, d, err
}

// stillDoes reports whether an existing copy is to be given out again rather
// than one made now, which would be valid until until. An SD-JWT VC of a birth
// tells ages of the day it was made: once the child has reached another of
// them, it does not do. One whose key the trust list has cut off does not do either.
func (c copyOf) stillDoes(old copied, until time.Time) bool {
	if len(c.cut) > 0 && c.cut[signedBy(old.JWT)] {
		return false
	}
	if c.profile == ProfileSDJWT && c.guardianship == nil {
		born := c.birth.BirthDate
		if !maps.Equal(vc.AgeEqualOrOver(born, vc.DateOf(old.ValidFrom)), vc.AgeEqualOrOver(born, vc.DateOf(c.at))) {
			return false
		}
	}
	return stillDoes(old.CredentialInfo, c.at, until)
}

// stillDoes reports whether an existing credential is to be given out again
// rather than one made now, which would be valid until until. It is not when it
// is over, or when it is in the last part of its life (60 days, or half of a
// short one) and a new one would live a day longer.
func stillDoes(old CredentialInfo, now, until time.Time) bool {
	left := old.ValidUntil.Sub(now)
	if left <= 0 {
		return false
	}
	ahead := min(renewAhead, old.ValidUntil.Sub(old.ValidFrom)/2)
	return left > ahead || until.Sub(old.ValidUntil) < 24*time.Hour
}

// reserveCopies stores the drafts, unless somebody else did so for the same
// holder meanwhile: then theirs are taken.
func (i *Issuer) reserveCopies(ctx context.Context, rows []row, list []copyOf, have []copied, drafts []*draft) error {
	made, err := i.store.reserveCopies(ctx, rows, list, drafts)
	if err != nil {
		if refused(err) {
			i.dropAll(drafts)
		}
		return err
	}
	for n, c := range made {
		if c.ID != "" {
			i.drop(drafts[n])
			have[n], drafts[n] = c, nil
		}
	}
	return nil
}

// collect seals the new copies and reads the others, finishing those that were
// reserved and not sealed.
func (i *Issuer) collect(ctx context.Context, have []copied, drafts []*draft) ([]IssuedCredential, error) {
	if err := i.seal(ctx, drafts...); err != nil {
		return nil, err
	}
	var out []IssuedCredential
	for n, d := range drafts {
		if d != nil {
			out = append(out, IssuedCredential{d.info, d.jwt})
			continue
		}
		c := have[n]
		if c.ID == "" {
			continue
		}
		if !c.Sealed {
			if _, err := i.recover(ctx, always, c.Record); err != nil {
				return nil, err
			}
			again, err := i.store.copies(ctx, i.db, `WHERE id = $1`, c.ID)
			if err != nil {
				return nil, err
			}
			if len(again) == 0 || !again[0].Sealed {
				return nil, errors.New("a reserved credential could not be sealed")
			}
			c = again[0]
		}
		out = append(out, IssuedCredential{c.CredentialInfo, c.JWT})
	}
	return out, nil
}

// copyOf says which credential is wanted: of which record, for whom, in which
// shape. birth is the birth itself or the ward's; guardianship is nil for a
// birth.
type copyOf struct {
	record       row
	profile      string
	holder       string
	birth        *vc.Birth
	guardianship *vc.Guardianship
	childRef     string // as minted
	at           time.Time
	office       string          // label of the office whose act this is; "": not told
	cut          map[string]bool // keys whose signatures are not to be given out again
}

// form says how the copy is signed, and for whom.
func (c copyOf) form() form {
	if c.guardianship == nil {
		return form{c.profile, RoleRegistrar}
	}
	return form{c.profile, c.record.signedAs(c.guardianship)}
}

// credentialType names the type of the copy.
func (c copyOf) credentialType() string {
	if c.guardianship == nil {
		return vc.TypeBirth
	}
	return vc.TypeGuardianship
}

// validity gives the time in which a copy made now would be valid.
func (c copyOf) validity() (from, until time.Time) {
	return Validity(c.profile, c.birth, c.guardianship, c.at.UTC())
}

// subject gives the credentialSubject of the copy and the schema of the
// credential. A guardian whom only the birth record names gets the name from
// there. In what is shown in parts, a guardianship without constraints says so:
// their absence could be taken for something that the holder left out.
func (c copyOf) subject() (subject any, schema string, err error) {
	border := c.profile == ProfileBorder || c.profile == ProfilePaper
	if c.guardianship == nil {
		if !border {
			return FullBirth(c.birth, c.childRef), vc.SchemaBirth, nil
		}
		s, err := BorderBirth(c.birth, c.childRef)
		return s, vc.SchemaBirthBorder, err
	}
	g := WithParentNames(c.guardianship, c.birth)
	if !border {
		s := FullGuardianship(g, c.childRef, c.holder)
		if c.profile != ProfileFull && s.Constraints == nil {
			s.Constraints = &vc.Constraints{}
		}
		return s, vc.SchemaGuardianship, nil
	}
	s, err := BorderGuardianship(g, c.childRef, c.holder)
	return s, vc.SchemaGuardBorder, err
}

// draft is a credential that was checked and can be reserved: its exact bytes,
// its place in the status lists and the commitment to it.
type draft struct {
	info     CredentialInfo
	kind     string
	record   string
	holder   string
	batch    string
	role     string // that it is signed for
	office   string // label in the ledger; see Config.Offices
	list     listName
	place    place
	payload  []byte
	salt     []byte
	hash     []byte
	unsigned *unsigned
	jwt      string // signed; "" until then
	// redate writes the credential anew, valid from then on.
	redate func(from time.Time) error
}

// draft makes the exact bytes of a credential. It takes a place in a status
// list, which drop gives back if the draft is not reserved.
func (i *Issuer) draft(ctx context.Context, c copyOf) (*draft, error) {
	subject, schema, err := c.subject()
	if err != nil {
		return nil, err
	}
	from, until := c.validity()
	if !until.After(from) {
		return nil, ErrNotIssuable
	}
	how := c.form()
	if _, err := i.signerFor(how.use(), i.now()); err != nil {
		return nil, err // nothing is reserved that could not be signed
	}
	id := uuid.NewString()
	d := &draft{kind: c.record.Kind, record: c.record.ID, holder: c.holder, batch: c.record.Batch, role: how.role, office: c.office, info: CredentialInfo{
		ID: id, Type: c.credentialType(), Profile: c.profile, State: StatusValid,
		RecordVersion: c.record.Version, ValidFrom: from, ValidUntil: until,
	}}
	d.list = listName{d.info.Type, quarter(until)}
	if d.place, err = i.store.lists.take(ctx, d.list); err != nil {
		return nil, err
	}
	d.redate = func(from time.Time) error {
		if !d.info.ValidUntil.After(from) {
			return ErrNotIssuable
		}
		d.info.ValidFrom = from
		return i.fill(d, subject, schema)
	}
	if err := i.fill(d, subject, schema); err != nil {
		i.drop(d)
		return nil, err
	}
	return d, nil
}

// fill writes the credential of a draft, checks it and commits to it.
func (i *Issuer) fill(d *draft, subject any, schema string) (err error) {
	if d.info.Profile == ProfileSDJWT {
		d.payload, d.unsigned, err = i.sdJWT(d, subject)
	} else {
		d.payload, d.unsigned, err = i.credential(d, subject, schema)
	}
	if err != nil {
		return err
	}
	d.salt = make([]byte, 32)
	rand.Read(d.salt) // never fails (crypto/rand)
	d.hash = commitment(d.salt, d.payload)
	d.jwt = ""
	return nil
}

// credential writes a credential of the Data Model 2.0.
func (i *Issuer) credential(d *draft, subject any, schema string) ([]byte, *unsigned, error) {
	body, err := encode(subject)
	if err != nil {
		return nil, nil, err
	}
	payload, err := encode(vc.Credential{
		Context:   []string{vc.ContextV2, vc.ContextKinpass},
		ID:        "urn:uuid:" + d.info.ID,
		Type:      []string{vc.TypeCredential, d.info.Type},
		Issuer:    i.did,
		ValidFrom: d.info.ValidFrom,
		ValidTo:   d.info.ValidUntil,
		Subject:   body,
		Status:    i.statusEntries(d.place),
		Schema:    &vc.Schema{ID: schema, Type: "JsonSchema"},
	})
	if err != nil {
		return nil, nil, err
	}
	u, err := prepare(form{d.info.Profile, d.role}, payload)
	return payload, u, err
}

// statusEntries are the references to a place in the two bitstring lists
// (Bitstring Status List 1.0, section 2.1).
func (i *Issuer) statusEntries(p place) []vc.StatusEntry {
	var out []vc.StatusEntry
	for _, purpose := range purposes {
		out = append(out, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: purpose,
			Index: strconv.FormatInt(p.index, 10), List: i.listURL(purpose, p.list)})
	}
	return out
}

// sdJWT writes an SD-JWT VC: payload and disclosures, which both have to be
// there when it is signed.
func (i *Issuer) sdJWT(d *draft, subject any) ([]byte, *unsigned, error) {
	holder, err := did.ParseKey(d.holder)
	if err != nil {
		return nil, nil, err
	}
	meta := vc.SDMeta{Issuer: i.did, Holder: holder, From: d.info.ValidFrom, Until: d.info.ValidUntil, Status: i.tokenStatus(d.place)}
	var claims []byte
	var hide []string
	switch s := subject.(type) {
	case vc.Birth:
		claims, hide, err = vc.BirthSDJWTVC(s, meta)
	case vc.Guardianship:
		claims, hide, err = vc.GuardianshipSDJWTVC(s, meta)
	default:
		err = vc.ErrVctType
	}
	if err != nil {
		return nil, nil, err
	}
	u, err := vc.PrepareSDJWTVC(claims, hide)
	if err != nil {
		return nil, nil, err
	}
	return u.Bytes(), &unsigned{form: form{ProfileSDJWT, d.role}, sd: u}, nil
}

// tokenStatus is the reference to a place in the Token Status List that is
// published beside the bitstring lists, with the same number and indexes.
func (i *Issuer) tokenStatus(p place) vc.TokenStatus {
	return vc.TokenStatus{URI: i.listURL(tokenLists, p.list), Index: uint64(p.index)}
}

// listURL is the address of a status list on the shelf.
func (i *Issuer) listURL(purpose string, list int64) string {
	return i.cfg.Base + "/status/" + purpose + "/" + strconv.FormatInt(list, 10)
}

// commitment is what the ledger publishes of a credential: it hides the
// credential from whoever lacks the salt and binds the issuer to its bytes.
func commitment(salt, payload []byte) []byte {
	inner := sha256.Sum256(payload)
	return sum([]byte("kinpass/commit/v1"), salt, inner[:])
}

// quarter names the quarter of the year that t is in, such as 2027Q2.
func quarter(t time.Time) string {
	t = t.UTC()
	return fmt.Sprintf("%04dQ%d", t.Year(), (int(t.Month())+2)/3)
}

// drop gives back what a draft took, once it is certain that it was not
// reserved. A nil draft took nothing.
func (i *Issuer) drop(d *draft) {
	if d != nil {
		i.store.lists.give(d.list, d.place)
	}
}

func (i *Issuer) dropAll(ds []*draft) {
	for _, d := range ds {
		i.drop(d)
	}
}

// refused reports whether err is our own refusal, after which it is certain that
// nothing was stored; a failed commit leaves that open.
func refused(err error) bool {
	var f *fault.Fault
	return errors.Is(err, errStale) || errors.As(err, &f)
}

// sign signs the exact bytes of a draft.
func (i *Issuer) sign(d *draft) (*sealing, error) {
	jwt, err := i.secure(d.unsigned)
	if err != nil {
		return nil, err
	}
	return &sealing{ID: d.info.ID, JWT: jwt}, nil
}

// signAhead signs drafts before they are reserved, so that each is stored once,
// signed; nil drafts are skipped. The signatures are in this process's memory and
// nowhere else until what they belong to is committed. If that does not come
// about, or the draft is written anew in the transaction, they are forgotten.
// An error means that nothing may be reserved; what the drafts took was dropped.
func (i *Issuer) signAhead(drafts ...*draft) error {
	for _, d := range drafts {
		if d == nil {
			continue
		}
		x, err := i.sign(d)
		if err != nil {
			i.dropAll(drafts)
			return err
		}
		d.jwt = x.JWT
	}
	return nil
}

// seal signs reserved drafts and closes their reservations; nil drafts and those
// that were signed ahead are skipped.
func (i *Issuer) seal(ctx context.Context, drafts ...*draft) error {
	w := &work{}
	var of []*draft
	for _, d := range drafts {
		if d == nil || d.jwt != "" {
			continue
		}
		x, err := i.sign(d)
		if err != nil {
			return err
		}
		w.seals = append(w.seals, x)
		of = append(of, d)
	}
	if len(of) == 0 {
		return nil
	}
	if err := i.store.submit(ctx, w); err != nil {
		return err
	}
	for n, d := range of {
		d.jwt = w.seals[n].JWT
	}
	return nil
}

// finish seals what is still open of the record of an outcome that is told
// again.
func (i *Issuer) finish(ctx context.Context, o Outcome) error {
	if len(o.Credentials) == 0 {
		return nil
	}
	_, err := i.recover(ctx, always, o.ID)
	return err
}

// newClaim binds an Idempotency-Key to the caller and to the request that it
// comes with. No key is no claim.
func newClaim(c Caller, idem, act string, parts ...[]byte) (*claim, error) {
	if idem == "" {
		return nil, nil
	}
	if err := goodIdempotencyKey(idem); err != nil {
		return nil, err
	}
	request := [][]byte{[]byte(act)}
	for _, p := range parts {
		request = append(request, []byte(strconv.Itoa(len(p))+":"), p)
	}
	return &claim{key: sum([]byte(c.ID), []byte{0}, []byte(idem)), request: sum(request...)}, nil
}

// dedupKeys hashes the search keys of a birth, so that the table of them tells
// nothing without the secret. 10 bytes are enough to find candidates by.
func (i *Issuer) dedupKeys(b *vc.Birth) [][]byte {
	var out [][]byte
	seen := map[string]bool{}
	m := hmac.New(sha256.New, i.cfg.Ring.Secret("dedup"))
	for _, k := range BirthDupKeys(b).All() {
		m.Reset()
		m.Write([]byte(k))
		h := m.Sum(nil)[:10]
		if !seen[string(h)] {
			seen[string(h)] = true
			out = append(out, h)
		}
	}
	return out
}

// lineDigest is the identity of a registration: SHA-256 over its JCS form (RFC
// 8785), so that spacing and the order of members do not matter. What is not an
// object has none.
func lineDigest(raw []byte) ([]byte, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		return nil, vc.ErrJSON
	}
	if vc.CheckJSON(raw, vc.MaxDepth) == nil {
		if c, err := vc.CanonicalJSON(raw); err == nil {
			return sum(c), nil
		}
	}
	// What only the library takes keeps the digest that it always had.
	c, err := jcs.Transform(raw)
	if err != nil {
		return nil, vc.ErrJSON.With(err)
	}
	return sum(c), nil
}

// encode writes JSON without escaping "<", which a machine-readable zone is full
// of.
func encode(v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	defer e.room.Reset()
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	out := bytes.Clone(bytes.TrimSuffix(e.room.Bytes(), []byte("\n")))
	clear(e.room.Bytes()) // nothing of a record stays behind
	return out, nil
}

// encoder writes into room that is used again.
type encoder struct {
	*json.Encoder
	room bytes.Buffer
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.Encoder = json.NewEncoder(&e.room)
	e.SetEscapeHTML(false)
	return e
}}

// readBirth reads the stored record of a birth.
func readBirth(r row) (*vc.Birth, error) {
	var b vc.Birth
	if err := json.Unmarshal(r.Record, &b); err != nil {
		return nil, err
	}
	return &b, nil
}

// readGuardianship reads the stored record of a guardianship.
func readGuardianship(r row) (*vc.Guardianship, error) {
	var g vc.Guardianship
	if err := json.Unmarshal(r.Record, &g); err != nil {
		return nil, err
	}
	return &g, nil
}
