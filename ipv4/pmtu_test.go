package ipv4

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (l *lab) tooBig(dst netip.Addr, mtu, size uint16) {
	l.UpdatePMTU(l.now, &Error{Type: Unreachable, Code: CodeFragNeeded, MTU: mtu, Quoted: &Header{Src: ownAddr, Dst: dst, TotalLen: size}})
}

func (l *lab) mtuTo(dst netip.Addr) int {
	r, err := l.Route(dst, netip.Addr{})
	require.NoError(l.t, err)
	return r.MTU()
}

func TestPathMTU(t *testing.T) { // IP-021, IP-037, IP-038
	l := newLab(t, Config{MinPMTU: 68})
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

	l.UpdatePMTU(l.now, &Error{Type: Unreachable, Code: CodeHost, MTU: 100, Quoted: &Header{Src: ownAddr, Dst: peerAddr}})
	require.Equal(t, 1500, l.mtuTo(peerAddr), "another error")
}

func TestPathMTUFloor(t *testing.T) { // SEC-010
	l := newLab(t, Config{})
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
	l := newLab(t, Config{MinPMTU: 68})
	for _, tt := range []struct{ size, want int }{{1500, 1492}, {1492, 1006}, {1006, 508}, {508, 296}, {296, 68}, {60, 68}} {
		l.tooBig(peerAddr, 0, uint16(tt.size))
		require.Equal(t, tt.want, l.mtuTo(peerAddr), tt.size)
	}
}

func TestPathMTUAges(t *testing.T) { // IP-040
	l := newLab(t, Config{})
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
	l := newLab(t, Config{})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	dst := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}) }
	for i := range maxPMTUs + 1 {
		l.tooBig(dst(i), 1400, 1500)
		l.now++
	}
	require.Len(t, l.pmtu.entries, maxPMTUs)
	require.Equal(t, 1500, l.mtuTo(dst(0)), "the oldest gave way")
	require.Equal(t, 1400, l.mtuTo(dst(1)))
}

func TestRawSocketsLowerThePathMTU(t *testing.T) { // ICMP-011
	l := newLab(t, Config{})
	e := &Error{Type: Unreachable, Code: CodeFragNeeded, MTU: 1300, Quoted: &Header{Src: ownAddr, Dst: peerAddr, Protocol: 99}}
	l.Advise(l.now, e, pattern(8))
	require.Equal(t, 1500, l.mtuTo(peerAddr), "nobody here sent that")
	defer l.AddTap(99, &tap{})()
	l.Advise(l.now, e, pattern(8))
	require.Equal(t, 1300, l.mtuTo(peerAddr))

	e.Quoted.Protocol, e.MTU = testProtocol, 1200
	l.Advise(l.now, e, pattern(8))
	require.Equal(t, 1300, l.mtuTo(peerAddr), "the transport decides")
	require.Len(t, l.up.advice, 1)
}
