package socket

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/tcp"
)

// lsrr is a loose source route with its pointer at one of its addresses or past the last.
func lsrr(pointer byte, addrs ...string) []byte {
	b := []byte{131, byte(3 + 4*len(addrs)), pointer}
	for _, a := range addrs {
		b = append(b, netip.MustParseAddr(a).AsSlice()...)
	}
	return b
}

func (so *Socket) setIPOptions(b []byte) { so.SetIP(func(o *ip.SocketOptions) { o.IPOptions = b }) }

// via is the next hop of a segment that was sent.
func via(f frame) string { return f.ip.Dst.String() }

func TestTOSAndTTL(t *testing.T) { // TCP-106, TCP-107, TCP-108, TCP-110
	l := newLab(t)
	p := l.active()
	for _, v := range []uint8{0x28, 0xb8, 0} {
		p.so.SetIP(func(o *ip.SocketOptions) { o.TOS, o.TTL = v|ecnCE, v })
		require.Equal(t, v, p.so.IP().TOS, "the ECN field is TCP's own")
		require.Equal(t, v, p.so.IP().TTL)
		p.so.writes(t, "data")
		f := p.acks()[0]
		require.Equal(t, v, f.ip.TOS)
		if v != 0 {
			require.Equal(t, v, f.ip.TTL)
		}
	}
}

func TestChosenSourceRoute(t *testing.T) { // TCP-115, TCP-116
	l := newLab(t)
	so := l.NewSocket(ip.V4)
	route := lsrr(4, "10.0.0.7", "10.0.0.8")
	so.setIPOptions(route)
	require.Equal(t, route, so.IP().IPOptions)
	_ = so.Connect(there)
	syn := l.one()
	require.Equal(t, "10.0.0.7", via(syn))
	p := &peer{l: l, so: so, at: there, to: so.Local(), seq: 5000, ack: syn.Seq + 1}
	p.sends(tcp.SYN|tcp.ACK, "", lsrr(8, "10.0.0.5")...)
	require.Equal(t, "10.0.0.7", via(l.one()))
	p.sends(tcp.ACK, "data", lsrr(8, "10.0.0.5")...)
	require.Equal(t, route, so.IP().IPOptions, "the choice of the application stays")
	require.Equal(t, 1460-12, so.MSS())
	so.setIPOptions(nil)
	require.Equal(t, 1460, so.MSS(), "without options there is more room")
	so.writes(t, "direct")
	f := l.take()
	require.Equal(t, there.Addr().String(), via(f[len(f)-1]))
}

func TestSourceRouteOfThePeer(t *testing.T) { // TCP-117, TCP-118
	l := newLab(t)
	listener := l.listen(here, 1)
	p := &peer{l: l, at: there, to: here, seq: 5000}
	p.sends(tcp.SYN, "", lsrr(12, "10.0.0.8", "10.0.0.9")...)
	synAck := l.one()
	require.Equal(t, "10.0.0.9", via(synAck))
	p.ack = synAck.Seq + 1
	p.accept(listener)
	p.so.writes(t, "back the same way")
	require.Equal(t, "10.0.0.9", via(p.acks()[0]))

	p.sends(tcp.ACK, "another way", lsrr(8, "10.0.0.5")...)
	require.Equal(t, "10.0.0.5", via(l.one()))
	require.Equal(t, 1460-8, p.so.MSS())
	p.sends(tcp.ACK, "no way told", 148, 4, 0, 0) // Router Alert
	l.after(time.Second)
	require.Equal(t, "10.0.0.5", via(l.one()))

	forged := *p
	forged.seq += 1 << 20
	forged.sends(tcp.ACK, "of an attacker who guesses", lsrr(8, "10.0.0.66")...)
	require.Equal(t, "10.0.0.5", via(l.one()), "a challenge to the true peer")
}

// A source route that came while the socket was locked counts as well.
func TestSourceRouteInTheBacklog(t *testing.T) { // TCP-118
	l := newLab(t)
	p := l.active()
	p.so.mu.Lock()
	p.sends(tcp.ACK, "data", lsrr(8, "10.0.0.5")...)
	p.so.mu.Unlock()
	p.so.reads(t, "data")
	require.Equal(t, "10.0.0.5", via(l.one()))
}

// The listener's own route is that of its connections, and none of them changes another's.
func TestSourceRouteOfAListener(t *testing.T) { // TCP-116
	l := newLab(t)
	listener := l.listen(here, 4)
	listener.setIPOptions(lsrr(4, "10.0.0.7"))
	p, q := l.dial(client(0)), l.dial(client(1))
	p.accept(listener)
	q.accept(listener)
	p.sends(tcp.ACK, "data", lsrr(8, "10.0.0.5")...)
	l.take()
	q.so.writes(t, "data")
	require.Equal(t, "10.0.0.7", via(l.one()))
	require.Equal(t, lsrr(4, "10.0.0.7"), p.so.IP().IPOptions)
}

// ECN as the stack is configured, and its marks in the IP header.
func TestECN(t *testing.T) { // TCP-049, TCP-196, TCP-197, TCP-199
	l := newLab(t, func(c *Config) { c.ECN = tcp.ECNRequest })
	so := l.NewSocket(ip.V4)
	_ = so.Connect(there)
	syn := l.one()
	require.Equal(t, tcp.SYN|tcp.ECE|tcp.CWR, syn.Flags)
	require.Zero(t, syn.ip.TOS, "a SYN is never marked as capable")
	p := &peer{l: l, so: so, at: there, to: so.Local(), seq: 5000, ack: syn.Seq + 1}
	p.sends(tcp.SYN|tcp.ACK|tcp.ECE, "")
	require.Zero(t, l.one().ip.TOS, "nor is an ACK")
	so.SetIP(func(o *ip.SocketOptions) { o.TOS = 0x28 })
	so.writes(t, "data")
	require.EqualValues(t, 0x28|ecnECT0, p.acks()[0].ip.TOS)

	s := p.segment(tcp.ACK, "congested")
	s.CE = true
	l.recv(p.at, p.to, s)
	require.True(t, l.one().Flags.Has(tcp.ECE))
	so.writes(t, "lost")
	l.take()
	l.after(300 * time.Millisecond)
	for _, f := range l.take() {
		require.EqualValues(t, 0x28, f.ip.TOS, "a retransmission is not ECN-capable")
	}
}

// A device that takes super-packets gets them, as large as it takes.
func TestSuperSegments(t *testing.T) {
	l := newLabOn(t, packet.Features{Checksum: true, TSO: 20000})
	p := l.active()
	p.so.writes(t, string(make([]byte, 100_000)))
	sizes := []int{}
	for len(sizes) < 6 {
		for _, f := range p.acks() {
			sizes = append(sizes, len(f.Payload))
			require.LessOrEqual(t, int(f.ip.TotalLen), 20000)
			if len(f.Payload) > 1460 {
				require.EqualValues(t, 1460, f.offload.Size)
			}
		}
	}
	require.Contains(t, sizes, 13*1460)
}
