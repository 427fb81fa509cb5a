package audit

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
)

// TestOfficesOfANation: one office of many that suddenly registers what it never
// did stands out where the ledger tells offices apart, and goes under where it
// does not; the others' ordinary days are left alone.
func TestOfficesOfANation(t *testing.T) {
	const offices, bribed, extra = 60, 17, 25
	for _, apart := range []bool{true, false} {
		s := newShelf(t)
		r := rand.New(rand.NewPCG(1, 2))
		name := func(n int) string {
			if apart {
				return fmt.Sprintf("registrar-%d", n)
			}
			return "registrar"
		}
		var raw [][]byte
		issue := func(office string, n int) {
			for range n {
				e := tlog.Entry{Kind: tlog.Issued, Hour: s.now.Truncate(time.Hour), Office: office}
				binary.BigEndian.PutUint32(e.Commitment[:], uint32(len(raw)))
				b, err := e.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				raw = append(raw, b)
			}
		}
		work := func(weeks int) {
			for range weeks * week {
				if d := s.now.Weekday(); d != time.Saturday && d != time.Sunday && s.now.Hour() >= 8 && s.now.Hour() < 16 {
					for n := range offices {
						some := 0 // about n%4+1, as births come
						for range 20 * (n%4 + 1) {
							if r.IntN(20) == 0 {
								some++
							}
						}
						issue(name(n), some)
					}
				}
				s.now = s.now.Add(time.Hour)
			}
		}
		work(5)
		issue(name(bribed), extra)
		work(1)
		s.raw(raw...)
		s.publish()
		rep := round1(t, s.auditor())
		found := 0
		for _, f := range rep.Findings {
			if f.Code == OfficeBurst && f.Office == name(bribed) {
				found++
			} else {
				t.Errorf("apart %v: %+v", apart, f)
			}
		}
		if apart != (found == 1) {
			t.Errorf("apart %v: found %d times among %d entries", apart, found, len(raw))
		}
		if rep.Kinds["issued"] != int64(len(raw)) {
			t.Errorf("%v", rep.Kinds)
		}
	}
}
