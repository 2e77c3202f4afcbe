package run

import (
	"encoding/binary"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ask sends a request to the tables, and returns the answers.
func ask(t *testing.T, kind, flags uint16, body []byte) (answers []syscall.NetlinkMessage) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	e := &netlinkEnd{s: &Supervisor{tables: stackTables}, end: pair[1], port: 7}
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = append(binary.NativeEndian.AppendUint32(b, 42), 0, 0, 0, 0)
	e.handle(append(append(b, body...), make([]byte, 128)...)) // iproute2 sends more than the request
	for {
		b := make([]byte, 1<<16)
		n, err := unix.Read(pair[0], b)
		if err == unix.EAGAIN {
			return answers
		}
		require.NoError(t, err)
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		require.NoError(t, err)
		for _, m := range messages {
			require.EqualValues(t, 42, m.Header.Seq)
			require.EqualValues(t, 7, m.Header.Pid)
		}
		answers = append(answers, messages...)
	}
}

// dump asks for all rows of a kind, without the message at the end.
func dump(t *testing.T, kind uint16) []syscall.NetlinkMessage {
	t.Helper()
	all := ask(t, kind, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfInfomsg))
	last := len(all) - 1
	require.EqualValues(t, unix.NLMSG_DONE, all[last].Header.Type)
	return all[:last]
}

// The interfaces are those of the stack, as another implementation of rtnetlink reads them.
func TestLinks(t *testing.T) {
	rows := dump(t, unix.RTM_GETLINK)
	require.Len(t, rows, 2)
	for i, want := range []struct {
		name  string
		flags net.Flags
		mtu   int
	}{
		{"lo", net.FlagUp | net.FlagLoopback | net.FlagRunning, 65535},
		{"tun0", net.FlagUp | net.FlagPointToPoint | net.FlagMulticast | net.FlagRunning, 1500},
	} {
		link, err := netlink.LinkDeserialize((*unix.NlMsghdr)(&rows[i].Header), rows[i].Data)
		require.NoError(t, err)
		require.Equal(t, i+1, link.Attrs().Index)
		require.Equal(t, want.name, link.Attrs().Name)
		require.Equal(t, want.flags, link.Attrs().Flags)
		require.Equal(t, want.mtu, link.Attrs().MTU)
		require.EqualValues(t, netlink.OperUp, link.Attrs().OperState)
	}
}

// One interface is found by its index or its name; other questions, and changes, are errors.
func TestOneLink(t *testing.T) {
	info := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(info[4:], 2)
	byName := append(make([]byte, unix.SizeofIfInfomsg), attribute(unix.IFLA_IFNAME, []byte("tun0\x00"))...)
	for _, body := range [][]byte{info, byName} {
		answers := ask(t, unix.RTM_GETLINK, 0, body)
		require.Len(t, answers, 1)
		link, err := netlink.LinkDeserialize((*unix.NlMsghdr)(&answers[0].Header), answers[0].Data)
		require.NoError(t, err)
		require.Equal(t, "tun0", link.Attrs().Name)
	}
	for _, tt := range []struct {
		kind  uint16
		errno syscall.Errno
	}{{unix.RTM_GETLINK, unix.ENODEV}, {unix.RTM_NEWLINK, unix.EOPNOTSUPP}, {unix.RTM_NEWADDR, unix.EOPNOTSUPP}} {
		answers := ask(t, tt.kind, 0, make([]byte, unix.SizeofIfInfomsg))
		require.Len(t, answers, 1)
		require.EqualValues(t, unix.NLMSG_ERROR, answers[0].Header.Type)
		require.Equal(t, -int32(tt.errno), int32(binary.NativeEndian.Uint32(answers[0].Data)))
	}
}

// Addresses have their scope and prefix, and a family selects its own.
func TestAddresses(t *testing.T) {
	for family, want := range map[byte][]string{
		unix.AF_UNSPEC: {"1 127.0.0.1/8", "1 ::1/128", "2 10.0.0.2/24", "2 fe80::2/64"},
		unix.AF_INET:   {"1 127.0.0.1/8", "2 10.0.0.2/24"},
		unix.AF_INET6:  {"1 ::1/128", "2 fe80::2/64"},
	} {
		var got []string
		for _, r := range stackTables.addresses(family) {
			require.EqualValues(t, unix.RTM_NEWADDR, r.kind)
			attributes, err := syscall.ParseNetlinkRouteAttr(&syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: r.kind}, Data: r.body})
			require.NoError(t, err)
			address := net.IPNet{IP: attributes[0].Value, Mask: net.CIDRMask(int(r.body[1]), 8*len(attributes[0].Value))}
			got = append(got, string('0'+r.body[4])+" "+address.String())
		}
		require.Equal(t, want, got)
	}
}

// Routes have their gateway without a zone, their interface and their metric.
func TestRoutes(t *testing.T) {
	rows := stackTables.routeRows(unix.AF_UNSPEC)
	require.Len(t, rows, 3)
	attributes := func(i int) map[uint16][]byte {
		all, err := syscall.ParseNetlinkRouteAttr(&syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: rows[i].kind}, Data: rows[i].body})
		require.NoError(t, err)
		values := map[uint16][]byte{}
		for _, a := range all {
			values[a.Attr.Type] = a.Value
		}
		return values
	}
	require.Equal(t, []byte{10, 0, 0, 0}, attributes(0)[unix.RTA_DST])
	require.Equal(t, []byte{10, 0, 0, 2}, attributes(0)[unix.RTA_PREFSRC])
	require.Equal(t, []byte{10, 0, 0, 1}, attributes(1)[unix.RTA_GATEWAY])
	require.NotContains(t, attributes(1), uint16(unix.RTA_DST))
	require.Equal(t, net.ParseIP("fe80::1"), net.IP(attributes(2)[unix.RTA_GATEWAY]))
	require.Equal(t, layoutInt(1024), attributes(2)[unix.RTA_PRIORITY])
	require.Equal(t, layoutInt(2), attributes(2)[unix.RTA_OIF])
	require.Len(t, stackTables.routeRows(unix.AF_INET6), 1)
}
