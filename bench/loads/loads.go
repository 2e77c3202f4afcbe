// Package loads is the client: the host kernel's sockets, used the same way against every stack.
package loads

import (
	"net/netip"
	"time"
)

// Server is what a load sees of the stack under test.
type Server interface {
	CPU() time.Duration     // used so far
	Resident() (int, error) // bytes
	Collect() error         // give unused memory back
	// Connections is how many the stack has, those in TIME-WAIT apart; negative if it does not tell.
	Connections() (int, error)
}

// Target is what a load is directed at.
type Target struct {
	Server
	Device string        // the interface's name
	Blind  bool          // whoever is behind it acknowledges what the device had no room for, too
	Addr   netip.Addr    // of the stack
	Host   netip.Prefix  // the client's own address and the network it may take others from
	Window time.Duration // how long to measure
}

// Result is what a load measured, by the metrics' names.
type Result map[string]float64

// Pin is where the threads of client and stack may run.
type Pin uint8

const (
	Anywhere Pin = iota
	OneCore      // both on one processor
	Apart        // each on one of its own
)

// Load is one way to use a stack.
type Load struct {
	Name string
	Doc  string
	// Pin is where client and stack may run.
	Pin Pin
	// Impaired: over the bad link.
	Impaired bool
	// Memory: for stacks whose connections are in the process's memory.
	Memory bool
	Run    func(Target) (Result, error)
}

// All returns the loads in the order of the table's rows.
func All() []Load {
	return []Load{
		{Name: "up-1", Doc: "bulk to the stack, 1 connection", Run: upload(1)},
		{Name: "up-8", Doc: "the same, 8 connections", Run: upload(8)},
		{Name: "up-64", Doc: "the same, 64 connections", Run: upload(64)},
		{Name: "down-1", Doc: "bulk from the stack, 1 connection", Run: download(1)},
		{Name: "down-8", Doc: "the same, 8 connections", Run: download(8)},
		{Name: "down-64", Doc: "the same, 64 connections", Run: download(64)},
		{Name: "echo-1", Doc: "TCP echo of 1 byte, 1 connection", Run: echo(1, 1)},
		{Name: "echo-1-core", Doc: "the same with client and stack on one core", Pin: OneCore, Run: echo(1, 1)},
		{Name: "echo-1-apart", Doc: "the same with a core for the client and one for the stack", Pin: Apart, Run: echo(1, 1)},
		{Name: "echo-32", Doc: "TCP echo of 1 byte, 32 connections", Run: echo(32, 32)},
		{Name: "echo-of-10000", Doc: "TCP echo of 1 byte, 32 in flight on 32 and then on 10,000 connections in turn", Run: echoOfMany(32, 10_000)},
		{Name: "udp-32", Doc: "UDP echo, 32 in flight", Run: udpEcho(32)},
		{Name: "connect-rst", Doc: "connect, 1 byte, reset; 16 at a time", Run: connect(16, true)},
		{Name: "connect-fin", Doc: "connect, 1 byte, close; 16 at a time", Run: connect(16, false)},
		{Name: "churn", Doc: "100,000 connections opened and closed, 16 at a time, and what stays behind", Memory: true, Run: churn(100_000, 16)},
		{Name: "ping", Doc: "ping flood, 32 in flight", Run: ping(32)},
		{Name: "idle", Doc: "resident memory of 10,000 idle connections", Memory: true, Run: idle(10_000)},
		{Name: "beside-idle", Doc: "bulk to the stack, 1 connection beside 100,000 idle ones", Memory: true, Run: besideIdle(100_000)},
		{Name: "loss-down", Doc: "bulk from the stack, 16 connections, 1 % loss and 20 ms round trip", Impaired: true, Run: longer(6, download(16))},
	}
}

// longer measures a load for a multiple of the usual time.
func longer(factor time.Duration, load func(Target) (Result, error)) func(Target) (Result, error) {
	return func(t Target) (Result, error) {
		t.Window *= factor
		return load(t)
	}
}
