//go:build unix

package outfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// SEC-040
func TestCreate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mode   os.FileMode // of the directory
		make   func(file, target string) error
		err    string // "": created
		target string // the target's contents afterwards
	}{
		{"new", 0o777, func(string, string) error { return nil }, "", "precious"},
		{"own file", 0o1777, func(file, _ string) error { return os.WriteFile(file, []byte("longer than the output"), 0o600) }, "", "precious"},
		{"symbolic link", 0o1777, func(file, target string) error { return os.Symlink(target, file) }, "a symbolic link in a directory that others can write", "precious"},
		{"dangling link", 0o777, func(file, _ string) error { return os.Symlink(file+"2", file) }, "a symbolic link in a directory that others can write", "precious"},
		{"writable by the group", 0o770, func(file, target string) error { return os.Symlink(target, file) }, "a symbolic link", "precious"},
		{"hard link", 0o777, func(file, target string) error { return os.Link(target, file) }, "another hard link", "precious"},
		{"fifo", 0o777, func(file, _ string) error { return syscall.Mkfifo(file, 0o600) }, "no such device", "precious"},
		{"link in a private directory", 0o755, func(file, target string) error { return os.Symlink(target, file) }, "", "new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			top := t.TempDir()
			dir, target := filepath.Join(top, "d"), filepath.Join(top, "target")
			require.NoError(t, os.Mkdir(dir, 0o755))
			require.NoError(t, os.WriteFile(target, []byte("precious"), 0o600))
			file := filepath.Join(dir, "out")
			require.NoError(t, tt.make(file, target))
			require.NoError(t, os.Chmod(dir, tt.mode&0o777|tt.mode&0o1000>>9*os.ModeSticky))
			f, err := Create(file, 0o600)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
			} else {
				require.NoError(t, err)
				_, err = f.WriteString("new")
				require.NoError(t, err)
				require.NoError(t, f.Close())
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Equal(t, "new", string(b))
			}
			b, err := os.ReadFile(target)
			require.NoError(t, err)
			require.Equal(t, tt.target, string(b))
		})
	}
}

// SEC-040: another user could read the output in a file that he owns.
func TestFileOfAnother(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	file := filepath.Join(dir, "out")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	if err := os.Chown(file, 65534, -1); err != nil {
		t.Skip("missing: the right to give files away: ", err)
	}
	_, err := Create(file, 0o600)
	require.ErrorContains(t, err, "a file of another user")
}

func TestNoDirectory(t *testing.T) {
	_, err := Create(filepath.Join(t.TempDir(), "none", "file"), 0o600)
	require.ErrorIs(t, err, os.ErrNotExist)
}
