package ipv4

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
)

func (l *lab) tooBig(dst netip.Addr, mtu, size int) {
	l.UpdatePMTU(l.now, &ip.Error{Kind: ip.TooBig, MTU: mtu, Quoted: ip.Datagram{Src: ownAddr, Dst: dst, TotalLen: size}})
}

func (l *lab) mtuTo(dst netip.Addr) int {
	r, err := l.Route(dst, netip.Addr{})
	require.NoError(l.t, err)
	return r.MTU()
}

func TestPathMTU(t *testing.T) { // IP-021, IP-037, IP-038
	l := newLab(t, config{Config: Config{MinPMTU: 68}})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	r, err := l.Route(farAddr, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, 1500, r.MTU(), "the first hop's")
	l.tooBig(farAddr, 1400, 1500)
	require.Equal(t, 1400, r.MTU(), "a Route that is held learns of it")
	require.Equal(t, 1500, r.Interface().MTU())
	l.tooBig(farAddr, 9000, 1500)
	l.tooBig(farAddr, 1450, 1500)
	require.Equal(t, 1400, r.MTU(), "never raised")
	l.tooBig(farAddr, 40, 1500)
	require.Equal(t, 68, r.MTU())
	require.Equal(t, 1500, l.mtuTo(peerAddr), "others are not concerned")

	l.UpdatePMTU(l.now, &ip.Error{Kind: ip.HostUnreachable, MTU: 100, Quoted: ip.Datagram{Src: ownAddr, Dst: peerAddr}})
	require.Equal(t, 1500, l.mtuTo(peerAddr), "another error")
}

func TestPathMTUFloor(t *testing.T) { // SEC-010
	l := newLab(t, config{})
	l.tooBig(peerAddr, 68, 1500)
	require.Equal(t, 552, l.mtuTo(peerAddr))
	out, err := l.send(peerAddr, Header{DF: true}, 532)
	require.NoError(t, err)
	require.False(t, out[0].h.DF, "a path that is really that narrow works, by fragmentation")
	l.tooBig(farAddr, 68, 1500)
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	require.Equal(t, 1500, l.mtuTo(farAddr), "no route, no estimate")
}

func TestFragNeededWithoutMTU(t *testing.T) { // IP-039
	l := newLab(t, config{Config: Config{MinPMTU: 68}})
	for _, tt := range []struct{ size, want int }{{1500, 1492}, {1492, 1006}, {1006, 508}, {508, 296}, {296, 68}, {60, 68}} {
		l.tooBig(peerAddr, 0, tt.size)
		require.Equal(t, tt.want, l.mtuTo(peerAddr), tt.size)
	}
}

func TestPathMTUAges(t *testing.T) { // IP-040
	l := newLab(t, config{})
	l.tooBig(peerAddr, 1400, 1500)
	l.advance(2 * time.Minute)
	l.tooBig(peerAddr, 1200, 1400)
	l.advance(10*time.Minute - 1)
	require.Equal(t, 1200, l.mtuTo(peerAddr), "ten minutes after the last error, not the first")
	l.advance(1)
	require.Equal(t, 1500, l.mtuTo(peerAddr))
	require.Zero(t, l.timers.Len())
}

func TestPathMTUsAreBounded(t *testing.T) { // SEC-015
	l := newLab(t, config{})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	dst := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}) }
	for i := range 4096 + 1 {
		l.tooBig(dst(i), 1400, 1500)
		l.now++
	}
	require.Equal(t, 1500, l.mtuTo(dst(0)), "the oldest gave way")
	require.Equal(t, 1400, l.mtuTo(dst(1)))
	l.tooBig(dst(1), 1300, 1400) // as the newest
	l.tooBig(dst(0), 1400, 1500)
	require.Equal(t, 1500, l.mtuTo(dst(2)))
	require.Equal(t, 1300, l.mtuTo(dst(1)))
	l.advance(10 * time.Minute)
	require.Equal(t, 1500, l.mtuTo(dst(1)))
	require.Zero(t, l.timers.Len())
}

func BenchmarkPathMTUEviction(b *testing.B) {
	l := newLab(&testing.T{}, config{})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	for i := 0; b.Loop(); i++ {
		l.tooBig(netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)}), 1400, 1500)
	}
}

