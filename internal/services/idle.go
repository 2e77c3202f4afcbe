package services

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// idleLimit is how long a client may move nothing, in neither direction, before its connection is closed.
const idleLimit = 30 * time.Minute

// idleStep is how far the limit moves at a time, so that a busy connection sets a deadline once a minute and not once a read.
const idleStep = time.Minute

// idleConn is a connection that fails with os.ErrDeadlineExceeded after idleLimit without traffic.
type idleConn struct {
	net.Conn
	deadline atomic.Int64 // Unix time in ns
}

// limitIdle puts the limit on c.
func limitIdle(c net.Conn) *idleConn { return &idleConn{Conn: c} }

// Read reads from the connection; it is progress.
func (c *idleConn) Read(b []byte) (int, error) {
	c.progress()
	return c.Conn.Read(b)
}

// Write writes to the connection; it is progress.
func (c *idleConn) Write(b []byte) (int, error) {
	c.progress()
	return c.Conn.Write(b)
}

func (c *idleConn) progress() {
	next := time.Now().Add(idleLimit)
	if next.UnixNano()-c.deadline.Load() > int64(idleStep) {
		c.deadline.Store(next.UnixNano())
		c.SetDeadline(next)
	}
}

// bulk are buffers for connections over which much arrives.
var bulk = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// WriteTo writes what arrives to w until the peer has said all, by the connection's own WriteTo, which need not copy it
// first. That of package net takes a buffer for each connection, whatever arrives.
func (c *idleConn) WriteTo(w io.Writer) (int64, error) {
	conn, ok := c.Conn.(io.WriterTo)
	if _, buffers := c.Conn.(*net.TCPConn); !ok || buffers {
		return c.copyTo(w)
	}
	c.progress()
	return conn.WriteTo(writerFunc(func(b []byte) (int, error) {
		c.progress()
		return w.Write(b)
	}))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// copyTo is WriteTo by way of a buffer. A large one is borrowed only while much arrives, so that ten thousand idle clients
// cost no memory worth naming.
func (c *idleConn) copyTo(w io.Writer) (int64, error) {
	var total int64
	small := make([]byte, 512)
	b := small
	for {
		n, err := c.Read(b)
		total += int64(n)
		if _, werr := w.Write(b[:n]); werr != nil {
			err = werr
		}
		wide := len(b) > len(small)
		if wide && (n <= len(small) || err != nil) {
			bulk.Put((*[64 << 10]byte)(b))
			b = small
		} else if !wide && n == len(small) {
			b = bulk.Get().(*[64 << 10]byte)[:]
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
