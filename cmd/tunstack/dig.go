package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tunstack/cmd/internal/dig"
	"tunstack/dns"
)

// Exit statuses of dig(1). Its status of a wrong command line is 1, and that of host(1), too.
const (
	exitNoReply  = 9
	exitInternal = 10
)

func (a *app) digCommand() *cobra.Command {
	var f family
	var name, address, qtype, class string
	var port uint16
	cmd := &cobra.Command{
		Use:   "dig [@SERVER] [NAME] [TYPE] [CLASS] [+OPTION...]",
		Short: "Ask a name server and print its answer",
		Long: `Asks a name server from the stack and prints its answer as dig(1) of BIND 9 does. SERVER is an address
or a name, by default the first of the stack's servers that answers. TYPE is A unless given, and without NAME the servers of the root
are asked for. The status is 0 for any answer, 9 without one, 1 for a wrong command line and 10 for a name that cannot exist.

Options are on or, with "no" before the name, off, and may be shortened:
  +short             print only the data of the answer; +identify from which server
  +tcp               do not use UDP; +ignore: take a truncated answer
  +trace             follow the referrals from the root
  +recurse           ask the server to follow the name (on)
  +dnssec            ask for signatures; +cdflag: unverified; +adflag: verified (on)
  +edns=N, +bufsize=BYTES, +cookie, +nsid   EDNS and its options (+edns=0 +bufsize=1232 +cookie)
  +timeout=SECONDS, +tries=N, +retry=N      of a try (5), and how many (3)
  +qr                print the query, too
  +all, +cmd, +comments, +question, +answer, +authority, +additional, +stats, +ttlid, +class
                     show a part of the output (on)`,
		Example: `  tunstack dig @10.0.0.1 example.com
  tunstack dig @10.0.0.1 example.com MX +short
  tunstack dig @10.0.0.1 -x 192.0.2.1
  tunstack dig @fd00::1 example.com +tcp +noall +answer`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := dig.Parse(args)
			for _, set := range []struct {
				value string
				to    func(*dig.Query, string) error
			}{
				{name, (*dig.Query).SetName}, {address, (*dig.Query).SetReverse}, {qtype, (*dig.Query).SetType}, {class, (*dig.Query).SetClass},
			} {
				if err == nil && set.value != "" {
					err = set.to(q, set.value)
				}
			}
			if err != nil {
				return digStatus(err)
			}
			q.Port, q.Line = port, strings.Join(a.args[slices.Index(a.args, "dig")+1:], " ")
			return a.dig(cmd.Context(), f, q)
		},
	}
	f.flags(cmd, "use %s only to reach servers")
	cmd.Flags().StringVarP(&address, "reverse", "x", "", "ask for the name of an `address`")
	cmd.Flags().Uint16VarP(&port, "port", "p", dig.Port, "`port` of the server")
	cmd.Flags().StringVarP(&name, "name", "q", "", "`name` to ask for, whatever it looks like")
	cmd.Flags().StringVarP(&qtype, "type", "t", "", "`type` of the records to ask for")
	cmd.Flags().StringVarP(&class, "class", "c", "", "`class` of the records to ask for")
	return misusedStatus(cmd)
}

// misusedStatus gives mistakes in the flags and the number of arguments of a command the status of the BIND program.
func misusedStatus(cmd *cobra.Command) *cobra.Command {
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err, exitFailure}
		}
		return nil
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err, exitFailure} })
	return cmd
}

func (a *app) dig(ctx context.Context, f family, q *dig.Query) (err error) {
	q.Family = f.network("")
	if q.Stack, q.Server, err = a.asked(ctx, f, q.Server); err != nil {
		return err
	}
	return digStatus(q.Run(ctx, a.out))
}

