package attack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
	"tunstack/socketapi"
	"tunstack/tun"
)

// lan is a stack on a TAP device with an echo service over TCP, and the kernel as its neighbour. The attacker's programs run on the kernel's
// side of the link. The stack listens to routers, of which there is none but the attacker.
type lan struct {
	t          *testing.T
	stack      *socketapi.Stack
	device     string
	host, self netip.Addr
	heap       int
}

func newLAN(t *testing.T, change ...func(*socketapi.Config)) *lan {
	netns.Need(t)
	netns.NeedTool(t, "atk6-alive6")
	n := fields.Add(1)
	l := &lan{
		t: t, device: fmt.Sprint("tapa", n),
		host: netip.MustParseAddr(fmt.Sprintf("2001:db8:a:%x::1", n)), self: netip.MustParseAddr(fmt.Sprintf("2001:db8:a:%x::2", n)),
	}
	d, err := tun.Open(tun.Config{Name: l.device, Kind: tun.TAP, Driver: "linux", Hosts: []netip.Prefix{netip.PrefixFrom(l.host, 64)}})
	require.NoError(t, err)
	cfg := socketapi.Config{Logger: slog.New(slog.DiscardHandler), Interfaces: []socketapi.Interface{{
		Device: d, Addrs: []netip.Prefix{netip.PrefixFrom(l.self, 64)}, Autoconf: socketapi.Autoconf{Mode: socketapi.AutoconfOn},
	}}}
	for _, f := range change {
		f(&cfg)
	}
	l.stack, err = socketapi.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.stack.Close()) })
	require.NoError(t, l.stack.Ready(t.Context()))
	listener, err := l.stack.Listen("tcp", l.service())
	require.NoError(t, err)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	require.Eventually(t, func() bool { return l.ask() == nil }, 2*patience, 100*time.Millisecond, "the kernel has its addresses")
	l.heap = heap()
	return l
}

func (l *lan) service() string { return netip.AddrPortFrom(l.self, echoPort).String() }

// heap is the memory in use, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC() // the first collection only ages the contents of pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// The shares of time for which an attacker's program runs. Some programs send as fast as they can, and would fill the device's queue without
// a pause, so that nobody else gets a packet through, whatever the stack does.
const (
	pulse = 10 * time.Millisecond
	pause = 90 * time.Millisecond
)

// attack runs a program of the attacker in pulses, until it ends or for a time from its first packet on, and the legitimate client beside it.
func (l *lan) attack(limit time.Duration, name string, args ...string) {
	l.t.Helper()
	before := l.counter("link.in.packets")
	ctx, cancel := context.WithCancel(l.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(l.t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // most end with a status of their own or by the limit
	}()
	go l.pulses(cmd, ended)
	l.begins(cmd, ended, out, before)
	time.AfterFunc(limit, cancel)
	for served := 0; ; served++ {
		select {
		case <-ended:
			l.t.Logf("%s: %d packets, %d requests served", name, l.counter("link.in.packets")-before, served)
			return
		case <-time.After(5 * time.Millisecond): // so that the client does not take the processor from the attack
			require.NoError(l.t, l.ask())
		}
	}
}

// warning is the time for which some programs wait before they attack.
const warning = 10 * time.Second

// begins waits until the stack receives the first packet of a program.
func (l *lan) begins(cmd *exec.Cmd, ended <-chan struct{}, out *bytes.Buffer, before int) {
	l.t.Helper()
	deadline := time.After(warning + patience)
	for over := false; l.counter("link.in.packets") == before; {
		require.False(l.t, over, "%v sent nothing:\n%s", cmd, out)
		select {
		case <-ended:
			over = true
		case <-deadline:
			_ = cmd.Process.Kill() // so that out is complete
			<-ended
			over = true
		case <-time.After(time.Millisecond):
		}
	}
}

// pulses lets a process run for a tenth of the time.
func (l *lan) pulses(cmd *exec.Cmd, ended <-chan struct{}) {
	for {
		for _, step := range []struct {
			signal syscall.Signal
			after  time.Duration
		}{{syscall.SIGSTOP, pulse}, {syscall.SIGCONT, pause}} {
			select {
			case <-ended:
				return
			case <-time.After(step.after):
				_ = cmd.Process.Signal(step.signal) // it may have ended
			}
		}
	}
}

// ask connects to the echo service and waits for an echo.
func (l *lan) ask() error {
	c, err := net.DialTimeout("tcp", l.service(), patience)
	if err != nil {
		return err
	}
	defer c.Close()
	return ask(c, []byte("hello"), make([]byte, 5), time.Now())
}

var pingReply = regexp.MustCompile(`ttl=(\d+)`)

// unharmed requires that the stack answers, from the address that it had and with a sensible hop limit and MTU, and that its tables and its
// memory are bounded.
func (l *lan) unharmed() {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return l.ask() == nil }, 3*patience, 10*time.Millisecond)
	out, err := exec.Command("ping", "-6", "-c", "2", "-i", "0.2", "-W", "5", l.self.String()).CombinedOutput()
	require.NoError(l.t, err, "%s", out)
	ttl := pingReply.FindSubmatch(out)
	require.NotNil(l.t, ttl, "%s", out)
	hops, err := strconv.Atoi(string(ttl[1]))
	require.NoError(l.t, err)
	require.GreaterOrEqual(l.t, hops, 32)

	i := l.stack.Interfaces()[1]
	require.Equal(l.t, 1500, i.MTU)
	own := 0
	for _, a := range i.Addresses {
		if a.Prefix.Addr() == l.self {
			own++
			require.False(l.t, a.Tentative)
		}
	}
	require.Equal(l.t, 1, own, "%v", i.Addresses)
	require.LessOrEqual(l.t, len(i.Addresses), 20)
	require.LessOrEqual(l.t, len(l.stack.Routes()), 100)
	require.LessOrEqual(l.t, len(l.stack.Neighbors()), 1600)
	require.GreaterOrEqual(l.t, l.pathMTU(), 1280)
	require.Less(l.t, heap()-l.heap, 8<<20)
}

// pathMTU is the path MTU to the kernel.
func (l *lan) pathMTU() (mtu int) {
	b := l.stack.Berkeley()
	fd, err := b.Socket(socketapi.AF_INET6, socketapi.SOCK_DGRAM, 0)
	require.NoError(l.t, err)
	defer b.Close(fd)
	require.NoError(l.t, b.Connect(fd, netip.AddrPortFrom(l.host, 9)))
	_, err = b.GetSockOpt(fd, socketapi.IPPROTO_IPV6, socketapi.IPV6_MTU, &mtu)
	require.NoError(l.t, err)
	return mtu
}

func (l *lan) counter(name string) (v int) {
	for _, c := range l.stack.Counters() {
		if c.Name == name {
			return int(c.Value)
		}
	}
	l.t.Fatalf("no counter %s", name)
	return 0
}
