//go:build race

package packet_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

func TestUseAfterFree(t *testing.T) {
	before := packet.Live()
	b := packet.From([]byte("bytes"))
	require.Equal(t, before+1, packet.Live())
	bytes := b.Bytes()
	b.Free()
	require.NotEqual(t, "bytes", string(bytes))
	require.Equal(t, before, packet.Live())
	require.Panics(t, func() { b.Bytes() })
	require.Panics(t, b.Free)
}
