package icmp

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/ipv6"
)

// reply6 is a sent ICMPv6 message, taken apart.
type reply6 struct {
	h    ipv6.Header
	icmp []byte
	out  wiretest.Datagram
}

// lab6 is a host in virtual time, 2001:db8::2 on eth0 with the gateway 2001:db8::1. Its UDP has no sockets.
type lab6 struct {
	*Stack6
	v4     *Stack
	t      *testing.T
	now    time.Duration
	timers timer.Queue
	eth0   *ip.Interface
	wire   *wiretest.Wire
	udp    udp
}

var (
	own6   = netip.MustParseAddr("2001:db8::2")
	other6 = netip.MustParseAddr("2001:db8::3") // ours too
	peer6  = netip.MustParseAddr("2001:db8::1")
	far6   = netip.MustParseAddr("2a00::9")
)

func newLab6(t *testing.T, shared ip.Config, cfg Config) *lab6 {
	l := &lab6{t: t, now: time.Second, wire: wiretest.New(1500, packet.Features{})}
	shared.Timers = &l.timers
	stack := ip.New(shared)
	l.v4 = New(stack, ipv4.New(stack, ipv4.Config{}), cfg)
	l.Stack6 = New6(stack, ipv6.New(stack, ipv6.Config{}), l.v4)
	l.udp.ip = stack
	stack.Register(ip.ProtocolUDP, &l.udp)
	var err error
	l.eth0, err = stack.AddInterface("eth0", l.wire)
	require.NoError(t, err)
	for _, a := range []string{"2001:db8::2/64", "2001:db8::3/64", "fe80::2/64", "10.0.0.2/24"} {
		require.NoError(t, l.eth0.AddAddress(netip.MustParsePrefix(a)))
	}
	require.NoError(t, stack.AddRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("::/0"), Gateway: peer6}))
	return l
}

// take returns the messages that were sent since the last call, all of which must be correct.
func (l *lab6) take() []reply6 {
	l.t.Helper()
	var replies []reply6
	for _, d := range l.wire.Take() {
		r := reply6{out: d}
		require.True(l.t, r.h.Parse(d.Data))
		r.icmp = d.Data[r.h.HeaderLen:]
		if !r.h.More && r.h.Offset == 0 {
			require.Equal(l.t, uint16(0xffff), checksum.Sum(r.icmp, r.h.PseudoSum(len(r.icmp)))) // ICMP6-001
		}
		replies = append(replies, r)
	}
	return replies
}

// recv puts a datagram in at eth0 and returns what the stack answers.
func (l *lab6) recv(b []byte) []reply6 {
	l.t.Helper()
	l.eth0.Input(l.now, packet.From(b))
	return l.take()
}

// datagram6 is a header and payload as bytes.
func datagram6(src, dst netip.Addr, protocol uint8, payload []byte) []byte {
	b := make([]byte, ipv6.HeaderLen, ipv6.HeaderLen+len(payload))
	b[0], b[6], b[7] = 6<<4, protocol, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	s, d := src.As16(), dst.As16()
	copy(b[8:], s[:])
	copy(b[24:], d[:])
	return append(b, payload...)
}

// msg6 is a datagram with an ICMPv6 message that has a good checksum: type, code, the four bytes after the checksum, and data.
func msg6(src, dst netip.Addr, kind, code byte, rest uint32, data []byte) []byte {
	b := append([]byte{kind, code, 0, 0, byte(rest >> 24), byte(rest >> 16), byte(rest >> 8), byte(rest)}, data...)
	checksum.Put(b[2:], ^checksum.Sum(b, checksum.Pseudo(src, dst, ip.ProtocolICMPv6, len(b))))
	return datagram6(src, dst, ip.ProtocolICMPv6, b)
}

func ping6(src, dst netip.Addr, n int) []byte {
	return msg6(src, dst, EchoRequest6, 0, 0x12340001, pattern(n))
}

// fromUDP is a UDP datagram of ours, as an error quotes it.
func fromUDP(dst netip.Addr, n int) []byte {
	return datagram6(own6, dst, ip.ProtocolUDP, append([]byte{0x10, 1, 0x20, 2, byte((8 + n) >> 8), byte(8 + n), 0xaa, 0xaa}, pattern(n)...))
}

// fails puts an error in at eth0 and returns what the transport is told.
func (l *lab6) fails(kind, code byte, rest uint32, quote []byte) []ip.Error {
	l.t.Helper()
	require.Empty(l.t, l.recv(msg6(peer6, own6, kind, code, rest, quote)))
	advice := l.udp.advice
	l.udp.advice = nil
	return advice
}

// sendUDP sends a UDP datagram of n bytes of payload, the same as fromUDP.
func (l *lab6) sendUDP(dst netip.Addr, n int) []reply6 {
	l.t.Helper()
	r, err := l.ip.Route(dst, netip.Addr{})
	require.NoError(l.t, err)
	require.NoError(l.t, l.ip.Send(l.now, r, ip.Outgoing{Protocol: ip.ProtocolUDP}, packet.From(slices.Clone(fromUDP(dst, n)[ipv6.HeaderLen:]))))
	var sent []reply6
	for _, d := range l.wire.Take() {
		sent = append(sent, reply6{out: d})
	}
	return sent
}
