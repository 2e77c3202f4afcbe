package socketapi

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/ip"
	"tunstack/tcp"
)

// iss is the initial sequence number, and the first timestamp, of a connection from a local port to 10.0.0.1:9.
func (w *wire) iss(port uint16) (tcp.Seq, uint32) {
	fd := w.bound(SOCK_STREAM|SOCK_NONBLOCK, netip.AddrPortFrom(addrB, port).String())
	require.Equal(w.t, syscall.EINPROGRESS, w.Connect(fd, ap("10.0.0.1:9")))
	syn := w.one()
	w.recv(tcp.Segment{SrcPort: 9, DstPort: port, Flags: tcp.RST | tcp.ACK, Ack: syn.Seq + 1})
	require.NoError(w.t, w.Close(fd))
	return syn.Seq, syn.Options.TSVal
}

func TestInitialSequenceNumbers(t *testing.T) { // TCP-016, TCP-017, TCP-018, SEC-005
	w := newWire(t)
	first, stamp := w.iss(2000)
	w.after(time.Second)
	second, later := w.iss(2000)
	require.Equal(t, 250000, second.Sub(first), "a tick each 4 microseconds")
	require.Equal(t, uint32(1000), later-stamp)

	var steps [2]int
	sequences, stamps := map[tcp.Seq]bool{}, map[uint32]bool{}
	last := second
	for port := range uint16(200) {
		iss, stamp := w.iss(3000 + port)
		sequences[iss], stamps[stamp] = true, true
		if last.Less(iss) {
			steps[0]++
		} else {
			steps[1]++
		}
		last = iss
	}
	require.Len(t, sequences, 200)
	require.Len(t, stamps, 200, "nor do timestamps tell of each other")
	require.InDelta(t, steps[0], steps[1], 60, "the next port's cannot be guessed")

	other, _ := newWire(t).iss(2000)
	require.NotEqual(t, first, other, "each start has its own key")
}

func TestTOSAndTTLOfSegments(t *testing.T) { // TCP-106, TCP-107, TCP-108, TCP-110, SOCK-043
	w := newWire(t)
	p := w.connected()
	for _, v := range []int{0x28, 0xb8, 0} {
		w.set(p.fd, IPPROTO_IP, IP_TOS, v)
		w.set(p.fd, IPPROTO_IP, IP_TTL, v+1)
		w.send(p.fd, "data")
		for _, f := range p.acks() {
			require.EqualValues(t, v, f.ip.TOS)
			require.EqualValues(t, v+1, f.ip.TTL)
		}
	}
}

func TestSourceOfConnections(t *testing.T) { // TCP-092, TCP-093, TCP-094
	second := netip.MustParseAddr("10.0.0.3")
	w := newWire(t, func(c *Config) {
		c.Interfaces[0].Addrs = append(c.Interfaces[0].Addrs, netip.PrefixFrom(second, 24))
	})
	p := w.connected()
	require.Equal(t, netip.AddrPortFrom(addrB, p.dst), w.name(p.fd))
	require.NoError(t, w.DelRoute(Route{Prefix: netip.MustParsePrefix("10.0.0.0/24")}))
	require.NoError(t, w.AddRoute(Route{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Interface: "link0", Source: second}))
	w.send(p.fd, "data")
	require.Equal(t, addrB, w.one().ip.Src, "a connection keeps its address")

	_, syn := w.dial("10.0.0.1:9")
	require.Equal(t, second, syn.ip.Src, "the stack chooses")
	fd := w.bound(SOCK_STREAM|SOCK_NONBLOCK, "10.0.0.2:0")
	require.Equal(t, syscall.EINPROGRESS, w.Connect(fd, ap("10.0.0.1:9")))
	require.Equal(t, addrB, w.one().ip.Src, "the application chooses")
}

func TestConnectToMany(t *testing.T) { // TCP-095
	w := newWire(t)
	for _, to := range []string{"255.255.255.255:9", "10.0.0.255:9", "224.0.0.1:9"} {
		require.Equal(t, syscall.ENETUNREACH, w.Connect(w.socket(SOCK_STREAM, 0), ap(to)), to)
	}
	w.silent()
}

func TestListenersAndConnectionsSharePorts(t *testing.T) { // TCP-090, TCP-091
	w := newWire(t)
	fd := w.listen("0.0.0.0:7")
	half := func(port uint16) tcp.Seq {
		w.recv(tcp.Segment{SrcPort: port, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000})
		syn := w.one()
		require.Equal(t, tcp.SYN|tcp.ACK, syn.Flags)
		return syn.Seq + 1
	}
	finish := func(port uint16, ack tcp.Seq) int {
		w.recv(tcp.Segment{SrcPort: port, DstPort: 7, Flags: tcp.ACK, Seq: 6, Ack: ack, Wnd: 1000})
		server, _, err := w.Accept(fd)
		require.NoError(t, err)
		return server
	}
	first, second := half(1000), half(1001)
	server := finish(1001, second)
	finish(1000, first)

	other := w.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	w.set(other, SOL_SOCKET, SO_REUSEADDR, 1)
	err := w.Bind(other, ap("0.0.0.0:7"))
	if err == nil {
		err = w.Listen(other, 1)
	}
	require.Equal(t, syscall.EADDRINUSE, err)
	w.recv(tcp.Segment{SrcPort: 1001, DstPort: 7, Flags: tcp.ACK, Seq: 6, Ack: second, Wnd: 1000, Payload: []byte("alive")})
	w.receives(server, "alive")
}

