package traceroute

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every message is an answer to the probe that it quotes, or ignored.
func FuzzParse(f *testing.F) {
	h := &host{}
	for _, m := range []Method{UDP, ICMP, TCP} {
		p := newTracer(nil, config(m), nil).packet(5)
		f.Add(byte(m), h.expired(0, first, p)[0].data)
		f.Add(byte(m), h.problem(0, second, 3, 4, 1400, p)[0].data)
		f.Add(byte(m), h.echoed(0, p)[0].data)
		f.Add(byte(m), h.swapped(0, 0x12, p)[0].data)
	}
	six := config(UDP)
	six.Addr = target6
	p := newTracer(nil, six, nil).packet(5)
	f.Add(byte(UDP), h.problem6(0, first6, 3, 0, 0, p)[0].data)
	f.Add(byte(ICMP), h.echoed6(0, p)[0].data)
	f.Fuzz(func(t *testing.T, method byte, b []byte) {
		for _, to := range []netip.Addr{target, target6} {
			cfg := config(Method(method))
			cfg.Addr = to
			tr := newTracer(nil, cfg, nil)
			if a, ok := tr.parseICMP(b); ok {
				require.GreaterOrEqual(t, len(b), 28)
				require.Equal(t, to.Is4(), a.from.Is4())
				require.True(t, a.final || a.mark == "")
			}
			if a, ok := tr.parseReply(b); ok {
				require.True(t, a.final && a.from == to)
			}
		}
	})
}
