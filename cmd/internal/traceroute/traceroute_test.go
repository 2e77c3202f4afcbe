package traceroute

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/tcp"
)

const ms = time.Millisecond

func config(m Method) Config {
	cfg := Config{Host: "peer", Addr: target, Local: us, Method: m, Port: DefaultPortUDP, Hops: 30, Queries: 3, Wait: 5 * time.Second, Names: names}
	if m == TCP {
		cfg.Port = DefaultPortTCP
	}
	return cfg
}

// names knows the target.
func names(a netip.Addr) string {
	if a == target || a.WithZone("") == target6 {
		return "peer"
	}
	return ""
}

const head = "traceroute to peer (10.2.0.1), 30 hops max, 60 byte packets\n"

var runs = []struct {
	name    string
	method  Method
	answer  func(h *host, ttl int, probe []byte) []arrival
	want    string
	elapsed time.Duration
}{
	{"two routers", UDP, func(h *host, ttl int, p []byte) []arrival {
		switch ttl {
		case 1:
			return h.expired(ms, first, p)
		case 2:
			return h.expired(20*ms, second, p)
		}
		return h.problem(30*ms+500*time.Microsecond, target, 3, 3, 0, p)
	}, ` 1  10.0.0.1 (10.0.0.1)  1.000 ms  1.000 ms  1.000 ms
 2  10.1.0.1 (10.1.0.1)  20.000 ms  20.000 ms  20.000 ms
 3  peer (10.2.0.1)  30.500 ms  30.500 ms  30.500 ms
`, 30*ms + 500*time.Microsecond},

	{"a silent router", ICMP, func(h *host, ttl int, p []byte) []arrival {
		switch ttl {
		case 1:
			return h.expired(ms, first, p)
		case 2:
			return nil
		}
		return h.echoed(3*ms, p)
	}, ` 1  10.0.0.1 (10.0.0.1)  1.000 ms  1.000 ms  1.000 ms
 2  * * *
 3  peer (10.2.0.1)  3.000 ms  3.000 ms  3.000 ms
`, 5 * time.Second},

	{"a SYN-ACK", TCP, func(h *host, ttl int, p []byte) []arrival {
		return append(h.swapped(0, byte(tcp.ACK), p), h.swapped(ms, byte(tcp.SYN|tcp.ACK), p)...) // the ACK belongs to another connection
	}, " 1  peer (10.2.0.1)  1.000 ms  1.000 ms  1.000 ms\n", ms},

	{"a RST", TCP, func(h *host, ttl int, p []byte) []arrival { return h.swapped(ms, byte(tcp.RST|tcp.ACK), p) },
		" 1  peer (10.2.0.1)  1.000 ms  1.000 ms  1.000 ms\n", ms},

	{"a port that answers", UDP, func(h *host, ttl int, p []byte) []arrival { return h.swapped(ms, 0, p) },
		" 1  peer (10.2.0.1)  1.000 ms  1.000 ms  1.000 ms\n", ms},

	{"two ways", UDP, func(h *host, ttl int, p []byte) []arrival {
		switch n := len(h.sent); {
		case n == 2 || n == 4:
			return h.expired(2*ms, second, p)
		case n == 5:
			return nil
		case ttl < 3:
			return h.expired(ms, first, p)
		}
		return h.problem(ms, target, 3, 3, 0, p)
	}, ` 1  10.0.0.1 (10.0.0.1)  1.000 ms 10.1.0.1 (10.1.0.1)  2.000 ms 10.0.0.1 (10.0.0.1)  1.000 ms
 2  10.1.0.1 (10.1.0.1)  2.000 ms * 10.0.0.1 (10.0.0.1)  1.000 ms
 3  peer (10.2.0.1)  1.000 ms  1.000 ms  1.000 ms
`, 5 * time.Second},

	{"no way on", UDP, func(h *host, ttl int, p []byte) []arrival {
		switch len(h.sent) {
		case 1:
			return h.problem(ms, first, 3, 1, 0, p)
		case 2:
			return h.problem(ms, first, 3, 4, 1400, p)
		}
		return h.problem(ms, first, 3, 13, 0, p)
	}, " 1  10.0.0.1 (10.0.0.1)  1.000 ms !H  1.000 ms !F-1400  1.000 ms !X\n", ms},

	{"no answer to ARP", UDP, func(h *host, ttl int, p []byte) []arrival {
		if len(h.sent) > 1 {
			return nil
		}
		return []arrival{{over: h.out, after: 3 * time.Second, err: syscall.EHOSTUNREACH}}
	}, " 1  10.0.0.2 (10.0.0.2)  3000.000 ms !H  3000.000 ms !H  3000.000 ms !H\n", 3 * time.Second},
}

