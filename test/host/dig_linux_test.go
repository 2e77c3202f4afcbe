package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
)

// exampleZone is a zone in the format of master files, with records of many types.
const exampleZone = `$ORIGIN example.com.
$TTL 300
@ SOA ns hostmaster 1 7200 3600 86400 300
@ NS ns
@ A 192.0.2.1
@ AAAA 2001:db8::1
@ MX 10 mail
@ TXT "hello world" "semi;colon \"quoted\" \007"
@ CAA 0 issue "le.org"
@ HINFO "a machine" "b"
@ NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
@ DNSKEY 257 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU=
ns A 192.0.2.53
mail A 192.0.2.25
www CNAME @
averyveryverylongnameindeedxx A 192.0.2.2
abcdefghijk A 192.0.2.2
a\ b TXT "a name with a blank"
_sip._tcp SRV 1 2 5060 sip
sub NS ns.sub
sub DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
ns.sub A 192.0.2.54
x SSHFP 1 1 123456789abcdef67890123456789abcdef67890
x TLSA 3 1 1 0d6fce13243aa7d14d0d6fce13243aa7d14d0d6fce13243aa7d14d0d6fce1324
x TYPE65280 \# 4 0A000001
x SVCB 1 . alpn="h2,h3" port=8004 ipv4hint=192.0.2.1
large TXT ( "%[1]s" "%[1]s" "%[1]s" "%[1]s" "%[1]s" "%[1]s" )
`

// namedExample starts bind9's server for the zone at the host's address.
func namedExample(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("zone", fmt.Sprintf(exampleZone, strings.Repeat("x", 250)))
	write("reverse", "$TTL 300\n@ SOA ns.example.com. hostmaster.example.com. 1 7200 3600 86400 300\n@ NS ns.example.com.\n1 PTR example.com.\n")
	write("named.conf", fmt.Sprintf(`
options { directory "%s"; listen-on { %s; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; recursion no; dnssec-validation no;
  minimal-responses no; answer-cookie yes; version "bind"; check-names master ignore; };
controls { };
zone "example.com" { type master; file "zone"; check-names ignore; };
zone "2.0.192.in-addr.arpa" { type master; file "reverse"; };
`, dir, hostIP))
	serve(t, "udp", 53, command(t, "named", "-g", "-n", "1", "-c", filepath.Join(dir, "named.conf")))
}

// unboundExample starts unbound with some records at the host's address.
func unboundExample(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "unbound.conf")
	require.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf(`
server:
  chroot: ""
  username: ""
  directory: "%s"
  pidfile: ""
  interface: %s
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  use-syslog: no
  logfile: ""
  module-config: "iterator"
  local-zone: "example.com." static
  local-data: "example.com. 300 IN SOA ns.example.com. hostmaster.example.com. 1 7200 3600 86400 300"
  local-data: "example.com. 300 IN A 192.0.2.1"
  local-data: "example.com. 300 IN AAAA 2001:db8::1"
  local-data: "example.com. 300 IN MX 10 mail.example.com."
  local-data: "www.example.com. 300 IN CNAME example.com."
  local-data-ptr: "192.0.2.1 example.com"
  local-zone: "refused.test." refuse
`, filepath.Dir(file), hostIP)), 0o644))
	serve(t, "udp", 53, command(t, "unbound", "-c", file))
}

// dnsmasqExample starts dnsmasq with some records at the host's address.
func dnsmasqExample(t *testing.T) {
	t.Helper()
	serve(t, "udp", 53, command(t, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--no-resolv", "--no-hosts",
		"--listen-address="+hostIP, "--bind-interfaces", "--local=/example.com/", "--host-record=example.com,192.0.2.1,2001:db8::1,300",
		"--mx-host=example.com,mail.example.com,10", "--cname=www.example.com,example.com", "--txt-record=example.com,hello world,two"))
}

