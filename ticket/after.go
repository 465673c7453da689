package ticket

import (
	"context"
	"time"
)

// A TimeEntry is the time of one access, to be booked on its ticket. It is
// found again by its key, as a Note is.
type TimeEntry struct {
	Key     string
	Text    string // ends with a line that holds the key
	Minutes int64
	From    time.Time
	To      time.Time
}

// A Timer is a System in which time can be booked on tickets.
type Timer interface {
	// Times reports what was booked on a ticket with key.
	Times(ctx context.Context, ticketID, key string) ([]NoteRef, error)

	// BookTime books time with exactly one request, and never repeats it.
	BookTime(ctx context.Context, ticketID string, e TimeEntry) (NoteRef, error)
}

// A Mover is a System in which a ticket can be given another status.
type Mover interface {
	// SetStatus gives a ticket the status that people call so. Doing it twice
	// is doing it once. A status that the ticket cannot have is Rejected.
	SetStatus(ctx context.Context, ticketID, status string) error
}
