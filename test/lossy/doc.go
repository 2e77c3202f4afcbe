// Package lossy compares how long transfers take over one bad wire: from the kernel to the stack, from the stack to the kernel, and
// between two kernels. The wire is a relay in this process, which loses, reorders and repeats in both directions. Each kernel is a
// network namespace of its own, made for one transfer, so that nothing is remembered from one to the next.
//
// An ordinary run makes small transfers and looks at the bytes that arrive. TUNSTACK_LONG=1 makes those of the table in
// docs/goodput.md, which take some minutes, and holds the stack to the kernel's times; with -update it writes testdata/table.md, from which the page
// takes the table.
package lossy
