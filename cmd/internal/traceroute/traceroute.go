// Package traceroute finds the routers on the way to a host, and prints them in the format of Linux's traceroute.
package traceroute

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	"tunstack/cmd/internal/icmpmsg"
)

// Defaults and maxima of Config.
const (
	DefaultHops, MaxHops       = 30, 255
	DefaultQueries, MaxQueries = 3, 10
)

const (
	messageLen = 40 // bytes of a probe behind its IP header
	inFlight   = 16 // the most probes that wait for an answer at the same time
)

// Config describes a run.
type Config struct {
	Host    string        // as the user wrote it
	Addr    netip.Addr    // the address of Host
	Local   netip.Addr    // source address of the probes
	Method  Method        // protocol of the probes
	Port    uint16        // UDP: of the first probe, plus one for each further probe; TCP: of every probe
	Hops    int           // the most hops to try
	Queries int           // probes per hop
	Wait    time.Duration // for an answer to a probe

	// Names returns the name of an address, "" without one; nil: only addresses are printed.
	Names func(netip.Addr) string
}

// Sockets are the sockets that Run uses. It leaves them open, with an expired read deadline.
type Sockets struct {
	Out   net.Conn // takes IP datagrams (IPPROTO_RAW); reads return the stack's own errors
	ICMP  net.Conn // returns IP datagrams with ICMP messages from any sender
	Reply net.Conn // returns the target's answers to UDP or TCP probes; nil for ICMP
}

// Run sends probes with a growing time to live and prints to out, hop by hop, the senders of the answers. It ends when the
// target answers, after the last hop, or when ctx ends, which is not an error. It returns an error of the stack, or of a socket
// that failed permanently.
func Run(ctx context.Context, s Sockets, cfg Config, out io.Writer) error {
	t := newTracer(s.Out, cfg, out)
	fmt.Fprintf(out, "traceroute to %s (%s), %d hops max, %d byte packets", cfg.Host, cfg.Addr, cfg.Hops, t.icmp.HeaderLen+messageLen)
	ctx, stop := context.WithCancel(ctx)
	answers := make(chan answer, inFlight) // so that an answer has its own time while a name is looked up
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

// tracer is one run. Only loop's goroutine uses the fields that change.
type tracer struct {
	cfg    Config
	icmp   *icmpmsg.Family
	conn   net.Conn
	out    io.Writer
	id     uint16         // distinguishes this run's probes: the source port, the first one's for TCP, or ICMP's identifier
	keys   map[uint32]int // index of a probe by its key
	probes []probe        // in the order of sending
	sent   int            // the number sent
	shown  int            // the number printed
	end    int            // the number to send
}

// probe is a probe, sent or to be sent.
type probe struct {
	at   time.Time // when it was sent
	done bool      // answered, or given up
	from netip.Addr
	rtt  time.Duration // of its answer
	mark string        // the obstacle that the answer reports: !H and the like
}

func newTracer(conn net.Conn, cfg Config, out io.Writer) *tracer {
	n := cfg.Hops * cfg.Queries
	t := &tracer{cfg: cfg, icmp: icmpmsg.Of(cfg.Addr), conn: conn, out: out, keys: map[uint32]int{}, probes: make([]probe, n), end: n}
	t.id = uint16(1<<15 + rand.IntN(1<<14)) // as a port, it is above the well-known ones, with room for the following ones
	for i := range n {
		t.keys[t.key(i)] = i
	}
	return t
}

// loop sends probes and handles answers until every probe is printed.
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
			if len(answers) == 0 { // those that wait came in time
				t.giveUp(time.Now())
			}
		case a := <-answers:
			if err := t.handle(a); err != nil {
				return err
			}
		}
		t.show()
	}
	return nil
}

// waiting is the number of probes sent and neither answered nor given up.
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

// giveUp marks the probes that were sent too long ago.
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
		// The next hop does not answer: traceroute prints the message that a router would have sent.
		for i := range t.probes[:t.sent] {
			t.answered(i, answer{at: a.at, from: t.cfg.Local, mark: noNeighbor, final: true})
		}
		return nil
	}
	if errors.Is(a.err, syscall.ECONNREFUSED) || errors.Is(a.err, syscall.ENOPROTOOPT) {
		return nil // the error of a connected socket repeats an ICMP message that the ICMP socket receives whole
	}
	if a.err != nil {
		return a.err
	}
	if i, ok := t.keys[a.key]; ok && i < t.sent {
		t.answered(i, a)
	}
	return nil
}

// answered records an answer to a probe. A final answer makes its hop the last.
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

// show prints the probes up to the first unfinished one.
func (t *tracer) show() {
	for ; t.shown < t.end && t.probes[t.shown].done; t.shown++ {
		t.print(t.shown)
	}
}

// print prints the result of a probe: the sender of the answer, unless the previous answer of this hop has the same, and the
// round trip.
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
		fmt.Fprintf(t.out, " %s", t.label(p.from))
	}
	fmt.Fprintf(t.out, "  %.3f ms", p.rtt.Seconds()*1000)
	if p.mark != "" {
		fmt.Fprintf(t.out, " %s", p.mark)
	}
}

// label is an address with its name, or itself in the place of a name.
func (t *tracer) label(a netip.Addr) string {
	if t.cfg.Names == nil {
		return a.String()
	}
	return fmt.Sprintf("%s (%s)", cmp.Or(t.cfg.Names(a), a.String()), a)
}