func TestRawSocketsLowerThePathMTU(t *testing.T) { // ICMP-011
	l := newLab(t, config{})
	r, err := l.Route(peerAddr, netip.Addr{})
	require.NoError(t, err)
	require.NoError(t, l.Send(l.now, r, ip.Outgoing{Protocol: 99, DontFragment: true}, packet.From(pattern(1400))))
	e := &ip.Error{Kind: ip.TooBig, MTU: 1300, Quoted: ip.Datagram{Src: ownAddr, Dst: peerAddr, Protocol: 99}}
	l.HandleError(l.now, e, pattern(8))
	require.Equal(t, 1500, l.mtuTo(peerAddr), "no socket sent that datagram")
	defer l.AddTap(99, &tap{})()
	l.HandleError(l.now, e, pattern(8))
	require.Equal(t, 1300, l.mtuTo(peerAddr))

	e.Quoted.Protocol, e.MTU = testProtocol, 1200
	l.HandleError(l.now, e, pattern(8))
	require.Equal(t, 1300, l.mtuTo(peerAddr), "the transport decides")
	require.Len(t, l.up.advice, 1)
}

// An error is believed only about a datagram sent with DF within the last seconds.
func TestForgedFragNeeded(t *testing.T) { // SEC-010
	l := newLab(t, config{})
	believed := func(change func(*ip.Datagram, []byte)) bool {
		h, start := ip.Datagram{Src: ownAddr, Dst: peerAddr, Protocol: testProtocol}, pattern(8)
		change(&h, start)
		return l.ApplyIfSent(l.now, &ip.Error{Kind: ip.TooBig, MTU: 1400, Quoted: h}, start)
	}
	exactly := func(*ip.Datagram, []byte) {}
	_, _ = l.send(peerAddr, Header{}, 1000)
	require.False(t, believed(exactly), "without DF routers make fragments")
	_, _ = l.send(peerAddr, Header{DF: true}, 1000)
	for name, change := range map[string]func(*ip.Datagram, []byte){
		"source":      func(h *ip.Datagram, _ []byte) { h.Src = addr("10.0.0.3") },
		"destination": func(h *ip.Datagram, _ []byte) { h.Dst = farAddr },
		"protocol":    func(h *ip.Datagram, _ []byte) { h.Protocol++ },
		"payload":     func(_ *ip.Datagram, b []byte) { b[7]++ },
	} {
		require.False(t, believed(change), name)
	}
	require.Equal(t, 1500, l.mtuTo(peerAddr))
	require.Equal(t, uint64(5), l.count("ip.icmp.ignored"))
	require.True(t, believed(exactly))
	require.Equal(t, 1400, l.mtuTo(peerAddr))
	l.now += 10*time.Second + time.Millisecond
	require.False(t, believed(exactly), "too late")
}

// ICMP errors quote the first 8 bytes of a datagram as on the wire, in whatever spans they were when it was sent.
func TestFragNeededQuotesTheWire(t *testing.T) { // IP-038
	quoted := []byte{0, 9, 0, 53, 3, 0xf0, 0xab, 0xcd} // ports, length 1008, the checksum that the device computes
	for name, send := range map[string]func(l *lab, r *ip.Route) error{
		"spans": func(l *lab, r *ip.Route) error {
			p := packet.New(0)
			p.Borrow([2][]byte{quoted[:5], append([]byte{quoted[5], 0, 0}, pattern(1000)...)})
			return l.Send(l.now, r, ip.Outgoing{DontFragment: true, Protocol: ip.ProtocolUDP}, p)
		},
		"super-packet": func(l *lab, r *ip.Route) error {
			p := packet.From(append([]byte{0, 9, 0, 53, 0xff, 0xff, 0, 0}, pattern(3000)...))
			p.Offload.Segmentation, p.Offload.Size = packet.SegmentUDP, 1000
			return l.Send(l.now, r, ip.Outgoing{DontFragment: true, Protocol: ip.ProtocolUDP}, p)
		},
		"with its header": func(l *lab, r *ip.Route) error {
			h := Header{DF: true, Datagram: ip.Datagram{Protocol: ip.ProtocolUDP, Src: ownAddr, Dst: peerAddr}}
			return l.SendRaw(l.now, r, packet.From(dgram(h, append(quoted[:8:8], pattern(1000)...))))
		},
	} {
		l := newLab(t, config{})
		r, err := l.Route(peerAddr, netip.Addr{})
		require.NoError(t, err)
		require.NoError(t, send(l, r), name)
		e := &ip.Error{Kind: ip.TooBig, MTU: 1400, Quoted: ip.Datagram{Src: ownAddr, Dst: peerAddr, Protocol: ip.ProtocolUDP}}
		require.True(t, l.ApplyIfSent(l.now, e, quoted), name)
	}
}
