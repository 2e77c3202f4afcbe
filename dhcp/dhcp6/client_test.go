package dhcp6

import (
	"errors"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/stretchr/testify/require"
)

const claim = "claim 2001:db8::7 1h0m0s 2h0m0s"

// DHCP6-002, DHCP6-004: Solicit, Advertise, Request, Reply.
func TestAcquire(t *testing.T) {
	l := newLab(t, Stateful)
	l.run(1100 * time.Millisecond)
	l.does("SOLICIT")
	require.LessOrEqual(t, l.at[0], time.Second)
	require.Contains(t, l.last.Options.RequestedOptions(), dhcpv6.OptionSolMaxRT)
	l.advertises()
	l.does()
	l.run(time.Second)
	l.does("REQUEST to server 2001:db8::7")
	l.replies()
	l.does(claim)
	require.Equal(t, Bound, l.c.State())
	require.Equal(t, l.now+1000*time.Second, l.c.Lease().Renew)
	l.c.Claimed(l.now, own, nil)
	l.does()
}

// DHCP6-004, DHCP6-006: of the Advertises during the first timeout that with the highest preference wins, and 255 ends it at once.
func TestPreference(t *testing.T) {
	prefers := func(who dhcpv6.DUID, n uint8) change {
		return add(dhcpv6.OptServerID(who), dhcpv6.OptPreference(n))
	}
	for name, tt := range map[string]struct {
		first, second uint8
		waits         bool
		want          string
	}{
		"equal": {0, 0, true, "server"}, "higher": {1, 2, true, "other"}, "lower": {2, 1, true, "server"}, "at once": {0, 255, false, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, Stateful)
			l.run(time.Second)
			l.advertises(prefers(server, tt.first))
			l.advertises(prefers(other, tt.second))
			l.run(0)
			require.Equal(t, tt.waits, l.c.State() == Soliciting)
			l.run(1200 * time.Millisecond)
			require.Equal(t, "REQUEST to "+tt.want+" 2001:db8::7", l.log[1])
		})
	}
}

// DHCP6-004: after the first timeout any Advertise is taken at once.
func TestLateAdvertise(t *testing.T) {
	l := newLab(t, Stateful)
	l.run(10 * time.Second)
	l.advertises()
	require.Equal(t, Requesting, l.c.State())
}

// DHCP6-003: the times of Solicit, which double up to SOL_MAX_RT, each plus or minus a tenth, and the Elapsed Time option.
func TestRetransmission(t *testing.T) {
	l := newLab(t, Stateful)
	l.run(10 * time.Hour)
	rt := l.at[1] - l.at[0]
	require.Greater(t, rt, time.Second, "the first is longer than 1 s")
	require.LessOrEqual(t, rt, 1100*time.Millisecond)
	for i, at := range l.at[2:] {
		next := at - l.at[i+1]
		if 2*rt < maxRT {
			require.InDelta(t, 2*rt, next, float64(rt)/10+1)
		} else {
			require.InDelta(t, maxRT, next, float64(maxRT)/10+1)
		}
		rt = next
	}
	require.InDelta(t, 0xffff*10*time.Millisecond, l.last.Options.ElapsedTime(), 0)

	l = newLab(t, Stateful)
	l.run(5 * time.Second)
	require.InDelta(t, l.at[len(l.at)-1]-l.at[0], l.last.Options.ElapsedTime(), float64(10*time.Millisecond))
}

// DHCP6-003: a Request is sent ten times.
func TestServerVanishes(t *testing.T) {
	l := newLab(t, Stateful)
	l.run(10 * time.Second)
	l.advertises()
	l.log = nil
	l.run(5 * time.Minute)
	for range 10 {
		require.Equal(t, "REQUEST to server 2001:db8::7", l.log[0])
		l.log = l.log[1:]
	}
	require.Equal(t, "SOLICIT", l.log[0])
}

// DHCP6-008: Renew at T1 to the server, Rebind at T2 to all, and the end of the addresses.
func TestLeaseTimeline(t *testing.T) {
	l := newLab(t, Stateful).bind()
	start := l.now
	l.run(2*time.Hour - 1)
	seen := map[string]time.Duration{}
	for i, line := range l.log {
		if _, ok := seen[line]; !ok {
			seen[line] = l.at[i] - start
		}
	}
	require.Equal(t, map[string]time.Duration{"RENEW to server 2001:db8::7": 1000 * time.Second, "REBIND 2001:db8::7": 2000 * time.Second}, seen)
	l.log = nil
	l.run(time.Second)
	l.does("remove 2001:db8::7", "SOLICIT")
}

// DHCP6-007, DHCP6-008: an answered Renew extends the lifetimes; addresses come and go with it.
func TestExtension(t *testing.T) {
	for name, at := range map[State]time.Duration{Renewing: 1001 * time.Second, Rebinding: 2001 * time.Second} {
		t.Run(name.String(), func(t *testing.T) {
			l := newLab(t, Stateful).bind()
			l.run(at)
			require.Equal(t, name, l.c.State())
			l.log = nil
			l.replies()
			l.does("extend 2001:db8::7 1h0m0s 2h0m0s")
			require.Equal(t, Bound, l.c.State())
		})
	}
	l := newLab(t, Stateful).bind()
	l.run(1001 * time.Second)
	l.log = nil
	l.replies(add(ia(1000, 2000, "2001:db8::8 100 200", "2001:db8::7 0 0")))
	l.does("claim 2001:db8::8 1m40s 3m20s", "extend 2001:db8::7 0s 0s", "remove 2001:db8::7")
	require.Len(t, l.c.Lease().Addresses, 1)
}

