package attack

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

// thc are attacks of thc-ipv6, as command lines: DEV is the device, SELF the stack's address, HOST the kernel's, NET the network of both.
var thc = []struct {
	command string
	long    bool // only with TUNSTACK_LONG=1
}{
	{"atk6-fragmentation6 -p DEV SELF", false},
	{"atk6-fragmentation6 -fp DEV SELF 1", true},
	{"atk6-implementation6 -p DEV SELF", true},
	{"atk6-exploit6 DEV SELF", false},
	{"atk6-denial6 DEV SELF 1", true},
	{"atk6-denial6 DEV SELF 2", false},
	{"atk6-denial6 DEV SELF 3", true},
	{"atk6-denial6 DEV SELF 4", true},
	{"atk6-denial6 DEV SELF 5", true},
	{"atk6-denial6 DEV SELF 6", true},
	{"atk6-denial6 DEV SELF 7", true},
	{"atk6-fuzz_ip6 -a -1 -IFSDH DEV SELF", false},
	{"atk6-fuzz_ip6 -a -2 -x DEV SELF", true},
	{"atk6-fuzz_ip6 -a -3 -x DEV SELF", true},
	{"atk6-fuzz_ip6 -a -4 -x DEV SELF", true},
	{"atk6-fuzz_ip6 -a -7 -x DEV SELF", true},
	{"atk6-fuzz_ip6 -a -9 -x DEV SELF", true},
	{"atk6-fuzz_ip6 -a -s 7 DEV SELF", true},
	{"atk6-randicmp6 -p DEV SELF", true},
	{"atk6-toobig6 DEV SELF HOST 68", false},
	{"atk6-toobig6 DEV SELF HOST 1280", true},
	{"atk6-redir6 DEV SELF HOST fe80::66 fe80::67", false},
	{"atk6-fake_router26 -A 2001:db8:66::/64 -R ::/0 -D 2001:db8:66::53 -M 68 -l 1800 -T 1 -t 1 -n 2 -i 1 DEV", false},
	{"atk6-fake_router26 -A NET/64 -a 0 -l 0 -M 65535 -n 2 -i 1 DEV", false},
	{"atk6-fake_router26 -E F -A 2001:db8:67::/64 -n 2 -i 1 DEV", true},
	{"atk6-flood_router26 DEV", false},
	{"atk6-flood_router26 -s -F DEV", true},
	{"atk6-flood_router26 -H -m DEV", true},
	{"atk6-kill_router6 DEV fe80::66", true},
	{"atk6-flood_redir6 DEV SELF", true},
	{"atk6-flood_advertise6 DEV SELF", false},
	{"atk6-flood_solicitate6 DEV SELF SELF", true},
	{"atk6-flood_rs6 -s DEV", true},
	{"atk6-flood_mld26 DEV", true},
	{"atk6-flood_mldrouter6 DEV", true},
	{"atk6-flood_unreach6 -R DEV SELF", true},
	{"atk6-fake_advertise6 -n 3 -w 1 DEV SELF", false},
	{"atk6-thcsyn6 -R DEV SELF 7", false},
	{"atk6-thcsyn6 -A -R -f DEV SELF 7", true},
	{"atk6-smurf6 DEV SELF", true},
	{"atk6-rsmurf6 DEV SELF", true},
	{"atk6-sendpees6 DEV 2048 fe80:: SELF", true},
	{"atk6-node_query6 DEV SELF", true},
}

// thcTime is the time for which a program attacks.
func thcTime() time.Duration {
	if os.Getenv("TUNSTACK_LONG") == "1" {
		return 30 * time.Second
	}
	return 300 * time.Millisecond
}

// The attacks of thc-ipv6 harm neither the stack nor its legitimate client.
func TestTHC(t *testing.T) { // SEC-015
	l := newLAN(t)
	words := strings.NewReplacer("DEV", l.device, "SELF", l.self.String(), "HOST", l.host.String(),
		"NET", netip.PrefixFrom(l.host, 64).Masked().Addr().String())
	for _, a := range thc {
		if a.long && os.Getenv("TUNSTACK_LONG") != "1" {
			continue
		}
		args := strings.Fields(words.Replace(a.command))
		if !t.Run(strings.ReplaceAll(a.command, "/", "_"), func(t *testing.T) {
			l.t = t
			l.attack(thcTime(), args[0], args[1:]...)
			l.unharmed()
		}) {
			return // each on its own means more than those after a harm
		}
	}
	l.t = t
}

// Packets to all addresses of a network fill the neighbour cache of its router, and displace none of the neighbours that it knows (RFC 6583).
func TestTHCExhaustion(t *testing.T) { // ND-043
	const network = "2001:db8:77::"
	l := newLAN(t, func(c *socketapi.Config) {
		c.IP.Forwarding = true
		c.Interfaces[0].Addrs = append(c.Interfaces[0].Addrs, netip.MustParsePrefix(network+"1/64"))
	})
	out, err := exec.Command("ip", "-6", "route", "add", network+"/64", "via", l.self.String(), "dev", l.device).CombinedOutput()
	require.NoError(t, err, "%s", out)
	l.attack(thcTime(), "atk6-ndpexhaust26", "-p", "-R", l.device, network+"/64")
	require.Positive(t, l.counter("ipv6.forwarded"))
	l.unharmed()
	l.attack(thcTime(), "atk6-ndpexhaust26", "-U", "-m", l.device, network+"/64")
	l.unharmed()
}

// A program that answers every probe keeps the stack from new addresses, and takes none that it has.
func TestTHCDuplicates(t *testing.T) { // SLAAC-008
	l := newLAN(t)
	results := make(chan error, 1)
	time.AfterFunc(500*time.Millisecond, func() { // when the program listens
		results <- l.stack.AddAddress(t.Context(), l.device, netip.PrefixFrom(l.self.Next(), 64))
	})
	l.attack(3*time.Second, "atk6-dos-new-ip6", l.device)
	require.ErrorIs(t, <-results, syscall.EADDRINUSE)
	l.unharmed()
}
