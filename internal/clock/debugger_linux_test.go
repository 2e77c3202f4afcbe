package clock

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// debuggeeEnv makes TestDebuggee the debugged program.
const debuggeeEnv = "TUNSTACK_DEBUGGEE"

// TestDebuggee is run by TestDebuggerIsNoticed in a new process.
func TestDebuggee(t *testing.T) {
	if os.Getenv(debuggeeEnv) == "" {
		t.Skip("not debugged")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := NewSteady(NewReal())
	RunWhileDebugged(ctx, c, func() {
		fmt.Println("attached")
		cancel()
	})
	require.Zero(t, c.gap, "not running any more")
}

// A traced process notices the tracer, and an untraced one does not see one.
func TestDebuggerIsNoticed(t *testing.T) {
	require.False(t, debugged())
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0], "-test.run=^TestDebuggee$")
	cmd.Env = append(os.Environ(), debuggeeEnv+"=1")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Skip("nothing can be traced here: ", err)
	}
	trace(t, cmd.Process.Pid)
	cmd.Wait() // fails, because the tracer has waited for the process
	require.Contains(t, out.String(), "attached\n")
}

// trace runs a traced process to its end, passing on its signals.
func trace(t *testing.T, pid int) {
	t.Helper()
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, 0, nil)
		require.NoError(t, err)
		if status.Exited() || status.Signaled() {
			return
		}
		signal := status.StopSignal()
		if signal == unix.SIGTRAP {
			signal = 0
		}
		require.NoError(t, unix.PtraceCont(pid, int(signal)))
	}
}
