package services

import (
	"errors"
	"io"
	"net"
	"slices"
	"time"
)

// retryAfter is the pause after a temporary error of Accept or ReadFrom: descriptors or memory are short.
const retryAfter = 50 * time.Millisecond

// eachConn makes a TCP service of handle, which is called for each connection in its own goroutine. The connection is closed
// when handle returns, when the service ends, and when the client is idle for longer than max allows.
func eachConn(max limits, handle func(net.Conn)) func(net.Listener) {
	return func(l net.Listener) {
		clients := newClients(handle, max)
		defer clients.end()
		for {
			c, err := l.Accept()
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil:
				time.Sleep(retryAfter)
			default:
				clients.accept(c)
			}
		}
	}
}

const (
	hangUpTime  = 2 * time.Second
	hangUpBytes = 1 << 20
)

// hangUp closes c so that the data sent arrives: a close with unread data resets the connection (RFC 2525 section 2.17) and
// could destroy the last reply. So hangUp sends a FIN first, and reads on for a while.
func hangUp(c net.Conn) {
	defer c.Close()
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.SetReadDeadline(time.Now().Add(hangUpTime))
	io.CopyN(io.Discard, c, hangUpBytes)
}

// maxDatagram is the largest UDP payload, over IPv6.
const maxDatagram = 65527

// eachDatagram makes a UDP service of answer, which gets one datagram and returns the reply, or nil for none. The reply may use
// b's memory.
func eachDatagram(answer func(b []byte) []byte) func(net.PacketConn) {
	return func(p net.PacketConn) {
		b, local := make([]byte, maxDatagram), p.LocalAddr()
		for {
			n, from, err := p.ReadFrom(b)
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil:
				time.Sleep(retryAfter)
			default:
				reply := answer(b[:n])
				if reply != nil && !answersItself(from, local) {
					p.WriteTo(reply, from) // a reply that cannot be sent is lost
				}
			}
		}
	}
}

// answersItself reports whether a reply to from would be answered for ever: a forged datagram "from" another service that
// answers everything (echo, chargen, time) or from this one starts an endless exchange between the two.
func answersItself(from, local net.Addr) bool {
	f, ok1 := from.(*net.UDPAddr)
	l, ok2 := local.(*net.UDPAddr)
	return ok1 && ok2 && (f.Port == l.Port || slices.Contains([]int{7, 13, 17, 19, 37}, f.Port))
}
