package freshdesk

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A book keeps the names of things that tickets tell by number.
type book struct {
	ask func(context.Context) (map[int64]string, error)

	mu    sync.Mutex
	names map[int64]string
	at    time.Time
}

// Names are believed for a while, and asked for again some time after they
// could not be had.
const (
	keep  = 10 * time.Minute
	retry = 30 * time.Second
)

// read reports names, not older than keep. Without the right to read them
// there are none.
func (b *book) read(ctx context.Context) (map[int64]string, error) {
	b.mu.Lock()
	names, at := b.names, b.at
	b.mu.Unlock()
	if !at.IsZero() && time.Since(at) < keep {
		return names, nil
	}
	read, err := b.ask(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = time.Now()
	switch {
	case err == nil:
		b.names = read
	case ticket.TroubleOf(err) != ticket.Forbidden: // older names are better than none
		b.at = b.at.Add(retry - keep)
	}
	return b.names, err
}

// words are names for people, so there can be none.
func (b *book) words(ctx context.Context) map[int64]string {
	names, _ := b.read(ctx)
	return names
}

// statuses reads what statuses there are.
func (s *system) statuses(ctx context.Context) (map[int64]string, error) {
	var fields []struct {
		Name    string
		Choices json.RawMessage
	}
	if _, err := s.get(ctx, "ticket_fields", url.Values{"type": {"default_status"}}, &fields); err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, f := range fields {
		var choices map[string][]string // what agents and what customers read
		if f.Name != "status" || json.Unmarshal(f.Choices, &choices) != nil {
			continue
		}
		for id, words := range choices {
			if n, ok := parseID(id); ok && len(words) > 0 {
				names[n] = reach.Clean(words[0], 60)
			}
		}
	}
	return names, nil
}

// agents reads the mail addresses of agents, which no two share.
func (s *system) agents(ctx context.Context) (map[int64]string, error) {
	names := map[int64]string{}
	for page := 1; page <= 20; page++ {
		var found []struct {
			ID      int64
			Contact struct{ Email string }
		}
		more, err := s.list(ctx, "agents", page, nil, &found)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			names[a.ID] = reach.Clean(a.Contact.Email, 100)
		}
		if !more {
			break
		}
	}
	return names, nil
}
