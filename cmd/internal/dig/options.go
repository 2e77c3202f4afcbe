package dig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// options are the values of the words that begin with a plus sign.
type options struct {
	sections
	cmd, stats, showQuery, short, identify, trace bool

	tcp, ignore, recurse, ad, aa, cd, dnssec, nsid, cookie bool
	edns                                                   int // version; -1: none
	bufsize                                                uint16
	timeout                                                time.Duration
	tries                                                  int
}

// defaults are those of dig.
func defaults() options {
	return options{
		sections: sections{comments: true, question: true, answer: true, authority: true, additional: true},
		cmd:      true, stats: true, recurse: true, ad: true, cookie: true, bufsize: bufsize, timeout: 5 * time.Second, tries: 3,
	}
}

// bufsize is the size of answers over UDP that dig asks for; it avoids fragments.
const bufsize = 1232

// flags are the options that are on or, with "no" before the name, off. Some have several names.
func (o *options) flags() map[string]*bool {
	return map[string]*bool{
		"comments": &o.comments, "question": &o.question, "answer": &o.answer, "authority": &o.authority, "additional": &o.additional,
		"cmd": &o.cmd, "stats": &o.stats, "qr": &o.showQuery, "short": &o.short, "identify": &o.identify, "trace": &o.trace,
		"tcp": &o.tcp, "vc": &o.tcp, "ignore": &o.ignore, "recurse": &o.recurse, "rdflag": &o.recurse,
		"adflag": &o.ad, "ad": &o.ad, "aaflag": &o.aa, "aaonly": &o.aa, "aa": &o.aa, "cdflag": &o.cd, "cd": &o.cd,
		"dnssec": &o.dnssec, "do": &o.dnssec, "nsid": &o.nsid, "cookie": &o.cookie,
	}
}

// reversed are the flags that are stored as their opposite.
func (o *options) reversed() map[string]*bool {
	return map[string]*bool{"ttlid": &o.noTTL, "class": &o.noClass}
}

// values are the options with a number, and what "no" and no number mean.
func (o *options) values() map[string]func(text string, on bool) error {
	return map[string]func(string, bool) error{
		"edns": func(text string, on bool) (err error) {
			if o.edns = -1; on {
				o.edns, err = number(text, "0", 0, 255)
			}
			return err
		},
		"bufsize": func(text string, _ bool) error {
			n, err := number(text, strconv.Itoa(bufsize), 0, dns.MaxMsgSize)
			o.bufsize = uint16(n)
			return err
		},
		"timeout": func(text string, _ bool) error {
			n, err := number(text, "5", 1, 1<<16-1)
			o.timeout = time.Duration(n) * time.Second
			return err
		},
		"tries": func(text string, _ bool) (err error) {
			o.tries, err = number(text, "3", 1, 255)
			return err
		},
		"retry": func(text string, _ bool) error {
			n, err := number(text, "2", 0, 254)
			o.tries = n + 1
			return err
		},
	}
}

func number(text, none string, least, most int) (int, error) {
	if text == "" {
		text = none
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("it must be from %d to %d", least, most)
	}
	return n, nil
}

// set applies an option: NAME, noNAME or NAME=VALUE. A name may be shortened to any beginning that only one has.
func (o *options) set(option string) error {
	word, text, given := strings.Cut(option, "=")
	word = strings.ToLower(word)
	if word == "all" || word == "noall" {
		o.all(word == "all")
		return nil
	}
	bare, no := strings.CutPrefix(word, "no")
	name, err := o.named(bare)
	if err != nil {
		return fmt.Errorf("+%s: %w", option, err)
	}
	on := !no
	if value, ok := o.values()[name]; ok {
		if err := value(text, on); err != nil {
			return fmt.Errorf("+%s: %w", option, err)
		}
		return nil
	}
	if given {
		return fmt.Errorf("+%s: it has no value", option)
	}
	if flag, ok := o.flags()[name]; ok {
		*flag = on
	} else {
		*o.reversed()[name] = !on
	}
	o.imply(name, on)
	return nil
}

// imply applies what some options mean for others.
func (o *options) imply(name string, on bool) {
	switch {
	case name == "short" && on:
		o.cmd, o.stats, o.sections = false, false, sections{answer: true, showing: o.showing}
	case name == "trace" && on: // only the records of the way, with signatures
		o.comments, o.question, o.additional, o.stats, o.dnssec = false, false, false, false, true
	}
}

// all shows or hides everything.
func (o *options) all(on bool) {
	o.comments, o.question, o.answer, o.authority, o.additional, o.cmd, o.stats = on, on, on, on, on, on, on
}

// named finds the option that a word stands for.
func (o *options) named(word string) (string, error) {
	var all []string
	for name := range o.flags() {
		all = append(all, name)
	}
	for name := range o.reversed() {
		all = append(all, name)
	}
	for name := range o.values() {
		all = append(all, name)
	}
	if slices.Contains(all, word) {
		return word, nil
	}
	all = slices.DeleteFunc(all, func(name string) bool { return word == "" || !strings.HasPrefix(name, word) })
	switch slices.Sort(all); len(all) {
	case 0:
		return "", fmt.Errorf("no such option; tunstack dig --help lists them")
	case 1:
		return all[0], nil
	}
	return "", fmt.Errorf("it may mean %s", strings.Join(all, ", "))
}
