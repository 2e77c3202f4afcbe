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

// turns are the ways in which a connection opens and closes. Each prepares for connections, and returns a function that opens
// one and waits until it is closed.
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

// collect reads the data of a service, which closes first.
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

// heap is the number of bytes in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // a second time, to empty the pools
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// maxLeak bounds the growth of the heap. For many connections it is a few bytes each.
const maxLeak = 1 << 20

// Consecutive connections leave nothing behind: goroutines, tables and memory are as before.
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

// widenPorts lets the kernel choose from more ports, if it allows that. The ports of closed connections stay in use for a
// minute, and the kernel's search takes long when few are left.
func widenPorts() {
	_ = os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("20000 65535"), 0)
}

// A thousand connections are open at once, and each works.
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
