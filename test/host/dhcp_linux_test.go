package host

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/dhcp"
	"tunstack/internal/netns"
)

// leased starts `up --tap --addr dhcp` with args, and serve with the host's address once its device is there.
func leased(t *testing.T, serve func(), args ...string) *node {
	t.Helper()
	netns.Need(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	n := begin(t, append([]string{"--tap", "--addr", "dhcp"}, args...)...)
	wait(t, "tap0 is up", func() bool {
		i, err := net.InterfaceByName("tap0")
		return err == nil && i.Flags&net.FlagUp != 0
	})
	serve()
	n.ready()
	return n
}

// leases are the rows of `tunstack lease`.
func (n *node) leases() (rows []dhcp.Info) {
	n.t.Helper()
	require.NoError(n.t, json.Unmarshal([]byte(n.succeed("", "lease", "--json")), &rows))
	return rows
}

// dnsmasq runs dnsmasq as DHCP server on tap0.
func dnsmasq(t *testing.T, args ...string) {
	succeed(t, "ip", "addr", "add", "10.9.0.1/24", "dev", "tap0")
	advertises(t, "dnsmasq", append([]string{
		"--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--domain=example.org", "--local=/example.org/", "--user=root", "--interface=tap0", "--bind-interfaces", "--no-ping", "--dhcp-authoritative",
		"--dhcp-leasefile=" + filepath.Join(t.TempDir(), "leases"), "--dhcp-range=10.9.0.50,10.9.0.60,2m", "--log-dhcp",
	}, args...)...)
}

// tshark is tshark's output for the packets of a recording that a filter selects, without its messages.
func tshark(t *testing.T, file, filter string, args ...string) string {
	t.Helper()
	cmd := command(t, "tshark", append([]string{"-r", file, "-Y", filter}, args...)...)
	out, err := cmd.Output()
	require.NoError(t, err, cmd)
	return strings.TrimSpace(string(out))
}

// complaints are the DHCP messages of a recording about which tshark warns.
func complaints(t *testing.T, file string) string {
	t.Helper()
	return tshark(t, file, "(dhcp || dhcpv6) && (_ws.malformed || _ws.expert.severity >= warning)")
}

// exchanges are the DHCP messages of a recording: source, destination and type.
func exchanges(t *testing.T, file string) []string {
	t.Helper()
	out := tshark(t, file, "dhcp", "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "dhcp.option.dhcp")
	return strings.Split(strings.ReplaceAll(out, "\t", " "), "\n")
}

// resolving runs a program that must succeed and asks a name server.
func resolving(t *testing.T, server, name string, args ...string) string {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(conf, []byte("nameserver "+server+"\n"), 0o644))
	script := "mount --bind " + conf + " /etc/resolv.conf && exec \"$@\""
	return succeed(t, "unshare", append([]string{"--mount", "sh", "-c", script, "sh", name}, args...)...)
}

// SOCK-055, DHCP-004, DHCP-010, DHCP-012: a lease of dnsmasq is used and given back, the stack and the host know each other by name, and
// tshark has no complaint.
func TestDHCPFromDnsmasq(t *testing.T) {
	netns.NeedTool(t, "dnsmasq")
	netns.NeedTool(t, "tshark")
	file := filepath.Join(t.TempDir(), "packets.pcapng")
	n := leased(t, func() {
		dnsmasq(t, "--dhcp-option=option:ntp-server,10.9.0.123", "--dhcp-option=option:domain-search,example.org,sub.example.org",
			"--address=/host.example.org/10.9.0.1", "--dhcp-option=option:mtu,1400",
			"--dhcp-option=option:classless-static-route,0.0.0.0/0,10.9.0.1,198.51.100.0/24,10.9.0.2")
	}, "--pcap", file)
	l := n.leases()[0]
	require.Equal(t, "10.9.0.1", l.Server)
	require.Len(t, l.Addresses, 1)
	own := l.Addresses[0]
	require.True(t, netip.MustParsePrefix("10.9.0.0/24").Contains(own.Addr()))
	require.Equal(t, "10.9.0.1", l.DNS[0].String())
	require.Equal(t, []string{"example.org", "sub.example.org"}, l.Search)
	require.Equal(t, 1400, l.MTU)
	text := n.succeed("", "lease")
	require.Contains(t, text, "tap0: DHCPv4 ")
	require.Contains(t, text, "route      198.51.100.0/24 by 10.9.0.2\n")
	require.Contains(t, text, "ntp        10.9.0.123\n")
	require.Regexp(t, `0\.0\.0\.0 +10\.9\.0\.1 +0\.0\.0\.0 +UG`, n.succeed("", "route"))
	require.Contains(t, succeed(t, "ping", "-c", "1", own.Addr().String()), " 0% packet loss")
	n.succeed("", "ping", "-c", "1", "10.9.0.1")
	n.succeed("", "ping", "-c", "1", "host")
	require.Contains(t, n.succeed("", "host", "host.example.org", "A"), "host.example.org has address 10.9.0.1\n")
	require.Contains(t, resolving(t, "10.9.0.1", "curl", "-sS", "--max-time", "10", "-H", "Host: tunstack.internal", "http://tunstack.example.org/"), "</html>")
	n.stop()
	require.Empty(t, complaints(t, file))
	got, all := exchanges(t, file), "0.0.0.0 255.255.255.255 "
	require.Contains(t, got, all+"1")
	require.Contains(t, got, all+"3")
	require.Equal(t, own.Addr().String()+" 10.9.0.1 7", got[len(got)-1], "the release")
}

// kea runs Kea with a configuration until the test ends.
func kea(t *testing.T, program, config string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"KEA_LOCKFILE_DIR", "KEA_PIDFILE_DIR", "KEA_DHCP_DATA_DIR"} {
		t.Setenv(name, dir)
	}
	path := filepath.Join(dir, "conf")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	advertises(t, program, "-c", path)
}

