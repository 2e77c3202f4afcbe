package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"tunstack/dns"
	"tunstack/internal/netns"
	"tunstack/socketapi"
)

// nameServers are programs that serve the zone test. at the host's end, with the same records.
var nameServers = map[string]func(t *testing.T){
	"dnsmasq": func(t *testing.T) {
		args := []string{
			"--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--listen-address=" + hostIP, "--bind-interfaces",
			"--local=/test/", "--host-record=peer.test," + hostIP + ",2001:db8::1", "--cname=alias.test,peer.test", "--mx-host=test,peer.test,10",
			"--srv-host=_echo._tcp.test,peer.test,7", "--txt-record=big.test," + strings.Join(bigText(), ","),
		}
		serve(t, "udp", 53, command(t, "dnsmasq", args...))
	},
	"unbound": func(t *testing.T) { unbound(t, "") },
}

// bigText is a text that no answer over UDP holds.
func bigText() (parts []string) {
	for i := range 10 {
		parts = append(parts, strings.Repeat(string(rune('a'+i)), 200))
	}
	return parts
}

// unbound serves the zone with more lines of configuration.
func unbound(t *testing.T, more string) {
	t.Helper()
	records := []string{
		"peer.test. A " + hostIP, "peer.test. AAAA 2001:db8::1", "alias.test. CNAME peer.test.", "test. MX 10 peer.test.",
		"_echo._tcp.test. SRV 0 0 7 peer.test.", `big.test. TXT "` + strings.Join(bigText(), `" "`) + `"`,
		"1.0.0.10.in-addr.arpa. PTR peer.test.",
	}
	config := fmt.Sprintf("server:\n interface: %s\n do-daemonize: no\n use-syslog: no\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n"+
		" access-control: 10.0.0.0/24 allow\n module-config: iterator\n local-zone: test. static\n local-zone: 0.0.10.in-addr.arpa. static\n%s", hostIP, more)
	for _, r := range records {
		config += fmt.Sprintf(" local-data: '%s'\n", r)
	}
	config += "remote-control:\n control-enable: no\n"
	path := filepath.Join(t.TempDir(), "unbound.conf")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	serve(t, "udp", 53, command(t, "unbound", "-d", "-c", path))
}

// asking is a stack that asks the server at the host's end.
func asking(t *testing.T) *socketapi.Stack {
	s := plain(t)
	s.SetNameServers(socketapi.NameServers{Source: socketapi.NamesConfig, Servers: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(hostIP), 0)}})
	return s
}

// The stack's resolver gets from the servers that others have written what they know: addresses, names, the other records, an answer that
// is too large for UDP. DNS-001, DNS-019, DNS-026, DNS-035.
func TestNameServers(t *testing.T) {
	for name, start := range nameServers {
		t.Run(name, func(t *testing.T) {
			netns.NeedTool(t, name)
			s := asking(t)
			start(t)
			r, ctx := s.Resolver(), t.Context()
			h, err := r.Lookup(ctx, "ip", "alias.test")
			require.NoError(t, err)
			require.Equal(t, "[10.0.0.1 2001:db8::1] peer.test", fmt.Sprint(h.Addrs, " ", h.Canonical))
			names, err := r.LookupAddr(ctx, hostIP)
			require.NoError(t, err)
			require.Equal(t, []string{"peer.test."}, names)
			mx, err := r.LookupMX(ctx, "test")
			require.NoError(t, err)
			require.Equal(t, []*net.MX{{Host: "peer.test.", Pref: 10}}, mx)
			_, srv, err := r.LookupSRV(ctx, "echo", "tcp", "test")
			require.NoError(t, err)
			require.Equal(t, "peer.test.:7", fmt.Sprintf("%s:%d", srv[0].Target, srv[0].Port))
			text, err := r.LookupTXT(ctx, "big.test")
			require.NoError(t, err)
			require.Equal(t, []string{strings.Join(bigText(), "")}, text)
			require.EqualValues(t, 1, r.Stats().Truncated.Value())
			_, err = r.LookupHost(ctx, "nobody.test")
			require.ErrorIs(t, err, dns.ErrNoName)
			_, err = r.LookupTXT(ctx, "peer.test")
			require.ErrorIs(t, err, dns.ErrNoData)
		})
	}
}

