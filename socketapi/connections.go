package socketapi

import "tunstack/tcp/demux"

// ConnectionInfo is one row of Connections.
type ConnectionInfo = demux.Connection

// Connections lists what each TCP connection knows of itself, those without an owner among them.
func (s *Stack) Connections() []ConnectionInfo { return s.tcp.Connections() }
