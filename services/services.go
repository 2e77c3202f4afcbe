// Package services holds the small servers of `tunstack up`. Each is one short file, written against net.Listener,
// net.PacketConn and net.Conn alone, so that it runs over our stack, over the kernel's sockets or over a pipe in a test, and
// shows how a program uses the stack.
package services

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Name is the stack's name, which the web page has and package dns resolves.
const Name = "tunstack.internal"

// Service is one server. It has a function for each transport that it supports; the function serves any number of clients until
// l or p is closed, ends all their connections, and returns when all its goroutines have ended.
type Service struct {
	Name string // as in --services
	Port uint16
	Doc  string // its function, in half a line

	// Named services run only if --services names them, because not every network wants them.
	Named bool

	TCP func(l net.Listener)
	UDP func(p net.PacketConn)
}

// All returns the services in the order of their ports. The http service shows of.
func All(of Observed) []Service {
	return []Service{
		{Name: "echo", Port: 7, Doc: "sends back all data that it receives (RFC 862)", TCP: EachConn(cheap, echo), UDP: eachDatagram(echoDatagram)},
		{Name: "discard", Port: 9, Doc: "discards all data that it receives (RFC 863)", TCP: EachConn(cheap, discard), UDP: eachDatagram(discardDatagram)},
		{Name: "daytime", Port: 13, Doc: "sends the date and time (RFC 867)", TCP: EachConn(cheap, daytime), UDP: eachDatagram(daytimeDatagram)},
		{Name: "chargen", Port: 19, Doc: "sends characters without end (RFC 864)", TCP: EachConn(cheap, chargen)},
		{Name: "http", Port: 80, Doc: "shows this stack's state as a web page", TCP: web(of)},
		{Name: "knock", Port: 1414, Doc: "listens to knock-knock jokes", TCP: EachConn(typed, knockKnock)},
		{Name: "upper", Port: 12000, Doc: "answers one line in upper case", TCP: EachConn(typed, upper)},
		{Name: "upper-udp", Port: 54321, Doc: "answers each datagram in upper case", UDP: eachDatagram(upperDatagram)},
	}
}

// Names lists the names of services.
func Names(services []Service) []string {
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.Name
	}
	return names
}

// Pick returns the services in list: names with commas between, "all" or "none". The result has the order of services. The
// error for an unknown name lists the known ones.
func Pick(services []Service, list string) ([]Service, error) {
	switch list {
	case "all":
		return slices.DeleteFunc(slices.Clone(services), func(s Service) bool { return s.Named }), nil
	case "none", "":
		return nil, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(Names(services), name) {
			return nil, fmt.Errorf("unknown service %q; valid: %s, all, none", name, strings.Join(Names(services), ", "))
		}
		wanted[name] = true
	}
	return slices.DeleteFunc(slices.Clone(services), func(s Service) bool { return !wanted[s.Name] }), nil
}

// String is the service's line in the list of `tunstack up`: "echo       7/tcp 7/udp      sends back all data that it receives".
func (s Service) String() string {
	var ports []string
	if s.TCP != nil {
		ports = append(ports, fmt.Sprintf("%d/tcp", s.Port))
	}
	if s.UDP != nil {
		ports = append(ports, fmt.Sprintf("%d/udp", s.Port))
	}
	return fmt.Sprintf("%-10s %-14s %s", s.Name, strings.Join(ports, " "), s.Doc)
}
