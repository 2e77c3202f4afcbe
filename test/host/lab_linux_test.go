package host

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
	"tunstack/internal/race"
	"tunstack/link"
	"tunstack/services"
	"tunstack/socketapi"
	"tunstack/tcp"
	tcpsocket "tunstack/tcp/socket"
	"tunstack/tun"
)

// The two ends of the device, by the defaults of `tunstack up`.
const (
	hostIP  = "10.0.0.1"
	stackIP = "10.0.0.2"
)

// long reports whether to use the promised sizes.
func long() bool { return os.Getenv("TUNSTACK_LONG") == "1" }

// patience bounds every wait; only a failing test waits that long.
const patience = 30 * time.Second

// buildDir is the directory of the built program, and of tests that need short names.
var buildDir string

func TestMain(m *testing.M) { netns.Main(suite{m}) }

// suite is the package's tests with a directory for the built program.
type suite struct{ tests *testing.M }

// Run implements the interface of netns.Main.
func (s suite) Run() int {
	dir, err := os.MkdirTemp("", "hosttest")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // other users run the program, too
		panic(err)
	}
	buildDir = dir
	os.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each of our commands sleeps for a second before it ends
	return s.tests.Run()
}

// program is the path of the tunstack command, built on first use, with the race detector if the tests have it.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "tunstack")
	args := []string{"build", "-o", path}
	if race.Enabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "tunstack/cmd/tunstack")...).CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return path, watchSources()
})

// watchSources reads the module's directories, so that go test does not reuse the results of an older program.
func watchSources() error {
	for _, pattern := range []string{"../../*", "../../*/*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, p := range paths {
			_, _ = os.ReadDir(p) // only directories matter
		}
	}
	return nil
}

// command is a program to run, until the test ends at most.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	netns.NeedTool(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = patience
	return cmd
}

// run runs a program to its end, and returns its output and its exit status.
func run(t *testing.T, cmd *exec.Cmd) (out string, status int) {
	t.Helper()
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err, cmd)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// succeed runs a program that must exit with status 0, and returns its output.
func succeed(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := command(t, name, args...)
	out, status := run(t, cmd)
	require.Zero(t, status, "%v\n%s", cmd, out)
	return out
}

// node is a running `tunstack up`.
type node struct {
	t       *testing.T
	path    string // of the program
	control string
	cmd     *exec.Cmd
	out     io.Reader       // its standard output
	errs    strings.Builder // its standard error
}

// up starts `tunstack up` with args and returns when it prints that it is ready. At the end of the test it is interrupted, and
// must print no error.
func up(t *testing.T, args ...string) *node {
	t.Helper()
	n := start(t, args...)
	t.Cleanup(n.stop)
	return n
}

// start is up for tests that end the program themselves.
func start(t *testing.T, args ...string) *node {
	t.Helper()
	n := begin(t, args...)
	n.ready()
	return n
}

// begin is start that does not wait.
func begin(t *testing.T, args ...string) *node {
	t.Helper()
	netns.Need(t)
	path, err := program()
	require.NoError(t, err, path)
	n := &node{t: t, path: path, control: filepath.Join(buildDir, "control.sock")}
	n.cmd = exec.Command(path, append([]string{"up", "--control", n.control}, args...)...)
	n.cmd.Stderr = &n.errs
	out, err := n.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, n.cmd.Start())
	n.out = out
	t.Cleanup(func() { n.cmd.Process.Kill() }) // even if the test has failed
	return n
}

// ready waits until the program prints that it is ready.
func (n *node) ready() {
	n.t.Helper()
	timeout := time.AfterFunc(patience, func() { n.cmd.Process.Kill() })
	defer timeout.Stop()
	for lines := bufio.NewScanner(n.out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ready ") {
			return
		}
	}
	n.cmd.Wait()
	require.FailNow(n.t, "tunstack up is not ready", "%v\n%s", n.cmd, n.errs.String())
}

