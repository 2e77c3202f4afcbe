package services

import (
	"fmt"
	"io"
	"net"
	"strings"
	"unicode"

	"tunstack/internal/escape"
)

// The two lines of the dialogue that never change.
const (
	knockKnock = "Knock knock"
	whosThere  = "Who's there?"
)

// knock listens to a joke, and then closes:
//
//	client: Knock knock
//	server: Who's there?
//	client: Lettuce
//	server: Lettuce who?
//	client: Lettuce in, it's cold out here!
//
// It answers a wrong line with what it expected, and the client may try again.
func knock(c net.Conn) {
	l := &lines{c: c}
	sameEnd := func(string) bool { return l.end == "" } // who ended the first line ends them all
	_, err := expect(l, `"`+knockKnock+`"`, isKnock, func(text string) bool { return !startsKnock(text) })
	if err != nil || l.say(whosThere) != nil {
		return
	}
	name, err := expect(l, "a name", isText, sameEnd)
	if err != nil || l.say(name+" who?") != nil {
		return
	}
	expect(l, "the punch line", isText, sameEnd)
}

// expect returns the first line that is right, and says to each other one what it should have been.
func expect(l *lines, what string, right, whole func(string) bool) (string, error) {
	for {
		text, err := l.next(whole)
		if err != nil {
			return "", err
		}
		if text = strings.TrimSpace(text); right(text) {
			return text, nil
		}
		if err := l.say("Expected " + what); err != nil {
			return "", err
		}
	}
}

// isKnock takes "Knock knock" in any spelling: "knock, knock!".
func isKnock(text string) bool { return letters(text) == letters(knockKnock) }

// startsKnock says whether text may yet become "Knock knock".
func startsKnock(text string) bool {
	return !isKnock(text) && strings.HasPrefix(letters(knockKnock), letters(text))
}

func isText(text string) bool { return text != "" }

// letters is what remains of text without case, blanks and punctuation.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

// Knock tells joke to the knock-knock server at the other end of c, and prints the dialogue to out. An answer that is not
// the right one is an error.
func Knock(c net.Conn, joke Joke, out io.Writer) error {
	l := &lines{c: c}
	turns := []struct{ say, answer string }{
		{knockKnock, whosThere},
		{joke.Name, joke.Name + " who?"},
	}
	for _, turn := range turns {
		answer, err := ask(l, turn.say, out)
		if err != nil {
			return err
		}
		if letters(answer) != letters(turn.answer) {
			return fmt.Errorf("the server said %q where %q was expected", answer, turn.answer)
		}
	}
	_, err := ask(l, joke.PunchLine, out)
	if err == io.ErrUnexpectedEOF {
		return nil // the server closes
	}
	return err
}

// ask says a line and returns the answer; io.ErrUnexpectedEOF is the server's having closed instead.
func ask(l *lines, text string, out io.Writer) (string, error) {
	fmt.Fprintln(out, "client:", text)
	l.end = "\n"
	if err := l.say(text); err != nil {
		return "", err
	}
	answer, err := l.next(anyText)
	if err == io.EOF {
		return "", io.ErrUnexpectedEOF
	}
	if err == nil {
		fmt.Fprintln(out, "server:", escape.String(answer))
	}
	return answer, err
}
