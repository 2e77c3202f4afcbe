package socketapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/tcp"
)

func TestMulticastOnEthernet(t *testing.T) { // IP-031, SOCK-044: joining a group reaches down to the link's filter
	var clk VirtualClock
	a, b := tapPair(t, &clk, addrB)
	rest(clk.Now()+10*time.Second, a, b)
	server, client := b.bound(SOCK_DGRAM, "0.0.0.0:7"), a.socket(SOCK_DGRAM, 0)
	a.set(client, IPPROTO_IP, IP_MULTICAST_IF, addrA.AsSlice())
	group := IPMreqn{Multiaddr: [4]byte{239, 1, 2, 3}, Ifindex: 2}
	receives := func() bool {
		_, err := a.SendTo(client, []byte("x"), 0, ap("239.1.2.3:7"))
		require.NoError(t, err)
		rest(clk.Now(), a, b)
		_, err = b.recv(server, 1, MSG_DONTWAIT)
		return err == nil
	}
	require.False(t, receives())
	b.set(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, group)
	require.True(t, receives())
	b.set(server, IPPROTO_IP, IP_DROP_MEMBERSHIP, group)
	require.False(t, receives())
}

func TestClosedPort(t *testing.T) { // TCP-131, TCP-157, ICMP-010: never an ICMP error
	w := newWire(t)
	for _, c := range []struct {
		in   tcp.Segment
		want string
	}{
		{tcp.Segment{Flags: tcp.RST, Seq: 5}, ""},
		{tcp.Segment{Flags: tcp.RST | tcp.ACK, Seq: 5, Ack: 7}, ""},
		{tcp.Segment{Flags: tcp.SYN, Seq: 5}, "R. seq 0 ack 6 win 0"},
		{tcp.Segment{Seq: 5, Payload: []byte("data")}, "R. seq 0 ack 9 win 0"},
		{tcp.Segment{Flags: tcp.FIN, Seq: 5, Payload: []byte("data")}, "R. seq 0 ack 10 win 0"},
		{tcp.Segment{Flags: tcp.ACK, Seq: 5, Ack: 7, Payload: []byte("data")}, "R seq 7 win 0"},
		{tcp.Segment{Flags: tcp.SYN | tcp.ACK, Seq: 5, Ack: 7}, "R seq 7 win 0"},
	} {
		c.in.SrcPort, c.in.DstPort = 1000, 9
		w.recv(c.in)
		if c.want == "" {
			w.silent(c.in)
			continue
		}
		require.Len(t, w.sent, 1)
		out := w.one()
		require.Equal(t, c.want, out.String())
		require.Equal(t, [2]uint16{9, 1000}, [2]uint16{out.SrcPort, out.DstPort})
	}
}

func TestListenerRefusals(t *testing.T) { // TCP-132
	w := newWire(t)
	w.listen("0.0.0.0:7")
	in := tcp.Segment{SrcPort: 1000, DstPort: 7, Seq: 5, Ack: 7}
	for _, flags := range []tcp.Flags{tcp.RST, tcp.RST | tcp.ACK, tcp.RST | tcp.SYN, tcp.FIN, 0} {
		in.Flags = flags
		w.recv(in)
		w.silent(flags)
	}
	for _, flags := range []tcp.Flags{tcp.ACK, tcp.SYN | tcp.ACK, tcp.FIN | tcp.ACK} {
		in.Flags = flags
		w.recv(in)
		require.Equal(t, "R seq 7 win 0", w.one().String())
	}
}

func TestDataOnTheSYN(t *testing.T) { // TCP-133
	w := newWire(t)
	fd := w.listen("0.0.0.0:7")
	w.recv(tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.SYN, Seq: 5, Wnd: 1000, Payload: []byte("early")})
	syn := w.one()
	require.Equal(t, tcp.SYN|tcp.ACK, syn.Flags)
	require.Equal(t, tcp.Seq(6), syn.Ack)
	require.Zero(t, w.events(fd, POLLIN))
	w.recv(tcp.Segment{SrcPort: 1000, DstPort: 7, Flags: tcp.ACK, Seq: 6, Ack: syn.Seq + 1, Wnd: 1000, Payload: []byte("early")})
	server, _, err := w.Accept(fd)
	require.NoError(t, err)
	w.receives(server, "early")
}

func TestTCPDatagrams(t *testing.T) { // TCP-003, TCP-012, TCP-031, TCP-034, IP-037: checksums are right, DF is set, MSS is in the SYN only
	w := newWire(t)
	p := w.connected()
	for _, payload := range []string{"a", "ab", "abc", ""} {
		if payload == "" {
			require.NoError(t, w.Close(p.fd))
		} else {
			w.send(p.fd, payload)
		}
		for _, f := range p.acks() {
			require.True(t, f.ip.DF)
			require.Zero(t, f.Options.MSS)
			require.Equal(t, payload, string(f.Payload))
		}
	}
	for mtu, mss := range map[int]uint16{1500: 1460, 576: 536, 9000: 8960} {
		w := newWire(t, func(c *Config) { c.Interfaces[0].MTU = mtu })
		_, syn := w.dial("10.0.0.1:9")
		require.True(t, syn.ip.DF)
		require.Equal(t, mss, syn.Options.MSS)
	}
}

func TestBadTCPChecksum(t *testing.T) { // TCP-004
	w := newWire(t)
	p := w.connected()
	b := segment(addrA, addrB, tcp.Segment{SrcPort: 9, DstPort: p.dst, Flags: tcp.ACK, Seq: p.seq, Ack: p.ack, Wnd: 65535, Payload: []byte("data")})
	b[len(b)-1]++
	w.inject(ipPacket(addrA, addrB, ip.ProtocolTCP, nil, b))
	w.after(time.Second)
	w.silent()
	p.sends(tcp.ACK, "data")
	w.receives(p.fd, "data")
}
