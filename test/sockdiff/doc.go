// Package sockdiff compares the stack's sockets with the kernel's. Its test makes random sequences of socket calls, runs each on the
// kernel in a network namespace and on a stack, over the loopback of either, and compares what every call returns. What differs is
// shrunk to the shortest script that still does. The differences that are meant are listed, with the reason for each, in
// accepted.tsv.
//
//	go test ./test/sockdiff -scripts 100000 -seed 7
package sockdiff
