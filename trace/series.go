package trace

import (
	"cmp"
	"slices"
	"time"

	"tunstack/tcp"
)

// Point is a value at a time since the first record.
type Point struct {
	At    time.Duration
	Value float64
}

// Span is a time span; From and To count from the first record.
type Span struct{ From, To time.Duration }

// Series is the data for a plot of one connection.
type Series struct {
	Cwnd, Ssthresh []Point         // bytes, whenever they change, and at the end
	Flight         []Point         // the same of the bytes sent and acknowledged neither cumulatively nor selectively
	RTT            []Point         // samples, in seconds
	Goodput        []Point         // bytes per second received and acknowledged, also selectively, in equal parts of the time
	Resent         []time.Duration // when segments were sent again
	Recoveries     []Span          // when congestion control was in recovery or loss
}

// bins is the number of parts that the time is divided into for Series.Goodput.
const bins = 100

// SeriesOf returns the data for a plot of the records of one connection, up to TIME-WAIT, in which nothing happens for long. The records
// may be in any order.
func SeriesOf(records []Record) Series {
	var s Series
	inOrder := func(a, b Record) int { return cmp.Compare(a.At, b.At) }
	if !slices.IsSortedFunc(records, inOrder) {
		records = slices.Clone(records)
		slices.SortStableFunc(records, inOrder)
	}
	timeWait := func(r Record) bool { return r.Vars.State == tcp.TimeWait.String() }
	if end := slices.IndexFunc(records, timeWait); end >= 0 {
		records = records[:end]
	}
	if len(records) == 0 {
		return s
	}
	start := records[0].At
	for i := range records {
		r := &records[i]
		if r.Kind == Gap {
			continue
		}
		at := r.At - start
		step(&s.Cwnd, at, r.Vars.Cwnd)
		step(&s.Ssthresh, at, r.Vars.Ssthresh)
		step(&s.Flight, at, r.Vars.Flight-r.Vars.Sacked)
		switch {
		case r.Kind == RTT:
			s.RTT = append(s.RTT, Point{at, r.RTT.Seconds()})
		case r.Kind == Out && resent[r.Why] != "":
			s.Resent = append(s.Resent, at)
		}
	}
	for _, list := range []*[]Point{&s.Cwnd, &s.Ssthresh, &s.Flight} {
		if n := len(*list); n > 0 {
			*list = append(*list, Point{records[len(records)-1].At - start, (*list)[n-1].Value})
		}
	}
	s.Goodput, s.Recoveries = goodput(records, start), recoveries(records, start)
	return s
}

// step adds a value that holds from a time on; 0 is none before the first that is not.
func step(list *[]Point, at time.Duration, value int) {
	n := len(*list)
	if n == 0 && value == 0 || n > 0 && (*list)[n-1].Value == float64(value) {
		return
	}
	*list = append(*list, Point{at, float64(value)})
}

func goodput(records []Record, start time.Duration) []Point {
	total := records[len(records)-1].At - start
	if total < bins {
		return nil
	}
	width := total / bins
	points := make([]Point, bins+1)
	for i := range points {
		points[i].At = time.Duration(i) * width
	}
	was := delivered(&records[0].Vars)
	for i := range records {
		if r := &records[i]; r.Kind != Gap {
			is := delivered(&r.Vars)
			if is > was { // else it is a record of another connection
				points[min(int((r.At-start)/width), bins-1)].Value += float64(is-was) / width.Seconds()
			}
			was = is
		}
	}
	return points
}

// delivered returns the number of bytes that have arrived at either end, as far as this end knows. Without the selective acknowledgments
// a recovery would look like a pause and a jump.
func delivered(v *Vars) uint64 { return v.Acked + uint64(max(v.Sacked, 0)) + v.Received }

func recoveries(records []Record, start time.Duration) (spans []Span) {
	was := false
	for i := range records {
		r := &records[i]
		if r.Kind == Gap {
			continue
		}
		at, is := r.At-start, r.Vars.CAState == tcp.CARecovery.String() || r.Vars.CAState == tcp.CALoss.String()
		if is && !was {
			spans = append(spans, Span{at, at})
		}
		if was {
			spans[len(spans)-1].To = at
		}
		was = is
	}
	return spans
}
