package demux

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/ports"
	"tunstack/internal/timer"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// Endpoint is one TCP socket: first idle, then a listener or a connection. No method blocks: what cannot be done
// now is syscall.EAGAIN, and Waiters tells when to try again. All are safe for concurrent use.
//
// The packet path and the timers never wait for mu. They leave word (inbox, due) and try the lock; whoever holds it
// acts on all that was left before it lets go, see unlock.
type Endpoint struct {
	demux   *Demux
	waiters poll.Queue
	timer   timer.Timer
	inbox   inbox
	due     atomic.Bool // the timer has expired
	batched atomic.Bool // a Flush is coming

	mu       sync.Mutex
	conn     *tcp.Conn // nil until Connect
	listener *listener // nil until Listen
	parent   *listener // of a connection that was not accepted yet
	id       tuple
	bound    netip.Addr // what Bind said; the zero Addr before
	route    *ipv4.Route
	header   ipv4.Header
	routed   bool // the user chose the IP options
	port     ports.Reservation
	params   tcp.Params
	reuse    ports.Flags
	queue    uint16
	err      error // pending: reported once
	soft     error // an ICMP error that explains a later timeout
	gone     bool  // out of the table
	closed   bool  // by its owner
	readShut bool
	linger   struct {
		on bool
		d  time.Duration
	}
}

// NewEndpoint returns an idle socket.
func (d *Demux) NewEndpoint() *Endpoint {
	e := &Endpoint{demux: d, header: ipv4.Header{Protocol: ipv4.ProtocolTCP, DF: true}}
	e.timer.Init(d.cfg.Timers, e)
	return e
}

// unlock acts on what has come and on what the holder has changed, and lets go: segments in, segments out, wake-ups,
// timer. Whoever came too late to be seen finds the lock free, or makes the loop go round again.
func (e *Endpoint) unlock(now time.Duration) {
	for {
		e.due.Store(false)
		e.drain(now)
		e.settle(now)
		e.mu.Unlock()
		if !e.left() || !e.mu.TryLock() {
			return
		}
	}
}

// left says whether word was left for the holder of the lock.
func (e *Endpoint) left() bool { return e.inbox.any() || e.due.Load() }

// deliver hands a segment of this connection to it. It takes p over, in which s lies.
func (e *Endpoint) deliver(now time.Duration, h *ipv4.Header, s *tcp.Segment, p *packet.Buffer) {
	if !e.mu.TryLock() {
		if !e.inbox.put(p, h.TOS) {
			e.demux.stats.DropInbox.Inc()
		}
		if e.mu.TryLock() {
			e.unlock(now)
		}
		return
	}
	e.drain(now)
	if len(h.Options) > 0 && !e.routed {
		e.header.Options = h.ReverseRoute(e.header.Options[:0]) // a later route replaces the earlier (SHLD-24)
	}
	e.input(now, s, h.TOS, p.Queue)
	batch := p.Batch
	p.Free()
	if batch == nil {
		e.unlock(now)
		return
	}
	if !e.batched.Swap(true) {
		batch.Add(e)
	}
	e.mu.Unlock()
	if e.left() && e.mu.TryLock() {
		e.unlock(now)
	}
}

// Flush answers what came in a batch. A holder of the lock took it after the batch's segments were in, and does the same.
func (e *Endpoint) Flush(now time.Duration) {
	e.batched.Store(false)
	if e.mu.TryLock() {
		e.unlock(now)
	}
}

// Expire is called by the timer.
func (e *Endpoint) Expire(now time.Duration) {
	e.due.Store(true)
	if e.mu.TryLock() {
		e.unlock(now)
	}
}

func (e *Endpoint) drain(now time.Duration) {
	for w, ok := e.inbox.take(); ok; w, ok = e.inbox.take() {
		var s tcp.Segment
		if s.Parse(w.p.Bytes()) == nil {
			e.input(now, &s, w.tos, w.p.Queue)
		}
		w.p.Free()
	}
}

// input runs the machine on a segment. The final ACK of a handshake waits while the accept queue is full, as on Linux.
func (e *Endpoint) input(now time.Duration, s *tcp.Segment, tos uint8, queue uint16) {
	if e.conn == nil {
		return
	}
	e.queue = queue
	if e.parent != nil && e.conn.State() == tcp.SynReceived && s.Flags.Has(tcp.ACK) && !s.Flags.Has(tcp.RST) && e.parent.full() {
		e.demux.stats.DropBacklog.Inc()
		return
	}
	s.CE = tos&ecnMask == ecnCE
	e.conn.Input(now, s)
}

// settle sends what the machine has to send, and passes on what it has to tell.
func (e *Endpoint) settle(now time.Duration) {
	if e.conn == nil || e.gone {
		return
	}
	if mtu := e.route.MTU(); mtu != e.conn.MTU() {
		e.conn.SetMTU(mtu)
	}
	var s tcp.Segment
	for e.conn.Output(now, &s) {
		if err := e.demux.transmit(now, e.route, &e.header, e.id, &s, e.queue); err != nil {
			e.refused(now, err)
		}
	}
	e.announce(now, e.conn.Events())
	if at := e.conn.Deadline(); at != 0 {
		e.timer.ArmEarlier(at)
	}
}

