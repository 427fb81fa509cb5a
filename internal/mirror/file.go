package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"
)

// newPrefix begins the names of files that are not finished.
const newPrefix = ".new-"

// WriteFile puts a file in its place so that a crash or a power cut leaves the
// old or the new one, never half of it: what is under the name is whole and on
// the disk.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	if err := replace(path, data, mode); err != nil {
		return err
	}
	// What a process that was killed left behind is in nobody's way, but it adds up.
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), newPrefix+filepath.Base(path)+"-*"))
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > readersTime {
			_ = os.Remove(name)
		}
	}
	return syncDir(filepath.Dir(path))
}

// replace is WriteFile whose rename may be lost with the power.
func replace(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), newPrefix+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	err = f.Chmod(mode)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// digest gives the SHA-256 in hexadecimal digits.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
