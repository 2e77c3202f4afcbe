// Package capture records the packets that cross a stack's device. A comment on each packet gives the state of its connection, the reason
// why a segment was sent or a packet was dropped, and the RFC section.
//
// The packets come from the device (tun.Observer), the comments from the records of the connections (trace.Record). A packet is held for
// a short time, until the records about it have arrived, and is then passed to the watchers. Without a watcher a packet costs one load of
// a pointer.
package capture

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket/layers"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/trace"
	"tunstack/tun"
)

// Packet is one packet that crossed the device.
type Packet struct {
	At      time.Time
	Out     bool   // the stack sent it
	Data    []byte // starts with the link header, if there is one; checksums are complete; read only
	Comment string // state, reason and RFC section; "" if unknown
	Cut     bool   // Data is only the beginning of the packet, from the capture of another program
}

// Source is the interface that the packets crossed.
type Source struct {
	Name string // "" if the file does not name it
	Link layers.LinkType
}

// linkLen is the length of the link header in bytes.
func (s Source) linkLen() int {
	if s.Link == layers.LinkTypeEthernet {
		return 14
	}
	return 0
}

// Stack is the stack that explains the packets; a socketapi.Stack is one.
type Stack interface {
	// Trace calls f with the records of the connections that match selects, until stop is called.
	Trace(match func(local, remote netip.AddrPort) bool, f func(trace.Record)) (stop func())
	// Drops returns the counters of dropped packets.
	Drops() []DropCounter
}

// DropCounter counts the packets that were dropped for one reason.
type DropCounter = stats.Named

// Clock tells the time since its start.
type Clock interface {
	Now() time.Duration
}

// hold is the time for which a packet is held for its comment: between once and twice this time. Nearly all comments are made at once; only
// those on a segment that finds its connection locked come later.
const hold = 20 * time.Millisecond

// maxHeld bounds the held packets, in bytes.
const maxHeld = 16 << 20

// Capture records the packets of one device. It is safe for concurrent use.
type Capture struct {
	source Source
	start  time.Time // when the clock was 0
	clock  Clock

	watchers atomic.Pointer[[]*watcher] // nil: none

	joining sync.Mutex // of changes of the two below
	stack   Stack      // nil: none yet
	untrace func()     // nil: the connections are not traced

	delivering sync.Mutex // of calls of watchers, taken before mu

	mu         sync.Mutex // of all below
	old, young []*held    // held packets, in the order of time
	size       int        // their bytes
	ticking    bool
	joiner     joiner
	drops      drops
}

type watcher struct{ f func([]*Packet) }

// held is a packet that waits for its comment.
type held struct {
	Packet
	gone bool // it has been delivered: its comment must not change
}

// Of returns a Capture of the packets of d, and the device to use instead of d. Timestamps are start plus the time of c.
func Of(d tun.Device, start time.Time, c Clock) (*Capture, tun.Device) {
	source := Source{Name: d.Name(), Link: layers.LinkTypeRaw}
	if d.Kind() == tun.TAP {
		source.Link = layers.LinkTypeEthernet
	}
	capture := &Capture{source: source, start: start, clock: c}
	capture.joiner.flows = map[ends]*flow{}
	capture.drops.slots = make([]slot, len(d.Queues()))
	return capture, tun.Observe(d, observer{capture})
}

// Source returns the interface of the device.
func (c *Capture) Source() Source { return c.source }

// Attach sets the stack that uses the device. Packets before that have no comments.
func (c *Capture) Attach(s Stack) {
	c.joining.Lock()
	defer c.joining.Unlock()
	c.mu.Lock()
	c.drops.watch(s.Drops())
	c.mu.Unlock()
	c.stack = s
	c.ask()
}

// Watch calls f with the packets from now on, in the order of time, until stop is called. When stop returns, f has been called with all
// packets before it and is not called again. Calls of f do not overlap. Some are on the packet path: f must not use the stack. The slice
// is valid during the call, the packets after it, too.
func (c *Capture) Watch(f func([]*Packet)) (stop func()) {
	w := &watcher{f}
	c.change(func(list []*watcher) []*watcher { return append(list, w) })
	return sync.OnceFunc(func() {
		c.deliver(c.takeAll)
		c.change(func(list []*watcher) []*watcher {
			return slices.DeleteFunc(list, func(o *watcher) bool { return o == w })
		})
	})
}

