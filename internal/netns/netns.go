// Package netns runs the program again in a network namespace of its own, where it may create interfaces without being
// root on the machine and without touching the machine's network: the sandbox of "tunstack up", and the place of every test on a real device.
// Linux only; elsewhere every function says so.
package netns

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// insideEnv carries the process id of the parent that made the namespace, so that it says nothing to grandchildren.
const insideEnv = "TUNSTACK_NETNS"

// requireEnv, set to 1, turns the skips of Need, NeedTool and Missing into failures. Continuous integration sets it.
const requireEnv = "TUNSTACK_REQUIRE"

// Inside says whether this process was started by Reexec.
func Inside() bool { return os.Getenv(insideEnv) == fmt.Sprint(os.Getppid()) }

// T is what Need, NeedTool and Missing ask of a *testing.T.
type T interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// unavailable is why there is no namespace to test in. Main sets it before the first test runs.
var unavailable error

// Main is TestMain for a package whose tests need a device: it runs the tests in a fresh namespace with the loopback up, and exits
// with their status. Where that is impossible it runs them here, and those that call Need are skipped.
func Main(m interface{ Run() int }) {
	fuzzing := slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzzworker") })
	switch {
	case fuzzing: // a worker talks to its parent through descriptors that must not get lost
		os.Exit(m.Run())
	case Inside():
		unavailable = prepare()
		os.Exit(m.Run())
	}
	status, err := Run(Reexec(os.Args[1:]...))
	if err != nil {
		unavailable = err
		status = m.Run()
	}
	os.Exit(status)
}

// Need skips the test unless it runs in a namespace where TUN devices can be created. Main must be the package's TestMain.
// It skips the test under -short, too, for a peer on a real device takes real time.
func Need(t T) {
	t.Helper()
	if short := flag.Lookup("test.short"); short != nil && short.Value.String() == "true" {
		t.Skip("-short leaves out the tests on a device")
	} else if unavailable != nil {
		Missing(t, unavailable.Error())
	} else if !Inside() {
		t.Fatal("the package's TestMain does not call netns.Main")
	}
}

// NeedTool skips the test unless the program is installed.
func NeedTool(t T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		Missing(t, err.Error())
	}
}

// Missing skips the test for want of something, or fails it where nothing may be wanting.
func Missing(t T, what string) {
	t.Helper()
	if os.Getenv(requireEnv) == "1" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
