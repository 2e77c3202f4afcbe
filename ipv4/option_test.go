package ipv4

import (
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

// opt is an option of the given kind and pointer with addresses as its data.
func opt(kind, pointer byte, addrs ...string) []byte {
	b := []byte{kind, byte(3 + 4*len(addrs)), pointer}
	for _, a := range addrs {
		a4 := addr(a).As4()
		b = append(b, a4[:]...)
	}
	return b
}

func (l *lab) recvOptions(options []byte) {
	h := unicast()
	h.Options = options
	l.recv(dgram(h, pattern(8)))
}

func TestOptionsComeUp(t *testing.T) { // IP-012
	l := newLab(t, config{})
	for _, o := range [][]byte{{30, 4, 9, 9}, {1, 30, 3, 7}, {148, 4, 0, 0}, {0, 255, 255, 255}, {1, 1, 1, 1}} {
		l.recvOptions(o)
		in := l.up.take()
		require.Len(t, in, 1, o)
		require.Equal(t, o, in[0].h.Options)
		require.Equal(t, pattern(8), in[0].payload)
	}
}

func TestMalformedOptions(t *testing.T) { // IP-013, ICMP-012
	l := newLab(t, config{})
	for _, tt := range []struct {
		name    string
		options []byte
		pointer uint8
	}{
		{"length 0", []byte{30, 0, 0, 0}, 20},
		{"length 1", []byte{1, 30, 1, 0}, 21},
		{"past the header", []byte{30, 5, 0, 0}, 20},
		{"no length", []byte{1, 1, 1, 30}, 23},
		{"route without pointer", []byte{7, 2, 0, 0}, 21},
		{"route pointer before the data", opt(7, 3, "1.2.3.4"), 22},
		{"route pointer 0", opt(131, 0, "1.2.3.4"), 22},
		{"route pointer between addresses", opt(7, 6, "1.2.3.4", "1.2.3.4"), 22},
		{"route with half an address", []byte{7, 6, 4, 0, 0, 0, 0, 0}, 21},
		{"timestamp without flags", []byte{68, 3, 5, 0}, 21},
		{"timestamp pointer in the header", []byte{68, 8, 4, 0, 0, 0, 0, 0}, 22},
		{"timestamp without room for the address", []byte{68, 8, 5, 1, 0, 0, 0, 0}, 21},
		{"two source routes", append(append(opt(131, 8, "1.2.3.4"), 1), opt(137, 8, "1.2.3.4")...), 28},
	} {
		l.recvOptions(tt.options)
		require.Empty(t, l.up.take(), tt.name)
		require.Equal(t, []ip.Error{{Kind: ip.BadParameter, Pointer: int(tt.pointer)}}, l.up.takeReports(), tt.name)
	}
}

func TestOriginatedSourceRoute(t *testing.T) { // IP-014
	l := newLab(t, config{})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	out, err := l.send(farAddr, Header{Datagram: ip.Datagram{Options: opt(131, 4, "10.0.0.5", "10.9.9.9")}}, 8)
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.Equal(t, addr("10.0.0.5"), out[0].h.Dst)
	require.Equal(t, addr("10.0.0.5"), out[0].NextHop)
	require.Equal(t, append(opt(131, 4, "10.9.9.9", "192.0.2.9"), 0), out[0].h.Options)

	for name, o := range map[string][]byte{
		"two":       append(opt(131, 4, "10.0.0.5"), opt(137, 4, "10.0.0.5")...),
		"empty":     opt(131, 4),
		"used":      opt(131, 8, "10.0.0.5"),
		"malformed": {30, 9},
		"too long":  make([]byte, 41),
	} {
		_, err := l.send(farAddr, Header{Datagram: ip.Datagram{Options: o}}, 8)
		require.Equal(t, syscall.EINVAL, err, name)
	}
}

func TestRecordedRouteIsReversed(t *testing.T) { // IP-014
	l := newLab(t, config{Config: Config{AcceptSourceRouted: true}})
	l.recvOptions(opt(131, 12, "10.1.1.1", "10.2.2.2"))
	h := l.up.take()[0].h
	require.Equal(t, opt(131, 4, "10.2.2.2", "10.1.1.1"), l.ReplyOptions(&h))

	h.Options = []byte{1, 1, 30, 2}
	require.Nil(t, l.ReplyOptions(&h))
	h.Options = opt(131, 4)
	require.Nil(t, l.ReplyOptions(&h), "a route without hops")
}

func TestIncompleteSourceRouteIsRefused(t *testing.T) { // IP-015, IP-016
	for _, cfg := range []config{{Config: Config{AcceptSourceRouted: true}}, {Config: Config{AcceptSourceRouted: true}, Forwarding: true}} {
		l := newLab(t, cfg)
		l.route("0.0.0.0/0", "10.0.0.1", 0)
		l.recvOptions(opt(131, 4, "192.0.2.9"))
		require.Empty(t, l.up.take())
		require.Empty(t, l.wire0.take())
		require.Equal(t, []ip.Error{{Kind: ip.SourceRouteFailed}}, l.up.takeReports())
	}
}

func TestSourceRoutesAreRefused(t *testing.T) { // SEC-018
	l := newLab(t, config{Config: Config{ForwardSourceRouted: true}, Forwarding: true})
	l.route("0.0.0.0/0", "10.0.0.1", 0)
	for _, kind := range []byte{131, 137} {
		for _, pointer := range []byte{4, 8} { // with a hop left, and without
			for _, dst := range []netip.Addr{ownAddr, farAddr} {
				h := unicast()
				h.Dst, h.Options = dst, opt(kind, pointer, "192.0.2.9")
				l.dropped(dgram(h, pattern(8)), &l.v4.stats.DropSourceRouted)
			}
		}
	}
	require.Empty(t, l.wire0.take())
	require.Empty(t, l.up.takeReports(), "an error would follow the route of the sender's choice")
}

func TestSourceRoutesCanBeAccepted(t *testing.T) { // SEC-018
	l := newLab(t, config{Config: Config{AcceptSourceRouted: true}})
	l.recvOptions(opt(131, 8, "192.0.2.9"))
	require.Len(t, l.up.take(), 1)
}

func TestHopOfASourceRoute(t *testing.T) { // IP-015
	l := newLab(t, config{Config: Config{AcceptSourceRouted: true, ForwardSourceRouted: true}, Forwarding: true})
	_, w := l.add("eth1", "10.1.0.2/24", 1500)
	l.route("192.0.2.0/24", "10.1.0.1", 0)
	h := unicast()
	h.Options = opt(131, 4, "192.0.2.9", "192.0.2.10")
	l.recv(dgram(h, pattern(8)))
	out := w.take()
	require.Len(t, out, 1)
	require.True(t, validChecksum(out[0].Data))
	require.Equal(t, farAddr, out[0].h.Dst)
	require.Equal(t, addr("10.1.0.1"), out[0].NextHop)
	require.Equal(t, uint8(63), out[0].h.TTL)
	require.Equal(t, append(opt(131, 8, "10.1.0.2", "192.0.2.10"), 0), out[0].h.Options, "the own address is recorded")

	h.TTL = 1
	l.recv(dgram(h, pattern(8)))
	require.True(t, validChecksum(l.up.about[0]))
	require.Equal(t, []ip.Error{{Kind: ip.TTLExceeded}}, l.up.takeReports())

	l.recvOptions(opt(137, 4, "10.1.0.9"))
	require.Equal(t, addr("10.1.0.9"), w.take()[0].NextHop, "a neighbour, as a strict route asks")
	for _, next := range []string{"192.0.2.9", "127.0.0.1", "10.0.0.2", "224.0.0.1", "8.8.8.8"} {
		l.recvOptions(opt(137, 4, next))
		require.Empty(t, w.take(), next)
		require.Equal(t, []ip.Error{{Kind: ip.SourceRouteFailed}}, l.up.takeReports(), next)
	}
}

func TestEchoOptions(t *testing.T) { // RFC 1122 section 3.2.2.6
	h := Header{Datagram: ip.Datagram{Dst: ownAddr}}
	now := 5 * time.Second
	stampNow := []byte{0x80, 0, 0x13, 0x88}
	own := []byte{10, 0, 0, 2}
	for _, tt := range []struct {
		name      string
		in, reply []byte
	}{
		{"nothing", []byte{148, 4, 0, 0}, nil},
		{"record route", opt(7, 8, "1.1.1.1", "0.0.0.0"), opt(7, 12, "1.1.1.1", "10.0.0.2")},
		{"record route, full", opt(7, 8, "1.1.1.1"), opt(7, 8, "1.1.1.1")},
		{"source route", opt(131, 8, "1.1.1.1"), opt(131, 4, "1.1.1.1")},
		{"timestamp", []byte{68, 8, 5, 0, 0, 0, 0, 0}, append([]byte{68, 8, 9, 0}, stampNow...)},
		{"timestamp and address", []byte{68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0}, slices.Concat([]byte{68, 12, 13, 1}, own, stampNow)},
		{"timestamp for us", slices.Concat([]byte{68, 12, 5, 3}, own, make([]byte, 4)), slices.Concat([]byte{68, 12, 13, 3}, own, stampNow)},
		{"timestamp for another", slices.Concat([]byte{68, 12, 5, 3, 1, 1, 1, 1}, make([]byte, 4)), slices.Concat([]byte{68, 12, 5, 3, 1, 1, 1, 1}, make([]byte, 4))},
		{"timestamp, full", []byte{68, 8, 9, 0, 1, 2, 3, 4}, []byte{68, 8, 9, 0x10, 1, 2, 3, 4}},
		{"timestamp, overflow full", []byte{68, 8, 9, 0xf0, 1, 2, 3, 4}, []byte{68, 8, 9, 0xf0, 1, 2, 3, 4}},
	} {
		h.Options = tt.in
		before := slices.Clone(tt.in)
		require.Equal(t, tt.reply, EchoOptions(&h.Datagram, now), tt.name)
		require.Equal(t, before, tt.in, "the request stays as it came")
	}
}

func FuzzOptions(f *testing.F) { // IP-013, SEC-015
	f.Add([]byte{1, 7, 7, 4, 0, 0, 0, 0})
	f.Add(opt(131, 12, "1.2.3.4", "5.6.7.8"))
	f.Add([]byte{68, 12, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0})
	f.Add([]byte{30, 0})
	f.Add([]byte{68, 12, 8, 0x30, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = slices.Clone(b[:min(len(b), maxOptionsLen)&^3])
		o, bad := scanOptions(b)
		if bad >= len(b) {
			t.Fatalf("error at %d of %d bytes", bad, len(b))
		}
		copiedOptions(b)
		h := Header{Datagram: ip.Datagram{Options: b, Src: peerAddr, Dst: ownAddr}}
		for _, reply := range [][]byte{EchoOptions(&h.Datagram, 0), (*Stack)(nil).ReplyOptions(b)} {
			if _, bad := scanOptions(reply); bad >= 0 || len(reply) > len(b) {
				t.Fatalf("answer to % x is bad: % x", b, reply)
			}
		}
		if bad >= 0 {
			return
		}
		record(o.source, netip.IPv4Unspecified())
		record(o.record, netip.IPv4Unspecified())
		stamp(o.stamp, netip.IPv4Unspecified(), 0)
		if _, bad := scanOptions(b); bad >= 0 {
			t.Fatalf("recording broke the options: % x", b)
		}
	})
}

func FuzzHeader(f *testing.F) { // SEC-015: what is parsed and printed parses as the same
	f.Add(dgram(unicast(), nil))
	f.Add(dgram(Header{Datagram: ip.Datagram{Src: peerAddr, Dst: ownAddr, Options: opt(7, 4, "1.2.3.4")}, DF: true, MF: true, Offset: 65528}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again Header
		if !h.Parse(b) {
			return
		}
		printed := make([]byte, h.Len())
		h.put(printed)
		require.True(t, validChecksum(printed))
		require.True(t, again.Parse(printed))
		require.Equal(t, h, again)
	})
}
