package autotask

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// A choice is one value of a pick list.
type choice struct {
	Value, Label                       string
	IsDefaultValue, IsActive, IsSystem bool
}

// picks are the pick lists that matter, which differ in every Autotask.
type picks struct {
	status, publish, kind []choice
	length                int // characters of a note
	readAt                time.Time
}

// picksAge is how long pick lists are believed.
const picksAge = 10 * time.Minute

type field struct {
	Name           string
	Length         int
	PicklistValues []choice
}

// lists reads the pick lists, if that was not done lately.
func (s *system) lists(ctx context.Context) (picks, error) {
	s.mu.Lock()
	p := s.picks
	s.mu.Unlock()
	if !p.readAt.IsZero() && time.Since(p.readAt) < picksAge {
		return p, nil
	}
	p = picks{readAt: time.Now()}
	for _, entity := range []string{"Tickets", "TicketNotes"} {
		var info struct{ Fields []field }
		if _, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "V1.0/" + entity + "/entityInformation/fields", Into: &info}); err != nil {
			return picks{}, err
		}
		for _, f := range info.Fields {
			switch name := strings.ToLower(f.Name); {
			case entity == "Tickets" && name == "status":
				p.status = usable(f.PicklistValues)
			case entity == "TicketNotes" && name == "publish":
				p.publish = usable(f.PicklistValues)
			case entity == "TicketNotes" && name == "notetype":
				p.kind = usable(f.PicklistValues)
			case entity == "TicketNotes" && name == "description":
				p.length = f.Length
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.picks = p
	return p, nil
}

// usable are the choices with a number; those that are not in use any more
// stay, for old tickets have them.
func usable(all []choice) []choice {
	return slices.DeleteFunc(all, func(c choice) bool { _, ok := parseID(c.Value); return !ok })
}

// statusNames are what statuses are called. They are for people only, so
// there can be none.
func (s *system) statusNames(ctx context.Context) map[int64]string {
	names := map[int64]string{}
	p, err := s.lists(ctx)
	if err != nil {
		return names
	}
	for _, c := range p.status {
		n, _ := parseID(c.Value)
		names[n] = reach.Clean(c.Label, 60)
	}
	return names
}

// noteKind reports where notes are published and of which type they are: what
// the settings say, else what the pick lists make clear.
func (s *system) noteKind(ctx context.Context) (publish, kind int64, err error) {
	publish, kind = s.publish, s.kind
	if publish > 0 && kind > 0 {
		return publish, kind, nil
	}
	p, err := s.lists(ctx)
	if err != nil {
		return 0, 0, err
	}
	if publish == 0 {
		inside := slices.DeleteFunc(slices.Clone(p.publish), func(c choice) bool { return !c.IsActive || !internal(c) })
		if len(inside) != 1 {
			return 0, 0, &ticket.Trouble{Kind: ticket.Misconfigured, Text: "It is not clear which choice of Publish keeps notes inside. Choose it in the settings of the connection."}
		}
		publish, _ = parseID(inside[0].Value)
	}
	if kind == 0 {
		i := slices.IndexFunc(p.kind, func(c choice) bool { return c.IsActive && c.IsDefaultValue })
		if i < 0 {
			i = slices.IndexFunc(p.kind, func(c choice) bool { return c.IsActive && !c.IsSystem })
		}
		if i < 0 {
			return 0, 0, &ticket.Trouble{Kind: ticket.Misconfigured, Text: "It is not clear which type notes should get. Choose it in the settings of the connection."}
		}
		kind, _ = parseID(p.kind[i].Value)
	}
	return publish, kind, nil
}

func internal(c choice) bool { return strings.Contains(strings.ToLower(c.Label), "internal") }

// Options reports what can be chosen for a field of the settings.
func (s *system) Options(ctx context.Context, name string) (all []ticket.Option, err error) {
	switch name {
	case fieldWho:
		found, err := readAll[resource](ctx, s, "Resources", []filter{is("eq", "isActive", true)}, resourceFields)
		for _, r := range found {
			all = append(all, ticket.Option{Value: number(r.ID), Title: r.name()})
		}
		return all, err
	case fieldRole:
		found, err := readAll[role](ctx, s, "Roles", []filter{is("eq", "isActive", true)}, []string{"id", "name"})
		for _, r := range found {
			all = append(all, ticket.Option{Value: number(r.ID), Title: reach.Clean(r.Name, 100)})
		}
		return all, err
	}
	p, err := s.lists(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range map[string][]choice{fieldPublish: p.publish, fieldType: p.kind, fieldClosed: p.status}[name] {
		if c.IsActive {
			all = append(all, ticket.Option{Value: c.Value, Title: reach.Clean(c.Label, 100)})
		}
	}
	return all, nil
}

// A role is one in which people work.
type role struct {
	ID   int64
	Name string
}

func (r role) number() int64 { return r.ID }

// listed are choices for people: number and name.
func listed(all []choice) string {
	var out []string
	for _, c := range all {
		if c.IsActive && len(out) < 40 {
			out = append(out, c.Value+" "+reach.Clean(c.Label, 60))
		}
	}
	return strings.Join(out, ", ")
}

func finding(err error) access.Finding {
	text := "Autotask cannot be asked."
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		text = t.Text
	}
	return access.Finding{Level: "error", What: text}
}
