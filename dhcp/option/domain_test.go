package option

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDomain(t *testing.T) { // DHCP-016, DHCP6-015
	label := strings.Repeat("a", 63)
	for name, want := range map[string]string{
		"example.org": "example.org", "Example.ORG.": "Example.ORG", "box": "box", "a-b_c.1": "a-b_c.1", "org\x00": "org",
		"": "", ".": "", ".org": "", "a..b": "", "a b": "", "a\nb": "", "a\x1b[2J": "", "ä": "", label: label, label + "a": "",
		strings.Repeat(label+".", 3) + strings.Repeat("a", 61): strings.Repeat(label+".", 3) + strings.Repeat("a", 61),
		strings.Repeat(label+".", 3) + strings.Repeat("a", 62): "",
	} {
		require.Equal(t, want, Domain(name), "%q", name)
	}
	require.Equal(t, []string{"a", "b"}, Domains([]string{"a", "?", "b", "c"}, 2))
}
