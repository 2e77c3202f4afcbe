package tcp_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	"tunstack/tcp"
	"tunstack/tcp/sim"
)

// filling is the table of the time that a connection needs to fill an empty path.
func filling(doc *bytes.Buffer) {
	doc.WriteString(`
## Filling an empty path

How long after its SYN a connection first delivers 90 % of the bottleneck's rate over one round trip, and its first 1, 10 and 100 MB.
Ideal is an initial window of 10 segments that doubles each round trip until the path is full, and never loses. Lost is what the
queue refused of these 100 MB. Only BBR paces the bursts of slow start: for the others a queue of a tenth is full long before the path
is. And 1000 Mbit/s over 100 ms need more than the 8 MiB that buffers grow to by themselves.

| Mbit/s | RTT ms | queue BDP | | 90 % after | ideal | 1 MB | ideal | 10 MB | ideal | 100 MB | ideal | lost kB |
|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
`)
	type job struct {
		path
		algorithm string
	}
	var jobs []job
	for _, p := range []path{{100, 100 * time.Millisecond, 1, 0}, {100, 100 * time.Millisecond, 0.1, 0}, {100, 20 * time.Millisecond, 1, 0},
		{10, 100 * time.Millisecond, 1, 0}, {1000, 20 * time.Millisecond, 1, 0}, {1000, 100 * time.Millisecond, 1, 0}} {
		jobs = append(jobs, job{p, "reno"}, job{p, "cubic"}, job{p, "bbr"})
	}
	rows := make([]string, len(jobs))
	each(len(jobs), func(i int) {
		p := jobs[i].path
		full, sizes, lost := fill(p, jobs[i].algorithm)
		idealFull, _ := ideal(p, 0)
		row := fmt.Sprintf("| %d | %d | %g | %s | %s | %s |", p.mbit, p.rtt.Milliseconds(), p.queue, jobs[i].algorithm, seconds(full), seconds(idealFull))
		for j, size := range fillSizes {
			_, at := ideal(p, size)
			row += fmt.Sprintf(" %s | %s |", seconds(sizes[j]), seconds(at))
		}
		rows[i] = fmt.Sprintf("%s %d |\n", row, lost/1000)
	})
	doc.WriteString(strings.Join(rows, ""))
}

var fillSizes = [...]int{1_000_000, 10_000_000, 100_000_000}

