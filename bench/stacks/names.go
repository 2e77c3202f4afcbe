package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"tunstack/socketapi"
)

// Names is a measurement of a stack's resolver.
type Names struct {
	Server netip.AddrPort // knows every name
	Burst  int            // this many different names at once; 0: one name, again and again for Window
	Window time.Duration
}

// resolver is a stack's resolver.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolverOf is the resolver of a stack, asking one server. That of the kernel is Go's, over the kernel's sockets.
func resolverOf(n network, server netip.AddrPort) (resolver, error) {
	switch n := n.(type) {
	case *socketapi.Stack:
		n.SetNameServers(socketapi.NameServers{Source: socketapi.NamesConfig, Servers: []netip.AddrPort{server}})
		return n.Resolver(), nil
	case sockets:
		return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.String())
		}}, nil
	}
	return nil, errors.New("the stack has no resolver")
}

// measureNames runs in the process under test. The result, or the error, is a line.
func measureNames(n network, line string) string {
	var spec Names
	result := map[string]float64{}
	err := json.Unmarshal([]byte(line), &spec)
	var r resolver
	if err == nil {
		r, err = resolverOf(n, spec.Server)
	}
	switch {
	case err != nil:
	case spec.Burst > 0:
		err = burst(r, spec.Burst, result)
	default:
		err = again(r, spec.Window, result)
	}
	if err != nil {
		return fmt.Sprintf("%q", err.Error())
	}
	b, _ := json.Marshal(result) // numbers always marshal
	return string(b)
}

// again looks one name up again and again. The metrics are lookups per second, allocations per lookup, and the bytes that stay in memory
// for each.
func again(r resolver, window time.Duration, result map[string]float64) error {
	look := func() error {
		_, err := r.LookupNetIP(context.Background(), "ip", "host.bench.")
		return err
	}
	if err := look(); err != nil {
		return err
	}
	before := memory()
	begin, lookups := time.Now(), 0
	for time.Since(begin) < window {
		for range 100 {
			if err := look(); err != nil {
				return err
			}
		}
		lookups += 100
	}
	seconds := time.Since(begin).Seconds()
	after := memory()
	result["rate"] = float64(lookups) / seconds
	result["allocs"] = float64(after.Mallocs-before.Mallocs) / float64(lookups)
	result["bytes"] = max(0, float64(after.HeapAlloc)-float64(before.HeapAlloc)) / float64(lookups)
	return nil
}

// memory is the state of the heap without garbage.
func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

// bursts counts the bursts, so that no name is in the cache.
var bursts int

// burst looks different names up, all at once. The metric is the time that it takes.
func burst(r resolver, names int, result map[string]float64) error {
	bursts++
	errs := make([]error, names)
	var running sync.WaitGroup
	begin := time.Now()
	for i := range names {
		running.Go(func() {
			_, errs[i] = r.LookupNetIP(context.Background(), "ip4", fmt.Sprintf("h%d.b%d.bench.", i, bursts))
		})
	}
	running.Wait()
	result["seconds"] = time.Since(begin).Seconds()
	return errors.Join(errs...)
}

// Names makes the stack look names up, and returns the metrics.
func (s *Server) Names(spec Names) (map[string]float64, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(s.in, namesCommand+string(b)+"\n"); err != nil {
		return nil, err
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	result := map[string]float64{}
	if json.Unmarshal(line, &result) == nil {
		return result, nil
	}
	var text string
	if err := json.Unmarshal(line, &text); err != nil {
		return nil, err
	}
	return nil, errors.New(text)
}
