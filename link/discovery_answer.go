package link

import (
	"net/netip"
	"time"

	"tunstack/internal/timer"
	"tunstack/link/nd"
)

const (
	maxAnycastDelay = time.Second // MAX_ANYCAST_DELAY_TIME (RFC 4861 section 10)
	maxDelayed      = 64          // answers that wait at one time
)

// reply is an advertisement that answers a solicitation.
type reply struct {
	nd.NeighborAdvertisement
	dst     netip.Addr
	mac     MAC  // of the asker; zero: its solicitation did not tell
	anycast bool // other hosts have the target, too
}

// answer sends a reply (RFC 4861 section 7.2.4). For an anycast address it waits a random time, so that the answers of several hosts do not
// collide, and does not override that of another host (section 7.2.7).
func (d *discovery) answer(now time.Duration, r reply) {
	if !r.anycast {
		r.Override = true
		d.send(now, r)
		return
	}
	e := d.e
	e.mu.Lock()
	defer e.mu.Unlock()
	if d.delayed >= maxDelayed {
		d.stats.DropDelayed.Inc()
		return
	}
	d.delayed++
	t := new(timer.Timer)
	t.Init(e.cfg.Timers, timer.Func(func(now time.Duration) {
		e.mu.Lock()
		d.delayed--
		e.mu.Unlock()
		d.send(now, r)
	}))
	t.Arm(now + e.between(0, maxAnycastDelay))
}

// send sends a reply, from the target or, if that is an anycast address, from an address of the stack.
func (d *discovery) send(now time.Duration, r reply) {
	e, src := d.e, r.Target
	r.TargetAddress, r.Router = nd.LinkLayer(e.mac), e.cfg.Router
	if r.anycast {
		e.mu.Lock()
		src = e.lowest(false)
		e.mu.Unlock()
		if !src.IsValid() {
			return
		}
	}
	d.stats.OutAdvertisements.Inc()
	if r.mac != (MAC{}) { // straight to the station: a flood of sources shall not count as neighbours in use
		e.write(d.frame(r.mac, src, r.dst, &r.NeighborAdvertisement))
		return
	}
	_ = e.Output(now, nd.New(src, r.dst, &r.NeighborAdvertisement), r.dst) // EHOSTUNREACH: it has not answered our solicitations
}
