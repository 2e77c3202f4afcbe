package dhcp4

import (
	"errors"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"
)

const (
	discover = "0.0.0.0 > 255.255.255.255: DISCOVER B"
	again    = "0.0.0.0 > 255.255.255.255: DISCOVER request 10.0.0.7 B"
	request  = "0.0.0.0 > 255.255.255.255: REQUEST request 10.0.0.7 server 10.0.0.1 B"
	reboot   = "0.0.0.0 > 255.255.255.255: REQUEST request 10.0.0.7 B"
	renew    = "10.0.0.7 > 10.0.0.1: REQUEST ciaddr 10.0.0.7"
	rebind   = "10.0.0.7 > 255.255.255.255: REQUEST ciaddr 10.0.0.7"
	decline  = "0.0.0.0 > 255.255.255.255: DECLINE request 10.0.0.7 server 10.0.0.1"
	release  = "10.0.0.7 > 10.0.0.1: RELEASE server 10.0.0.1 ciaddr 10.0.0.7"
)

// DHCP-002, DHCP-004, DHCP-009, SOCK-055: from INIT to BOUND, and the fields of each message.
func TestAcquire(t *testing.T) {
	l := newLab(t, Config{Hostname: "box"})
	l.run(0)
	l.does(discover)
	require.Equal(t, "box", l.last.HostName())
	xid := l.last.TransactionID
	l.hears(dhcpv4.MessageTypeOffer)
	l.does(request)
	require.Equal(t, xid, l.last.TransactionID)
	l.hears(dhcpv4.MessageTypeAck)
	l.does("claim 10.0.0.7/24")
	require.Nil(t, l.c.Lease())
	l.run(5 * time.Second)
	l.c.Claimed(l.now, nil)
	l.does("bound 10.0.0.7/24")
	require.Equal(t, server, l.c.Lease().Server)
	require.Equal(t, time.Hour, l.c.Lease().End, "counted from the request, not from the end of probing")
}

// DHCP-011, DHCP-017: the parameter request list, and the client identifier in each message.
func TestOptionsOfMessages(t *testing.T) {
	l := newLab(t, Config{})
	check := func() {
		require.Equal(t, id, l.last.Options.Get(dhcpv4.OptionClientIdentifier))
	}
	l.run(0)
	check()
	require.Equal(t, []byte{121, 3, 1, 6, 12, 15, 26, 28, 42, 119}, l.last.Options.Get(dhcpv4.OptionParameterRequestList))
	require.Equal(t, []byte{2, 64}, l.last.Options.Get(dhcpv4.OptionMaximumDHCPMessageSize))
	l.hears(dhcpv4.MessageTypeOffer)
	check()
	l.hears(dhcpv4.MessageTypeAck)
	l.c.Claimed(l.now, nil)
	l.run(31 * time.Minute)
	require.Equal(t, Renewing, l.c.State())
	check()
	l.c.Stop(l.now, true)
	check()
	require.False(t, l.last.Options.Has(dhcpv4.OptionParameterRequestList))
}

// SOCK-056: DISCOVERs after 4, 8, 16, 32 and 64 s, each plus or minus at most 1 s, and the first after a random delay.
func TestRetransmission(t *testing.T) {
	l := newLab(t, Config{Delay: 0})
	l.c.cfg.Delay = 0
	l.c.Start(0)
	l.run(10 * time.Minute)
	require.GreaterOrEqual(t, l.at[0], leastDelay)
	require.LessOrEqual(t, l.at[0], mostDelay)
	exact := 0
	for i, want := range []time.Duration{4, 8, 16, 32, 64, 64, 64} {
		got := l.at[i+1] - l.at[i]
		require.InDelta(t, float64(want*time.Second), float64(got), float64(time.Second))
		if got == want*time.Second {
			exact++
		}
	}
	require.Less(t, exact, 2)
}

// SOCK-056: each search has another transaction.
func TestTransactions(t *testing.T) {
	seen := map[dhcpv4.TransactionID]bool{}
	l := newLab(t, Config{})
	for range 20 {
		l.run(0)
		for l.c.State() == Init {
			l.run(time.Second)
		}
		seen[l.last.TransactionID] = true
		l.hears(dhcpv4.MessageTypeOffer)
		l.hears(dhcpv4.MessageTypeNak)
	}
	require.Len(t, seen, 20)
}

