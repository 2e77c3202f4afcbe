package socketapi

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/poll"
	"tunstack/ip"
	"tunstack/ip/dgram"
	"tunstack/ipv4"
)

// Message holds the addresses, flags and control messages that accompany the bytes of SendMsg and RecvMsg.
type Message struct {
	Addr          netip.AddrPort // the sender; when sending, the destination; the zero AddrPort is the connected peer
	Local         netip.Addr     // IP_PKTINFO, IPV6_PKTINFO: the destination; when sending, the source; with the zero Addr the stack chooses it
	Interface     string         // IP_PKTINFO, IPV6_PKTINFO: the interface that received it; unused when sending
	Flags         int            // MSG_TRUNC: the datagram was longer than the buffer; MSG_OOB: urgent data; unused when sending
	Size          int            // of the whole datagram in bytes; unused when sending
	TOS, TTL      uint8          // IP_RECVTOS, IP_RECVTTL, IPV6_RECVTCLASS, IPV6_RECVHOPLIMIT; unused when sending
	Options       []byte         // IP_RECVOPTS; unused when sending
	ReturnOptions []byte         // IP_RETOPTS: the Options in the form that a reply must have (IP_OPTIONS); unused when sending
	Time          time.Time      // SO_TIMESTAMP, SO_TIMESTAMPNS: the time of arrival; unused when sending
	Inq           int            // TCP_INQ: bytes still in the receive queue; unused when sending
	FlowInfo      uint32         // IPV6_FLOWINFO: traffic class and flow label; unused when sending
	Extensions    []Extension    // IPV6_RECVHOPOPTS, IPV6_RECVRTHDR, IPV6_RECVDSTOPTS, in the order of the datagram; unused when sending
	PathMTU       int            // IPV6_PATHMTU: not 0 in a message without data: the path MTU to Addr in bytes; unused when sending
	Ancillary     *Ancillary     // choices of a datagram to be sent, besides Local; unused when receiving

	// With MSG_ERRQUEUE, Err is the error and Offender the address that reported it; the zero Addr is the stack itself. Addr is then the
	// destination of the datagram that failed, and the data is the part of that datagram which the error quotes.
	Err      *SockExtendedErr
	Offender netip.Addr

	at         time.Duration // Time on the stack's clock
	extensions []byte        // of a received IPv6 datagram, as ip.Datagram.Options
}

// Send sends b to the connected peer. On a stream it blocks until all of b is queued; a non-blocking call (O_NONBLOCK, MSG_DONTWAIT)
// queues as much as fits. Errors: EBADF, EAGAIN, EPIPE, ENOTCONN, EDESTADDRREQ, EMSGSIZE, EACCES for a broadcast
// without SO_BROADCAST. An error that the network reported is returned once: ECONNRESET, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...
func (s Berkeley) Send(fd int, b []byte, flags int) (int, error) {
	return s.SendMsg(fd, b, Message{}, flags)
}

// SendTo is Send with a destination, which a stream ignores.
func (s Berkeley) SendTo(fd int, b []byte, flags int, to netip.AddrPort) (int, error) {
	return s.SendMsg(fd, b, Message{Addr: to}, flags)
}

// SendMsg is Send with the destination and the source in m.
func (s Berkeley) SendMsg(fd int, b []byte, m Message, flags int) (int, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, err
	}
	n, err := so.transmit(b, so.enveloped(&m), flags)
	if err != nil {
		return -1, err
	}
	return n, nil
}

// envelope is the part of a Message to be sent that a socket uses: small enough to be copied by each call on the way.
type envelope struct {
	to netip.AddrPort // the zero AddrPort is the connected peer
	dgram.Control
}

func (so *socket) enveloped(m *Message) envelope {
	return envelope{m.Addr, so.control(m.Local.Unmap(), m.Ancillary)}
}

// transmit sends b. After an error a stream may have sent a part of b: transmit then returns no error, and the next call returns it.
func (so *socket) transmit(b []byte, e envelope, flags int) (int, error) {
	e.to = unmap(e.to)
	return so.push(b, so.nonblock.Load() || flags&MSG_DONTWAIT != 0, func(b []byte) (int, error) { return so.send(b, e, flags) })
}

