package ping

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/cmd/internal/icmpmsg"
)

func TestStatisticsString(t *testing.T) {
	start := time.Unix(1000, 0)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	for _, tt := range []struct {
		name string
		do   func(s *Statistics)
		want string
	}{
		{"nothing sent", func(*Statistics) {}, "0 packets transmitted, 0 received\n\n"},
		{"one, at once", func(s *Statistics) {
			s.sent(start)
			s.received(start, 0, false)
		}, "1 packets transmitted, 1 received, 0% packet loss, time 0ms\nrtt min/avg/max/mdev = 0.000/0.000/0.000/0.000 ms\n"},
		{"one of 300 lost", func(s *Statistics) {
			for i := range 300 {
				s.sent(start)
				if i > 0 {
					s.received(after(time.Second), 12345*time.Microsecond, false)
				}
			}
		}, "300 packets transmitted, 299 received, 0.333333% packet loss, time 1000ms\nrtt min/avg/max/mdev = 12.345/12.345/12.345/0.000 ms\n"},
		{"all counts", func(s *Statistics) {
			s.sent(start)
			s.received(after(time.Millisecond), time.Millisecond, false)
			s.received(after(3*time.Millisecond), 3*time.Millisecond, true)
			s.sent(after(time.Second))
			s.failed(after(2 * time.Second))
		}, "2 packets transmitted, 1 received, +1 duplicates, +1 errors, 50% packet loss, time 2000ms\nrtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Statistics
			tt.do(&s)
			require.Equal(t, tt.want, s.String())
		})
	}
}

func TestTriptime(t *testing.T) {
	for us, want := range map[int]string{
		0: "0.000", 7: "0.007", 999: "0.999", 1000: "1.00", 1234: "1.23", 1235: "1.24", 9994: "9.99", 9995: "10.0",
		10_049: "10.0", 10_050: "10.1", 99_949: "99.9", 99_950: "100", 100_499: "100", 100_500: "101", 12_345_678: "12346",
	} {
		require.Equal(t, want, triptime(time.Duration(us)*time.Microsecond), "%d us", us)
	}
}

func TestUnreachable(t *testing.T) {
	require.Equal(t, "Destination Port Unreachable", unreachable(3, 0))
	require.Equal(t, "Packet filtered", unreachable(13, 0))
	require.Equal(t, "Dest Unreachable, Bad Code: 99", unreachable(99, 0))
	explain := subject{Family: icmpmsg.Of(them)}.explain
	require.Equal(t, "Frag reassembly time exceeded", explain([]byte{11, 1, 0, 0, 0, 0, 0, 0}))
	require.Equal(t, "Parameter problem: pointer = 9", explain([]byte{12, 0, 0, 0, 9, 0, 0, 0}))
}

func TestUnreachableOverIPv6(t *testing.T) {
	explain := subject{Family: icmpmsg.Of(them6)}.explain
	for _, tt := range []struct {
		kind, code byte
		want       string
	}{
		{1, 1, "Destination unreachable: Administratively prohibited"}, {1, 2, "Destination unreachable: Beyond scope of source address"},
		{1, 3, "Destination unreachable: Address unreachable"}, {1, 4, "Destination unreachable: Port unreachable"},
		{1, 5, "Destination unreachable: Source address failed ingress/egress policy"},
		{1, 6, "Destination unreachable: Reject route to destination"}, {1, 9, "Destination unreachable: Unknown code 9"},
		{3, 1, "Time exceeded: Defragmentation failure"}, {3, 9, "Time exceeded: code 9"},
		{4, 0, "Parameter problem: Wrong header field at 7"}, {4, 2, "Parameter problem: Unknown option at 7"}, {4, 9, "Parameter problem: code 9 at 7"},
		{128, 0, ""}, {136, 0, ""},
	} {
		require.Equal(t, tt.want, explain([]byte{tt.kind, tt.code, 0, 0, 0, 0, 0, 7}))
	}
}

func TestEchoRequest(t *testing.T) {
	b := subject{icmpmsg.Of(them), 0x1234, ""}.echoRequest(0x5678, 300)
	require.Len(t, b, 8+300)
	require.Equal(t, []byte{8, 0}, b[:2])
	require.Equal(t, []byte{0x12, 0x34, 0x56, 0x78}, b[4:8])
	require.Equal(t, []byte{0, 1, 2}, b[8:11])
	require.Equal(t, []byte{255, 0, 1}, b[8+255:8+258], "each byte its own index, modulo 256")
}
