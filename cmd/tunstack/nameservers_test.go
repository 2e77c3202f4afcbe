package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

// Servers on the machine's loopback are left out; where no other is left, the next file names the servers behind them.
func TestMachineNames(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	stub := file("stub", "nameserver 127.0.0.53\nnameserver ::1\nsearch stub\noptions edns0")
	mixed := file("mixed", "nameserver 127.0.0.1\nnameserver fe80::1%eth0\nnameserver 10.0.0.53\nsearch mixed\noptions ndots:2")
	behind := file("behind", "nameserver 192.0.2.53\nsearch behind")
	missing := filepath.Join(dir, "missing")
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{[]string{mixed, behind}, "[10.0.0.53:0] [mixed] 2"},
		{[]string{stub, behind}, "[192.0.2.53:0] [behind] 0"},
		{[]string{missing, behind}, "[192.0.2.53:0] [behind] 0"},
		{[]string{stub, missing}, "[] [] 0"},
	} {
		s := machineNames(c.paths)
		require.Equal(t, c.want, fmt.Sprint(s.Servers, s.Search, s.Ndots), c.paths)
	}
}

// --dns replaces the machine's servers, and a sandbox has none of them.
func TestNameServersOfUp(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(conf, []byte("nameserver 192.0.2.53\n"), 0o600))
	old := resolvConf
	resolvConf = []string{conf}
	defer func() { resolvConf = old }()
	for _, c := range []struct {
		flags upFlags
		want  string
	}{
		{upFlags{}, "[] [192.0.2.53:0]"},
		{upFlags{sandbox: true}, "[] []"},
		{upFlags{dns: []string{"none"}}, "[] []"},
		{upFlags{dns: []string{"10.0.0.1", "10.0.0.1:5353", "fe80::1%tun0", "[2001:db8::1]:53"}},
			"[10.0.0.1:0 10.0.0.1:5353 [fe80::1%tun0]:0 [2001:db8::1]:53] []"},
	} {
		var cfg upConfig
		require.NoError(t, cfg.nameServers(&c.flags))
		require.Equal(t, c.want, fmt.Sprint(cfg.dnsServers, cfg.machineNames.Servers))
	}
}

// A link-local server without a zone is on the stack's link.
func TestServerOnLink(t *testing.T) {
	at := netip.MustParseAddrPort
	got := onLink([]netip.AddrPort{at("[fe80::1]:53"), at("[fe80::1%lo]:0"), at("[2001:db8::1]:0"), at("169.254.0.1:53")}, "tun0")
	require.Equal(t, "[[fe80::1%tun0]:53 [fe80::1%lo]:0 [2001:db8::1]:0 169.254.0.1:53]", fmt.Sprint(got))
}

func TestPrintNameServers(t *testing.T) {
	var out strings.Builder
	at := netip.MustParseAddrPort
	printNameServers(&out, []socketapi.NameServers{
		{Source: socketapi.NamesConfig, Servers: []netip.AddrPort{at("10.0.0.1:0"), at("10.0.0.1:5353")}},
		{Source: socketapi.NamesRouter, Interface: "tun0", Servers: []netip.AddrPort{at("[fe80::1%tun0]:0")}, Search: []string{"example.org", "example.com"}},
	})
	require.Equal(t, `Source  Interface  Servers                 Search
config             10.0.0.1 10.0.0.1:5353  
router  tun0       fe80::1%tun0            example.org example.com
`, out.String())
}
