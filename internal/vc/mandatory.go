//go:build !js

package vc

import (
	"bytes"
	"slices"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrHidden says that a credential which was shown in part lacks what everybody
// must see.
var ErrHidden = fault.New(fault.Unprocessable, "mandatory-hidden", "a part of the credential that must always be shown is missing")

// neverInGuardianship is what a guardian may never keep back, whatever the
// format: JSON pointers into the subject, each with all that is inside. It
// stands here and not in a data file, so that an edit of one cannot open it.
// Holders of births choose freely what they show of the subject.
var neverInGuardianship = []string{"/powers", "/legalBasis", "/constraints", "/exercise",
	"/effective", "/termination", "/role", "/ward/childRef", "/guardian/kind", "/guardian/delegates"}

// neverOptional are those of them that a guardianship may be without.
var neverOptional = []string{"/guardian/delegates"}

// envelopePointers name what no part of a credential comes without: who says it, what it
// is, when and where its status is told.
var envelopePointers = []string{"/type", "/issuer", "/validFrom", "/validUntil", "/credentialStatus", "/credentialSchema"}

// shownOf gives the pointers into the subject of a type.
func shownOf(c *Credential) ([]string, error) {
	switch {
	case c.Is(TypeBirth):
		return nil, nil
	case c.Is(TypeGuardianship):
		return neverInGuardianship, nil
	}
	return nil, ErrCredential.WithDetail("not a credential type that is shown in parts")
}

// MandatoryPointers gives the JSON pointers of what a holder of this birth or
// guardianship credential can never keep back (Data Integrity ECDSA
// Cryptosuites 1.0, section 3.6.1): the envelope, and of a guardianship all that
// decides what the guardian may do. What may be missing and is missing has no
// pointer; a guardianship without constraints says so by an empty object, since
// an absence could not be told from something that is hidden.
func MandatoryPointers(credential []byte) ([]string, error) {
	return mandatoryOf(credential)
}

// CheckShown reports whether a credential that was derived from another one
// still has everything that MandatoryPointers names for its type. It is
// ErrHidden if not. A birth of which nothing was chosen has no subject.
func CheckShown(derived []byte) error {
	if err := CheckJSON(derived, MaxDepth); err != nil {
		return ErrCredential.With(err)
	}
	if derived = bytes.TrimSpace(derived); derived[0] == '{' && memberOf(derived, "credentialSubject") == nil {
		derived = appendMember(derived, "credentialSubject", []byte(`{}`))
	}
	_, err := mandatoryOf(derived)
	return err
}

func mandatoryOf(credential []byte) ([]string, error) {
	c, err := ParseCredential(credential)
	if err != nil {
		return nil, err
	}
	root, err := sdObject(credential)
	if err != nil {
		return nil, err
	}
	shown, err := shownOf(c)
	if err != nil {
		return nil, err
	}
	pointers := slices.Clone(envelopePointers)
	for _, at := range shown {
		pointers = append(pointers, "/credentialSubject"+at)
	}
	out := pointers[:0]
	for _, at := range pointers {
		if v, there := lookup(root, at); there && v != nil {
			out = append(out, at)
			continue
		}
		if slices.ContainsFunc(neverOptional, func(o string) bool { return at == "/credentialSubject"+o }) {
			continue
		}
		return nil, ErrHidden
	}
	if !wholeDates(root) {
		return nil, ErrHidden
	}
	return out, nil
}

// wholeDates refuses a date of birth that is shown without how exact it is:
// "2010-01-01" for a child whose year alone is known would be another date.
func wholeDates(root map[string]any) bool {
	born, there := lookup(root, "/credentialSubject/birthDate")
	if !there {
		return true
	}
	_, exact := lookup(root, "/credentialSubject/birthDate/precision")
	_, object := born.(map[string]any)
	return object && exact
}
