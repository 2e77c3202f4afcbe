package host

import (
	"bufio"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
	"tunstack/socketapi"
	"tunstack/tun"
)

// switched is a stack in this process behind a port of a bridge of the kernel, which snoops and is a querier with short intervals.
type switched struct {
	t     *testing.T
	sock  socketapi.Berkeley
	port  string // the bridge's port
	sniff string // the file that records what the port sees
	dump  *exec.Cmd
}

func newSwitched(t *testing.T) *switched {
	t.Helper()
	netns.Need(t)
	netns.NeedTool(t, "bridge")
	netns.NeedTool(t, "tshark")
	dev, err := tun.Open(tun.Config{Kind: tun.TAP})
	require.NoError(t, err)
	b := &switched{t: t, port: dev.Name(), sniff: filepath.Join(t.TempDir(), "port.pcap")}
	succeed(t, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1", "mcast_igmp_version", "3",
		"mcast_mld_version", "2", "mcast_query_interval", "100", "mcast_query_response_interval", "50", "mcast_startup_query_interval", "50",
		"mcast_last_member_interval", "20")
	t.Cleanup(func() { require.NoError(t, exec.Command("ip", "link", "del", "br0").Run()) })
	b.record()
	succeed(t, "ip", "link", "set", b.port, "master", "br0")
	succeed(t, "ip", "addr", "add", hostIP+"/24", "dev", "br0")
	succeed(t, "ip", "link", "set", "br0", "up")
	cfg := socketapi.Config{
		Interfaces: []socketapi.Interface{{Device: dev, Addrs: []netip.Prefix{netip.MustParsePrefix(stackIP + "/24")}, ACD: quickACD}},
		Logger:     slog.New(slog.DiscardHandler),
	}
	cfg.IP.Forwarding = true // a router is in groups of IPv6
	s, err := socketapi.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Ready(t.Context()))
	b.sock = s.Berkeley()
	return b
}

// record records the port's messages about groups.
func (b *switched) record() {
	b.dump = command(b.t, "tcpdump", "--immediate-mode", "-U", "-i", b.port, "-w", b.sniff, "igmp or ip6")
	errs, err := b.dump.StderrPipe()
	require.NoError(b.t, err)
	require.NoError(b.t, b.dump.Start())
	lines := bufio.NewReader(errs)
	for line := ""; !strings.Contains(line, "listening on"); {
		line, err = lines.ReadString('\n')
		require.NoError(b.t, err)
	}
}

// seen is the number of recorded packets that match a filter of tshark.
func (b *switched) seen(filter string) int {
	out, err := exec.Command("tshark", "-r", b.sniff, "-Y", filter).Output()
	if exit, ok := err.(*exec.ExitError); ok && strings.Contains(string(exit.Stderr), "cut short") { // tcpdump is writing
		err = nil
	}
	require.NoError(b.t, err)
	return strings.Count(string(out), "\n")
}

// sees waits for a packet.
func (b *switched) sees(filter string) {
	b.t.Helper()
	wait(b.t, "tcpdump sees "+filter, func() bool { return b.seen(filter) > 0 })
}

// knows waits until the entry of a group in the bridge's table matches a pattern; there must be none for an empty pattern.
func (b *switched) knows(group, pattern string) {
	b.t.Helper()
	entry := ""
	wait(b.t, "bridge mdb has "+group+" "+pattern, func() bool {
		entry = ""
		for line := range strings.Lines(succeed(b.t, "bridge", "-d", "mdb", "show", "dev", "br0")) {
			if strings.Contains(line, "port "+b.port+" grp "+group+" ") && !strings.Contains(line, " src ") {
				entry = line
			}
		}
		return (entry == "") == (pattern == "") && regexp.MustCompile(pattern).MatchString(entry)
	})
}

// done ends the recording and requires that tshark has nothing against it.
func (b *switched) done() {
	b.t.Helper()
	require.NoError(b.t, b.dump.Process.Signal(unix.SIGINT))
	b.dump.Wait()
	require.Zero(b.t, b.seen("(igmp || icmpv6.type in {130..132,143}) && (_ws.malformed || _ws.expert.severity >= warning)"))
	require.Zero(b.t, b.seen("igmp.checksum.status == Bad || icmpv6.checksum.status == Bad"))
}

// set sets an option of a socket.
func (b *switched) set(fd, name int, value any) {
	b.t.Helper()
	require.NoError(b.t, b.sock.SetSockOpt(fd, socketapi.IPPROTO_IP, name, value))
}

