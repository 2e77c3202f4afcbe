package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tunstack/bench/loads"
)

// results holds all measurements.
type results struct {
	Time    time.Time
	Machine string
	// LoadAverage is the average of the minute before the first measurement: the work of other programs.
	LoadAverage float64
	Rounds      int
	Seconds     float64 // per cell
	Cells       []*measured
}

// measured holds the results of one load on one stack, round by round; a failed round is nil.
type measured struct {
	Load, Stack string
	Rounds      []loads.Result
	Errors      []string `json:",omitempty"`
}

func newResults(o options) *results {
	return &results{
		Time: time.Now().UTC().Truncate(time.Second), Machine: machine(), LoadAverage: loadAverage(),
		Rounds: o.rounds, Seconds: o.window.Seconds(),
	}
}

// add records one measurement of a round.
func (r *results) add(round int, load, stack string, result loads.Result, err error) {
	c := r.find(load, stack)
	if c == nil {
		c = &measured{Load: load, Stack: stack, Rounds: make([]loads.Result, r.Rounds)}
		r.Cells = append(r.Cells, c)
	}
	if err != nil {
		c.Errors = append(c.Errors, err.Error())
		return
	}
	c.Rounds[round] = loads.Result{}
	for metric, value := range result {
		c.Rounds[round][metric] = significant(value)
	}
}

func (r *results) find(load, stack string) *measured {
	for _, c := range r.Cells {
		if c.Load == load && c.Stack == stack {
			return c
		}
	}
	return nil
}

// stacks are the names of the measured stacks, in the order of the table's columns.
func (r *results) stacks() []string {
	var names []string
	for _, column := range allColumns() {
		if slices.ContainsFunc(r.Cells, func(c *measured) bool { return c.Stack == column.name() }) {
			names = append(names, column.name())
		}
	}
	return names
}

// values are the values of a metric, one for each round that succeeded.
func (r *results) values(load, stack, metric string) []float64 {
	var v []float64
	if c := r.find(load, stack); c != nil {
		for _, round := range c.Rounds {
			if x, ok := round[metric]; ok {
				v = append(v, x)
			}
		}
	}
	return v
}

// ratios are the ratios of a metric of stack to that of peer, for each round in which both succeeded.
func (r *results) ratios(load, stack, peer, metric string) []float64 {
	a, b := r.find(load, stack), r.find(load, peer)
	if a == nil || b == nil {
		return nil
	}
	var v []float64
	for i := range a.Rounds {
		x, ok1 := a.Rounds[i][metric]
		y, ok2 := b.Rounds[i][metric]
		if ok1 && ok2 && y != 0 {
			v = append(v, x/y)
		}
	}
	return v
}

// median of at least one value.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// spread is the difference of the extremes as a share of the median.
func spread(v []float64) float64 {
	least, most := slices.Min(v), slices.Max(v)
	if least == most { // all may be zero
		return 0
	}
	return (most - least) / median(v)
}

// machine describes the machine.
func machine() string {
	var u unix.Utsname
	unix.Uname(&u)
	return fmt.Sprintf("%d cores, %s, Linux %s, %s", runtime.NumCPU(), processor(), unix.ByteSliceToString(u.Release[:]), runtime.Version())
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// loadAverage is the number of programs that needed a processor during the last minute.
func loadAverage() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}

// significant rounds to four digits; measurements are no more precise.
func significant(x float64) float64 {
	v, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	return v
}

func (r *results) json() ([]byte, error) { return json.Marshal(r) }
