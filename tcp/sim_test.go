package tcp

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is what lies between the two machines of a simulation, drawn from a seed.
type wire struct {
	loss, duplicate, reorder float64
	delay, jitter            time.Duration
	rate                     int // octets per second; 0: unlimited
	queue                    int // octets
	mtu                      int
	gso                      bool
}

func (w wire) String() string {
	return fmt.Sprintf("loss %.2f dup %.2f reorder %.2f delay %v+%v rate %d queue %d mtu %d gso %v",
		w.loss, w.duplicate, w.reorder, w.delay, w.jitter, w.rate, w.queue, w.mtu, w.gso)
}

// sim is two machines and the wire between them in virtual time.
type sim struct {
	t      *testing.T
	r      *rand.Rand
	wire   wire
	now    time.Duration
	events arrivals
	side   [2]*simSide
	ladder []string
	count  int
}

type simSide struct {
	c         *Conn
	cfg       Config
	send, got []byte
	sent      int
	closed    bool
	free      time.Duration // when the bottleneck is idle again
	readEvery time.Duration // a slow reader
	readAt    time.Duration
	edge      Seq
	everEdge  bool
}

type arrival struct {
	at  time.Duration
	n   int
	to  int
	seg *Segment
}

type arrivals []arrival

func (a arrivals) Len() int { return len(a) }
func (a arrivals) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].n < a[j].n
}
func (a arrivals) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *arrivals) Push(x any)   { *a = append(*a, x.(arrival)) }
func (a *arrivals) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// transmit puts a segment on the wire, cut to single packets as a device would.
func (s *sim) transmit(from int, seg *Segment) {
	data := append(append([]byte{}, seg.Payload...), seg.Wrap...)
	mss := len(data)
	if seg.MSS > 0 {
		mss = seg.MSS
	}
	for first := true; first || len(data) > 0; first = false {
		p := *seg
		p.Wrap, p.MSS = nil, 0
		p.Payload, data = data[:min(mss, len(data))], data[min(mss, len(data)):]
		if len(data) > 0 {
			p.Flags &^= FIN | PSH
		}
		seg.Seq = seg.Seq.Add(len(p.Payload))
		require.LessOrEqual(s.t, 20+p.HeaderLen()+len(p.Payload), s.wire.mtu, "larger than the MTU: %v", &p)
		s.packet(from, &p)
	}
}

func (s *sim) packet(from int, p *Segment) {
	mark := "  "
	w := s.wire
	copies := 1
	if s.r.Float64() < w.loss {
		copies, mark = 0, "X "
	} else if s.r.Float64() < w.duplicate {
		copies, mark = 2, "2 "
	}
	for range copies {
		at := s.now + w.delay + time.Duration(s.r.Int64N(int64(w.jitter)+1))
		if w.rate > 0 {
			side := s.side[from]
			size := 40 + len(p.Payload)
			backlog := max(side.free-s.now, 0)
			if int(backlog.Seconds()*float64(w.rate)) > w.queue {
				mark = "Q "
				continue
			}
			side.free = s.now + backlog + time.Duration(float64(size)/float64(w.rate)*1e9)
			at = side.free + w.delay
		}
		if s.r.Float64() < w.reorder {
			at += time.Duration(s.r.Int64N(int64(w.delay) + 1))
		}
		s.count++
		heap.Push(&s.events, arrival{at, s.count, 1 - from, p})
	}
	arrow := [...]string{"-->", "<--"}[from]
	s.ladder = append(s.ladder, fmt.Sprintf("%12v %s%s %v", s.now, mark, arrow, p))
}

// settle lets a side act on what it has: read, write, close, send.
func (s *sim) settle(i int) {
	d := s.side[i]
	if d.c == nil {
		return
	}
	if s.now >= d.readAt {
		var buf [4096]byte
		for n := d.c.Read(s.now, buf[:]); n > 0; n = d.c.Read(s.now, buf[:]) {
			d.got = append(d.got, buf[:n]...)
		}
		d.readAt = s.now + d.readEvery
	}
	if d.c.State().synchronized() {
		d.sent += d.c.Write(s.now, d.send[d.sent:])
		if d.sent == len(d.send) && !d.closed {
			d.closed = true
			d.c.CloseWrite(s.now)
		}
	}
	for n := 0; ; n++ {
		var seg Segment
		if !d.c.Output(s.now, &seg) {
			break
		}
		require.Less(s.t, n, 100000, "Output never ends")
		s.check(d, &seg)
		s.transmit(i, &seg)
	}
}

// check holds for every segment at every time.
func (s *sim) check(d *simSide, seg *Segment) {
	n := &d.c.snd
	require.True(s.t, n.una.LessEq(n.nxt))
	require.GreaterOrEqual(s.t, n.board.sacked, 0)
	require.GreaterOrEqual(s.t, n.board.lost, 0)
	require.GreaterOrEqual(s.t, n.pipe(), 0)
	sacked, lost := 0, 0
	at := n.una
	for _, f := range n.board.flights {
		require.Equal(s.t, at, f.Start)
		at = f.End
		if f.sacked {
			sacked += f.Len()
		}
		if f.lost {
			lost += f.Len()
		}
	}
	require.Equal(s.t, n.nxt, at)
	require.Equal(s.t, n.board.sacked, sacked)
	require.Equal(s.t, n.board.lost, lost)
	if seg.Flags.Has(ACK) && !seg.Flags.Has(SYN) && !seg.Flags.Has(RST) {
		edge := seg.Ack.Add(int(seg.Wnd) << d.c.rcv.shift)
		if d.everEdge && edge.Less(d.edge.Add(-(1<<d.c.rcv.shift - 1))) {
			s.t.Fatalf("the right edge moved left: %v", seg)
		}
		d.edge, d.everEdge = edge, true
	}
}

