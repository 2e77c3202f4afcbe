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

// udpQuiet is the time for which nc -u listens after its input has ended, because UDP has no end of stream.
const udpQuiet = time.Second

func (a *app) ncCommand() *cobra.Command {
	var udp, listen bool
	var f family
	var wait seconds
	cmd := &cobra.Command{
		Use:   "nc [-u] [-l] [HOST] PORT",
		Short: "Join input and output to a connection of the stack",
		Long: `Connects from the stack to HOST and PORT, sends its input and prints what it receives, until
the peer closes its half of the connection. It prints no control characters on a terminal. At the
end of the input it closes its own half (FIN). With -l it waits for one connection to PORT instead,
at the stack's address HOST or at all its addresses.
Over UDP (-u) each read of the input is a datagram, and nc ends when nothing has been
received for a second after the end of the input.`,
		Example: `  echo hello | tunstack nc 10.0.0.1 7
  tunstack nc -l 5000 > received            and on the host: nc 10.0.0.2 5000
  tunstack nc -u 10.0.0.1 9999
  tunstack nc fd00::1 http`,
		Args: operands(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			transport, quiet := "tcp", time.Duration(wait)
			if udp {
				transport = "udp"
			}
			if udp && quiet == 0 {
				quiet = udpQuiet
			}
			if len(args) == 1 && !listen {
				return usage("nc needs HOST and PORT; only with -l PORT is enough")
			}
			host, port := strings.Join(args[:len(args)-1], ""), args[len(args)-1]
			if listen {
				return a.listen(cmd.Context(), f, transport, host, port, quiet)
			}
			return a.with(cmd.Context(), f, transport, host, port, func(c net.Conn) error { return join(c, a.in, a.out, quiet) })
		},
	}
	f.flags(cmd, "use %s only")
	cmd.Flags().BoolVarP(&udp, "udp", "u", false, "UDP instead of TCP")
	cmd.Flags().BoolVarP(&listen, "listen", "l", false, "wait for a connection instead of making one")
	cmd.Flags().VarP(&wait, "wait", "w", "give up after `seconds` without anything received, once the input has ended; 0: never, with -u 1 s")
	return cmd
}

// listen relays the first connection to a port of an own address, or of all of them if host is empty.
func (a *app) listen(ctx context.Context, f family, transport, host, port string, quiet time.Duration) error {
	host, err := a.checkedHost(ctx, f, host)
	if err != nil {
		return err
	}
	l, err := a.client().Listen(ctx, f.network(transport), net.JoinHostPort(host, port))
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

// join sends in to c and the data that c receives to out, until the peer's FIN. At the end of in it closes the sending half; if
// nothing is received for quiet after that, it returns, unless quiet is 0.
func join(c net.Conn, in io.Reader, out io.Writer, quiet time.Duration) error {
	r := &quietReader{Conn: c, quiet: quiet}
	out, flush := forText(out)
	go func() {
		io.Copy(c, in) // an error shows at the reading side
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

// quietReader reads from a connection. Once the input has ended, a read waits for quiet at most.
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
