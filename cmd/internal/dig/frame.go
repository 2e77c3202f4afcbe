package dig

import (
	"encoding/binary"
	"io"
	"net"

	"github.com/miekg/dns"
)

// A frame sends and receives whole messages on a connection.
type frame interface {
	send(q *dns.Msg) error
	receive() ([]byte, error) // valid until the next call
}

func framing(network string, c net.Conn) frame {
	if network == "tcp" {
		return stream{c}
	}
	return &datagram{c: c}
}

// datagram has a message in each datagram.
type datagram struct {
	c net.Conn
	b [dns.MaxMsgSize]byte
}

func (d *datagram) send(q *dns.Msg) error {
	b, err := q.Pack()
	if err == nil {
		_, err = d.c.Write(b)
	}
	return err
}

func (d *datagram) receive() ([]byte, error) {
	n, err := d.c.Read(d.b[:])
	return d.b[:n], err
}

// stream has the length before each message (RFC 1035 section 4.2.2).
type stream struct{ c net.Conn }

// send writes the length and the message together (RFC 7766 section 8).
func (s stream) send(q *dns.Msg) error {
	b, err := q.Pack()
	if err == nil {
		_, err = s.c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	}
	return err
}

func (s stream) receive() ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(s.c, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(s.c, b)
	return b, err
}