// asked is what the tools for names need of the stack. server is the one that the user named, as it is to be dialled.
func (a *app) asked(ctx context.Context, f family, server string) (dig.Stack, string, error) {
	s := dig.Stack{Dial: a.client().DialContext}
	server, err := a.checkedHost(ctx, f, server)
	var misused usageError
	if errors.As(err, &misused) {
		err = usageError{misused.error, exitFailure}
	}
	if err != nil || server != "" {
		return s, server, err
	}
	var settings []dns.Settings
	err = a.client().Get(ctx, "resolver", &settings)
	for _, r := range settings {
		s.Servers, s.Search, s.Ndots = r.Servers, r.Search, r.Ndots
	}
	return s, "", err
}

// digStatus gives an error the status that dig has for it.
func digStatus(err error) error {
	var misused dig.UsageError
	var name dig.NameError
	switch {
	case errors.Is(err, dig.ErrNoReply): // the output says so
		return exitStatus(exitNoReply)
	case errors.As(err, &misused):
		return usageError{err, exitFailure}
	case errors.As(err, &name):
		return usageError{err, exitInternal}
	}
	return err
}

func (a *app) hostCommand() *cobra.Command {
	var f family
	h := dig.Host{}
	wait := seconds(5 * time.Second)
	cmd := &cobra.Command{
		Use:   "host NAME|ADDR [TYPE] [SERVER]",
		Short: "Look up a name or an address",
		Long: `Looks up the addresses and mail servers of NAME, or the name of ADDR, and prints a sentence for each record as
host(1) of BIND 9 does. It asks the stack's name servers, or SERVER. If none answers it says what each did. The status is 0 if
the name exists, else 1.`,
		Example: `  tunstack host example.com
  tunstack host 192.0.2.1
  tunstack host example.com MX 10.0.0.1`,
		Args: operands(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			h.Name, h.Wait = args[0], time.Duration(wait)
			if err := hostWords(&h, args[1:]); err != nil {
				return err
			}
			return a.host(cmd.Context(), f, &h)
		},
	}
	f.flags(cmd, "use %s only to reach servers")
	flags := cmd.Flags()
	flags.StringVarP(&h.Type, "type", "t", "", "`type` of the records to look up")
	flags.StringVarP(&h.Class, "class", "c", "", "`class` of the records to look up")
	flags.Uint16VarP(&h.Port, "port", "p", dig.Port, "`port` of the servers")
	flags.VarP(&wait, "wait", "W", "`seconds` to wait for an answer")
	flags.IntVarP(&h.Retries, "retries", "R", 1, "try each server `N` times again")
	flags.BoolVarP(&h.TCP, "tcp", "T", false, "do not use UDP")
	flags.BoolVarP(&h.NoRecurse, "no-recurse", "r", false, "ask for what the servers have themselves")
	flags.BoolVarP(&h.Verbose, "verbose", "v", false, "print whole answers")
	flags.BoolVarP(&h.All, "all", "a", false, "look up all records, and print whole answers")
	return misusedStatus(cmd)
}

// hostWords reads what stands behind the name: a type, and a server.
func hostWords(h *dig.Host, words []string) error {
	if len(words) > 0 && h.Type == "" && dig.IsType(words[0]) {
		h.Type, words = words[0], words[1:]
	}
	switch {
	case len(words) > 1:
		return usage("host: %s: not a type of records", words[0])
	case len(words) == 1:
		h.Server = words[0]
	}
	return nil
}

func (a *app) host(ctx context.Context, f family, h *dig.Host) (err error) {
	switch {
	case h.Wait <= 0:
		return usage("host: -W must be more than 0 s")
	case h.Retries < 0:
		return usage("host: -R %d: it must be at least 0", h.Retries)
	}
	h.Family = f.network("")
	if h.Stack, h.Server, err = a.asked(ctx, f, h.Server); err != nil {
		return err
	}
	err = h.Run(ctx, a.out)
	var misused dig.UsageError
	switch {
	case dig.Failed(err): // the output says how
		return exitStatus(exitFailure)
	case errors.As(err, &misused):
		return usageError{err, exitUsage}
	}
	return err
}
