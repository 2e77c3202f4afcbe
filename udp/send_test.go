package udp

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/dgram"
)

// verify checks the checksum of a datagram without options in the plainest way.
func verify(t *testing.T, b []byte) {
	t.Helper()
	length := make([]byte, 4)
	binary.BigEndian.PutUint16(length[2:], uint16(len(b)-20))
	require.Equal(t, uint16(0xffff), sum16(b[12:20], []byte{0, 17}, length, b[20:]))
}

// UDP-001: every datagram carries a checksum, whatever its length.
func TestSendChecksum(t *testing.T) {
	h := newHost(t)
	e := h.bound("10.0.0.2:1000")
	for _, payload := range []string{"", "a", "ab", "abc", strings.Repeat("\xff", 1471)} {
		n, err := e.Send([]byte(payload), ap("10.0.0.1:2000"), netip.Addr{})
		require.NoError(t, err)
		require.Equal(t, len(payload), n)
		ip, udp := h.last()
		require.NotZero(t, udp.Checksum)
		verify(t, h.wire.Last().Data)
		require.Equal(t, payload, string(udp.Payload))
		require.Equal(t, "10.0.0.2", ip.SrcIP.String())
		require.Equal(t, "10.0.0.1", ip.DstIP.String())
		require.EqualValues(t, 1000, udp.SrcPort)
		require.EqualValues(t, 2000, udp.DstPort)
		require.EqualValues(t, 8+len(payload), udp.Length)
	}
}

// UDP-002: a checksum that computes to zero is sent as 0xFFFF, by the stack as by CompleteChecksum.
func TestSendChecksumZero(t *testing.T) {
	for _, features := range []packet.Features{{}, {Checksum: true}} {
		h := newHostOn(t, 1500, features)
		e := h.bound("10.0.0.2:1000")
		_, err := e.Send([]byte{0, 0}, ap("10.0.0.1:2000"), netip.Addr{})
		require.NoError(t, err)
		first := h.wire.Sent[0]
		field := binary.BigEndian.Uint16(first.Data[26:])
		payload := make([]byte, 2)
		if first.Offload.Checksum == packet.ChecksumPartial {
			binary.BigEndian.PutUint16(payload, ^sum16(first.Data[20:])) // the remaining sum
		} else {
			binary.BigEndian.PutUint16(payload, field) // the value for which the sum is 0xffff
		}
		_, err = e.Send(payload, ap("10.0.0.1:2000"), netip.Addr{})
		require.NoError(t, err)
		p := packet.From(h.wire.Sent[1].Data)
		p.Offload = h.wire.Sent[1].Offload
		p.CompleteChecksum()
		require.Equal(t, uint16(0xffff), binary.BigEndian.Uint16(p.Bytes()[26:]))
		p.Free()
	}
}

// UDP-001: a link that computes checksums is given the pseudo-header's sum and told where to add the rest.
func TestSendChecksumPartial(t *testing.T) {
	h := newHostOn(t, 1500, packet.Features{Checksum: true})
	e := h.bound("10.0.0.2:1000")
	for _, payload := range []string{"", "odd", "even"} {
		_, err := e.Send([]byte(payload), ap("10.0.0.1:2000"), netip.Addr{})
		require.NoError(t, err)
		s := h.wire.Last()
		require.Equal(t, packet.Offload{Checksum: packet.ChecksumPartial, Start: 20, Offset: 6}, s.Offload)
		p := packet.From(s.Data)
		p.Offload = s.Offload
		p.CompleteChecksum()
		verify(t, p.Bytes())
		p.Free()
	}
}

// UDP-005: SO_NO_CHECK turns the checksum off.
func TestSendNoCheck(t *testing.T) {
	h := newHost(t)
	e := h.bound("10.0.0.2:1000", func(o *Options) { o.NoCheck = true })
	_, err := e.Send([]byte("x"), ap("10.0.0.1:2000"), netip.Addr{})
	require.NoError(t, err)
	_, udp := h.last()
	require.Zero(t, udp.Checksum)
}

