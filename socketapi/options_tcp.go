package socketapi

import (
	"math"
	"slices"
	"syscall"
	"time"

	"tunstack/tcp"
)

// Linux's bounds of the TCP options.
const (
	minMSS       = 88    // TCP_MIN_MSS
	maxMSS       = 32767 // MAX_TCP_WINDOW
	maxKeepTime  = 32767 // seconds
	maxKeepCount = 127
	maxSynCount  = 127
	maxLinger2   = 120           // seconds (TCP_FIN_TIMEOUT_MAX)
	maxDefer     = math.MaxUint8 // retransmissions
)

// streamOptions are the options of a SOCK_STREAM socket.
var streamOptions = map[optname]option{
	{SOL_SOCKET, SO_ACCEPTCONN}:      fixed(func(so *socket) int { return bit(so.tcp().Info().State == tcp.Listen) }),
	{SOL_SOCKET, SO_REUSEADDR}:       reuse(SO_REUSEADDR),
	{SOL_SOCKET, SO_REUSEPORT}:       reuse(SO_REUSEPORT),
	{SOL_SOCKET, SO_RCVLOWAT}:        number(math.MinInt32, math.MaxInt32, func(so *socket) int { return max(so.tcp().Params().RcvLowat, 1) }, setStreamLowat),
	{SOL_SOCKET, SO_MAX_PACING_RATE}: {get: getPacingRate, set: setPacingRate},
	{SOL_SOCKET, SO_LINGER}:          {get: getLinger, set: setLinger},
	{SOL_SOCKET, SO_KEEPALIVE}:       switched(func(p *tcp.Params) *bool { return &p.KeepAlive }),
	{SOL_SOCKET, SO_OOBINLINE}:       switched(func(p *tcp.Params) *bool { return &p.OOBInline }),
	{SOL_SOCKET, SO_RCVBUF}:          buffer(minReceiveBuffer, streamBuffer(func(p *tcp.Params) *int { return &p.RcvBuf })),
	{SOL_SOCKET, SO_SNDBUF}:          buffer(minSendBuffer, streamBuffer(func(p *tcp.Params) *int { return &p.SndBuf })),

	{IPPROTO_IP, IP_MULTICAST_TTL}: {get: func(*socket) (any, error) { return 1, nil }, set: notOfStreams},
	{IPPROTO_IP, IP_MULTICAST_IF}:  {get: func(*socket) (any, error) { return [4]byte{}, nil }, set: notOfStreams},

	{IPPROTO_TCP, TCP_NODELAY}:       noDelay,
	{IPPROTO_TCP, TCP_CORK}:          switched(func(p *tcp.Params) *bool { return &p.Cork }),
	{IPPROTO_TCP, TCP_QUICKACK}:      flag(func(so *socket) bool { return so.tcp().QuickAck() }, func(so *socket, on bool) { so.tcp().SetQuickAck(on) }),
	{IPPROTO_TCP, TCP_KEEPIDLE}:      tuned(1, maxKeepTime, time.Second, func(p *tcp.Params) *time.Duration { return &p.KeepIdle }),
	{IPPROTO_TCP, TCP_KEEPINTVL}:     tuned(1, maxKeepTime, time.Second, func(p *tcp.Params) *time.Duration { return &p.KeepIntvl }),
	{IPPROTO_TCP, TCP_KEEPCNT}:       tuned(1, maxKeepCount, 1, func(p *tcp.Params) *int { return &p.KeepCnt }),
	{IPPROTO_TCP, TCP_SYNCNT}:        tuned(1, maxSynCount, 1, func(p *tcp.Params) *int { return &p.SynRetries }),
	{IPPROTO_TCP, TCP_USER_TIMEOUT}:  tuned(0, math.MaxInt32, time.Millisecond, func(p *tcp.Params) *time.Duration { return &p.UserTimeout }),
	{IPPROTO_TCP, TCP_MAXSEG}:        number(0, maxMSS, func(so *socket) int { return so.tcp().MSS() }, setMaxSeg),
	{IPPROTO_TCP, TCP_CONGESTION}:    {get: getCongestion, set: setCongestion},
	{IPPROTO_TCP, TCP_LINGER2}:       {get: getLinger2, set: setLinger2},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT}:  number(math.MinInt32, math.MaxInt32, getDeferAccept, setDeferAccept),
	{IPPROTO_TCP, TCP_WINDOW_CLAMP}:  number(math.MinInt32, math.MaxInt32, getWindowClamp, setWindowClamp),
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT}: number(math.MinInt32, math.MaxInt32, getNotsentLowat, setNotsentLowat),
	{IPPROTO_TCP, TCP_SAVE_SYN}: number(0, 1,
		func(so *socket) int { return bit(so.tcp().SaveSyn()) },
		func(so *socket, n int) error { so.tcp().SetSaveSyn(n != 0); return nil }),
	{IPPROTO_TCP, TCP_SAVED_SYN}: {get: func(so *socket) (any, error) { return so.tcp().SavedSyn(), nil }},
	{IPPROTO_TCP, TCP_INQ}:       number(0, 1, func(so *socket) int { return bit(so.inq.Load()) }, func(so *socket, n int) error { so.inq.Store(n != 0); return nil }),
	{IPPROTO_TCP, TCP_INFO}:      {get: func(so *socket) (any, error) { return newTCPInfo(so.tcp().Info()), nil }},
}

