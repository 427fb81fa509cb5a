package vc

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

// ConsentDigest gives the trip digest: the SHA-256, in base64url, of the JCS
// form (RFC 8785) of a consent's credentialSubject. Grantors who sign for
// themselves agree to the same journey when their digests are equal. Errors
// are those of CheckJSON.
func ConsentDigest(subject []byte) (string, error) {
	if err := CheckJSON(subject, MaxDepth); err != nil {
		return "", err
	}
	canonical, err := canonicalJCS(subject, 0)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// levels in their order, from least to most.
var levels = []string{LevelSelfSigned, LevelWitnessed, LevelNotarised, LevelConsular, LevelJudicial}

// LevelOf gives the level of assurance that a witness's role on the trust list
// gives to a consent, or "" for a role that witnesses none.
func LevelOf(role string) string {
	switch role {
	case RoleWitness:
		return LevelWitnessed
	case RoleNotary:
		return LevelNotarised
	case RoleConsulate:
		return LevelConsular
	case RoleCourt:
		return LevelJudicial
	}
	return ""
}

// LevelRank orders levels of assurance: 0 for selfSigned, more for more, -1 for
// what is no level.
func LevelRank(level string) int { return slices.Index(levels, level) }

// consentTerm is how long a consent lasts that names no end, in years (CNJ
// Resolution 131/2011, Art. 10: two years, where nothing is stated).
const consentTerm = 2

// ConsentEnd gives the time at which a consent is over everywhere: the end of
// the trip's last day in the westernmost zone (UTC-12), or where the trip has
// none, two years after the consent was given. It is not ok for one without a
// date to count from.
func ConsentEnd(c TravelConsent) (end time.Time, ok bool) {
	last, err := ParseDate(c.Trip.NotAfter)
	if c.Trip.NotAfter == "" {
		if last, err = ParseDate(c.GrantedOn); err == nil {
			last = last.AddYears(consentTerm)
		}
	}
	if err != nil {
		return time.Time{}, false
	}
	return last.AddDays(1).Time().Add(12 * time.Hour), true
}
