package host

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// These tests run programs that know nothing of the stack by `tunstack run`; their peers are programs with the kernel's sockets.

// under returns the command that runs another one with the sockets of the stack.
func (n *node) under(cmd *exec.Cmd) *exec.Cmd {
	n.t.Helper()
	c := n.command(append([]string{"run", "--", cmd.Path}, cmd.Args[1:]...)...)
	c.Stdin = cmd.Stdin
	return c
}

// runs runs a program with the stack's sockets, which must exit with status 0, and returns its output.
func (n *node) runs(name string, args ...string) string {
	n.t.Helper()
	cmd := n.under(command(n.t, name, args...))
	out, status := run(n.t, cmd)
	require.Zero(n.t, status, "%v\n%s", cmd, out)
	return out
}

// serves starts a server with the stack's sockets, and returns when it listens at a port of protocol "tcp" or "udp".
func (n *node) serves(protocol string, port int, cmd *exec.Cmd) *talk {
	n.t.Helper()
	c := talkTo(n.t, n.under(cmd))
	n.t.Cleanup(func() {
		_ = c.cmd.Process.Signal(unix.SIGTERM)
		c.cmd.Wait()
	})
	listening := fmt.Sprintf(":%d ", port)
	wait(n.t, cmd.String()+" listens on the stack", func() bool {
		return strings.Contains(n.succeed("", "netstat", "--"+protocol), listening)
	})
	return c
}

// web is an HTTP server of this process, and so of the kernel, whose answer names the client and has some bytes.
func web(t *testing.T, address string, size int) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = io.WriteString(w, host+"\n"+strings.Repeat("x", size))
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String() + "/"
}

// curl, whose connect does not block, has the stack's address.
func TestRunCurl(t *testing.T) {
	n := up(t)
	const size = 10 << 20
	out := n.runs("curl", "-sS", "--fail", web(t, hostIP, size))
	require.Len(t, out, len(stackIP)+1+size)
	require.True(t, strings.HasPrefix(out, stackIP+"\n"), out[:20])
	out, status := run(t, n.under(command(t, "curl", "-sS", "http://"+hostIP+":1/")))
	require.Equal(t, 7, status, out)
	require.Regexp(t, "onnection refused|onnect to server", out)
}

// Python's server accepts, and its children share the listener.
func TestRunPythonHTTP(t *testing.T) {
	n := up(t)
	dir := t.TempDir()
	text := strings.Repeat("all work and no play ", 1<<16)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644))
	n.serves("tcp", 8000, command(t, "python3", "-m", "http.server", "-d", dir, "8000"))
	for range 3 {
		require.Equal(t, text, succeed(t, "curl", "-sS", "--fail", "--max-time", "20", "http://"+stackIP+":8000/file"))
	}
}

// The lectures' servers and clients in both languages, one at a time on the stack, the other one on the kernel.
func TestRunLectures(t *testing.T) {
	eachLanguage(t, func(t *testing.T, n *node, l lecture) {
		message := strings.Repeat("all work and no play ", 1000)
		l.server(t, "tcp", "echo_server")
		for range 2 {
			out, status := run(t, n.under(l(t, "echo_client", hostIP, strconv.Itoa(lecturePort), message)))
			require.Zero(t, status, out)
			require.Contains(t, out, "From Server: "+message)
		}
		n.serves("tcp", lecturePort, l(t, "echo_server", strconv.Itoa(lecturePort)))
		for range 2 {
			require.Contains(t, l.client(t, "", "echo_client", strconv.Itoa(lecturePort), message), "From Server: "+message)
		}
		n.serves("tcp", lecturePort+1, l(t, "upper_server", strconv.Itoa(lecturePort+1)))
		require.Contains(t, l.client(t, "a sentence\n", "upper_client", strconv.Itoa(lecturePort+1)), "From Server: A SENTENCE\n")
		out, status := run(t, n.under(l(t, "pinger", stackIP, "7"))) // both ends on the stack
		require.Zero(t, status, out)
		require.Equal(t, 10, strings.Count(out, "RTT"), out)
	})
}

// Both ends of a connection are programs on the stack, in different runs of it.
func TestRunBothEnds(t *testing.T) {
	n := up(t)
	knock := n.serves("tcp", lecturePort, python(t, "knock_server", strconv.Itoa(lecturePort)))
	for range 2 {
		out, status := run(t, n.under(python(t, "knock_client", stackIP, strconv.Itoa(lecturePort))))
		require.Zero(t, status, out)
		require.Regexp(t, "server: Who's there\\?\nserver: .* who\\?\n", out)
	}
	knock.hear("client: ")
}

// Datagrams with addresses go both ways.
func TestRunUDP(t *testing.T) {
	n := up(t)
	l := lecture(python)
	n.serves("udp", lecturePort, l(t, "upper_udp_server", strconv.Itoa(lecturePort)))
	require.Contains(t, l.client(t, "a sentence\n", "upper_udp_client", strconv.Itoa(lecturePort)), "A SENTENCE\n")
	l.server(t, "udp", "upper_udp_server")
	cmd := l(t, "upper_udp_client", hostIP, strconv.Itoa(lecturePort))
	cmd.Stdin = strings.NewReader("a sentence\n")
	out, status := run(t, n.under(cmd))
	require.Zero(t, status, out)
	require.Contains(t, out, "A SENTENCE\n")
}

