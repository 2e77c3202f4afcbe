package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

var background = context.Background()

// A name is looked up at the first server that is alive, for both families at the same time; the reverse name as well.
// DNS-001, DNS-026.
func TestLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.2", zone(t, "host.test. 60 A 10.1.2.3", "host.test. 60 AAAA 2001:db8::1",
			"3.2.1.10.in-addr.arpa. 60 PTR host.test.",
			"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 PTR host.test."))
		r := n.resolver(Config{}, "10.0.0.1", "10.0.0.2")
		addrs, err := r.LookupHost(background, "host.test")
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"10.1.2.3", "2001:db8::1"}, addrs)
		for _, addr := range []string{"10.1.2.3", "2001:db8::1"} {
			names, err := r.LookupAddr(background, addr)
			require.NoError(t, err)
			require.Equal(t, []string{"host.test."}, names)
		}
		v6, err := r.LookupNetIP(background, "ip6", "host.test")
		require.NoError(t, err)
		require.Equal(t, []netip.Addr{netip.MustParseAddr("2001:db8::1")}, v6)
		ips, err := r.LookupIP(background, "ip4", "host.test")
		require.NoError(t, err)
		require.Equal(t, []net.IP{{10, 1, 2, 3}}, ips)
	})
}

// The other kinds of records.
func TestLookupKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t,
			"test. 60 MX 20 b.test.", "test. 60 MX 10 a.test.", "test. 60 MX 10 bad\x07.test.", "test. 60 TXT one two", "test. 60 NS ns.test.",
			"_http._tcp.test. 60 SRV 2 0 80 c.test.", "_http._tcp.test. 60 SRV 1 0 80 a.test.", "_http._tcp.test. 60 SRV 1 100 80 b.test."))
		r := n.resolver(Config{}, "10.0.0.1")
		mx, err := r.LookupMX(background, "test.")
		require.NoError(t, err)
		require.Equal(t, []*net.MX{{Host: "a.test.", Pref: 10}, {Host: "b.test.", Pref: 20}}, mx)
		txt, err := r.LookupTXT(background, "test.")
		require.NoError(t, err)
		require.Equal(t, []string{"onetwo"}, txt)
		ns, err := r.LookupNS(background, "test.")
		require.NoError(t, err)
		require.Equal(t, []*net.NS{{Host: "ns.test."}}, ns)
		name, srv, err := r.LookupSRV(background, "http", "tcp", "test.")
		require.NoError(t, err)
		require.Equal(t, "_http._tcp.test.", name)
		require.Len(t, srv, 3)
		require.Equal(t, "c.test.", srv[2].Target)
		_, err = r.LookupMX(background, "other.test.")
		require.ErrorIs(t, err, ErrNoName)
	})
}

// Servers of the same priority are chosen with chances in proportion to their weights (RFC 2782).
func TestOrderSRV(t *testing.T) {
	r := New(Config{})
	defer r.Close()
	heavy := 0
	for range 1000 {
		list := []*net.SRV{{Target: "light", Weight: 1}, {Target: "heavy", Weight: 99}}
		r.orderSRV(list)
		if list[0].Target == "heavy" {
			heavy++
		}
	}
	require.Greater(t, heavy, 900)
	require.Less(t, heavy, 1000)
}

// CNAME chains are followed, within a message and over several; a chain that is a loop or has no end is an error after few queries.
// DNS-010.
func TestAliases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		chain := []string{"a.test. 60 CNAME b.test.", "b.test. 60 CNAME c.test.", "c.test. 60 CNAME d.test.", "d.test. 60 CNAME e.test.", "e.test. 60 A 10.0.0.9"}
		n.add("10.0.0.1", func(q *sent) [][]byte {
			switch name := q.name(); {
			case name == "a.test.":
				return [][]byte{q.reply(t, chain...)}
			case name == "apart.test.":
				return [][]byte{q.reply(t, "apart.test. 60 CNAME e.test.")}
			case name == "e.test.":
				return [][]byte{q.reply(t, chain[4])}
			case name == "loop.test.":
				return [][]byte{q.reply(t, "loop.test. 60 CNAME loop2.test.", "loop2.test. 60 CNAME loop.test.")}
			default: // endless
				return [][]byte{q.reply(t, name+" 60 CNAME x"+name)}
			}
		})
		r := n.resolver(Config{}, "10.0.0.1")
		for _, name := range []string{"a.test.", "apart.test."} {
			h, err := r.Lookup(background, "ip4", name)
			require.NoError(t, err)
			require.Equal(t, Host{[]netip.Addr{netip.MustParseAddr("10.0.0.9")}, "e.test"}, h)
		}
		cname, err := r.LookupCNAME(background, "a.test.")
		require.NoError(t, err)
		require.Equal(t, "e.test.", cname)
		_, err = r.Query(background, "loop.test.", dnsmessage.TypeA)
		require.ErrorIs(t, err, errChain)
		before := len(n.queries())
		_, err = r.Query(background, "x.test.", dnsmessage.TypeA)
		require.ErrorIs(t, err, errChain)
		require.LessOrEqual(t, len(n.queries())-before, maxChain+1)
	})
}