// A server that does not answer the REQUEST any more is given up.
func TestServerVanishes(t *testing.T) {
	l := newLab(t, Config{})
	l.run(0)
	l.hears(dhcpv4.MessageTypeOffer)
	l.run(55 * time.Second)
	for l.c.State() != Selecting {
		l.run(100 * time.Millisecond)
	}
	l.does(discover, request, request, request, request, again)
}

// DHCP-019: Silent is told once per search, and the search goes on.
func TestSilent(t *testing.T) {
	l := newLab(t, Config{Patience: 10 * time.Second})
	l.run(9 * time.Second)
	l.does(discover, discover)
	l.run(time.Minute)
	require.Equal(t, "silent", l.log[0])
	require.NotContains(t, l.log[1:], "silent")
	l.log = nil
	l.hears(dhcpv4.MessageTypeOffer)
	l.hears(dhcpv4.MessageTypeAck)
	l.does(request, "claim 10.0.0.7/24")
}

func remembered(end time.Duration) *Lease {
	return &Lease{Addr: own, Server: server, Renew: end / 2, Rebind: end * 7 / 8, End: end}
}

// DHCP-005: a lease of an earlier run.
func TestInitReboot(t *testing.T) {
	t.Run("same network", func(t *testing.T) {
		l := newLab(t, Config{Remembered: remembered(time.Hour)})
		l.run(0)
		l.does(reboot)
		l.hears(dhcpv4.MessageTypeAck)
		l.c.Claimed(l.now, nil)
		l.does("claim 10.0.0.7/24", "bound 10.0.0.7/24")
	})
	t.Run("other network", func(t *testing.T) {
		l := newLab(t, Config{Remembered: remembered(time.Hour)})
		l.run(0)
		l.hears(dhcpv4.MessageTypeNak)
		l.run(3 * time.Second)
		l.does(reboot, discover)
	})
	t.Run("no server", func(t *testing.T) {
		l := newLab(t, Config{Remembered: remembered(time.Hour)})
		l.run(15 * time.Second)
		l.does(reboot, reboot, "claim 10.0.0.7/24")
		l.c.Claimed(l.now, nil)
		l.does("bound 10.0.0.7/24")
		l.run(30 * time.Minute)
		l.does(renew)
	})
	t.Run("no server, and the lease ends", func(t *testing.T) {
		l := newLab(t, Config{Remembered: remembered(5 * time.Second)})
		l.run(15 * time.Second)
		l.does(reboot, reboot, again)
	})
	t.Run("ended", func(t *testing.T) {
		l := newLab(t, Config{Remembered: remembered(0)})
		l.run(0)
		l.does(again)
	})
}

// DHCP-007, DHCP-008, SOCK-057: a lease of an hour, and a server that is silent from then on.
func TestLeaseTimeline(t *testing.T) {
	l := newLab(t, Config{}).bind()
	lease := l.c.Lease()
	l.run(time.Hour - 1)
	var renewals, rebinds []time.Duration
	for i, line := range l.log {
		switch line {
		case renew:
			renewals = append(renewals, l.at[i])
		case rebind:
			rebinds = append(rebinds, l.at[i])
		default:
			require.Fail(t, line)
		}
	}
	half := func(times []time.Duration, first, end time.Duration) {
		require.Equal(t, first, times[0])
		for i, at := range times[1:] {
			require.Equal(t, max((end-times[i])/2, time.Minute), at-times[i])
		}
	}
	half(renewals, lease.Renew, lease.Rebind)
	half(rebinds, lease.Rebind, lease.End)
	require.Greater(t, len(renewals), 3)
	require.Greater(t, len(rebinds), 2)
	l.log = nil
	l.run(1)
	l.does("lost 10.0.0.7/24: expired")
	require.Nil(t, l.c.Lease())
	l.run(2 * time.Second)
	l.does(again)
}