// maskings replace what differs from run to run in the output of dig and host, and the name of the program.
var maskings = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`, id: \d+`), ", id: *"},
	{regexp.MustCompile(`; <<>> .* <<>>`), "; <<>> dig <<>>"},
	{regexp.MustCompile(`Query time: \d+`), "Query time: *"},
	{regexp.MustCompile(`WHEN: .*`), "WHEN: *"},
	{regexp.MustCompile(`COOKIE: [0-9a-f]+`), "COOKIE: *"},
	{regexp.MustCompile(`in \d+ ms`), "in * ms"},
}

func masked(out string) string {
	for _, m := range maskings {
		out = m.what.ReplaceAllString(out, m.with)
	}
	return out
}

// Our dig and host print the same as those of bind9, and exit with the same status, for the same servers.
func TestDigAndHostAreBINDs(t *testing.T) {
	all := []string{
		"dig @10.0.0.1 example.com", "dig @10.0.0.1 www.example.com +short", "dig @10.0.0.1 example.com mx +noall +answer +question",
		"dig @10.0.0.1 nosuch.example.com +dnssec", "dig @10.0.0.1 -x 192.0.2.1", "dig @10.0.0.1 example.com +tcp +noedns",
		"dig @10.0.0.1 example.com AAAA +norecurse +nocookie", "dig @10.0.0.1 refused.test", "dig @10.0.0.1 www.example.com A +nocmd +nostats",
		"dig @10.0.0.1 -p 54 example.com +tries=1", "dig @10.0.0.1 -t mx -q example.com +nocomments", "dig @10.0.0.1 foo.local",
		"host example.com 10.0.0.1", "host -t mx example.com 10.0.0.1", "host www.example.com 10.0.0.1", "host 192.0.2.1 10.0.0.1",
		"host nosuch.example.com 10.0.0.1", "host -v -t a example.com 10.0.0.1", "host -t srv example.com 10.0.0.1", "host -T example.com 10.0.0.1",
		"host refused.test 10.0.0.1", "host -W 1 -t a example.com 10.0.0.9", "host -r example.com 10.0.0.1",
	}
	for name, server := range map[string]struct {
		start func(*testing.T)
		more  []string
	}{
		"bind9": {namedExample, []string{
			"dig @10.0.0.1 example.com ANY", "dig @10.0.0.1 example.com txt", "dig @10.0.0.1 large.example.com txt", "dig @10.0.0.1 large.example.com txt +ignore",
			"dig @10.0.0.1 example.com dnskey", "dig @10.0.0.1 host.sub.example.com", "dig @10.0.0.1 sub.example.com ds", "dig @10.0.0.1 x.example.com sshfp +short",
			"dig @10.0.0.1 x.example.com tlsa", "dig @10.0.0.1 x.example.com TYPE65280", "dig @10.0.0.1 x.example.com svcb",
			"dig @10.0.0.1 example.com caa", "dig @10.0.0.1 example.com naptr", "dig @10.0.0.1 example.com hinfo", "dig @10.0.0.1 example.com soa",
			`dig @10.0.0.1 a\032b.example.com txt`, "dig @10.0.0.1 averyveryverylongnameindeedxx.example.com", "dig @10.0.0.1 abcdefghijk.example.com +nottlid",
			"dig @10.0.0.1 version.bind txt ch", "dig @10.0.0.1 example.com +edns=1", "dig @10.0.0.1 example.com +nsid +bufsize=4096", "dig @10.0.0.1 example.com axfr +tcp +nothing",
			"host -a example.com 10.0.0.1", "host -t caa example.com 10.0.0.1", "host -t dnskey example.com 10.0.0.1", "host -t txt large.example.com 10.0.0.1",
		}},
		"unbound": {unboundExample, nil},
		"dnsmasq": {dnsmasqExample, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := up(t)
			server.start(t)
			for _, line := range append(all, server.more...) {
				words := strings.Fields(line)
				theirs, status := run(t, command(t, words[0], words[1:]...))
				ours, got := run(t, n.command(words...))
				if status == 1 && words[0] == "dig" { // the words of a wrong command line are our own
					require.Equal(t, status, got, line)
					continue
				}
				require.Equal(t, masked(theirs), masked(ours), line)
				require.Equal(t, status, got, line)
			}
		})
	}
}

