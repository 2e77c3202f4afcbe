package icmp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/ip"
	"tunstack/ip/membership"
	"tunstack/ipv6"
)

var (
	router6  = netip.MustParseAddr("fe80::1")
	ownLink6 = netip.MustParseAddr("fe80::2")
	nodes6   = netip.MustParseAddr("ff02::1")
	group6   = netip.MustParseAddr("ff0e::9")
)

const (
	alertHeader = "3a00 05020000 0100" // Hop-by-Hop Options with Router Alert for MLD
	groupHex    = "ff0e0000000000000000000000000009"
	noGroup     = "00000000000000000000000000000000"
	fifth       = "20010db8000000000000000000000005"
)

// mld is a datagram with an MLD message that has a good checksum.
func mld(t testing.TB, src, dst netip.Addr, hops byte, options, text string) []byte {
	decode := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		require.NoError(t, err)
		return b
	}
	b := decode(text)
	if len(b) >= 4 {
		checksum.Put(b[2:], ^checksum.Sum(b, checksum.Pseudo(src, dst, ip.ProtocolICMPv6, len(b))))
	}
	whole := datagram6(src, dst, ip.ProtocolICMPv6, append(decode(options), b...))
	whole[7] = hops
	if options != "" {
		whole[6] = 0
	}
	return whole
}

// query receives a query on eth0, as routers send it.
func (l *lab6) query(text string) {
	l.t.Helper()
	require.Empty(l.t, l.recv(mld(l.t, router6, nodes6, 1, alertHeader, text)))
}

// reports lets time pass and returns the messages of MLD that leave: destination, type, and what follows the checksum.
func (l *lab6) reports(d time.Duration) (list []string) {
	l.t.Helper()
	l.timers.Follow(l.now, l.now+d, func(now time.Duration) { l.now = now })
	alert, _ := hex.DecodeString(strings.ReplaceAll(alertHeader, " ", ""))
	for _, r := range l.take() {
		require.EqualValues(l.t, 1, r.h.TTL)
		require.Equal(l.t, alert, r.out.Data[ipv6.HeaderLen:r.h.HeaderLen])
		require.Equal(l.t, packet.Multicast, r.out.Cast)
		require.Equal(l.t, l.eth0.ReportSource(l.v6), r.h.Src)
		list = append(list, r.h.Dst.String()+" "+hex.EncodeToString(r.icmp[:1])+" "+hex.EncodeToString(r.icmp[4:]))
	}
	return list
}

func (l *lab6) join(group netip.Addr, f membership.Filter) *ip.Member {
	m, err := l.eth0.Join(group, f)
	require.NoError(l.t, err)
	return m
}

// quietLab6 is a lab6 that has reported the groups of its addresses.
func quietLab6(t *testing.T, shared ip.Config) *lab6 {
	l := newLab6(t, shared, Config{})
	l.reports(time.Minute)
	return l
}

func (l *lab6) counter(name string) uint64 { return stats.Count(name, l.v6.MLDStats()) }

// The groups of the interface, those of its addresses included, are reported to all MLDv2 routers; ff02::1 and the groups of
// the scopes 0 and 1 are not.
func TestMLDReports(t *testing.T) { // ICMP6-021, ICMP6-022
	l := newLab6(t, ip.Config{Forwarding: true}, Config{})
	record := func(kind, group string) string { return kind + "000000" + group }
	solicited := func(end string) string { return record("04", "ff0200000000000000000001ff0000"+end) }
	start := "ff02::16 8f 00000005" + record("04", "ff020000000000000000000000000002") + solicited("00") + solicited("02") + solicited("03") +
		record("04", "ff050000000000000000000000000002")
	require.Equal(t, []string{start, start}, l.reports(time.Minute), "ff01::2 is of scope 1")

	m := l.join(group6, membership.All)
	l.join(nodes6, membership.All)
	l.join(netip.MustParseAddr("ff01::9"), membership.All)
	joined := "ff02::16 8f 00000001" + record("04", groupHex)
	require.Equal(t, []string{joined}, l.reports(0))
	require.Equal(t, []string{joined}, l.reports(time.Second))
	m.SetFilter(membership.NewFilter(true, []netip.Addr{netip.MustParseAddr("2001:db8::5")}))
	blocked := "ff02::16 8f 00000001" + "06000001" + groupHex + fifth
	require.Equal(t, []string{blocked, blocked}, l.reports(time.Minute))
	m.Leave()
	left := "ff02::16 8f 00000001" + record("03", groupHex)
	require.Equal(t, []string{left, left}, l.reports(time.Minute))
	require.EqualValues(t, 8, l.counter("mld.out.reports"))
}

