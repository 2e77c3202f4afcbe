package socketapi_test

import (
	"log"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
	"tunstack/tun"
)

// A web server on a stack of its own. The README shows this text.
func Example_device() {
	device, err := tun.Open(tun.Config{Name: "tun0", Hosts: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}, Offload: true})
	if err != nil {
		log.Fatal(err)
	}
	stack, err := socketapi.New(socketapi.Config{Interfaces: []socketapi.Interface{{
		Device: device,
		Addrs:  []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	listener, err := stack.Listen("tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, http.FileServer(http.Dir("."))))
}

// The README's program is the one that compiles here.
func TestReadmeExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	block, _, _ := strings.Cut(rest, "```\n")
	source, err := os.ReadFile("example_readme_test.go")
	require.NoError(t, err)
	_, rest, _ = strings.Cut(string(source), "func Example_device() {\n")
	body, _, _ := strings.Cut(rest, "\n}\n")
	require.Equal(t, strings.ReplaceAll("\n"+body+"\n", "\n\t", "\n"), "\n"+block)
}
