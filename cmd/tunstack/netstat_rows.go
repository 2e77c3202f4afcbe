package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"tunstack/socketapi"
)

// socketTable prints the table of ss: all rows share the column of the colon between address and port. It keeps the first rows
// until it knows the widths of the columns, and prints the others at once.
type socketTable struct {
	w            io.Writer
	withProtocol bool
	kept         []socketLine
	width        [8]int
	printing     bool
}

// socketLine is the cells of a row, and the text below it.
type socketLine struct {
	cells [8]string
	below string
}

// tableRows is the number of rows that determine the widths.
const tableRows = 4096

func (t *socketTable) add(s socketapi.SocketInfo) error {
	six := s.Local.Addr().Is6()
	local, localPort := endText(s.Local, six)
	remote, remotePort := endText(s.Remote, six)
	netid := s.Protocol
	if six {
		netid += "6"
	}
	l := socketLine{cells: [8]string{netid, s.State, strconv.Itoa(s.RecvQ), strconv.Itoa(s.SendQ), local, localPort, remote, remotePort}}
	if s.Info != nil {
		l.below = "\t " + infoText(s.Info) + "\n"
	}
	if t.printing {
		return t.print(&l)
	}
	t.kept = append(t.kept, l)
	if len(t.kept) < tableRows {
		return nil
	}
	return t.end()
}

// end prints the rows kept.
func (t *socketTable) end() error {
	if t.printing {
		return nil
	}
	t.printing = true
	head := socketLine{cells: [8]string{"Netid", "State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port"}}
	t.kept = append([]socketLine{head}, t.kept...)
	for i := range t.kept {
		for j, cell := range t.kept[i].cells {
			t.width[j] = max(t.width[j], len(cell))
		}
	}
	for i := range t.kept {
		if err := t.print(&t.kept[i]); err != nil {
			return err
		}
	}
	t.kept = nil
	return nil
}

func (t *socketTable) print(l *socketLine) error {
	c, width := &l.cells, &t.width
	if t.withProtocol {
		if _, err := fmt.Fprintf(t.w, "%-*s ", width[0], c[0]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(t.w, "%-*s %-*s %-*s %*s:%-*s %*s:%s\n%s", width[1], c[1], width[2], c[2], width[3], c[3],
		width[4], c[4], width[5], c[5], width[6], c[6], c[7], l.below)
	return err
}

// jsonRows prints rows as printJSON does, but one by one.
type jsonRows[Row any] struct {
	w     io.Writer
	begun bool
}

func (j *jsonRows[Row]) add(row Row) error {
	separator := "[\n  "
	if j.begun {
		separator = ",\n  "
	}
	j.begun = true
	b := bytes.NewBufferString(separator)
	text, err := json.MarshalIndent(row, "  ", "  ")
	if err != nil {
		return err
	}
	b.Write(text)
	_, err = j.w.Write(b.Bytes())
	return err
}

func (j *jsonRows[Row]) end() error {
	text := "\n]\n"
	if !j.begun {
		text = "[]\n" // an empty table is [], not null
	}
	_, err := io.WriteString(j.w, text)
	return err
}
