package socketapi

import "tunstack/internal/poll"

// The numbers below are Linux's on every platform, so that a program or a system-call emulation written against Linux's headers works
// on a host with other numbers.

// Address families, socket types and flags for Socket.
const (
	AF_UNSPEC = 0
	AF_INET   = 2
	AF_INET6  = 10

	SOCK_STREAM   = 1
	SOCK_DGRAM    = 2
	SOCK_RAW      = 3
	SOCK_NONBLOCK = 0x800 // or-ed to the type: the descriptor starts with O_NONBLOCK
	SOCK_CLOEXEC  = 0x80000

	IPPROTO_IP     = 0
	IPPROTO_ICMP   = 1
	IPPROTO_TCP    = 6
	IPPROTO_UDP    = 17
	IPPROTO_IPV6   = 41
	IPPROTO_ICMPV6 = 58
	IPPROTO_RAW    = 255
)

// Flags of the send and receive calls.
const (
	MSG_OOB      = 0x1    // urgent data
	MSG_PEEK     = 0x2    // leave the received data in the queue
	MSG_TRUNC    = 0x20   // report a datagram's whole size; in Message.Flags: the datagram was cut
	MSG_DONTWAIT = 0x40   // do not block
	MSG_WAITALL  = 0x100  // block until the buffer is full
	MSG_ERRQUEUE = 0x2000 // receive from the error queue (IP_RECVERR); in Message.Flags: the message is from there
	MSG_NOSIGNAL = 0x4000 // ignored: the stack never raises SIGPIPE
	MSG_MORE     = 0x8000 // more follows: hold back a partial segment
)

// How of Shutdown.
const (
	SHUT_RD   = 0
	SHUT_WR   = 1
	SHUT_RDWR = 2
)

// Commands and flags of Fcntl and Ioctl.
const (
	F_GETFL    = 3
	F_SETFL    = 4
	O_RDWR     = 2
	O_NONBLOCK = 0x800

	SIOCATMARK = 0x8905 // whether the next byte is the last urgent one
	FIONREAD   = 0x541b // number of bytes that can be received now
	TIOCOUTQ   = 0x5411 // number of bytes sent and not yet acknowledged
	FIONBIO    = 0x5421 // sets O_NONBLOCK
)

// SOL_SOCKET is the level of the options that every socket has.
const SOL_SOCKET = 1

// Options of level SOL_SOCKET.
const (
	SO_DEBUG            = 1
	SO_REUSEADDR        = 2
	SO_TYPE             = 3
	SO_ERROR            = 4
	SO_DONTROUTE        = 5
	SO_BROADCAST        = 6
	SO_SNDBUF           = 7
	SO_RCVBUF           = 8
	SO_KEEPALIVE        = 9
	SO_OOBINLINE        = 10
	SO_NO_CHECK         = 11
	SO_PRIORITY         = 12
	SO_LINGER           = 13
	SO_REUSEPORT        = 15
	SO_RCVLOWAT         = 18
	SO_SNDLOWAT         = 19
	SO_RCVTIMEO         = 20
	SO_SNDTIMEO         = 21
	SO_BINDTODEVICE     = 25
	SO_TIMESTAMP        = 29
	SO_ACCEPTCONN       = 30
	SO_SNDBUFFORCE      = 32
	SO_RCVBUFFORCE      = 33
	SO_TIMESTAMPNS      = 35
	SO_MARK             = 36
	SO_PROTOCOL         = 38
	SO_DOMAIN           = 39
	SO_PEEK_OFF         = 42
	SO_BUSY_POLL        = 46
	SO_MAX_PACING_RATE  = 47
	SO_INCOMING_CPU     = 49
	SO_COOKIE           = 57
	SO_BINDTOIFINDEX    = 62
	SO_PREFER_BUSY_POLL = 69
)

// Options of level IPPROTO_IP.
const (
	IP_TOS                    = 1
	IP_TTL                    = 2
	IP_HDRINCL                = 3
	IP_OPTIONS                = 4
	IP_RECVOPTS               = 6
	IP_RETOPTS                = 7
	IP_PKTINFO                = 8
	IP_MTU_DISCOVER           = 10
	IP_RECVERR                = 11
	IP_RECVTTL                = 12
	IP_RECVTOS                = 13
	IP_MTU                    = 14
	IP_FREEBIND               = 15
	IP_RECVORIGDSTADDR        = 20
	IP_MINTTL                 = 21
	IP_BIND_ADDRESS_NO_PORT   = 24
	IP_MULTICAST_IF           = 32
	IP_MULTICAST_TTL          = 33
	IP_MULTICAST_LOOP         = 34
	IP_ADD_MEMBERSHIP         = 35
	IP_DROP_MEMBERSHIP        = 36
	IP_UNBLOCK_SOURCE         = 37
	IP_BLOCK_SOURCE           = 38
	IP_ADD_SOURCE_MEMBERSHIP  = 39
	IP_DROP_SOURCE_MEMBERSHIP = 40
	IP_MSFILTER               = 41
	MCAST_JOIN_GROUP          = 42
	MCAST_BLOCK_SOURCE        = 43
	MCAST_UNBLOCK_SOURCE      = 44
	MCAST_LEAVE_GROUP         = 45
	MCAST_JOIN_SOURCE_GROUP   = 46
	MCAST_LEAVE_SOURCE_GROUP  = 47
	MCAST_MSFILTER            = 48
	IP_MULTICAST_ALL          = 49
	IP_UNICAST_IF             = 50
	IP_LOCAL_PORT_RANGE       = 51
	IP_PROTOCOL               = 52

	IP_PMTUDISC_DONT      = 0 // values of IP_MTU_DISCOVER
	IP_PMTUDISC_WANT      = 1
	IP_PMTUDISC_DO        = 2
	IP_PMTUDISC_PROBE     = 3
	IP_PMTUDISC_INTERFACE = 4
	IP_PMTUDISC_OMIT      = 5
)

