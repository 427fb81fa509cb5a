//go:build unix

package mirror

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestStick: what is not a file on a stick keeps nobody waiting, and nothing on it
// leads elsewhere.
func TestStick(t *testing.T) {
	h := newHub(t)
	pipe, link, good := t.TempDir(), t.TempDir(), t.TempDir()
	h.publish(good, h.next())
	if err := syscall.Mkfifo(filepath.Join(pipe, IndexName), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(good, IndexName), filepath.Join(link, IndexName)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{pipe, link} {
		if out, err := h.fetcher(nil, dir).Fetch(context.Background()); !errors.Is(err, ErrNoMirror) || out.Problems[0].Code != ErrTransfer.Code {
			t.Errorf("%v, %+v", err, out.Problems)
		}
	}
}
