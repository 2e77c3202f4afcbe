package ipv6

import (
	"encoding/binary"
	"net/netip"
	"time"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ip/membership"
)

// Types of the ICMPv6 messages of MLD (RFC 3810 section 5, RFC 2710 section 3).
const (
	mldQuery    = 130
	mldReport   = 131 // of version 1
	mldDone     = 132 // of version 1
	mldReportV2 = 143
)

const (
	mldLen        = 24 // of a message of version 1, and the place of what follows the group in a query of version 2
	mldQueryV2Len = 28 // of a query without sources
	mldReportHead = 8  // of a report of version 2 before its records
	alertLen      = 8  // of the Hop-by-Hop Options header with Router Alert
)

var (
	linkRouters  = netip.MustParseAddr("ff02::2")
	mldV2Routers = netip.MustParseAddr("ff02::16")
)

// mldCounters are the counters of MLD.
type mldCounters struct {
	InQueries  stats.Counter `name:"mld.in.queries" doc:"queries of routers handled" rfc:"RFC 3810 6.2"`
	InReports  stats.Counter `name:"mld.in.reports" doc:"reports of version 1 by other hosts" rfc:"RFC 2710 4"`
	OutReports stats.Counter `name:"mld.out.reports" doc:"reports and dones sent" rfc:"RFC 3810 6.1"`

	DropTruncated stats.Counter `name:"mld.drop.truncated" doc:"shorter than its type and version" rfc:"RFC 3810 8.1"`
	DropSource    stats.Counter `name:"mld.drop.bad_source" doc:"not from a link-local address" rfc:"RFC 3810 5.1.14"`
	DropHopLimit  stats.Counter `name:"mld.drop.hop_limit" doc:"hop limit other than 1" rfc:"RFC 3810 6.2"`
	DropAlert     stats.Counter `name:"mld.drop.no_router_alert" doc:"without Router Alert" rfc:"RFC 3810 6.2"`
	DropGroup     stats.Counter `name:"mld.drop.bad_group" doc:"not a group address, or sources without a group" rfc:"RFC 3810 5.1.5"`
	DropType      stats.Counter `name:"mld.drop.other_type" doc:"neither a query nor a report for hosts" rfc:"RFC 3810 5"`
	DropOutput    stats.Counter `name:"mld.drop.output" doc:"reports that could not be sent"`
}

// MLDStats is a pointer to the counters of MLD, for stats.Read.
func (s *Stack) MLDStats() any { return &s.mld }

// Membership configures MLD (ip.Family). Groups of the scopes 0 and 1 stay on the node.
func (s *Stack) Membership() membership.Config {
	force := membership.Version(s.cfg.MLDVersion)
	if force > 0 {
		force++ // version 1 of MLD is version 2 of IGMP
	}
	return membership.Config{
		AddrLen: 16, Headers: HeaderLen + alertLen + mldReportHead, Oldest: membership.V2, Min: force, Max: force,
		Reported: func(group netip.Addr) bool {
			scope := group.As16()[1] & 0xf
			return group != allNodes && scope > 1
		},
		SpecificSwitches: true, ResponseFactor: 1,
	}
}

// InputMLD handles a message of MLD with a good checksum, which p holds. It takes p over.
func (s *Stack) InputMLD(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	if drop := s.receiveMLD(now, d, p.Bytes()); drop != nil {
		drop.Inc()
	}
	p.Free()
}

// receiveMLD handles a message. It returns the reason for dropping it. A host sends reports from :: while it has no address.
func (s *Stack) receiveMLD(now time.Duration, d *ip.Datagram, b []byte) *stats.Counter {
	query := b[0] == mldQuery
	switch {
	case !query && b[0] != mldReport:
		return &s.mld.DropType
	case len(b) < mldLen:
		return &s.mld.DropTruncated
	case !ip.IsLinkLocal6(d.Src) && (query || !d.Src.IsUnspecified()):
		return &s.mld.DropSource
	case d.TTL != 1:
		return &s.mld.DropHopLimit
	case !d.RouterAlert:
		return &s.mld.DropAlert
	case query:
		return s.receiveQuery(now, d, b)
	}
	s.mld.InReports.Inc()
	d.In.GroupReport(s, netip.AddrFrom16([16]byte(b[8:])))
	return nil
}

// receiveQuery handles a query of either version (RFC 3810 sections 5.1 and 8.1). It returns the reason for dropping it.
func (s *Stack) receiveQuery(now time.Duration, d *ip.Datagram, b []byte) *stats.Counter {
	q := membership.Query{Version: membership.V2}
	if group := netip.AddrFrom16([16]byte(b[8:])); !group.IsUnspecified() {
		q.Group = group
	}
	code := uint(binary.BigEndian.Uint16(b[4:]))
	q.MaxDelay = time.Duration(code) * time.Millisecond
	if len(b) > mldLen {
		if len(b) < mldQueryV2Len || !q.ParseV3(b[mldLen:], 16, d.In.Scoped) {
			return &s.mld.DropTruncated
		}
		q.MaxDelay = time.Duration(membership.Float(code, 16)) * time.Millisecond
	}
	if !q.Valid() {
		return &s.mld.DropGroup
	}
	s.mld.InQueries.Inc()
	d.In.GroupQuery(now, s, q)
	return nil
}

// SendReport sends a message of MLD (ip.Family).
func (s *Stack) SendReport(now time.Duration, i *ip.Interface, m *membership.Message) {
	n := mldLen
	if m.Version == membership.V3 {
		n = mldReportHead + m.RecordsLen(16)
	}
	p := packet.New(n)
	b := p.Extend(n)
	var h Header
	h.Src, h.Dst = i.ReportSource(s), putReport(b, m)
	checksum.Put(b[2:], ^checksum.Sum(b, checksum.Pseudo(h.Src, h.Dst, ip.ProtocolICMPv6, n)))
	copy(p.Prepend(alertLen), []byte{ip.ProtocolICMPv6, 0, optionRouterAlert, 2, 0, alertMLD, optionPadN, 0})
	h.Protocol, h.TTL, h.TotalLen = NextHopByHop, 1, HeaderLen+alertLen+n
	h.put(p.Prepend(HeaderLen))
	p.Cast = packet.Multicast
	s.stats.OutPackets.Inc()
	if i.Transmit(now, p, h.Dst) != nil {
		s.mld.DropOutput.Inc()
		return
	}
	s.mld.OutReports.Inc()
}

// putReport writes a message without its checksum into b and returns its destination (RFC 3810 section 5.2, RFC 2710 section 3).
func putReport(b []byte, m *membership.Message) (dst netip.Addr) {
	clear(b[:mldReportHead])
	if m.Version == membership.V3 {
		b[0] = mldReportV2
		binary.BigEndian.PutUint16(b[6:], uint16(len(m.Records)))
		m.PutRecords(b[mldReportHead:])
		return mldV2Routers
	}
	copy(b[8:], m.Group.AsSlice())
	if m.Leave {
		b[0] = mldDone
		return linkRouters
	}
	b[0] = mldReport
	return m.Group
}
