package check

import "time"

// Forget gives a history without what is over at this time: what a post that
// checks nobody does from time to time.
func (h History) Forget(now time.Time) History { return h.with(nil, now) }

// Empty reports whether there is nothing in a history.
func (h History) Empty() bool { return len(h.Seen) == 0 }
