package knock

import "math/rand/v2"

// Joke is a knock-knock joke.
type Joke struct{ Name, PunchLine string }

// Pick returns a joke that r chooses.
func Pick(r *rand.Rand) Joke { return jokes[r.IntN(len(jokes))] }

// jokes are those that Pick chooses from; read only.
var jokes = [...]Joke{
	{"Lettuce", "Lettuce in, it's cold out here!"},
	{"Syn", "Syn up already, I am waiting for your ACK!"},
	{"UDP", "UDP who cares whether you got it."},
	{"Nobel", "Nobel, that's why I knocked."},
	{"Tank", "You're welcome."},
	{"Figs", "Figs the doorbell, it's not working!"},
	{"Interrupting packet", "Sorry, I was queued."},
	{"Atch", "Bless you!"},
	{"Cargo", "No, car go beep beep!"},
	{"Canoe", "Canoe help me with my three-way handshake?"},
}
