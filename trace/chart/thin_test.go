package chart

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
)

// Of many points few are drawn, in the order of time: the highest and the lowest of each column, and the last of all.
func TestThin(t *testing.T) {
	const end = 10 * time.Second
	points := make([]trace.Point, 100_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range points {
		points[i] = trace.Point{At: end * time.Duration(i) / time.Duration(len(points)-1), Value: r.Float64()}
	}
	points[12345].Value, points[54321].Value = 2, -1
	got := thin(points, end)
	require.LessOrEqual(t, len(got), 2*columns+3)
	require.Contains(t, got, points[12345])
	require.Contains(t, got, points[54321])
	require.Equal(t, points[len(points)-1], got[len(got)-1])
	for i := range got[1:] {
		require.LessOrEqual(t, got[i].At, got[i+1].At)
	}
	require.Equal(t, points[:100], thin(points[:100], end), "few points are drawn as they are")
	require.LessOrEqual(t, len(thin(make([]trace.Point, 10_000), 0)), 3, "all at once")
}
