package host

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
	"tunstack/tcp"
)

// turns are the ways that a connection comes and goes. Each prepares for connections, and returns what makes one and
// sees it closed.
var turns = map[string]func(t *testing.T, s *socketapi.Stack) func() error{
	"host connects and closes": func(t *testing.T, s *socketapi.Stack) func() error {
		return func() error { return exchange(hostDial(7)) }
	},
	"host connects, stack closes": func(t *testing.T, s *socketapi.Stack) func() error {
		return func() error { return collect(hostDial(13)) }
	},
	"stack connects and closes": func(t *testing.T, s *socketapi.Stack) func() error {
		port := hostEcho(t)
		return func() error { return exchange(stackDial(s, port)) }
	},
	"stack connects, host closes": func(t *testing.T, s *socketapi.Stack) func() error {
		port := hostServe(t, func(c *net.TCPConn) {
			c.Write([]byte("it is late"))
			c.Close()
		})
		return func() error { return collect(stackDial(s, port)) }
	},
}

// exchange sends a few bytes to an echo service and closes first.
func exchange(c duplex, err error) error {
	if err != nil {
		return err
	}
	return echoed(c, 1, 100)
}

// collect reads what a service has to say, which closes first.
func collect(c duplex, err error) error {
	if err != nil {
		return err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	if err == nil && len(b) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // empties the pools too
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// maxLeak is how much more the heap may hold afterwards. Of many connections it is a few bytes each.
const maxLeak = 1 << 20

// Connections one after the other leave nothing behind: goroutines, tables and memory are back where they began.
func TestConnectionsInTurn(t *testing.T) {
	n := 2000
	if long() {
		n = 20000
	}
	for name, prepare := range turns {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, variants[0], 1500, tcp.Config{MSL: 50 * time.Millisecond})
			widenPorts()
			connect := prepare(t, s)
			goroutines, sockets := runtime.NumGoroutine(), len(s.Sockets())
			back := func() bool { return runtime.NumGoroutine() <= goroutines && len(s.Sockets()) <= sockets }
			for range 100 {
				require.NoError(t, connect())
			}
			wait(t, "goroutines and tables are back", back)
			before := heap()
			for i := range n {
				require.NoError(t, connect(), "connection %d", i)
			}
			wait(t, "goroutines and tables are back", back)
			require.Less(t, heap()-before, int64(maxLeak))
		})
	}
}

// widenPorts lets the kernel choose from more ports, if it can be told. Those of closed connections stay taken for a minute,
// and when it runs short of them it searches for long.
func widenPorts() {
	_ = os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("20000 65535"), 0)
}

// A thousand connections are open at once, and each can be used.
func TestConnectionsAtOnce(t *testing.T) {
	const n = 1000
	s := plain(t)
	port := hostEcho(t)
	for name, dial := range map[string]func() (duplex, error){
		"host connects":  func() (duplex, error) { return hostDial(7) },
		"stack connects": func() (duplex, error) { return stackDial(s, port) },
	} {
		t.Run(name, func(t *testing.T) {
			conns := make([]duplex, n)
			all(t, n, func(i int) (err error) {
				conns[i], err = dial()
				return err
			})
			wait(t, fmt.Sprint(n, " connections are established"), func() bool { return connections(s) == n })
			all(t, n, func(i int) error { return echoed(conns[i], byte(i), 10000) })
			gone(t, s)
		})
	}
}
