package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// seconds is a flag value in the format of ping and nc: "0.5".
type seconds time.Duration

// Set implements pflag.Value.
func (s *seconds) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > math.MaxInt32 {
		return fmt.Errorf("%q is not a number of seconds", text)
	}
	*s = seconds(v * float64(time.Second))
	return nil
}

// String implements pflag.Value.
func (s *seconds) String() string {
	return strconv.FormatFloat(time.Duration(*s).Seconds(), 'g', -1, 64)
}

// Type implements pflag.Value.
func (s *seconds) Type() string { return "seconds" }
