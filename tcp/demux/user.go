package demux

import (
	"net/netip"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/ports"
	"tunstack/tcp"
)

// lock takes the endpoint for a call of its user, who then sees all that has come so far, and lets go by unlock with the
// time that lock returns.
func (e *Endpoint) lock() time.Duration {
	e.mu.Lock()
	now := e.demux.now()
	e.drain(now)
	if e.conn != nil {
		e.announce(now, e.conn.Events())
	}
	return now
}

// Bind gives the socket its own address. Port 0 picks a free one; a zero or unspecified Addr is the wildcard. Errors:
// EADDRINUSE, EADDRNOTAVAIL for an address that is not the host's, EINVAL when already bound.
func (e *Endpoint) Bind(local netip.AddrPort) error {
	defer e.unlock(e.lock())
	if e.bound.IsValid() || e.conn != nil {
		return syscall.EINVAL
	}
	addr := local.Addr().Unmap()
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	if !addr.Is4() || !addr.IsUnspecified() && !e.demux.ip.IsLocal(addr) {
		return syscall.EADDRNOTAVAIL
	}
	port, err := e.demux.ports.Bind(netip.AddrPortFrom(addr, local.Port()), e.reuse)
	if err != nil {
		return err
	}
	e.port, e.bound = port, addr
	e.id.local, e.id.localPort = addr.As4(), port.Port()
	return nil
}

// SetReuse sets SO_REUSEADDR and SO_REUSEPORT; it has an effect on a later Bind.
func (e *Endpoint) SetReuse(addr, port bool) {
	defer e.unlock(e.lock())
	e.reuse = 0
	if addr {
		e.reuse |= ports.ReuseAddr
	}
	if port {
		e.reuse |= ports.ReusePort
	}
}

// Listen makes the socket accept connections; of those established but not accepted it holds one more than backlog. A
// second call changes the backlog. An unbound socket gets an ephemeral port. Errors: EINVAL on a connected socket,
// EADDRINUSE when another listener has the port.
func (e *Endpoint) Listen(backlog int) error {
	if err := e.bindAny(); err != nil {
		return err
	}
	defer e.unlock(e.lock())
	backlog = max(backlog, 0)
	switch {
	case e.conn != nil || e.closed:
		return syscall.EINVAL
	case e.listener != nil:
		e.listener.mu.Lock()
		defer e.listener.mu.Unlock()
		e.listener.backlog = backlog
		return nil
	}
	port, err := e.demux.ports.Listen(e.port)
	if err != nil {
		return err
	}
	e.port = port
	e.listener = &listener{demux: e.demux, endpoint: e, addr: e.bound, port: port.Port(), backlog: backlog, half: make(map[*Endpoint]struct{})}
	e.demux.listeners.add(e.listener)
	return nil
}

// bindAny binds a socket that has no address yet to an ephemeral port of the wildcard.
func (e *Endpoint) bindAny() error {
	if err := e.Bind(netip.AddrPort{}); err != nil && err != syscall.EINVAL {
		return err
	}
	return nil
}

// Accept returns the connection that has waited longest. Errors: EAGAIN, EINVAL when not listening.
func (e *Endpoint) Accept() (*Endpoint, error) {
	now := e.lock()
	l := e.listener
	e.unlock(now)
	if l == nil {
		return nil, syscall.EINVAL
	}
	child, err := l.take()
	if err != nil {
		return nil, err
	}
	defer child.unlock(child.lock())
	child.parent = nil
	child.bound = child.id.localAddr()
	return child, nil
}

// Connect starts an active open: EINPROGRESS at the first call, EALREADY while it lasts, EISCONN once connected; the pending
// error (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...) once when it has failed; at once ENETUNREACH, EADDRNOTAVAIL when the
// pair of addresses is in use or no port is free, EINVAL for an address that is none.
func (e *Endpoint) Connect(remote netip.AddrPort) error {
	now := e.lock()
	defer e.unlock(now)
	if err := e.takeError(); err != nil {
		return err
	}
	if e.listener != nil {
		return syscall.EISCONN
	}
	if e.conn != nil {
		switch s := e.conn.State(); {
		case s == tcp.SynSent || s == tcp.SynReceived:
			return syscall.EALREADY
		case !e.gone || e.conn.Err() == 0:
			return syscall.EISCONN
		}
		e.conn, e.gone = nil, false // the last attempt failed: try anew
	}
	return e.open(now, remote)
}

