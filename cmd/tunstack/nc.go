package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// udpQuiet is how long nc -u listens after its input has ended, as UDP has no end of its own.
const udpQuiet = time.Second

func (a *app) ncCommand() *cobra.Command {
	var udp, listen bool
	var wait seconds
	cmd := &cobra.Command{
		Use:   "nc [-u] [-l] [HOST] PORT",
		Short: "Join input and output to a connection of the stack",
		Long: `Connects from the stack to HOST and PORT, sends its input and prints what it receives, until
the other side has said all; on a terminal without control characters. The end of the input is passed on as a half-close (FIN).
With -l it waits for one connection to PORT instead, at the stack's address HOST or at all of them.
Over UDP (-u) each read of the input is a datagram, and nc ends when nothing has come
for a second after the end of the input.`,
		Example: `  echo hello | tunstack nc 10.0.0.1 7
  tunstack nc -l 5000 > received            and on the host: nc 10.0.0.2 5000
  tunstack nc -u 10.0.0.1 9999
  tunstack nc 10.0.0.1 http`,
		Args: operands(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			network, quiet := "tcp", time.Duration(wait)
			if udp {
				network = "udp"
			}
			if udp && quiet == 0 {
				quiet = udpQuiet
			}
			if len(args) == 1 && !listen {
				return usage("nc needs HOST and PORT; only with -l PORT is enough")
			}
			host := strings.Join(args[:len(args)-1], "")
			address := net.JoinHostPort(host, args[len(args)-1])
			if listen {
				return a.listen(cmd.Context(), network, address, quiet)
			}
			return a.with(cmd.Context(), network, address, func(c net.Conn) error { return join(c, a.in, a.out, quiet) })
		},
	}
	cmd.Flags().BoolVarP(&udp, "udp", "u", false, "UDP instead of TCP")
	cmd.Flags().BoolVarP(&listen, "listen", "l", false, "wait for a connection instead of making one")
	cmd.Flags().VarP(&wait, "wait", "w", "give up after `seconds` without anything received, once the input has ended; 0: never, with -u 1 s")
	return cmd
}

// listen joins the first connection to address.
func (a *app) listen(ctx context.Context, network, address string, quiet time.Duration) error {
	l, err := a.client().Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return guard(ctx, l, func() error {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		return join(c, a.in, a.out, quiet)
	})
}

// join sends in to c and what c receives to out, until c's peer has said all. The end of in closes the sending half; if then
// nothing is received for quiet, that is the end too, unless quiet is 0.
func join(c net.Conn, in io.Reader, out io.Writer, quiet time.Duration) error {
	r := &quietReader{Conn: c, quiet: quiet}
	out, flush := forText(out)
	go func() {
		io.Copy(c, in) // what goes wrong shows at the reading side
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		r.inputEnded()
	}()
	_, err := io.Copy(out, r)
	if err = errors.Join(err, flush()); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return &net.OpError{Op: "read", Net: c.RemoteAddr().Network(), Addr: c.RemoteAddr(), Err: err}
	}
	return nil
}

// quietReader reads from a connection, for the time quiet at most once the input has ended.
type quietReader struct {
	net.Conn
	quiet time.Duration
	ended atomic.Bool
}

func (r *quietReader) inputEnded() {
	r.ended.Store(true)
	r.limit()
}

func (r *quietReader) limit() {
	if r.quiet > 0 && r.ended.Load() {
		r.SetReadDeadline(time.Now().Add(r.quiet))
	}
}

// Read implements io.Reader.
func (r *quietReader) Read(b []byte) (int, error) {
	r.limit()
	return r.Conn.Read(b)
}
