package membership

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lab is a Host in virtual time, as IPv4 configures it. Random times are half of their maximum.
type lab struct {
	*Host
	t   *testing.T
	now time.Duration
}

func newLab(t *testing.T, change func(*Config)) *lab {
	cfg := Config{
		AddrLen: 4, Headers: 32, MTU: func() int { return 1500 }, Oldest: V1, ResponseFactor: 10,
		Reported: func(group netip.Addr) bool { return group != addr("224.0.0.1") },
		Rand:     func(n time.Duration) time.Duration { return n / 2 },
	}
	if change != nil {
		change(&cfg)
	}
	return &lab{Host: NewHost(cfg), t: t}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(s string) (list []netip.Addr) {
	for a := range strings.FieldsSeq(s) {
		list = append(list, addr(a))
	}
	return list
}

var groupA, groupB = addr("239.0.0.1"), addr("239.0.0.2")

func include(sources string) Filter { return NewFilter(false, addrs(sources)) }
func exclude(sources string) Filter { return NewFilter(true, addrs(sources)) }

// until lets time pass up to at, and requires the messages that leave meanwhile, each with its time in seconds.
func (l *lab) until(at time.Duration, want ...string) {
	l.t.Helper()
	var got []string
	for {
		next, ok := l.Next()
		if !ok || next > at {
			break
		}
		l.now = max(l.now, next)
		for _, m := range l.Expire(l.now) {
			got = append(got, fmt.Sprintf("%g %s", l.now.Seconds(), text(m)))
		}
	}
	l.now = at
	require.Equal(l.t, want, got)
}

var recordNames = [...]string{IsInclude: "IS_IN", IsExclude: "IS_EX", ToInclude: "TO_IN", ToExclude: "TO_EX", Allow: "ALLOW", Block: "BLOCK"}

// text is a message as the RFCs write records.
func text(m Message) string {
	switch {
	case m.Leave:
		return "leave " + m.Group.String()
	case m.Version != V3:
		return fmt.Sprintf("v%d %s", m.Version, m.Group)
	}
	var words []string
	for _, r := range m.Records {
		var sources []string
		for _, a := range r.Sources {
			sources = append(sources, a.String())
		}
		words = append(words, fmt.Sprintf("%s %s(%s)", r.Group, recordNames[r.Type], strings.Join(sources, " ")))
	}
	return strings.Join(words, ", ")
}

// query is a query of V3 with a maximum of 10 seconds; general without a group.
func (l *lab) query(group netip.Addr, sources string) {
	l.Query(l.now, Query{Version: V3, Group: group, Sources: addrs(sources), MaxDelay: 10 * time.Second})
}
