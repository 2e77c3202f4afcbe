package ipv4

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

// Types of IGMP messages (RFC 9776 section 4).
const (
	igmpQuery    = 0x11
	igmpReportV1 = 0x12
	igmpReportV2 = 0x16
	igmpLeave    = 0x17
	igmpReportV3 = 0x22
)

const (
	igmpLen        = 8                // of a message without sources or records
	igmpQueryV3Len = 12               // of a query without sources
	igmpTOS        = 0xc0             // Internetwork Control (RFC 9776 section 4)
	igmpV1Delay    = 10 * time.Second // of answers to IGMPv1 queries, which do not tell it (RFC 9776 section 7.2.1)
)

var (
	allRouters    = netip.AddrFrom4([4]byte{224, 0, 0, 2})
	igmpV3Routers = netip.AddrFrom4([4]byte{224, 0, 0, 22})
	routerAlert   = []byte{optionRouterAlert, 4, 0, 0} // RFC 2113
)

// igmp is the transport of IGMP messages.
type igmp struct {
	s     *Stack
	stats igmpCounters
}

type igmpCounters struct {
	InQueries  stats.Counter `name:"igmp.in.queries" doc:"queries of routers handled" rfc:"RFC 9776 5.2"`
	InReports  stats.Counter `name:"igmp.in.reports" doc:"reports of other hosts" rfc:"RFC 2236 3"`
	OutReports stats.Counter `name:"igmp.out.reports" doc:"reports and leaves sent" rfc:"RFC 9776 5.1"`

	DropTruncated stats.Counter `name:"igmp.drop.truncated" doc:"shorter than its type and version" rfc:"RFC 9776 7.1"`
	DropChecksum  stats.Counter `name:"igmp.drop.bad_checksum" doc:"checksum wrong" rfc:"RFC 9776 4.1.2"`
	DropGroup     stats.Counter `name:"igmp.drop.bad_group" doc:"not a group address, or sources without a group" rfc:"RFC 9776 4.1.9"`
	DropAlert     stats.Counter `name:"igmp.drop.no_router_alert" doc:"query of version 2 or 3 without Router Alert" rfc:"RFC 9776 9.1"`
	DropGeneral   stats.Counter `name:"igmp.drop.misdirected" doc:"general query to a group other than 224.0.0.1" rfc:"RFC 9776 9.1"`
	DropType      stats.Counter `name:"igmp.drop.other_type" doc:"neither a query nor a report for hosts" rfc:"RFC 9776 4"`
	DropOutput    stats.Counter `name:"igmp.drop.output" doc:"reports that could not be sent"`
}

// IGMPStats is a pointer to the counters of IGMP, for stats.Read.
func (s *Stack) IGMPStats() any { return &s.igmp.stats }

// Membership configures IGMP (ip.Family). As RFC 9776 section 8.12 says, the time for which an
// older querier counts as present is made of default values.
func (s *Stack) Membership() membership.Config {
	force := membership.Version(s.cfg.IGMPVersion)
	return membership.Config{
		AddrLen: 4, Headers: HeaderLen + len(routerAlert) + igmpLen, Oldest: membership.V1, Min: force, Max: force,
		Reported:       func(group netip.Addr) bool { return group != allHosts },
		ResponseFactor: 10,
	}
}

// Input handles a message. Raw sockets have seen it already (ip.Protocol).
func (g *igmp) Input(now time.Duration, d *ip.Datagram, p *packet.Buffer) {
	defer p.Free()
	b := p.Bytes()
	drop := (*stats.Counter)(nil)
	switch {
	case len(b) < igmpLen:
		drop = &g.stats.DropTruncated
	case checksum.Sum(b, 0) != 0xffff:
		drop = &g.stats.DropChecksum
	case b[0] == igmpQuery:
		drop = g.query(now, d, b)
	case b[0] == igmpReportV1 || b[0] == igmpReportV2:
		g.stats.InReports.Inc()
		d.In.GroupReport(g.s, netip.AddrFrom4([4]byte(b[4:])))
	default:
		drop = &g.stats.DropType
	}
	if drop != nil {
		drop.Inc()
	}
}

// query handles a query. It returns the reason for dropping it.
func (g *igmp) query(now time.Duration, d *ip.Datagram, b []byte) *stats.Counter {
	q, ok := parseQuery(b)
	options, _ := scanOptions(d.Options)
	switch {
	case !ok:
		return &g.stats.DropTruncated
	case !q.Valid():
		return &g.stats.DropGroup
	case q.Version > membership.V1 && !options.alert:
		return &g.stats.DropAlert
	case !q.Group.IsValid() && d.Cast == packet.Multicast && d.Dst != allHosts:
		return &g.stats.DropGeneral
	}
	g.stats.InQueries.Inc()
	d.In.GroupQuery(now, g.s, q)
	return nil
}

// parseQuery reads a query of any version (RFC 9776 sections 4.1 and 7.1). The group of an IGMPv1 query means nothing.
func parseQuery(b []byte) (q membership.Query, ok bool) {
	const unit = time.Second / 10
	if group := netip.AddrFrom4([4]byte(b[4:])); !group.IsUnspecified() {
		q.Group = group
	}
	switch {
	case len(b) >= igmpQueryV3Len:
		q.MaxDelay = time.Duration(membership.Float(uint(b[1]), 8)) * unit
		ok = q.ParseV3(b[igmpLen:], 4, func(a netip.Addr) netip.Addr { return a })
		q.Interval = 0
		return q, ok
	case len(b) != igmpLen:
		return q, false
	case b[1] == 0:
		return membership.Query{Version: membership.V1, MaxDelay: igmpV1Delay}, true
	}
	q.Version, q.MaxDelay = membership.V2, time.Duration(b[1])*unit
	return q, true
}

// HandleError does nothing: nobody may send errors about the multicasts of IGMP (ip.Protocol).
func (g *igmp) HandleError(time.Duration, *ip.Error, []byte) {}

// SendReport sends a message of IGMP (ip.Family).
func (s *Stack) SendReport(now time.Duration, i *ip.Interface, m *membership.Message) {
	n := igmpLen + m.RecordsLen(4)
	p := packet.New(n)
	dst := putReport(p.Extend(n), m)
	h := Header{DF: true}
	h.Protocol, h.TOS, h.TTL, h.Options = ip.ProtocolIGMP, igmpTOS, 1, routerAlert
	h.Src, h.Dst, h.TotalLen = i.ReportSource(s), dst, h.Len()+n
	h.put(p.Prepend(h.Len()))
	p.Cast = packet.Multicast
	s.stats.OutPackets.Inc()
	if i.Transmit(now, p, dst) != nil {
		s.igmp.stats.DropOutput.Inc()
		return
	}
	s.igmp.stats.OutReports.Inc()
}

// putReport writes a message into b and returns its destination (RFC 9776 section 4.2, RFC 2236 section 2).
func putReport(b []byte, m *membership.Message) (dst netip.Addr) {
	clear(b[:igmpLen])
	b[0], dst = igmpReportV1, m.Group
	switch {
	case m.Version == membership.V3:
		b[0], dst = igmpReportV3, igmpV3Routers
		binary.BigEndian.PutUint16(b[6:], uint16(len(m.Records)))
		m.PutRecords(b[igmpLen:])
	case m.Leave:
		b[0], dst = igmpLeave, allRouters
	case m.Version == membership.V2:
		b[0] = igmpReportV2
	}
	if m.Version != membership.V3 {
		copy(b[4:], m.Group.AsSlice())
	}
	checksum.Put(b[2:], ^checksum.Sum(b, 0))
	return dst
}
