// Package issuer records births and guardianships and issues credentials for
// them.
//
// An Issuer keeps the records of one authority in one database. Registering
// checks a record, stores it and issues its paper credential; redeeming an
// offer issues the holder's copies; correcting or revoking a record revokes
// every copy of it in one transaction. Some acts wait for a second person (see
// Approve), and a record that looks like one that exists is held (see Release).
//
// Every credential is reserved (its exact bytes and status index are stored),
// then signed, then sealed; that of a registration is signed before and stored
// sealed. Recover finishes what a crash left between.
//
// Start reading at register.go (what is checked), then issue.go (life of a
// credential), then store.go.
package issuer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of this package. "Not yours" and "not there" are the same fault.
var (
	ErrNoSuchBirth        = fault.New(fault.NotFound, "no-such-birth", "there is no such birth record")
	ErrNoSuchGuardianship = fault.New(fault.NotFound, "no-such-guardianship", "there is no such guardianship record")
	ErrNoSuchCredential   = fault.New(fault.NotFound, "no-such-credential", "there is no such credential")
	ErrNoSuchApproval     = fault.New(fault.NotFound, "no-such-approval", "there is no such approval")
	ErrNoSuchWard         = fault.New(fault.Unprocessable, "no-such-ward", "no birth is registered for the childRef of the ward").
				WithHint("register the birth first; the guardianship repeats its childRef")
	ErrWaiting = fault.New(fault.Conflict, "approval-pending", "this act waits for a second person already").
			WithHint("let a second person decide it first")
	ErrNotAllowed = fault.New(fault.Forbidden, "not-allowed", "this role may not do this")
	ErrSamePerson = fault.New(fault.Forbidden, "second-person-needed", "another person than the one who proposed it must decide").
			WithHint("ask a colleague with a token of their own")
	ErrBirthExists = fault.New(fault.Conflict, "birth-exists", "a birth with this childRef is registered").
			WithHint("correct the record instead of registering it again")
	ErrGuardianshipExists = fault.New(fault.Conflict, "guardianship-exists", "this guardianship is registered")
	// ErrGuardianHasMandate refuses to put a held guardianship into force while
	// the guardian has another one for the same ward.
	ErrGuardianHasMandate = fault.New(fault.Conflict, "guardian-has-mandate", "the guardian has a mandate for this child").
				WithHint("correct that guardianship, or revoke it first")
	ErrAlreadyDecided = fault.New(fault.Conflict, "already-decided", "this approval was decided before")
	ErrRecordChanged  = fault.New(fault.Conflict, "record-changed", "the record was changed by somebody else meanwhile").
				WithHint("read the record again and repeat the act")
	ErrRecordState = fault.New(fault.Conflict, "record-state", "the state of the record does not allow this")
	ErrSuspended   = fault.New(fault.Conflict, "record-suspended", "the record is suspended")
	ErrRevoked     = fault.New(fault.Conflict, "record-revoked", "the record is revoked")
	ErrNotIssuable = fault.New(fault.Conflict, "not-issuable", "no credential is issued for this guardianship now")
	ErrDuplicate   = fault.New(fault.Conflict, "duplicate", "the record would repeat another one")
	ErrIdempotency = fault.New(fault.Conflict, "idempotency-key-reused", "this Idempotency-Key was used for another request").
			WithHint("use a fresh key for each act and repeat it only with the same body")
	ErrIdempotencyKey = fault.New(fault.Invalid, "idempotency-key-invalid", "an Idempotency-Key has 1 to 128 printable ASCII characters")
	// ErrBinding refuses a database that another issuer wrote, or this one with
	// other secrets.
	ErrBinding = fault.New(fault.Conflict, "database-bound", "this database belongs to another issuer or other keys").
			WithHint("check --data and --public")
	// ErrNoRoleKey says that the office has no key of the role that has to sign.
	ErrNoRoleKey = fault.New(fault.Unavailable, "role-key-missing", "this issuer has no key of the role that must sign this").
			WithHint("make one with: kinpass keys new issuer --use ROLE, put it on the trust list and start the issuer again")
	ErrDecision = fault.New(fault.Invalid, "decision-invalid", "the decision must be issue or discard")
)

// Roles of an issuer's tokens. All but the auditor's are roles on the trust list
// too: what a person of a role decides is signed with a key of that role.
const (
	RoleRegistrar    = vc.RoleRegistrar
	RoleCourt        = vc.RoleCourt
	RoleProtection   = vc.RoleProtection
	RoleNotary       = vc.RoleNotary
	RoleConsulate    = vc.RoleConsulate
	RoleWitness      = vc.RoleWitness
	RoleHumanitarian = vc.RoleHumanitarian
	RoleAuditor      = "auditor"
)

