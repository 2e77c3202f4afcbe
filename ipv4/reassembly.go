package ipv4

import (
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
)

// reassembly holds the datagrams of which not all fragments have come (RFC 791 section 3.2, RFC 1122 section 3.3.2).
//
// Memory is bounded: one source may use half of it, and when all of it is used, the oldest datagram goes. So a
// single flooder cannot starve the others, and many of them need to be faster than a datagram takes to arrive.
type reassembly struct {
	stack     *Stack
	mu        sync.Mutex
	datagrams map[datagramKey]*datagram
	first     *datagram // by age, the oldest first; all live equally long
	last      *datagram
	memory    int
	bySource  map[netip.Addr]int // memory per source
	free      []*datagram        // for reuse
	timer     timer.Timer
}

type datagramKey struct {
	src, dst netip.Addr
	id       uint16
	protocol uint8
}

func (r *reassembly) init(s *Stack) {
	r.stack = s
	r.datagrams, r.bySource = make(map[datagramKey]*datagram), make(map[netip.Addr]int)
	r.timer.Init(s.cfg.Timers, r)
}

// reassemble takes a fragment over, and delivers the datagram that it completes.
func (s *Stack) reassemble(now time.Duration, h *Header, p *packet.Buffer) {
	s.stats.FragmentsIn.Inc()
	whole, drop := s.reassembly.add(now, h, p.Bytes())
	if drop != nil {
		drop.Inc()
	}
	if whole == nil {
		p.Free()
		return
	}
	whole.Cast, whole.Queue = p.Cast, p.Queue
	p.Free()
	s.stats.Reassembled.Inc()
	h.Parse(whole.Bytes())
	s.deliver(now, h, whole)
}

// add copies a fragment to its place. It returns the datagram once it is whole, or the reason why something was dropped.
func (r *reassembly) add(now time.Duration, h *Header, b []byte) (*packet.Buffer, *stats.Counter) {
	payload := b[h.Len():]
	end := int(h.Offset) + len(payload)
	if len(payload) == 0 || h.MF && len(payload)%8 != 0 || h.Len()+end > MaxDatagram {
		return nil, &r.stack.stats.DropFragment
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := datagramKey{h.Src, h.Dst, h.ID, h.Protocol}
	d := r.datagrams[key]
	if d == nil {
		d = r.open(now, key, h)
	}
	before := d.memory()
	drop := d.add(&r.stack.stats, h, b)
	r.account(d, d.memory()-before)
	switch {
	case drop == &r.stack.stats.Duplicates:
		return nil, drop
	case drop != nil:
		r.close(d).Free()
		return nil, drop
	case d.whole() && d.size() > MaxDatagram: // the first fragment's header is longer than the others'
		r.close(d).Free()
		return nil, &r.stack.stats.DropFragment
	case d.whole():
		p := r.close(d)
		d.finish(p)
		return p, nil
	}
	return nil, r.makeRoom(key.src)
}

func (r *reassembly) open(now time.Duration, key datagramKey, h *Header) *datagram {
	var d *datagram
	if n := len(r.free); n > 0 {
		d, r.free = r.free[n-1], r.free[:n-1]
	} else {
		d = new(datagram)
	}
	*d = datagram{key: key, in: h.If, cast: h.Cast, expires: now + r.stack.cfg.ReassemblyTimeout, pieces: d.pieces[:0], older: r.last}
	if r.last != nil {
		r.last.newer = d
	} else {
		r.first = d
		r.timer.Arm(d.expires)
	}
	r.last = d
	r.datagrams[key] = d
	return d
}

// close forgets a datagram and returns its buffer.
func (r *reassembly) close(d *datagram) *packet.Buffer {
	r.account(d, -d.memory())
	delete(r.datagrams, d.key)
	if d.older != nil {
		d.older.newer = d.newer
	} else {
		r.first = d.newer
	}
	if d.newer != nil {
		d.newer.older = d.older
	} else {
		r.last = d.older
	}
	p := d.p
	d.p, d.older, d.newer, d.in = nil, nil, nil, nil
	const spare = 64
	if len(r.free) < spare {
		r.free = append(r.free, d)
	}
	return p
}

func (r *reassembly) account(d *datagram, change int) {
	r.memory += change
	if r.bySource[d.key.src] += change; r.bySource[d.key.src] == 0 {
		delete(r.bySource, d.key.src)
	}
}

// makeRoom gives up the oldest datagrams, of the source that has more than its share and then of all.
func (r *reassembly) makeRoom(src netip.Addr) (drop *stats.Counter) {
	limit := r.stack.cfg.ReassemblyMemory
	for d := r.first; d != nil && (r.bySource[src] > limit/2 || r.memory > limit); {
		next := d.newer
		if d.key.src == src || r.bySource[src] <= limit/2 {
			drop = &r.stack.stats.DropReassemblyFull
			r.close(d).Free()
		}
		d = next
	}
	return drop
}

// Expire gives up the datagrams whose time is over, and tells their senders if the first fragment had come.
func (r *reassembly) Expire(now time.Duration) {
	for {
		r.mu.Lock()
		d := r.first
		if d == nil || d.expires > now {
			if d != nil {
				r.timer.Arm(d.expires)
			}
			r.mu.Unlock()
			return
		}
		h := Header{Cast: d.cast, If: d.in}
		first := d.firstLen
		p := r.close(d)
		if first > 0 {
			d.restoreFirst(p)
		}
		r.mu.Unlock()
		r.stack.stats.DropReassemblyTime.Inc()
		if first > 0 && h.Parse(p.Bytes()) {
			r.stack.report(now, Error{Type: TimeExceeded, Code: CodeReassembly}, &h, p)
		}
		p.Free()
	}
}