// notOfStreams refuses multicast options on a stream with the error that Linux returns.
func notOfStreams(*socket, optvalue) error { return syscall.EINVAL }

// tcp is the endpoint of a socket that uses streamOptions.
func (so *socket) tcp() stream { return so.endpoint.(stream) }

// switched is an option that is a bool of tcp.Params.
func switched(field func(*tcp.Params) *bool) option {
	return flag(
		func(so *socket) bool { p := so.tcp().Params(); return *field(&p) },
		func(so *socket, on bool) { so.tcp().SetParams(func(p *tcp.Params) { *field(p) = on }) })
}

// noDelay is TCP_NODELAY. Setting it, also when it is set already, sends the data that TCP_CORK and MSG_MORE hold back (tcp(7)).
var noDelay = flag(
	func(so *socket) bool { return so.tcp().Params().NoDelay },
	func(so *socket, on bool) {
		so.tcp().SetParams(func(p *tcp.Params) { p.NoDelay = on })
		if on {
			so.tcp().Push()
		}
	})

// tuned is an option that is a number of tcp.Params, counted in unit.
func tuned[T int | time.Duration](low, high int, unit T, field func(*tcp.Params) *T) option {
	return number(low, high,
		func(so *socket) int { p := so.tcp().Params(); return int(*field(&p) / unit) },
		func(so *socket, n int) error {
			so.tcp().SetParams(func(p *tcp.Params) { *field(p) = T(n) * unit })
			return nil
		})
}

// reuse is SO_REUSEADDR or SO_REUSEPORT, which the endpoint takes together.
func reuse(name int) option {
	keep := kept(SOL_SOCKET, name)
	return option{get: keep.get, set: func(so *socket, v optvalue) error {
		if err := keep.set(so, v); err != nil {
			return err
		}
		so.tcp().SetReuse(so.value(SOL_SOCKET, SO_REUSEADDR) != 0, so.value(SOL_SOCKET, SO_REUSEPORT) != 0)
		return nil
	}}
}

func getLinger(so *socket) (any, error) {
	on, d := so.tcp().Linger()
	return Linger{int32(bit(on)), int32(d / time.Second)}, nil
}

func setLinger(so *socket, v optvalue) error {
	var l Linger
	if err := v.decode(&l); err != nil {
		return err
	}
	so.tcp().SetLinger(l.Onoff != 0, time.Duration(l.Linger)*time.Second)
	return nil
}

func setMaxSeg(so *socket, n int) error {
	if n != 0 && n < minMSS {
		return syscall.EINVAL
	}
	so.tcp().SetParams(func(p *tcp.Params) { p.MaxSeg = n })
	return nil
}

// congestionNameLen is TCP_CA_NAME_MAX, the number of bytes that getsockopt returns, with zeros after the name.
const congestionNameLen = 16

func getCongestion(so *socket) (any, error) {
	b := make([]byte, congestionNameLen)
	copy(b, so.tcp().Params().Congestion)
	return b, nil
}

// setCongestion takes a name with or without the zero byte that ends a string in C.
func setCongestion(so *socket, v optvalue) error {
	name := v.text()
	if len(v) == 0 {
		return syscall.EINVAL
	}
	if !slices.Contains(tcp.Algorithms, name) {
		return syscall.ENOENT
	}
	so.tcp().SetParams(func(p *tcp.Params) { p.Congestion = name })
	return nil
}

// getLinger2 is -1 without FIN-WAIT-2.
func getLinger2(so *socket) (any, error) {
	return max(int(so.tcp().Params().FinTimeout/time.Second), -1), nil
}

// setLinger2 takes seconds: below 0 a closed socket does not stay in FIN-WAIT-2, and 0 is the stack's default.
func setLinger2(so *socket, v optvalue) error {
	n, err := v.int()
	if err != nil {
		return err
	}
	d := time.Duration(min(n, maxLinger2)) * time.Second
	so.tcp().SetParams(func(p *tcp.Params) { p.FinTimeout = max(d, -time.Second) })
	return nil
}

// getDeferAccept is the total time of the retransmissions that TCP_DEFER_ACCEPT allows, in seconds.
func getDeferAccept(so *socket) int {
	return deferSeconds(int(so.tcp().DeferAccept()))
}

// setDeferAccept takes seconds and, as Linux does, stores the number of retransmissions that take as long.
func setDeferAccept(so *socket, seconds int) error {
	n := 0
	for n < maxDefer && deferSeconds(n) < seconds {
		n++
	}
	so.tcp().SetDeferAccept(uint8(n))
	return nil
}

// deferSeconds is the total time of n retransmissions of a SYN,ACK: 1, 2, 4 ... up to 120 seconds each.
func deferSeconds(n int) (total int) {
	for timeout := 1; n > 0; n-- {
		total += timeout
		timeout = min(2*timeout, 120)
	}
	return total
}
