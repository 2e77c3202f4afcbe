package mdns

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// lab runs a Host in virtual time. The random times are 0.
type lab struct {
	t   *testing.T
	h   *Host
	now time.Duration
}

func newLab(t *testing.T, addrs ...string) *lab {
	l := &lab{t: t, h: NewHost("tunstack", func(time.Duration) time.Duration { return 0 })}
	l.h.SetAddrs(0, parse(addrs...))
	return l
}

// settled is a lab whose host has its name, and has been quiet for long.
func settled(t *testing.T, addrs ...string) *lab {
	l := newLab(t, addrs...)
	l.until(time.Hour)
	require.True(t, l.h.Owned())
	return l
}

func parse(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

// sent is what the host has sent since the last call, one line for each packet.
func (l *lab) sent() string {
	var b strings.Builder
	for _, p := range l.h.Packets() {
		wire, err := p.Pack()
		require.NoError(l.t, err)
		m := new(dns.Msg)
		require.NoError(l.t, m.Unpack(wire))
		fmt.Fprintf(&b, "%d %s\n", l.now.Milliseconds(), text(m, p.To))
	}
	return b.String()
}

// until lets time pass, and returns what the host sends meanwhile.
func (l *lab) until(end time.Duration) string {
	out := l.sent()
	for l.h.Next() <= end {
		l.now = max(l.now, l.h.Next())
		l.h.Expire(l.now)
		out += l.sent()
	}
	l.now = end
	return out
}

// text is a message in short.
func text(m *dns.Msg, to netip.AddrPort) string {
	var words []string
	if to.IsValid() {
		words = append(words, "to "+to.String())
	}
	if m.Id != 0 {
		words = append(words, fmt.Sprintf("id %d", m.Id))
	}
	for _, q := range m.Question {
		words = append(words, fmt.Sprintf("%s? %s%s", dns.Type(q.Qtype), q.Name, mark(q.Qclass, " QU")))
	}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			h := rr.Header()
			words = append(words, fmt.Sprintf("%s%s %s %s%s %d", []string{"", "proposed ", "additional "}[i], h.Name, dns.Type(h.Rrtype),
				strings.ReplaceAll(strings.TrimPrefix(rr.String(), h.String()), "\t", " "), mark(h.Class, " flush"), h.Ttl))
		}
	}
	return strings.Join(words, "; ")
}

func mark(class uint16, text string) string {
	if class&topBit != 0 {
		return text
	}
	return ""
}

var (
	peer   = Source{Addr: netip.MustParseAddrPort("10.0.0.1:5353"), OnLink: true}
	legacy = Source{Addr: netip.MustParseAddrPort("10.0.0.1:40000"), OnLink: true}
)

// hear gives the host a message: records with the sections "query" (known answers), "probe" or "response".
func (l *lab) hear(from Source, kind string, parts ...string) string {
	m := new(dns.Msg)
	for _, part := range parts {
		if name, ok := strings.CutPrefix(part, "? "); ok {
			f := strings.Fields(name)
			q := dns.Question{Name: f[0], Qtype: dns.StringToType[f[1]], Qclass: dns.ClassINET}
			if len(f) > 2 {
				q.Qclass |= topBit
			}
			m.Question = append(m.Question, q)
			continue
		}
		rr, err := dns.NewRR(part)
		require.NoError(l.t, err)
		if kind == "probe" {
			m.Ns = append(m.Ns, rr)
		} else {
			m.Answer = append(m.Answer, rr)
		}
	}
	m.Response = kind == "response"
	m.Truncated = kind == "continued"
	if from == legacy {
		m.Id = 7
	}
	l.h.Input(l.now, m, from)
	return l.sent()
}

const (
	probe    = "ANY? tunstack.local. QU; proposed tunstack.local. A 10.0.0.2 120\n"
	announce = "tunstack.local. A 10.0.0.2 flush 120; 2.0.0.10.in-addr.arpa. PTR tunstack.local. flush 120\n"
	noAAAA   = "additional tunstack.local. NSEC tunstack.local. A flush 120"
	answerA  = "tunstack.local. A 10.0.0.2 flush 120; " + noAAAA + "\n"
)

// MDNS-001, MDNS-002: Three probes, 250 ms apart, go before two announcements.
func TestProbesAndAnnounces(t *testing.T) {
	l := newLab(t, "10.0.0.2")
	require.Equal(t, "0 "+probe+"250 "+probe+"500 "+probe+"750 "+announce+"1750 "+announce, l.until(time.Hour))
	require.Equal(t, "tunstack.local.", l.h.Name())
	require.Equal(t, never, l.h.Next())
}

