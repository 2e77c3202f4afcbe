// Package tcp is the Transmission Control Protocol (RFC 9293) as a pure state machine: no locks, no goroutines, no clock,
// no I/O, no randomness. Package tcp/socket runs it on a stack; a test or a simulator runs it alone.
//
// The caller passes each segment that arrives to Input, transmits the segments that Output returns, and calls Output again at Deadline. The
// user's calls are Read, Write, CloseWrite, Close and Abort. To debug a handshake, set breakpoints on Input, Output and setState.
package tcp

import (
	"cmp"
	"syscall"
	"time"
)

// Conn is one connection. Its methods must not be called concurrently. The fields that matter most in a debugger come first.
type Conn struct {
	state  State
	snd    sender
	rcv    receiver
	timers timers
	rtt    rtt
	cc     congestion
	rack   rack
	tlp    tlp
	ecn    ecn

	ack     ackState
	reset   pendingReset
	passive bool          // opened by the peer's SYN (RFC 9293 section 3.5, MUST-11)
	orphan  bool          // the connection has no user any more: it has called Close or Abort
	moved   bool          // SND.UNA has advanced since the last call of Progressed
	err     syscall.Errno // the error that ended the connection; 0: none
	events  Events        // since the last call of Events

	scaleOK, sackOK, tsOK bool  // the options that both ends use
	netHeader             uint8 // length of the IP header without options, in bytes

	params *Params // shared, and never changed
	cfg    *Config

	mtu        int // path MTU in bytes
	blackhole  blackhole
	maxPayload int // payload of the largest super-segment in bytes; 0: Output makes none
	advMSS     int // the MSS that we announce
	counts     counts

	tracer Tracer    // nil: none
	traced *snapshot // the values last traced; nil: no tracer
}

// counts are the totals in Info.
type counts struct {
	segsIn, segsOut, retransmits                       uint64
	bytesAcked, bytesReceived, bytesSent, bytesRetrans uint64
}

// Progressed reports whether the peer has acknowledged something new since the last call.
func (c *Conn) Progressed() bool {
	moved := c.moved
	c.moved = false
	return moved
}

// Events are the changes of a connection since the last call of Conn.Events.
type Events uint16

const (
	Readable  Events = 1 << iota // Read returns bytes, or the end of the stream, or an error is pending
	Writable                     // the send buffer has room
	Connected                    // the state is ESTABLISHED
	Ended                        // the state is CLOSED or TIME-WAIT: no more data arrives
	Failed                       // an error is pending
	Acked                        // the peer has acknowledged all data and the FIN
	Urgent                       // the peer has announced urgent data, or more of it
	Troubled                     // R1 is reached: the peer has not acknowledged data for long (RFC 9293 section 3.8.3)
)

// Setup is the environment of a new connection.
type Setup struct {
	ISS        Seq    // initial send sequence number (RFC 6528)
	TSOffset   uint32 // added to the clock in timestamps (RFC 7323 section 5.4)
	NetHeader  int    // length of the IP header without options, in bytes; 0: IPv4's
	MTU        int    // path MTU in bytes, less the IP options of each segment
	LinkMTU    int    // size of the largest datagram that we can receive: the MSS that we announce depends on it
	MaxPayload int    // payload of the largest super-segment that the device takes, in bytes; 0: it takes none
	Tracer     Tracer // traces all events of the connection; nil: none
}

// newConn returns a connection in CLOSED.
func newConn(cfg *Config, p *Params, s Setup) *Conn {
	c := &Conn{cfg: cfg, params: p, mtu: s.MTU, maxPayload: s.MaxPayload}
	c.netHeader = uint8(cmp.Or(s.NetHeader, IPv4Header))
	c.advMSS = s.LinkMTU - c.headers()
	if p.MaxSeg > 0 {
		c.advMSS = min(c.advMSS, p.MaxSeg)
	}
	c.snd.iss, c.snd.una, c.snd.nxt = s.ISS, s.ISS, s.ISS
	for _, mark := range c.marks() {
		*mark = s.ISS
	}
	c.snd.tsOffset = s.TSOffset
	c.snd.peerMSS = DefaultMSS(int(c.netHeader))
	c.snd.buffer = cfg.InitialSndBuf
	c.rcv.buffer = cfg.InitialRcvBuf
	c.rcv.shift = windowShift(cfg.MaxRcvBuf)
	if p.RcvBuf > 0 {
		c.rcv.shift = windowShift(p.RcvBuf)
	}
	c.rtt.rto = cfg.InitialRTO
	c.cc.init(p.Effective(cfg).Congestion)
	c.cc.setMaxPacingRate(0, p.MaxPacingRate)
	c.SetTracer(s.Tracer)
	return c
}

