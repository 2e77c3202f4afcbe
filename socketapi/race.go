package socketapi

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Delays of RFC 8305 section 8.
const (
	attemptDelay    = 250 * time.Millisecond // between the starts of two attempts to connect
	resolutionDelay = 50 * time.Millisecond  // for which IPv4 addresses wait while IPv6 addresses can still come
)

// dialRace is a Dial to a name: attempts to connect to its addresses, which begin before all addresses are known (RFC 8305, Happy Eyeballs).
type dialRace struct {
	stack *Stack
	to    destination
	ctx   context.Context
	*sleeper

	untried []netip.Addr  // in the order in which they are to be tried
	looking bool          // more addresses can come
	started bool          // an attempt has started
	next    time.Duration // when the next attempt starts
	pending int           // attempts without a result
	err     error         // of the attempt that failed first, else of the lookup

	running sync.WaitGroup // the lookup and the attempts
	mu      sync.Mutex
	events  []raceEvent // not yet handled
}

// raceEvent is the outcome of an attempt, addresses of one version of IP, or the end of the lookup.
type raceEvent struct {
	conn   net.Conn
	failed error
	addrs  []netip.Addr
	looked bool
}

// race connects to the first address that answers. An attempt starts when the one before has lasted attemptDelay, or as soon as an attempt
// fails. The first connection wins; race cancels the other attempts and the lookup, and returns when they have ended. If all fail, the error
// is that of the attempt that failed first.
func (s *Stack) race(ctx context.Context, to destination) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &dialRace{stack: s, to: to, ctx: ctx, sleeper: s.newSleeper(), looking: true}
	defer s.freeSleeper(r.sleeper)
	defer r.end(cancel)
	r.running.Go(r.look)
	for r.looking || len(r.untried) > 0 || r.pending > 0 {
		if e, ok := r.take(); ok {
			if e.conn != nil {
				return e.conn, nil
			}
			r.handle(e)
		} else if len(r.untried) == 0 {
			r.sleep(never)
		} else if s.Now() < r.next {
			r.sleep(r.next)
		} else {
			r.start()
		}
	}
	return nil, r.err
}

// look looks the name up.
func (r *dialRace) look() {
	_, err := r.stack.resolve(r.ctx, r.to, func(addrs []netip.Addr) {
		if len(addrs) > 0 {
			r.post(raceEvent{addrs: addrs})
		}
	})
	r.post(raceEvent{looked: true, failed: netError("dial", r.to.name, nil, nil, err)})
}

// start starts an attempt to connect to the next address.
func (r *dialRace) start() {
	to := r.to.at(r.untried[0])
	r.untried, r.pending, r.started = r.untried[1:], r.pending+1, true
	r.next = r.stack.Now() + attemptDelay
	r.running.Go(func() {
		conn, err := r.stack.dial(r.ctx, r.to.network, to)
		r.post(raceEvent{conn: conn, failed: netError("dial", r.to.name, nil, netAddr(r.to.typ, to), err)})
	})
}

// handle takes an event other than a connection.
func (r *dialRace) handle(e raceEvent) {
	switch now := r.stack.Now(); {
	case e.looked:
		r.looking = false
		if !r.started {
			r.next = now
		}
	case e.failed != nil:
		r.pending--
		r.next = now
	default:
		r.add(e.addrs)
	}
	if r.err == nil {
		r.err = e.failed
	}
}

// add adds addresses to those to be tried. The first attempt waits a little for an IPv6 address.
func (r *dialRace) add(addrs []netip.Addr) {
	all := slices.Concat(r.untried, addrs)
	r.stack.ip.SortDestinations(all)
	r.untried = interleaved(all)
	if r.started {
		return
	}
	r.next = r.stack.Now()
	if !slices.ContainsFunc(all, netip.Addr.Is6) {
		r.next += resolutionDelay
	}
}

// post hands an event to the goroutine of race.
func (r *dialRace) post(e raceEvent) {
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	r.Wake()
}

// take returns the next event, if there is one.
func (r *dialRace) take() (e raceEvent, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return raceEvent{}, false
	}
	e, r.events = r.events[0], r.events[1:]
	return e, true
}

// end cancels the lookup and the attempts that go on, and waits for them.
func (r *dialRace) end(cancel context.CancelFunc) {
	cancel()
	r.running.Wait()
	for e, ok := r.take(); ok; e, ok = r.take() {
		if e.conn != nil {
			e.conn.Close()
		}
	}
}

// interleaved returns the addresses with the families in turns, beginning with that of the first (RFC 8305 section 4). The order of
// each family is kept.
func interleaved(addrs []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, a := range addrs {
		other := 0
		if a.Is4() != addrs[0].Is4() {
			other = 1
		}
		families[other] = append(families[other], a)
	}
	list := make([]netip.Addr, 0, len(addrs))
	for i := range addrs {
		for _, f := range families {
			if i < len(f) {
				list = append(list, f[i])
			}
		}
	}
	return list
}
