package services

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServicesLeaveTheHeaderAlone(t *testing.T) { // TCP-066, TCP-111: neither urgent data nor a changing DS field
	for _, dir := range []string{".", "../cmd/tunstack"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, name := range files {
			if name == "requirements_test.go" {
				continue
			}
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for _, word := range []string{"MSG_OOB", "WriteUrgent", "IP_TOS", "SetIP("} {
				require.NotContains(t, string(text), word, name)
			}
		}
	}
}
