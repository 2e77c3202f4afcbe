package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	r := tunstack("", "--version")
	require.Zero(t, r.status, r.err)
	require.Regexp(t, `^tunstack version \S+ \(commit \S+(, modified)?\) go1\.\S+ \w+/\w+\n$`, r.out)

	info := &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "false"},
	}}
	require.Contains(t, versionOf(info), "v1.2.3 (commit 0123abc) go1.26 ")
	info.Settings[1].Value = "true"
	require.Contains(t, versionOf(info), "v1.2.3 (commit 0123abc, modified) go1.26 ")
}

// There is a page for each command, and the system's man reads them without a warning.
func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	require.Equal(t, result{}, tunstack("", "man", dir))
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	require.NoError(t, err)
	require.Contains(t, pages, filepath.Join(dir, "tunstack.1"))
	require.NotContains(t, pages, filepath.Join(dir, "tunstack-man.1"))
	up, err := os.ReadFile(filepath.Join(dir, "tunstack-up.1"))
	require.NoError(t, err)
	for _, text := range []string{".TH TUNSTACK\\-UP 1\n", "\n.TP\n\\-\\-addr address\n", "\n.SH GLOBAL OPTIONS\n", "\ntunstack(1)\n"} {
		require.Contains(t, string(up), text)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("missing: ", err)
	}
	out, err := exec.Command(groff, append([]string{"-man", "-Tutf8", "-ww", "-z"}, pages...)...).CombinedOutput()
	require.NoError(t, err)
	require.Empty(t, strings.TrimSpace(string(out)))
}

func TestRoff(t *testing.T) {
	require.Equal(t, "a\\-b\n\\&.x\n\\&'y\n\\en", roff("a-b\n.x\n'y\n\\n"))
}
