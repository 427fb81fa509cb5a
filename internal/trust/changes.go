package trust

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kinpass/kinpass/internal/vc"
)

// words says what the members of a list are, for people who sign one.
var words = map[string]string{
	"name": "name", "country": "country", "shelf": "published at", "role": "role", "types": "may sign", "bases": "legal bases",
	"notBefore": "believed from", "notAfter": "signs until", "cutOff": "WITHDRAWN from", "cutOffSize": "good up to ledger entry",
	"publicKeyJwk": "key", "origin": "name", "operator": "run by", "consentStatus": "hosts the status of consents", "mayRevoke": "may override the lists of",
	"witnessQuorum": "witnesses that must sign", "state": "state", "since": "since", "until": "until", "at": "found", "severity": "severity",
	"summary": "summary", "closedAt": "closed", "nextUpdate": "next list due", "id": "name", "did": "DID",
}

// Changes says in plain words what next changes against old, which is nil for the
// first list: one line for each statement that comes ("+"), goes ("-") or changes
// ("~"), in a fixed order. Nothing that decides about anything is left out.
func Changes(old, next *vc.TrustList) []string {
	was, is := map[string]string{}, statements(next)
	if old != nil {
		was = statements(old)
	}
	var out []string
	all := maps.Clone(was)
	maps.Copy(all, is)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		a, had := was[what]
		b, has := is[what]
		switch {
		case !had:
			out = append(out, "+ "+what+": "+b)
		case !has:
			out = append(out, "- "+what+": "+a)
		case a != b:
			out = append(out, "~ "+what+": "+a+" -> "+b)
		}
	}
	return out
}

// statements takes a list apart into what it says, each statement under a name
// that does not depend on the order of the list.
func statements(l *vc.TrustList) map[string]string {
	b, err := json.Marshal(l)
	if err != nil {
		return map[string]string{"the list": "cannot be read"}
	}
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return map[string]string{"the list": "cannot be read"}
	}
	delete(v, "sequence") // every list has the next one
	delete(v, "issuedAt")
	out := map[string]string{}
	state(out, "", v)
	return out
}

// kinds names the entries of the list's arrays, and what tells them apart.
var kinds = map[string]struct{ name, by string }{
	"issuers": {"issuer", "did"}, "hubs": {"hub", "id"}, "witnesses": {"witness", "name"}, "keys": {"key", "id"},
	"earlier": {"earlier term since", "since"}, "findings": {"finding", "id"},
}

func state(out map[string]string, place string, v map[string]any) {
	for member, x := range v {
		label := words[member]
		if label == "" {
			label = member
		}
		at := join(place, label)
		switch x := x.(type) {
		case map[string]any:
			if member == "publicKeyJwk" {
				out[at] = fingerprint(x)
				continue
			}
			state(out, join(place, member), x)
		case []any:
			kind, entries := kinds[member]
			var plain []string
			for i, e := range x {
				m, ok := e.(map[string]any)
				if !ok || !entries {
					plain = append(plain, show(e))
					continue
				}
				name, ok := m[kind.by].(string)
				if !ok {
					name = strconv.Itoa(i)
				}
				state(out, join(place, kind.name+" "+show(name)), m)
			}
			if len(plain) > 0 {
				out[at] = strings.Join(plain, ", ")
			}
		default:
			out[at] = show(x)
		}
	}
}

func join(place, member string) string {
	if place == "" {
		return member
	}
	return place + ", " + member
}

// show writes a value so that it can neither hide anything nor steer a terminal.
func show(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	if plain(s, 2*maxText) && !strings.ContainsAny(s, `",>`) {
		return s
	}
	return strconv.QuoteToASCII(s)
}

// fingerprint gives the RFC 7638 thumbprint of a key. Its kid and use decide
// nothing here: a key goes by the identifier of its entry.
func fingerprint(jwk map[string]any) string {
	b, err := json.Marshal(jwk)
	if err != nil {
		return "unreadable"
	}
	pub, err := vc.ParseJWK(b)
	if err != nil {
		return "unreadable"
	}
	t, err := vc.Thumbprint(pub)
	if err != nil {
		return "unreadable"
	}
	// What else the JWK says, beside the key itself.
	for _, member := range slices.Sorted(maps.Keys(jwk)) {
		if !slices.Contains([]string{"kty", "crv", "x", "y", "kid", "use"}, member) {
			t += ", " + show(member) + " " + show(jwk[member])
		}
	}
	return t
}