// MDNS-003: A host that hears of another one with the name takes the next name, before and after it has announced its own.
func TestConflict(t *testing.T) {
	const other = "tunstack.local. 120 IN A 10.0.0.7"
	l := newLab(t, "10.0.0.2")
	require.Equal(t, "0 "+probe, l.until(100*time.Millisecond))
	l.hear(Source{Addr: netip.MustParseAddrPort("10.0.0.1:1234")}, "response", other) // from a wrong port
	l.hear(peer, "response", "tunstack.local. 0 IN A 10.0.0.7")                       // a goodbye
	l.hear(peer, "response", "tunstack.local. 120 IN A 10.0.0.2")                     // the host's own
	require.Equal(t, "tunstack.local.", l.h.Name())
	l.hear(peer, "response", other)
	require.Equal(t, "tunstack-2.local.", l.h.Name())
	renamed := strings.NewReplacer("tunstack.local", "tunstack-2.local").Replace
	require.Equal(t, renamed("100 "+probe+"350 "+probe+"600 "+probe+"850 "+announce+"1850 "+announce), l.until(time.Hour))

	l = settled(t, "10.0.0.2")
	l.hear(peer, "response", "tunstack.local. 120 IN A 10.0.0.7")
	require.False(t, l.h.Owned())
	require.Equal(t, "3600000 "+probe, l.until(time.Hour+time.Millisecond), "it probes again, with the same name")
	l.hear(peer, "response", "tunstack.local. 120 IN TXT x")
	require.Equal(t, "tunstack-2.local.", l.h.Name())
}

// MDNS-003: After 15 conflicts within ten seconds each further attempt waits for five seconds.
func TestManyConflicts(t *testing.T) {
	l := newLab(t, "10.0.0.2")
	for i := range manyConflicts + 2 {
		l.until(l.now + 10*time.Millisecond)
		l.hear(peer, "response", l.h.Name()+" 120 IN A 10.0.0.7")
		want := l.now
		if i >= manyConflicts-1 {
			want += conflictWait
		}
		require.Equal(t, want, l.h.Next(), i)
	}
}

// MDNS-004: Of two hosts that probe at the same time the one with the later records wins; the other waits for a second.
func TestSimultaneousProbes(t *testing.T) {
	for theirs, at := range map[string]string{
		"tunstack.local. 120 IN A 10.0.0.1": "250", // earlier than ours
		"tunstack.local. 120 IN A 10.0.0.2": "250", // the same
		"tunstack.local. 120 IN A 10.0.0.3": "1010",
		"TunStack.local. 120 IN A 10.0.0.3": "1010",
		"tunstack.local. 120 IN AAAA ::1":   "1010",
		"other.local. 120 IN A 10.0.0.3":    "250",
		"tunstack.local. 120 CH A 10.0.0.1": "1010",
	} {
		l := newLab(t, "10.0.0.2")
		l.until(10 * time.Millisecond)
		l.hear(peer, "probe", "? tunstack.local. ANY", theirs)
		require.Equal(t, at+" "+probe, l.until(1100 * time.Millisecond)[:len(at+" "+probe)], theirs)
		require.Equal(t, "tunstack.local.", l.h.Name())
	}
}

// MDNS-005 to MDNS-009: questions and answers.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  Source
		parts []string
		want  string
	}{
		{"A", peer, []string{"? tunstack.local. A"}, answerA},
		{"in other case", peer, []string{"? TUNSTACK.local. A"}, answerA},
		{"AAAA: none, MDNS-006", peer, []string{"? tunstack.local. AAAA"}, "tunstack.local. NSEC tunstack.local. A flush 120; additional tunstack.local. A 10.0.0.2 flush 120\n"},
		{"ANY", peer, []string{"? tunstack.local. ANY"}, answerA},
		{"reverse", peer, []string{"? 2.0.0.10.in-addr.arpa. PTR"}, "2.0.0.10.in-addr.arpa. PTR tunstack.local. flush 120\n"},
		{"two at once", peer, []string{"? tunstack.local. A", "? tunstack.local. A", "? other.local. A"}, answerA},
		{"another's", peer, []string{"? other.local. A"}, ""},
		{"known already, MDNS-007", peer, []string{"? tunstack.local. A", "tunstack.local. 60 IN A 10.0.0.2"}, ""},
		{"known for less than half, MDNS-007", peer, []string{"? tunstack.local. A", "tunstack.local. 59 IN A 10.0.0.2"}, answerA},
		{"known with other data, MDNS-007", peer, []string{"? tunstack.local. A", "tunstack.local. 60 IN A 10.0.0.3"}, answerA},
		{"one-shot, MDNS-008", legacy, []string{"? tunstack.local. A"}, "to 10.0.0.1:40000; id 7; A? tunstack.local.; tunstack.local. A 10.0.0.2 10; additional tunstack.local. NSEC tunstack.local. A 10\n"},
		{"direct, but not sent to the group for long, MDNS-009", peer, []string{"? tunstack.local. A QU"}, answerA},
		{"from another network", Source{Addr: peer.Addr, Direct: true}, []string{"? tunstack.local. A"}, ""},
		{"a probe of another host", peer, []string{"? tunstack.local. ANY QU"}, answerA},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := settled(t, "10.0.0.2")
			want := c.want
			if want != "" {
				want = "3600000 " + want
			}
			require.Equal(t, want, l.hear(c.from, "query", c.parts...))
		})
	}
}

