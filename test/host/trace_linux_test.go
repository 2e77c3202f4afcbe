package host

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// joke tells a knock-knock joke from the host, to the end of the connection.
func joke(t *testing.T) {
	t.Helper()
	c, err := net.Dial("tcp", stackIP+":1414")
	require.NoError(t, err)
	defer c.Close()
	b := make([]byte, 100)
	for _, line := range []string{"Knock knock\n", "Cargo\n", "No, car go beep beep!\n"} {
		_, err := c.Write([]byte(line))
		require.NoError(t, err)
		c.Read(b) // the last read finds the end
	}
}

// A trace of a kernel's telnet session ends with the connection, and draws all of it.
func TestTrace(t *testing.T) {
	n := up(t)
	watching := talkTo(t, n.command("trace", "--conn", ":1414"))
	watching.hear("tracing")
	joke(t)
	require.Zero(t, watching.end(), watching.out.String())
	ladder := regexp.MustCompile(`(?s)10\.0\.0\.2:1414 +10\.0\.0\.1:\d+\n` +
		`.*0\.0{6} LISTEN  +\|<-+ S seq 0 win \d+ <mss 1460,sackOK,wscale \d+> ---\|` +
		`.* SYN-RECEIVED .*\|--- S\. seq 0 ack 1 .*>\|\n.* ESTABLISHED .*"Knock knock\\n".* read 12 .* write 13 .*"Cargo who\?\\n"` +
		`.* FIN-WAIT-1 .*\|--- F\. .* TIME-WAIT .*\|--- \. seq 26 ack 42 `)
	require.Regexp(t, ladder, watching.out.String())
}

// A trace is drawn as it happens, until an interrupt, and saved as JSON to be drawn later.
func TestTraceFollow(t *testing.T) {
	n := up(t)
	saved := filepath.Join(t.TempDir(), "joke.jsonl")
	f, err := os.Create(saved)
	require.NoError(t, err)
	defer f.Close()
	saving := n.command("trace", "--json")
	saving.Stdout = f
	var errs transcript
	saving.Stderr = &errs
	require.NoError(t, saving.Start())
	wait(t, "it saves", func() bool { return errs.String() != "" })
	watching := talkTo(t, n.command("trace", "--follow"))
	watching.hear("tracing")
	joke(t)
	watching.hear("TIME-WAIT")
	require.NoError(t, watching.cmd.Process.Signal(unix.SIGINT))
	require.Zero(t, watching.end(), watching.out.String())

	require.NoError(t, saving.Wait())
	svg := filepath.Join(t.TempDir(), "joke.svg")
	n.succeed("", "trace", "--svg", svg, saved)
	b, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(b), ">ESTABLISHED</text>")
	require.Contains(t, n.succeed("", "trace", "--mermaid", saved), "    Note left of A: ESTABLISHED\n")
}

// A plot of an open connection ends with the connection.
func TestPlot(t *testing.T) {
	n := up(t)
	picture := filepath.Join(t.TempDir(), "joke.png")
	watching := talkTo(t, n.command("plot", "--conn", ":1414", "-o", picture))
	watching.hear("tracing")
	joke(t)
	require.Zero(t, watching.end(), watching.out.String())
	b, err := os.ReadFile(picture)
	require.NoError(t, err)
	require.Equal(t, "\x89PNG", string(b[:4]))
}
