package socketapi

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/ip/dgram"
)

// filterForm is one of the forms in which a program reads and writes a source filter.
type filterForm struct {
	name          string
	domain, level int
	option        int
	layout        *filterLayout
	group         netip.Addr
	sources       string
	most          int // sources of a group
}

var filterForms = []filterForm{
	{"IP_MSFILTER", AF_INET, IPPROTO_IP, IP_MSFILTER, &ipMsfilter, netip.MustParseAddr("239.1.1.1"), "192.0.2.7 192.0.2.5 192.0.2.6", 10},
	{"MCAST_MSFILTER", AF_INET, IPPROTO_IP, MCAST_MSFILTER, &groupFilter, netip.MustParseAddr("239.1.1.1"), "192.0.2.7 192.0.2.5 192.0.2.6", 10},
	{"MCAST_MSFILTER of IPv6", AF_INET6, IPPROTO_IPV6, MCAST_MSFILTER, &groupFilter6, netip.MustParseAddr("ff05::1:1"), "fe80::8 2001:db8::7 2001:db8::6", 64},
}

// value is the option's value for a group on the second interface.
func (f *filterForm) value(group netip.Addr, mode uint32, sources ...netip.Addr) (b []byte) {
	if f.layout == &ipMsfilter {
		b = append(append(b, group.AsSlice()...), addrB.AsSlice()...)
	} else {
		b = binary.NativeEndian.AppendUint64(b, 2)
		b = append(b, make([]byte, sizeofSockaddrStorage)...)
		f.layout.put(b[8:], group)
	}
	b = binary.NativeEndian.AppendUint32(b, mode)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(sources)))
	for _, a := range sources {
		b = append(b, make([]byte, f.layout.size)...)
		f.layout.put(b[len(b)-f.layout.size:], a)
	}
	return b
}

// IP_MSFILTER and MCAST_MSFILTER replace and read the whole filter of a group. The errors are those of Linux.
func TestSourceFilters(t *testing.T) { // SOCK-071
	for _, f := range filterForms {
		t.Run(f.name, func(t *testing.T) {
			w := newWire(t, dualStack)
			fd, err := w.Socket(f.domain, SOCK_DGRAM, 0)
			require.NoError(t, err)
			var sources []netip.Addr
			for s := range strings.FieldsSeq(f.sources) {
				sources = append(sources, netip.MustParseAddr(s))
			}
			none := make([]netip.Addr, 3)
			for i := range none {
				none[i] = f.group
			}
			set := func(value []byte) error { return w.SetSockOpt(fd, f.level, f.option, value) }
			get := func(value []byte) ([]byte, error) {
				n, err := w.GetSockOpt(fd, f.level, f.option, value)
				return value[:max(n, 0)], err
			}
			fails := func(want error, value []byte) {
				t.Helper()
				_, err := get(value)
				require.Equal(t, want, err)
			}
			require.Equal(t, syscall.EINVAL, set(f.value(f.group, MCAST_INCLUDE, sources...)), "not joined")
			require.Equal(t, syscall.EADDRNOTAVAIL, set(f.value(f.group, MCAST_INCLUDE)))
			fails(syscall.EADDRNOTAVAIL, f.value(f.group, 9))
			fails(syscall.EINVAL, f.value(sources[0], 9))

			require.NoError(t, w.groups(fd).Join(f.group, w.stack().InterfaceAt(2)))
			got, err := get(f.value(f.group, 9, none...))
			require.NoError(t, err)
			require.Equal(t, f.value(f.group, MCAST_EXCLUDE), got)
			require.NoError(t, set(f.value(f.group, MCAST_INCLUDE, sources...)))
			sorted := slices.SortedFunc(slices.Values(sources), netip.Addr.Compare)
			got, err = get(f.value(f.group, 9, none...))
			require.NoError(t, err)
			require.Equal(t, f.value(f.group, MCAST_INCLUDE, sorted...), got)
			for n := range none { // too small a buffer receives the beginning, and the number
				got, err = get(f.value(f.group, 9, none[:n]...))
				require.NoError(t, err)
				require.Equal(t, f.value(f.group, MCAST_INCLUDE, sorted...)[:f.layout.head+n*f.layout.size], got)
			}
			huge := f.value(f.group, 9, none[:1]...)
			binary.NativeEndian.PutUint32(huge[f.layout.head-4:], 1<<31)
			got, err = get(huge)
			require.NoError(t, err)
			require.Len(t, got, f.layout.head+f.layout.size)

			long := f.value(f.group, MCAST_EXCLUDE, sources...)
			require.Equal(t, syscall.EINVAL, set(long[:len(long)-1]))
			require.Equal(t, syscall.EINVAL, set(long[:f.layout.head-1]))
			fails(syscall.EINVAL, long[:f.layout.head-1])
			require.Equal(t, syscall.EINVAL, set(f.value(f.group, 2, sources...)), "no mode")
			many := make([]netip.Addr, f.most+1)
			for i := range many {
				many[i] = sources[1]
				for range i {
					many[i] = many[i].Next()
				}
			}
			require.Equal(t, syscall.ENOBUFS, set(f.value(f.group, MCAST_EXCLUDE, many...)))
			require.NoError(t, set(f.value(f.group, MCAST_EXCLUDE, many[1:]...)))
			require.NoError(t, set(f.value(f.group, MCAST_INCLUDE)), "leaves the group")
			fails(syscall.EADDRNOTAVAIL, f.value(f.group, 9))
		})
	}
}

