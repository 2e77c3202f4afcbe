package socket

import (
	"bytes"
	"time"

	"tunstack/internal/packet"
	"tunstack/tcp"
)

// input is RFC 9293 section 3.10.7.2: a segment for a port in LISTEN.
func (l *listener) input(now time.Duration, a *arrival, p *packet.Buffer) {
	s := l.stack
	switch {
	case a.seg.Flags.Has(tcp.RST): // first
		s.stats.DropListen.Inc()
	case a.seg.Flags.Has(tcp.ACK): // second: it belongs to no connection, unless it brings back a cookie
		if a.seg.Flags.Has(tcp.SYN) || !l.redeem(now, a) {
			s.stats.DropListen.Inc()
			s.reset(now, a)
		}
	case a.seg.Flags.Has(tcp.SYN): // third
		l.answerSyn(now, a, p)
	default: // fourth
		s.stats.DropListen.Inc()
	}
}

// answerSyn answers a SYN and remembers it as a connection in SYN-RECEIVED if there is room.
func (l *listener) answerSyn(now time.Duration, a *arrival, p *packet.Buffer) {
	s := l.stack
	f, err := s.flowBack(a, l.socket.via())
	if err != nil {
		s.stats.DropAddress.Inc()
		return
	}
	set, room := l.admit(now, a)
	switch room {
	case refused:
		s.stats.DropAcceptQueue.Inc()
	case crowded:
		s.sendCookie(now, &f, &set, &a.seg)
	case admitted:
		setup := s.setup(now, &f, &set)
		if a.minISS != 0 && setup.ISS.Less(a.minISS) {
			setup.ISS = a.minISS
		}
		if h, ok := l.adopt(now, f, set, tcp.Accept(now, &s.cfg.Config, set.params, setup, &a.seg)); ok {
			if set.saveSyn {
				h.uncommon().savedSyn = a.datagram(p)
			}
			h.commit() // sends the SYN,ACK
		}
	}
}

// redeem makes the connection that the cookie in a final ACK stands for; false if there is no cookie in it.
func (l *listener) redeem(now time.Duration, a *arrival) bool {
	s := l.stack
	if !l.sentCookies(now) {
		return false
	}
	f, err := s.flowBack(a, l.socket.via())
	if err != nil {
		return false
	}
	syn, ok := s.readCookie(now, &f, &a.seg)
	if !ok {
		s.stats.DropCookie.Inc()
		return false
	}
	set, room := l.admit(now, a)
	if room == refused {
		s.stats.DropAcceptQueue.Inc()
		return true
	}
	setup := s.setup(now, &f, &set)
	setup.ISS = a.seg.Ack - 1
	tcb := tcp.Accept(now, &s.cfg.Config, set.params, setup, &syn)
	var synAck tcp.Segment
	tcb.Output(now, &synAck) // was sent as the cookie
	if h, ok := l.adopt(now, f, set, tcb); ok {
		s.stats.CookiesIn.Inc()
		h.input(a)
		h.commit()
	}
	return true
}

// datagram is a copy of the headers of the segment in p, the IP header first (TCP_SAVED_SYN).
func (a *arrival) datagram(p *packet.Buffer) []byte {
	n := a.headerLen
	p.Prepend(n)
	header := bytes.Clone(p.Bytes()[:n+a.seg.HeaderLen()])
	p.TrimFront(n)
	return header
}
