package layers

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// light are the modules that a program gets by importing socketapi.
var light = []string{
	"github.com/gaissmai/bart", "github.com/songgao/water", "github.com/vishvananda/netlink", "github.com/vishvananda/netns",
	"golang.org/x/net", "golang.org/x/sys", "tunstack",
}

// A program that embeds a stack gets crypto/tls only if it uses DNS over TLS.
func TestEmbedderHasNoTLS(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./socketapi")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	for _, heavy := range []string{"crypto/tls", "crypto/x509", "net/http"} {
		require.NotContains(t, strings.Fields(string(out)), heavy)
	}
}

// A program that embeds a stack gets no module of the tools and of the services.
func TestEmbedderIsLight(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./socketapi")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	for _, m := range slices.Compact(modules) {
		require.Contains(t, light, m, "socketapi imports a module for tools and services")
	}
}
