package socket

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/ports"
	"tunstack/internal/race"
	"tunstack/ip"
	"tunstack/tcp"
)

// client is the i-th of many remote ends.
func client(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("198.%d.%d.%d", 18+i>>16, i>>8&255, i&255)), 1000)
}

// client is the i-th of many peers of the lab's family.
func (l *lab) client(i int) netip.AddrPort {
	if l.here.Addr().Is4() {
		return client(i)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", i)), 1000)
}

// waiting is the number of connections that netstat shows to wait for Accept.
func (so *Socket) waiting() int { return so.state.(*listener).queued() }

func TestAcceptQueue(t *testing.T) { // SOCK-007, SOCK-008
	l := newLab(t)
	listener := l.listen(here, 1) // one more than the backlog may wait
	var peers []*peer
	for i := range 3 {
		peers = append(peers, l.dial(client(i)))
	}
	for _, p := range peers {
		p.sends(tcp.ACK, "")
	}
	require.Equal(t, 2, listener.waiting())
	require.EqualValues(t, 1, l.stats.DropAcceptQueue.Value(), "the final ACK is as if lost")
	l.recv(client(3), here, tcp.Segment{Flags: tcp.SYN, Seq: 5000, Wnd: 1000})
	l.silent("a SYN, too")
	require.EqualValues(t, 2, l.stats.DropAcceptQueue.Value())

	for _, p := range peers[:2] {
		so, err := listener.Accept()
		require.NoError(t, err)
		remote, _ := so.Remote()
		require.Equal(t, p.at, remote, "oldest first")
	}
	_, err := listener.Accept()
	require.Equal(t, syscall.EAGAIN, err)
	l.after(time.Second)
	synAck := l.one() // sent again
	require.Equal(t, peers[2].at, netip.AddrPortFrom(synAck.ip.Dst, synAck.DstPort))
	peers[2].accept(listener)
	l.dial(client(3)).accept(listener)
}

// The accept queue is counted while the batch that fills it is still going on.
func TestAcceptQueueInABatch(t *testing.T) { // SOCK-007
	l := newLab(t)
	listener := l.listen(here, 1)
	var peers []*peer
	for i := range 5 {
		peers = append(peers, l.dial(client(i)))
	}
	var b packet.Batch
	for _, p := range peers {
		l.batch(&b, p.at, p.to, p.segment(tcp.ACK, ""))
	}
	b.Flush(l.clk.Now())
	require.Equal(t, 2, listener.waiting())
}

func TestAcceptErrors(t *testing.T) { // SOCK-009
	l := newLab(t)
	_, err := l.NewSocket(ip.V4).Accept()
	require.Equal(t, syscall.EINVAL, err)
	listener := l.listen(here, 1)
	_, err = listener.Accept()
	require.Equal(t, syscall.EAGAIN, err)
	require.NoError(t, listener.Shutdown(true, false))
	_, err = listener.Accept()
	require.Equal(t, syscall.EINVAL, err)
	require.NoError(t, listener.Listen(1), "as on Linux it may listen again")
	l.dial(there).accept(listener)
}

func TestCloseListener(t *testing.T) { // SOCK-028
	for name, end := range map[string]func(*Socket){
		"close":    func(so *Socket) { require.NoError(t, so.Close()) },
		"abort":    (*Socket).Abort,
		"shutdown": func(so *Socket) { require.NoError(t, so.Shutdown(true, true)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			listener := l.listen(here, 4)
			half, waits, taken := l.dial(client(0)), l.dial(client(1)), l.dial(client(2))
			taken.accept(listener)
			waits.sends(tcp.ACK, "unread")
			l.take()
			end(listener)
			resets := map[netip.AddrPort]bool{}
			for _, f := range l.take() {
				require.True(t, f.Flags.Has(tcp.RST))
				resets[netip.AddrPortFrom(f.ip.Dst, f.DstPort)] = true
			}
			require.Equal(t, map[netip.AddrPort]bool{half.at: true, waits.at: true}, resets)
			require.Equal(t, "ESTAB", l.state())
			half.sends(tcp.ACK, "")
			require.Equal(t, tcp.RST, l.one().Flags)
			taken.so.Abort()
			listener.Abort()
			l.empty()
		})
	}
}

// A connection that the peer resets before it is accepted is forgotten.
func TestResetBeforeAccept(t *testing.T) { // TCP-142
	l := newLab(t)
	listener := l.listen(here, 4)
	half, waits := l.dial(client(0)), l.dial(client(1))
	half.sends(tcp.RST, "")
	waits.sends(tcp.ACK, "")
	require.Equal(t, 1, listener.waiting())
	waits.sends(tcp.RST, "")
	_, err := listener.Accept()
	require.Equal(t, syscall.EAGAIN, err)
	require.Empty(t, l.state())
	listener.Abort()
	l.empty()
}

// Connections inherit the listener's settings.
func TestInheritance(t *testing.T) { // SOCK-032, SOCK-037
	l := newLab(t)
	listener := l.listen(here, 4)
	listener.SetParams(func(p *tcp.Params) { p.NoDelay, p.MaxSeg = true, 500 })
	listener.SetIP(func(o *ip.SocketOptions) { o.TOS, o.TTL = 0x28, 9 })
	listener.SetLinger(true, 0)
	p := l.dial(there)
	listener.SetParams(func(p *tcp.Params) { p.NoDelay = false })
	p.accept(listener)
	require.True(t, p.so.Params().NoDelay, "as it was when the connection began")
	require.Equal(t, 500, p.so.MSS())
	require.Equal(t, [2]uint8{0x28, 9}, [2]uint8{p.so.IP().TOS, p.so.IP().TTL})
	p.so.writes(t, "data")
	f := l.one()
	require.Equal(t, [2]uint8{0x28, 9}, [2]uint8{f.ip.TOS, f.ip.TTL})
	require.NoError(t, p.so.Close())
	require.True(t, l.one().Flags.Has(tcp.RST), "SO_LINGER with time zero")
}

// Listeners that share a port divide the connections; one at the very address is preferred.
func TestManyListeners(t *testing.T) { // SOCK-031
	l := newLab(t)
	shared := func(at netip.AddrPort) *Socket {
		so := l.NewSocket(ip.V4)
		so.SetReuse(false, true)
		require.NoError(t, so.Bind(at))
		require.NoError(t, so.Listen(100))
		return so
	}
	wild := []*Socket{shared(ap("0.0.0.0:7")), shared(ap("0.0.0.0:7"))}
	exact := shared(ap("10.0.0.3:7"))
	for i := range 64 {
		l.dial(client(i)).sends(tcp.ACK, "")
	}
	require.Zero(t, exact.waiting())
	require.Equal(t, 64, wild[0].waiting()+wild[1].waiting())
	require.InDelta(t, 32, wild[0].waiting(), 16)
	p := &peer{l: l, at: there, to: ap("10.0.0.3:7"), seq: 5000}
	p.sends(tcp.SYN, "")
	p.learn()
	p.accept(exact)
	require.NoError(t, wild[0].Close())
	l.take()
	l.dial(client(64)).accept(wild[1])
}

// The half-open connections of a flood are bounded in number and in time, and cookies take no memory.
func TestFlood(t *testing.T) { // SEC-006
	l := newLab(t)
	listener := l.listen(here, 100)
	l.wire.Discard = true
	flood := func(n int) {
		for i := range n {
			l.recv(client(i), netip.AddrPortFrom(here.Addr(), 7), tcp.Segment{Flags: tcp.SYN, Seq: tcp.Seq(i), Wnd: 1000})
		}
	}
	flood(2000)
	require.Len(t, listenerOf(listener).halfOpen, 1024)
	before, n := heap(), 50_000
	if race.Enabled {
		n = 5000
	}
	for range 2 {
		flood(n)
	}
	require.Len(t, l.Sockets(), 1+1024)
	require.EqualValues(t, 2000+2*n-3*1024, l.stats.CookiesOut.Value(), "those half-open got no other answer than before")
	require.InDelta(t, before, heap(), 256<<10)
	l.wire.Discard = false
	l.dial(there).accept(listener)
	l.after(10 * time.Minute)
	require.Empty(t, listenerOf(listener).halfOpen)
}

// heap is the memory in use, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestPortsOfConnections(t *testing.T) { // SOCK-030
	l := newLab(t)
	listener := l.listen(here, 4)
	p := l.dial(there)
	p.accept(listener)
	listener.Abort()
	_, err := l.ports.Bind(here, ports.ReuseAddr)
	require.Equal(t, syscall.EADDRINUSE, err, "a connection still has the port")
	p.so.Abort()
	l.empty()
}

