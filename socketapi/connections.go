package socketapi

import tcpsocket "tunstack/tcp/socket"

// ConnectionInfo is one row of Connections.
type ConnectionInfo = tcpsocket.Connection

// Connections lists what each TCP connection knows of itself, those without an owner among them.
func (s *Stack) Connections() []ConnectionInfo { return s.tcp.Connections() }
