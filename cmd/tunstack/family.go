package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"
)

// family is the values of the flags -4 and -6; without any both families are meant.
type family struct{ v4, v6 bool }

// flags adds the flags to a command. The format is their help text, with the name of the family.
func (f *family) flags(cmd *cobra.Command, format string) {
	cmd.Flags().BoolVarP(&f.v4, "ipv4", "4", false, fmt.Sprintf(format, "IPv4"))
	cmd.Flags().BoolVarP(&f.v6, "ipv6", "6", false, fmt.Sprintf(format, "IPv6"))
	cmd.MarkFlagsMutuallyExclusive("ipv4", "ipv6")
}

// has reports whether an address is of the family.
func (f *family) has(a netip.Addr) bool { return f.v4 == f.v6 || f.v4 == a.Unmap().Is4() }

// String is the name of the one family that is meant.
func (f family) String() string {
	if f.v6 {
		return "IPv6"
	}
	return "IPv4"
}

// network is the network of a transport for Dial and Listen.
func (f *family) network(transport string) string {
	switch {
	case f.v4:
		return transport + "4"
	case f.v6:
		return transport + "6"
	}
	return transport
}
