package check

import (
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// maxGroup bounds the presentations of one group: a class and its teachers.
const maxGroup = 60

// CheckGroup decides about many children at one encounter, such as a class
// with its teacher. Presentations are brought together by the child whom their
// verified credentials name, the birth credential before all others, so that a
// second holder or a second paper of the same child joins that child; what
// names none stands alone. There is one
// Decision for each child, in the order in which they first appeared, and the
// children whom one adult brings are counted together. f.Others are
// presentations like the rest. Errors are those of Check.
func CheckGroup(presentations []string, b *Bundle, f Facts, h History, now time.Time) ([]Decision, History, error) {
	if b == nil || b.Trust == nil {
		return nil, h, ErrNoBundle
	}
	if err := f.check(); err != nil {
		return nil, h, err
	}
	shown := append(append(make([]string, 0, len(presentations)+len(f.Others)), presentations...), f.Others...)
	if len(shown) == 0 || len(shown) > maxGroup {
		return nil, h, ErrFacts.WithFields(fault.Field{Path: "/presentations", Rule: "is 1 to 60"})
	}
	f.Others = nil
	var exams []*exam
	of := map[string]*exam{} // by the child
	for _, text := range shown {
		e := newExam(b, f, h, now)
		e.read(text)
		ref := e.onlyChild()
		if first := of[ref]; first != nil && ref != "" {
			first.read(text)
			continue
		}
		of[ref] = e
		exams = append(exams, e)
	}
	brought := map[string]map[string]bool{} // adult to children
	for _, e := range exams {
		e.judge()
		for _, c := range e.bringing() {
			if brought[c.Adult] == nil {
				brought[c.Adult] = map[string]bool{}
			}
			brought[c.Adult][c.Child] = true
		}
	}
	out := make([]Decision, 0, len(exams))
	var more History
	for _, e := range exams {
		e.together = brought
		e.history.Places = append(slices.Clip(h.Places), more.Places...)
		d := e.decide()
		out = append(out, d)
		r := e.remember(d.Colour)
		more.Seen = append(more.Seen, r.Seen...)
		more.Crossings = append(more.Crossings, r.Crossings...)
		more.Children = append(more.Children, r.Children...)
		more.Failures = append(more.Failures, r.Failures...)
		more.Places = append(more.Places, r.Places...)
	}
	return out, h.with(more, now), nil
}

// onlyChild gives the child of the verified birth credentials, "" if there is
// none or there are several. A code without a birth credential, such as the
// second of two papers, is about the child of the mandates and consents in it.
func (e *exam) onlyChild() string {
	births, others := "", ""
	for _, c := range e.creds {
		switch {
		case c.disowned():
		case c.birth != nil:
			if births != "" && births != c.birth.ChildRef {
				return ""
			}
			births = c.birth.ChildRef
		case c.mandate != nil:
			others = onlyRef(others, c.mandate.Ward.ChildRef)
		case c.consent != nil:
			others = onlyRef(others, c.consent.ChildRef)
		}
	}
	if births != "" || others == severalChildren {
		return births
	}
	return others
}

// severalChildren stands for references that differ; no reference reads so.
const severalChildren = "several"

func onlyRef(have, ref string) string {
	if have == "" || have == ref {
		return ref
	}
	return severalChildren
}