// SOCK-057: an answered renewal extends the lease from the request that was answered, in both states.
func TestExtension(t *testing.T) {
	for name, wait := range map[State]time.Duration{Renewing: 31 * time.Minute, Rebinding: 53 * time.Minute} {
		t.Run(name.String(), func(t *testing.T) {
			l := newLab(t, Config{}).bind()
			l.run(wait)
			require.Equal(t, name, l.c.State())
			sent := l.at[len(l.at)-1]
			l.log = nil
			l.hears(dhcpv4.MessageTypeAck)
			l.does("bound 10.0.0.7/24")
			require.Equal(t, sent+time.Hour, l.c.Lease().End)
		})
	}
}

// An ACK for an earlier request does not extend the lease from a later one.
func TestLateAck(t *testing.T) {
	l := newLab(t, Config{}).bind()
	l.run(30 * time.Minute)
	late := l.reply(dhcpv4.MessageTypeAck).ToBytes()
	l.run(15 * time.Minute)
	l.c.Input(l.now, late)
	require.Equal(t, Renewing, l.c.State())
	require.EqualValues(t, 1, l.count("dhcp4.drop.transaction"))
}

// DHCP-008: a lease without an end.
func TestInfiniteLease(t *testing.T) {
	l := newLab(t, Config{}).bind(dhcpv4.WithLeaseTime(1<<32 - 1))
	require.Equal(t, Forever, l.c.Next())
	l.run(200 * 365 * 24 * time.Hour)
	l.does()
}

// DHCP-009, SOCK-058: a conflict found by probing, or later, is told to the server, and the client pauses.
func TestDecline(t *testing.T) {
	l := newLab(t, Config{})
	l.run(0)
	l.hears(dhcpv4.MessageTypeOffer)
	l.hears(dhcpv4.MessageTypeAck)
	l.log = nil
	l.c.Claimed(l.now, errors.New("in use"))
	l.does(decline)
	require.GreaterOrEqual(t, l.c.Next(), 10*time.Second)
	l.run(12 * time.Second)
	l.does(discover)

	l = newLab(t, Config{}).bind()
	l.c.Taken(l.now)
	l.does(decline, "lost 10.0.0.7/24: in use by another host")
	require.GreaterOrEqual(t, l.c.Next(), 10*time.Second)
	l.c.Taken(l.now)
	l.does()
}

// DHCP-010: RELEASE to the server, with the address that is given back.
func TestRelease(t *testing.T) {
	l := newLab(t, Config{}).bind()
	l.c.Stop(l.now, true)
	l.does(release, "lost 10.0.0.7/24: given back")
	l.run(time.Hour)
	l.does()

	l = newLab(t, Config{}).bind()
	l.c.Stop(l.now, false)
	l.does("lost 10.0.0.7/24: given back")

	l = newLab(t, Config{})
	l.c.Stop(l.now, true)
	l.c.Claimed(l.now, nil)
	l.run(time.Hour)
	l.does()
}

// SOCK-058: a NAK ends the lease, and a server that grants and refuses in turn causes few messages.
func TestNak(t *testing.T) {
	l := newLab(t, Config{}).bind()
	l.run(31 * time.Minute)
	l.log = nil
	l.hears(dhcpv4.MessageTypeNak)
	l.does("lost 10.0.0.7/24: refused by the server")
	l.run(2 * time.Second)
	l.does(discover)
	end := l.now + 10*time.Minute
	for l.now < end {
		switch l.c.State() {
		case Selecting:
			l.hears(dhcpv4.MessageTypeOffer)
		case Requesting:
			l.hears(dhcpv4.MessageTypeNak)
		}
		l.run(100 * time.Millisecond)
	}
	require.Less(t, len(l.log), 50)
}

// A renewal that moves the address to another network configures it anew.
func TestNetworkChanges(t *testing.T) {
	l := newLab(t, Config{}).bind()
	l.run(31 * time.Minute)
	l.log = nil
	l.hears(dhcpv4.MessageTypeAck, dhcpv4.WithNetmask([]byte{255, 255, 0, 0}))
	l.does("lost 10.0.0.7/24: moved to another network by the server", "claim 10.0.0.7/16")
}
