// Package knock is the knock-knock dialogue without a connection: its lines, and how each of its two sides answers.
//
//	client: Knock knock
//	server: Who's there?
//	client: Lettuce
//	server: Lettuce who?
//	client: Lettuce in, it's cold out here!
//
// The service and its client speak it over connections, trace/scenario over two machines in virtual time.
package knock

import (
	"strings"
	"unicode"
)

// The two lines of the dialogue that never change.
const (
	knockKnock = "Knock knock"
	whosThere  = "Who's there?"
)

// Turn is a line of the client and the server's answer; the last line has none.
type Turn struct{ Say, Answer string }

// Turns is the dialogue in which the client tells j. After the last turn the server closes.
func (j Joke) Turns() [3]Turn {
	return [...]Turn{{knockKnock, whosThere}, {j.Name, whoOf(j.Name)}, {j.PunchLine, ""}}
}

func whoOf(name string) string { return name + " who?" }

// Server is the server's side of one dialogue. The zero value has heard nothing yet.
type Server struct{ heard int }

// expected is what the Server expects, by the number of right lines that it has heard.
var expected = [...]string{`"` + knockKnock + `"`, "a name", "the punch line"}

// Hear takes a line, without its end, and returns the answer. A wrong line is answered with what the Server expects, and does
// not count. After the punch line over is true: there is no answer, and the server closes.
func (s *Server) Hear(line string) (answer string, over bool) {
	line = strings.TrimSpace(line)
	if line == "" || s.heard == 0 && !Same(line, knockKnock) {
		return "Expected " + expected[s.heard], false
	}
	s.heard++
	switch s.heard {
	case 1:
		return whosThere, false
	case 2:
		return whoOf(line), false
	}
	return "", true
}

// Whole reports whether text without an end of line may be a whole line: no beginning of "Knock knock", and after the first
// line only if that had no end either, as ended says.
func (s *Server) Whole(text string, ended bool) bool {
	if s.heard == 0 {
		return Same(text, knockKnock) || !strings.HasPrefix(letters(knockKnock), letters(text))
	}
	return !ended
}

// Same reports whether two lines have the same letters, whatever their case, spaces and punctuation.
func Same(a, b string) bool { return letters(a) == letters(b) }

// letters returns the letters of text in lower case.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}
