package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The secret is made once, for its user alone.
func TestUserSecret(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("HOME", dir)
	first, err := userSecret()
	require.NoError(t, err)
	require.Len(t, first, secretSize)
	again, err := userSecret()
	require.NoError(t, err)
	require.Equal(t, first, again)
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	config, err := os.UserConfigDir()
	require.NoError(t, err)
	path := filepath.Join(config, "tunstack", "secret")
	require.Contains(t, found, path)
	require.Len(t, found, 1, "no file is left behind")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	raced, err := newSecret(path)
	require.NoError(t, err)
	require.Equal(t, first, raced, "another process was first")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	_, err = userSecret()
	require.ErrorContains(t, err, "has 1 bytes, not 32")
}
