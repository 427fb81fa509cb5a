package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/did"
)

// oldSystemTool issues a credential of the Data Model 1.1 as an Aries-based
// system does and writes the request that imports it: "oldsystem
// jwt|linked|forged FILE". Its key is fresh, its identifier a did:key.
func oldSystemTool(args []string) error {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	issuer, err := did.EncodeKey(pub)
	if err != nil {
		return err
	}
	const id, at = "urn:uuid:7f9c5d60-6a43-4c16-9a0a-43e1cf3d9b11", "2026-01-02T03:04:05Z"
	doc := map[string]any{
		"@context": []string{"https://www.w3.org/2018/credentials/v1", "https://www.w3.org/2018/credentials/examples/v1", "https://w3id.org/security/suites/ed25519-2020/v1"},
		"id":       id, "type": []string{"VerifiableCredential", "RelationshipCredential"}, "issuer": issuer, "issuanceDate": at,
		"credentialSubject": map[string]string{"id": "did:example:parent", "givenName": "Quashawna"},
	}
	var credential any = doc
	if args[0] == "jwt" {
		seg := func(v any) string {
			b, _ := json.Marshal(v) // maps of strings
			return base64.RawURLEncoding.EncodeToString(b)
		}
		input := seg(map[string]string{"alg": "EdDSA", "kid": did.KeyID(issuer)}) + "." + seg(map[string]any{"iss": issuer, "vc": doc})
		credential = input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(input)))
	} else {
		// Canonical N-Quads by hand: no code of Kinpass helps to sign.
		const typ, vcv, sec = " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> ", "https://www.w3.org/2018/credentials#", "https://w3id.org/security#"
		time := `"` + at + `"^^<http://www.w3.org/2001/XMLSchema#dateTime>`
		hash := func(lines ...string) []byte {
			slices.Sort(lines)
			sum := sha256.Sum256([]byte(strings.Join(lines, " .\n") + " .\n"))
			return sum[:]
		}
		config := hash("_:c14n0 <http://purl.org/dc/terms/created> "+time, "_:c14n0"+typ+"<"+sec+"Ed25519Signature2020>",
			"_:c14n0 <"+sec+"proofPurpose> <"+sec+"assertionMethod>", "_:c14n0 <"+sec+"verificationMethod> <"+did.KeyID(issuer)+">")
		said := hash("<"+id+">"+typ+"<https://example.org/examples#RelationshipCredential>", "<"+id+">"+typ+"<"+vcv+"VerifiableCredential>",
			"<"+id+"> <"+vcv+"issuer> <"+issuer+">", "<"+id+"> <"+vcv+"issuanceDate> "+time,
			"<"+id+"> <"+vcv+"credentialSubject> <did:example:parent>", `<did:example:parent> <http://schema.org/givenName> "Quashawna"`)
		doc["proof"] = map[string]string{"type": "Ed25519Signature2020", "created": at, "proofPurpose": "assertionMethod",
			"verificationMethod": did.KeyID(issuer), "proofValue": "z" + did.EncodeBase58(ed25519.Sign(key, append(config, said...)))}
	}
	if args[0] == "forged" {
		doc["credentialSubject"] = map[string]string{"id": "did:example:parent", "givenName": "Somebody"}
	}
	b, err := json.Marshal(map[string]any{"credential": credential})
	if err != nil {
		return err
	}
	fmt.Println(issuer)
	return os.WriteFile(args[1], b, 0o600)
}