// MDNS-009: A question that asks for a direct answer gets one if the group has had the record not long ago.
func TestDirectAnswers(t *testing.T) {
	l := settled(t, "10.0.0.2")
	l.hear(peer, "query", "? tunstack.local. A")
	require.Equal(t, "3600000 to 10.0.0.1:5353; "+answerA, l.hear(peer, "query", "? tunstack.local. A QU"))
	direct := peer
	direct.Direct = true
	require.Equal(t, "3600000 to 10.0.0.1:5353; "+answerA, l.hear(direct, "query", "? tunstack.local. A"))
	l.until(l.now + ttl*time.Second/4)
	require.Equal(t, "3630000 "+answerA, l.hear(peer, "query", "? tunstack.local. A QU"))
}

// MDNS-010: A record goes to the group once a second at most, and to defend the name four times.
func TestAnswersToTheGroupAreRare(t *testing.T) {
	l := settled(t, "10.0.0.2")
	require.NotEmpty(t, l.hear(peer, "query", "? tunstack.local. A"))
	l.until(l.now + 250*time.Millisecond)
	require.Empty(t, l.hear(peer, "query", "? tunstack.local. A"))
	require.NotEmpty(t, l.hear(peer, "probe", "? tunstack.local. ANY", "tunstack.local. 120 IN A 10.0.0.3"))
	l.until(l.now + time.Second)
	require.NotEmpty(t, l.hear(peer, "query", "? tunstack.local. A"))
}

// MDNS-011: Known answers may follow in further messages of the same client.
func TestContinuedQuery(t *testing.T) {
	l := settled(t, "10.0.0.2")
	require.Empty(t, l.hear(peer, "continued", "? tunstack.local. A", "? 2.0.0.10.in-addr.arpa. PTR"))
	require.Empty(t, l.hear(peer, "query", "tunstack.local. 100 IN A 10.0.0.2"))
	require.Equal(t, "3600400 2.0.0.10.in-addr.arpa. PTR tunstack.local. flush 120\n", l.until(l.now+time.Second))
	for i := range 2 * maxWaiting {
		l.hear(Source{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Port)}, "continued", "? tunstack.local. A")
	}
	require.Len(t, l.h.waiting, maxWaiting)
}

// MDNS-012: Others learn of new and of lost addresses, and of the end.
func TestAddressesChange(t *testing.T) {
	l := settled(t, "10.0.0.2")
	l.h.SetAddrs(l.now, parse("10.0.0.2", "fe80::1"))
	const fe80 = "tunstack.local. AAAA fe80::1 flush %[1]d; "
	reverse := "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa. PTR tunstack.local. flush %[1]d\n"
	both := "tunstack.local. A 10.0.0.2 flush %[1]d; " + fe80 + "2.0.0.10.in-addr.arpa. PTR tunstack.local. flush %[1]d; " + reverse
	require.Equal(t, fmt.Sprintf("3600000 "+both+"3601000 "+both, 120), l.until(2*time.Hour))
	l.h.SetAddrs(l.now, parse("fe80::1"))
	out := l.until(l.now + time.Minute)
	require.True(t, strings.HasPrefix(out, "7200000 tunstack.local. A 10.0.0.2 flush 0; 2.0.0.10.in-addr.arpa. PTR tunstack.local. flush 0\n"), out)
	l.h.Close()
	require.Equal(t, fmt.Sprintf("7260000 "+fe80+reverse, 0), l.sent())
	require.Equal(t, never, l.h.Next())
	require.Empty(t, l.hear(peer, "query", "? tunstack.local. AAAA"))
}

// A host without an address, or before it has its name, does not answer.
func TestSilence(t *testing.T) {
	l := newLab(t)
	require.Equal(t, never, l.h.Next())
	require.Empty(t, l.hear(peer, "query", "? tunstack.local. A"))
	l.h.SetAddrs(l.now, parse("10.0.0.2"))
	require.Empty(t, l.hear(peer, "query", "? tunstack.local. A"))
	l.until(time.Hour)
	l.h.SetAddrs(l.now, nil)
	require.Equal(t, "3600000 "+strings.ReplaceAll(announce, "120", "0"), l.sent())
	require.Equal(t, never, l.h.Next())
}

// Whatever the link carries, the host goes on, sends nothing that cannot be encoded, and keeps a bounded number of queries.
func FuzzInput(f *testing.F) {
	m := new(dns.Msg).SetQuestion("tunstack.local.", dns.TypeANY)
	b, err := m.Pack()
	require.NoError(f, err)
	f.Add(b, true)
	m.Ns = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "tunstack.local.", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: []byte{10, 0, 0, 9}}}
	b, err = m.Pack()
	require.NoError(f, err)
	f.Add(b, false)
	f.Fuzz(func(t *testing.T, b []byte, owned bool) {
		m := new(dns.Msg)
		if m.Unpack(b) != nil {
			return
		}
		l := newLab(t, "10.0.0.2")
		if owned {
			l.until(time.Hour)
		}
		for range 2 {
			l.h.Input(l.now, m, peer)
			l.until(l.now + time.Minute)
		}
	})
}
