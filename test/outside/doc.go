// Package outside tests the module as seen by another module: without its internal packages.
package outside
