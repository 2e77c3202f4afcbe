package socketapi

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/tcp"
)

// packet6 is an IPv6 datagram from 2001:db8::1 to 2001:db8::2, whose payload may begin with extension headers.
func packet6(next uint8, payload []byte) []byte {
	b := make([]byte, ipv6.HeaderLen, ipv6.HeaderLen+len(payload))
	b[0], b[6], b[7] = 6<<4, next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	copy(b[8:], addrA6.AsSlice())
	copy(b[24:], addrB6.AsSlice())
	return append(b, payload...)
}

// sum6 fills in the checksum at an offset of a payload between the two addresses, either way.
func sum6(protocol uint8, b []byte, at int) []byte {
	b[at], b[at+1] = 0, 0
	checksum.Put(b[at:], ^checksum.Sum(b, checksum.Pseudo(addrA6, addrB6, protocol, len(b))))
	return b
}

// sent6 returns the headers of the IPv6 datagrams sent since the last call, and the bytes behind their extension headers.
func (w *wire) sent6() (headers []ipv6.Header, payloads [][]byte) {
	w.t.Helper()
	for _, b := range w.sent {
		var h ipv6.Header
		require.True(w.t, h.Parse(b))
		headers, payloads = append(headers, h), append(payloads, b[h.HeaderLen:])
	}
	w.sent = nil
	return headers, payloads
}

// error6 injects an ICMPv6 error that quotes a datagram.
func (w *wire) error6(typ, code byte, word uint32, quoted []byte) {
	b := append(binary.BigEndian.AppendUint32([]byte{typ, code, 0, 0}, word), quoted...)
	w.inject(packet6(ip.ProtocolICMPv6, sum6(ip.ProtocolICMPv6, b, 2)))
}

// udp6 is a new UDP socket of AF_INET6 connected to port 9 of 2001:db8::1.
func (w *wire) udp6() int {
	w.t.Helper()
	fd := w.socket6(SOCK_DGRAM|SOCK_NONBLOCK, 0)
	require.NoError(w.t, w.Connect(fd, netip.AddrPortFrom(addrA6, 9)))
	return fd
}

func (h host) set6(fd, name int, value any) {
	h.t.Helper()
	require.NoError(h.t, h.SetSockOpt(fd, IPPROTO_IPV6, name, value))
}

func ptr[T any](v T) *T { return &v }

// Options and control messages choose the fields of the header, each control message for one datagram.
func TestHeaderFieldsOfIPv6(t *testing.T) { // SOCK6-010, SOCK6-013, SOCK6-015, UDP6-001
	w := newWire(t, dualStack)
	fd := w.udp6()
	send := func(a *Ancillary) ipv6.Header {
		t.Helper()
		_, err := w.SendMsg(fd, []byte("x"), Message{Ancillary: a}, 0)
		require.NoError(t, err)
		h, b := w.sent6()
		require.Len(t, h, 1)
		require.Equal(t, uint16(0xffff), checksum.Sum(b[0], checksum.Pseudo(h[0].Src, h[0].Dst, h[0].Protocol, len(b[0]))))
		return h[0]
	}
	h := send(nil)
	require.Equal(t, [2]uint8{0, 64}, [2]uint8{h.TOS, h.TTL})
	require.NotZero(t, h.FlowLabel)
	require.Equal(t, h.FlowLabel, send(nil).FlowLabel, "one flow has one label")
	w.set6(fd, IPV6_TCLASS, 0xb8)
	w.set6(fd, IPV6_UNICAST_HOPS, 255)
	w.set6(fd, IPV6_AUTOFLOWLABEL, 0)
	w.set6(fd, IPV6_FLOWINFO_SEND, 1)
	h = send(&Ancillary{HopLimit: ptr(7), TClass: ptr(0xff), FlowInfo: 0x12345})
	require.Equal(t, [2]uint8{0xff, 7}, [2]uint8{h.TOS, h.TTL})
	require.EqualValues(t, 0x12345, h.FlowLabel)
	h = send(&Ancillary{HopLimit: ptr(0)})
	require.Equal(t, [2]uint8{0xb8, 0}, [2]uint8{h.TOS, h.TTL})
	h = send(&Ancillary{HopLimit: ptr(-1)})
	require.Equal(t, [2]uint8{0xb8, 255}, [2]uint8{h.TOS, h.TTL}, "that of the socket, as on Linux")
	h = send(nil)
	require.Equal(t, [2]uint8{0xb8, 255}, [2]uint8{h.TOS, h.TTL})
	require.Zero(t, h.FlowLabel)
	w.set6(fd, IPV6_UNICAST_HOPS, 0)
	require.Zero(t, send(nil).TTL)
	for _, a := range []Ancillary{{HopLimit: ptr(-2)}, {HopLimit: ptr(256)}, {TClass: ptr(256)}, {Extensions: []Extension{{Name: 7}}}} {
		_, err := w.SendMsg(fd, nil, Message{Ancillary: &a}, 0)
		require.Equal(t, syscall.EINVAL, err)
	}
	_, err := w.SendMsg(fd, nil, Message{Ancillary: &Ancillary{Ifindex: 77}}, 0) // SOCK6-014
	require.Equal(t, syscall.ENODEV, err)
	_, err = w.SendMsg(fd, nil, Message{Local: netip.MustParseAddr("2001:db8::9")}, 0)
	require.Equal(t, syscall.EINVAL, err)
}

