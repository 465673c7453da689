package signin

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
)

// memory is a store that behaves: people, passwords, sessions, settings and
// records, all in one place.
type memory struct {
	mu       sync.Mutex
	people   map[string]access.Person
	hashes   map[string]string
	visits   map[string]access.Visit
	settings map[string]string
	events   []access.Event
	writes   int
	broken   error // what every write answers
}

func newMemory() *memory {
	return &memory{people: map[string]access.Person{}, hashes: map[string]string{}, visits: map[string]access.Visit{}, settings: map[string]string{}}
}

func absent() error { return &access.Error{Kind: access.NotFound, Text: "There is no such thing."} }

func (m *memory) write(events []access.Event) error {
	if m.broken != nil {
		return m.broken
	}
	m.writes++
	m.events = append(m.events, events...)
	return nil
}

func (m *memory) Person(_ context.Context, id string) (access.Person, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.people[id]
	if !ok {
		return p, absent()
	}
	return p, nil
}

func (m *memory) ByLogin(_ context.Context, login string) (access.Person, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.people {
		if strings.EqualFold(p.Login, login) {
			return p, m.hashes[p.ID], nil
		}
	}
	return access.Person{}, "", absent()
}

func (m *memory) SetPassword(_ context.Context, id, hash, keep string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(events); err != nil {
		return err
	}
	m.hashes[id] = hash
	for key, v := range m.visits {
		if v.Person == id && key != keep {
			delete(m.visits, key)
		}
	}
	return nil
}

func (m *memory) Nobody(context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.people) == 0, nil
}

func (m *memory) AddFirst(_ context.Context, p access.Person, hash string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.people) > 0 {
		return &access.Error{Kind: access.Conflict, Text: "There is somebody."}
	}
	if err := m.write(events); err != nil {
		return err
	}
	m.people[p.ID], m.hashes[p.ID] = p, hash
	return nil
}

func (m *memory) Session(_ context.Context, key string) (access.Visit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.visits[key]
	if !ok {
		return v, absent()
	}
	return v, nil
}

func (m *memory) AddSession(_ context.Context, v access.Visit, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(events); err != nil {
		return err
	}
	for key, old := range m.visits {
		if !time.Now().Before(old.ExpiresAt) {
			delete(m.visits, key)
		}
	}
	m.visits[v.Key] = v
	return nil
}

func (m *memory) KeepSession(_ context.Context, v access.Visit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.visits[v.Key]
	if !ok {
		return nil
	}
	if err := m.write(nil); err != nil {
		return err
	}
	old.Data, old.SeenAt, old.ExpiresAt = v.Data, v.SeenAt, v.ExpiresAt
	m.visits[v.Key] = old
	return nil
}

func (m *memory) EndSession(_ context.Context, key string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(events); err != nil {
		return err
	}
	delete(m.visits, key)
	return nil
}

func (m *memory) SessionsOf(_ context.Context, person string) (out []access.Visit, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.visits {
		if v.Person == person {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b access.Visit) int { return b.SeenAt.Compare(a.SeenAt) })
	return out, nil
}

func (m *memory) Setting(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings[key], nil
}

func (m *memory) SetSetting(_ context.Context, key, value string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(events); err != nil {
		return err
	}
	m.settings[key] = value
	return nil
}

func (m *memory) Write(_ context.Context, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(events)
}

func (m *memory) kinds() (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		out = append(out, e.Kind)
	}
	return out
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.visits)
}
