package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/netns"
)

// noise makes packets of every kind: a joke, echo requests, bulk in super-packets, a refused connection, a datagram to a port
// without a socket.
func noise(t *testing.T) {
	t.Helper()
	joke(t)
	succeed(t, "ping", "-c", "1", stackIP)
	cmd := command(t, "nc", "-N", stackIP, "9")
	cmd.Stdin = strings.NewReader(strings.Repeat("bulk", 100_000))
	out, status := run(t, cmd)
	require.Zero(t, status, out)
	_, err := hostDial(81)
	require.Error(t, err)
	cmd = command(t, "nc", "-u", "-w", "1", stackIP, "99")
	cmd.Stdin = strings.NewReader("anybody?")
	run(t, cmd)
}

// captureNoise makes noise, which `tunstack capture` and `tunstack up --pcap` record at the same time.
func captureNoise(t *testing.T, flags ...string) (captured, recorded string) {
	t.Helper()
	dir := t.TempDir()
	captured, recorded = filepath.Join(dir, "captured.pcapng"), filepath.Join(dir, "recorded.pcapng")
	n := start(t, append([]string{"--pcap", recorded}, flags...)...)
	watching := talkTo(t, n.command("capture", "-w", captured))
	watching.hear("capturing on")
	noise(t)
	require.NoError(t, watching.cmd.Process.Signal(unix.SIGINT))
	require.Zero(t, watching.end(), watching.out.String())
	require.Contains(t, watching.out.String(), " packets captured\n")
	n.stop()
	return captured, recorded
}

// tcpdump is tcpdump's output for a file, without its messages.
func tcpdump(t *testing.T, file, expression string) string {
	t.Helper()
	cmd := command(t, "tcpdump", "-nr", file, expression)
	out, err := cmd.Output()
	require.NoError(t, err, cmd)
	return string(out)
}

// ours is the output of `tunstack capture` for a file.
func ours(t *testing.T, args ...string) string {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	out, err := command(t, path, append([]string{"capture"}, args...)...).Output()
	require.NoError(t, err, args)
	return string(out)
}

var comments = regexp.MustCompile(`(?m)  # .*$`)

// `capture` and `up --pcap` record the same packets, tcpdump and tshark read them, and each TCP packet has a comment.
func TestCapture(t *testing.T) {
	for name, flags := range kinds {
		t.Run(name, func(t *testing.T) {
			netns.NeedTool(t, "tcpdump")
			captured, recorded := captureNoise(t, flags...)
			lines := ours(t, "-r", captured, "tcp")
			for line := range strings.Lines(lines) {
				require.Regexp(t, comments, line)
			}
			for _, want := range []string{
				`Flags \[S\], .* length 0  # LISTEN, now SYN-RECEIVED \(RFC 9293 3\.10\.7\.2 third\)`,
				`Flags \[P\.\], seq 1:14, .* length 13  # ESTABLISHED: data`,
				`Flags \[F\.\], .*  # FIN-WAIT-1: FIN \(RFC 9293 3\.6\)`,
				`\.81: Flags \[S\], .*  # dropped: tcp\.drop\.no_connection \(RFC 9293 3\.10\.7\.1\)`,
				`\.81 > .*: Flags \[R\.\], .*  # no connection: reset \(RFC 9293 3\.10\.7\.1\)`,
			} {
				require.Regexp(t, want, lines)
			}
			require.Regexp(t, `UDP, length 8  # dropped: udp\.drop\.no_port \(RFC 1122 4\.1\.3\.1\)`, ours(t, "-r", captured, "udp"))
			require.Contains(t, ours(t, "-r", recorded), lines[:strings.Index(lines, "\n")])
		})
	}
}

// Each filter selects the same packets as tcpdump, and each packet prints as in tcpdump.
func TestCaptureAsTcpdump(t *testing.T) {
	for name, flags := range kinds {
		t.Run(name, func(t *testing.T) {
			netns.NeedTool(t, "tcpdump")
			captured, _ := captureNoise(t, flags...)
			for _, expression := range strings.Split(filters, "\n") {
				want := tcpdump(t, captured, expression)
				got := comments.ReplaceAllString(ours(t, "-r", captured, expression), "")
				require.Equal(t, strings.Count(want, "\n"), strings.Count(got, "\n"), expression)
				if expression == "tcp" || expression == "icmp or udp" {
					require.Equal(t, want, got)
				}
			}
		})
	}
}

// filters are expressions that tcpdump supports, too.
const filters = `tcp
not tcp
icmp or udp
tcp port 9
port 1414 or 81
src port 1414
dst port 1414 and tcp
host 10.0.0.1
src host 10.0.0.2
src 10.0.0.2 and tcp
net 10.0.0.0/24
src net 10.0.0.0 mask 255.255.255.0
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
not tcp[13] = 2
icmp[icmptype] = icmp-echo
less 60
len >= 60 and len <= 100
ip[2:2] > 1000
ip proto 17
proto 6
ip6
port 9 or port 81 and src host 10.0.0.1
(port 9 or port 81) and src host 10.0.0.1
not (tcp or udp)
portrange 80-1500
tcp port (9 or 81)
src and dst net 10
tcp[100:2] = 0
not tcp[100:2] = 0
udp[4:2] - 8 = 8
(tcp[12] >> 2) + ip[0] - 69 > 20`

// A live capture can be piped to another program, ends after a number of packets, and takes a filter.
func TestCaptureLive(t *testing.T) {
	n := up(t)
	saved := filepath.Join(t.TempDir(), "piped.pcapng")
	f, err := os.Create(saved)
	require.NoError(t, err)
	defer f.Close()
	piped := n.command("capture", "-w", "-", "-c", "4", "icmp")
	piped.Stdout = f
	var errs transcript
	piped.Stderr = &errs
	require.NoError(t, piped.Start())
	watching := talkTo(t, n.command("capture", "-c", "2", "icmp[icmptype] = icmp-echoreply"))
	watching.hear("capturing on tun0")
	wait(t, "it captures", func() bool { return errs.String() != "" })
	succeed(t, "ping", "-c", "2", "-i", "0.01", stackIP)
	require.Zero(t, watching.end(), watching.out.String())
	require.Equal(t, 2, strings.Count(watching.out.String(), "IP 10.0.0.2 > 10.0.0.1: ICMP echo reply, id "), watching.out.String())
	require.NoError(t, piped.Wait())
	require.Equal(t, 4, strings.Count(ours(t, "-r", saved), "\n"))
	if _, err := exec.LookPath("tshark"); err == nil {
		require.Contains(t, succeed(t, "tshark", "-r", saved), "Echo (ping) request")
	}
}
