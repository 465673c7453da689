package autotask

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A resource is somebody in Autotask, as it comes.
type resource struct {
	ID                                   int64
	UserName, Email, FirstName, LastName string
	IsActive                             bool
}

func (r resource) number() int64 { return r.ID }

func (r resource) name() string {
	return reach.Clean(strings.TrimSpace(r.FirstName+" "+r.LastName), 100)
}

// called is what a resource is told apart by: the name to sign in with if the
// address begins so too, else the address.
func (r resource) called() string {
	login, email := reach.Clean(r.UserName, 100), reach.Clean(r.Email, 100)
	if local, _, _ := strings.Cut(email, "@"); login != "" && strings.EqualFold(local, login) {
		return login
	}
	return cmp.Or(email, login, r.name())
}

var resourceFields = []string{"id", "userName", "email", "firstName", "lastName", "isActive"}

// A staff keeps what the resources that tickets name by number are called.
type staff struct {
	mu    sync.Mutex
	names map[int64]string // empty for those that cannot be seen
	until map[int64]time.Time
}

const (
	staffAge   = 10 * time.Minute
	staffRetry = 30 * time.Second
	staffMost  = 5000
)

// people reports what the resources with these numbers are called. One that is
// not known is missing, and its number has to do.
func (s *system) people(ctx context.Context, ids []int64) map[int64]string {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	known := map[int64]string{}
	var asked []int64
	s.staff.mu.Lock()
	for _, id := range ids {
		if time.Now().Before(s.staff.until[id]) {
			known[id] = s.staff.names[id]
		} else if id > 0 {
			asked = append(asked, id)
		}
	}
	s.staff.mu.Unlock()
	for part := range slices.Chunk(asked, batch) {
		found, err := readAll[resource](ctx, s, "Resources", []filter{{Op: "in", Field: "id", Value: part}}, resourceFields)
		until := time.Now().Add(staffAge)
		if err != nil && ticket.TroubleOf(err) != ticket.Forbidden {
			until = time.Now().Add(staffRetry)
		}
		s.staff.mu.Lock()
		if s.staff.until == nil || len(s.staff.until) > staffMost {
			s.staff.names, s.staff.until = map[int64]string{}, map[int64]time.Time{}
		}
		for _, r := range found {
			if slices.Contains(part, r.ID) {
				s.staff.names[r.ID] = r.called()
			}
		}
		for _, id := range part {
			s.staff.until[id], known[id] = until, s.staff.names[id]
		}
		s.staff.mu.Unlock()
	}
	return known
}

// shown makes Tickets of what came, with the words that its numbers stand for.
func (s *system) shown(ctx context.Context, records []record) []ticket.Ticket {
	if len(records) == 0 {
		return nil
	}
	names := s.statusNames(ctx)
	var ids []int64
	for _, r := range records {
		ids = append(ids, r.AssignedResourceID)
	}
	people := s.people(ctx, ids)
	all := make([]ticket.Ticket, len(records))
	for i, r := range records {
		all[i] = s.show(r, names)
		if name := people[r.AssignedResourceID]; name != "" {
			all[i].Assignee = name
		}
	}
	return all
}
