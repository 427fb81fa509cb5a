package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/verifier/check"
)

func seen(hash string) check.Seen {
	return check.Seen{Hash: hash, Session: "s", Until: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}
}

func TestHistoryFileKeepsWhatEachCheckAdds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "post.history")
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			err := withHistory(path, func(h remembered) (remembered, error) {
				h.Seen = append(h.Seen, seen(strings.Repeat("a", i)))
				return h, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h, err := readHistory(path)
	if err != nil || len(h.Seen) != 40 {
		t.Fatalf("%d of 40, %v", len(h.Seen), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// A check that fails changes nothing.
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no decision")
	if err := withHistory(path, func(h remembered) (remembered, error) { return remembered{}, broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Error("a check without a decision changed the history")
	}
	// A link stays a link.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	if err := withHistory(link, func(h remembered) (remembered, error) { h.Seen = h.Seen[:1]; return h, nil }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if h, err := readHistory(path); err != nil || len(h.Seen) != 1 {
		t.Errorf("behind the link: %d, %v", len(h.Seen), err)
	}
}

// Damage is never taken for an empty history.
func TestHistoryFileDamaged(t *testing.T) {
	good, err := formatHistory(remembered{History: check.History{Seen: []check.Seen{seen("0123456789abcdef"), seen("fedcba9876543210")}}})
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	empty, err := formatHistory(remembered{})
	if err != nil {
		t.Fatal(err)
	}
	timed, err := formatHistory(remembered{last: lastCheck{At: time.Unix(1_800_000_000, 0).UTC(), Bundle: time.Unix(1_700_000_000, 0).UTC()}})
	if err != nil || !strings.Contains(string(timed), "2027-01-15") {
		t.Fatal(string(timed), err)
	}
	later := `{"seen":[],"later":[1]}`
	quoted := func(history string) string {
		return `{"kinpassHistory":1,"digest":"` + digestOf([]byte(history), nil) + `","history":` + history + `}`
	}
	if _, err := parseHistory([]byte(quoted(`{"seen":[]}`))); err != nil {
		t.Fatalf("the test's own form: %v", err)
	}
	for name, data := range map[string]string{
		"nothing":                  "",
		"half of it":               text[:len(text)/2],
		"zeros":                    strings.Repeat("\x00", len(text)),
		"a digit of a hash":        strings.Replace(text, "0123456789abcdef", "0123456789abcdee", 1),
		"an entry less":            strings.Replace(text, `{"hash":"0123456789abcdef","session":"s","until":"2026-11-21T00:00:00Z"},`, "", 1),
		"an earlier last check":    strings.Replace(string(timed), "2027-01-15", "2026-01-15", 1),
		"no last check":            string(timed[:strings.Index(string(timed), `"last"`)]) + string(timed[strings.Index(string(timed), `"history"`):]),
		"no digest":                strings.Replace(text, "digest", "digesd", 1),
		"another version":          strings.Replace(text, `"kinpassHistory":1`, `"kinpassHistory":2`, 1),
		"no version":               strings.Replace(text, `"kinpassHistory":1,`, ``, 1),
		"a history twice":          text[:len(text)-2] + "," + string(empty[strings.Index(string(empty), `"history"`):]),
		"two files":                text + string(empty),
		"null":                     "null",
		"an array":                 "[" + text + "]",
		"a history that is null":   quoted("null"),
		"a history that is a list": quoted("[]"),
		"what a later one adds":    quoted(later),
		"a time that is none":      quoted(`{"seen":[{"hash":"a","session":"","until":"soon"}]}`),
		"deep":                     strings.Repeat("[", 10_000),
		"the history alone":        `{"seen":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "post.history")
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			err := withHistory(path, func(remembered) (remembered, error) {
				t.Error("it was decided")
				return remembered{}, nil
			})
			if !errors.Is(err, errHistory) {
				t.Errorf("%v", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != data {
				t.Error("the damaged file was written over")
			}
		})
	}
	if err := withHistory(t.TempDir(), func(h remembered) (remembered, error) { return h, nil }); !errors.Is(err, errHistory) {
		t.Errorf("a directory: %v", err)
	}
}

// FuzzHistoryFile: what is read was written by formatHistory, or says the same.
// Half of the inputs get the right digest, or the fuzzer would never get past it.
func FuzzHistoryFile(f *testing.F) {
	for _, h := range []remembered{{}, {History: check.History{Seen: []check.Seen{seen("a"), seen("b")}}, last: lastCheck{At: time.Unix(2e9, 0).UTC(), Bundle: time.Unix(1e9, 0).UTC()}}} {
		data, err := formatHistory(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
		f.Add(bytes.ToUpper(data), false)
		f.Add(data[:len(data)-3], false)
		history, err := json.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(history, true)
	}
	for _, s := range []string{"null", "{ }", `{"seen":[{}]}`, `{"seen":[],"Seen":[]}`, `{"seen":{}}`, `[]`, `"x"`} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, digested bool) {
		if digested {
			var compact bytes.Buffer
			if json.Compact(&compact, data) != nil {
				t.Skip()
			}
			data = []byte(`{"kinpassHistory":1,"digest":"` + digestOf(compact.Bytes(), nil) + `","history":` + string(data) + `}`)
		}
		h, err := parseHistory(data)
		if err != nil {
			if !h.Empty() || !errors.Is(err, errHistory) {
				t.Fatal("a refused file gave something")
			}
			return
		}
		again, err := formatHistory(h)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseHistory(again)
		if err != nil {
			t.Fatal("what was written is not read")
		}
		x, _ := json.Marshal(h)
		y, _ := json.Marshal(back)
		if !bytes.Equal(x, y) {
			t.Fatal("read otherwise than written")
		}
	})
}

// TestLastCheck: the latest time counts, whatever a clock says afterwards, until a
// newer bundle says what time it is.
func TestLastCheck(t *testing.T) {
	at := func(hours int) time.Time {
		return time.Unix(1_790_000_000, 0).UTC().Add(time.Duration(hours) * time.Hour)
	}
	l := lastCheck{}.and(at(5), at(1))
	for _, c := range []struct{ bundle, want int }{{1, 5}, {0, 5}, {2, 2}, {7, 7}} {
		if got := l.trusted(at(c.bundle)); !got.Equal(at(c.want)) {
			t.Errorf("with the bundle of hour %d: %v", c.bundle, got)
		}
	}
	for _, c := range []struct{ at, bundle, wantAt, wantBundle int }{{6, 1, 6, 1}, {3, 1, 5, 1}, {3, 0, 5, 1}, {3, 2, 3, 2}, {9, 2, 9, 2}} {
		if got := l.and(at(c.at), at(c.bundle)); !got.At.Equal(at(c.wantAt)) || !got.Bundle.Equal(at(c.wantBundle)) {
			t.Errorf("a check at %d with the bundle of %d: %+v", c.at, c.bundle, got)
		}
	}
}

// TestOld: an age is told to the second, and none where the clock is behind.
func TestOld(t *testing.T) {
	for seconds, want := range map[int64]string{0: "0s old", 29: "29s old", 24 * 3600: "24h0m0s old", 24*3600 + 1: "24h0m1s old", -90: "? old: the clock here is 1m30s behind"} {
		if got := old(seconds); got != want {
			t.Errorf("%d: %q", seconds, got)
		}
	}
}
