package tun

// Observer is notified of all packets that cross a device. The goroutines that read and write the device call it, so that it must not
// wait. A packet is valid during the call and must not be changed. The methods are called concurrently, but those with the number
// of a queue only by the one reader of the queue.
type Observer interface {
	// Arrived is called with a packet that was read from a queue.
	Arrived(queue int, p *Packet)
	// Handled is called when the queue's reader asks for another packet: it has finished with the last one.
	Handled(queue int)
	// Sent is called with a packet that is about to be written.
	Sent(p *Packet)
}

// Observe returns a Device that passes packets to and from d and notifies o of them, as they cross the device: super-packets whole,
// and with incomplete checksums.
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

// Unwrap returns the device without the Observer.
func (d *observedDevice) Unwrap() Device { return d.Device }

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
