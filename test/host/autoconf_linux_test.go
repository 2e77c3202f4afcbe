package host

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
	"tunstack/socketapi"
	"tunstack/tun"
)

const routedPrefix = "2001:db8:7::/64"

// routed is a stack that configures itself from a router on the host's end of its device.
type routed struct {
	*socketapi.Stack
	t      *testing.T
	device string

	mu   sync.Mutex
	info socketapi.AutoconfInfo
}

// newRouted returns a stack without an address. The host's end has a link-local address, and the first of routedPrefix.
func newRouted(t *testing.T, v variant) *routed {
	t.Helper()
	netns.Need(t)
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		netns.Missing(t, "the kernel has no IPv6")
	}
	dev, err := tun.Open(tun.Config{Kind: v.kind, Driver: v.driver, Offload: v.offload, Hosts: []netip.Prefix{netip.MustParsePrefix(hostIP + "/24")}})
	require.NoError(t, err)
	succeed(t, "ip", "-6", "addr", "add", "2001:db8:7::1/64", "dev", dev.Name(), "nodad")
	succeed(t, "ip", "-6", "addr", "add", "fe80::1/64", "dev", dev.Name(), "nodad")
	forwarding(t)
	s, err := socketapi.New(socketapi.Config{
		Interfaces: []socketapi.Interface{{
			Device: dev, Autoconf: socketapi.Autoconf{Mode: socketapi.AutoconfOn, Temporary: true}, ACD: quickACD,
		}},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &routed{Stack: s, t: t, device: dev.Name()}
	s.WatchAutoconf(func(i socketapi.AutoconfInfo) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.info = i
	})
	return r
}

// advertises runs a router until the test ends.
func advertises(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := command(t, name, args...)
	out, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said sync.WaitGroup
	said.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			t.Log(lines.Text())
		}
	})
	t.Cleanup(func() {
		cmd.Process.Kill()
		said.Wait()
		cmd.Wait()
	})
}

// radvd runs radvd with a configuration, in which DEVICE stands for the device.
func radvd(t *testing.T, device, config string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "conf")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(config, "DEVICE", device)), 0o600))
	advertises(t, "radvd", "-n", "-m", "stderr", "-p", filepath.Join(t.TempDir(), "pid"), "-C", path)
}

// forwarding makes the host a router until the test ends.
func forwarding(t *testing.T) {
	const file = "/proc/sys/net/ipv6/conf/all/forwarding"
	require.NoError(t, os.WriteFile(file, []byte("1"), 0))
	t.Cleanup(func() { os.WriteFile(file, []byte("0"), 0) })
}

