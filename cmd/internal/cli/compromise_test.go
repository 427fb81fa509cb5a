package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
)

// forgeTool signs the credentials of a paper pass once more with the issuer's own
// key, as who stole it can: with another id, as of then or as of now: "forge then|now
// FILE".
func forgeTool(args []string) error {
	sealed, err := os.ReadFile("kinpass-data/issuer.keys")
	if err != nil {
		return err
	}
	pass, err := os.ReadFile("kinpass-data/passphrase")
	if err != nil {
		return err
	}
	ring, err := keys.Open(sealed, pass)
	if err != nil {
		return err
	}
	p, err := paperOf(args[1])
	if err != nil {
		return err
	}
	for n, jwt := range p.Credentials {
		j, err := vc.SplitJWS(jwt)
		if err != nil {
			return err
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
		if err != nil {
			return err
		}
		var c vc.Credential
		if err := json.Unmarshal(payload, &c); err != nil {
			return err
		}
		c.ID = c.ID[:len(c.ID)-4] + "0bad"
		if args[0] == "now" {
			c.ValidFrom = time.Now().UTC().Truncate(time.Second)
		}
		_, name, _ := strings.Cut(j.Header.Kid, "#")
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if p.Credentials[n], err = vc.SignJWS(named(ring, name).Signer(j.Header.Kid), vc.TypCredential, j.Header.Cty, b); err != nil {
			return err
		}
	}
	text, err := qr.Pack(p)
	if err != nil {
		return err
	}
	fmt.Println(text)
	return nil
}

// signersTool prints the keys that signed what a code holds: "signers FILE".
func signersTool(args []string) error {
	p, err := paperOf(args[0])
	if err != nil {
		return err
	}
	jwts := p.Credentials
	if p.Presentation != "" {
		if _, jwts, err = credentialsOf(p.Presentation); err != nil {
			return err
		}
	}
	for _, jwt := range jwts {
		j, err := vc.SplitJWS(jwt)
		if err != nil {
			return err
		}
		fmt.Println(j.Header.Kid)
	}
	return nil
}

func paperOf(file string) (qr.Packet, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return qr.Packet{}, err
	}
	return qr.Unpack(strings.TrimSpace(string(b)))
}
