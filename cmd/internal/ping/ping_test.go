package ping

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/cmd/internal/icmpmsg"
)

const ms = time.Millisecond

// in answers with datagrams that arrive after the times before them.
func in(pairs ...any) []arrival {
	var arrivals []arrival
	for i := 0; i < len(pairs); i += 2 {
		arrivals = append(arrivals, arrival{after: pairs[i].(time.Duration), datagram: pairs[i+1].([]byte)})
	}
	return arrivals
}

// fails makes the socket return err after a time.
func fails(after time.Duration, err error) []arrival { return []arrival{{after: after, err: err}} }

type answer func(id, seq uint16, request []byte) ([]arrival, error)

var runs = []struct {
	name    string
	count   int
	answer  answer
	want    string // the output after the first line
	elapsed time.Duration
}{
	{"all answered", 3, func(_, seq uint16, request []byte) ([]arrival, error) {
		return in(time.Duration(seq)*ms/2, reply(request)), nil
	}, `64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.500 ms
64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=1.00 ms
64 bytes from 10.0.0.1: icmp_seq=3 ttl=64 time=1.50 ms

--- peer ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 2001ms
rtt min/avg/max/mdev = 0.500/1.000/1.500/0.408 ms
`, 2*time.Second + 3*ms/2},

	{"one of three lost", 3, func(_, seq uint16, request []byte) ([]arrival, error) {
		if seq == 2 {
			return nil, nil
		}
		return in(20*ms, reply(request)), nil
	}, `64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=20.0 ms
64 bytes from 10.0.0.1: icmp_seq=3 ttl=64 time=20.0 ms

--- peer ping statistics ---
3 packets transmitted, 2 received, 33.3333% packet loss, time 2020ms
rtt min/avg/max/mdev = 20.000/20.000/20.000/0.000 ms
`, 3 * time.Second}, // the last pause is an interval, because that is longer than two round trips

	{"no answer", 2, func(uint16, uint16, []byte) ([]arrival, error) { return nil, nil },
		`
--- peer ping statistics ---
2 packets transmitted, 0 received, 100% packet loss, time 1000ms

`, time.Second + 10*time.Second},

	{"out of order", 2, func(_, seq uint16, request []byte) ([]arrival, error) {
		return in(map[uint16]time.Duration{1: 1500 * ms, 2: 100 * ms}[seq], reply(request)), nil
	}, `64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=100 ms
64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=1500 ms

--- peer ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 1500ms
rtt min/avg/max/mdev = 100.000/800.000/1500.000/700.000 ms
`, 1500 * ms},

	{"duplicates", 2, func(_, seq uint16, request []byte) ([]arrival, error) {
		return in(10*ms, reply(request), 30*ms, reply(request)), nil
	}, `64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=10.0 ms
64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=30.0 ms (DUP!)
64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=10.0 ms

--- peer ping statistics ---
2 packets transmitted, 2 received, +1 duplicates, 0% packet loss, time 1010ms
rtt min/avg/max/mdev = 10.000/16.666/30.000/9.428 ms
`, 1010 * ms},

	{"ICMP errors", 2, func(_, seq uint16, request []byte) ([]arrival, error) {
		if seq == 1 {
			return in(ms, problem(11, 0, 0, request)), nil
		}
		return in(ms, problem(3, 4, 1400, request)), nil
	}, `From 10.0.0.254 icmp_seq=1 Time to live exceeded
From 10.0.0.254 icmp_seq=2 Frag needed and DF set (mtu = 1400)

--- peer ping statistics ---
2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1001ms

`, time.Second + ms},

	{"no answer to ARP", 2, func(_, seq uint16, _ []byte) ([]arrival, error) {
		if seq == 1 {
			return nil, nil // both errors arrive when the cache gives up
		}
		return append(fails(2*time.Second, syscall.EHOSTUNREACH), fails(2*time.Second, syscall.EHOSTUNREACH)...), nil
	}, `From 10.0.0.2 icmp_seq=1 Destination Host Unreachable
From 10.0.0.2 icmp_seq=2 Destination Host Unreachable

--- peer ping statistics ---
2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 3000ms

`, 3 * time.Second},

	{"cannot send", 1, func(uint16, uint16, []byte) ([]arrival, error) { return nil, syscall.EMSGSIZE },
		`ping: sendmsg: message too long

--- peer ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms

`, 0}, // no reply to wait for
}

