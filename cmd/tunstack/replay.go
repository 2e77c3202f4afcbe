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
		Short: "Replay a recorded connection, and compare the answers",
		Long: `Takes a TCP connection from a capture, .pcap or .pcapng, and plays one of its ends with this stack: the
stack receives the segments of the other end at their recorded times, and its program writes and
closes when the recorded program did. The answers are compared with the recorded ones:

  =  the same
  ~  the same segment with other fields, or at another time; the differences follow the !
  -  only recorded
  +  only sent by this stack

Lines without a sign are segments of the other end; behind the ! is the reason why this stack dropped the
segment, or how much it acknowledges that this stack has not sent yet, which is then ignored. The stack
starts with the recorded initial sequence number, options and clock. Super-segments are cut into
segments, and windows are compared only as open or closed. The command needs no running stack, and
its exit status is 0 whether or not the answers differ. The capture must have the connection's SYN.`,
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
	flags.StringVar(&as, "as", "", "the `end` to play; default: the capturing host's if the file names it, otherwise the one that received the SYN")
	flags.DurationVar(&tolerance, "tolerance", 10*time.Millisecond, "the largest difference of times that count as the same")
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
