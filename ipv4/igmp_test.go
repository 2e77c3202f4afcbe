package ipv4

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/membership"
)

// igmpMessage is a message with a good checksum; spaces in its text do not count.
func igmpMessage(t testing.TB, text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	if len(b) >= 4 {
		checksum.Put(b[2:], ^checksum.Sum(b, 0))
	}
	return b
}

// fromRouter is the header of a query as routers send it.
func fromRouter(dst string) Header {
	h := unicast()
	h.Dst, h.TTL, h.Protocol, h.Options = addr(dst), 1, ip.ProtocolIGMP, routerAlert
	return h
}

// reports lets time pass and returns the messages of IGMP that leave, each after its destination.
func (l *lab) reports(d time.Duration) (list []string) {
	l.t.Helper()
	l.advance(d)
	for _, s := range l.wire0.take() {
		require.True(l.t, validChecksum(s.Data))
		b := s.Data[s.h.Len():]
		require.EqualValues(l.t, ip.ProtocolIGMP, s.h.Protocol)
		require.EqualValues(l.t, 1, s.h.TTL)
		require.EqualValues(l.t, 0xc0, s.h.TOS)
		require.Equal(l.t, routerAlert, s.h.Options)
		require.Equal(l.t, uint16(0xffff), checksum.Sum(b, 0))
		require.Equal(l.t, packet.Multicast, s.Cast)
		require.Equal(l.t, s.h.Dst, s.NextHop)
		require.Equal(l.t, l.eth0.ReportSource(l.v4), s.h.Src)
		list = append(list, s.h.Dst.String()+" "+hex.EncodeToString(b[:1])+" "+hex.EncodeToString(b[4:]))
	}
	return list
}

func (l *lab) join(group string, f membership.Filter) *ip.Member {
	m, err := l.eth0.Join(addr(group), f)
	require.NoError(l.t, err)
	return m
}

const (
	toExclude = "224.0.0.22 22 00000001 04000000 ef010203" // of 239.1.2.3
	toInclude = "224.0.0.22 22 00000001 03000000 ef010203"
)

func joinWords(s string) string {
	words := strings.Fields(s)
	return words[0] + " " + words[1] + " " + strings.Join(words[2:], "")
}

// A member of a group is reported to routers by IGMPv3, the group of all hosts never.
func TestReports(t *testing.T) { // IP-032, IP-033, IGMP-001
	l := newLab(t, config{})
	all := l.join("224.0.0.1", membership.All)
	require.Empty(t, l.reports(time.Minute))
	m := l.join("239.1.2.3", membership.All)
	second := l.join("239.1.2.3", membership.All)
	require.Equal(t, []string{joinWords(toExclude)}, l.reports(0))
	require.Equal(t, []string{joinWords(toExclude)}, l.reports(time.Second))
	m.SetFilter(membership.NewFilter(true, []netip.Addr{farAddr}))
	m.Leave()
	require.Empty(t, l.reports(time.Minute))
	second.SetFilter(membership.NewFilter(true, []netip.Addr{farAddr, peerAddr}))
	require.Equal(t, []string{joinWords("224.0.0.22 22 00000001 06000002 ef010203 0a000001 c0000209")}, l.reports(0))
	second.Leave()
	require.Equal(t, []string{joinWords(toInclude), joinWords(toInclude)}, l.reports(time.Minute))
	all.Leave()
	require.Empty(t, l.reports(time.Minute))
	require.EqualValues(t, 5, l.v4.igmp.stats.OutReports.Value())
}

