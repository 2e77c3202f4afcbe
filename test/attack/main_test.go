package attack

import (
	"testing"

	"tunstack/internal/netns"
)

func TestMain(m *testing.M) { netns.Main(m) }
