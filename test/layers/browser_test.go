package layers

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The TCP machine, the simulator and the drawings run in a browser: without a device, a stack or a plot library.
func TestDrawingsRunInABrowser(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./tcp/sim/...", "./trace", "./trace/step", "./trace/scenario", "./trace/replay")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := cmd.Output()
	require.NoError(t, err)
	var own []string
	for pkg := range strings.FieldsSeq(string(out)) {
		require.NotContains(t, pkg, "gonum.org/")
		require.NotContains(t, pkg, "golang.org/x/sys")
		if path, ok := strings.CutPrefix(pkg, "tunstack/"); ok {
			own = append(own, path)
		}
	}
	slices.Sort(own)
	require.Equal(t, []string{
		"internal/checksum", "internal/escape", "internal/packet", "internal/sendq", "internal/stats",
		"tcp", "tcp/sim", "tcp/sim/knock", "tcp/sim/trial", "trace", "trace/replay", "trace/scenario", "trace/step",
	}, own)
}
