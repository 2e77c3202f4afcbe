package main

import (
	"log/slog"
	"net"

	"tunstack/cmd/internal/control"
	"tunstack/cmd/internal/sockets"
)

// lendSockets lets `tunstack run` use the stack's sockets.
func (n *node) lendSockets(server *control.Server, log *slog.Logger) error {
	lender, err := sockets.NewServer(n.stack)
	if err != nil {
		return err
	}
	n.onClose(func() error { lender.Close(); return nil })
	server.Stream("sockets", func(c net.Conn) {
		if err := lender.Serve(c.(*net.UnixConn)); err != nil {
			log.Warn("lending sockets failed", "error", err)
		}
	})
	return nil
}
