package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"tunstack/trace"
	"tunstack/trace/dialogue"
)

// The pictures in the README.
//
//go:generate go run . trace --sim --drop 5 --svg ../../docs/pictures/ladder.svg
//go:generate go run . plot --sim --drop 5 -o ../../docs/pictures/plot.svg

// simulation is the flags that choose a simulated joke instead of the running stack.
type simulation struct {
	on       bool
	dialogue dialogue.Config
}

// simulationFlags adds the flags to a command.
func simulationFlags(cmd *cobra.Command) *simulation {
	s := &simulation{dialogue: dialogue.Config{Delay: 5 * time.Millisecond}}
	flags := cmd.Flags()
	flags.BoolVar(&s.on, "sim", false, "simulate two of our TCP machines in virtual time")
	flags.IntSliceVar(&s.dialogue.Drop, "drop", nil, "lose the `N`th segment that is sent (with --sim)")
	flags.Float64Var(&s.dialogue.Loss, "loss", 0, "lose this `share` of the segments at random (with --sim)")
	flags.Uint64Var(&s.dialogue.Seed, "seed", 1, "random seed (with --sim)")
	flags.Var((*seconds)(&s.dialogue.Delay), "delay", "one-way delay in `seconds` (with --sim)")
	cmd.MarkFlagsMutuallyExclusive("sim", "conn")
	return s
}

// check refuses what makes no sense.
func (s *simulation) check(cmd *cobra.Command) error {
	for _, name := range []string{"drop", "loss", "seed", "delay"} {
		if cmd.Flags().Changed(name) && !s.on {
			return usage("--%s: it needs --sim", name)
		}
	}
	if loss := s.dialogue.Loss; !(loss >= 0 && loss <= 1) { // NaN is neither
		return usage("--loss %g: it must be from 0 to 1", loss)
	}
	for _, n := range s.dialogue.Drop {
		if n < 1 {
			return usage("--drop %d: segments are counted from 1", n)
		}
	}
	return nil
}

// checkSource is check for a command that takes a file as well.
func checkSource(cmd *cobra.Command, s *simulation, args []string) error {
	if s.on && len(args) > 0 {
		return usage("%s: either --sim or a FILE", cmd.Name())
	}
	return s.check(cmd)
}

// simulated is what the server of a simulated joke has seen.
type simulated struct{ records []trace.Record }

// simulatedSteps bounds a joke whose segments are all lost.
const simulatedSteps = 100_000

func simulate(cfg dialogue.Config) (*simulated, error) {
	s := &simulated{}
	cfg.Watch = func(end int, r trace.Record) {
		if end == 1 { // the server
			s.records = append(s.records, r)
		}
	}
	return s, dialogue.New(cfg).Run(simulatedSteps)
}

// Next implements records.
func (s *simulated) Next() (r trace.Record, err error) {
	if len(s.records) == 0 {
		return r, io.EOF
	}
	r, s.records = s.records[0], s.records[1:]
	return r, nil
}

// Close implements records.
func (s *simulated) Close() error { return nil }
