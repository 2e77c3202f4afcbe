package services

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const (
	maxLine = 4096                   // bytes in a line, its end included
	pause   = 500 * time.Millisecond // of silence that ends a line without an end
)

var errLongLine = errors.New("the line is too long")

// lines reads and writes lines the way the other side does. A line ends with LF, with CR LF as telnet sends it, or with
// the stream. Simple programs send text without any end, send(b"knock knock"), and wait: their text counts as
// a line when nothing follows it for a pause.
type lines struct {
	c   net.Conn
	buf []byte // received and not yet returned
	end string // how the peer's last line ended: "\r\n", "\n" or ""

	open bool // the last line was taken at a pause, and its end may still come
}

// next returns the next line without its end. whole says of text without an end whether it may be a line at all; text of
// which it says no waits for more. The error is io.EOF when the peer has said all.
func (l *lines) next(whole func(text string) bool) (string, error) {
	for {
		if text, ok := l.cut(); ok {
			return text, nil
		}
		if len(l.buf) >= maxLine {
			return "", errLongLine
		}
		ready := len(l.buf) > 0 && whole(string(l.buf))
		err := l.fill(ready)
		if len(l.buf) > 0 && (err == io.EOF || ready && errors.Is(err, os.ErrDeadlineExceeded)) {
			text := string(l.buf)
			l.buf, l.end, l.open = nil, "", true
			return strings.TrimRight(text, "\r"), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// cut takes a line with an end from the buffer.
func (l *lines) cut() (string, bool) {
	i := bytes.IndexByte(l.buf, '\n')
	if i < 0 {
		return "", false
	}
	line := string(l.buf[:i])
	l.buf = l.buf[i+1:]
	text, cr := strings.CutSuffix(line, "\r")
	l.end = "\n"
	if cr {
		l.end = "\r\n"
	}
	if l.open && text == "" {
		l.open = false
		return l.cut()
	}
	l.open = false
	return text, true
}

// fill waits for more text, if what is there may be a line already only for a pause.
func (l *lines) fill(ready bool) error {
	var deadline time.Time
	if ready {
		deadline = time.Now().Add(pause)
	}
	l.c.SetReadDeadline(deadline)
	var b [512]byte
	n, err := l.c.Read(b[:min(len(b), maxLine-len(l.buf))])
	l.buf = append(l.buf, b[:n]...)
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// say sends text as a line that ends as the peer's lines do.
func (l *lines) say(text string) error {
	_, err := io.WriteString(l.c, text+l.end)
	return err
}

// anyText takes all text without an end as a line.
func anyText(string) bool { return true }
