package netns

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const childEnv = "NETNS_TEST_CHILD"

// children are the functions that this test binary runs instead of tests when childEnv names one of them.
var children = map[string]func(){
	"report": report,
	"status": func() { os.Exit(7) },
	"killed": func() { unix.Kill(os.Getpid(), unix.SIGKILL) },
	"signal": func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, unix.SIGTERM)
		fmt.Println("ready")
		<-c
		os.Exit(9)
	},
	"parent": func() { Run(child("signal")) },
	"reexec": func() { // as its own user
		status, err := Run(child("report"))
		fmt.Println(status, err)
	},
}

func TestMain(m *testing.M) {
	Init()
	if f := children[os.Getenv(childEnv)]; f != nil {
		f()
		return
	}
	Main(m)
}

// child is a Reexec of one of the children.
func child(name string) *exec.Cmd {
	cmd := Reexec()
	cmd.Env = append(cmd.Env, childEnv+"="+name)
	return cmd
}

// report prints a process's view of its namespace.
func report() {
	all, err := net.Interfaces()
	loopback := SetupLoopback()
	listener, listen := net.Listen("tcp", "127.0.0.1:0")
	if listen == nil {
		listener.Close()
	}
	fmt.Println("inside", Inside(), "uid", os.Getuid(), "gid", os.Getgid(), "interfaces", len(all), err, "loopback", loopback, listen)
}

const reported = "inside true uid 0 gid 0 interfaces 1 <nil> loopback <nil> <nil>\n"

func TestReexec(t *testing.T) {
	Need(t)
	var out strings.Builder
	cmd := child("report")
	cmd.Stdout = &out
	status, err := Run(cmd)
	require.NoError(t, err)
	require.Zero(t, status)
	require.Equal(t, reported, out.String())
}

func TestReexecUnprivileged(t *testing.T) {
	Need(t)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=reexec")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.Output()
	if err != nil {
		Missing(t, "another user id: "+err.Error())
	}
	require.Equal(t, reported+"0 <nil>\n", string(out))
}

func TestInsideIsNotInherited(t *testing.T) {
	Need(t)
	require.True(t, Inside())
	t.Setenv(insideEnv, fmt.Sprint(os.Getpid()))
	require.False(t, Inside())
}

func TestRunPassesStatusOn(t *testing.T) {
	Need(t)
	for name, want := range map[string]int{"status": 7, "killed": 128 + 9} {
		status, err := Run(child(name))
		require.NoError(t, err)
		require.Equal(t, want, status, name)
	}
}

