package host

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
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

// editor speaks the Debug Adapter Protocol with Delve, as VS Code does.
type editor struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	seq  int
}

// adapterMessage is a response or an event.
type adapterMessage struct {
	Command, Event string // the name of either
	Success        bool   // of a response
	Message        string // the reason of a failure
	Body           json.RawMessage
}

// send sends a request.
func (e *editor) send(command string, arguments any) {
	e.t.Helper()
	e.seq++
	b, err := json.Marshal(map[string]any{"seq": e.seq, "type": "request", "command": command, "arguments": arguments})
	require.NoError(e.t, err)
	_, err = fmt.Fprintf(e.conn, "Content-Length: %d\r\n\r\n%s", len(b), b)
	require.NoError(e.t, err)
}

// await waits for the response to a command, or an event, and puts its body into v.
func (e *editor) await(what string, v any) {
	e.t.Helper()
	for {
		header, err := textproto.NewReader(e.r).ReadMIMEHeader()
		require.NoError(e.t, err, what)
		length, err := strconv.Atoi(header.Get("Content-Length"))
		require.NoError(e.t, err)
		b := make([]byte, length)
		_, err = io.ReadFull(e.r, b)
		require.NoError(e.t, err)
		var m adapterMessage
		require.NoError(e.t, json.Unmarshal(b, &m))
		require.True(e.t, m.Event != "" || m.Success, "%s", b)
		if m.Event == what || m.Command == what {
			if v != nil {
				require.NoError(e.t, json.Unmarshal(m.Body, v))
			}
			return
		}
	}
}

// ask sends a request and waits for the response.
func (e *editor) ask(command string, arguments, v any) {
	e.t.Helper()
	e.send(command, arguments)
	e.await(command, v)
}

// launch is the first configuration of docs/launch.json, with the fields that VS Code's Go extension adds to it, except for the
// output.
func launch(t *testing.T, dir string) map[string]any {
	t.Helper()
	top, err := filepath.Abs(root)
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(root, "docs/launch.json"))
	require.NoError(t, err)
	var file struct{ Configurations []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(b), "${workspaceFolder}", top)), &file))
	c := file.Configurations[0]
	c["dlvCwd"], c["output"] = c["program"], filepath.Join(dir, "tunstack")
	return c
}

// The launch file for VS Code runs the stack with the page's breakpoints, by the names in its table; the breakpoint on changes
// of state sees a joke's server go through all states.
func TestSteppingLaunchFile(t *testing.T) {
	netns.Need(t)
	netns.NeedTool(t, "dlv")
	dir := t.TempDir()
	d := debug(t, dir, "exec dlv dap --listen 127.0.0.1:0")
	listening := regexp.MustCompile(`listening at: (\S+)`)
	wait(t, "it listens", func() bool { return listening.MatchString(d.out.String()) })
	conn, err := net.Dial("tcp", listening.FindStringSubmatch(d.out.String())[1])
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*patience)))
	e := &editor{t: t, conn: conn, r: bufio.NewReader(conn)}

	e.ask("initialize", map[string]any{"adapterID": "go"}, nil)
	e.send("launch", launch(t, dir))
	e.await("initialized", nil)
	functions := tableOfBreakpoints(t)
	for _, f := range functions {
		e.breakAt(f)
	}
	e.breakAt(functions["state"])
	e.ask("configurationDone", nil, nil)
	d.hear("ready ")
	ended := tellJoke(t)
	for _, want := range []tcp.State{tcp.SynReceived, tcp.Established, tcp.FinWait1, tcp.FinWait2, tcp.TimeWait} {
		require.Contains(t, e.stopped("s"), fmt.Sprintf(" (%d)", want), "%v", want)
	}
	<-ended
	e.ask("disconnect", map[string]any{"terminateDebuggee": true}, nil)
	d.end()
}

// tableOfBreakpoints are the functions in the table of docs/stepping.md, by their names.
func tableOfBreakpoints(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/stepping.md"))
	require.NoError(t, err)
	functions := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (\\w+) \\| `([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		functions[row[1]] = row[2]
	}
	require.Len(t, functions, 5)
	return functions
}

// breakAt sets a breakpoint at a function and removes all others.
func (e *editor) breakAt(function string) {
	e.t.Helper()
	var set struct{ Breakpoints []struct{ Verified bool } }
	e.ask("setFunctionBreakpoints", map[string]any{"breakpoints": []map[string]string{{"name": function}}}, &set)
	require.Len(e.t, set.Breakpoints, 1)
	require.True(e.t, set.Breakpoints[0].Verified, function)
}

// stopped waits until the program has stopped, evaluates an expression there, and continues the program.
func (e *editor) stopped(expression string) string {
	e.t.Helper()
	var at struct{ ThreadID int }
	e.await("stopped", &at)
	var stack struct{ StackFrames []struct{ ID int } }
	e.ask("stackTrace", map[string]any{"threadId": at.ThreadID, "levels": 1}, &stack)
	var value struct{ Result string }
	e.ask("evaluate", map[string]any{"expression": expression, "frameId": stack.StackFrames[0].ID}, &value)
	e.ask("continue", map[string]any{"threadId": at.ThreadID}, nil)
	return value.Result
}
