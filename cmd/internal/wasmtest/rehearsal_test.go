package wasmtest

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/stage"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
	"github.com/kinpass/kinpass/web/webtest"
)

// rehearsal is what the officer's app decides about before the first travellers
// come: made-up people in a world whose keys nobody has. To make another one:
//
//	go test ./cmd/internal/wasmtest -run TestRehearsal -update
type rehearsal struct {
	Anchor  string `json:"anchor"`
	Bundle  []byte `json:"bundle"` // base64
	Now     int64  `json:"now"`
	Request string `json:"request"`
}

// made makes one: of all cases of the policies that we ship the one that is in
// order and has most to show, in one code.
func made(t *testing.T) rehearsal {
	t.Helper()
	s, err := stage.New()
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := s.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	var out rehearsal
	most := 0
	for _, p := range policy.Shipped() {
		for _, c := range stage.Cases(p) {
			e, err := s.Meet(p, &c)
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Shown) != 1 || len(e.Papers[0]) <= most {
				continue
			}
			code, err := qr.Pack(qr.Packet{Presentation: e.Shown[0]})
			if err != nil {
				t.Fatal(err)
			}
			f := e.Facts
			r := post.Request{Presentations: []string{code}, Now: e.At.UnixMilli(), Facts: check.Input{Confirm: f.Confirm, Exit: f.Exit, Entry: f.Entry, Direction: f.Direction,
				Company: f.Company, ChildNationality: f.ChildNationality, Residence: f.Residence, CompanionNationality: f.CompanionNationality,
				CompanionResidence: f.CompanionResidence, Date: f.Date.String(), ReturnBy: f.ReturnBy.String(), Session: "rehearsal"}}
			x := rehearsal{string(anchor), e.Bundle, r.Now, text(r)}
			if ds := decisions(t, natively(t, x)); len(ds) == 1 && ds[0].Colour == check.Green {
				most, out = len(e.Papers[0]), x
			}
		}
	}
	return out
}

// natively gives what the native check says to a rehearsal.
func natively(t *testing.T, r rehearsal) answered {
	t.Helper()
	p, err := post.New([]byte(r.Anchor))
	if err == nil {
		_, _, err = p.Take(r.Bundle, time.UnixMilli(r.Now))
	}
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := p.Check([]byte(r.Request))
	return answered{Answer: string(answer)}
}

// TestRehearsal: the rehearsal that is committed goes through the whole of the
// check, in the browser as natively, and leaves nothing behind.
func TestRehearsal(t *testing.T) {
	const file = static + "rehearsal.json"
	if *update {
		if err := os.WriteFile(file, []byte(text(made(t))+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var r rehearsal
	if err := json.Unmarshal(read(t, file), &r); err != nil {
		t.Fatal(err)
	}
	b := newBoth(t)
	b.x = b.page()
	again := func(want string) {
		t.Helper()
		got := webtest.Value[string](b.x, `(() => {
			const bytes = (text) => new TextEncoder().encode(text)
			const r = `+text(r)+`
			const out = kinpassCheck.rehearse(bytes(r.anchor), Uint8Array.from(atob(r.bundle), (c) => c.charCodeAt(0)), r.now, r.request)
			return out.fault || out.value
		})()`)
		if nameless(got) != nameless(want) {
			t.Errorf("in the browser: %s\nnatively: %s", got, want)
		}
	}

	// The browser has no anchor and no bundle of its own yet.
	answer := natively(t, r).Answer
	ds := decisions(t, answered{Answer: answer})
	if len(ds) != 1 || ds[0].Colour != check.Green || ds[0].Child == nil || ds[0].Compare == nil || len(ds[0].Policies) == 0 {
		t.Fatal(answer)
	}
	again(answer)
	if got := webtest.Value[string](b.x, `kinpassCheck.check(`+text(r.Request)+`).fault ?? ''`); got == "" {
		t.Error("without an anchor, somebody is believed after a rehearsal")
	}

	// In another world the same people are unknown, and a rehearsal changes nothing there.
	s, err := stage.New()
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := s.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	p := policy.Shipped()[0]
	e, err := s.Meet(p, &stage.Cases(p)[0])
	if err != nil {
		t.Fatal(err)
	}
	b.world(anchor, e.Bundle, e.At)
	a := asked{Request: r.Request, name: "the rehearsal's people"}
	want := b.natively(a)
	if ds := decisions(t, want); len(ds) != 1 || ds[0].Colour != check.Red {
		t.Errorf("the rehearsal's people: %s", want.Answer)
	}
	b.same([]asked{a}, []answered{want})
	again(answer)
	b.same([]asked{a}, []answered{want})
}
