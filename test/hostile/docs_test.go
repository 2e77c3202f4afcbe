package hostile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/security.md names tests as `package.TestName` and counters as `layer.kind.name`; all of them must exist.
func TestSecurityPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	require.NoError(t, err)
	names := regexp.MustCompile("`(\\w+)\\.((?:Test|Fuzz)\\w+)`").FindAllSubmatch(page, -1)
	require.Greater(t, len(names), 20)
	for _, m := range names {
		require.Contains(t, testsOf(t, string(m[1])), "func "+string(m[2])+"(", "%s", m[0])
	}
	l := newLab(t, four, nil)
	for _, m := range regexp.MustCompile("`((?:tcp|udp|icmp6?|ipv4|ipv6|ip|nd|mld|igmp)\\.[a-z_.]+)`").FindAllSubmatch(page, -1) {
		l.counter(string(m[1]))
	}
}

// testsOf is the text of a package's tests, at the top of the module or up to two folders below.
func testsOf(t *testing.T, name string) string {
	var all strings.Builder
	for _, dir := range []string{"", "*/", "*/*/"} {
		files, err := filepath.Glob("../../" + dir + name + "/*_test.go")
		require.NoError(t, err)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			all.Write(text)
		}
	}
	return all.String()
}
