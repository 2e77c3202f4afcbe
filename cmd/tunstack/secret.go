package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secretSize is the size in bytes of the user's secret.
const secretSize = 32

// userSecret returns the secret from which the user's stacks make addresses that stay the same: it is kept in a file of the user's, and
// made at the first call.
func userSecret() ([]byte, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "tunstack", "secret")
	secret, err := os.ReadFile(path)
	switch {
	case err == nil && len(secret) != secretSize:
		return nil, fmt.Errorf("%s has %d bytes, not %d; remove it to get another", path, len(secret), secretSize)
	case !errors.Is(err, fs.ErrNotExist):
		return secret, err
	}
	return newSecret(path)
}

// newSecret makes the file of the secret, unless another process has just done so.
func newSecret(path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "secret-") // with the mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // which never fails
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); !errors.Is(err, fs.ErrExist) {
		return secret, err
	}
	return os.ReadFile(path)
}