func TestOddSYNs(t *testing.T) { // TCP-112, TCP-124, TCP-125, SEC-016
	w := newWire(t)
	w.listen("0.0.0.0:7")
	in := func(src, dst string, options []byte) {
		from, to := netip.MustParseAddr(src), netip.MustParseAddr(dst)
		syn := segment(from, to, tcp.Segment{SrcPort: 7, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000})
		w.inject(ipPacket(from, to, ip.ProtocolTCP, options, syn))
	}
	for _, src := range []string{"0.0.0.0", "127.0.0.1", "10.0.0.2", "10.0.0.255", "224.0.0.1", "240.0.0.1", "255.255.255.255"} {
		in(src, "10.0.0.2", nil)
		w.silent(src)
	}
	for _, dst := range []string{"10.0.0.255", "255.255.255.255", "224.0.0.1"} {
		in("10.0.0.1", dst, nil)
		w.silent(dst)
	}
	in("10.0.0.1", "10.0.0.2", []byte{30, 4, 1, 2})
	require.Equal(t, tcp.SYN|tcp.ACK, w.one().Flags)
}

func TestErrorsInTheHandshake(t *testing.T) { // TCP-119, TCP-123, SEC-008
	w := newWire(t)
	fd, syn := w.dial("10.0.0.1:9")
	other, _ := w.dial("10.0.0.1:9")
	forged := syn
	forged.Seq += 1000
	w.recvError(icmp.Unreachable, icmp.CodePort, 0, forged)
	require.Equal(t, syscall.EALREADY, w.Connect(fd, ap("10.0.0.1:9")), "not a segment of ours")
	w.recvError(icmp.Unreachable, icmp.CodePort, 0, syn)
	require.Equal(t, syscall.ECONNREFUSED, w.soError(fd))
	require.Equal(t, syscall.EALREADY, w.Connect(other, ap("10.0.0.1:9")))
}

func TestErrorsOnAConnection(t *testing.T) { // TCP-104, TCP-120, TCP-121, TCP-122, SEC-009
	w := newWire(t)
	p := w.connected()
	cwnd := func() uint32 {
		var i TCPInfo
		_, err := w.GetSockOpt(p.fd, IPPROTO_TCP, TCP_INFO, &i)
		require.NoError(t, err)
		return i.SndCwnd
	}
	w.send(p.fd, "data")
	sent, before := w.one(), cwnd()
	for _, e := range [][2]byte{
		{icmp.SourceQuench, 0}, {icmp.ParameterProblem, 0}, {icmp.TimeExceeded, 0}, {icmp.TimeExceeded, 1},
		{icmp.Unreachable, 2}, {icmp.Unreachable, 3}, {icmp.Unreachable, 5}, {icmp.Unreachable, 0}, {icmp.Unreachable, 1},
	} {
		w.recvError(e[0], e[1], 0, sent)
		require.Equal(t, before, cwnd())
		require.Zero(t, w.soError(p.fd), "%v", e)
	}
	p.ack = sent.End()
	p.sends(tcp.ACK, "still here")
	w.receives(p.fd, "still here")
	w.take()

	w.send(p.fd, "never acknowledged")
	sent = w.one()
	w.recvError(icmp.Unreachable, icmp.CodeHost, 0, sent)
	w.after(time.Hour)
	require.Equal(t, syscall.EHOSTUNREACH, w.soError(p.fd), "the reason for the timeout")
}

func TestPathMTUOfConnections(t *testing.T) { // TCP-035, SEC-008, SEC-010
	w := newWire(t)
	p := w.connected()
	data := make([]byte, 1460)
	w.send(p.fd, string(data))
	sent := w.one()
	require.Len(t, sent.Payload, 1460)
	forged := sent
	forged.Seq += 5000
	w.recvError(icmp.Unreachable, icmp.CodeFragNeeded, 1000, forged)
	w.silent()
	w.recvError(icmp.Unreachable, icmp.CodeFragNeeded, 1000, sent)
	w.after(time.Second)
	frames := w.take()
	require.NotEmpty(t, frames)
	require.Equal(t, sent.Seq, frames[0].Seq)
	for _, f := range frames {
		require.LessOrEqual(t, int(f.ip.TotalLen), 1000, "cut anew")
	}
	p.ack = sent.End()
	p.sends(tcp.ACK, "")
	w.take()

	w.send(p.fd, string(data))
	w.recvError(icmp.Unreachable, icmp.CodeFragNeeded, 68, w.take()[0])
	w.after(10 * time.Second)
	require.EqualValues(t, 552, w.take()[0].ip.TotalLen, "not collapsed")
}

