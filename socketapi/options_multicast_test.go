package socketapi

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A socket receives a group from the sources that its filter allows, and with IP_MULTICAST_ALL off no group that only another socket has joined.
func TestMulticastSources(t *testing.T) { // SOCK-071
	var clk VirtualClock
	a, b := pair(t, &clk)
	group := [4]byte{224, 0, 0, 251}
	from := func(addr [4]byte) IPMreqSource {
		return IPMreqSource{Multiaddr: group, Interface: addrB.As4(), Sourceaddr: addr}
	}
	other := [4]byte{10, 0, 0, 9}
	sender := a.socket(SOCK_DGRAM, 0)
	fd, member := b.bound(SOCK_DGRAM, "0.0.0.0:7"), b.socket(SOCK_DGRAM, 0)
	b.set(member, IPPROTO_IP, IP_ADD_MEMBERSHIP, IPMreqn{Multiaddr: group, Address: addrB.As4()})
	receives := func(want bool, why string) {
		t.Helper()
		_, err := a.SendTo(sender, []byte("x"), 0, ap("224.0.0.251:7"))
		require.NoError(t, err)
		rest(0, a, b)
		_, err = b.recv(fd, 1, MSG_DONTWAIT)
		require.Equal(t, want, err == nil, why)
	}
	set := func(want error, name int, value any) {
		t.Helper()
		require.Equal(t, want, b.SetSockOpt(fd, IPPROTO_IP, name, value))
	}
	receives(true, "another socket has joined")
	set(nil, IP_MULTICAST_ALL, 0)
	receives(false, "and that does not count now")

	set(syscall.EINVAL, IP_BLOCK_SOURCE, from(other))
	set(nil, IP_ADD_SOURCE_MEMBERSHIP, from(other))
	receives(false, "not the source")
	set(syscall.EADDRNOTAVAIL, IP_ADD_SOURCE_MEMBERSHIP, from(other))
	set(syscall.EINVAL, IP_BLOCK_SOURCE, from(other))
	set(nil, IP_ADD_SOURCE_MEMBERSHIP, from(addrA.As4()))
	receives(true, "one of the sources")
	set(nil, IP_DROP_SOURCE_MEMBERSHIP, from(addrA.As4()))
	receives(false, "not any more")
	set(nil, IP_DROP_SOURCE_MEMBERSHIP, from(other))
	set(syscall.EINVAL, IP_DROP_SOURCE_MEMBERSHIP, from(other))

	req := GroupReq{Interface: 2, Group: SockaddrStorage{Family: AF_INET, Addr: group}}
	set(nil, MCAST_JOIN_GROUP, req)
	set(syscall.EADDRINUSE, MCAST_JOIN_GROUP, req)
	receives(true, "all sources")
	source := GroupSourceReq{GroupReq: req, Source: SockaddrStorage{Family: AF_INET, Addr: addrA.As4()}}
	set(nil, MCAST_BLOCK_SOURCE, source)
	receives(false, "blocked")
	set(nil, MCAST_UNBLOCK_SOURCE, source)
	receives(true, "all sources")
	set(nil, MCAST_LEAVE_GROUP, req)
	receives(false, "left")
	set(syscall.EINVAL, MCAST_JOIN_GROUP, make([]byte, 100))
}
