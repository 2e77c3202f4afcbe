// Package dig asks name servers and prints their answers as dig(1) and host(1) of BIND 9 do. Its connections come from a dial
// function, so that they are those of a stack. The wire format is that of github.com/miekg/dns.
package dig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// Dial connects from a stack. The networks are udp and tcp, with or without the 4 or 6 of a family.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Port is the usual port of name servers.
const Port = 53

// transport is the way of queries to servers.
type transport struct {
	dial     Dial
	report   io.Writer     // for failures, which are comments in the output
	comments bool          // report truncation
	family   string        // "", "4" or "6"
	timeout  time.Duration // of each try
	tcp      bool          // never UDP
	ignore   bool          // take a truncated answer
}

// server is a name server.
type server struct {
	name string // as the user or a referral names it: an address, or a name that the stack looks up
	addr string // "": the same as name
	port uint16
}

func (s server) String() string {
	return net.JoinHostPort(cmp.Or(s.addr, s.name), strconv.Itoa(int(s.port)))
}

// reply is an answer with its circumstances.
type reply struct {
	*dns.Msg
	size    int
	from    netip.AddrPort
	server  server
	network string
	took    time.Duration
}

// source is the server in the notation of dig: 10.0.0.1#53.
func (r *reply) source() string { return hash(r.from) }

func hash(a netip.AddrPort) string { return fmt.Sprintf("%s#%d", a.Addr(), a.Port()) }

// setupError is the failure to open a connection to a server.
type setupError struct {
	server server
	err    error
	fatal  bool // no address, or no stack: not reported, and another try is useless
}

// Error implements error.
func (e *setupError) Error() string {
	if _, err := netip.ParseAddr(cmp.Or(e.server.addr, e.server.name)); err == nil { // the name is not to blame
		return e.err.Error()
	}
	return fmt.Sprintf("couldn't get address for '%s': %s", e.server.name, e.err)
}

// Unwrap returns the cause.
func (e *setupError) Unwrap() error { return e.err }

// exchange asks a server: over UDP, and over TCP if the answer is truncated. It has reported an error, unless that is the end of ctx or
// a fatal setupError.
func (t *transport) exchange(ctx context.Context, s server, q *dns.Msg) (*reply, error) {
	if !t.tcp {
		r, err := t.try(ctx, "udp", s, q)
		if err != nil || !r.Truncated || t.ignore {
			return r, err
		}
		if t.comments {
			fmt.Fprintln(t.report, ";; Truncated, retrying in TCP mode.")
		}
	}
	return t.try(ctx, "tcp", s, q)
}

// try sends the query once and waits for the answer.
func (t *transport) try(ctx context.Context, network string, s server, q *dns.Msg) (*reply, error) {
	limited, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	c, err := t.dial(limited, network+t.family, s.String())
	if err == nil {
		defer c.Close()
		defer context.AfterFunc(limited, func() { c.Close() })()
		var r *reply
		if r, err = t.over(c, network, q); err == nil {
			r.server = s
			return r, nil
		}
		err = t.communication(limited, c, err)
	} else {
		err = t.setup(limited, network, s, q, err)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, err
}

// communication reports the failure of a connection.
func (t *transport) communication(ctx context.Context, c net.Conn, err error) error {
	if ctx.Err() != nil {
		err = os.ErrDeadlineExceeded
	}
	peer, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	fmt.Fprintf(t.report, ";; communications error to %s: %s\n", hash(peer), cause(err))
	return err
}

// setup reports that a connection could not be opened.
func (t *transport) setup(ctx context.Context, network string, s server, q *dns.Msg, err error) error {
	if ctx.Err() != nil {
		err = os.ErrDeadlineExceeded
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) && !errors.Is(err, os.ErrDeadlineExceeded) { // the name of the server, or no stack
		return &setupError{s, err, true}
	}
	kind := map[string]string{"udp": "UDP setup with", "tcp": "Connection to"}[network]
	fmt.Fprintf(t.report, ";; %s %s#%d(%s) for %s failed: %s.\n", kind, s.name, s.port, s.name, asked(q), cause(err))
	return &setupError{s, err, false}
}

// asked is the name in a query, without the dot at its end.
func asked(q *dns.Msg) string {
	if name := strings.TrimSuffix(q.Question[0].Name, "."); name != "" {
		return name
	}
	return "."
}

// cause is an error in the words of BIND.
func cause(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ENETUNREACH):
		return "network unreachable"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "host unreachable"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "end of file"
	}
	return err.Error()
}

// over sends the query over a connection and waits for its answer. Other messages are reported and ignored (RFC 5452 section 9.1).
func (t *transport) over(c net.Conn, network string, q *dns.Msg) (*reply, error) {
	begin := time.Now()
	wire := framing(network, c)
	if err := wire.send(q); err != nil {
		return nil, err
	}
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil, err
	}
	for {
		b, err := wire.receive()
		if err != nil {
			return nil, err
		}
		r := &reply{Msg: new(dns.Msg), size: len(b), from: from, network: network}
		if err := r.Unpack(b); err != nil {
			fmt.Fprintf(t.report, ";; Got bad packet: %s\n", strings.TrimPrefix(err.Error(), "dns: "))
			continue
		}
		if t.matches(q, r.Msg) {
			r.took = time.Since(begin)
			return r, nil
		}
	}
}

// matches reports whether m answers q.
func (t *transport) matches(q, m *dns.Msg) bool {
	switch {
	case m.Id != q.Id:
		fmt.Fprintf(t.report, ";; Warning: ID mismatch: expected ID %d, got %d\n", q.Id, m.Id)
		return false
	case !m.Response:
		fmt.Fprintln(t.report, ";; Warning: query response not set")
		return false
	case len(m.Question) == 0: // of a server that could not read the query
		return true
	}
	a, b := q.Question[0], m.Question[0]
	if !strings.EqualFold(a.Name, b.Name) || a.Qtype != b.Qtype || a.Qclass != b.Qclass {
		fmt.Fprintf(t.report, ";; Question section mismatch: got %s/%s/%s\n", b.Name, typeName(b.Qtype), className(b.Qclass))
		return false
	}
	return true
}