func TestRun(t *testing.T) {
	for _, tt := range runs {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				start := time.Now()
				require.NoError(t, Run(t.Context(), newHost(t, tt.answer).sockets(), config(tt.method), &out))
				require.Equal(t, head+tt.want, out.String())
				require.Equal(t, tt.elapsed, time.Since(start))
			})
		})
	}
}

var runs6 = []struct {
	name   string
	method Method
	answer func(h *host, ttl int, probe []byte) []arrival
	want   string
}{
	{"two routers", UDP, func(h *host, ttl int, p []byte) []arrival {
		switch ttl {
		case 1:
			return h.problem6(ms, first6, 3, 0, 0, p)
		case 2:
			return h.problem6(20*ms, second6, 3, 0, 0, p)
		}
		return h.problem6(30*ms, target6, 1, 4, 0, p)
	}, ` 1  fe80::1%tun0 (fe80::1%tun0)  1.000 ms  1.000 ms  1.000 ms
 2  fd00:1::1 (fd00:1::1)  20.000 ms  20.000 ms  20.000 ms
 3  peer (fd00:2::1)  30.000 ms  30.000 ms  30.000 ms
`},
	{"echo", ICMP, func(h *host, ttl int, p []byte) []arrival { return h.echoed6(ms, p) },
		" 1  peer (fd00:2::1)  1.000 ms  1.000 ms  1.000 ms\n"},
	{"a SYN-ACK", TCP, func(h *host, ttl int, p []byte) []arrival {
		return h.swapped(ms, byte(tcp.SYN|tcp.ACK), p[20:])
	}, " 1  peer (fd00:2::1%tun0)  1.000 ms  1.000 ms  1.000 ms\n"},
	{"no way on", UDP, func(h *host, ttl int, p []byte) []arrival {
		switch len(h.sent) {
		case 1:
			return h.problem6(ms, second6, 1, 3, 0, p)
		case 2:
			return h.problem6(ms, second6, 2, 0, 1280, p)
		}
		return h.problem6(ms, second6, 1, 1, 0, p)
	}, " 1  fd00:1::1 (fd00:1::1)  1.000 ms !H  1.000 ms !F-1280  1.000 ms !X\n"},
}

func TestRunOverIPv6(t *testing.T) {
	for _, tt := range runs6 {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config(tt.method)
				cfg.Addr, cfg.Local = target6.WithZone("tun0"), us6 // the zone is that of the first router
				var out strings.Builder
				require.NoError(t, Run(t.Context(), newHost(t, tt.answer).sockets(), cfg, &out))
				require.Equal(t, "traceroute to peer (fd00:2::1%tun0), 30 hops max, 80 byte packets\n"+tt.want, out.String())
			})
		})
	}
}

func TestObstaclesOfIPv6(t *testing.T) {
	for _, tt := range []struct {
		kind, code byte
		want       string
		ok         bool
	}{
		{1, 0, "!N", true}, {1, 1, "!X", true}, {1, 2, "!H", true}, {1, 3, "!H", true}, {1, 4, "", true}, {1, 9, "!<9>", true},
		{2, 0, "!F-1400", true}, {4, 1, "!P", true}, {4, 0, "", false}, {129, 0, "", false}, {136, 0, "", false},
	} {
		mark, ok := obstacle6(tt.kind, tt.code, 1400)
		require.Equal(t, tt.want, mark)
		require.Equal(t, tt.ok, ok)
	}
}

// Without answers all hops are tried, sixteen probes at a time.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(UDP)
		cfg.Hops, cfg.Queries = 17, 2
		h := newHost(t, func(*host, int, []byte) []arrival { return nil })
		var out strings.Builder
		start := time.Now()
		require.NoError(t, Run(t.Context(), h.sockets(), cfg, &out))
		require.Equal(t, 17, strings.Count(out.String(), "  * *\n"), out.String())
		require.Len(t, h.sent, 34)
		for i, sent := range h.sent {
			require.EqualValues(t, i/2+1, sent.TTL)
			require.Equal(t, target, sent.Dst)
		}
		require.Equal(t, 3*cfg.Wait, time.Since(start))
	})
}

func TestNumeric(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(UDP)
		cfg.Names, cfg.Queries = nil, 1
		var out strings.Builder
		h := newHost(t, func(h *host, _ int, p []byte) []arrival { return h.problem(ms, target, 3, 3, 0, p) })
		require.NoError(t, Run(t.Context(), h.sockets(), cfg, &out))
		require.Equal(t, head+" 1  10.2.0.1  1.000 ms\n", out.String())
	})
}

