package host

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
	"tunstack/socketapi"
	"tunstack/tun"
)

// onTAP is the device of the tests of neighbour discovery.
var onTAP = variant{tun.TAP, "linux", true}

// count is a counter of a stack.
func counterOf(s *socketapi.Stack, name string) uint64 {
	for _, c := range s.Counters() {
		if c.Name == name {
			return c.Value
		}
	}
	panic("no counter " + name)
}

// ndisc6 asks for the stack's addresses, and for one that nobody has; rdisc6 asks for routers.
func TestNdisc6(t *testing.T) { // ND-012, ND-013, ND-015, ND-028
	netns.NeedTool(t, "ndisc6")
	netns.NeedTool(t, "rdisc6")
	s, device := newStack6(t, onTAP)
	for _, a := range []string{stackIP6, "fe80::2"} {
		out := succeed(t, "ndisc6", "-m", "-r", "2", "-w", "1000", a, device)
		require.Regexp(t, "Target link-layer address: [0-9A-F:]{17}\n from "+a, out)
	}
	for _, cmd := range [][]string{{"ndisc6", "-r", "1", "-w", "300", "2001:db8::99", device}, {"rdisc6", "-1", "-r", "2", "-w", "300", device}} {
		out, status := run(t, command(t, cmd[0], cmd[1:]...))
		require.NotZero(t, status, out)
	}
	require.NotEmpty(t, s.Neighbors())
}

// The stack pings the kernel's addresses.
func TestPingTheKernel6(t *testing.T) { // ND-008, ND-018
	eachDevice6(t, func(t *testing.T, _ variant, s *socketapi.Stack, device string) {
		succeed(t, "ip", "-6", "addr", "replace", "fe80::1/64", "dev", device, "nodad")
		awaitHost6(t, "fe80::1", device)
		for _, a := range []string{hostIP6, "fe80::1%" + device} {
			c, err := s.Dial("ip6:ipv6-icmp", a)
			require.NoError(t, err)
			require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
			request := append([]byte{128, 0, 0, 0, 0x12, 0x34, 0, 1}, a...)
			_, err = c.Write(request)
			require.NoError(t, err)
			reply := make([]byte, 1500)
			for n := 0; !bytes.Equal(reply[4:max(n, 4)], request[4:]); {
				n, err = c.Read(reply)
				require.NoError(t, err, a)
			}
			require.EqualValues(t, 129, reply[0])
			require.NoError(t, c.Close())
		}
	})
}

// The later of the stack and the kernel finds that the other has an address.
func TestDuplicateOfTheKernel(t *testing.T) { // SLAAC-003, SLAAC-006, SLAAC-007, SLAAC-008, ND-014
	s, device := newStack6(t, onTAP)
	succeed(t, "ip", "-6", "addr", "add", "2001:db8::77/64", "dev", device, "nodad")
	awaitHost6(t, "2001:db8::77", device)
	require.ErrorIs(t, s.AddAddress(t.Context(), device, netip.MustParsePrefix("2001:db8::77/64")), syscall.EADDRINUSE)
	require.NoError(t, s.AddAddress(t.Context(), device, netip.MustParsePrefix("2001:db8::78/64")))
	succeed(t, "ip", "-6", "addr", "add", "2001:db8::78/64", "dev", device)
	wait(t, "the kernel finds its address duplicate", func() bool {
		return strings.Contains(succeed(t, "ip", "-6", "addr", "show", "dev", device, "dadfailed"), "2001:db8::78/64")
	})
	succeed(t, "ip", "-6", "addr", "del", "2001:db8::78/64", "dev", device) // meanwhile the kernel believes no advertisement of it
	require.Contains(t, succeed(t, "ping", "-6", "-c", "1", "2001:db8::78"), " 0% packet loss")
}

// station is the MAC and the address of a router that does not exist.
const (
	otherRouter    = "fe80::99"
	otherRouterMAC = "02:00:00:00:00:99"
	behind         = "2001:db8:9::9"
)

