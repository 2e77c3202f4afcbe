//go:build !unix

package outfile

import "os"

func open(name string, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE, perm)
}
