package tun

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"tunstack/internal/packet"
)

// inbound is a queue whose packets come over the bad wire. One goroutine, pump, reads the device and sends what it finds
// on its way; a driven queue has none, and its reader does that.
type inbound struct {
	Queue
	line   *line
	driven bool

	mu     sync.Mutex
	ready  []*packet.Buffer
	octets int
	err    error         // why there will be no more
	signal chan struct{} // told when ready or err has changed
}

// pump carries packets from the device to the wire until the device is closed.
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

// pull sends all that waits in the device on its way.
func (q *inbound) pull() error {
	for {
		p, err := q.Queue.TryRead()
		if p == nil {
			return err
		}
		if deliver(entry{q.line, q}, q.line.kind, packet.Features{}, p) != nil {
			q.line.stats.Refused.Inc()
		}
	}
}

func (q *inbound) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.tell()
}

func (q *inbound) tell() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// arrive implements end.
func (q *inbound) arrive(p *packet.Buffer) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil || q.octets+p.Len() > maxTransit {
		p.Free()
		return syscall.ENOBUFS
	}
	q.ready = append(q.ready, p)
	q.octets += p.Len()
	q.tell()
	return nil
}

// TryRead implements Queue.
func (q *inbound) TryRead() (*packet.Buffer, error) {
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
	q.octets -= p.Len()
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
