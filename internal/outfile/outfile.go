// Package outfile creates the files that the program writes where its user tells it to.
package outfile

import (
	"fmt"
	"os"
)

// Open opens a file for writing, with mode perm if it is new, and leaves what it holds until Empty is called: so that a name that cannot be
// written to is found out before the work for it. In a directory that others can write, such as /tmp, it refuses a symbolic link, a file
// with another hard link and a file of somebody else: a program that runs as root must not overwrite a file that one of them chose,
// nor hand them what it writes.
func Open(name string, perm os.FileMode) (*os.File, error) { return open(name, perm) }

// Empty empties a file. A pipe or a terminal is empty.
func Empty(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Truncate(0)
}

// Create is Open and Empty.
func Create(name string, perm os.FileMode) (*os.File, error) {
	f, err := Open(name, perm)
	if err != nil {
		return nil, err
	}
	if err := Empty(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// refused is the error about a file that somebody else may have put there.
func refused(name, what string) error {
	return fmt.Errorf("%s: %s in a directory that others can write", name, what)
}
