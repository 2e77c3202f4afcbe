package sockdiff

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Full buffers: how many bytes they hold differs from system to system, and is left out of the results.

const (
	fillSize = 16 << 10 // bytes of a send
	mostFill = 2000     // sends, more than any buffer takes
)

// fill sends until no more bytes fit, and prints the error that ends it.
func (r *runner) fill(fd int) string {
	r.filled = true
	b := make([]byte, fillSize)
	for range mostFill {
		if _, err := r.Send(fd, b, unix.MSG_DONTWAIT, netip.AddrPort{}, ancillary{}); err != nil {
			return show(err)
		}
	}
	return "never full"
}

// drain receives until nothing is left, and prints whether there was anything, and the end.
func (r *runner) drain(fd int) string {
	b := make([]byte, fillSize)
	text := ""
	for {
		r.Pause(0)
		switch n, _, _, _, err := r.Recv(fd, b, unix.MSG_DONTWAIT); {
		case err != nil:
			return text + show(err)
		case n == 0:
			return text + "end"
		}
		text = "bytes, then "
	}
}
