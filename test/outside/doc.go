// Package outside has the tests of the module as another module sees it: without its internal packages.
package outside
