package udp

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeader(t *testing.T) {
	wire := []byte{0x30, 0x39, 0x00, 0x07, 0x00, 0x0c, 0xab, 0xcd}
	var h Header
	require.True(t, h.Parse(wire))
	require.Equal(t, Header{SrcPort: 12345, DstPort: 7, Length: 12, Checksum: 0xabcd}, h)
	b := make([]byte, HeaderLen)
	h.Put(b)
	require.Equal(t, wire, b)
	require.False(t, h.Parse(wire[:7]))
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x30, 0x39, 0, 7, 0, 12, 0xab, 0xcd, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Header
		require.Equal(t, len(b) >= HeaderLen, h.Parse(b))
		if len(b) < HeaderLen {
			return
		}
		out := make([]byte, HeaderLen)
		h.Put(out)
		require.Equal(t, b[:HeaderLen], out)
	})
}

// FuzzInput feeds whole datagrams to a host with sockets; none may panic, and each delivered datagram is one that was sent. SEC-015, UDP-006.
func FuzzInput(f *testing.F) {
	f.Add(build(f, "10.0.0.1:1000", "10.0.0.2:7", "hello")[20:], false)
	f.Add(build(f, "10.0.0.1:1000", "10.0.0.2:7", "")[20:], true)
	f.Add([]byte{0, 0, 0, 7, 0, 7, 0, 0}, false)
	f.Add([]byte{0, 0, 0, 7, 0xff, 0xff, 0, 0}, false)
	f.Fuzz(func(t *testing.T, datagram []byte, connected bool) {
		if len(datagram) > 2000 {
			return
		}
		h := newHost(t)
		e := h.bound("0.0.0.0:7")
		if connected {
			require.NoError(t, e.Connect(ap("10.0.0.1:1000")))
		}
		p := build(t, "10.0.0.1:1000", "10.0.0.2:7", "")[:20]
		p = append(p, datagram...)
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
		binary.BigEndian.PutUint16(p[10:], 0)
		binary.BigEndian.PutUint16(p[10:], ^sum16(p[:20]))
		h.input(p)
		b := make([]byte, 2000)
		if n, d, err := e.Recv(b, false); err == nil {
			require.Equal(t, int(binary.BigEndian.Uint16(datagram[4:])), n+HeaderLen)
			require.Equal(t, datagram[HeaderLen:HeaderLen+n], b[:n])
			require.Equal(t, n, d.Size)
		}
	})
}
