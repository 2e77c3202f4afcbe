package host

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/dhcp"
	"tunstack/internal/netns"
	"tunstack/internal/stats"
	"tunstack/tun"
)

// kea6 runs Kea as DHCPv6 server on a device, with addresses of routedPrefix that are preferred for 20 s, and renewed after 2 s. A TUN
// device has no hardware address for a DUID.
func kea6(t *testing.T, device string) {
	kea(t, "kea-dhcp6", strings.ReplaceAll(`{"Dhcp6": {
		"interfaces-config": {"interfaces": ["DEVICE"]}, "lease-database": {"type": "memfile", "persist": false},
		"server-id": {"type": "EN", "enterprise-id": 2495, "identifier": "87ABEF7A5BB545", "persist": false},
		"preferred-lifetime": 20, "valid-lifetime": 30, "renew-timer": 2, "rebind-timer": 15,
		"subnet6": [{"id": 1, "subnet": "2001:db8:7::/64", "interface": "DEVICE", "pools": [{"pool": "2001:db8:7::50 - 2001:db8:7::60"}],
			"option-data": [{"name": "dns-servers", "data": "2001:db8:7::53, fe80::53"}, {"name": "domain-search", "data": "example.org, sub.example.org"}]}]}}`,
		"DEVICE", device))
}

// leased6 starts a DHCPv6 client on a stack.
func (r *routed) leased6() *dhcp.Client6 {
	r.t.Helper()
	c, err := dhcp.Start6(r.Stack, r.device, dhcp.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(r.t, err)
	r.t.Cleanup(func() { c.Stop(false) })
	return c
}

// recorded lets tcpdump record the packets of a device until end is called.
func recorded(t *testing.T, device string) (file string, end func()) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "packets.pcap")
	tcpdump := talkTo(t, command(t, "tcpdump", "-i", device, "-U", "--immediate-mode", "-Z", "root", "-w", file))
	tcpdump.hear("listening on")
	return file, func() {
		require.NoError(t, tcpdump.cmd.Process.Signal(unix.SIGINT))
		require.Zero(t, tcpdump.end(), tcpdump.out.String())
	}
}

// onLinks runs a test on a device of each kind.
func onLinks(t *testing.T, test func(r *routed)) {
	for _, v := range []variant{{tun.TUN, "linux", true}, {tun.TAP, "linux", true}} {
		t.Run(v.String(), func(t *testing.T) { test(newRouted(t, v)) })
	}
}

// types6 are the DHCPv6 messages of a recording: 1 is Solicit, 5 Renew, 8 Release, 11 Information-request.
func types6(t *testing.T, file string) []string {
	t.Helper()
	return strings.Fields(tshark(t, file, "dhcpv6", "-T", "fields", "-e", "dhcpv6.msgtype"))
}

// DHCP6-001, DHCP6-007, DHCP6-008, DHCP6-011, DHCP6-012, DHCP6-015, SLAAC-024: with the router's flag M the stack gets an address of Kea,
// renews it and gives it back, and tshark has no complaint.
func TestDHCPv6FromKea(t *testing.T) {
	netns.NeedTool(t, "kea-dhcp6")
	netns.NeedTool(t, "radvd")
	netns.NeedTool(t, "tshark")
	onLinks(t, func(r *routed) {
		file, end := recorded(r.t, r.device)
		kea6(r.t, r.device)
		radvd(r.t, r.device, `interface DEVICE { AdvSendAdvert on; AdvManagedFlag on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; };`)
		c := r.leased6()
		wait(r.t, "the stack has an address", func() bool { return len(c.Info().Addresses) > 0 })
		own := c.Info().Addresses[0]
		require.True(r.t, netip.MustParsePrefix(routedPrefix).Contains(own.Addr()), own)
		require.Equal(r.t, 128, own.Bits())
		wait(r.t, "it is renewed", func() bool { return stats.Count("dhcp6.in.replies", c.Stats()) >= 2 })
		require.Equal(r.t, []netip.Prefix{own}, c.Info().Addresses)
		require.Equal(r.t, []string{"example.org", "sub.example.org"}, c.Info().Search)
		require.Contains(r.t, succeed(r.t, "ping", "-6", "-c", "1", own.Addr().String()), " 0% packet loss")
		begin := time.Now()
		c.Stop(true)
		require.Less(r.t, time.Since(begin), 2*time.Second, "the server has confirmed the release")
		end()
		require.Empty(r.t, complaints(r.t, file))
		got := types6(r.t, file)
		require.Subset(r.t, got, []string{"1", "5", "8"})
	})
}

// DHCP6-001, DHCP6-014, SLAAC-024: with the flag O the stack, whose address is of the advertised prefix, asks dnsmasq for settings only.
func TestDHCPv6Settings(t *testing.T) {
	netns.NeedTool(t, "dnsmasq")
	netns.NeedTool(t, "tshark")
	onLinks(t, func(r *routed) {
		file, end := recorded(r.t, r.device)
		advertises(r.t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--enable-ra", "--no-ping", "--dhcp-duid=1,2",
			"--dhcp-leasefile="+filepath.Join(r.t.TempDir(), "leases"), "--interface="+r.device, "--bind-interfaces",
			"--dhcp-range=::,constructor:"+r.device+",ra-stateless,64,1h", "--dhcp-option=option6:dns-server,[2001:db8:7::53]",
			"--dhcp-option=option6:domain-search,example.org")
		c := r.leased6()
		wait(r.t, "the stack has the settings", func() bool { return len(c.Info().DNS) > 0 })
		require.Equal(r.t, "INFORMED", c.Info().State)
		require.Equal(r.t, []netip.Addr{netip.MustParseAddr("2001:db8:7::53")}, c.Info().DNS)
		require.Equal(r.t, []string{"example.org"}, c.Info().Search)
		require.Empty(r.t, c.Info().Addresses)
		r.configured()
		end()
		require.Empty(r.t, complaints(r.t, file))
		require.Equal(r.t, []string{"11", "7"}, types6(r.t, file))
	})
}

// `up --addr auto` takes the address of a DHCPv6 server where the router says so, shows it, and gives it back.
func TestUpManaged(t *testing.T) { // SLAAC-024
	netns.Need(t)
	netns.NeedTool(t, "kea-dhcp6")
	netns.NeedTool(t, "radvd")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	forwarding(t)
	n := begin(t, "--addr", "auto")
	wait(t, "tun0 is up", func() bool { return exists("tun0") })
	succeed(t, "ip", "-6", "addr", "add", "2001:db8:7::1/64", "dev", "tun0", "nodad")
	succeed(t, "ip", "-6", "addr", "add", "fe80::1/64", "dev", "tun0", "nodad")
	kea6(t, "tun0")
	radvd(t, "tun0", `interface DEVICE { AdvSendAdvert on; AdvManagedFlag on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; };`)
	n.ready()
	l := n.leases()[0]
	require.Len(t, l.Addresses, 1)
	text := n.succeed("", "lease")
	require.Contains(t, text, "tun0: DHCPv6 ")
	require.Contains(t, text, "dns        2001:db8:7::53 fe80::53\n")
	require.Contains(t, succeed(t, "ping", "-6", "-c", "1", l.Addresses[0].Addr().String()), " 0% packet loss")
	require.Regexp(t, `dhcp6\.in\.replies +[1-9]`, n.succeed("", "netstat", "-s"))
	n.stop()
}
