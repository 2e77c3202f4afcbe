package membership

import (
	"net/netip"
	"time"
)

// changed records a change of the filter (RFC 9776 section 5.1): a change of the mode is reported with the whole filter, other
// changes source by source. It starts the transmissions over, of which there are robustness.
func (g *group) changed(old Filter, robustness int) {
	if g.filter.equal(old) {
		return
	}
	if g.filter.Exclude != old.Exclude {
		g.schedule(robustness)
		return
	}
	g.change = 0
	if g.sources == nil {
		g.sources = make(map[netip.Addr]int)
	}
	for _, a := range union(difference(g.filter.Sources, old.Sources), difference(old.Sources, g.filter.Sources)) {
		g.sources[a] = robustness
	}
}

// schedule makes the whole filter the subject of the next reports, at once.
func (g *group) schedule(transmissions int) { g.change, g.modes, g.sources = 0, transmissions, nil }

// pending reports whether changes are left to report.
func (g *group) pending() bool { return g.modes > 0 || len(g.sources) > 0 }

// cancel discards the reports and the answer that are still to be sent about the group.
func (g *group) cancel() { g.change, g.modes, g.sources, g.answer, g.asked = never, 0, nil, never, nil }

// changes returns the records of the changes that are due. All of them are due again at one time, so that they need one message.
func (h *Host) changes(now time.Duration) (records []Record) {
	again := now + h.cfg.Rand(unsolicited)
	for _, addr := range sorted(h.groups, func(g *group) bool { return g.change <= now }) {
		g := h.groups[addr]
		records = g.report(records, addr)
		g.change = never
		if g.pending() {
			g.change = again
		}
		h.drop(addr)
	}
	return records
}

// report appends the records of a group's changes, and counts the transmission.
func (g *group) report(records []Record, addr netip.Addr) []Record {
	if g.modes > 0 {
		g.modes--
		t := ToInclude
		if g.filter.Exclude {
			t = ToExclude
		}
		return append(records, Record{t, addr, g.filter.Sources})
	}
	var allowed, blocked []netip.Addr
	for a := range g.sources {
		if g.filter.Allows(a) {
			allowed = append(allowed, a)
		} else {
			blocked = append(blocked, a)
		}
		if g.sources[a]--; g.sources[a] == 0 {
			delete(g.sources, a)
		}
	}
	if len(allowed) > 0 {
		records = append(records, Record{Allow, addr, NewFilter(false, allowed).Sources})
	}
	if len(blocked) > 0 {
		records = append(records, Record{Block, addr, NewFilter(false, blocked).Sources})
	}
	return records
}
