package hostile

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
	"tunstack/socketapi"
	"tunstack/tcp"
)

// maxHalfOpen and maxBacklog bound the connections that a packet can create in FuzzStack.
const (
	maxHalfOpen = 8
	maxBacklog  = 4
)

// fuzzed is a stack with sockets of all kinds, driven by bytes.
type fuzzed struct {
	*lab
	listener, datagrams, raw int
	opened                   int     // connections accepted or dialled so far
	conns                    []int   // accepted and dialled
	quote                    []byte  // the start of the last datagram sent
	seq, ack                 tcp.Seq // the peer's numbers by the stack's last segment
	port                     uint16  // of the stack, in the same segment
	reset, failure           bool    // the packet being injected is a RST, an ICMP error
}

// FuzzStack drives a whole stack by bytes: each step is a length, an action and its data. Actions are packets, raw or built to
// get far, calls of the sockets' user, and time. In every case all packets sent are well-formed, tables stay within their
// bounds, and when all sockets are closed nothing is left.
//
// SEC-015
func FuzzStack(f *testing.F) { fuzzStack(f, four) }

// FuzzStack6 does the same in IPv6, where the stack also configures itself from routers.
//
// SEC-015
func FuzzStack6(f *testing.F) { fuzzStack(f, six) }

func fuzzStack(f *testing.F, version *family) {
	for _, script := range seeds(version) {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 4096 {
			t.Skip()
		}
		z := newFuzzed(t, version)
		z.run(script)
		z.leave()
	})
}

func newFuzzed(t *testing.T, f *family) *fuzzed {
	z := &fuzzed{lab: newLab(t, f, func(c *socketapi.Config) {
		c.TCP.MaxHalfOpen = maxHalfOpen
		if f == six {
			c.Interfaces[0].Autoconf.Mode = socketapi.AutoconfOn
		}
	})}
	z.out = z.check
	z.listener = z.socket(socketapi.SOCK_STREAM)
	require.NoError(t, z.Bind(z.listener, z.victim))
	require.NoError(t, z.Listen(z.listener, maxBacklog))
	z.datagrams = z.socket(socketapi.SOCK_DGRAM)
	require.NoError(t, z.Bind(z.datagrams, z.victim))
	var err error
	z.raw, err = z.Socket(z.domain, socketapi.SOCK_RAW|socketapi.SOCK_NONBLOCK, int(z.icmp))
	require.NoError(t, err)
	return z
}

func (z *fuzzed) run(script []byte) {
	for len(script) > 1 {
		n := min(int(script[0]), len(script)-1)
		z.act(script[1 : 1+n])
		script = script[1+n:]
		require.LessOrEqual(z.t, z.connections(), maxHalfOpen+maxBacklog+1+z.opened)
	}
}

// act does one step.
func (z *fuzzed) act(b []byte) {
	if len(b) < 2 {
		return
	}
	switch b[0] % 8 {
	case 0:
		z.receive(b[1:])
	case 1:
		z.receiveSegment(b[1:])
	case 2:
		to := netip.AddrPortFrom(z.victim.Addr(), z.victim.Port()+uint16(b[1]&1))
		z.receive(datagram(ip.ProtocolUDP, z.honest.Addr(), to.Addr(), udp(z.honest, to, b[2:])))
	case 3:
		z.receiveError(b[1:])
	case 4:
		z.receiveFragment(b[1:])
	case 5:
		z.after(time.Duration(b[1]) * time.Duration(b[1]) * 10 * time.Millisecond) // up to eleven minutes
	case 6:
		z.use(b[1:])
	case 7:
		z.receiveAnything(b[1], b[2:])
	}
}

// receive injects a packet, and records whether it is one that must not be answered in kind.
func (z *fuzzed) receive(b []byte) {
	var s tcp.Segment
	if d, ok := z.parse(b); ok && d.first {
		body := b[d.HeaderLen:]
		z.reset = d.Protocol == ip.ProtocolTCP && s.Parse(body) == nil && s.Flags.Has(tcp.RST)
		z.failure = d.Protocol == z.icmp && len(body) > 0 && z.isError(body[0])
	}
	z.inject(b)
	z.reset, z.failure = false, false
}

