package ipv4

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/ip"
)

// router is a lab that forwards to eth1, the way to 192.0.2.0/24.
func router(t *testing.T, cfg config, mtu int) (*lab, *wire) {
	cfg.Forwarding = true
	l := newLab(t, cfg)
	_, w := l.add("eth1", "10.1.0.2/24", mtu)
	l.route("192.0.2.0/24", "10.1.0.1", 0)
	return l, w
}

func transit() Header {
	h := unicast()
	h.Dst = farAddr
	return h
}

func TestForwarding(t *testing.T) { // IP-042
	l, w := router(t, config{}, 1500)
	h := transit()
	h.TOS, h.Options = 7, []byte{30, 4, 1, 2}
	l.recv(dgram(h, pattern(100)))
	out := w.take()
	require.Len(t, out, 1)
	require.True(t, validChecksum(out[0].Data))
	h.TTL--
	require.Equal(t, dgram(h, pattern(100)), out[0].Data)
	require.Equal(t, addr("10.1.0.1"), out[0].NextHop)
	require.Empty(t, l.up.takeReports())
}

func TestForwardingOptions(t *testing.T) { // RFC 1812 section 5.2.4.1, 5.3.13
	l, w := router(t, config{Config: Config{AcceptSourceRouted: true}}, 1500)
	h := transit()
	h.Options = append(opt(7, 4, "0.0.0.0"), 1)
	l.recv(dgram(h, pattern(8)))
	require.Equal(t, append(opt(7, 8, "10.1.0.2"), 1), w.take()[0].h.Options)
	h.Options = append(opt(131, 4, "1.2.3.4"), 1)
	l.recv(dgram(h, pattern(8)))
	require.Equal(t, h.Options, w.take()[0].h.Options, "on the loose part of a source route this host is a router as any other")
	h.Options = append(opt(137, 4, "1.2.3.4"), 1)
	l.recv(dgram(h, pattern(8)))
	require.Equal(t, []ip.Error{{Kind: ip.SourceRouteFailed}}, l.up.takeReports())
}

func TestForwardedTTL(t *testing.T) { // IP-042
	l, w := router(t, config{}, 1500)
	for _, ttl := range []uint8{0, 1} {
		h := transit()
		h.TTL = ttl
		b := dgram(h, pattern(8))
		l.recv(b)
		require.Empty(t, w.take())
		require.Equal(t, b, l.up.about[0])
		require.Equal(t, []ip.Error{{Kind: ip.TTLExceeded}}, l.up.takeReports())
	}
	h := unicast()
	h.Dst, h.TTL = addr("239.1.1.1"), 1
	l.dropped(dgram(h, pattern(8)), &l.v4.stats.DropNotJoined)
}

func TestForwardingWithoutAWay(t *testing.T) { // IP-043
	l, w := router(t, config{}, 1500)
	h := transit()
	h.Dst = addr("198.51.100.1")
	l.recv(dgram(h, pattern(8)))
	require.Equal(t, []ip.Error{{Kind: ip.NetUnreachable}}, l.up.takeReports())

	b := dgram(transit(), pattern(80))
	l.eth0.Unreachable(l.now, packet.From(b))
	require.Equal(t, b, l.up.about[0])
	require.Equal(t, []ip.Error{{Kind: ip.HostUnreachable}}, l.up.takeReports(), "ARP gave up")

	w.Err = syscall.EHOSTUNREACH
	l.recv(b)
	require.Equal(t, farAddr.AsSlice(), l.up.about[0][16:20])
	require.Equal(t, pattern(80)[:8], l.up.about[0][20:28])
	require.Equal(t, []ip.Error{{Kind: ip.HostUnreachable}}, l.up.takeReports(), "ARP has given up before")
}

