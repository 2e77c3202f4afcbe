package stacks

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/checksum"
)

// reflected sends a packet through a plain reflector and returns its answers.
func reflected(t *testing.T, packets ...[]byte) [][]byte {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	r := &reflector{fd: ends[0], flows: map[uint16]*flow{}, frame: make([]byte, 70<<10), small: make([]byte, 128)}
	for _, p := range packets {
		r.input(p)
	}
	r.flush()
	var answers [][]byte
	b := make([]byte, 70<<10)
	for {
		n, err := unix.Read(ends[1], b)
		if err != nil {
			return answers
		}
		answers = append(answers, append([]byte{}, b[:n]...))
	}
}

var (
	clientIP = []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2} // the destination is the reflector
	answerIP = []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1}
)

// segment is a segment of a client at port 1000.
func segment(service uint16, seq, ack uint32, flags byte, payload string) []byte {
	p := make([]byte, ipLen+tcpLen+len(payload))
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, service), 1000)
	putHeaders(p, answerIP, ports, seq, ack, flags, nil)
	copy(p[ipLen+tcpLen:], payload)
	completeTCP(p)
	return p
}

func requireSegment(t *testing.T, p []byte, seq, ack uint32, flags byte, payload string) {
	t.Helper()
	require.EqualValues(t, 0xffff, checksum.Sum(p[:ipLen], 0))
	tcp := p[ipLen:]
	require.EqualValues(t, 0xffff, checksum.Sum(tcp, pseudo(p, len(tcp))))
	require.Equal(t, clientIP[12:16], p[16:20])
	require.Equal(t, seq, binary.BigEndian.Uint32(tcp[4:]))
	require.Equal(t, ack, binary.BigEndian.Uint32(tcp[8:]))
	require.Equal(t, flags, tcp[13])
	require.Equal(t, payload, string(tcp[int(tcp[12]>>4)*4:]))
}

func TestReflectHandshakeEchoAndEnd(t *testing.T) {
	a := reflected(t, segment(EchoPort, 50, 0, tcpSyn, ""), segment(EchoPort, 51, 1001, tcpAck|tcpPsh, "hello"),
		segment(EchoPort, 56, 1006, tcpFin|tcpAck, ""))
	require.Len(t, a, 3)
	requireSegment(t, a[0], firstSeq, 51, tcpSyn|tcpAck, "")
	requireSegment(t, a[1], 1001, 56, tcpAck|tcpPsh, "hello")
	requireSegment(t, a[2], 1006, 57, tcpFin|tcpAck, "")
}

func TestReflectAcknowledgesOncePerBatch(t *testing.T) {
	a := reflected(t, segment(DiscardPort, 51, 1001, tcpAck, "hello"), segment(DiscardPort, 56, 1001, tcpAck, "again"))
	require.Len(t, a, 1)
	requireSegment(t, a[0], 1001, 61, tcpAck, "")
}

func TestReflectDownload(t *testing.T) {
	a := reflected(t, segment(ChargenPort, 50, 0, tcpSyn, ""), segment(ChargenPort, 51, 1001, tcpAck, ""))
	require.Len(t, a, 1+65535/flowMSS) // the client's window
	requireSegment(t, a[1], 1001, 51, tcpAck|tcpPsh, string(make([]byte, flowMSS)))
	requireSegment(t, a[2], 1001+flowMSS, 51, tcpAck|tcpPsh, string(make([]byte, flowMSS)))
}

func TestReflectPing(t *testing.T) {
	p := append(append([]byte{}, clientIP...), 8, 0, 0, 0, 1, 2, 3, 4)
	p[9] = 1
	checksum.Put(p[ipLen+2:], ^checksum.Sum(p[ipLen:], 0))
	a := reflected(t, p)
	require.Len(t, a, 1)
	require.EqualValues(t, 0, a[0][ipLen])
	require.EqualValues(t, 0xffff, checksum.Sum(a[0][ipLen:], 0))
}
