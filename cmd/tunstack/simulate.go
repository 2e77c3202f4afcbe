package main

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tunstack/tcp"
	"tunstack/trace"
	"tunstack/trace/scenario"
)

// The pictures in the README.
//
//go:generate go run . trace --sim --drop 5 --svg ../../docs/pictures/ladder.svg
//go:generate go run . plot --sim --transfer 4 --congestion cubic,bbr --loss 0.01 --delay 0.01 --rate 20 --seed 9 -o ../../docs/pictures/plot.svg

// simulation is the values of the flags that select a simulated scenario instead of the running stack.
type simulation struct {
	on         bool
	scenario   scenario.Config
	transfer   int // MiB
	rate       int // Mbit/s
	congestion []string
}

// simulationFlags adds the flags to a command.
func simulationFlags(cmd *cobra.Command) *simulation {
	s := &simulation{scenario: scenario.Config{Delay: 5 * time.Millisecond}}
	flags := cmd.Flags()
	flags.BoolVar(&s.on, "sim", false, "simulate two of our TCP machines in virtual time")
	flags.BoolVarP(&s.scenario.IPv6, "ipv6", "6", false, "simulate a connection over IPv6 (with --sim)")
	flags.IntVar(&s.transfer, "transfer", 0, "simulate a download of `MIB` mebibytes instead of a joke (with --sim)")
	flags.StringSliceVar(&s.congestion, "congestion", nil, "congestion control of the simulated machines, an `algorithm`: "+strings.Join(tcp.Algorithms, ", ")+" (with --sim)")
	flags.IntSliceVar(&s.scenario.Drop, "drop", nil, "lose the `N`th segment that is sent (with --sim)")
	flags.Float64Var(&s.scenario.Loss, "loss", 0, "lose this `share` of the segments at random (with --sim)")
	flags.Uint64Var(&s.scenario.Seed, "seed", 1, "random seed (with --sim)")
	flags.Var((*seconds)(&s.scenario.Delay), "delay", "one-way delay in `seconds` (with --sim)")
	flags.IntVar(&s.rate, "rate", 0, "rate of the wire in `Mbit/s`, 0 is unlimited (with --sim)")
	cmd.MarkFlagsMutuallyExclusive("sim", "conn")
	return s
}

// Bounds of a simulation, whose records are all kept in memory.
const (
	maxTransfer = 64     // MiB
	maxRate     = 100000 // Mbit/s
)

// check checks the flags. The command simulates up to the given number of connections.
func (s *simulation) check(cmd *cobra.Command, most int) error {
	for _, name := range []string{"ipv6", "transfer", "congestion", "drop", "loss", "seed", "delay", "rate"} {
		if cmd.Flags().Changed(name) && !s.on {
			return usage("--%s: it needs --sim", name)
		}
	}
	for _, name := range s.congestion {
		if !slices.Contains(tcp.Algorithms, name) {
			return usage("--congestion %s: unknown algorithm; valid: %s", name, strings.Join(tcp.Algorithms, ", "))
		}
	}
	for _, n := range s.scenario.Drop {
		if n < 1 {
			return usage("--drop %d: segments are counted from 1", n)
		}
	}
	switch loss := s.scenario.Loss; {
	case !(loss >= 0 && loss <= 1): // NaN is neither
		return usage("--loss %g: it must be from 0 to 1", loss)
	case s.transfer < 0 || s.transfer > maxTransfer:
		return usage("--transfer %d: it must be from 0 to %d MiB", s.transfer, maxTransfer)
	case s.rate < 0 || s.rate > maxRate:
		return usage("--rate %d: it must be from 0 to %d Mbit/s", s.rate, maxRate)
	case len(s.congestion) > most:
		return usage("--congestion: %s simulates no more than %d", cmd.Name(), most)
	}
	return nil
}

// scenarios returns the scenarios, one for each algorithm of congestion control.
func (s *simulation) scenarios() []scenario.Config {
	cfg := s.scenario
	cfg.Transfer, cfg.Rate = s.transfer<<20, s.rate*1_000_000
	if len(s.congestion) == 0 {
		return []scenario.Config{cfg}
	}
	var list []scenario.Config
	for _, name := range s.congestion {
		cfg.Congestion = name
		list = append(list, cfg)
	}
	return list
}

// checkSource is check for a command that takes a file as well.
func checkSource(cmd *cobra.Command, s *simulation, args []string, most int) error {
	if s.on && len(args) > 0 {
		return usage("%s: either --sim or a FILE", cmd.Name())
	}
	return s.check(cmd, most)
}

// simulated is the records of the server of a simulated scenario.
type simulated struct{ records []trace.Record }

func simulate(cfg scenario.Config) (*simulated, error) {
	s := &simulated{}
	cfg.Watch = func(end int, r trace.Record) {
		if end == 1 { // the server
			s.records = append(s.records, r)
		}
	}
	return s, scenario.New(cfg).Run(cfg.MaxSteps())
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
