package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Outcome is what became of a registration, a correction or a decision.
type Outcome struct {
	ID            string       `json:"id"`               // of the record
	State         string       `json:"state"`            // issued, pendingApproval, held, notIssued, discarded
	Status        string       `json:"status,omitempty"` // after an act on it: valid, suspended, revoked
	Rule          string       `json:"rule,omitempty"`
	Approval      string       `json:"approval,omitempty"` // id of the approval that it waits for
	RecordVersion int          `json:"recordVersion,omitempty"`
	Credentials   []Credential `json:"credentials,omitempty"`
}

// Credential is what the issuer tells of a credential without its content.
type Credential struct {
	ID            string    `json:"id"`
	Type          string    `json:"type"`    // BirthCredential or GuardianshipCredential
	Profile       string    `json:"profile"` // paper, full or border
	State         string    `json:"state"`   // valid, suspended or revoked
	RecordVersion int       `json:"recordVersion"`
	ValidFrom     time.Time `json:"validFrom"`
	ValidUntil    time.Time `json:"validUntil"`
}

// Record is a birth or guardianship as the register holds it. Record holds
// personal data.
type Record struct {
	ID            string    `json:"id"`
	Kind          string    `json:"kind"`   // birth or guardianship
	State         string    `json:"state"`  // as in Outcome
	Status        string    `json:"status"` // valid, suspended or revoked
	Rule          string    `json:"rule,omitempty"`
	RecordVersion int       `json:"recordVersion"`
	Birth         string    `json:"birth,omitempty"`
	Guardianships []string  `json:"guardianships,omitempty"`
	Created       time.Time `json:"created"`
	// SuspendedUntil is when a suspension ends by itself unless it is confirmed.
	SuspendedUntil time.Time `json:"suspendedUntil,omitzero"`
	// Suspensions counts how often it was suspended, confirmed, expired, reinstated.
	Suspensions map[string]int  `json:"suspensions,omitempty"`
	Record      json.RawMessage `json:"record"`
	Credentials []Credential    `json:"credentials"`
}

// Paper is a pair of paper credentials as one code: its text and two images.
type Paper struct {
	KP1 string `json:"kp1"`
	SVG string `json:"svg"`
	PNG []byte `json:"png"`
}

// Offer is an offer to a guardian's wallet. Its PIN is told in person.
type Offer struct {
	ID             string          `json:"id"`
	Offer          json.RawMessage `json:"offer"` // Credential Offer (OpenID4VCI 1.0, section 4.1.1)
	URI            string          `json:"uri"`
	URIByReference string          `json:"uriByReference"`
	PIN            string          `json:"pin"`
	ExpiresAt      time.Time       `json:"expiresAt"`
	QR             string          `json:"qr"` // SVG
}

// Tokens is the answer of the token endpoint (RFC 6749, section 5.1).
type Tokens struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int64  `json:"expires_in"` // seconds
	Refresh   string `json:"refresh_token,omitempty"`
}

// Reissue is what a guardian's request to issue anew a credential of another
// system claims. Verified is always false: the issuer did not check it.
type Reissue struct {
	Holder    string        `json:"holder"` // did:key of the guardian
	IssuedAt  time.Time     `json:"issuedAt"`
	ExpiresAt time.Time     `json:"expiresAt"`
	Verified  bool          `json:"verified"`
	Notice    string        `json:"notice"` // to be shown with the claims
	Claims    ReissueClaims `json:"claims"`
}

// ReissueClaims are what the credential in a request says.
type ReissueClaims struct {
	Format         string          `json:"format"`
	ID             string          `json:"id,omitempty"`
	Issuer         string          `json:"issuer"`
	Types          []string        `json:"types"`
	IssuanceDate   string          `json:"issuanceDate,omitempty"`
	ExpirationDate string          `json:"expirationDate,omitempty"`
	Subject        json.RawMessage `json:"subject"`
}

// Kinds of record, as they stand in paths.
const (
	Births        = "births"
	Guardianships = "guardianships"
)

