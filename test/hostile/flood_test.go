package hostile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/socketapi"
	"tunstack/tcp"
)

// guest is an honest host of the same kind, connected to the lab's.
type guest struct {
	socketapi.Berkeley
	toLab, toGuest [][]byte
}

// guest adds the honest host. From now on the packets of the lab's stack to other hosts are lost.
func (l *lab) guest() *guest {
	g := &guest{}
	s, err := socketapi.New(socketapi.Config{Clock: &l.clock, Interfaces: []socketapi.Interface{{
		Name: "wire", Addrs: []netip.Prefix{netip.PrefixFrom(l.honest.Addr(), l.bits)}, Autoconf: socketapi.Autoconf{Mode: socketapi.AutoconfOff},
		Output: func(_ time.Duration, b []byte) { g.toLab = append(g.toLab, slices.Clone(b)) },
	}}})
	require.NoError(l.t, err)
	l.t.Cleanup(func() { s.Close() })
	g.Berkeley = s.Berkeley()
	l.out = func(b []byte) {
		if d, _ := l.parse(b); d.Dst == l.honest.Addr() {
			g.toGuest = append(g.toGuest, slices.Clone(b))
		}
	}
	return g
}

// exchange delivers the packets of the two hosts until neither sends any more, without advancing the time.
func (l *lab) exchange(g *guest) {
	for len(g.toLab)+len(g.toGuest) > 0 {
		in, out := g.toLab, g.toGuest
		g.toLab, g.toGuest = nil, nil
		for _, b := range in {
			l.inject(b)
		}
		for _, b := range out {
			require.NoError(l.t, g.Inject("wire", b))
		}
	}
}

// echo sends back the bytes that it can read.
func (l *lab) echo(fd int, buffer []byte) {
	if n, err := l.Recv(fd, buffer, 0); err == nil && n > 0 {
		_, err = l.Send(fd, buffer[:n], 0)
		require.NoError(l.t, err)
	}
}

// SEC-006: under a flood of SYNs, a client connects and is served at once, and memory and tables stay within bounds.
func TestSynFlood(t *testing.T) { eachFamily(t, testSynFlood) }

func testSynFlood(t *testing.T, f *family) {
	const perClientStep, want = 100, 1 << 20
	syns := 100_000
	if testing.Short() {
		syns = 20_000
	}
	l := newLab(t, f, nil)
	listener, r := l.listen(), rand.New(rand.NewPCG(1, 2))
	g := l.guest()
	before := heap()
	client, server, sent, received := -1, -1, 0, 0
	data, buffer := make([]byte, 64<<10), make([]byte, 64<<10)
	for i := range syns {
		l.inject(segment(f.anyone(r), f.victim, tcp.Segment{Flags: tcp.SYN, Seq: tcp.Seq(r.Uint32()), Wnd: 1000, Options: tcp.Options{MSS: 1460}}))
		switch {
		case i%perClientStep != 0 || i < syns/10:
			continue
		case client < 0:
			client = fdOf(t, f, g)
			require.Equal(t, syscall.EINPROGRESS, g.Connect(client, f.victim))
		case server < 0:
			server = l.accept(listener)
		case received < want:
			n, err := g.Send(client, data[:min(len(data), want-sent)], 0)
			if err == nil {
				sent += n
			}
			l.echo(server, buffer)
			if n, err := g.Recv(client, buffer, 0); err == nil {
				received += n
			}
		}
		l.exchange(g)
		l.Advance(l.Now() + time.Millisecond)
		g.Advance(l.Now())
		l.exchange(g)
		require.LessOrEqual(t, l.connections(), 1024+1)
	}
	require.Equal(t, want, received, "the client was served while the flood lasted")
	require.Less(t, heap()-before, 8<<20)
	require.Greater(t, l.counter("tcp.cookie.sent"), syns*9/10)
	require.Equal(t, 1, l.counter("tcp.cookie.redeemed"))

	require.NoError(t, l.Close(server))
	l.after(10 * time.Minute)
	require.LessOrEqual(t, l.connections(), 1)
	require.Less(t, heap()-before, 2<<20)
}