// The kernel as the router redirects the stack.
func TestRedirectByTheKernel(t *testing.T) { // ND-037, ND-038
	dev := newDevice6(t, onTAP)
	device := dev.Name()
	succeed(t, "ip", "-6", "addr", "add", "fe80::1/64", "dev", device, "nodad")
	awaitHost6(t, "fe80::1", device)
	forwarding(t)
	s := onDevice6(t, socketapi.Config{
		Interfaces: []socketapi.Interface{{Device: dev}},
		Routes:     []socketapi.Route{{Prefix: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fe80::1")}},
	})
	succeed(t, "ip", "-6", "neigh", "add", otherRouter, "lladdr", otherRouterMAC, "dev", device)
	succeed(t, "ip", "-6", "route", "add", behind, "via", otherRouter, "dev", device)
	c, err := s.Dial("udp", "["+behind+"]:9")
	require.NoError(t, err)
	defer c.Close()
	wait(t, "the stack is redirected", func() bool {
		_, err := c.Write([]byte("x"))
		require.NoError(t, err)
		return counterOf(s, "ip.redirect.accepted") > 0
	})
	row := ""
	for _, n := range s.Neighbors() {
		if n.IP == netip.MustParseAddr(otherRouter) {
			row = fmt.Sprint(n.MAC, " ", n.Router)
		}
	}
	require.Equal(t, otherRouterMAC+" true", row)
	for _, r := range s.Routes() {
		if r.Redirect {
			require.Equal(t, otherRouter+"%"+device, r.Gateway.String())
		}
	}
}

// The stack as the router redirects the kernel.
func TestRedirectOfTheKernel(t *testing.T) { // ND-039, ND-014
	dev := newDevice6(t, onTAP)
	device := dev.Name()
	cfg := socketapi.Config{
		Interfaces: []socketapi.Interface{{Device: dev}},
		Routes:     []socketapi.Route{{Prefix: netip.MustParsePrefix(behind + "/128"), Gateway: netip.MustParseAddr(otherRouter)}},
	}
	cfg.IP.Forwarding, cfg.IP.SendRedirects = true, true
	onDevice6(t, cfg)
	succeed(t, "ip", "-6", "route", "add", behind, "via", "fe80::2", "dev", device)
	wait(t, "the kernel is redirected", func() bool {
		_ = exec.Command("ping", "-6", "-c", "1", "-W", "0.1", behind).Run()
		return strings.Contains(succeed(t, "ip", "-6", "route", "get", behind), "via "+otherRouter)
	})
	require.Contains(t, succeed(t, "ip", "-6", "neigh", "show", "fe80::2", "dev", device), "router", "the stack's advertisements say so")
}

// newBridged is a stack on a bridge with two routers of the kernel, on the interfaces va and vb; 2001:db8:99::1 is behind both.
func newBridged(t *testing.T) *routed {
	t.Helper()
	r := newRouted(t, onTAP)
	succeed(t, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	t.Cleanup(func() { exec.Command("ip", "link", "del", "br0").Run() })
	succeed(t, "ip", "addr", "flush", "dev", r.device)
	succeed(t, "ip", "link", "set", r.device, "master", "br0")
	succeed(t, "ip", "link", "set", "br0", "up")
	for i, name := range []string{"va", "vb"} {
		succeed(t, "ip", "link", "add", name, "type", "veth", "peer", "name", name+"p")
		t.Cleanup(func() { exec.Command("ip", "link", "del", name).Run() })
		succeed(t, "ip", "link", "set", name+"p", "master", "br0", "up")
		succeed(t, "ip", "link", "set", name, "up")
		succeed(t, "ip", "-6", "addr", "add", fmt.Sprintf("fe80::%x/64", 10+i), "dev", name, "nodad")
		succeed(t, "ip", "-6", "addr", "add", fmt.Sprintf("2001:db8:7::%x/64", 10+i), "dev", name, "nodad")
	}
	succeed(t, "ip", "-6", "addr", "add", "2001:db8:99::1/128", "dev", "lo")
	t.Cleanup(func() { exec.Command("ip", "-6", "addr", "del", "2001:db8:99::1/128", "dev", "lo").Run() })
	return r
}

// A connection survives the router that it goes by, when there is another one.
func TestRouterOfTheKernelVanishes(t *testing.T) { // ND-022, ND-034, ND-035
	netns.NeedTool(t, "radvd")
	r := newBridged(t)
	const common = "AdvSendAdvert on; IgnoreIfMissing on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvReachableTime 1000; AdvRetransTimer 100;"
	radvd(t, "va", `interface va { `+common+` AdvDefaultPreference high; prefix 2001:db8:7::/64 { }; }; interface vb { `+common+` prefix 2001:db8:7::/64 { }; };`)
	r.configured()
	wait(t, "both routers are known", func() bool { return len(r.Autoconf()[0].Routers) == 2 })
	l, err := net.Listen("tcp", "[2001:db8:99::1]:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			b := make([]byte, 16)
			for n := 0; err == nil; n, err = c.Read(b) {
				c.Write(b[:n])
			}
		}
	}()
	c, err := r.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	echo := func(text string) {
		t.Helper()
		require.NoError(t, c.SetDeadline(time.Now().Add(2*patience)))
		_, err := c.Write([]byte(text))
		require.NoError(t, err)
		b := make([]byte, 16)
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, text, string(b[:n]))
	}
	echo("by the first")
	require.Zero(t, counterOf(r.Stack, "ip.gateway.failed"))
	succeed(t, "ip", "link", "set", "vap", "down")
	succeed(t, "ip", "link", "set", "va", "down")
	echo("by the second")
	require.NotZero(t, counterOf(r.Stack, "ip.gateway.failed"))
}

// While the kernel scans a /64 of the stack's link, the stack's memory is bounded, and it answers and is answered.
func TestScanOfTheLink(t *testing.T) { // ND-043
	dev := newDevice6(t, onTAP)
	device := dev.Name()
	cfg := socketapi.Config{Interfaces: []socketapi.Interface{{Device: dev, Addrs: []netip.Prefix{netip.MustParsePrefix("2001:db8:5::2/64")}}}}
	cfg.IP.Forwarding = true
	s := onDevice6(t, cfg)
	require.Contains(t, succeed(t, "ping", "-6", "-c", "1", stackIP6), " 0% packet loss")
	succeed(t, "ip", "-6", "route", "add", "2001:db8:5::/64", "via", "fe80::2", "dev", device)
	c, err := net.ListenPacket("udp6", "[::]:0")
	require.NoError(t, err)
	defer c.Close()
	a := netip.MustParseAddr("2001:db8:5::1:0").As16()
	for i := range 20_000 {
		a[14], a[15] = byte(i>>8), byte(i)
		_, err := c.WriteTo([]byte("x"), &net.UDPAddr{IP: a[:], Port: 9})
		require.NoError(t, err)
		if i%5000 == 4999 {
			succeed(t, "ping", "-6", "-c", "5", "-i", "0.2", "-W", "5", stackIP6) // one answer is enough: the queue of the device is full
		}
	}
	require.LessOrEqual(t, len(s.Neighbors()), 1024+512)
	require.NotZero(t, counterOf(s, "neighbor.evicted"))
	conn, err := s.Dial("udp", "["+hostIP6+"]:9")
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	found := false
	for _, n := range s.Neighbors() {
		found = found || n.IP == netip.MustParseAddr(hostIP6) && n.MAC != [6]byte{}
	}
	require.True(t, found, "the host is still known")
}
