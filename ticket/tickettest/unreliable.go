package tickettest

import (
	"context"
	"errors"
	"sync"
	"time"

	"jitney/ticket"
)

// A Fault is what happens to one AddNote on its way.
type Fault int

const (
	NoFault     Fault = iota
	RequestLost       // it never arrives, and the caller does not know
	AnswerLost        // it takes effect, and the caller does not know
	Late              // it takes effect after Delay, when the caller has given up
)

// errLost is what the caller of a disturbed AddNote learns: nothing.
var errLost = errors.New("connection reset by peer")

// Unreliable is a System whose AddNote goes wrong as Fault says. Everything
// else works.
type Unreliable struct {
	ticket.System
	Fault func(call int) Fault // call counts from 0
	Delay time.Duration        // of a Late one

	mu      sync.Mutex
	calls   int
	pending sync.WaitGroup
}

// AddNote writes a note, or does what the fault of this call is.
func (u *Unreliable) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	u.mu.Lock()
	call := u.calls
	u.calls++
	u.mu.Unlock()

	doubt := &ticket.Trouble{Kind: ticket.Doubtful, Text: "The ticket system did not answer.", Err: errLost}
	switch u.Fault(call) {
	case RequestLost:
		return ticket.NoteRef{}, doubt
	case AnswerLost:
		_, _ = u.System.AddNote(ctx, ticketID, n)
		return ticket.NoteRef{}, doubt
	case Late:
		ctx = context.WithoutCancel(ctx)
		u.pending.Go(func() {
			<-time.After(u.Delay)
			_, _ = u.System.AddNote(ctx, ticketID, n)
		})
		return ticket.NoteRef{}, doubt
	default:
		return u.System.AddNote(ctx, ticketID, n)
	}
}

// Wait returns when every late request has landed.
func (u *Unreliable) Wait() { u.pending.Wait() }
