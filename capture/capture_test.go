package capture

import (
	"log/slog"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/socketapi"
	"tunstack/trace"
	"tunstack/tun"
)

var start = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// lab is two stacks with a wire between them; the packets of the server's end are captured.
type lab struct {
	t              *testing.T
	clk            clock.Virtual
	capture        *Capture
	printer        *Printer
	client, server socketapi.Berkeley
	stacks         [2]*socketapi.Stack
	lossy          *lossy
}

// lossy is a device that can lose the packets written to it.
type lossy struct {
	tun.Device
	tun.Queue
	lose bool
}

func (l *lossy) Queues() []tun.Queue { return []tun.Queue{l} }

func (l *lossy) Write(p *packet.Buffer) error {
	if l.lose {
		p.Free()
		return nil
	}
	return l.Queue.Write(p)
}

func newLab(t *testing.T, f packet.Features) *lab {
	l := &lab{t: t}
	a, b := tun.Pipe(1500, tun.TUN, f)
	l.lossy = &lossy{Device: b, Queue: b.Queues()[0]}
	var observed tun.Device
	l.capture, observed = Of(l.lossy, start, &l.clk)
	for i, d := range []tun.Device{a, observed} {
		s, err := socketapi.New(socketapi.Config{
			Clock: &l.clk, Logger: slog.New(slog.DiscardHandler),
			Interfaces: []socketapi.Interface{{Device: d, Addrs: []netip.Prefix{netip.MustParsePrefix([]string{"10.0.0.1/24", "10.0.0.2/24"}[i])}}},
		})
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		l.stacks[i] = s
	}
	l.client, l.server = l.stacks[0].Berkeley(), l.stacks[1].Berkeley()
	l.capture.Attach(l.stacks[1])
	l.printer = NewPrinter(l.capture.Source())
	return l
}

// after advances the time, from one deadline of the two stacks to the next.
func (l *lab) after(d time.Duration) {
	for at, to := l.clk.Now(), l.clk.Now()+d; ; at = min(to, l.next()) {
		for busy := true; busy; {
			busy = false
			for _, s := range l.stacks {
				busy = s.Advance(at) || busy
			}
		}
		if at >= to {
			return
		}
	}
}

// next returns the earlier deadline of the two stacks.
func (l *lab) next() time.Duration {
	at := time.Duration(1<<62 - 1)
	for _, s := range l.stacks {
		if d, ok := s.NextDeadline(); ok {
			at = min(at, max(d, l.clk.Now()))
		}
	}
	return at
}

// lines returns the packets captured during f, as lines without the time.
func (l *lab) lines(f func()) []string {
	var lines []string
	stop := l.capture.Watch(func(batch []*Packet) {
		for _, p := range batch {
			_, line, _ := strings.Cut(l.printer.Line(p), "Flags ")
			flags, comment, _ := strings.Cut(line, "  # ")
			flags, _, _ = strings.Cut(flags, ", win")
			if strings.HasPrefix(flags, "[S") { // its numbers are chance
				flags, _, _ = strings.Cut(flags, ",")
			}
			lines = append(lines, flags+" # "+comment)
		}
	})
	f()
	stop()
	return lines
}

// connect is a connection to the server's port 7.
func (l *lab) connect() (client, server int) {
	any := netip.MustParseAddrPort("10.0.0.2:7")
	listener, err := l.server.Socket(socketapi.AF_INET, socketapi.SOCK_STREAM|socketapi.SOCK_NONBLOCK, 0)
	require.NoError(l.t, err)
	require.NoError(l.t, l.server.Bind(listener, any))
	require.NoError(l.t, l.server.Listen(listener, 1))
	client, err = l.client.Socket(socketapi.AF_INET, socketapi.SOCK_STREAM|socketapi.SOCK_NONBLOCK, 0)
	require.NoError(l.t, err)
	require.Equal(l.t, syscall.EINPROGRESS, l.client.Connect(client, any))
	l.after(time.Millisecond)
	server, _, err = l.server.Accept(listener)
	require.NoError(l.t, err)
	return client, server
}

