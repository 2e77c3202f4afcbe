package capture

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
)

// tcpdumpText is tcpdump's text for each packet of a file.
func tcpdumpText(t *testing.T, file []byte, flags string) []string {
	t.Helper()
	netns.NeedTool(t, "tcpdump")
	name := filepath.Join(t.TempDir(), "samples.pcap")
	require.NoError(t, os.WriteFile(name, file, 0o600))
	cmd := exec.Command("tcpdump", flags, name)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "IP") {
			all = append(all, "")
		}
		all[len(all)-1] += line
	}
	return all
}

// Each message of both families prints as in tcpdump, with -v too.
func TestPrintsAsTcpdump(t *testing.T) {
	var packets []*Packet
	samples := slices.Concat(samples6(), samples4())
	for _, s := range samples {
		packets = append(packets, &Packet{At: start, Data: s.data})
	}
	file := written(t, PCAP, layers.LinkTypeRaw, packets...)
	for _, flags := range []string{"-tnr", "-tnvr"} {
		want := tcpdumpText(t, file, flags)
		require.Len(t, want, len(packets))
		p := NewPrinter(Source{Link: layers.LinkTypeRaw})
		p.Verbose = strings.Contains(flags, "v")
		for i, s := range samples {
			require.Equal(t, strings.TrimRight(want[i], " \n"), strings.TrimRight(p.packet(s.data), " "), "%s %s", flags, s.name)
		}
	}
}

// A packet that ends anywhere prints as far as it goes.
func TestPrintsCutPackets(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		p := NewPrinter(Source{Link: layers.LinkTypeRaw})
		p.Verbose = verbose
		for _, s := range slices.Concat(samples6(), samples4()) {
			for n := 1; n < len(s.data); n++ {
				require.NotEmpty(t, p.packet(bytes.Clone(s.data[:n])), "%s %d", s.name, n)
			}
		}
	}
}
