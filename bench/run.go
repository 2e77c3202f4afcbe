package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"tunstack/bench/loads"
	"tunstack/bench/stacks"
)

// run measures every chosen load with every chosen stack, round by round, so that the compared values are measured within
// seconds of each other.
func run(o options) error {
	r := newResults(o)
	columns := present(o)
	number := 0
	for round := range o.rounds {
		for _, l := range loads.All() {
			if !chosen(o.rows, l.Name) {
				continue
			}
			for _, p := range order(columns, round) {
				if l.Impaired && (!p.Impairable || p.six) || !l.Impaired && p.ImpairedOnly || l.Memory && !p.Memory || l.Resolver && !p.Resolver {
					continue
				}
				number++
				result, err := measure(o, l, p, number)
				fmt.Fprintf(os.Stderr, "round %d %-12s %-15s %s\n", round+1, l.Name, p.name(), describe(result, err))
				r.add(round, l.Name, p.name(), result, err)
			}
		}
	}
	if o.pgo != "" {
		if err := savePGO(o.profile, o.pgo); err != nil {
			return err
		}
	}
	if err := report(o, r); err != nil {
		return err
	}
	return r.complete(o)
}

// complete returns an error if a measurement has failed, or with -smoke if a row has no figure.
func (r *results) complete(o options) error {
	for _, c := range r.Cells {
		if len(c.Errors) > 0 {
			return fmt.Errorf("%s on %s failed: %s", c.Load, c.Stack, c.Errors[0])
		}
	}
	for _, w := range rows {
		measured := func(stack string) bool { return len(r.values(w.load, stack, w.metric)) > 0 }
		if o.smoke && chosen(o.rows, w.load) && !slices.ContainsFunc(r.stacks(), measured) {
			return fmt.Errorf("the row %q has no figure: no load %s measures %s", w.title, w.load, w.metric)
		}
	}
	return nil
}

// column is a column of the table: a stack over IPv4 or IPv6.
type column struct {
	stacks.Peer
	six bool
}

const sixSuffix = "-6"

func (c column) name() string {
	if c.six {
		return c.Name + sixSuffix
	}
	return c.Name
}

// allColumns are the columns of all stacks, in the order of the table.
func allColumns() (list []column) {
	for _, p := range stacks.Peers() {
		list = append(list, column{p, false})
		if !p.OnlyIPv4 && !p.ImpairedOnly {
			list = append(list, column{p, true})
		}
	}
	return list
}

// present returns the columns of the chosen stacks that can run here, and prints the other stacks.
func present(o options) []column {
	return slices.DeleteFunc(allColumns(), func(c column) bool {
		if !chosen(o.stacks, c.name()) || c.six && !o.six {
			return true
		}
		err := c.Missing()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", c.Name, err)
		}
		return err != nil
	})
}

// order is the order of the stacks; each round starts with another stack.
func order(columns []column, round int) []column {
	first := round * 3 % max(len(columns), 1)
	return slices.Concat(columns[first:], columns[:first])
}

// measure runs one load with one stack in a new process, on a new interface and network, so that the state of the client's
// kernel from one cell does not affect another.
func measure(o options, l loads.Load, p column, number int) (result loads.Result, err error) {
	host, addr := addresses(p.six, number)
	spec := stacks.Spec{Peer: p.Name, Dev: fmt.Sprintf("b%d", number), Host: host, Addr: addr, Impair: l.Impaired}
	if o.profile != "" {
		spec.Profile = filepath.Join(o.profile, p.name()+"."+l.Name+".pprof")
		before := netstat()
		defer func() { err = errors.Join(err, saveNetstat(spec.Profile+".client", before)) }()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cores, err := placeStack(l.Pin)
	if err != nil {
		return nil, err
	}
	defer cores.restore()
	server, err := stacks.Start(spec)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := cores.placeClient(); err != nil {
		return nil, err
	}
	return l.Run(loads.Target{Server: server, Device: spec.Dev, Blind: p.Blind, Addr: spec.Addr, Host: spec.Host, Window: o.window})
}

// addresses are those of the client and the stack in the network with a number, which no other measurement uses.
func addresses(six bool, number int) (host netip.Prefix, stack netip.Addr) {
	high, low := byte(number>>8), byte(number)
	if six {
		at := func(last byte) netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfd, 6: high, 7: low, 15: last}) }
		return netip.PrefixFrom(at(254), 64), at(1)
	}
	at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 100 + high, low, last}) }
	return netip.PrefixFrom(at(254), 24), at(1)
}

func describe(r loads.Result, err error) string {
	if err != nil {
		return "failed: " + err.Error()
	}
	return fmt.Sprint(map[string]float64(r))
}