// push calls send for the rest of b until all of b is sent or send returns an error.
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

// Recv receives the available bytes of a stream, or one datagram. If b is too short for a datagram, its rest is lost. Recv returns 0 at
// the end of a stream. Flags: MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_TRUNC to return a datagram's whole size, and MSG_ERRQUEUE to return
// an entry of the error queue instead of data. Like Linux it ignores other flags. Errors: EBADF, EAGAIN, ENOTCONN. An error that the network
// reported is returned once: ECONNRESET, ETIMEDOUT, ECONNREFUSED ...
func (s Berkeley) Recv(fd int, b []byte, flags int) (int, error) {
	n, _, err := s.RecvMsg(fd, b, flags)
	return n, err
}

// RecvFrom is Recv with the sender's address, which a stream leaves zero.
func (s Berkeley) RecvFrom(fd int, b []byte, flags int) (int, netip.AddrPort, error) {
	n, m, err := s.RecvMsg(fd, b, flags)
	return n, m.Addr, err
}

// RecvMsg is Recv with the addresses and the control information of a datagram.
func (s Berkeley) RecvMsg(fd int, b []byte, flags int) (int, Message, error) {
	so, err := s.sockets.get(fd)
	if err != nil {
		return -1, Message{}, err
	}
	n, m, err := so.receive(b, flags)
	if err != nil {
		return -1, Message{}, err
	}
	m.Addr, m.Local, m.Offender = so.shown(m.Addr), so.shownAddr(m.Local), so.shownAddr(m.Offender)
	return n, m, nil
}

// receiveUrgent handles MSG_OOB on a stream. It never waits.
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

// receiveError handles MSG_ERRQUEUE. It never waits.
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

func (so *socket) receive(b []byte, flags int) (n int, m Message, err error) {
	if flags&MSG_ERRQUEUE != 0 {
		return so.receiveError(b)
	}
	if so.typ == SOCK_STREAM && flags&MSG_OOB != 0 {
		return so.tcp().receiveUrgent(b, flags)
	}
	dontWait := so.nonblock.Load() || flags&MSG_DONTWAIT != 0
	n, m, err = so.receiveData(b, flags, dontWait)
	if err == syscall.EAGAIN && len(b) == 0 && !dontWait && so.typ == SOCK_STREAM {
		err = nil // as on Linux, a timeout leaves nothing to be desired by a call that wants no bytes
	}
	so.annotate(&m)
	return n, m, err
}

// annotate adds the fields that the socket's options request to a received message.
func (so *socket) annotate(m *Message) {
	if so.inq.Load() {
		m.Inq, _, _ = so.buffered() // the error is a listener's, which receives nothing
	}
	if so.timestamp.Load() != 0 && so.typ != SOCK_STREAM {
		m.Time = so.stack.wallTime(m.at)
	}
	if len(m.Options) > 0 && so.value(IPPROTO_IP, IP_RETOPTS) != 0 {
		received := ip.Datagram{Src: m.Addr.Addr(), Dst: m.Local, Options: m.Options}
		m.ReturnOptions = ipv4.EchoOptions(&received, m.at)
	}
	if m.extensions != nil {
		m.Extensions = so.received(m.extensions)
	}
	m.at, m.extensions = 0, nil
}

// receiveData receives data. If it may wait, it waits for as many bytes as SO_RCVLOWAT or MSG_WAITALL requests.
func (so *socket) receiveData(b []byte, flags int, dontWait bool) (n int, m Message, err error) {
	if least := so.least(b, flags); least > 1 {
		return so.receiveAll(b, least, flags, dontWait)
	}
	err = so.wait(&so.rd, dontWait, func() (err error) {
		n, m, err = so.recv(b, flags)
		return err
	})
	return n, m, err
}

// least returns the number of bytes that a receive call waits for.
func (so *socket) least(b []byte, flags int) int {
	switch {
	case so.typ != SOCK_STREAM:
		return 1
	case flags&MSG_WAITALL != 0:
		return len(b)
	}
	return min(len(b), int(so.rcvLowat.Load()))
}

// receiveAll receives at least least bytes. It returns fewer only before urgent data, at the end of the stream, after an error or after the
// receive timeout.
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
