package ip

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"tunstack/internal/timer"
)

const maxPMTUs = 4096 // destinations with an estimate of their own

// pmtuCache holds the path MTU estimates that are below the first hop's (RFC 1191 section 6). Routes copy their estimate, and a
// change starts a new generation of Routes.
type pmtuCache struct {
	stack   *Stack
	mu      sync.Mutex
	entries map[netip.Addr]*list.Element // of byAge
	byAge   list.List                    // of pmtuEntry, the first to expire in front: all have the same lifetime
	timer   timer.Timer
}

type pmtuEntry struct {
	dst     netip.Addr
	mtu     int
	noDF    bool
	expires time.Duration
}

func (c *pmtuCache) init(s *Stack) {
	c.stack = s
	c.entries = make(map[netip.Addr]*list.Element)
	c.timer.Init(s.cfg.Timers, c)
}

// get is the estimate for a destination behind a first hop, and whether DF must stay clear.
func (c *pmtuCache) get(dst netip.Addr, firstHop int) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.entries[dst]
	if !ok {
		return firstHop, false
	}
	e := at.Value.(pmtuEntry)
	return min(e.mtu, firstHop), e.noDF
}

// UpdatePMTU lowers the path MTU estimate for the destination of a datagram that was too big, as a received Fragmentation
// Needed says; other errors, and MTUs that are no reduction, are ignored. The transport calls it once it believes the error.
// A reported MTU below the family's MinPMTU counts as that, and DF is then left clear on datagrams to that destination, so that
// a forged error costs little and a true one stops nothing (RFC 1191 section 3, RFC 5927 section 7.2).
func (s *Stack) UpdatePMTU(now time.Duration, e *Error) {
	if e.Kind != TooBig || e.Local {
		return
	}
	p := s.resolve(e.Quoted.Dst, e.Quoted.Src, Via{})
	if p.Err != nil {
		return
	}
	reported := e.MTU
	if reported == 0 {
		reported = plateau(e.Quoted.TotalLen)
	}
	floor := min(s.FamilyOf(e.Quoted.Dst).MinPMTU(), p.MTU)
	if reported >= p.MTU || p.NoDF && floor == p.MTU {
		return
	}
	s.pmtu.set(pmtuEntry{dst: e.Quoted.Dst, mtu: max(reported, floor), noDF: reported < floor, expires: now + s.cfg.PMTUAge})
	s.stats.PMTULowered.Inc()
}

// Apply obeys a TooBig or a Redirect. A transport calls it only if its own state shows that it sent the quoted datagram:
// anybody can forge an error about a datagram that was never sent.
func (s *Stack) Apply(now time.Duration, e *Error) {
	switch e.Kind {
	case TooBig:
		s.UpdatePMTU(now, e)
	case Redirect:
		s.Redirect(now, e)
	}
}

// ApplyIfSent is Apply for transports that keep no record of the datagrams they send. It ignores an error unless a recently
// sent datagram with DF has the addresses, the protocol and the first 8 bytes of payload that the error quotes. It reports
// whether it believed the error.
func (s *Stack) ApplyIfSent(now time.Duration, e *Error, quoted []byte) bool {
	if e.Kind != TooBig && e.Kind != Redirect {
		return false
	}
	if !s.sentLately(now, &e.Quoted, quoted) {
		s.stats.ErrorForged.Inc()
		return false
	}
	s.Apply(now, e)
	return true
}

func (c *pmtuCache) set(e pmtuEntry) {
	c.mu.Lock()
	if at, known := c.entries[e.dst]; known {
		c.byAge.Remove(at)
	} else if len(c.entries) >= maxPMTUs {
		c.remove(c.byAge.Front())
	}
	c.entries[e.dst] = c.byAge.PushBack(e)
	c.mu.Unlock()
	c.timer.ArmEarlier(e.expires)
	c.stack.generation.Add(1)
}

func (c *pmtuCache) remove(at *list.Element) {
	delete(c.entries, c.byAge.Remove(at).(pmtuEntry).dst)
}

// Expire forgets old estimates, so that senders try the first hop's MTU again (RFC 1191 section 6.3).
func (c *pmtuCache) Expire(now time.Duration) {
	c.mu.Lock()
	for at := c.byAge.Front(); at != nil; at = c.byAge.Front() {
		if expires := at.Value.(pmtuEntry).expires; expires > now {
			c.timer.ArmEarlier(expires)
			break
		}
		c.remove(at)
	}
	c.mu.Unlock()
	c.stack.generation.Add(1)
}

// plateau is the next lower common MTU, for routers that do not report theirs (RFC 1191 section 7.1).
func plateau(size int) int {
	for _, mtu := range [...]int{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296} {
		if mtu < size {
			return mtu
		}
	}
	return 68 // every link carries that much (RFC 791 section 3.2)
}
