package tcp

import (
	"slices"
	"time"
)

// congestion keeps the congestion window: what an algorithm decides on, and where the sender stands in repairing losses.
type congestion struct {
	cwnd, ssthresh int // bytes
	state          CAState
	recover        Seq     // recovery ends when this is acknowledged
	chosen         uint8   // in algorithms
	repair         *repair // nil before the first recovery
	pace           *pacer  // nil: nothing is paced
	algorithm      algorithm
}

// repair is what a connection keeps of its latest recovery. Most connections have none, and are smaller for it.
type repair struct {
	prr  prr
	undo undo
}

// algorithm is one way of congestion control. It embeds baseAlgorithm and implements the hooks that it needs.
type algorithm interface {
	// start is called when the connection is established, or chooses the algorithm later.
	start(now time.Duration, c *Conn)
	// acked takes what an acknowledgment told.
	acked(now time.Duration, c *Conn, f feedback)
	// sent follows each segment with n bytes of data, new or again.
	sent(now time.Duration, c *Conn, n int)
	// appLimited says that the application or the peer's window leaves the path unused.
	appLimited()
	// measured takes a round-trip time.
	measured(rtt time.Duration)
	// lost takes a flight that acknowledgments show to be lost.
	lost(now time.Duration, c *Conn, f *flight)
	// enter begins recovery, with flight bytes of the window in use; leave ends it, or the repair after a timeout.
	enter(c *Conn, flight int)
	leave(c *Conn)
	// undo restores the state from before enter or timeout, for nothing was lost. The caller has restored the window.
	undo(c *Conn)
	// timeout follows an expiry of the retransmission timer, which marks lost bytes as lost; again: the last one is not repaired yet.
	timeout(c *Conn, lost int, again bool)
	// mark is a congestion mark (RFC 3168 section 6.1.2), or a loss that is repaired already.
	mark(c *Conn)
	// restart comes before the first byte after a silence longer than a timeout.
	restart(c *Conn)
	// deliveryRate is the rate measured in the last round trip, in bytes a second; 0: the algorithm does not measure.
	deliveryRate() uint64
	// memory is the number of bytes that the algorithm holds besides itself.
	memory() int
	// end frees what the algorithm holds: nothing is sent any more.
	end()
}

// baseAlgorithm implements the optional hooks as no-ops.
type baseAlgorithm struct{}

func (baseAlgorithm) sent(time.Duration, *Conn, int)     {}
func (baseAlgorithm) appLimited()                        {}
func (baseAlgorithm) measured(time.Duration)             {}
func (baseAlgorithm) lost(time.Duration, *Conn, *flight) {}
func (baseAlgorithm) restart(*Conn)                      {}
func (baseAlgorithm) deliveryRate() uint64               { return 0 }
func (baseAlgorithm) memory() int                        { return 0 }
func (baseAlgorithm) end()                               {}

// algorithms is the registry of congestion controls. The first is the default. Names in the API and help texts come from here.
var algorithms = [...]struct {
	name string
	make func() algorithm
}{
	{"cubic", func() algorithm { return new(windowed[cubic, *cubic]) }},
	{"reno", func() algorithm { return new(windowed[reno, *reno]) }},
	{"bbr", func() algorithm { return new(bbr) }},
}

// Algorithms are the names that Params.Congestion takes; the first is the default.
var Algorithms = algorithmNames()

func algorithmNames() (names []string) {
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return names
}

// feedback is what an acknowledgment tells of the path.
type feedback struct {
	delivery
	acked    int  // bytes that have left the network, as far as one can tell without SACK
	advanced bool // SND.UNA moved
	limited  bool // the window, and not the application or the peer, held the sender back
	good     bool // SND.UNA moved and no further loss was found
}

const infinite = 1 << 30

func (g *congestion) init(name string) {
	g.ssthresh = infinite
	g.use(name)
}

// use selects the algorithm; an unknown name is the default.
func (g *congestion) use(name string) {
	g.chosen = uint8(max(slices.Index(Algorithms, name), 0))
	g.algorithm = algorithms[g.chosen].make()
	g.cannotUndo() // what another has begun
	g.setModelRate(0)
}

// name is that of the algorithm in use.
func (g *congestion) name() string { return algorithms[g.chosen].name }

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

// sent follows each segment with n bytes of data.
func (g *congestion) sent(now time.Duration, c *Conn, n int) {
	if g.state == CARecovery {
		g.repair.prr.out += n
	}
	g.algorithm.sent(now, c, n)
	g.pace.sent(now, n)
}

// end frees what the algorithm holds, and lets the pacer ask for nothing more.
func (g *congestion) end() {
	g.algorithm.end()
	g.state, g.pace, g.repair = CAOpen, nil, nil
}

// flightSize is what of the window was in use when something was sent last. Acknowledgments are taken in batches: what the
// first of them freed is not on its way again when a later one tells of a loss.
func (g *congestion) flightSize(snd *sender) int {
	flight := snd.nxt.Sub(snd.una)
	if snd.limited {
		flight = max(flight, g.cwnd-g.cwnd%snd.mss)
	}
	return flight
}

// enter begins recovery.
func (g *congestion) enter(c *Conn) {
	flight := g.flightSize(&c.snd)
	r := g.keep()
	r.undo.begin(c)
	g.algorithm.enter(c, flight)
	g.state, g.recover = CARecovery, c.snd.nxt
	r.prr = prr{recoverFS: max(flight, 1)}
}

// keep is the record of a recovery, made when it is needed first.
func (g *congestion) keep() *repair {
	if g.repair == nil {
		g.repair = new(repair)
	}
	return g.repair
}

// leave ends recovery; una has reached recover.
func (g *congestion) leave(c *Conn) {
	g.algorithm.leave(c)
	g.state = CAOpen
	g.repair.undo.until = c.snd.nxt
}

// timeout starts over; so many bytes are taken for lost.
func (g *congestion) timeout(c *Conn, lost int) {
	r := g.keep()
	if g.state == CAOpen {
		r.undo.begin(c)
	}
	r.undo.timedOut(c, g.state == CAOpen)
	g.algorithm.timeout(c, lost, g.state == CALoss)
	g.state, g.recover = CALoss, c.snd.nxt
	c.snd.dupAcks = 0
}
