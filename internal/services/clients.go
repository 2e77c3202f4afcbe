package services

import (
	"net"
	"sync"
	"time"
)

// clients are the connections of one service.
type clients struct {
	handle func(net.Conn)
	next   chan *idleConn // to goroutines whose client has left
	ended  chan struct{}
	wg     sync.WaitGroup

	mu   sync.Mutex
	open map[*idleConn]bool
}

func newClients(handle func(net.Conn)) *clients {
	s := &clients{handle: handle, next: make(chan *idleConn), ended: make(chan struct{}), open: map[*idleConn]bool{}}
	s.wg.Go(s.tidy)
	return s
}

// serve serves a client in a goroutine, if possible one that has served before: its stack has grown already, which is a
// tenth of what a short connection costs.
func (s *clients) serve(c *idleConn) {
	s.mu.Lock()
	s.open[c] = true
	s.mu.Unlock()
	select {
	case s.next <- c:
	default:
		s.wg.Go(func() { s.work(c) })
	}
}

// work serves client after client until there is none.
func (s *clients) work(c *idleConn) {
	for c != nil {
		s.handle(c)
		hangUp(c.Conn)
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
		select {
		case c = <-s.next:
		case <-s.ended:
			return
		}
	}
}

// tidy closes idle connections, and sends unused goroutines home, until the service ends.
func (s *clients) tidy() {
	tick := time.NewTicker(idleStep)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
			s.closeIdle()
			s.dismiss()
		}
	}
}

func (s *clients) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.closeIdle()
	}
}

func (s *clients) dismiss() {
	for {
		select {
		case s.next <- nil:
		default:
			return
		}
	}
}

// end closes all connections, which ends their handlers, and waits for them.
func (s *clients) end() {
	close(s.ended)
	s.mu.Lock()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
