package check

import (
	"testing"
	"time"
)

func TestHistoryForgets(t *testing.T) {
	h := History{Seen: []Seen{{Hash: "a", Until: now.Add(time.Second)}, {Hash: "b", Until: now}}}
	if left := h.Forget(now); left.Empty() || len(left.Seen) != 1 || left.Seen[0].Hash != "a" {
		t.Fatalf("%+v", left)
	}
	if left := h.Forget(now.Add(time.Second)); !left.Empty() || h.Empty() {
		t.Fatalf("%+v", left)
	}
}
