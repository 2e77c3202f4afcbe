package udp

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/stats"
	"tunstack/ip"
)

// UDP-003, UDP-004, UDP-006: valid datagrams are delivered, others dropped under a named reason, without an ICMP error.
func TestReceiveValid(t *testing.T) {
	setLength := func(n uint16) func([]byte) { return func(b []byte) { binary.BigEndian.PutUint16(b[24:], n) } }
	noChecksum := func(b []byte) { b[26], b[27] = 0, 0 }
	tests := []struct {
		name    string
		offload packet.Checksum
		change  func(b []byte)
		want    string // "": dropped
		counter func(*counters) *stats.Counter
	}{
		{"as sent", packet.ChecksumNone, func([]byte) {}, "payload", nil},
		{"no checksum", packet.ChecksumNone, noChecksum, "payload", nil},
		{"payload corrupt", packet.ChecksumNone, func(b []byte) { b[30]++ }, "", func(c *counters) *stats.Counter { return &c.DropChecksum }},
		{"checksum corrupt", packet.ChecksumNone, func(b []byte) { b[27]++ }, "", func(c *counters) *stats.Counter { return &c.DropChecksum }},
		{"corrupt but vouched for", packet.ChecksumValid, func(b []byte) { b[27]++ }, "payload", nil},
		{"not computed yet", packet.ChecksumPartial, func(b []byte) { b[27]++ }, "payload", nil},
		{"length 7", packet.ChecksumNone, setLength(7), "", func(c *counters) *stats.Counter { return &c.DropLength }},
		{"length 0", packet.ChecksumNone, setLength(0), "", func(c *counters) *stats.Counter { return &c.DropLength }},
		{"length beyond the packet", packet.ChecksumNone, setLength(16), "", func(c *counters) *stats.Counter { return &c.DropLength }},
		{"length below the packet", packet.ChecksumNone, func(b []byte) { setLength(11)(b); noChecksum(b) }, "pay", nil},
		{"header cut", packet.ChecksumNone, func(b []byte) { cutTo(b, 27) }, "", func(c *counters) *stats.Counter { return &c.DropShort }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			e := h.bound("0.0.0.0:7")
			b := build(t, "10.0.0.1:1000", "10.0.0.2:7", "payload")
			tt.change(b)
			p := packet.From(b)
			p.Offload.Checksum = tt.offload
			h.tun.Input(0, p)
			if tt.counter == nil {
				e.reads(t, tt.want)
				return
			}
			e.fails(t, syscall.EAGAIN)
			require.EqualValues(t, 1, tt.counter(&h.udp.stats).Value())
			require.Empty(t, h.reports)
		})
	}
}

// cutTo makes the IP datagram n bytes long; the rest is link padding.
func cutTo(b []byte, n uint16) {
	binary.BigEndian.PutUint16(b[2:], n)
	binary.BigEndian.PutUint16(b[10:], 0)
	binary.BigEndian.PutUint16(b[10:], ^sum16(b[:20]))
}

// UDP-001: odd and even lengths are verified.
func TestReceiveChecksumLengths(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	for n := range 70 {
		payload := strings.Repeat("\xa5", n)
		h.receive("10.0.0.1:1000", "10.0.0.2:7", payload)
		e.reads(t, payload)
	}
	require.Zero(t, h.udp.stats.DropChecksum.Value())
}

// UDP-008, UDP-009: the application learns the specific destination and the header's fields.
func TestReceiveInfo(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	option := layers.IPv4Option{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}
	h.input(build(t, "10.0.0.1:1000", "10.0.0.3:7", "x", func(ip *layers.IPv4, _ *layers.UDP) {
		ip.TOS, ip.TTL, ip.Options = 0x20, 3, []layers.IPv4Option{option}
	}))
	want := Datagram{
		From: ap("10.0.0.1:1000"), To: ap("10.0.0.3:7"), Interface: "tun0",
		TOS: 0x20, TTL: 3, IPOptions: []byte{148, 4, 0, 0}, Size: 1,
	}
	require.Equal(t, want, e.reads(t, "x"))
}

