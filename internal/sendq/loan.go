package sendq

import "sync/atomic"

// Loan is memory that somebody lends to a Queue, perhaps in several pieces, and the word that it is no longer needed. A nil
// Loan is memory that nobody waits for.
type Loan struct {
	held     atomic.Int32 // by the lender until Return, and by each piece that is queued
	returned func()
}

// NewLoan returns a Loan that the lender holds. Once the lender and all pieces have let go, returned is called in a goroutine of
// its own, for what lets go last may be a connection in the middle of its work.
func NewLoan(returned func()) *Loan {
	if returned == nil {
		return nil
	}
	l := &Loan{returned: returned}
	l.take()
	return l
}

func (l *Loan) take() {
	if l != nil {
		l.held.Add(1)
	}
}

// Return lets go of the loan.
func (l *Loan) Return() {
	if l != nil && l.held.Add(-1) == 0 {
		go l.returned()
	}
}
