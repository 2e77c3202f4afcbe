// Package outfile creates the files that the program writes at names given by its user.
package outfile

import (
	"fmt"
	"os"
)

// Open opens a file for writing, with mode perm if it is new, and keeps its contents until Empty is called: so that a caller
// finds a name that cannot be written before the work that fills the file. In a directory that others can write, such as /tmp,
// it refuses a symbolic link, a file with another hard link and a file of another user: a program that runs as root must not
// overwrite a file that another user chose, nor give its output to that user.
func Open(name string, perm os.FileMode) (*os.File, error) { return open(name, perm) }

// Empty truncates a file to zero bytes. It leaves a pipe or a terminal alone.
func Empty(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.Truncate(0)
}

// Create is Open followed by Empty.
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

// refused is the error about a file that another user may have put there.
func refused(name, what string) error {
	return fmt.Errorf("%s: %s in a directory that others can write", name, what)
}
