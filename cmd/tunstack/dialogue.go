package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tunstack/services"
	"tunstack/tcp/sim/knock"
)

func (a *app) knockCommand() *cobra.Command {
	var port uint16
	var f family
	cmd := &cobra.Command{
		Use:   "knock HOST",
		Short: "Tell a knock-knock joke to a server",
		Long: `Connects from the stack to a knock-knock server, tells it a joke, and prints the
dialogue. It fails if an answer is wrong.`,
		Example: `  tunstack knock 10.0.0.1
  tunstack knock --port 4444 10.0.0.1
  tunstack knock 127.0.0.1          the stack tells it to its own server`,
		Args: operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPort(port); err != nil {
				return err
			}
			return a.with(cmd.Context(), f, "tcp", args[0], strconv.Itoa(int(port)), func(c net.Conn) error {
				joke := knock.Pick(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
				return services.Knock(c, joke, a.out)
			})
		},
	}
	f.flags(cmd, "use %s only")
	cmd.Flags().Uint16Var(&port, "port", 1414, "`port` of the server")
	return cmd
}

func (a *app) echoCommand() *cobra.Command {
	var port uint16
	var f family
	cmd := &cobra.Command{
		Use:   "echo HOST [TEXT...]",
		Short: "Send text to an echo server",
		Long: `Connects from the stack to an echo server (RFC 862) over TCP, sends TEXT and prints
the reply; it fails if the reply differs. Without TEXT it sends its input.`,
		Example: `  tunstack echo 10.0.0.1 hello
  tunstack echo 10.0.0.1 < big.iso | cmp - big.iso`,
		Args: operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPort(port); err != nil {
				return err
			}
			return a.with(cmd.Context(), f, "tcp", args[0], strconv.Itoa(int(port)), func(c net.Conn) error {
				if len(args) == 1 {
					return join(c, a.in, a.out, 0)
				}
				return echo(c, strings.Join(args[1:], " ")+"\n", a.out)
			})
		},
	}
	f.flags(cmd, "use %s only")
	cmd.Flags().Uint16Var(&port, "port", 7, "`port` of the server")
	return cmd
}

// echo sends text, prints the reply, and fails if they differ.
func echo(c net.Conn, text string, out io.Writer) error {
	var back bytes.Buffer
	out, flush := forText(out)
	err := join(c, strings.NewReader(text), io.MultiWriter(out, &back), 0)
	if err = errors.Join(err, flush()); err != nil {
		return err
	}
	if back.String() != text {
		return fmt.Errorf("the reply differs from the text sent")
	}
	return nil
}

// with connects from the stack to a port of a host, calls use, and closes the connection after use or when ctx ends.
func (a *app) with(ctx context.Context, f family, transport, host, port string, use func(net.Conn) error) error {
	host, err := a.checkedHost(ctx, f, host)
	if err != nil {
		return err
	}
	c, err := a.client().DialContext(ctx, f.network(transport), net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	return guard(ctx, c, func() error { return use(c) })
}

// guard calls use and closes c after it. If ctx ends earlier, guard closes c then, which makes use return.
func guard(ctx context.Context, c io.Closer, use func() error) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	err := use()
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

// checkPort refuses port 0.
func checkPort(port uint16) error {
	if port == 0 {
		return usage("--port 0: it must be from 1 to 65535")
	}
	return nil
}
