package ip

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/timer"
)

// claims is a link that records the claims, and decides them when the test says so.
type claims struct {
	null
	pending  map[netip.Addr]func(now time.Duration, err error)
	released []netip.Addr
}

func (c *claims) Claim(_ time.Duration, a netip.Addr, done func(time.Duration, error)) {
	c.pending[a] = done
}

func (c *claims) Release(a netip.Addr) {
	delete(c.pending, a)
	c.released = append(c.released, a)
}

// lifelab is a stack in virtual time with an interface on a link with claims.
type lifelab struct {
	*Stack
	t      *testing.T
	timers timer.Queue
	link   *claims
	eth0   *Interface
	now    time.Duration
	done   []error // of Assign
}

func newLifelab(t *testing.T) *lifelab {
	l := &lifelab{t: t, link: &claims{pending: map[netip.Addr]func(time.Duration, error){}}}
	l.Stack = New(Config{Timers: &l.timers})
	l.AddFamily(family6{})
	var err error
	l.eth0, err = l.AddInterface("eth0", l.link)
	require.NoError(t, err)
	return l
}

// assign starts to give eth0 an address.
func (l *lifelab) assign(a string, preferred, valid time.Duration) {
	own := Address{Prefix: netip.MustParsePrefix(a), Preferred: preferred, Valid: valid}
	l.eth0.Assign(l.now, own, func(_ time.Duration, err error) { l.done = append(l.done, err) })
}

// decide ends the claim of an address.
func (l *lifelab) decide(a string, err error) { l.link.pending[addr(a)](l.now, err) }

// is requires the state of an address, the time until it is deprecated and until it is removed; "" means that eth0 does not have it.
func (l *lifelab) is(a, state string, preferred, valid time.Duration) {
	l.t.Helper()
	got, left := "", AddressInfo{}
	for _, i := range l.eth0.AddressInfos(l.now) {
		if i.Prefix.Addr() != addr(a) {
			continue
		}
		switch left = i; {
		case i.Tentative:
			got = "tentative"
		case i.Deprecated:
			got = "deprecated"
		default:
			got = "preferred"
		}
	}
	require.Equal(l.t, state, got)
	require.Equal(l.t, preferred, left.Preferred)
	require.Equal(l.t, valid, left.Valid)
	require.Equal(l.t, state != "" && valid != Forever, left.Dynamic)
	require.Equal(l.t, got == "preferred" || got == "deprecated", l.IsLocal(addr(a)))
}

func (l *lifelab) advance(d time.Duration) {
	l.now += d
	l.timers.Advance(l.now)
}

// SLAAC-002, SLAAC-005: nothing leaves from a tentative address and nothing reaches it; its group is joined for the claim.
func TestTentativeAddressIsNotInUse(t *testing.T) {
	l := newLifelab(t)
	l.assign("2001:db8::2/64", Forever, Forever)
	l.is("2001:db8::2", "tentative", Forever, Forever)
	require.True(t, l.eth0.Joined(family6{}.AddressGroup(addr("2001:db8::2"))))
	_, err := l.Route(addr("2001:db8::1"), netip.Addr{})
	require.Equal(t, syscall.ENETUNREACH, err)
	require.Empty(t, l.done)

	l.decide("2001:db8::2", nil)
	require.Equal(t, []error{nil}, l.done)
	l.is("2001:db8::2", "preferred", Forever, Forever)
	r, err := l.Route(addr("2001:db8::1"), netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, addr("2001:db8::2"), r.Src)
}

func TestRefusedAddressIsRemoved(t *testing.T) { // SLAAC-008
	l := newLifelab(t)
	l.assign("2001:db8::2/64", Forever, Forever)
	duplicate := errors.New("duplicate")
	l.decide("2001:db8::2", duplicate)
	require.Equal(t, []error{duplicate}, l.done)
	l.is("2001:db8::2", "", 0, 0)
	require.False(t, l.eth0.Joined(family6{}.AddressGroup(addr("2001:db8::2"))))
	require.Empty(t, l.Routes())
}

func TestOneAddressOnce(t *testing.T) {
	l := newLifelab(t)
	l.assign("2001:db8::2/64", Forever, Forever)
	l.assign("2001:db8::2/64", Forever, Forever)
	require.Equal(t, []error{syscall.EEXIST}, l.done, "while it is tentative")
	l.decide("2001:db8::2", nil)
	l.assign("2001:db8::2/48", Forever, Forever)
	require.Equal(t, []error{syscall.EEXIST, nil, syscall.EEXIST}, l.done)
	require.Equal(t, syscall.EINVAL, l.eth0.AddAddress(netip.MustParsePrefix("ff02::5/64")))
}

func TestRemoveTentativeAddress(t *testing.T) {
	l := newLifelab(t)
	l.assign("2001:db8::2/64", Forever, Forever)
	claimed := l.link.pending[addr("2001:db8::2")]
	require.NoError(t, l.eth0.RemoveAddress(addr("2001:db8::2")))
	require.Equal(t, []netip.Addr{addr("2001:db8::2")}, l.link.released)
	claimed(l.now, nil) // the claim was decided at the same moment
	require.Equal(t, []error{syscall.EADDRNOTAVAIL}, l.done)
	l.is("2001:db8::2", "", 0, 0)
}

