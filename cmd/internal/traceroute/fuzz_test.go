package traceroute

import (
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
	f.Fuzz(func(t *testing.T, method byte, b []byte) {
		tr := newTracer(nil, config(Method(method)), nil)
		if a, ok := tr.parseICMP(b); ok {
			require.GreaterOrEqual(t, len(b), 28)
			require.True(t, a.from.Is4())
			require.True(t, a.final || a.mark == "")
		}
		if a, ok := tr.parseReply(b); ok {
			require.True(t, a.final && a.from == target)
		}
	})
}
