package services

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"tunstack/socketapi"
)

// retryAfter is the pause after a temporary error of Accept or ReadFrom: descriptors or memory are short.
const retryAfter = 50 * time.Millisecond

// EachConn makes a TCP service of handle, which is called for each connection in its own goroutine. The connection is closed
// when handle returns, when the service ends, and when the client is idle for longer than max allows.
func EachConn(max Limits, handle func(net.Conn)) func(net.Listener) {
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

// Request is a datagram of a client.
type Request struct {
	Data []byte // valid during the call
	From netip.AddrPort

	port *datagrams
	to   netip.Addr // the address of the stack; zero: unknown
}

// Reply sends a datagram to the client, from the address to which the request was sent. It may be called at any time, and b is the
// caller's again when it returns. A reply that cannot be sent is lost.
func (r Request) Reply(b []byte) {
	if r.port.messages == nil {
		r.port.WriteTo(b, net.UDPAddrFromAddrPort(r.From))
		return
	}
	m := socketapi.Message{Addr: r.From}
	if !r.to.IsMulticast() {
		m.Local = r.to
	}
	if _, err := r.port.messages.SendMsg(b, m); err != nil && m.Local.IsValid() { // a broadcast address is no source
		r.port.messages.SendMsg(b, socketapi.Message{Addr: r.From})
	}
}

// datagrams are the requests to a UDP port.
type datagrams struct {
	net.PacketConn
	messages interface { // of a socket that tells the addresses to which datagrams are sent; nil: of another
		RecvMsg(b []byte) (int, socketapi.Message, error)
		SendMsg(b []byte, m socketapi.Message) (int, error)
	}
}

// read waits for a request.
func (d *datagrams) read(b []byte) (r Request, err error) {
	var n int
	r.port = d
	if d.messages != nil {
		var m socketapi.Message
		n, m, err = d.messages.RecvMsg(b)
		r.From, r.to = m.Addr, m.Local
	} else {
		var from net.Addr
		n, from, err = d.ReadFrom(b)
		if udp, ok := from.(*net.UDPAddr); ok {
			r.From = udp.AddrPort()
		}
	}
	r.Data = b[:max(n, 0)]
	return r, err
}

// EachDatagram makes a UDP service of handle, which is called for each datagram, one after the other.
func EachDatagram(handle func(Request)) func(net.PacketConn) {
	return func(p net.PacketConn) {
		d := &datagrams{PacketConn: p}
		if own, ok := p.(*socketapi.PacketConn); ok {
			d.messages = own
		}
		b := make([]byte, maxDatagram)
		for {
			r, err := d.read(b)
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil:
				time.Sleep(retryAfter)
			default:
				handle(r)
			}
		}
	}
}

// eachDatagram makes a UDP service of answer, which gets one datagram and returns the reply, or nil for none. The reply may use
// b's memory.
func eachDatagram(answer func(b []byte) []byte) func(net.PacketConn) {
	return func(p net.PacketConn) {
		local, _ := p.LocalAddr().(*net.UDPAddr)
		EachDatagram(func(r Request) {
			if reply := answer(r.Data); reply != nil && (local == nil || !answersItself(r.From.Port(), uint16(local.Port))) {
				r.Reply(reply)
			}
		})(p)
	}
}

// answersItself reports whether a reply from port local to port from would be answered for ever: a forged datagram "from" another
// service that answers everything (echo, chargen, time) or from this one starts an endless exchange between the two.
func answersItself(from, local uint16) bool {
	return from == local || slices.Contains([]uint16{7, 13, 17, 19, 37}, from)
}
