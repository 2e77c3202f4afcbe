package main

import (
	"cmp"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"tunstack/internal/escape"
	"tunstack/trace"
)

// columns is the width of the terminal f; 0: f is not a terminal.
func columns(f any) int {
	width, _ := terminalSize(f)
	return width
}

// terminalSize is the size of the terminal f; 0, 0: f is not a terminal.
func terminalSize(f any) (columns, rows int) {
	file, ok := f.(*os.File)
	if !ok {
		return 0, 0
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return cmp.Or(int(size.Col), 80), cmp.Or(int(size.Row), 24)
}

// forText returns the writer for a peer's text: it removes control characters if w is a terminal, and writes the bytes
// unchanged otherwise. flush must be called at the end.
func forText(w io.Writer) (text io.Writer, flush func() error) {
	if columns(w) == 0 {
		return w, func() error { return nil }
	}
	out := escape.NewWriter(w)
	return out, out.Flush
}

// styleFor is the style of ladders on w: plain ASCII for anything but a terminal, which may not support more.
func styleFor(w io.Writer) trace.Style {
	width := columns(w)
	if width == 0 {
		return trace.Style{}
	}
	locale := strings.ToUpper(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")))
	return trace.Style{
		Unicode: strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8"),
		Colour:  os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Width:   width,
	}
}
