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
	pause   = 500 * time.Millisecond // silence that ends a line without an end
)

var errLongLine = errors.New("the line is too long")

// lines reads and writes lines with the line end that the peer uses. A line ends with LF, with CR LF as telnet sends it, or
// with the stream. Simple programs send text without any end, send(b"knock knock"), and wait: their text counts as a line if
// nothing follows it during a pause.
type lines struct {
	c   net.Conn
	buf []byte // received and not yet returned
	end string // how the peer's last line ended: "\r\n", "\n" or ""

	open bool // the last line was taken at a pause, and its end may still arrive
}

// next returns the next line without its end. whole reports whether text without an end may be a complete line; next waits for
// more if it is not. The error is io.EOF when the peer has sent everything.
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

// cut removes a line with an end from the buffer.
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

// fill waits for more text. If ready, the buffered text may be a complete line, and fill waits only for a pause.
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
		return nil // the next Read returns the error again
	}
	return err
}

// say sends text as a line with the peer's line end.
func (l *lines) say(text string) error {
	_, err := io.WriteString(l.c, text+l.end)
	return err
}

// anyText accepts all text without an end as a line.
func anyText(string) bool { return true }
