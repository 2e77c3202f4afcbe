package membership

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const second = time.Second

// The filters of the sockets combine into one of the interface.
func TestMerge(t *testing.T) { // ICMP6-026, IGMP-006
	for _, c := range []struct {
		name string
		list []Filter
		want Filter
	}{
		{"none", nil, include("")},
		{"all include", []Filter{include("10.0.0.1 10.0.0.2"), include("10.0.0.2 10.0.0.3")}, include("10.0.0.1 10.0.0.2 10.0.0.3")},
		{"all exclude", []Filter{exclude("10.0.0.1 10.0.0.2"), exclude("10.0.0.3 10.0.0.2")}, exclude("10.0.0.2")},
		{"RFC 9776 3.2", []Filter{exclude("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4"), exclude("10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5"),
			include("10.0.0.4 10.0.0.5 10.0.0.6")}, exclude("10.0.0.2 10.0.0.3")},
		{"one excludes nothing", []Filter{include("10.0.0.1"), All}, exclude("")},
		{"nothing and all", []Filter{{}, All}, All},
	} {
		got := Merge(c.list)
		require.True(t, c.want.equal(got), "%s: %v", c.name, got)
	}
	require.True(t, exclude("10.0.0.1").Allows(addr("10.0.0.2")))
	require.False(t, exclude("10.0.0.1").Allows(addr("10.0.0.1")))
	require.True(t, include("10.0.0.1").Allows(addr("10.0.0.1")))
	require.False(t, include("").Receives())
}

// A change is reported at once and again (robustness - 1) times within a second.
func TestChanges(t *testing.T) { // ICMP6-022, IGMP-001, IP-032
	for _, c := range []struct {
		from, to Filter
		report   string
	}{
		{include(""), All, "TO_EX()"},
		{All, include(""), "TO_IN()"},
		{include(""), include("10.0.0.1"), "ALLOW(10.0.0.1)"},
		{include("10.0.0.1"), include(""), "BLOCK(10.0.0.1)"},
		{include("10.0.0.1 10.0.0.2"), include("10.0.0.2 10.0.0.3"), "ALLOW(10.0.0.3), 239.0.0.1 BLOCK(10.0.0.1)"},
		{exclude("10.0.0.1 10.0.0.2"), exclude("10.0.0.2 10.0.0.3"), "ALLOW(10.0.0.1), 239.0.0.1 BLOCK(10.0.0.3)"},
		{include("10.0.0.1"), exclude("10.0.0.2"), "TO_EX(10.0.0.2)"},
		{exclude("10.0.0.2"), include("10.0.0.1"), "TO_IN(10.0.0.1)"},
	} {
		l := newLab(t, nil)
		l.Set(groupA, c.from)
		for end := 10 * second; l.now < end; {
			l.Expire(l.now)
			l.now += second / 2
		}
		l.Set(groupA, c.to)
		l.until(20*second, "10 239.0.0.1 "+c.report, "10.5 239.0.0.1 "+c.report)
		l.Set(groupA, c.to)
		l.until(30 * second)
		require.Equal(t, c.to.Receives(), len(l.groups) == 1, "a group that was left is forgotten")
	}
}

// A change before the earlier ones are all sent is merged with them.
func TestMergedChanges(t *testing.T) { // ICMP6-022, IGMP-002
	l := newLab(t, nil)
	l.Set(groupA, All)
	l.until(0, "0 239.0.0.1 TO_EX()")
	l.Set(groupA, exclude("10.0.0.1")) // during a change of the mode: the reports of that go first
	l.until(second/4, "0 239.0.0.1 TO_EX(10.0.0.1)")
	l.until(3*second, "0.5 239.0.0.1 BLOCK(10.0.0.1)", "1 239.0.0.1 BLOCK(10.0.0.1)")

	l.Set(groupA, exclude(""))
	l.until(3*second, "3 239.0.0.1 ALLOW(10.0.0.1)")
	l.Set(groupA, exclude("10.0.0.2"))
	l.until(5*second, "3 239.0.0.1 ALLOW(10.0.0.1), 239.0.0.1 BLOCK(10.0.0.2)", "3.5 239.0.0.1 BLOCK(10.0.0.2)")

	l.Set(groupA, include(""))
	l.Set(groupA, All) // left and joined again
	l.until(9*second, "5 239.0.0.1 TO_EX()", "5.5 239.0.0.1 TO_EX()")

	l.Set(groupA, include(""))
	l.Set(groupB, All) // two groups in one message
	l.until(19*second, "9 239.0.0.1 TO_IN(), 239.0.0.2 TO_EX()", "9.5 239.0.0.1 TO_IN(), 239.0.0.2 TO_EX()")

	l.Restate()
	l.until(29*second, "19 239.0.0.2 TO_EX()", "19.5 239.0.0.2 TO_EX()")
}

