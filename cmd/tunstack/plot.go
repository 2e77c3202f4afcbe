package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tunstack/tcp"
	"tunstack/trace"
	"tunstack/trace/chart"
)

func (a *app) plotCommand() *cobra.Command {
	var conn, output string
	var sim *simulation
	cmd := &cobra.Command{
		Use:   "plot -o PICTURE [FILE]",
		Short: "Plot a TCP connection over time",
		Long: `Plots one TCP connection of the running stack over time: congestion window, slow start threshold, flight (bytes
sent and not acknowledged, also not by SACK), retransmissions and recoveries; round trip times; and goodput in both
directions. It records until the connection has ended, or until Ctrl-C. With FILE it plots a trace that
"tunstack trace --json" has saved.

With --sim it plots a simulated knock-knock joke, or with --transfer a download, as the server saw it. With several
algorithms in --congestion it compares the same download under each of them.`,
		Example: `  tunstack plot --conn :1414 -o joke.svg
  tunstack plot -o transfer.png transfer.jsonl
  tunstack plot --sim --drop 5 -o joke.svg   no device, no root
  tunstack plot --sim --transfer 4 --congestion cubic,bbr --loss 0.01 --rate 20 -o both.svg`,
		Args: operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format := strings.TrimPrefix(filepath.Ext(output), ".")
			if format != "svg" && format != "png" {
				return usage("plot: -o %s: the name must end in .svg or .png", output)
			}
			if _, err := trace.ParseMatch(conn); err != nil {
				return usage("--conn: %w", err)
			}
			if err := checkSource(cmd, sim, args, len(tcp.Algorithms)); err != nil {
				return err
			}
			from := sourcesOf(conn, sim, args)
			return fill(output, func() (func(io.Writer) error, error) { return a.plot(cmd.Context(), from, format) })
		},
	}
	cmd.Flags().StringVar(&conn, "conn", "", "only a connection with this `end`: ADDR:PORT, ADDR or :PORT")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write, .svg or .png")
	sim = simulationFlags(cmd)
	return cmd
}

// plot records a connection of each source, and returns a function that writes the picture of them.
func (a *app) plot(ctx context.Context, from []source, format string) (func(io.Writer) error, error) {
	var title string
	var conns []chart.Connection
	for _, f := range from {
		kept, err := a.record(ctx, f, func(trace.Record) {})
		if err != nil {
			return nil, err
		}
		records, err := only(kept)
		if err != nil {
			return nil, err
		}
		c := chart.Connection{Series: trace.SeriesOf(records)}
		if f.sim != nil {
			c.Name = f.sim.Congestion
		}
		conns = append(conns, c)
		title = titleOf(f, records)
	}
	return func(w io.Writer) error { return chart.Write(w, format, title, conns...) }, nil
}

// titleOf returns the title of a plot.
func titleOf(f source, records []trace.Record) string {
	if f.sim != nil && f.sim.Transfer > 0 {
		title := fmt.Sprintf("%d MiB, round trip %v, %g %% loss", f.sim.Transfer>>20, 2*f.sim.Delay, 100*f.sim.Loss)
		if f.sim.Rate > 0 {
			title += fmt.Sprintf(", %d Mbit/s", f.sim.Rate/1_000_000)
		}
		return title
	}
	return fmt.Sprintf("%s - %s", records[0].Local, records[0].Remote)
}