// States of a record, as an Outcome and a Record tell them.
const (
	StateIssued    = "issued"          // in force; credentials are issued for it
	StatePending   = "pendingApproval" // waits for a second person
	StateHeld      = "held"            // looks like a duplicate, or its ward does
	StateNotIssued = "notIssued"       // recorded; the mandate is over or the ward of age
	StateDiscarded = "discarded"       // refused by the second person; its content is gone
)

// Status of a record and of each credential.
const (
	StatusValid     = "valid"
	StatusSuspended = "suspended"
	StatusRevoked   = "revoked"
)

// Profiles of a credential.
const (
	ProfilePaper  = "paper"  // border shape, no holder, up to 180 days
	ProfileFull   = "full"   // all claims, for a holder
	ProfileBorder = "border" // border shape, for a holder

	// All claims, for a holder who shows a part of them.
	ProfileSDJWT = "sd-jwt" // as SD-JWT VC
	ProfileLDP   = "ldp"    // with an ecdsa-sd-2023 base proof
)

// Kinds of record.
const (
	KindBirth        = "birth"
	KindGuardianship = "guardianship"
)

// Rules that an Outcome names and that are not rules of a duplicate.
const (
	RuleMRZNeeded = "MRZ_NEEDED" // a name has no machine-readable form: no paper and border credential
	RuleWardHeld  = "ward-held"  // the ward's birth is held or waits for a second person
	// Held: the guardian has a mandate for this ward that is to be corrected.
	RuleGuardianHasMandate = "guardian-has-mandate"
	// Waits for a second person: a sole mandate is not alone.
	RuleSoleBesideOthers = "sole-beside-others"
)

// Config says what an issuer needs. All fields without a default must be set.
type Config struct {
	Base string // public URL without a trailing slash; it decides the issuer's did:web
	DB   *store.DB
	// Ring holds a signing key of use "credentials" and the secrets "index"
	// (status indexes), "dedup" (search keys of persons) and "oauth". Without
	// one of use "selective" (ES256) no credential of ProfileLDP is offered.
	// Keys whose use is a role of the trust list (keys.RoleUses) sign what
	// persons of that role decide.
	Ring      *keys.Ring
	Now       func() time.Time       // default time.Now
	Log       *slog.Logger           // default: nothing is logged
	TrustList func() ([]byte, error) // the signed trust list to publish; nil: none
	// Trust gives the current, verified trust list, by which the papers that come
	// with a consent are judged; nil: no consent is witnessed here.
	Trust func(ctx context.Context) (*vc.TrustList, error)
	// Fetch says where other issuers' status lists may be fetched from. The zero
	// Fetch calls public addresses over https only.
	Fetch    didweb.Config
	ListSize int64 // entries of a status list; default 1<<20
	// Retain is how long a status list is published after the quarter in which its
	// last credential ends; then what it was made from is deleted. Default 90 days.
	Retain time.Duration
	// Publish is how often the shelf changes: at whole multiples of it since 1970,
	// in whole seconds, it shows what was decided until then, and is signed anew
	// whether something was or not. 0 shows each change at once.
	Publish time.Duration
	Refresh time.Duration // without Publish: how often status lists are signed anew; default 5m
	Alg     string        // EdDSA (default) or ES256: informs the metadata only
	// Offices are those that the ledger tells apart; what any other registers is in it
	// with the role alone.
	Offices []Office
	// Witnesses are asked to cosign the ledger's checkpoints, in the background.
	// LoopbackWitnesses lets them be on this machine, over http: for a demonstration.
	Witnesses         []LedgerWitness
	LoopbackWitnesses bool
}

// Issuer is one issuing authority. It is safe for use by many goroutines, and
// several Issuers (processes) may share one database.
type Issuer struct {
	cfg     Config
	did     string
	db      *store.DB
	store   *Store
	offices labels // that the ledger tells apart
	log     *slog.Logger
	shelf   shelf // status lists as last signed (shelf.go)
	// issued is what was given out of each list, as last signed (issued.go)
	issued issuedShelf
	// present is the shelf as of now, for hubs (live.go)
	present struct {
		shelf     shelf
		issued    issuedShelf
		overrides overrideShelf
	}
	// overrideShelf has the lists over those of others as last signed (override.go)
	overrideShelf overrideShelf

	fetcher   *didweb.Fetcher // of other issuers' status lists
	witnesses *gatherer

	mostSurvivors int // see MaxSurvivors
}