// A listener adopts no connection that another device queue has made already, and none once the user has closed it.
func TestAdoptOfClosedListener(t *testing.T) {
	l := newLab(t)
	listener := l.listen(here, 4)
	p := l.dial(there)
	id := ip.NewFourTuple(here, there)
	half := l.conns.find(&id)
	_, ok := listenerOf(listener).adopt(0, half.flow, half.settings, half.tcb)
	require.False(t, ok, "the same SYN by another queue")

	listenerOf(listener).closed = true // and not yet at the connections
	p.sends(tcp.ACK, "")
	require.True(t, l.one().Flags.Has(tcp.RST))
	other := half.flow
	other.id.RemotePort++
	setup := l.setup(0, &other, &half.settings)
	syn := tcp.Segment{Flags: tcp.SYN, Seq: 5000, Wnd: 1000}
	_, ok = listenerOf(listener).adopt(0, other, half.settings, tcp.Accept(0, &l.cfg.Config, half.params, setup, &syn))
	require.False(t, ok)
	require.Equal(t, tcp.RST|tcp.ACK, l.one().Flags, "the connection is reset, and unlocked for those that have found it")
	require.Nil(t, l.conns.find(&other.id))
	listener.Abort()
	l.empty()
}

// netstat shows the listeners first, and all in the order of their addresses.
func TestSocketsAreInOrder(t *testing.T) {
	l := newLab(t)
	for _, port := range []uint16{9, 7, 8} {
		l.listen(netip.AddrPortFrom(here.Addr(), port), 1)
	}
	for i := range 9 {
		l.recv(client(i*5%9), netip.AddrPortFrom(here.Addr(), 7), tcp.Segment{Flags: tcp.SYN, Wnd: 1000})
	}
	rows := l.Sockets()
	require.Len(t, rows, 3+9)
	for i, row := range rows[:3] {
		require.Equal(t, uint16(7+i), row.Local.Port())
	}
	require.True(t, slices.IsSortedFunc(rows[3:], func(a, b Status) int { return a.Remote.Compare(b.Remote) }))
}

