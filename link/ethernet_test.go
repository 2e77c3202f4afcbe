package link

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/internal/timer"
	"tunstack/ip"
)

var (
	_ ip.Link = (*Ethernet)(nil)
	_ ip.Link = (*Tun)(nil)
	_ ip.Link = (*Loopback)(nil)
	_ ip.Link = (*Callback)(nil)
	_ Handler = (*ip.Interface)(nil)
)

func bytesOf(p *packet.Buffer) []byte { return bytes.Clone(p.Bytes()) }

// LINK-001, LINK-004, LINK-007, IP6-001: the frames that reach the layer above, and the reasons why others are dropped.
func TestInput(t *testing.T) {
	ip := bytesOf(datagram(hostIP, myIP, "x"))
	snap := append([]byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, ip...)
	padded := append(bytes.Clone(snap), make([]byte, 20)...)
	group := netip.MustParseAddr("224.0.0.251")
	for _, tt := range []struct {
		name    string
		dst     MAC
		src     MAC
		typ     uint16
		payload []byte
		drop    string // "": received
	}{
		{"Ethernet II", myMAC, hostMAC, 0x0800, ip, ""},
		{"broadcast", broadcast, hostMAC, 0x0800, ip, ""},
		{"all hosts", groupMAC(allHosts), hostMAC, 0x0800, ip, ""},
		{"joined group", groupMAC(group), hostMAC, 0x0800, ip, ""},
		{"SNAP", myMAC, hostMAC, uint16(len(snap)), snap, ""},
		{"SNAP, padded", myMAC, hostMAC, uint16(len(snap)), padded, ""},
		{"SNAP with a type unknown", myMAC, hostMAC, 8, []byte{0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0x47}, "link.drop.unknown_type"},
		{"SNAP of another OUI", myMAC, hostMAC, 8, []byte{0xaa, 0xaa, 3, 0, 0, 1, 8, 0}, "link.drop.unknown_type"},
		{"spanning tree", myMAC, hostMAC, 3, []byte{0x42, 0x42, 3}, "link.drop.unknown_type"},
		{"802.3 longer than it is", myMAC, hostMAC, uint16(len(snap) + 1), snap, "link.drop.runt"},
		{"neither length nor type", myMAC, hostMAC, 1501, ip, "link.drop.unknown_type"},
		{"IPv6 in an IPv4 frame", myMAC, hostMAC, 0x0800, []byte{0x60}, "link.drop.wrong_version"},
		{"IPv4 in an IPv6 frame", myMAC, hostMAC, 0x86dd, ip, "link.drop.wrong_version"},
		{"version 5", myMAC, hostMAC, 0x0800, []byte{0x50}, "link.drop.wrong_version"},
		{"no datagram", myMAC, hostMAC, 0x0800, nil, "link.drop.wrong_version"},
		{"another station", otherMAC, hostMAC, 0x0800, ip, "link.drop.not_for_us"},
		{"a group not joined", groupMAC(netip.MustParseAddr("224.0.0.252")), hostMAC, 0x0800, ip, "link.drop.not_for_us"},
		{"from a group", myMAC, groupMAC(group), 0x0800, ip, "link.drop.bad_source"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, claimed)
			l.e.Join(group)
			l.frame(tt.dst, tt.src, tt.typ, tt.payload)
			if tt.drop != "" {
				require.Empty(t, l.in)
				require.EqualValues(t, 1, l.counter(tt.drop))
				return
			}
			require.Len(t, l.in, 1)
			require.Equal(t, ip, l.in[0].data)
			require.EqualValues(t, 1, l.counter("link.in.packets"))
			require.EqualValues(t, headerSize+len(tt.payload), l.counter("link.in.bytes"))
		})
	}
}

