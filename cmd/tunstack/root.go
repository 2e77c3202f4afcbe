package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"tunstack/cmd/internal/control"
	"tunstack/internal/escape"
)

// Exit statuses.
const (
	exitFailure   = 1
	exitUsage     = 2
	exitInterrupt = 128 + int(syscall.SIGINT)
)

// exitStatus is an exit status without a message: the error has been printed already, or there was none.
type exitStatus int

// Error implements error.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a mistake in the command line, and the exit status for it.
type usageError struct {
	error
	status int
}

// usage makes a usageError.
func usage(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...), exitUsage}
}

// run executes a command line and returns the exit status.
func run(args []string, s streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	parsed := false
	root := newRoot(args, s)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		err := cmd.ValidateFlagGroups()
		parsed = err == nil
		return err
	}
	cmd, err := root.ExecuteContextC(ctx)
	return status(cmd, err, parsed, s)
}

// status prints the error in one line, and returns the exit status. An error before the command line is parsed is a usage
// error.
func status(cmd *cobra.Command, err error, parsed bool, s streams) int {
	var done exitStatus
	var misused usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &done):
		return int(done)
	case errors.Is(err, context.Canceled):
		return exitInterrupt
	case errors.As(err, &misused) || !parsed:
		fmt.Fprintf(s.err, "tunstack: %s (see %s --help)\n", escape.Lines(err.Error()), cmd.CommandPath())
		return cmp.Or(misused.status, exitUsage)
	}
	fmt.Fprintf(s.err, "tunstack: %s\n", escape.Lines(err.Error()))
	return exitFailure
}

// app is the state that all commands share.
type app struct {
	streams
	args    []string // the whole command line
	control string   // --control
}

// client returns a client of the running stack.
func (a *app) client() *control.Client { return &control.Client{Path: a.control} }

func newRoot(args []string, s streams) *cobra.Command {
	a := &app{streams: s, args: args}
	root := &cobra.Command{
		Use:   "tunstack",
		Short: "A TCP/IP stack in a program, and tools to use it",
		Long: `tunstack is a TCP/IP stack that runs as an ordinary program on a TUN device.

"tunstack up" runs it, with some services to try. The other commands talk to a
running stack and send from its address.`,
		Example: `  tunstack up --sandbox                      a shell with a stack to play with, no root needed
  tunstack up --sandbox -- ping -c 3 10.0.0.2
  sudo tunstack up                           on this machine's own network
  tunstack ping 10.0.0.1                     the stack pings the host`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVar(&a.control, "control", control.DefaultPath(), "Unix `socket` of the running stack; $"+control.Env+" sets the default")
	root.AddCommand(a.upCommand(), a.runCommand(),
		a.knockCommand(), a.echoCommand(), a.ncCommand(), a.pingCommand(), a.tracerouteCommand(), a.hostCommand(), a.digCommand(),
		a.netstatCommand(), a.ifconfigCommand(), a.neighCommand(), a.arpCommand(), a.routeCommand(), a.resolverCommand(), a.leaseCommand(),
		a.traceCommand(), a.captureCommand(), a.replayCommand(), a.plotCommand(), a.stepCommand(), a.manCommand())
	return root
}

// operands checks the number of arguments; a negative most means no limit. With a limit, an empty argument is an error, because
// it is a name that the user cannot have meant.
func operands(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		named := args
		if most < 0 {
			named = args[:min(least, len(args))]
		}
		if len(args) < least || most >= 0 && len(args) > most {
			return fmt.Errorf("usage: tunstack %s", cmd.Use)
		}
		if slices.Contains(named, "") {
			return fmt.Errorf("an argument is empty; usage: tunstack %s", cmd.Use)
		}
		return nil
	}
}
