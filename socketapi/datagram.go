package socketapi

import (
	"syscall"

	"tunstack/udp"
)

// datagram is the endpoint of SOCK_DGRAM.
type datagram struct {
	*udp.Socket
	connectionless
}

func newDatagram(s *udp.Socket) *datagram { return &datagram{s, connectionless{&s.Socket}} }

func (d *datagram) send(b []byte, e envelope, flags int) (int, error) {
	if flags&MSG_OOB != 0 {
		if err := d.Autobind(); err != nil {
			return 0, err
		}
		return 0, syscall.EOPNOTSUPP
	}
	return d.SendMsg(b, e.to, e.Control, flags&MSG_MORE != 0)
}

func (d *datagram) options() map[optname]option { return udpOptions }
