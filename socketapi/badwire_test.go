package socketapi

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ipv6"
	"tunstack/link/nd"
	"tunstack/tun"
)

// badWire is a host a that configures itself from the routers of its link, and a server b behind them, joined by a bad wire in virtual
// time. Both have a fixed address of IPv4, too.
type badWire struct {
	t       *testing.T
	clk     VirtualClock
	timers  tun.Timers
	dev     *tun.Impaired
	a, b    host
	routers []*router
	link    tun.Queue      // a packet written to it arrives at a
	sent    func(b []byte) // is called with each packet that a sends, if not nil
}

// newBadWire returns a wire with the impairments of tun.ParseImpairment.
func newBadWire(t *testing.T, impair string, seed uint64) *badWire {
	t.Helper()
	w := &badWire{t: t}
	cfg, err := tun.ParseImpairment(impair)
	require.NoError(t, err)
	cfg.Seed, cfg.Clock, cfg.Timers = seed, &w.clk, &w.timers
	near, far := tun.Pipe(1500, tun.TUN, packet.Features{})
	w.dev, w.link = tun.Impair(near, cfg), far.Queues()[0]
	w.a = newHost(t, Config{Clock: &w.clk, Rand: rand.NewChaCha8([32]byte{byte(seed)}), Interfaces: []Interface{{
		Name: "eth0", Device: tun.Observe(w.dev, w), Addrs: []netip.Prefix{netip.PrefixFrom(addrA, 24)}, Autoconf: Autoconf{Mode: AutoconfOn},
	}}})
	w.b = newHost(t, Config{Clock: &w.clk, Rand: rand.NewChaCha8([32]byte{byte(seed), 1}),
		Interfaces: []Interface{{
			Name: "net", Device: far, Autoconf: Autoconf{Mode: AutoconfOff},
			Addrs: []netip.Prefix{netip.PrefixFrom(addrB, 24), netip.PrefixFrom(serverA, 64)},
		}},
		Routes: []Route{{Prefix: netip.MustParsePrefix("::/0"), Interface: "net"}},
	})
	w.pass(2 * time.Second)
	return w
}

// Arrived, Handled and Sent implement tun.Observer.
func (w *badWire) Arrived(int, *packet.Buffer) {}
func (w *badWire) Handled(int)                 {}
func (w *badWire) Sent(p *packet.Buffer) {
	if w.sent != nil {
		b := make([]byte, p.Len())
		p.CopyAt(b, 0)
		w.sent(b)
	}
}

// wireTimers are the packets on their way.
type wireTimers struct{ *tun.Timers }

func (q wireTimers) NextDeadline() (time.Duration, bool) { return q.Next() }
func (q wireTimers) Advance(now time.Duration) bool {
	at, ok := q.Next()
	q.Timers.Advance(now)
	return ok && at <= now
}

// pass lets time pass.
func (w *badWire) pass(d time.Duration) {
	all := []advancer{wireTimers{&w.timers}, w.a, w.b}
	for _, r := range w.routers {
		all = append(all, r)
	}
	run(&w.clk, w.clk.Now()+d, all...)
}

// router advertises itself to a twice a second, because the wire loses some of its advertisements.
type router struct {
	w    *badWire
	addr netip.Addr
	says nd.RouterAdvertisement
	at   time.Duration
}

func (w *badWire) router(addr netip.Addr, says nd.RouterAdvertisement) *router {
	r := &router{w: w, addr: addr, says: says, at: w.clk.Now()}
	w.routers = append(w.routers, r)
	return r
}

// Advance implements advancer.
func (r *router) Advance(now time.Duration) bool {
	if now < r.at {
		return false
	}
	r.at = now + 500*time.Millisecond
	require.NoError(r.w.t, r.w.link.Write(nd.New(r.addr, nd.AllNodes, &r.says)))
	return true
}

// NextDeadline implements advancer.
func (r *router) NextDeadline() (time.Duration, bool) { return r.at, true }

// stop lets a router fall silent.
func (r *router) stop() { r.at = ip.Forever }

