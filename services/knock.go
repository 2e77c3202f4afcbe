package services

import (
	"fmt"
	"io"
	"net"

	"tunstack/internal/escape"
	"tunstack/tcp/sim/knock"
)

// knockKnock listens to a joke and closes. It answers a wrong line with the expected one, and the client may try again.
func knockKnock(c net.Conn) {
	l := &lines{c: c}
	var server knock.Server
	for {
		text, err := l.next(func(text string) bool { return server.Whole(text, l.end != "") })
		if err != nil {
			return
		}
		answer, over := server.Hear(text)
		if over || l.say(answer) != nil {
			return
		}
	}
}

// Knock tells joke to the knock-knock server behind c, and prints the dialogue to out. A wrong answer is an error.
func Knock(c net.Conn, joke knock.Joke, out io.Writer) error {
	l := &lines{c: c}
	for _, turn := range joke.Turns() {
		answer, err := ask(l, turn.Say, out)
		switch {
		case err == io.ErrUnexpectedEOF && turn.Answer == "":
			return nil // the server closes
		case err != nil:
			return err
		case turn.Answer != "" && !knock.Same(answer, turn.Answer):
			return fmt.Errorf("the server said %q instead of %q", answer, turn.Answer)
		}
	}
	return nil
}

// ask sends a line and returns the answer, or io.ErrUnexpectedEOF if the server closes instead.
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
