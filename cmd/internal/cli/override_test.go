package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
)

// authorityCmd starts a court that keeps an issuer of its own, in court-data:
// "authority". It sets $COURT and $COURT_PORT and writes judge.token and
// colleague-judge.token.
func authorityCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: authority")
	}
	h := &home{dir: ts.MkAbs("court-data")}
	ctx, stop := context.WithCancel(context.Background())
	r, err := h.start(ctx, issuerRole, options{listen: "127.0.0.1:0", alg: keys.EdDSA, offices: []string{keys.UseCourt},
		log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ts.Check(err)
	ts.Defer(func() {
		stop()
		<-r.done
	})
	ts.Setenv("COURT", r.base)
	ts.Setenv("COURT_PORT", r.base[strings.LastIndexByte(r.base, ':')+1:])
	for _, name := range []string{"judge", "colleague-judge"} {
		secret, _, err := r.db.AddToken(ctx, name, vc.RoleCourt, time.Time{})
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name+".token"), []byte(secret+"\n"), 0o600))
	}
}

// placeCmd finds where the guardianship of a code stands on its issuer's status
// lists: "place CODE PURPOSE" sets $LIST and $INDEX.
func placeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: place CODE PURPOSE")
	}
	p, err := qr.Unpack(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	all := p.Credentials
	if p.Presentation != "" {
		var body struct {
			Credentials []struct {
				ID string `json:"id"`
			} `json:"verifiableCredential"`
		}
		ts.Check(json.Unmarshal(unsignedPayload(ts, p.Presentation), &body))
		for _, c := range body.Credentials {
			_, jwt, _ := strings.Cut(c.ID, ",")
			all = append(all, jwt)
		}
	}
	for _, jwt := range all {
		c, err := vc.ParseCredential(unsignedPayload(ts, jwt))
		ts.Check(err)
		for _, s := range c.Status {
			if c.Is(vc.TypeGuardianship) && s.Purpose == args[1] {
				ts.Setenv("LIST", s.List)
				ts.Setenv("INDEX", s.Index)
				return
			}
		}
	}
	ts.Fatalf("no guardianship with that purpose in %s", args[0])
}

func unsignedPayload(ts *testscript.TestScript, jwt string) []byte {
	part := strings.Split(jwt, ".")
	if len(part) != 3 {
		ts.Fatalf("not a JWT")
	}
	b, err := base64.RawURLEncoding.DecodeString(part[1])
	ts.Check(err)
	return b
}
