package hostile

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/socketapi"
	"tunstack/tcp"
)

// lab is a stack whose only link is the test. Time stands still except in after.
type lab struct {
	socketapi.Berkeley
	*family
	t     testing.TB
	clock socketapi.VirtualClock
	sent  [][]byte              // the stack's packets since the last look, unless out is set
	out   func(datagram []byte) // receives the packets instead; the slice is valid during the call
}

func newLab(t testing.TB, f *family, change func(*socketapi.Config)) *lab {
	l := &lab{t: t, family: f}
	cfg := socketapi.Config{
		Clock: &l.clock, Rand: rand.NewChaCha8([32]byte{}), Logger: slog.New(slog.DiscardHandler),
		Interfaces: []socketapi.Interface{{Name: "wire", Output: l.output,
			Addrs: []netip.Prefix{netip.PrefixFrom(f.victim.Addr(), f.bits)}, Gateway: f.gateway,
			Autoconf: socketapi.Autoconf{Mode: socketapi.AutoconfOff}}},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := socketapi.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	l.Berkeley = s.Berkeley()
	return l
}

func (l *lab) output(_ time.Duration, datagram []byte) {
	if l.out != nil {
		l.out(datagram)
		return
	}
	l.sent = append(l.sent, slices.Clone(datagram))
}

func (l *lab) inject(datagram []byte) { require.NoError(l.t, l.Inject("wire", datagram)) }

// after advances the time by d.
func (l *lab) after(d time.Duration) { l.Advance(l.Now() + d) }

// listen returns a non-blocking listener at the victim's port.
func (l *lab) listen() int {
	l.t.Helper()
	fd := l.socket(socketapi.SOCK_STREAM)
	require.NoError(l.t, l.Bind(fd, l.victim))
	require.NoError(l.t, l.Listen(fd, 128))
	return fd
}

func (l *lab) socket(typ int) int {
	l.t.Helper()
	fd, err := l.Socket(l.domain, typ|socketapi.SOCK_NONBLOCK, 0)
	require.NoError(l.t, err)
	return fd
}

// accept returns the next connection, which must be there.
func (l *lab) accept(listener int) int {
	l.t.Helper()
	fd, _, err := l.Accept(listener)
	require.NoError(l.t, err)
	_, err = l.Fcntl(fd, socketapi.F_SETFL, socketapi.O_NONBLOCK)
	require.NoError(l.t, err)
	return fd
}

// counter is one of the stack's counters.
func (l *lab) counter(name string) int {
	l.t.Helper()
	for _, c := range l.Counters() {
		if c.Name == name {
			return int(c.Value)
		}
	}
	l.t.Fatalf("no counter %s", name)
	return 0
}

// connections is the number of TCP connections, in any state.
func (l *lab) connections() int {
	n := 0
	for _, s := range l.Sockets() {
		if s.Protocol == "tcp" && s.State != "LISTEN" {
			n++
		}
	}
	return n
}

// info is TCP_INFO.
func (l *lab) info(fd int) socketapi.TCPInfo {
	l.t.Helper()
	var i socketapi.TCPInfo
	_, err := l.GetSockOpt(fd, socketapi.IPPROTO_TCP, socketapi.TCP_INFO, &i)
	require.NoError(l.t, err)
	return i
}

// heap is the memory in use, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC() // the first collection only ages the contents of pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// segment is a datagram with a TCP segment.
func segment(src, dst netip.AddrPort, s tcp.Segment) []byte {
	s.SrcPort, s.DstPort = src.Port(), dst.Port()
	b := make([]byte, s.HeaderLen(), s.HeaderLen()+len(s.Payload))
	s.PutHeader(b)
	b = sum(ip.ProtocolTCP, src.Addr(), dst.Addr(), append(b, s.Payload...), 16)
	return datagram(ip.ProtocolTCP, src.Addr(), dst.Addr(), b)
}

// peer is a TCP peer controlled by the test.
type peer struct {
	l        *lab
	addr     netip.AddrPort
	seq, ack tcp.Seq // the next sequence number to send, and to receive
	wnd      uint16
}

// open opens a connection to the victim's listener by a handshake with these options.
func (l *lab) open(addr netip.AddrPort, o tcp.Options) *peer {
	l.t.Helper()
	p := &peer{l: l, addr: addr, seq: 5000, wnd: 65535}
	p.send(tcp.Segment{Flags: tcp.SYN, Options: o})
	p.seq++
	got := p.heard()
	require.Len(l.t, got, 1)
	require.Equal(l.t, tcp.SYN|tcp.ACK, got[0].Flags)
	p.ack = got[0].Seq + 1
	p.send(tcp.Segment{Flags: tcp.ACK})
	require.Empty(l.t, p.heard())
	return p
}

// send sends s, with the peer's sequence numbers where s has none.
func (p *peer) send(s tcp.Segment) {
	if s.Seq == 0 {
		s.Seq = p.seq
	}
	if s.Ack == 0 && s.Flags.Has(tcp.ACK) {
		s.Ack = p.ack
	}
	if s.Wnd == 0 {
		s.Wnd = p.wnd
	}
	p.l.inject(segment(p.addr, p.l.victim, s))
}

// data sends bytes in order.
func (p *peer) data(bytes string) {
	p.send(tcp.Segment{Flags: tcp.ACK | tcp.PSH, Payload: []byte(bytes)})
	p.seq = p.seq.Add(len(bytes))
}

// heard returns the segments to the peer since the last look, and discards all other packets.
func (p *peer) heard() []tcp.Segment {
	var list []tcp.Segment
	for _, b := range p.l.sent {
		var s tcp.Segment
		if d, ok := p.l.parse(b); ok && d.Protocol == ip.ProtocolTCP && d.Dst == p.addr.Addr() {
			require.NoError(p.l.t, s.Parse(b[d.HeaderLen:]))
			if s.DstPort == p.addr.Port() {
				list = append(list, s)
			}
		}
	}
	p.l.sent = nil
	return list
}