func (c *Capture) change(f func([]*watcher) []*watcher) {
	c.joining.Lock()
	defer c.joining.Unlock()
	c.delivering.Lock()
	var list []*watcher
	if old := c.watchers.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = f(list); len(list) > 0 {
		c.watchers.Store(&list)
	} else {
		c.watchers.Store(nil)
	}
	c.delivering.Unlock()
	c.ask()
}

// ask traces the connections while there is a watcher. The caller holds joining.
func (c *Capture) ask() {
	watched := c.watchers.Load() != nil
	switch {
	case watched && c.untrace == nil && c.stack != nil:
		c.untrace = c.stack.Trace(func(_, _ netip.AddrPort) bool { return true }, c.record)
	case !watched && c.untrace != nil:
		c.untrace()
		c.untrace = nil
	}
}

// observer is the Capture as an Observer of the device.
type observer struct{ *Capture }

// Arrived implements tun.Observer.
func (c observer) Arrived(queue int, p *packet.Buffer) {
	if c.watchers.Load() == nil {
		return
	}
	h := &held{Packet: Packet{Data: c.complete(p)}}
	defer c.relieve()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(h)
	c.drops.arrived(queue, h)
}

// Sent implements tun.Observer.
func (c observer) Sent(p *packet.Buffer) {
	if c.watchers.Load() == nil {
		return
	}
	h := &held{Packet: Packet{Out: true, Data: c.complete(p)}}
	defer c.relieve()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(h)
}

// Handled implements tun.Observer.
func (c observer) Handled(queue int) {
	if c.watchers.Load() == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops.handled(queue)
}

// add holds a packet that crosses the device now. The caller holds mu.
func (c *Capture) add(h *held) {
	h.At = c.start.Add(c.clock.Now())
	c.young = append(c.young, h)
	c.size += len(h.Data)
	c.joiner.packet(h, h.Data[min(c.source.linkLen(), len(h.Data)):])
	c.tick()
}

// relieve delivers the older half of the held packets early if they are too large.
func (c *Capture) relieve() {
	c.mu.Lock()
	full := c.size > maxHeld
	c.mu.Unlock()
	if full {
		c.deliver(c.takeOld)
	}
}

// complete returns a copy of p with complete checksums.
func (c *Capture) complete(p *packet.Buffer) []byte {
	if p.Offload.Checksum != packet.ChecksumPartial && len(p.Spans()[0]) == 0 {
		return bytes.Clone(p.Bytes())
	}
	q := p.Clone()
	defer q.Free()
	q.TrimFront(c.source.linkLen())
	q.CompleteChecksum()
	q.Prepend(c.source.linkLen())
	return bytes.Clone(q.Bytes())
}

// record is called with the records of the connections.
func (c *Capture) record(r trace.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joiner.record(&r)
	if r.Kind == trace.Drop {
		c.drops.told(r.Why)
	}
}

// tick starts the timer that delivers held packets. The caller holds mu.
func (c *Capture) tick() {
	if !c.ticking && len(c.old)+len(c.young) > 0 {
		c.ticking = true
		time.AfterFunc(hold, func() {
			c.mu.Lock()
			c.ticking = false
			c.mu.Unlock()
			c.deliver(c.takeOld)
		})
	}
}

// deliver gives the watchers the packets that take returns.
func (c *Capture) deliver(take func() []*held) {
	c.delivering.Lock()
	defer c.delivering.Unlock()
	batch := c.release(take)
	list := c.watchers.Load()
	if len(batch) == 0 || list == nil {
		return
	}
	for _, w := range *list {
		w.f(batch)
	}
}

// takeOld takes the older half of the held packets: they have waited for long enough. The caller holds mu.
func (c *Capture) takeOld() (ready []*held) {
	ready, c.old, c.young = c.old, c.young, nil
	return ready
}

// takeAll takes all held packets. The caller holds mu.
func (c *Capture) takeAll() []*held { return append(c.takeOld(), c.takeOld()...) }

// release ends the wait of the packets that take returns.
func (c *Capture) release(take func() []*held) []*Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	ready := take()
	batch := make([]*Packet, len(ready))
	for i, h := range ready {
		h.gone = true
		c.size -= len(h.Data)
		batch[i] = &h.Packet
	}
	c.tick()
	return batch
}
