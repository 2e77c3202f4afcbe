package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tunstack/capture"
	"tunstack/trace"
	"tunstack/trace/replay"
)

func (a *app) replayCommand() *cobra.Command {
	var conn, as string
	var tolerance time.Duration
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Answer a recorded connection anew, and compare",
		Long: `Takes a TCP connection from a capture, .pcap or .pcapng, and has this stack play one of its ends: it
is given what the other end sent, at the times at which that was recorded, and its program writes
and closes when the recorded one did. What it answers is compared with what was recorded:

  =  the same
  ~  the same segment with other fields, or at another time; behind the ! is how ours differs
  -  only recorded
  +  only ours

Lines without a sign are the other end's; behind a ! is why this stack dropped one, or that it
acknowledges what this stack has not sent yet, which is then taken off. The stack starts with the
recorded initial sequence number, options and clock. Super-segments are cut to what a
wire carries, and windows are compared only as open or closed. It needs no running stack, and
ends with 0 whether or not the answers differ. The connection must be recorded from its SYN on.`,
		Example: `  tunstack replay packets.pcapng
  tunstack replay --conn 10.0.0.1:40000 packets.pcapng
  tunstack replay --as 192.168.7.1 --tolerance 50ms kernel.pcap`,
		Args: operands(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			match, err := trace.ParseMatch(conn)
			if err != nil {
				return usage("--conn: %w", err)
			}
			if _, err := trace.ParseMatch(as); err != nil {
				return usage("--as: %w", err)
			}
			if tolerance < 0 {
				return usage("--tolerance %v: it must not be negative", tolerance)
			}
			return a.replay(args[0], match, as, tolerance)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&conn, "conn", "", "the connection with this `end`: ADDR:PORT, ADDR or :PORT")
	flags.StringVar(&as, "as", "", "the `end` to play; else that of the host that recorded, if it tells, or the one connected to")
	flags.DurationVar(&tolerance, "tolerance", 10*time.Millisecond, "how far times may be apart and still be the same")
	return cmd
}

func (a *app) replay(name string, match trace.Match, as string, tolerance time.Duration) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := capture.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: not a pcap or pcapng file: %w", name, err)
	}
	c, err := replay.Load(in, match, as)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return c.Replay(tolerance).Write(a.out)
}