// A datagram arrives with the fields of its header and the extension headers that the socket asks for.
func TestFieldsOfReceivedIPv6(t *testing.T) { // SOCK6-013, SOCK6-015
	w := newWire(t, dualStack)
	fd := w.socket6(SOCK_DGRAM, 0)
	require.NoError(t, w.Bind(fd, ap("[::]:7")))
	w.set6(fd, IPV6_RECVHOPOPTS, 1)
	w.set6(fd, IPV6_RECVDSTOPTS, 1)
	hop, dst := []byte{60, 0, 1, 4, 0, 0, 0, 0}, []byte{17, 0, 1, 4, 0, 0, 0, 0}
	udp := sum6(ip.ProtocolUDP, []byte{0, 9, 0, 7, 0, 9, 0, 0, 'x'}, 6)
	b := packet6(0, slices.Concat(hop, dst, udp))
	b[0], b[1], b[2], b[3], b[7] = 0x6b, 0x81, 0x23, 0x45, 3
	w.inject(b)
	_, m, err := w.RecvMsg(fd, make([]byte, 9), MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, netip.AddrPortFrom(addrA6, 9), m.Addr)
	require.Equal(t, addrB6, m.Local)
	require.Equal(t, "link0", m.Interface)
	require.Equal(t, [2]uint8{0xb8, 3}, [2]uint8{m.TOS, m.TTL})
	require.EqualValues(t, 0xb812345, m.FlowInfo)
	require.Equal(t, []Extension{{IPV6_HOPOPTS, hop}, {IPV6_DSTOPTS, dst}}, m.Extensions)
	require.Nil(t, m.Options)
}

// Extension headers leave in their order; fragments repeat those before the Fragment header, and TCP's segments become shorter.
func TestSentExtensionHeaders(t *testing.T) { // TCP6-003, IP6-019
	w := newWire(t, dualStack)
	hop, dst := []byte{0, 0, 1, 4, 0, 0, 0, 0}, []byte{0, 0, 1, 4, 1, 1, 1, 1}
	fd := w.udp6()
	w.set6(fd, IPV6_HOPOPTS, hop)
	w.set6(fd, IPV6_DSTOPTS, dst)
	var back [8]byte
	_, err := w.GetSockOpt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, back[:])
	require.NoError(t, err)
	require.Equal(t, dst, back[:])
	_, err = w.Send(fd, []byte("x"), 0)
	require.NoError(t, err)
	require.Len(t, w.sent, 1)
	b := w.sent[0]
	require.Equal(t, []byte{0}, b[6:7])
	require.Equal(t, slices.Concat([]byte{60}, hop[1:], []byte{ip.ProtocolUDP}, dst[1:]), b[40:56])
	require.Equal(t, uint16(0xffff), checksum.Sum(b[56:], checksum.Pseudo(addrB6, addrA6, ip.ProtocolUDP, len(b)-56)))
	w.sent = nil
	_, err = w.Send(fd, make([]byte, 3000), 0)
	require.NoError(t, err)
	require.Len(t, w.sent, 3)
	for i, b := range w.sent {
		require.Equal(t, []byte{44, 0}, b[40:42], "hop-by-hop options, then the Fragment header")
		require.Equal(t, byte(60), b[48])
		require.LessOrEqual(t, len(b), 1500)
		require.Equal(t, i < 2, b[51]&1 == 1)
	}
	require.Equal(t, slices.Concat([]byte{ip.ProtocolUDP}, dst[1:]), w.sent[0][56:64], "the first fragment has all headers")
	require.Equal(t, []byte{0, 9}, w.sent[0][66:68])
	w.sent = nil
	_, err = w.SendMsg(fd, []byte("x"), Message{Ancillary: &Ancillary{Extensions: []Extension{{Name: IPV6_HOPOPTS}}}}, 0)
	require.NoError(t, err)
	require.Equal(t, byte(60), w.sent[0][6], "a message removes the header for one datagram")
	w.sent = nil
	for _, bad := range [][]byte{{0}, {0, 1, 1, 4, 0, 0, 0, 0}, make([]byte, 9), make([]byte, 2048)} {
		require.Equal(t, syscall.EINVAL, w.SetSockOpt(fd, IPPROTO_IPV6, IPV6_HOPOPTS, bad))
	}
	require.Equal(t, syscall.EINVAL, w.SetSockOpt(fd, IPPROTO_IPV6, IPV6_RTHDR, make([]byte, 8)))

	conn := w.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0)
	w.set6(conn, IPV6_HOPOPTS, hop)
	w.handshake6(conn, tcp.Options{MSS: 9000})
	_, err = w.Send(conn, make([]byte, 2000), 0)
	require.NoError(t, err)
	h, segments := w.sent6()
	require.Equal(t, 1500, h[0].TotalLen)
	require.Len(t, segments[0], 1500-40-8)
}