// SEC-063: the half-open connections of all listeners together are bounded, and one source gets a quarter; others are remembered beside it, and
// all of them are forgotten again.
func TestHalfOpenOfOneSource(t *testing.T) {
	l := newLab(t)
	listeners := []*Socket{l.listen(here, 100), l.listen(ap("10.0.0.3:8"), 100)}
	l.wire.Discard = true
	syn := func(source string, port uint16, listener int) {
		to := here
		if listener == 1 {
			to = ap("10.0.0.3:8")
		}
		l.recv(netip.AddrPortFrom(netip.MustParseAddr(source), port), to, tcp.Segment{Flags: tcp.SYN, Seq: 1, Wnd: 1000})
	}
	half := func() int { return len(listenerOf(listeners[0]).halfOpen) + len(listenerOf(listeners[1]).halfOpen) }
	for i := range 2000 {
		syn("10.0.0.9", uint16(1000+i), i%2)
	}
	require.Equal(t, 256, half())
	require.EqualValues(t, 2000-256, l.stats.CookiesOut.Value())
	syn("10.0.0.10", 1000, 0)
	require.Equal(t, 257, half(), "another is remembered")
	for i := range 2000 {
		syn(fmt.Sprintf("10.1.%d.%d", i/200, 1+i%200), 1000, i%2)
	}
	require.Equal(t, 1024, half())
	l.after(2 * time.Minute)
	require.Zero(t, half())
	require.Zero(t, l.halfOpen.total)
	require.Empty(t, l.halfOpen.sources)
	syn("10.0.0.9", 1000, 0)
	require.NoError(t, listeners[0].Close())
	require.Zero(t, l.halfOpen.total)
}

// SEC-063: a silent source draws six SYN,ACKs, as on Linux, or as many as TCP_SYNCNT of the listener allows.
func TestSynAcksToTheSilent(t *testing.T) {
	for _, count := range []int{0, 2} {
		l := newLab(t)
		l.listen(here, 100).SetParams(func(p *tcp.Params) { p.SynRetries = count })
		l.recv(there, here, tcp.Segment{Flags: tcp.SYN, Seq: 1, Wnd: 1000})
		l.after(5 * time.Minute)
		if count == 0 {
			count = 5
		}
		require.Len(t, l.take(), 1+count)
		require.Zero(t, l.halfOpen.total)
	}
}