func TestRun(t *testing.T) {
	for _, tt := range runs {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				start := time.Now()
				_, err := Run(t.Context(), newHost(t, tt.answer), config(tt.count), &out)
				require.NoError(t, err)
				first, rest, _ := strings.Cut(out.String(), "\n")
				require.Equal(t, "PING peer (10.0.0.1) 56(84) bytes of data.", first)
				require.Equal(t, tt.want, rest)
				require.Equal(t, tt.elapsed, time.Since(start))
			})
		})
	}
}

var runs6 = []struct {
	name   string
	answer answer
	want   string // the output between the first line and the statistics
}{
	{"an answer", func(_, _ uint16, r []byte) ([]arrival, error) { return in(ms, reply6(r)), nil },
		"64 bytes from fd00::1: icmp_seq=1 ttl=64 time=1.00 ms\n"},
	{"hop limit", func(_, _ uint16, r []byte) ([]arrival, error) { return in(ms, problem6(3, 0, 0, r)), nil },
		"From fe80::99%tun0 icmp_seq=1 Time exceeded: Hop limit\n"},
	{"no route", func(_, _ uint16, r []byte) ([]arrival, error) { return in(ms, problem6(1, 0, 0, r)), nil },
		"From fe80::99%tun0 icmp_seq=1 Destination unreachable: No route\n"},
	{"too big", func(_, _ uint16, r []byte) ([]arrival, error) { return in(ms, problem6(2, 0, 1280, r)), nil },
		"From fe80::99%tun0 icmp_seq=1 Packet too big: mtu=1280\n"},
	{"a header", func(_, _ uint16, r []byte) ([]arrival, error) { return in(ms, problem6(4, 1, 40, r)), nil },
		"From fe80::99%tun0 icmp_seq=1 Parameter problem: Unknown header at 40\n"},
	{"no neighbor", func(uint16, uint16, []byte) ([]arrival, error) { return fails(ms, syscall.EHOSTUNREACH), nil },
		"From fd00::2 icmp_seq=1 Destination unreachable: Address unreachable\n"},
	{"others' messages", func(_, _ uint16, r []byte) ([]arrival, error) {
		other := reply6(r)
		other[40+4] ^= 1
		quoted := problem6(1, 0, 0, r)
		quoted[40+8+6] = 17
		fragment := problem6(1, 0, 0, r)
		return in(0*ms, other, 0*ms, quoted, 0*ms, fragment[:40+8+40+7], 0*ms, reply(r), 0*ms, datagram6(them6, us6, 1, 58, r), ms, reply6(r)), nil
	}, "64 bytes from fd00::1: icmp_seq=1 ttl=64 time=1.00 ms\n"},
}

func TestRunOverIPv6(t *testing.T) {
	for _, tt := range runs6 {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config(1)
				cfg.Addr = them6.WithZone("tun0") // a global address has none, but its zone is that of the router
				h := newHost(t, tt.answer)
				h.six = true
				var out strings.Builder
				_, err := Run(t.Context(), h, cfg, &out)
				require.NoError(t, err)
				head, rest, _ := strings.Cut(out.String(), "\n")
				require.Equal(t, "PING peer(fd00::1%tun0) 56 data bytes", head)
				events, _, _ := strings.Cut(rest, "\n--- peer ping statistics")
				require.Equal(t, tt.want, events)
			})
		})
	}
}

func TestMaxSize(t *testing.T) {
	require.Equal(t, 65507, MaxSize(them))
	require.Equal(t, 65527, MaxSize(them6))
}

func config(count int) Config {
	return Config{Host: "peer", Addr: them, Count: count, Size: DefaultSize, Interval: time.Second, Wait: 10 * time.Second}
}

func TestRequestsKeepTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(_, _ uint16, request []byte) ([]arrival, error) { return in(5*ms, reply(request)), nil })
		cfg := config(4)
		cfg.Interval = 200 * ms
		start := time.Now()
		_, err := Run(t.Context(), h, cfg, io.Discard)
		require.NoError(t, err)
		require.Len(t, h.sent, 4)
		for i, at := range h.sent {
			require.Equal(t, time.Duration(i)*200*ms, at.Sub(start))
		}
	})
}

