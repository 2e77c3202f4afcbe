package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tunstack/capture"
	"tunstack/capture/filter"
	"tunstack/internal/outfile"
)

// captureFlags are the flags of `tunstack capture`.
type captureFlags struct {
	file, read string
	count      int
	verbose    bool
}

func (a *app) captureCommand() *cobra.Command {
	f := &captureFlags{}
	cmd := &cobra.Command{
		Use:   "capture [-v] [-w FILE] [-c COUNT] [FILTER]",
		Short: "Show or save the packets of the stack's device",
		Long: `Shows the packets that cross the running stack's device, as tcpdump does, until Ctrl-C. The text behind # is
what only the stack knows: the state of the connection and its changes, the reason why a segment was
sent, or the reason and the RFC section by which a packet was dropped.

With -w it saves the packets as pcapng, in which Wireshark shows the same text as packet comments; a
FILE whose name ends in .pcap has no comments. Super-packets of the device are shown whole, up to
64 KiB each. With -r it shows or filters the packets of a file, and needs no running stack.

` + filter.Help,
		Example: `  tunstack capture
  tunstack capture -c 10 tcp port 1414
  tunstack capture -v icmp6 and not 'icmp6[icmp6type] = icmp6-echo'
  tunstack capture 'tcp[tcpflags] & (tcp-syn|tcp-rst) != 0 or icmp'
  tunstack capture -w packets.pcapng host 10.0.0.1 and not port 80
  tunstack capture -w - | wireshark -k -i -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			expression := strings.Join(args, " ")
			chosen, err := filter.Parse(expression)
			if err != nil {
				return usageError{err, exitUsage}
			}
			if f.count < 0 || cmd.Flags().Changed("count") && f.count == 0 {
				return usage("-c %d: the count must be at least 1", f.count)
			}
			return a.capture(cmd.Context(), f, expression, chosen)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // a filter may contain a -
	flags.StringVarP(&f.file, "write", "w", "", "save the packets in `file`; - is the standard output")
	flags.StringVarP(&f.read, "read", "r", "", "read the packets from `file`, .pcap or .pcapng")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print more of each packet, in several lines, as tcpdump -v does")
	flags.IntVarP(&f.count, "count", "c", 0, "stop after `number` packets")
	return cmd
}

// packets reads packets from the running stack or a file. Next returns io.EOF after the last.
type packets interface {
	Next() (capture.Packet, error)
	Close() error
}

// savedPackets reads the packets of a file that a filter selects.
type savedPackets struct {
	*os.File
	*capture.Reader
	filter *filter.Filter
}

// Next implements packets.
func (s savedPackets) Next() (capture.Packet, error) {
	for {
		p, err := s.Reader.Next()
		if err != nil || s.filter.Match(&p, s.Source) {
			return p, err
		}
	}
}

func (a *app) openPackets(ctx context.Context, f *captureFlags, expression string, chosen *filter.Filter) (packets, capture.Source, error) {
	if f.read == "" {
		live, err := a.client().Capture(ctx, expression)
		if err != nil {
			return nil, capture.Source{}, err
		}
		fmt.Fprintf(a.err, "capturing on %s; Ctrl-C ends it\n", live.Source.Name)
		return live, live.Source, nil
	}
	file, err := os.Open(f.read)
	if err != nil {
		return nil, capture.Source{}, err
	}
	r, err := capture.NewReader(file)
	if err != nil {
		file.Close()
		return nil, capture.Source{}, fmt.Errorf("%s: not a pcap or pcapng file: %w", f.read, err)
	}
	return savedPackets{file, r, chosen}, r.Source, nil
}

// capture shows or saves packets until the last, until f.count or until ctx ends.
func (a *app) capture(ctx context.Context, f *captureFlags, expression string, chosen *filter.Filter) error {
	in, source, err := a.openPackets(ctx, f, expression, chosen)
	if err != nil {
		return err
	}
	defer in.Close()
	put, end, err := a.captureTo(f, source)
	if err != nil {
		return err
	}
	n := 0
	for err == nil && (f.count == 0 || n < f.count) {
		var p capture.Packet
		if p, err = in.Next(); err == nil {
			n++
			err = put(&p)
		}
	}
	if err == io.EOF || ctx.Err() != nil {
		err = nil
	}
	if f.read == "" {
		fmt.Fprintf(a.err, "%d packets captured\n", n)
	}
	return errors.Join(err, end())
}

// captureTo returns functions that write a packet, as a line on the standard output or to a file, and that end the output.
func (a *app) captureTo(f *captureFlags, source capture.Source) (put func(*capture.Packet) error, end func() error, err error) {
	end = func() error { return nil }
	name := f.file
	if name == "" {
		printer := capture.NewPrinter(source)
		printer.Verbose = f.verbose
		return func(p *capture.Packet) error {
			_, err := fmt.Fprintln(a.out, printer.Line(p))
			return err
		}, end, nil
	}
	out, format := a.out, capture.PCAPNG
	if name != "-" {
		if chosen, err := capture.FormatOf(name); err == nil {
			format = chosen
		}
		file, err := outfile.Create(name, 0o600)
		if err != nil {
			return nil, nil, err
		}
		out, end = file, file.Close
	}
	w, err := capture.NewWriter(out, format, source)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return func(p *capture.Packet) error { return w.Write([]*capture.Packet{p}) }, end, nil
}
