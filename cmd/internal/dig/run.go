package dig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Run asks and prints the answer. Errors are ErrNoReply, those of a server's name, and the end of ctx.
func (q *Query) Run(ctx context.Context, out io.Writer) error {
	q.complete()
	servers, err := q.servers(q.Server, q.Port)
	if err != nil {
		return err
	}
	t := &transport{dial: q.Dial, report: out, comments: q.comments, family: q.Family, timeout: q.timeout, tcp: q.tcp, ignore: q.ignore}
	run := &running{Query: q, transport: t, out: out}
	if q.trace {
		return run.follow(ctx, servers)
	}
	m := q.ask(q.name, q.qtype, q.recurse)
	r, err := run.any(ctx, servers, m)
	for again := true; again && err == nil; {
		if again = run.negotiate(m, r.Msg); again {
			r, err = run.any(ctx, servers, m)
		}
	}
	if err == nil {
		run.print(r, m)
	}
	return err
}

// negotiate changes a query that the server does not accept in this form, and reports whether it is worth another try: with an older
// version of EDNS (RFC 6891 section 6.1.3), or with the cookie of the server (RFC 7873 section 5.3).
func (r *running) negotiate(m, got *dns.Msg) bool {
	theirs, ours := got.IsEdns0(), m.IsEdns0()
	switch {
	case theirs == nil || ours == nil:
		return false
	case got.Rcode == dns.RcodeBadVers && theirs.Version() < ours.Version():
		ours.SetVersion(theirs.Version())
		fmt.Fprintf(r.out, ";; BADVERS, retrying with EDNS version %d.\n", theirs.Version())
	case got.Rcode == dns.RcodeBadCookie && len(cookieOf(m)) == clientCookie && strings.HasPrefix(cookieOf(got), cookieOf(m)):
		for _, option := range ours.Option {
			if c, ok := option.(*dns.EDNS0_COOKIE); ok {
				c.Cookie = cookieOf(got)
			}
		}
		fmt.Fprintln(r.out, ";; BADCOOKIE, retrying.")
	default:
		return false
	}
	m.Id = dns.Id()
	return true
}

// clientCookie is the length of a client's cookie in hexadecimal digits.
const clientCookie = 16

// running is a Query under way.
type running struct {
	*Query
	*transport
	out     io.Writer
	greeted bool
}

// any asks the servers in turn until one answers.
func (r *running) any(ctx context.Context, servers []server, m *dns.Msg) (*reply, error) {
	reached := false
	for range r.tries {
		for _, s := range servers {
			if r.showQuery {
				r.showSent(m)
			}
			got, err := r.exchange(ctx, s, m)
			var setup *setupError
			switch isSetup := errors.As(err, &setup); {
			case err == nil:
				return got, nil
			case ctx.Err() != nil || isSetup && setup.fatal:
				return nil, err
			case !isSetup:
				reached = true
			}
		}
	}
	if reached && !r.greeted {
		fmt.Fprintln(r.out)
		r.greet()
	}
	fmt.Fprintf(r.out, ";; %s\n", ErrNoReply)
	return nil, ErrNoReply
}

// greet prints the lines before the first message.
func (r *running) greet() {
	if r.greeted {
		return
	}
	r.greeted = true
	if !r.cmd {
		return
	}
	fmt.Fprintf(r.out, "; <<>> tunstack dig <<>> %s\n", r.Line)
	if r.Server != "" {
		fmt.Fprintln(r.out, "; (1 server found)")
	}
	fmt.Fprintln(r.out, ";; global options: +cmd")
}

// showSent prints the query (+qr).
func (r *running) showSent(m *dns.Msg) {
	if r.cmd && !r.greeted {
		fmt.Fprintln(r.out)
	}
	r.greet()
	r.message(r.out, "Sending:", m, nil)
	fmt.Fprintf(r.out, ";; QUERY SIZE: %d\n\n", m.Len())
}

// print prints an answer.
func (r *running) print(got *reply, sent *dns.Msg) {
	if r.short {
		for _, rr := range got.Answer {
			fmt.Fprint(r.out, rdata(rr))
			if r.identify {
				fmt.Fprintf(r.out, " from server %s in %d ms.", got.from.Addr(), got.took.Milliseconds())
			}
			fmt.Fprintln(r.out)
		}
		return
	}
	if r.cmd && !r.greeted {
		fmt.Fprintln(r.out)
	}
	r.greet()
	r.message(r.out, "Got answer:", got.Msg, sent)
	if r.stats {
		fmt.Fprintf(r.out, ";; Query time: %d msec\n;; SERVER: %s(%s) (%s)\n;; WHEN: %s\n;; MSG SIZE  rcvd: %d\n\n", got.took.Milliseconds(),
			got.source(), got.server.name, strings.ToUpper(got.network), time.Now().Format("Mon Jan 02 15:04:05 MST 2006"), got.size)
	}
}
