package membership

import (
	"net/netip"
	"slices"
	"time"
)

// Version is a generation of the protocols.
type Version uint8

// Versions. MLD has no counterpart of IGMPv1.
const (
	V1 Version = 1 + iota // IGMPv1: Reports
	V2                    // IGMPv2 and MLDv1: Reports, Leave or Done
	V3                    // IGMPv3 and MLDv2: Reports with sources
)

// Query is a received Membership Query or Multicast Listener Query.
type Query struct {
	Version    Version
	Group      netip.Addr    // the zero Addr in a General Query
	Sources    []netip.Addr  // of V3; unsorted. Only for the call that passes the Query
	MaxDelay   time.Duration // Max Resp Time, Maximum Response Delay
	Robustness int           // QRV of V3; 0: not given
	Interval   time.Duration // QQI of V3; 0: not given
}

// Valid reports whether the group is one, and only a query for a group has sources (RFC 9776 section 4.1.9).
func (q *Query) Valid() bool {
	if !q.Group.IsValid() {
		return len(q.Sources) == 0
	}
	return q.Group.IsMulticast()
}

// Message is a message to be sent.
type Message struct {
	Version Version
	Group   netip.Addr // of V1 and V2
	Leave   bool       // V2: Leave Group or Multicast Listener Done; else a Report
	Records []Record   // of V3
}

// RecordType is the type of a Record, with the numbers of RFC 9776 section 4.2.12 and RFC 3810 section 5.2.12.
type RecordType uint8

// Types of records: the current state of a group, a change of its filter mode, a change of its sources.
const (
	IsInclude RecordType = 1 + iota
	IsExclude
	ToInclude
	ToExclude
	Allow
	Block
)

// Record is a Group Record or Multicast Address Record.
type Record struct {
	Type    RecordType
	Group   netip.Addr
	Sources []netip.Addr
}

// truncates reports whether of too many sources only those are reported that fit (RFC 9776 section 4.2.16). A list of excluded
// sources may be shorter than the truth, but two such lists would contradict each other.
func (r *Record) truncates() bool { return r.Type == IsExclude || r.Type == ToExclude }

// pack distributes records over messages with room bytes for records each. addrLen is the length of an address in bytes. Records
// with more sources than fit are split, or cut where RFC 9776 section 4.2.16 says so.
func pack(records []Record, room, addrLen int) (messages []Message) {
	header := 4 + addrLen // type, length of auxiliary data, number of sources, group
	limit := (room - header) / addrLen
	left := 0
	for _, r := range records {
		for more := true; more; more = len(r.Sources) > 0 && !r.truncates() {
			part := r
			part.Sources = r.Sources[:min(limit, len(r.Sources))]
			r.Sources = r.Sources[len(part.Sources):]
			size := header + addrLen*len(part.Sources)
			if size > left {
				messages, left = append(messages, Message{Version: V3}), room
			}
			last := &messages[len(messages)-1]
			last.Records = append(last.Records, part)
			left -= size
		}
	}
	return messages
}

// current is the record of a group's state in answer to a query for some sources, or if asked is nil for all (RFC 9776 section
// 5.2). ok is false if there is nothing to report.
func current(group netip.Addr, f Filter, asked []netip.Addr) (r Record, ok bool) {
	switch {
	case asked == nil && f.Exclude:
		return Record{IsExclude, group, f.Sources}, true
	case asked == nil:
		r = Record{IsInclude, group, f.Sources}
	default:
		r = Record{IsInclude, group, keep(asked, f.Allows)}
	}
	return r, len(r.Sources) > 0
}

// sorted returns the addresses of the groups that are wanted, in their order.
func sorted(groups map[netip.Addr]*group, wanted func(*group) bool) (list []netip.Addr) {
	for a, g := range groups {
		if wanted(g) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}
