package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/store"
	"jitney/ticket"
	"jitney/ticket/desk"
)

// bureaus open the ticket systems of connections, and keep them open while
// their settings stay as they are.
type bureaus struct {
	kinds   []ticket.Kind
	store   *store.Connections
	rules   *store.Rules
	sealer  *secret.Sealer
	builtIn ticket.System

	mu   sync.Mutex
	open map[string]bureau
}

// A bureau is the ticket system of one version of a connection.
type bureau struct {
	ticket.System
	version int64
}

func (b bureau) Unwrap() ticket.System { return b.System }
func (b bureau) Edition() int64        { return b.version }

// system opens the ticket system of a connection, also one that is disabled:
// its notes are still written.
func (b *bureaus) system(ctx context.Context, connection string) (ticket.System, error) {
	if connection == desk.Connection {
		return b.builtIn, nil
	}
	c, err := b.store.Connection(ctx, connection)
	if access.KindOf(err) == access.NotFound {
		return nil, &ticket.Trouble{Kind: ticket.Misconfigured, Text: "The connection to this ticket system is gone."}
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old, ok := b.open[connection]
	if ok && old.version >= c.Version {
		return old, nil
	}
	sys, err := b.start(ctx, c)
	if err != nil {
		return nil, err
	}
	if b.open == nil {
		b.open = map[string]bureau{}
	}
	now := bureau{sys, c.Version}
	b.open[connection] = now
	if closer, ok := old.System.(io.Closer); ok {
		_ = closer.Close() // its idle connections; calls that are under way go on
	}
	return now, nil
}

func (b *bureaus) start(ctx context.Context, c access.Connection) (ticket.System, error) {
	settings := ticket.Settings{Values: c.Settings, Secrets: map[string]secret.Text{}}
	sealed, err := b.store.ConnectionSecrets(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for name, box := range sealed {
		if settings.Secrets[name], err = b.sealer.Open(ctx, broker.ConnectionKey, broker.ConnectionPlace(c.ID, name), box); err != nil {
			return nil, fmt.Errorf("open setting %s of connection %s: %w", name, c.ID, err)
		}
	}
	for _, k := range b.kinds {
		if k.Name == c.Kind {
			sys, err := k.Open(ctx, settings)
			if err != nil {
				return nil, fmt.Errorf("open connection %s: %w", c.ID, err)
			}
			return sys, nil
		}
	}
	return nil, &ticket.Trouble{Kind: ticket.Misconfigured, Text: "This program does not know the kind of ticket system " + c.Kind + "."}
}

// of finds the ticket system of a customer, the connection, and what the
// customer is called there.
func (b *bureaus) of(ctx context.Context, customer string) (sys ticket.System, connection, company string, err error) {
	connection, err = b.store.CustomerDesk(ctx, customer)
	if err == nil && connection == "" {
		connection, err = b.rules.Setting(ctx, broker.SettingDesk)
	}
	if err != nil {
		return nil, "", "", err
	}
	if connection == "" || connection == desk.Connection {
		return b.builtIn, desk.Connection, customer, nil
	}
	m, err := b.store.Mapping(ctx, connection, customer)
	if access.KindOf(err) == access.NotFound {
		return nil, "", "", &access.Error{Kind: access.Invalid, Text: "This customer is not mapped to a company of the ticket system.", Hint: "An administrator does that under Ticket systems."}
	}
	if err != nil {
		return nil, "", "", err
	}
	sys, err = b.system(ctx, connection)
	return sys, connection, m.Company, err
}
