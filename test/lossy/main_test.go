package lossy

import (
	"flag"
	"testing"

	"tunstack/internal/netns"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "64") // transfers mostly wait
	netns.Main(m)
}