// Names that no host can have are not given to programs; they can control a terminal. The canonical name keeps its case.
func TestBadNamesInAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) [][]byte {
			return map[string][][]byte{
				"alias.test.":            {q.reply(t, "alias.test. 60 CNAME x\x1b[1m.test.", "x\x1b[1m.test. 60 A 10.0.0.9")},
				"good.test.":             {q.reply(t, "good.test. 60 CNAME End.test.", "end.test. 60 A 10.0.0.9")},
				"1.0.0.10.in-addr.arpa.": {q.reply(t, "1.0.0.10.in-addr.arpa. 60 PTR x\x1b[1m.test.", "1.0.0.10.in-addr.arpa. 60 PTR good.test.")},
				"2.0.0.10.in-addr.arpa.": {q.reply(t, "2.0.0.10.in-addr.arpa. 60 PTR x\x1b[1m.test.")},
			}[q.name()]
		})
		r := n.resolver(Config{Settings: Settings{Search: []string{"test"}}}, "10.0.0.1")
		for host, want := range map[string]string{"Alias.test.": "Alias.test", "good": "End.test"} {
			h, err := r.Lookup(background, "ip4", host)
			require.NoError(t, err)
			require.Equal(t, want, h.Canonical)
		}
		names, err := r.LookupAddr(background, "10.0.0.1")
		require.NoError(t, err)
		require.Equal(t, []string{"good.test."}, names)
		_, err = r.LookupAddr(background, "10.0.0.2")
		require.ErrorIs(t, err, ErrNoData)
	})
}

// Only records of the asked name, or of the chain from there, and of the asked type count. DNS-011, DNS-004.
func TestUnrelatedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) [][]byte {
			return [][]byte{q.reply(t, "evil.test. 60 A 10.6.6.6", "HOST.Test. 60 TXT x", "HoSt.test. 60 A 10.0.0.9")}
		})
		r := n.resolver(Config{}, "10.0.0.1")
		a, err := r.Query(background, "hOst.tEst", dnsmessage.TypeA)
		require.NoError(t, err)
		require.Len(t, a.Records, 1)
		require.Equal(t, "10.0.0.9", a.Records[0].Text())
		_, err = r.Query(background, "HOST.TEST.", dnsmessage.TypeA)
		require.NoError(t, err)
		require.Len(t, n.queries(), 1)
	})
}

// A name that exists without a record of a type is not a name that does not exist: with A alone or AAAA alone it resolves. DNS-017.
func TestNoData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t, "four.test. 60 A 10.0.0.4", "six.test. 60 AAAA 2001:db8::6", "none.test. 60 TXT x"))
		r := n.resolver(Config{}, "10.0.0.1")
		for name, want := range map[string]string{"four.test.": "10.0.0.4", "six.test.": "2001:db8::6"} {
			got, err := r.LookupHost(background, name)
			require.NoError(t, err)
			require.Equal(t, []string{want}, got)
		}
		_, err := r.LookupHost(background, "none.test.")
		require.ErrorIs(t, err, ErrNoData)
		_, err = r.LookupHost(background, "gone.test.")
		require.ErrorIs(t, err, ErrNoName)
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.True(t, e.IsNotFound)
		require.Equal(t, "lookup gone.test.: no such host (NXDOMAIN)", e.Error())
	})
}

// Names that cannot be in a message are refused without a query; others may have any bytes. DNS-003.
func TestBadNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t, "sp_ace\xff.test. 60 A 10.0.0.9"))
		r := n.resolver(Config{}, "10.0.0.1")
		long := strings.Repeat(strings.Repeat("a", 63)+".", 4)
		for _, name := range []string{"", "..", "a..b", ".a", strings.Repeat("a", 64) + ".test", long, long[:254]} {
			_, err := r.LookupHost(background, name)
			require.ErrorIs(t, err, ErrBadName, "%q", name)
		}
		require.Empty(t, n.queries())
		_, err := r.Query(background, long[:253], dnsmessage.TypeA)
		require.ErrorIs(t, err, ErrNoName)
		_, err = r.LookupHost(background, "sp_ace\xff.test.")
		require.NoError(t, err)
	})
}

