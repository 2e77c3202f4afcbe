package tcp

import (
	"slices"
	"time"
)

// congestion is the state of congestion control and of loss recovery.
type congestion struct {
	cwnd, ssthresh int     // bytes. Invariant: cwnd is at least 1 in the synchronized states
	state          CAState // Invariant: repair is not nil unless CAOpen
	recover        Seq     // recovery ends when this is acknowledged
	chosen         uint8   // index of the algorithm in algorithms
	repair         *repair // nil: there has been no recovery
	pace           *pacer  // nil: nothing is paced
	algorithm      algorithm
}

// repair is the state of the latest recovery. It is allocated at the first one, because most connections have none.
type repair struct {
	prr  prr
	undo undo
}

// algorithm is one way of congestion control. It embeds baseAlgorithm and implements the hooks that it needs.
type algorithm interface {
	// start is called when the connection is established, and when an established connection changes to the algorithm.
	start(now time.Duration, c *Conn)
	// acked is called for each ACK, after loss detection.
	acked(now time.Duration, c *Conn, f feedback)
	// sent is called after each segment with n bytes of data, new or retransmitted.
	sent(now time.Duration, c *Conn, n int)
	// appLimited is called when the application or the peer's window, not the path, limits sending.
	appLimited()
	// measured is called for each RTT sample.
	measured(rtt time.Duration)
	// lost is called for each flight that loss detection marks as lost.
	lost(now time.Duration, c *Conn, f *flight)
	// enter is called at the start of recovery, with flight bytes of the window in use. leave is called at its end, and at the end of the repair
	// after a timeout.
	enter(c *Conn, flight int)
	leave(c *Conn)
	// undo is called after a spurious recovery or timeout, and restores the state from before. The caller has restored cwnd and ssthresh.
	undo(c *Conn)
	// timeout is called when the retransmission timer has expired and marked lost more bytes as lost. c.cc.state is still that before the
	// timeout: CALoss if it is the second in a row.
	timeout(c *Conn, lost int)
	// mark is called for a congestion mark (RFC 3168 section 6.1.2), and for a loss that a tail loss probe has repaired.
	mark(c *Conn)
	// restart is called before the first transmission after an idle time longer than the retransmission timeout.
	restart(c *Conn)
	// deliveryRate is the rate measured in the last round trip, in bytes a second; 0: the algorithm does not measure it.
	deliveryRate() uint64
	// memory is the memory of the algorithm in bytes, without the value itself.
	memory() int
	// end is called when the connection sends no more data, and frees memory.
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

// feedback is what congestion control learns from an ACK.
type feedback struct {
	delivery
	acked    int  // bytes that have left the network; without SACK an estimate (Conn.countDuplicate)
	advanced bool // SND.UNA has advanced
	limited  bool // the congestion window, not the application or the peer's window, limited sending
	good     bool // SND.UNA has advanced, and loss detection has found no further loss
}

const infinite = 1 << 30 // bytes: no bound

// init selects the algorithm of a new connection.
func (g *congestion) init(name string) {
	g.ssthresh = infinite
	g.use(name)
}

// use selects the algorithm; an unknown name selects the default.
func (g *congestion) use(name string) {
	g.chosen = uint8(max(slices.Index(Algorithms, name), 0))
	g.algorithm = algorithms[g.chosen].make()
	g.cannotUndo() // the algorithm that began the recovery is gone
	g.setModelRate(0)
}

// name is the name of the algorithm.
func (g *congestion) name() string { return algorithms[g.chosen].name }

// initialWindow is IW in bytes (RFC 6928 section 2).
func initialWindow(mss int) int { return min(10*mss, max(2*mss, 14600)) }

// start sets the window of a connection that becomes established: one segment if our SYN was lost (RFC 5681 section 3.1).
func (g *congestion) start(now time.Duration, c *Conn) {
	g.cwnd = initialWindow(c.snd.mss)
	if c.snd.synResent {
		g.cwnd = c.snd.mss
	}
	g.algorithm.start(now, c)
}

// sent follows the transmission of a segment with n bytes of data.
func (g *congestion) sent(now time.Duration, c *Conn, n int) {
	if g.state == CARecovery {
		g.repair.prr.out += n
	}
	g.algorithm.sent(now, c, n)
	g.pace.sent(now, n)
}

// end frees the memory of algorithm, recovery and pacer, because the connection sends no more data.
func (g *congestion) end() {
	g.algorithm.end()
	g.state, g.pace, g.repair = CAOpen, nil, nil
}

// flightSize returns the bytes of the window that were in use at the last transmission. A batch of ACKs is processed before the next transmission:
// an early ACK of the batch frees window that is not yet used again when a later one shows a loss.
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
	r := g.ensureRepair()
	r.undo.begin(c)
	g.algorithm.enter(c, flight)
	g.state, g.recover = CARecovery, c.snd.nxt
	r.prr = prr{recoverFS: max(flight, 1)}
}

// ensureRepair returns the state of recovery, allocating it at the first call.
func (g *congestion) ensureRepair() *repair {
	if g.repair == nil {
		g.repair = new(repair)
	}
	return g.repair
}

// leave ends recovery, because SND.UNA has reached recover.
func (g *congestion) leave(c *Conn) {
	g.algorithm.leave(c)
	g.state = CAOpen
	g.repair.undo.until = c.snd.nxt
}

// timeout follows an expiry of the retransmission timer, which has marked lost more bytes as lost.
func (g *congestion) timeout(c *Conn, lost int) {
	r := g.ensureRepair()
	if g.state == CAOpen {
		r.undo.begin(c)
	}
	r.undo.timedOut(c)
	g.algorithm.timeout(c, lost)
	g.state, g.recover = CALoss, c.snd.nxt
	c.snd.dupAcks = 0
}
