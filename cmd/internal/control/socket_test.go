package control

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSocketIsItsUsersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	l, err := Listen(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o600, info.Mode())
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
}

// A crash leaves the socket behind; the next start replaces it.
func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	stale, err := Listen(path)
	require.NoError(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stale.Close())
	_, err = os.Lstat(path)
	require.NoError(t, err)

	err = (&Client{Path: path}).Get(t.Context(), "sockets", nil)
	require.EqualError(t, err, "no stack is running behind "+path+"; start one with `tunstack up`, or name its socket with --control")

	l, err := Listen(path)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestLiveSocketIsRefused(t *testing.T) {
	c, _, _ := serve(t)
	_, err := Listen(c.Path)
	require.EqualError(t, err, "another tunstack uses "+c.Path+"; select another socket with --control PATH")
	require.NoError(t, c.Get(t.Context(), "sockets", new(any)), "the first goes on")
}

func TestListenTakesNothingElsesPlace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o600))
	_, err := Listen(file)
	require.EqualError(t, err, "control socket "+file+": a file of that name exists")
	require.FileExists(t, file)

	_, err = Listen(filepath.Join(dir, strings.Repeat("x", maxPath)))
	require.ErrorContains(t, err, "the path is longer than 103 bytes")
	_, err = Listen(filepath.Join(dir, "missing", "c.sock"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestNobodyThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	_, err := (&Client{Path: path}).DialContext(t.Context(), "tcp", "127.0.0.1:7")
	require.EqualError(t, err, "no stack is running behind "+path+"; start one with `tunstack up`, or name its socket with --control")
}

func TestDefaultPath(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	t.Setenv(Env, "/elsewhere.sock")
	require.Equal(t, "/elsewhere.sock", DefaultPath())
	t.Setenv(Env, "")
	require.Equal(t, "/run/user/1000/tunstack.sock", DefaultPath())
}

func TestMakePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "own")
	require.NoError(t, makePrivate(dir))
	require.NoError(t, makePrivate(dir), "it may be there already")
	require.NoError(t, os.Chmod(dir, 0o755))
	require.ErrorContains(t, makePrivate(dir), "is not a directory that only this user can access")
	require.NoError(t, os.Chmod(dir, 0o700))
	link := dir + "-link"
	require.NoError(t, os.Symlink(dir, link))
	require.ErrorContains(t, makePrivate(link), "is not a directory that only this user can access")
}
