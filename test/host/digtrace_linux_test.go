package host

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// authority starts bind9's server for a zone at an address of the host.
func authority(t *testing.T, addr, zone, records string) {
	t.Helper()
	succeed(t, "ip", "addr", "add", addr+"/32", "dev", "tun0")
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("zone", "$TTL 300\n@ SOA ns.example.com. hostmaster.example.com. 1 7200 3600 86400 300\n"+records)
	write("named.conf", fmt.Sprintf(`
options { directory "%s"; listen-on { %s; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; recursion no; dnssec-validation no; };
controls { };
zone "%s" { type master; file "zone"; };
`, dir, addr, zone))
	c := talkTo(t, command(t, "named", "-g", "-n", "1", "-c", filepath.Join(dir, "named.conf")))
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	c.hear("running")
}

// dig +trace prints the way from the root as bind9's does.
func TestDigTraceIsBINDs(t *testing.T) {
	n := up(t, "--dns", hostIP)
	authority(t, "10.0.0.10", ".", "@ NS a.root.\na.root. A 10.0.0.10\ncom. NS a.gtld.\na.gtld. A 10.0.0.11\n")
	authority(t, "10.0.0.11", "com", "@ NS a.gtld.\nexample NS ns.example\nns.example A 10.0.0.12\n")
	authority(t, "10.0.0.12", "example.com", "@ NS ns\nns A 10.0.0.12\nwww A 192.0.2.80\n")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	hints := write("hints", ". 300 NS a.root.\na.root. 300 A 10.0.0.10\n")
	conf := write("unbound.conf", fmt.Sprintf("server:\n chroot: \"\"\n username: \"\"\n directory: %q\n pidfile: \"\"\n interface: %s\n access-control: 0.0.0.0/0 allow\n"+
		" do-daemonize: no\n use-syslog: no\n logfile: \"\"\n module-config: iterator\n root-hints: %q\n", dir, hostIP, hints))
	c := talkTo(t, command(t, "unbound", "-d", "-c", conf))
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	resolv := write("resolv.conf", "nameserver "+hostIP+"\n")
	wait(t, "unbound answers", func() bool {
		out, status := run(t, command(t, "dig", "@"+hostIP, "www.example.com", "+short", "+time=1", "+tries=1"))
		return status == 0 && out == "192.0.2.80\n"
	})
	for _, name := range []string{"www.example.com", "nosuch.example.com"} {
		theirs := succeed(t, "unshare", "-m", "sh", "-c", "mount --bind "+resolv+" /etc/resolv.conf && exec dig "+name+" +trace")
		ours := n.succeed("", "dig", name, "+trace")
		ttl := regexp.MustCompile(`\t\d+\tIN`)
		mask := func(out string) string { return ttl.ReplaceAllString(masked(out), "\t*\tIN") }
		require.Equal(t, mask(theirs), mask(ours), name)
	}
}
