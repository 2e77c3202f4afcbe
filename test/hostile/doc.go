// Package hostile tests the whole stack under attack, and fuzzes it with raw packets. All tests run in virtual time on an
// injected link. docs/security.md lists what they show.
package hostile
