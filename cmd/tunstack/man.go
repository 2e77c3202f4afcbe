package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand writes the man pages. It is for packagers of the program, and hidden from the help. (cobra/doc makes man pages
// from Markdown: the help texts would have to be Markdown and a parser of it part of the program.)
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man pages",
		Long:    `Writes a man page for each command, from its help, into DIR.`,
		Example: `  tunstack man /usr/local/share/man/man1`,
		Hidden:  true,
		Args:    operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writeMan(args[0], cmd.Root())
		},
	}
}

// writeMan writes the page of a command and those of its subcommands.
func writeMan(dir string, cmd *cobra.Command) error {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	err := fill(filepath.Join(dir, name+".1"), func() (func(io.Writer) error, error) {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, manPage(name, cmd))
			return err
		}, nil
	})
	for _, c := range cmd.Commands() {
		if err == nil && c.IsAvailableCommand() && c.Name() != "completion" {
			err = writeMan(dir, c)
		}
	}
	return err
}

// manPage is a command's help in the macros of man(7).
func manPage(name string, cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n", roff(strings.ToUpper(name)), roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roff(cmd.UseLine()))
	verbatim(&b, "DESCRIPTION", cmd.Long)
	manFlags(&b, "OPTIONS", cmd.NonInheritedFlags())
	manFlags(&b, "GLOBAL OPTIONS", cmd.InheritedFlags())
	verbatim(&b, "EXAMPLES", cmd.Example)
	b.WriteString(".SH SEE ALSO\n")
	if cmd.HasParent() {
		b.WriteString(roff(strings.ReplaceAll(cmd.Parent().CommandPath(), " ", "-")) + "(1)\n")
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "completion" {
			b.WriteString(roff(name+"-"+c.Name()) + "(1)\n.br\n")
		}
	}
	return b.String()
}

// verbatim writes a section line by line without changes.
func verbatim(b *strings.Builder, title, text string) {
	if text != "" {
		fmt.Fprintf(b, ".SH %s\n.nf\n%s\n.fi\n", title, roff(text))
	}
}

// manFlags writes a section of flags, if there are any.
func manFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		names := "--" + f.Name
		if f.Shorthand != "" {
			names = "-" + f.Shorthand + ", " + names
		}
		fmt.Fprintf(b, ".TP\n%s\n%s\n", roff(strings.TrimSpace(names+" "+value)), roff(strings.ReplaceAll(usage, "\n", " ")))
	})
}

// roff escapes a text: a hyphen must stay a hyphen, and a line must not start with a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
