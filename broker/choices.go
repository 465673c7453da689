package broker

import (
	"context"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// mostChoices bounds what is kept of one field.
const mostChoices = 500

// Choices reads what can be chosen for the settings of a connection, by field.
// What was never read is asked for at once, for two seconds at most; then the
// field has none, and any text will do.
func (c *Connections) Choices(ctx context.Context, who access.Person, id string) (map[string]access.Choices, error) {
	page, err := c.Get(ctx, who, id)
	if err != nil || c.ports.Shelf == nil || !slices.ContainsFunc(page.Kind.Fields, func(f access.Field) bool { return f.Picked }) {
		return nil, err
	}
	known, err := c.choices(ctx, id)
	if err != nil || len(known) > 0 {
		return known, err
	}
	brief, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	if c.readChoices(brief, page) != nil {
		return nil, ctx.Err()
	}
	return c.choices(ctx, id)
}

func (c *Connections) choices(ctx context.Context, id string) (map[string]access.Choices, error) {
	all, err := c.ports.Shelf.Choices(ctx, id)
	known := make(map[string]access.Choices, len(all))
	for _, one := range all {
		known[one.Field] = one
	}
	return known, err
}

// RefreshChoices asks the ticket system what can be chosen.
func (c *Connections) RefreshChoices(ctx context.Context, who access.Person, id string) error {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return err
	}
	page, err := c.Get(ctx, who, id)
	if err != nil {
		return err
	}
	if c.ports.Shelf == nil {
		return &access.Error{Kind: access.Conflict, Text: "This installation does not keep what can be chosen."}
	}
	ctx, cancel := context.WithTimeout(ctx, listLong)
	defer cancel()
	if err := c.readChoices(ctx, page); err != nil {
		return &access.Error{Kind: access.Unavailable, Text: saidBy(err), Hint: "Check the connection. Until then, any value can be typed.", Err: err}
	}
	return nil
}

func (c *Connections) readChoices(ctx context.Context, page ConnectionPage) error {
	sys, err := c.ports.OpenDesk(ctx, page.Connection.ID)
	if err != nil {
		return err
	}
	picker, ok := ticket.As[ticket.Picker](sys)
	if !ok {
		return nil
	}
	var all []access.Choices
	for _, f := range page.Kind.Fields {
		if !f.Picked {
			continue
		}
		options, err := picker.Options(ctx, f.Name)
		if err != nil {
			return err
		}
		one := access.Choices{Connection: page.Connection.ID, Field: f.Name, ReadAt: time.Now().UTC()}
		for _, o := range options[:min(len(options), mostChoices)] {
			value := strings.TrimSpace(o.Value)
			if value == "" || len(value) > 200 || clip(value, 200) != value || f.Many && strings.Contains(value, ",") {
				continue // it could not be stored as it is
			}
			one.All = append(one.All, access.Choice{Value: value, Title: clip(strings.TrimSpace(o.Title), 200)})
		}
		all = append(all, one)
	}
	return c.ports.Shelf.SetChoices(ctx, all...)
}
