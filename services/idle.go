package services

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// idleStep is the interval at which a service checks for idle connections: deadlines on each would make every read and write
// read the clock.
const idleStep = time.Minute

// counting is a connection that counts the bytes received and sent, as those of our stack do.
type counting interface {
	net.Conn
	Transferred() uint64
}

// client is a connection that is closed when it is idle.
type client struct {
	counting
	from  netip.Addr
	idle  time.Duration // idle time after which it is closed
	seen  uint64
	still time.Duration // idle time so far
}

func newClient(c net.Conn, from netip.Addr, idle time.Duration) *client {
	counts, ok := c.(counting)
	if !ok {
		counts = &countingConn{Conn: c}
	}
	return &client{counting: counts, from: from, idle: idle}
}

// closeIdle closes the connection if it has been idle for too long. It is called every idleStep.
func (c *client) closeIdle() {
	now := c.Transferred()
	if c.still += idleStep; now != c.seen {
		c.seen, c.still = now, 0
	}
	if c.still >= c.idle {
		c.Close()
	}
}

// countingConn adds the count to a connection without one.
type countingConn struct {
	net.Conn
	bytes atomic.Uint64
}

// Transferred is the number of bytes received and sent.
func (c *countingConn) Transferred() uint64 { return c.bytes.Load() }

// Read implements net.Conn.
func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes.Add(uint64(n))
	return n, err
}

// Write implements net.Conn.
func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.bytes.Add(uint64(n))
	return n, err
}

// bulk are buffers for connections that receive much.
var bulk = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// WriteTo implements io.WriterTo. It borrows a large buffer only while reads fill the small one, so that ten thousand idle
// clients need little memory. WriteTo of package net takes a large buffer for each connection.
func (c *countingConn) WriteTo(w io.Writer) (int64, error) {
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

// writeStatic writes memory that never changes, without a copy if the connection supports that.
func writeStatic(c net.Conn, b []byte) (int, error) {
	z, ok := c.(interface {
		WriteZeroCopy(b []byte, returned func()) (int, error)
	})
	if !ok {
		return c.Write(b)
	}
	return z.WriteZeroCopy(b, nil)
}
