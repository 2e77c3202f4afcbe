package tun

import "tunstack/internal/stats"

// Counter is a number of events that only grows: Value() uint64 is the number so far.
type Counter = stats.Counter

// PathStats counts the packets of one direction, super-packets segmented.
type PathStats struct {
	Entered, Lost, Duplicated, Corrupted, Reordered, Overflowed, Refused Counter
}

// inStats and outStats are PathStats with the names that the stack lists the counters under.
type (
	inStats struct {
		Entered    Counter `name:"impair.in.entered" doc:"packets that entered the impaired wire from the host"`
		Lost       Counter `name:"impair.in.lost" doc:"packets from the host lost"`
		Duplicated Counter `name:"impair.in.duplicated" doc:"packets from the host duplicated"`
		Corrupted  Counter `name:"impair.in.corrupted" doc:"packets from the host with an inverted bit"`
		Reordered  Counter `name:"impair.in.reordered" doc:"packets from the host that overtook others"`
		Overflowed Counter `name:"impair.in.overflowed" doc:"packets from the host lost because the queue was full"`
		Refused    Counter `name:"impair.in.refused" doc:"packets from the host that the stack was too slow to read"`
	}
	outStats struct {
		Entered    Counter `name:"impair.out.entered" doc:"packets that entered the impaired wire from the stack"`
		Lost       Counter `name:"impair.out.lost" doc:"packets from the stack lost"`
		Duplicated Counter `name:"impair.out.duplicated" doc:"packets from the stack duplicated"`
		Corrupted  Counter `name:"impair.out.corrupted" doc:"packets from the stack with an inverted bit"`
		Reordered  Counter `name:"impair.out.reordered" doc:"packets from the stack that overtook others"`
		Overflowed Counter `name:"impair.out.overflowed" doc:"packets from the stack lost because the queue was full"`
		Refused    Counter `name:"impair.out.refused" doc:"packets from the stack that the device refused"`
	}
)

// In counts the packets from the host; it stays at zero if Impairment.In is zero.
func (i *Impaired) In() *PathStats { return &i.in.stats }

// Out counts the packets to the host; it stays at zero if Impairment.Out is zero.
func (i *Impaired) Out() *PathStats { return &i.out.stats }

// Unwrap returns the device that the wire leads to.
func (i *Impaired) Unwrap() Device { return i.Device }

func (i *Impaired) counters() []any { return []any{(*inStats)(i.In()), (*outStats)(i.Out())} }

// Counters returns the counters of d and of the devices that it wraps, each set a pointer to a struct of Counters with the tags name and
// doc. A device that wraps another has a method Unwrap() Device.
func Counters(d Device) []any {
	var sets []any
	for d != nil {
		if counted, ok := d.(interface{ counters() []any }); ok {
			sets = append(sets, counted.counters()...)
		}
		wrapper, ok := d.(interface{ Unwrap() Device })
		if !ok {
			break
		}
		d = wrapper.Unwrap()
	}
	return sets
}