// Queries of each version, to each address of the interface, are answered in that version.
func TestQueries(t *testing.T) { // IP-032, IP-033, IGMP-007, IGMP-011
	l := newLab(t, config{})
	m := l.join("239.1.2.3", membership.All)
	l.reports(time.Minute)
	current := joinWords("224.0.0.22 22 00000001 02000000 ef010203")
	for dst, query := range map[string]string{
		"224.0.0.1": "11640000 00000000 027d0000 ffff", // with trailing bytes
		"10.0.0.2":  "11640000 00000000 00000000",
		"239.1.2.3": "11640000 ef010203 027d0000",
	} {
		l.recv(dgram(fromRouter(dst), igmpMessage(t, query)))
		require.Empty(t, l.reports(0), dst)
		require.Equal(t, []string{current}, l.reports(10*time.Second), dst)
	}
	snooping := fromRouter("224.0.0.1")
	snooping.Src = netip.IPv4Unspecified()
	l.recv(dgram(snooping, igmpMessage(t, "11010000 00000000 02000000")))
	require.Equal(t, []string{current}, l.reports(100*time.Millisecond))
	l.recv(dgram(fromRouter("239.1.2.3"), igmpMessage(t, "110a0000 ef010203 02000002 c0000209 c000020a")))
	require.Equal(t, []string{joinWords("224.0.0.22 22 00000001 01000002 ef010203 c0000209 c000020a")}, l.reports(time.Second))

	l.recv(dgram(fromRouter("224.0.0.1"), igmpMessage(t, "110a0000 00000000")))
	require.Equal(t, []string{"239.1.2.3 16 ef010203"}, l.reports(time.Second))
	m.Leave()
	require.Equal(t, []string{"224.0.0.2 17 ef010203"}, l.reports(time.Minute))
	l.join("239.1.2.3", membership.All)
	l.reports(20 * time.Second)
	v1 := fromRouter("224.0.0.1")
	v1.Options = nil
	l.recv(dgram(v1, igmpMessage(t, "11000000 e0000009"))) // the group means nothing
	require.Equal(t, []string{"239.1.2.3 12 ef010203"}, l.reports(10*time.Second))
}

// In the versions without sources another host's report makes the own one unnecessary.
func TestReportsOfOthers(t *testing.T) { // IGMP-008
	l := newLab(t, config{Config: Config{IGMPVersion: 2}})
	m := l.join("239.1.2.3", membership.All)
	require.Equal(t, []string{"239.1.2.3 16 ef010203"}, l.reports(0))
	l.recv(dgram(fromRouter("239.1.2.3"), igmpMessage(t, "16000000 ef010203")))
	require.Empty(t, l.reports(time.Minute))
	m.Leave()
	require.Empty(t, l.reports(time.Minute))
	require.EqualValues(t, 1, l.v4.igmp.stats.InReports.Value())
}

// Bad queries are dropped, each for its reason.
func TestBadIGMP(t *testing.T) { // IGMP-009, IGMP-010, IP-006
	l := newLab(t, config{})
	l.join("239.1.2.3", membership.All)
	l.join("239.9.9.9", membership.All)
	l.reports(time.Minute)
	plain := fromRouter("224.0.0.1")
	plain.Options = nil
	s := &l.v4.igmp.stats
	for _, c := range []struct {
		name, query string
		h           Header
		why         interface{ Value() uint64 }
	}{
		{"short", "11640000 0000", fromRouter("224.0.0.1"), &s.DropTruncated},
		{"9 bytes", "11640000 00000000 00", fromRouter("224.0.0.1"), &s.DropTruncated},
		{"11 bytes", "11640000 00000000 000000", fromRouter("224.0.0.1"), &s.DropTruncated},
		{"sources missing", "11640000 ef010203 027d0002 c0000209", fromRouter("239.1.2.3"), &s.DropTruncated},
		{"no group", "11640000 0a000002 027d0000", fromRouter("224.0.0.1"), &s.DropGroup},
		{"sources without group", "11640000 00000000 027d0001 c0000209", fromRouter("224.0.0.1"), &s.DropGroup},
		{"version 3 without Router Alert", "11640000 00000000 027d0000", plain, &s.DropAlert},
		{"version 2 without Router Alert", "11640000 00000000", plain, &s.DropAlert},
		{"general query to a group", "11640000 00000000 027d0000", fromRouter("239.9.9.9"), &s.DropGeneral},
		{"version 3 report", "22000000 00000000", fromRouter("224.0.0.1"), &s.DropType},
		{"unknown type", "99000000 00000000", fromRouter("224.0.0.1"), &s.DropType},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.dropped(dgram(c.h, igmpMessage(t, c.query)), c.why)
			require.Empty(t, l.reports(time.Minute))
		})
	}
	bad := igmpMessage(t, "11640000 00000000 027d0000")
	bad[2]++
	l.dropped(dgram(fromRouter("224.0.0.1"), bad), &s.DropChecksum)
	h := fromRouter("224.0.0.1")
	h.Options = []byte{optionNOP, 200, 1, 0}
	l.recv(dgram(h, igmpMessage(t, "11640000 00000000 027d0000")))
	require.Empty(t, l.reports(time.Minute))
	require.Len(t, l.up.takeReports(), 1, "of the bad option")
	h = fromRouter("224.0.0.1")
	h.Src, h.Protocol = netip.IPv4Unspecified(), testProtocol
	l.dropped(dgram(h, pattern(8)), &l.v4.stats.DropSource)
}

