package ping

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Statistics are the numbers of one run.
type Statistics struct {
	Sent, Received, Duplicates, Errors int

	first, last      time.Time // request and event
	min, max         time.Duration
	sum, sumOfSquare float64 // of round trips in us, including duplicates
}

func (s *Statistics) sent(now time.Time) {
	if s.Sent == 0 {
		s.first = now
	}
	s.last = now
	s.Sent++
}

func (s *Statistics) received(now time.Time, rtt time.Duration, duplicate bool) {
	s.last = now
	if duplicate {
		s.Duplicates++
	} else {
		s.Received++
	}
	if s.Received+s.Duplicates == 1 || rtt < s.min {
		s.min = rtt
	}
	s.max = max(s.max, rtt)
	us := float64(rtt.Microseconds())
	s.sum += us
	s.sumOfSquare += us * us
}

func (s *Statistics) failed(now time.Time) {
	s.last = now
	s.Errors++
}

// String is the end of ping's output: a line of counts, and a line of round-trip times, empty without replies.
func (s *Statistics) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d packets transmitted, %d received", s.Sent, s.Received)
	if s.Duplicates > 0 {
		fmt.Fprintf(&b, ", +%d duplicates", s.Duplicates)
	}
	if s.Errors > 0 {
		fmt.Fprintf(&b, ", +%d errors", s.Errors)
	}
	if s.Sent > 0 {
		loss := float64(s.Sent-s.Received) * 100 / float64(s.Sent)
		fmt.Fprintf(&b, ", %.6g%% packet loss, time %dms", loss, s.last.Sub(s.first).Milliseconds())
	}
	b.WriteByte('\n')
	n := float64(s.Received + s.Duplicates)
	if n == 0 {
		return b.String() + "\n"
	}
	avg := s.sum / n
	mdev := math.Sqrt(math.Max(0, s.sumOfSquare/n-avg*avg))
	fmt.Fprintf(&b, "rtt min/avg/max/mdev = %s/%s/%s/%s ms\n",
		millis(s.min.Microseconds()), millis(int64(avg)), millis(s.max.Microseconds()), millis(int64(mdev)))
	return b.String()
}

// millis prints us as milliseconds with three digits.
func millis(us int64) string { return fmt.Sprintf("%d.%03d", us/1000, us%1000) }

// triptime prints a round trip in milliseconds with three significant digits, as ping does, and never finer than 1 us.
func triptime(rtt time.Duration) string {
	us := rtt.Microseconds()
	switch {
	case us >= 100_000-50:
		return fmt.Sprintf("%d", (us+500)/1000)
	case us >= 10_000-5:
		return fmt.Sprintf("%d.%01d", (us+50)/1000, (us+50)%1000/100)
	case us >= 1000:
		return fmt.Sprintf("%d.%02d", (us+5)/1000, (us+5)%1000/10)
	}
	return millis(us)
}
