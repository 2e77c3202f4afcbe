package socketapi

import (
	"io"
	"math"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/sendq"
)

// past is a deadline that has passed.
const past = math.MinInt64

// netSocket is a socket with the methods of package net that connections, listeners and packet sockets have in common.
type netSocket struct {
	so            *socket
	network       string
	local, remote netip.AddrPort
}

// Descriptor is the socket's descriptor, for the calls of Berkeley: options, TCP_INFO, Poll.
func (n *netSocket) Descriptor() int { return n.so.fd }

// Close closes the socket. Calls blocked on it fail with net.ErrClosed.
func (n *netSocket) Close() error { return n.error("close", n.so.close()) }

// SetDeadline implements net.Conn.
func (n *netSocket) SetDeadline(t time.Time) error {
	if err := n.SetReadDeadline(t); err != nil {
		return err
	}
	return n.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (n *netSocket) SetReadDeadline(t time.Time) error { return n.setDeadline(&n.so.rd, t) }

// SetWriteDeadline implements net.Conn.
func (n *netSocket) SetWriteDeadline(t time.Time) error { return n.setDeadline(&n.so.wr, t) }

func (n *netSocket) setDeadline(d *direction, t time.Time) error {
	if n.so.closed.Load() {
		return n.error("set", syscall.EBADF)
	}
	d.deadline.Store(n.so.stack.moment(t))
	n.so.wake()
	return nil
}

// moment is t in the stack's time, and 0 for the zero Time. It adds t's distance from the machine's time to the stack's.
func (s *Stack) moment(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	now, d := s.Now(), time.Until(t)
	switch {
	case d <= 0:
		return past
	case d > never-now:
		return 0
	}
	return int64(now + d)
}

// error is netError with the socket's addresses.
func (n *netSocket) error(op string, err error) error {
	if err == nil {
		return nil
	}
	source, addr := netAddr(int(n.so.typ), n.local), netAddr(int(n.so.typ), n.remote)
	if addr == nil {
		source, addr = nil, source
	}
	return netError(op, n.network, source, addr, err)
}

// setOption is SetSockOpt with the errors of package net.
func (n *netSocket) setOption(level, name int, value any) error {
	if n.so.closed.Load() {
		return n.error("set", syscall.EBADF)
	}
	return n.error("set", n.so.setOption(level, name, value))
}

// TCPConn is a TCP connection. Its methods are those of net.TCPConn.
type TCPConn struct {
	netSocket
	stream  stream
	writing sync.Mutex // keeps the bytes of one Write together
}

// newTCPConn is the connection of a connected socket. As in package net, Nagle's algorithm is off.
func newTCPConn(so *socket, network string) *TCPConn {
	remote, _ := so.Remote()
	c := &TCPConn{netSocket: netSocket{so, network, so.name(), remote}, stream: so.tcp()}
	_ = c.SetNoDelay(true)
	return c
}

// Read implements net.Conn.
func (c *TCPConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, err := c.so.receive(b, 0)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, c.error("read", err)
}

// lot is the largest number of bytes that WriteTo takes at a time.
const lot = 256 << 10

// WriteTo implements io.WriterTo: it writes the received bytes to w, without copying them first, until the peer's FIN. The bytes of a
// failed write to w are lost. If w is a TCPConn of the same stack, the goroutine that reads the device moves the bytes, while this one
// sleeps.
func (c *TCPConn) WriteTo(w io.Writer) (total int64, err error) {
	if to, ok := w.(*TCPConn); ok && c.splices(to) {
		return c.spliceTo(to)
	}
	var failed error // writing to w
	err = c.so.wait(&c.so.rd, false, func() error {
		for more := true; more && failed == nil; {
			var q packet.Stream
			var n int64
			if q, more, err = c.stream.Take(lot); err != nil || q.Len() == 0 {
				return err
			}
			n, failed = drain(&q, w)
			total += n
		}
		if failed != nil {
			return nil
		}
		return errMoved
	})
	if failed != nil {
		return total, failed
	}
	return total, c.error("read", err)
}

// drain writes all bytes of q to w, and frees q.
func drain(q *packet.Stream, w io.Writer) (total int64, err error) {
	defer q.Release()
	for b := q.Next(); b != nil && err == nil; b = q.Next() {
		var n int
		n, err = w.Write(b.Bytes())
		if total += int64(n); n < b.Len() && err == nil {
			err = io.ErrShortWrite
		}
		b.Free()
	}
	return total, err
}

// Write implements net.Conn.
func (c *TCPConn) Write(b []byte) (int, error) {
	return c.write(b, func(b []byte) (int, error) { return c.stream.Write(b, false) })
}

// WriteZeroCopy is Write without a copy (MSG_ZEROCOPY of Linux): segments and retransmissions are sent from b itself. b must not
// change until returned is called, once and in a goroutine of its own, when the peer has acknowledged all of b or the connection
// has ended; also after an error. For memory that never changes returned may be nil. Writes shorter than 64 KiB are copied, because
// that costs less.
func (c *TCPConn) WriteZeroCopy(b []byte, returned func()) (int, error) {
	loan := sendq.NewLoan(returned)
	defer loan.Return()
	return c.write(b, func(b []byte) (int, error) { return c.stream.Lend(b, loan) })
}

// write calls send for the rest of b until all is sent or send fails.
func (c *TCPConn) write(b []byte, send func(b []byte) (int, error)) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	sent := 0
	for {
		n, err := c.so.push(b[sent:], c.so.nonblock.Load(), send)
		sent += n
		if err != nil || sent == len(b) {
			return sent, c.error("write", err)
		}
	}
}

