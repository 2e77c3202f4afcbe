package main

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"tunstack/internal/outfile"
)

// output is a file that is opened before the work that fills it, so that a name that cannot be written to is an error at once. Until write
// is called a file that was there keeps what it holds.
type output struct {
	file  *os.File
	fresh bool // it was not there before
}

func openOutput(name string) (*output, error) {
	_, missing := os.Lstat(name)
	f, err := outfile.Open(name, 0o666)
	return &output{f, errors.Is(missing, fs.ErrNotExist)}, err
}

// write replaces what the file holds by what f writes, and closes it.
func (o *output) write(f func(io.Writer) error) error {
	err := outfile.Empty(o.file)
	if err == nil {
		err = f(o.file)
	}
	return errors.Join(err, o.file.Close())
}

// abandon closes the file and leaves everything as it was before.
func (o *output) abandon() error {
	err := o.file.Close()
	if o.fresh {
		err = errors.Join(err, os.Remove(o.file.Name()))
	}
	return err
}

// fill opens the file name, does the work, and writes what the work has made.
func fill(name string, work func() (write func(io.Writer) error, err error)) error {
	o, err := openOutput(name)
	if err != nil {
		return err
	}
	write, err := work()
	if err != nil {
		return errors.Join(err, o.abandon())
	}
	return o.write(write)
}