// UDP-011, SOCK-021: boundaries are kept, an empty datagram counts, and a datagram too long for the buffer is cut.
func TestReceiveBoundaries(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	for _, payload := range []string{"first", "", "second"} {
		h.receive("10.0.0.1:1000", "10.0.0.2:7", payload)
	}
	e.reads(t, "first")
	e.reads(t, "")
	b := make([]byte, 3)
	n, d, err := e.Recv(b, true) // SOCK-020: a peek leaves it
	require.NoError(t, err)
	require.Equal(t, "sec", string(b[:n]))
	require.Equal(t, 6, d.Size)
	require.Equal(t, 6, e.Buffered())
	n, d, err = e.Recv(b, false)
	require.NoError(t, err)
	require.Equal(t, "sec", string(b[:n]))
	require.Equal(t, 6, d.Size)
	e.fails(t, syscall.EAGAIN)
}

// UDP-011: a super-packet of the device is delivered as the datagrams that it was made of.
func TestReceiveSuperPacket(t *testing.T) {
	h := newHostOn(t, 1500, packet.Features{Checksum: true, USO: 65535})
	e := h.bound("0.0.0.0:7")
	input := func(payload string, size uint16) {
		p := packet.From(build(t, "10.0.0.1:1000", "10.0.0.2:7", payload))
		p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Segmentation: packet.SegmentUDP, Size: size, Start: 20, Offset: 6}
		h.tun.Input(0, p)
	}
	input("aaabbbcccd", 3)
	input("eeefff", 3)
	require.Equal(t, 3, e.Buffered())
	for _, want := range []string{"aaa", "bbb", "ccc", "d", "eee", "fff"} {
		d := e.reads(t, want)
		require.Equal(t, len(want), d.Size)
	}
	e.fails(t, syscall.EAGAIN)
	require.EqualValues(t, 6, h.udp.stats.InDatagrams.Value())
}

// UDP-012: a connected socket receives from its peer only.
func TestReceiveConnected(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7")
	require.NoError(t, e.Connect(ap("10.0.0.1:1000")))
	for _, from := range []string{"10.0.0.1:1001", "10.0.0.9:1000"} {
		h.receive(from, "10.0.0.2:7", "stranger")
	}
	h.receive("10.0.0.1:1000", "10.0.0.3:7", "other address")
	require.Len(t, h.reports, 3)
	h.receive("10.0.0.1:1000", "10.0.0.2:7", "peer")
	e.reads(t, "peer")
	e.fails(t, syscall.EAGAIN)
}

// UDP-014: the most specific socket receives a datagram, whatever the order of binding.
func TestReceiveMostSpecific(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		h := newHost(t)
		sockets := make([]*Socket, 3)
		for _, i := range order {
			local := []string{"0.0.0.0:7", "10.0.0.2:7", "10.0.0.2:7"}[i]
			sockets[i] = h.bound(local, reuseAddr)
			if i == 2 {
				require.NoError(t, sockets[i].Connect(ap("10.0.0.1:1000")))
			}
		}
		h.receive("10.0.0.1:1000", "10.0.0.2:7", "connected")
		h.receive("10.0.0.1:1001", "10.0.0.2:7", "bound")
		h.receive("10.0.0.1:1000", "10.0.0.3:7", "wildcard")
		for i, want := range []string{"wildcard", "bound", "connected"} {
			sockets[i].reads(t, want)
			sockets[i].fails(t, syscall.EAGAIN)
		}
	}
}

