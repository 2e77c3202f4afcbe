package udp

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ip/errqueue"
)

// SOCK-001, SOCK-002, SOCK-004
func TestBind(t *testing.T) {
	h := newHost(t)
	e := h.bound("10.0.0.2:7")
	require.Equal(t, ap("10.0.0.2:7"), e.Local())
	require.Equal(t, syscall.EINVAL, e.Bind(ap("10.0.0.2:8")))
	other := h.udp.NewSocket(ip.V4)
	require.Equal(t, ap("0.0.0.0:0"), other.Local())
	require.Equal(t, syscall.EADDRINUSE, other.Bind(ap("0.0.0.0:7")))
	require.Equal(t, syscall.EADDRNOTAVAIL, other.Bind(ap("10.0.0.9:8")))
	require.Equal(t, syscall.EAFNOSUPPORT, other.Bind(ap("[::]:8")))
	require.NoError(t, other.Bind(netip.AddrPort{}))
	require.Equal(t, netip.IPv4Unspecified(), other.Local().Addr())
	require.GreaterOrEqual(t, other.Local().Port(), uint16(49152))

	require.NoError(t, e.Close())
	require.Equal(t, syscall.EBADF, e.Close())
	h.bound("0.0.0.0:7")
}

// SOCK-013, SOCK-045: connect sends nothing, names both ends, and can be undone.
func TestConnect(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	_, connected := e.Remote()
	require.False(t, connected)
	require.NoError(t, e.Connect(ap("10.0.0.1:1000")))
	require.Empty(t, h.wire.Sent)
	remote, connected := e.Remote()
	require.True(t, connected)
	require.Equal(t, ap("10.0.0.1:1000"), remote)
	require.Equal(t, ap("10.0.0.2:7"), e.Local())
	require.Equal(t, []Status{{Local: ap("10.0.0.2:7"), Remote: ap("10.0.0.1:1000")}}, h.udp.Sockets())

	_, err := e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
	require.NoError(t, err)
	_, udp := h.last()
	require.EqualValues(t, 1000, udp.DstPort)
	_, err = e.Send([]byte("x"), ap("10.0.0.1:1001"), netip.Addr{})
	require.NoError(t, err)
	_, udp = h.last()
	require.EqualValues(t, 1001, udp.DstPort)
	_, err = e.Send([]byte("x"), netip.AddrPort{}, addr("10.0.0.3"))
	require.NoError(t, err)
	ip, udp := h.last()
	require.EqualValues(t, 1000, udp.DstPort)
	require.Equal(t, "10.0.0.3", ip.SrcIP.String())

	require.NoError(t, e.Connect(netip.AddrPort{}))
	require.Equal(t, ap("0.0.0.0:7"), e.Local())
	h.receive("10.0.0.9:1", "10.0.0.3:7", "anyone")
	e.reads(t, "anyone")
	_, err = e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
	require.Equal(t, syscall.EDESTADDRREQ, err)
	require.Equal(t, syscall.ENETUNREACH, e.Connect(ap("192.0.2.1:7")))
}

// SOCK-013: a port that connect chose goes with the connection.
func TestDisconnectFreesEphemeral(t *testing.T) {
	h := newHost(t)
	e := h.udp.NewSocket(ip.V4)
	require.NoError(t, e.Connect(ap("10.0.0.1:7")))
	port := e.Local().Port()
	require.NotZero(t, port)
	require.NoError(t, e.Connect(netip.AddrPort{}))
	require.Equal(t, ap("0.0.0.0:0"), e.Local())
	require.Empty(t, h.udp.Sockets())
	h.bound(netip.AddrPortFrom(addr("0.0.0.0"), port).String())
	require.NoError(t, e.Bind(ap("10.0.0.2:7")))
}