// receiveSegment builds a segment near the connection's sequence numbers.
func (z *fuzzed) receiveSegment(b []byte) {
	var d [10]byte
	rest := b[copy(d[:], b):]
	s := tcp.Segment{
		Flags: tcp.Flags(d[0]), Seq: z.seq.Add(int(int16(binary.BigEndian.Uint16(d[1:])))), Ack: z.ack.Add(int(int16(binary.BigEndian.Uint16(d[3:])))),
		Wnd: binary.BigEndian.Uint16(d[5:]), Urg: uint16(d[7]), Payload: rest,
	}
	s.Options = tcp.Options{MSS: uint16(d[8]&1) * 536, HasScale: d[8]&2 != 0, Scale: d[8] >> 4, SackPermitted: d[8]&4 != 0, HasTS: d[8]&8 != 0,
		TSVal: uint32(z.Now() / time.Millisecond)}
	if n := d[9] & 3; n > 0 && !s.Options.HasTS {
		s.Options.SackCount = n
		for i := range n {
			start := z.ack.Add(int(d[9]>>2) * int(i))
			s.Options.Sack[i] = tcp.Range{Start: start, End: start.Add(int(d[9] >> 3))}
		}
	}
	to := z.victim
	if z.port != 0 && d[8]&4 == 0 {
		to = netip.AddrPortFrom(to.Addr(), z.port)
	}
	z.receive(segment(netip.AddrPortFrom(z.honest.Addr(), z.honest.Port()+uint16(d[7]&3)), to, s))
}

// receiveError quotes the last datagram sent.
func (z *fuzzed) receiveError(b []byte) {
	var d [6]byte
	copy(d[:], b)
	body := append([]byte{d[0] % 20, d[1] % 20, 0, 0, d[2], d[3], d[4], d[5]}, z.quote...)
	z.receive(z.message(z.attacker, z.victim.Addr(), body))
}

func (z *fuzzed) receiveFragment(b []byte) {
	var d [3]byte
	rest := b[copy(d[:], b):]
	protocol := [...]uint8{z.icmp, 9, ip.ProtocolUDP}[d[0]%3]
	z.receive(z.fragment(protocol, z.honest.Addr(), uint16(d[0]>>6), int(d[2])*8, d[1]&1 != 0, rest))
}

// receiveAnything gives bytes a valid header, and an ICMP message its checksum. Messages of ICMPv6 that only neighbours may send come from
// one.
func (z *fuzzed) receiveAnything(protocol uint8, body []byte) {
	src, dst := z.honest.Addr(), z.victim.Addr()
	if protocol != z.icmp || len(body) < 4 {
		z.receive(datagram(protocol, src, dst, body))
		return
	}
	neighbor := netip.MustParseAddr("fe80::1")
	switch typ := body[0]; {
	case z.family == four || !ip.IsMLD(typ) && !nd.Is(typ):
		z.receive(z.message(src, dst, body))
	case ip.IsMLD(typ):
		alert := []byte{z.icmp, 0, 5, 2, 0, 0, 1, 0}
		b := sum(z.icmp, neighbor, dst, bytes.Clone(body), 2)
		z.receive(datagram6(ipv6.NextHopByHop, 1, neighbor, dst, append(alert, b...)))
	default:
		z.receive(datagram6(z.icmp, 255, neighbor, dst, sum(z.icmp, neighbor, dst, bytes.Clone(body), 2)))
	}
}

// use makes a socket call.
func (z *fuzzed) use(b []byte) {
	buffer := make([]byte, 1000)
	switch b[0] % 8 {
	case 0:
		if fd, _, err := z.Accept(z.listener); err == nil {
			z.Fcntl(fd, socketapi.F_SETFL, socketapi.O_NONBLOCK)
			z.keep(fd)
		}
	case 1:
		fd := z.socket(socketapi.SOCK_STREAM)
		z.Connect(fd, z.honest)
		z.keep(fd)
	case 2:
		z.SendTo(z.datagrams, buffer[:len(b)], 0, z.honest)
		z.Recv(z.datagrams, buffer, 0)
		z.Recv(z.raw, buffer, 0)
	}
	if len(z.conns) == 0 {
		return
	}
	i := int(b[0]>>3) % len(z.conns)
	fd := z.conns[i]
	switch b[0] % 8 {
	case 3:
		z.Send(fd, buffer[:min(10*len(b), 1000)], 0)
	case 4:
		z.Send(fd, make([]byte, 100000), 0)
	case 5:
		z.Recv(fd, buffer, 0)
	case 6:
		z.Shutdown(fd, int(b[0]>>3)%3)
	case 7:
		z.Close(fd)
		z.conns = append(z.conns[:i], z.conns[i+1:]...)
	}
}

