package main

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
	"tunstack/tcp"
)

func TestUsageErrors(t *testing.T) {
	noStack(t)
	requireFailures(t, exitUsage, []failing{
		{"nonsense", `unknown command "nonsense"`},
		{"ping", "usage: tunstack ping HOST"},
		{"ping a b", "usage: tunstack ping HOST"},
		{"ping --nonsense a", "unknown flag: --nonsense"},
		{"ping -c 0 127.0.0.1", "-c 0: the count must be at least 1"},
		{"ping -c -1 127.0.0.1", "-c -1: the count must be at least 1"},
		{"ping -c x 127.0.0.1", "invalid argument"},
		{"ping -s 65528 127.0.0.1", "-s 65528: the size must be from 0 to 65527"},
		{"ping -s -1 127.0.0.1", "-s -1: the size must be from 0 to 65527"},
		{"ping -i 0 127.0.0.1", "-i 0: the interval must be at least 0.001 s"},
		{"ping -i soon 127.0.0.1", `"soon" is not a number of seconds`},
		{"ping -W NaN 127.0.0.1", `"NaN" is not a number of seconds`},
		{"traceroute", "usage: tunstack traceroute HOST"},
		{"traceroute -m 0 127.0.0.1", "-m 0: it must be from 1 to 255"},
		{"traceroute -m 256 127.0.0.1", "-m 256: it must be from 1 to 255"},
		{"traceroute -q 0 127.0.0.1", "-q 0: it must be from 1 to 10"},
		{"traceroute -q 11 127.0.0.1", "-q 11: it must be from 1 to 10"},
		{"traceroute -w 0 127.0.0.1", "-w must be more than 0 s"},
		{"traceroute -p 65500 127.0.0.1", "-p 65500: the last of 90 probes would go to port 65589"},
		{"traceroute -p 65536 127.0.0.1", "value out of range"},
		{"traceroute -I -p 80 127.0.0.1", "-p: echo requests have no port"},
		{"traceroute -I -T 127.0.0.1", "[icmp tcp] were all set"},
		{"nc", "usage: tunstack nc [-u] [-l] [HOST] PORT"},
		{"nc 80", "nc needs HOST and PORT; only with -l PORT is enough"},
		{"nc a b c", "usage: tunstack nc [-u] [-l] [HOST] PORT"},
		{"knock", "usage: tunstack knock HOST"},
		{"knock --port 65536 127.0.0.1", "value out of range"},
		{"echo", "usage: tunstack echo HOST [TEXT...]"},
		{"netstat x", "usage: tunstack netstat [--watch [SECONDS]]"},
		{"netstat --watch 1 2", "usage: tunstack netstat [--watch [SECONDS]]"},
		{"netstat --watch soon", `--watch "soon" is not a number of seconds`},
		{"netstat --watch=0", "--watch 0: it must be at least 0.01 s"},
		{"knock --port 0 127.0.0.1", "--port 0: it must be from 1 to 65535"},
		{"echo --port 0 127.0.0.1", "--port 0: it must be from 1 to 65535"},
		{"traceroute -p 0 127.0.0.1", "--port 0: it must be from 1 to 65535"},
		{"lease x", "usage: tunstack lease"},
		{"up --addr dhcp", "--addr dhcp: it needs an Ethernet interface (--tap, or --driver veth)"},
		{"up --tap --addr dhcp --host 10.9.0.1", "--host 10.9.0.1: with --addr dhcp the network is the server's"},
		{"up --addr 10.0.0.2/31 --host none --services dhcp", "--services dhcp: dhcp server: 10.0.0.2/31: it needs an IPv4 address in a network of at least four"},
		{"up --addr auto --services dhcp", "--services dhcp: the stack needs an IPv4 address of its own (--addr)"},
		{"up --keep-lease", "--keep-lease and --lease-file need --addr dhcp"},
		{"up --lease-file x", "--keep-lease and --lease-file need --addr dhcp"},
		{"capture -c 0", "-c 0: the count must be at least 1"},
		{"capture -c -1", "-c -1: the count must be at least 1"},
		{"trace --sim --drop -1", "--drop -1: segments are counted from 1"},
		{"trace --sim --drop 5,0", "--drop 0: segments are counted from 1"},
		{"step --sim --loss NaN", "--loss NaN: it must be from 0 to 1"},
		{"trace --drop 5", "--drop: it needs --sim"},
		{"trace -6", "--ipv6: it needs --sim"},
		{"trace --sim --loss 2", "--loss 2: it must be from 0 to 1"},
		{"plot --sim -o a.svg --congestion vegas", "--congestion vegas: unknown algorithm; valid: " + strings.Join(tcp.Algorithms, ", ")},
		{"trace --sim --congestion cubic,bbr", "--congestion: trace simulates no more than 1"},
		{"step --sim --transfer -1", "--transfer -1: it must be from 0 to 64 MiB"},
		{"plot --sim -o a.svg --rate 100001", "--rate 100001: it must be from 0 to 100000 Mbit/s"},
		{"plot -o a.svg --transfer 1", "--transfer: it needs --sim"},
		{"trace --sim joke.jsonl", "trace: either --sim or a FILE"},
		{"trace --sim --follow", "only the running stack can be followed"},
		{"trace --follow joke.jsonl", "only the running stack can be followed"},
		{"trace --sim --conn :7", "[conn sim] were all set"},
		{"trace --svg a.svg --mermaid", "[mermaid svg] were all set"},
		{"plot --sim -o joke.svg joke.jsonl", "plot: either --sim or a FILE"},
		{"plot --seed 2 -o joke.svg", "--seed: it needs --sim"},
		{"ifconfig x", "usage: tunstack ifconfig"},
		{"arp x", "usage: tunstack arp"},
		{"neigh x", "usage: tunstack neigh"},
		{"neigh -4 -6", "[ipv4 ipv6] were all set"},
		{"route -4 -6", "[ipv4 ipv6] were all set"},
		{"route x", "usage: tunstack route"},
	}...)
}