// SOCK-014, SOCK-024, SOCK-048, SOCK-050
func TestShutdown(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	require.Equal(t, poll.Out, e.Ready())
	w := poll.NewWaiter()
	e.Waiters().Add(w, poll.In)
	h.receive("10.0.0.1:1000", "10.0.0.2:7", "x")
	<-w.C
	require.Equal(t, poll.In|poll.Out, e.Ready())

	require.Equal(t, syscall.ENOTCONN, e.Shutdown(true, false))
	<-w.C
	require.Equal(t, poll.In|poll.Out|poll.RdHup, e.Ready())
	e.reads(t, "x")
	for range 2 {
		e.reads(t, "")
	}
	require.NoError(t, e.Connect(ap("10.0.0.1:1000")))
	require.NoError(t, e.Shutdown(false, true))
	require.NotZero(t, e.Ready()&poll.Hup)
	_, err := e.Send(nil, netip.AddrPort{}, netip.Addr{})
	require.Equal(t, syscall.EPIPE, err)
}

// SOCK-029: Close wakes the waiters, and neither packets nor calls reach the socket afterwards.
func TestClose(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	h.receive("10.0.0.1:1000", "10.0.0.2:7", "unread")
	w := poll.NewWaiter()
	e.Waiters().Add(w, 0)
	require.NoError(t, e.Close())
	<-w.C
	e.fails(t, syscall.EBADF)
	_, err := e.Send(nil, ap("10.0.0.1:7"), netip.Addr{})
	require.Equal(t, syscall.EBADF, err)
	require.Equal(t, syscall.EBADF, e.Connect(ap("10.0.0.1:7")))
	require.Equal(t, syscall.EBADF, e.Bind(ap("0.0.0.0:8")))
	h.receive("10.0.0.1:1000", "10.0.0.2:7", "late")
	require.Len(t, h.reports, 1)

	unbound := h.udp.NewSocket(ip.V4)
	require.NoError(t, unbound.Close())
	_, err = unbound.Send(nil, ap("10.0.0.1:7"), netip.Addr{})
	require.Equal(t, syscall.EBADF, err)
	require.Empty(t, h.udp.Sockets())
}

// advise is an ICMP error about a datagram from the host to 10.0.0.1.
func (h *host) advise(typ, code uint8, from, to string) {
	src, dst := ap(from), ap(to)
	q := make([]byte, HeaderLen)
	(&Header{SrcPort: src.Port(), DstPort: dst.Port(), Length: 8}).Put(q)
	e := icmp.ErrorOf(typ, code)
	e.From, e.Quoted = dst.Addr(), ip.Datagram{Protocol: ip.ProtocolUDP, Src: src.Addr(), Dst: dst.Addr(), TotalLen: 1500}
	if e.Kind == ip.TooBig {
		e.MTU = 1000
	}
	h.udp.HandleError(0, &e, append(q, "quoted"...))
}

// UDP-007, SOCK-034: a connected socket sees the hard errors, with Linux's numbers, once. The soft ones it sees with IP_RECVERR.
func TestErrorConnected(t *testing.T) {
	tests := []struct {
		name      string
		typ, code uint8
		want      error
		hard      bool
	}{
		{"port", icmp.Unreachable, icmp.CodePort, syscall.ECONNREFUSED, true},
		{"net", icmp.Unreachable, icmp.CodeNet, syscall.ENETUNREACH, false},
		{"host", icmp.Unreachable, icmp.CodeHost, syscall.EHOSTUNREACH, false},
		{"protocol", icmp.Unreachable, icmp.CodeProtocol, syscall.ENOPROTOOPT, true},
		{"source route", icmp.Unreachable, icmp.CodeSourceRouteFailed, syscall.EOPNOTSUPP, false},
		{"prohibited", icmp.Unreachable, icmp.CodeAdminProhibited, syscall.EHOSTUNREACH, true},
		{"unknown code", icmp.Unreachable, 200, syscall.EHOSTUNREACH, false},
		{"TTL", icmp.TimeExceeded, icmp.CodeTTL, syscall.EHOSTUNREACH, false},
		{"parameter", icmp.ParameterProblem, 0, syscall.EPROTO, true},
		{"source quench", icmp.SourceQuench, 0, nil, false},
		{"fragmentation needed, no DF asked for", icmp.Unreachable, icmp.CodeFragNeeded, nil, false},
	}
	for _, tt := range tests {
		for _, asking := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, asking), func(t *testing.T) {
				h := newHost(t)
				e := h.bound("0.0.0.0:7", func(o *Options) { o.RecvErr = asking })
				require.NoError(t, e.Connect(ap("10.0.0.1:1000")))
				h.advise(tt.typ, tt.code, "10.0.0.2:7", "10.0.0.1:1000")
				if tt.want == nil || !tt.hard && !asking {
					e.fails(t, syscall.EAGAIN)
					return
				}
				require.NotZero(t, e.Ready()&poll.Err) // SOCK-049
				e.fails(t, tt.want)
				e.fails(t, syscall.EAGAIN)

				h.advise(tt.typ, tt.code, "10.0.0.2:7", "10.0.0.1:1000")
				_, err := e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
				require.Equal(t, tt.want, err)
				_, err = e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
				require.NoError(t, err)

				h.advise(tt.typ, tt.code, "10.0.0.2:7", "10.0.0.1:1000")
				require.Equal(t, tt.want, e.TakeError())
				require.NoError(t, e.TakeError())
			})
		}
	}
}

