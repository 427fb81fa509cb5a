package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSameFile: a trust list is read again whenever its file was written: in its
// place, or over it, also with as many bytes.
func TestSameFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "list")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stat := func() os.FileInfo {
		t.Helper()
		i, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	write(name, "first")
	first := stat()
	if !sameFile(stat(), first) || sameFile(nil, nil) || sameFile(first, nil) {
		t.Error("nothing was written")
	}
	if err := os.Chtimes(name, time.Time{}, first.ModTime().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if sameFile(stat(), first) {
		t.Error("written in its place")
	}
	write(name+".new", "other")
	if err := os.Chtimes(name+".new", time.Time{}, first.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
	if sameFile(stat(), first) {
		t.Error("another file took its name")
	}
}