// The forms of MCAST_MSFILTER refuse the addresses of other families.
func TestFamiliesOfSourceFilters(t *testing.T) {
	w := newWire(t, dualStack)
	for _, f := range filterForms[1:] {
		fd, err := w.Socket(f.domain, SOCK_DGRAM, 0)
		require.NoError(t, err)
		require.NoError(t, w.groups(fd).Join(f.group, w.stack().InterfaceAt(2)))
		value := f.value(f.group, MCAST_INCLUDE, f.group)
		value[f.layout.head] = 99
		require.Equal(t, syscall.EADDRNOTAVAIL, w.SetSockOpt(fd, f.level, f.option, value), "of the source")
		value[8] = 99
		require.Error(t, w.SetSockOpt(fd, f.level, f.option, value), "of the group")
	}
}

// A group of source-specific multicast is joined for listed sources only (RFC 4604), unless the configuration says otherwise.
func TestSourceSpecificGroups(t *testing.T) {
	for _, ssm := range [][]netip.Prefix{nil, {}} {
		w := newWire(t, func(c *Config) { dualStack(c); c.IP.SSM = ssm })
		for _, f := range filterForms[1:] {
			for _, group := range []string{"232.1.1.1", "ff3e::1:1", "ff32::8000:1"} {
				g := netip.MustParseAddr(group)
				if g.Is4() != f.group.Is4() {
					continue
				}
				fd, err := w.Socket(f.domain, SOCK_DGRAM, 0)
				require.NoError(t, err)
				refused := error(nil)
				if ssm == nil {
					refused = syscall.EINVAL
				}
				whole, one := f.value(g, MCAST_EXCLUDE)[:f.layout.head-8], f.value(g, MCAST_INCLUDE, f.group)
				require.Equal(t, refused, w.SetSockOpt(fd, f.level, MCAST_JOIN_GROUP, whole))
				source := append(slices.Clone(whole), one[f.layout.head:]...)
				if ssm == nil {
					w.set(fd, f.level, MCAST_JOIN_SOURCE_GROUP, source)
				}
				require.NoError(t, w.SetSockOpt(fd, f.level, f.option, one))
				require.Equal(t, refused, w.SetSockOpt(fd, f.level, f.option, f.value(g, MCAST_EXCLUDE, f.group)))
			}
		}
	}
}

// groups are the groups of a socket.
func (w *wire) groups(fd int) *dgram.Groups {
	so, err := w.sockets.get(fd)
	require.NoError(w.t, err)
	return so.datagrams().Groups()
}

func (w *wire) stack() *ip.Stack { return w.Stack.ip }
