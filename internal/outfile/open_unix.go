//go:build unix

package outfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

const othersWrite = 0o002

func open(name string, perm os.FileMode) (*os.File, error) {
	dir, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	const flags = os.O_WRONLY | os.O_CREATE
	if !shared(dir) {
		return os.OpenFile(name, flags, perm)
	}
	f, err := os.OpenFile(name, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, perm)
	if errors.Is(err, syscall.ELOOP) {
		return nil, refused(name, "a symbolic link")
	}
	if err != nil {
		return nil, err
	}
	if err := check(f, dir); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// shared reports whether others can put files into a directory: its group, everybody, or an owner who is neither this user nor
// root.
func shared(dir os.FileInfo) bool {
	owner := owner(dir)
	return dir.Mode()&0o022 != 0 || owner != 0 && owner != os.Geteuid()
}

// check refuses the file f in a shared directory if another user may have put it there for this program to write.
func check(f *os.File, dir os.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	by, links := owner(info), uint64(info.Sys().(*syscall.Stat_t).Nlink)
	switch {
	case !info.Mode().IsRegular():
		return refused(f.Name(), "not a regular file,")
	case links > 1:
		return refused(f.Name(), "a file with another hard link")
	case by != os.Geteuid() && (by != owner(dir) || dir.Mode()&othersWrite != 0):
		return refused(f.Name(), "a file of another user")
	}
	return nil
}

func owner(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
