package tun

import (
	"net/netip"
	"os"
	"testing"

	"tunstack/internal/netns"
)

var hostPrefixes = []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")}

// crashEnv names a driver: a process that has it set opens tun7 with it and waits to be killed.
const crashEnv = "TUN_TEST_CRASH"

func TestMain(m *testing.M) {
	if driver := os.Getenv(crashEnv); driver != "" {
		_, err := Open(Config{Name: "tun7", Driver: driver, Hosts: hostPrefixes})
		os.Stdout.WriteString(errorText(err) + "\n")
		select {}
	}
	netns.Main(m)
}

func errorText(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ready"
}