// settle waits until a has heard its routers, whatever is lost.
func (w *badWire) settle() { w.pass(10 * time.Second) }

// connect opens a connection from a to b, to an address of b.
func (w *badWire) connect(at netip.Addr) (client, server int) {
	w.t.Helper()
	family := AF_INET
	if at.Is6() {
		family = AF_INET6
	}
	listener, err := w.b.Socket(family, SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.NoError(w.t, err)
	require.NoError(w.t, w.b.Bind(listener, netip.AddrPortFrom(at, 0)))
	require.NoError(w.t, w.b.Listen(listener, 1))
	client, err = w.a.Socket(family, SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.NoError(w.t, err)
	require.Equal(w.t, syscall.EINPROGRESS, w.a.Connect(client, w.b.name(listener)))
	for range 300 {
		if server, _, err = w.b.Accept(listener); err == nil {
			break
		}
		w.pass(100 * time.Millisecond)
	}
	require.NoError(w.t, err)
	require.NoError(w.t, w.b.Close(listener))
	_, err = w.b.Fcntl(server, F_SETFL, O_NONBLOCK)
	require.NoError(w.t, err)
	return client, server
}

// flow is one direction of a bulk transfer.
type flow struct {
	from, to     host
	out, in      int // sockets
	data         []byte
	sent, gotten int
}

func (w *badWire) flow(from, to host, out, in, size int) *flow {
	f := &flow{from: from, to: to, out: out, in: in, data: make([]byte, size)}
	rand.NewChaCha8([32]byte{byte(out), byte(size)}).Read(f.data)
	return f
}

// move sends and receives as much as it can now, and checks it.
func (f *flow) move() {
	t := f.from.t
	for f.sent < len(f.data) {
		n, err := f.from.Send(f.out, f.data[f.sent:], 0)
		if err == syscall.EAGAIN {
			break
		}
		require.NoError(t, err)
		f.sent += n
	}
	for b := make([]byte, 64<<10); ; {
		n, err := f.to.Recv(f.in, b, 0)
		if err == syscall.EAGAIN || n == 0 {
			return
		}
		require.NoError(t, err)
		require.True(t, bytes.Equal(f.data[f.gotten:f.gotten+n], b[:n]), "bytes %d to %d", f.gotten, f.gotten+n)
		f.gotten += n
	}
}

// until moves flows until all have received the share done of their data.
func (w *badWire) until(done float64, flows ...*flow) {
	w.t.Helper()
	w.await(func() bool {
		return !slices.ContainsFunc(flows, func(f *flow) bool { return float64(f.gotten) < done*float64(len(f.data)) })
	}, flows...)
}

// await moves flows until a condition holds.
func (w *badWire) await(condition func() bool, flows ...*flow) {
	w.t.Helper()
	const step, limit = 5 * time.Millisecond, time.Hour
	for end := w.clk.Now() + limit; !condition(); w.pass(step) {
		for _, f := range flows {
			f.move()
		}
		require.Less(w.t, w.clk.Now(), end, "it does not end")
	}
}

// badWires are impairments of both directions.
var badWires = map[string]string{
	"loss":      "loss=5%,delay=10ms",
	"bursts":    "burst=0.3%/40%,delay=10ms",
	"duplicate": "duplicate=10%,delay=10ms",
	"reorder":   "reorder=10%,delay=10ms,jitter=3ms",
	"corrupt":   "corrupt=2%,delay=10ms",
	"narrow":    "rate=20mbit,limit=30k,delay=10ms",
	"all":       "loss=2%,burst=0.1%/30%,delay=10ms,jitter=5ms,reorder=5%,duplicate=2%,corrupt=1%,rate=50mbit,limit=100k",
}

// eachWire runs a test on each bad wire in both families, to an address of the server.
func eachWire(t *testing.T, test func(w *badWire, server netip.Addr)) {
	for name, impair := range badWires {
		for _, server := range []netip.Addr{addrB, serverA} {
			t.Run(fmt.Sprint(name, " to ", server), func(t *testing.T) {
				w := newBadWire(t, impair, 1)
				w.router(routerA, advertised(netOld, 24*time.Hour, 24*time.Hour))
				w.settle()
				test(w, server)
			})
		}
	}
}

// Bulk data arrives whole in both directions on every wire, and the connection ends in good order.
func TestStreamsOnBadWires(t *testing.T) { // TCP6-001
	eachWire(t, func(w *badWire, to netip.Addr) {
		client, server := w.connect(to)
		there, back := w.flow(w.a, w.b, client, server, 200_000), w.flow(w.b, w.a, server, client, 200_000)
		w.until(1, there, back)
		require.NoError(w.t, w.a.Close(client))
		require.NoError(w.t, w.b.Close(server))
		w.pass(20 * time.Minute)
		require.Empty(w.t, w.a.Sockets())
		require.Empty(w.t, w.b.Sockets())
	})
}

// Datagrams in fragments arrive whole or not at all: never damaged, cut or mixed with another.
func TestDatagramsOnBadWires(t *testing.T) { // UDP6-005, IP6-022
	eachWire(t, func(w *badWire, to netip.Addr) {
		const count, size = 300, 4000
		family := AF_INET
		if to.Is6() {
			family = AF_INET6
		}
		in, err := w.b.Socket(family, SOCK_DGRAM|SOCK_NONBLOCK, 0)
		require.NoError(w.t, err)
		require.NoError(w.t, w.b.Bind(in, netip.AddrPortFrom(to, 7)))
		out, err := w.a.Socket(family, SOCK_DGRAM, 0)
		require.NoError(w.t, err)
		seen, b := map[uint32]int{}, make([]byte, 2*size)
		for n := range uint32(count) {
			_, err := w.a.SendTo(out, numberedText(n, size), 0, netip.AddrPortFrom(to, 7))
			require.NoError(w.t, err)
			w.pass(3 * time.Millisecond)
			for {
				n, err := w.b.Recv(in, b, 0)
				if err != nil {
					break
				}
				number := binary.BigEndian.Uint32(b)
				require.Equal(w.t, numberedText(number, size), b[:n])
				seen[number]++
			}
		}
		require.Greater(w.t, len(seen), count/2)
	})
}

// numberedText is a text of size bytes that depends on its number.
func numberedText(n uint32, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, n)
	return append(b, strings.Repeat(fmt.Sprint(n, " "), size)[:size-4]...)
}

// uses is the condition that a uses a default router.
func (w *badWire) uses(router netip.Addr) func() bool {
	return func() bool {
		routes := w.a.Routes()
		at := slices.IndexFunc(routes, func(r Route) bool { return r.Prefix.Bits() == 0 && r.Prefix.Addr().Is6() })
		return at >= 0 && routes[at].Gateway == router.WithZone("eth0")
	}
}

// troubled is the wire of the tests in which routers change.
const troubled = "loss=3%,delay=10ms,jitter=2ms,reorder=3%,duplicate=3%,corrupt=0.5%,rate=20mbit,limit=60k"

// A router leaves, another comes and a third one is preferred to it, while data flow: the connection goes on from its address, and new
// ones choose the address that the router in use has advertised.
func TestRoutersChangeDuringTransfer(t *testing.T) { // ND-029, ND-030, ND-035, IP6-053
	w := newBadWire(t, troubled, 2)
	first := w.router(routerA, advertised(netOld, 24*time.Hour, 24*time.Hour))
	w.settle()
	own := w.a.Autoconf()[0].Addresses[1].Addr()
	client, server := w.connect(serverA)
	there, back := w.flow(w.a, w.b, client, server, 2_000_000), w.flow(w.b, w.a, server, client, 2_000_000)
	w.until(0.2, there, back)

	first.says.RouterLifetime, first.says.Prefixes = 0, nil
	second := w.router(routerB, advertised(netNew, 24*time.Hour, 24*time.Hour))
	w.await(w.uses(routerB), there, back)
	require.True(t, netNew.Contains(w.source()))
	w.until(0.4, there, back)

	first.stop()
	third := w.router(netip.MustParseAddr("fe80::c"), advertised(netOld, 24*time.Hour, 24*time.Hour))
	third.says.Preference = 1
	w.await(w.uses(third.addr), there, back)
	require.True(t, netOld.Contains(w.source()))
	w.until(0.6, there, back)

	second.stop()
	third.says.RouterLifetime = 0
	w.await(w.uses(routerB), there, back)
	require.True(t, netNew.Contains(w.source()))
	w.until(1, there, back)
	require.Equal(t, own, w.a.name(client).Addr())
}

// source is the address from which a sends to b.
func (w *badWire) source() netip.Addr {
	fd := w.a.socket6(SOCK_DGRAM, 0)
	require.NoError(w.t, w.a.Connect(fd, netip.AddrPortFrom(serverA, 9)))
	defer w.a.Close(fd)
	return w.a.name(fd).Addr()
}

// Data flow while the prefix of their connection is deprecated. When it ends nothing is sent from its address any more, and both ends
// time out. Linux goes on sending from it, without an answer, which RFC 4862 section 5.5.4 forbids; its connection times out, too.
func TestRenumberingDuringTransfer(t *testing.T) { // SLAAC-012, SLAAC-014
	w := newBadWire(t, troubled, 3)
	old := w.router(routerA, advertised(netOld, 24*time.Hour, 24*time.Hour))
	w.settle()
	client, server := w.connect(serverA)
	there, back := w.flow(w.a, w.b, client, server, 2_000_000), w.flow(w.b, w.a, server, client, 2_000_000)
	w.until(0.2, there, back)
	require.True(t, netOld.Contains(w.a.name(client).Addr()))

	old.says = advertised(netOld, 0, 0) // the address is valid for two hours more
	w.router(routerB, advertised(netNew, 24*time.Hour, 24*time.Hour))
	w.await(func() bool { return netNew.Contains(w.source()) }, there, back)
	second, other := w.connect(serverA)
	require.True(t, netNew.Contains(w.a.name(second).Addr()))
	w.until(0.8, there, back)
	w.pass(2 * time.Hour)

	w.sent = func(b []byte) {
		var h ipv6.Header
		require.False(t, h.Parse(b) && netOld.Contains(h.Src), "a packet from %v", h.Src)
	}
	w.a.send(client, "into the void")
	w.b.send(server, "and back")
	w.pass(30 * time.Minute)
	require.Equal(t, syscall.ETIMEDOUT, w.a.soError(client))
	require.Equal(t, syscall.ETIMEDOUT, w.b.soError(server))
	w.until(1, w.flow(w.a, w.b, second, other, 100_000), w.flow(w.b, w.a, other, second, 100_000))
}

// Segments follow the MTU that the router advertises, down and up, in a transfer, and so does the MSS of new connections, as in Linux.
func TestAdvertisedMTUDuringTransfer(t *testing.T) { // ND-032, TCP6-003, TCP6-004
	w := newBadWire(t, troubled, 4)
	r := w.router(routerA, advertised(netOld, 24*time.Hour, 24*time.Hour))
	w.settle()
	client, server := w.connect(serverA)
	there := w.flow(w.a, w.b, client, server, 4_000_000)
	largest := 0
	w.sent = func(b []byte) { largest = max(largest, len(b)) }
	done := 0.0
	for _, mtu := range []uint32{0, 1280, 1400, 1500, 1300} {
		r.says.MTU = mtu
		w.await(func() bool { return w.a.get(client, IPPROTO_IPV6, IPV6_MTU) == int(cmp.Or(mtu, 1500)) }, there)
		w.until(done+0.1, there) // segments of the old size may be sent again
		largest = 0
		done += 0.2
		w.until(done, there)
		require.EqualValues(t, cmp.Or(mtu, 1500), largest, "with an advertised MTU of %d", mtu)
	}
	_, other := w.connect(serverA)
	require.Equal(t, 1300-60-12, w.b.get(other, IPPROTO_TCP, TCP_MAXSEG))
}