// handshake6 connects a socket to port 9 of 2001:db8::1, whose SYN,ACK has the options, and returns its SYN.
func (w *wire) handshake6(fd int, o tcp.Options) tcp.Segment {
	w.t.Helper()
	require.Equal(w.t, syscall.EINPROGRESS, w.Connect(fd, netip.AddrPortFrom(addrA6, 9)))
	_, b := w.sent6()
	require.Len(w.t, b, 1)
	var syn tcp.Segment
	require.NoError(w.t, syn.Parse(b[0]))
	answer := tcp.Segment{SrcPort: 9, DstPort: syn.SrcPort, Flags: tcp.SYN | tcp.ACK, Seq: 5000, Ack: syn.Seq + 1, Wnd: 65535, Options: o}
	w.inject(packet6(ip.ProtocolTCP, segment(addrA6, addrB6, answer)))
	require.NoError(w.t, w.Connect(fd, netip.AddrPortFrom(addrA6, 9)))
	w.sent = nil
	return syn
}

// The MSS leaves room for IPv6's header, 1220 is that of a peer that names none, and segments follow the path MTU.
func TestMSSOverIPv6(t *testing.T) { // TCP6-002, TCP6-003, TCP6-004, SOCK6-016
	for _, c := range []struct {
		options tcp.Options
		want    int
	}{{tcp.Options{}, 1220}, {tcp.Options{MSS: 9000}, 1440}, {tcp.Options{MSS: 9000, HasTS: true, TSVal: 1}, 1428}} {
		w := newWire(t, dualStack)
		fd := w.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0)
		syn := w.handshake6(fd, c.options)
		require.EqualValues(t, 1440, syn.Options.MSS)
		_, err := w.Send(fd, make([]byte, 3000), 0)
		require.NoError(t, err)
		whole := w.sent[0]
		h, b := w.sent6()
		var seg tcp.Segment
		require.NoError(t, seg.Parse(b[0]))
		require.Equal(t, c.want, seg.DataLen())
		label := h[0].FlowLabel
		require.NotZero(t, label)

		w.error6(icmp.PacketTooBig, 0, 1300, whole[:1232])
		require.Equal(t, 1300, w.get(fd, IPPROTO_IPV6, IPV6_MTU))
		var path IPv6MTUInfo
		_, err = w.GetSockOpt(fd, IPPROTO_IPV6, IPV6_PATHMTU, &path)
		require.NoError(t, err)
		require.Equal(t, IPv6MTUInfo{MTU: 1300}, path, "without an address, as on Linux")
		h, _ = w.sent6()
		require.Equal(t, c.want > 1240, len(h) > 0, "segments that were too big are sent again")
		for _, h := range h {
			require.LessOrEqual(t, h.TotalLen, 1300)
			require.Equal(t, label, h.FlowLabel)
		}
	}
}

// IPV6_MTU and IPV6_MTU_DISCOVER change no segment: none leaves in fragments.
func TestFragmentSizeOfStream(t *testing.T) { // TCP6-004
	for _, size := range []int{0, 1280} {
		w := newWire(t, dualStack)
		fd := w.socket6(SOCK_STREAM|SOCK_NONBLOCK, 0)
		w.set6(fd, IPV6_MTU, size)
		w.set6(fd, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE)
		w.handshake6(fd, tcp.Options{MSS: 9000})
		_, err := w.Send(fd, make([]byte, 1440), 0)
		require.NoError(t, err)
		h, _ := w.sent6()
		require.Len(t, h, 1)
		require.Equal(t, 1500, h[0].TotalLen)
	}
}