// It ends with the context, which is not an error, and with its sockets, which is one.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h := newHost(t, func(h *host, ttl int, p []byte) []arrival {
			if ttl > 1 {
				return nil
			}
			return h.expired(ms, first, p)
		})
		var out strings.Builder
		require.NoError(t, Run(ctx, h.sockets(), config(UDP), &out))
		require.Equal(t, head+" 1  10.0.0.1 (10.0.0.1)  1.000 ms  1.000 ms  1.000 ms\n", out.String())
	})
	gone := errors.New("the stack is gone")
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(h *host, _ int, _ []byte) []arrival { return []arrival{{over: h.icmp, after: ms, err: gone}} })
		require.ErrorIs(t, Run(t.Context(), h.sockets(), config(UDP), io.Discard), gone)
	})
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil)
		h.failure = gone
		require.ErrorIs(t, Run(t.Context(), h.sockets(), config(UDP), io.Discard), gone)
	})
}

// Messages that are not about our probes are not answers.
func TestOthersMessagesAreIgnored(t *testing.T) {
	changed := func(b []byte, at int, v byte) []byte { b[at] ^= v; return b }
	for name, other := range map[string]func(h *host, p []byte) []byte{
		"another's probe":     func(h *host, p []byte) []byte { return changed(h.expired(0, first, p)[0].data, 20+8+20, 0x80) },
		"a port of no probe":  func(h *host, p []byte) []byte { return changed(h.expired(0, first, p)[0].data, 20+8+20+2, 0x40) },
		"another's target":    func(h *host, p []byte) []byte { return changed(h.expired(0, first, p)[0].data, 20+8+19, 1) },
		"another protocol":    func(h *host, p []byte) []byte { return changed(h.expired(0, first, p)[0].data, 20+8+9, 17^6) },
		"reassembly timeout":  func(h *host, p []byte) []byte { return changed(h.expired(0, first, p)[0].data, 20+1, 1) },
		"a redirect":          func(h *host, p []byte) []byte { return changed(h.expired(0, first, p)[0].data, 20, 11^5) },
		"not ICMP":            func(h *host, p []byte) []byte { return changed(h.expired(0, first, p)[0].data, 9, 1^17) },
		"an echo reply":       func(h *host, p []byte) []byte { return h.echoed(0, p)[0].data },
		"a quote cut short":   func(h *host, p []byte) []byte { return h.expired(0, first, p)[0].data[:20+8+20+7] },
		"a message cut short": func(h *host, p []byte) []byte { return h.expired(0, first, p)[0].data[:20+7] },
		"no IP header":        func(*host, []byte) []byte { return []byte{0x45} },
		"nothing":             func(*host, []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, func(h *host, _ int, p []byte) []arrival {
					return append(h.problem(2*ms, target, 3, 3, 0, p), arrival{over: h.icmp, after: ms, data: other(h, p)},
						arrival{over: h.reply, after: ms, data: []byte{1, 2, 3}})
				})
				var out strings.Builder
				require.NoError(t, Run(t.Context(), h.sockets(), config(UDP), &out))
				require.Equal(t, head+" 1  peer (10.2.0.1)  2.000 ms  2.000 ms  2.000 ms\n", out.String())
			})
		})
	}
}

func TestUnreachable(t *testing.T) {
	for code, want := range map[byte]string{
		0: "!N", 1: "!H", 2: "!P", 3: "", 4: "!F-576", 5: "!S", 6: "!N", 7: "!H", 9: "!X", 13: "!X", 14: "!V", 15: "!C", 99: "!<99>",
	} {
		require.Equal(t, want, unreachable(code, 576), "code %d", code)
	}
}

// A name server that is slow delays lines, but neither times nor answers.
func TestSlowNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(UDP)
		cfg.Names = func(netip.Addr) string {
			time.Sleep(4 * time.Second)
			return "slow"
		}
		h := newHost(t, func(h *host, ttl int, p []byte) []arrival {
			if ttl < 4 {
				return h.expired(ms, first, p)
			}
			return h.problem(ms, target, 3, 3, 0, p)
		})
		var out strings.Builder
		require.NoError(t, Run(t.Context(), h.sockets(), cfg, &out))
		hop := "  slow (10.0.0.1)  1.000 ms  1.000 ms  1.000 ms\n"
		require.Equal(t, head+" 1"+hop+" 2"+hop+" 3"+hop+" 4  slow (10.2.0.1)  1.000 ms  1.000 ms  1.000 ms\n", out.String())
	})
}
