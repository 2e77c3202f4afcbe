package sendq

import "sync/atomic"

// Loan is memory lent to a Buffer, perhaps in several pieces, and the function to call when the Buffer no longer needs it. A nil
// Loan calls nothing.
type Loan struct {
	held     atomic.Int32 // references: the lender's until Return, and one per queued piece
	returned func()
}

// NewLoan returns a Loan that the lender holds. When the lender and all pieces have released it, returned is called in a new
// goroutine, because the last release may happen inside a connection that holds its lock.
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

// Return releases the lender's reference.
func (l *Loan) Return() {
	if l != nil && l.held.Add(-1) == 0 {
		go l.returned()
	}
}
