package services

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A client may move nothing, in neither direction, for idleLimit before its connection is closed. It is looked after every
// idleStep: deadlines on each connection would cost every read and write a look at the clock.
const (
	idleStep  = time.Minute
	idleLimit = 30 * time.Minute
)

// idleConn is a connection that knows whether anything moves.
type idleConn struct {
	net.Conn
	moved atomic.Bool
	still time.Duration // how long nothing has
}

// note notes that something moves. Mostly that is known: a look is cheaper than a write.
func (c *idleConn) note() {
	if !c.moved.Load() {
		c.moved.Store(true)
	}
}

// Read reads from the connection; it is progress.
func (c *idleConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.note()
	return n, err
}

// Write writes to the connection; it is progress.
func (c *idleConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.note()
	return n, err
}

// writeStatic writes memory that never changes, without a copy where the connection can.
func (c *idleConn) writeStatic(b []byte) (int, error) {
	z, ok := c.Conn.(interface {
		WriteZeroCopy(b []byte, returned func()) (int, error)
	})
	if !ok {
		return c.Write(b)
	}
	n, err := z.WriteZeroCopy(b, nil)
	c.note()
	return n, err
}

// closeIdle closes the connection if nothing has moved for too long. It is called every idleStep.
func (c *idleConn) closeIdle() {
	if c.still += idleStep; c.moved.Swap(false) {
		c.still = 0
	}
	if c.still >= idleLimit {
		c.Close()
	}
}

// WriteTo writes what arrives to w until the peer has said all, by the connection's own WriteTo, which need not copy it
// first. That of package net takes a buffer for each connection, whatever arrives.
func (c *idleConn) WriteTo(w io.Writer) (int64, error) {
	conn, ok := c.Conn.(io.WriterTo)
	if _, buffers := c.Conn.(*net.TCPConn); !ok || buffers {
		return c.copyTo(w)
	}
	return conn.WriteTo(movingWriter{w, c})
}

// movingWriter notes that something has come, and writes it on.
type movingWriter struct {
	io.Writer
	from *idleConn
}

func (w movingWriter) Write(b []byte) (int, error) {
	w.from.note()
	return w.Writer.Write(b)
}

// bulk are buffers for connections over which much arrives.
var bulk = sync.Pool{New: func() any { return new([64 << 10]byte) }}

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
