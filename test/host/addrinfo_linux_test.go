package host

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/dns"
	"tunstack/internal/netns"
	"tunstack/socketapi"
	"tunstack/tun"
)

// addrinfoCase is a call of getaddrinfo, or with an address in Name one of getnameinfo.
type addrinfoCase struct {
	Node     string `json:"node"`
	Service  string `json:"service"`
	Family   int    `json:"family"`
	Type     int    `json:"type"`
	Protocol int    `json:"protocol"`
	Flags    int    `json:"flags"`
	Name     string `json:"name"`
	Port     int    `json:"port"`
}

const hostsOfCases = "10.0.0.1 Hosts.test hosts\n2001:db8:1::1 hosts.test\n10.0.0.1 both.test\n127.0.0.1 localhost\n::1 localhost\n"

// addrinfoCases are names of each kind in all families with all flags, and services with all types of socket.
func addrinfoCases() (cases []addrinfoCase) {
	flags := []int{
		0, socketapi.AI_CANONNAME, socketapi.AI_PASSIVE, socketapi.AI_NUMERICHOST, socketapi.AI_V4MAPPED, socketapi.AI_V4MAPPED | socketapi.AI_ALL,
		socketapi.AI_ALL, socketapi.AI_ADDRCONFIG, socketapi.AI_ADDRCONFIG | socketapi.AI_V4MAPPED | socketapi.AI_CANONNAME, 1 << 20,
	}
	for _, node := range []string{
		"", "10.0.0.1", "10.1", "0x0a000001", "256.1.1.1", "::1", "::ffff:10.0.0.1", "2001:db8:1::1", "2001:db8:1::1%1", "fe80::1%nope", "peer.test", "PEER.test.",
		"alias.test", "four.test", "six.test", "text.test", "nobody.test", "hosts", "HOSTS.test", "both.test", "localhost", "a..b", ".", "four", strings.Repeat("x", 64),
	} {
		for _, family := range []int{socketapi.AF_UNSPEC, socketapi.AF_INET, socketapi.AF_INET6, 9} {
			for _, f := range flags {
				cases = append(cases, addrinfoCase{Node: node, Service: "80", Family: family, Type: socketapi.SOCK_STREAM, Flags: f})
			}
		}
	}
	for _, service := range []string{"", "80", "http", "domain", "tftp", "nope", "65536", "-1", "08"} {
		for kind := range 5 {
			for _, protocol := range []int{0, socketapi.IPPROTO_TCP, socketapi.IPPROTO_UDP, socketapi.IPPROTO_ICMP} {
				for _, f := range []int{0, socketapi.AI_NUMERICSERV} {
					cases = append(cases, addrinfoCase{Node: "10.0.0.1", Service: service, Type: kind, Protocol: protocol, Flags: f})
				}
			}
		}
	}
	for _, name := range []string{"10.0.0.1", "10.0.0.77", "2001:db8:1::1", "2001:db8:1::77", "::ffff:10.0.0.1", "127.0.0.1"} {
		for f := range 1 << 5 {
			cases = append(cases, addrinfoCase{Name: name, Port: 53, Flags: f &^ socketapi.NI_NOFQDN}, addrinfoCase{Name: name, Port: 1, Flags: f &^ socketapi.NI_NOFQDN})
		}
	}
	return cases
}

// GetAddrInfo and GetNameInfo return what glibc returns, with the same files, the same server, and addresses of the same networks.
// DNS-034, SOCK-053, SOCK6-023 to SOCK6-026.
func TestAddrInfoLikeGlibc(t *testing.T) {
	netns.NeedTool(t, "dnsmasq")
	hosts := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(hosts, []byte(hostsOfCases), 0o644))
	s := dualAsking(t, hosts)
	serve(t, "udp", 53, command(t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
		"--listen-address="+hostIP, "--bind-interfaces", "--local=/#/", "--host-record=peer.test,10.0.0.1,2001:db8:1::1", "--cname=alias.test,peer.test",
		"--host-record=four.test,10.0.0.7", "--host-record=six.test,2001:db8:1::6", "--txt-record=text.test,hello"))
	cases := addrinfoCases()
	theirs := glibc(t, hosts, cases)
	for i, c := range cases {
		if ours := addrinfoOf(s, c); ours != theirs[i] && !c.differs() {
			t.Errorf("%+v\nglibc %s\nours  %s", c, theirs[i], ours)
		}
	}
}

