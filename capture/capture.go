// Package capture records the packets that cross a stack's device, each with a comment that says what the stack made of it:
// the state of its connection, why a segment was sent, why one was dropped and by which section of which RFC.
//
// The device tells of packets (tun.Observer), the connections of what they do (trace.Record). A packet is held back for a
// moment, in which the records about it find it, and is then given to those who watch. While nobody does, a packet costs one
// look at a pointer.
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
	Out     bool   // the stack has sent it
	Data    []byte // from the link header on, if there is one; its checksums are complete. Not to be changed
	Comment string // what the stack made of it; "" if it does not say
	Cut     bool   // Data is only its beginning, as other programs record them
}

// Source is what was recorded from.
type Source struct {
	Name string // of the interface
	Link layers.LinkType
}

// linkLen is the length of the link header in bytes.
func (s Source) linkLen() int {
	if s.Link == layers.LinkTypeEthernet {
		return 14
	}
	return 0
}

// Stack is what a Capture asks about packets; a socketapi.Stack is one.
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

// hold is how long a packet waits for what the stack has to say of it: at least once this time, at most twice. All but what
// waits for an application to let go of its connection is said at once.
const hold = 20 * time.Millisecond

// maxHeld is how many bytes may wait.
const maxHeld = 16 << 20

// Capture records the packets of one device. It is safe for concurrent use.
type Capture struct {
	source Source
	start  time.Time // when the clock was 0
	clock  Clock

	watchers atomic.Pointer[[]*watcher] // nil: there are none

	joining sync.Mutex // of what changes the two below
	stack   Stack      // nil: none yet
	untrace func()     // nil: the connections are not asked

	delivering sync.Mutex // of calls of watchers, taken before mu

	mu         sync.Mutex // of all below
	old, young []*held    // packets that wait, in the order of their time
	size       int        // their bytes
	ticking    bool
	joiner     joiner
	drops      drops
}

type watcher struct{ f func([]*Packet) }

// held is a packet that waits.
type held struct {
	Packet
	gone bool // it waits no more: nothing is to be added
}

// Of returns a Capture of the packets of d, and the device to use instead of d. Timestamps are start plus the clock's time.
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

// Source is what the packets are recorded from.
func (c *Capture) Source() Source { return c.source }

// Attach names the stack on the device. Packets before that have no comments.
func (c *Capture) Attach(s Stack) {
	c.joining.Lock()
	defer c.joining.Unlock()
	c.mu.Lock()
	c.drops.watch(s.Drops())
	c.mu.Unlock()
	c.stack = s
	c.ask()
}

// Watch calls f with the packets from now on, in the order of their time, until stop is called; when stop returns, f has had all
// packets before and is not called again. One call of f follows on the other, at times on the packet path: it must not use the
// stack. The slice is valid during the call, the packets beyond.
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

// ask has the connections tell what they do, as long as somebody watches. The caller holds joining.
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

// observer is the Capture as the device knows it.
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

// complete copies p with its checksum as it would be on a wire.
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

// record is told by the connections.
func (c *Capture) record(r trace.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joiner.record(&r)
	if r.Kind == trace.Drop {
		c.drops.told(r.Why)
	}
}

// tick sees to it that what is held goes on. The caller holds mu.
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
