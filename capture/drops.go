package capture

import "slices"

// drops finds the packets that the layers below the connections drop: the counter of the reason changes between the time at which the
// packet is read and the time at which its reader asks for the next one. If several queues are active at once, the packet is unknown and
// gets no comment.
type drops struct {
	counters []DropCounter
	slots    []slot // one for each queue
}

// slot is the packet that the reader of one queue handles.
type slot struct {
	packet *held // nil: none
	alone  bool  // no other queue's reader has handled a packet in the same time
	before []uint64
}

// watch sets the counters.
func (d *drops) watch(counters []DropCounter) {
	d.counters = counters
	for i := range d.slots {
		d.slots[i] = slot{before: make([]uint64, len(counters))}
	}
}

// arrived notes the counters before a packet is handled.
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

// told notes a drop that the record of a connection explains.
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

// handled comments on the packet of a queue if a counter has changed.
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
