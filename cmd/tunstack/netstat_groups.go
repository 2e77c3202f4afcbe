package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"tunstack/socketapi"
)

// groupRow is a multicast group of an interface.
type groupRow struct {
	Interface string `json:"interface"`
	socketapi.GroupInfo
}

// groups prints the multicast groups of the interfaces.
func (a *app) groups(ctx context.Context, f *netstatFlags, out io.Writer) error {
	var interfaces []socketapi.InterfaceInfo
	if err := a.client().Get(ctx, "interfaces", &interfaces); err != nil {
		return err
	}
	var rows []groupRow
	for _, i := range interfaces {
		for _, g := range i.Groups {
			if f.family.has(g.Group) {
				rows = append(rows, groupRow{i.Name, g})
			}
		}
	}
	if f.json {
		return printJSON(out, rows)
	}
	printGroups(out, rows)
	return nil
}

// printGroups prints groups as `netstat -gn` does, with the sources in addition.
func printGroups(w io.Writer, rows []groupRow) {
	fmt.Fprintf(w, "%-15s %-6s %-23s %s\n", "Interface", "RefCnt", "Group", "Sources")
	for _, r := range rows {
		fmt.Fprintf(w, "%-15s %-6d %-23s %s\n", r.Interface, r.Members, r.Group, sourcesText(r.Exclude, r.Sources))
	}
}

// sourcesText says which sources a group is received from.
func sourcesText(exclude bool, sources []netip.Addr) string {
	var list []string
	for _, a := range sources {
		list = append(list, a.String())
	}
	switch text := strings.Join(list, ","); {
	case exclude && text == "":
		return "all"
	case exclude:
		return "all but " + text
	case text == "":
		return "none"
	default:
		return text
	}
}