// UDP-014: every matching socket gets a copy of a broadcast and of a multicast, and they are independent.
func TestReceiveMany(t *testing.T) {
	h := newHost(t)
	wild, second := h.bound("0.0.0.0:7", reuseAddr), h.bound("0.0.0.0:7", reuseAddr)
	specific := h.bound("10.0.0.2:7", reuseAddr)
	group := h.bound("224.0.0.251:7", reuseAddr)
	subnet := h.bound("10.0.0.255:7", reuseAddr)
	require.NoError(t, wild.Groups().Join(addr("224.0.0.251"), h.tun))

	h.receive("10.0.0.1:1000", "10.0.0.255:7", "broadcast")
	for _, e := range []*Socket{wild, second, subnet} {
		e.reads(t, "broadcast")
	}
	h.receive("10.0.0.1:1000", "224.0.0.251:7", "multicast")
	for _, e := range []*Socket{wild, second, group} {
		e.reads(t, "multicast")
	}
	for _, e := range []*Socket{wild, second, specific, group, subnet} {
		e.fails(t, syscall.EAGAIN)
	}
	h.receive("10.0.0.1:1000", "10.0.0.255:8", "nobody") // ICMP-006
	require.Empty(t, h.reports)
	require.EqualValues(t, 1, h.udp.stats.DropNoListener.Value())
}

// SOCK-044: leaving a group undoes joining, and so does Close.
func TestMembership(t *testing.T) {
	h := newHost(t)
	g, lan := addr("224.0.0.251"), h.tun
	e := h.bound("0.0.0.0:7")
	require.Equal(t, syscall.EADDRNOTAVAIL, e.Groups().Leave(g, lan))
	require.NoError(t, e.Groups().Join(g, lan))
	require.Equal(t, syscall.EADDRINUSE, e.Groups().Join(g, lan))
	require.Equal(t, syscall.EINVAL, e.Groups().Join(addr("10.0.0.1"), lan))
	require.Equal(t, syscall.ENODEV, e.Groups().Join(g, nil))
	require.True(t, h.tun.Joined(g))
	require.NoError(t, e.Groups().Leave(g, lan))
	require.False(t, h.tun.Joined(g))
	require.NoError(t, e.Groups().Join(g, lan))
	require.NoError(t, e.Close())
	require.False(t, h.tun.Joined(g))
	require.Equal(t, syscall.EBADF, e.Groups().Join(g, lan))
}

// SOCK-031: sockets with SO_REUSEPORT share the flows; one flow stays with one socket.
func TestReceiveReusePort(t *testing.T) {
	h := newHost(t)
	sockets := make([]*Socket, 4)
	for i := range sockets {
		sockets[i] = h.bound("0.0.0.0:7", reusePort)
	}
	got := make([]int, len(sockets))
	for port := range 400 {
		for range 2 {
			h.input(build(t, fmt.Sprintf("10.0.0.1:%d", 1000+port), "10.0.0.2:7", "x"))
		}
		for i, e := range sockets {
			if n := e.Used(); n > 0 {
				e.reads(t, "x")
				e.reads(t, "x")
				got[i]++
			}
		}
	}
	for _, n := range got {
		require.InDelta(t, 100, n, 40, "%v", got)
	}
}

// ICMP-010: a port without a socket.
func TestReceiveNoPort(t *testing.T) {
	h := newHost(t)
	h.receive("10.0.0.1:1000", "10.0.0.2:9", "x")
	require.Equal(t, []ip.Error{{Kind: ip.PortUnreachable}}, h.reports)
	require.EqualValues(t, 1, h.udp.stats.DropNoPort.Value())
}

// SOCK-032: SO_RCVBUF bounds the receive queue, with overhead; further datagrams are dropped and counted.
func TestReceiveBuffer(t *testing.T) {
	h := newHost(t)
	e := h.bound("0.0.0.0:7", func(o *Options) { o.RcvBuf = 8 << 10 })
	for range 100 {
		h.receive("10.0.0.1:1000", "10.0.0.2:7", "x")
	}
	require.LessOrEqual(t, e.Used(), 8<<10)
	got := 0
	for ; e.Ready()&poll.In != 0; got++ {
		e.reads(t, "x")
	}
	require.InDelta(t, 4, got, 1, "some 2 KiB each")
	require.EqualValues(t, 100-got, h.udp.stats.DropFull.Value())
	require.Zero(t, e.Used())
	require.Equal(t, []Status{{Local: ap("0.0.0.0:7")}}, h.udp.Sockets())
}
