package socketapi

import (
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/tun"
)

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
)

// ap0 is AF_UNSPEC.
var ap0 netip.AddrPort

func ap(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

// host is a stack under test with its Berkeley calls. Its own methods fail the test where those return an error.
type host struct {
	Berkeley
	t *testing.T
}

func newHost(t *testing.T, cfg Config) host {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return host{s.Berkeley(), t}
}

// alone is a stack with the loopback only, in real time.
func alone(t *testing.T) host { return newHost(t, Config{}) }

// pair is two stacks joined by a wire, a at 10.0.0.1 and b at 10.0.0.2. With a virtual clock they run only when it is advanced.
func pair(t *testing.T, clk *VirtualClock) (a, b host) {
	t.Helper()
	one, two := tun.Pipe(1500, tun.TUN, packet.Features{})
	cfgA, cfgB := device(one, addrA), device(two, addrB)
	if clk != nil {
		cfgA.Clock, cfgB.Clock = clk, clk
	}
	return newHost(t, cfgA), newHost(t, cfgB)
}

// device is a host with one device and an address in a /24.
func device(d tun.Device, addr netip.Addr) Config {
	return Config{Interfaces: []Interface{{Device: d, Addrs: []netip.Prefix{netip.PrefixFrom(addr, 24)}}}}
}

// portOf is the port of an address.
func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// rest advances stacks that share a virtual clock to the time to, deadline by deadline, until all are idle.
func rest(to time.Duration, hosts ...host) { run(hosts[0].virtual(), to, hosts...) }

// advancer is a stack, or another thing that lives in virtual time.
type advancer interface {
	Advance(to time.Duration) (busy bool)
	NextDeadline() (time.Duration, bool)
}

// run is rest for all that share a clock.
func run[R advancer](clk *VirtualClock, to time.Duration, all ...R) {
	for {
		next, busy := to, false
		for _, r := range all {
			busy = r.Advance(clk.Now()) || busy
			if at, ok := r.NextDeadline(); ok {
				next = min(next, at)
			}
		}
		switch {
		case busy:
		case clk.Now() >= to:
			return
		default:
			clk.Set(next)
		}
	}
}

func (h host) socket(typ, proto int) int {
	h.t.Helper()
	fd, err := h.Socket(AF_INET, typ, proto)
	require.NoError(h.t, err)
	return fd
}

// socket6 is a new socket of AF_INET6.
func (h host) socket6(typ, proto int) int {
	h.t.Helper()
	fd, err := h.Socket(AF_INET6, typ, proto)
	require.NoError(h.t, err)
	return fd
}

// bound is a new socket at an address.
func (h host) bound(typ int, addr string) int {
	h.t.Helper()
	fd := h.socket(typ, 0)
	require.NoError(h.t, h.Bind(fd, ap(addr)))
	return fd
}

// name is a socket's local address.
func (h host) name(fd int) netip.AddrPort {
	h.t.Helper()
	a, err := h.GetSockName(fd)
	require.NoError(h.t, err)
	return a
}

func (h host) set(fd, level, name int, value any) {
	h.t.Helper()
	require.NoError(h.t, h.SetSockOpt(fd, level, name, value))
}

func (h host) get(fd, level, name int) int {
	h.t.Helper()
	var v int
	_, err := h.GetSockOpt(fd, level, name, &v)
	require.NoError(h.t, err)
	return v
}

// events is the result of Poll for a socket.
func (h host) events(fd int, want Events) Events {
	h.t.Helper()
	fds := []PollFd{{Fd: fd, Events: want}}
	_, err := h.Poll(fds, 0)
	require.NoError(h.t, err)
	return fds[0].Revents
}

// soError is SO_ERROR.
func (h host) soError(fd int) syscall.Errno {
	h.t.Helper()
	return syscall.Errno(h.get(fd, SOL_SOCKET, SO_ERROR))
}

// send sends a text and requires all of it to be taken.
func (h host) send(fd int, text string) {
	h.t.Helper()
	n, err := h.Send(fd, []byte(text), 0)
	require.NoError(h.t, err)
	require.Equal(h.t, len(text), n)
}

// recv receives up to size bytes as a text.
func (h host) recv(fd, size, flags int) (string, error) {
	b := make([]byte, size)
	n, err := h.Recv(fd, b, flags)
	return string(b[:max(n, 0)]), err
}

// receives requires the next thing received to be a text.
func (h host) receives(fd int, text string) {
	h.t.Helper()
	got, err := h.recv(fd, 65536, 0)
	require.NoError(h.t, err)
	require.Equal(h.t, text, got)
}

// counters are the counters of the stack by their names.
func (h host) counters() map[string]uint64 {
	h.t.Helper()
	all := map[string]uint64{}
	for _, c := range h.Counters() {
		require.NotContains(h.t, all, c.Name)
		require.NotEmpty(h.t, c.Doc, c.Name)
		all[c.Name] = c.Value
	}
	return all
}
