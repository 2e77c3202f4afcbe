package autoconf

import (
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/link/nd"
)

// Times of the solicitations (RFC 4861 section 10, RFC 7559 section 2).
const (
	maxSolicitationDelay = time.Second     // MAX_RTR_SOLICITATION_DELAY
	firstInterval        = 4 * time.Second // IRT, RTR_SOLICITATION_INTERVAL
	maxInterval          = time.Hour       // MRT
	maxSolicitations     = 3               // MAX_RTR_SOLICITATIONS: so many unanswered mean that there is no router
)

// solicitation is the state of the search for routers. It goes on, ever more slowly, until a router has answered (RFC 7559).
type solicitation struct {
	next     time.Duration // when the next one is sent; ip.Forever: none
	interval time.Duration // between the last and the next one; 0: none has been sent
	sent     int
	answered bool
}

func (h *Host) startSolicitation(now time.Duration) {
	h.solicit = solicitation{next: now + h.between(0, maxSolicitationDelay)}
}

// answer ends the search, but one solicitation is sent in any case: an answer to it may say more than what routers send unasked (RFC
// 4861 section 6.3.7).
func (s *solicitation) answer() {
	s.answered = true
	if s.sent > 0 {
		s.next = ip.Forever
	}
}

// sendSolicitation sends a router solicitation if one is due. It waits for the link-local address, as Linux does.
func (h *Host) sendSolicitation(now time.Duration) {
	if h.solicit.next > now {
		return
	}
	if h.stopped {
		h.solicit.next = ip.Forever
		return
	}
	r, err := h.iface.Stack().RouteVia(nd.AllRouters, netip.Addr{}, ip.Via{Device: h.iface})
	if err != nil || !ip.IsLinkLocal6(r.Src) {
		h.solicit.next = now + time.Second
		return
	}
	h.solicit.sent++
	h.solicit.next = now + h.nextInterval()
	if h.solicit.answered {
		h.solicit.next = ip.Forever
	}
	h.stats.OutSolicitations.Inc()
	p := packet.From((&nd.RouterSolicitation{Source: h.cfg.MAC}).Append(nil))
	b := p.Bytes()
	checksum.Put(b[2:], ^checksum.Sum(b, r.PseudoSum(ip.ProtocolICMPv6, len(b))))
	_ = h.iface.Stack().Send(now, r, ip.Outgoing{Protocol: ip.ProtocolICMPv6, TTL: nd.HopLimit}, p) // lost like any other packet
}

// nextInterval draws the time to the next solicitation: twice the last, give or take a tenth of it (RFC 8415 section 15).
func (h *Host) nextInterval() time.Duration {
	s := &h.solicit
	around := func(middle, ten time.Duration) time.Duration { return middle + h.between(-ten/10, ten/10) }
	if s.interval == 0 {
		s.interval = around(firstInterval, firstInterval)
	} else if s.interval = around(2*s.interval, s.interval); s.interval > maxInterval {
		s.interval = around(maxInterval, maxInterval)
	}
	return s.interval
}