// DNS-036, DNS-043: dig, host and the C library of the host find the names of the stack by its dns service, in both transports.
func TestDNSService(t *testing.T) {
	n := up(t, "--dns", "none")
	require.Contains(t, n.succeed("", "ping", "-c", "1", "tunstack.internal"), "PING tunstack.internal (10.0.0.2)")
	for line, want := range map[string]string{
		"dig @10.0.0.2 tunstack.internal +short":                             "10.0.0.2\n",
		"dig @10.0.0.2 tunstack.internal +short +tcp":                        "10.0.0.2\n",
		"dig @10.0.0.2 host.tunstack.internal +short":                        "10.0.0.1\n",
		"dig @10.0.0.2 -x 10.0.0.2 +short":                                   "tunstack.internal.\n",
		"host 10.0.0.1 10.0.0.2":                                             "domain name pointer host.tunstack.internal.\n",
		"host -t mx tunstack.internal 10.0.0.2":                              "tunstack.internal has no MX record\n",
		"dig @10.0.0.2 nosuch.tunstack.internal +noall +comments +authority": "status: NXDOMAIN",
	} {
		words := strings.Fields(line)
		require.Contains(t, succeed(t, words[0], words[1:]...), want, line)
	}
	out, status := run(t, command(t, "host", "example.com", stackIP))
	require.Equal(t, 1, status, out)
	require.Contains(t, out, "not found: 5(REFUSED)")
}

// With --dns-forward the service asks the named servers for other names.
func TestDNSForward(t *testing.T) {
	up(t, "--dns-forward", hostIP)
	namedExample(t)
	require.Equal(t, "192.0.2.1\n", succeed(t, "dig", "@"+stackIP, "example.com", "+short"))
	require.Equal(t, "10.0.0.2\n", succeed(t, "dig", "@"+stackIP, "tunstack.internal", "+short"))
	direct := succeed(t, "dig", "@"+hostIP, "large.example.com", "TXT", "+short")
	require.Equal(t, direct, succeed(t, "dig", "@"+stackIP, "large.example.com", "TXT", "+short"), "over TCP, because it is truncated")
	out := succeed(t, "dig", "@"+stackIP, "nosuch.example.com")
	require.Contains(t, out, "status: NXDOMAIN")
	require.Contains(t, out, "SOA")
}

// In a sandbox the stack has its name for every program.
func TestNamesInSandbox(t *testing.T) {
	out, status := sandbox(t, "getent ahosts tunstack.internal")
	require.Zero(t, status, out)
	require.Regexp(t, `(?m)^10\.0\.0\.2 +STREAM`, out)
	out, status = sandbox(t, "getent hosts 10.0.0.2")
	require.Zero(t, status, out)
	require.Regexp(t, `(?m)^10\.0\.0\.2 +tunstack\.internal$`, out)
	out, status = sandbox(t, "curl -sS http://tunstack.internal/")
	require.Zero(t, status, out)
	require.Contains(t, out, "<h1>tunstack</h1>")
	out, status = sandbox(t, "ping -c 1 host.tunstack.internal")
	require.Zero(t, status, out)
	out, status = sandbox(t, "tunstack ping -c 1 host.tunstack.internal")
	require.Zero(t, status, out)
	out, status = sandbox(t, "tunstack host tunstack.internal")
	require.Zero(t, status, out)
	require.Contains(t, out, "tunstack.internal has address 10.0.0.2\n")
}

// oneShot asks the hosts on a device for a name, as a plain client of DNS does (RFC 6762 section 5.1), and returns the data of the first
// answer.
func oneShot(t *testing.T, group, name string, qtype uint16) string {
	t.Helper()
	c, err := net.ListenUDP("udp", nil)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(200*time.Millisecond)))
	q := new(dns.Msg).SetQuestion(name, qtype)
	b, err := q.Pack()
	require.NoError(t, err)
	_, err = c.WriteToUDPAddrPort(b, netip.MustParseAddrPort(group))
	require.NoError(t, err)
	b = make([]byte, dns.MaxMsgSize)
	n, _, err := c.ReadFrom(b)
	m := new(dns.Msg)
	if err != nil || m.Unpack(b[:n]) != nil || m.Id != q.Id || len(m.Answer) == 0 {
		return ""
	}
	return strings.TrimPrefix(m.Answer[0].String(), m.Answer[0].Header().String())
}

