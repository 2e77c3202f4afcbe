package socketapi

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// attemptDelay is the time between the starts of two attempts to connect (RFC 8305 section 8: Connection Attempt Delay).
const attemptDelay = 250 * time.Millisecond

// attempt is the outcome of an attempt to connect.
type attempt struct {
	conn net.Conn
	err  error
}

// attempts are those of a Dial to several addresses (RFC 8305 section 5, Happy Eyeballs).
type attempts struct {
	stack   *Stack
	network network
	ctx     context.Context
	*sleeper
	results chan attempt
	pending int // attempts without a result
}

// race connects to the first address that answers. An attempt starts when the one before has lasted attemptDelay, or as soon as an attempt
// fails. The first connection wins; race cancels the other attempts and returns when they have ended. If all fail, the error is that of the
// attempt that failed first.
func (s *Stack) race(ctx context.Context, n network, addrs []netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := attempts{stack: s, network: n, ctx: ctx, sleeper: s.newSleeper(), results: make(chan attempt, len(addrs))}
	defer s.freeSleeper(r.sleeper)
	defer r.end(cancel)
	var first error
	for len(addrs) > 0 || r.pending > 0 {
		until := never
		if len(addrs) > 0 {
			go r.attempt(addrs[0])
			addrs, r.pending = addrs[1:], r.pending+1
		}
		if len(addrs) > 0 {
			until = s.Now() + attemptDelay
		}
		a, ended := r.wait(until)
		switch {
		case ended && a.err == nil:
			return a.conn, nil
		case ended && first == nil:
			first = a.err
		}
	}
	return nil, first
}

// attempt connects to one address.
func (r *attempts) attempt(to netip.AddrPort) {
	conn, err := r.stack.dial(r.ctx, r.network, to)
	r.results <- attempt{conn, netError("dial", r.network.name, nil, netAddr(r.network.typ, to), err)}
	r.Wake()
}

// wait returns the outcome of the next attempt to end; false if no attempt ends until a time.
func (r *attempts) wait(until time.Duration) (attempt, bool) {
	for {
		select {
		case a := <-r.results:
			r.pending--
			return a, true
		default:
		}
		if r.stack.Now() >= until {
			return attempt{}, false
		}
		r.sleep(until)
	}
}

// end cancels the attempts that go on, and waits for them.
func (r *attempts) end(cancel context.CancelFunc) {
	cancel()
	for ; r.pending > 0; r.pending-- {
		if a := <-r.results; a.err == nil {
			a.conn.Close()
		}
	}
}

// interleaved returns the addresses with the families in turns, beginning with that of the first (RFC 8305 section 4). The order of
// each family is kept.
func interleaved(addrs []netip.AddrPort) []netip.AddrPort {
	var families [2][]netip.AddrPort
	for _, a := range addrs {
		other := 0
		if a.Addr().Is4() != addrs[0].Addr().Is4() {
			other = 1
		}
		families[other] = append(families[other], a)
	}
	list := make([]netip.AddrPort, 0, len(addrs))
	for i := range addrs {
		for _, f := range families {
			if i < len(f) {
				list = append(list, f[i])
			}
		}
	}
	return list
}
