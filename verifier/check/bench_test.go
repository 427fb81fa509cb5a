package check

import (
	"crypto/ed25519"
	"encoding/base64"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// BenchmarkCheckConsent is KP1 text to decision of a journey from the United
// Kingdom to South Africa: birth, two guardianships, the other guardian's
// consent and two countries' policies. Each check takes turns with the bare
// verification of the same signatures. x-bare is the ratio of their times, of
// which the limit is 1.5, at the fastest tenth of the rounds: on a busy machine
// the others measure who else is at work. x-bare-median is there to see that.
func BenchmarkCheckConsent(b *testing.B) {
	for _, kind := range []string{"witnessed", "selfSigned"} {
		b.Run(kind, func(b *testing.B) {
			check, bare := consentSignatures(b, kind)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				check()
			}
			b.StopTimer()
			var whole, alone []time.Duration
			for range 2000 {
				t0 := time.Now()
				check()
				t1 := time.Now()
				bare()
				whole, alone = append(whole, t1.Sub(t0)), append(alone, time.Since(t1))
			}
			slices.Sort(whole)
			slices.Sort(alone)
			at := func(n int) float64 { return float64(whole[n]) / float64(alone[n]) }
			b.ReportMetric(at(len(whole)/10), "x-bare")
			b.ReportMetric(at(len(whole)/2), "x-bare-median")
		})
	}
}

// BenchmarkBareConsent is the baseline: the signatures of the same presentation
// and nothing else.
func BenchmarkBareConsent(b *testing.B) {
	_, bare := consentSignatures(b, "witnessed")
	for b.Loop() {
		bare()
	}
}

// TestAllocations holds the limit of 100 kB for a whole check.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates, too")
	}
	for _, kind := range []string{"witnessed", "selfSigned"} {
		check, _ := consentSignatures(t, kind)
		check() // what is made once
		const n = 50
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			check()
		}
		runtime.ReadMemStats(&after)
		if bytes := (after.TotalAlloc - before.TotalAlloc) / n; bytes > 100_000 || bytes == 0 {
			t.Errorf("%s: %d bytes", kind, bytes)
		}
	}
}

func consentSignatures(b testing.TB, kind string) (check, bare func()) {
	w := newWorld(b)
	w.national()
	f := newFamily(w)
	t := f.consent(vc.ModeOneGuardian, "father")
	t.Trip.DepartFrom, t.Trip.Destinations = "GBR", []string{"ZAF"}
	consent, signer, want := f.witnessed(vc.RoleNotary, t), w.office[vc.RoleNotary], Green
	if kind == "selfSigned" {
		consent, signer, want = f.signs("father", t), w.holder["father"], Red // South Africa wants it witnessed
	}
	jwts := []string{f.of("child"), f.of("mother"), f.of("father"), consent}
	vp := w.sign(w.holder["mother"], vc.TypPresentation, w.presentation("mother", jwts...))
	text, bundle := w.pack(vp), w.bundle()
	type one struct {
		key   ed25519.PublicKey
		input []byte
		sig   []byte
	}
	var all []one
	registrar := w.office[vc.RoleRegistrar]
	for i, s := range []keys.Signer{w.holder["mother"], registrar, registrar, registrar, signer} {
		jws := append([]string{vp}, jwts...)[i]
		dot := strings.LastIndexByte(jws, '.')
		sig, err := base64.RawURLEncoding.DecodeString(jws[dot+1:])
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, one{s.Public().(ed25519.PublicKey), []byte(jws[:dot]), sig})
	}
	facts := Facts{Exit: "GBR", Entry: "ZAF"}
	check = func() {
		d, _, err := Check(text, bundle, facts, History{}, now)
		if err != nil || d.Colour != want || len(d.Policies) != 2 || d.Policies[0].ID == d.Policies[1].ID {
			b.Fatal(d.Codes(), err)
		}
	}
	bare = func() {
		for _, o := range all {
			if !ed25519.Verify(o.key, o.input, o.sig) {
				b.Fatal("does not verify")
			}
		}
	}
	return check, bare
}
