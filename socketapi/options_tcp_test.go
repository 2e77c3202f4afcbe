package socketapi

import (
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/tcp"
	"tunstack/tun"
)

func TestTCPOptions(t *testing.T) { // SOCK-036, SOCK-037, SOCK-038, SOCK-041, SOCK-043, TCP-051, TCP-058, TCP-059, TCP-061, TCP-062
	h := alone(t)
	fd := h.socket(SOCK_STREAM, 0)
	for _, o := range []struct {
		optname
		def, value int
		bad        []int
	}{
		{optname{IPPROTO_TCP, TCP_NODELAY}, 0, 1, nil},
		{optname{IPPROTO_TCP, TCP_CORK}, 0, 1, nil},
		{optname{IPPROTO_TCP, TCP_QUICKACK}, 1, 0, nil},
		{optname{SOL_SOCKET, SO_KEEPALIVE}, 0, 1, nil},
		{optname{SOL_SOCKET, SO_OOBINLINE}, 0, 1, nil},
		{optname{SOL_SOCKET, SO_REUSEPORT}, 0, 1, nil},
		{optname{SOL_SOCKET, SO_BROADCAST}, 0, 1, nil},
		{optname{IPPROTO_TCP, TCP_KEEPIDLE}, 7200, 10, []int{0, -1, 32768}},
		{optname{IPPROTO_TCP, TCP_KEEPINTVL}, 75, 11, []int{0, -1, 32768}},
		{optname{IPPROTO_TCP, TCP_KEEPCNT}, 9, 3, []int{0, -1, 128}},
		{optname{IPPROTO_TCP, TCP_SYNCNT}, 6, 3, []int{0, -1, 128}},
		{optname{IPPROTO_TCP, TCP_USER_TIMEOUT}, 0, 5000, []int{-1}},
		{optname{IPPROTO_IP, IP_TTL}, 64, 9, []int{0, 256, -2}},
		{optname{IPPROTO_IP, IP_TOS}, 0, 0x10, nil},
	} {
		require.Equal(t, o.def, h.get(fd, o.level, o.name), "%+v", o)
		h.set(fd, o.level, o.name, o.value)
		require.Equal(t, o.value, h.get(fd, o.level, o.name), "%+v", o)
		for _, bad := range o.bad {
			require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, o.level, o.name, bad), "%+v", o)
		}
	}
	require.Equal(t, syscall.EINVAL, h.SetSockOpt(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1))
}

