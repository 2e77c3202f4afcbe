package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
)

// exchange sends a query to a server and returns its answer: over UDP, and over TCP if the answer is truncated, or if the
// settings ask for TCP or TLS.
func (r *Resolver) exchange(ctx context.Context, s *Settings, server netip.AddrPort, q question, edns bool) (*reply, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if !s.UseTCP && r.cfg.Secure == nil {
		m, suspect, err := r.overUDP(ctx, s, server, q, edns)
		switch {
		case err == nil && !m.truncated:
			return m, nil
		case err == nil:
			r.stats.Truncated.Inc()
		case !suspect:
			return nil, err
		}
	}
	return r.overTCP(ctx, s, server, q, edns)
}

// maxMismatches is the number of messages with a wrong identifier or question after which the resolver takes the next for a
// forgery, too, and uses TCP.
const maxMismatches = 16

// buffers are for answers over UDP. They hold more than receiveSize, because servers exist that do not respect it.
var buffers = sync.Pool{New: func() any { return new([4096]byte) }}

// overUDP asks over UDP from a new socket. A message that does not match is dropped, and the wait goes on (RFC 5452 section 9.1);
// suspect says that there were too many.
func (r *Resolver) overUDP(ctx context.Context, s *Settings, server netip.AddrPort, q question, edns bool) (m *reply, suspect bool, err error) {
	c, err := r.cfg.Dial(ctx, "udp", server.String())
	if err != nil {
		return nil, false, plain(err)
	}
	defer c.Close()
	defer guard(ctx, c)()
	id := uint16(r.uint64())
	msg, err := q.query(id, edns, s.TrustAD)
	if err != nil {
		return nil, false, err
	}
	r.stats.QueriesU.Inc()
	if _, err := c.Write(msg); err != nil {
		return nil, false, plain(err)
	}
	buffer := buffers.Get().(*[4096]byte)
	defer buffers.Put(buffer)
	for range maxMismatches {
		n, err := c.Read(buffer[:])
		if err != nil {
			return nil, false, plain(err)
		}
		if m, err := r.receive(q, buffer[:n], id); err != errMismatch {
			return m, false, err
		}
	}
	return nil, true, errMismatch
}

// receive parses a message and counts it.
func (r *Resolver) receive(q question, msg []byte, id uint16) (*reply, error) {
	m, err := q.parse(msg, id)
	switch {
	case err == nil:
		r.stats.Answers.Inc()
	case err == errMismatch:
		r.stats.DropMismatch.Inc()
	default:
		r.stats.DropMalformed.Inc()
	}
	return m, err
}

// overTCP asks over the connection to the server that is open, or a new one. A connection that the server closes before it
// answers is replaced once (RFC 7766 section 6.2.4).
func (r *Resolver) overTCP(ctx context.Context, s *Settings, server netip.AddrPort, q question, edns bool) (m *reply, err error) {
	for range 2 {
		c := r.stream(server)
		m, err = c.ask(ctx, q, edns, s.TrustAD)
		if !errors.Is(err, errClosed) {
			break
		}
	}
	return m, err
}

// plain is the system's error inside an error of package net: the caller says to which server it belongs.
func plain(err error) error {
	var call *os.SyscallError
	var op *net.OpError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}
