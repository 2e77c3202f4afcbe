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

// service is a line of the file.
type service struct {
	names     []string // the aliases behind the name
	port      uint16
	transport string
}

// rows yields the services of the file, none of an unreadable one.
func (f servicesFile) rows() iter.Seq[service] {
	return func(yield func(service) bool) {
		file, err := os.Open(string(f))
		if err != nil {
			return
		}
		defer file.Close()
		for scan := bufio.NewScanner(file); scan.Scan(); {
			if row, ok := parseService(scan.Text()); ok && !yield(row) {
				return
			}
		}
	}
}

// parseService reads "name port/transport alias...", with a comment perhaps.
func parseService(line string) (row service, ok bool) {
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(line)
	if len(words) < 2 {
		return service{}, false
	}
	number, transport, _ := strings.Cut(words[1], "/")
	port, err := strconv.ParseUint(number, 10, 16)
	return service{slices.Delete(words, 1, 2), uint16(port), transport}, err == nil
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

// named finds the port of a service name or alias.
func (f servicesFile) named(name, transport string) (uint16, bool) {
	for row := range f.rows() {
		if row.transport == transport && slices.Contains(row.names, name) {
			return row.port, true
		}
	}
	return 0, false
}

// at returns the name of the service at a port, or "" without a name.
func (f servicesFile) at(port uint16, transport string) string {
	for row := range f.rows() {
		if row.transport == transport && row.port == port {
			return row.names[0]
		}
	}
	return ""
}
