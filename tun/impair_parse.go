package tun

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseImpairment parses an impairment in the style of tc-netem, NAME=VALUE separated by commas:
//
//	loss=1%,delay=20ms,jitter=5ms,reorder=10%,duplicate=1%,corrupt=0.1%,rate=100mbit,limit=256k,seed=7
//
// They apply to both directions, with the prefix "in." or "out." to one. burst=1%/30% turns the path bad before 1 % of the packets and
// good again before 30 %; a third number is the share of packets lost while it is bad, 100 % if absent. Shares are in percent or from 0
// to 1, times as time.ParseDuration takes them, rates in bit, kbit, mbit or gbit per second, limits in bytes, k or m.
func ParseImpairment(words string) (Impairment, error) {
	var cfg Impairment
	for word := range strings.SplitSeq(words, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(word), "=")
		if !ok {
			return Impairment{}, fmt.Errorf("impairment %q is not a name=value", word)
		}
		switch err := cfg.set(name, value); {
		case err == errUnknown:
			return Impairment{}, fmt.Errorf("unknown impairment %s; valid: %s", name, impairments)
		case err != nil:
			return Impairment{}, fmt.Errorf("impairment %s: %w", word, err)
		}
	}
	for _, p := range [...]Path{cfg.In, cfg.Out} {
		if p.Reorder > 0 && p.Delay+p.Jitter == 0 {
			return Impairment{}, fmt.Errorf("impairment %s: reorder needs delay or jitter", words)
		}
	}
	return cfg, nil
}

const impairments = "loss, burst, duplicate, corrupt, delay, jitter, reorder, rate, limit, seed"

var errUnknown = errors.New("unknown impairment")

func (cfg *Impairment) set(name, value string) (err error) {
	if name == "seed" {
		cfg.Seed, err = strconv.ParseUint(value, 10, 64)
		return err
	}
	paths := []*Path{&cfg.In, &cfg.Out}
	if rest, ok := strings.CutPrefix(name, "in."); ok {
		name, paths = rest, paths[:1]
	} else if rest, ok := strings.CutPrefix(name, "out."); ok {
		name, paths = rest, paths[1:]
	}
	for _, p := range paths {
		if err := p.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (p *Path) set(name, value string) (err error) {
	switch name {
	case "loss":
		p.Loss, err = parseShare(value)
	case "burst":
		p.Burst, err = parseBurst(value)
	case "duplicate":
		p.Duplicate, err = parseShare(value)
	case "corrupt":
		p.Corrupt, err = parseShare(value)
	case "reorder":
		p.Reorder, err = parseShare(value)
	case "delay":
		p.Delay, err = parseDelay(value)
	case "jitter":
		p.Jitter, err = parseDelay(value)
	case "rate":
		p.Rate, err = parseRate(value)
	case "limit":
		p.Limit, err = parseLimit(value)
	default:
		err = errUnknown
	}
	return err
}

// parseShare parses "1%" or "0.01".
func parseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) { // NaN fails both
		return 0, fmt.Errorf("%q is not a share from 0%% to 100%%", s)
	}
	return share, nil
}

// parseBurst parses "ENTER/LEAVE" or "ENTER/LEAVE/LOSS".
func parseBurst(s string) (Burst, error) {
	shares := [3]float64{2: 1}
	parts := strings.Split(s, "/")
	if len(parts) != 2 && len(parts) != 3 {
		return Burst{}, fmt.Errorf("%q is not ENTER/LEAVE or ENTER/LEAVE/LOSS", s)
	}
	for i, part := range parts {
		var err error
		if shares[i], err = parseShare(part); err != nil {
			return Burst{}, err
		}
	}
	return Burst{Enter: shares[0], Leave: shares[1], Loss: shares[2]}, nil
}

// maxDelay bounds Delay and Jitter, so that their sum with the time does not overflow.
const maxDelay = time.Hour

func parseDelay(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err == nil && (d < 0 || d > maxDelay) {
		err = fmt.Errorf("%v is not from 0 to %v", d, maxDelay)
	}
	return d, err
}

// parseRate parses "100mbit"; the units are decimal, as tc's are.
func parseRate(s string) (int64, error) {
	n, err := parseUnits(s, map[string]float64{"bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}, 1e12)
	return int64(n), err
}

// parseLimit parses "256k"; the units are binary, as tc's are.
func parseLimit(s string) (int, error) {
	n, err := parseUnits(s, map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20}, maxTransit)
	return int(n), err
}

// parseUnits parses a positive number with one of the units, of at most most.
func parseUnits(s string, units map[string]float64, most float64) (float64, error) {
	end := strings.LastIndexAny(s, "0123456789.") + 1
	unit, known := units[s[end:]]
	n, err := strconv.ParseFloat(s[:end], 64)
	n = math.Floor(n * unit)
	if !known || err != nil || !(n >= 1 && n <= most) {
		return 0, fmt.Errorf("%q is not a positive number with a unit, or is too large", s)
	}
	return n, nil
}