// keep adds a connection, whose end may come long after it is closed.
func (z *fuzzed) keep(fd int) {
	z.conns = append(z.conns, fd)
	z.opened++
}

// check checks every packet sent.
func (z *fuzzed) check(b []byte) {
	d, ok := z.parse(b)
	require.True(z.t, ok)
	require.Equal(z.t, len(b), d.TotalLen)
	require.LessOrEqual(z.t, len(b), 1500)
	if z.family == four {
		require.Equal(z.t, uint16(0xffff), checksum.Sum(b[:d.HeaderLen], 0))
	}
	require.True(z.t, z.owns(d.Src) || d.Src.IsUnspecified() && d.Protocol == z.icmp, "from %v", d.Src)
	z.quote = bytes.Clone(b[:min(len(b), d.HeaderLen+8)])
	if !d.whole {
		return
	}
	body := b[d.HeaderLen:]
	switch d.Protocol {
	case ip.ProtocolTCP:
		z.checkSegment(&d, body)
	case ip.ProtocolUDP:
		z.checkPseudo(&d, body)
	case ip.ProtocolICMP:
		require.Equal(z.t, uint16(0xffff), checksum.Sum(body, 0))
		require.False(z.t, z.failure && z.isError(body[0]), "an error about an error")
	case ip.ProtocolICMPv6:
		z.checkPseudo(&d, body)
		require.False(z.t, z.failure && z.isError(body[0]), "an error about an error")
	}
}

// owns reports whether an address is the victim's: configured, or formed from an advertisement.
func (z *fuzzed) owns(a netip.Addr) bool {
	return a == z.victim.Addr() || slices.ContainsFunc(z.Interfaces()[1].Addresses, func(i socketapi.AddressInfo) bool {
		return i.Prefix.Addr().WithZone("") == a
	})
}

func (z *fuzzed) checkSegment(d *parsed, body []byte) {
	z.checkPseudo(d, body)
	var s tcp.Segment
	require.NoError(z.t, s.Parse(body))
	require.False(z.t, z.reset && s.Flags.Has(tcp.RST), "a reset about a reset")
	require.False(z.t, s.Flags.Has(tcp.SYN|tcp.FIN) || s.Flags.Has(tcp.SYN|tcp.RST))
	if !s.Flags.Has(tcp.RST) {
		z.seq, z.ack, z.port = s.Ack, s.End(), s.SrcPort
	}
}

func (z *fuzzed) checkPseudo(d *parsed, body []byte) {
	require.Equal(z.t, uint16(0xffff), checksum.Sum(body, checksum.Pseudo(d.Src, d.Dst, d.Protocol, len(body))))
}

// isError reports whether an ICMP type is an error message's (RFC 1122 section 3.2.2, RFC 4443 section 2.1).
func (f *family) isError(typ byte) bool {
	if f == six {
		return typ < icmp.EchoRequest6
	}
	switch typ {
	case icmp.Unreachable, icmp.SourceQuench, icmp.Redirect, icmp.TimeExceeded, icmp.ParameterProblem:
		return true
	}
	return false
}

// leave closes everything, and requires that nothing is left after all timers have expired.
func (z *fuzzed) leave() {
	for _, fd := range append(z.conns, z.listener, z.datagrams, z.raw) {
		require.NoError(z.t, z.Close(fd))
	}
	z.after(2 * time.Hour)
	require.Empty(z.t, z.Sockets())
	_, busy := z.NextDeadline()
	require.True(z.t, !busy || z.family == six, "IPv6 goes on asking for routers, and what they advertise may last")
	z.out = func(b []byte) {
		d, _ := z.parse(b)
		require.Equal(z.t, ip.ProtocolICMPv6, int(d.Protocol), "nothing else is left to send")
	}
	z.after(2 * time.Hour)
}

// step is one step of a script.
func step(b ...byte) []byte { return append([]byte{byte(len(b))}, b...) }