// Options of level IPPROTO_IPV6.
const (
	IPV6_CHECKSUM         = 7
	IPV6_FLOWINFO         = 11
	IPV6_UNICAST_HOPS     = 16
	IPV6_MULTICAST_IF     = 17
	IPV6_MULTICAST_HOPS   = 18
	IPV6_MULTICAST_LOOP   = 19
	IPV6_JOIN_GROUP       = 20
	IPV6_LEAVE_GROUP      = 21
	IPV6_ROUTER_ALERT     = 22
	IPV6_MTU_DISCOVER     = 23
	IPV6_MTU              = 24
	IPV6_RECVERR          = 25
	IPV6_V6ONLY           = 26
	IPV6_MULTICAST_ALL    = 29
	IPV6_RECVERR_RFC4884  = 31
	IPV6_FLOWINFO_SEND    = 33
	IPV6_HDRINCL          = 36
	IPV6_RECVPKTINFO      = 49
	IPV6_PKTINFO          = 50
	IPV6_RECVHOPLIMIT     = 51
	IPV6_HOPLIMIT         = 52
	IPV6_RECVHOPOPTS      = 53
	IPV6_HOPOPTS          = 54
	IPV6_RTHDRDSTOPTS     = 55
	IPV6_RECVRTHDR        = 56
	IPV6_RTHDR            = 57
	IPV6_RECVDSTOPTS      = 58
	IPV6_DSTOPTS          = 59
	IPV6_RECVPATHMTU      = 60
	IPV6_PATHMTU          = 61
	IPV6_DONTFRAG         = 62
	IPV6_RECVTCLASS       = 66
	IPV6_TCLASS           = 67
	IPV6_AUTOFLOWLABEL    = 70
	IPV6_ADDR_PREFERENCES = 72
	IPV6_MINHOPCOUNT      = 73
	IPV6_RECVORIGDSTADDR  = 74
	IPV6_TRANSPARENT      = 75
	IPV6_UNICAST_IF       = 76
	IPV6_RECVFRAGSIZE     = 77
	IPV6_FREEBIND         = 78

	IPV6_PMTUDISC_DONT      = 0 // values of IPV6_MTU_DISCOVER
	IPV6_PMTUDISC_WANT      = 1
	IPV6_PMTUDISC_DO        = 2
	IPV6_PMTUDISC_PROBE     = 3
	IPV6_PMTUDISC_INTERFACE = 4
	IPV6_PMTUDISC_OMIT      = 5

	IPV6_PREFER_SRC_TMP            = 0x1 // bits of IPV6_ADDR_PREFERENCES
	IPV6_PREFER_SRC_PUBLIC         = 0x2
	IPV6_PREFER_SRC_COA            = 0x4
	IPV6_PREFER_SRC_CGA            = 0x8
	IPV6_PREFER_SRC_PUBTMP_DEFAULT = 0x100
	IPV6_PREFER_SRC_HOME           = 0x400
	IPV6_PREFER_SRC_NONCGA         = 0x800
)

// ICMP6_FILTER is the option of level IPPROTO_ICMPV6 with the set of ICMPv6 types that a raw socket does not receive.
const ICMP6_FILTER = 1

// SOL_RAW is the level of ICMP_FILTER, the set of ICMP types that a raw socket does not receive.
const (
	SOL_RAW     = 255
	ICMP_FILTER = 1
)

// Options of level IPPROTO_UDP.
const (
	UDP_CORK         = 1   // gather the bytes of several sends into one datagram
	UDP_NO_CHECK6_TX = 101 // send over IPv6 without checksum (RFC 6936)
	UDP_NO_CHECK6_RX = 102 // receive over IPv6 without checksum
	UDP_SEGMENT      = 103 // size of the datagrams into which a longer send is cut
)

// Options of level IPPROTO_TCP.
const (
	TCP_NODELAY       = 1
	TCP_MAXSEG        = 2
	TCP_CORK          = 3
	TCP_KEEPIDLE      = 4
	TCP_KEEPINTVL     = 5
	TCP_KEEPCNT       = 6
	TCP_SYNCNT        = 7
	TCP_LINGER2       = 8
	TCP_DEFER_ACCEPT  = 9
	TCP_WINDOW_CLAMP  = 10
	TCP_INFO          = 11
	TCP_QUICKACK      = 12
	TCP_CONGESTION    = 13
	TCP_USER_TIMEOUT  = 18
	TCP_NOTSENT_LOWAT = 25
	TCP_SAVE_SYN      = 27
	TCP_SAVED_SYN     = 28
	TCP_INQ           = 36
)

// Events is a set of poll events.
type Events = poll.Mask

// Events of Poll.
const (
	POLLIN    = poll.In    // a receive or an accept would not block
	POLLPRI   = poll.Pri   // there is urgent data
	POLLOUT   = poll.Out   // a send would not block; a connect has completed
	POLLERR   = poll.Err   // an error is pending; always reported
	POLLHUP   = poll.Hup   // both directions are closed; always reported
	POLLNVAL  = poll.Nval  // no such descriptor; always reported
	POLLRDHUP = poll.RdHup // the peer will send no more
)
