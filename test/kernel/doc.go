// Package kernel tests the stack with Linux as its peer: its sockets on one side of a TUN device, this stack on the other, and
// a bad wire between them. The tests run in a new network namespace.
//
// TUNSTACK_LONG=1 makes the transfers larger.
package kernel
