package main

import (
	"os"

	"golang.org/x/sys/unix"

	"tunstack/bench/loads"
)

// cores are the processors that this thread, and the processes it starts, may use.
type cores struct {
	all, client unix.CPUSet
}

// placeStack sets the processors for the stack, which this thread starts next.
func placeStack(p loads.Pin) (*cores, error) {
	c := &cores{}
	if err := unix.SchedGetaffinity(0, &c.all); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	c.client = c.all
	if p == loads.Anywhere {
		return c, nil
	}
	first, last := bounds(&c.all)
	c.client = last
	if p == loads.Apart {
		c.client = first
	}
	return c, setAffinity(&last)
}

// placeClient sets the processors for the client, which runs on this thread.
func (c *cores) placeClient() error { return setAffinity(&c.client) }

func (c *cores) restore() { setAffinity(&c.all) }

func setAffinity(s *unix.CPUSet) error {
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, s))
}

// bounds are the first and the last processor of a set.
func bounds(all *unix.CPUSet) (first, last unix.CPUSet) {
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		left--
		last.Zero()
		last.Set(cpu)
		if first.Count() == 0 {
			first = last
		}
	}
	return first, last
}
