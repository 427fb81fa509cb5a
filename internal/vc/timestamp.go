//go:build !js

package vc

import "time"

// parseTimestamp reads an XSD 1.1 dateTimeStamp (part 2, section 3.4.28): a
// date that exists, a time of day to the second with any fraction, 24:00:00 for
// the end of the day, and an offset of at most 14 hours. Fractions are kept to
// the nanosecond.
func parseTimestamp(s []byte) (time.Time, bool) {
	none := time.Time{}
	if len(s) > 64 {
		return none, false
	}
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits < 4 || digits > 6 || digits > 4 && s[0] == '0' {
		return none, false
	}
	year, _ := number(s[:digits])
	if negative {
		year = -year
	}
	s = s[digits:]
	// -MM-DDTHH:MM:SS and at least "Z"
	if len(s) < 16 || s[0] != '-' || s[3] != '-' || s[6] != 'T' || s[9] != ':' || s[12] != ':' {
		return none, false
	}
	var n [5]int
	for i, from := range []int{1, 4, 7, 10, 13} {
		var ok bool
		if n[i], ok = number(s[from : from+2]); !ok {
			return none, false
		}
	}
	month, day, hour, minute, second := n[0], n[1], n[2], n[3], n[4]
	s = s[15:]
	nanos, fraction := 0, false
	if s[0] == '.' {
		s = s[1:]
		scale, i := 100_000_000, 0
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			nanos += int(s[i]-'0') * scale
			scale /= 10
			fraction = fraction || s[i] != '0'
		}
		if i == 0 {
			return none, false
		}
		s = s[i:]
	}
	offset, ok := parseOffset(s)
	if !ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || minute > 59 || second > 59 {
		return none, false
	}
	if hour > 24 || hour == 24 && (minute > 0 || second > 0 || fraction) {
		return none, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return t.Add(-offset), true
}

func parseOffset(s []byte) (time.Duration, bool) {
	if len(s) == 1 && s[0] == 'Z' {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	h, ok1 := number(s[1:3])
	m, ok2 := number(s[4:6])
	if !ok1 || !ok2 || m > 59 || h > 14 || h == 14 && m > 0 {
		return 0, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

// number reads ASCII digits only.
func number(s []byte) (int, bool) {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