// A switch and querier of the kernel learns the stack's groups and sources, in each version of IGMP and MLD.
func TestGroupsBehindSwitch(t *testing.T) { // IGMP-001, IGMP-003, IGMP-007, ICMP6-021, ICMP6-024, ICMP6-025, IP-032, IP-033
	b := newSwitched(t)
	fd, err := b.sock.Socket(socketapi.AF_INET, socketapi.SOCK_DGRAM, 0)
	require.NoError(t, err)
	group, own := [4]byte{239, 1, 2, 3}, netip.MustParseAddr(stackIP).As4()
	member := socketapi.IPMreqn{Multiaddr: group, Address: own}
	source := socketapi.IPMreqSource{Multiaddr: group, Interface: own, Sourceaddr: [4]byte{10, 0, 0, 9}}

	b.set(fd, socketapi.IP_ADD_MEMBERSHIP, member)
	b.knows("239.1.2.3", "filter_mode exclude")
	b.sees("igmp.type == 0x22 && igmp.record_type == 4 && ip.ttl == 1")
	b.sees("igmp.type == 0x22 && igmp.record_type == 2") // the answer to a query
	b.receives(fd, "239.1.2.3")
	b.set(fd, socketapi.IP_BLOCK_SOURCE, source)
	b.knows("239.1.2.3", "filter_mode exclude source_list 10.0.0.9")
	b.set(fd, socketapi.IP_DROP_MEMBERSHIP, member)
	b.knows("239.1.2.3", "")
	b.set(fd, socketapi.IP_ADD_SOURCE_MEMBERSHIP, source)
	b.knows("239.1.2.3", "filter_mode include source_list 10.0.0.9")
	b.set(fd, socketapi.IP_DROP_SOURCE_MEMBERSHIP, source)
	b.knows("239.1.2.3", "")

	b.listeners()
	b.olderVersions(fd, member)
	b.done()
}

// receives requires that the switch forwards a datagram of the kernel for a group to a socket.
func (b *switched) receives(fd int, group string) {
	b.t.Helper()
	succeed(b.t, "ip", "route", "add", group, "dev", "br0")
	require.NoError(b.t, b.sock.Bind(fd, netip.MustParseAddrPort("0.0.0.0:7")))
	c, err := net.Dial("udp", group+":7")
	require.NoError(b.t, err)
	defer c.Close()
	got := make([]byte, 8)
	wait(b.t, "a datagram to the group arrives", func() bool {
		_, err := c.Write([]byte("hello"))
		require.NoError(b.t, err)
		n, err := b.sock.Recv(fd, got, socketapi.MSG_DONTWAIT)
		return err == nil && string(got[:n]) == "hello"
	})
}

// listeners requires that the switch learns the groups and sources of an IPv6 socket.
func (b *switched) listeners() {
	b.t.Helper()
	fd, err := b.sock.Socket(socketapi.AF_INET6, socketapi.SOCK_DGRAM, 0)
	require.NoError(b.t, err)
	set := func(name int, value any) {
		b.t.Helper()
		require.NoError(b.t, b.sock.SetSockOpt(fd, socketapi.IPPROTO_IPV6, name, value))
	}
	const port = 2 // the number of the interface
	group := netip.MustParseAddr("ff0e::9").As16()
	member := socketapi.IPv6Mreq{Multiaddr: group, Interface: port}
	set(socketapi.IPV6_JOIN_GROUP, member)
	b.knows("ff0e::9", "filter_mode exclude")
	b.sees("icmpv6.type == 143 && icmpv6.mldr.mar.record_type == 4 && ipv6.hlim == 1")
	b.sees("icmpv6.type == 143 && icmpv6.mldr.mar.record_type == 2") // the answer to a query
	set(socketapi.IPV6_LEAVE_GROUP, socketapi.IPv6Mreq{Multiaddr: group})
	b.knows("ff0e::9", "")

	source := binary.NativeEndian.AppendUint64(nil, port) // struct group_source_req
	for _, a := range [][16]byte{group, netip.MustParseAddr("2001:db8::5").As16()} {
		storage, err := binary.Append(nil, binary.NativeEndian, socketapi.SockaddrIn6{Family: socketapi.AF_INET6, Addr: a})
		require.NoError(b.t, err)
		source = append(source, append(storage, make([]byte, 128-len(storage))...)...)
	}
	set(socketapi.MCAST_JOIN_SOURCE_GROUP, source)
	b.knows("ff0e::9", "filter_mode include source_list 2001:db8::5")
	set(socketapi.MCAST_LEAVE_SOURCE_GROUP, source)
	b.knows("ff0e::9", "")
	b.knows("ff05::2", "filter_mode exclude")
}

// olderVersions requires that the switch learns groups after it has turned to IGMPv2 and MLDv1.
func (b *switched) olderVersions(fd int, member socketapi.IPMreqn) {
	b.t.Helper()
	succeed(b.t, "ip", "link", "set", "br0", "type", "bridge", "mcast_igmp_version", "2", "mcast_mld_version", "1")
	b.sees("igmp.type == 0x11 && igmp.version == 2")
	b.set(fd, socketapi.IP_ADD_MEMBERSHIP, member)
	b.sees("igmp.type == 0x16 && igmp.maddr == 239.1.2.3")
	b.knows("239.1.2.3", "temp")
	b.set(fd, socketapi.IP_DROP_MEMBERSHIP, member)
	b.sees("igmp.type == 0x17")
	b.knows("239.1.2.3", "")
	b.sees("icmpv6.type == 131 && ipv6.dst == ff05::2")
}
