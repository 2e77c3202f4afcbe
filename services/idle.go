package services

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// idleStep is how often a service looks for idle connections: deadlines on each would cost every read and write a look at the clock.
const idleStep = time.Minute

// counting is a connection that knows how many bytes have come and gone. Those of our stack do.
type counting interface {
	net.Conn
	Transferred() uint64
}

// client is a connection that is closed when nothing moves.
type client struct {
	counting
	from  netip.Addr
	idle  time.Duration // how long nothing may move
	seen  uint64
	still time.Duration // how long nothing has moved
}

func newClient(c net.Conn, from netip.Addr, idle time.Duration) *client {
	counts, ok := c.(counting)
	if !ok {
		counts = &countingConn{Conn: c}
	}
	return &client{counting: counts, from: from, idle: idle}
}

// closeIdle closes the connection if nothing has moved for too long. It is called every idleStep.
func (c *client) closeIdle() {
	now := c.Transferred()
	if c.still += idleStep; now != c.seen {
		c.seen, c.still = now, 0
	}
	if c.still >= c.idle {
		c.Close()
	}
}

// countingConn counts for a connection that does not.
type countingConn struct {
	net.Conn
	bytes atomic.Uint64
}

// Transferred is how many bytes have come and gone.
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

// bulk are buffers for connections over which much arrives.
var bulk = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// WriteTo implements io.WriterTo. A large buffer is borrowed only while much arrives, so that ten thousand idle clients cost no memory
// worth naming. That of package net takes one for each connection, whatever arrives.
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

// writeStatic writes memory that never changes, without a copy where the connection can.
func writeStatic(c net.Conn, b []byte) (int, error) {
	z, ok := c.(interface {
		WriteZeroCopy(b []byte, returned func()) (int, error)
	})
	if !ok {
		return c.Write(b)
	}
	return z.WriteZeroCopy(b, nil)
}
