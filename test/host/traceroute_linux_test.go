package host

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// elsewhere is a network namespace behind this one. It lives as long as the test.
type elsewhere struct {
	t   *testing.T
	pid string
}

func newElsewhere(t *testing.T) elsewhere {
	t.Helper()
	holder := exec.Command("cat")
	holder.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	stdin, err := holder.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		stdin.Close()
		holder.Wait()
	})
	return elsewhere{t, strconv.Itoa(holder.Process.Pid)}
}

// here is the namespace of the test.
func here(t *testing.T) elsewhere { return elsewhere{t, strconv.Itoa(os.Getpid())} }

// sh runs shell commands there.
func (e elsewhere) sh(script string) {
	e.t.Helper()
	succeed(e.t, "nsenter", "-t", e.pid, "-n", "sh", "-ec", script)
}

// router makes the kernel there forward, from any source, and answer without a limit.
func (e elsewhere) router() {
	e.t.Helper()
	e.sh(`cd /proc/sys/net/ipv4
		echo 1 > ip_forward; echo 0 > icmp_ratelimit; echo 0 > conf/all/rp_filter; echo 0 > conf/default/rp_filter
		ip link set lo up`)
}

// join puts a link between two namespaces, with the given addresses on it.
func join(t *testing.T, name string, a elsewhere, addrA string, b elsewhere, addrB string) {
	t.Helper()
	succeed(t, "ip", "link", "add", name+"-a", "netns", a.pid, "type", "veth", "peer", "name", name+"-b", "netns", b.pid)
	a.sh("ip addr add " + addrA + " dev " + name + "-a; ip link set " + name + "-a up")
	b.sh("ip addr add " + addrB + " dev " + name + "-b; ip link set " + name + "-b up")
}

// far is a host behind two routers, this host and another, all of them kernels.
type far struct{ host, router, end elsewhere }

func newFar(t *testing.T) far {
	t.Helper()
	f := far{here(t), newElsewhere(t), newElsewhere(t)}
	for _, e := range []elsewhere{f.host, f.router, f.end} {
		e.router()
	}
	join(t, "near", f.host, "10.1.0.1/24", f.router, "10.1.0.2/24")
	join(t, "far", f.router, "10.2.0.1/24", f.end, "10.2.0.2/24")
	join(t, "back", f.host, "10.3.0.1/24", f.end, "10.3.0.2/24")
	t.Cleanup(func() {
		out, err := exec.Command("sh", "-ec", "ip link del near-a; ip link del back-a; echo 0 > /proc/sys/net/ipv4/ip_forward").CombinedOutput()
		require.NoError(t, err, string(out))
	})
	f.host.sh("ip route add 10.2.0.0/24 via 10.1.0.2")
	f.router.sh("ip route add 10.0.0.0/24 via 10.1.0.1; echo 50 > /proc/sys/net/ipv4/neigh/far-a/retrans_time_ms")
	f.end.sh("ip route add default via 10.2.0.1")
	return f
}

// silence makes the router drop its answers, and the end answer around it.
func (f far) silence() {
	f.host.t.Helper()
	f.router.sh("ip route del 10.0.0.0/24")
	f.end.sh("ip route replace default via 10.3.0.1")
}

// hops are the lines of a traceroute, with numbers and times replaced.
func hops(out string) []string {
	out = regexp.MustCompile(`\d+\.\d{3} ms`).ReplaceAllString(out, "T ms")
	out = regexp.MustCompile(`(?m)^ ?\d+  `).ReplaceAllString(out, "N  ")
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

// Two routers on the way, by each kind of probe: the last lines equal those of the host's own traceroute, from one hop nearer.
func TestTracerouteFromStack(t *testing.T) {
	n := up(t)
	f := newFar(t)
	same := func(args ...string) []string {
		t.Helper()
		ours, theirs := hops(n.succeed("", append([]string{"traceroute"}, args...)...)), hops(traceroute(t, args...))
		require.Equal(t, theirs[0], ours[0])
		require.Equal(t, theirs[1:], ours[2:])
		return ours[1:]
	}
	times := "  T ms  T ms  T ms"
	whole := []string{"N  10.0.0.1 (10.0.0.1)" + times, "N  10.1.0.2 (10.1.0.2)" + times, "N  10.2.0.2 (10.2.0.2)" + times}
	require.Equal(t, whole, same("10.2.0.2"))
	require.Equal(t, whole, same("-I", "10.2.0.2"))
	require.Equal(t, whole, same("-T", "-p", "80", "10.2.0.2"))
	require.Equal(t, []string{"N  10.0.0.1" + times, "N  10.1.0.2" + times, "N  10.1.0.2  T ms !H  T ms !H  T ms !H"}, same("-n", "10.2.0.99"))

	f.silence()
	whole[1] = "N  * * *"
	out := n.succeed("", "traceroute", "-w", "1", "-m", "9", "10.2.0.2")
	require.Equal(t, append([]string{"traceroute to 10.2.0.2 (10.2.0.2), 9 hops max, 60 byte packets"}, whole...), hops(out))
	require.Equal(t, whole[1:], hops(traceroute(t, "-w", "1", "-s", hostIP, "10.2.0.2"))[1:], "as here")
}
