package services

import (
	"net"
	"sync"
	"time"
)

// clients are the connections of one service.
type clients struct {
	handle func(net.Conn)
	seats  *Seats
	next   chan *client // to goroutines whose client has left
	ended  chan struct{}
	wg     sync.WaitGroup

	mu   sync.Mutex
	open map[*client]bool
	look *time.Timer // for idle connections
}

func newClients(handle func(net.Conn), l Limits) *clients {
	s := &clients{handle: handle, seats: NewSeats(l), next: make(chan *client), ended: make(chan struct{}), open: map[*client]bool{}}
	s.look = time.AfterFunc(idleStep, s.closeIdle)
	return s
}

// accept serves the client behind c, or refuses it if the service has reached a limit.
func (s *clients) accept(c net.Conn) {
	if from := sourceOf(c); s.seats.Take(from) {
		s.serve(newClient(c, from, s.seats.Idle))
	} else {
		refuse(c)
	}
}

// serve serves a client in a goroutine, if possible one that has served before: its stack has already grown. Growing the stack
// takes a tenth of the time of a short connection.
func (s *clients) serve(c *client) {
	s.mu.Lock()
	s.open[c] = true
	s.mu.Unlock()
	select {
	case s.next <- c:
	default:
		s.wg.Go(func() { s.work(c) })
	}
}

// breather is the time for which a goroutine waits for the next client.
const breather = time.Second

// work serves clients until none comes for breather.
func (s *clients) work(c *client) {
	timer := time.NewTimer(breather)
	defer timer.Stop()
	for {
		s.handle(c.counting)
		hangUp(c.counting)
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
		s.seats.Leave(c.from)
		timer.Reset(breather)
		select {
		case c = <-s.next:
		case <-timer.C:
			return
		case <-s.ended:
			return
		}
	}
}

// closeIdle closes idle connections, now and every idleStep until the service ends.
func (s *clients) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return
	default:
	}
	for c := range s.open {
		c.closeIdle()
	}
	s.look.Reset(idleStep)
}

// end closes all connections, which ends their handlers, and waits for them.
func (s *clients) end() {
	close(s.ended)
	s.mu.Lock()
	s.look.Stop()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