// An interface without an address reports from 0.0.0.0, and reports again when it has one.
func TestReportsWithoutAddress(t *testing.T) { // IGMP-011
	l := newLab(t, config{})
	require.NoError(t, l.eth0.RemoveAddress(ownAddr))
	l.join("239.1.2.3", membership.All)
	require.Len(t, l.reports(time.Minute), 2)
	require.NoError(t, l.eth0.AddAddress(prefix("10.0.0.2/24")))
	require.Equal(t, []string{joinWords(toExclude), joinWords(toExclude)}, l.reports(time.Minute))
	require.NoError(t, l.eth0.AddAddress(prefix("10.0.0.3/24")))
	require.Empty(t, l.reports(time.Minute))
}

// The interface receives a group from the sources that a member allows, and messages about it from everywhere.
func TestSourceFilter(t *testing.T) { // IGMP-012
	l := newLab(t, config{})
	m := l.join("239.1.2.3", membership.NewFilter(false, []netip.Addr{farAddr}))
	l.reports(time.Minute)
	h := unicast()
	h.Dst = addr("239.1.2.3")
	l.droppedBy(dgram(h, pattern(8)), "ip.drop.source_filter")
	h.Src = farAddr
	l.recv(dgram(h, pattern(8)))
	require.Len(t, l.up.take(), 1)
	l.recv(dgram(fromRouter("239.1.2.3"), igmpMessage(t, "11640000 ef010203 027d0000")))
	require.Len(t, l.reports(time.Minute), 1)
	require.True(t, l.eth0.Accepts(h.Dst, farAddr))
	m.SetFilter(membership.NewFilter(true, []netip.Addr{farAddr}))
	require.False(t, l.eth0.Accepts(h.Dst, farAddr))
	require.True(t, l.eth0.Accepts(allHosts, farAddr))
}

// FuzzIGMP feeds messages to a host with two groups: it answers none of them at once, and its reports are well-formed.
func FuzzIGMP(f *testing.F) { // SEC-015
	for _, text := range []string{
		"11640000 00000000 027d0000", "110a0000 efffffff", "11000000 00000000", "11ff0000 efffffff 02ff0002 c0000209 c000020a",
		"16000000 efffffff", "22000000 00000001 02000000 efffffff",
	} {
		f.Add(igmpMessage(f, text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < igmpLen || len(b) > 1400 {
			return
		}
		l := newLab(t, config{})
		l.join("239.255.255.255", membership.All)
		l.join("239.1.2.3", membership.NewFilter(false, []netip.Addr{farAddr}))
		l.reports(time.Minute)
		checksum.Put(b[2:], 0)
		checksum.Put(b[2:], ^checksum.Sum(b, 0))
		l.recv(dgram(fromRouter("239.255.255.255"), b))
		require.Empty(t, l.reports(0))
		require.LessOrEqual(t, len(l.reports(time.Hour)), 4)
	})
}
