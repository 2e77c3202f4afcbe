// Package netns runs the program again in its own network namespace, where it can create interfaces without being root on the
// machine and without touching the machine's network: the sandbox of "tunstack up", and the place of every test on a real
// device. Linux only; on other systems every function returns an error.
package netns

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// insideEnv carries the process id of the parent that made the namespace, so that grandchildren ignore it.
const insideEnv = "TUNSTACK_NETNS"

// requireEnv, set to 1, turns the skips of Need, NeedTool and Missing into failures. Continuous integration sets it.
const requireEnv = "TUNSTACK_REQUIRE"

// Inside reports whether Reexec started this process.
func Inside() bool { return os.Getenv(insideEnv) == fmt.Sprint(os.Getppid()) }

// Cover is a file of which the command of Isolate sees another one. A Path that does not exist stays so.
type Cover struct{ Path, With string }

// T is the part of *testing.T that Need, NeedTool and Missing use.
type T interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// unavailable is the reason why no namespace can be made for tests. Main sets it before the first test runs.
var unavailable error

// Main is TestMain for a package whose tests need a device: it runs the tests in a new namespace with the loopback up, and
// exits with their status. Where that is impossible it runs them here, and Need skips its callers.
func Main(m interface{ Run() int }) {
	fuzzing := slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzzworker") })
	switch {
	case fuzzing: // a worker talks to its parent through descriptors that Reexec would not pass on
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

// Need skips the test unless it runs in a namespace where TUN devices can be created. Main must be the package's TestMain. Need
// also skips the test under -short, because a peer on a real device takes real time.
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

// Missing skips the test because something is missing, or fails it if requireEnv is set.
func Missing(t T, what string) {
	t.Helper()
	if os.Getenv(requireEnv) == "1" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