func seconds(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// fill sends 100 MB. It returns when 90 % of the rate was first reached and when each size had arrived, and the lost bytes.
func fill(p path, algorithm string) (full time.Duration, sizes [len(fillSizes)]time.Duration, lost int) {
	s := sim.New(1, 0)
	s.Hook = func(e sim.Event) {
		if e.Fate == sim.Overflow {
			lost += e.Segment.DataLen()
		}
	}
	forth, back := p.links()
	f := connect(s, 0, tcp.Config{Congestion: algorithm}, fillSizes[len(fillSizes)-1], forth, back)
	const parts = 10 // samples per round trip
	var got [parts + 1]int
	for step := 0; !f.dst.EOF && s.Now < 10*time.Minute; step++ {
		run(s, s.Now+p.rtt/parts)
		got[step%len(got)] = f.dst.Got
		before := got[(step+1)%len(got)] // a round trip ago
		if full == 0 && step > parts && f.dst.Got-before >= p.bdp()*1448/1500*9/10 {
			full = s.Now
		}
		for i, size := range fillSizes {
			if sizes[i] == 0 && f.dst.Got >= size {
				sizes[i] = s.Now
			}
		}
	}
	return full, sizes, lost
}

// ideal returns when slow start without end and loss would have filled the path, and when size bytes would have arrived.
func ideal(p path, size int) (full, arrived time.Duration) {
	perTrip := float64(p.bdp()) * 1448 / 1500
	now, window, sent := p.rtt*3/2, 14480.0, 0.0 // the handshake, and half a round trip to the receiver
	for sent+window < float64(size) && window < perTrip {
		sent += window
		window *= 2
		now += p.rtt
	}
	full = p.rtt * time.Duration(1.5+math.Ceil(math.Log2(perTrip*0.9/14480))+1)
	rest := max(float64(size)-sent, 0)
	return full, now + time.Duration(rest*1500/1448/float64(p.rate())*float64(time.Second))
}

// recoveries is the table of recoveries from one event of loss.
func recoveries(doc *bytes.Buffer) {
	doc.WriteString(`
## Recovery

Over 100 Mbit/s and a round trip of 100 ms, segments are lost around the 700th of 2000, or at the end of 600. How long after it would have
been without loss the last of them is acknowledged, and by how much later all is, both in round trips; then the number of expiries of the
retransmission timer, and of segments sent again.

| lost | SACK, reno | SACK, cubic | no SACK, reno | no SACK, cubic |
|---|---:|---:|---:|---:|
`)
	rows := make([]string, len(lossCases))
	each(len(lossCases), func(i int) {
		c := lossCases[i]
		rows[i] = "| " + c.name
		for _, noSACK := range []bool{false, true} {
			for _, algorithm := range []string{"reno", "cubic"} {
				rows[i] += " | " + c.delay(tcp.Config{NoSACK: noSACK, Congestion: algorithm})
			}
		}
		rows[i] += " |\n"
	})
	doc.WriteString(strings.Join(rows, ""))
}

// lossCase loses every step-th segment from first to last, the given number of times.
type lossCase struct {
	name              string
	segments          int
	first, last, step int
	times             int
}

var lossCases = []lossCase{
	{"one segment", 2000, 700, 700, 1, 1},
	{"ten in a row", 2000, 700, 709, 1, 1},
	{"every other of twenty", 2000, 700, 719, 2, 1},
	{"fifty in a row", 2000, 700, 749, 1, 1},
	{"one, and its retransmission", 2000, 700, 700, 1, 2},
	{"one, and both its retransmissions", 2000, 700, 700, 1, 3},
	{"ten in a row, and their retransmissions", 2000, 700, 709, 1, 2},
	{"the last segment", 600, 599, 599, 1, 1},
	{"the last three", 600, 597, 599, 1, 1},
	{"the last ten", 600, 590, 599, 1, 1},
	{"the last segment, twice", 600, 599, 599, 1, 2},
	{"the first of three", 3, 0, 0, 1, 1},
	{"the only one", 1, 0, 0, 1, 1},
}

func (l lossCase) delay(cfg tcp.Config) string {
	without := l
	without.times = 0
	usualRepair, usualEnd, _, _ := without.run(cfg)
	repair, end, timeouts, again := l.run(cfg)
	trips := func(d time.Duration) float64 { return d.Seconds() / 0.1 }
	return fmt.Sprintf("%.2f, %.2f, %d, %d", trips(repair-usualRepair), trips(end-usualEnd), timeouts, again)
}

// run transfers the segments. It returns when the last lost one was acknowledged, and when all were.
func (l lossCase) run(cfg tcp.Config) (repair, end time.Duration, timeouts, again uint64) {
	s := sim.New(1, 0)
	p := path{mbit: 100, rtt: 100 * time.Millisecond, queue: 1}
	forth, back := p.links()
	lost := map[int]int{}
	forth.Drop = func(_ time.Duration, seg *tcp.Segment) bool {
		i := seg.Seq.Sub(firstSeq) / 1448
		if seg.DataLen() == 0 || i < l.first || i > l.last || (i-l.first)%l.step != 0 || lost[i] >= l.times {
			return false
		}
		lost[i]++
		return true
	}
	s.Hook = func(e sim.Event) {
		if e.From == 1 && e.Arrived && repair == 0 && e.Segment.Ack.Sub(firstSeq) >= (l.last+1)*1448 {
			repair = s.Now
		}
	}
	cfg.Stats = new(tcp.Stats)
	f := connect(s, 0, cfg, l.segments*1448, forth, back)
	for f.dst.Got < f.src.Size && s.Step() {
	}
	end = s.Now
	run(s, end+time.Second) // until the last ACK arrives
	return repair, end, cfg.Stats.Timeouts.Value(), cfg.Stats.Retransmits.Value()
}
