package ping

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
)

var (
	us     = netip.MustParseAddr("10.0.0.2")
	them   = netip.MustParseAddr("10.0.0.1")
	router = netip.MustParseAddr("10.0.0.254")

	us6     = netip.MustParseAddr("fd00::2")
	them6   = netip.MustParseAddr("fd00::1")
	router6 = netip.MustParseAddr("fe80::99")
)

// arrival is an event that arrives some time after a request was sent.
type arrival struct {
	after    time.Duration
	datagram []byte
	err      error
}

// host is a connected raw ICMP socket whose other end answers as the function answer says. It lives in a synctest bubble.
type host struct {
	net.Conn // nil: other methods must not be called
	t        *testing.T
	answer   func(id, seq uint16, request []byte) ([]arrival, error)
	arrivals chan arrival
	deadline chan struct{}
	sent     []time.Time
	six      bool // over IPv6
}

func newHost(t *testing.T, answer func(id, seq uint16, request []byte) ([]arrival, error)) *host {
	return &host{t: t, answer: answer, arrivals: make(chan arrival, 100), deadline: make(chan struct{})}
}

func (h *host) Write(request []byte) (int, error) {
	h.sent = append(h.sent, time.Now())
	if request[0] != icmp.EchoRequest6 { // whose checksum is the socket's work
		require.Equal(h.t, byte(icmp.EchoRequest), request[0], "an echo request")
		require.Zero(h.t, onesSum(request), "the checksum")
	}
	id, seq := binary.BigEndian.Uint16(request[4:]), binary.BigEndian.Uint16(request[6:])
	arrivals, err := h.answer(id, seq, bytes.Clone(request))
	for _, a := range arrivals {
		time.AfterFunc(a.after, func() { h.arrivals <- a })
	}
	return len(request), err
}

func (h *host) Read(b []byte) (int, error) {
	select {
	case a := <-h.arrivals:
		return copy(b, a.datagram), a.err
	case <-h.deadline:
		return 0, os.ErrDeadlineExceeded
	}
}

func (h *host) SetReadDeadline(time.Time) error { close(h.deadline); return nil }

func (h *host) LocalAddr() net.Addr {
	if h.six {
		return &net.IPAddr{IP: us6.AsSlice()}
	}
	return &net.IPAddr{IP: us.AsSlice()}
}

// onesSum is the complement of the Internet checksum (RFC 1071): 0 over a message with a correct one.
func onesSum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// datagram wraps an ICMP message in an IP header.
func datagram(src, dst netip.Addr, ttl, protocol byte, message []byte) []byte {
	b := make([]byte, 20, 20+len(message))
	b[0], b[8], b[9] = 0x45, ttl, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(message)))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	return append(b, message...)
}

// reply answers request.
func reply(request []byte) []byte {
	request = bytes.Clone(request)
	request[0] = 0
	return datagram(them, us, 64, 1, request)
}

// problem is an ICMP error about request, which it quotes; rest is the second word of its header.
func problem(kind, code byte, rest uint32, request []byte) []byte {
	m := binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, rest)
	return datagram(router, us, 255, 1, append(m, datagram(us, them, 1, 1, request[:8])...))
}

// datagram6 wraps an ICMPv6 message in an IPv6 header.
func datagram6(src, dst netip.Addr, hops, protocol byte, message []byte) []byte {
	b := make([]byte, 40, 40+len(message))
	b[0], b[6], b[7] = 0x60, protocol, hops
	binary.BigEndian.PutUint16(b[4:], uint16(len(message)))
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return append(b, message...)
}

// reply6 answers request.
func reply6(request []byte) []byte {
	request = bytes.Clone(request)
	request[0] = icmp.EchoReply6
	return datagram6(them6, us6, 64, 58, request)
}

// problem6 is an ICMPv6 error about request.
func problem6(kind, code byte, rest uint32, request []byte) []byte {
	m := binary.BigEndian.AppendUint32([]byte{kind, code, 0, 0}, rest)
	return datagram6(router6, us6, 255, 58, append(m, datagram6(us6, them6, 1, 58, request[:8])...))
}