// The querier's robustness counts; a group that is never reported causes nothing.
func TestRobustness(t *testing.T) { // ICMP6-022, IGMP-001
	l := newLab(t, nil)
	l.Query(0, Query{Version: V3, MaxDelay: second, Robustness: 4, Interval: 20 * second})
	l.Set(addr("224.0.0.1"), All)
	l.until(0)
	l.Set(groupA, All)
	l.until(5*second, "0 239.0.0.1 TO_EX()", "0.5 239.0.0.1 TO_EX()", "1 239.0.0.1 TO_EX()", "1.5 239.0.0.1 TO_EX()")
	l.query(netip.Addr{}, "") // without a value: the default
	l.Set(groupA, include(""))
	l.until(50*second, "5 239.0.0.1 TO_IN()", "5.5 239.0.0.1 TO_IN()")
}

// joined is a lab whose groups have been reported already: A excludes 10.0.0.1, B includes 10.0.0.2.
func joined(t *testing.T) *lab {
	l := newLab(t, nil)
	l.Set(groupA, exclude("10.0.0.1"))
	l.Set(groupB, include("10.0.0.2"))
	l.until(100*second,
		"0 239.0.0.1 TO_EX(10.0.0.1), 239.0.0.2 ALLOW(10.0.0.2)", "0.5 239.0.0.1 TO_EX(10.0.0.1), 239.0.0.2 ALLOW(10.0.0.2)")
	return l
}

// A general query is answered once for all groups, after a random delay.
func TestGeneralQuery(t *testing.T) { // ICMP6-024, IGMP-003, IP-032
	l := joined(t)
	l.query(netip.Addr{}, "")
	l.until(103 * second)
	l.query(netip.Addr{}, "") // the first answer is due sooner
	l.until(200*second, "105 239.0.0.1 IS_EX(10.0.0.1), 239.0.0.2 IS_IN(10.0.0.2)")

	l.query(netip.Addr{}, "")
	l.Query(l.now, Query{Version: V3, MaxDelay: 2 * second}) // this answer is due sooner, and the only one
	l.query(groupA, "")                                      // needs no answer of its own
	l.until(300*second, "201 239.0.0.1 IS_EX(10.0.0.1), 239.0.0.2 IS_IN(10.0.0.2)")

	l.query(groupA, "")
	l.Query(l.now, Query{Version: V3, MaxDelay: 2 * second}) // the answer to it contains that to the first
	l.until(400*second, "301 239.0.0.1 IS_EX(10.0.0.1), 239.0.0.2 IS_IN(10.0.0.2)")
}

