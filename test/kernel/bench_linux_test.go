package kernel

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
	"tunstack/link"
	"tunstack/socketapi"
	"tunstack/tun"
)

// benches numbers them, so that each gets its own device and network and several can run at once.
var benches atomic.Uint32

// patience bounds one transfer, and the closing after it.
const patience = time.Minute

// scenario is the setting of one test.
type scenario struct {
	impair     string                  // impairment of the wire; "": none
	device     tun.Config              // Name and Host are filled in, and Driver linux
	stack      func(*socketapi.Config) // changes the stack's settings; nil: none
	sysctl     map[string]string       // of net.ipv4
	maxSeg     int                     // the kernel's TCP_MAXSEG; 0: unset
	congestion string                  // the kernel's TCP_CONGESTION; "": unset
}

// bench is a stack on a device, and the kernel behind that.
type bench struct {
	*scenario
	t     *testing.T
	net   string // the network's address without the last byte: the host's is 1, the stack's 2
	dev   *tun.Impaired
	stack *socketapi.Stack
}

func newBench(t *testing.T, s scenario) *bench {
	t.Helper()
	netns.Need(t)
	for name, value := range s.sysctl {
		setSysctl(t, name, value)
	}
	// IPv6 packets would be counted as damaged. IPv6 may be missing.
	os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	n := benches.Add(1)
	b := &bench{scenario: &s, t: t, net: fmt.Sprintf("10.9.%d.", n)}
	s.device.Name, s.device.Driver = fmt.Sprint("tunk", n), "linux"
	s.device.Hosts = []netip.Prefix{netip.MustParsePrefix(b.host() + "/24")}
	d, err := tun.Open(s.device)
	require.NoError(t, err)
	b.dev = tun.Impair(d, impairment(t, s.impair))
	var cfg socketapi.Config
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.TCP.MSL = 10 * time.Millisecond
	if s.stack != nil {
		s.stack(&cfg)
	}
	cfg.Interfaces = []socketapi.Interface{{
		Device: b.dev, Addrs: []netip.Prefix{netip.MustParsePrefix(b.self() + "/24")},
		ACD: link.ACD{ProbeNum: 1, ProbeWait: 1, ProbeMin: 1, ProbeMax: 1, AnnounceWait: 1}, // there is no other host
	}}
	b.stack, err = socketapi.New(cfg)
	require.NoError(t, err)
	require.NoError(t, b.stack.Ready(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.stack.Close()) })
	return b
}

func (b *bench) host() string { return b.net + "1" }
func (b *bench) self() string { return b.net + "2" }

func impairment(t *testing.T, words string) tun.Impairment {
	t.Helper()
	if words == "" {
		return tun.Impairment{}
	}
	cfg, err := tun.ParseImpairment(words)
	require.NoError(t, err)
	return cfg
}

// setSysctl sets a variable of net.ipv4 in the namespace until the test ends.
func setSysctl(t *testing.T, name, value string) {
	t.Helper()
	file := "/proc/sys/net/ipv4/" + name
	old, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(value), 0)
	}
	if err != nil {
		netns.Missing(t, "sysctl: "+err.Error())
	}
	t.Cleanup(func() { os.WriteFile(file, old, 0) })
}

// control sets the options of a kernel socket before it is used.
func (b *bench) control(_, _ string, raw syscall.RawConn) error {
	var err error
	set := func(fd uintptr) {
		if b.maxSeg != 0 {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, b.maxSeg)
		}
		if b.congestion != "" && err == nil {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, b.congestion)
		}
	}
	if e := raw.Control(set); e != nil {
		return e
	}
	return err
}

// duplex is a connection of either side.
type duplex interface {
	net.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

// connect opens a connection; kernelDials selects the client.
func (b *bench) connect(kernelDials bool) (ours, theirs duplex) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var l net.Listener
	var err error
	if kernelDials {
		l, err = b.stack.Listen("tcp", b.self()+":7")
	} else {
		l, err = (&net.ListenConfig{Control: b.control}).Listen(ctx, "tcp4", b.host()+":0")
	}
	require.NoError(b.t, err)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	var dialed net.Conn
	if kernelDials {
		dialed, err = (&net.Dialer{Control: b.control}).DialContext(ctx, "tcp4", l.Addr().String())
	} else {
		dialed, err = b.stack.DialContext(ctx, "tcp", l.Addr().String())
	}
	require.NoError(b.t, err)
	other := <-accepted
	require.NotNil(b.t, other)
	for _, c := range []net.Conn{dialed, other} {
		b.t.Cleanup(func() { c.Close() })
		require.NoError(b.t, c.SetDeadline(time.Now().Add(patience)))
	}
	if kernelDials {
		return other.(duplex), dialed.(duplex)
	}
	return dialed.(duplex), other.(duplex)
}

// drains requires that all connections of the stack end.
func (b *bench) drains() {
	b.t.Helper()
	var rows []socketapi.SocketInfo
	gone := func() bool {
		rows = b.stack.Sockets()
		return len(rows) == 0
	}
	require.Eventually(b.t, gone, patience, 5*time.Millisecond, "%v", &rows)
}

// counted is the sum of the stack's counters with these prefixes.
func (b *bench) counted(prefixes ...string) uint64 {
	sum := uint64(0)
	for _, c := range b.stack.Counters() {
		for _, p := range prefixes {
			if strings.HasPrefix(c.Name, p) {
				sum += c.Value
			}
		}
	}
	return sum
}