const group4 = "224.0.0.251:5353"

// multicast lets the host send to multicast groups by an interface.
func multicast(t *testing.T, device string) {
	t.Helper()
	succeed(t, "ip", "route", "add", "224.0.0.0/4", "dev", device)
}

// MDNS-008, MDNS-013: A host finds the stack by a one-shot query to the group, on TUN and TAP.
func TestMulticastDNS(t *testing.T) {
	for name, flags := range kinds {
		t.Run(name, func(t *testing.T) {
			up(t, append([]string{"--mdns"}, flags...)...)
			multicast(t, flags[1])
			wait(t, "the stack answers", func() bool { return oneShot(t, group4, "tunstack.local.", dns.TypeA) == stackIP })
			require.Equal(t, "tunstack.local.", oneShot(t, group4, "2.0.0.10.in-addr.arpa.", dns.TypePTR))
		})
	}
}

// withAvahi runs a shell script beside avahi, the responder of most Linux systems, in a mount namespace where the C library asks it for names in
// local. avahi runs on an interface, with a name, until the script ends. READY waits until it answers.
func withAvahi(t *testing.T, device, name, script string) *exec.Cmd {
	t.Helper()
	netns.NeedTool(t, "avahi-daemon")
	if found, err := filepath.Glob("/usr/lib/*/libnss_mdns4_minimal.so.2"); err != nil || len(found) == 0 {
		netns.Missing(t, "libnss_mdns4_minimal")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("avahi.conf", fmt.Sprintf("[server]\nhost-name=%s\nallow-interfaces=%s\nallow-point-to-point=yes\nenable-dbus=no\nuse-ipv6=no\n[publish]\npublish-workstation=no\n",
		name, device))
	write("nsswitch.conf", "hosts: files mdns4_minimal [NOTFOUND=return] dns\n")
	return command(t, "unshare", "-m", "sh", "-c", `mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf || exit 99
avahi-daemon -f "$1/avahi.conf" --no-drop-root --no-chroot --no-rlimits >"$1/log" 2>&1 &
avahi=$!
found() { for i in $(seq 100); do getent hosts "$1" && return; sleep 0.1; done; cat "$dir/log"; return 1; }
dir=$1
`+script+`
status=$?
kill $avahi
exit $status`, "sh", dir)
}

// The host's ping finds the stack by its name in local, and the stack finds the host.
func TestPingLocal(t *testing.T) {
	n := up(t, "--mdns", "--tap")
	multicast(t, "tap0")
	avahi := withAvahi(t, "tap0", "machine", "found tunstack.local && ping -c 1 tunstack.local && read line")
	c := talkTo(t, avahi)
	c.hear("1 packets transmitted, 1 received")
	wait(t, "avahi answers the stack", func() bool {
		out, _ := run(t, n.command("dig", "@224.0.0.251", "-p", "5353", "machine.local", "+short", "+time=1", "+tries=1"))
		return out == hostIP+"\n"
	})
	require.Contains(t, n.succeed("", "ping", "-c", "1", "machine.local"), "PING machine.local (10.0.0.1)")
	c.say("")
	require.Zero(t, c.end(), c.out.String())
}

// Two hosts that want the same name get different ones.
func TestNameConflictWithAvahi(t *testing.T) {
	up(t, "--mdns", "--tap")
	multicast(t, "tap0")
	c := talkTo(t, withAvahi(t, "tap0", "tunstack", "found tunstack.local && read line"))
	wait(t, "both have names", func() bool {
		one, other := oneShot(t, group4, "tunstack.local.", dns.TypeA), oneShot(t, group4, "tunstack-2.local.", dns.TypeA)
		return one == stackIP && other == hostIP || one == hostIP && other == stackIP
	})
	c.say("")
	c.end()
}
