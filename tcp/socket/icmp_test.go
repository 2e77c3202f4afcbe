package socket

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/tcp"
)

func TestErrorsWhileConnecting(t *testing.T) { // TCP-119, TCP-123, SEC-008, SOCK-010
	for code, want := range map[uint8]syscall.Errno{
		icmp.CodeNet: syscall.ENETUNREACH, icmp.CodeHost: syscall.EHOSTUNREACH, icmp.CodePort: syscall.ECONNREFUSED,
		icmp.CodeProtocol: syscall.ENOPROTOOPT, icmp.CodeAdminProhibited: syscall.EHOSTUNREACH,
	} {
		l := newLab(t)
		so, other := l.NewSocket(ip.V4), l.NewSocket(ip.V4)
		_, _ = so.Connect(there), other.Connect(there)
		syn := l.take()[0]
		forged := syn
		forged.Seq++
		l.recvError(icmp.Unreachable, code, 0, forged)
		forged.Seq -= 2
		l.recvError(icmp.Unreachable, code, 0, forged)
		require.Equal(t, syscall.EALREADY, so.Connect(there), "no segment of ours")
		l.recvError(icmp.Unreachable, code, 0, syn)
		require.Equal(t, want, so.TakeError())
		require.Equal(t, syscall.EALREADY, other.Connect(there), "only the connection that is meant")
	}
}

// SOCK-070: an attempt to connect queues the error with the SYN that it quotes, also without IP_RECVERR, as on Linux.
func TestErrorQueueWhileConnecting(t *testing.T) {
	l := newLab(t)
	so := l.NewSocket(ip.V4)
	_ = so.Connect(there)
	syn := l.one()
	l.recvError(icmp.Unreachable, icmp.CodeHost, 0, syn)
	require.Equal(t, syscall.EHOSTUNREACH, so.TakeError())
	require.NotZero(t, so.Ready()&poll.Err, "the queue is not empty")
	q, err := so.RecvError()
	require.NoError(t, err)
	require.Equal(t, syscall.EHOSTUNREACH, q.Errno)
	require.Equal(t, there, q.To)
	require.Equal(t, there.Addr(), q.Offender)
	require.Equal(t, uint32(syn.Seq), binary.BigEndian.Uint32(q.Payload[4:]))
	_, err = so.RecvError()
	require.Equal(t, syscall.EAGAIN, err)
	require.Zero(t, so.Ready()&poll.Err)
}

func TestErrorsOnAConnection(t *testing.T) { // TCP-104, TCP-120, TCP-121, TCP-122, SEC-009
	l := newLab(t)
	p := l.active()
	p.so.writes(t, "data")
	sent, before := l.one(), p.so.Info()
	for _, e := range [][2]uint8{
		{icmp.SourceQuench, 0}, {icmp.Redirect, 0}, {icmp.ParameterProblem, 0}, {icmp.TimeExceeded, icmp.CodeTTL},
		{icmp.TimeExceeded, icmp.CodeReassembly}, {icmp.Unreachable, icmp.CodeNet}, {icmp.Unreachable, icmp.CodeHost},
		{icmp.Unreachable, icmp.CodeProtocol}, {icmp.Unreachable, icmp.CodePort}, {icmp.Unreachable, icmp.CodeSourceRouteFailed},
	} {
		l.recvError(e[0], e[1], 0, sent)
		require.NoError(t, p.so.TakeError(), "%v", e)
	}
	after := p.so.Info()
	require.Equal(t, before.SndCwnd, after.SndCwnd)
	require.Equal(t, tcp.Established, after.State)
	l.after(time.Hour)
	require.Equal(t, syscall.EOPNOTSUPP, p.so.TakeError(), "the last one tells why the peer was silent")
	l.recvError(icmp.Unreachable, icmp.CodeHost, 0, sent) // of a connection that is no more
}

// TCP-052, TCP-105: with IP_RECVERR a user learns of soft errors at once, and of data that stays unacknowledged for long.
func TestRecvErr(t *testing.T) {
	l := newLab(t)
	p := l.active()
	p.so.SetIP(func(o *ip.SocketOptions) { o.RecvErr = true })
	require.True(t, p.so.IP().RecvErr)
	p.so.writes(t, "data")
	sent := l.one()
	l.recvError(icmp.Unreachable, icmp.CodeHost, 0, sent)
	require.NotZero(t, p.so.Ready()&poll.Err)
	require.Equal(t, syscall.EHOSTUNREACH, p.so.TakeError())
	require.NoError(t, p.so.TakeError())
	l.after(5 * time.Second) // R1: the third retransmission
	require.Equal(t, syscall.ETIMEDOUT, p.so.TakeError())
	require.Equal(t, tcp.Established, p.so.Info().State)

	l.take()
	p = l.active()
	p.so.writes(t, "data")
	l.after(5 * time.Second)
	require.NoError(t, p.so.TakeError(), "without IP_RECVERR")
}

func TestPathMTU(t *testing.T) { // TCP-035, SEC-008, SEC-010
	l := newLab(t)
	p := l.active()
	p.so.writes(t, string(make([]byte, 1460)))
	sent := l.one()
	require.True(t, sent.ip.DF)
	forged := sent
	forged.Seq -= 1000
	l.recvError(icmp.Unreachable, icmp.CodeFragNeeded, 1000, forged)
	l.silent("no segment that is in flight")
	l.recvError(icmp.Unreachable, icmp.CodeFragNeeded, 1000, sent)
	require.Equal(t, 960, p.so.MSS())
	again := l.take()
	require.NotEmpty(t, again, "at once")
	require.Equal(t, sent.Seq, again[0].Seq)
	require.Len(t, again[0].Payload, 960)

	l.recvError(icmp.Unreachable, icmp.CodeFragNeeded, 68, again[0])
	require.Equal(t, 552-40, p.so.MSS(), "no less than the floor")
	l.take()
	other := l.active()
	require.Equal(t, 552-40, other.so.MSS(), "the path is everybody's")
}

// Errors that a neighbour's silence raises here need not quote what is in flight, and one that comes while the endpoint is
// locked is as good as lost.
func TestErrorsOfOurOwn(t *testing.T) {
	l := newLab(t)
	p := l.connect()
	h := ipv4.Header{Datagram: ip.Datagram{Src: p.to.Addr(), Dst: p.at.Addr()}}
	e := ip.Error{Kind: ip.HostUnreachable, Errno: syscall.EHOSTUNREACH, Quoted: h.Datagram, Local: true}
	quoted := []byte{byte(p.to.Port() >> 8), byte(p.to.Port()), byte(p.at.Port() >> 8), byte(p.at.Port()), 0, 0, 0, 0}
	p.so.mu.Lock()
	l.HandleError(0, &e, quoted)
	p.so.mu.Unlock()
	require.NoError(t, p.so.TakeError())
	l.HandleError(0, &e, quoted)
	require.Equal(t, syscall.EHOSTUNREACH, p.so.TakeError())
}

// A path that is lost for a while costs segments, and not the connection.
func TestLostPath(t *testing.T) {
	l := newLab(t)
	p := l.active()
	net := ip.RouteEntry{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Interface: "tun0"}
	require.NoError(t, l.ip.DelRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("0.0.0.0/0")}))
	require.NoError(t, l.ip.DelRoute(net))
	p.so.writes(t, "data")
	l.silent()
	require.Equal(t, 1460, p.so.MSS())
	require.NoError(t, l.ip.AddRoute(net))
	l.after(2 * time.Second)
	require.Equal(t, "data", string(l.take()[0].Payload))
}
