package main

import (
	"context"
	"net"
	"os/exec"

	"tunstack/cmd/internal/control"
	supervisor "tunstack/cmd/internal/run"
	"tunstack/socketapi"
)

// runProgram runs a program whose sockets are those of a stack, and ends with its status.
func (a *app) runProgram(ctx context.Context, args []string, f *runFlags) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	client := a.client()
	if len(f.stack) > 0 {
		own, err := startOwn(f.stack, a.err)
		if err != nil {
			return err
		}
		defer own.stop()
		client = &control.Client{Path: own.control}
	}
	cfg, err := runConfig(ctx, client)
	if err != nil {
		return err
	}
	cfg.Filter.FastOptions = f.fast
	conn, err := client.Stream(ctx, "sockets")
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Args[0] = args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	return exit(supervisor.Run(cmd, conn.(*net.UnixConn), cfg))
}

// runConfig reads the stack's interfaces and routes.
func runConfig(ctx context.Context, client *control.Client) (cfg supervisor.Config, err error) {
	var interfaces []socketapi.InterfaceInfo
	if err := client.Get(ctx, "interfaces", &interfaces); err != nil {
		return cfg, err
	}
	var routes []socketapi.Route
	if err := client.Get(ctx, "routes", &routes); err != nil {
		return cfg, err
	}
	index := map[string]int{} // as IfNameToIndex's
	for n, i := range interfaces {
		row := supervisor.Interface{Index: n + 1, Name: i.Name, MTU: i.MTU, Loopback: i.Loopback}
		for _, address := range i.Addresses {
			row.Addresses = append(row.Addresses, address.Prefix)
		}
		index[i.Name] = n + 1
		cfg.Interfaces = append(cfg.Interfaces, row)
	}
	for _, r := range routes {
		cfg.Routes = append(cfg.Routes, supervisor.Route{
			Prefix: r.Prefix, Gateway: r.Gateway, Interface: index[r.Interface], Source: r.Source, Metric: r.Metric,
		})
	}
	return cfg, nil
}
