package socketapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pageRow is a row of the tables of docs/sockets.md.
type pageRow struct {
	optname
	option, sockets, access string
}

// levels are the numbers of the page's headings.
var levels = map[string]int{"SOL_SOCKET": SOL_SOCKET, "IPPROTO_IP": IPPROTO_IP, "IPPROTO_IPV6": IPPROTO_IPV6, "IPPROTO_ICMPV6": IPPROTO_ICMPV6, "IPPROTO_TCP": IPPROTO_TCP, "SOL_UDP": IPPROTO_UDP, "SOL_RAW": SOL_RAW}

// readPage returns the rows of docs/sockets.md.
func readPage(t *testing.T) (rows []pageRow) {
	text, err := os.ReadFile("../docs/sockets.md")
	require.NoError(t, err)
	level := 0
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			level = levels[heading]
			require.Contains(t, levels, heading)
		}
		cells := strings.Split(line, "|")
		if len(cells) < 2 || strings.HasPrefix(cells[1], " Option") || strings.HasPrefix(cells[1], "--") {
			continue
		}
		require.Len(t, cells, 8, line)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		number, err := strconv.Atoi(cells[2])
		require.NoError(t, err, line)
		require.NotEmpty(t, cells[5], line)
		rows = append(rows, pageRow{optname{level, number}, cells[1], cells[3], cells[4]})
	}
	return rows
}

// kinds are a socket of AF_INET6 of each kind, which has the options of AF_INET, too.
func kinds(h host) map[string]*socket {
	all := map[string]*socket{}
	for kind, fd := range map[string]int{"tcp": h.socket6(SOCK_STREAM, 0), "udp": h.socket6(SOCK_DGRAM, 0), "ping": h.socket6(SOCK_DGRAM, IPPROTO_ICMPV6), "raw": h.socket6(SOCK_RAW, 253)} {
		all[kind], _ = h.sockets.get(fd)
	}
	return all
}

// kindNames are the kinds in the order of the page.
var kindNames = []string{"tcp", "udp", "ping", "raw"}

// The page lists each option with the sockets that have it and whether they can read and write it, and no other.
func TestOptionsPage(t *testing.T) { // SOCK-071
	sockets := kinds(alone(t))
	code := map[optname]*pageRow{} // what the code has
	note := func(kind string, table map[optname]option) {
		for name, o := range table {
			access := ""
			if o.get != nil || o.query != nil {
				access = "r"
			}
			if o.set != nil {
				access += "w"
			}
			if row := code[name]; row == nil {
				code[name] = &pageRow{optname: name, sockets: kind, access: access}
			} else if !slices.Contains(strings.Split(row.sockets, ", "), kind) {
				require.Equal(t, row.access, access, "%v of %s", name, kind)
				row.sockets += ", " + kind
			}
		}
	}
	for _, kind := range kindNames {
		for _, table := range sockets[kind].tables() {
			note(kind, table)
		}
	}
	for _, row := range code {
		if len(strings.Split(row.sockets, ", ")) == len(kindNames) {
			row.sockets = "all"
		}
	}
	constants := constantValues(t)
	for _, row := range readPage(t) {
		has := code[row.optname]
		delete(code, row.optname)
		if row.access == "refused" {
			require.Nil(t, has, "%s is not refused", row.option)
			require.Equal(t, "-", row.sockets, row.option)
			continue
		}
		require.NotNil(t, has, "no socket has %s", row.option)
		require.Equal(t, has.sockets, row.sockets, row.option)
		require.Equal(t, has.access, row.access, row.option)
		require.Equal(t, fmt.Sprint(row.name), constants[row.option], "the number of %s", row.option)
	}
	require.Empty(t, code, "options that the page does not list")
}

// constantValues are the constants of constants.go that have a number.
func constantValues(t *testing.T) map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "constants.go", nil, 0)
	require.NoError(t, err)
	values := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				values[spec.Names[0].Name] = lit.Value
			}
		}
		return true
	})
	return values
}
