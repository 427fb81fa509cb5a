package issuer

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// unsigned is a credential that passed the checks of package vc and can be
// signed once, as its profile asks: one of the two is set.
type unsigned struct {
	form
	vc *vc.Unsigned
	sd *vc.UnsignedSDJWTVC
}

// form is how a credential is secured: its profile, and the role of the trust
// list whose key signs it; "" is the register's own.
type form struct{ profile, role string }

// use names the use of the key that signs. ecdsa-sd-2023 is defined for P-256
// alone, so it has keys of its own.
func (f form) use() string {
	use := useOf(f.role)
	switch {
	case f.profile != ProfileLDP:
		return use
	case use == keys.UseCredentials:
		return keys.UseSelective
	}
	return keys.SelectiveOf(use)
}

// prepare checks the bytes that were or will be reserved.
func prepare(f form, payload []byte) (*unsigned, error) {
	u := &unsigned{form: f}
	var err error
	if f.profile == ProfileSDJWT {
		u.sd, err = vc.ReopenSDJWTVC(payload)
	} else {
		u.vc, err = vc.Prepare(payload)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// secure signs a checked credential with the key of its form.
func (i *Issuer) secure(u *unsigned) (string, error) {
	now := i.now()
	s, err := i.signerFor(u.use(), now)
	if err != nil {
		return "", err
	}
	switch u.profile {
	case ProfileSDJWT:
		return u.sd.Sign(s)
	case ProfileLDP:
		b, err := u.vc.SignSelective(s, now.Truncate(time.Second))
		return string(b), err
	}
	return u.vc.Sign(s)
}

// unsecure verifies what secure gave with the keys that were published at a
// time, and gives the bytes that were reserved.
func (i *Issuer) unsecure(f form, text string, at time.Time) ([]byte, error) {
	published := i.published(f.use(), at)
	switch f.profile {
	case ProfileLDP:
		payload, err := vc.OpenBase([]byte(text), func(method string) (crypto.PublicKey, string, error) {
			if key, ok := published[method]; ok {
				return key, i.did, nil
			}
			return nil, "", errAltered
		})
		if err != nil {
			return nil, errAltered.With(err)
		}
		return payload, nil
	case ProfileSDJWT:
		jwt, disclosures, _ := strings.Cut(text, "~")
		payload, err := verifyWith(published, jwt, vc.TypSDJWTVC)
		if err != nil {
			return nil, err
		}
		return append([]byte(base64.RawURLEncoding.EncodeToString(payload)+"~"), disclosures...), nil
	}
	return verifyWith(published, text, vc.TypCredential)
}

// ours reports whether reserved bytes are the credential of a row: of this
// issuer and with this id, which an SD-JWT VC has as its place in a status list,
// that no other credential has.
func (i *Issuer) ours(payload []byte, r reserved) error {
	if r.Profile == ProfileSDJWT {
		u, err := vc.ReopenSDJWTVC(payload)
		if err != nil {
			return err
		}
		if u.Issuer != i.did || u.Status == nil || *u.Status != i.tokenStatus(r.Place) {
			return errForeign
		}
		return nil
	}
	c, err := vc.ParseCredential(payload)
	if err != nil {
		return err
	}
	if c.Issuer != i.did || c.ID != "urn:uuid:"+r.ID {
		return errForeign
	}
	return nil
}

// signAgain signs the bytes of a reservation that another run made. The database
// is not trusted to hand out our signature: the credential must be this
// issuer's, and what comes out must be what went in, under a published key.
func (i *Issuer) signAgain(r reserved) (*sealing, error) {
	if err := i.ours(r.Payload, r); err != nil {
		return nil, err
	}
	u, err := prepare(form{r.Profile, r.Role}, r.Payload)
	if err != nil {
		return nil, err
	}
	x, err := i.sign(&draft{info: CredentialInfo{ID: r.ID}, unsigned: u})
	if err != nil {
		return nil, err
	}
	payload, err := i.unsecure(form{r.Profile, r.Role}, x.JWT, i.now())
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(payload, r.Payload) {
		return nil, errAltered
	}
	return x, nil
}

// published gives the keys of a use in the DID document at t, by kid.
func (i *Issuer) published(use string, t time.Time) map[string]crypto.PublicKey {
	out := map[string]crypto.PublicKey{}
	for _, k := range i.publishedKeys(use, t) {
		out[i.did+"#"+k.Name] = k.Public()
	}
	return out
}

// verifyWith verifies a JWS of a type with the key that its kid names and gives
// its payload.
func verifyWith(byKID map[string]crypto.PublicKey, jwt, typ string) ([]byte, error) {
	j, err := vc.SplitJWS(jwt)
	if err != nil {
		return nil, errAltered.With(err)
	}
	key, ok := byKID[j.Header.Kid]
	if !ok || j.Header.Typ != typ {
		return nil, errAltered
	}
	payload, err := j.Verify(key)
	if err != nil {
		return nil, errAltered.With(err)
	}
	return payload, nil
}

// intact reports whether a sealed credential is as it was issued. Its key had to
// be published until the credential's end.
func (i *Issuer) intact(x copied) bool {
	at := i.now()
	if x.ValidUntil.Before(at) {
		at = x.ValidUntil
	}
	payload, err := i.unsecure(form{x.Profile, x.Role}, x.JWT, at)
	if err != nil || i.ours(payload, reserved{ID: x.ID, Profile: x.Profile, Place: x.Place}) != nil {
		return false
	}
	if x.Profile == ProfileSDJWT {
		u, err := vc.ReopenSDJWTVC(payload)
		return err == nil && u.Type == sdType(x.Type) && u.NotBefore.Equal(x.ValidFrom) && u.Expires.Equal(x.ValidUntil)
	}
	c, err := vc.ParseCredential(payload)
	return err == nil && c.ValidTo.Equal(x.ValidUntil) && c.ValidFrom.Equal(x.ValidFrom) && c.Is(x.Type)
}

// sdType gives the vct of a credential type.
func sdType(kind string) string {
	if kind == vc.TypeBirth {
		return vc.VctBirth
	}
	return vc.VctGuardianship
}
