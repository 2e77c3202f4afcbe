// Package hostile holds the tests in which the whole stack meets those who wish it ill, and the fuzz target that feeds it
// raw packets. All run in virtual time on an injected link. docs/security.md says what they show.
package hostile
