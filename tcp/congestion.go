package tcp

import "time"

// congestion keeps the congestion window: what an algorithm decides on, and where the sender stands in repairing losses.
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

// algorithm is one way of congestion control.
type algorithm interface {
	name() string
	// start is called when the connection is established, or chooses the algorithm later.
	start(now time.Duration, c *Conn)
	// acked takes what an acknowledgment told.
	acked(now time.Duration, c *Conn, f feedback)
	// enter begins recovery, with so many octets of the window in use, and leave ends it, or what followed a timeout.
	enter(c *Conn, flight int)
	leave(c *Conn)
	// timeout is an expiry of the retransmission timer that takes so many octets for lost, again one that follows another.
	timeout(c *Conn, lost int, again bool)
	// mark is a congestion mark (RFC 3168 section 6.1.2), or a loss that is repaired already.
	mark(c *Conn)
	// restart comes before the first octet after a silence longer than a timeout.
	restart(c *Conn)
}

// feedback is what an acknowledgment tells of the path.
type feedback struct {
	delivery
	acked   int  // octets that have left the network, as far as one can tell without SACK
	limited bool // the window, and not the application or the peer, held the sender back
	good    bool // SND.UNA moved and no further loss was found
}

const infinite = 1 << 30

func (g *congestion) init(name string) {
	g.ssthresh = infinite
	g.use(name)
}

// use selects the algorithm; an unknown name is NewReno.
func (g *congestion) use(name string) {
	switch name {
	case "cubic":
		g.algorithm = windowed[*cubic]{new(cubic)}
	case "bbr":
		g.algorithm = new(bbr)
	default:
		g.algorithm = windowed[reno]{}
	}
}

// Algorithms are the names that Params.Congestion takes.
var Algorithms = [...]string{"cubic", "reno", "bbr"}

// bbr is the algorithm if it is the one that paces, else nil.
func (g *congestion) bbr() *bbr {
	b, _ := g.algorithm.(*bbr)
	return b
}

// initialWindow is RFC 6928 section 2.
func initialWindow(mss int) int { return min(10*mss, max(2*mss, 14600)) }

// start sets the window of a connection that is established; a lost SYN leaves one segment (RFC 5681 section 3.1).
func (g *congestion) start(now time.Duration, c *Conn) {
	g.cwnd = initialWindow(c.snd.mss)
	if c.snd.synResent {
		g.cwnd = c.snd.mss
	}
	g.algorithm.start(now, c)
}

// starve notes that the application or the peer's window leaves a path unused: what is measured of it then is not its rate. (Of windows the
// draft thinks otherwise. But one that is probed octet by octet would make a path seem to carry an octet a second.)
func (g *congestion) starve() {
	if b := g.bbr(); b != nil {
		b.starving = true
	}
}

// end frees what an algorithm holds, and lets it ask for nothing more.
func (g *congestion) end() {
	if b := g.bbr(); b != nil {
		b.rate.log, b.pace.resume = nil, 0
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
	g.algorithm.enter(c, flight)
	g.state, g.recover = recovery, c.snd.nxt
	g.prr = prr{recoverFS: max(flight, 1)}
}

// leave ends recovery; una has reached recover.
func (g *congestion) leave(c *Conn) {
	g.algorithm.leave(c)
	g.state = open
}

// timeout starts over; so many octets are taken for lost.
func (g *congestion) timeout(c *Conn, lost int) {
	g.algorithm.timeout(c, lost, g.state == loss)
	g.state, g.recover = loss, c.snd.nxt
	c.snd.dupAcks = 0
}