// SOCK-070: IP_RECVERR keeps each error with the quoted datagram. The pending error is that of the next entry.
func TestErrorQueue(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7", func(o *Options) { o.RecvErr, o.Discover = true, ip.DiscoverDo })
	_, err := e.Send(nil, ap("10.0.0.1:1000"), netip.Addr{})
	require.NoError(t, err)
	h.advise(icmp.Unreachable, icmp.CodeFragNeeded, "10.0.0.2:7", "10.0.0.1:1000")
	h.advise(icmp.TimeExceeded, icmp.CodeTTL, "10.0.0.2:7", "10.0.0.9:53")
	e.fails(t, syscall.EHOSTUNREACH)
	require.NotZero(t, e.Ready()&poll.Err, "the queue is not empty")

	first, err := e.RecvError()
	require.NoError(t, err)
	require.Equal(t, errqueue.Error{Errno: syscall.EMSGSIZE, Origin: errqueue.ICMP, Type: 3, Code: 4, Info: 1000,
		Offender: addr("10.0.0.1"), To: ap("10.0.0.1:1000"), Payload: []byte("quoted")}, first)
	require.Equal(t, syscall.EHOSTUNREACH, e.TakeError(), "of the second entry")
	second, err := e.RecvError()
	require.NoError(t, err)
	require.Equal(t, ap("10.0.0.9:53"), second.To)
	_, err = e.RecvError()
	require.Equal(t, syscall.EAGAIN, err)
	require.Zero(t, e.Ready()&poll.Err)

	_, err = e.Send(make([]byte, 3000), ap("10.0.0.9:53"), netip.Addr{})
	require.Equal(t, syscall.EMSGSIZE, err)
	local, err := e.RecvError()
	require.NoError(t, err)
	require.Equal(t, errqueue.Error{Errno: syscall.EMSGSIZE, Origin: errqueue.Local, Info: 1500, To: ap("10.0.0.9:53")}, local)

	h.advise(icmp.Unreachable, icmp.CodePort, "10.0.0.2:7", "10.0.0.1:1000")
	e.SetOptions(func(o *Options) { o.RecvErr = false })
	_, err = e.RecvError()
	require.Equal(t, syscall.EAGAIN, err, "turning IP_RECVERR off empties the queue")
	require.Equal(t, syscall.ECONNREFUSED, e.TakeError(), "but not the pending error")
}

// UDP-007, ICMP-011: an error reaches the socket that sent, and one without a peer only if it asks.
func TestErrorRightSocket(t *testing.T) {
	h := newHost(t)
	connected, plain := h.bound("0.0.0.0:7"), h.bound("0.0.0.0:8")
	asking := h.bound("0.0.0.0:9", func(o *Options) { o.RecvErr = true })
	require.NoError(t, connected.Connect(ap("10.0.0.1:1000")))
	h.advise(icmp.Unreachable, icmp.CodePort, "10.0.0.2:7", "10.0.0.1:1001")
	h.advise(icmp.Unreachable, icmp.CodePort, "10.0.0.2:10", "10.0.0.1:1000")
	require.EqualValues(t, 2, h.udp.stats.DropUnknown.Value())
	h.advise(icmp.Unreachable, icmp.CodePort, "10.0.0.2:8", "10.0.0.1:1000")
	h.advise(icmp.Unreachable, icmp.CodePort, "10.0.0.2:9", "10.0.0.1:1000")
	require.NoError(t, connected.TakeError())
	require.NoError(t, plain.TakeError())
	require.Equal(t, syscall.ECONNREFUSED, asking.TakeError())
}

