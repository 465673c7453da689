package desk

import (
	"context"

	"jitney/ticket"
)

// Kind describes the built-in desk, kept in store. url makes the address of a
// ticket's page; it may be nil.
func Kind(store Store, url func(ticketID string) string) ticket.Kind {
	return ticket.Kind{
		Name:  Connection,
		Title: "Built-in desk",
		Open: func(context.Context, ticket.Settings) (ticket.System, error) {
			return System{Store: store, URL: url}, nil
		},
	}
}
