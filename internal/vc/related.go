//go:build !js

package vc

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/rdf"
)

// checkRelated holds relatedResource against section 5.3. The resources that
// are known here, the built-in contexts, must have the digest named; nothing
// else is fetched, its digest is only read.
func checkRelated(v []byte) error {
	if v == nil {
		return nil
	}
	if v[0] != '{' && v[0] != '[' {
		return ErrRelated
	}
	var seen [][]byte
	err := eachOf(v, func(item []byte) error {
		if item[0] != '{' || len(seen) == maxRelated {
			return ErrRelated
		}
		id := memberOf(item, "id")
		if id == nil || urlOf(id) == nil {
			return ErrRelated
		}
		u := urlOf(id)
		for _, s := range seen {
			if bytes.Equal(s, u) {
				return ErrRelated
			}
		}
		seen = append(seen, u)
		sri, multi := memberOf(item, "digestSRI"), memberOf(item, "digestMultibase")
		if sri == nil && multi == nil {
			return ErrRelatedDigest
		}
		res := resource(string(u))
		if sri != nil {
			if err := eachOf(sri, res.checkSRI); err != nil {
				return err
			}
		}
		if multi != nil {
			return eachOf(multi, res.checkMultibase)
		}
		return nil
	})
	if err == nil && len(seen) == 0 {
		return ErrRelated
	}
	return err
}

// resource is the URL of a related resource.
type resource string

// checkSRI reads one digestSRI (Subresource Integrity, section 3.1): one or
// more hashes of known strength, all of which must be right.
func (res resource) checkSRI(v []byte) error {
	list := strings.Fields(string(textOf(v)))
	if len(list) == 0 {
		return ErrRelatedDigest
	}
	for _, one := range list {
		alg, text, ok := strings.Cut(one, "-")
		sum, err := base64.StdEncoding.Strict().DecodeString(text)
		size := map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}[alg]
		if !ok || err != nil || size == 0 || len(sum) != size {
			return ErrRelatedDigest
		}
		if !res.matches(sum) {
			return ErrRelatedMismatch
		}
	}
	return nil
}

// checkMultibase reads one digestMultibase: the raw SHA-256 of the resource or
// its multihash, in base64url or base58btc.
func (res resource) checkMultibase(v []byte) error {
	sum, err := did.DecodeMultibase(string(textOf(v)), 128)
	if err != nil {
		return ErrRelatedDigest
	}
	for _, mh := range []struct{ code, size byte }{{0x12, 32}, {0x20, 48}, {0x13, 64}} { // multihash table
		if len(sum) == int(mh.size)+2 && sum[0] == mh.code && sum[1] == mh.size {
			sum = sum[2:]
			if !res.matches(sum) {
				return ErrRelatedMismatch
			}
			return nil
		}
	}
	if len(sum) != 32 {
		return ErrRelatedDigest
	}
	if !res.matches(sum) {
		return ErrRelatedMismatch
	}
	return nil
}

// matches reports whether sum is the SHA-256, SHA-384 or SHA-512 of the
// resource, by its length. A resource that is not known here matches.
func (res resource) matches(sum []byte) bool {
	published := rdf.ContextDigests(string(res))
	body, known := rdf.ContextFile(string(res))
	if !known || len(published) == 0 {
		return true
	}
	switch len(sum) {
	case sha256.Size:
		for _, d := range published {
			if bytes.Equal(d[:], sum) {
				return true
			}
		}
		own := sha256.Sum256(body)
		return bytes.Equal(own[:], sum)
	case sha512.Size384:
		own := sha512.Sum384(body)
		if bytes.Equal(own[:], sum) {
			return true
		}
	case sha512.Size:
		own := sha512.Sum512(body)
		if bytes.Equal(own[:], sum) {
			return true
		}
	}
	for _, d := range publishedDigests[string(res)] {
		if d == hex.EncodeToString(sum) {
			return true
		}
	}
	return false
}

// publishedDigests are the SHA-384 and SHA-512 of contexts as they are
// published, of the credentials v2 context also as it was on 3 July 2024,
// since credentials of that time name that digest.
var publishedDigests = map[string][]string{
	ContextV2: {
		"97f1eb8e5042356c805fdd61afa2c557663785e0794dcafa21e138fd38def18cb360133c221aa31d6896a6bf3e65b614",
		"5d55452bd2dcf8a29f5a290473eb242b1c5fb77d4e68f1a0aa87baa4dba2694852d65ec63d48ac04a99d956f9f7153b9406f84d2d04c74869b02c239a1d81305",
		"35239c36999d2155312091af194a1edb61634d6ad789a5e5b19f2aebdd762dd9d1dcaada40eda7ef921c6b8c0ae107a0",
		"cb1336dfa8670d80d03344b3b0cc25faf4d45201823c35f39bb1afe5a9f911f615ff4ec80ec5f2f89e33d14e96bec8be78e38df35b918c9cd5f3b3449bd6c88f",
	},
	ContextV1: {
		"82c3b3eab863754bbfd2b9f17d8d6db9f61169f301cbf0b05e1fc4beb5f5c51dd4d2e888c274f49c3fbb2408f61faed1",
		"536a40b390dda94a9e39196c00090f62668e8184fe3c8c02c4a22c85666e68bf6e85d3dc7f2dba85b2b62ef95d97de24132568d8504db43f2c9c82d2e88418d2",
	},
	"https://www.w3.org/ns/credentials/examples/v2": {
		"ccd35b4135824944a2d1b6f3edd6ee6be45c10dbfb0ba16f966609d58f88ef6ec7b0f387773c042cc60ef4ccfaf0cdba",
		"8d563097eab123966bd7fb88a2566d19fb369112dabfde9badfd553c04e101beb230918f58f5b927881f7b32d16045f8ac0f601b4574eeb09521bfbf9e539669",
	},
}
