package host

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// talk is a dialogue with a program: the test types lines, and waits for the program's output.
type talk struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out transcript
}

// transcript is a program's output so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String is the whole output.
func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// talkTo starts a program for a dialogue.
func talkTo(t *testing.T, cmd *exec.Cmd) *talk {
	t.Helper()
	c := &talk{t: t, cmd: cmd}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	c.in = in
	cmd.Stdout, cmd.Stderr = &c.out, &c.out
	require.NoError(t, cmd.Start())
	return c
}

// say types a line.
func (c *talk) say(line string) {
	c.t.Helper()
	_, err := io.WriteString(c.in, line+"\n")
	require.NoError(c.t, err)
}

// hear waits until the program has printed text.
func (c *talk) hear(text string) {
	c.t.Helper()
	wait(c.t, c.cmd.String()+" prints "+text, func() bool { return strings.Contains(c.out.String(), text) })
}

// bye ends the input.
func (c *talk) bye() {
	c.t.Helper()
	require.NoError(c.t, c.in.Close())
}

// end waits for the program to end, and returns its exit status.
func (c *talk) end() int {
	c.t.Helper()
	c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode()
}
