package socketapi

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/tun"
)

// asker is a device in memory whose other end sends one datagram again and again, as long as fewer than 32 of them are unanswered.
type asker struct {
	datagram []byte
	unsent   atomic.Int64
	inFlight atomic.Int64
	answered chan struct{} // closed by the answer to the last datagram
	closed   atomic.Bool
}

func (a *asker) Name() string           { return "asker" }
func (a *asker) Kind() tun.Kind         { return tun.TUN }
func (a *asker) MTU() int               { return 1500 }
func (a *asker) Features() tun.Features { return tun.Features{Checksum: true} }
func (a *asker) Queues() []tun.Queue    { return []tun.Queue{a} }

func (a *asker) Close() error {
	a.closed.Store(true)
	return nil
}

func (a *asker) TryRead() (*tun.Packet, error) {
	if a.closed.Load() {
		return nil, os.ErrClosed
	}
	if a.inFlight.Load() == 32 || a.unsent.Load() == 0 {
		return nil, nil
	}
	a.unsent.Add(-1)
	a.inFlight.Add(1)
	p := packet.From(a.datagram)
	p.Offload.Checksum = packet.ChecksumValid
	return p, nil
}

func (a *asker) Wait() error {
	runtime.Gosched()
	return nil
}

func (a *asker) Write(p *tun.Packet) error {
	p.Free()
	if a.inFlight.Add(-1) == 0 && a.unsent.Load() == 0 {
		close(a.answered)
	}
	return nil
}

// udpDatagram is an IPv4 datagram with 16 bytes to port 7 of addrB.
func udpDatagram() []byte {
	b := make([]byte, 28+16)
	src, dst := addrA.As4(), addrB.As4()
	copy(b, []byte{0x45, 0, 0, 44, 0, 0, 0, 0, 64, 17})
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	copy(b[20:], []byte{4, 0, 0, 7, 0, 24})
	checksum.Put(b[10:], ^checksum.Sum(b[:20], 0))
	return b
}

// BenchmarkDatagramEcho measures one UDP datagram from the device to a goroutine that waits in ReadFrom, and its answer, with 32 in
// flight.
func BenchmarkDatagramEcho(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	a := &asker{datagram: udpDatagram()}
	s, err := New(Config{Logger: slog.New(slog.DiscardHandler), Interfaces: []Interface{{Device: a, Addrs: []netip.Prefix{netip.PrefixFrom(addrB, 24)}}}})
	require.NoError(b, err)
	defer s.Close()
	c, err := s.ListenPacket("udp4", "0.0.0.0:7")
	require.NoError(b, err)
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(buf[:n], from.(*net.UDPAddr))
		}
	}()
	b.ReportAllocs()
	a.answered = make(chan struct{})
	b.ResetTimer()
	a.unsent.Store(int64(b.N))
	<-a.answered
}