// A whole connection with a loss: each packet has a comment on what the server did with it, or why it sent it.
func TestComments(t *testing.T) {
	l := newLab(t, packet.Features{})
	got := l.lines(func() {
		client, server := l.connect()
		l.client.Send(client, []byte("hello"), 0)
		l.after(time.Second)
		l.lossy.lose = true
		l.server.Send(server, []byte("welcome"), 0)
		l.after(100 * time.Millisecond)
		l.lossy.lose = false
		l.after(5 * time.Second)
		l.client.Recv(client, make([]byte, 10), 0)
		l.client.Close(client)
		l.after(time.Second)
		l.server.Recv(server, make([]byte, 10), 0)
		l.server.Close(server)
		l.after(time.Second)
	})
	require.Equal(t, []string{
		"[S] # LISTEN, now SYN-RECEIVED (RFC 9293 3.10.7.2 third)",
		"[S.] # SYN-RECEIVED: SYN (RFC 9293 3.5)",
		"[.], ack 1 # SYN-RECEIVED, now ESTABLISHED (RFC 9293 3.10.7.4 fifth)",
		"[P.], seq 1:6, ack 1 # ESTABLISHED",
		"[.], ack 6 # ESTABLISHED: ACK at once (RFC 9293 3.8.6.3)",
		"[P.], seq 1:8, ack 6 # ESTABLISHED: data (RFC 9293 3.8.6.2.1)",
		"[P.], seq 1:8, ack 6 # ESTABLISHED: tail loss probe (RFC 8985 7)",
		"[.], ack 8 # ESTABLISHED",
		"[F.], seq 6, ack 8 # ESTABLISHED, now CLOSE-WAIT (RFC 9293 3.10.7.4 eighth)",
		"[.], ack 7 # CLOSE-WAIT: ACK at once (RFC 9293 3.8.6.3)",
		"[F.], seq 8, ack 7 # LAST-ACK: FIN (RFC 9293 3.6)",
		"[.], ack 9 # LAST-ACK, now CLOSED (RFC 9293 3.10.7.4 fifth)",
	}, got)
}

// A super-packet is one packet with one comment, and its checksum is complete.
func TestCommentsOnSuperPackets(t *testing.T) {
	l := newLab(t, packet.Features{Checksum: true, TSO: 65535})
	var client, server int
	l.lines(func() { client, server = l.connect() })
	got := l.lines(func() {
		l.client.Send(client, make([]byte, 1448*4), 0)
		l.after(time.Second)
		l.server.Send(server, make([]byte, 1448*4), 0)
		l.after(time.Second)
	})
	require.Equal(t, []string{
		"[P.], seq 1:5793, ack 1 # ESTABLISHED",
		"[.], ack 5793 # ESTABLISHED: ACK at once (RFC 9293 3.8.6.3)",
		"[P.], seq 1:5793, ack 5793 # ESTABLISHED: data (RFC 9293 3.8.6.2.1)",
		"[.], ack 5793 # ESTABLISHED",
	}, got)
}

// Comments give the reason for a segment, and the rule behind a retransmission.
func TestPurpose(t *testing.T) {
	for _, tt := range []struct {
		why  string
		s    trace.Segment
		flow flow
		want string
	}{
		{"new", trace.Segment{Flags: "S"}, flow{}, "SYN"},
		{"new", trace.Segment{Flags: "FP.", Len: 7}, flow{}, "data, FIN"},
		{"retransmission", trace.Segment{Len: 7}, flow{}, "retransmission"},
		{"retransmission", trace.Segment{Len: 7}, flow{loss: &trace.Record{Why: "RACK", RFC: "RFC 8985 6.2"}}, "retransmission, by RACK (RFC 8985 6.2)"},
		{"acknowledgment", trace.Segment{}, flow{delayed: true}, "delayed ACK"},
		{"acknowledgment", trace.Segment{}, flow{}, "ACK at once"},
		{"probe", trace.Segment{}, flow{}, "keep-alive probe (RFC 9293 3.8.4)"},
		{"probe", trace.Segment{Len: 1}, flow{}, "window probe"},
		{"reset", trace.Segment{Flags: "R"}, flow{}, "reset"},
	} {
		r := trace.Record{Why: tt.why, Segment: &tt.s, Vars: trace.Vars{State: "ESTABLISHED"}}
		require.Equal(t, "ESTABLISHED: "+tt.want, tt.flow.purpose(&r))
	}
}

