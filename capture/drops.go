package capture

import "slices"

// drops finds out which packets the layers below the connections drop: the counter of the reason moves between the moments
// at which the packet is read and its reader asks for another. Where several queues are at work at once, it cannot be said whose
// packet it was, and nothing is.
type drops struct {
	counters []DropCounter
	slots    []slot // one for each queue
}

// slot is a queue, whose reader handles a packet.
type slot struct {
	packet *held // nil: none
	alone  bool  // no other queue's reader has handled one meanwhile
	before []uint64
}

// watch sets the counters.
func (d *drops) watch(counters []DropCounter) {
	d.counters = counters
	for i := range d.slots {
		d.slots[i] = slot{before: make([]uint64, len(counters))}
	}
}

// arrived begins with a packet.
func (d *drops) arrived(queue int, p *held) {
	s := &d.slots[queue]
	s.packet, s.alone = p, true
	for i := range d.slots {
		if o := &d.slots[i]; o != s && o.packet != nil {
			s.alone, o.alone = false, false
		}
	}
	for i := range s.before {
		s.before[i] = d.counters[i].Value()
	}
}

// told takes note of a drop that a connection has told of: it is explained.
func (d *drops) told(name string) {
	i := slices.IndexFunc(d.counters, func(c DropCounter) bool { return c.Name == name })
	if i < 0 {
		return
	}
	for q := range d.slots {
		if s := &d.slots[q]; s.packet != nil {
			s.before[i]++
		}
	}
}

// handled comments on the packet if a counter has moved on its account.
func (d *drops) handled(queue int) {
	s := &d.slots[queue]
	p := s.packet
	s.packet = nil
	if p == nil || p.gone || !s.alone {
		return
	}
	for i := range s.before {
		if c := &d.counters[i]; c.Value() != s.before[i] {
			p.add(dropped(c.Name, c.RFC))
		}
	}
}
