// Package mdns gives a stack a name in the domain local (RFC 6762): Host decides, without I/O and clock, which messages are sent when;
// Start runs one on each interface of a stack. Dial asks the hosts of a link. The wire format is that of github.com/miekg/dns.
package mdns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Port is the port of multicast DNS.
const Port = 5353

// Times of RFC 6762 sections 8.1, 8.2 and 8.3.
const (
	probeWait       = 250 * time.Millisecond // the longest time before the first probe, and the time between probes
	probes          = 3
	tieWait         = time.Second // after a simultaneous probe of another host that goes first
	announceWait    = time.Second
	announcements   = 2
	manyConflicts   = 15 // within conflictPeriod: from then on conflictWait precedes each probing
	conflictPeriod  = 10 * time.Second
	conflictWait    = 5 * time.Second
	never           = time.Duration(1<<63 - 1)
	maxWaiting      = 16 // truncated queries under way
	moreKnownAnswer = 400 * time.Millisecond
)

// Packet is a message to send.
type Packet struct {
	*dns.Msg
	To netip.AddrPort // the zero AddrPort stands for the group
}

// Source is the origin of a received message.
type Source struct {
	Addr   netip.AddrPort
	Direct bool // sent to an address of this host, not to the group
	OnLink bool // Addr is in a network of the interface
}

// phase is the progress of a Host.
type phase int

const (
	idle       phase = iota // without an address
	probing                 // asking whether another host has the name
	announcing              // telling others
	running
)

// Host is the state of multicast DNS on one interface. It is not safe for concurrent use. Times are on any clock.
type Host struct {
	base   string // the name that the user wants, without domain
	number int    // appended to base if above 1
	addrs  []netip.Addr
	random func(d time.Duration) time.Duration // a time from 0 to d

	phase     phase
	sent      int             // probes or announcements
	due       time.Duration   // of the next one
	conflicts []time.Duration // the times of the last manyConflicts
	last      map[string]time.Duration
	waiting   []*truncated
	out       []Packet
}

// NewHost returns a Host that has no address yet and wants the name base.local. random returns a random time from 0 to d.
func NewHost(base string, random func(d time.Duration) time.Duration) *Host {
	return &Host{base: base, number: 1, random: random, due: never, last: map[string]time.Duration{}}
}

// Name is the name that the Host has or tries to get, with a dot at its end.
func (h *Host) Name() string {
	if h.number > 1 {
		return fmt.Sprintf("%s-%d.local.", h.base, h.number)
	}
	return h.base + ".local."
}

// Owned reports whether no other host objects to the name.
func (h *Host) Owned() bool { return h.phase >= announcing }

// Addrs are the addresses that the Host announces.
func (h *Host) Addrs() []netip.Addr { return h.addrs }

// SetAddrs replaces the addresses. Others are told (RFC 6762 section 8.4).
func (h *Host) SetAddrs(now time.Duration, addrs []netip.Addr) {
	if slices.Equal(addrs, h.addrs) {
		return
	}
	gone := slices.DeleteFunc(slices.Clone(h.addrs), func(a netip.Addr) bool { return slices.Contains(addrs, a) })
	if h.Owned() && len(gone) > 0 {
		h.announce(h.records(gone, 0))
	}
	h.addrs = slices.Clone(addrs)
	switch {
	case len(addrs) == 0:
		h.phase, h.due = idle, never
	case h.phase == idle:
		h.probe(now + h.random(probeWait))
	case h.Owned():
		h.phase, h.sent, h.due = announcing, 0, now
	}
}

// probe begins to probe at a time.
func (h *Host) probe(at time.Duration) { h.phase, h.sent, h.due = probing, 0, at }

// Next is the time at which Expire must be called.
func (h *Host) Next() time.Duration {
	next := h.due
	for _, t := range h.waiting {
		next = min(next, t.due)
	}
	return next
}

// Expire does what is due.
func (h *Host) Expire(now time.Duration) {
	for len(h.waiting) > 0 && h.waiting[0].due <= now {
		t := h.waiting[0]
		h.waiting = h.waiting[1:]
		h.respond(now, &t.Msg, t.from)
	}
	if now < h.due {
		return
	}
	switch {
	case h.phase == probing && h.sent < probes:
		h.sendProbe()
		h.sent, h.due = h.sent+1, now+probeWait
	case h.phase == probing:
		h.phase, h.sent = announcing, 0
		fallthrough
	case h.phase == announcing:
		h.announce(h.all(now, h.records(h.addrs, ttl)))
		h.sent, h.due = h.sent+1, now+announceWait
		if h.sent == announcements {
			h.phase, h.due = running, never
		}
	}
}

// Packets returns the messages to send since the last call.
func (h *Host) Packets() []Packet {
	out := h.out
	h.out = nil
	return out
}

// Close tells others that the name is gone (RFC 6762 section 10.1).
func (h *Host) Close() {
	if h.Owned() {
		h.announce(h.records(h.addrs, 0))
	}
	h.phase, h.due, h.waiting = idle, never, nil
}

// sendProbe asks for any record of the name, and says which ones it shall have (RFC 6762 section 8.1).
func (h *Host) sendProbe() {
	m := new(dns.Msg)
	m.Question = []dns.Question{{Name: h.Name(), Qtype: dns.TypeANY, Qclass: dns.ClassINET | topBit}}
	m.Ns = h.proposed()
	h.out = append(h.out, Packet{Msg: m})
}

// announce sends records to the group.
func (h *Host) announce(records []dns.RR) {
	m := new(dns.Msg)
	m.Response, m.Authoritative = true, true
	m.Answer = records
	h.out = append(h.out, Packet{Msg: m})
}

// Input takes a received message. One with an operation or an error code is ignored (RFC 6762 sections 18.3 and 18.11), and so is one
// from another network that was sent to this host alone (section 11).
func (h *Host) Input(now time.Duration, m *dns.Msg, from Source) {
	switch {
	case m.Opcode != dns.OpcodeQuery || m.Rcode != dns.RcodeSuccess || from.Direct && !from.OnLink || h.phase == idle:
	case !m.Response:
		h.query(now, m, from)
	case from.Addr.Port() == Port: // section 6: others are forged
		h.response(now, m)
	}
}

// response looks for records of another host that has the same name (RFC 6762 sections 8.1 and 9).
func (h *Host) response(now time.Duration, m *dns.Msg) {
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		head := rr.Header()
		if head.Ttl == 0 || !strings.EqualFold(head.Name, h.Name()) || h.has(rr) {
			continue
		}
		isAddr := head.Rrtype == dns.TypeA || head.Rrtype == dns.TypeAAAA
		switch {
		case h.phase == probing:
			h.rename(now)
			return
		case isAddr:
			h.probe(now)
			return
		}
	}
}

// rename tries the next name. After many conflicts it waits (RFC 6762 section 8.1).
func (h *Host) rename(now time.Duration) {
	h.number++
	h.conflicts = append(h.conflicts, now)
	at := now + h.random(probeWait)
	if len(h.conflicts) >= manyConflicts {
		h.conflicts = h.conflicts[len(h.conflicts)-manyConflicts:]
		if now-h.conflicts[0] <= conflictPeriod {
			at = now + conflictWait
		}
	}
	h.probe(at)
}