// UDP-016: Fragmentation Needed lowers the path MTU, and a socket that sets DF gets the error.
func TestErrorFragmentationNeeded(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7", func(o *Options) { o.Discover = ip.DiscoverDo })
	require.NoError(t, e.Connect(ap("10.0.0.1:1000")))
	h.advise(icmp.Unreachable, icmp.CodeFragNeeded, "10.0.0.2:7", "10.0.0.1:1000")
	require.NoError(t, e.TakeError(), "nothing was sent")
	_, err := e.Send(nil, netip.AddrPort{}, netip.Addr{})
	require.NoError(t, err)
	h.wire.Sent = nil
	h.advise(icmp.Unreachable, icmp.CodeFragNeeded, "10.0.0.2:7", "10.0.0.1:1000")
	require.Equal(t, syscall.EMSGSIZE, e.TakeError())
	mtu, err := e.PathMTU()
	require.NoError(t, err)
	require.Equal(t, 1000, mtu)
	_, err = e.Send(make([]byte, 1000), netip.AddrPort{}, netip.Addr{})
	require.Equal(t, syscall.EMSGSIZE, err)

	other := h.bound("0.0.0.0:8")
	_, err = other.Send(make([]byte, 1000), ap("10.0.0.1:1000"), netip.Addr{})
	require.NoError(t, err, "without DF it goes in fragments")
	require.Len(t, h.wire.Sent, 2)
}

func TestStats(t *testing.T) {
	h := newHost(t)
	h.receive("10.0.0.1:1000", "10.0.0.2:7", "x")
	for _, v := range stats.Read(h.udp.Stats()) {
		require.Equal(t, v.Name == "udp.drop.no_port", v.Value == 1, v.Name)
	}
}

// Two stacks in one process are independent.
func TestTwoStacks(t *testing.T) {
	a, b := newHost(t), newHost(t)
	ea, eb := a.bound("0.0.0.0:7"), b.bound("0.0.0.0:7")
	a.receive("10.0.0.1:1000", "10.0.0.2:7", "x")
	ea.reads(t, "x")
	eb.fails(t, syscall.EAGAIN)
}

// back is a loopback link: sent packets wait until the test delivers them.
type back struct{ waiting []*packet.Buffer }

func (b *back) Output(_ time.Duration, p *packet.Buffer, _ netip.Addr) error {
	b.waiting = append(b.waiting, p.Own())
	return nil
}

func (b *back) MTU() int                  { return 65535 }
func (b *back) Features() packet.Features { return packet.Features{Checksum: true} }

// UDP-010: a datagram to an address of the stack has that address as its source, and no checksum is computed for it.
func TestLoopback(t *testing.T) {
	h := newHost(t)
	var link back
	lo, err := h.ip.AddLoopback("lo", &link)
	require.NoError(t, err)
	server, client := h.bound("0.0.0.0:7"), h.udp.NewSocket(ip.V4)
	for _, to := range []string{"127.0.0.1:7", "10.0.0.3:7"} {
		require.NoError(t, client.Connect(netip.AddrPort{})) // else it would keep its first address
		require.NoError(t, client.Connect(ap(to)))
		payload := strings.Repeat("x", maxPayload)
		_, err = client.Send([]byte(payload), netip.AddrPort{}, netip.Addr{})
		require.NoError(t, err)
		require.Len(t, link.waiting, 1)
		require.Equal(t, packet.ChecksumPartial, link.waiting[0].Offload.Checksum)
		lo.Input(0, link.waiting[0])
		link.waiting = nil
		d := server.reads(t, payload)
		require.Equal(t, Datagram{From: client.Local(), To: ap(to), Interface: "lo", TTL: 64, Size: maxPayload}, d)
		require.Equal(t, ap(to).Addr(), client.Local().Addr())
	}
}
