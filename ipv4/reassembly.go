package ipv4

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
	"tunstack/ip"
)

// reassembly holds the datagrams of which not all fragments have come (RFC 791 section 3.2, RFC 1122 section 3.3.2).
//
// Memory is bounded, and spent by need: when all of it is used, the datagram to go is the one whose source holds most among a few
// taken at random. So sources that flood give up their own datagrams, however many they are, and the work for a fragment does not
// depend on how many others wait.
type reassembly struct {
	stack     *Stack
	mu        sync.Mutex
	datagrams map[datagramKey]*datagram
	all       []*datagram // the same, to choose from
	first     *datagram   // by age, the oldest first; all live equally long
	last      *datagram
	memory    int
	bySource  map[netip.Addr]int // memory per source
	free      []*datagram        // for reuse
	random    *rand.Rand
	timer     timer.Timer
}

const (
	candidates = 8       // datagrams that are compared to find the one to go
	fairMemory = 1 << 16 // bytes up to which all sources are alike: one datagram of the largest size
)

type datagramKey struct {
	src, dst netip.Addr
	id       uint16
	protocol uint8
}

func (r *reassembly) init(s *Stack) {
	r.stack = s
	r.datagrams, r.bySource = make(map[datagramKey]*datagram), make(map[netip.Addr]int)
	secret := s.cfg.Secret
	r.random = rand.New(rand.NewPCG(binary.LittleEndian.Uint64(secret[:]), binary.LittleEndian.Uint64(secret[8:])))
	r.timer.Init(s.shared.Timers, r)
}

// reassemble takes a fragment over, and delivers the datagram that it completes.
func (s *Stack) reassemble(now time.Duration, h *Header, p *packet.Buffer) {
	s.stats.FragmentsIn.Inc()
	whole, drop := s.reassembly.add(now, h, p.Bytes())
	if drop != nil {
		drop.Inc()
	}
	if whole == nil {
		p.Free()
		return
	}
	whole.Cast, whole.Queue = p.Cast, p.Queue
	p.Free()
	s.stats.Reassembled.Inc()
	h.Parse(whole.Bytes())
	s.deliver(now, h, whole)
}

// add copies a fragment to its place. It returns the datagram once it is whole, or the reason why something was dropped.
func (r *reassembly) add(now time.Duration, h *Header, b []byte) (*packet.Buffer, *stats.Counter) {
	payload := b[h.Len():]
	end := int(h.Offset) + len(payload)
	if len(payload) == 0 || h.MF && len(payload)%8 != 0 || h.Len()+end > MaxDatagram {
		return nil, &r.stack.stats.DropFragment
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := datagramKey{h.Src, h.Dst, h.ID, h.Protocol}
	d := r.datagrams[key]
	if d == nil {
		d = r.open(now, key, h)
	}
	before := d.memory
	drop := d.add(&r.stack.stats, h, b)
	r.charge(key.src, d.memory-before)
	switch {
	case drop == &r.stack.stats.Duplicates:
		return nil, drop
	case drop != nil:
		r.close(d)
		return nil, drop
	case d.whole() && d.size() > MaxDatagram: // the first fragment's header is longer than the others'
		r.close(d)
		return nil, &r.stack.stats.DropFragment
	case d.whole():
		p := d.finish()
		r.close(d)
		return p, nil
	}
	r.makeRoom()
	return nil, nil
}

func (r *reassembly) open(now time.Duration, key datagramKey, h *Header) *datagram {
	var d *datagram
	if n := len(r.free); n > 0 {
		d, r.free = r.free[n-1], r.free[:n-1]
	} else {
		d = new(datagram)
	}
	*d = datagram{
		key: key, in: h.In, cast: h.Cast, expires: now + r.stack.shared.ReassemblyTimeout, older: r.last,
		index: len(r.all), memory: emptyMemory,
	}
	r.all = append(r.all, d)
	r.charge(key.src, d.memory)
	if r.last != nil {
		r.last.newer = d
	} else {
		r.first = d
		r.timer.Arm(d.expires)
	}
	r.last = d
	r.datagrams[key] = d
	return d
}

// close forgets a datagram.
func (r *reassembly) close(d *datagram) {
	r.charge(d.key.src, -d.memory)
	d.payload.free()
	delete(r.datagrams, d.key)
	last := r.all[len(r.all)-1]
	r.all[d.index], last.index = last, d.index
	r.all[len(r.all)-1] = nil
	r.all = r.all[:len(r.all)-1]
	if d.older != nil {
		d.older.newer = d.newer
	} else {
		r.first = d.newer
	}
	if d.newer != nil {
		d.newer.older = d.older
	} else {
		r.last = d.older
	}
	d.older, d.newer, d.in = nil, nil, nil
	const spare = 64
	if len(r.free) < spare {
		r.free = append(r.free, d)
	}
}

func (r *reassembly) charge(src netip.Addr, change int) {
	r.memory += change
	if r.bySource[src] += change; r.bySource[src] == 0 {
		delete(r.bySource, src)
	}
}

// makeRoom gives up datagrams until memory is within its bound.
func (r *reassembly) makeRoom() {
	for r.memory > r.stack.shared.ReassemblyMemory {
		r.stack.stats.DropReassemblyFull.Inc()
		r.close(r.victim())
	}
}

// victim is the datagram to go: among a few at random that of the source with the most memory, and if they are alike the oldest.
func (r *reassembly) victim() *datagram {
	var worst *datagram
	most := 0
	for range candidates {
		d := r.all[r.random.IntN(len(r.all))]
		held := max(r.bySource[d.key.src], fairMemory)
		if held > most || held == most && d.expires < worst.expires {
			worst, most = d, held
		}
	}
	return worst
}

// Expire gives up the datagrams whose time is over, and tells their senders if the first fragment had come.
func (r *reassembly) Expire(now time.Duration) {
	for {
		r.mu.Lock()
		d := r.first
		if d == nil || d.expires > now {
			if d != nil {
				r.timer.Arm(d.expires)
			}
			r.mu.Unlock()
			return
		}
		h := Header{Datagram: ip.Datagram{Cast: d.cast, In: d.in}}
		var first *packet.Buffer
		if d.firstLen > 0 {
			first = d.first(d.firstLen)
		}
		r.close(d)
		r.mu.Unlock()
		r.stack.stats.DropReassemblyTime.Inc()
		if first == nil {
			continue
		}
		if h.Parse(first.Bytes()) {
			r.stack.Report(now, ip.Error{Kind: ip.ReassemblyTimeout}, &h.Datagram, first)
		}
		first.Free()
	}
}
