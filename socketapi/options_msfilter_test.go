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

// filterLab is a socket whose source filter is read and written in one form.
type filterLab struct {
	*wire
	filterForm
	fd   int
	list []netip.Addr // sources
}

func newFilterLab(t *testing.T, f filterForm) *filterLab {
	l := &filterLab{wire: newWire(t, dualStack), filterForm: f}
	var err error
	l.fd, err = l.Socket(f.domain, SOCK_DGRAM, 0)
	require.NoError(t, err)
	for s := range strings.FieldsSeq(f.sources) {
		l.list = append(l.list, netip.MustParseAddr(s))
	}
	return l
}

func (l *filterLab) join() {
	require.NoError(l.t, l.groups(l.fd).Join(l.group, l.stack().InterfaceAt(2)))
}

func (l *filterLab) write(value []byte) error { return l.SetSockOpt(l.fd, l.level, l.option, value) }

func (l *filterLab) read(value []byte) ([]byte, error) {
	n, err := l.GetSockOpt(l.fd, l.level, l.option, value)
	return value[:max(n, 0)], err
}

// reads requires the value that is read into a buffer.
func (l *filterLab) reads(want, buffer []byte) {
	l.t.Helper()
	got, err := l.read(buffer)
	require.NoError(l.t, err)
	require.Equal(l.t, want, got)
}

func (l *filterLab) fails(want error, buffer []byte) {
	l.t.Helper()
	_, err := l.read(buffer)
	require.Equal(l.t, want, err)
}

// IP_MSFILTER and MCAST_MSFILTER replace and read the whole filter of a group; too small a buffer receives its beginning.
func TestSourceFilters(t *testing.T) { // SOCK-071
	for _, f := range filterForms {
		t.Run(f.name, func(t *testing.T) {
			l := newFilterLab(t, f)
			l.join()
			room := slices.Repeat([]netip.Addr{f.group}, len(l.list))
			l.reads(f.value(f.group, MCAST_EXCLUDE), f.value(f.group, 9, room...))
			require.NoError(t, l.write(f.value(f.group, MCAST_INCLUDE, l.list...)))
			whole := f.value(f.group, MCAST_INCLUDE, slices.SortedFunc(slices.Values(l.list), netip.Addr.Compare)...)
			for n := range len(room) + 1 {
				l.reads(whole[:f.layout.head+n*f.layout.size], f.value(f.group, 9, room[:n]...))
			}
			huge := f.value(f.group, 9, room[:1]...)
			binary.NativeEndian.PutUint32(huge[f.layout.head-4:], 1<<31) // sources, in a buffer for one
			l.reads(whole[:f.layout.head+f.layout.size], huge)
			require.NoError(t, l.write(f.value(f.group, MCAST_INCLUDE)), "leaves the group")
			l.fails(syscall.EADDRNOTAVAIL, f.value(f.group, 9))
		})
	}
}

// The errors of IP_MSFILTER and MCAST_MSFILTER are those of Linux.
func TestErrorsOfSourceFilters(t *testing.T) { // SOCK-071
	for _, f := range filterForms {
		t.Run(f.name, func(t *testing.T) {
			l := newFilterLab(t, f)
			require.Equal(t, syscall.EINVAL, l.write(f.value(f.group, MCAST_INCLUDE, l.list...)), "not joined")
			require.Equal(t, syscall.EADDRNOTAVAIL, l.write(f.value(f.group, MCAST_INCLUDE)))
			l.fails(syscall.EADDRNOTAVAIL, f.value(f.group, 9))
			l.fails(syscall.EINVAL, f.value(l.list[0], 9))
			l.join()
			long := f.value(f.group, MCAST_EXCLUDE, l.list...)
			require.Equal(t, syscall.EINVAL, l.write(long[:len(long)-1]))
			require.Equal(t, syscall.EINVAL, l.write(long[:f.layout.head-1]))
			l.fails(syscall.EINVAL, long[:f.layout.head-1])
			require.Equal(t, syscall.EINVAL, l.write(f.value(f.group, 2, l.list...)), "no mode")
			many := []netip.Addr{l.list[1]}
			for len(many) <= f.most {
				many = append(many, many[len(many)-1].Next())
			}
			require.Equal(t, syscall.ENOBUFS, l.write(f.value(f.group, MCAST_EXCLUDE, many...)))
			require.NoError(t, l.write(f.value(f.group, MCAST_EXCLUDE, many[1:]...)))
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
