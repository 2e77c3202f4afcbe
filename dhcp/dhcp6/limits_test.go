package dhcp6

import (
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/stretchr/testify/require"
)

// DHCP6-006, DHCP6-013: SOL_MAX_RT counts also in an Advertise that is ignored, between 60 and 86400.
func TestMaxRT(t *testing.T) {
	for n, want := range map[uint32]time.Duration{59: maxRT, 60: time.Minute, 86400: 24 * time.Hour, 86401: maxRT} {
		l := newLab(t, Stateful)
		l.run(time.Second)
		l.advertises(add(seconds(dhcpv6.OptionSolMaxRT, n), failed(iana.StatusNoAddrsAvail)))
		require.Equal(t, Soliciting, l.c.State())
		require.EqualValues(t, 1, l.count("dhcp6.drop.no_address"))
		require.Equal(t, want, l.c.exchange.mrt)

		l = newLab(t, Stateless)
		l.run(time.Second)
		l.replies(add(seconds(dhcpv6.OptionInfMaxRT, n)))
		require.Equal(t, want, l.c.infMaxRT)
	}
	l := newLab(t, Stateful)
	l.run(time.Second)
	l.advertises(add(raw(dhcpv6.OptionSolMaxRT, 0, 60)))
	require.Equal(t, maxRT, l.c.solMaxRT)
}

// DHCP6-014: settings alone, and their refresh.
func TestInformationRequest(t *testing.T) {
	for n, want := range map[uint32]time.Duration{0: 24 * time.Hour, 300: 600 * time.Second, 3600: time.Hour, 1<<32 - 1: Forever} {
		l := newLab(t, Stateless)
		l.run(time.Second)
		l.does("INFORMATION-REQUEST")
		require.LessOrEqual(t, l.at[0], time.Second)
		for _, code := range []dhcpv6.OptionCode{dhcpv6.OptionInfMaxRT, dhcpv6.OptionInformationRefreshTime} {
			require.Contains(t, l.last.Options.RequestedOptions(), code)
		}
		changes := []change{add(raw(dhcpv6.OptionDNSRecursiveNameServer, own.AsSlice()...))}
		if n > 0 {
			changes = append(changes, add(seconds(dhcpv6.OptionInformationRefreshTime, n)))
		}
		l.replies(changes...)
		require.Equal(t, Informed, l.c.State())
		require.Len(t, l.settings.DNS, 1)
		require.Equal(t, want, left(l.now, l.c.Next()))
		if want < Forever {
			l.run(want + 2*time.Second)
			require.Equal(t, "INFORMATION-REQUEST", l.log[0])
			require.Len(t, l.settings.DNS, 1, "they stay until the answer")
		}
	}
}

// DHCP6-016: a server that always causes a restart, and a stack that always finds duplicates, get at most 20 messages in 20 s.
func TestRateLimit(t *testing.T) {
	l := newLab(t, Stateful)
	for range 20000 {
		switch l.run(10 * time.Millisecond); l.c.State() {
		case Soliciting:
			if l.c.exchange.tries > 0 {
				l.replies(add(raw(dhcpv6.OptionRapidCommit)))
			}
		case Bound:
			l.c.Confirm(l.now)
		case Confirming:
			if l.c.exchange.tries > 0 {
				l.replies(add(&dhcpv6.OptStatusCode{StatusCode: iana.StatusNotOnLink}))
			}
		}
	}
	require.Greater(t, len(l.at), 100)
	for i := range l.at[limitCount:] {
		require.GreaterOrEqual(t, l.at[i+limitCount]-l.at[i], limitTime)
	}
}

// SLAAC-024: the flags choose the exchange, and only more of them change it.
func TestModes(t *testing.T) {
	l := newLab(t, Off)
	l.run(time.Hour)
	l.does()
	l.c.SetMode(l.now, Stateless)
	l.run(time.Second)
	l.does("INFORMATION-REQUEST")
	l.replies()
	l.c.SetMode(l.now, Stateful)
	l.run(time.Second)
	l.does("SOLICIT")
	l.c.SetMode(l.now, Off)
	require.Equal(t, Soliciting, l.c.State())
}

// Silent is told once per search.
func TestSilent(t *testing.T) {
	l := newLab(t, Off)
	l.c.cfg.Patience = 10 * time.Second
	l.c.SetMode(0, Stateful)
	l.run(time.Hour)
	silent := 0
	for _, line := range l.log {
		if line == "silent" {
			silent++
		}
	}
	require.Equal(t, 1, silent)
}
