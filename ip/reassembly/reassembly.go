// Package reassembly puts fragmented datagrams of both families together (RFC 791 section 3.2, RFC 1122 section 3.3.2, RFC 8200
// section 4.5).
//
// The Engine guarantees that a datagram which it returns consists of fragments that do not overlap, and is complete. It
// discards a duplicate fragment, and gives up a datagram whose fragments contradict each other: they are either an attack or
// damage (RFC 6274 section 4.1, RFC 5722).
//
//	header | 0         1480       2960       4440        end
//	       | #########            ##########
//	       | pieces[0]  (missing) pieces[1]  (missing)
package reassembly

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
)

// Key identifies the fragments of one datagram.
type Key struct {
	Src, Dst netip.Addr
	ID       uint32
	Protocol uint8
}

// Fragment is one received fragment. Add copies the parts that it keeps. C describes how a datagram was received: the Engine
// keeps the C of the fragment received first.
type Fragment[C any] struct {
	Key
	Context C
	Header  []byte // in front of the payload, at most MaxHeader bytes; the header of the fragment with offset 0 is kept
	Payload []byte
	Offset  int  // of the payload within the datagram's payload, in bytes
	More    bool // it is not the last fragment
	Marked  bool // CE is set (RFC 3168 section 5.3)
	MaxLen  int  // of the datagram in bytes, header included
}

// Whole is a reassembled datagram. Packet starts with the header of the first fragment, and is the caller's.
type Whole struct {
	Packet    *packet.Buffer
	HeaderLen int
	Marked    bool // a fragment was marked CE
}

const (
	// MaxHeader is the longest header of a fragment in bytes, extension headers included. It fits into packet.Headroom.
	MaxHeader = 160

	maxPayload = 65535
	candidates = 8       // datagrams compared to choose the one to give up
	fairMemory = 1 << 16 // a source below this many bytes counts as this many: one datagram of the largest size
)

// Config of an Engine. All fields are required.
type Config[C any] struct {
	Timers  *timer.Queue
	Timeout time.Duration // after the first fragment
	Memory  int           // bytes of incomplete datagrams, with their descriptions
	// TimedOut is called for a datagram that timed out after its fragment with offset 0 was received. first is that fragment
	// and stays the Engine's.
	TimedOut func(now time.Duration, c C, first *packet.Buffer)
}

// Engine holds the incomplete datagrams. It is safe for concurrent use.
//
// Memory is bounded. When all of it is used, the Engine compares a few datagrams taken at random, and gives up the one whose
// source holds most. So a flooding source gives up its own datagrams, however many it sends, and the work per fragment does not
// depend on the number of incomplete datagrams.
type Engine[C any] struct {
	cfg    Config[C]
	stats  counters
	random func(n int) int // below n

	mu        sync.Mutex
	datagrams map[Key]*datagram[C]
	all       []*datagram[C] // the same datagrams, to choose from at random
	first     *datagram[C]   // by age, the oldest first; all have the same lifetime
	last      *datagram[C]
	memory    int
	bySource  map[netip.Addr]int // memory per source
	free      []*datagram[C]     // for reuse
	timer     timer.Timer
}

type counters struct {
	Fragments  stats.Counter `name:"ip.reassembly.fragments" doc:"fragments received for this stack" rfc:"RFC 791 3.2"`
	Whole      stats.Counter `name:"ip.reassembly.ok" doc:"datagrams put together" rfc:"RFC 791 3.2"`
	Duplicates stats.Counter `name:"ip.reassembly.duplicates" doc:"duplicate fragments" rfc:"RFC 791 3.2"`

	DropFragment stats.Counter `name:"ip.drop.bad_fragment" doc:"fragment empty, not in units of 8 bytes or past the largest datagram" rfc:"RFC 791 3.2"`
	DropOverlap  stats.Counter `name:"ip.drop.overlap" doc:"datagrams with fragments that contradict each other" rfc:"RFC 6274 4.1"`
	DropPieces   stats.Counter `name:"ip.drop.too_many_pieces" doc:"datagrams in too many disjoint pieces" rfc:"RFC 6274 4.1"`
	DropFull     stats.Counter `name:"ip.drop.reassembly_full" doc:"datagrams given up for lack of reassembly memory" rfc:"RFC 6274 4.1"`
	DropTime     stats.Counter `name:"ip.drop.reassembly_timeout" doc:"datagrams incomplete at the end of the reassembly timeout" rfc:"RFC 1122 3.3.2"`
}

// Init makes the zero Engine ready for use.
func (e *Engine[C]) Init(cfg Config[C]) {
	e.cfg, e.random = cfg, rand.IntN
	e.datagrams, e.bySource = make(map[Key]*datagram[C]), make(map[netip.Addr]int)
	e.timer.Init(cfg.Timers, e)
}

