//go:build unix

package mirror

import (
	"os"
	"syscall"
)

// Map gives the bytes of a file without reading them: the system brings what is
// looked at. Nobody may write into the file; WriteFile does not, it puts another
// in its place. The bytes are good until unmap.
func Map(path string) (data []byte, unmap func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if size := info.Size(); size > 0 && size <= 1<<30 && info.Mode().IsRegular() {
		if data, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED); err == nil {
			return data, func() { _ = syscall.Munmap(data) }, nil
		}
	}
	// Some file systems cannot map.
	data, err = os.ReadFile(path)
	return data, func() {}, err
}

// syncDir makes a rename last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