// localhost is this host; names under invalid and onion do not exist; none is asked for. DNS-027, DNS-028.
func TestSpecialNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t))
		r := n.resolver(Config{Settings: Settings{Search: []string{"test"}}}, "10.0.0.1")
		for _, name := range []string{"localhost", "foo.LOCALHOST."} {
			got, err := r.LookupHost(background, name)
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"127.0.0.1", "::1"}, got)
		}
		for _, name := range []string{"invalid", "foo.onion."} {
			_, err := r.LookupHost(background, name)
			require.ErrorIs(t, err, ErrNoName)
		}
		_, err := r.LookupMX(background, "localhost.")
		require.ErrorIs(t, err, ErrNoData)
		for _, addr := range []string{"127.0.0.1", "::1"} {
			names, err := r.LookupAddr(background, addr)
			require.NoError(t, err)
			require.Equal(t, []string{"localhost."}, names)
		}
		require.Empty(t, n.queries())
	})
}

// The search list, with ndots, and without it behind a name with a dot at the end. DNS-029, DNS-030.
func TestSearch(t *testing.T) {
	for _, c := range []struct {
		name, conf string
		want       string
	}{
		{"host", "search a.test b.test", "host.a.test. host.b.test. host."},
		{"host.", "search a.test b.test", "host."},
		{"h.b", "search a.test", "h.b. h.b.a.test."},
		{"h.b", "search a.test\noptions ndots:2", "h.b.a.test. h.b."},
		{"host", "search a.test\noptions ndots:0", "host. host.a.test."},
		{"host", "domain a.test", "host.a.test. host."},
		{"host", "search a.test . A.TEST", "host.a.test. host."},
		{"host", "", "host."},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.add("10.0.0.1", zone(t))
			s, err := ParseResolvConf(strings.NewReader(c.conf))
			require.NoError(t, err)
			r := n.resolver(Config{Settings: s}, "10.0.0.1")
			_, err = r.LookupTXT(background, c.name)
			require.ErrorIs(t, err, ErrNoName)
			var names []string
			for _, q := range n.logged() {
				names = append(names, q.name())
			}
			require.Equal(t, c.want, strings.Join(names, " "), "%s with %q", c.name, c.conf)
		})
	}
}

// The hosts file is read before a server is asked: aliases, several addresses, the first name of an address, any case, and again
// when it has changed. DNS-033, DNS-004.
func TestHostsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o644)) }
	write("10.0.0.5 Host.test alias # comment\n::ffff:10.0.0.6 other\n2001:db8::5 host.test\nbad line\n10.0.0.7\n")
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t, "host.test. 60 A 10.9.9.9", "late.test. 60 A 10.9.9.9"))
		r := n.resolver(Config{Hosts: path}, "10.0.0.1")
		h, err := r.Lookup(background, "ip", "HOST.test.")
		require.NoError(t, err)
		require.Equal(t, "[10.0.0.5 2001:db8::5] Host.test", fmt.Sprint(h.Addrs, " ", h.Canonical))
		h, err = r.Lookup(background, "ip4", "alias")
		require.NoError(t, err)
		require.Equal(t, "[10.0.0.5] Host.test", fmt.Sprint(h.Addrs, " ", h.Canonical))
		cname, err := r.LookupCNAME(background, "alias")
		require.NoError(t, err)
		require.Equal(t, "Host.test.", cname)
		names, err := r.LookupAddr(background, "10.0.0.5")
		require.NoError(t, err)
		require.Equal(t, []string{"Host.test", "alias"}, names)
		require.Empty(t, n.queries())

		write("10.0.0.8 late.test")
		got, err := r.LookupHost(background, "late.test")
		require.NoError(t, err)
		require.Equal(t, []string{"10.0.0.8"}, got)
		require.NoError(t, os.Remove(path))
		got, err = r.LookupHost(background, "late.test")
		require.NoError(t, err)
		require.Equal(t, []string{"10.9.9.9"}, got)
	})
}

// An address stands for itself, if it is of the family.
func TestLiteral(t *testing.T) {
	r := New(Config{})
	defer r.Close()
	got, err := r.LookupNetIP(background, "ip", "fe80::1%tap0")
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("fe80::1%tap0")}, got)
	_, err = r.LookupNetIP(background, "ip6", "10.0.0.1")
	require.ErrorIs(t, err, ErrNoData)
	_, err = r.LookupNetIP(background, "tcp", "10.0.0.1")
	require.Error(t, err)
	_, err = r.LookupAddr(background, "host")
	require.Error(t, err)
}

// Config.Sort orders the addresses.
func TestSort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t, "host.test. 60 A 10.0.0.4", "host.test. 60 AAAA 2001:db8::6"))
		six := func(list []netip.Addr) {
			if list[0].Is4() {
				list[0], list[1] = list[1], list[0]
			}
		}
		r := n.resolver(Config{Sort: six}, "10.0.0.1")
		got, err := r.LookupHost(background, "host.test.")
		require.NoError(t, err)
		require.Equal(t, []string{"2001:db8::6", "10.0.0.4"}, got)
	})
}