// configured waits until the stack has a default router and a stable address of routedPrefix, and returns the address.
func (r *routed) configured() netip.Addr {
	r.t.Helper()
	var own netip.Addr
	wait(r.t, "the stack is configured", func() bool {
		for _, a := range r.Interfaces()[1].Addresses {
			if netip.MustParsePrefix(routedPrefix).Contains(a.Prefix.Addr()) && !a.Tentative && !a.Temporary {
				own = a.Prefix.Addr()
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		return own.IsValid() && len(r.info.Routers) > 0
	})
	return own
}

// serves requires what a configured stack must be able to do.
func (r *routed) serves(own netip.Addr) {
	r.t.Helper()
	require.Contains(r.t, succeed(r.t, "ping", "-6", "-c", "3", "-i", "0.2", own.String()), " 0% packet loss")
	l, err := r.Listen("tcp", ":80")
	require.NoError(r.t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			fmt.Fprintln(c, "from", c.LocalAddr())
			c.Close()
		}
	}()
	require.Equal(r.t, fmt.Sprintf("from [%s]:80\n", own), succeed(r.t, "nc", "-6", "-d", "-w", "5", own.String(), "80"))
}

// eachLink runs a test on a TUN device with each driver, and on a TAP device.
func eachLink(t *testing.T, test func(r *routed)) {
	for _, v := range []variant{{tun.TUN, "linux", true}, {tun.TUN, "water", true}, {tun.TAP, "linux", true}} {
		t.Run(v.String(), func(t *testing.T) { test(newRouted(t, v)) })
	}
}

// radvd sends every option that the stack takes.
func TestRadvd(t *testing.T) { // SLAAC-009, SLAAC-019, SLAAC-021, SLAAC-023, ND-031, ND-032, ND-035, ND-036
	netns.NeedTool(t, "radvd")
	eachLink(t, func(r *routed) {
		radvd(r.t, r.device, `interface DEVICE {
			AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultPreference high; AdvCurHopLimit 99; AdvLinkMTU 1400; AdvOtherConfigFlag on;
			prefix 2001:db8:7::/64 { AdvValidLifetime 7200; AdvPreferredLifetime 3600; };
			route 2001:db8:8::/48 { AdvRoutePreference low; };
			RDNSS 2001:db8:7::53 fe80::53 { };
			DNSSL example.org example.com { };
		};`)
		own := r.configured()
		r.serves(own)
		info := r.Autoconf()[0]
		require.Equal(r.t, []netip.Addr{netip.MustParseAddr("fe80::1%" + r.device)}, info.Routers)
		require.Equal(r.t, []netip.Addr{netip.MustParseAddr("2001:db8:7::53"), netip.MustParseAddr("fe80::53%" + r.device)}, info.Servers)
		require.Equal(r.t, []string{"example.org", "example.com"}, info.Search)
		require.True(r.t, info.Other)
		var routes []string
		for _, route := range r.Routes() {
			if route.Advertised {
				routes = append(routes, fmt.Sprint(route.Prefix, " ", route.Gateway, " ", route.Preference))
			}
		}
		gateway := "fe80::1%" + r.device
		require.Equal(r.t, []string{"2001:db8:7::/64 invalid IP 0", "2001:db8:8::/48 " + gateway + " -1", "::/0 " + gateway + " 1"}, routes)
		temporary := 0
		for _, a := range r.Interfaces()[1].Addresses {
			if a.Temporary {
				temporary++
				require.True(r.t, a.Dynamic)
			}
		}
		require.Equal(r.t, 1, temporary)
		require.Contains(r.t, succeed(r.t, "ping", "-6", "-c", "1", own.String()), "ttl=99")
	})
}

// The stack asks the server that its router names, by a link-local address, for names in the domain that the router names.
func TestNamesByRouter(t *testing.T) { // SLAAC-021, SLAAC-022, SLAAC-023
	netns.NeedTool(t, "radvd")
	netns.NeedTool(t, "dnsmasq")
	r := newRouted(t, variants[0])
	radvd(t, r.device, `interface DEVICE { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
		prefix 2001:db8:7::/64 { }; RDNSS fe80::1 { }; DNSSL example.org { }; };`)
	advertises(t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--interface="+r.device,
		"--bind-interfaces", "--local=/example.org/", "--host-record=router.example.org,2001:db8:7::1")
	r.configured()
	var addrs []string
	wait(t, "the name has an address", func() (ok bool) {
		var err error
		addrs, err = r.Resolver().LookupHost(t.Context(), "router")
		return err == nil // dnsmasq may not listen yet
	})
	require.Equal(t, []string{"2001:db8:7::1"}, addrs)
	require.Equal(t, "[fe80::1%"+r.device+"]:53", fmt.Sprint(r.Resolver().Settings().Servers[0]))
}

// dnsmasq advertises the prefix of its own address.
func TestDnsmasqAdvertises(t *testing.T) { // SLAAC-009
	netns.NeedTool(t, "dnsmasq")
	eachLink(t, func(r *routed) {
		advertises(r.t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--enable-ra", "--no-ping", "--dhcp-duid=1,2", // TUN has no hardware address for one
			"--dhcp-leasefile="+filepath.Join(r.t.TempDir(), "leases"), "--interface="+r.device, "--bind-interfaces",
			"--dhcp-range=::,constructor:"+r.device+",ra-stateless,64,1h", "--dhcp-option=option6:dns-server,[2001:db8:7::53]")
		own := r.configured()
		r.serves(own)
		require.Equal(r.t, []netip.Addr{netip.MustParseAddr("2001:db8:7::53")}, r.Autoconf()[0].Servers)
		require.True(r.t, r.Autoconf()[0].Other)
	})
}

// `up --addr auto` waits for the router, on TUN and on Ethernet, and gets the same address at the next start.
func TestUpAuto(t *testing.T) { // SLAAC-015
	netns.Need(t)
	netns.NeedTool(t, "radvd")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	forwarding(t)
	for device, flags := range map[string][]string{"tun0": nil, "tap0": {"--tap"}, "veth0": {"--driver", "veth"}} {
		t.Run(device, func(t *testing.T) {
			radvd(t, device, `interface DEVICE { AdvSendAdvert on; IgnoreIfMissing on; prefix 2001:db8:7::/64 { }; };`)
			var addresses []string
			for range 2 {
				n := start(t, append([]string{"--addr", "auto"}, flags...)...)
				succeed(t, "ip", "-6", "addr", "add", "2001:db8:7::1/64", "dev", device, "nodad")
				awaitHost6(t, "2001:db8:7::1", device)
				own := regexp.MustCompile("2001:db8:7:[0-9a-f:]+").FindString(n.succeed("", "ifconfig"))
				require.NotEmpty(t, own)
				require.Contains(t, succeed(t, "ping", "-6", "-c", "1", own), " 0% packet loss")
				addresses = append(addresses, own)
				n.stop()
			}
			require.Equal(t, addresses[0], addresses[1])
		})
	}
}

// rdisc6 asks for routers: the stack is a host, which does not answer (ND-028).
func TestHostAnswersNoSolicitation(t *testing.T) {
	netns.NeedTool(t, "rdisc6")
	r := newRouted(t, variants[0])
	wait(t, "the link-local address", func() bool { return len(r.Interfaces()[1].Addresses) == 1 })
	out, err := exec.Command("rdisc6", "-1", "-r", "2", "-w", "300", r.device).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "No response")
}