// Transferred is the number of bytes received, plus the number sent and acknowledged.
func (c *TCPConn) Transferred() uint64 { return c.stream.Transferred() }

// LocalAddr implements net.Conn; it is a *net.TCPAddr.
func (c *TCPConn) LocalAddr() net.Addr { return netAddr(SOCK_STREAM, c.local) }

// RemoteAddr implements net.Conn; it is a *net.TCPAddr.
func (c *TCPConn) RemoteAddr() net.Addr { return netAddr(SOCK_STREAM, c.remote) }

// CloseRead makes later Reads return io.EOF.
func (c *TCPConn) CloseRead() error { return c.shutdown(SHUT_RD) }

// CloseWrite sends the FIN after the written data. Reading continues to work.
func (c *TCPConn) CloseWrite() error { return c.shutdown(SHUT_WR) }

func (c *TCPConn) shutdown(how int) error {
	if c.so.closed.Load() {
		return c.error("close", syscall.EBADF)
	}
	return c.error("shutdown", c.so.Shutdown(how == SHUT_RD, how == SHUT_WR))
}

// SetNoDelay turns Nagle's algorithm off, which is the default, or on.
func (c *TCPConn) SetNoDelay(on bool) error { return c.setOption(IPPROTO_TCP, TCP_NODELAY, bit(on)) }

// SetKeepAlive turns keep-alive probes on or off.
func (c *TCPConn) SetKeepAlive(on bool) error { return c.setOption(SOL_SOCKET, SO_KEEPALIVE, bit(on)) }

// SetKeepAlivePeriod sets the time without traffic before the first probe, and between probes, in whole seconds.
func (c *TCPConn) SetKeepAlivePeriod(d time.Duration) error {
	seconds := int((d + time.Second - 1) / time.Second)
	if err := c.setOption(IPPROTO_TCP, TCP_KEEPIDLE, seconds); err != nil {
		return err
	}
	return c.setOption(IPPROTO_TCP, TCP_KEEPINTVL, seconds)
}

// SetLinger sets the treatment of unacknowledged data by Close: below zero Close sends it in the background, with 0 it discards it and
// resets the connection, above 0 it waits up to sec seconds for the acknowledgment.
func (c *TCPConn) SetLinger(sec int) error {
	return c.setOption(SOL_SOCKET, SO_LINGER, Linger{int32(bit(sec >= 0)), int32(max(sec, 0))})
}

// SetReadBuffer fixes the size of the receive buffer in bytes, which otherwise grows as needed.
func (c *TCPConn) SetReadBuffer(bytes int) error { return c.setOption(SOL_SOCKET, SO_RCVBUF, bytes) }

// SetWriteBuffer fixes the size of the send buffer in bytes, which otherwise grows as needed.
func (c *TCPConn) SetWriteBuffer(bytes int) error { return c.setOption(SOL_SOCKET, SO_SNDBUF, bytes) }

// TCPListener accepts connections. Its methods are those of net.TCPListener.
type TCPListener struct{ netSocket }

// Accept implements net.Listener; the Conn is a *TCPConn.
func (l *TCPListener) Accept() (net.Conn, error) {
	so, err := l.so.accept()
	if err != nil {
		return nil, l.error("accept", err)
	}
	return newTCPConn(so, l.network), nil
}

// Addr implements net.Listener; it is a *net.TCPAddr.
func (l *TCPListener) Addr() net.Addr { return netAddr(SOCK_STREAM, l.local) }
