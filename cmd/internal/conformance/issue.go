package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

const purposeAssertion = "assertionMethod"

// issuer is one issuing instance.
type issuer struct {
	suite  string // Data Integrity cryptosuite; "" = enveloped vc+jwt
	key    string
	status bool
	v1     bool // VC 1.1 documents are signed as well
}

var issuers = map[string]issuer{
	"eddsa-rdfc-2022":      {suite: "eddsa-rdfc-2022", key: keyEd25519, v1: true},
	"eddsa-jcs-2022":       {suite: "eddsa-jcs-2022", key: keyEd25519, v1: true},
	"ecdsa-rdfc-2019-p256": {suite: "ecdsa-rdfc-2019", key: keyP256, v1: true},
	"ecdsa-rdfc-2019-p384": {suite: "ecdsa-rdfc-2019", key: keyP384, v1: true},
	"ecdsa-jcs-2019-p256":  {suite: "ecdsa-jcs-2019", key: keyP256, v1: true},
	"ecdsa-jcs-2019-p384":  {suite: "ecdsa-jcs-2019", key: keyP384, v1: true},
	"ecdsa-sd-2023":        {suite: "ecdsa-sd-2023", key: keyP256, v1: true},
	"vc2":                  {suite: "eddsa-rdfc-2022", key: keyEd25519},
	"vcapi":                {suite: "eddsa-rdfc-2022", key: keyEd25519, v1: true},
	"jwt":                  {key: keyP256},
	"bsl":                  {suite: "eddsa-rdfc-2022", key: keyEd25519, status: true},
}

var (
	errNoCredential      = fault.New(fault.Invalid, "malformed-value", "the request needs a credential, which is an object")
	errBody              = fault.New(fault.Invalid, "parsing", "the request is not JSON that can be read")
	errOptions           = fault.New(fault.Invalid, "malformed-value", "options must be an object, its pointers arrays of strings, the others strings")
	errListFull          = fault.New(fault.Unavailable, "status-list-full", "the status list of this run is full")
	errStatusType        = fault.New(fault.Invalid, "malformed-value", "only the revocation of a BitstringStatusListEntry can be set")
	errUnknownCredential = fault.New(fault.NotFound, "no-such-credential", "this server did not issue such a credential")
)

func (s *Server) issue(i issuer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		signed, err := s.sign(i, r)
		if err != nil {
			s.fail(w, err)
			return
		}
		s.write(w, http.StatusCreated, "application/json", signed)
	}
}

type issueRequest struct {
	Credential json.RawMessage `json:"credential"`
	Options    json.RawMessage `json:"options"`
}

type issueOptions struct {
	MandatoryPointers []string `json:"mandatoryPointers"`
	SelectivePointers []string `json:"selectivePointers"`
}

func (s *Server) sign(i issuer, r *http.Request) ([]byte, error) {
	var in issueRequest
	if err := s.read(r, &in); err != nil {
		return nil, err
	}
	if !isObject(in.Credential) {
		return nil, errNoCredential
	}
	options, err := readOptions(in.Options)
	if err != nil {
		return nil, err
	}
	doc := []byte(in.Credential)
	if err := vc.CheckModel(doc, vc.ModelCheck{Issue: true, Version1: i.v1}); err != nil {
		return nil, err
	}
	signer := s.signers[i.key]
	if doc, err = withIssuer(doc, did.Base(signer.KID)); err != nil {
		return nil, err
	}
	if i.status {
		if doc, err = s.withStatus(doc); err != nil {
			return nil, err
		}
	}
	if i.suite == "" {
		jwt, err := vc.SignJOSE(signer, vc.TypCredential, "vc", doc)
		if err != nil {
			return nil, err
		}
		return json.Marshal(vc.Envelop(jwt))
	}
	if i.suite == vc.SuiteSD && options.MandatoryPointers == nil {
		options.MandatoryPointers = required(doc)
	}
	return vc.AddProof(doc, vc.ProofOptions{Suite: i.suite, Signer: signer, Purpose: purposeAssertion,
		Created: s.now().UTC().Truncate(time.Second), MandatoryPointers: options.MandatoryPointers})
}

// required points at what every credential must have, so that what a holder
// derives still is one.
func required(doc []byte) []string {
	var d map[string]json.RawMessage
	if json.Unmarshal(doc, &d) != nil {
		return nil
	}
	pointers := []string{}
	for _, name := range []string{"issuer", "issuanceDate"} {
		if _, there := d[name]; there {
			pointers = append(pointers, "/"+name)
		}
	}
	return pointers
}

func readOptions(raw json.RawMessage) (issueOptions, error) {
	var o issueOptions
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return o, nil
	}
	if !isObject(raw) || json.Unmarshal(raw, &o) != nil {
		return o, errOptions
	}
	return o, nil
}

// withIssuer gives an issuer that is an object without an id ours.
func withIssuer(doc []byte, id string) ([]byte, error) {
	var d struct {
		Issuer json.RawMessage `json:"issuer"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, errBody
	}
	if !isObject(d.Issuer) {
		return doc, nil
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(d.Issuer, &o); err != nil {
		return nil, errBody
	}
	if _, has := o["id"]; has {
		return doc, nil
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	o["id"] = quoted
	return setMember(doc, "issuer", o)
}

// withStatus adds an entry for the status list of this run.
func (s *Server) withStatus(doc []byte) ([]byte, error) {
	var d struct {
		ID     string          `json:"id"`
		Status json.RawMessage `json:"credentialStatus"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, errBody
	}
	if len(d.Status) > 0 { // the caller brought one
		return doc, nil
	}
	index, full := s.list.take(d.ID)
	if full {
		return nil, errListFull
	}
	return setMember(doc, "credentialStatus", s.list.entry(index))
}

// setMember sets one top-level member and leaves the others as they are, byte
// for byte and in their order.
func setMember(doc []byte, name string, value any) ([]byte, error) {
	v, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	if _, err := dec.Token(); err != nil {
		return nil, errBody
	}
	var out bytes.Buffer
	out.WriteByte('{')
	done := false
	member := func(k string, raw []byte) error {
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		q, err := json.Marshal(k)
		if err != nil {
			return err
		}
		out.Write(q)
		out.WriteByte(':')
		out.Write(raw)
		return nil
	}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, errBody
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, errBody
		}
		if k == name {
			raw, done = v, true
		}
		if err := member(k.(string), raw); err != nil {
			return nil, err
		}
	}
	if !done {
		if err := member(name, v); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func isObject(raw []byte) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == '{'
}