// DNS over TLS with unbound: the resolver believes the certificate of the server's name only.
func TestNameServerOverTLS(t *testing.T) {
	netns.NeedTool(t, "unbound")
	s := plain(t)
	dir := t.TempDir()
	key, certificate := filepath.Join(dir, "key"), filepath.Join(dir, "pem")
	roots := newCertificate(t, "names.test", key, certificate)
	unbound(t, fmt.Sprintf(" interface: %s@853\n tls-service-key: %s\n tls-service-pem: %s\n", hostIP, key, certificate))
	wait(t, "unbound listens for TLS", func() bool { return listens(t, "tcp", 853) })
	for server, works := range map[string]bool{"names.test": true, "other.test": false} {
		r := dns.New(dns.Config{
			Settings: dns.Settings{Servers: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(hostIP), 0)}},
			Dial:     s.DialContext,
			Secure:   func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{ServerName: server, RootCAs: roots}) },
		})
		_, err := r.Query(t.Context(), "peer.test.", dnsmessage.TypeA)
		if works {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "certificate is valid for names.test")
		}
		r.Close()
	}
}

// The same by a flag, with the certificates that the machine trusts.
func TestUpWithDNSOverTLS(t *testing.T) {
	netns.NeedTool(t, "unbound")
	dir := t.TempDir()
	key, certificate := filepath.Join(dir, "key"), filepath.Join(dir, "pem")
	newCertificate(t, "names.test", key, certificate)
	t.Setenv("SSL_CERT_FILE", certificate)
	n := up(t, "--dns", hostIP, "--dns-tls", "names.test")
	unbound(t, fmt.Sprintf(" interface: %s@853\n tls-service-key: %s\n tls-service-pem: %s\n", hostIP, key, certificate))
	wait(t, "unbound listens for TLS", func() bool { return listens(t, "tcp", 853) })
	require.Contains(t, n.succeed("", "ping", "-c", "1", "alias.test"), "\n64 bytes from peer.test (10.0.0.1): ")
	require.Regexp(t, `dns\.out\.udp +0 `, n.succeed("", "netstat", "-s"))
}

// newCertificate writes a key and a certificate of a name, and returns the pool that trusts it.
func newCertificate(t *testing.T, name, keyPath, path string) *x509.CertPool {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(path, kind string, der []byte) {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write(keyPath, "PRIVATE KEY", private)
	write(path, "CERTIFICATE", der)
	roots := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots.AddCert(parsed)
	return roots
}

// unlimitedICMP makes the host report every unreachable port until the test ends.
func unlimitedICMP(t *testing.T) {
	t.Helper()
	const file = "/proc/sys/net/ipv4/icmp_ratelimit"
	old, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("0"), 0))
	t.Cleanup(func() { os.WriteFile(file, old, 0) })
}

// Every command takes a name, ping and traceroute print names, and a name that nobody knows is one line.
func TestCommandsTakeNames(t *testing.T) {
	netns.NeedTool(t, "dnsmasq")
	n := up(t, "--dns", hostIP)
	unlimitedICMP(t)
	nameServers["dnsmasq"](t)
	serve(t, "tcp", 7, command(t, "socat", "TCP-LISTEN:7,fork,reuseaddr", "EXEC:cat"))
	out := n.succeed("", "ping", "-c", "1", "alias.test")
	require.Contains(t, out, "PING peer.test (10.0.0.1) 56(84) bytes of data.\n64 bytes from peer.test (10.0.0.1): icmp_seq=1 ")
	require.Contains(t, n.succeed("", "ping", "-n", "-c", "1", "peer.test"), "\n64 bytes from 10.0.0.1: icmp_seq=1 ")
	require.Contains(t, n.succeed("", "traceroute", "alias.test"), "\n 1  peer.test (10.0.0.1)  ")
	require.Contains(t, n.succeed("", "traceroute", "-n", "peer.test"), "\n 1  10.0.0.1  ")
	require.Equal(t, "hello\n", n.succeed("", "echo", "peer.test", "hello"))
	require.Equal(t, "over", n.succeed("over", "nc", "alias.test", "7"))
	for line, want := range map[string]string{
		"nc nobody.test 7":   "tunstack: lookup nobody.test: no such host (NXDOMAIN)\n",
		"ping nobody.test":   "tunstack: lookup nobody.test: no such host (NXDOMAIN)\n",
		"ping -6 4.test":     "tunstack: lookup 4.test: no such host (NXDOMAIN)\n",
		"traceroute other.x": "tunstack: lookup other.x: 10.0.0.1: refused (REFUSED)\n", // dnsmasq has nobody to ask
	} {
		out, status := run(t, n.command(strings.Fields(line)...))
		require.Equal(t, 1, status)
		require.Equal(t, want, out)
	}
}

// Without a server at the address that --dns names, the error says so at once.
func TestNoNameServer(t *testing.T) {
	n := up(t, "--dns", hostIP, "--dns", "10.0.0.1:5353")
	unlimitedICMP(t)
	out, status := run(t, n.command("nc", "peer.test", "7"))
	require.Equal(t, 1, status)
	require.Equal(t, "tunstack: lookup peer.test: 10.0.0.1: connection refused, then connection refused; "+
		"10.0.0.1:5353: connection refused, then connection refused\n", out)
}