// UDP-008, SOCK-043: TOS, TTL and IP options reach the header.
func TestSendHeaderFields(t *testing.T) {
	h := newHost(t)
	options := []byte{148, 4, 0, 0} // router alert
	e := h.bound("10.0.0.2:1000", func(o *Options) { o.TOS, o.TTL, o.IPOptions = 0x10, 7, options })
	options[0] = 0 // the socket has its own copy
	_, err := e.Send([]byte("x"), ap("10.0.0.1:2000"), netip.Addr{})
	require.NoError(t, err)
	ip, udp := h.last()
	require.EqualValues(t, 0x10, ip.TOS)
	require.EqualValues(t, 7, ip.TTL)
	require.Len(t, ip.Options, 1)
	require.EqualValues(t, 148, ip.Options[0].OptionType)
	require.Equal(t, "x", string(udp.Payload))
	require.Equal(t, byte(148), e.Options().IPOptions[0])

	_, err = e.Send(make([]byte, maxPayload-3), ap("10.0.0.1:2000"), netip.Addr{})
	require.Equal(t, syscall.EMSGSIZE, err, "options take room")
}

// UDP-010: the source address is the bound one, the one asked for, or the stack's choice, and always an address of the stack.
func TestSendSource(t *testing.T) {
	h := newHost(t)
	tests := []struct {
		bound, src, want string
		err              error
	}{
		{"0.0.0.0:0", "", "10.0.0.2", nil},
		{"10.0.0.3:0", "", "10.0.0.3", nil},
		{"0.0.0.0:0", "10.0.0.3", "10.0.0.3", nil},
		{"10.0.0.2:0", "10.0.0.3", "10.0.0.3", nil},
		{"0.0.0.0:0", "10.0.0.9", "", syscall.ENETUNREACH},
	}
	for _, tt := range tests {
		e := h.bound(tt.bound)
		var src netip.Addr
		if tt.src != "" {
			src = addr(tt.src)
		}
		_, err := e.Send([]byte("x"), ap("10.0.0.1:2000"), src)
		require.Equal(t, tt.err, err)
		if err == nil {
			ip, udp := h.last()
			require.Equal(t, tt.want, ip.SrcIP.String())
			require.EqualValues(t, e.Local().Port(), udp.SrcPort)
		}
	}
}

// UDP-013, SOCK-015: a send that cannot become one datagram is refused, and no packet leaves.
func TestSendErrors(t *testing.T) {
	h := newHost(t)
	tests := []struct {
		name string
		size int
		to   string
		err  error
	}{
		{"too large", maxPayload + 1, "10.0.0.1:7", syscall.EMSGSIZE},
		{"no route", 1, "192.0.2.1:7", syscall.ENETUNREACH},
		{"port 0", 1, "10.0.0.1:0", syscall.EINVAL},
		{"IPv6", 1, "[::1]:7", syscall.EAFNOSUPPORT},
		{"no destination", 1, "", syscall.EDESTADDRREQ},
		{"broadcast", 1, "10.0.0.255:7", syscall.EACCES},
		{"limited broadcast", 1, "255.255.255.255:7", syscall.EACCES},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var to netip.AddrPort
			if tt.to != "" {
				to = ap(tt.to)
			}
			_, err := h.udp.NewSocket(ip.V4).Send(make([]byte, tt.size), to, netip.Addr{})
			require.Equal(t, tt.err, err)
			require.Empty(t, h.wire.Sent)
		})
	}
}

