package socketapi

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/tcp"
)

// flooded is a listener at port 7 of a host that keeps 10 half-open connections, after 1000 SYNs with forged sources.
func flooded(t *testing.T) (w *wire, fd int) {
	w = newWire(t, func(c *Config) { c.TCP.MaxHalfOpen = 10 })
	fd = w.listen("0.0.0.0:7")
	for i := range 1000 {
		from := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		s := tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000, Options: tcp.Options{MSS: 1460}}
		w.inject(ipPacket(from, addrB, ip.ProtocolTCP, nil, segment(from, addrB, s)))
	}
	require.Len(t, w.Sockets(), 1+10, "the listener and its half-open connections")
	w.take()
	return w, fd
}

func TestSYNFlood(t *testing.T) { // SEC-006, SEC-007
	for name, o := range map[string]tcp.Options{
		"plain":    {MSS: 1000},
		"all told": {MSS: 1000, SackPermitted: true, HasScale: true, Scale: 7, HasTS: true, TSVal: 99},
	} {
		t.Run(name, func(t *testing.T) {
			w, fd := flooded(t)
			w.recv(tcp.Segment{SrcPort: 2000, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000, Options: o})
			syn := w.one()
			require.Len(t, w.Sockets(), 11)
			ack := tcp.Segment{SrcPort: 2000, DstPort: 7, Flags: tcp.ACK, Seq: 6, Ack: syn.Seq + 1, Wnd: 1000, Payload: []byte("hello")}
			ack.Options = tcp.Options{HasTS: o.HasTS, TSVal: 100, TSEcr: syn.Options.TSVal}
			w.recv(ack)
			server, _, err := w.Accept(fd)
			require.NoError(t, err)
			w.receives(server, "hello")
			var i TCPInfo
			_, err = w.GetSockOpt(server, IPPROTO_TCP, TCP_INFO, &i)
			require.NoError(t, err)
			require.LessOrEqual(t, i.SndMSS, uint32(1000))
			require.GreaterOrEqual(t, i.SndMSS, uint32(500))
			if o.HasTS {
				require.EqualValues(t, TCPI_OPT_TIMESTAMPS|TCPI_OPT_SACK|TCPI_OPT_WSCALE, i.Options)
			}
		})
	}
	w, _ := flooded(t)
	w.after(5 * time.Minute)
	require.Len(t, w.Sockets(), 1, "nor are they remembered for ever")
}

func TestForgedCookies(t *testing.T) { // SEC-007
	w, fd := flooded(t)
	in := tcp.Segment{SrcPort: 2000, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000, Options: tcp.Options{MSS: 1460}}
	w.recv(in)
	cookie := w.one().Seq
	refused := func(s tcp.Segment) {
		w.recv(s)
		require.Equal(t, tcp.RST, w.one().Flags)
		_, _, err := w.Accept(fd)
		require.Equal(t, syscall.EAGAIN, err)
	}
	ack := tcp.Segment{SrcPort: 2000, DstPort: 7, Flags: tcp.ACK, Seq: 6, Ack: cookie + 1, Wnd: 1000}
	for _, forge := range []func(*tcp.Segment){
		func(s *tcp.Segment) { s.Ack++ },
		func(s *tcp.Segment) { s.Ack += 1 << 24 }, // another MSS
		func(s *tcp.Segment) { s.Seq++ },
		func(s *tcp.Segment) { s.SrcPort++ }, // another connection's
	} {
		s := ack
		forge(&s)
		refused(s)
	}
	w.after(3 * time.Minute)
	w.take()     // SYN,ACKs sent again
	refused(ack) // too late
}
