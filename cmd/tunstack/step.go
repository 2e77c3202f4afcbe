package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tunstack/internal/trace"
	"tunstack/internal/trace/dialogue"
	"tunstack/internal/trace/step"
)

// stepFlags are the flags of `tunstack step`.
type stepFlags struct {
	simulate bool
	conn     string
	breaks   []string
	dialogue dialogue.Config
	delay    seconds
}

func (a *app) stepCommand() *cobra.Command {
	f := &stepFlags{delay: seconds(5 * time.Millisecond)}
	cmd := &cobra.Command{
		Use:   "step [--sim]",
		Short: "Step through TCP connections",
		Long: `Goes segment by segment through the TCP connections of the running stack. Before each segment, on its way out and
in, the stack holds: it shows the segment in tcpdump's notation with relative numbers and the state; then
it shows the state after, the variables that have changed, the timers, and the section of the RFC that decided.
While the stack holds, its time stands still and it does nothing else, so nothing times out and nothing is sent again;
what the peer sends again comes later, and is stepped through too. At the end (q, Ctrl-C) the stack goes on by itself.

With --sim it goes through a knock-knock joke that two of our TCP machines tell each other over a simulated wire,
from the first SYN to CLOSED; no device, no root. The same seed makes the same run.

` + step.Help + `.
With --break it runs on to there first. When the input is not a terminal it prints everything and never holds.`,
		Example: `  tunstack step --conn :1414              and then: telnet 10.0.0.2 1414
  tunstack step --break state=FIN-WAIT-1
  tunstack step --sim --drop 3 --break retransmit
  tunstack step --sim --seed 7 --loss 0.2 < /dev/null | less`,
		Args: operands(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			breaks, err := f.check(cmd)
			if err != nil {
				return err
			}
			return a.step(cmd.Context(), f, breaks)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.conn, "conn", "", "only connections with this `end`: ADDR:PORT, ADDR or :PORT")
	flags.StringArrayVar(&f.breaks, "break", nil, "`where` to hold, more than once if need be: "+step.BreakHelp)
	flags.BoolVar(&f.simulate, "sim", false, "two of our machines with each other, in virtual time")
	flags.IntSliceVar(&f.dialogue.Drop, "drop", nil, "with --sim: lose the `N`th segment that is sent")
	flags.Float64Var(&f.dialogue.Loss, "loss", 0, "with --sim: lose this `share` of the segments, by chance")
	flags.Uint64Var(&f.dialogue.Seed, "seed", 1, "with --sim: of all chance")
	flags.Var(&f.delay, "delay", "with --sim: of the wire, one way, in `seconds`")
	cmd.MarkFlagsMutuallyExclusive("sim", "conn")
	return cmd
}

// check returns the breaks. All its errors are usage errors.
func (f *stepFlags) check(cmd *cobra.Command) ([]step.Break, error) {
	for _, name := range []string{"drop", "loss", "seed", "delay"} {
		if cmd.Flags().Changed(name) && !f.simulate {
			return nil, usage("--%s: it needs --sim", name)
		}
	}
	if f.dialogue.Loss < 0 || f.dialogue.Loss > 1 {
		return nil, usage("--loss %g: it must be from 0 to 1", f.dialogue.Loss)
	}
	if _, err := trace.ParseMatch(f.conn); err != nil {
		return nil, usage("--conn %w", err)
	}
	var breaks []step.Break
	for _, text := range f.breaks {
		b, err := step.ParseBreak(text)
		if err != nil {
			return nil, usage("--break %w", err)
		}
		breaks = append(breaks, b)
	}
	return breaks, nil
}

func (a *app) step(ctx context.Context, f *stepFlags, breaks []step.Break) error {
	cfg := step.Config{Breaks: breaks, Out: a.out}
	if columns(a.in) > 0 {
		fmt.Fprintln(a.err, step.Help)
		cfg.Lines = lines(a.in)
	}
	if f.simulate {
		f.dialogue.Delay = time.Duration(f.delay)
		return step.Simulate(ctx, f.dialogue, cfg)
	}
	if cfg.Lines == nil { // nobody is there to let it go on
		in, err := a.openRecords(ctx, f.conn, nil)
		if err != nil {
			return err
		}
		defer in.Close()
		return step.Follow(ctx, in, cfg)
	}
	in, err := a.client().Step(ctx, f.conn)
	if err != nil {
		return err
	}
	defer in.Close()
	fmt.Fprintln(a.err, "waiting for a segment; Ctrl-C ends it")
	return step.Follow(ctx, in, cfg)
}

// lines reads lines until the end of the input, which closes the channel. It goes on reading until then: for a program that
// ends soon after.
func lines(in io.Reader) <-chan string {
	c := make(chan string)
	go func() {
		defer close(c)
		for s := bufio.NewScanner(in); s.Scan(); {
			c <- s.Text()
		}
	}()
	return c
}
