// Package ping sends echo requests and prints the replies in the format of Linux's ping.
package ping

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

	"tunstack/cmd/internal/icmpmsg"
	"tunstack/icmp"
	"tunstack/ipv4"
	"tunstack/ipv6"
)

// DefaultSize is ping's default payload in bytes.
const DefaultSize = 56

// MaxSize is the largest payload of one datagram to an address, in bytes.
func MaxSize(to netip.Addr) int {
	if to.Is4() {
		return ipv4.MaxDatagram - headersLen(to)
	}
	return ipv6.MaxPayload - icmp.HeaderLen
}

// headersLen is the length of the headers of IP and ICMP, in bytes.
func headersLen(to netip.Addr) int { return icmpmsg.Of(to).HeaderLen + icmp.HeaderLen }

// Config describes a run.
type Config struct {
	Host     string        // an address, or the canonical name
	Addr     netip.Addr    // the address of Host
	Count    int           // requests; 0: until the context ends
	Size     int           // bytes of payload
	Interval time.Duration // from one request to the next
	Wait     time.Duration // for the last reply if there has been none; otherwise the wait is twice the longest round trip

	// Names returns the name of an address, "" without one; nil: only addresses are printed.
	Names func(netip.Addr) string
}

// Run pings through conn, a raw ICMP socket connected to cfg.Addr: it writes ICMP messages and reads IP datagrams. It prints
// events to out, and the statistics when cfg.Count requests are answered or given up, or when ctx ends, which is not an error.
// It returns an error when conn fails permanently.
func Run(ctx context.Context, conn net.Conn, cfg Config, out io.Writer) (*Statistics, error) {
	p := &pinger{cfg: cfg, conn: conn, out: out, pending: map[uint16]*request{}}
	p.subject = subject{icmpmsg.Of(cfg.Addr), uint16(rand.Uint32()), cfg.Addr.Zone()}
	if cfg.Addr.Is4() {
		fmt.Fprintf(out, "PING %s (%s) %d(%d) bytes of data.\n", cfg.Host, cfg.Addr, cfg.Size, cfg.Size+headersLen(cfg.Addr))
	} else {
		fmt.Fprintf(out, "PING %s(%s) %d data bytes\n", cfg.Host, p.label(cfg.Addr), cfg.Size)
	}

	events := make(chan event, queue) // so that a reply has its own time while the name for the one before is looked up
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		receive(conn, p.subject, events, stop)
		close(done)
	}()
	err := p.loop(ctx, events)
	close(stop)
	conn.SetReadDeadline(time.Now())
	<-done
	fmt.Fprintf(out, "\n--- %s ping statistics ---\n%s", cfg.Host, &p.stats)
	return &p.stats, err
}

// queue is the number of received messages that wait while Config.Names looks a name up.
const queue = 256

// pinger is one run. Only loop's goroutine uses it.
type pinger struct {
	subject
	cfg     Config
	conn    net.Conn
	out     io.Writer
	seq     uint16 // of the last request
	pending map[uint16]*request
	stats   Statistics
}

// request is an echo request that was sent.
type request struct {
	at       time.Time
	answered bool
	failed   bool
}

// loop sends requests and handles events until the run ends.
func (p *pinger) loop(ctx context.Context, events <-chan event) error {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			switch {
			case !p.sentAll():
				p.send()
				next.Reset(p.pause())
			case len(events) > 0: // they came in time
				next.Reset(0)
			default:
				return nil // the last reply is missing
			}
		case e := <-events:
			if err := p.handle(e); err != nil {
				return err
			}
		}
		if p.sentAll() && p.stats.Received+p.stats.Errors >= p.stats.Sent {
			return nil
		}
	}
}

func (p *pinger) sentAll() bool { return p.cfg.Count > 0 && p.stats.Sent >= p.cfg.Count }

// pause is the time to the next request, or after the last request to the end.
func (p *pinger) pause() time.Duration {
	switch {
	case !p.sentAll():
		return p.cfg.Interval
	case p.stats.Received > 0:
		return max(2*p.stats.max, p.cfg.Interval)
	}
	return p.cfg.Wait
}

func (p *pinger) send() {
	p.seq++
	now := time.Now()
	p.pending[p.seq] = &request{at: now}
	p.stats.sent(now)
	if _, err := p.conn.Write(p.echoRequest(p.seq, p.cfg.Size)); err != nil {
		p.sendFailed(p.seq, err)
	}
}

// handle prints one event. The error is one that ends the run.
func (p *pinger) handle(e event) error {
	var errno syscall.Errno
	switch {
	case e.err == nil && e.problem != "":
		p.failed(e.seq, fmt.Sprintf("From %s icmp_seq=%d %s", p.label(e.from), e.seq, e.problem), e.at)
	case e.err == nil:
		p.reply(e)
	case errors.As(e.err, &errno):
		p.sendFailed(p.oldest(), e.err)
	default:
		return e.err
	}
	return nil
}

func (p *pinger) reply(e event) {
	r := p.pending[e.seq]
	if r == nil {
		return // its sequence number is from an earlier cycle
	}
	rtt := e.at.Sub(r.at)
	p.stats.received(e.at, rtt, r.answered)
	mark := ""
	if r.answered {
		mark = " (DUP!)"
	}
	r.answered = true
	fmt.Fprintf(p.out, "%d bytes from %s: icmp_seq=%d ttl=%d time=%s ms%s\n", e.size, p.label(e.from), e.seq, e.ttl, triptime(rtt), mark)
}

// label is an address, behind its name if it has one.
func (p *pinger) label(a netip.Addr) string {
	if p.cfg.Names != nil {
		if name := p.cfg.Names(a); name != "" {
			return fmt.Sprintf("%s (%s)", name, a)
		}
	}
	return a.String()
}

// sendFailed prints an error of our own stack about a request. If the next hop does not answer, it prints the message that
// a router would have sent, as ping does.
func (p *pinger) sendFailed(seq uint16, err error) {
	text := fmt.Sprintf("ping: sendmsg: %v", err)
	if errors.Is(err, syscall.EHOSTUNREACH) {
		text = fmt.Sprintf("From %s icmp_seq=%d %s", p.conn.LocalAddr(), seq, p.noNeighbor())
	}
	p.failed(seq, text, time.Now())
}

func (p *pinger) failed(seq uint16, text string, at time.Time) {
	if r := p.pending[seq]; r != nil {
		r.failed = true
	}
	p.stats.failed(at)
	fmt.Fprintln(p.out, text)
}

// oldest is the first request without an answer or error, else the last one.
func (p *pinger) oldest() uint16 {
	seq := p.seq
	for r := p.pending[seq-1]; r != nil && !r.answered && !r.failed; r = p.pending[seq-1] {
		seq--
	}
	return seq
}
