package requirements

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const root = "../.." // of this module

func TestRequirements(t *testing.T) {
	a, err := Read(os.DirFS(root))
	require.NoError(t, err)
	for _, p := range a.Problems() {
		t.Error(p)
	}
	doc, err := os.ReadFile(filepath.Join(root, DocumentPath))
	require.NoError(t, err)
	require.True(t, bytes.Equal(a.Document(), doc), "%s is out of date: run go generate ./test/requirements", DocumentPath)
}

const columns = "id\tlayer\tsource\tlevel\trequirement\ttest_hint\treason\n"

func TestParseTable(t *testing.T) {
	rows, err := parseTable(strings.NewReader(columns +
		"EX-001\tlink\tRFC 1 2.3\tMUST\tText.\thint\n" +
		"EX-002\tlink\tRFC 1 2.4\tMAY\tText.\thint\twhy not\n"))
	require.NoError(t, err)
	require.Equal(t, []Row{
		{"EX-001", "link", "RFC 1 2.3", "MUST", "Text.", "hint", ""},
		{"EX-002", "link", "RFC 1 2.4", "MAY", "Text.", "hint", "why not"},
	}, rows)
}

func TestParseTableErrors(t *testing.T) {
	const good = "EX-001\tlink\tRFC 1\tMUST\tText.\thint\n"
	for _, c := range []struct{ name, table, err string }{
		{"no header", good, "names of the columns"},
		{"too few columns", columns + "EX-001\tlink\n", "line 2: 2 columns"},
		{"bad id", columns + "EX-1\tlink\tRFC 1\tMUST\tText.\thint\n", `"EX-1" is not an id`},
		{"bad level", columns + "EX-001\tlink\tRFC 1\tmust\tText.\thint\n", "unknown level"},
		{"bad layer", columns + "EX-001\tlinks\tRFC 1\tMUST\tText.\thint\n", "unknown layer"},
		{"empty column", columns + "EX-001\tlink\t\tMUST\tText.\thint\n", "empty column"},
		{"repeated id", columns + good + good, "line 3: duplicate EX-001"},
	} {
		_, err := parseTable(strings.NewReader(c.table))
		require.ErrorContains(t, err, c.err, c.name)
	}
}

const tests = `package p_test

// EX-001, EX-002: above.
func TestAbove(t *testing.T) {
	// EX-003 to EX-005
	t.Run("EX-006 by name", func(t *testing.T) {})
	for _, c := range cases {
		f() // EX-001: once is enough
	} // EX-007
}

func FuzzBeside(f *testing.F) { // EX-001
	_ = EX - 010 // XEX-011, EX-0120, EX-013a
}

func ExampleE() { // OTHER-001
}

// EX-020, EX-021: neither a test nor attached to one.

func TestMain(m *testing.M) {} // EX-020

// EX-020
func helper() {}

func (s suite) TestMethod() { // EX-020
}
`

func TestScanTests(t *testing.T) {
	above := Test{"p.TestAbove", "a/p/p_test.go"}
	got, err := scanTests(fstest.MapFS{
		"a/p/p_test.go":          {Data: []byte(tests)},
		"a/p/p.go":               {Data: []byte("package p\nfunc TestNot() { /* EX-020 */ }")},
		"a/p/testdata/q_test.go": {Data: []byte(tests)},
		".hidden/q_test.go":      {Data: []byte(tests)},
		"_old/q_test.go":         {Data: []byte(tests)},
	}, []string{"EX", "OTHER"})
	require.NoError(t, err)
	require.Equal(t, map[string][]Test{
		"EX-001":    {above, {"p.FuzzBeside", "a/p/p_test.go"}},
		"EX-002":    {above},
		"EX-003":    {above},
		"EX-004":    {above},
		"EX-005":    {above},
		"EX-006":    {above},
		"EX-007":    {above},
		"OTHER-001": {{"p.ExampleE", "a/p/p_test.go"}},
	}, got)
}

func TestScanTestsErrors(t *testing.T) {
	for name, source := range map[string]string{
		"is not a range":     "package p\n// EX-002 to EX-001\nfunc TestX() {}",
		`"EX-001 to OTHER-`:  "package p\nfunc TestX() { _ = \"EX-001 to OTHER-002\" }",
		"expected 'package'": "no Go",
	} {
		_, err := scanTests(fstest.MapFS{"p_test.go": {Data: []byte(source)}}, []string{"EX", "OTHER"})
		require.ErrorContains(t, err, name)
	}
}

func account(t *testing.T) *Account {
	a, err := Read(fstest.MapFS{
		TablePath: {Data: []byte(columns +
			"EX-001\tlink\tRFC 1\tMUST\tShown.\thint\n" +
			"EX-002\tlink\tRFC 1\tSHOULD\tOpen.\thint\n" +
			"EX-003\ttcp\tRFC 1\tMUST\tExcused.\thint\twhy\n" +
			"EX-004\ttcp\tRFC 1\tMUST\tExcused | shown.\thint\twhy\n" +
			"EX-005\ttcp\tRFC 1\tMAY\tLeft out.\thint\n" +
			"EX-006\ttcp\tRFC 1\tMAY\tShown.\thint\n")},
		"p/a_test.go": {Data: []byte("package p\n// EX-001, EX-004\nfunc TestA() {}")},
		"p/b_test.go": {Data: []byte("package p\n// EX-001, EX-006, EX-099\nfunc TestB() {}")},
	})
	require.NoError(t, err)
	return a
}

func TestProblems(t *testing.T) {
	require.Equal(t, []string{
		"EX-002 (SHOULD) has neither a test nor a reason: Open.",
		"EX-004 has a reason, but p.TestA names it",
		"p.TestB names EX-099, which the table does not have",
	}, account(t).Problems())
}

func TestDocument(t *testing.T) {
	doc := string(account(t).Document())
	for _, line := range []string{
		"| [Link](#link) | 1 | 0 | 1 | 0 | 0 |",
		"| [TCP](#tcp) | 1 | 1 | 0 | 1 | 1 |",
		"| All | 2 | 1 | 1 | 1 | 1 |",
		"## TCP",
		"| EX-001 | MUST | Shown. | RFC 1 | [p.TestA](../p/a_test.go), [p.TestB](../p/b_test.go) |",
		"| EX-002 | SHOULD | Open. | RFC 1 | **open** |",
		"| EX-003 | MUST | Excused. | RFC 1 | Not met: why |",
		`| EX-004 | MUST | Excused \| shown. | RFC 1 | [p.TestA](../p/a_test.go) |`,
		"| EX-005 | MAY | Left out. | RFC 1 | not offered |",
	} {
		require.Contains(t, doc, "\n"+line+"\n")
	}
}
