// Package loads is the client: the host kernel's sockets, used in the same way with every stack.
package loads

import (
	"net/netip"
	"time"

	"tunstack/bench/stacks"
)

// Server is the stack under test as seen by a load.
type Server interface {
	CPU() time.Duration     // used so far
	Resident() (int, error) // bytes
	Collect() error         // releases unused memory
	// Connections is the stack's number of connections outside TIME-WAIT; negative if it is unknown.
	Connections() (int, error)
	// Names makes the stack look names up.
	Names(stacks.Names) (map[string]float64, error)
}

// Target is the stack that a load uses.
type Target struct {
	Server
	Device string        // the interface's name
	Blind  bool          // the stack behind it also acknowledges packets that the device dropped
	Addr   netip.Addr    // of the stack
	Host   netip.Prefix  // the client's own address and the network of its further addresses
	Window time.Duration // duration of the measurement
}

// Result holds the results of a load, by the names of the metrics.
type Result map[string]float64

// Pin selects the processors for the threads of client and stack.
type Pin uint8

const (
	Anywhere Pin = iota
	OneCore      // both on one processor
	Apart        // each on its own processor
)

// Load is one way of using a stack.
type Load struct {
	Name string
	Doc  string
	// Pin selects the processors for client and stack.
	Pin Pin
	// Impaired: over the bad link of LossDelay.
	Impaired bool
	// Memory: only for stacks that keep connections in the process's memory.
	Memory bool
	// Resolver: only for stacks that have a resolver.
	Resolver bool
	Run      func(Target) (Result, error)
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
		{Name: "names-again", Doc: "lookups of a name in the cache, one after the other", Resolver: true, Run: namesAgain},
		{Name: "names-burst", Doc: "lookups of 1,000 different names at once, at a server that takes 2 ms for each", Resolver: true, Run: namesBurst(1000)},
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