// Datagrams of IPv6 pass in frames of type 0x86dd (RFC 2464 sections 3 and 7), in and out.
func TestIPv6Frames(t *testing.T) { // IP6-001, IP6-042
	l := newLab(t, claimed)
	datagram := append([]byte{0x60}, make([]byte, 39)...)
	group := netip.MustParseAddr("ff02::1:ff00:1")
	l.e.Join(group)
	l.frame(myMAC, hostMAC, typeIPv6, datagram)
	l.frame(MAC{0x33, 0x33, 0xff, 0, 0, 1}, hostMAC, typeIPv6, datagram)
	l.frame(MAC{0x33, 0x33, 0xff, 0, 0, 2}, hostMAC, typeIPv6, datagram)
	require.Equal(t, []received{{0, datagram, packet.Unicast}, {0, datagram, packet.Multicast}}, l.in)

	p := packet.From(datagram)
	p.Cast = packet.Multicast
	require.NoError(t, l.e.Output(0, p, group))
	require.Equal(t, "3333ff000001020000000002"+"86dd"+"60", fmt.Sprintf("%x", l.dev.sent[0].data[:15]))
	p = packet.From(datagram)
	p.Cast = packet.Multicast
	require.NoError(t, l.e.Output(0, p, netip.MustParseAddr("ff02::fb")))
	require.Equal(t, "3333000000fb", fmt.Sprintf("%x", l.dev.sent[1].data[:6]), "at once, without resolution")
}

// LINK-007: a frame too short for its header is a runt.
func TestRunt(t *testing.T) {
	l := newLab(t, claimed)
	for n := range headerSize {
		l.e.Input(0, packet.From(make([]byte, n)))
	}
	require.EqualValues(t, headerSize, l.counter("link.drop.runt"))
}

// LINK-003: the handler gets a datagram with the padding of its Ethernet II frame; ipv4 truncates it to its Total Length.
func TestPaddingGoesUp(t *testing.T) {
	l := newLab(t, claimed)
	l.frame(myMAC, hostMAC, typeIPv4, append(bytesOf(datagram(hostIP, myIP, "x")), make([]byte, 25)...))
	require.Len(t, l.in[0].data, 46)
}

// LINK-005
func TestCast(t *testing.T) {
	l := newLab(t, claimed)
	for _, dst := range []MAC{myMAC, broadcast, groupMAC(allHosts)} {
		l.frame(dst, hostMAC, typeIPv4, bytesOf(datagram(hostIP, myIP, "x")))
	}
	require.Equal(t, packet.Unicast, l.in[0].cast)
	require.Equal(t, packet.Broadcast, l.in[1].cast)
	require.Equal(t, packet.Multicast, l.in[2].cast)
}

func TestJoinAndLeaveAreCounted(t *testing.T) {
	l := newLab(t, claimed)
	group, twin := netip.MustParseAddr("224.1.2.3"), netip.MustParseAddr("225.129.2.3") // one Ethernet address
	receives := func() bool {
		l.in = nil
		l.frame(groupMAC(group), hostMAC, typeIPv4, bytesOf(datagram(hostIP, group, "x")))
		return len(l.in) == 1
	}
	require.False(t, receives())
	l.e.Join(group)
	l.e.Join(twin)
	l.e.Leave(group)
	require.True(t, receives())
	l.e.Leave(twin)
	require.False(t, receives())
	l.e.Leave(twin)
	l.e.Join(twin)
	require.True(t, receives(), "a Leave too many must not undo a later Join")
}

// LINK-017: groups and broadcasts need no ARP, and only broadcasts use the broadcast MAC.
func TestGroupDestinations(t *testing.T) {
	for _, tt := range []struct {
		cast packet.Cast
		dst  string
		mac  string
	}{
		{packet.Broadcast, "10.0.0.255", "all"},
		{packet.Broadcast, "255.255.255.255", "all"},
		{packet.Multicast, "224.0.0.251", "01:00:5e:00:00:fb"},
		{packet.Multicast, "239.255.255.250", "01:00:5e:7f:ff:fa"},
		{packet.Multicast, "225.129.2.3", "01:00:5e:01:02:03"},
		{packet.Unicast, "10.0.0.1", "host"},
	} {
		l := newLab(t, claimed)
		l.hears(opReply, hostMAC, hostIP, myIP)
		dst := netip.MustParseAddr(tt.dst)
		p := datagram(myIP, dst, "x")
		p.Cast = tt.cast
		require.NoError(t, l.e.Output(0, p, dst))
		l.sends("> " + tt.mac + ": ip x")
	}
}

// LINK-002: the MTU is the device's.
func TestDeviceProperties(t *testing.T) {
	l := newLab(t, claimed)
	l.dev.features = packet.Features{Checksum: true, TSO: 65535}
	require.Equal(t, 1500, l.e.MTU())
	require.Equal(t, l.dev.features, l.e.Features())
	require.Equal(t, myMAC, l.e.MAC())
}

