package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/stretchr/testify/require"
)

// order selects which side ends a transfer first.
type order int

const (
	together    order = iota // each side closes its direction as soon as it has sent everything
	oursFirst                // the kernel closes when it has read our end
	theirsFirst              // the other way round
	oursHalf                 // the kernel also sends nothing before it has read our end
	theirsHalf               // the other way round
)

// size is the number of bytes of a transfer in each direction.
func size() int64 {
	if os.Getenv("TUNSTACK_LONG") == "1" {
		return 16 << 20
	}
	return 1 << 20
}

// stream is an endless pattern, different for each key.
func stream(key byte) io.Reader { return rand.NewChaCha8([32]byte{key}) }

// way is one direction of a transfer.
type way struct {
	name     string
	from, to duplex
	key      byte
	n        int64
	begin    <-chan struct{} // when to start sending
	finish   <-chan struct{} // when to close, after everything is sent
	done     chan struct{}   // closed when to has read the end
}

func (w *way) send() error {
	<-w.begin
	if _, err := io.CopyN(w.from, stream(w.key), w.n); err != nil {
		return fmt.Errorf("%s: send: %w", w.name, err)
	}
	<-w.finish
	return w.from.CloseWrite()
}

func (w *way) receive() error {
	defer close(w.done)
	want, got, expected := int64(0), make([]byte, 64<<10), make([]byte, 64<<10)
	pattern := stream(w.key)
	for {
		n, err := w.to.Read(got)
		io.ReadFull(pattern, expected[:n])
		if !bytes.Equal(expected[:n], got[:n]) {
			return fmt.Errorf("%s: bytes %d to %d differ from those sent", w.name, want, want+int64(n))
		}
		want += int64(n)
		if err == io.EOF && want == w.n {
			return nil
		}
		if err != nil || want > w.n {
			return fmt.Errorf("%s: received %d of %d: %w", w.name, want, w.n, err)
		}
	}
}

// transfer sends n bytes both ways at once, closes in the order and checks what arrives.
func (b *bench) transfer(ours, theirs duplex, n int64, o order) {
	b.t.Helper()
	open := make(chan struct{})
	close(open)
	out := way{"stack to kernel", ours, theirs, 1, n, open, open, make(chan struct{})}
	in := way{"kernel to stack", theirs, ours, 2, n, open, open, make(chan struct{})}
	switch o {
	case oursFirst:
		in.finish = out.done
	case theirsFirst:
		out.finish = in.done
	case oursHalf:
		in.begin = out.done
	case theirsHalf:
		out.begin = in.done
	}
	results := make(chan error, 4)
	for _, f := range []func() error{out.send, out.receive, in.send, in.receive} {
		go func() { results <- f() }()
	}
	var errs error
	for range cap(results) {
		errs = errors.Join(errs, <-results)
	}
	require.NoError(b.t, errs)
	require.NoError(b.t, ours.Close())
	require.NoError(b.t, theirs.Close())
	b.drains()
}
