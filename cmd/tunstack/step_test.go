package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStepUsage(t *testing.T) {
	noStack(t)
	requireFailures(t, exitUsage, []failing{
		{"step x", "usage: tunstack step [--sim]"},
		{"step --drop 3", "--drop: it needs --sim"},
		{"step --seed 3", "--seed: it needs --sim"},
		{"step --sim --loss 2", "--loss 2: it must be from 0 to 1"},
		{"step --conn nonsense", `--conn: invalid endpoint "nonsense": it must be ADDR:PORT, ADDR or :PORT`},
		{"step --break lost", `--break "lost": it must be state=NAME, retransmit, loss or drop`},
		{"step --sim --conn :80", "none of the others can be"},
	}...)
	requireOneLine(t, tunstack("", "step"), exitFailure, "no stack is running behind")
}

// Without a terminal all of the simulated joke is printed.
func TestStepSimulated(t *testing.T) {
	r := tunstack("", "step", "--sim", "--drop", "3", "--break", "retransmit")
	require.Zero(t, r.status)
	require.Empty(t, r.err)
	require.Contains(t, r.out, "#1 client sends in SYN-SENT: S seq 0 ")
	require.Contains(t, r.out, "on the wire: lost")
	require.Contains(t, r.out, "TIME-WAIT -> CLOSED")
}
