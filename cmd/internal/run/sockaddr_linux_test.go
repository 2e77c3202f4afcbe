package run

import (
	"net/netip"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// stackTables are those of a stack with two interfaces.
var stackTables = &tables{
	interfaces: []Interface{
		{Index: 1, Name: "lo", MTU: 65535, Loopback: true, Addresses: prefixes("127.0.0.1/8", "::1/128")},
		{Index: 2, Name: "tun0", MTU: 1500, Addresses: prefixes("10.0.0.2/24", "fe80::2/64")},
	},
	routes: []Route{
		{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Interface: 2, Source: netip.MustParseAddr("10.0.0.2")},
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1"), Interface: 2},
		{Prefix: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fe80::1%tun0"), Interface: 2, Metric: 1024},
	},
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// An address is the same after a socket of its family has laid it out.
func TestSockaddr(t *testing.T) {
	for _, tt := range []struct {
		domain   int
		in, back string
	}{
		{unix.AF_INET, "10.0.0.1:80", "10.0.0.1:80"},
		{unix.AF_INET, "[::ffff:10.0.0.1]:80", "10.0.0.1:80"},
		{unix.AF_INET6, "[2001:db8::1]:80", "[2001:db8::1]:80"},
		{unix.AF_INET6, "10.0.0.1:80", "[::ffff:10.0.0.1]:80"},
		{unix.AF_INET6, "[fe80::1%tun0]:80", "[fe80::1%tun0]:80"},
	} {
		got, err := parseSockaddr(layoutSockaddr(tt.domain, netip.MustParseAddrPort(tt.in), stackTables), tt.domain, stackTables)
		require.NoError(t, err)
		require.Equal(t, tt.back, got.String())
	}
	require.Equal(t, make([]byte, 14), layoutSockaddr(unix.AF_INET, netip.AddrPort{}, stackTables)[2:])
}

// Lengths and families are checked as the kernel checks them.
func TestSockaddrErrors(t *testing.T) {
	in4 := layoutSockaddr(unix.AF_INET, netip.AddrPort{}, stackTables)
	in6 := layoutSockaddr(unix.AF_INET6, netip.MustParseAddrPort("[fe80::1%tun0]:80"), stackTables)
	for _, tt := range []struct {
		domain int
		b      []byte
		err    error
	}{
		{unix.AF_INET, append([]byte{unix.AF_UNIX}, make([]byte, 15)...), unix.EAFNOSUPPORT},
		{unix.AF_INET, []byte{unix.AF_UNIX, 0, 'x'}, unix.EINVAL},
		{unix.AF_INET, []byte{unix.AF_UNSPEC, 0}, nil},
		{unix.AF_INET, in4[:15], unix.EINVAL},
		{unix.AF_INET, in6, unix.EAFNOSUPPORT},
		{unix.AF_INET6, in4, unix.EINVAL},
		{unix.AF_INET6, append(in4, make([]byte, 12)...), unix.EAFNOSUPPORT},
		{unix.AF_INET6, in6[:23], unix.EINVAL},
		{unix.AF_INET6, in6[:24], nil},
	} {
		_, err := parseSockaddr(tt.b, tt.domain, stackTables)
		require.Equal(t, tt.err, errnoOrNil(err), "%v", tt.b)
	}
	for _, length := range []uint32{0, 1, maxSockaddr + 1} {
		_, err := readSockaddr(os.Getpid(), 0, length, unix.AF_INET, stackTables)
		require.Equal(t, unix.EINVAL, err)
	}
	_, err := readSockaddr(os.Getpid(), 8, 16, unix.AF_INET, stackTables)
	require.Equal(t, unix.EFAULT, err)
}

func errnoOrNil(err error) error {
	if err == nil {
		return nil
	}
	return errnoOf(err)
}

// An address that is longer than its room is cut, and its whole length is returned.
func TestWriteSockaddr(t *testing.T) {
	var room [16]byte
	length := int32(4)
	at := func(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }
	b := layoutSockaddr(unix.AF_INET, netip.MustParseAddrPort("10.0.0.1:80"), stackTables)
	write := func() error {
		return writeSockaddr(os.Getpid(), at(unsafe.Pointer(&room)), at(unsafe.Pointer(&length)), b)
	}
	require.NoError(t, write())
	require.EqualValues(t, 16, length)
	require.Equal(t, b[:4], room[:4])
	require.Zero(t, room[4])
	length = -1
	require.Equal(t, unix.EINVAL, write())
	require.NoError(t, writeSockaddr(os.Getpid(), 0, 0, b), "the program wants none")
	require.Equal(t, unix.EFAULT, writeSockaddr(os.Getpid(), 8, 8, b))
}
