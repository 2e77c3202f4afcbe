package escape

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// SEC-041
func TestText(t *testing.T) {
	for _, tt := range []struct{ in, text, lines string }{
		{"plain", "plain", "plain"},
		{"Grüße, 世界", "Grüße, 世界", "Grüße, 世界"},
		{"a\x1b[2Jb\a", `a\x1b[2Jb\x07`, `a\x1b[2Jb\x07`},
		{"one\ntwo\r\n\tthree\r", `one\ntwo\r\n\tthree\r`, "one\ntwo\r\n\tthree\\r"},
		{"C1 \u009b, raw \x9b", `C1 \x9b, raw \x9b`, `C1 \x9b, raw \x9b`},
		{"right to left \u202e, tag \U000e0001", `right to left \u202e, tag \U000e0001`, `right to left \u202e, tag \U000e0001`},
		{"\x00\x7f\xff", `\x00\x7f\xff`, `\x00\x7f\xff`},
	} {
		require.Equal(t, tt.text, String(tt.in))
		require.Equal(t, tt.lines, Lines(tt.in))
	}
}

// Text written in pieces is escaped as if it had been written at once.
func FuzzWriter(f *testing.F) { // SEC-041
	f.Add("Grüße\r\n\x1b[2J世\r", 3)
	f.Add("\xe4\xb8", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		var out strings.Builder
		w := NewWriter(&out)
		for rest := text; rest != ""; {
			n := min(max(size, 1), len(rest))
			m, err := w.Write([]byte(rest[:n]))
			require.NoError(t, err)
			require.Equal(t, n, m)
			rest = rest[n:]
		}
		require.NoError(t, w.Flush())
		require.Equal(t, Lines(text), out.String())
	})
}
