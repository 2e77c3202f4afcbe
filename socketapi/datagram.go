package socketapi

import (
	"syscall"

	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ip/errqueue"
	"tunstack/udp"
)

// datagram is the endpoint of SOCK_DGRAM.
type datagram struct{ *udp.Endpoint }

func (d datagram) send(b []byte, m Message, flags int) (int, error) {
	switch {
	case flags&MSG_OOB != 0:
		if err := d.Autobind(); err != nil {
			return 0, err
		}
		return 0, syscall.EOPNOTSUPP
	case flags&MSG_MORE != 0:
		return d.SendMore(b, m.Addr, m.Local)
	}
	return d.Send(b, m.Addr, m.Local)
}

func (d datagram) recv(b []byte, flags int) (int, Message, error) {
	n, got, err := d.Recv(b, flags&MSG_PEEK != 0)
	return received(n, got, flags, err)
}

// received is a datagram of which n octets were copied as a Message, and the count to report.
func received(n int, d dgram.Datagram, flags int, err error) (int, Message, error) {
	m := Message{Addr: d.From, Local: d.To.Addr(), Interface: d.Interface, Size: d.Size,
		TOS: d.TOS, TTL: d.TTL, Options: d.IPOptions, at: d.At}
	if d.Size > n {
		m.Flags = MSG_TRUNC
		if flags&MSG_TRUNC != 0 {
			n = d.Size
		}
	}
	return n, m, err
}

func (d datagram) buffered() (in, out int, err error) { return d.Buffered(), 0, nil }

func (d datagram) options() map[optname]option { return udpOptions }

func (d datagram) recvError() (errqueue.Error, error) { return d.RecvError() }

func (d datagram) ip() ip.SocketOptions { return d.Options().SocketOptions }

func (d datagram) setIP(change func(*ip.SocketOptions)) {
	d.SetOptions(func(o *udp.Options) { change(&o.SocketOptions) })
}

func (d datagram) dgram() dgram.Options { return d.Options().Options }

func (d datagram) setDgram(change func(*dgram.Options)) {
	d.SetOptions(func(o *udp.Options) { change(&o.Options) })
}