// Reports are not larger than the MTU that a router advertises.
func TestMLDReportsFitMTU(t *testing.T) { // ND-032
	l := quietLab6(t, ip.Config{})
	for n := range byte(70) {
		l.join(netip.AddrFrom16([16]byte{0xff, 0x0e, 15: n}), membership.All)
	}
	require.Len(t, l.reports(0), 1, "1400 bytes of records")
	l.eth0.SetLinkMTU(1280)
	require.Len(t, l.reports(time.Second), 2)
}

// Until the link-local address is usable reports come from ::, and then all groups are reported again.
func TestMLDReportsFromUnspecified(t *testing.T) { // ICMP6-021
	l := quietLab6(t, ip.Config{})
	require.NoError(t, l.eth0.RemoveAddress(ownLink6))
	l.reports(time.Minute)
	l.join(group6, membership.All)
	require.True(t, l.eth0.ReportSource(l.v6).IsUnspecified())
	require.Len(t, l.reports(time.Minute), 2)
	require.NoError(t, l.eth0.AddAddress(netip.MustParsePrefix("fe80::2/64")))
	require.Equal(t, ownLink6, l.eth0.ReportSource(l.v6))
	again := l.reports(time.Minute)
	require.Len(t, again, 2)
	require.Contains(t, again[0], groupHex)
	require.NoError(t, l.eth0.AddAddress(netip.MustParsePrefix("fe80::3/64")))
	require.Empty(t, l.reports(time.Minute), "the group of ::3 is reported already")
}

// Queries are answered within their Maximum Response Delay: 10000 ms, and by the floating-point code 0x8000 32768 ms.
func TestMLDQueries(t *testing.T) { // ICMP6-024
	l := quietLab6(t, ip.Config{})
	l.join(group6, membership.NewFilter(true, []netip.Addr{netip.MustParseAddr("2001:db8::5")}))
	l.reports(time.Minute)
	l.query("82000000 27100000" + noGroup + "027d0000")
	require.Empty(t, l.reports(0))
	answer := l.reports(10 * time.Second)
	require.Len(t, answer, 1)
	require.Contains(t, answer[0], "02000001"+groupHex+fifth)
	require.Contains(t, answer[0], "02000000ff0200000000000000000001ff000002")

	l.query("82000000 80000000" + groupHex + "027d0000")
	require.Equal(t, []string{"ff02::16 8f 00000001" + "02000001" + groupHex + fifth}, l.reports(32768*time.Millisecond))
	l.query("82000000 03e80000" + groupHex + "027d0002" + fifth + "20010db8000000000000000000000006 ffff")
	require.Equal(t, []string{"ff02::16 8f 00000001" + "01000001" + groupHex + "20010db8000000000000000000000006"}, l.reports(time.Second))
	require.EqualValues(t, 3, l.counter("mld.in.queries"))
}

// A querier of version 1 gets Reports and Dones of version 1 until it has been silent for 260 seconds.
func TestMLDv1(t *testing.T) { // ICMP6-025
	l := quietLab6(t, ip.Config{})
	require.NoError(t, l.eth0.RemoveAddress(own6)) // and with it the only other group
	require.NoError(t, l.eth0.RemoveAddress(other6))
	require.NoError(t, l.eth0.RemoveAddress(ownLink6))
	require.NoError(t, l.eth0.AddAddress(netip.MustParsePrefix("fe80::2/64")))
	l.reports(time.Minute)
	l.query("82000000 27100000" + noGroup + "00") // 25 bytes
	require.EqualValues(t, 1, l.counter("mld.drop.truncated"))
	l.query("82000000 27100000" + noGroup)
	start := l.now
	solicited := "ff02::1:ff00:2 83 00000000" + "ff0200000000000000000001ff000002"
	require.Equal(t, []string{solicited}, l.reports(10*time.Second))
	m := l.join(group6, membership.All)
	report := "ff0e::9 83 00000000" + groupHex
	require.Equal(t, []string{report, report}, l.reports(20*time.Second))
	m.Leave()
	require.Equal(t, []string{"ff02::2 84 00000000" + groupHex}, l.reports(20*time.Second))

	m = l.join(group6, membership.All)
	l.reports(20 * time.Second)
	require.Empty(t, l.recv(mld(t, router6, group6, 1, alertHeader, "83000000 00000000"+groupHex))) // another member
	m.Leave()
	require.Empty(t, l.reports(start+260*time.Second-1-l.now))
	l.reports(1)
	l.join(group6, membership.All)
	require.Equal(t, []string{"ff02::16 8f 00000001" + "04000000" + groupHex}, l.reports(0))
}

