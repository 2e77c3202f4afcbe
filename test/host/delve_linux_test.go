package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/netns"
	"tunstack/tcp"
)

// root is the module's directory.
const root = "../.."

// instruction is a command that docs/stepping.md tells the reader to type.
type instruction struct {
	language string // "sh" or "dlv" for the debugger
	command  string
	shows    []string // lines that a debugger's command must print
}

// walk reads the instructions in docs/stepping.md.
func walk(t *testing.T) (list []instruction) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/stepping.md"))
	require.NoError(t, err)
	for _, block := range regexp.MustCompile("(?s)\n```(sh|dlv)\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[2]) {
			line = strings.TrimSpace(line)
			command, isCommand := strings.CutPrefix(line, "(dlv) ")
			if isCommand || block[1] == "sh" {
				list = append(list, instruction{language: block[1], command: command})
			} else {
				last := &list[len(list)-1]
				last.shows = append(last.shows, line)
			}
		}
	}
	require.NotEmpty(t, list)
	return list
}

const prompt = "(dlv) "

// debugger is a running Delve, which runs the program.
type debugger struct {
	*talk
	asked instruction // the last one
	from  int         // where its answer begins in the output
	count int         // prompts so far
}

// answer waits until the debugger has finished the last instruction, and returns its output.
func (d *debugger) answer() string {
	d.t.Helper()
	wait(d.t, "an answer to "+d.asked.command, func() bool { return strings.Count(d.out.String(), prompt) > d.count })
	d.count++
	out := d.out.String()
	text := out[d.from:]
	d.from = len(out)
	for _, line := range d.asked.shows {
		require.Contains(d.t, text, line, "after %s", d.asked.command)
	}
	return text
}

// ask types a command once the previous one has been answered. Before the program continues, it is stopped for longer than a
// connection's retransmission timer.
func (d *debugger) ask(i instruction) {
	d.t.Helper()
	d.answer()
	if i.command == "continue" {
		time.Sleep(300 * time.Millisecond)
	}
	d.asked = i
	d.say(i.command)
}

// debug runs a shell's command that starts a program under Delve, in a directory.
func debug(t *testing.T, dir, shell string) *debugger {
	t.Helper()
	cmd := command(t, "sh", "-c", shell)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=dumb", "TUNSTACK_CONTROL="+filepath.Join(dir, "control.sock"))
	return &debugger{talk: talkTo(t, cmd)}
}

// Every command in docs/stepping.md works as the page says, and shows the states of a joke's server in their order.
func TestSteppingWalk(t *testing.T) {
	netns.Need(t)
	netns.NeedTool(t, "dlv")
	dir := t.TempDir()
	docs, err := filepath.Abs(filepath.Join(root, "docs"))
	require.NoError(t, err)
	require.NoError(t, os.Symlink(docs, filepath.Join(dir, "docs")))
	var d *debugger
	var ended chan struct{}
	for _, i := range walk(t) {
		tool, _, _ := strings.Cut(i.command, " ")
		switch {
		case i.language == "dlv":
			d.ask(i)
		case tool == "go":
			shell(t, root, strings.Replace(i.command, "go build", "go build -o "+dir, 1))
		case tool == "sudo": // the test runs as root
			d = debug(t, dir, strings.Replace(i.command, "sudo $(which dlv) exec", "exec dlv exec --allow-non-terminal-interactive", 1))
		case tool == "telnet":
			d.hear("ready ")
			ended = tellJoke(t)
		default: // it uses files of docs
			shell(t, dir, i.command)
		}
	}
	d.end()
	<-ended
	require.Equal(t, []string{"LISTEN", "SYN-RECEIVED", "SYN-RECEIVED", "ESTABLISHED", "ESTABLISHED", "FIN-WAIT-1",
		"FIN-WAIT-1", "FIN-WAIT-2", "FIN-WAIT-2", "TIME-WAIT"}, statesIn(d.out.String()))
	require.FileExists(t, filepath.Join(dir, ".vscode/launch.json"))
}

// shell runs a command in a directory.
func shell(t *testing.T, dir, line string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = dir
	out, status := run(t, cmd)
	require.Zero(t, status, "%s\n%s", line, out)
}

// statesIn are the states that the breakpoint on changes of state has printed, two at a time.
func statesIn(out string) (names []string) {
	for _, shown := range regexp.MustCompile(`(?m)^\t(?:c\.state|s): \w+ \((\d+)\)$`).FindAllStringSubmatch(out, -1) {
		n, _ := strconv.Atoi(shown[1])
		names = append(names, tcp.State(n).String())
	}
	return names
}
