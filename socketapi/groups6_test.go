package socketapi

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

// mldRecords returns the records of the MLDv2 reports sent since the last call, such as "TO_EX ff05::9".
func (w *wire) mldRecords() string {
	w.t.Helper()
	names := map[byte]string{3: "TO_IN", 4: "TO_EX", 5: "ALLOW", 6: "BLOCK"}
	var records []string
	headers, payloads := w.sent6()
	for i, b := range payloads {
		const report = 143
		if headers[i].Protocol != ip.ProtocolICMPv6 || b[0] != report {
			continue
		}
		require.Equal(w.t, netip.MustParseAddr("ff02::16"), headers[i].Dst.WithZone(""))
		require.Equal(w.t, byte(1), headers[i].TTL)
		for at := 8; at < len(b); at += 20 + 16*int(b[at+3]) {
			records = append(records, fmt.Sprint(names[b[at]], " ", netip.AddrFrom16([16]byte(b[at+4:]))))
		}
	}
	return strings.Join(records, ", ")
}

// IPV6_JOIN_GROUP and IPV6_LEAVE_GROUP fail as on Linux, tell routers, and closing the socket leaves its groups.
func TestMembershipsOfIPv6(t *testing.T) { // SOCK6-012
	const number, lo = 2, 1
	w := newWire(t, dualStack)
	w.after(time.Minute)
	w.sent = nil
	fd, other := w.socket6(SOCK_DGRAM, 0), w.socket6(SOCK_DGRAM, 0)
	mreq := func(group string, number uint32) IPv6Mreq { return IPv6Mreq{netip.MustParseAddr(group).As16(), number} }
	for _, step := range []struct {
		fd, option int
		group      string
		number     uint32
		err        error
		reported   string
	}{
		{fd, IPV6_JOIN_GROUP, "2001:db8::1", number, syscall.EINVAL, ""},
		{fd, IPV6_JOIN_GROUP, "ff05::9", 99, syscall.ENODEV, ""},
		{fd, IPV6_LEAVE_GROUP, "ff05::9", number, syscall.EADDRNOTAVAIL, ""},
		{fd, IPV6_JOIN_GROUP, "ff05::9", number, nil, "TO_EX ff05::9"},
		{fd, IPV6_JOIN_GROUP, "ff05::9", number, syscall.EADDRINUSE, ""},
		{fd, IPV6_JOIN_GROUP, "ff05::9", lo, nil, ""},
		{other, IPV6_JOIN_GROUP, "ff05::9", number, nil, ""},
		{fd, IPV6_LEAVE_GROUP, "ff05::9", number, nil, ""},
		{other, IPV6_LEAVE_GROUP, "ff05::9", number, nil, "TO_IN ff05::9"},
		{other, IPV6_LEAVE_GROUP, "ff05::9", number, syscall.EADDRNOTAVAIL, ""},
		{other, IPV6_JOIN_GROUP, "ff02::9", 0, nil, "TO_EX ff02::9"},
	} {
		require.Equal(t, step.err, w.SetSockOpt(step.fd, IPPROTO_IPV6, step.option, mreq(step.group, step.number)), "%+v", step)
		w.after(0)
		require.Equal(t, step.reported, w.mldRecords(), "%+v", step)
		w.after(time.Minute)
		w.sent = nil
	}
	require.NoError(t, w.Close(other))
	w.after(0)
	require.Equal(t, "TO_IN ff02::9", w.mldRecords())
}
