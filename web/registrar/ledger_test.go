package registrar

import (
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/issuer"
)

// TestTroubleWithTheLedger: the desk is told of another history first, and of
// what else is wrong, and not of what only waits for its time.
func TestTroubleWithTheLedger(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		l    issuer.LedgerStatus
		want string
	}{
		"in order":                   {issuer.LedgerStatus{Size: 9, At: ago(1)}, ""},
		"a quiet night":              {issuer.LedgerStatus{Size: 9, At: ago(600), Witnessed: 9, WitnessedAt: ago(600), Demanded: 1}, ""},
		"waits for its time":         {issuer.LedgerStatus{Size: 9, At: ago(600), Waiting: 1, Oldest: ago(4), Due: ago(-1)}, ""},
		"published once a day":       {issuer.LedgerStatus{Size: 9, At: ago(600), Waiting: 1, Oldest: ago(600), Due: ago(-100)}, ""},
		"waits too long":             {issuer.LedgerStatus{Size: 9, At: ago(1), Waiting: 1, Oldest: ago(30), Due: ago(25)}, "slow"},
		"another history":            {issuer.LedgerStatus{Size: 9, Waiting: 1, Due: ago(30), Unwitnessed: ago(30), OtherHistory: true}, "other slow witness"},
		"a new entry, after a night": {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(600), Unwitnessed: ago(0), Demanded: 1}, ""},
		"away for a minute":          {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(1), Unwitnessed: ago(1), Demanded: 1}, ""},
		"too few witnesses":          {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(30), Unwitnessed: ago(29), Demanded: 2}, "witness"},
		"no witness ever":            {issuer.LedgerStatus{Size: 10, At: ago(0), Unwitnessed: ago(600)}, "witness"},
		"nobody asked them since then": {issuer.LedgerStatus{Size: 500, At: ago(0), Witnessed: 300, WitnessedAt: ago(300), Unwitnessed: ago(299), Demanded: 2,
			Witnesses: []issuer.WitnessAnswer{{Name: "w", Size: 300, Asked: ago(300), Answer: issuer.AnswerCosigned}}}, "witness"},
	} {
		if got := strings.Join(troublesOf(&c.l, now), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
