package socketapi

import (
	"syscall"

	"tunstack/raw"
)

// rawSocket is the endpoint of SOCK_RAW. Its addresses have port 0.
type rawSocket struct {
	*raw.Socket
	connectionless
}

func newRawSocket(s *raw.Socket) *rawSocket { return &rawSocket{s, connectionless{&s.Socket}} }

func (r *rawSocket) send(b []byte, e envelope, flags int) (int, error) {
	if flags&MSG_OOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	return r.SendMsg(b, e.to, e.Control, flags&MSG_MORE != 0)
}

// recv refuses MSG_OOB, which a UDP socket ignores.
func (r *rawSocket) recv(b []byte, flags int) (int, Message, error) {
	if flags&MSG_OOB != 0 {
		return 0, Message{}, syscall.EOPNOTSUPP
	}
	return r.connectionless.recv(b, flags)
}

func (r *rawSocket) options() map[optname]option { return rawOptions }