// UDP-013: 65507 bytes go, in fragments, and the checksum is that of the whole.
func TestSendLargest(t *testing.T) {
	h := newHost(t)
	payload := strings.Repeat("0123456789", 6551)[:maxPayload]
	_, err := h.udp.NewSocket(ip.V4).Send([]byte(payload), ap("10.0.0.1:7"), netip.Addr{})
	require.NoError(t, err)
	require.Len(t, h.wire.Sent, 45)
	whole := append([]byte(nil), h.wire.Sent[0].Data[:20]...)
	for _, s := range h.wire.Sent {
		whole = append(whole, s.Data[20:]...)
	}
	verify(t, whole)
	require.Equal(t, payload, string(whole[28:]))
}

// SOCK-071: MSG_MORE gathers as many bytes as a datagram carries, and fails at the next one, which discards them, as on Linux.
func TestSendMoreLargest(t *testing.T) {
	h := newHost(t)
	e := h.udp.NewSocket(ip.V4)
	n, err := e.SendMsg(make([]byte, maxPayload), ap("10.0.0.1:7"), dgram.Control{}, true)
	require.NoError(t, err)
	require.Equal(t, maxPayload, n)
	_, err = e.SendMsg([]byte("x"), ap("10.0.0.1:7"), dgram.Control{}, true)
	require.Equal(t, syscall.EMSGSIZE, err)
	_, err = e.Send([]byte("x"), ap("10.0.0.1:7"), netip.Addr{})
	require.NoError(t, err)
	require.Len(t, h.wire.Sent, 1)
	require.Equal(t, "x", string(h.wire.Sent[0].Data[28:]))
}

// A socket connected to port 0 sends there, but a call that names port 0 fails, as on Linux.
func TestSendToPortZero(t *testing.T) {
	h := newHost(t)
	e := h.udp.NewSocket(ip.V4)
	require.NoError(t, e.Connect(ap("10.0.0.1:0")))
	_, err := e.Send([]byte("x"), ap("10.0.0.1:0"), netip.Addr{})
	require.Equal(t, syscall.EINVAL, err)
	_, err = e.Send([]byte("x"), netip.AddrPort{}, netip.Addr{})
	require.NoError(t, err)
	require.Len(t, h.wire.Sent, 1)
}

