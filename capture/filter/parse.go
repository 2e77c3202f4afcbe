package filter

import (
	"errors"
	"fmt"
	"regexp"
)

// parser parses an expression from left to right.
type parser struct {
	tokens []string
	at     int
	last   qualifiers // of the last identifier, for an identifier without qualifiers
}

// token matches MAC and IPv6 addresses, words and numbers, and operators.
var token = regexp.MustCompile(`^(?:(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b|[0-9a-fA-F]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%[-_.A-Za-z0-9]*)?` +
	`|[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?|&&|\|\||!=|>=|<=|==|<<|>>|[-!=<>&|+*/()\[\]:])`)

// Bounds of an expression, which may come from a client of the control socket.
const (
	maxTokens = 1000
	maxDepth  = 100
)

var errTooLong = errors.New("the expression is too long")

func (p *parser) lex(text string) error {
	for {
		for text != "" && (text[0] == ' ' || text[0] == '\t' || text[0] == '\n' || text[0] == '\\') {
			text = text[1:]
		}
		if text == "" {
			return nil
		}
		t := token.FindString(text)
		if t == "" {
			return fmt.Errorf("syntax error near %q", text)
		}
		if p.tokens = append(p.tokens, t); len(p.tokens) > maxTokens {
			return errTooLong
		}
		text = text[len(t):]
	}
}

// token returns the next token; "" at the end.
func (p *parser) token() string { return p.ahead(0) }

// ahead returns the token n after the next.
func (p *parser) ahead(n int) string {
	if p.at+n < len(p.tokens) {
		return p.tokens[p.at+n]
	}
	return ""
}

// take skips the next token if it is one of those.
func (p *parser) take(any ...string) bool {
	for _, t := range any {
		if t == p.token() {
			p.at++
			return true
		}
	}
	return false
}

// unexpected returns the error about the next token.
func (p *parser) unexpected() error {
	if p.token() == "" {
		return errors.New("syntax error: unexpected end of the expression")
	}
	return fmt.Errorf("syntax error: unexpected %q", p.token())
}

// expression parses terms with "and" and "or" between them, which have the same precedence.
func (p *parser) expression(depth int) (predicate, error) {
	left, err := p.term(depth)
	for err == nil {
		var right predicate
		a := left
		switch {
		case p.take("and", "&&"):
			right, err = p.term(depth)
			left = func(v *view) bool { return a(v) && !v.short && right(v) }
		case p.take("or", "||"):
			right, err = p.term(depth)
			left = func(v *view) bool { return a(v) || !v.short && right(v) }
		default:
			return left, nil
		}
	}
	return nil, err
}

// term parses an operand of "and" and "or": a term after "not", an expression in parentheses, a comparison or a primitive.
func (p *parser) term(depth int) (predicate, error) {
	if depth > maxDepth {
		return nil, errTooLong
	}
	if p.take("not", "!") {
		a, err := p.term(depth + 1)
		return func(v *view) bool { return !a(v) }, err
	}
	start := p.at
	if p.arithmetic() {
		certain := p.ahead(1) == "[" || p.token() == "len"
		if a, err := p.comparison(); err == nil || certain {
			return a, err
		}
		p.at = start
	}
	if p.token() == "(" {
		return p.group(depth)
	}
	return p.primitive(depth)
}

// group parses an expression in parentheses.
func (p *parser) group(depth int) (predicate, error) {
	p.at++
	a, err := p.expression(depth + 1)
	if err == nil && !p.take(")") {
		err = p.unexpected()
	}
	return a, err
}
