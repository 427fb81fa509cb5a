package mirror

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
)

// direct is from how many of the newest versions a delta leads straight to the
// newest; further back, one a day does, and the others go by the chain.
const direct = 128

// readersTime is how long a file stays that a reader of the index before might
// still come for.
const readersTime = time.Hour

// Publish puts a bundle that was verified into a mirror's directory: the bundle
// and its deltas first, the index last, and each file whole or not at all, so
// that a reader never sees half of it; then it takes away what Keep does not
// keep. It may be called again with the same bundle, after a crash or to be sure.
// One process at a time may publish into a directory.
func Publish(dir string, file []byte, keep Keep, now time.Time) (*Index, error) {
	to, err := bundle.Open(file)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{dir, filepath.Join(dir, fullDir), filepath.Join(dir, deltaDir)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	if have, err := os.ReadFile(filepath.Join(dir, IndexName)); err == nil {
		// One that cannot be read is written anew.
		if i, err := ParseIndex(have); err == nil && i.signed.Digest() != to.Digest() && !Newer(to.Manifest, i.signed) {
			return nil, ErrOlder
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := WriteFile(filepath.Join(dir, FullName(to.Sequence)), file, 0o644); err != nil {
		return nil, err
	}
	versions, err := versionsIn(dir)
	if err != nil {
		return nil, err
	}
	// A number of another hub says nothing about what is newer: time does.
	versions = slices.DeleteFunc(versions, func(v version) bool { return v.sequence != to.Sequence && v.created.After(to.CreatedAt) })
	stay := keep.Stay(timesOf(versions), now)
	days := map[string]bool{}
	for n, v := range versions {
		if v.sequence == to.Sequence || !stay[n] {
			continue
		}
		day := v.created.UTC().Format(time.DateOnly)
		if n > direct && days[day] {
			continue
		}
		days[day] = true
		name := filepath.Join(dir, DeltaName(v.sequence, to.Sequence))
		if have, err := os.ReadFile(name); err == nil {
			if _, err := bundle.ReadDelta(have); err == nil {
				continue
			}
		}
		from, err := openFile(filepath.Join(dir, FullName(v.sequence)))
		if err != nil {
			continue // damaged on the disk: posts that have it take the whole bundle
		}
		delta, err := bundle.Diff(from, to)
		if err != nil {
			return nil, err
		}
		if err := replace(name, delta, 0o644); err != nil {
			return nil, err
		}
	}
	if err := syncDir(filepath.Join(dir, deltaDir)); err != nil {
		return nil, err
	}
	kept := map[int64]bool{}
	follows := map[int64]int64{} // the version before, of each
	for n, v := range versions {
		if stay[n] {
			kept[v.sequence] = true
		}
		if n+1 < len(versions) {
			follows[v.sequence] = versions[n+1].sequence
		}
	}
	chain := func(d Delta) bool { return kept[d.From] && kept[d.To] && follows[d.To] == d.From }
	deltas, err := deltasIn(dir)
	if err != nil {
		return nil, err
	}
	var listed []Delta
	for _, d := range deltas {
		if kept[d.From] && d.To == to.Sequence || chain(d) {
			listed = append(listed, d)
		}
	}
	index := NewIndex(to, listed)
	text, err := index.Marshal()
	if err != nil {
		return nil, err
	}
	if err := WriteFile(filepath.Join(dir, IndexName), text, 0o644); err != nil {
		return nil, err
	}
	for n, v := range versions {
		if !stay[n] {
			remove(filepath.Join(dir, FullName(v.sequence)), now)
		}
	}
	for _, d := range deltas {
		if !(kept[d.From] && d.To == to.Sequence) && !chain(d) {
			remove(filepath.Join(dir, DeltaName(d.From, d.To)), now)
		}
	}
	return index, nil
}

// remove deletes a file that no reader comes for any more. One that cannot be
// deleted is in nobody's way.
func remove(name string, now time.Time) {
	if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > readersTime {
		_ = os.Remove(name)
	}
}

func openFile(name string) (*bundle.File, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return bundle.Open(data)
}

// version is a bundle in a directory.
type version struct {
	sequence int64
	created  time.Time
}

func timesOf(vs []version) []time.Time {
	out := make([]time.Time, len(vs))
	for n, v := range vs {
		out[n] = v.created
	}
	return out
}

// versionsIn lists the bundles in a directory, newest first. What is no bundle
// is passed over.
func versionsIn(dir string) ([]version, error) {
	entries, err := os.ReadDir(filepath.Join(dir, fullDir))
	if err != nil {
		return nil, err
	}
	var out []version
	for _, e := range entries {
		sequence, ok := ParseFullName(e.Name())
		if !ok {
			continue
		}
		m, err := manifestOf(filepath.Join(dir, FullName(sequence)))
		if err == nil && m.Sequence == sequence {
			out = append(out, version{sequence, m.CreatedAt})
		}
	}
	slices.SortFunc(out, func(a, b version) int {
		if c := b.created.Compare(a.created); c != 0 {
			return c
		}
		return int(max(-1, min(1, b.sequence-a.sequence)))
	})
	return out, nil
}

// manifestOf reads the head of a bundle.
func manifestOf(name string) (*bundle.Manifest, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	prefix := make([]byte, 0, 16<<10)
	for {
		n, err := f.Read(prefix[len(prefix):cap(prefix)])
		prefix = prefix[:len(prefix)+n]
		m, _, _, herr := bundle.ReadHead(prefix)
		if herr == nil {
			return m, nil
		}
		if err != nil || !errors.Is(herr, bundle.ErrShort) {
			return nil, herr
		}
		if len(prefix) == cap(prefix) {
			prefix = slices.Grow(prefix, len(prefix))
		}
	}
}

// deltasIn lists the deltas in a directory.
func deltasIn(dir string) ([]Delta, error) {
	entries, err := os.ReadDir(filepath.Join(dir, deltaDir))
	if err != nil {
		return nil, err
	}
	var out []Delta
	for _, e := range entries {
		from, to, ok := ParseDeltaName(e.Name())
		info, err := e.Info()
		if ok && err == nil && info.Size() > 0 && info.Size() <= bundle.MaxSize {
			out = append(out, Delta{from, to, info.Size()})
		}
	}
	slices.SortFunc(out, func(a, b Delta) int {
		if a.To != b.To {
			return int(max(-1, min(1, b.To-a.To)))
		}
		return int(max(-1, min(1, b.From-a.From)))
	})
	return out, nil
}