// Register registers a birth or guardianship: record is []byte or a value that
// marshals to one.
func (c *Client) Register(ctx context.Context, kind string, record any) (Outcome, error) {
	var o Outcome
	err := c.Do(ctx, http.MethodPost, "/"+kind, record, &o)
	return o, err
}

// EnvelopedCredential is a compact vc+jwt as a JSON object (Data Model 2.0,
// section 4.13): ID is "data:application/vc+jwt," and the JWT.
type EnvelopedCredential struct {
	Context string `json:"@context"`
	ID      string `json:"id"`
	Type    string `json:"type"`
}

// Issue registers the subject of an unsigned credential and gives its paper
// credential (VC API). A record that is registered and gives none is a *Problem
// whose Outcome says what became of it.
func (c *Client) Issue(ctx context.Context, credential any) (EnvelopedCredential, error) {
	var e EnvelopedCredential
	err := c.Do(ctx, http.MethodPost, "/credentials/issue", map[string]any{"credential": credential}, &e)
	return e, err
}

// Derive gives a credential that shows of a birth or guardianship credential
// with an ecdsa-sd-2023 base proof what the JSON pointers name, and what must
// always be shown. Issuer and wallet offer it.
func (c *Client) Derive(ctx context.Context, credential json.RawMessage, pointers []string) (json.RawMessage, error) {
	if pointers == nil {
		pointers = []string{}
	}
	var out json.RawMessage
	err := c.Do(ctx, http.MethodPost, "/credentials/derive", map[string]any{"verifiableCredential": credential, "options": map[string]any{"selectivePointers": pointers}}, &out)
	return out, err
}

// Correct replaces a record.
func (c *Client) Correct(ctx context.Context, kind, id string, record any) (Outcome, error) {
	var o Outcome
	err := c.Do(ctx, http.MethodPost, "/"+kind+"/"+url.PathEscape(id)+"/corrections", record, &o)
	return o, err
}

// Read reads a record.
func (c *Client) Read(ctx context.Context, kind, id string) (Record, error) {
	var r Record
	err := c.Do(ctx, http.MethodGet, "/"+kind+"/"+url.PathEscape(id), nil, &r)
	return r, err
}

// Release proposes to issue or discard a birth that is held.
func (c *Client) Release(ctx context.Context, birth, decision string) (Outcome, error) {
	var o Outcome
	err := c.Do(ctx, http.MethodPost, "/births/"+url.PathEscape(birth)+"/release", map[string]string{"decision": decision}, &o)
	return o, err
}

// Held lists the births that are held as possible duplicates.
func (c *Client) Held(ctx context.Context) ([]Record, error) {
	var list struct {
		Records []Record `json:"records"`
	}
	err := c.Do(ctx, http.MethodGet, "/births?state=held", nil, &list)
	return list.Records, err
}

// Approval is an act that waits for a second person. Proposal and Current hold
// personal data.
type Approval struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	RecordKind string          `json:"recordKind"`
	Record     string          `json:"record"`   // id
	Proposer   string          `json:"proposer"` // name
	Created    time.Time       `json:"created"`
	Proposal   json.RawMessage `json:"proposal,omitempty"`
	Current    json.RawMessage `json:"current,omitempty"`
}

// Approvals lists what waits for a second person.
func (c *Client) Approvals(ctx context.Context) ([]Approval, error) {
	var list struct {
		Approvals []Approval `json:"approvals"`
	}
	err := c.Do(ctx, http.MethodGet, "/approvals", nil, &list)
	return list.Approvals, err
}

// Decide approves or denies what another person proposed.
func (c *Client) Decide(ctx context.Context, approval string, approve bool) (Outcome, error) {
	decision := "deny"
	if approve {
		decision = "approve"
	}
	var o Outcome
	err := c.Do(ctx, http.MethodPost, "/approvals/"+url.PathEscape(approval), map[string]string{"decision": decision}, &o)
	return o, err
}

