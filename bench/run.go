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
	peers := present(o)
	number := 0
	for round := range o.rounds {
		for _, l := range loads.All() {
			if !chosen(o.rows, l.Name) {
				continue
			}
			for _, p := range order(peers, round) {
				if l.Impaired && !p.Impairable || !l.Impaired && p.ImpairedOnly || l.Memory && !p.Memory {
					continue
				}
				number++
				result, err := measure(o, l, p, number)
				fmt.Fprintf(os.Stderr, "round %d %-12s %-15s %s\n", round+1, l.Name, p.Name, describe(result, err))
				r.add(round, l.Name, p.Name, result, err)
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

// present returns the chosen stacks that can run here, and prints the others.
func present(o options) []stacks.Peer {
	return slices.DeleteFunc(stacks.Peers(), func(p stacks.Peer) bool {
		if !chosen(o.stacks, p.Name) {
			return true
		}
		err := p.Missing()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", p.Name, err)
		}
		return err != nil
	})
}

// order is the order of the stacks; each round starts with another stack.
func order(peers []stacks.Peer, round int) []stacks.Peer {
	first := round * 3 % max(len(peers), 1)
	return slices.Concat(peers[first:], peers[:first])
}

// measure runs one load with one stack in a new process, on a new interface and network, so that the state of the client's
// kernel from one cell does not affect another.
func measure(o options, l loads.Load, p stacks.Peer, number int) (result loads.Result, err error) {
	host := netip.AddrFrom4([4]byte{10, byte(100 + number>>8), byte(number), 254})
	spec := stacks.Spec{
		Peer: p.Name, Dev: fmt.Sprintf("b%d", number), Host: netip.PrefixFrom(host, 24),
		Addr: netip.AddrFrom4([4]byte{10, byte(100 + number>>8), byte(number), 1}), Impair: l.Impaired,
	}
	if o.profile != "" {
		spec.Profile = filepath.Join(o.profile, p.Name+"."+l.Name+".pprof")
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

func describe(r loads.Result, err error) string {
	if err != nil {
		return "failed: " + err.Error()
	}
	return fmt.Sprint(map[string]float64(r))
}
