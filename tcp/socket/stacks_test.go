package socket

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/timer"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/link"
	"tunstack/tun"
)

// machine is a host that runs by itself: one goroutine reads its device, and time passes as fast as it can.
type machine struct {
	*Stack
	clk     *clock.Virtual
	timers  timer.Queue
	device  tun.Device
	running sync.WaitGroup
}

// newMachine is a machine at an address of 10.0.0.0/24.
func newMachine(t *testing.T, clk *clock.Virtual, d tun.Device, addr string) *machine {
	m := &machine{clk: clk, device: d}
	stack := ip.New(ip.Config{Timers: &m.timers})
	ipv4.New(stack, ipv4.Config{})
	m.Stack = New(stack, Config{Clock: clk, Timers: &m.timers, Rand: rand.NewChaCha8([32]byte{1})})
	direct := link.NewTun(d)
	i, err := stack.AddInterface("tun0", direct)
	require.NoError(t, err)
	require.NoError(t, i.AddAddress(netip.MustParsePrefix(addr+"/24")))
	direct.SetHandler(i)
	m.running.Go(func() { m.receive(direct) })
	return m
}

// receive carries batches of packets up the stack.
func (m *machine) receive(direct *link.Tun) {
	q := m.device.Queues()[0]
	var b packet.Batch
	for {
		p, err := q.TryRead()
		if err != nil {
			return
		}
		if p == nil {
			b.Flush(m.clk.Now())
			if err := q.Wait(); errors.Is(err, os.ErrClosed) {
				return
			}
			continue
		}
		p.Batch = &b
		direct.Input(m.clk.Now(), p)
	}
}

// pair is two machines on a wire, at 10.0.0.1 and 10.0.0.2, for the time of a test.
func pair(t *testing.T, f packet.Features) (a, b *machine) {
	clk := new(clock.Virtual)
	one, two := tun.Pipe(1500, tun.TUN, f)
	a, b = newMachine(t, clk, one, "10.0.0.1"), newMachine(t, clk, two, "10.0.0.2")
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() { pass(clk, stop, a, b) })
	t.Cleanup(func() {
		close(stop)
		ticking.Wait()
		for _, m := range []*machine{a, b} {
			require.NoError(t, m.device.Close())
			m.running.Wait()
		}
	})
	return a, b
}

// pass lets time pass: a hundred microseconds for each time the machines' goroutines had the opportunity to run.
func pass(clk *clock.Virtual, stop chan struct{}, machines ...*machine) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Microsecond):
			clk.Set(clk.Now() + 100*time.Microsecond)
			for _, m := range machines {
				m.timers.Advance(clk.Now())
			}
		}
	}
}

// wait calls op until it fails with another error than EAGAIN and EINPROGRESS, as blocking calls do.
func wait(so *Socket, op func() error) error {
	w := poll.NewWaiter()
	so.Waiters().Add(w, poll.In|poll.Out|poll.RdHup)
	defer so.Waiters().Remove(w)
	for {
		switch err := op(); err {
		case syscall.EAGAIN, syscall.EINPROGRESS, syscall.EALREADY:
			<-w.C
		default:
			return err
		}
	}
}

// send writes n bytes and then a FIN, and returns their checksum.
func send(so *Socket, n int) (sum uint32, err error) {
	b := make([]byte, 32<<10)
	source := rand.NewChaCha8([32]byte{byte(n)})
	for n > 0 && err == nil {
		part := b[:min(n, len(b))]
		_, _ = source.Read(part)
		sum = crc32.Update(sum, crc32.IEEETable, part)
		n -= len(part)
		err = wait(so, func() error {
			for len(part) > 0 {
				k, err := so.Write(part, false)
				if err != nil {
					return err
				}
				part = part[k:]
			}
			return nil
		})
	}
	return sum, errors.Join(err, so.Shutdown(false, true))
}

// receive reads up to the end of the stream and returns the checksum.
func receive(so *Socket) (sum uint32, err error) {
	b := make([]byte, 10_000)
	for {
		n := 0
		if err := wait(so, func() (err error) { n, err = so.Read(b, false); return err }); err != nil || n == 0 {
			return sum, err
		}
		sum = crc32.Update(sum, crc32.IEEETable, b[:n])
	}
}

// swap sends and receives at once.
func swap(so *Socket, n int) (sent, got uint32, err error) {
	var sending sync.WaitGroup
	var sendErr error
	sending.Go(func() { sent, sendErr = send(so, n) })
	got, err = receive(so)
	sending.Wait()
	return sent, got, errors.Join(err, sendErr)
}

// Concurrent bidirectional transfers complete.
func TestTwoStacks(t *testing.T) {
	for name, f := range map[string]packet.Features{"plain": {}, "offload": {Checksum: true, TSO: 65535}} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t, f)
			listener := b.NewSocket(ip.V4)
			require.NoError(t, listener.Bind(ap("10.0.0.2:7")))
			require.NoError(t, listener.Listen(8))
			const conns, size = 4, 1 << 20
			sums := make(chan [2]uint32, 2*conns)
			var work sync.WaitGroup
			talk := func(so *Socket) {
				sent, got, err := swap(so, size)
				if err == nil {
					err = so.Close()
				}
				if err != nil {
					t.Error(err)
				}
				sums <- [2]uint32{sent, got}
			}
			for range conns {
				work.Go(func() {
					so := a.NewSocket(ip.V4)
					if err := wait(so, func() error { return so.Connect(ap("10.0.0.2:7")) }); err != nil {
						t.Error(err)
					}
					talk(so)
				})
				work.Go(func() {
					var so *Socket
					err := wait(listener, func() (err error) { so, err = listener.Accept(); return err })
					if err != nil {
						t.Error(err)
						return
					}
					talk(so)
				})
			}
			work.Wait()
			close(sums)
			for s := range sums {
				require.Equal(t, s[0], s[1], "all send the same")
			}
			listener.Abort()
		})
	}
}

// Connections come and go in all ways from many goroutines, and the tables are empty afterwards.
func TestChurn(t *testing.T) {
	a, b := pair(t, packet.Features{})
	listener := b.NewSocket(ip.V4)
	require.NoError(t, listener.Bind(ap("10.0.0.2:7")))
	require.NoError(t, listener.Listen(64))
	var servers, clients sync.WaitGroup
	for range 3 {
		servers.Go(func() {
			for {
				var so *Socket
				if wait(listener, func() (err error) { so, err = listener.Accept(); return err }) != nil {
					return
				}
				servers.Go(func() { _, _, _ = swap(so, 100); _ = so.Close() })
			}
		})
	}
	for c := range 4 {
		clients.Go(func() {
			for i := range 40 {
				if err := visit(a, c+i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	require.NoError(t, listener.Close())
	servers.Wait()
	require.Eventually(t, func() bool {
		a.clk.Set(a.clk.Now() + time.Minute)
		return len(a.Sockets())+len(b.Sockets()) == 0
	}, 10*time.Second, time.Millisecond)
}

// visit connects to the server and leaves in one of several ways.
func visit(m *machine, way int) error {
	so := m.NewSocket(ip.V4)
	defer so.Abort()
	if way%4 == 0 {
		_ = so.Connect(ap("10.0.0.2:7")) // and leaves before it is open
		return nil
	}
	if err := wait(so, func() error { return so.Connect(ap("10.0.0.2:7")) }); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	switch way % 4 {
	case 1:
		_, err := send(so, 1000)
		return err
	case 2:
		_, _, err := swap(so, 100)
		return errors.Join(err, so.Close())
	}
	return so.Close() // the data of the server is answered with a reset
}
