// Package lossy compares the times of transfers over one bad wire: from the kernel to the stack, from the stack to the kernel,
// and between two kernels. The wire is a relay in this process, which loses, reorders and duplicates in both directions. Each
// kernel is a new network namespace per transfer, so that it remembers nothing from an earlier one.
//
// An ordinary run makes small transfers and compares the received bytes. TUNSTACK_LONG=1 makes the transfers of the table in
// docs/goodput.md, which take some minutes, and requires the stack to be about as fast as the kernel; with -update it writes
// testdata/table.md, that part of the page.
package lossy
