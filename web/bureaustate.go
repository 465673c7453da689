package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"jitney/access"
	"jitney/broker"
)

// state shows what waits for a ticket system, and how it can call us.
func (s bureauPages) state(v *visit, b *bureauBody, p broker.MappingPage) error {
	parked, err := s.Broker.Tickets.Parked(v.ctx(), v.Person, b.ID)
	if err != nil {
		return err
	}
	for _, n := range parked {
		b.Parked = append(b.Parked, parkedView{Grant: n.Grant, Number: n.Number, What: noteTitle(n.Kind), Why: n.Reason, When: v.Short(n.At)})
	}
	twice, err := s.Broker.Audit.Twice(v.ctx(), v.Person, b.ID)
	if err != nil {
		return err
	}
	for _, r := range twice {
		b.Twice = append(b.Twice, twiceView{Grant: r.Grant, Text: r.Text, When: v.Short(r.At)})
	}
	b.Hook = hookView{Address: s.address(v.r) + "/hooks/" + url.PathEscape(b.ID), Has: p.HasHook()}
	return nil
}

// choices reads what can be chosen for the settings of a stored connection.
func (s bureauPages) choices(v *visit, id string) (map[string]access.Choices, error) {
	if id == "" {
		return nil, nil
	}
	return s.Broker.Tickets.Choices(v.ctx(), v.Person, id)
}

// choose makes a list to pick from of a field that text could be typed into.
// What is stored and is not in it stays until something else is chosen.
func (f *fieldView) choose(field access.Field, all []access.Choice) {
	var stored []string
	for part := range strings.SplitSeq(f.Value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			stored = append(stored, part)
		}
	}
	if !field.Many && f.Value != "" {
		stored = []string{f.Value}
	}
	if f.Many = field.Many; !f.Many && !field.Required {
		f.Options = append(f.Options, option{Label: "Not chosen", Selected: len(stored) == 0})
	}
	for _, c := range all {
		label := c.Title
		if c.Title != c.Value {
			label = strings.TrimSpace(c.Title + " (" + c.Value + ")")
		}
		f.Options = append(f.Options, option{Value: c.Value, Label: label, Selected: slices.Contains(stored, c.Value)})
		stored = slices.DeleteFunc(stored, func(v string) bool { return v == c.Value })
	}
	for _, v := range stored {
		f.Options = append(f.Options, option{Value: v, Label: v + " (not listed there any more)", Selected: true})
	}
}

// refreshChoices asks the ticket system what can be chosen.
func (s bureauPages) refreshChoices(v *visit) error {
	id := v.r.PathValue("id")
	if err := s.Broker.Tickets.RefreshChoices(v.ctx(), v.Person, id); err != nil {
		if access.KindOf(err) == access.NotFound {
			return err
		}
		return s.bureauAgain(v, err)
	}
	return v.back("/ticket-systems/"+url.PathEscape(id)+"#settings", "read")
}

// retryParked starts every parked note of a connection again.
func (s bureauPages) retryParked(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.Broker.Tickets.RetryParked(v.ctx(), v.Person, id); err != nil {
		return fmt.Errorf("retry parked notes: %w", err)
	}
	return v.back("/ticket-systems/"+url.PathEscape(id), "retried")
}

// newHook shows the page of a connection with a new secret for its webhook. It
// is the only answer that holds it.
func (s bureauPages) newHook(v *visit) error {
	made, err := s.Broker.Tickets.NewHookSecret(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	v.hook = &made
	return s.bureauAgain(v, nil)
}