// Without a count it runs until the context ends, which is not an error.
func TestContextEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*ms)
		defer cancel()
		h := newHost(t, func(_, _ uint16, request []byte) ([]arrival, error) { return in(ms, reply(request)), nil })
		var out strings.Builder
		stats, err := Run(ctx, h, config(0), &out)
		require.NoError(t, err)
		require.Equal(t, 3, stats.Sent)
		require.Equal(t, 3, stats.Received)
		require.Contains(t, out.String(), "3 packets transmitted, 3 received, 0% packet loss, time 2001ms\n")
	})
}

func TestEndOfTheSocketEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("the stack is gone")
		h := newHost(t, func(uint16, uint16, []byte) ([]arrival, error) { return fails(ms, gone), nil })
		var out strings.Builder
		stats, err := Run(t.Context(), h, config(0), &out)
		require.ErrorIs(t, err, gone)
		require.Equal(t, 1, stats.Sent)
		require.Contains(t, out.String(), "1 packets transmitted, 0 received, 100% packet loss")
	})
}

// The sequence number has 16 bits: when it wraps, a reply belongs to the newer request.
func TestSequenceNumbersWrap(t *testing.T) {
	h := newHost(t, func(uint16, uint16, []byte) ([]arrival, error) { return nil, nil })
	p := &pinger{subject: subject{icmpmsg.Of(them), 7, ""}, cfg: config(0), conn: h, out: io.Discard, seq: 1<<16 - 1, pending: map[uint16]*request{0: {answered: true}}}
	p.send()
	require.Zero(t, p.seq)
	require.NoError(t, p.handle(event{seq: 0, at: time.Now()}))
	require.Equal(t, 1, p.stats.Received)
	require.Zero(t, p.stats.Duplicates)
}

// Messages that are not about our requests are neither printed nor counted.
func TestOthersMessagesAreIgnored(t *testing.T) {
	changed := func(b []byte, at int, v byte) []byte { b = bytes.Clone(b); b[at] ^= v; return b }
	others := func(id uint16, r []byte) map[string][]byte {
		quote := problem(3, 1, 0, r)
		return map[string][]byte{
			"another's reply":      changed(reply(r), 20+4, 1),
			"another's error":      changed(quote, 20+8+20+4, 1),
			"an error about TCP":   changed(quote, 20+8+9, 1^6),
			"an error, no request": changed(quote, 20+8+20, 8),
			"an error cut short":   quote[:20+8+20+7],
			"a request":            changed(reply(r), 20, 8),
			"a source quench":      changed(quote, 20, 3^4),
			"UDP":                  changed(reply(r), 9, 1^17),
			"a short reply":        reply(r)[:20+7],
			"no IP header":         {0x45},
			"nothing":              {},
			"an unknown sequence":  changed(reply(r), 20+6, 0x40),
		}
	}
	names := others(1, make([]byte, 8))
	for name := range names {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, func(id, _ uint16, r []byte) ([]arrival, error) {
					require.Equal(t, id, binary.BigEndian.Uint16(r[4:]))
					return in(ms, others(id, r)[name], 2*ms, reply(r)), nil
				})
				var out strings.Builder
				stats, err := Run(t.Context(), h, config(1), &out)
				require.NoError(t, err)
				require.Equal(t, Statistics{Sent: 1, Received: 1}, Statistics{Sent: stats.Sent, Received: stats.Received,
					Duplicates: stats.Duplicates, Errors: stats.Errors})
				require.Equal(t, 1, strings.Count(out.String(), "icmp_seq="), out.String())
			})
		})
	}
}

// A name server that is slow delays lines, but neither times nor replies: those that wait for a name have arrived.
func TestSlowNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(_, _ uint16, request []byte) ([]arrival, error) { return in(5*ms, reply(request)), nil })
		cfg := config(3)
		cfg.Interval, cfg.Wait = 10*ms, time.Second
		cfg.Names = func(netip.Addr) string {
			time.Sleep(2 * time.Second)
			return "peer"
		}
		var out strings.Builder
		stats, err := Run(t.Context(), h, cfg, &out)
		require.NoError(t, err)
		require.Equal(t, 3, stats.Received)
		require.Equal(t, 3, strings.Count(out.String(), "bytes from peer (10.0.0.1)"))
		require.Equal(t, 3, strings.Count(out.String(), "time=5.00 ms\n"), out.String())
	})
}
