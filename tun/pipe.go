package tun

import (
	"os"
	"sync"
	"syscall"

	"tunstack/internal/packet"
)

// pipeDepth is how many packets can wait in one direction of a Pipe.
const pipeDepth = 512

// Pipe returns the two ends of a wire in memory: a packet written to one end is read from the other, in order. Both
// ends have one queue and the features f. A Pipe is for tests and for stacks that talk to each other in one process.
//
// As on a real device, Write fails without waiting when too many packets wait (ENOBUFS) or the other end is closed (ENETDOWN).
// Unlike there, an ordinary packet larger than the MTU fails with EMSGSIZE.
func Pipe(mtu int, kind Kind, f Features) (a, b Device) {
	ab, ba := newWire(), newWire()
	one := &pipeEnd{name: "pipe0", kind: kind, mtu: mtu, features: f, in: ba, out: ab}
	two := &pipeEnd{name: "pipe1", kind: kind, mtu: mtu, features: f, in: ab, out: ba}
	one.queues, two.queues = []Queue{one}, []Queue{two}
	return one, two
}

// wire is one direction of a Pipe. Its reader closes it.
type wire struct {
	packets chan *Packet
	closed  chan struct{}
	close   func()
}

func newWire() *wire {
	w := &wire{packets: make(chan *Packet, pipeDepth), closed: make(chan struct{})}
	w.close = sync.OnceFunc(func() { close(w.closed) })
	return w
}

func (w *wire) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

type pipeEnd struct {
	name     string
	kind     Kind
	mtu      int
	features Features
	queues   []Queue // the end itself
	in, out  *wire
	stash    *Packet // what Wait has received and TryRead has not returned yet; only the reader uses it
}

func (e *pipeEnd) Name() string       { return e.name }
func (e *pipeEnd) Kind() Kind         { return e.kind }
func (e *pipeEnd) MTU() int           { return e.mtu }
func (e *pipeEnd) Features() Features { return e.features }
func (e *pipeEnd) Queues() []Queue    { return e.queues }

// Close closes this end. The other one stays open, but its Write fails.
func (e *pipeEnd) Close() error {
	e.in.close()
	return nil
}

// TryRead implements Queue.
func (e *pipeEnd) TryRead() (*Packet, error) {
	if e.in.isClosed() {
		return nil, os.ErrClosed
	}
	if p := e.stash; p != nil {
		e.stash = nil
		return p, nil
	}
	select {
	case p := <-e.in.packets:
		return p, nil
	default:
		return nil, nil
	}
}

// Wait implements Queue.
func (e *pipeEnd) Wait() error {
	if e.stash != nil {
		return nil
	}
	select {
	case <-e.in.closed:
		return os.ErrClosed
	case e.stash = <-e.in.packets:
		return nil
	}
}

// Write implements Queue.
func (e *pipeEnd) Write(p *Packet) error {
	return deliver(e, e.kind, e.features, p)
}

func (e *pipeEnd) send(p *Packet) error {
	err := e.refuse(p)
	if err == nil {
		p = p.Own()
		p.Cast, p.Queue = packet.Unicast, 0
		select {
		case e.out.packets <- p:
			return nil
		default:
			err = syscall.ENOBUFS
		}
	}
	p.Free()
	return err
}

// refuse returns the reason why p cannot be sent, or nil.
func (e *pipeEnd) refuse(p *Packet) error {
	switch {
	case e.in.isClosed():
		return os.ErrClosed
	case e.out.isClosed():
		return syscall.ENETDOWN
	case p.Offload.Segmentation == SegmentNone && p.Len() > e.mtu+e.kind.headerLen():
		return syscall.EMSGSIZE
	}
	return nil
}