// seeds are scripts that reach deep states.
func seeds(f *family) [][]byte {
	syn := step(1, 0x02, 0, 0, 0, 0, 255, 255, 0, 0x77, 0)
	ack := step(1, 0x10, 0, 0, 0, 0, 255, 255, 0, 0, 0)
	data := step(1, 0x18, 0, 0, 0, 0, 255, 255, 0, 0, 0, 'h', 'e', 'l', 'l', 'o')
	later := step(1, 0x18, 0, 9, 0, 0, 255, 255, 0, 0, 0, 'l', 'a', 't', 'e', 'r')
	fin := step(1, 0x11, 0, 0, 0, 0, 255, 255, 0, 0, 0)
	rst := step(1, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	accept, connect, send, read, end := step(6, 0), step(6, 1), step(6, 3, 0), step(6, 5), step(6, 7)
	wait := step(5, 10)
	join := func(steps ...[]byte) []byte { return bytes.Join(steps, nil) }
	scripts := [][]byte{
		join(syn, ack, accept, data, read, send, ack, fin, end, ack, wait),
		join(syn, ack, accept, step(6, 4), step(1, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x4b), wait, wait, ack, end),
		join(syn, later, ack, later, data, rst, wait),
		join(connect, step(1, 0x12, 0, 0, 0, 0, 255, 255, 0, 8, 0), data, end, fin, wait),
		join(connect, syn, ack, wait), // a simultaneous open
		join(connect, step(3, 3, 4, 0, 0, 0, 68), step(3, 3, 1, 0, 0, 0, 0), wait),
		join(step(2, 0, 'x'), step(2, 1, 'x'), step(6, 2), step(3, 3, 3), step(6, 2)),
		join(step(4, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8), step(4, 2, 0, 1, 9), step(5, 255)),
		join(step(7, f.icmp, f.echo, 0, 0, 0, 0, 1, 0, 1, 'p'), step(7, 99, 1, 2), step(7, f.icmp, 13, 0, 0, 0)),
		join(step(append([]byte{0}, segment(f.honest, f.victim, tcp.Segment{Flags: tcp.SYN, Options: tcp.Options{MSS: 1460}})...)...), wait),
	}
	if f == four {
		return scripts
	}
	good := nd.RouterAdvertisement{
		RouterLifetime: time.Hour, CurHopLimit: 64, MTU: 1400,
		Prefixes: []nd.PrefixInformation{{Prefix: prefix6, OnLink: true, Autonomous: true, Preferred: time.Hour, Valid: 2 * time.Hour}},
	}
	advertise := step(append([]byte{7, f.icmp}, good.Append(nil)...)...)
	withdraw := step(append([]byte{7, f.icmp}, (&nd.RouterAdvertisement{}).Append(nil)...)...)
	query := step(append([]byte{7, f.icmp, 130, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 20)...)...)
	chain := step(7, ipv6.NextDestination, ipv6.NextHopByHop, 0, 1, 4, 0, 0, 0, 0) // a hop-by-hop header that is not the first
	unknown := step(7, ipv6.NextHopByHop, ip.ProtocolUDP, 0, 0x9e, 4, 0, 0, 0, 0)
	atomic := step(7, ipv6.NextFragment, f.icmp, 0, 0, 0, 0, 0, 0, 1, f.echo, 0, 0, 0)
	return append(scripts,
		join(wait, advertise, wait, connect, query, wait, withdraw, wait, step(6, 2)),
		join(chain, unknown, atomic, query, step(5, 255)),
	)
}

// The seeds are useful only as long as they reach these states.
func TestFuzzSeedsGetFar(t *testing.T) { eachFamily(t, testFuzzSeedsGetFar) }

func testFuzzSeedsGetFar(t *testing.T, f *family) {
	reached := map[string]int{
		"tcp.open.passive": 0, "tcp.open.active": 0, "tcp.open.established": 0, "tcp.in.out_of_order": 0, "tcp.in.resets": 0,
		"tcp.probe.window": 0, "tcp.retransmit.timeouts": 0, "ip.reassembly.ok": 0, f.errors: 0, f.echoes: 0,
	}
	if f == six {
		for _, name := range []string{"autoconf.in.advertisements", "mld.in.queries", "ipv6.drop.header_order", "ipv6.drop.unknown_option"} {
			reached[name] = 0
		}
	}
	for _, script := range seeds(f) {
		z := newFuzzed(t, f)
		z.run(script)
		z.leave()
		for name := range reached {
			reached[name] += z.counter(name)
		}
	}
	for name, n := range reached {
		require.Positive(t, n, name)
	}
}
