package vc

import (
	"fmt"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Date is a civil date of the Gregorian calendar: a day on a birth record,
// without a clock or a zone. The zero Date is no date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ErrDate says that a text is not a date that exists.
var ErrDate = fault.New(fault.Invalid, "date-invalid", "not a date that exists")

// ParseDate reads YYYY-MM-DD (RFC 3339 full-date) and refuses days that do not
// exist, such as 30 February.
func ParseDate(s string) (Date, error) {
	if len(s) != 10 {
		return Date{}, ErrDate
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return Date{}, ErrDate
	}
	return DateOf(t), nil
}

// DateOf gives the UTC day of t.
func DateOf(t time.Time) Date {
	y, m, d := t.UTC().Date()
	return Date{y, m, d}
}

// Time gives midnight UTC at the start of the day.
func (d Date) Time() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// String gives YYYY-MM-DD, or "" for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Before reports whether d is an earlier day than e.
func (d Date) Before(e Date) bool { return d.Time().Before(e.Time()) }

// After reports whether d is a later day than e.
func (d Date) After(e Date) bool { return e.Before(d) }

// AddDays gives the day n days later.
func (d Date) AddDays(n int) Date { return DateOf(d.Time().AddDate(0, 0, n)) }

// AddYears gives the same day n years later; 29 February becomes 1 March in a
// common year, so that nobody comes of age a day early.
func (d Date) AddYears(n int) Date { return DateOf(d.Time().AddDate(n, 0, 0)) }

// DaysUntil counts the days from d to e; negative if e is earlier.
func (d Date) DaysUntil(e Date) int { return int(e.Time().Sub(d.Time()) / (24 * time.Hour)) }

// Span gives the earliest and latest day that an uncertain date can be. ok is
// false where nothing is known. For the protection of a child the latest day
// counts: it makes the child as young as possible.
func (u UncertainDate) Span() (earliest, latest Date, ok bool) {
	if u.Precision == "range" || u.Precision == "unknown" || u.Value == "" {
		e, err1 := ParseDate(u.Earliest)
		l, err2 := ParseDate(u.Latest)
		return e, l, err1 == nil && err2 == nil && !l.Before(e)
	}
	switch len(u.Value) {
	case 10:
		d, err := ParseDate(u.Value)
		return d, d, err == nil
	case 7:
		d, err := ParseDate(u.Value + "-01")
		if err != nil {
			return Date{}, Date{}, false
		}
		return d, DateOf(d.Time().AddDate(0, 1, -1)), true
	case 4:
		d, err := ParseDate(u.Value + "-01-01")
		if err != nil {
			return Date{}, Date{}, false
		}
		return d, DateOf(d.Time().AddDate(1, 0, -1)), true
	}
	return Date{}, Date{}, false
}