// refused takes an error of the link: a neighbour known not to answer fails a connection attempt at once.
func (e *Endpoint) refused(now time.Duration, err error) {
	if err != syscall.EHOSTUNREACH && err != syscall.ENETUNREACH {
		return
	}
	e.soft = err
	if e.conn.State() == tcp.SynSent {
		e.conn.Refuse(now, err.(syscall.Errno))
	}
}

// announce turns the machine's events into wake-ups and the endpoint's own upkeep.
func (e *Endpoint) announce(now time.Duration, events tcp.Events) {
	if events == 0 {
		return
	}
	if events&tcp.Troubled != 0 {
		e.demux.ip.Doubt(now, e.route)
	}
	if events&tcp.Failed != 0 && !e.closed {
		e.err = e.conn.Err()
		if e.err == syscall.ETIMEDOUT && e.soft != nil {
			e.err = e.soft
		}
	}
	if e.parent != nil {
		e.tellParent(now, events)
	}
	if events&tcp.Ended != 0 {
		e.end()
	}
	var mask poll.Mask
	if events&tcp.Readable != 0 {
		mask |= poll.In | poll.RdHup
	}
	if events&(tcp.Writable|tcp.Connected) != 0 {
		mask |= poll.Out
	}
	if events&tcp.Urgent != 0 {
		mask |= poll.Pri
	}
	if events&tcp.Failed != 0 {
		mask |= poll.Err
	}
	if events&(tcp.Ended|tcp.Acked) != 0 {
		mask |= poll.Hup
	}
	e.waiters.Notify(mask)
}

// tellParent moves a connection of a listener from half-open to waiting, or out. The parent, when it has closed
// meanwhile, wants it no more.
func (e *Endpoint) tellParent(now time.Duration, events tcp.Events) {
	switch {
	case e.conn.State() == tcp.Closed:
		e.parent.lost(e)
		e.parent, e.closed = nil, true
	case events&tcp.Connected != 0 && !e.parent.ready(e):
		e.parent, e.closed = nil, true
		e.conn.Abort(now)
		e.settle(now)
	}
}

// end takes a finished connection out of the table; one in TIME-WAIT stays until that is over.
func (e *Endpoint) end() {
	if e.conn.State() == tcp.TimeWait {
		e.port = e.demux.ports.TimeWait(e.port)
		return
	}
	e.gone = true
	e.timer.Stop()
	e.demux.conns.remove(e.id, e)
	e.releasePort()
}

// releasePort gives the port back once neither connection nor owner needs it.
func (e *Endpoint) releasePort() {
	if e.closed && (e.gone || e.conn == nil) {
		e.demux.ports.Release(e.port)
		e.port = ports.Reservation{}
	}
}

// reusable says whether the segment is a SYN that may take over a connection in TIME-WAIT, and then ends that. The
// new connection's sequence numbers start above the old one's (RFC 9293 section 3.6.1, RFC 6191).
func (e *Endpoint) reusable(now time.Duration, s *tcp.Segment) (tcp.Seq, bool) {
	if s.Flags&(tcp.SYN|tcp.ACK|tcp.RST) != tcp.SYN || !e.mu.TryLock() {
		return 0, false
	}
	defer e.unlock(now)
	if e.conn == nil {
		return 0, false
	}
	iss, ok := e.conn.Reuse(now, s)
	return iss, ok
}

// advise takes an ICMP error, if it quotes a segment that is really in flight (RFC 5927 section 4.1).
func (e *Endpoint) advise(now time.Duration, err *ipv4.Error, seq tcp.Seq) {
	if !e.mu.TryLock() {
		return // errors are hints: one that comes at a bad moment is as good as lost on the way
	}
	defer e.unlock(now)
	if e.conn == nil || !err.Local && !e.conn.InFlight(seq) {
		return
	}
	if err.Type == ipv4.Unreachable && err.Code == ipv4.CodeFragNeeded {
		e.demux.ip.UpdatePMTU(now, err)
		return
	}
	errno := err.Errno()
	if errno == 0 {
		return
	}
	e.soft = errno
	if e.conn.State() == tcp.SynSent { // established connections survive (RFC 5461, RFC 5927 section 5.2)
		e.conn.Refuse(now, errno)
	}
}

// status is the endpoint's row of netstat; false when it is being changed into something else just now.
func (e *Endpoint) status() (Status, bool) {
	e.mu.Lock()
	defer e.unlock(e.demux.now())
	if e.conn == nil {
		return Status{}, false
	}
	return Status{
		State: stateNames[e.conn.State()], RecvQ: e.conn.Readable(), SendQ: e.conn.Unacked(),
		Local: e.local(), Remote: e.remote(),
	}, true
}

func (e *Endpoint) local() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(e.id.local), e.id.localPort)
}

func (e *Endpoint) remote() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(e.id.remote), e.id.remotePort)
}
