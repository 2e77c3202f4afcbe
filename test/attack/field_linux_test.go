package attack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
	"tunstack/internal/race"
	"tunstack/socketapi"
	"tunstack/tun"
)

// fields numbers them, so that each has its own device and network.
var fields atomic.Uint32

// field is a stack on a device with an echo service over TCP and UDP. The kernel behind the device is the legitimate client,
// and forwards the attacker's datagrams from a raw socket.
type field struct {
	t          *testing.T
	stack      *socketapi.Stack
	host, self netip.Addr
	address    string // of the echo service
	raw        int
	unanswered int // of the legitimate client's requests
	roundTrips []time.Duration
}

const (
	echoPort    = 7
	largestEcho = 4000 // bytes: three fragments
)

func newField(t *testing.T) *field {
	netns.Need(t)
	n := fields.Add(1)
	f := &field{t: t, host: netip.AddrFrom4([4]byte{10, 8, byte(n), 1}), self: netip.AddrFrom4([4]byte{10, 8, byte(n), 2})}
	f.address = netip.AddrPortFrom(f.self, echoPort).String()
	d, err := tun.Open(tun.Config{Name: fmt.Sprint("tuna", n), Driver: "linux", Offload: true, Hosts: []netip.Prefix{netip.PrefixFrom(f.host, 24)}})
	require.NoError(t, err)
	f.stack, err = socketapi.New(socketapi.Config{Logger: slog.New(slog.DiscardHandler), Interfaces: []socketapi.Interface{{
		Device: d, Addrs: []netip.Prefix{netip.PrefixFrom(f.self, 24)}, Gateway: f.host,
	}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.stack.Close()) })
	f.serve()
	f.raw, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(f.raw) })
	return f
}

// serve starts the echo service.
func (f *field) serve() {
	l, err := f.stack.Listen("tcp", f.address)
	require.NoError(f.t, err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	p, err := f.stack.ListenPacket("udp", f.address)
	require.NoError(f.t, err)
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(b[:n], from)
		}
	}()
}

// inject sends a datagram, header included. A datagram that does not fit into the device's queue is lost, as on any wire.
func (f *field) inject(b []byte) {
	err := unix.Sendto(f.raw, b, 0, &unix.SockaddrInet4{Addr: f.self.As4()})
	if err != nil && err != unix.ENOBUFS && err != unix.EAGAIN {
		f.t.Errorf("inject: %v", err)
	}
}

// flood sends rate datagrams a second until stop is called, a quarter of that with the race detector, which leaves the stack too slow for more
// where other tests run beside this one. stop returns the number sent.
func (f *field) flood(rate int, datagram func(i int) []byte) (stop func() int) {
	if race.Enabled {
		rate /= 4
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	var running sync.WaitGroup
	sent := 0
	running.Go(func() {
		begin := time.Now()
		for ctx.Err() == nil {
			for due := int(time.Since(begin).Seconds() * float64(rate)); sent < due; sent++ {
				f.inject(datagram(sent))
			}
			time.Sleep(time.Millisecond)
		}
	})
	return func() int { cancel(); running.Wait(); return sent }
}

// patience is the time for which the legitimate client waits for an answer.
const patience = 5 * time.Second

// honest is the legitimate client: it makes TCP connections, and sends fragmented UDP datagrams, one request after the other.
func (f *field) honest(requests int) {
	for range requests {
		f.request("tcp", f.address, 100)
		f.request("udp", f.address, largestEcho)
		time.Sleep(5 * time.Millisecond) // so that the attack lasts longer
	}
}

func (f *field) request(network, address string, size int) {
	begin := time.Now()
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		f.unanswered++
		return
	}
	defer c.Close()
	request, answer := bytes.Repeat([]byte{byte(begin.UnixNano())}, size), make([]byte, size)
	for err = os.ErrDeadlineExceeded; errors.Is(err, os.ErrDeadlineExceeded) && time.Since(begin) < patience; {
		err = ask(c, request, answer, begin)
	}
	if err != nil || !bytes.Equal(request, answer) {
		f.unanswered++
		return
	}
	f.roundTrips = append(f.roundTrips, time.Since(begin))
}

// repetition is the time after which the client sends a datagram again. UDP does not, and the device's queue, which the flood fills in 25 ms, drops
// some when the machine is busy.
const repetition = time.Second

// ask sends a request and receives the answer.
func ask(c net.Conn, request, answer []byte, begin time.Time) error {
	deadline := begin.Add(patience)
	if c.LocalAddr().Network() == "udp" {
		deadline = time.Now().Add(repetition)
	}
	c.SetDeadline(deadline)
	if _, err := c.Write(request); err != nil {
		return err
	}
	_, err := io.ReadFull(c, answer)
	return err
}

// unharmed requires that every request of the legitimate client was answered, and logs the rate.
func (f *field) unharmed(attack string) {
	f.t.Helper()
	slices.Sort(f.roundTrips)
	if n := len(f.roundTrips); n > 0 {
		f.t.Logf("%s: %d answers, p50 %v, p99 %v", attack, n, f.roundTrips[n/2], f.roundTrips[n*99/100])
	}
	require.Zero(f.t, f.unanswered)
	require.NotEmpty(f.t, f.roundTrips)
}

func (f *field) counter(name string) (v int) {
	for _, c := range f.stack.Counters() {
		if c.Name == name {
			return int(c.Value)
		}
	}
	f.t.Fatalf("no counter %s", name)
	return 0
}