// marks are the recorded sequence numbers that are compared with SND.UNA. They start at the ISS, and advanceUna advances those that SND.UNA passes,
// because a number more than 2^31 bytes before SND.UNA would compare as after it.
func (c *Conn) marks() [5]*Seq {
	return [...]*Seq{&c.cc.recover, &c.rack.highest, &c.rack.end, &c.rack.roundEnd, &c.ecn.until}
}

// Values of Setup.NetHeader: lengths of the IP headers without options, in bytes.
const (
	IPv4Header = 20
	IPv6Header = 40
)

// leastMTU is the path MTU that a host may assume in bytes, behind an IP header of a length: 576, and 1280 for IPv6.
func leastMTU(netHeader int) int {
	if netHeader == IPv6Header {
		return 1280
	}
	return 576
}

// DefaultMSS is the MSS of a peer that sends no MSS option, behind an IP header of netHeader bytes: 536, and 1220 for IPv6 (RFC 9293
// section 3.7.1, MUST-15).
func DefaultMSS(netHeader int) int { return leastMTU(netHeader) - netHeader - HeaderLen }

// headers is the length of the IP header and the TCP header without options, in bytes.
func (c *Conn) headers() int { return int(c.netHeader) + HeaderLen }

// windowShift returns the smallest window scale with which the header can announce size bytes (RFC 7323 section 2.3).
func windowShift(size int) uint8 {
	shift := uint8(0)
	for shift < MaxWindowScale && size > 65535<<shift {
		shift++
	}
	return shift
}

// Open begins an active open: the next Output is the SYN. Connections may share p, which must not change from then on.
func Open(now time.Duration, cfg *Config, p *Params, s Setup) *Conn {
	c := newConn(cfg, p, s)
	c.cfg.Stats.ActiveOpens.Inc()
	c.rcv.openWindow(c.rcvLimit())
	c.setState(now, SynSent)
	return c
}

// Accept begins a passive open with the SYN that arrived: the next Output is the SYN,ACK (RFC 9293 section 3.10.7.2).
// Connections may share p, which must not change from then on.
func Accept(now time.Duration, cfg *Config, p *Params, s Setup, syn *Segment) *Conn {
	c := newConn(cfg, p, s)
	c.passive, c.state = true, Listen
	c.traceSegment(now, Event{Kind: SegmentIn}, syn)
	c.cfg.Stats.PassiveOpens.Inc()
	c.rcv.openWindow(c.rcvLimit())
	c.learnSyn(now, syn)
	c.ecn.received(c, syn)
	c.setState(now, SynReceived)
	return c
}

// learnSyn takes the sequence number, the options and the window of the peer's SYN.
func (c *Conn) learnSyn(now time.Duration, syn *Segment) {
	o := &syn.Options
	c.rcv.start(syn.Seq.Add(1))
	c.tsOK = o.HasTS && !c.cfg.NoTimestamps
	c.sackOK = o.SackPermitted && !c.cfg.NoSACK
	c.scaleOK = o.HasScale && !c.cfg.NoWindowScale
	if c.scaleOK {
		c.snd.shift = o.Scale
	} else {
		c.rcv.shift = 0
		c.rcv.limitUnscaled()
	}
	if o.MSS != 0 {
		c.snd.peerMSS = max(int(o.MSS), c.cfg.MinMSS)
	}
	if c.tsOK {
		c.rcv.tsRecent, c.rcv.tsRecentAt = o.TSVal, now
	}
	c.snd.wnd, c.snd.maxWnd = int(syn.Wnd), int(syn.Wnd) // never scaled in a SYN
	c.snd.wl1, c.snd.wl2 = syn.Seq, syn.Ack
	c.ecn.negotiate(c, syn)
	c.updateMSS()
}

// updateMSS derives the payload of a full-sized segment: Eff.snd.MSS of RFC 9293 section 3.7.1.
func (c *Conn) updateMSS() {
	mss := min(c.snd.peerMSS, c.effectiveMTU()-c.headers())
	if c.params.MaxSeg > 0 {
		mss = min(mss, c.params.MaxSeg)
	}
	if c.tsOK {
		mss -= 12
	}
	c.snd.mss = max(mss, 8)
}

// SetMTU sets the path MTU in bytes, less the IP options of each segment. If full-sized segments no longer fit, it marks all data in flight as
// lost, and Output sends it again at once in smaller segments (RFC 1191 section 6.4).
func (c *Conn) SetMTU(mtu int) {
	if mtu == c.mtu {
		return
	}
	smaller := mtu < c.mtu
	c.mtu = mtu
	old := c.snd.mss
	c.updateMSS()
	if smaller && c.state.synchronized() && c.snd.mss < old {
		c.snd.board.markAllLost()
	}
}

