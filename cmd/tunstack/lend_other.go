//go:build !linux

package main

import (
	"log/slog"

	"tunstack/cmd/internal/control"
)

// lendSockets does nothing: `tunstack run` needs Linux.
func (n *node) lendSockets(*control.Server, *slog.Logger) error { return nil }
