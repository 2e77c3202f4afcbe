package trace_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
	"tunstack/trace/scenario"
)

// saved returns records as "tunstack trace --json" saves them.
func saved(t testing.TB, records []trace.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	for i := range records {
		require.NoError(t, out.Encode(&records[i]))
	}
	return b.Bytes()
}

// load reads a saved trace up to its end or to the first invalid record.
func load(file []byte) *trace.Recording {
	g := new(trace.Recording)
	for in := json.NewDecoder(bytes.NewReader(file)); ; {
		var r trace.Record
		if in.Decode(&r) != nil {
			return g
		}
		g.Add(r)
	}
}

// Two traces in one file are two connections, although they have the same ends and their times overlap.
func TestJoinedTraces(t *testing.T) {
	once := saved(t, server(t, scenario.Config{Seed: 1}))
	conns := load(slices.Concat(once, once)).Connections()
	require.Len(t, conns, 2)
	require.Equal(t, trace.Draw(conns[0]), trace.Draw(conns[1]))
}

// A plot does not depend on the order of the records in a file.
func TestSeriesOfRecordsOutOfOrder(t *testing.T) {
	records := server(t, scenario.Config{Seed: 1, Drop: []int{5}})
	for i := range records {
		records[i].At += time.Duration(i) // else those of one moment have no order
	}
	want := trace.SeriesOf(records)
	require.NotEmpty(t, want.Goodput)
	back := slices.Clone(records)
	slices.Reverse(back)
	require.Equal(t, want, trace.SeriesOf(back))
	require.Equal(t, records[len(records)-1].At, back[0].At, "it leaves the records as they are")
}

func TestRecordsThatNobodyMakes(t *testing.T) {
	for _, text := range []string{
		`{"kind":"in"}`, `{"kind":"out"}`, `{"kind":"drop"}`, `{"kind":"gap","bytes":-1}`, `{"kind":"rtt","rtt":-1}`, `{"kind":"state","at":-1}`,
	} {
		var r trace.Record
		require.Error(t, json.Unmarshal([]byte(text), &r), text)
	}
}

// Any file can be read as a trace and drawn in every form. Pictures of plots are left out: gonum's coverage differs between runs, which
// misleads the fuzzer.
func FuzzTrace(f *testing.F) {
	record := func(cfg scenario.Config) []byte {
		var records []trace.Record
		cfg.Watch = func(_ int, r trace.Record) { records = append(records, r) }
		require.NoError(f, scenario.New(cfg).Run(10_000))
		return saved(f, records[:min(len(records), 12)]) // the fuzzer spends its time on making a long file shorter
	}
	f.Add(record(scenario.Config{Seed: 1}))
	f.Add(record(scenario.Config{Seed: 2, Drop: []int{2, 7}, Delay: time.Second}))
	f.Add([]byte(`{"at":9,"kind":"rtt","vars":{"cwnd":1,"acked":18446744073709551615}} {"at":9223372036854775807,"kind":"gap"}`))
	f.Add([]byte(`{"at":5,"kind":"change","vars":{"cwnd":-5}} {"at":1,"kind":"change","vars":{"cwnd":9}}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, records := range load(file).Connections() {
			l := trace.Draw(records)
			require.NoError(t, trace.Style{}.Write(io.Discard, l))
			require.NoError(t, trace.WriteSVG(io.Discard, l))
			require.NoError(t, trace.WriteMermaid(io.Discard, l))
			trace.SeriesOf(records)
		}
	})
}
