// Package escape makes foreign text, from a peer or from a file, safe to print on a terminal. A terminal takes control
// characters for commands, and some commands change the text printed before, or the input that the keyboard sends.
package escape

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// String replaces each character of s that does not print, and each byte that is not UTF-8, by its escape in a Go string
// literal, such as \x1b, \n or \u202e.
func String(s string) string { return string(appendEscaped(nil, []byte(s), false)) }

// Lines is String for text of several lines: it keeps tabs and ends of lines.
func Lines(s string) string { return string(appendEscaped(nil, []byte(s), true)) }

func appendEscaped(to, b []byte, lines bool) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			to = fmt.Appendf(to, `\x%02x`, b[0])
		case unicode.IsPrint(r), lines && (r == '\n' || r == '\t'):
			to = append(to, b[:n]...)
		case lines && r == '\r' && bytes.HasPrefix(b[n:], []byte("\n")):
			to = append(to, '\r')
		case r == '\n' || r == '\r' || r == '\t':
			to = append(to, '\\', map[rune]byte{'\n': 'n', '\r': 'r', '\t': 't'}[r])
		case r < 0x100:
			to = fmt.Appendf(to, `\x%02x`, r)
		case r < 0x10000:
			to = fmt.Appendf(to, `\u%04x`, r)
		default:
			to = fmt.Appendf(to, `\U%08x`, r)
		}
		b = b[n:]
	}
	return to
}

// Writer escapes the bytes written to it as Lines does. It holds back an incomplete character at the end, and a carriage
// return, until the next Write or Flush.
type Writer struct {
	w    io.Writer
	kept []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (int, error) {
	all := append(w.kept, b...)
	n := complete(all)
	_, err := w.w.Write(appendEscaped(nil, all[:n], true))
	w.kept = append([]byte(nil), all[n:]...)
	return len(b), err
}

// Flush writes the bytes held back.
func (w *Writer) Flush() error {
	_, err := w.w.Write(appendEscaped(nil, w.kept, true))
	w.kept = nil
	return err
}

// complete is the length of b without an end that the next Write may continue.
func complete(b []byte) int {
	if bytes.HasSuffix(b, []byte("\r")) {
		return len(b) - 1
	}
	for n := len(b) - 1; n >= 0 && n > len(b)-utf8.UTFMax; n-- {
		if utf8.RuneStart(b[n]) {
			if utf8.FullRune(b[n:]) {
				break
			}
			return n
		}
	}
	return len(b)
}
