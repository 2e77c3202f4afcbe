package socket

import (
	"net/netip"
	"syscall"
)

// Listen makes the socket accept connections; of those established but not accepted it holds one more than backlog. A
// second call changes the backlog. An unbound socket gets an ephemeral port. Errors: EINVAL on a connected socket,
// EADDRINUSE when another listener has the port.
func (so *Socket) Listen(backlog int) error {
	h := so.begin()
	defer h.commitLater()
	backlog = max(backlog, 0)
	if h.closed || h.attempt != unconnected {
		return syscall.EINVAL
	}
	if l, ok := h.state.(*listener); ok {
		l.setBacklog(backlog)
		return nil
	}
	return h.listen(backlog)
}

func (h held) listen(backlog int) error {
	if h.port.Port() == 0 { // unbound, or bound with IP_BIND_ADDRESS_NO_PORT
		if err := h.reserve(netip.AddrPortFrom(h.addr(), 0)); err != nil {
			return err
		}
	}
	port, err := h.stack.ports.Listen(h.port)
	if err != nil {
		return err
	}
	h.port = port
	l := &listener{
		stack: h.stack, socket: h.Socket, local: port.Local(), versions: h.Versions, heard: h.Versions.Heard(port.Addr()),
		backlog: backlog, halfOpen: make(map[*connection]struct{}),
	}
	h.state = l
	h.stack.listeners.add(l)
	return nil
}

// Accept returns the connection that has waited longest. Errors: EAGAIN, EINVAL when not listening.
func (so *Socket) Accept() (*Socket, error) {
	h := so.begin()
	l, ok := h.state.(*listener)
	h.commitLater()
	if !ok {
		return nil, syscall.EINVAL
	}
	c, err := l.dequeue()
	if err != nil {
		return nil, err
	}
	child := c.lock(h.now)
	defer child.commitLater()
	child.parent, child.attempt = nil, connected
	return c.Socket, nil
}
