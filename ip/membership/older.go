package membership

import (
	"net/netip"
	"time"
)

// note learns from a query: which version the queriers use (RFC 9776 section 7.2.1, RFC 3810 section 8.2.1) and, from V3, their
// timing. A query of V3 without the values restores the defaults.
func (h *Host) note(now time.Duration, q *Query) {
	switch {
	case q.Version == V3:
		h.robustness, h.interval = defaultRobustness, defaultInterval
		if q.Robustness > 0 {
			h.robustness = q.Robustness
		}
		if q.Interval > 0 {
			h.interval = q.Interval
		}
	case q.Version == V1 || !q.Group.IsValid() || h.cfg.SpecificSwitches:
		h.older[q.Version] = now + time.Duration(h.robustness)*h.interval + time.Duration(h.cfg.ResponseFactor)*q.MaxDelay
	}
}

// chooseVersion sets the version that the queriers present ask for. With a change of the version all that is pending is void.
func (h *Host) chooseVersion(now time.Duration) {
	v := V3
	for _, older := range []Version{V2, V1} {
		if now < h.older[older] {
			v = older
		} else {
			h.older[older] = 0
		}
	}
	v = min(max(v, h.cfg.Min), h.cfg.Max)
	if v == h.version {
		return
	}
	h.version, h.general = v, never
	for addr, g := range h.groups {
		g.cancel()
		g.reporter = false
		h.drop(addr)
	}
}

// olderEnds is when the next older querier stops counting as present.
func (h *Host) olderEnds() time.Duration {
	ends := never
	for _, until := range h.older[V1:] {
		if until > 0 {
			ends = min(ends, until)
		}
	}
	return ends
}

// changedOld reports the begin or the end of a membership, as V1 and V2 do (RFC 2236 section 3). The end is only reported by
// the host that has reported the group last.
func (h *Host) changedOld(g *group, old Filter) {
	switch {
	case g.filter.Receives() == old.Receives():
	case g.filter.Receives():
		g.schedule(h.robustness)
	case g.reporter && h.version == V2:
		g.schedule(1)
	default:
		g.cancel()
	}
}

// delay schedules the answer of V1 or V2 to a query. A timer that runs keeps its time, unless that is later than the query allows.
func (h *Host) delay(now time.Duration, g *group, maxDelay time.Duration) {
	if g.answer-now > maxDelay {
		g.answer = now + h.cfg.Rand(maxDelay)
	}
}

// Heard handles a report of V1 or V2 for a group by another host, which makes an own report unnecessary (RFC 2236 section 3).
func (h *Host) Heard(group netip.Addr) {
	if g := h.groups[group]; g != nil && h.version != V3 && g.filter.Receives() {
		g.cancel()
		g.reporter = false
	}
}

// reportOld returns the reports of V1 or V2 that are due, those of changes and those that answer a query.
func (h *Host) reportOld(now time.Duration) (messages []Message) {
	due := h.due(now)
	reports := func(g *group) bool { return g.change <= now || due && g.answer <= now+answerGap }
	for _, addr := range sorted(h.groups, reports) {
		g := h.groups[addr]
		messages = append(messages, Message{Version: h.version, Group: addr, Leave: !g.filter.Receives()})
		g.reporter, g.answer = true, never
		if g.change <= now {
			g.modes--
			g.change = never
			if g.modes > 0 {
				g.change = now + h.cfg.Rand(unsolicitedOld)
			}
		}
		h.drop(addr)
	}
	if due {
		h.quiet = now + answerGap
	}
	return messages
}
