package lossy

import (
	"flag"
	"testing"

	"tunstack/internal/netns"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "200") // transfers mostly wait
	netns.Main(m)
}
