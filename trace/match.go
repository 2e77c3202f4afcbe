package trace

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Match selects connections.
type Match func(local, remote netip.AddrPort) bool

// ParseMatch returns the Match for connections with the end that text names: "10.0.0.1:80", "10.0.0.1" or ":80". An empty text matches
// all.
func ParseMatch(text string) (Match, error) {
	var addr netip.Addr
	var port uint64
	host, service, err := text, "", error(nil)
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, service = text[:i], text[i+1:]
		if port, err = strconv.ParseUint(service, 10, 16); port == 0 {
			err = strconv.ErrRange
		}
	}
	if host != "" && err == nil {
		addr, err = netip.ParseAddr(host)
	}
	if err != nil {
		return nil, fmt.Errorf("invalid endpoint %q: it must be ADDR:PORT, ADDR or :PORT", text)
	}
	is := func(a netip.AddrPort) bool {
		return (host == "" || addr == a.Addr()) && (port == 0 || uint16(port) == a.Port())
	}
	return func(local, remote netip.AddrPort) bool { return is(local) || is(remote) }, nil
}
