// Package outfile creates the files that the program writes where its user tells it to.
package outfile

import (
	"fmt"
	"os"
)

// Create opens a file for writing and empties it, as os.Create does, with mode perm for a new one. In a directory that others can
// write, such as /tmp, it refuses a symbolic link, a file with another hard link and a file of somebody else: a program that runs as
// root must not overwrite a file that one of them chose, nor hand them what it writes.
func Create(name string, perm os.FileMode) (*os.File, error) {
	f, err := open(name, perm)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// refused is the error about a file that somebody else may have put there.
func refused(name, what string) error {
	return fmt.Errorf("%s: %s in a directory that others can write", name, what)
}
