package notify

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inside names the action that this test program performs as the supervised program; its output says what its calls returned.
const inside = "TUNSTACK_NOTIFY_TEST"

func TestMain(m *testing.M) {
	if action := os.Getenv(inside); action != "" {
		actions[action]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// actions are the supervised programs.
var actions = map[string]func(){
	"socket": func() { // prints the error, or what the socket says
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			os.Stdout.WriteString(err.Error())
			return
		}
		_, _ = io.Copy(os.Stdout, os.NewFile(uintptr(fd), ""))
	},
	"listen": func() {
		err := unix.Listen(99, 5)
		os.Stdout.WriteString(err.Error())
	},
	"bind": func() { // whose address the supervisor reads and changes
		var err error
		a := &unix.SockaddrInet4{Port: 80, Addr: [4]byte{10, 0, 0, 1}}
		fds, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err = unix.Bind(fds[0], a); err != nil {
			os.Stdout.WriteString(err.Error())
			return
		}
		os.Stdout.WriteString("port " + strconv.Itoa(a.Port))
	},
	"child": func() {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), inside+"=socket")
		out, _ := cmd.Output()
		_, _ = os.Stdout.Write(out)
	},
	"none": func() {},
}

// supervise runs an action, answers its calls, and returns its output.
func supervise(t *testing.T, action string, answer func(l *Listener, c Call)) string {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), inside+"="+action)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	var ran error
	l, done, err := Supervise(Filter{}, func() { ran = cmd.Run() })
	require.NoError(t, err)
	defer l.Close()
	for {
		c, err := l.Receive()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		answer(l, c)
	}
	<-done
	require.NoError(t, ran)
	return out.String()
}

// The supervisor's answer is the result of the program's call, and the end of the program ends the supervisor.
func TestAnswerWithError(t *testing.T) {
	out := supervise(t, "socket", func(l *Listener, c Call) {
		require.Equal(t, unix.SYS_SOCKET, c.Nr)
		require.NoError(t, l.Return(c, 0, unix.ENETDOWN))
	})
	require.Equal(t, "network is down", out)
	require.Empty(t, supervise(t, "none", func(*Listener, Call) { t.Error("a call") }))
}

// The kernel runs a call that the supervisor does not want.
func TestContinue(t *testing.T) {
	require.Equal(t, "bad file descriptor", supervise(t, "listen", func(l *Listener, c Call) {
		require.True(t, l.Waits(c))
		require.NoError(t, l.Continue(c))
		require.False(t, l.Waits(c))
		require.Equal(t, ErrGone, l.Continue(c), "it has been answered")
	}))
}

// The supervisor puts a descriptor into the program, of which the program's children have calls that it answers, too.
func TestReturnFile(t *testing.T) {
	for _, action := range []string{"socket", "child"} {
		out := supervise(t, action, func(l *Listener, c Call) {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(pair[0])
			defer unix.Close(pair[1])
			_, err = unix.Write(pair[0], []byte("hello"))
			require.NoError(t, err)
			fd, err := l.ReturnFile(c, pair[1], true)
			require.NoError(t, err)
			require.Positive(t, fd)
			_, err = l.ReturnFile(c, pair[1], true)
			require.Equal(t, ErrGone, err)
		})
		require.Equal(t, "hello", out, action)
	}
}

// The supervisor reads the memory of a call, and takes a copy of the program's descriptor.
func TestProcess(t *testing.T) {
	var processes Processes
	defer processes.Close()
	out := supervise(t, "bind", func(l *Listener, c Call) {
		b := make([]byte, 8)
		require.NoError(t, Read(c.Thread, c.Args[1], b))
		require.EqualValues(t, 80, binary.BigEndian.Uint16(b[2:]))
		require.Equal(t, []byte{10, 0, 0, 1}, b[4:])
		require.Equal(t, unix.EFAULT, Read(c.Thread, 8, b))
		require.Equal(t, unix.EFAULT, Write(c.Thread, 8, b))
		for range 2 { // the second by the same pidfd
			fd, err := processes.File(c.Thread, int(c.Args[0]))
			require.NoError(t, err)
			domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
			require.NoError(t, err)
			require.Equal(t, unix.AF_UNIX, domain)
			require.NoError(t, unix.Close(fd))
		}
		_, err := processes.File(c.Thread, 99)
		require.Equal(t, unix.EBADF, err)
		require.NoError(t, l.Return(c, 0, 0))
	})
	require.Equal(t, "port 80", out)
}