// stop interrupts the program, which must exit with status 0.
func (n *node) stop() { n.signal(unix.SIGINT, 0) }

// signal sends a signal and waits for the program to end with status, without output.
func (n *node) signal(s unix.Signal, status int) {
	n.t.Helper()
	require.NoError(n.t, n.cmd.Process.Signal(s))
	timeout := time.AfterFunc(patience, func() { n.cmd.Process.Kill() })
	defer timeout.Stop()
	n.cmd.Wait()
	require.Equal(n.t, status, n.cmd.ProcessState.ExitCode(), "%v: %v\n%s", n.cmd, n.cmd.ProcessState, n.errs.String())
	require.Empty(n.t, n.errs.String())
}

// kill ends the program so that it cannot clean up.
func (n *node) kill() {
	n.t.Helper()
	require.NoError(n.t, n.cmd.Process.Kill())
	n.cmd.Wait()
}

// command is a tunstack command that uses this stack.
func (n *node) command(args ...string) *exec.Cmd {
	n.t.Helper()
	return command(n.t, n.path, append([]string{"--control", n.control}, args...)...)
}

// succeed runs a command, with a text as its input, that must exit with status 0, and returns its output.
func (n *node) succeed(input string, args ...string) string {
	n.t.Helper()
	cmd := n.command(args...)
	cmd.Stdin = strings.NewReader(input)
	out, status := run(n.t, cmd)
	require.Zero(n.t, status, "%v\n%s", cmd, out)
	return out
}

// variant is a kind of device.
type variant struct {
	kind    tun.Kind
	driver  string
	offload bool
}

func (v variant) String() string {
	if v.offload {
		return v.kind.String() + "/" + v.driver + "+offload"
	}
	return v.kind.String() + "/" + v.driver
}

var variants = []variant{
	{tun.TUN, "linux", true}, {tun.TUN, "linux", false}, {tun.TUN, "water", true},
	{tun.TAP, "linux", true}, {tun.TAP, "linux", false}, {tun.TAP, "water", true},
	{tun.TAP, "veth", true}, {tun.TAP, "veth", false},
}

// quickACD is address conflict detection (RFC 5227) for a link without hosts that take seconds to answer.
var quickACD = link.ACD{
	ProbeWait: time.Millisecond, ProbeMin: 10 * time.Millisecond, ProbeMax: 20 * time.Millisecond, AnnounceWait: 20 * time.Millisecond,
}

// newStack is a stack in this process, on a new device, with all services. It is closed at the end of the test.
func newStack(t *testing.T, v variant, mtu int, cfg tcp.Config) *socketapi.Stack {
	t.Helper()
	netns.Need(t)
	dev, err := tun.Open(tun.Config{
		Kind: v.kind, Driver: v.driver, Offload: v.offload, MTU: mtu, Hosts: []netip.Prefix{netip.MustParsePrefix(hostIP + "/24")},
	})
	require.NoError(t, err)
	s, err := socketapi.New(socketapi.Config{
		Interfaces: []socketapi.Interface{{
			Device: dev, MTU: mtu, Addrs: []netip.Prefix{netip.MustParsePrefix(stackIP + "/24")},
			Gateway: netip.MustParseAddr(hostIP), ACD: quickACD,
		}},
		Logger: slog.New(slog.DiscardHandler),
		TCP:    tcpsocket.Config{Config: cfg},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.Ready(ctx))
	running, err := services.Start(s, services.All(s))
	require.NoError(t, err)
	t.Cleanup(running.Close)
	return s
}

// plain is a stack with the defaults: TUN with offload.
func plain(t *testing.T) *socketapi.Stack {
	t.Helper()
	return newStack(t, variants[0], 1500, tcp.Config{})
}

// wait waits until a condition holds.
func wait(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			require.FailNow(t, "waited in vain until "+what)
		}
	}
}