// UDP-015, SOCK-005: an unbound socket gets a port of the ephemeral range at the first send and keeps it.
func TestSendEphemeral(t *testing.T) {
	h := newHost(t)
	e := h.udp.NewSocket(ip.V4)
	require.Zero(t, e.Local().Port())
	_, err := e.Send([]byte("x"), ap("10.0.0.1:7"), netip.Addr{})
	require.NoError(t, err)
	_, udp := h.last()
	port := e.Local().Port()
	require.GreaterOrEqual(t, port, uint16(49152))
	require.EqualValues(t, port, udp.SrcPort)
	_, err = e.Send([]byte("x"), ap("10.0.0.1:8"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, port, e.Local().Port())

	other := h.udp.NewSocket(ip.V4)
	_, err = other.Send([]byte("x"), ap("10.0.0.1:7"), netip.Addr{})
	require.NoError(t, err)
	require.Greater(t, int(other.Local().Port()-port)&0xffff, 1, "not the next one")
}

// UDP-016: the application can set DF and read the path MTU.
func TestDontFragment(t *testing.T) {
	h := newHost(t)
	e := h.bound("10.0.0.2:1000", func(o *Options) { o.Discover = ip.DiscoverDo })
	_, err := e.PathMTU()
	require.Equal(t, syscall.ENOTCONN, err)
	require.NoError(t, e.Connect(ap("10.0.0.1:7")))
	mtu, err := e.PathMTU()
	require.NoError(t, err)
	require.Equal(t, 1500, mtu)

	_, err = e.Send(make([]byte, 1472), netip.AddrPort{}, netip.Addr{})
	require.NoError(t, err)
	ip, _ := h.last()
	require.NotZero(t, ip.Flags&layers.IPv4DontFragment)
	_, err = e.Send(make([]byte, 1473), netip.AddrPort{}, netip.Addr{})
	require.Equal(t, syscall.EMSGSIZE, err)
	require.Len(t, h.wire.Sent, 1)
}

// SOCK-035: broadcasts need SO_BROADCAST, and reach the sockets of the stack too.
func TestSendBroadcast(t *testing.T) {
	h := newHost(t)
	receiver := h.bound("0.0.0.0:67")
	e := h.bound("0.0.0.0:68")
	require.Equal(t, syscall.EACCES, e.Connect(ap("10.0.0.255:67")))
	e.SetOptions(broadcast)
	for _, to := range []string{"10.0.0.255:67", "255.255.255.255:67"} {
		_, err := e.Send([]byte("discover"), ap(to), netip.Addr{})
		require.NoError(t, err)
		require.Equal(t, packet.Broadcast, h.wire.Last().Cast)
		d := receiver.reads(t, "discover")
		require.Equal(t, ap(to), d.To)
		require.Equal(t, ap("10.0.0.2:68"), d.From)
	}
	require.NoError(t, e.Connect(ap("10.0.0.255:67")))
}

// SOCK-044: TTL 1 and loopback are the defaults of multicast, and both can be changed.
func TestSendMulticast(t *testing.T) {
	h := newHost(t)
	receiver := h.bound("0.0.0.0:5353")
	e := h.bound("0.0.0.0:1000")
	send := func() *layers.IPv4 {
		_, err := e.Send([]byte("q"), ap("224.0.0.251:5353"), netip.Addr{})
		require.NoError(t, err)
		ip, _ := h.last()
		return ip
	}
	e.SetOptions(func(o *Options) { o.MulticastInterface = addr("10.0.0.3") })
	require.EqualValues(t, 1, send().TTL)
	receiver.fails(t, syscall.EAGAIN) // no socket has joined the group

	require.NoError(t, receiver.Groups().Join(addr("224.0.0.251"), h.tun))
	require.Equal(t, "10.0.0.3", send().SrcIP.String())
	receiver.reads(t, "q")

	e.SetOptions(func(o *Options) { o.Multicast4.TTL, o.Multicast4.Loop, o.TTL = 9, false, 3 })
	require.EqualValues(t, 9, send().TTL)
	receiver.fails(t, syscall.EAGAIN)
}

// The header fields of one send are those of the multicast that leaves and of the one that comes back.
func TestSendMulticastWithControl(t *testing.T) { // SOCK-044
	h := newHost(t)
	receiver := h.bound("0.0.0.0:5353")
	require.NoError(t, receiver.Groups().Join(addr("224.0.0.251"), h.tun))
	e := h.bound("0.0.0.0:1000", func(o *Options) { o.Multicast4.TTL = 0 })
	send := func(ttl uint8) Datagram {
		choices := &dgram.Choices{Header: func(o ip.Outgoing) ip.Outgoing { o.TTL, o.TOS = ttl, 4; return o }}
		_, err := e.SendMsg([]byte("q"), ap("224.0.0.251:5353"), dgram.Control{Choices: choices}, false)
		require.NoError(t, err)
		return receiver.reads(t, "q")
	}
	d := send(9)
	require.Equal(t, [2]uint8{9, 4}, [2]uint8{d.TTL, d.TOS})
	sent, _ := h.last()
	require.Equal(t, [2]uint8{9, 4}, [2]uint8{sent.TTL, sent.TOS})
	send(0)
	require.Len(t, h.wire.Sent, 1, "the second stays")
}

// A reply leaves by the device queue that the request came by.
func TestSendQueue(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	p := packet.From(build(t, "10.0.0.1:1000", "10.0.0.2:7", "x"))
	p.Queue = 3
	h.tun.Input(0, p)
	_, err := e.Send([]byte("x"), ap("10.0.0.1:1000"), netip.Addr{})
	require.NoError(t, err)
	require.EqualValues(t, 3, h.wire.Sent[0].Queue)
}
