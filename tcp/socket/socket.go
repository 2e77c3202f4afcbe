package socket

import (
	"sync"
	"sync/atomic"
	"syscall"

	"tunstack/internal/poll"
	"tunstack/internal/ports"
	"tunstack/ip"
	"tunstack/ip/errqueue"
)

// Socket is one TCP socket: idle at first, then a listener or a connection. No method blocks: a call that cannot be done now
// returns syscall.EAGAIN, and Waiters tells when to try again. All methods are safe for concurrent use.
type Socket struct {
	stack      *Stack
	waiters    poll.WaitList
	restricted atomic.Pointer[restrictions] // SO_BINDTODEVICE, IP_MINTTL; a copy from the settings

	mu        sync.Mutex // guards the rest; see held
	state     state
	port      ports.Reservation // the own address and port, if bound or connected
	bound     bool              // by Bind, so that the user keeps port when a connection has ended
	closed    bool              // has no user: the user has closed it, or it was never accepted
	attempt   attempt
	readShut  bool // by Shutdown
	writeShut bool
	delayAck  bool          // TCP_QUICKACK was switched off, before there was a connection
	err       syscall.Errno // pending: reported once (SO_ERROR)
	rare      *rare         // nil while there is nothing in it
	settings
}

// state is what a Socket is at present: idle, *listener or *connection.
type state interface{ isState() }

// idle is the state before Listen and Connect, and after Disconnect.
type idle struct{}

func (idle) isState()        {}
func (*listener) isState()   {}
func (*connection) isState() {}

// rare are fields that few sockets use. They are allocated apart, to keep the others small.
type rare struct {
	errors   errqueue.Queue
	savedSyn []byte // TCP_SAVED_SYN
}

// NewSocket returns an idle socket.
func (s *Stack) NewSocket(v ip.Versions) *Socket {
	return &Socket{stack: s, state: idle{}, settings: settings{SocketOptions: ip.NewSocketOptions(v), params: &unset}}
}

// uncommon is rare, made if need be. mu is held.
func (so *Socket) uncommon() *rare {
	if so.rare == nil {
		so.rare = new(rare)
	}
	return so.rare
}

// takeError returns and clears the pending error.
func (h held) takeError() error {
	if h.err == 0 {
		return nil
	}
	err := h.err
	h.err = 0
	return err
}

// releasePort gives the port back once neither a connection nor a user who chose it needs it.
func (h held) releasePort() {
	if c, ok := h.state.(*connection); ok && !c.gone || h.bound && !h.closed {
		return
	}
	h.stack.ports.Release(h.port)
	h.port = ports.Reservation{}
}

// Waiters are told whenever Ready gains an event.
func (so *Socket) Waiters() *poll.WaitList { return &so.waiters }