func TestCongestionOption(t *testing.T) {
	h := alone(t)
	fd := h.socket(SOCK_STREAM, 0)
	var name string
	_, err := h.GetSockOpt(fd, IPPROTO_TCP, TCP_CONGESTION, &name)
	require.NoError(t, err)
	require.Equal(t, "cubic", name)
	for _, want := range []string{"reno", "bbr", "cubic"} {
		h.set(fd, IPPROTO_TCP, TCP_CONGESTION, want)
		_, err = h.GetSockOpt(fd, IPPROTO_TCP, TCP_CONGESTION, &name)
		require.NoError(t, err)
		require.Equal(t, want, name)
	}
	require.Equal(t, syscall.ENOENT, h.SetSockOpt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonsense"))
}

func TestLingerOption(t *testing.T) {
	h := alone(t)
	fd := h.socket(SOCK_STREAM, 0)
	h.set(fd, SOL_SOCKET, SO_LINGER, Linger{1, 30})
	var l Linger
	n, err := h.GetSockOpt(fd, SOL_SOCKET, SO_LINGER, &l)
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.Equal(t, Linger{1, 30}, l)
}

func TestMaxSeg(t *testing.T) { // SOCK-040
	p := newTCPPair(t)
	client := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	for _, bad := range []int{-1, 1, 87, 32768} {
		require.Equal(t, syscall.EINVAL, p.a.SetSockOpt(client, IPPROTO_TCP, TCP_MAXSEG, bad))
	}
	p.a.set(client, IPPROTO_TCP, TCP_MAXSEG, 500)
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:7")))
	p.rest()
	server := p.accept()
	for h, fd := range map[host]int{p.a: client, p.b: server} {
		mss := h.get(fd, IPPROTO_TCP, TCP_MAXSEG)
		require.LessOrEqual(t, mss, 500)
		require.GreaterOrEqual(t, mss, 500-12, "timestamps")
	}
}

func TestBufferOptions(t *testing.T) { // SOCK-032
	p := newTCPPair(t)
	p.b.set(p.listener, SOL_SOCKET, SO_RCVBUF, 4096)
	require.Equal(t, 2*4096, p.b.get(p.listener, SOL_SOCKET, SO_RCVBUF), "as on Linux")
	client := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	p.a.set(client, SOL_SOCKET, SO_SNDBUF, 8192)
	require.Equal(t, 2*8192, p.a.get(client, SOL_SOCKET, SO_SNDBUF))
	require.Equal(t, syscall.EINPROGRESS, p.a.Connect(client, ap("10.0.0.2:7")))
	p.rest()
	server := p.accept()
	total := 0
	for {
		n, err := p.a.Send(client, make([]byte, 1000), 0)
		if err != nil {
			break
		}
		total += n
		p.after(100 * time.Millisecond)
	}
	require.LessOrEqual(t, total, 4096+8192)
	require.GreaterOrEqual(t, total, 8192)
	in, err := p.b.Ioctl(server, FIONREAD, 0)
	require.NoError(t, err)
	require.LessOrEqual(t, in, 4096)
	require.Positive(t, in)
}

func TestKeepAlive(t *testing.T) { // SOCK-037
	p := newTCPPair(t)
	client, _ := p.connect()
	p.a.set(client, SOL_SOCKET, SO_KEEPALIVE, 1)
	p.a.set(client, IPPROTO_TCP, TCP_KEEPIDLE, 1)
	p.a.set(client, IPPROTO_TCP, TCP_KEEPINTVL, 1)
	p.a.set(client, IPPROTO_TCP, TCP_KEEPCNT, 3)
	p.after(10 * time.Second)
	require.Zero(t, p.a.events(client, POLLIN), "b answers")
	p.silence(2 * time.Second)
	require.Zero(t, p.a.events(client, POLLIN))
	p.silence(10 * time.Second)
	require.Equal(t, syscall.ETIMEDOUT, p.a.soError(client))
}

func TestUserTimeout(t *testing.T) { // SOCK-041
	p := newTCPPair(t)
	client, _ := p.connect()
	p.a.set(client, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000)
	p.a.send(client, "x")
	p.silence(4 * time.Second)
	require.Zero(t, p.a.events(client, POLLIN)&POLLERR)
	p.silence(10 * time.Second)
	require.Equal(t, syscall.ETIMEDOUT, p.a.soError(client))
}

func TestTCPInfo(t *testing.T) { // SOCK-042
	p := newTCPPair(t)
	client, server := p.connect()
	p.a.send(client, "hello")
	p.after(time.Second)
	var i TCPInfo
	n, err := p.a.GetSockOpt(client, IPPROTO_TCP, TCP_INFO, &i)
	require.NoError(t, err)
	require.Equal(t, 280, n, "as of Linux 6.18")
	require.EqualValues(t, 1, i.State)
	require.EqualValues(t, TCPI_OPT_TIMESTAMPS|TCPI_OPT_SACK|TCPI_OPT_WSCALE, i.Options)
	require.EqualValues(t, 1448, i.SndMSS)
	require.EqualValues(t, 10, i.SndCwnd)
	require.EqualValues(t, 5, i.BytesAcked)
	require.Zero(t, i.Unacked)
	require.GreaterOrEqual(t, i.RTO, uint32(200000))

	_, err = p.b.GetSockOpt(server, IPPROTO_TCP, TCP_INFO, &i)
	require.NoError(t, err)
	require.EqualValues(t, 5, i.BytesReceived)
	_, err = p.b.GetSockOpt(p.listener, IPPROTO_TCP, TCP_INFO, &i)
	require.NoError(t, err)
	require.EqualValues(t, 10, i.State)
	_, err = p.b.GetSockOpt(p.b.socket(SOCK_STREAM, 0), IPPROTO_TCP, TCP_INFO, &i)
	require.NoError(t, err)
	require.EqualValues(t, 7, i.State)
}

func TestInfoConversion(t *testing.T) { // SOCK-042
	i := newTCPInfo(tcp.Info{
		State: tcp.CloseWait, CAState: tcp.CARecovery, Options: tcp.UsesTimestamps | tcp.UsesSACK | tcp.UsesECN | tcp.UsesWindowScale,
		SndWscale: 7, RcvWscale: 9, SndMSS: 1000,
		Unacked: 2500, SndCwnd: 10000, RTT: 1500 * time.Microsecond, Retransmits: 300, PacingRate: 9, DeliveryRate: 8, MaxPacingRate: 7,
	})
	require.EqualValues(t, 9, i.PacingRate)
	require.EqualValues(t, 7, i.MaxPacingRate)
	require.EqualValues(t, uint64(math.MaxUint64), newTCPInfo(tcp.Info{}).MaxPacingRate, "no bound")
	require.EqualValues(t, 8, i.DeliveryRate)
	require.EqualValues(t, 8, i.State)
	require.EqualValues(t, 3, i.CAState)
	require.EqualValues(t, TCPI_OPT_TIMESTAMPS|TCPI_OPT_SACK|TCPI_OPT_WSCALE|TCPI_OPT_ECN, i.Options)
	require.EqualValues(t, 7|9<<4, i.Wscale)
	require.EqualValues(t, 3, i.Unacked)
	require.EqualValues(t, 10, i.SndCwnd)
	require.EqualValues(t, 1500, i.RTT)
	require.EqualValues(t, 255, i.Retransmits)
}

func TestECNIsConfigured(t *testing.T) { // TCP-049, TCP-196
	for _, tt := range []struct {
		client, server tcp.ECN
		used           bool
	}{
		{tcp.ECNRequest, tcp.ECNAccept, true}, {tcp.ECNRequest, tcp.ECNRequest, true},
		{tcp.ECNAccept, tcp.ECNRequest, false}, {tcp.ECNRequest, tcp.ECNOff, false},
	} {
		p := &tcpPair{t: t, clk: new(VirtualClock)}
		one, two := tun.Pipe(1500, tun.TUN, packet.Features{})
		a, b := device(one, addrA), device(two, addrB)
		a.Clock, b.Clock = p.clk, p.clk
		a.TCP.ECN, b.TCP.ECN = tt.client, tt.server
		p.a, p.b = newHost(t, a), newHost(t, b)
		p.listener = p.listen(1)
		client, server := p.connect()
		for h, fd := range map[host]int{p.a: client, p.b: server} {
			var i TCPInfo
			_, err := h.GetSockOpt(fd, IPPROTO_TCP, TCP_INFO, &i)
			require.NoError(t, err)
			require.Equal(t, tt.used, i.Options&TCPI_OPT_ECN != 0, "%+v", tt)
		}
	}
}
