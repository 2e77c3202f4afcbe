package trace_test

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
	"tunstack/trace/dialogue"
)

// An end may be given whole, or in part, or not at all.
func TestParseMatch(t *testing.T) {
	local, remote := netip.MustParseAddrPort("10.0.0.2:80"), netip.MustParseAddrPort("10.0.0.1:4000")
	for text, want := range map[string]bool{
		"": true, "10.0.0.2:80": true, "10.0.0.1:4000": true, "10.0.0.1": true, ":80": true, ":4000": true,
		"10.0.0.2:4000": false, "10.0.0.3": false, ":81": false,
	} {
		match, err := trace.ParseMatch(text)
		require.NoError(t, err, text)
		require.Equal(t, want, match(local, remote), text)
	}
	for _, text := range []string{"x", ":", ":0", ":65536", "10.0.0.2:", "10.0.0.300:1", "10.0.0.1:http"} {
		_, err := trace.ParseMatch(text)
		require.Error(t, err, text)
	}
}

// Every record of a run with every kind of loss names the section that decided, and every line is as wide as the next.
func TestEverySectionIsNamed(t *testing.T) {
	for seed := range uint64(30) {
		records := server(t, dialogue.Config{Seed: seed, Loss: 0.2})
		for _, r := range records {
			end := r.Kind == trace.State && r.Vars.State == "CLOSED" // by many roads
			require.True(t, r.RFC != "" || end || r.Kind == trace.Change, "%+v", r)
		}
		var b strings.Builder
		require.NoError(t, trace.Style{Width: 90}.Write(&b, trace.Draw(records)))
		for _, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")[1:] {
			require.Equal(t, 90, utf8.RuneCountInString(line), line)
		}
	}
}
