package vc

import (
	"encoding/json"
	"math"
)

// texts reads a string or an array of strings. Of an array's other members,
// such as context objects, an empty string is left.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	var many []json.RawMessage
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	for _, m := range many {
		var s string
		_ = json.Unmarshal(m, &s)
		*t = append(*t, s)
	}
	return nil
}

// named reads an identifier, or an object that has one as id.
type named string

func (n *named) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*n = named(s)
		return nil
	}
	var o struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(b, &o)
	*n = named(o.ID)
	return err
}

type looseEnveloped struct {
	Context texts  `json:"@context"`
	ID      string `json:"id"`
	Type    texts  `json:"type"`
}

type looseEnvelopeds []looseEnveloped

func (l *looseEnvelopeds) UnmarshalJSON(b []byte) error {
	var one looseEnveloped
	if json.Unmarshal(b, &one) == nil {
		*l = looseEnvelopeds{one}
		return nil
	}
	return json.Unmarshal(b, (*[]looseEnveloped)(l))
}

// parseLoosely reads the forms of a presentation that our own wallets do not
// write (Data Model 2.0, section 4.13; RFC 7519, sections 2 and 4.1.3).
func parseLoosely(payload []byte) (*Presentation, error) {
	if err := CheckJSON(payload, MaxDepth); err != nil {
		return nil, err
	}
	var v struct {
		Context     texts           `json:"@context"`
		Type        texts           `json:"type"`
		Holder      named           `json:"holder"`
		Credentials looseEnvelopeds `json:"verifiableCredential"`
		Audience    texts           `json:"aud"`
		Nonce       string          `json:"nonce"`
		IssuedAt    float64         `json:"iat"`
		Expires     float64         `json:"exp"`
	}
	if err := json.Unmarshal(payload, &v); err != nil {
		return nil, ErrJSON.With(err)
	}
	p := &Presentation{Context: v.Context, Type: v.Type, Holder: string(v.Holder), Nonce: v.Nonce}
	for _, a := range v.Audience {
		if p.Audience == "" || a == BorderAudience {
			p.Audience = a
		}
	}
	for _, t := range []struct {
		from float64
		to   *int64
	}{{v.IssuedAt, &p.IssuedAt}, {v.Expires, &p.Expires}} {
		if !(t.from >= 0 && t.from < 1<<53) {
			return nil, ErrJSON
		}
		*t.to = int64(math.Floor(t.from))
	}
	for _, c := range v.Credentials {
		e := Enveloped{ID: c.ID}
		if len(c.Context) > 0 {
			e.Context = c.Context[0]
		}
		for _, t := range c.Type {
			if t == TypeEnveloped {
				e.Type = t
			}
		}
		p.Credentials = append(p.Credentials, e)
	}
	return p, nil
}
