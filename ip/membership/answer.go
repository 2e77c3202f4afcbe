package membership

import (
	"net/netip"
	"time"
)

// Query handles a query. Answers leave at later calls of Expire.
func (h *Host) Query(now time.Duration, q Query) {
	q.MaxDelay = max(q.MaxDelay, minDelay)
	h.note(now, &q)
	h.chooseVersion(now)
	for addr, g := range h.groups {
		if !g.filter.Receives() || q.Group.IsValid() && q.Group != addr {
			continue
		}
		switch {
		case h.version != V3 && h.cfg.SSM(addr):
		case h.version != V3:
			h.delay(now, g, q.MaxDelay)
		case q.Group.IsValid():
			h.ask(now, g, &q)
		default:
			h.general = min(h.general, now+h.cfg.Rand(q.MaxDelay))
			return
		}
	}
}

// ask schedules the answer to a query for a group, by the rules of RFC 9776 section 5.2 (RFC 3810 section 6.2). The sources of
// several queries are answered together.
func (h *Host) ask(now time.Duration, g *group, q *Query) {
	at := now + h.cfg.Rand(q.MaxDelay)
	if h.general <= at {
		return
	}
	var asked []netip.Addr
	if n := len(q.Sources); n > 0 && n <= maxAsked && (g.answer == never || g.asked != nil) {
		asked = union(g.asked, NewFilter(false, q.Sources).Sources)
	}
	if len(asked) > maxAsked {
		asked = nil
	}
	g.answer, g.asked = min(g.answer, at), asked
}

// answers returns the records of the answers that are due. With the first that is due go those of the next answerGap, after
// which others may leave.
func (h *Host) answers(now time.Duration) (records []Record) {
	if !h.due(now) {
		return nil
	}
	end := now + answerGap
	all := h.general <= end
	answers := func(g *group) bool { return g.filter.Receives() && (all || g.answer <= end) }
	for _, addr := range sorted(h.groups, answers) {
		g := h.groups[addr]
		asked := g.asked
		if all {
			asked = nil
		}
		if r, ok := current(addr, g.filter, asked); ok {
			records = append(records, r)
		}
		g.answer, g.asked = never, nil
	}
	if all {
		h.general = never
	}
	h.quiet = end
	return records
}

// due reports whether an answer must leave now.
func (h *Host) due(now time.Duration) bool {
	answer := h.general
	for _, g := range h.groups {
		answer = min(answer, g.answer)
	}
	return max(answer, h.quiet) <= now
}
