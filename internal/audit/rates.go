package audit

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Window of what is remembered of each office, and thresholds. Hours are those
// since 1970, UTC.
const (
	week       = 7 * 24
	window     = 13 * week
	maxOffices = 4096
	learning   = 4 * week // before this an office has no habits yet
	enough     = 100      // entries, to say that an office never works at some hour
)

// count is what an office did in an hour.
type count struct {
	Issued  uint32 `json:"i,omitempty"` // credentials and places for consents
	Changed uint32 `json:"c,omitempty"` // changes of status
}

// office is what is remembered of an office.
type office struct {
	First int32           `json:"first"` // hour of its first entry
	Total count           `json:"total"`
	Hours map[int32]count `json:"hours"` // the last ones only
}

func (o *office) forget(newest int32) {
	for h := range o.Hours {
		if h < newest-window {
			delete(o.Hours, h)
		}
	}
}

// median gives the median of counts and their median absolute deviation.
func median(of []float64) (med, mad float64) {
	middle := func(s []float64) float64 {
		slices.Sort(s)
		if n := len(s); n%2 == 1 {
			return s[n/2]
		} else {
			return (s[n/2-1] + s[n/2]) / 2
		}
	}
	if len(of) == 0 {
		return 0, 0
	}
	s := slices.Clone(of)
	med = middle(s)
	for i, x := range of {
		s[i] = math.Abs(x - med)
	}
	return med, middle(s)
}

// usual says how many an hour may have before it is out of the ordinary: from the
// same hour of the week in the weeks before, or, while there are too few of those,
// from all hours in which the office worked. Both are robust: an attacker would
// have to fill most of the weeks before to move them. No verdict: known is false.
func (o *office) usual(hour int32, of func(count) uint32) (limit, typical float64, known bool) {
	var same []float64
	for h := hour - week; h >= o.First && h >= hour-window+week; h -= week {
		same = append(same, float64(of(o.Hours[h])))
	}
	if len(same) >= 4 {
		med, mad := median(same)
		return med + max(8*1.4826*mad, 4*math.Sqrt(med), 10), med, true
	}
	var worked []float64
	for h, c := range o.Hours {
		if h < hour && of(c) > 0 {
			worked = append(worked, float64(of(c)))
		}
	}
	if len(worked) < 12 {
		return 0, 0, false
	}
	med, mad := median(worked)
	return med + max(10*1.4826*mad, 6*math.Sqrt(med), 20), med, true
}

// never reports whether an office with habits has none of working at this hour of
// the day, or on this day of the week. The last day does not count as a habit:
// the second hour of a night is as strange as the first.
func (o *office) never(hour int32) (byHour, byDay bool) {
	if hour-o.First < learning {
		return false, false
	}
	all, near, day := 0, 0, 0
	for h, c := range o.Hours {
		if h > hour-24 || c.Issued == 0 {
			continue
		}
		all += int(c.Issued)
		if d := (h%24 - hour%24 + 24) % 24; d <= 1 || d == 23 {
			near += int(c.Issued)
		}
		if weekday(h) == weekday(hour) {
			day += int(c.Issued)
		}
	}
	return all >= enough && near == 0, all >= enough && day == 0
}

func weekday(hour int32) time.Weekday { return at(hour).Weekday() }

func at(hour int32) time.Time { return time.Unix(int64(hour)*3600, 0).UTC() }

// judge says what is strange about one hour of an office.
func (o *office) judge(label string, hour int32) []Finding {
	var out []Finding
	c := o.Hours[hour]
	say := func(code string, n uint32, format string, args ...any) {
		out = append(out, Finding{Code: code, Office: label, Hour: at(hour), Count: int64(n), Detail: fmt.Sprintf(format, args...)})
	}
	if c.Issued > 0 {
		byHour, byDay := o.never(hour)
		if byHour {
			say(OfficeHour, c.Issued, "this office has not issued at this hour of the day in the weeks before")
		} else if byDay {
			say(OfficeDay, c.Issued, "this office has not issued on a %s in the weeks before", weekday(hour))
		}
		if limit, typical, known := o.usual(hour, func(c count) uint32 { return c.Issued }); known && float64(c.Issued) > limit {
			say(OfficeBurst, c.Issued, "far more issued in one hour than is usual for it (%.0f)", typical)
		}
	}
	if c.Changed > 0 {
		if limit, typical, known := o.usual(hour, func(c count) uint32 { return c.Changed }); known && float64(c.Changed) > limit {
			say(ChangesBurst, c.Changed, "far more changes of status in one hour than is usual for it (%.0f)", typical)
		}
	}
	return out
}
