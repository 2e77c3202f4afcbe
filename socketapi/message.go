package socketapi

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/ipv4"
)

// Message is what goes with the octets of SendMsg and RecvMsg: addresses, flags, and what Linux passes in control messages.
type Message struct {
	Addr          netip.AddrPort // who sent it; when sending, where to, the zero AddrPort being the connected peer
	Local         netip.Addr     // IP_PKTINFO: where it was sent to; when sending, the source, the zero Addr leaving it to the stack
	Interface     string         // IP_PKTINFO: where it came in; unused when sending
	Flags         int            // MSG_TRUNC: the datagram was longer than the buffer; MSG_OOB: urgent data; unused when sending
	Size          int            // of the whole datagram in octets; unused when sending
	TOS, TTL      uint8          // IP_RECVTOS, IP_RECVTTL; unused when sending
	Options       []byte         // IP_RECVOPTS; unused when sending
	ReturnOptions []byte         // IP_RETOPTS: the Options as an answer is to have them (IP_OPTIONS); unused when sending
	Time          time.Time      // SO_TIMESTAMP, SO_TIMESTAMPNS: when it came; unused when sending
	Inq           int            // TCP_INQ: bytes that are left to be received; unused when sending

	// With MSG_ERRQUEUE: the error, and who reported it, the zero Addr being the stack itself. Addr is then where the datagram
	// was sent to, and the data is what came back of it.
	Err      *SockExtendedErr
	Offender netip.Addr

	at time.Duration // Time as the stack has it
}

// Send sends b to the connected peer. A stream blocks until all of b is queued, or if it is non-blocking (O_NONBLOCK,
// MSG_DONTWAIT) queues what fits. Errors: EBADF, EAGAIN, EPIPE, ENOTCONN, EDESTADDRREQ, EMSGSIZE, EACCES for a broadcast
// without SO_BROADCAST, and once what the network reported: ECONNRESET, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...
func (s Berkeley) Send(fd int, b []byte, flags int) (int, error) {
	return s.SendMsg(fd, b, Message{}, flags)
}

// SendTo is Send with a destination, which a stream ignores.
func (s Berkeley) SendTo(fd int, b []byte, flags int, to netip.AddrPort) (int, error) {
	return s.SendMsg(fd, b, Message{Addr: to}, flags)
}

// SendMsg is Send with all that a datagram can be given on its way.
func (s Berkeley) SendMsg(fd int, b []byte, m Message, flags int) (int, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, err
	}
	n, err := so.transmit(b, m, flags)
	if err != nil {
		return -1, err
	}
	return n, nil
}

// transmit sends all of b, or part of a stream's and then no error: the next call meets it.
func (so *socket) transmit(b []byte, m Message, flags int) (int, error) {
	if so.typ != SOCK_STREAM { // which ignores an address, of whatever family
		addr, err := inet(m.Addr)
		if err != nil {
			return 0, err
		}
		m.Addr = addr
	}
	return so.push(b, so.nonblock.Load() || flags&MSG_DONTWAIT != 0, func(b []byte) (int, error) { return so.send(b, m, flags) })
}

// push calls send for what is left of b until there is nothing or send cannot go on.
func (so *socket) push(b []byte, dontWait bool, send func(b []byte) (int, error)) (int, error) {
	sent := 0
	err := so.wait(&so.wr, dontWait, func() error {
		for {
			if sent > 0 && so.Ready()&poll.Err != 0 {
				return nil
			}
			n, err := send(b[sent:])
			sent += n
			if err != nil || sent == len(b) {
				return err
			}
		}
	})
	if sent > 0 {
		return sent, nil
	}
	return 0, err
}

// Recv receives octets of a stream, as many as there are, or one datagram, whose rest is lost when b is too short.
// It returns 0 at the end of a stream. Flags: MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_TRUNC to be told a datagram's
// whole size, and MSG_ERRQUEUE for an entry of the error queue in place of data. Like Linux it ignores other flags. Errors: EBADF, EAGAIN, ENOTCONN, and once what the network reported: ECONNRESET, ETIMEDOUT, ECONNREFUSED ...
func (s Berkeley) Recv(fd int, b []byte, flags int) (int, error) {
	n, _, err := s.RecvMsg(fd, b, flags)
	return n, err
}

// RecvFrom is Recv with the sender's address, which a stream leaves zero.
func (s Berkeley) RecvFrom(fd int, b []byte, flags int) (int, netip.AddrPort, error) {
	n, m, err := s.RecvMsg(fd, b, flags)
	return n, m.Addr, err
}