// next is when something happens next.
func (s *sim) next() (time.Duration, bool) {
	at, ok := time.Duration(0), false
	consider := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if len(s.events) > 0 {
		consider(s.events[0].at)
	}
	for _, d := range s.side {
		if d.c == nil {
			continue
		}
		if t := d.c.Deadline(); t != 0 {
			consider(t)
		}
		if d.c.Readable() > 0 {
			consider(d.readAt)
		}
	}
	return max(at, s.now), ok
}

func (s *sim) run() {
	s.side[0].c = Open(0, &s.side[0].cfg, Params{}, s.setup(0))
	for steps := 0; ; steps++ {
		for i := range s.side {
			s.settle(i)
		}
		at, ok := s.next()
		if !ok {
			return
		}
		if steps > 500_000 {
			s.t.Fatalf("no end: %+v %+v", s.side[0].c, s.side[1].c)
		}
		s.now = at
		for len(s.events) > 0 && s.events[0].at <= s.now {
			a := heap.Pop(&s.events).(arrival)
			d := s.side[a.to]
			var reset Segment
			switch {
			case d.c == nil && a.to == 1 && a.seg.Flags == SYN:
				d.c = Accept(s.now, &d.cfg, Params{}, s.setup(1), a.seg)
			case d.c != nil && d.c.State() != Closed:
				d.c.Input(s.now, a.seg)
			case ResetFor(a.seg, &reset):
				s.transmit(a.to, &reset)
			}
		}
	}
}

func (s *sim) setup(i int) Setup {
	set := Setup{ISS: Seq(s.r.Uint32()), TSOffset: s.r.Uint32(), MTU: s.wire.mtu, LinkMTU: s.wire.mtu}
	if s.r.IntN(4) == 0 {
		set.ISS = Seq(0) - Seq(s.r.IntN(3000)) // near the wrap
	}
	if s.wire.gso {
		set.MaxPayload = 65000
	}
	return set
}

func newSim(t *testing.T, seed uint64, size int) *sim {
	r := rand.New(rand.NewPCG(seed, 0x7475_6e73))
	s := &sim{t: t, r: r, wire: wire{
		loss:      [...]float64{0, 0.01, 0.05, 0.2, 0.3}[r.IntN(5)],
		duplicate: [...]float64{0, 0.05}[r.IntN(2)],
		reorder:   [...]float64{0, 0.1}[r.IntN(2)],
		delay:     time.Duration(r.IntN(150)) * time.Millisecond,
		jitter:    time.Duration(r.IntN(2)*r.IntN(50)) * time.Millisecond,
		mtu:       [...]int{296, 576, 1500, 9000, 65535}[r.IntN(5)],
		rate:      [...]int{0, 125_000, 12_500_000}[r.IntN(3)],
		queue:     [...]int{20_000, 500_000}[r.IntN(2)],
		gso:       r.IntN(2) == 0,
	}}
	for i := range s.side {
		d := &simSide{cfg: Config{NoSACK: r.IntN(3) == 0, NoTimestamps: r.IntN(3) == 0, NoWindowScale: r.IntN(4) == 0,
			Congestion: Algorithms[r.IntN(2)], MaxRcvBuf: 1 << (14 + r.IntN(8))}}
		d.cfg.InitialRcvBuf = min(d.cfg.MaxRcvBuf, 1<<(13+r.IntN(6)))
		d.cfg = d.cfg.WithDefaults()
		d.send = make([]byte, r.IntN(size))
		for j := range d.send {
			d.send[j] = byte(r.Uint32())
		}
		if r.IntN(4) == 0 {
			d.readEvery = time.Duration(r.IntN(500)) * time.Millisecond
		}
		s.side[i] = d
	}
	return s
}

// TestSimulator: after every kind of trouble on the wire both streams are what was sent, and nothing is left.
func TestSimulator(t *testing.T) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, seed) })
	}
}

func simulate(t *testing.T, seed uint64) {
	s := newSim(t, seed, 300_000)
	defer func() {
		if t.Failed() {
			tail := s.ladder[max(len(s.ladder)-60, 0):]
			t.Logf("seed %d: %v\n%s", seed, s.wire, strings.Join(tail, "\n"))
		}
	}()
	s.run()
	if (s.side[0].c.Err() != 0 || s.side[1].c.Err() != 0) && s.wire.loss >= 0.2 {
		return // so many losses in a row that a side gave up: allowed, as long as it says so
	}
	for i, d := range s.side {
		require.NotNil(t, d.c)
		require.Zero(t, d.c.Err(), "side %d", i)
		require.True(t, bytes.Equal(s.side[1-i].send, d.got), "side %d got %d of %d octets", i, len(d.got), len(s.side[1-i].send))
		require.Equal(t, Closed, d.c.State(), "side %d: %+v", i, d.c)
		require.Zero(t, d.c.Deadline())
		require.Zero(t, d.c.Unacked())
	}
}
