package socket

import (
	"bytes"
	"time"

	"tunstack/internal/packet"
	"tunstack/tcp"
)

// input is RFC 9293 section 3.10.7.2: a segment for a port in LISTEN.
func (l *listener) input(now time.Duration, a *arrival, p *packet.Buffer) {
	d := l.demux
	switch {
	case a.seg.Flags.Has(tcp.RST): // first
		d.stats.DropListen.Inc()
	case a.seg.Flags.Has(tcp.ACK): // second: it belongs to nothing, unless it brings back a cookie
		if a.seg.Flags.Has(tcp.SYN) || !l.redeem(now, a) {
			d.stats.DropListen.Inc()
			d.reset(now, a)
		}
	case a.seg.Flags.Has(tcp.SYN): // third
		l.answerSyn(now, a, p)
	default: // fourth
		d.stats.DropListen.Inc()
	}
}

// answerSyn answers a SYN and remembers it as a connection in SYN-RECEIVED if there is room.
func (l *listener) answerSyn(now time.Duration, a *arrival, p *packet.Buffer) {
	d := l.demux
	f, err := d.flowBack(a, l.endpoint.via())
	if err != nil {
		d.stats.DropAddress.Inc()
		return
	}
	set, room := l.admit(now, a)
	switch room {
	case refused:
		d.stats.DropBacklog.Inc()
	case crowded:
		d.sendCookie(now, &f, &set, &a.seg)
	case admitted:
		setup := d.setup(now, &f, &set)
		if a.minISS != 0 && setup.ISS.Less(a.minISS) {
			setup.ISS = a.minISS
		}
		if e := l.adopt(f, set, tcp.Accept(now, &d.cfg.Config, set.params, setup, &a.seg)); e != nil {
			if set.saveSyn {
				e.uncommon().savedSyn = a.datagram(p)
			}
			e.unlock(now) // sends the SYN,ACK
		}
	}
}

// redeem makes the connection that the cookie in a final ACK stands for; false if there is none in it.
func (l *listener) redeem(now time.Duration, a *arrival) bool {
	d := l.demux
	if !l.sentCookies(now) {
		return false
	}
	f, err := d.flowBack(a, l.endpoint.via())
	if err != nil {
		return false
	}
	syn, ok := d.readCookie(now, &f, &a.seg)
	if !ok {
		d.stats.DropCookie.Inc()
		return false
	}
	set, room := l.admit(now, a)
	if room == refused {
		d.stats.DropBacklog.Inc()
		return true
	}
	setup := d.setup(now, &f, &set)
	setup.ISS = a.seg.Ack - 1
	conn := tcp.Accept(now, &d.cfg.Config, set.params, setup, &syn)
	var sent tcp.Segment
	conn.Output(now, &sent) // the SYN,ACK that went out as the cookie
	if e := l.adopt(f, set, conn); e != nil {
		d.stats.CookiesIn.Inc()
		e.input(now, a)
		e.unlock(now)
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