// MTU is the path MTU that the connection uses, in bytes.
func (c *Conn) MTU() int { return c.mtu }

// State is the connection's state.
func (c *Conn) State() State { return c.state }

// MSS is the payload of a full-sized segment in bytes.
func (c *Conn) MSS() int {
	if c.snd.mss == 0 {
		return c.snd.peerMSS
	}
	return c.snd.mss
}

// setState changes the state. It also sets the timers and events of the new state, and frees memory that it does not need. Only setState and
// Accept change the state.
func (c *Conn) setState(now time.Duration, s State) {
	from := c.state
	c.state = s
	c.trace(now, Event{Kind: StateChanged, From: from})
	switch s {
	case Established:
		c.events |= Connected | Writable
		c.cfg.Stats.Established.Inc()
		c.timers.armKeepAlive(now, c.params.Effective(c.cfg))
	case FinWait2:
		if c.orphan {
			c.awaitFin(now)
		}
	case TimeWait:
		c.timers = timers{linger: now + 2*c.cfg.MSL}
		c.cc.end()
		c.snd.buf.Release()
		c.events |= Ended | Readable | Writable
	case Closed:
		c.timers = timers{}
		c.cc.end()
		c.snd.buf.Release()
		c.snd.board = scoreboard{}
		c.rcv.reassembler.release()
		if c.orphan {
			c.rcv.release()
		}
		c.events |= Ended | Readable | Writable
	}
}

// fail ends the connection with an error, which Err then returns.
func (c *Conn) fail(now time.Duration, err syscall.Errno) {
	c.err = err
	c.events |= Failed
	c.setState(now, Closed)
}

// synchronized reports whether both ends know each other's sequence numbers (RFC 9293 section 3.5.1).
func (s State) synchronized() bool { return s >= Established }

// Events returns the events since the last call and clears them.
func (c *Conn) Events() Events {
	e := c.events
	c.events = 0
	return e
}

// Err is the error that ended the connection: ECONNRESET, ECONNREFUSED, ETIMEDOUT, or 0.
func (c *Conn) Err() syscall.Errno { return c.err }

// Passive reports whether the peer opened the connection.
func (c *Conn) Passive() bool { return c.passive }

// Params returns the settings.
func (c *Conn) Params() Params { return *c.params }

// SetParams changes the settings; the next Output acts on them. Connections may share p, which must not change from then on.
func (c *Conn) SetParams(now time.Duration, p *Params) {
	keep := p.KeepAlive != c.params.KeepAlive || p.KeepIdle != c.params.KeepIdle
	uncork := c.params.Cork && !p.Cork
	c.params = p
	c.cc.setMaxPacingRate(now, p.MaxPacingRate)
	if uncork {
		c.Push()
	}
	if c.snd.mss != 0 {
		c.updateMSS()
	}
	if keep && c.state.synchronized() && c.state != TimeWait {
		c.timers.armKeepAlive(max(now, c.rcv.lastAt), c.params.Effective(c.cfg))
	}
	if name := p.Effective(c.cfg).Congestion; name != c.cc.name() {
		c.cc.use(name)
		if c.state.synchronized() {
			c.cc.algorithm.start(now, c)
		}
	}
}

// FailConnect ends a connection in SYN-SENT with err, because an ICMP error reports that it cannot succeed (RFC 9293 section 3.9.2.2).
func (c *Conn) FailConnect(now time.Duration, err syscall.Errno) {
	if c.state == SynSent {
		c.fail(now, err)
	}
}

// InFlight reports whether seq was sent and is not acknowledged. An ICMP error that quotes another number is forged or late (RFC 5927
// section 4.1).
func (c *Conn) InFlight(seq Seq) bool {
	snd := &c.snd
	return snd.una.LessEq(seq) && seq.Less(snd.nxt) || snd.persist.probed && seq == snd.nxt
}

// Reuse ends a connection in TIME-WAIT if the SYN s cannot be an old duplicate, by its timestamp or its sequence number (RFC 6191 section 2).
// It returns the ISS of the next connection.
func (c *Conn) Reuse(now time.Duration, s *Segment) (Seq, bool) {
	if c.state != TimeWait {
		return 0, false
	}
	newer := c.rcv.nxt.Less(s.Seq)
	if c.tsOK && s.Options.HasTS {
		age := int32(s.Options.TSVal - c.rcv.tsRecent)
		newer = age > 0 || age == 0 && newer
	}
	if !newer {
		return 0, false
	}
	c.setState(now, Closed)
	return c.snd.nxt.Add(65535 + 2), true
}
