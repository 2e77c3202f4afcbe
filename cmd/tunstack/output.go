package main

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"tunstack/internal/outfile"
)

// output is a file that is opened before the work that fills it, so that a name that cannot be written is an error at once. An
// existing file keeps its contents until write is called.
type output struct {
	file  *os.File
	fresh bool // it did not exist before
}

func openOutput(name string) (*output, error) {
	_, missing := os.Lstat(name)
	f, err := outfile.Open(name, 0o666)
	return &output{f, errors.Is(missing, fs.ErrNotExist)}, err
}

// write replaces the file's contents by the output of f, and closes it.
func (o *output) write(f func(io.Writer) error) error {
	err := outfile.Empty(o.file)
	if err == nil {
		err = f(o.file)
	}
	return errors.Join(err, o.file.Close())
}

// abandon closes the file and restores the state before.
func (o *output) abandon() error {
	err := o.file.Close()
	if o.fresh {
		err = errors.Join(err, os.Remove(o.file.Name()))
	}
	return err
}

// fill opens the file name, does the work, and writes its result.
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