// SOCK-057, DHCP-004, DHCP-007: a short lease of Kea is renewed by unicast, and given back.
func TestDHCPFromKea(t *testing.T) {
	netns.NeedTool(t, "tshark")
	file := filepath.Join(t.TempDir(), "packets.pcapng")
	n := leased(t, func() {
		succeed(t, "ip", "addr", "add", "10.9.0.1/24", "dev", "tap0")
		kea(t, "kea-dhcp4", `{"Dhcp4": {
			"interfaces-config": {"interfaces": ["tap0"]}, "lease-database": {"type": "memfile", "persist": false},
			"valid-lifetime": 20, "renew-timer": 2, "rebind-timer": 15,
			"subnet4": [{"id": 1, "subnet": "10.9.0.0/24", "pools": [{"pool": "10.9.0.50 - 10.9.0.60"}],
				"option-data": [{"name": "routers", "data": "10.9.0.1"}, {"name": "domain-name", "data": "example.org"}]}]}}`)
	}, "--pcap", file)
	own := n.leases()[0].Addresses[0]
	wait(t, "the lease is renewed twice", func() bool {
		return regexp.MustCompile(`dhcp4\.in\.acks +[3-9]`).MatchString(n.succeed("", "netstat", "-s"))
	})
	require.Equal(t, own, n.leases()[0].Addresses[0])
	require.Contains(t, n.succeed("", "lease"), "search     example.org\n")
	require.Contains(t, succeed(t, "ping", "-c", "1", own.Addr().String()), " 0% packet loss")
	n.stop()
	require.Empty(t, complaints(t, file))
	got := exchanges(t, file)
	require.Contains(t, got, own.Addr().String()+" 10.9.0.1 3", "the renewal")
	require.Equal(t, own.Addr().String()+" 10.9.0.1 7", got[len(got)-1], "the release")
}

// The dhcp service gives udhcpc an address, router and name server, and takes them back.
func TestUdhcpc(t *testing.T) {
	netns.NeedTool(t, "udhcpc")
	netns.NeedTool(t, "tshark")
	dir := t.TempDir()
	file, got, script := filepath.Join(dir, "packets.pcapng"), filepath.Join(dir, "got"), filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n[ $1 != bound ] || { env >"+got+"; ip addr add $ip/24 dev tap0; }\n"), 0o700))
	n := start(t, "--tap", "--host", "none", "--services", "dhcp,dns,echo", "--pcap", file)
	for range 2 {
		succeed(t, "udhcpc", "-f", "-q", "-R", "-n", "-i", "tap0", "-s", script)
		env, err := os.ReadFile(got)
		require.NoError(t, err)
		for _, want := range []string{"ip=10.0.0.155", "mask=24", "serverid=10.0.0.2", "dns=10.0.0.2", "lease=3600"} {
			require.Contains(t, string(env), want+"\n")
		}
		require.Equal(t, "hi\n", talkOnce(t, "hi"))
		succeed(t, "ip", "addr", "flush", "dev", "tap0")
	}
	n.stop()
	require.Empty(t, complaints(t, file))
	require.Contains(t, strings.Join(exchanges(t, file), "\n"), "10.0.0.2 255.255.255.255 5")
}

// DHCP-005: a lease that is kept, or that a killed program had, is asked for at the next start.
func TestDHCPReboot(t *testing.T) {
	netns.NeedTool(t, "dnsmasq")
	netns.NeedTool(t, "tshark")
	dir := t.TempDir()
	file, lease := filepath.Join(dir, "packets.pcapng"), filepath.Join(dir, "lease.json")
	serve := func() { dnsmasq(t) }
	n := leased(t, serve, "--lease-file", lease, "--keep-lease")
	own := n.leases()[0].Addresses[0]
	n.stop()
	again := func() { succeed(t, "ip", "addr", "add", "10.9.0.1/24", "dev", "tap0") }
	n = leased(t, again, "--lease-file", lease, "--pcap", file)
	require.Equal(t, own, n.leases()[0].Addresses[0])
	n.kill()
	b, err := os.ReadFile(lease)
	require.NoError(t, err)
	require.Contains(t, string(b), own.String())
	n = leased(t, again, "--lease-file", lease)
	require.Equal(t, own, n.leases()[0].Addresses[0])
	n.stop()
	b, err = os.ReadFile(lease)
	require.NoError(t, err)
	require.NotContains(t, string(b), own.String(), "given back")
}

// DHCP-019: without a server the program says so once, and uses a link-local address.
func TestDHCPWithoutServer(t *testing.T) {
	n := leased(t, func() {})
	l := n.leases()[0]
	require.True(t, l.LinkLocal.Addr().IsLinkLocalUnicast())
	require.Contains(t, n.succeed("", "lease"), l.LinkLocal.String()+" (no server answers)\n")
	succeed(t, "ip", "addr", "add", "169.254.0.9/16", "dev", "tap0")
	require.Contains(t, succeed(t, "ping", "-c", "1", l.LinkLocal.Addr().String()), " 0% packet loss")
	require.NoError(t, n.cmd.Process.Signal(unix.SIGINT))
	require.NoError(t, n.cmd.Wait())
	require.Equal(t, 1, strings.Count(n.errs.String(), "\n"), n.errs.String())
	require.Contains(t, n.errs.String(), "no DHCP server answers yet")
}