// Queries for a group and for sources are answered with what was asked, pending answers being combined (RFC 9776 section 5.2).
func TestSpecificQueries(t *testing.T) { // ICMP6-024, IGMP-003
	for _, c := range []struct {
		name    string
		queries func(l *lab)
		answer  []string
	}{
		{"group", func(l *lab) { l.query(groupA, "") }, []string{"105 239.0.0.1 IS_EX(10.0.0.1)"}},
		{"another group", func(l *lab) { l.query(addr("239.0.0.9"), "") }, nil},
		{"sources excluded", func(l *lab) { l.query(groupA, "10.0.0.1 10.0.0.3 10.0.0.4") }, []string{"105 239.0.0.1 IS_IN(10.0.0.3 10.0.0.4)"}},
		{"sources included", func(l *lab) { l.query(groupB, "10.0.0.1 10.0.0.2") }, []string{"105 239.0.0.2 IS_IN(10.0.0.2)"}},
		{"none of the sources", func(l *lab) { l.query(groupB, "10.0.0.1") }, nil},
		{"only the excluded source", func(l *lab) { l.query(groupA, "10.0.0.1") }, nil},
		{"sources of two queries", func(l *lab) {
			l.query(groupA, "10.0.0.1 10.0.0.3")
			l.until(102 * second)
			l.query(groupA, "10.0.0.4 10.0.0.3")
		}, []string{"105 239.0.0.1 IS_IN(10.0.0.3 10.0.0.4)"}},
		{"sources, then the group", func(l *lab) { l.query(groupA, "10.0.0.3"); l.query(groupA, "") }, []string{"105 239.0.0.1 IS_EX(10.0.0.1)"}},
		{"the group, then sources", func(l *lab) { l.query(groupA, ""); l.query(groupA, "10.0.0.3") }, []string{"105 239.0.0.1 IS_EX(10.0.0.1)"}},
		{"the later query is more urgent", func(l *lab) {
			l.query(groupA, "10.0.0.3")
			l.Query(l.now, Query{Version: V3, Group: groupA, Sources: addrs("10.0.0.4"), MaxDelay: second})
		}, []string{"100.5 239.0.0.1 IS_IN(10.0.0.3 10.0.0.4)"}},
		{"a group left meanwhile", func(l *lab) {
			l.query(groupB, "")
			l.Set(groupB, include(""))
		}, []string{"100 239.0.0.2 BLOCK(10.0.0.2)", "100.5 239.0.0.2 BLOCK(10.0.0.2)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := joined(t)
			c.queries(l)
			l.until(200*second, c.answer...)
		})
	}
}

// A query with many sources costs no memory for them: the answer reports the group.
func TestManySources(t *testing.T) { // IGMP-005
	l := joined(t)
	var many []netip.Addr
	for n := range maxAsked + 1 {
		many = append(many, netip.AddrFrom4([4]byte{10, 1, 0, byte(n)}))
	}
	l.Query(l.now, Query{Version: V3, Group: groupA, Sources: many, MaxDelay: 2 * second})
	l.until(150*second, "101 239.0.0.1 IS_EX(10.0.0.1)")
	l.Query(l.now, Query{Version: V3, Group: groupA, Sources: many[:maxAsked], MaxDelay: 2 * second})
	l.Query(l.now, Query{Version: V3, Group: groupA, Sources: many[1:], MaxDelay: 2 * second})
	l.until(200*second, "151 239.0.0.1 IS_EX(10.0.0.1)")
}

// A flood of queries that ask for answers at once draws no more than ten per second.
func TestFlood(t *testing.T) { // IGMP-005
	l := joined(t)
	sent := 0
	for end := l.now + 10*second; l.now < end; l.now += second / 1000 {
		for _, group := range []netip.Addr{{}, groupA, groupB} {
			l.Query(l.now, Query{Version: V3, Group: group})
		}
		if at, ok := l.Next(); ok && at <= l.now {
			sent += len(l.Expire(l.now))
		}
	}
	require.Equal(t, 100, sent)
}

// Reports fit the MTU: lists of sources are split, or cut if a second list would contradict the first.
func TestPack(t *testing.T) { // IGMP-004
	list := func(n int) (sources []netip.Addr) {
		for i := range n {
			sources = append(sources, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		}
		return sources
	}
	sizes := func(messages []Message) (text []string) {
		for _, m := range messages {
			line := ""
			for _, r := range m.Records {
				line += fmt.Sprintf("%s:%d ", recordNames[r.Type], len(r.Sources))
			}
			require.LessOrEqual(t, m.RecordsLen(4), 48)
			text = append(text, line)
		}
		return text
	}
	for _, c := range []struct {
		records []Record
		want    []string
	}{
		{nil, nil},
		{[]Record{{ToExclude, groupA, nil}, {Allow, groupB, list(3)}, {Block, groupB, list(3)}}, []string{"TO_EX:0 ALLOW:3 BLOCK:3 "}},
		{[]Record{{ToExclude, groupA, nil}, {Allow, groupB, list(9)}}, []string{"TO_EX:0 ", "ALLOW:9 "}},
		{[]Record{{Block, groupA, list(25)}, {IsExclude, groupB, nil}}, []string{"BLOCK:10 ", "BLOCK:10 ", "BLOCK:5 IS_EX:0 "}},
		{[]Record{{IsExclude, groupA, list(25)}, {ToExclude, groupB, list(11)}}, []string{"IS_EX:10 ", "TO_EX:10 "}},
	} {
		require.Equal(t, c.want, sizes(pack(c.records, 48, 4)))
	}
}