// DHCP6-008: what the client makes of T1 and T2.
func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		ia     *dhcpv6.OptIANA
		t1, t2 time.Duration
	}{
		{ia(0, 0, "2001:db8::7 1000 2000", "2001:db8::8 500 2000"), 250 * time.Second, 400 * time.Second},
		{ia(100, 0, "2001:db8::7 1000 2000"), 100 * time.Second, 800 * time.Second},
		{ia(0, 100, "2001:db8::7 1000 2000"), 100 * time.Second, 100 * time.Second},
		{ia(0, 0, "2001:db8::7 4294967295 4294967295"), Forever, Forever},
		{ia(4294967295, 4294967295, "2001:db8::7 1000 2000"), Forever, Forever},
		{ia(1, 1, "2001:db8::7 1000 2000"), 5 * time.Second, 5 * time.Second},
	} {
		t1, t2 := func() (time.Duration, time.Duration) {
			l := newLab(t, Stateful).bind(add(tt.ia))
			return left(l.now, l.c.Lease().Renew), left(l.now, l.c.Lease().Rebind)
		}()
		require.Equal(t, tt.t1, t1)
		require.Equal(t, tt.t2, t2)
	}
	l := newLab(t, Stateful)
	l.run(3 * time.Second)
	l.advertises(add(ia(200, 100, hour)))
	require.Equal(t, Soliciting, l.c.State(), "an IA with T1 > T2 is ignored")
	require.Positive(t, l.count("dhcp6.ignored.times"))
}

// DHCP6-007: a duplicate address is declined.
func TestDecline(t *testing.T) {
	l := newLab(t, Stateful).bind(add(ia(1000, 2000, hour, "2001:db8::8 3600 7200")))
	l.c.Claimed(l.now, own, errors.New("duplicate"))
	l.run(0)
	l.does("remove 2001:db8::7", "remove 2001:db8::8", "DECLINE to server 2001:db8::7")
	l.replies()
	l.log = nil
	l.run(9 * time.Second)
	l.does()
	l.run(2 * time.Second)
	l.does("SOLICIT")
	l.c.Claimed(l.now, own, errors.New("duplicate"))
	l.does()

	l = newLab(t, Stateful).bind()
	l.c.Claimed(l.now, own, errors.New("duplicate"))
	l.run(20 * time.Second)
	require.Equal(t, "SOLICIT", l.log[5], "after four tries")
}

// DHCP6-009: the status codes of a Reply.
func TestStatusCodes(t *testing.T) {
	requesting := func(c change) *lab {
		l := newLab(t, Stateful)
		l.run(10 * time.Second)
		l.advertises()
		l.run(0)
		l.log = nil
		l.replies(c)
		return l
	}
	message := func(s iana.StatusCode) change { return add(&dhcpv6.OptStatusCode{StatusCode: s}) }
	for _, c := range []change{message(iana.StatusNotOnLink), add(failed(iana.StatusNoAddrsAvail))} {
		l := requesting(c)
		require.Equal(t, Soliciting, l.c.State())
		l.run(9 * time.Second)
		l.does()
		l.run(2 * time.Second)
		l.does("SOLICIT")
	}
	l := requesting(message(iana.StatusUnspecFail))
	l.run(2 * time.Second)
	l.does("REQUEST to server 2001:db8::7")

	l = newLab(t, Stateful).bind()
	l.run(1000 * time.Second)
	l.log = nil
	l.replies(add(failed(iana.StatusNoBinding)))
	l.run(0)
	l.does("REQUEST to server 2001:db8::7")
	l.replies()
	l.does("extend 2001:db8::7 1h0m0s 2h0m0s")
}

// DHCP6-010: Confirm after a possible change of link.
func TestConfirm(t *testing.T) {
	for name, tt := range map[string]struct {
		answer *dhcpv6.OptStatusCode
		want   State
	}{
		"silence": {nil, Bound}, "right": {&dhcpv6.OptStatusCode{}, Bound}, "wrong": {&dhcpv6.OptStatusCode{StatusCode: iana.StatusNotOnLink}, Soliciting},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, Stateful).bind()
			l.c.Confirm(l.now)
			l.run(time.Second)
			require.Equal(t, "CONFIRM 2001:db8::7", l.log[0])
			l.log = nil
			if tt.answer != nil {
				l.replies(without(dhcpv6.OptionIANA), add(tt.answer))
			} else {
				l.run(10 * time.Second)
			}
			require.Equal(t, tt.want, l.c.State())
			require.Equal(t, tt.want == Bound, len(l.c.Lease().Addresses) == 1)
		})
	}
}

// DHCP6-011: the addresses are removed before the Release, which is sent four times at most.
func TestRelease(t *testing.T) {
	l := newLab(t, Stateful).bind()
	l.c.Stop(l.now, true)
	l.run(0)
	l.does("remove 2001:db8::7", "RELEASE to server 2001:db8::7")
	l.replies()
	require.Equal(t, Stopped, l.c.State())

	l = newLab(t, Stateful).bind()
	l.c.Stop(l.now, true)
	l.run(time.Minute)
	require.Len(t, l.log, 5)
	require.Equal(t, Stopped, l.c.State())
	l.run(time.Hour)
	require.Len(t, l.log, 5)

	l = newLab(t, Stateful).bind()
	l.c.Stop(l.now, false)
	l.does("remove 2001:db8::7")
	require.Equal(t, Stopped, l.c.State())
}

// DHCP6-012: a Reply with Rapid Commit takes the place of an Advertise.
func TestRapidCommit(t *testing.T) {
	l := newLab(t, Stateful)
	l.run(time.Second)
	require.NotNil(t, l.last.Options.GetOne(dhcpv6.OptionRapidCommit))
	l.replies()
	require.Equal(t, Soliciting, l.c.State())
	l.replies(add(raw(dhcpv6.OptionRapidCommit)))
	l.does("SOLICIT", claim)
}
