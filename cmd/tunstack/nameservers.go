package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tunstack/dns"
	"tunstack/ip"
	"tunstack/socketapi"
)

// resolvConf are the files with the machine's name servers. Where systemd-resolved is in use the first one names only its port on the
// machine's loopback, and the second one the servers behind it.
var resolvConf = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// noDNS is the --dns that makes the stack ask no server.
const noDNS = "none"

// nameServers reads --dns-forward and --dns. Without the latter the stack asks the machine's servers, and in a sandbox, which cannot reach
// them, its own.
func (c *upConfig) nameServers(f *upFlags) (err error) {
	if c.forward, err = parseServers("--dns-forward", f.forward); err != nil {
		return err
	}
	for _, server := range c.forward {
		if server.Addr() == c.addr.Addr() {
			return usage("--dns-forward %s: it is the stack's address", server.Addr())
		}
	}
	c.dnsTLS = f.dnsTLS
	switch {
	case f.dnsTLS != "" && (len(f.dns) == 0 || slices.Contains(f.dns, noDNS)):
		return usage("--dns-tls %s: it needs the address of a server that speaks DNS over TLS (--dns)", f.dnsTLS)
	case slices.Contains(f.dns, noDNS) && len(f.dns) > 1:
		return usage("--dns none: it excludes other servers")
	case slices.Contains(f.dns, noDNS):
		return nil
	case len(f.dns) == 0 && !f.sandbox:
		c.machineNames = machineNames(resolvConf)
		return nil
	}
	c.ownNames = len(f.dns) == 0
	c.dnsServers, err = parseServers("--dns", f.dns)
	return err
}

// parseServers reads the addresses of name servers, perhaps with a port, that a flag lists.
func parseServers(flag string, texts []string) (servers []netip.AddrPort, err error) {
	for _, text := range texts {
		server, err := netip.ParseAddrPort(text)
		if addr, plain := netip.ParseAddr(text); plain == nil {
			server, err = netip.AddrPortFrom(addr, 0), nil
		}
		switch a := server.Addr(); {
		case err != nil:
			return nil, usage("%s %s: it must be the address of a name server, perhaps with a port", flag, text)
		case a.IsLoopback():
			return nil, usage("%s %s: on the stack this is the stack itself; it cannot reach a server on the host's loopback", flag, text)
		case a.IsUnspecified() || a.IsMulticast() || a.Is4In6():
			return nil, usage("%s %s: no server can have this address", flag, text)
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// overTLS makes connections to the name servers of a name; nil without one.
func overTLS(name string) func(net.Conn) net.Conn {
	if name == "" {
		return nil
	}
	return func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{ServerName: name}) }
}

// onLink returns the servers with the stack's only link as the zone of link-local addresses without one.
func onLink(servers []netip.AddrPort, link string) (list []netip.AddrPort) {
	for _, s := range servers {
		if a := s.Addr(); ip.IsLinkLocal6(a) && a.Zone() == "" {
			s = netip.AddrPortFrom(a.WithZone(link), s.Port())
		}
		list = append(list, s)
	}
	return list
}

// unreachable reports whether a server of the machine cannot be reached by the stack: it is on the machine's loopback or on one of its links.
func unreachable(server netip.AddrPort) bool {
	a := server.Addr()
	return a.IsLoopback() || a.IsUnspecified() || ip.IsLinkLocal6(a)
}

// machineNames reads the first of the files that names a server which the stack can perhaps reach, without the others. As in glibc, a file that cannot be read names none.
func machineNames(paths []string) dns.Settings {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		s, err := dns.ParseResolvConf(f)
		f.Close()
		s.Servers = slices.DeleteFunc(s.Servers, unreachable)
		if err == nil && len(s.Servers) > 0 {
			return s
		}
	}
	return dns.Settings{}
}

func (a *app) resolverCommand() *cobra.Command {
	return tableCommand(a, &cobra.Command{
		Use:   "resolver",
		Short: "Show which name servers the stack asks",
		Long: `Shows the name servers and search domains that the stack knows, a line for each source: the configuration (--dns), DHCP, the
routers of an interface, the machine, the stack itself. The first line with servers is in use; DHCP and routers count as one. The same holds for
search domains. "netstat -s" has the resolver's counters.`,
		Example: "  tunstack resolver\n  tunstack resolver --json",
	}, "nameservers", printNameServers)
}

func printNameServers(w io.Writer, rows []socketapi.NameServers) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "Source\tInterface\tServers\tSearch")
	for _, r := range rows {
		var servers []string
		for _, s := range r.Servers {
			if s.Port() == 0 {
				servers = append(servers, s.Addr().String())
			} else {
				servers = append(servers, s.String())
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Source, r.Interface, strings.Join(servers, " "), strings.Join(r.Search, " "))
	}
	t.Flush()
}
