package schedule

import (
	"context"
	"errors"
	"time"
)

// A Handler works on one claimed row. It may be called again for the same
// row at any time, so what it does must be idempotent.
//
// Its ctx ends when the time allowed for one call is over, or with cause
// [ErrLost] when the row is not ours any more; then nothing that it
// returns is recorded.
//
// An error makes the row due again after [Backoff], for ever, or after the
// time that the error names: any error in its chain with a method
// RetryAfter() time.Duration. Errors of kind access.Unavailable, and calls
// that ran out of time, open the group's circuit breaker when they pile up.
type Handler[T any] func(ctx context.Context, item Item[T]) (Result, error)

// A Result says what becomes of a row. The zero Result is a fault.
type Result struct {
	kind resultKind
	at   time.Time
	in   time.Duration
}

type resultKind int

const (
	resultNone resultKind = iota
	resultAt
	resultIn
	resultNever
	resultRecorded
)

// At makes the row due at t.
func At(t time.Time) Result {
	if t.IsZero() {
		return Never()
	}
	return Result{kind: resultAt, at: t}
}

// In makes the row due after d, by the table's clock.
func In(d time.Duration) Result { return Result{kind: resultIn, in: d} }

// Never leaves the row alone until somebody schedules it anew.
func Never() Result { return Result{kind: resultNever} }

// Recorded says that the handler gave the row back itself, fenced by the
// item's Lease, in the transaction of its business. With an error beside it,
// the error still counts for the group's circuit breaker.
func Recorded() Result { return Result{kind: resultRecorded} }

// RecordedUntil is Recorded of a row that is due again at t; zero for never. A
// loop that was told starts it on time also when that is very soon.
func RecordedUntil(t time.Time) Result { return Result{kind: resultRecorded, at: t} }

// ErrLost says that a row is not leased any more by who thought so. It is the
// cause with which a handler's context then ends, and what the store answers
// to a fenced write of such a one.
var ErrLost = errors.New("the lease was lost")

// ErrStopping is the cause with which a handler's context ends when the loop
// was told to stop and the time for that is over.
var ErrStopping = errors.New("the loop stops")

// Later is an error that names the time after which to try again.
type Later struct {
	After time.Duration
	Err   error
}

func (l *Later) Error() string             { return l.Err.Error() }
func (l *Later) Unwrap() error             { return l.Err }
func (l *Later) RetryAfter() time.Duration { return l.After }
