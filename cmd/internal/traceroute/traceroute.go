// Package traceroute finds the routers on the way to a host, and prints them word for word as Linux's traceroute does.
package traceroute

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Defaults of Config, and the most that it may ask for.
const (
	DefaultHops, MaxHops       = 30, 255
	DefaultQueries, MaxQueries = 3, 10
)

const (
	probeLen = 60 // bytes of a probe's datagram
	inFlight = 16 // probes that are waited for at the same time, at most
)

// Config says what to find out.
type Config struct {
	Host    string        // as the user wrote it
	Addr    netip.Addr    // what it stands for
	Local   netip.Addr    // from where the probes come
	Method  Method        // what they are
	Port    uint16        // of UDP the first probe's, one more for each further one; of TCP every probe's
	Hops    int           // to try, at most
	Queries int           // probes for each
	Wait    time.Duration // for an answer to a probe
	Numeric bool          // print no names
}

// Sockets are those that Run uses. It leaves them open, with a deadline for reading that has passed.
type Sockets struct {
	Out   net.Conn // takes IP datagrams (IPPROTO_RAW); reading it tells of the stack's own errors
	ICMP  net.Conn // gives IP datagrams with ICMP messages, whoever sends them
	Reply net.Conn // gives what the target sends over the protocol of UDP or TCP probes; nil for ICMP
}

// Run sends probes with a growing time to live and prints to out, hop by hop, who answers. It ends when the target does, when
// there are no more hops to try, or when ctx ends, which is no error. The error is one of the stack, or of sockets that can no longer be used.
func Run(ctx context.Context, s Sockets, cfg Config, out io.Writer) error {
	t := newTracer(s.Out, cfg, out)
	fmt.Fprintf(out, "traceroute to %s (%s), %d hops max, %d byte packets", cfg.Host, cfg.Addr, cfg.Hops, probeLen)
	ctx, stop := context.WithCancel(ctx)
	answers := make(chan answer)
	var readers []<-chan struct{}
	for _, in := range []struct {
		conn  net.Conn
		parse parser
	}{{s.Out, none}, {s.ICMP, t.parseICMP}, {s.Reply, t.parseReply}} {
		if in.conn != nil {
			readers = append(readers, receive(ctx, in.conn, in.parse, answers))
			context.AfterFunc(ctx, func() { in.conn.SetReadDeadline(time.Now()) })
		}
	}
	err := t.loop(ctx, answers)
	stop()
	for _, done := range readers {
		<-done
	}
	fmt.Fprintln(out)
	return err
}

// tracer is one run. Only loop's goroutine uses what changes.
type tracer struct {
	cfg    Config
	conn   net.Conn
	out    io.Writer
	id     uint16         // tells this run's probes from others': the source port, the first one's for TCP, or ICMP's identifier
	keys   map[uint32]int // probes by what answers quote of them
	probes []probe        // in the order of sending
	sent   int            // how many have been
	shown  int            // how many have been printed
	end    int            // how many there will be
}

// probe is one that is to be sent, or was.
type probe struct {
	at   time.Time // when it was sent
	done bool      // answered, or given up
	from netip.Addr
	rtt  time.Duration // of an answer
	mark string        // what it said, if that is no way on: !H and the like
}

func newTracer(conn net.Conn, cfg Config, out io.Writer) *tracer {
	n := cfg.Hops * cfg.Queries
	t := &tracer{cfg: cfg, conn: conn, out: out, keys: map[uint32]int{}, probes: make([]probe, n), end: n}
	t.id = uint16(1<<15 + rand.IntN(1<<14)) // as a port, it is neither a well-known one nor without room above it
	for i := range n {
		t.keys[t.key(i)] = i
	}
	return t
}

