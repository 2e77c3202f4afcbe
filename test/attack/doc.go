// Package attack runs attacks as load on a real device, beside a legitimate client, the kernel, and checks that the client is
// served. The same attacks in virtual time, with their costs counted in operations, are beside the code and in test/hostile.
// The tests run in a new network namespace.
package attack