func fdOf(t *testing.T, f *family, g *guest) int {
	fd, err := g.Socket(f.domain, socketapi.SOCK_STREAM|socketapi.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	return fd
}

// SEC-007: ACKs that complete no handshake open no connection.
func TestForgedCookies(t *testing.T) { eachFamily(t, testForgedCookies) }

func testForgedCookies(t *testing.T, f *family) {
	l := newLab(t, f, nil)
	l.listen()
	l.out = func([]byte) {}
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 { // so that cookies are in use
		l.inject(segment(f.anyone(r), f.victim, tcp.Segment{Flags: tcp.SYN, Seq: 1, Wnd: 1000}))
	}
	for range 50000 {
		l.inject(segment(f.anyone(r), f.victim, tcp.Segment{Flags: tcp.ACK, Seq: tcp.Seq(r.Uint32()), Ack: tcp.Seq(r.Uint32()), Wnd: 1000}))
	}
	require.Zero(t, l.counter("tcp.cookie.redeemed"))
	require.Equal(t, 1024, l.connections())
}

// SEC-013, SEC-011: incomplete datagrams from many sources share a fixed amount of memory, and time out.
func TestFragmentFlood(t *testing.T) { eachFamily(t, testFragmentFlood) }

func testFragmentFlood(t *testing.T, f *family) {
	l := newLab(t, f, nil)
	fd := l.socket(socketapi.SOCK_DGRAM)
	require.NoError(t, l.Bind(fd, f.victim))
	before, r := heap(), rand.New(rand.NewPCG(5, 6))
	payload := make([]byte, 1480)
	for i := range 50000 {
		l.inject(f.fragment(ip.ProtocolUDP, f.anyone(r).Addr(), uint16(i), r.IntN(5000)*8, i%2 == 0, payload))
	}
	require.Less(t, heap()-before, 4<<20+512<<10)
	require.Positive(t, l.counter("ip.drop.reassembly_full"))
	whole := udp(f.honest, f.victim, []byte("in two pieces"))
	l.inject(f.fragment(ip.ProtocolUDP, f.honest.Addr(), 0, 0, true, whole[:16]))
	l.inject(f.fragment(ip.ProtocolUDP, f.honest.Addr(), 0, 16, false, whole[16:]))
	b := make([]byte, 100)
	n, err := l.Recv(fd, b, 0)
	require.NoError(t, err, "an honest datagram gets through")
	require.Equal(t, "in two pieces", string(b[:n]))
	l.after(2 * time.Minute)
	require.Less(t, heap()-before, 1<<20)
	require.Positive(t, l.counter("ip.drop.reassembly_timeout"))
}

// SEC-011, SEC-012: overlapping fragments, such as teardrop's, only destroy their own datagram.
func TestOverlappingFragments(t *testing.T) { eachFamily(t, testOverlappingFragments) }

func testOverlappingFragments(t *testing.T, f *family) {
	type piece struct {
		offset, size int
		more         bool
	}
	for name, pieces := range map[string][]piece{
		"teardrop":         {{0, 36, true}, {24, 4, false}},
		"bonk":             {{0, 32, true}, {16, 32, false}},
		"nested":           {{0, 64, true}, {8, 16, true}, {64, 8, false}},
		"first twice":      {{0, 64, true}, {0, 32, true}, {64, 8, false}},
		"two ends":         {{0, 32, true}, {32, 32, false}, {32, 8, false}},
		"beyond the end":   {{32, 8, false}, {0, 32, true}, {40, 8, true}},
		"ping of death":    {{65528, 1000, false}, {0, 1480, true}},
		"odd length":       {{0, 33, true}, {32, 8, false}},
		"from a long tail": {{1480, 1480, true}, {8, 1480, true}, {0, 8, true}, {2960, 8, false}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, f, nil)
			fd := l.socket(socketapi.SOCK_DGRAM)
			require.NoError(t, l.Bind(fd, f.victim))
			for order := range 2 { // forwards and backwards
				for i := range pieces {
					p := pieces[i*(1-order)+(len(pieces)-1-i)*order]
					body := bytes.Repeat([]byte{byte(i)}, p.size)
					if p.offset == 0 {
						copy(body, udp(f.honest, f.victim, make([]byte, 64))[:8])
					}
					l.inject(f.fragment(ip.ProtocolUDP, f.attacker, uint16(order), p.offset, p.more, body))
				}
			}
			l.after(2 * time.Minute)
			_, err := l.Recv(fd, make([]byte, 2000), 0)
			require.Equal(t, syscall.EAGAIN, err)
			require.Positive(t, l.counter("ip.drop.overlap")+l.counter("ip.drop.bad_fragment")+l.counter("ipv6.drop.bad_fragment"))
		})
	}
}