// A HOST of IPv6 that cannot be meant gives one line that says what to write instead.
func TestBadHosts(t *testing.T) {
	startLoopback(t)
	requireFailures(t, exitUsage, []failing{
		{"ping ::ffff:1.2.3.4", "::ffff:1.2.3.4: an IPv4 address in a form of sockets; write 1.2.3.4"},
		{"traceroute ::ffff:1.2.3.4", "write 1.2.3.4"},
		{"nc ::ffff:1.2.3.4 7", "write 1.2.3.4"},
		{"echo ::ffff:1.2.3.4 x", "write 1.2.3.4"},
		{"knock ::ffff:1.2.3.4", "write 1.2.3.4"},
		{"ping [::1]", "[::1]: an address stands without brackets here"},
		{"ping fe80::1/64", "fe80::1/64: not an IPv6 address"},
		{"ping ::1::2", "::1::2: not an IPv6 address"},
		{"ping 12345::1", "12345::1: not an IPv6 address"},
		{"ping fe80::1%", "fe80::1%: not an IPv6 address"},
		{"ping -4 ::1", "::1: not an address of IPv4"},
		{"ping -6 127.0.0.1", "127.0.0.1: not an address of IPv6"},
		{"traceroute -6 127.0.0.1", "127.0.0.1: not an address of IPv6"},
		{"nc -6 127.0.0.1 7", "127.0.0.1: not an address of IPv6"},
		{"nc -4 -l ::1 5000", "::1: not an address of IPv4"},
		{"echo -6 127.0.0.1 x", "127.0.0.1: not an address of IPv6"},
		{"ping fe80::1%nosuch", "fe80::1%nosuch: the stack has no interface nosuch; it has lo"},
		{"nc fe80::1%9 7", "fe80::1%9: the stack has no interface 9; it has lo"},
		{"ping fe80::1", "fe80::1: the address of one link, and the stack has no link"},
		{"ping -s 65508 127.0.0.1", "-s 65508: the size must be from 0 to 65507"},
	}...)
}