// IPV6_MINHOPCOUNT drops segments with a lower hop limit, and IP_MINTTL has no effect on them.
func TestMinHopCount(t *testing.T) { // SOCK-071
	const hops = 64 // of the segments that packet6 makes
	for minimum, answers := range map[int]bool{0: true, hops: true, hops + 1: false} {
		w := newWire(t, dualStack)
		fd := w.socket6(SOCK_STREAM, 0)
		require.NoError(t, w.Bind(fd, ap("[::]:7")))
		require.NoError(t, w.Listen(fd, 1))
		w.set(fd, IPPROTO_IP, IP_MINTTL, 255)
		w.set6(fd, IPV6_MINHOPCOUNT, minimum)
		w.inject(packet6(ip.ProtocolTCP, segment(addrA6, addrB6, tcp.Segment{SrcPort: 9, DstPort: 7, Flags: tcp.SYN, Seq: 5000, Wnd: 1000})))
		require.Equal(t, answers, len(w.sent) > 0, "minimum %d", minimum)
	}
}

// Errors reach a connected UDP socket with Linux's numbers, and the error queue with the datagram that they quote.
func TestErrorsOverIPv6(t *testing.T) { // UDP6-006, SOCK6-019
	for _, c := range []struct {
		typ, code byte
		errno     syscall.Errno
		hard      bool
	}{
		{icmp.Unreachable6, 0, syscall.ENETUNREACH, false}, {icmp.Unreachable6, 1, syscall.EACCES, true},
		{icmp.Unreachable6, 3, syscall.EHOSTUNREACH, false}, {icmp.Unreachable6, 4, syscall.ECONNREFUSED, true},
		{icmp.Unreachable6, 5, syscall.EACCES, true}, {icmp.Unreachable6, 6, syscall.EACCES, true},
		{icmp.PacketTooBig, 0, syscall.EMSGSIZE, true}, {icmp.TimeExceeded6, 0, syscall.EHOSTUNREACH, false},
		{icmp.ParameterProblem6, 0, syscall.EPROTO, true},
	} {
		for _, queue := range []bool{false, true} {
			w := newWire(t, dualStack)
			fd := w.udp6()
			w.set6(fd, IPV6_RECVERR, bit(queue))
			_, err := w.Send(fd, []byte("hello"), 0)
			require.NoError(t, err)
			quoted := w.sent[0]
			w.sent = nil
			w.error6(c.typ, c.code, 1400, quoted)
			_, err = w.Recv(fd, make([]byte, 10), 0)
			if c.hard || queue {
				require.Equal(t, c.errno, err, "%+v", c)
			} else {
				require.Equal(t, syscall.EAGAIN, err, "%+v", c)
			}
			b := make([]byte, 10)
			n, m, err := w.RecvMsg(fd, b, MSG_ERRQUEUE)
			if !queue {
				require.Equal(t, syscall.EAGAIN, err)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "hello", string(b[:n]))
			require.Equal(t, netip.AddrPortFrom(addrA6, 9), m.Addr)
			require.Equal(t, addrA6, m.Offender)
			want := SockExtendedErr{Errno: uint32(c.errno), Origin: SO_EE_ORIGIN_ICMP6, Type: c.typ, Code: c.code, Info: m.Err.Info}
			require.Equal(t, want, *m.Err)
			if c.typ == icmp.PacketTooBig {
				require.EqualValues(t, 1400, m.Err.Info)
			}
		}
	}
}