// Two copies of a segment in one batch have a comment each; a delayed ACK is named as one.
func TestJoinerTakesTurns(t *testing.T) {
	j := joiner{flows: map[ends]*flow{}}
	local, remote := netip.MustParseAddrPort("10.0.0.2:7"), netip.MustParseAddrPort("10.0.0.1:4000")
	first, second := &held{}, &held{}
	for _, h := range []*held{first, second} {
		j.packet(h, tcpPacket(t, 1000, "hello"))
	}
	record := func(k trace.Kind, why string) {
		j.record(&trace.Record{Kind: k, Why: why, Local: local, Remote: remote, Vars: trace.Vars{State: "ESTABLISHED"},
			Segment: &trace.Segment{Flags: "P.", Seq: 1000, Ack: 2000, Wnd: 500, Len: 5}})
	}
	record(trace.In, "")
	record(trace.In, "")
	record(trace.Drop, "tcp.drop.sequence")
	require.Equal(t, "ESTABLISHED", first.Comment)
	require.Equal(t, "ESTABLISHED, dropped: tcp.drop.sequence", second.Comment)
	record(trace.In, "") // of a packet that has gone
	record(trace.Drop, "tcp.drop.sequence")
	record(trace.Fired, "delayed ACK")
	record(trace.Write, "")
	require.Equal(t, "ESTABLISHED, dropped: tcp.drop.sequence", second.Comment)
	require.True(t, j.flows[ends{local, remote}].delayed)
}

// The packets of IPv6 find their records, behind extension headers too. A record of a link-local address has a zone, a packet has none.
func TestJoinerOfIPv6(t *testing.T) {
	j := joiner{flows: map[ends]*flow{}}
	segment := tcp6(1000, 2000, 0x18, nil, "hello")
	plain, behind, fragment := &held{}, &held{}, &held{}
	j.packet(plain, datagram6(6, 16, segment))
	j.packet(behind, datagram6(6, 16, segment, ext{60, []byte{0, 1, 4, 0, 0, 0, 0}}))
	j.packet(fragment, datagram6(6, 16, segment, ext{44, []byte{0, 0, 1, 0, 0, 0, 7}}))
	for range 3 {
		j.record(&trace.Record{Kind: trace.In, Vars: trace.Vars{State: "ESTABLISHED"},
			Local: netip.AddrPortFrom(dst6.WithZone("tun0"), 8192), Remote: netip.AddrPortFrom(src6.WithZone("tun0"), 5000),
			Segment: &trace.Segment{Flags: "P.", Seq: 1000, Ack: 2000, Wnd: 256, Len: 5}})
	}
	require.Equal(t, "ESTABLISHED", plain.Comment)
	require.Equal(t, "ESTABLISHED", behind.Comment)
	require.Empty(t, fragment.Comment, "it is not whole")
}