// SLAAC-012, SLAAC-014: an address is deprecated and then removed when its lifetimes end, and meanwhile new ones can be set.
func TestLifetimes(t *testing.T) {
	l := newLifelab(t)
	l.assign("2001:db8::2/64", 10*time.Second, time.Minute)
	l.decide("2001:db8::2", nil)
	l.advance(9 * time.Second)
	l.is("2001:db8::2", "preferred", time.Second, 51*time.Second)
	l.advance(time.Second)
	l.is("2001:db8::2", "deprecated", 0, 50*time.Second)

	require.NoError(t, l.eth0.SetLifetimes(l.now, addr("2001:db8::2"), time.Minute, 2*time.Minute))
	l.is("2001:db8::2", "preferred", time.Minute, 2*time.Minute)
	require.NoError(t, l.eth0.SetLifetimes(l.now, addr("2001:db8::2"), 0, 2*time.Minute))
	l.is("2001:db8::2", "deprecated", 0, 2*time.Minute)
	l.advance(2*time.Minute - 1)
	l.is("2001:db8::2", "deprecated", 0, 1)
	l.advance(1)
	l.is("2001:db8::2", "", 0, 0)
	require.Equal(t, []netip.Addr{addr("2001:db8::2")}, l.link.released)
	require.Empty(t, l.Routes())
	require.Equal(t, syscall.EADDRNOTAVAIL, l.eth0.SetLifetimes(l.now, addr("2001:db8::2"), 0, 0))
}

func TestLifetimesOfSeveralAddresses(t *testing.T) {
	l := newLifelab(t)
	for n, a := range []string{"2001:db8::2", "2001:db8::3", "2001:db8::4"} {
		l.assign(a+"/64", Forever, time.Duration(3-n)*time.Second)
		l.decide(a, nil)
	}
	l.assign("2001:db8::5/64", Forever, Forever)
	l.decide("2001:db8::5", nil)
	for n := 4; n > 1; n-- {
		require.Len(t, l.eth0.Addresses(), n)
		l.advance(time.Second)
	}
	l.advance(Forever - l.now)
	l.is("2001:db8::5", "preferred", Forever, Forever)
}

// A connection keeps a deprecated source, and a new one prefers another address (RFC 4862 section 5.5.4).
func TestDeprecatedSource(t *testing.T) { // SLAAC-012, IP6-051
	l := newLifelab(t)
	for _, a := range []string{"2001:db8::2", "2001:db8::3"} {
		l.assign(a+"/64", time.Minute, time.Hour)
		l.decide(a, nil)
	}
	source := func() netip.Addr {
		r, err := l.Route(addr("2001:db8::1"), netip.Addr{})
		require.NoError(t, err)
		return r.Src
	}
	old := source()
	r, err := l.Route(addr("2001:db8::1"), old)
	require.NoError(t, err)
	require.NoError(t, l.eth0.SetLifetimes(l.now, old, 0, time.Hour))
	require.NotEqual(t, old, source())
	require.NotZero(t, r.MTU())
	l.advance(time.Minute)
	require.NotZero(t, source(), "better a deprecated source than none")
	l.advance(time.Hour)
	require.Zero(t, r.MTU(), "the source has gone")
}

// ND-001: without a connected network the neighbours of an address are not on the link.
func TestNoPrefixRoute(t *testing.T) {
	l := newLifelab(t)
	own := Address{Prefix: netip.MustParsePrefix("2001:db8::2/64"), Preferred: Forever, Valid: Forever, NoPrefixRoute: true}
	l.eth0.Assign(l.now, own, func(_ time.Duration, err error) { require.NoError(t, err) })
	l.decide("2001:db8::2", nil)
	require.Empty(t, l.Routes())
	require.False(t, l.eth0.OnLink(addr("2001:db8::1")))
	_, err := l.Route(addr("2001:db8::1"), netip.Addr{})
	require.Equal(t, syscall.ENETUNREACH, err)
}

// The routes by a link-local address go with it, those by the same address of another interface stay.
func TestRoutesOfLinkLocalAddress(t *testing.T) { // IP6-048
	s := dual(t, "eth0 fe80::2/64", "eth1 fe80::2/64")
	for n, name := range []string{"eth0", "eth1"} {
		p := netip.PrefixFrom(addr([]string{"2001:db8:1::", "2001:db8:2::"}[n]), 48)
		require.NoError(t, s.AddRoute(RouteEntry{Prefix: p, Interface: name, Source: addr("fe80::2%" + name)}))
	}
	sources := func() (list []netip.Addr) {
		for _, r := range s.Routes() {
			if r.Prefix.Addr().Is6() {
				list = append(list, r.Source)
			}
		}
		return list
	}
	zero, one := addr("fe80::2%eth0"), addr("fe80::2%eth1")
	require.ElementsMatch(t, []netip.Addr{zero, one, zero, one}, sources())
	require.NoError(t, s.InterfaceNamed("eth0").RemoveAddress(addr("fe80::2")))
	require.Equal(t, []netip.Addr{one, one}, sources())
}
