package membership

import (
	"net/netip"
	"time"
)

// Config of a Host.
type Config struct {
	AddrLen  int                                 // of an address in a record, in bytes
	Headers  int                                 // bytes of a report of V3 before its records, with the IP header
	MTU      func() int                          // of the interface now, in bytes
	Oldest   Version                             // of the protocol
	Min, Max Version                             // the versions that may be used; 0: Oldest and V3
	Reported func(group netip.Addr) bool         // false for a group that is never reported
	SSM      func(group netip.Addr) bool         // true for a group of source-specific multicast, which V1 and V2 do not report (RFC 4604); nil: none
	Rand     func(n time.Duration) time.Duration // a random time in (0, n]

	// SpecificSwitches lets also a query for a group switch to its version (MLD; RFC 9776 section 7.2.1 forbids it).
	SpecificSwitches bool
	// ResponseFactor is the number of response times for which a querier of an older version counts as present, in addition to
	// its query intervals.
	ResponseFactor int
}

// Defaults and bounds (RFC 9776 section 8, RFC 3810 section 9, RFC 2236 section 8, RFC 2710 section 7).
const (
	defaultRobustness = 2
	defaultInterval   = 125 * time.Second
	unsolicited       = time.Second      // [Unsolicited Report Interval] of V3
	unsolicitedOld    = 10 * time.Second // of V1 and V2

	minDelay = time.Millisecond // of an answer, even if the query asks for an immediate one: many hosts hear it

	// answerGap is the least time between two sets of answers to queries, which a flood of queries cannot shorten.
	answerGap = 100 * time.Millisecond
	// maxAsked is the number of sources that are recorded for the answer to queries for sources of a group (RFC 9776 section
	// 9.1). Beyond it the answer reports all sources of the group.
	maxAsked = 64

	never = time.Duration(1<<63 - 1)
)

// Host is the host side of a protocol on one interface. The caller serializes all calls, and calls Expire at the time that Next
// returns. Times are those since some fixed moment.
type Host struct {
	cfg        Config
	version    Version // in use: the host's compatibility mode
	groups     map[netip.Addr]*group
	older      [V3]time.Duration // until when a querier of V1 or V2 counts as present; 0: none does
	robustness int               // [Robustness Variable]
	interval   time.Duration     // [Query Interval]
	general    time.Duration     // when the answer to a general query is due
	quiet      time.Duration     // no answer leaves earlier
}

// group is the state of a group that is received, or whose end is still to be reported.
type group struct {
	filter Filter

	// Changes of the filter that are still to be reported (RFC 9776 section 5.1).
	change  time.Duration      // when the next report of changes is due
	modes   int                // transmissions left of a change of the filter mode; of V1 and V2: of any report
	sources map[netip.Addr]int // transmissions left of a change of sources

	// The answer to queries for this group (section 5.2), for V1 and V2 also to general queries.
	answer time.Duration // when it is due
	asked  []netip.Addr  // the sources asked for; nil: all

	reporter bool // V1 and V2: this host has sent the latest report of the group
}

// NewHost returns a Host without groups.
func NewHost(cfg Config) *Host {
	if cfg.Max == 0 {
		cfg.Max = V3
	}
	if cfg.SSM == nil {
		cfg.SSM = func(netip.Addr) bool { return false }
	}
	cfg.Min = max(cfg.Min, cfg.Oldest)
	return &Host{
		cfg: cfg, version: cfg.Max, groups: make(map[netip.Addr]*group), general: never,
		robustness: defaultRobustness, interval: defaultInterval,
	}
}

// Version is the version in use.
func (h *Host) Version() Version { return h.version }

// Set tells the filter of a group on the interface. A change is reported at the next call of Expire; Set returns whether it is due at once.
func (h *Host) Set(addr netip.Addr, f Filter) (due bool) {
	g := h.groups[addr]
	switch {
	case !h.cfg.Reported(addr) || g == nil && !f.Receives():
		return false
	case g == nil:
		g = &group{change: never, answer: never}
		h.groups[addr] = g
	}
	old := g.filter
	g.filter = f
	switch {
	case h.version == V3:
		g.changed(old, h.robustness)
	case !h.cfg.SSM(addr):
		h.changedOld(g, old)
	}
	if !f.Receives() {
		g.answer, g.asked = never, nil
		h.drop(addr)
	}
	return g.change == 0
}

// Restate reports all groups again, because routers have ignored the reports so far: those of MLD that had no source address
// (RFC 3810 section 5.2.13).
func (h *Host) Restate() {
	for _, g := range h.groups {
		if g.filter.Receives() {
			g.schedule(h.robustness)
		}
	}
}

// drop forgets a group that is not received and about which nothing is left to report.
func (h *Host) drop(addr netip.Addr) {
	if g := h.groups[addr]; !g.filter.Receives() && !g.pending() {
		delete(h.groups, addr)
	}
}

// Next is the time at which Expire is due; false if nothing is due at any time.
func (h *Host) Next() (time.Duration, bool) {
	next, answer := h.olderEnds(), h.general
	for _, g := range h.groups {
		next, answer = min(next, g.change), min(answer, g.answer)
	}
	if answer != never {
		next = min(next, max(answer, h.quiet))
	}
	return next, next != never
}

// Expire does what is due at now, and returns the messages to send.
func (h *Host) Expire(now time.Duration) []Message {
	h.chooseVersion(now)
	if h.version != V3 {
		return h.reportOld(now)
	}
	return pack(append(h.changes(now), h.answers(now)...), h.cfg.MTU()-h.cfg.Headers, h.cfg.AddrLen)
}
