package socketapi

import (
	"bufio"
	"iter"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// files are the paths of the machine's hosts and services files.
type files struct{ hosts, services string }

var machineFiles = files{"/etc/hosts", "/etc/services"}

// lines yields the words of each non-empty line of a file, without comments. It yields nothing for an unreadable file.
func lines(path string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		f, err := os.Open(path)
		if err != nil {
			return
		}
		defer f.Close()
		for scan := bufio.NewScanner(f); scan.Scan(); {
			text, _, _ := strings.Cut(scan.Text(), "#")
			if words := strings.Fields(text); len(words) > 1 && !yield(words) {
				return
			}
		}
	}
}

// host finds a name's addresses of both families and its first name there.
func (f files) host(name string) (addrs []netip.Addr, canonical string) {
	name = strings.TrimSuffix(name, ".")
	for words := range lines(f.hosts) {
		addr, err := netip.ParseAddr(words[0])
		if err != nil || !containsFold(words[1:], name) {
			continue
		}
		if addrs == nil {
			canonical = words[1]
		}
		if !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs, canonical
}

func containsFold(words []string, name string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, name) })
}

// service finds the port of a service name or alias.
func (f files) service(name, transport string) (uint16, bool) {
	for words := range lines(f.services) {
		number, proto, _ := strings.Cut(words[1], "/")
		if proto != transport || words[0] != name && !slices.Contains(words[2:], name) {
			continue
		}
		if n, err := strconv.ParseUint(number, 10, 16); err == nil {
			return uint16(n), true
		}
	}
	return 0, false
}
