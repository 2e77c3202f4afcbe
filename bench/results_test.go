package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/bench/loads"
)

// sample is two rounds of an upload, of which one failed on gVisor, with a varying reflector.
func sample() *results {
	r := newResults(options{rounds: 2, window: time.Second})
	r.add(0, "up-1", vnet, loads.Result{"gbps": 30}, nil)
	r.add(1, "up-1", vnet, loads.Result{"gbps": 20}, nil)
	r.add(0, "up-1", reflectorVnet, loads.Result{"gbps": 60}, nil)
	r.add(1, "up-1", reflectorVnet, loads.Result{"gbps": 20}, nil)
	r.add(0, "up-1", gvisorVnet, loads.Result{"gbps": 10}, nil)
	r.add(1, "up-1", gvisorVnet, nil, errors.New("refused"))
	return r
}

func TestRatiosAreOfOneRound(t *testing.T) {
	r := sample()
	require.Equal(t, []float64{0.5, 1}, r.ratios("up-1", vnet, reflectorVnet, "gbps"))
	require.Equal(t, []float64{3}, r.ratios("up-1", vnet, gvisorVnet, "gbps"))
	require.Empty(t, r.ratios("up-8", vnet, gvisorVnet, "gbps"))
}

func TestReport(t *testing.T) {
	text := sample().markdown()
	for _, line := range []string{
		"| | tunstack-vnet | gvisor-vnet | reflector-vnet |",
		"| upload, 1 connection, Gbit/s | 25.0 (40 %) | 10.0 | 40.0 (100 %) |",
		"| upload, 1 connection, Gbit/s | tunstack-vnet / reflector-vnet | at least 0.85 | 0.75 | missed |",
		"| upload, 1 connection, Gbit/s | tunstack-vnet / gvisor-vnet | at least 2.00 | 3.00 | met |",
		"1 of 2 goals met.",
		"TOO NOISY for 1 of the reflectors' 1 figures",
		"up-1 on gvisor-vnet failed: refused",
	} {
		require.Contains(t, text, line)
	}
	require.Equal(t, 1, strings.Count(text, "failed"))
}

func TestMedian(t *testing.T) {
	require.Equal(t, 2.0, median([]float64{3, 1, 2}))
	require.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
	require.Equal(t, 1.0, spread([]float64{3, 1, 2}))
	require.Equal(t, 0.0, spread([]float64{0, 0}))
}

// Every row's load exists, and every goal's stacks have a column.
func TestRowsNameLoads(t *testing.T) {
	known := map[string]bool{}
	for _, l := range loads.All() {
		known[l.Name] = true
	}
	for _, w := range rows {
		require.True(t, known[w.load], w.load)
	}
}
