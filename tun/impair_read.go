package tun

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// inbound is a queue whose packets arrive over the bad wire. One goroutine, pump, reads the device and puts the packets on the wire. A
// driven queue, in virtual time, has no goroutine: its TryRead does the same.
type inbound struct {
	Queue
	line   *line
	driven bool

	mu     sync.Mutex
	ready  []*Packet
	bytes  int           // of ready
	err    error         // why no packet follows
	signal chan struct{} // receives a value when ready or err has changed
}

// pump moves packets from the device to the wire until the device is closed.
func (q *inbound) pump() {
	for {
		err := q.pull()
		if err == nil {
			err = q.Queue.Wait()
		}
		if err != nil {
			q.fail(err)
			return
		}
	}
}

// pull puts all packets that wait in the device on the wire.
func (q *inbound) pull() error {
	for {
		p, err := q.Queue.TryRead()
		if p == nil {
			return err
		}
		if deliver(entry{q.line, q}, q.line.kind, Features{}, p) != nil {
			q.line.stats.Refused.Inc()
		}
	}
}

func (q *inbound) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.wake()
}

// wake ends Wait.
func (q *inbound) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// arrive implements end.
func (q *inbound) arrive(p *Packet) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil || q.bytes+p.Len() > maxTransit {
		p.Free()
		return syscall.ENOBUFS
	}
	q.ready = append(q.ready, p)
	q.bytes += p.Len()
	q.wake()
	return nil
}

// TryRead implements Queue.
func (q *inbound) TryRead() (*Packet, error) {
	if q.driven {
		if err := q.pull(); err != nil {
			q.fail(err)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ready) == 0 || errors.Is(q.err, os.ErrClosed) {
		return nil, q.err
	}
	p := q.ready[0]
	q.bytes -= p.Len()
	q.ready[0] = nil
	if q.ready = q.ready[1:]; len(q.ready) == 0 {
		q.ready = nil
	}
	return p, nil
}

// Wait implements Queue.
func (q *inbound) Wait() error {
	for {
		q.mu.Lock()
		n, err := len(q.ready), q.err
		q.mu.Unlock()
		switch {
		case errors.Is(err, os.ErrClosed):
			return err
		case n > 0 || err != nil:
			return nil
		case q.driven:
			return q.Queue.Wait()
		}
		<-q.signal
	}
}
