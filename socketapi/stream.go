package socketapi

import (
	"net/netip"

	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ip/errqueue"
	tcpsocket "tunstack/tcp/socket"
)

// stream is the endpoint of SOCK_STREAM.
type stream struct{ *tcpsocket.Socket }

// Connect implements endpoint.
func (st stream) Connect(remote netip.AddrPort) error {
	if !remote.Addr().IsValid() {
		return st.Disconnect()
	}
	return st.Socket.Connect(remote)
}

func (st stream) send(b []byte, _ envelope, flags int) (int, error) {
	if flags&MSG_OOB != 0 {
		return st.WriteUrgent(b)
	}
	return st.Write(b, flags&MSG_MORE != 0)
}

// recv reads, or with MSG_TRUNC discards.
func (st stream) recv(b []byte, flags int) (int, Message, error) {
	if flags&(MSG_TRUNC|MSG_PEEK) == MSG_TRUNC {
		q, _, err := st.Take(len(b))
		n := q.Len()
		q.Release()
		return n, Message{}, err
	}
	n, err := st.Read(b, flags&MSG_PEEK != 0)
	return n, Message{}, err
}

func (st stream) buffered() (in, out int, err error) { return st.Buffered() }

func (st stream) recvError() (errqueue.Error, error) { return st.RecvError() }

func (st stream) ip() ip.SocketOptions { return st.IP() }

func (st stream) setIP(change func(*ip.SocketOptions)) { st.SetIP(change) }

func (st stream) datagrams() *dgram.Socket { return nil }

func (st stream) accept() (endpoint, error) {
	conn, err := st.Accept()
	return stream{conn}, err
}

func (st stream) atMark() (bool, error) { return st.AtMark(), nil }

func (st stream) options() map[optname]option { return streamOptions }