// open finds route and port and starts the machine; its SYN leaves when the caller unlocks.
func (e *Endpoint) open(now time.Duration, remote netip.AddrPort) error {
	d := e.demux
	addr := remote.Addr().Unmap()
	if addr.IsUnspecified() { // this host, as on Linux
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if !addr.Is4() {
		return syscall.EINVAL
	}
	if d.ip.CastOf(addr) != packet.Unicast { // RFC 9293 section 3.9.1.1, MUST-46
		return syscall.ENETUNREACH
	}
	route, err := d.ip.Route(addr, e.bound)
	if err != nil {
		return err
	}
	id := tuple{local: route.Src.As4(), remote: addr.As4(), remotePort: remote.Port()}
	claim := func(port uint16) bool {
		id.localPort = port
		return d.conns.insert(id, e)
	}
	if e.port.Port() != 0 {
		if !claim(e.port.Port()) {
			return syscall.EADDRNOTAVAIL
		}
	} else if e.port, err = d.ports.Connect(route.Src, netip.AddrPortFrom(addr, remote.Port()), e.reuse, claim); err != nil {
		return err
	}
	e.id, e.route = id, route
	e.soft = nil
	e.conn = tcp.Open(now, &d.cfg.Config, e.params, d.setup(now, e))
	return syscall.EINPROGRESS
}

// Read moves received octets to p: EAGAIN when there are none, (0, nil) at the end of the stream, ENOTCONN, and once the
// pending error (ECONNRESET, ETIMEDOUT). peek leaves them in place.
func (e *Endpoint) Read(p []byte, peek bool) (int, error) {
	now := e.lock()
	defer e.unlock(now)
	if e.conn == nil {
		return 0, syscall.ENOTCONN
	}
	n := 0
	if peek {
		n = e.conn.Peek(p)
	} else {
		n = e.conn.Read(now, p)
	}
	switch {
	case n > 0:
		return n, nil
	case e.err != nil:
		return 0, e.takeError()
	case e.conn.AtEOF() || len(p) == 0:
		return 0, nil
	}
	return 0, syscall.EAGAIN
}

// Write queues octets of p, perhaps not all: EAGAIN when none fits; EPIPE after Shutdown or the connection's end, and once
// the pending error. more (MSG_MORE) holds back a partial segment. p is copied.
func (e *Endpoint) Write(p []byte, more bool) (int, error) {
	return e.write(p, func(c *tcp.Conn, now time.Duration, p []byte) int {
		c.More(more)
		return c.Write(now, p)
	})
}

func (e *Endpoint) write(p []byte, queue func(*tcp.Conn, time.Duration, []byte) int) (int, error) {
	now := e.lock()
	defer e.unlock(now)
	if err := e.takeError(); err != nil {
		return 0, err
	}
	if e.conn == nil || !e.conn.CanSend() {
		return 0, syscall.EPIPE
	}
	if s := e.conn.State(); s == tcp.SynSent || s == tcp.SynReceived {
		return 0, syscall.EAGAIN
	}
	n := queue(e.conn, now, p)
	if n == 0 && len(p) > 0 {
		return 0, syscall.EAGAIN
	}
	return n, nil
}

// Shutdown ends reading, writing or both (POSIX shutdown). On a listener, ending reading ends listening. Errors: ENOTCONN.
func (e *Endpoint) Shutdown(read, write bool) error {
	now := e.lock()
	defer e.unlock(now)
	if l := e.listener; l != nil && read {
		e.listener = nil
		l.close(now)
		e.waiters.Notify(poll.In | poll.Hup)
		return nil
	}
	if e.conn == nil || e.conn.State() == tcp.Closed || e.conn.State() == tcp.SynSent {
		return syscall.ENOTCONN
	}
	if read {
		e.readShut = true
		e.conn.CloseRead()
	}
	if write {
		e.conn.CloseWrite(now)
		e.waiters.Notify(poll.Out)
	}
	return nil
}

// Close gives the socket up: queued data still goes out, unless data was left unread or SetLinger(true, 0) asks for a RST.
// What remains to be done happens without an owner. Closing a listener resets what was not accepted.
// SO_LINGER with a time is the caller's part: it waits for Lingering to become false.
func (e *Endpoint) Close() error {
	now := e.lock()
	defer e.unlock(now)
	e.closed = true
	switch {
	case e.listener != nil:
		e.listener.close(now)
		e.listener = nil
	case e.conn == nil:
	case e.linger.on && e.linger.d == 0:
		e.conn.Abort(now)
	default:
		e.conn.Close(now)
	}
	e.releasePort()
	e.waiters.Notify(poll.Hup)
	return nil
}

// Lingering says whether sent data or the FIN is still unacknowledged; the waiters are told Hup when that ends.
func (e *Endpoint) Lingering() bool {
	defer e.unlock(e.lock())
	return e.conn != nil && !e.conn.Delivered()
}

// Abort resets the connection (RFC 9293 section 3.10.5) and gives the socket up.
func (e *Endpoint) Abort() {
	now := e.lock()
	defer e.unlock(now)
	e.closed = true
	if e.listener != nil {
		e.listener.close(now)
		e.listener = nil
	}
	if e.conn != nil {
		e.conn.Abort(now)
	}
	e.releasePort()
}

// SetLinger sets SO_LINGER; only the combination on and zero changes what Close does.
func (e *Endpoint) SetLinger(on bool, d time.Duration) {
	defer e.unlock(e.lock())
	e.linger.on, e.linger.d = on, d
}

// Linger is what SetLinger set.
func (e *Endpoint) Linger() (bool, time.Duration) {
	defer e.unlock(e.lock())
	return e.linger.on, e.linger.d
}

// Local is the own address; the zero AddrPort before Bind or Connect.
func (e *Endpoint) Local() netip.AddrPort {
	defer e.unlock(e.lock())
	if e.conn == nil && !e.bound.IsValid() {
		return netip.AddrPort{}
	}
	return e.local()
}

// Remote is the peer's address; false when not connected.
func (e *Endpoint) Remote() (netip.AddrPort, bool) {
	defer e.unlock(e.lock())
	if e.conn == nil || e.conn.State() == tcp.Closed || e.conn.State() == tcp.SynSent {
		return netip.AddrPort{}, false
	}
	return e.remote(), true
}

// Ready is what the socket can do now, as Linux's tcp_poll has it.
func (e *Endpoint) Ready() poll.Mask {
	defer e.unlock(e.lock())
	switch {
	case e.listener != nil:
		if e.listener.waiting() > 0 {
			return poll.In
		}
		return 0
	case e.conn == nil:
		return poll.Out | poll.Hup
	}
	c := e.conn
	var m poll.Mask
	if e.err != nil {
		m |= poll.Err
	}
	if c.UrgentPending() {
		m |= poll.Pri
	}
	if c.Readable() > 0 || c.AtEOF() || e.err != nil {
		m |= poll.In
	}
	if c.PeerClosed() || e.readShut || c.State() == tcp.Closed {
		m |= poll.In | poll.RdHup
	}
	if c.Writable() || e.err != nil {
		m |= poll.Out
	}
	if c.State() == tcp.Closed || c.State() == tcp.TimeWait || (c.PeerClosed() || e.readShut) && !c.CanSend() {
		m |= poll.Hup
	}
	return m
}

// Waiters are told whenever Ready gains an event.
func (e *Endpoint) Waiters() *poll.Queue { return &e.waiters }

// TakeError returns and clears the pending error (SO_ERROR).
func (e *Endpoint) TakeError() error {
	defer e.unlock(e.lock())
	return e.takeError()
}

func (e *Endpoint) takeError() error {
	err := e.err
	e.err = nil
	return err
}

// Params returns the settings of the connection, defaults filled in.
func (e *Endpoint) Params() tcp.Params {
	defer e.unlock(e.lock())
	return e.params.Effective(&e.demux.cfg.Config)
}

// SetParams changes the settings; connections that a listener accepts from then on inherit its own.
func (e *Endpoint) SetParams(change func(*tcp.Params)) {
	now := e.lock()
	defer e.unlock(now)
	e.guarded(func() { change(&e.params) })
	if e.conn != nil {
		e.conn.SetParams(now, e.params)
	}
}

// guarded runs f so that a listener's new connections see its change whole.
func (e *Endpoint) guarded(f func()) {
	if e.listener != nil {
		e.listener.mu.Lock()
		defer e.listener.mu.Unlock()
	}
	f()
}

// SetIP sets the IP_TOS and IP_TTL of the segments; TTL 0 is the stack's default.
func (e *Endpoint) SetIP(tos, ttl uint8) {
	defer e.unlock(e.lock())
	e.guarded(func() { e.header.TOS, e.header.TTL = tos&^ecnMask, ttl }) // the ECN field is TCP's own
}

// SetIPOptions sets the IP options of the segments, a source route among them (IP_OPTIONS). It takes precedence over a route
// that the peer's segments came by (RFC 9293 section 3.9.2.1, MUST-52). b is copied.
func (e *Endpoint) SetIPOptions(b []byte) {
	defer e.unlock(e.lock())
	e.guarded(func() { e.header.Options, e.routed = append([]byte(nil), b...), len(b) > 0 })
}

// IPOptions is what SetIPOptions set, or the route back to a peer that came by a source route.
func (e *Endpoint) IPOptions() []byte {
	defer e.unlock(e.lock())
	return append([]byte(nil), e.header.Options...)
}

// IP is what SetIP set.
func (e *Endpoint) IP() (tos, ttl uint8) {
	defer e.unlock(e.lock())
	return e.header.TOS &^ ecnMask, e.header.TTL
}

// MSS is the effective send MSS in octets (TCP_MAXSEG reads it).
func (e *Endpoint) MSS() int {
	defer e.unlock(e.lock())
	if e.conn == nil {
		if e.params.MaxSeg > 0 {
			return e.params.MaxSeg
		}
		return tcp.DefaultMSS
	}
	return e.conn.MSS()
}

// Info is TCP_INFO.
func (e *Endpoint) Info() tcp.Info {
	defer e.unlock(e.lock())
	switch {
	case e.listener != nil:
		return tcp.Info{State: tcp.Listen}
	case e.conn == nil:
		return tcp.Info{}
	}
	return e.conn.Info()
}

// Buffered is the number of octets readable now (FIONREAD) and queued unacknowledged (SIOCOUTQ).
func (e *Endpoint) Buffered() (in, out int) {
	defer e.unlock(e.lock())
	if e.conn == nil {
		return 0, 0
	}
	return e.conn.Readable(), e.conn.Unacked()
}