// New opens an issuer over a migrated database. It reads the ring once: a key
// that becomes current later must be in it.
func New(cfg Config) (*Issuer, error) {
	id, err := did.FromURL(cfg.Base)
	if err != nil {
		return nil, err
	}
	if cfg.DB == nil || cfg.Ring == nil || strings.HasSuffix(cfg.Base, "/") {
		return nil, fault.New(fault.Internal, "issuer-config", "an issuer needs a base address without a slash at the end, a database and keys")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.ListSize == 0 {
		cfg.ListSize = 1 << 20
	}
	if cfg.ListSize < 1 || cfg.ListSize > status.MaxSize {
		return nil, status.ErrRange
	}
	if !goodPublish(cfg.Publish) {
		return nil, errPublish
	}
	if cfg.Retain == 0 {
		cfg.Retain = 90 * 24 * time.Hour
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = 5 * time.Minute
	}
	if cfg.Alg == "" {
		cfg.Alg = keys.EdDSA
	}
	if len(cfg.Ring.Of(keys.UseCredentials)) == 0 {
		return nil, keys.ErrNoKey
	}
	for _, name := range []string{"index", "dedup", "oauth"} {
		if len(cfg.Ring.Secret(name)) != 32 {
			return nil, fault.New(fault.Unavailable, "no-secret", "the key ring of the issuer lacks a secret")
		}
	}
	offices, err := labelled(cfg.Offices)
	if err != nil {
		return nil, err
	}
	i := &Issuer{cfg: cfg, did: id, offices: offices, db: cfg.DB, log: cfg.Log, fetcher: didweb.New(cfg.Fetch), mostSurvivors: MaxSurvivors}
	i.store = newStore(cfg)
	if i.witnesses, err = newGatherer(i); err != nil {
		return nil, err
	}
	i.present.shelf.live, i.present.issued.live, i.present.overrides.live = true, true, true
	return i, nil
}

// Bind ties the database to this issuer's DID and to the secrets that decide
// places in status lists and search keys, at first use, and is ErrBinding for a
// database that is tied to others: two issuers with different secrets would give
// one place twice and miss each other's duplicates. Call it before anything
// else.
func (i *Issuer) Bind(ctx context.Context) error {
	return i.store.bind(ctx, binding{i.did, i.fingerprint("index"), i.fingerprint("dedup")})
}

// fingerprint tells secrets apart without telling them.
func (i *Issuer) fingerprint(secret string) []byte {
	return sum([]byte("kinpass/fingerprint/v1/"+secret+"\x00"), i.cfg.Ring.Secret(secret))
}

// DID gives the issuer's identifier, did:web of its base address.
func (i *Issuer) DID() string { return i.did }

// now is the clock in UTC.
func (i *Issuer) now() time.Time { return i.cfg.Now().UTC() }

// signer gives the key that signs now for a role of the trust list: the
// register's own for a registrar (or ""), else one of the ring whose use is the
// role. ErrNoRoleKey says that this office holds none.
func (i *Issuer) signer(role string) (keys.Signer, error) {
	return i.signerFor(useOf(role), i.now())
}

// useOf names the use of the keys that sign for a role.
func useOf(role string) string {
	if role == "" || role == RoleRegistrar {
		return keys.UseCredentials
	}
	return role
}

func (i *Issuer) signerFor(use string, t time.Time) (keys.Signer, error) {
	k, err := i.cfg.Ring.Current(use, t)
	if err != nil && keys.RoleOf(use) != "" {
		return keys.Signer{}, ErrNoRoleKey
	}
	if err != nil {
		return keys.Signer{}, err
	}
	return k.Signer(i.did + "#" + k.Name), nil
}

// Caller is who acts: a token of this issuer.
type Caller struct {
	ID   string // token id
	Name string // name of the person or system that holds it
	Role string
}

// may refuses a caller whose role is not listed.
func (c Caller) may(roles ...string) error {
	if c.ID == "" || !slices.Contains(roles, c.Role) {
		return ErrNotAllowed
	}
	return nil
}

// Who may do what. Revocation and suspension have their own rules (revoke.go).
var (
	mayRegisterBirth        = []string{RoleRegistrar}
	mayRegisterGuardianship = []string{RoleRegistrar, RoleCourt, RoleProtection, RoleNotary, RoleHumanitarian}
	mayRead                 = []string{RoleRegistrar, RoleCourt, RoleProtection}
)

// Outcome is what became of a registration, a correction or a decision.
type Outcome struct {
	ID            string           `json:"id"`               // of the record
	State         string           `json:"state"`            // StateIssued …
	Status        string           `json:"status,omitempty"` // after an act on it: StatusValid …
	Rule          string           `json:"rule,omitempty"`
	Approval      string           `json:"approval,omitempty"` // id of the approval it waits for
	RecordVersion int              `json:"recordVersion,omitempty"`
	Credentials   []CredentialInfo `json:"credentials,omitempty"`
}

// CredentialInfo is what may be told of a credential without its content.
type CredentialInfo struct {
	ID            string    `json:"id"`      // the UUID; the credential's id is "urn:uuid:" and this
	Type          string    `json:"type"`    // BirthCredential or GuardianshipCredential
	Profile       string    `json:"profile"` // ProfilePaper …
	State         string    `json:"state"`   // StatusValid …
	RecordVersion int       `json:"recordVersion"`
	ValidFrom     time.Time `json:"validFrom"`
	ValidUntil    time.Time `json:"validUntil"`
}

// IssuedCredential is a sealed credential. JWT is what its holder gets: a
// compact vc+jwt, a compact SD-JWT (ProfileSDJWT), or JSON (ProfileLDP).
type IssuedCredential struct {
	CredentialInfo
	JWT string
}

// Record is one birth or guardianship as the register holds it.
type Record struct {
	ID            string    `json:"id"`
	Kind          string    `json:"kind"`   // KindBirth or KindGuardianship
	State         string    `json:"state"`  // StateIssued …
	Status        string    `json:"status"` // StatusValid …
	Rule          string    `json:"rule,omitempty"`
	RecordVersion int       `json:"recordVersion"`
	Birth         string    `json:"birth,omitempty"`         // of a guardianship: id of the ward's birth
	Guardianships []string  `json:"guardianships,omitempty"` // of a birth: ids
	Created       time.Time `json:"created"`
	// SuspendedUntil is when a suspension ends by itself unless it is confirmed.
	SuspendedUntil time.Time `json:"suspendedUntil,omitzero"`
	// Suspensions counts how often the record was suspended, and what became of it.
	Suspensions map[string]int   `json:"suspensions,omitempty"`
	Record      json.RawMessage  `json:"record"` // the normalised registration; personal data
	Credentials []CredentialInfo `json:"credentials"`
}

// Birth reads a birth record.
func (i *Issuer) Birth(ctx context.Context, c Caller, id string) (Record, error) {
	return i.read(ctx, c, KindBirth, id)
}

// Guardianship reads a guardianship record.
func (i *Issuer) Guardianship(ctx context.Context, c Caller, id string) (Record, error) {
	return i.read(ctx, c, KindGuardianship, id)
}

func (i *Issuer) read(ctx context.Context, c Caller, kind, id string) (Record, error) {
	if err := c.may(mayRead...); err != nil {
		return Record{}, err
	}
	r, err := i.store.record(ctx, i.db, kind, id)
	if err != nil {
		return Record{}, err
	}
	out := Record{ID: r.ID, Kind: kind, State: r.State, Status: r.Status, Rule: r.Rule, RecordVersion: r.Version,
		Birth: r.Birth, Created: r.Created, Record: r.Record, SuspendedUntil: r.SuspendedUntil}
	if out.Suspensions, err = i.store.suspensions(ctx, r.ID); err != nil {
		return Record{}, err
	}
	if out.Credentials, err = i.store.infos(ctx, r.ID); err != nil {
		return Record{}, err
	}
	if kind == KindBirth {
		gs, err := i.store.guardianshipsOf(ctx, i.db, r.ID)
		if err != nil {
			return Record{}, err
		}
		for _, g := range gs {
			out.Guardianships = append(out.Guardianships, g.ID)
		}
	}
	return out, nil
}

// Statistics are counts without personal data, which an auditor may see too.
type Statistics struct {
	Births        map[string]int `json:"births"`        // by state
	Guardianships map[string]int `json:"guardianships"` // by state
	Credentials   map[string]int `json:"credentials"`   // by status
	Open          int            `json:"open"`          // reservations that are not sealed
	// Suspensions counts the acts: suspended, confirmed by a second person,
	// expired because nobody did, reinstated by somebody.
	Suspensions map[string]int `json:"suspensions"`
}

// Statistics counts the records and credentials of this issuer.
func (i *Issuer) Statistics(ctx context.Context, c Caller) (Statistics, error) {
	if err := c.may(RoleRegistrar, RoleCourt, RoleProtection, RoleAuditor); err != nil {
		return Statistics{}, err
	}
	out, err := i.store.count(ctx)
	if err != nil {
		return Statistics{}, err
	}
	out.Suspensions, err = i.store.suspensions(ctx, "")
	return out, err
}

// token gives a random identifier of 128 bits as 22 characters of base64url.
func token() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// recordID makes the identifier of a record in this register: a UUID of version 7 (RFC
// 9562, section 5.7), which begins with the time on the clock of this machine, so that
// what is registered together lies together in the database. Whoever may see it may see when the record was made.
func recordID() string {
	id := uuid.Must(uuid.NewV7()) // fails with crypto/rand, which never does
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// sum is SHA-256 over the parts.
func sum(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
