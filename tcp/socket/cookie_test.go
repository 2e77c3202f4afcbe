package socket

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
	"tunstack/tcp"
)

// crowdedLab returns a lab whose listener has room for one half-open connection, and has one.
func crowdedLab(t *testing.T) (*lab, *Socket) {
	l := newLab(t, func(c *Config) { c.MaxHalfOpen = 1 })
	listener := l.listen(here, 10)
	l.dial(client(0))
	return l, listener
}

// A cookie keeps the options of the SYN, as far as it has room for them.
func TestCookies(t *testing.T) { // SEC-006, SEC-007
	full := tcp.Options{SackPermitted: true, HasScale: true, Scale: 7, HasTS: true, TSVal: 1 << 31}
	for _, tt := range []struct {
		name    string
		mss     uint16
		options tcp.Options
		flags   tcp.Flags
		wantMSS int
		want    string // options as ss prints them
		ecn     bool
	}{
		{"plain", 1460, tcp.Options{}, 0, 1460, "", false},
		{"no MSS", 0, tcp.Options{}, 0, 536, "", false},
		{"tiny MSS", 100, tcp.Options{}, 0, 88, "", false},
		{"MSS between classes", 1459, tcp.Options{}, 0, 1360, "", false},
		{"jumbo", 9000, tcp.Options{}, 0, 1460, "", false}, // bounded by the MTU
		{"all", 1460, full, tcp.ECE | tcp.CWR, 1448, "ts sack ecn wscale:7,8", true},
		{"no ECN", 1460, full, 0, 1448, "ts sack wscale:7,8", false},
		{"largest scale", 1460, tcp.Options{HasScale: true, Scale: 14, HasTS: true}, 0, 1448, "ts wscale:14,8", false},
		{"scale zero", 1460, tcp.Options{HasScale: true, HasTS: true}, 0, 1448, "ts wscale:0,8", false},
		{"timestamps only", 1460, tcp.Options{HasTS: true}, 0, 1448, "ts", false},
		{"no timestamps to keep it in", 1460, tcp.Options{SackPermitted: true, HasScale: true, Scale: 7}, tcp.ECE | tcp.CWR, 1460, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, listener := crowdedLab(t)
			l.after(100 * time.Millisecond)
			syn := tcp.Segment{Flags: tcp.SYN | tt.flags, Seq: 5000, Wnd: 64000, Options: tt.options}
			syn.Options.MSS = tt.mss
			l.recv(there, here, syn)
			synAck := l.one()
			require.Equal(t, tt.ecn, synAck.Flags.Has(tcp.ECE))
			require.Len(t, listenerOf(listener).halfOpen, 1)
			l.after(50 * time.Millisecond)
			ack := tcp.Segment{Flags: tcp.ACK, Seq: 5001, Ack: synAck.Seq + 1, Wnd: 1000, Payload: []byte("hello")}
			if tt.options.HasTS {
				ack.Options = tcp.Options{HasTS: true, TSVal: tt.options.TSVal + 50, TSEcr: synAck.Options.TSVal}
			}
			l.recv(there, here, ack)
			so, err := listener.Accept()
			require.NoError(t, err)
			so.reads(t, "hello")
			i := so.Info()
			require.Equal(t, tt.wantMSS, i.SndMSS)
			require.Equal(t, tt.want, optionsText(&i))
			require.Equal(t, 1000<<i.SndWscale, i.SndWnd)
			l.take()

			so.writes(t, "reply")
			f := l.one()
			require.Equal(t, tt.ecn, f.ip.TOS == ecnECT0)
			if tt.options.HasTS {
				require.LessOrEqual(t, synAck.Options.TSVal, f.Options.TSVal, "timestamps do not go back")
			}
		})
	}
}

func TestForgedCookies(t *testing.T) { // SEC-007
	l, listener := crowdedLab(t)
	p := l.dial(there)
	for name, forge := range map[string]func(*peer, *tcp.Segment){
		"another number":       func(_ *peer, s *tcp.Segment) { s.Ack++ },
		"another high bit":     func(_ *peer, s *tcp.Segment) { s.Ack ^= 1 << 31 },
		"another SYN":          func(_ *peer, s *tcp.Segment) { s.Seq++ },
		"another port":         func(p *peer, _ *tcp.Segment) { p.at = ap("10.0.0.1:1001") },
		"another host":         func(p *peer, _ *tcp.Segment) { p.at = ap("10.0.0.9:1000") },
		"another port of ours": func(p *peer, _ *tcp.Segment) { p.to = ap("10.0.0.3:7") },
	} {
		before := l.stats.DropCookie.Value()
		q, s := *p, p.segment(tcp.ACK, "")
		forge(&q, &s)
		l.recv(q.at, q.to, s)
		if q.to == here {
			require.Equal(t, before+1, l.stats.DropCookie.Value(), name)
		}
		require.Equal(t, tcp.RST, l.one().Flags, name)
		require.Equal(t, "SYN-RECV", l.state(), name)
	}
	p.accept(listener)
}

