package rdf

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"slices"
)

//go:embed contexts/*.jsonld
var contextTree embed.FS

// examplesV2 is the W3C's vocabulary for examples: everything undefined
// becomes a term of it. It is small enough to be said here.
const examplesV2 = `{"@context":{"@vocab":"https://www.w3.org/ns/credentials/examples#"}}`

// builtin is one context that documents may name.
type builtin struct {
	file      string   // below contexts/
	body      string   // instead of a file
	published []string // SHA-256 of the published byte forms, where they are known
}

// builtins is the whole world of remote contexts. Where they come from stands
// in contexts/README.md.
var builtins = map[string]builtin{
	"https://w3id.org/kinpass/v1": {file: "kinpass-v1"},
	"https://www.w3.org/2018/credentials/v1": {file: "credentials-v1", published: []string{
		"ab4ddd9a531758807a79a5b450510d61ae8d147eab966cc9a200c07095b0cdcc"}},
	// The second form is that of 3 July 2024, which documents of the time name.
	"https://www.w3.org/ns/credentials/v2": {file: "credentials-v2", published: []string{
		"59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734",
		"24a18c90e9856d526111f29376e302d970b2bd10182e33959995b0207d7043b9"}},
	"https://www.w3.org/ns/credentials/examples/v2": {body: examplesV2, published: []string{
		"57393fbc69d6efb9b9b5dc9cb6b9880b0944360abfe2eaf459c9e58cf2279d7c"}},
	"https://www.w3.org/2018/credentials/examples/v1":      {file: "credentials-examples-v1"},
	"https://www.w3.org/ns/credentials/undefined-terms/v2": {file: "undefined-terms-v2"},
	"https://www.w3.org/ns/credentials/status/v1":          {file: "bitstring-status-list-v1"},
	"https://w3id.org/vc/status-list/2021/v1":              {file: "status-list-2021-v1"},
	"https://www.w3.org/ns/odrl.jsonld":                    {file: "odrl"},
	"https://w3id.org/citizenship/v4rc1":                   {file: "citizenship-v4rc1"},
	"https://w3id.org/vdl/v1":                              {file: "vdl-v1"},
	"https://w3id.org/security/v1":                         {file: "security-v1"},
	"https://w3id.org/security/v2":                         {file: "security-v2"},
	"https://w3id.org/security/suites/ed25519-2018/v1":     {file: "ed25519-signature-2018-v1"},
	"https://w3id.org/security/suites/ed25519-2020/v1": {file: "ed25519-signature-2020-v1", published: []string{
		"b9e1ab971fd8bf2c7553e0c4a9438e0b9450afde1ea1ca5b2492368b9f549588"}},
	"https://w3id.org/security/data-integrity/v1": {file: "data-integrity-v1", published: []string{
		"b5d829bd09aa7c42abc6efa0c8ed7635313b5487f37ccfce3ecd149ca9418554"}},
	"https://w3id.org/security/data-integrity/v2": {file: "data-integrity-v2", published: []string{
		"67f21e6e33a6c14e5ccfd2fc7865f7474fb71a04af7e94136cb399dfac8ae8f4"}},
	"https://w3id.org/security/multikey/v1": {file: "multikey-v1", published: []string{
		"ba2c182de2d92f7e47184bcca8fcf0beaee6d3986c527bf664c195bbc7c58597"}},
	"https://www.w3.org/ns/did/v1": {file: "did-v1", published: []string{
		"4f3eae5568c9c5f036a082088f9e192019ee06faa78973c87ff91d5421b88dad"}},
}

// ContextFile gives the JSON-LD context that url names, equal as JSON to what
// is published there. The bytes are the caller's. No context but these is ever
// used.
func ContextFile(url string) (body []byte, ok bool) {
	b, ok := builtins[url]
	if !ok {
		return nil, false
	}
	return bytes.Clone(b.bytes()), true
}

func (b builtin) bytes() []byte {
	if b.file == "" {
		return []byte(b.body)
	}
	data, err := contextTree.ReadFile("contexts/" + b.file + ".jsonld")
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return data
}

// ContextURLs gives the URLs of all built-in contexts, sorted.
func ContextURLs() []string {
	urls := make([]string, 0, len(builtins))
	for url := range builtins {
		urls = append(urls, url)
	}
	slices.Sort(urls)
	return urls
}

// ContextDigests gives the SHA-256 of every byte form in which the context was
// published at url, for relatedResource (VCDM 2.0 section 5.3). ContextFile's
// white space differs from some of them. It is empty for a context that is not
// built in or whose published bytes are not known.
func ContextDigests(url string) [][32]byte {
	b := builtins[url]
	if b.file == "kinpass-v1" {
		return [][32]byte{sha256.Sum256(b.bytes())} // published by us, from this file
	}
	digests := make([][32]byte, len(b.published))
	for i, s := range b.published {
		if n, err := hex.Decode(digests[i][:], []byte(s)); err != nil || n != 32 {
			panic("rdf: a published digest is malformed")
		}
	}
	return digests
}