func TestReuseOfTimeWait(t *testing.T) { // TCP-027, TCP-028
	w := newWire(t)
	fd := w.listen("0.0.0.0:7")
	var peerSeq, hostSeq tcp.Seq
	open := func(seq tcp.Seq, o tcp.Options) bool {
		o.MSS = 1460
		w.recv(tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.SYN, Seq: seq, Wnd: 1000, Options: o})
		out := w.one()
		peerSeq, hostSeq = seq+1, out.Seq+1
		return out.Flags == tcp.SYN|tcp.ACK
	}
	ack := func(flags tcp.Flags, o tcp.Options) {
		w.recv(tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: flags, Seq: peerSeq, Ack: hostSeq, Wnd: 1000, Options: o})
	}
	closeActively := func(o tcp.Options) {
		ack(tcp.ACK, o)
		server, _, err := w.Accept(fd)
		require.NoError(t, err)
		require.NoError(t, w.Close(server))
		fin := w.one()
		hostSeq = fin.End()
		ack(tcp.FIN|tcp.ACK, o)
		require.Equal(t, tcp.ACK, w.one().Flags)
	}
	require.True(t, open(5000, tcp.Options{}))
	closeActively(tcp.Options{})
	require.False(t, open(4000, tcp.Options{}), "an old duplicate")
	old := hostSeq
	require.True(t, open(6000, tcp.Options{}), "above the last sequence number seen")
	require.True(t, old.Less(hostSeq), "and ours too starts above the old one")

	stamps := func(v uint32) tcp.Options { return tcp.Options{HasTS: true, TSVal: v} }
	w = newWire(t)
	fd = w.listen("0.0.0.0:7")
	require.True(t, open(5000, stamps(100)))
	closeActively(stamps(101))
	require.False(t, open(9000, stamps(50)))
	require.True(t, open(4000, stamps(102)), "newer by its timestamp")
}

func TestResetInTheHandshake(t *testing.T) { // TCP-020, TCP-142: it depends on who opened
	w := newWire(t)
	listener := w.listen("0.0.0.0:7")
	in := tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000}
	w.recv(in)
	require.Equal(t, tcp.SYN|tcp.ACK, w.one().Flags)
	in.Flags, in.Seq = tcp.RST, 6
	w.recv(in)
	w.silent()
	require.Zero(t, w.events(listener, POLLIN))
	require.Zero(t, w.soError(listener), "unnoticed")
	require.Len(t, w.Sockets(), 1, "back to LISTEN")

	fd, syn := w.dial("10.0.0.1:9")
	in = tcp.Segment{SrcPort: 9, DstPort: syn.SrcPort, Flags: tcp.SYN, Seq: 5, Wnd: 1000} // simultaneous open
	w.recv(in)
	require.Equal(t, tcp.SYN|tcp.ACK, w.one().Flags)
	in.Flags, in.Seq = tcp.RST, 6
	w.recv(in)
	require.Equal(t, syscall.ECONNREFUSED, w.soError(fd))
}

func TestHowThePeerClosed(t *testing.T) { // TCP-022
	w := newWire(t)
	p := w.connected()
	p.sends(tcp.FIN|tcp.ACK, "")
	require.Equal(t, POLLRDHUP, w.events(p.fd, POLLRDHUP))
	w.receives(p.fd, "")

	w = newWire(t)
	p = w.connected()
	p.sends(tcp.RST, "")
	require.NotZero(t, w.events(p.fd, 0)&POLLERR)
	_, err := w.Recv(p.fd, make([]byte, 1), 0)
	require.Equal(t, syscall.ECONNRESET, err)
}

func TestSilenceIsReportedToIP(t *testing.T) { // TCP-050, IP-028: at R1 another gateway is tried, at R2 the connection ends
	w := newWire(t)
	second := netip.MustParseAddr("10.0.0.3")
	require.NoError(t, w.AddRoute(Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: second, Metric: 1}))
	failed := func() []netip.Addr {
		var list []netip.Addr
		for _, r := range w.Routes() {
			if r.Failed {
				list = append(list, r.Gateway)
			}
		}
		return list
	}
	fd, _ := w.dial("192.0.2.9:9")
	w.after(2 * time.Second)
	require.Empty(t, failed())
	w.after(6 * time.Second) // the third retransmission
	require.Equal(t, []netip.Addr{addrA}, failed())
	w.after(time.Hour)
	require.Equal(t, syscall.ETIMEDOUT, w.soError(fd))
}