func TestRunPassesSignalsOn(t *testing.T) {
	Need(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd := child("signal")
	cmd.Stdout = w
	go func() {
		bufio.NewReader(r).ReadString('\n')
		unix.Kill(os.Getpid(), unix.SIGTERM)
	}()
	status, err := Run(cmd)
	require.NoError(t, err)
	require.Equal(t, 9, status)
}

// A killed parent takes the namespace with it: the pipe to the grandchild breaks.
func TestParentKilled(t *testing.T) {
	Need(t)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=parent")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	r := bufio.NewReader(out)
	_, err = r.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	_, err = r.ReadString('\n')
	require.ErrorIs(t, err, io.EOF)
	require.Error(t, cmd.Wait())
}

// An isolated command reaches no process outside, not even of the same user, and leaves none behind.
func TestIsolate(t *testing.T) { // SEC-042
	Need(t)
	var out strings.Builder
	cmd := exec.Command("/bin/sh", "-c", `echo parent $PPID; kill -0 $OUTSIDE || echo no such; test -d /proc/$OUTSIDE || echo not shown; (true &); exit 7`)
	cmd.Env = append(os.Environ(), fmt.Sprintf("OUTSIDE=%d", os.Getppid()))
	cmd.Stdout = &out
	status, err := Run(Isolate(cmd))
	require.NoError(t, err)
	require.Equal(t, 7, status)
	require.Equal(t, "parent 1\nno such\nnot shown\n", out.String())
	for name, want := range map[string]int{"killed": 128 + 9, "missing": 1} {
		cmd := child(name)
		if name == "missing" {
			cmd = exec.Command("/no/such/program")
		}
		status, err := Run(Isolate(cmd))
		require.NoError(t, err)
		require.Equal(t, want, status, name)
	}
}

// An isolated command sees other files where it is told to, and nobody else does.
func TestCovers(t *testing.T) {
	Need(t)
	dir := t.TempDir()
	path, with := filepath.Join(dir, "path"), filepath.Join(dir, "with")
	require.NoError(t, os.WriteFile(path, []byte("old\n"), 0o600))
	require.NoError(t, os.WriteFile(with, []byte("new\n"), 0o600))
	var out strings.Builder
	cmd := exec.Command("/bin/sh", "-c", "cat "+path+"; env | grep COVERS")
	cmd.Stdout = &out
	status, err := Run(Isolate(cmd, Cover{path, with}, Cover{filepath.Join(dir, "missing"), with}))
	require.NoError(t, err)
	require.Equal(t, 1, status, "the environment has a trace of it")
	require.Equal(t, "new\n", out.String())
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old\n", string(old))
	_, err = os.Stat(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestIsolatedSignals(t *testing.T) {
	Need(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd := child("signal")
	cmd.Stdout = w
	go func() {
		bufio.NewReader(r).ReadString('\n')
		unix.Kill(os.Getpid(), unix.SIGTERM)
	}()
	status, err := Run(Isolate(cmd))
	require.NoError(t, err)
	require.Equal(t, 9, status)
}

func TestRunWhereNamespacesAreForbidden(t *testing.T) {
	Need(t)
	const limit = "/proc/sys/user/max_user_namespaces"
	old, err := os.ReadFile(limit)
	require.NoError(t, err)
	if err := os.WriteFile(limit, []byte("0"), 0); err != nil {
		Missing(t, err.Error())
	}
	defer os.WriteFile(limit, old, 0)
	_, err = Run(child("report"))
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, "sysctl user.max_user_namespaces")
}

func TestRunOfMissingProgram(t *testing.T) {
	_, err := Run(exec.Command("/no/such/program"))
	require.EqualError(t, err, "fork/exec /no/such/program: no such file or directory")
}

// fakeT records the end of a test.
type fakeT struct{ skipped, failed string }

func (t *fakeT) Helper()          {}
func (t *fakeT) Skip(args ...any) { t.skipped = fmt.Sprint(args...) }
func (t *fakeT) Fatal(args ...any) {
	t.failed = fmt.Sprint(args...)
}

func TestNeedTool(t *testing.T) {
	t.Setenv(requireEnv, "")
	var there, skips, fails fakeT
	NeedTool(&there, "sh")
	require.Zero(t, there)
	NeedTool(&skips, "no-such-program")
	require.Contains(t, skips.skipped, `missing: exec: "no-such-program"`)
	t.Setenv(requireEnv, "1")
	NeedTool(&fails, "no-such-program")
	require.Contains(t, fails.failed, `missing: exec: "no-such-program"`)
}

func TestNeedWithoutMain(t *testing.T) {
	Need(t)
	t.Setenv(insideEnv, "")
	var fails fakeT
	Need(&fails)
	require.Contains(t, fails.failed, "TestMain")
}

func TestNeedUnderShort(t *testing.T) {
	short := flag.Lookup("test.short").Value
	before := short.String()
	t.Cleanup(func() { require.NoError(t, short.Set(before)) })
	require.NoError(t, short.Set("true"))
	t.Setenv(requireEnv, "1") // -short skips all the same
	var skips fakeT
	Need(&skips)
	require.Equal(t, fakeT{skipped: "-short leaves out the tests on a device"}, skips)
}
