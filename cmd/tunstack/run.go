package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// runFlags are the flags of run itself.
type runFlags struct {
	fast  bool
	stack []string // the flags of up, for a stack of the program's own; none: the running stack
}

func (a *app) runCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [flags] -- PROGRAM [ARG...]",
		Short: "Run a program whose sockets are the stack's",
		Long: `Runs an unmodified program, and its children, with the running stack's sockets in place of
the kernel's: its connections have the stack's addresses, and appear in netstat, trace, step
and capture. It needs no privilege. The exit status is the program's.

With one of the flags of "tunstack up", the program gets a stack of its own, which ends with
it and has no services unless --services names them.

A seccomp filter hands the program's socket calls over (Linux 5.14). A setuid program runs
without its owner's rights. This is no sandbox against a hostile program.`,
		Example: `  tunstack run -- curl http://10.0.0.1/
  tunstack run -- python3 -m http.server 8000
  tunstack run --sandbox -- ip address`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("run: name the PROGRAM to run")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.stack = stackFlags(cmd.Flags(), a.upFlagNames())
			return a.runProgram(cmd.Context(), args, f)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // the options behind PROGRAM are PROGRAM's
	flags.BoolVar(&f.fast, "fast", false, "let the kernel answer the setting of TCP_NODELAY and TCP_CORK, which then have no effect")
	a.upCommand().Flags().VisitAll(func(flag *pflag.Flag) { flags.AddFlag(flag) })
	return cmd
}

// upFlagNames are the names of the flags of up.
func (a *app) upFlagNames() map[string]bool {
	names := map[string]bool{}
	a.upCommand().Flags().VisitAll(func(flag *pflag.Flag) { names[flag.Name] = true })
	return names
}

// stackFlags are the given flags whose names are in names, as they are written on a command line.
func stackFlags(flags *pflag.FlagSet, names map[string]bool) (args []string) {
	flags.Visit(func(flag *pflag.Flag) {
		if !names[flag.Name] {
			return
		}
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+flag.Name+"="+v)
		}
	})
	return args
}
