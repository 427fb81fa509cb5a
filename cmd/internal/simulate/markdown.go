package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// Defaults are what is played unless something else is said.
func Defaults() Nation {
	return Nation{Credentials: 1_000_000, Revoked: 0.01, Suspended: 0.0005, Posts: 100, Days: 30, Every: 6 * time.Hour, Keep: 14 * 24 * time.Hour, Seed: 1}
}

// Command gives the command that plays this nation.
func (n Nation) Command() string {
	d := Defaults()
	credentials := fmt.Sprint(n.Credentials)
	if n.Credentials%1_000_000 == 0 {
		credentials = fmt.Sprintf("%de6", n.Credentials/1_000_000)
	}
	s := fmt.Sprintf("kinpass simulate --credentials %s --revoked %s --posts %d --days %d", credentials, part(n.Revoked), n.Posts, n.Days)
	for _, f := range []struct {
		name        string
		value, same string
	}{
		{"suspended", part(n.Suspended), part(d.Suspended)},
		{"every", n.Every.String(), d.Every.String()},
		{"keep", n.Keep.String(), d.Keep.String()},
		{"seed", fmt.Sprint(n.Seed), fmt.Sprint(d.Seed)},
	} {
		if f.value != f.same {
			s += " --" + f.name + " " + f.value
		}
	}
	return s
}

func part(x float64) string { return fmt.Sprintf("%.6g%%", x*100) }

// Markdown writes the result as tables.
func (r *Result) Markdown() string {
	var b strings.Builder
	n, m := r.Nation, r.Machine
	fmt.Fprintf(&b, "`%s`, a bundle every %s, took %.0f s and %s of memory on %s", n.Command(), short(n.Every), m.Whole.Seconds(), size(m.Memory), m.Processor)
	if m.Load != "" {
		fmt.Fprintf(&b, " at a load of %s", m.Load)
	}
	b.WriteString(". Sizes are the same in every run, times are not.\n\n")

	row(&b, "bundle", "lists", "revoked and suspended", "given out", "rest", "whole")
	rule(&b, 6)
	for _, x := range []struct {
		name string
		s    Size
	}{{"first", r.First}, {"last", r.Last}} {
		row(&b, x.name, count(int64(x.s.Lists)), size(x.s.Sets), size(x.s.Issued), size(x.s.Other), size(x.s.Bytes))
	}
	fmt.Fprintf(&b, "\nThe revoked places of the first bundle: %s is the least that any coding needs, %s as compressed bitstrings.\n\n", size(r.Entropy), size(r.Gzip))

	row(&b, "in a day", "least", "median", "most")
	rule(&b, 4)
	for _, x := range []struct {
		name string
		of   func(Day) int64
		show func(int64) string
	}{
		{"credentials issued", func(d Day) int64 { return d.Issued }, count},
		{"revoked", func(d Day) int64 { return d.Revoked }, count},
		{"suspended, and as many reinstated", func(d Day) int64 { return d.Suspended }, count},
		{"the bundle at its end", func(d Day) int64 { return d.Bundle }, size},
		{"its changes, one after the other", func(d Day) int64 { return d.Deltas }, size},
		{"the day's change at once", func(d Day) int64 { return d.Delta }, size},
	} {
		var all []int64
		for _, d := range r.Days {
			all = append(all, x.of(d))
		}
		slices.Sort(all)
		row(&b, x.name, x.show(all[0]), x.show(all[len(all)/2]), x.show(all[len(all)-1]))
	}

	fmt.Fprintf(&b, "\n%d posts, and the age of what each knew just before its next bundle, the worst moment:\n\n", n.Posts)
	row(&b, "line", "posts", "loads in a day", "age: median", "95 %", "most", "over 24 h", "over 7 days", "revocations not known yet")
	rule(&b, 9)
	for _, p := range r.Posts {
		row(&b, p.Title, fmt.Sprint(p.Posts), size(int64(p.PerDay)), hours(p.Median), hours(p.P95), hours(p.Most), percent(p.Amber), percent(p.Unknown), count(int64(math.Round(p.Missed))))
	}

	b.WriteByte('\n')
	row(&b, "on this machine, median", "")
	rule(&b, 2)
	for _, x := range []struct {
		name string
		d    time.Duration
	}{{"the issuer signs all lists", m.Publish}, {"a hub verifies them and packs a bundle", m.Pack}, {"a hub makes a change, and tries it", m.Diff},
		{"a post applies a change", m.Apply}, {"a post opens a bundle, from the anchors down", m.Open}} {
		row(&b, x.name, took(x.d))
	}
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func rule(b *strings.Builder, columns int) {
	b.WriteString("|---" + strings.Repeat("|---:", columns-1) + "|\n")
}

// Lines of a Markdown file between which WriteMarkdown writes.
const (
	markBegin = "<!-- simulate -->"
	markEnd   = "<!-- end of simulate -->"
)

// errMarks: the file is not one that figures can be put into.
var errMarks = errors.New("the file needs a line " + markBegin + " and, after it, a line " + markEnd)

// WriteMarkdown puts the result into a Markdown file, in the place of what stands
// between its two marks.
func (r *Result) WriteMarkdown(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(markBegin+"\n"))
	_, after, ok2 := bytes.Cut(rest, []byte(markEnd+"\n"))
	if !ok || !ok2 {
		return errMarks
	}
	return os.WriteFile(path, slices.Concat(before, []byte(markBegin+"\n\n"+r.Markdown()+"\n"+markEnd+"\n"), after), 0o644)
}
