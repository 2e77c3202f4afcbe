package socketapi

import (
	"tunstack/ip"
	"tunstack/ip/errqueue"
	tcpsocket "tunstack/tcp/socket"
)

// stream is the endpoint of SOCK_STREAM.
type stream struct{ *tcpsocket.Socket }

func (st stream) send(b []byte, _ Message, flags int) (int, error) {
	if flags&MSG_OOB != 0 {
		return st.WriteUrgent(b)
	}
	return st.Write(b, flags&MSG_MORE != 0)
}

func (st stream) recv(b []byte, flags int) (int, Message, error) {
	n, err := st.Read(b, flags&MSG_PEEK != 0)
	return n, Message{}, err
}

func (st stream) buffered() (in, out int) { return st.Buffered() }

func (st stream) recvError() (errqueue.Error, error) { return st.RecvError() }

func (st stream) ip() ip.SocketOptions { return st.IP() }

func (st stream) setIP(change func(*ip.SocketOptions)) { st.SetIP(change) }

func (st stream) options() map[optname]option { return streamOptions }
