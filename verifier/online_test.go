package verifier

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// TestOnline: a check online decides with the lists as they stand now, asks the
// issuer of what is shown for whole lists alone and not more often than every half
// minute, and says how old its answer is where the issuer does not answer.
func TestOnline(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o, other := w.office(), w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		birth, mandate, index := o.family("mother")

		var mu sync.Mutex
		var asked, tokens []string
		down := false
		watch := func(name string) func(http.ResponseWriter, *http.Request) bool {
			return func(rw http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				body := make([]byte, 1)
				if n, _ := r.Body.Read(body); n > 0 || r.URL.RawQuery != "" {
					t.Errorf("%s was asked with more than an address: %s", name, r.URL)
				}
				asked = append(asked, name+r.Method+r.URL.Path)
				if strings.Contains(r.URL.Path, "/status") {
					tokens = append(tokens, r.Header.Get("Authorization"))
				}
				if down {
					rw.WriteHeader(http.StatusBadGateway)
				}
				return down
			}
		}
		o.reply(watch(""))
		other.reply(watch("other "))
		look := func(online bool, shown ...string) Result {
			t.Helper()
			f := confirmed
			f.Online = online
			r, err := v.Check(context.Background(), []string{w.present("mother", store.Random(16), shown...)}, f)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if err := o.bits[vc.PurposeSuspension].Set(index); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Hour)
		if r := look(false, birth, mandate); r.Colour != check.Green || len(asked) != 0 {
			t.Fatalf("offline: %v %v, asked %v", r.Colour, r.Codes(), asked)
		}
		r := look(true, birth, mandate)
		if r.Colour != check.Red || !r.Has(check.CodeStatusSuspended) || r.StatusAgeSeconds > 1 {
			t.Errorf("online: %v %v, age %v", r.Colour, r.Codes(), r.StatusAgeSeconds)
		}
		slices.Sort(asked)
		if got, want := strings.Join(asked, " "), "GET/.well-known/did.json GET/status GET/status/revocation/1 GET/status/suspension/1"; got != want {
			t.Errorf("asked for %s", got)
		}
		jtis := map[string]bool{}
		for _, token := range tokens {
			jwt, ok := strings.CutPrefix(token, "KinpassHub ")
			if !ok {
				t.Fatalf("asked with %.20q", token)
			}
			j, err := vc.SplitJWS(jwt)
			if err != nil || j.Header.Typ != vc.TypHub || j.Header.Kid != w.list.Hubs[0].ID {
				t.Fatalf("%+v, %v", j, err)
			}
			var c struct {
				Aud, Jti string
				Iat, Exp int64
			}
			if err := json.Unmarshal(j.PayloadUnverified(), &c); err != nil || c.Aud != o.url || c.Exp-c.Iat > 300 || len(c.Jti) < 22 || jtis[c.Jti] {
				t.Errorf("%+v, %v", c, err)
			}
			jtis[c.Jti] = true
			if text := string(j.PayloadUnverified()); strings.Count(text, ":") != strings.Count(o.url, ":")+4 {
				t.Errorf("the token says more than it has to: %s", text)
			}
		}
		n := len(asked)
		w.wait(29 * time.Second)
		if look(true, birth, mandate); len(asked) != n {
			t.Errorf("asked again after 29 seconds: %v", asked[n:])
		}
		// Lifted; half a minute later it is known.
		if err := o.bits[vc.PurposeSuspension].Clear(index); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Second)
		if r := look(true, birth, mandate); r.Colour != check.Green || len(asked) != 2*n {
			t.Errorf("lifted: %v %v, asked %d times", r.Colour, r.Codes(), len(asked))
		}
		// The bundle is as it was: whoever checks offline knows no more than before.
		if b, err := v.Latest(context.Background()); err != nil || b.ID != r.Bundle.ID {
			t.Errorf("the bundle changed: %v", err)
		}
		down = true
		w.wait(time.Hour)
		if r := look(true, birth, mandate); r.Colour != check.Green || r.StatusAgeSeconds < 7200 {
			t.Errorf("an issuer that is silent: %v %v, age %v", r.Colour, r.Codes(), r.StatusAgeSeconds)
		}
		down = false
		if r := look(true, birth, mandate); r.StatusAgeSeconds > 1 {
			t.Errorf("a failure was remembered: age %v", r.StatusAgeSeconds)
		}
	})
}
