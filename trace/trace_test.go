package trace_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
	"tunstack/trace/scenario"
)

// An end may be an address, a port or both, or empty.
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
	six, link := netip.MustParseAddrPort("[fd00::1]:80"), netip.MustParseAddrPort("[fe80::1%tun0]:4000")
	for text, want := range map[string]bool{
		"[fd00::1]:80": true, "fd00::1": true, "[fd00::0:1]:80": true, "[fe80::1]:4000": true, "fe80::1": true, "fe80::1%tun1": true,
		":4000": true, "[fd00::1]:4000": false, "fd00::1:80": false, "fd00::2": false, "::ffff:10.0.0.1": false,
	} {
		match, err := trace.ParseMatch(text)
		require.NoError(t, err, text)
		require.Equal(t, want, match(six, link), text)
	}
	match, err := trace.ParseMatch("::ffff:10.0.0.1")
	require.NoError(t, err)
	require.True(t, match(local, remote))
	for _, text := range []string{"x", ":", ":0", ":65536", "10.0.0.2:", "10.0.0.300:1", "10.0.0.1:http", "[fd00::1]", "[fd00::1]:", "[fd00::1]:0",
		"fd00::1::80", "[10.0.0.1:80", "80"} {
		_, err := trace.ParseMatch(text)
		require.Error(t, err, text)
	}
}

// The addresses above the lanes of a picture end within it, also the longest ones of IPv6.
func TestSVGOfLongAddresses(t *testing.T) {
	for _, tt := range []struct{ remote, anchor string }{
		{"[2001:db8::1]:40000", `x="860" y="22" text-anchor="middle"`},
		{"[2001:db8:1111:2222:3333:4444:5555:6666]:40000", `x="936" y="22" text-anchor="end"`},
	} {
		var b strings.Builder
		l := &trace.Ladder{Local: netip.MustParseAddrPort("[2001:db8::2]:80"), Remote: netip.MustParseAddrPort(tt.remote)}
		require.NoError(t, trace.WriteSVG(&b, l))
		require.Contains(t, b.String(), tt.anchor+">"+tt.remote+"<")
	}
}

// With every kind of loss, each record names the RFC section that decided, and all lines of the ladder have the same width.
func TestEverySectionIsNamed(t *testing.T) {
	for seed := range uint64(30) {
		records := server(t, scenario.Config{Seed: seed, Loss: 0.2})
		for _, r := range records {
			end := r.Kind == trace.State && r.Vars.State == "CLOSED" // several events lead to CLOSED
			require.True(t, r.RFC != "" || end || r.Kind == trace.Change, "%+v", r)
		}
		var b strings.Builder
		require.NoError(t, trace.Style{Width: 90}.Write(&b, trace.Draw(records)))
		for _, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")[1:] {
			require.Equal(t, 90, utf8.RuneCountInString(line), line)
		}
	}
}

// No string of a record from a file, and no zone of an address, puts a control character on the terminal or markup into a picture.
func TestRecordsOfAFileAreEscaped(t *testing.T) { // SEC-041
	const evil = "\x1b[2J\u009b\n"
	zone := netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(`"><script>`+evil), 7)
	r := trace.Record{Local: zone, Remote: zone, Kind: evil, Why: evil, RFC: evil, Detail: evil, From: evil,
		Segment: &trace.Segment{Flags: evil, Options: evil, Text: evil, Payload: evil}, Vars: trace.Vars{State: evil, CAState: evil}}
	b, err := json.Marshal(r)
	require.NoError(t, err)
	var read trace.Record
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, "[fe80::1]:7", read.Local.String())
	require.Equal(t, "[fe80::1]:7", read.Remote.String())
	require.NotContains(t, fmt.Sprintf("%+v %+v", read, *read.Segment), "\x1b")
	require.NotContains(t, fmt.Sprintf("%+v %+v", read, *read.Segment), "\u009b")
	require.Equal(t, `\x1b[2J\x9b\n`, read.Why)
	require.Empty(t, read.Segment.Payload, "only text is kept")
}
