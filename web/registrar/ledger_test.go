package registrar

import (
	"testing"
	"time"

	"github.com/kinpass/kinpass/issuer"
)

// TestTroubleWithTheLedger: the desk is told of another history before anything
// else, and not of what only waits for its time.
func TestTroubleWithTheLedger(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	saw := func(answers ...string) (out []issuer.WitnessAnswer) {
		for _, a := range answers {
			out = append(out, issuer.WitnessAnswer{Answer: a})
		}
		return out
	}
	for name, c := range map[string]struct {
		l    issuer.LedgerStatus
		want string
	}{
		"in order":                   {issuer.LedgerStatus{Size: 9, At: ago(1)}, ""},
		"a quiet night":              {issuer.LedgerStatus{Size: 9, At: ago(600), Witnessed: 9, WitnessedAt: ago(600), Demanded: 1, Witnesses: saw(issuer.AnswerCosigned)}, ""},
		"waits for its time":         {issuer.LedgerStatus{Size: 9, At: ago(600), Waiting: 1, Oldest: ago(4)}, ""},
		"waits too long":             {issuer.LedgerStatus{Size: 9, At: ago(1), Waiting: 1, Oldest: ago(30)}, "slow"},
		"another history":            {issuer.LedgerStatus{Size: 9, Waiting: 1, Oldest: ago(30), OtherHistory: true, Witnesses: saw(issuer.AnswerForked)}, "other"},
		"a new entry, after a night": {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(600), Demanded: 1, Witnesses: saw(issuer.AnswerCosigned)}, ""},
		"one witness of two is away": {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(30), Demanded: 1, Witnesses: saw(issuer.AnswerCosigned, issuer.AnswerAway)}, ""},
		"too few witnesses":          {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(30), Demanded: 2, Witnesses: saw(issuer.AnswerCosigned, issuer.AnswerAway)}, "witness"},
		"away for a minute":          {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(1), Demanded: 1, Witnesses: saw(issuer.AnswerAway)}, ""},
		"no witness is demanded":     {issuer.LedgerStatus{Size: 10, At: ago(0), Witnessed: 9, WitnessedAt: ago(30), Witnesses: saw(issuer.AnswerRefused)}, "witness"},
	} {
		if got := troubleOf(&c.l, now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
