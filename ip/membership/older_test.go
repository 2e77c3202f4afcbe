package membership

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (l *lab) queryOf(v Version, group netip.Addr, maxDelay time.Duration) {
	l.Query(l.now, Query{Version: v, Group: group, MaxDelay: maxDelay})
}

// An older querier makes the host speak its version, until it has been silent for long enough.
func TestOlderQueriers(t *testing.T) { // ICMP6-025, IGMP-007, IP-032
	l := joined(t)
	l.queryOf(V2, groupA, 2*second) // a query for a group changes nothing
	l.until(110*second, "101 239.0.0.1 IS_EX(10.0.0.1)")

	l.queryOf(V2, netip.Addr{}, 10*second)
	l.until(120*second, "115 v2 239.0.0.1", "115 v2 239.0.0.2")
	l.queryOf(V2, groupA, 2*second)
	l.query(groupB, "10.0.0.2") // its sources mean nothing now
	l.until(130*second, "121 v2 239.0.0.1", "125 v2 239.0.0.2")

	l.queryOf(V1, netip.Addr{}, 10*second)
	l.until(140*second, "135 v1 239.0.0.1", "135 v1 239.0.0.2")
	l.Set(groupB, include("")) // version 1 does not tell
	l.until(130*second + 350*second)
	require.Equal(t, V3, l.Version(), "2 * 125 s + 10 * 10 s")

	l.Set(groupB, All)
	l.until(490*second, "480 239.0.0.2 TO_EX()", "480.5 239.0.0.2 TO_EX()")
}

// Joining and leaving with an IGMPv2 querier.
func TestVersion2(t *testing.T) { // ICMP6-025, IGMP-007, IP-033
	l := newLab(t, nil)
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.Set(groupA, include("10.0.0.1"))
	l.until(20*second, "0 v2 239.0.0.1", "5 v2 239.0.0.1")
	l.Set(groupA, All) // the same for version 2
	l.until(30 * second)
	l.Set(groupA, include(""))
	l.until(40*second, "30 leave 239.0.0.1")
	require.Empty(t, l.groups)

	l.Set(groupA, All)
	l.Set(groupA, include("")) // nobody has learnt of it
	l.until(50 * second)
	l.Set(groupA, All)
	l.until(60*second, "50 v2 239.0.0.1", "55 v2 239.0.0.1")
	l.Set(groupA, include(""))
	l.Set(groupA, All)
	l.until(70*second, "60 v2 239.0.0.1", "65 v2 239.0.0.1")
}

// The groups of source-specific multicast are not reported to an older querier, and again once it is silent.
func TestVersion2WithoutSources(t *testing.T) {
	l := newLab(t, func(c *Config) { c.SSM = func(group netip.Addr) bool { return group == groupA } })
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.Set(groupA, include("10.0.0.1"))
	l.Set(groupB, All)
	l.until(20*second, "0 v2 239.0.0.2", "5 v2 239.0.0.2")
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.until(30*second, "25 v2 239.0.0.2")
	l.Query(l.now+400*second, Query{Version: V3, MaxDelay: 10 * second})
	l.until(440*second, "435 239.0.0.1 IS_IN(10.0.0.1), 239.0.0.2 IS_EX()")
}

// Of many members one reports, the others stay silent and do not tell that they leave.
func TestSuppression(t *testing.T) { // ICMP6-025, IGMP-008
	l := newLab(t, nil)
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.Set(groupA, All)
	l.until(second, "0 v2 239.0.0.1")
	l.Heard(groupA)
	l.Heard(groupB)
	l.until(20 * second)
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.Heard(groupA)
	l.until(40 * second)
	l.Set(groupA, include(""))
	l.until(50 * second)

	l = joined(t)
	l.query(groupA, "")
	l.Heard(groupA) // version 3 suppresses nothing
	l.until(200*second, "105 239.0.0.1 IS_EX(10.0.0.1)")
}

// A timer that runs is set anew only if it would end after the time that a later query allows (RFC 2236 section 3).
func TestVersion2Timers(t *testing.T) { // IGMP-007
	l := newLab(t, nil)
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.Set(groupA, All)
	l.until(20*second, "0 v2 239.0.0.1", "5 v2 239.0.0.1")
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.queryOf(V2, netip.Addr{}, 6*second) // 25 is within it
	l.until(40*second, "25 v2 239.0.0.1")
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.queryOf(V2, groupA, 4*second)
	l.until(60*second, "42 v2 239.0.0.1")
}

// A change of the version makes void what is pending (RFC 9776 section 7.2.1).
func TestVersionChangeCancels(t *testing.T) { // ICMP6-025, IGMP-007
	l := newLab(t, nil)
	l.Set(groupA, All)
	l.until(0, "0 239.0.0.1 TO_EX()")
	l.query(netip.Addr{}, "")
	l.queryOf(V2, netip.Addr{}, 10*second)
	l.until(20*second, "5 v2 239.0.0.1")
	l.Set(groupA, include(""))
	l.queryOf(V1, netip.Addr{}, 10*second)
	l.until(300 * second)
	require.Empty(t, l.groups)
}

// MLD: also a query for a group switches the version, and the time is that of RFC 3810 section 9.12. A configured version stays.
func TestVersionsOfMLD(t *testing.T) { // ICMP6-025
	mld := func(c *Config) { c.Oldest, c.SpecificSwitches, c.ResponseFactor = V2, true, 1 }
	l := newLab(t, mld)
	l.Query(0, Query{Version: V3, MaxDelay: second, Robustness: 3, Interval: 20 * second})
	l.queryOf(V2, groupB, 2*second)
	require.Equal(t, V2, l.Version())
	l.until(62*second - 1)
	require.Equal(t, V2, l.Version(), "3 * 20 s + 2 s")
	l.until(62 * second)
	require.Equal(t, V3, l.Version())

	l = newLab(t, func(c *Config) { mld(c); c.Min = V3 })
	l.queryOf(V2, netip.Addr{}, second)
	require.Equal(t, V3, l.Version())
	l = newLab(t, func(c *Config) { mld(c); c.Min, c.Max = V2, V2 })
	l.Set(groupA, All)
	l.until(9*second, "0 v2 239.0.0.1", "5 v2 239.0.0.1")
}