// SEC-020: single bytes, each ahead of a gap, take no more memory than the window.
func TestTinySegments(t *testing.T) { eachFamily(t, testTinySegments) }

func testTinySegments(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1460})
	before := heap()
	for i := range 60000 {
		p.send(tcp.Segment{Flags: tcp.ACK, Seq: p.seq.Add(1 + 2*i%65000), Payload: []byte{1}})
		p.l.sent = nil
	}
	require.Less(t, heap()-before, 2<<20)
	require.Positive(t, l.counter("tcp.drop.too_many_blocks"))
	p.works(fd)
}

// SEC-020: a peer that ignores the window cannot fill memory.
func TestWindowIgnored(t *testing.T) { eachFamily(t, testWindowIgnored) }

func testWindowIgnored(t *testing.T, f *family) {
	l, p, _ := established(t, f, tcp.Options{MSS: 1460, HasScale: true, Scale: 7})
	before := heap()
	payload := make([]byte, 1400)
	for range 20000 {
		p.send(tcp.Segment{Flags: tcp.ACK, Payload: payload})
		p.seq = p.seq.Add(len(payload))
		p.l.sent = nil
	}
	require.Less(t, heap()-before, 2<<20)
	require.Positive(t, l.counter("tcp.drop.sequence"))
}

// holders open connections to the victim, request much data and close their windows: sockstress.
func (l *lab) holders(listener, count int) (fds []int) {
	for i := range count {
		p := l.open(netip.AddrPortFrom(l.attacker, uint16(1024+i)), tcp.Options{MSS: 88})
		fd := l.accept(listener)
		_, err := l.Send(fd, make([]byte, 64<<10), 0)
		require.NoError(l.t, err)
		p.send(tcp.Segment{Flags: tcp.ACK, Ack: p.ack.Add(88), Wnd: 0})
		l.sent = nil
		fds = append(fds, fd)
	}
	return fds
}

// A zero window holds a connection, and the memory of its unsent data, only as long as the application wants it: until it
// closes, or until TCP_USER_TIMEOUT.
func TestZeroWindowHold(t *testing.T) { eachFamily(t, testZeroWindowHold) }

func testZeroWindowHold(t *testing.T, f *family) {
	const count = 200
	l := newLab(t, f, nil)
	listener := l.listen()
	before := heap()
	fds := l.holders(listener, count)
	require.Equal(t, count, l.connections())
	require.Less(t, (heap()-before)/count, 160<<10, "bytes for each connection with 64 KiB to send")
	for i, fd := range fds {
		if i%2 == 0 {
			require.NoError(t, l.Close(fd))
		} else {
			require.NoError(t, l.SetSockOpt(fd, socketapi.IPPROTO_TCP, socketapi.TCP_USER_TIMEOUT, 60000))
		}
	}
	answer := func(b []byte) { // keeps the window closed
		var s tcp.Segment
		if d, ok := l.parse(b); ok && s.Parse(b[d.HeaderLen:]) == nil && !s.Flags.Has(tcp.RST) {
			l.sent = append(l.sent, segment(netip.AddrPortFrom(l.attacker, s.DstPort), f.victim, tcp.Segment{Flags: tcp.ACK, Seq: s.Ack, Ack: s.Seq}))
		}
	}
	l.out = answer
	for range 60 {
		l.after(time.Minute)
		answers := l.sent
		l.sent = nil
		for _, b := range answers {
			l.inject(b)
		}
	}
	require.Zero(t, l.connections(), fmt.Sprint(l.Sockets()))
	require.Less(t, heap()-before, 2<<20)
}
