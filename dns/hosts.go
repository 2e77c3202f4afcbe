package dns

import (
	"bufio"
	"cmp"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// hostsFile is the table of hosts(5). It is read again when the file has changed.
type hostsFile struct {
	path string

	mu      sync.Mutex
	changed time.Time // the file's time of change
	size    int64
	table   *hostsTable
}

// hostsTable has names in the form of fold, and addresses without zones.
type hostsTable struct {
	byName map[string][]hostsEntry
	byAddr map[netip.Addr][]string
}

// hostsEntry is a line of the file: an address and its first name.
type hostsEntry struct {
	addr      netip.Addr
	canonical string
}

// current is the table as the file is now; an unreadable file has no names.
func (f *hostsFile) current() *hostsTable {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if f.table != nil && err == nil && info.ModTime().Equal(f.changed) && info.Size() == f.size {
		return f.table
	}
	f.table = &hostsTable{map[string][]hostsEntry{}, map[netip.Addr][]string{}}
	if err == nil {
		f.changed, f.size = info.ModTime(), info.Size()
		f.table.load(f.path)
	}
	return f.table
}

func (t *hostsTable) load(path string) {
	file, err := os.Open(path)
	if err != nil {
		return // as if it did not exist
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) < 2 {
			continue
		}
		if addr, err := netip.ParseAddr(words[0]); err == nil {
			t.add(addr.Unmap(), words[1:])
		}
	}
}

func (t *hostsTable) add(addr netip.Addr, names []string) {
	key := addr.WithZone("")
	t.byAddr[key] = append(t.byAddr[key], names...)
	for _, name := range names {
		known := t.byName[fold(name)]
		if !slices.ContainsFunc(known, func(e hostsEntry) bool { return e.addr == addr }) {
			t.byName[fold(name)] = append(known, hostsEntry{addr, names[0]})
		}
	}
}

// host returns the addresses of a name that are wanted, and the first name that the first of them has in the file.
func (f *hostsFile) host(name string, wanted func(netip.Addr) bool) (h Host) {
	for _, e := range f.current().byName[fold(name)] {
		if wanted(e.addr) {
			h.Canonical = cmp.Or(h.Canonical, e.canonical)
			h.Addrs = append(h.Addrs, e.addr)
		}
	}
	return h
}

// addr returns the names of an address, the first of the file first.
func (f *hostsFile) addr(a netip.Addr) []string {
	return slices.Clone(f.current().byAddr[a.Unmap().WithZone("")])
}
