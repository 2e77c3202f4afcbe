package socketapi

import (
	"bufio"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
)

// servicesFile is the path of a file in the format of services(5).
type servicesFile string

// rows yields the words of each non-empty line without comments. It yields nothing for an unreadable file.
func (f servicesFile) rows() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		file, err := os.Open(string(f))
		if err != nil {
			return
		}
		defer file.Close()
		for scan := bufio.NewScanner(file); scan.Scan(); {
			text, _, _ := strings.Cut(scan.Text(), "#")
			if words := strings.Fields(text); len(words) > 1 && !yield(words) {
				return
			}
		}
	}
}

// named finds the port of a service name or alias.
func (f servicesFile) named(name, transport string) (uint16, bool) {
	for words := range f.rows() {
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

// port finds the port that a service, a number or a name, stands for over a transport.
func (f servicesFile) port(service, transport string) (uint16, bool) {
	if service == "" {
		return 0, true
	}
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return uint16(n), true
	}
	return f.named(service, transport)
}

// at returns the name of the service at a port, or "" without a name.
func (f servicesFile) at(port uint16, transport string) string {
	want := strconv.Itoa(int(port)) + "/" + transport
	for words := range f.rows() {
		if slices.Index(words, want) == 1 {
			return words[0]
		}
	}
	return ""
}