// A message that does not come from the link, or is malformed, is dropped for its reason.
func TestBadMLD(t *testing.T) { // ICMP6-023, ICMP6-025
	l := quietLab6(t, ip.Config{})
	l.join(group6, membership.All)
	l.reports(time.Minute)
	general := "82000000 27100000" + noGroup + "027d0000"
	for _, c := range []struct {
		name, drop string
		datagram   []byte
	}{
		{"global source", "bad_source", mld(t, peer6, nodes6, 1, alertHeader, general)},
		{"no source", "bad_source", mld(t, netip.IPv6Unspecified(), nodes6, 1, alertHeader, general)},
		{"hop limit", "hop_limit", mld(t, router6, nodes6, 64, alertHeader, general)},
		{"no option", "no_router_alert", mld(t, router6, nodes6, 1, "", general)},
		{"another value of Router Alert", "no_router_alert", mld(t, router6, nodes6, 1, "3a00 05020001 0100", general)},
		{"23 bytes", "truncated", mld(t, router6, nodes6, 1, alertHeader, general[:len("82000000 27100000")+30])},
		{"26 bytes", "truncated", mld(t, router6, nodes6, 1, alertHeader, "82000000 27100000"+noGroup+"027d")},
		{"27 bytes", "truncated", mld(t, router6, nodes6, 1, alertHeader, "82000000 27100000"+noGroup+"027d00")},
		{"sources missing", "truncated", mld(t, router6, nodes6, 1, alertHeader, "82000000 27100000"+groupHex+"027d0001 2001")},
		{"no group", "bad_group", mld(t, router6, nodes6, 1, alertHeader, "82000000 27100000"+fifth+"027d0000")},
		{"sources without group", "bad_group", mld(t, router6, nodes6, 1, alertHeader, "82000000 27100000"+noGroup+"027d0001"+fifth)},
		{"done", "other_type", mld(t, router6, nodes6, 1, alertHeader, "84000000 00000000"+groupHex)},
		{"report of version 2", "other_type", mld(t, router6, nodes6, 1, alertHeader, "8f000000 00000000")},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := l.counter("mld.drop." + c.drop)
			require.Empty(t, l.recv(c.datagram))
			require.Equal(t, before+1, l.counter("mld.drop."+c.drop))
			require.Empty(t, l.reports(time.Minute))
		})
	}
}

// FuzzMLD feeds messages to a host with two groups: it answers none of them at once, and its reports are well-formed.
func FuzzMLD(f *testing.F) { // SEC-015
	for _, text := range []string{
		"82000000 27100000" + noGroup + "027d0000", "82000000 00000000" + groupHex, "82000000 ffff0000" + groupHex + "02ff0001" + fifth,
		"83000000 00000000" + groupHex, "8f000000 00000001 04000000" + groupHex,
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderLen || len(b) > 1400 || !ip.IsMLD(b[0]) {
			return
		}
		l := quietLab6(t, ip.Config{})
		l.join(group6, membership.All)
		l.join(netip.MustParseAddr("ff05::77"), membership.NewFilter(false, []netip.Addr{peer6}))
		l.reports(time.Minute)
		b = bytes.Clone(b)
		b[2], b[3] = 0, 0
		require.Empty(t, l.recv(mld(t, router6, group6, 1, alertHeader, hex.EncodeToString(b))))
		require.LessOrEqual(t, len(l.reports(time.Hour)), 6)
	})
}