// The program sees the stack's interfaces and addresses, not the kernel's.
func TestRunInterfaces(t *testing.T) {
	n := up(t)
	out := n.runs("ip", "address")
	require.Contains(t, out, "inet "+stackIP+"/24")
	require.NotContains(t, out, hostIP)
	require.Contains(t, n.runs("ip", "route"), "default via "+hostIP)
	out = n.runs("python3", "-c", "import socket; print(socket.if_nameindex())")
	require.Regexp(t, `^\[\(1, 'lo'\), \(2, '`, out)
}

// The real ping needs no privilege for the stack's sockets.
func TestRunPing(t *testing.T) {
	n := up(t)
	require.Contains(t, n.runs("ping", "-n", "-c", "3", "-i", "0.01", hostIP), "3 packets transmitted, 3 received, 0% packet loss")
}

// The exit status is the program's, or that of its failure; a signal goes on to it.
func TestRunStatus(t *testing.T) {
	n := up(t)
	for _, tt := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"run", "--", "sh", "-c", "exit 7"}, 7, ""},
		{[]string{"run", "--", "sh", "-c", "kill -9 $$"}, 128 + 9, ""},
		{[]string{"run", "--", "sh", "-c", "echo $TUNSTACK_WORD; pwd"}, 0, "word\n/"},
		{[]string{"run", "--", "no-such-program"}, 1, "tunstack: exec: \"no-such-program\": executable file not found in $PATH\n"},
		{[]string{"run"}, 2, "tunstack: run: name the PROGRAM to run (see tunstack run --help)\n"},
		{[]string{"--control", "/nowhere", "run", "--", "true"}, 1, "tunstack: no stack is running behind /nowhere"},
	} {
		cmd := n.command(tt.args...)
		cmd.Env, cmd.Dir = append(os.Environ(), "TUNSTACK_WORD=word"), "/"
		out, status := run(t, cmd)
		require.Equal(t, tt.status, status, "%v\n%s", cmd, out)
		require.True(t, strings.HasPrefix(out, tt.says), out)
	}
	c := talkTo(t, n.command("run", "--", "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do read line; done"))
	c.hear("ready")
	require.NoError(t, c.cmd.Process.Signal(unix.SIGTERM))
	c.bye()
	require.Equal(t, 3, c.end())
}

// The sockets of the stack do what those of the kernel do, in both families: errors, poll's events, ends of connections, signals, processes.
func TestRunSocketsLikeTheKernels(t *testing.T) {
	n := up(t)
	for _, family := range []string{"4", "6"} {
		kernel := succeed(t, "python3", "testdata/sockets.py", family)
		require.Equal(t, kernel, n.runs("python3", "testdata/sockets.py", family))
	}
}

// A stack of the program's own ends with it.
func TestRunOwnStack(t *testing.T) {
	n := up(t) // for its path
	out, status := run(t, command(t, n.path, "run", "--sandbox", "--addr", "10.9.8.7/24", "--host", "10.9.8.1", "--", "ip", "address"))
	require.Zero(t, status, out)
	require.Contains(t, out, "inet 10.9.8.7/24")
	out, status = run(t, command(t, n.path, "run", "--sandbox", "--addr", "nonsense", "--", "true"))
	require.Equal(t, 1, status, out)
	require.Regexp(t, "^tunstack: .*nonsense.*\n$", out)
}

// A program that is killed leaves nothing behind, and one whose stack ends sees its connections end.
func TestRunEnds(t *testing.T) {
	n := start(t)
	server := n.serves("tcp", lecturePort, command(t, "nc", "-l", "-k", strconv.Itoa(lecturePort)))
	c, err := net.Dial("tcp", net.JoinHostPort(stackIP, strconv.Itoa(lecturePort)))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, server.cmd.Process.Kill())
	_, err = io.ReadAll(c)
	require.Error(t, err, "the supervisor's end resets the program's connections")

	l, err := net.Listen("tcp", net.JoinHostPort(hostIP, "0"))
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	client := talkTo(t, n.under(command(t, "nc", hostIP, port)))
	accepted, err := l.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	n.kill()
	client.end()
}

// static is the source of a Go program without the C library.
const static = `package main

import ("fmt"; "net"; "net/http"; "os")

func main() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil { panic(err) }
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.RemoteAddr) }))
}
`

// A static program has no library that could be replaced.
func TestRunStaticGo(t *testing.T) {
	n := up(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(static), 0o644))
	build := command(t, "go", "build", "-o", filepath.Join(dir, "server"), filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, status := run(t, build)
	require.Zero(t, status, out)
	n.serves("tcp", 8000, command(t, filepath.Join(dir, "server"), ":8000"))
	for range 5 {
		require.Contains(t, succeed(t, "curl", "-sS", "--fail", "--max-time", "20", "http://"+stackIP+":8000/"), hostIP)
	}
}
