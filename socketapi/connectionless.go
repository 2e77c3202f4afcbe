package socketapi

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ip/errqueue"
)

// connectionless is the part of an endpoint that is the same for datagram and raw sockets.
type connectionless struct{ socket *dgram.Socket }

func (c *connectionless) recv(b []byte, flags int) (n int, m Message, err error) {
	if p := c.socket.TakePathMTU(); p != nil {
		return 0, Message{Addr: netip.AddrPortFrom(p.To, 0), PathMTU: p.MTU}, nil
	}
	n, d, err := c.socket.Recv(b, flags&MSG_PEEK != 0)
	m = Message{Addr: d.From, Local: d.To.Addr(), Interface: d.Interface, Size: d.Size,
		TOS: d.TOS, TTL: d.TTL, Options: d.IPOptions, at: d.At}
	if d.To.Addr().Is6() {
		m.FlowInfo, m.Options, m.extensions = uint32(d.TOS)<<20|d.FlowLabel, nil, d.IPOptions
	}
	if d.Size > n {
		m.Flags = MSG_TRUNC
		if flags&MSG_TRUNC != 0 {
			n = d.Size
		}
	}
	return n, m, err
}

func (c *connectionless) buffered() (in, out int, err error) { return c.socket.Buffered(), 0, nil }

func (c *connectionless) recvError() (errqueue.Error, error) { return c.socket.RecvError() }

func (c *connectionless) ip() ip.SocketOptions { return c.socket.Options().SocketOptions }

func (c *connectionless) setIP(change func(*ip.SocketOptions)) {
	c.socket.SetOptions(func(o *dgram.Options) { change(&o.SocketOptions) })
}

func (c *connectionless) datagrams() *dgram.Socket { return c.socket }

// Listen implements endpoint.
func (c *connectionless) Listen(int) error { return syscall.EOPNOTSUPP }

func (c *connectionless) accept() (endpoint, error) { return nil, syscall.EOPNOTSUPP }

func (c *connectionless) atMark() (bool, error) { return false, syscall.ENOTTY }

// Abort implements endpoint: Close discards the queued datagrams anyway.
func (c *connectionless) Abort() {}

// Linger implements endpoint: a datagram socket only keeps SO_LINGER.
func (c *connectionless) Linger() (bool, time.Duration) { return false, 0 }

// Lingering implements endpoint.
func (c *connectionless) Lingering() bool { return false }
