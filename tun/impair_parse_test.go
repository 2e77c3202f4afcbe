package tun

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseImpairment(t *testing.T) {
	lossy := Path{Loss: 0.01}
	for words, want := range map[string]Impairment{
		"loss=1%":                     {In: lossy, Out: lossy},
		"in.loss=0.01":                {In: lossy},
		"out.loss=1%, seed=7":         {Out: lossy, Seed: 7},
		"loss=100%,in.loss=0":         {Out: Path{Loss: 1}},
		"in.burst=1%/25%":             {In: Path{Burst: Burst{0.01, 0.25, 1}}},
		"in.burst=0.5/1/50%":          {In: Path{Burst: Burst{0.5, 1, 0.5}}},
		"in.rate=100mbit":             {In: Path{Rate: 100e6}},
		"in.rate=1.5kbit":             {In: Path{Rate: 1500}},
		"in.rate=9600bit":             {In: Path{Rate: 9600}},
		"in.limit=256k":               {In: Path{Limit: 256 << 10}},
		"in.limit=3000":               {In: Path{Limit: 3000}},
		"in.delay=20ms,in.jitter=5us": {In: Path{Delay: 20 * time.Millisecond, Jitter: 5 * time.Microsecond}},
		"out.delay=1s,out.reorder=25%,out.duplicate=0.1,out.corrupt=1": {Out: Path{
			Delay: time.Second, Reorder: 0.25, Duplicate: 0.1, Corrupt: 1}},
	} {
		got, err := ParseImpairment(words)
		require.NoError(t, err, words)
		require.Equal(t, want, got, words)
	}
}

func TestParseImpairmentRefuses(t *testing.T) {
	for words, say := range map[string]string{
		"":                    `"" is not a name=value`,
		"loss":                `"loss" is not a name=value`,
		"lost=1%":             "unknown impairment lost; valid: loss, burst",
		"up.loss=1%":          "unknown impairment up.loss; valid: ",
		"loss=101%":           "not a share",
		"loss=-1":             "not a share",
		"loss=NaN":            "not a share",
		"burst=1%":            "not ENTER/LEAVE",
		"burst=1%/2%/3%/4%":   "not ENTER/LEAVE",
		"burst=1%/x":          "not a share",
		"delay=20":            "missing unit",
		"delay=-1s":           "not from 0",
		"jitter=2h":           "not from 0",
		"rate=100":            "not a positive number with a unit",
		"rate=0mbit":          "not a positive number with a unit",
		"rate=mbit":           "not a positive number with a unit",
		"rate=9999gbit":       "too large",
		"limit=1g":            "not a positive number with a unit",
		"limit=1e9":           "too large",
		"seed=-1":             "invalid syntax",
		"reorder=1%":          "reorder needs delay or jitter",
		"loss=1%,,delay=10ms": `"" is not a name=value`,
	} {
		_, err := ParseImpairment(words)
		require.ErrorContains(t, err, say, words)
	}
}

// Every accepted impairment is within bounds.
func FuzzParseImpairment(f *testing.F) {
	f.Add("loss=1%,delay=20ms,jitter=5ms,reorder=10%,duplicate=1%,corrupt=0.1%,rate=100mbit,limit=256k,seed=7")
	f.Add("in.burst=1%/2%/3%")
	f.Fuzz(func(t *testing.T, words string) {
		cfg, err := ParseImpairment(words)
		if err != nil {
			require.Zero(t, cfg)
			return
		}
		for _, p := range []Path{cfg.In, cfg.Out} {
			for _, share := range []float64{p.Loss, p.Burst.Enter, p.Burst.Leave, p.Burst.Loss, p.Duplicate, p.Corrupt, p.Reorder} {
				require.True(t, share >= 0 && share <= 1)
			}
			require.True(t, p.Delay >= 0 && p.Jitter >= 0 && p.Delay+p.Jitter <= 2*maxDelay)
			require.True(t, p.Rate >= 0 && p.Limit >= 0 && p.Limit <= maxTransit)
		}
	})
}
