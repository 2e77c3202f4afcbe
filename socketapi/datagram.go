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
	switch {
	case flags&MSG_OOB != 0:
		if err := d.Autobind(); err != nil {
			return 0, err
		}
		return 0, syscall.EOPNOTSUPP
	case flags&MSG_MORE != 0:
		return d.SendMore(b, e.to, e.src)
	}
	return d.Send(b, e.to, e.src)
}

func (d *datagram) options() map[optname]option { return udpOptions }