func TestForwardingToASmallerLink(t *testing.T) { // IP-044
	l, w := router(t, config{}, 576)
	l.recv(dgram(transit(), pattern(1480)))
	out := w.take()
	require.Len(t, out, 3)
	require.Equal(t, pattern(1480)[552:1104], out[1].Data[20:])

	h := transit()
	h.Offset, h.MF = 1480, true
	l.recv(dgram(h, pattern(1480))) // a fragment is fragmented further, and not reassembled
	out = w.take()
	require.Len(t, out, 3)
	for i, f := range out {
		require.Equal(t, 1480+552*i, int(f.h.Offset))
		require.True(t, f.h.MF)
		require.True(t, validChecksum(f.Data))
	}
	require.Zero(t, l.count("ip.reassembly.fragments"))
}

func TestForwardingTooBigWithDF(t *testing.T) { // IP-045
	l, w := router(t, config{}, 576)
	h := transit()
	h.DF = true
	l.recv(dgram(h, pattern(557)))
	require.Empty(t, w.take())
	require.Equal(t, []ip.Error{{Kind: ip.TooBig, MTU: 576}}, l.up.takeReports())
	l.recv(dgram(h, pattern(556)))
	require.Len(t, w.take(), 1)
}

func TestNeverForwarded(t *testing.T) { // IP-046, IP-047, IP-048, DHCP-020
	l, w := router(t, config{}, 1500)
	for _, a := range [][2]string{
		{"10.0.0.1", "255.255.255.255"}, {"10.0.0.1", "240.0.0.1"}, {"10.0.0.1", "0.1.2.3"}, {"10.0.0.1", "169.254.1.1"},
		{"127.0.0.1", "192.0.2.9"}, {"0.0.0.0", "192.0.2.9"}, {"240.0.0.1", "192.0.2.9"}, {"224.0.0.9", "192.0.2.9"},
		{"169.254.1.1", "192.0.2.9"}, {"10.0.0.1", "127.0.0.1"}, {"10.0.0.1", "10.1.0.255"}, {"10.0.0.1", "239.1.1.1"},
	} {
		h := transit()
		h.Src, h.Dst = addr(a[0]), addr(a[1])
		l.recv(dgram(h, pattern(8)))
		require.Empty(t, w.take(), a)
		require.Empty(t, l.wire0.take(), a)
		require.Empty(t, l.up.takeReports(), a)
	}
	for _, cast := range []packet.Cast{packet.Broadcast, packet.Multicast} {
		l.recvAs(dgram(transit(), pattern(8)), cast)
		require.Empty(t, w.take())
	}
	require.Equal(t, uint64(2), l.v4.stats.DropLinkBroadcast.Value())
}

func TestSendingRedirects(t *testing.T) { // IP-049, ICMP-013
	for _, send := range []bool{false, true} {
		l, _ := router(t, config{SendRedirects: send}, 1500)
		l.route("198.51.100.0/24", "10.0.0.9", 0)
		h := transit()
		h.Dst = addr("198.51.100.1")
		l.recv(dgram(h, pattern(8)))
		require.Len(t, l.wire0.take(), 1, "it is forwarded all the same")
		if !send {
			require.Empty(t, l.up.takeReports())
			continue
		}
		require.Equal(t, []ip.Error{{Kind: ip.Redirect, Gateway: addr("10.0.0.9")}}, l.up.takeReports())
		h.Src = addr("172.16.0.1") // not a neighbour of the gateway
		l.recv(dgram(h, pattern(8)))
		h.Src, h.Options = peerAddr, opt(131, 4, "1.2.3.4")
		l.recv(dgram(h, pattern(8)))
		l.recv(dgram(transit(), pattern(8))) // leaves by another interface
		require.Empty(t, l.up.takeReports())
	}
}

func TestForwardingAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	l, _ := router(t, config{}, 1500)
	_, err := l.AddInterface("null", null{})
	require.NoError(t, err)
	require.NoError(t, l.AddRoute(ip.RouteEntry{Prefix: prefix("198.51.100.0/24"), Interface: "null"}))
	h := transit()
	h.Dst = addr("198.51.100.1")
	b := dgram(h, pattern(100))
	require.Zero(t, testing.AllocsPerRun(100, func() { l.eth0.Input(l.now, packet.From(b)) }))
	require.NotZero(t, l.v4.stats.Forwarded.Value())
}
