package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tunstack/trace"
	"tunstack/trace/chart"
)

func (a *app) plotCommand() *cobra.Command {
	var conn, output string
	var sim *simulation
	cmd := &cobra.Command{
		Use:   "plot -o PICTURE [FILE]",
		Short: "Plot a TCP connection over time",
		Long: `Plots one TCP connection of the running stack over time: congestion window, slow start threshold, what is in
flight and what was sent again; round trip times; and goodput in both directions. It records until the connection
has ended, or until Ctrl-C. With FILE it plots a trace that "tunstack trace --json" has saved, with --sim a simulated
knock-knock joke.`,
		Example: `  tunstack plot --conn :1414 -o joke.svg
  tunstack plot -o transfer.png transfer.jsonl
  tunstack plot --sim --drop 5 -o joke.svg   no device, no root`,
		Args: operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format := strings.TrimPrefix(filepath.Ext(output), ".")
			if format != "svg" && format != "png" {
				return usage("plot: -o %s: the name must end in .svg or .png", output)
			}
			if _, err := trace.ParseMatch(conn); err != nil {
				return usage("--conn: %w", err)
			}
			if err := checkSource(cmd, sim, args); err != nil {
				return err
			}
			from := sourceOf(conn, sim, args)
			return fill(output, func() (func(io.Writer) error, error) { return a.plot(cmd.Context(), from, format) })
		},
	}
	cmd.Flags().StringVar(&conn, "conn", "", "only a connection with this `end`: ADDR:PORT, ADDR or :PORT")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`picture` to make, .svg or .png")
	sim = simulationFlags(cmd)
	return cmd
}

// plot records a connection, and returns what writes its picture.
func (a *app) plot(ctx context.Context, from source, format string) (func(io.Writer) error, error) {
	kept, err := a.record(ctx, from, func(trace.Record) {})
	if err != nil {
		return nil, err
	}
	records, err := only(kept)
	if err != nil {
		return nil, err
	}
	title := fmt.Sprintf("%s - %s", records[0].Local, records[0].Remote)
	return func(w io.Writer) error { return chart.Write(w, format, title, trace.SeriesOf(records)) }, nil
}
