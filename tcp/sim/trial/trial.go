package trial

import (
	"errors"
	"fmt"

	"tunstack/tcp"
	"tunstack/tcp/sim"
)

// Run runs the trial to its end and returns the first fault: a rule that a machine has broken, bytes that are missing or wrong, a
// connection that is not CLOSED, a timer or a buffer that is left. A connection that fails is a fault only if the trial is not Harsh.
func (t *Trial) Run() error {
	if err := t.Sim.Run(3_000_000); err != nil {
		return err
	}
	for i, e := range t.flow.Ends {
		if err := t.ended(i, e); err != nil {
			return fmt.Errorf("end %d: %w", i, err)
		}
	}
	return nil
}

func (t *Trial) ended(i int, e *sim.End) error {
	u := t.Streams[i]
	switch {
	case u.Err != nil:
		return u.Err
	case e.Conn == nil && t.Harsh:
		return nil
	case e.Conn == nil:
		return errors.New("never connected")
	case e.Conn.State() != tcp.Closed || e.Conn.Deadline() != 0:
		return fmt.Errorf("ends in %v, next deadline %v", e.Conn.State(), e.Conn.Deadline())
	case e.Conn.Unacked() != 0 || e.Conn.Readable() != 0 && u.AbortAt == 0:
		return fmt.Errorf("leaves %d bytes unsent, %d unread", e.Conn.Unacked(), e.Conn.Readable())
	case t.Harsh && t.broken():
		return nil
	case e.Conn.Err() != 0:
		return fmt.Errorf("ends with %w", e.Conn.Err())
	case u.Sent != u.Size || u.Got != t.Streams[1-i].Size || !u.EOF:
		return fmt.Errorf("sent %d of %d, got %d of %d bytes, end seen: %v", u.Sent, u.Size, u.Got, t.Streams[1-i].Size, u.EOF)
	}
	return nil
}

// broken reports whether an end has failed or given up, so that not all bytes can have arrived.
func (t *Trial) broken() bool {
	for i, e := range t.flow.Ends {
		if e.Conn == nil || e.Conn.Err() != 0 || t.Streams[i].Close == sim.GiveUp || t.Streams[i].AbortAt != 0 {
			return true
		}
	}
	return false
}