// differs reports whether the result may be another one than glibc's.
func (c addrinfoCase) differs() bool {
	switch {
	case c.Node == "localhost" && (c.Family == socketapi.AF_INET || c.Flags&socketapi.AI_ALL != 0): // glibc reads ::1 in the file as 127.0.0.1, too, and returns it twice
	case c.Service == "65536": // glibc takes it for port 0
	case c.Name == "::ffff:10.0.0.1": // glibc asks DNS for the name of the IPv4 address, and does not look into the file
	default:
		return false
	}
	return true
}

// dualAsking is a stack with addresses of both families, beside those of the host, that asks the server at the host's end.
func dualAsking(t *testing.T, hosts string) *socketapi.Stack {
	t.Helper()
	netns.Need(t)
	dev, err := tun.Open(tun.Config{Offload: true, Hosts: []netip.Prefix{netip.MustParsePrefix(hostIP + "/24"), netip.MustParsePrefix("2001:db8:1::1/64")}})
	require.NoError(t, err)
	s, err := socketapi.New(socketapi.Config{
		Interfaces: []socketapi.Interface{{
			Device: dev, Addrs: []netip.Prefix{netip.MustParsePrefix(stackIP + "/24"), netip.MustParsePrefix("2001:db8:1::2/64")},
		}},
		DNS: dns.Config{Hosts: hosts, Settings: dns.Settings{
			Servers: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(hostIP), 0)}, Search: []string{"test"},
		}},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// glibc asks the machine's C library, which sees files of its own in a mount namespace.
func glibc(t *testing.T, hosts string, cases []addrinfoCase) (results []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"resolv.conf": "nameserver " + hostIP + "\nsearch test\n", "nsswitch.conf": "hosts: files dns\nservices: files\nnetworks: files\nprotocols: files\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	var in bytes.Buffer
	for _, c := range cases {
		require.NoError(t, json.NewEncoder(&in).Encode(c))
	}
	cmd := command(t, "unshare", "-m", "sh", "-ec", `mount --bind "$0" /etc/hosts; mount --bind "$1/resolv.conf" /etc/resolv.conf
		mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf; exec python3 testdata/getaddrinfo.py`, hosts, dir)
	cmd.Stdin = &in
	out, status := run(t, cmd)
	require.Zero(t, status, out)
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		results = append(results, strings.ReplaceAll(lines.Text(), ", ", ","))
	}
	require.Len(t, results, len(cases), out)
	return results
}

// addrinfoOf is the result of a case here, in the form of the script.
func addrinfoOf(s *socketapi.Stack, c addrinfoCase) string {
	var rows []any
	var err error
	if c.Name != "" {
		var host, service string
		host, service, err = s.GetNameInfo(netip.AddrPortFrom(netip.MustParseAddr(c.Name), uint16(c.Port)), 1025, 32, c.Flags)
		rows = []any{host, service}
	} else {
		var list []socketapi.AddrInfo
		list, err = s.GetAddrInfo(c.Node, c.Service, &socketapi.AddrInfo{Family: c.Family, Socktype: c.Type, Protocol: c.Protocol, Flags: c.Flags})
		for _, a := range list {
			rows = append(rows, []any{a.Family, a.Socktype, a.Protocol, a.Canonname, a.Addr.Addr(), a.Addr.Port()})
		}
	}
	if code, ok := err.(socketapi.EAI); ok {
		return strconv.Itoa(int(code))
	}
	b, err := json.Marshal(rows)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}
