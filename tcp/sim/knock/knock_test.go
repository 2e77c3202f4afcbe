package knock

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Server answers each turn of every joke as the client expects it, and closes after the punch line.
func TestDialogue(t *testing.T) {
	for range 50 {
		var s Server
		turns := Pick(rand.New(rand.NewPCG(rand.Uint64(), 0))).Turns()
		for i, turn := range turns {
			answer, over := s.Hear(turn.Say)
			require.Equal(t, turn.Answer, answer)
			require.Equal(t, i == len(turns)-1, over)
		}
	}
}

// A wrong line is answered with what was expected, and the dialogue goes on from there.
func TestWrongLines(t *testing.T) {
	var s Server
	for _, turn := range []Turn{
		{"hello", `Expected "Knock knock"`},
		{" knock, KNOCK! ", "Who's there?"},
		{"  ", "Expected a name"},
		{" Boo ", "Boo who?"},
		{"", "Expected the punch line"},
	} {
		answer, over := s.Hear(turn.Say)
		require.Equal(t, turn.Answer, answer, turn.Say)
		require.False(t, over)
	}
}

// Text without an end of line is no whole line while it may become "Knock knock", nor after a first line with an end.
func TestWholeLines(t *testing.T) {
	var s Server
	for text, whole := range map[string]bool{"": false, "kno": false, "Knock, k": false, "knock knock": true, "hello": true} {
		require.Equal(t, whole, s.Whole(text, false), text)
	}
	s.Hear("knock knock")
	require.True(t, s.Whole("Boo", false))
	require.False(t, s.Whole("Boo", true))
}
