package main

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tunstack/internal/trace/dialogue"
	"tunstack/internal/trace/step"
)

func (a *app) stepCommand() *cobra.Command {
	cfg := dialogue.Config{}
	var simulate bool
	var breaks []string
	delay := seconds(5 * time.Millisecond)
	cmd := &cobra.Command{
		Use:   "step --sim",
		Short: "Step through a TCP connection",
		Long: `Goes segment by segment through a knock-knock joke that two of our TCP machines tell each other over a
simulated wire, from the first SYN to CLOSED; no device, no root. Before each segment, on its way out and in, it
shows the segment in tcpdump's notation with relative numbers and the state, and holds; then it shows the
state after, the variables that have changed, the timers, and the section of the RFC that decided.

While it holds: ` + step.Help + `.
With --break it runs on to there first. When the input is not a terminal it prints everything.

The same seed makes the same run.`,
		Example: `  tunstack step --sim
  tunstack step --sim --break state=FIN-WAIT-1
  tunstack step --sim --drop 3 --break retransmit
  tunstack step --sim --seed 7 --loss 0.2 < /dev/null | less`,
		Args: operands(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !simulate {
				return usage("step: it needs --sim")
			}
			if cfg.Loss < 0 || cfg.Loss > 1 {
				return usage("--loss %g: it must be from 0 to 1", cfg.Loss)
			}
			c := step.Config{Dialogue: cfg, Out: a.out}
			c.Dialogue.Delay = time.Duration(delay)
			for _, text := range breaks {
				b, err := step.ParseBreak(text)
				if err != nil {
					return usage("--break %w", err)
				}
				c.Breaks = append(c.Breaks, b)
			}
			if columns(a.in) > 0 {
				fmt.Fprintln(a.err, step.Help)
				c.Lines = lines(a.in)
			}
			return step.Run(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&simulate, "sim", false, "two of our machines with each other, in virtual time")
	flags.StringArrayVar(&breaks, "break", nil, "`where` to hold, more than once if need be: "+step.BreakHelp)
	flags.IntSliceVar(&cfg.Drop, "drop", nil, "lose the `N`th segment that is sent")
	flags.Float64Var(&cfg.Loss, "loss", 0, "lose this `share` of the segments, by chance")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "of all chance")
	flags.Var(&delay, "delay", "of the wire, one way, in `seconds`")
	return cmd
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
