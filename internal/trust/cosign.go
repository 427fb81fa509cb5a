package trust

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrNotNext: a draft is for one list in force and for no other.
var ErrNotNext = fault.New(fault.Conflict, "trust-draft-outdated", "the draft does not follow the trust list that is in force here").
	WithHint("take the list in force over first: kinpass trust publish FILE")

// Ceremony is how the anchors' holders sign one list: on machines of their own,
// each against the list that is in force there.
type Ceremony struct {
	Anchors vc.Anchors
	InForce *vc.TrustList // nil before the first list
}

// Draft is a list that anchors' holders sign one after another. Its List was
// checked against the one in force; it is believed by nobody yet.
type Draft struct {
	List *vc.TrustList
	By   []string // thumbprints of the anchors that have signed

	draft *vc.Draft
}

// Propose gives the list its next number and its times and writes it for signing.
// at is when the edits in it were made.
func (c Ceremony) Propose(l *vc.TrustList, at time.Time, next time.Duration) (string, error) {
	n := clone(l)
	if err := number(n, at, next); err != nil {
		return "", err
	}
	payload, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	text, err := vc.DraftTrustList(payload)
	if err != nil {
		return "", err
	}
	_, err = c.Open(text)
	return text, err
}

// number gives the list its next number and its times.
func number(l *vc.TrustList, at time.Time, next time.Duration) error {
	at = second(at)
	if at.Before(l.IssuedAt) || next < time.Second {
		return ErrBackwards
	}
	l.Sequence++
	l.IssuedAt, l.Next = at, second(at.Add(next))
	return Validate(l)
}

// Open reads a draft and checks that it may follow the list in force. What is
// signed holds nothing but what a list has: nobody signs what Changes cannot
// show.
func (c Ceremony) Open(text string) (*Draft, error) {
	d, err := c.Anchors.OpenDraft(text)
	if err != nil {
		return nil, err
	}
	var l vc.TrustList
	if err := vc.StrictJSON(d.Payload, &l, vc.MaxDepth); err != nil {
		return nil, vc.ErrDraft.With(err)
	}
	if again, err := json.Marshal(&l); err != nil || !bytes.Equal(again, d.Payload) {
		return nil, vc.ErrDraft.WithDetail("the draft holds more than a trust list has")
	}
	if err := Validate(&l); err != nil {
		return nil, err
	}
	last := int64(0)
	if c.InForce != nil {
		last = c.InForce.Sequence
	}
	if l.Sequence != last+1 || l.IssuedAt.IsZero() {
		return nil, ErrNotNext
	}
	if c.InForce != nil {
		if err := Follows(c.InForce, &l); err != nil {
			return nil, err
		}
		if err := keepsAll(c.InForce, &l); err != nil {
			return nil, err
		}
	}
	return &Draft{List: &l, By: d.By, draft: d}, nil
}

// Changes says in plain words what the draft would change.
func (c Ceremony) Changes(d *Draft) []string { return Changes(c.InForce, d.List) }

// Cosign puts an anchor's signature under a draft and gives it back.
func (c Ceremony) Cosign(d *Draft, anchor keys.Signer) (string, error) {
	if err := c.Anchors.Cosign(d.draft, anchor); err != nil {
		return "", err
	}
	d.By = d.draft.By
	return d.draft.Text()
}

// Publish gives the signed list if enough anchors have signed the draft, or
// vc.ErrThreshold.
func (c Ceremony) Publish(d *Draft) (string, error) {
	text, err := d.draft.Text()
	if err != nil {
		return "", err
	}
	if len(d.By) < c.Anchors.Threshold {
		return "", vc.ErrThreshold
	}
	_, err = vc.OpenTrustList(text, c.Anchors)
	return text, err
}
