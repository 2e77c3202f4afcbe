package main

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tunstack/trace"
	"tunstack/trace/step"
)

// stepFlags are the flags of `tunstack step`.
type stepFlags struct {
	conn   string
	breaks []string
	sim    *simulation
}

func (a *app) stepCommand() *cobra.Command {
	f := &stepFlags{}
	cmd := &cobra.Command{
		Use:   "step [--sim]",
		Short: "Step through TCP connections",
		Long: `Steps segment by segment through the TCP connections of the running stack. The stack holds before each segment that
it sends or receives. The command prints the segment in tcpdump's notation with relative numbers, and the state; then
the state after it, the variables that have changed, the timers, and the RFC section that decided.
While the stack holds, its clock stands still and it does nothing else: no timer expires and nothing is retransmitted.
Retransmissions of the peer arrive later, and are stepped through, too. After q or Ctrl-C the stack continues normally.

With --sim it steps through a knock-knock joke, or with --transfer a download, between two of our TCP machines over a
simulated wire, from the first SYN to CLOSED, without a device and without root. The same seed makes the same run.

` + step.Help + `.
With --break it continues to the first break. If the input is not a terminal it prints everything and never holds.`,
		Example: `  tunstack step --conn :1414              and then: telnet 10.0.0.2 1414
  tunstack step --break state=FIN-WAIT-1
  tunstack step --sim --drop 3 --break retransmit
  tunstack step --sim --seed 7 --loss 0.2 < /dev/null | less`,
		Args: operands(0, 0),
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
	flags.StringArrayVar(&f.breaks, "break", nil, "`event` to hold at, may be repeated: "+step.BreakHelp)
	f.sim = simulationFlags(cmd)
	return cmd
}

// check checks the flags and returns the breaks. All its errors are usage errors.
func (f *stepFlags) check(cmd *cobra.Command) ([]step.Break, error) {
	if err := f.sim.check(cmd, 1); err != nil {
		return nil, err
	}
	if _, err := trace.ParseMatch(f.conn); err != nil {
		return nil, usage("--conn: %w", err)
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
	if f.sim.on {
		return step.Simulate(ctx, f.sim.scenarios()[0], cfg)
	}
	if cfg.Lines == nil { // there is no user who could continue it
		in, err := a.openRecords(ctx, source{conn: f.conn})
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

// lines reads lines until the end of the input, and then closes the channel. Its goroutine lives until then: it is for a program that ends
// soon.
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
