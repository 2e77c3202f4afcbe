package traceroute

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/icmp"
	"tunstack/internal/checksum"
	"tunstack/ip"
)

var (
	us     = netip.MustParseAddr("10.0.0.2")
	first  = netip.MustParseAddr("10.0.0.1")
	second = netip.MustParseAddr("10.1.0.1")
	target = netip.MustParseAddr("10.2.0.1")

	us6     = netip.MustParseAddr("fd00::2")
	first6  = netip.MustParseAddr("fe80::1")
	second6 = netip.MustParseAddr("fd00:1::1")
	target6 = netip.MustParseAddr("fd00:2::1")
)

// arrival is a message that arrives over one of the sockets some time after a probe was sent.
type arrival struct {
	over  *socket
	after time.Duration
	data  []byte
	err   error
}

// socket is one of Sockets, in a synctest bubble.
type socket struct {
	net.Conn // nil: other methods must not be called
	h        *host
	arrivals chan arrival
	deadline chan struct{}
}

// Read implements net.Conn.
func (s *socket) Read(b []byte) (int, error) {
	select {
	case a := <-s.arrivals:
		return copy(b, a.data), a.err
	case <-s.deadline:
		return 0, os.ErrDeadlineExceeded
	}
}

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(time.Time) error { close(s.deadline); return nil }

// Write implements net.Conn.
func (s *socket) Write(b []byte) (int, error) { return len(b), s.h.probe(b) }

// host is the stack, on a network that answers as the function answer says.
type host struct {
	t                *testing.T
	out, icmp, reply *socket
	answer           func(h *host, ttl int, probe []byte) []arrival
	failure          error // of sending
	sent             []ip.Datagram
}

func newHost(t *testing.T, answer func(h *host, ttl int, probe []byte) []arrival) *host {
	h := &host{t: t, answer: answer}
	for _, s := range []**socket{&h.out, &h.icmp, &h.reply} {
		*s = &socket{h: h, arrivals: make(chan arrival, 1000), deadline: make(chan struct{})}
	}
	return h
}

func (h *host) sockets() Sockets { return Sockets{Out: h.out, ICMP: h.icmp, Reply: h.reply} }

// probe receives a sent probe.
func (h *host) probe(b []byte) error {
	if h.failure != nil {
		return h.failure
	}
	d, message, ok := icmpmsg.Split(b)
	require.True(h.t, ok)
	require.Len(h.t, message, 40)
	sum := uint16(0)
	if d.Protocol != ip.ProtocolICMP {
		sum = checksum.Pseudo(own(d.Dst), d.Dst, d.Protocol, len(message))
	}
	require.Equal(h.t, uint16(0xffff), checksum.Sum(message, sum), "the checksum")
	h.sent = append(h.sent, d)
	for _, a := range h.answer(h, int(d.TTL), b) {
		time.AfterFunc(a.after, func() { a.over.arrivals <- a })
	}
	return nil
}

// own is the stack's address of the family of another.
func own(a netip.Addr) netip.Addr {
	if a.Is4() {
		return us
	}
	return us6
}

// datagram wraps a message in an IP header.
func datagram(src, dst netip.Addr, protocol byte, message []byte) []byte {
	b := make([]byte, 20, 20+len(message))
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(message)))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	return append(b, message...)
}

// problem is an ICMP error about a probe; rest is the second word of its header.
func (h *host) problem(after time.Duration, from netip.Addr, kind, code byte, rest uint32, probe []byte) []arrival {
	m := binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, rest)
	return []arrival{{over: h.icmp, after: after, data: datagram(from, us, 1, append(m, probe[:28]...))}}
}

// expired is the Time Exceeded of a router.
func (h *host) expired(after time.Duration, from netip.Addr, probe []byte) []arrival {
	return h.problem(after, from, 11, 0, 0, probe)
}

// swapped is a port's answer: the start of a UDP or TCP header, with TCP's flags.
func (h *host) swapped(after time.Duration, flags byte, probe []byte) []arrival {
	b := make([]byte, 20)
	copy(b, probe[22:24])
	copy(b[2:], probe[20:22])
	b[13] = flags
	return []arrival{{over: h.reply, after: after, data: b}}
}

// echoed is the reply to an echo request.
func (h *host) echoed(after time.Duration, probe []byte) []arrival {
	m := append([]byte{0, 0, 0, 0}, probe[24:]...)
	return []arrival{{over: h.icmp, after: after, data: datagram(target, us, 1, m)}}
}

// datagram6 wraps an ICMPv6 message in an IPv6 header.
func datagram6(src netip.Addr, message []byte) []byte {
	b := make([]byte, 40, 40+len(message))
	b[0], b[6], b[7] = 0x60, ip.ProtocolICMPv6, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(message)))
	copy(b[8:], src.AsSlice())
	copy(b[24:], us6.AsSlice())
	return append(b, message...)
}

// problem6 is an ICMPv6 error about a probe, which it quotes whole.
func (h *host) problem6(after time.Duration, from netip.Addr, kind, code byte, info uint32, probe []byte) []arrival {
	m := binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, info)
	return []arrival{{over: h.icmp, after: after, data: datagram6(from, append(m, probe...))}}
}

// echoed6 is the reply to an echo request.
func (h *host) echoed6(after time.Duration, probe []byte) []arrival {
	return []arrival{{over: h.icmp, after: after, data: datagram6(target6, append([]byte{icmp.EchoReply6, 0, 0, 0}, probe[44:]...))}}
}
