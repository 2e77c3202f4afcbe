// Package sim runs TCP machines against each other in virtual time, over a wire that delays, loses, duplicates, reorders, marks and
// corrupts packets. All randomness comes from one seed, so that the seed alone repeats a run.
//
// A Sim has flows. Each Flow has two Ends, a machine and its user, and the Link that each End sends into. Flows that share a Link share
// its bottleneck. Step processes the next event; Run steps until no event is left.
package sim

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tunstack/tcp"
)

// Sim is a simulation.
type Sim struct {
	Now   time.Duration
	Rand  *rand.Rand
	Flows []*Flow
	// Hook, if not nil, is called for every segment, when it is sent and when it arrives.
	Hook func(Event)
	// Inspect, if not nil, is called after every call of an End's machine; an error ends the simulation.
	Inspect func(*End) error

	wire  arrivals
	count uint64
	spare []*parcel
	err   error
}

// Flow is one connection. Ends[0] opens it, Ends[1] listens.
type Flow struct {
	Ends  [2]*End
	Links [2]*Link      // Links[i] carries what Ends[i] sends
	Extra time.Duration // one-way delay of this flow, added to that of the Links
	Start time.Duration // when Ends[0] opens
}

// Event is a segment that was sent or arrived.
type Event struct {
	At      time.Duration
	Flow    *Flow
	From    int          // the End that sent it
	Arrived bool         // it arrives; false: it is sent
	Fate    Fate         // of a segment that is sent
	Segment *tcp.Segment // valid during the call
	State   tcp.State    // of the End that has sent or received it, afterwards
}

// New returns a simulation at the time start, without flows.
func New(seed uint64, start time.Duration) *Sim {
	return &Sim{Now: start, Rand: rand.New(rand.NewPCG(seed, 0x7475_6e73_7461_636b))}
}

// Connect adds a flow that opens at the time start: a sends into forth, b into back.
func (s *Sim) Connect(start time.Duration, a, b *End, forth, back *Link) *Flow {
	f := &Flow{Ends: [2]*End{a, b}, Links: [2]*Link{forth, back}, Start: start}
	for i, e := range f.Ends {
		e.sim, e.flow, e.index = s, f, i
		e.Config = e.Config.WithDefaults()
	}
	a.wake = max(start, 1) // 0 would be never
	s.Flows = append(s.Flows, f)
	return f
}

// Err returns the first rule that was broken, or nil.
func (s *Sim) Err() error { return s.err }

func (s *Sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("at %v: "+format, append([]any{s.Now}, args...)...)
	}
}

// errEndless is the error of a simulation that does not come to rest.
var errEndless = errors.New("sim: the simulation does not end")

// Run steps until no event is left. More than the given number of steps are an error.
func (s *Sim) Run(steps int) error {
	for range steps {
		if !s.Step() {
			return s.err
		}
	}
	return errEndless
}

// RunUntil steps until the time end.
func (s *Sim) RunUntil(end time.Duration) error {
	for {
		next, ok := s.next()
		if !ok || next > end {
			s.Now = max(s.Now, end)
			return s.err
		}
		if !s.Step() {
			return s.err
		}
	}
}

// Step advances to the time of the next event and processes all events of that time. It returns false if no event is left or a rule was
// broken.
func (s *Sim) Step() bool {
	next, ok := s.next()
	if !ok || s.err != nil {
		return false
	}
	s.Now = next
	for len(s.wire) > 0 && s.wire[0].at <= s.Now {
		p := heap.Pop(&s.wire).(*parcel)
		p.to.arrive(p)
		p.to.wake = s.Now
		s.spare = append(s.spare, p)
	}
	for _, f := range s.Flows {
		for _, e := range f.Ends {
			if e.due() {
				e.settle()
			}
		}
	}
	return s.err == nil
}

// next returns the time of the next event.
func (s *Sim) next() (at time.Duration, ok bool) {
	if len(s.wire) > 0 {
		at, ok = s.wire[0].at, true
	}
	for _, f := range s.Flows {
		for _, e := range f.Ends {
			if t, is := e.next(); is && (!ok || t < at) {
				at, ok = t, true
			}
		}
	}
	return max(at, s.Now), ok
}

// post puts a parcel on the wire, which arrives at the time at.
func (s *Sim) post(p *parcel, at time.Duration) {
	s.count++
	p.at, p.n = at, s.count
	heap.Push(&s.wire, p)
}

// parcel returns an empty parcel for an End.
func (s *Sim) parcel(to *End) *parcel {
	p := new(parcel)
	if n := len(s.spare); n > 0 {
		p, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	*p = parcel{to: to, data: p.data[:0]}
	return p
}

// parcel is a packet on the wire: the bytes of a segment, or an ICMP error.
type parcel struct {
	at   time.Duration
	n    uint64 // parcels that arrive at the same time keep their order
	to   *End
	data []byte
	ect  bool
	ce   bool
	mtu  int // not 0: "fragmentation needed", about the byte at seq
	seq  tcp.Seq
}

// arrivals is a heap.
type arrivals []*parcel

func (a arrivals) Len() int { return len(a) }
func (a arrivals) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].n < a[j].n
}
func (a arrivals) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *arrivals) Push(x any)   { *a = append(*a, x.(*parcel)) }
func (a *arrivals) Pop() any {
	n := len(*a) - 1
	p := (*a)[n]
	*a = (*a)[:n]
	return p
}