// Packets dropped below the connections have the name of the counter as their comment, and resets without a connection have one, too.
func TestCommentsOnDrops(t *testing.T) {
	l := newLab(t, packet.Features{})
	var got []string
	stop := l.capture.Watch(func(batch []*Packet) {
		for _, p := range batch {
			got = append(got, p.Comment)
		}
	})
	fd, err := l.client.Socket(socketapi.AF_INET, socketapi.SOCK_STREAM|socketapi.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	require.Equal(t, syscall.EINPROGRESS, l.client.Connect(fd, netip.MustParseAddrPort("10.0.0.2:81")))
	l.after(time.Millisecond)
	stop()
	require.Equal(t, []string{
		"dropped: tcp.drop.no_connection (RFC 9293 3.10.7.1)", "no connection: reset (RFC 9293 3.10.7.1)",
	}, got)
}

// If two queues are active at once a drop gets no comment, unless the record of a connection explains it.
func TestDrops(t *testing.T) {
	var c, other stats.Counter
	d := drops{slots: make([]slot, 2)}
	d.watch([]stats.Named{{Counter: &c, Name: "x.drop.y", RFC: "RFC 1"}, {Counter: &other, Name: "x.drop.z"}})
	var alone, one, two, told held
	d.arrived(0, &alone)
	other.Inc()
	d.handled(0)
	require.Equal(t, "dropped: x.drop.z", alone.Comment)

	d.arrived(0, &one)
	d.arrived(1, &two)
	c.Inc()
	d.handled(0)
	d.handled(1)
	require.Empty(t, one.Comment+two.Comment)

	d.arrived(0, &told)
	c.Inc()
	d.told("x.drop.y")
	d.told("x.drop.unknown")
	d.handled(0)
	d.handled(0)
	require.Empty(t, told.Comment)
}

// A packet is held for a late record, but no longer than twice the holding time.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, peer := tun.Pipe(1500, tun.TUN, packet.Features{})
		c, d := Of(a, start, &clock.Virtual{})
		var got []*Packet
		defer c.Watch(func(batch []*Packet) { got = append(got, batch...) })()
		segment := tcpPacket(t, 1000, "hello")
		require.NoError(t, peer.Queues()[0].Write(packet.From(segment)))
		p, err := d.Queues()[0].TryRead()
		require.NoError(t, err)
		p.Free()
		time.Sleep(hold / 2)
		synctest.Wait()
		require.Empty(t, got)
		c.record(trace.Record{
			Kind: trace.In, Local: netip.MustParseAddrPort("10.0.0.2:7"), Remote: netip.MustParseAddrPort("10.0.0.1:4000"),
			Segment: &trace.Segment{Flags: "P.", Seq: 1000, Ack: 2000, Wnd: 500, Len: 5}, Vars: trace.Vars{State: "ESTABLISHED"},
		})
		time.Sleep(2 * hold)
		synctest.Wait()
		require.Len(t, got, 1)
		require.Equal(t, "ESTABLISHED", got[0].Comment)
		require.Equal(t, segment, got[0].Data)
		require.NoError(t, d.Close())
	})
}

// tracing counts the watchers of the connections.
type tracing int

func (n *tracing) Trace(func(_, _ netip.AddrPort) bool, func(trace.Record)) (stop func()) {
	*n++
	return func() { *n-- }
}

func (n *tracing) Drops() []stats.Named { return nil }

// Without a watcher no packet is recorded, no connection traced and nothing allocated.
func TestNobodyWatches(t *testing.T) {
	a, _ := tun.Pipe(1500, tun.TUN, packet.Features{})
	c, d := Of(a, start, &clock.Virtual{})
	var n tracing
	stopEarly := c.Watch(func([]*Packet) {})
	c.Attach(&n)
	require.EqualValues(t, 1, n)
	stop := c.Watch(func([]*Packet) {})
	stopEarly()
	require.EqualValues(t, 1, n)
	stop()
	stop()
	require.EqualValues(t, 0, n)
	p := packet.From(make([]byte, 40))
	defer p.Free()
	o := observer{c}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		o.Handled(0)
		o.Arrived(0, p)
		o.Sent(p)
	}))
	require.Empty(t, c.young)
	require.NoError(t, d.Close())
}

// The held packets are bounded.
func TestHeldIsBounded(t *testing.T) {
	a, _ := tun.Pipe(65535, tun.TUN, packet.Features{})
	c, d := Of(a, start, &clock.Virtual{})
	got := 0
	stop := c.Watch(func(batch []*Packet) { got += len(batch) })
	p := packet.From(make([]byte, 60000))
	defer p.Free()
	for range 1000 {
		observer{c}.Sent(p)
		c.mu.Lock()
		require.LessOrEqual(t, c.size, 2*maxHeld)
		c.mu.Unlock()
	}
	stop()
	require.Equal(t, 1000, got)
	require.NoError(t, d.Close())
}
