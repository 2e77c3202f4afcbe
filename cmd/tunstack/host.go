package main

import (
	"iter"
	"slices"

	"tunstack/capture"
	"tunstack/cmd/internal/control"
	"tunstack/dns"
	"tunstack/internal/clock"
)

// host adapts a stack to control.Stack: *socketapi.Stack, the tables and the packets.
type host struct {
	counted
	clock   *clock.Steady
	capture *capture.Capture
	leases  []lessee
}

// Capture implements control.Stack.
func (h host) Capture() *capture.Capture { return h.capture }

// Hold implements control.Stack.
func (h host) Hold() { h.clock.Hold() }

// Release implements control.Stack.
func (h host) Release() { h.clock.Release() }

// Tables implements control.Stack.
func (h host) Tables() map[string]func() iter.Seq[any] {
	return map[string]func() iter.Seq[any]{
		"interfaces":  table(h.Interfaces),
		"routes":      table(h.Routes),
		"neighbors":   table(h.Neighbors),
		"counters":    table(h.Counters),
		"nameservers": table(h.NameServers),
		"resolver":    func() iter.Seq[any] { return control.Rows(slices.Values([]dns.Settings{h.Resolver().Settings()})) },
		"leases":      table(h.Leases),
		"sockets":     func() iter.Seq[any] { return control.Rows(h.AllSockets(false)) },
		"details":     func() iter.Seq[any] { return control.Rows(h.AllSockets(true)) },
	}
}

func table[T any](list func() []T) func() iter.Seq[any] {
	return func() iter.Seq[any] { return control.Rows(slices.Values(list())) }
}