// loop sends probes and takes answers until all is printed.
func (t *tracer) loop(ctx context.Context, answers <-chan answer) error {
	patience := time.NewTimer(0)
	defer patience.Stop()
	for t.shown < t.end {
		for t.sent < t.end && t.waiting() < inFlight {
			if err := t.send(); err != nil {
				return err
			}
		}
		patience.Reset(time.Until(t.probes[t.shown].at.Add(t.cfg.Wait)))
		select {
		case <-ctx.Done():
			return nil
		case <-patience.C:
			t.giveUp(time.Now())
		case a := <-answers:
			if err := t.handle(a); err != nil {
				return err
			}
		}
		t.show()
	}
	return nil
}

// waiting is how many probes have been sent and not been done with.
func (t *tracer) waiting() int {
	n := 0
	for i := range t.probes[:t.sent] {
		if !t.probes[i].done {
			n++
		}
	}
	return n
}

func (t *tracer) send() error {
	t.probes[t.sent].at = time.Now()
	_, err := t.conn.Write(t.packet(t.sent))
	t.sent++
	return err
}

// giveUp ends the waiting for what was sent too long ago.
func (t *tracer) giveUp(now time.Time) {
	for i := range t.probes[:t.sent] {
		if p := &t.probes[i]; now.Sub(p.at) >= t.cfg.Wait {
			p.done = true
		}
	}
}

// handle takes an answer. The error is one that ends the run.
func (t *tracer) handle(a answer) error {
	if errors.Is(a.err, syscall.EHOSTUNREACH) {
		// The neighbour through which all go does not answer ARP: traceroute shows the message that a router would have sent.
		for i := range t.probes[:t.sent] {
			t.answered(i, answer{at: a.at, from: t.cfg.Local, mark: unreachable(codeHost, 0), final: true})
		}
		return nil
	}
	if errors.Is(a.err, syscall.ECONNREFUSED) || errors.Is(a.err, syscall.ENOPROTOOPT) {
		return nil // a connected socket's share of an ICMP message, which the ICMP socket receives whole
	}
	if a.err != nil {
		return a.err
	}
	if i, ok := t.keys[a.key]; ok && i < t.sent {
		t.answered(i, a)
	}
	return nil
}

// answered notes an answer to a probe. One that is final makes its hop the last.
func (t *tracer) answered(i int, a answer) {
	p := &t.probes[i]
	if p.done {
		return
	}
	p.done, p.from, p.rtt, p.mark = true, a.from, a.at.Sub(p.at), a.mark
	if a.final {
		t.end = min(t.end, (i/t.cfg.Queries+1)*t.cfg.Queries)
	}
}

// show prints the probes that are done, up to the first that is not.
func (t *tracer) show() {
	for ; t.shown < t.end && t.probes[t.shown].done; t.shown++ {
		t.print(t.shown)
	}
}

// print prints what came of a probe: who answered, unless that is who answered the last one of this hop, and when.
func (t *tracer) print(i int) {
	hop := t.probes[i-i%t.cfg.Queries : i]
	if len(hop) == 0 {
		fmt.Fprintf(t.out, "\n%2d ", i/t.cfg.Queries+1)
	}
	p := &t.probes[i]
	if !p.from.IsValid() {
		fmt.Fprint(t.out, " *")
		return
	}
	var last netip.Addr
	for _, before := range hop {
		if before.from.IsValid() {
			last = before.from
		}
	}
	if p.from != last {
		fmt.Fprintf(t.out, " %s", t.name(p.from))
	}
	fmt.Fprintf(t.out, "  %.3f ms", p.rtt.Seconds()*1000)
	if p.mark != "" {
		fmt.Fprintf(t.out, " %s", p.mark)
	}
}

// name is an address with the name that is known for it.
func (t *tracer) name(a netip.Addr) string {
	switch {
	case t.cfg.Numeric:
		return a.String()
	case a == t.cfg.Addr:
		return fmt.Sprintf("%s (%s)", t.cfg.Host, a)
	}
	return fmt.Sprintf("%s (%s)", a, a)
}