// The zone of an address is one of the stack's interfaces, by name or number; with one link it may be left out.
func TestZones(t *testing.T) {
	one := []socketapi.InterfaceInfo{{Name: "lo", Loopback: true}, {Name: "tap0"}}
	two := append(slices.Clone(one), socketapi.InterfaceInfo{Name: "tap1"})
	for _, tt := range []struct {
		rows       []socketapi.InterfaceInfo
		addr, want string
	}{
		{one, "fe80::1", "fe80::1%tap0"}, {one, "fe80::1%tap0", "fe80::1%tap0"}, {one, "fe80::1%2", "fe80::1%2"}, {two, "fe80::1%tap1", "fe80::1%tap1"},
		{one, "fe80::1%tap1", "fe80::1%tap1: the stack has no interface tap1; it has lo, tap0"},
		{two, "fe80::1", "fe80::1: the address of one link, and the stack has several; write fe80::1%LINK with one of tap0, tap1"},
	} {
		addr, err := zoned(tt.rows, netip.MustParseAddr(tt.addr))
		if err != nil {
			require.EqualError(t, err, tt.want)
		} else {
			require.Equal(t, tt.want, addr.String())
		}
	}
}

// An empty argument is a mistake, such as a shell variable that is not set; it does not mean this host or no file.
func TestEmptyArguments(t *testing.T) {
	noStack(t)
	for _, args := range [][]string{
		{"ping", ""}, {"traceroute", ""}, {"knock", ""}, {"echo", ""}, {"echo", "", "text"}, {"nc", "", "80"}, {"nc", "127.0.0.1", ""},
		{"nc", "-l", "", "80"}, {"nc", "-l", ""}, {"trace", ""}, {"plot", "-o", "a.svg", ""}, {"replay", ""}, {"netstat", "--watch", ""},
	} {
		requireOneLine(t, tunstack("", args...), exitUsage, "an argument is empty; usage: tunstack "+args[0])
	}
}

// A file that cannot be written is an error before the work for it begins, and an existing file keeps its contents if the work
// fails.
func TestOutputIsOpenedFirst(t *testing.T) {
	noStack(t)
	bad := filepath.Join(t.TempDir(), "missing", "a.svg")
	kept := filepath.Join(t.TempDir(), "kept.svg")
	require.NoError(t, os.WriteFile(kept, []byte("kept"), 0o600))
	fresh := filepath.Join(t.TempDir(), "fresh.svg")
	for _, args := range [][]string{{"plot", "-o"}, {"trace", "--svg"}} {
		requireOneLine(t, tunstack("", append(args, bad)...), exitFailure, "no such file or directory")
		for _, name := range []string{kept, fresh} {
			requireOneLine(t, tunstack("", append(args, name)...), exitFailure, "no stack is running")
		}
		content, err := os.ReadFile(kept)
		require.NoError(t, err)
		require.Equal(t, "kept", string(content))
		require.NoFileExists(t, fresh)
		require.Equal(t, result{}, tunstack("", append(args, kept, "--sim")...))
		content, err = os.ReadFile(kept)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(string(content), "</svg>\n"), "it is the picture alone")
		require.NoError(t, os.WriteFile(kept, []byte("kept"), 0o600))
	}
}

