package chart

import (
	"time"

	"tunstack/trace"
)

// columns is how many parts of the time a picture tells apart.
const columns = 300

// thin leaves out points that a picture does not show: of those within one of the columns of the time from 0 to end it keeps the
// lowest and the highest, in their order, and the last of all. A line drawn through them covers the same height, and a picture of a
// long connection is no larger than that of a short one.
func thin(points []trace.Point, end time.Duration) []trace.Point {
	if len(points) <= 2*columns {
		return points
	}
	column := func(p trace.Point) int { return int(float64(p.At) / float64(max(end, 1)) * columns) }
	var kept []trace.Point
	for i := 0; i < len(points); {
		low, high, first := i, i, column(points[i])
		for ; i < len(points) && column(points[i]) == first; i++ {
			if points[i].Value < points[low].Value {
				low = i
			}
			if points[i].Value > points[high].Value {
				high = i
			}
		}
		kept = append(kept, points[min(low, high)])
		if low != high {
			kept = append(kept, points[max(low, high)])
		}
	}
	return append(kept, points[len(points)-1])
}

// endOf is the time of the last point of all.
func endOf(conns []Connection) (end time.Duration) {
	for i := range conns {
		c := &conns[i]
		for _, points := range [][]trace.Point{c.Cwnd, c.Ssthresh, c.Flight, c.RTT, c.Goodput} {
			if n := len(points); n > 0 {
				end = max(end, points[n-1].At)
			}
		}
	}
	return end
}