// Stats is a pointer to the counters, for stats.Read.
func (e *Engine[C]) Stats() any { return &e.stats }

// Held is the memory in bytes that is in use.
func (e *Engine[C]) Held() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.memory
}

// Add takes a fragment. It returns the datagram, and true, when the fragment completes it.
func (e *Engine[C]) Add(now time.Duration, f *Fragment[C]) (Whole, bool) {
	e.stats.Fragments.Inc()
	w, why := e.add(now, f)
	if why != nil {
		why.Inc()
	}
	return w, w.Packet != nil
}

// add returns the datagram when it is complete, or the counter of the reason for a drop.
func (e *Engine[C]) add(now time.Duration, f *Fragment[C]) (Whole, *stats.Counter) {
	end := f.Offset + len(f.Payload)
	if len(f.Payload) == 0 || f.More && len(f.Payload)%8 != 0 || end > maxPayload || len(f.Header)+end > f.MaxLen || len(f.Header) > MaxHeader {
		return Whole{}, &e.stats.DropFragment
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.datagrams[f.Key]
	if d == nil {
		d = e.open(now, f)
	}
	before := d.memory
	drop := d.add(&e.stats, f)
	e.charge(f.Src, d.memory-before)
	switch {
	case drop == &e.stats.Duplicates:
		return Whole{}, drop
	case drop != nil:
		e.close(d)
		return Whole{}, drop
	case !d.whole():
		e.makeRoom()
		return Whole{}, nil
	case d.headerLen+d.end > f.MaxLen: // the first fragment's header is longer than the others'
		e.close(d)
		return Whole{}, &e.stats.DropFragment
	}
	w := Whole{d.first(d.end), d.headerLen, d.marked}
	e.close(d)
	e.stats.Whole.Inc()
	return w, nil
}

func (e *Engine[C]) open(now time.Duration, f *Fragment[C]) *datagram[C] {
	var d *datagram[C]
	if n := len(e.free); n > 0 {
		d, e.free = e.free[n-1], e.free[:n-1]
	} else {
		d = new(datagram[C])
	}
	*d = datagram[C]{
		key: f.Key, context: f.Context, expires: now + e.cfg.Timeout, older: e.last, index: len(e.all), memory: d.empty(),
	}
	e.all = append(e.all, d)
	e.charge(f.Src, d.memory)
	if e.last != nil {
		e.last.newer = d
	} else {
		e.first = d
		e.timer.Arm(d.expires)
	}
	e.last = d
	e.datagrams[f.Key] = d
	return d
}

// close removes a datagram.
func (e *Engine[C]) close(d *datagram[C]) {
	e.charge(d.key.Src, -d.memory)
	d.payload.free()
	delete(e.datagrams, d.key)
	last := e.all[len(e.all)-1]
	e.all[d.index], last.index = last, d.index
	e.all[len(e.all)-1] = nil
	e.all = e.all[:len(e.all)-1]
	if d.older != nil {
		d.older.newer = d.newer
	} else {
		e.first = d.newer
	}
	if d.newer != nil {
		d.newer.older = d.older
	} else {
		e.last = d.older
	}
	var none C
	d.older, d.newer, d.context = nil, nil, none
	const spare = 64
	if len(e.free) < spare {
		e.free = append(e.free, d)
	}
}

func (e *Engine[C]) charge(src netip.Addr, change int) {
	e.memory += change
	if e.bySource[src] += change; e.bySource[src] == 0 {
		delete(e.bySource, src)
	}
}

// makeRoom gives up datagrams until memory is within its bound.
func (e *Engine[C]) makeRoom() {
	for e.memory > e.cfg.Memory {
		e.stats.DropFull.Inc()
		e.close(e.victim())
	}
}

// victim returns the datagram to give up: among a few chosen at random the one whose source has the most memory, or the oldest
// if the sources have the same.
func (e *Engine[C]) victim() *datagram[C] {
	var worst *datagram[C]
	most := 0
	for range candidates {
		d := e.all[e.random(len(e.all))]
		held := max(e.bySource[d.key.Src], fairMemory)
		if held > most || held == most && d.expires < worst.expires {
			worst, most = d, held
		}
	}
	return worst
}

// Expire is called by the timer. It gives up the datagrams that have timed out.
func (e *Engine[C]) Expire(now time.Duration) {
	for {
		e.mu.Lock()
		d := e.first
		if d == nil || d.expires > now {
			if d != nil {
				e.timer.Arm(d.expires)
			}
			e.mu.Unlock()
			return
		}
		var first *packet.Buffer
		if d.firstLen > 0 {
			first = d.first(d.firstLen)
		}
		context := d.context
		e.close(d)
		e.mu.Unlock()
		e.stats.DropTime.Inc()
		if first != nil {
			e.cfg.TimedOut(now, context, first)
			first.Free()
		}
	}
}
