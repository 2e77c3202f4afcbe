package dns

import (
	"bufio"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Settings are what resolv.conf(5) says. The zero value has no servers, and glibc's defaults otherwise.
type Settings struct {
	Servers  []netip.AddrPort // in the order in which they are asked; port 0: the usual one
	Search   []string         // domains that are tried behind a short name
	Ndots    int              // names with fewer dots are tried in Search first; 0: 1; below 0: no name is short
	Timeout  time.Duration    // for the first answer of a server, doubled in each further round; 0: 5 s
	Attempts int              // rounds over the servers; 0: 2

	Rotate        bool // begin with another server at each query
	UseTCP        bool // never UDP: the option use-vc
	NoEDNS        bool // no OPT record (RFC 6891), so answers over UDP have at most 512 bytes
	SingleRequest bool // ask for AAAA after the answer for A, not at the same time
	NoAAAA        bool // lookups of addresses ask for A only
	TrustAD       bool // ask whether the server has verified signatures, and believe it: Answer.Authentic
}

// Bounds of glibc, for resolv.conf.
const (
	maxServers  = 3
	maxSearch   = 32
	maxNdots    = 15
	maxTimeout  = 30 * time.Second
	maxAttempts = 5
)

// ParseResolvConf reads a file in the format of resolv.conf(5). As glibc does, it ignores lines and options that it does not know.
// The options edns0 and single-request-reopen change nothing: EDNS0 is always on, and every query has a socket of its own.
func ParseResolvConf(r io.Reader) (Settings, error) {
	var s Settings
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		s.line(lines.Text())
	}
	return s, lines.Err()
}

// line reads one line. A keyword begins in the first column.
func (s *Settings) line(line string) {
	words := strings.Fields(line)
	if len(words) < 2 || !strings.HasPrefix(line, words[0]) {
		return
	}
	switch words[0] {
	case "nameserver":
		if a, err := netip.ParseAddr(words[1]); err == nil && len(s.Servers) < maxServers {
			s.Servers = append(s.Servers, netip.AddrPortFrom(a.Unmap(), 0))
		}
	case "domain":
		s.Search = words[1:2]
	case "search":
		s.Search = words[1:min(len(words), 1+maxSearch)]
	case "options":
		for _, option := range words[1:] {
			s.option(option)
		}
	}
}

func (s *Settings) option(option string) {
	name, text, _ := strings.Cut(option, ":")
	n, err := strconv.Atoi(text)
	if number := name == "ndots" || name == "timeout" || name == "attempts"; number && (err != nil || n < 0) {
		return
	}
	switch name {
	case "ndots":
		if s.Ndots = min(n, maxNdots); n == 0 {
			s.Ndots = -1
		}
	case "timeout":
		s.Timeout = min(time.Duration(max(n, 1))*time.Second, maxTimeout)
	case "attempts":
		s.Attempts = min(max(n, 1), maxAttempts)
	case "rotate":
		s.Rotate = true
	case "use-vc":
		s.UseTCP = true
	case "single-request":
		s.SingleRequest = true
	case "no-aaaa":
		s.NoAAAA = true
	case "trust-ad":
		s.TrustAD = true
	}
}

// complete fills in the defaults. usual is the port of servers without one.
func (s Settings) complete(usual uint16) *Settings {
	if s.Ndots == 0 {
		s.Ndots = 1
	}
	if s.Timeout <= 0 {
		s.Timeout = 5 * time.Second
	}
	if s.Attempts <= 0 {
		s.Attempts = 2
	}
	servers := make([]netip.AddrPort, len(s.Servers))
	for i, server := range s.Servers {
		if server.Port() == 0 {
			server = netip.AddrPortFrom(server.Addr(), usual)
		}
		servers[i] = server
	}
	s.Servers = servers
	return &s
}
