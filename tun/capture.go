package tun

// Observer is told of all packets that cross a device, by the goroutines that carry them: it must not wait. A packet stays the
// device's: it is valid during the call and not to be changed. The methods are called concurrently, but those with the number
// of a queue only by its one reader.
type Observer interface {
	// Arrived is called with a packet that was read from a queue.
	Arrived(queue int, p *Packet)
	// Handled is called when the queue's reader asks for another packet: it is done with the last one.
	Handled(queue int)
	// Sent is called with a packet that is about to be written.
	Sent(p *Packet)
}

// Observe puts an Observer in front of d. Packets are seen as they cross the device: super-packets whole, checksums as far as
// they are complete.
func Observe(d Device, o Observer) Device {
	observed := &observedDevice{Device: d}
	for i, q := range d.Queues() {
		observed.queues = append(observed.queues, &observedQueue{q, i, o})
	}
	return observed
}

type observedDevice struct {
	Device
	queues []Queue
}

func (d *observedDevice) Queues() []Queue { return d.queues }

type observedQueue struct {
	Queue
	number   int
	observer Observer
}

func (q *observedQueue) TryRead() (*Packet, error) {
	q.observer.Handled(q.number)
	p, err := q.Queue.TryRead()
	if p != nil {
		q.observer.Arrived(q.number, p)
	}
	return p, err
}

func (q *observedQueue) Write(p *Packet) error {
	q.observer.Sent(p)
	return q.Queue.Write(p)
}
