// Package run makes the socket calls of an unmodified program use a stack. A Supervisor answers the program's calls that control sockets, by
// seccomp user notification (package notify), with the sockets that a running stack lends (package sockets). Reads, writes and polls are not
// trapped: each of the program's sockets is one end of an AF_UNIX pair, whose other end the stack has.
package run