// Change revokes, suspends or reinstates (act) the record of a credential.
func (c *Client) Change(ctx context.Context, credential, act, reason string) (Outcome, error) {
	var o Outcome
	err := c.Do(ctx, http.MethodPost, "/credentials/"+url.PathEscape(credential)+"/"+act, map[string]string{"reason": reason}, &o)
	return o, err
}

// Paper gives the paper credentials of a birth and, unless it is empty, a
// guardianship.
func (c *Client) Paper(ctx context.Context, birth, guardianship string) (Paper, error) {
	path := "/births/" + url.PathEscape(birth) + "/paper"
	if guardianship != "" {
		path += "?" + url.Values{"guardianship": {guardianship}}.Encode()
	}
	var p Paper
	err := c.With("Accept", "application/json").Do(ctx, http.MethodGet, path, nil, &p)
	return p, err
}

// MakeOffer makes an offer that lasts for the given minutes; 0 means ten.
func (c *Client) MakeOffer(ctx context.Context, guardianship string, minutes int) (Offer, error) {
	body := struct {
		Guardianship string `json:"guardianship"`
		Minutes      int    `json:"minutes,omitempty"`
	}{guardianship, minutes}
	var o Offer
	err := c.Do(ctx, http.MethodPost, "/offers", body, &o)
	return o, err
}

// ReadReissue reads a request that a guardian handed over: the compact
// kinpass-reissue+jwt.
func (c *Client) ReadReissue(ctx context.Context, request string) (Reissue, error) {
	var r Reissue
	err := c.Do(ctx, http.MethodPost, "/reissue-requests", map[string]string{"request": request}, &r)
	return r, err
}

// ConsentStatus is a place in an issuer's status lists for one guardian's travel
// consent.
type ConsentStatus struct {
	Status     []StatusEntry `json:"credentialStatus"` // for the consent, as it is
	ValidUntil time.Time     `json:"validUntil"`       // the consent must end by then
}

// StatusEntry is a BitstringStatusListEntry (Bitstring Status List 1.0, section
// 2.1).
type StatusEntry struct {
	Type    string `json:"type"`
	Purpose string `json:"statusPurpose"`
	Index   string `json:"statusListIndex"`
	List    string `json:"statusListCredential"`
}

// ReserveConsent gives a guardian a place in the status lists. request is the
// compact kinpass-consent-status+jwt with act reserve; no token is needed.
func (c *Client) ReserveConsent(ctx context.Context, request string) (ConsentStatus, error) {
	var out ConsentStatus
	err := c.Do(ctx, http.MethodPost, "/consent-status", map[string]string{"request": request}, &out)
	return out, err
}

// WithdrawConsent revokes a consent. request is the compact
// kinpass-consent-status+jwt with act withdraw, by the key that reserved.
func (c *Client) WithdrawConsent(ctx context.Context, request string) error {
	return c.Do(ctx, http.MethodPost, "/consent-status/withdraw", map[string]string{"request": request}, nil)
}

// Dossier is what guardians bring to a witness: credentials as compact vc+jwt.
type Dossier struct {
	Birth         string   `json:"birth"`
	Guardianships []string `json:"guardianships"` // those that the consents cite
	Consents      []string `json:"consents"`      // one of each guardian who agrees
	Reference     string   `json:"reference,omitempty"`
}

// Witnessed is a consent that an office witnessed for the guardians who signed.
type Witnessed struct {
	ID         string    `json:"id"`
	Credential string    `json:"credential"` // vc+jwt
	ValidUntil time.Time `json:"validUntil"`
	Signed     int       `json:"signed"`   // how many agreed
	Quorum     int       `json:"quorum"`   // how many must, by their mandates
	Complete   bool      `json:"complete"` // enough agreed
}

// WitnessConsent has a notary, consulate, witness or court witness a consent.
func (c *Client) WitnessConsent(ctx context.Context, d Dossier) (Witnessed, error) {
	var out Witnessed
	err := c.Do(ctx, http.MethodPost, "/consents", d, &out)
	return out, err
}
