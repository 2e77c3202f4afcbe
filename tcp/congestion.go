package tcp

import "time"

// congestion keeps the congestion window. What is common to all algorithms is here: when to grow, what a loss and a
// timeout do, and how much may be sent in recovery. How fast to grow and how far to step back is the algorithm's.
type congestion struct {
	cwnd, ssthresh int // octets
	state          ccState
	recover        Seq // recovery ends when this is acknowledged
	prr            prr
	hystart        hystart
	algorithm      algorithm
}

// ccState is Linux's TCP_INFO word for where the sender stands.
type ccState uint8

const (
	open     ccState = iota // no loss known
	recovery                // repairing a loss that acknowledgments told of
	loss                    // repairing after a timeout
)

func (s ccState) String() string { return [...]string{"open", "recovery", "loss"}[s] }

// algorithm is one way of congestion control. Sizes are in octets.
type algorithm interface {
	name() string
	// grow returns the window after octets were delivered in congestion avoidance.
	grow(now time.Duration, g growth) int
	// reduce returns the slow-start threshold after a loss.
	reduce(cwnd, flight, mss int) int
}

// growth is what an algorithm may base its growth on.
type growth struct {
	cwnd, acked, mss int
	limited          bool // the window, and not the application or the peer, held the sender back
	srtt             time.Duration
}

// prr is proportional rate reduction (RFC 9937 section 6).
type prr struct {
	recoverFS, delivered, out int
}

const infinite = 1 << 30

func (g *congestion) init(name string) {
	g.ssthresh = infinite
	g.use(name)
}

// use selects the algorithm; an unknown name is NewReno.
func (g *congestion) use(name string) {
	if name == "cubic" {
		g.algorithm = new(cubic)
	} else {
		g.algorithm = reno{}
	}
}

// Algorithms are the names that Params.Congestion takes.
var Algorithms = [...]string{"cubic", "reno"}

// initialWindow is RFC 6928 section 2.
func initialWindow(mss int) int { return min(10*mss, max(2*mss, 14600)) }

// start sets the window of a connection that is established; a lost SYN leaves one segment (RFC 5681 section 3.1).
func (g *congestion) start(c *Conn) {
	g.cwnd = initialWindow(c.snd.mss)
	if c.snd.synResent {
		g.cwnd = c.snd.mss
	}
	una := c.snd.una // whatever is compared with it starts there, for zero may lie ahead of it
	g.recover, g.hystart.end = una, una
	c.rack.highest, c.rack.roundEnd, c.ecn.until = una, una, una
}

// restart cuts the window of a connection that was idle for longer than a timeout (RFC 5681 section 4.1).
func (g *congestion) restart(mss int) {
	if g.state == open {
		g.cwnd = min(g.cwnd, initialWindow(mss))
	}
}

// flightSize is what of the window was in use when something was sent last. Acknowledgments are taken in batches: what the
// first of them freed is not on its way again when a later one tells of a loss.
func (g *congestion) flightSize(n *sender) int {
	flight := n.nxt.Sub(n.una)
	if n.limited {
		flight = max(flight, g.cwnd-g.cwnd%n.mss)
	}
	return flight
}

// enter begins recovery.
func (g *congestion) enter(c *Conn) {
	flight := g.flightSize(&c.snd)
	g.ssthresh = g.algorithm.reduce(g.cwnd, flight, c.snd.mss)
	g.state, g.recover = recovery, c.snd.nxt
	g.prr = prr{recoverFS: max(flight, 1)}
	g.cwnd = c.snd.pipe() + c.snd.mss // until an acknowledgment says more
}

// leave ends recovery; una has reached recover.
func (g *congestion) leave(c *Conn) {
	if g.state == recovery {
		g.cwnd = max(g.ssthresh, c.snd.mss)
	}
	g.state = open
}

// timeout starts over from one segment (RFC 5681 section 3.1).
func (g *congestion) timeout(c *Conn) {
	if g.state != loss {
		g.ssthresh = g.algorithm.reduce(g.cwnd, g.flightSize(&c.snd), c.snd.mss)
	}
	g.state, g.recover = loss, c.snd.nxt
	g.cwnd = c.snd.mss
	c.snd.dupAcks = 0
}

// acked takes the delivery of n octets. good says that SND.UNA moved and that no further loss was found.
func (g *congestion) acked(now time.Duration, c *Conn, n int, limited, good bool) {
	if g.state == recovery {
		g.reduceRate(c, n, good)
		return
	}
	if n == 0 || !c.state.synchronized() || c.snd.una.Less(c.ecn.until) {
		return
	}
	limited = limited || g.state == loss
	if g.cwnd < g.ssthresh {
		g.slowStart(c, n, limited)
		return
	}
	g.cwnd = g.algorithm.grow(now, growth{g.cwnd, n, c.snd.mss, limited, c.rtt.srtt})
}

// slowStart grows by what was acknowledged (RFC 5681 section 3.1), without a limit per acknowledgment: our peers
// acknowledge whole super-packets.
func (g *congestion) slowStart(c *Conn, n int, limited bool) {
	if !limited {
		return
	}
	cwnd, more := g.hystart.grow(c, n)
	g.cwnd = cwnd
	if !more {
		g.ssthresh = cwnd
	}
}

// marked takes a congestion mark: like a loss, but nothing needs repair (RFC 3168 section 6.1.2). So does a loss that a
// tail loss probe has repaired already (RFC 8985 section 7.4.2).
func (g *congestion) marked(c *Conn) {
	g.ssthresh = g.algorithm.reduce(g.cwnd, g.flightSize(&c.snd), c.snd.mss)
	g.cwnd = g.ssthresh
}

// reduceRate sets the window so that sending keeps in proportion to what arrives (RFC 9937 section 6).
func (g *congestion) reduceRate(c *Conn, delivered int, good bool) {
	if delivered == 0 { // what left the network is lost, or left it before
		return
	}
	p := &g.prr
	p.delivered += delivered
	pipe := c.snd.pipe()
	var send int
	if pipe > g.ssthresh {
		send = (p.delivered*g.ssthresh+p.recoverFS-1)/p.recoverFS - p.out
	} else {
		send = max(p.delivered-p.out, delivered)
		if good {
			send += c.snd.mss
		}
		send = min(send, g.ssthresh-pipe)
	}
	if p.out == 0 { // the first retransmission always goes
		send = max(send, c.snd.mss)
	}
	g.cwnd = pipe + max(send, 0)
}

// reno is NewReno's growth and reduction (RFC 5681 section 3.1).
type reno struct{}

func (reno) name() string { return "reno" }

func (reno) grow(_ time.Duration, g growth) int {
	if !g.limited {
		return g.cwnd
	}
	return g.cwnd + max(g.mss*min(g.acked, g.cwnd)/g.cwnd, 1)
}

func (reno) reduce(_, flight, mss int) int { return max(flight/2, 2*mss) }
