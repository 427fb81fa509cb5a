package check

import "testing"

func TestSmoke(t *testing.T) {
	w := newWorld(t)
	text := w.present("mother", w.issue(w.birth()), w.issue(w.mandate("mother")))
	d, _, err := Check(text, w.bundle(), Facts{}, History{}, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", d)
	if d.Colour != Green {
		t.Fatal(d.Codes())
	}
}