// RecvMsg is Recv with all that is known of a datagram.
func (s Berkeley) RecvMsg(fd int, b []byte, flags int) (int, Message, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, Message{}, err
	}
	n, m, err := so.receive(b, flags)
	if err != nil {
		return -1, Message{}, err
	}
	return n, m, nil
}

// receiveUrgent is MSG_OOB of a stream, which never waits.
func (st stream) receiveUrgent(b []byte, flags int) (int, Message, error) {
	c, err := st.ReadUrgent(flags&MSG_PEEK != 0)
	switch {
	case err != nil:
		return 0, Message{}, err
	case len(b) == 0:
		return 0, Message{Flags: MSG_OOB | MSG_TRUNC}, nil
	}
	b[0] = c
	return 1, Message{Flags: MSG_OOB}, nil
}

// receiveError is MSG_ERRQUEUE, which never waits.
func (so *socket) receiveError(b []byte) (int, Message, error) {
	e, err := so.recvError()
	if err != nil {
		return 0, Message{}, err
	}
	m := Message{Addr: e.To, Size: len(e.Payload), Flags: MSG_ERRQUEUE, Offender: e.Offender, Err: &SockExtendedErr{
		Errno: uint32(e.Errno), Origin: e.Origin, Type: e.Type, Code: e.Code, Info: e.Info,
	}}
	n := copy(b, e.Payload)
	if n < len(e.Payload) {
		m.Flags |= MSG_TRUNC
	}
	return n, m, nil
}

func (so *socket) receive(b []byte, flags int) (int, Message, error) {
	if flags&MSG_ERRQUEUE != 0 {
		return so.receiveError(b)
	}
	if so.typ == SOCK_STREAM && flags&MSG_OOB != 0 {
		return so.tcp().receiveUrgent(b, flags)
	}
	dontWait := so.nonblock.Load() || flags&MSG_DONTWAIT != 0
	n, m, err := so.receiveData(b, flags, dontWait)
	so.annotate(&m)
	return n, m, err
}

// annotate adds to a message that was received what options ask for.
func (so *socket) annotate(m *Message) {
	if so.inq.Load() {
		m.Inq, _, _ = so.buffered() // of a listener nothing was received
	}
	if so.timestamp.Load() != 0 && so.typ != SOCK_STREAM {
		m.Time = so.stack.wallTime(m.at)
	}
	if len(m.Options) > 0 && so.value(IPPROTO_IP, IP_RETOPTS) != 0 {
		received := ip.Datagram{Src: m.Addr.Addr(), Dst: m.Local, Options: m.Options}
		m.ReturnOptions = ipv4.EchoOptions(&received, m.at)
	}
	m.at = 0
}

// receiveData receives at least what SO_RCVLOWAT or MSG_WAITALL ask for, if it may wait.
func (so *socket) receiveData(b []byte, flags int, dontWait bool) (int, Message, error) {
	if least := so.least(b, flags); least > 1 {
		return so.receiveAll(b, least, flags, dontWait)
	}
	var n int
	var m Message
	err := so.wait(&so.rd, dontWait, func() (err error) {
		n, m, err = so.recv(b, flags)
		return err
	})
	return n, m, err
}

// least is how many bytes a receive waits for.
func (so *socket) least(b []byte, flags int) int {
	switch {
	case so.typ != SOCK_STREAM:
		return 1
	case flags&MSG_WAITALL != 0:
		return len(b)
	}
	return min(len(b), int(so.rcvLowat.Load()))
}

// receiveAll receives least bytes or more, and fewer only before urgent data, at the end of the stream, at an error or when time is up.
func (so *socket) receiveAll(b []byte, least int, flags int, dontWait bool) (int, Message, error) {
	got := 0
	err := so.wait(&so.rd, dontWait, func() error {
		for {
			ready := so.Ready()
			if got > 0 && ready&poll.Err != 0 {
				return nil
			}
			if flags&MSG_PEEK != 0 {
				got = 0
			}
			n, _, err := so.recv(b[got:], flags)
			got += n
			switch {
			case err != nil || n == 0 || got >= least || so.tcp().AtMark() && flags&MSG_PEEK == 0:
				return err
			case flags&MSG_PEEK != 0 && ready&poll.RdHup != 0:
				return nil
			case flags&MSG_PEEK != 0:
				return syscall.EAGAIN
			}
		}
	})
	if got > 0 {
		return got, Message{}, nil
	}
	return 0, Message{}, err
}
