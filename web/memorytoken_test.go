package web

import (
	"context"
	"time"

	"jitney/access"
)

// memTokens keeps tokens and pairings for the real signin.Tokens and
// signin.Pairings.
type memTokens struct {
	*memory
	tokens   map[string]access.Token // by hash
	pairings map[string]access.Pairing
}

func newMemTokens(m *memory) *memTokens {
	return &memTokens{memory: m, tokens: map[string]access.Token{}, pairings: map[string]access.Pairing{}}
}

func (m *memTokens) TokenByHash(_ context.Context, hash string) (access.Token, error) {
	return find(m.memory, m.tokens, hash)
}

func (m *memTokens) Tokens(_ context.Context, person string) (all []access.Token, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tokens {
		if person == "" || t.Person == person {
			all = append(all, t)
		}
	}
	return all, nil
}

func (m *memTokens) AddToken(_ context.Context, t access.Token, hash string, _ access.Letter, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[hash] = t
	m.write(events...)
	return nil
}

func (m *memTokens) UseToken(context.Context, string, time.Time, string) error { return nil }

func (m *memTokens) RevokeToken(_ context.Context, id string, at time.Time, by string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, t := range m.tokens {
		if t.ID == id && t.RevokedAt.IsZero() {
			t.RevokedAt, t.RevokedBy = at, by
			m.tokens[hash] = t
			m.write(events...)
		}
	}
	return nil
}

func (m *memTokens) Pairing(_ context.Context, id string) (access.Pairing, error) {
	return find(m.memory, m.pairings, id)
}

func (m *memTokens) PairingByCode(_ context.Context, code string) (access.Pairing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pairings {
		if p.Code == code {
			return p, nil
		}
	}
	return access.Pairing{}, &access.Error{Kind: access.NotFound, Text: "No such thing."}
}

func (m *memTokens) AddPairing(_ context.Context, p access.Pairing) error {
	return put(m.memory, m.pairings, p.ID, &p.Version, &p, func(p access.Pairing) int64 { return p.Version }, nil)
}

func (m *memTokens) UpdatePairing(_ context.Context, p access.Pairing, events ...access.Event) error {
	return put(m.memory, m.pairings, p.ID, &p.Version, &p, func(p access.Pairing) int64 { return p.Version }, events)
}

func (m *memTokens) DeliverPairing(ctx context.Context, p access.Pairing, t access.Token, hash string, events ...access.Event) error {
	if err := m.UpdatePairing(ctx, p, events...); err != nil {
		return err
	}
	return m.AddToken(ctx, t, hash, access.Letter{})
}
