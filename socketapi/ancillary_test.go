package socketapi

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A socket of AF_INET refuses the numbers that Linux's ip_cmsg_send refuses.
func TestControlMessagesOfIPv4(t *testing.T) {
	h := alone(t)
	fd := h.socket(SOCK_DGRAM, 0)
	to := netip.MustParseAddrPort("127.0.0.1:9")
	send := func(a Ancillary) error {
		_, err := h.SendMsg(fd, []byte("x"), Message{Addr: to, Ancillary: &a}, 0)
		return err
	}
	for n, ok := range map[int]bool{-1: false, 0: false, 1: true, 255: true, 256: false} {
		err := send(Ancillary{HopLimit: &n})
		require.Equal(t, !ok, err == syscall.EINVAL, "IP_TTL %d: %v", n, err)
	}
	for n, ok := range map[int]bool{-1: false, 0: true, 1: true, 255: true, 256: false} {
		err := send(Ancillary{TClass: &n})
		require.Equal(t, !ok, err == syscall.EINVAL, "IP_TOS %d: %v", n, err)
	}
}