// IPV6_MTU_DISCOVER and IPV6_DONTFRAG decide between fragments and EMSGSIZE, above the path MTU and above the first link's.
func TestFragmentsOfIPv6Sockets(t *testing.T) { // SOCK6-017, SOCK6-018, UDP6-004, UDP6-005
	const refused = 0
	for _, c := range []struct {
		discover, dontFrag int
		above, beyond      int // datagrams for 1400 bytes with a path MTU of 1300, and for 2000 bytes; refused: EMSGSIZE
	}{
		{IPV6_PMTUDISC_DONT, 0, 2, 2}, {IPV6_PMTUDISC_WANT, 0, 2, 2}, {IPV6_PMTUDISC_DO, 0, refused, refused},
		{IPV6_PMTUDISC_PROBE, 0, 1, refused}, {IPV6_PMTUDISC_INTERFACE, 0, 1, refused}, {IPV6_PMTUDISC_OMIT, 0, 1, 2},
		{IPV6_PMTUDISC_WANT, 1, refused, refused},
	} {
		w := newWire(t, dualStack)
		fd := w.udp6()
		w.set6(fd, IPV6_RECVERR, 1)
		_, err := w.Send(fd, make([]byte, 1400), 0)
		require.NoError(t, err)
		w.error6(icmp.PacketTooBig, 0, 1300, w.sent[0][:1200])
		_, _ = w.Recv(fd, nil, 0)
		_, _, err = w.RecvMsg(fd, nil, MSG_ERRQUEUE)
		require.NoError(t, err)
		w.set6(fd, IPV6_MTU_DISCOVER, c.discover)
		w.set6(fd, IPV6_DONTFRAG, c.dontFrag)
		for size, want := range map[int]int{1400: c.above, 2000: c.beyond} {
			w.sent = nil
			_, err := w.Send(fd, make([]byte, size), 0)
			require.Len(t, w.sent, want, "%+v %d", c, size)
			if want == refused {
				require.Equal(t, syscall.EMSGSIZE, err)
				_, m, err := w.RecvMsg(fd, nil, MSG_ERRQUEUE)
				require.NoError(t, err)
				require.EqualValues(t, SO_EE_ORIGIN_LOCAL, m.Err.Origin)
			}
		}
	}
	w := newWire(t, dualStack)
	fd := w.udp6()
	w.set6(fd, IPV6_MTU, 1280)
	_, err := w.Send(fd, make([]byte, 1400), 0)
	require.NoError(t, err)
	require.Len(t, w.sent, 2)
	_, err = w.Send(fd, make([]byte, 65528), 0)
	require.Equal(t, syscall.EMSGSIZE, err)
	_, err = w.Send(fd, make([]byte, 65527), 0)
	require.NoError(t, err)
}

// A datagram without checksum is dropped, except for a socket that wants it.
func TestNoChecksumOverIPv6(t *testing.T) { // UDP6-002, UDP6-003, UDP6-001
	w := newWire(t, dualStack)
	fd := w.socket6(SOCK_DGRAM, 0)
	require.NoError(t, w.SetSockOpt(fd, SOL_SOCKET, SO_REUSEADDR, 1))
	require.NoError(t, w.Bind(fd, ap("[::]:7")))
	bare := packet6(ip.ProtocolUDP, []byte{0, 9, 0, 7, 0, 9, 0, 0, 'x'})
	w.inject(bare)
	w.silent("not even an error")
	_, err := w.Recv(fd, make([]byte, 9), MSG_DONTWAIT)
	require.Equal(t, syscall.EAGAIN, err)
	require.EqualValues(t, 1, w.counters()["udp.drop.no_checksum"])
	require.NoError(t, w.SetSockOpt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1))
	require.NoError(t, w.SetSockOpt(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1))
	w.inject(bare)
	n, err := w.Recv(fd, make([]byte, 9), MSG_DONTWAIT)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = w.SendTo(fd, []byte("x"), 0, netip.AddrPortFrom(addrA6, 9))
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0}, w.sent[0][46:48])

	strict := w.socket6(SOCK_DGRAM, 0) // of two receivers of a multicast
	require.NoError(t, w.SetSockOpt(strict, SOL_SOCKET, SO_REUSEADDR, 1))
	for _, fd := range []int{fd, strict} {
		w.set6(fd, IPV6_JOIN_GROUP, IPv6Mreq{Multiaddr: netip.MustParseAddr("ff0e::9").As16(), Interface: 2})
	}
	require.NoError(t, w.Bind(strict, ap("[::]:7")))
	copy(bare[24:], netip.MustParseAddr("ff0e::9").AsSlice())
	w.inject(bare)
	_, err = w.Recv(fd, make([]byte, 9), MSG_DONTWAIT)
	require.NoError(t, err)
	_, err = w.Recv(strict, make([]byte, 9), MSG_DONTWAIT)
	require.Equal(t, syscall.EAGAIN, err)
	require.NoError(t, w.SetSockOpt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 0))
	w.inject(bare)
	require.EqualValues(t, 2, w.counters()["udp.drop.no_checksum"])
}