// A cookie is valid for one to two minutes, and for one connection at a time.
func TestCookieLifetime(t *testing.T) { // SEC-007
	for _, tt := range []struct {
		start, age time.Duration
		good       bool
	}{
		{0, 0, true}, {63 * time.Second, 64 * time.Second, true}, {0, 127 * time.Second, true},
		{0, 128 * time.Second, false}, {63 * time.Second, 66 * time.Second, false},
		{0, 32 * cookiePeriod, false}, // the counter has wrapped to its earlier value
		{time.Hour, 64 * time.Second, true},
	} {
		l := newLab(t)
		l.after(tt.start)
		id := ip.FourTuple{LocalPort: 7}
		cookie := l.cookies.make(l.clk.Now(), id, &tcp.Segment{Seq: 5000})
		l.after(tt.age)
		_, ok := l.cookies.check(l.clk.Now(), id, cookie, 5000)
		require.Equal(t, tt.good, ok, "%v after %v", tt.age, tt.start)
	}
}

// A listener without a SYN flood answers a stray ACK with RST, without checking it for a cookie; and one whose accept queue is full
// drops an ACK with a cookie, which the peer can send again.
func TestCookiesOnlyWhileCrowded(t *testing.T) { // SEC-006, SOCK-007
	l := newLab(t, func(c *Config) { c.MaxHalfOpen = 1 })
	listener := l.listen(here, 0)
	l.recv(there, here, tcp.Segment{Flags: tcp.ACK, Seq: 1, Ack: 2})
	require.Equal(t, tcp.RST, l.one().Flags)
	require.Zero(t, l.stats.DropCookie.Value())

	first, second := l.dial(client(0)), l.dial(client(1))
	require.EqualValues(t, 1, l.stats.CookiesOut.Value())
	first.sends(tcp.ACK, "")
	second.sends(tcp.ACK, "")
	l.silent()
	require.EqualValues(t, 1, l.stats.DropAcceptQueue.Value())
	_, err := listener.Accept()
	require.NoError(t, err)
	second.accept(listener)
	require.EqualValues(t, 1, l.stats.CookiesIn.Value())
}

// Over IPv6 the classes of MSS are those of its longer header and its larger minimum MTU.
func TestCookieClassesOfIPv6(t *testing.T) { // SEC-007, TCP6-002
	var k cookies
	id := ip.NewFourTuple(ap("[2001:db8::2]:7"), ap("[2001:db8::1]:1000"))
	for mss, want := range map[uint16]uint16{0: 1220, 88: 88, 1219: 88, 1220: 1220, 1360: 1360, 1439: 1360, 1440: 1440, 9000: 1440} {
		syn := tcp.Segment{Flags: tcp.SYN, Seq: 5000, Options: tcp.Options{MSS: mss}}
		got, ok := k.check(0, id, k.make(0, id, &syn), syn.Seq)
		require.True(t, ok)
		require.Equal(t, want, got, "announced: %d", mss)
	}
}

// Sequence numbers, timestamps and cookies depend on every bit of the addresses and the ports.
func TestNumbersDependOnWholeAddresses(t *testing.T) { // TCP6-008
	var k cookies
	local, remote := ap("[2001:db8::2]:7").Addr().As16(), ap("[2001:db8::1]:1000").Addr().As16()
	numbers := map[string]bool{}
	note := func(local, remote [16]byte, localPort, remotePort uint16) {
		id := ip.NewFourTuple(netip.AddrPortFrom(netip.AddrFrom16(local), localPort), netip.AddrPortFrom(netip.AddrFrom16(remote), remotePort))
		isn, offset := k.key.derive(id)
		for kind, n := range []uint32{isn, offset, uint32(k.make(0, id, &tcp.Segment{Seq: 5000}))} {
			numbers[fmt.Sprint(kind, " ", n)] = true
		}
	}
	note(local, remote, 7, 1000)
	for bit := range 128 {
		l, r := local, remote
		l[bit/8] ^= 1 << (bit % 8)
		r[bit/8] ^= 1 << (bit % 8)
		note(l, remote, 7, 1000)
		note(local, r, 7, 1000)
	}
	for bit := range 16 {
		note(local, remote, 7^1<<bit, 1000)
		note(local, remote, 7, 1000^1<<bit)
	}
	require.Len(t, numbers, 3*(1+2*128+2*16))
}

// SEC-064: each bit of a cookie is random: none depends on the time or the MSS alone. Eight of the 2^32 numbers are valid.
func TestCookiesTellNothing(t *testing.T) {
	l := newLab(t)
	const count = 4096
	var set [32]int
	for i := range count {
		now := time.Duration(i) * cookiePeriod / 4
		cookie := l.cookies.make(now, ip.FourTuple{LocalPort: 7}, &tcp.Segment{Seq: 5000, Options: tcp.Options{MSS: 1460}})
		for bit := range set {
			set[bit] += int(cookie >> bit & 1)
		}
	}
	for bit, n := range set {
		require.InDelta(t, count/2, n, count/8, "bit %d", bit)
	}
	right := 0
	for guess := range tcp.Seq(1 << 20) {
		if _, ok := l.cookies.check(time.Hour, ip.FourTuple{LocalPort: 7}, guess*4099, 5000); ok {
			right++
		}
	}
	require.Zero(t, right, "eight in 2^32: two in a thousand such tests")
	numbers := l.cookies.numbers(ip.FourTuple{LocalPort: 7}, 5000, 1)
	require.Len(t, numbers, 4)
	require.EqualValues(t, 2, cookieLifetime)
}

// optionsText are the negotiated options as ss prints them, with the shifts of the windows.
func optionsText(i *tcp.Info) string {
	text := i.Options.String()
	if i.Options.Has(tcp.UsesWindowScale) {
		text += fmt.Sprintf(":%d,%d", i.SndWscale, i.RcvWscale)
	}
	return text
}
