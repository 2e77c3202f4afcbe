package capture

import "slices"

// drops finds the packets that a layer below TCP's connections drops. A packet was dropped if a drop counter changes after a queue's reader
// has read the packet and before the reader asks for the next one. If the readers of several queues are active at once, the dropped packet
// is unknown and no packet gets a comment.
type drops struct {
	counters []DropCounter
	slots    []slot // one for each queue
}

// slot is the state of one queue: the packet that its reader handles.
type slot struct {
	packet *held    // nil: none
	alone  bool     // no other queue's reader has handled a packet in the same time
	before []uint64 // the counters' values when the packet arrived
}

// watch sets the counters.
func (d *drops) watch(counters []DropCounter) {
	d.counters = counters
	for i := range d.slots {
		d.slots[i] = slot{before: make([]uint64, len(counters))}
	}
}

// arrived stores the counters' values before a packet is handled.
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

// told accounts for a drop that a connection's record has explained already, so that handled does not add a second comment.
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

// handled adds a comment to a queue's packet if a counter has changed since the packet arrived.
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
