package socketapi

import (
	"net/netip"
	"syscall"

	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ip/errqueue"
	"tunstack/raw"
)

// rawSocket is the endpoint of SOCK_RAW. Its addresses have port 0.
type rawSocket struct{ *raw.Endpoint }

// Bind implements endpoint.
func (r rawSocket) Bind(local netip.AddrPort) error { return r.Endpoint.Bind(local.Addr()) }

// Connect implements endpoint.
func (r rawSocket) Connect(remote netip.AddrPort) error { return r.Endpoint.Connect(remote.Addr()) }

// Local implements endpoint.
func (r rawSocket) Local() netip.AddrPort { return netip.AddrPortFrom(r.Endpoint.Local(), 0) }

// Remote implements endpoint.
func (r rawSocket) Remote() (netip.AddrPort, bool) {
	remote, ok := r.Endpoint.Remote()
	return netip.AddrPortFrom(remote, 0), ok
}

func (r rawSocket) send(b []byte, m Message, flags int) (int, error) {
	switch {
	case flags&MSG_OOB != 0:
		return 0, syscall.EOPNOTSUPP
	case flags&MSG_MORE != 0:
		return r.SendMore(b, m.Addr.Addr(), m.Local)
	}
	return r.Send(b, m.Addr.Addr(), m.Local)
}

func (r rawSocket) recv(b []byte, flags int) (int, Message, error) {
	if flags&MSG_OOB != 0 {
		return 0, Message{}, syscall.EOPNOTSUPP
	}
	n, d, err := r.Recv(b, flags&MSG_PEEK != 0)
	return received(n, d, flags, err)
}

func (r rawSocket) buffered() (in, out int, err error) { return r.Buffered(), 0, nil }

func (r rawSocket) options() map[optname]option { return rawOptions }

func (r rawSocket) recvError() (errqueue.Error, error) { return r.RecvError() }

func (r rawSocket) ip() ip.SocketOptions { return r.Options().SocketOptions }

func (r rawSocket) setIP(change func(*ip.SocketOptions)) {
	r.SetOptions(func(o *raw.Options) { change(&o.SocketOptions) })
}

func (r rawSocket) dgram() dgram.Options { return r.Options().Options }

func (r rawSocket) setDgram(change func(*dgram.Options)) {
	r.SetOptions(func(o *raw.Options) { change(&o.Options) })
}