// The stack computes and verifies the checksums of raw IPv6 sockets: ICMPv6's always, others at the offset that the socket names.
func TestRawChecksums(t *testing.T) { // SOCK6-020, SOCK6-021
	w := newWire(t, dualStack)
	icmp6, other := w.socket6(SOCK_RAW|SOCK_NONBLOCK, IPPROTO_ICMPV6), w.socket6(SOCK_RAW|SOCK_NONBLOCK, 253)
	w.set6(other, IPV6_CHECKSUM, 4)
	for _, fd := range []int{icmp6, other, w.socket6(SOCK_DGRAM, IPPROTO_ICMPV6)} {
		require.Equal(t, syscall.ENETUNREACH, w.Connect(fd, ap("[::ffff:10.0.0.1]:0")), "they never use IPv4")
	}
	for _, c := range []struct {
		fd       int
		protocol uint8
		at       int
		payload  []byte
	}{{icmp6, ip.ProtocolICMPv6, 2, []byte{200, 0, 0, 0, 1, 2, 3, 4}}, {other, 253, 4, []byte{1, 2, 3, 4, 0, 0, 7}}} {
		_, err := w.SendTo(c.fd, c.payload, 0, netip.AddrPortFrom(addrA6, 0))
		require.NoError(t, err)
		_, b := w.sent6()
		require.Equal(t, sum6(c.protocol, slices.Clone(c.payload), c.at), b[0])
		_, err = w.SendTo(c.fd, c.payload[:c.at+1], 0, netip.AddrPortFrom(addrA6, 0))
		require.Equal(t, syscall.EINVAL, err, "no room for the checksum")

		bad := slices.Clone(b[0])
		bad[0]++
		w.inject(packet6(c.protocol, bad))
		_, err = w.Recv(c.fd, make([]byte, 20), 0)
		require.Equal(t, syscall.EAGAIN, err)
		w.inject(packet6(c.protocol, b[0]))
		got, err := w.host.recv(c.fd, 20, 0)
		require.NoError(t, err)
		require.Equal(t, b[0], []byte(got), "without the IP header")
		w.sent = nil
	}
}

func TestICMP6Filter(t *testing.T) { // SOCK6-022
	w := newWire(t, dualStack)
	fd := w.socket6(SOCK_RAW|SOCK_NONBLOCK, IPPROTO_ICMPV6)
	var f ICMP6Filter
	_, err := w.GetSockOpt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f)
	require.NoError(t, err)
	require.Equal(t, ICMP6Filter{}, f, "all types pass")
	for i := range f {
		f[i] = ^uint32(0)
	}
	f[134/32] &^= 1 << (134 % 32)
	require.NoError(t, w.SetSockOpt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, f))
	for typ, want := range map[byte]bool{129: false, 133: false, 134: true, 135: false, 255: false} {
		w.inject(packet6(ip.ProtocolICMPv6, sum6(ip.ProtocolICMPv6, []byte{typ, 0, 0, 0, 0, 0, 0, 0}, 2)))
		_, err := w.Recv(fd, make([]byte, 20), 0)
		require.Equal(t, want, err == nil, typ)
	}
}

// A ping socket of AF_INET6 sends echo requests with its identifier and the checksum, and receives their replies.
func TestPingSocketOfIPv6(t *testing.T) { // SOCK6-020
	w := newWire(t, dualStack)
	fd := w.socket6(SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_ICMPV6)
	_, err := w.SendTo(fd, []byte{128, 0, 0, 0, 0, 0, 0, 5, 'x'}, 0, netip.AddrPortFrom(addrA6, 0))
	require.NoError(t, err)
	_, b := w.sent6()
	id := w.name(fd).Port()
	require.Equal(t, sum6(ip.ProtocolICMPv6, []byte{128, 0, 0, 0, byte(id >> 8), byte(id), 0, 5, 'x'}, 2), b[0])
	for _, reply := range []uint16{id + 1, id} {
		w.inject(packet6(ip.ProtocolICMPv6, sum6(ip.ProtocolICMPv6, []byte{129, 0, 0, 0, byte(reply >> 8), byte(reply), 0, 5, 'x'}, 2)))
	}
	got, err := w.host.recv(fd, 20, 0)
	require.NoError(t, err)
	require.Equal(t, []byte{byte(id >> 8), byte(id)}, []byte(got)[4:6])
	_, err = w.host.recv(fd, 20, 0)
	require.Error(t, err)
	_, err = w.SendTo(fd, []byte{8, 0, 0, 0, 0, 0, 0, 5}, 0, netip.AddrPortFrom(addrA6, 0))
	require.Equal(t, syscall.EINVAL, err, "IPv4's echo request")
}
