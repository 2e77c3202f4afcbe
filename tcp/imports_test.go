package tcp_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMachineIsPure: the machine uses no locks, no I/O, no clock and no randomness, so that simulators, fuzzers and
// debuggers can run it.
func TestMachineIsPure(t *testing.T) {
	allowed := map[string]bool{
		"cmp": true, "encoding/binary": true, "errors": true, "fmt": true, "math": true, "slices": true, "strings": true, "syscall": true, "time": true,
		"tunstack/internal/packet": true, "tunstack/internal/sendq": true, "tunstack/internal/stats": true,
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	files := 0
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			require.True(t, allowed[path], "%s imports %s", name, path)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SendStmt, *ast.SelectStmt, *ast.ChanType:
				t.Errorf("%s: %T", name, n)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" {
					require.True(t, ofTime(n.Sel.Name), "%s uses time.%s", name, n.Sel.Name)
				}
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "syscall" {
					require.True(t, n.Sel.Name[0] == 'E', "%s uses syscall.%s", name, n.Sel.Name)
				}
			}
			return true
		})
	}
	require.Greater(t, files, 20)
}

// ofTime reports whether a name of package time is about durations, not about a clock.
func ofTime(name string) bool {
	return name == "Duration" || strings.HasSuffix(name, "second") || name == "Second" || name == "Minute" || name == "Hour"
}
