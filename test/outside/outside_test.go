package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
	_ "tunstack/socketapi" // so that a change of its dependencies invalidates a cached result of this test
)

// A program in another module implements a device with the exported types of tun alone, and two stacks communicate over it.
func TestDeviceOfAnotherModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the module for another one")
	}
	netns.NeedTool(t, "go")
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/device")))
	writeModule(t, root, dir)
	program := filepath.Join(dir, "device")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "ok\n", string(out))
}

// writeModule makes dir a module that uses this one, in the versions of its dependencies.
func writeModule(t *testing.T, root, dir string) {
	own, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(own), "\n")
	require.True(t, found)
	text := "module example.com/device\n" + rest + "\nrequire tunstack v0.0.0\nreplace tunstack => " + root + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644))
}
