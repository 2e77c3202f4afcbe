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
)

// reply is a sent ICMP message, taken apart.
type reply struct {
	h    ipv4.Header
	icmp []byte
}

// udp is a transport that reports a closed port for everything, and remembers the errors it is advised of.
type udp struct {
	ip     *ip.Stack
	advice []ip.Error
	quoted [][]byte
}

func (u *udp) Input(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	u.ip.Report(now, ip.Error{Kind: ip.PortUnreachable}, d, p)
	p.Free()
}

func (u *udp) HandleError(_ time.Duration, e *ip.Error, quoted []byte) {
	kept := *e
	kept.Datagram = slices.Clone(e.Datagram)
	u.advice = append(u.advice, kept)
	u.quoted = append(u.quoted, slices.Clone(quoted))
}

// lab is a host in virtual time, 10.0.0.2/24 on eth0 with the gateway 10.0.0.1.
type lab struct {
	*Stack
	t      *testing.T
	now    time.Duration
	timers timer.Queue
	eth0   *ip.Interface
	wire   *wiretest.Wire
	udp    udp
}

var (
	ownAddr   = netip.MustParseAddr("10.0.0.2")
	otherAddr = netip.MustParseAddr("10.0.0.3") // ours too
	peerAddr  = netip.MustParseAddr("10.0.0.1")
	farAddr   = netip.MustParseAddr("192.0.2.9")
)

func newLab(t *testing.T, v4 ipv4.Config, cfg Config) *lab {
	return newLabWith(t, ip.Config{}, v4, cfg)
}

func newLabWith(t *testing.T, shared ip.Config, v4 ipv4.Config, cfg Config) *lab {
	l := &lab{t: t, now: time.Second, wire: wiretest.New(1500, packet.Features{})}
	shared.Timers = &l.timers
	stack := ip.New(shared)
	l.Stack = New(stack, ipv4.New(stack, v4), cfg)
	l.udp.ip = stack
	stack.Register(ip.ProtocolUDP, &l.udp)
	var err error
	l.eth0, err = stack.AddInterface("eth0", l.wire)
	require.NoError(t, err)
	require.NoError(t, l.eth0.AddAddress(netip.PrefixFrom(ownAddr, 24)))
	require.NoError(t, l.eth0.AddAddress(netip.PrefixFrom(otherAddr, 24)))
	require.NoError(t, stack.AddRoute(ip.RouteEntry{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: peerAddr}))
	return l
}

// take returns the messages that were sent since the last call, all of which must be correct.
func (l *lab) take() []reply {
	l.t.Helper()
	var replies []reply
	for _, d := range l.wire.Take() {
		var r reply
		b := d.Data
		require.True(l.t, r.h.Parse(b))
		r.icmp = b[r.h.Len():]
		require.Equal(l.t, uint16(0xffff), checksum.Sum(b[:r.h.Len()], 0))
		if r.h.Protocol == ip.ProtocolICMP && !r.h.MF && r.h.Offset == 0 {
			require.Equal(l.t, uint16(0xffff), checksum.Sum(r.icmp, 0)) // ICMP-002
		}
		replies = append(replies, r)
	}
	return replies
}

// recv puts a datagram in at eth0 and returns what the stack answers.
func (l *lab) recv(b []byte) []reply {
	l.t.Helper()
	return l.recvAs(b, packet.Unicast)
}

func (l *lab) recvAs(b []byte, cast packet.Cast) []reply {
	l.t.Helper()
	p := packet.From(b)
	p.Cast = cast
	l.eth0.Input(l.now, p)
	return l.take()
}

func from(src, dst netip.Addr, protocol uint8) ipv4.Header {
	return ipv4.Header{Datagram: ip.Datagram{Src: src, Dst: dst, TTL: 64, Protocol: protocol}, ID: 77}
}

// datagram is h and payload as octets.
func datagram(h ipv4.Header, payload []byte) []byte {
	b := make([]byte, h.Len(), h.Len()+len(payload))
	b[0], b[1], b[8], b[9] = 4<<4|byte(h.Len()/4), h.TOS, h.TTL, h.Protocol
	binary.BigEndian.PutUint16(b[2:], uint16(h.Len()+len(payload)))
	binary.BigEndian.PutUint16(b[4:], h.ID)
	fragment := h.Offset / 8
	if h.MF {
		fragment |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], fragment)
	copy(b[12:], h.Src.AsSlice())
	copy(b[16:], h.Dst.AsSlice())
	copy(b[20:], h.Options)
	checksum.Put(b[10:], ^checksum.Sum(b, 0))
	return append(b, payload...)
}

// msg is an ICMP message with a good checksum: type, code, the four octets after the checksum, and data.
func msg(kind, code byte, rest [4]byte, data []byte) []byte {
	b := append([]byte{kind, code, 0, 0, rest[0], rest[1], rest[2], rest[3]}, data...)
	putChecksum(b)
	return b
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

var idSeq = [4]byte{0x12, 0x34, 0, 1}

func ping(n int) []byte { return msg(EchoRequest, 0, idSeq, pattern(n)) }

// recvError puts in an error that quotes b.
func (l *lab) recvError(src netip.Addr, kind, code byte, rest [4]byte, b []byte) []reply {
	l.t.Helper()
	return l.recv(datagram(from(src, ownAddr, ip.ProtocolICMP), msg(kind, code, rest, b)))
}