func TestOutputUsesThePacketsQueue(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opReply, hostMAC, hostIP, myIP)
	for _, queue := range []uint16{0, 1, 2} { // there are two
		p := datagram(myIP, hostIP, "x")
		p.Queue = queue
		require.NoError(t, l.e.Output(0, p, hostIP))
		require.Equal(t, int(queue%2), l.dev.sent[queue].queue)
	}
}

func TestBorrowedSpansAreSent(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opReply, hostMAC, hostIP, myIP)
	p := datagram(myIP, hostIP, "a")
	p.Borrow([2][]byte{[]byte("b"), []byte("c")})
	require.NoError(t, l.e.Output(0, p, hostIP))
	l.sends("> host: ip abc")
	require.EqualValues(t, 1, l.counter("link.out.packets"))
	require.EqualValues(t, headerSize+23, l.counter("link.out.bytes"))
}

func TestDeviceRefuses(t *testing.T) {
	l := newLab(t, claimed)
	l.hears(opReply, hostMAC, hostIP, myIP)
	l.dev.err = errors.New("full")
	require.NoError(t, l.output(hostIP, "x"))
	require.EqualValues(t, 1, l.counter("link.drop.device"))
	require.Zero(t, l.counter("link.out.packets"))
}

func TestRequiredSettings(t *testing.T) {
	for _, cfg := range []Config{{}, {Device: &device{}}, {Timers: &Timers{}}} {
		_, err := NewEthernet(cfg)
		require.EqualError(t, err, "an Ethernet link needs a device and timers")
	}
}

func TestOwnMAC(t *testing.T) {
	cfg := Config{Device: &device{}, Timers: &timer.Queue{}}
	macs := map[MAC]bool{}
	for range 20 {
		e, err := NewEthernet(cfg)
		require.NoError(t, err)
		require.Equal(t, byte(2), e.MAC()[0]&3, "locally administered, one station")
		macs[e.MAC()] = true
	}
	require.Len(t, macs, 20)

	cfg.MAC = broadcast
	_, err := NewEthernet(cfg)
	require.ErrorContains(t, err, "ff:ff:ff:ff:ff:ff is a group address")

	cfg.Rand = bytes.NewReader(nil)
	_, err = NewEthernet(cfg)
	require.Error(t, err)
}

func TestNeighborJSON(t *testing.T) {
	row := Neighbor{IP: hostIP, MAC: hostMAC, State: Stale, Age: time.Second}
	text, err := json.Marshal(row)
	require.NoError(t, err)
	require.JSONEq(t, `{"ip":"10.0.0.1","mac":"02:00:00:00:00:01","state":"STALE","router":false,"age":1000000000}`, string(text))
	var back Neighbor
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, row, back)
	require.Error(t, new(MAC).UnmarshalText([]byte("02:00:5e:10:00:00:00:01")))
	require.Error(t, new(MAC).UnmarshalText([]byte("nonsense")))
}

func TestSteadyPathAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	l := newLab(t, claimed)
	l.dev.discard = true
	l.handler.input = func(_ time.Duration, p *packet.Buffer) { p.Free() }
	l.hears(opReply, hostMAC, hostIP, myIP)
	require.NoError(t, l.output(hostIP, "x"))
	ip := bytesOf(datagram(hostIP, myIP, "x"))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		l.frame(myMAC, hostMAC, typeIPv4, ip)
		_ = l.output(hostIP, "x")
		l.hears(opRequest, hostMAC, hostIP, myIP)
	}))
}

func BenchmarkOutput(b *testing.B) {
	l := newLab(b, claimed)
	l.dev.discard = true
	l.hears(opReply, hostMAC, hostIP, myIP)
	b.ReportAllocs()
	for b.Loop() {
		_ = l.output(hostIP, "x")
	}
}

// A flood of senders while the cache is full of neighbours: each is looked up and refused.
func BenchmarkFlood(b *testing.B) {
	l := newLab(b, claimed)
	l.dev.discard = true
	r := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		v := r.Uint32()
		l.hears(opRequest, hostMAC, netip.AddrFrom4([4]byte{10, byte(v), byte(v >> 8), byte(v >> 16)}), myIP)
	}
}
