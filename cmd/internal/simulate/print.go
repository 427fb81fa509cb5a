package simulate

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Print writes the result for people.
func (r *Result) Print(w io.Writer) error {
	n := r.Nation
	fmt.Fprintf(w, "%s credentials, %s revoked, %d posts, %d days, a bundle every %s\n\n", count(n.Credentials), percent(n.Revoked), n.Posts, n.Days, short(n.Every))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "bundle\tlists\trevoked and suspended\tgiven out\trest\twhole\t")
	for _, x := range []struct {
		name string
		s    Size
	}{{"first", r.First}, {"last", r.Last}} {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t\n", x.name, x.s.Lists, size(x.s.Sets), size(x.s.Issued), size(x.s.Other), size(x.s.Bytes))
	}
	t.Flush()
	fmt.Fprintf(w, "\nThe revoked places of the first bundle: %s is the least possible, %s as compressed bitstrings.\n\n", size(r.Entropy), size(r.Gzip))

	t = tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "day\tissued\trevoked\tsuspended\tbundle\tall changes\tthe day at once\t")
	for _, d := range r.Days {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t\n", d.Day, count(d.Issued), count(d.Revoked), count(d.Suspended), size(d.Bundle), size(d.Deltas), size(d.Delta))
	}
	t.Flush()
	fmt.Fprintln(w)

	t = tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "posts\tper post and day\tage: median\t95 %\tmost\tover 24 h\tover 7 days\trevocations not known\t with")
	for _, p := range r.Posts {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t %s\n", p.Posts, size(int64(p.PerDay)), hours(p.Median), hours(p.P95), hours(p.Most),
			percent(p.Amber), percent(p.Unknown), p.Missed, p.Title)
	}
	t.Flush()

	m := r.Machine
	fmt.Fprintf(w, "\nThis machine (%s): sign all lists %s, pack a bundle %s, make a change %s, apply it %s, open a bundle %s; memory %s; all of it %s.\n",
		m.Processor, took(m.Publish), took(m.Pack), took(m.Diff), took(m.Apply), took(m.Open), size(m.Memory), m.Whole.Round(time.Second))
	return nil
}

// count writes a number with commas.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes bytes: kB are thousands.
func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.2f MB", float64(n)/1e6)
}

func percent(x float64) string { return fmt.Sprintf("%.3g %%", x*100) }

func hours(h float64) string {
	if h >= 72 {
		return fmt.Sprintf("%.1f d", h/24)
	}
	return fmt.Sprintf("%.4g h", h)
}

func took(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// short writes a duration without its zeros.
func short(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}
