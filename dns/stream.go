package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// idleTime is the time after which a connection without a query is closed (RFC 7766 section 6.2.3).
const idleTime = 10 * time.Second

// streams are the open connections over TCP or TLS, one for each server.
type streams struct {
	mu   sync.Mutex
	open map[netip.AddrPort]*stream
}

// stream is a connection to a server, which carries any number of queries at the same time (RFC 7766 section 6.2.1.1).
type stream struct {
	r      *Resolver
	server netip.AddrPort
	ready  chan struct{} // closed when conn is open or failed
	done   chan struct{} // closed when err is set: no query gets an answer any more
	conn   net.Conn
	err    error

	failed  sync.Once
	writing sync.Mutex

	mu      sync.Mutex
	waiting map[uint16]*pending
	quiet   func() // stops the idle timer; nil: queries wait
}

// pending is a query that waits for its answer.
type pending struct {
	q      question
	answer chan outcome // one
}

type outcome struct {
	m   *reply
	err error
}

// stream returns the open connection to a server, or begins to open one.
func (r *Resolver) stream(server netip.AddrPort) *stream {
	r.streams.mu.Lock()
	defer r.streams.mu.Unlock()
	if c, ok := r.streams.open[server]; ok {
		return c
	}
	c := &stream{
		r: r, server: server, ready: make(chan struct{}), done: make(chan struct{}), waiting: map[uint16]*pending{},
	}
	if r.streams.open == nil {
		r.streams.open = map[netip.AddrPort]*stream{}
	}
	r.streams.open[server] = c
	r.spawn(c.run)
	return c
}

// run opens the connection and reads from it until it fails or is closed.
func (c *stream) run() {
	ctx, cancel := context.WithCancel(c.r.alive)
	defer cancel()
	err := c.connect(ctx)
	close(c.ready)
	if err == nil {
		defer guard(ctx, c.conn)()
		err = c.read()
	}
	c.fail(err)
}

// fail ends the connection. The first error is the one that all its queries get, because later ones only follow from it. The next
// query opens a new connection.
func (c *stream) fail(err error) {
	c.failed.Do(func() {
		c.err = streamError(err)
		c.r.streams.mu.Lock()
		delete(c.r.streams.open, c.server)
		c.r.streams.mu.Unlock()
		close(c.done)
		if c.conn != nil {
			c.conn.Close()
		}
	})
}

// streamError is the error for the queries of a connection that err has ended: errClosed if they may be asked again.
func streamError(err error) error {
	for _, cut := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, os.ErrDeadlineExceeded, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, cut) {
			return errClosed
		}
	}
	return plain(err)
}

// connect opens the connection. It does not take longer than the longest query.
func (c *stream) connect(ctx context.Context) error {
	ctx, cancel := c.r.within(ctx, maxTimeout)
	defer cancel()
	conn, err := c.r.cfg.Dial(ctx, "tcp", c.server.String())
	if err != nil {
		return err
	}
	if c.r.cfg.Secure != nil {
		conn = c.r.cfg.Secure(conn)
	}
	c.conn = conn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rest()
	return nil
}

// rest closes the connection after idleTime, unless a query comes. c.mu is held.
func (c *stream) rest() {
	if len(c.waiting) == 0 && c.quiet == nil {
		c.quiet = c.r.cfg.AfterFunc(idleTime, func() { _ = c.conn.SetDeadline(past) })
	}
}

// ask sends a query and waits for its answer. It fails with errClosed if the server has closed the connection.
func (c *stream) ask(ctx context.Context, q question, edns, ad bool) (*reply, error) {
	select {
	case <-c.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c.conn == nil {
		<-c.done
		return nil, c.err
	}
	id, p := c.expect(q)
	defer c.forget(id)
	if err := c.send(q, id, edns, ad); err != nil {
		return nil, err
	}
	select {
	case o := <-p.answer:
		return o.m, o.err
	case <-c.done:
		return nil, c.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// expect chooses an identifier that no waiting query has. There are at most maxQueries of those.
func (c *stream) expect(q question) (uint16, *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet != nil {
		c.quiet()
		c.quiet = nil
	}
	for {
		id := uint16(c.r.uint64())
		if _, taken := c.waiting[id]; !taken {
			p := &pending{q, make(chan outcome, 1)}
			c.waiting[id] = p
			return id, p
		}
	}
}

func (c *stream) forget(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
	c.rest()
}

// send writes the length and the message together (RFC 7766 section 8).
func (c *stream) send(q question, id uint16, edns, ad bool) error {
	msg, err := q.query(id, edns, ad)
	if err != nil {
		return err
	}
	msg = append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
	c.r.stats.QueriesT.Inc()
	c.writing.Lock()
	defer c.writing.Unlock()
	if _, err := c.conn.Write(msg); err != nil {
		c.fail(err)
		return c.err
	}
	return nil
}

// read hands each message to the query that it answers, until the connection ends.
func (c *stream) read() error {
	for {
		var length [2]byte
		if _, err := io.ReadFull(c.conn, length[:]); err != nil {
			return err
		}
		msg := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c.conn, msg); err != nil {
			return err
		}
		c.dispatch(msg)
	}
}

func (c *stream) dispatch(msg []byte) {
	if len(msg) < 2 {
		c.r.stats.DropMalformed.Inc()
		return
	}
	id := binary.BigEndian.Uint16(msg)
	c.mu.Lock()
	p := c.waiting[id]
	c.mu.Unlock()
	if p == nil {
		c.r.stats.DropMismatch.Inc()
		return
	}
	m, err := c.r.receive(p.q, msg, id)
	if err == errMismatch {
		return
	}
	select {
	case p.answer <- outcome{m, err}:
	default: // a second answer
	}
}