func TestUpChecksItsFlags(t *testing.T) {
	noStack(t)
	requireFailures(t, exitUsage, []failing{
		{"up --addr nonsense", "--addr nonsense: it must be an IPv4 address with the length of its network"},
		{"up --addr 10.0.0.2", "it must be an IPv4 address with the length of its network"},
		{"up --addr 10.0.0.2/33", "it must be an IPv4 address with the length of its network"},
		{"up --addr fd00::2/64", "it must be an IPv4 address with the length of its network"},
		{"up --addr 10.0.0.0/24", "no host can have this address"},
		{"up --addr 10.0.0.255/24", "no host can have this address"},
		{"up --addr 127.0.0.1/8", "no host can have this address"},
		{"up --addr 224.0.0.1/24", "no host can have this address"},
		{"up --addr 240.0.0.1/24", "no host can have this address"},
		{"up --addr 0.0.0.1/24", "no host can have this address"},
		{"up --addr auto --host 10.0.0.9", "--host 10.0.0.9: with --addr auto the host is not in a network of the stack"},
		{"up --addr auto --mtu 1279", "--addr auto: IPv6 needs an --mtu of at least 1280"},
		{"up --host nonsense", "--host nonsense: it must be an IPv4 address, or none"},
		{"up --host fd00::1", "it must be an IPv4 address, or none"},
		{"up --host 10.0.1.1", "--host 10.0.1.1: it must be in the stack's network, 10.0.0.0/24"},
		{"up --host 10.0.0.2", "it is the stack's address"},
		{"up --host 10.0.0.255", "no host can have this address"},
		{"up --mtu 67", "--mtu 67: it must be from 68 to 65535"},
		{"up --mtu 65536", "--mtu 65536: it must be from 68 to 65535"},
		{"up --mtu big", "invalid argument"},
		{"up --queues 0", "--queues 0: it must be from 1 to 256"},
		{"up --queues 257", "--queues 257: it must be from 1 to 256"},
		{"up --queues 2 --driver water", "--queues 2: the water driver supports one queue"},
		{"up --driver bsd", "--driver bsd: it must be auto, linux, veth or water"},
		{"up --congestion vegas", "--congestion vegas: it must be " + oneOf(tcp.Algorithms)},
		{"up --services echo,nonsense", `--services: unknown service "nonsense"; valid: echo, discard, daytime, chargen, dns, dhcp, http, knock, upper, upper-udp, all, none`},
		{"up --dns nobody", "--dns nobody: it must be the address of a name server, perhaps with a port"},
		{"up --dns 10.0.0.1:x", "it must be the address of a name server"},
		{"up --dns none --dns 10.0.0.1", "--dns none: it excludes other servers"},
		{"up --dns 127.0.0.53", "--dns 127.0.0.53: on the stack this is the stack itself"},
		{"up --dns [::1]:53", "on the stack this is the stack itself"},
		{"up --dns-tls dns.example", "--dns-tls dns.example: it needs the address of a server"},
		{"up --dns none --dns-tls dns.example", "it needs the address of a server"},
		{"up --dns 0.0.0.0", "no server can have this address"},
		{"up --dns ff02::fb", "no server can have this address"},
		{"up --dns-forward example.com", "--dns-forward example.com: it must be the address of a name server, perhaps with a port"},
		{"up --dns-forward 127.0.0.1", "--dns-forward 127.0.0.1: on the stack this is the stack itself"},
		{"up --dns-forward 10.0.0.2", "--dns-forward 10.0.0.2: it is the stack's address"},
		{"up --mdns=-x", "--mdns -x: a name has up to 63 letters, digits and hyphens"},
		{"up --log-level loud", "--log-level loud: it must be debug, info, warn or error"},
		{"up --pcap packets.txt", "--pcap packets.txt: the name must end in .pcap or .pcapng"},
		{"up --dev a-name-too-long0", "not a name for an interface"},
		{"up --dev a/b", "not a name for an interface"},
		{"up --dev ..", "not a name for an interface"},
		{"up ping 10.0.0.2", "ping: a command to run needs --sandbox"},
	}...)
}

func TestUpFlags(t *testing.T) {
	f := upFlags{addr: "10.0.0.2/31", host: "10.0.0.3", mtu: 576, queues: 1, driver: "water", services: "none", congestion: "bbr",
		logLevel: "debug", tap: true}
	c, err := f.parse()
	require.NoError(t, err)
	require.Equal(t, "tap0", c.dev.Name)
	require.Equal(t, "10.0.0.3/31", c.dev.Hosts[0].String())
	require.Equal(t, "water", c.dev.Driver)
	require.Equal(t, "bbr", c.congestion)

	f.host = "none"
	c, err = f.parse()
	require.NoError(t, err)
	require.False(t, c.host.IsValid() || len(c.dev.Hosts) > 0)
}

// Each command has a help.
func TestHelp(t *testing.T) {
	noStack(t)
	root := newRoot(nil, streams{strings.NewReader(""), io.Discard, io.Discard})
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		path := strings.Fields(c.CommandPath())[1:]
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		t.Run(c.CommandPath(), func(t *testing.T) {
			require.NotEmpty(t, c.Short)
			require.NotEmpty(t, c.Long)
			require.Contains(t, c.Example, c.CommandPath())
			r := tunstack("", append(path, "--help")...)
			require.Equal(t, 0, r.status)
			require.Empty(t, r.err)
			require.True(t, strings.HasPrefix(r.out, strings.TrimSpace(c.Long)), r.out)
			require.Contains(t, r.out, "Examples:\n"+c.Example)
		})
	}
}
