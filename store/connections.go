package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"jitney/access"
	"jitney/store/db"
)

// Connections keeps the connected ticket systems, and who is whose company
// there.
type Connections struct {
	core *core
}

func connectionOf(r db.Connection) (access.Connection, error) {
	settings, err := decode[map[string]string](r.Settings)
	if err != nil {
		return access.Connection{}, fmt.Errorf("read settings of connection %s: %w", r.ID, err)
	}
	findings, err := decode[[]access.Finding](r.Findings)
	if err != nil {
		return access.Connection{}, fmt.Errorf("read findings of connection %s: %w", r.ID, err)
	}
	return access.Connection{
		ID: r.ID, Kind: r.Kind, Name: r.Name, Settings: settings,
		CreatedAt: instant(r.CreatedAt), DisabledAt: instant(r.DisabledAt), CheckedAt: instant(r.CheckedAt), Findings: findings, Version: r.Version,
	}, nil
}

// Connection reads one connection, without its secret settings.
func (s *Connections) Connection(ctx context.Context, id string) (access.Connection, error) {
	row, err := s.core.q().Connection(ctx, id)
	if err != nil {
		return access.Connection{}, fail("read connection "+id, err)
	}
	return connectionOf(row)
}

// Connections lists every connection, by name.
func (s *Connections) Connections(ctx context.Context) ([]access.Connection, error) {
	rows, err := s.core.q().Connections(ctx)
	all, err := each(rows, err, connectionOf)
	return all, fail("list connections", err)
}

// SaveConnection stores n; Version 0 creates. Each sealed setting in secrets
// replaces the one of that name, an empty one erases it. The kind of a
// connection never changes.
func (s *Connections) SaveConnection(ctx context.Context, n access.Connection, secrets map[string][]byte, events ...access.Event) (access.Connection, error) {
	return s.save(ctx, n, secrets, events, nil)
}

// MoveConnection is SaveConnection with settings that lead to another system,
// whose companies are not known yet: no customer is one of them.
// If access is open whose ticket is of the connection, or a note for it waits to
// be written, it is access.Conflict with the code access.StillLive, and nothing
// is changed. Access that is asked for meanwhile waits until it is done.
func (s *Connections) MoveConnection(ctx context.Context, n access.Connection, secrets map[string][]byte, events ...access.Event) (access.Connection, error) {
	return s.save(ctx, n, secrets, events, func(ctx context.Context, t *tx) error {
		if err := t.vacant(ctx, onConnection(n.ID), n.ID, t.OpenOnConnection); err != nil {
			return err
		}
		now := time.Now().UnixMicro()
		if err := t.MissCompanies(ctx, db.MissCompaniesParams{Connection: n.ID, GoneAt: now, SeenAt: now}); err != nil {
			return err
		}
		return t.DropMappings(ctx, n.ID)
	})
}

// onConnection names what those who open access with a ticket of it are among.
func onConnection(id string) string { return "connection " + id }

func (s *Connections) save(ctx context.Context, n access.Connection, secrets map[string][]byte, events []access.Event, first func(context.Context, *tx) error) (access.Connection, error) {
	tried := "save connection " + n.ID
	settings := ""
	if len(n.Settings) > 0 {
		settings = encodeAny(n.Settings)
	}
	err := s.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		if first != nil {
			if err := first(ctx, t); err != nil {
				return err
			}
		}
		if err := saveConnection(ctx, t, tried, n, settings); err != nil {
			return err
		}
		for _, name := range sortedKeys(secrets) {
			var err error
			if sealed := secrets[name]; len(sealed) > 0 {
				err = t.PutConnectionSecret(ctx, db.PutConnectionSecretParams{Connection: n.ID, Name: name, Sealed: sealed})
			} else {
				err = t.DropConnectionSecret(ctx, db.DropConnectionSecretParams{Connection: n.ID, Name: name})
			}
			if err != nil {
				return err
			}
		}
		return t.record(ctx, events)
	})
	if err != nil {
		return access.Connection{}, exists(tried, err)
	}
	n.Version++
	return n, nil
}

func saveConnection(ctx context.Context, t *tx, tried string, n access.Connection, settings string) error {
	if n.Version == 0 {
		return t.InsertConnection(ctx, db.InsertConnectionParams{
			ID: n.ID, Kind: n.Kind, Name: n.Name, Settings: settings,
			CreatedAt: micros(n.CreatedAt), DisabledAt: micros(n.DisabledAt), CheckedAt: micros(n.CheckedAt), Findings: encode(n.Findings),
		})
	}
	changed, err := t.UpdateConnection(ctx, db.UpdateConnectionParams{
		ID: n.ID, Version: n.Version, Name: n.Name, Settings: settings,
		DisabledAt: micros(n.DisabledAt), CheckedAt: micros(n.CheckedAt), Findings: encode(n.Findings),
	})
	return stale(tried, changed, err)
}

// ConnectionSecrets reads the sealed settings of a connection by name.
func (s *Connections) ConnectionSecrets(ctx context.Context, id string) (map[string][]byte, error) {
	rows, err := s.core.q().ConnectionSecrets(ctx, id)
	if err != nil {
		return nil, fail("read the sealed settings of connection "+id, err)
	}
	secrets := make(map[string][]byte, len(rows))
	for _, r := range rows {
		secrets[r.Name] = r.Sealed
	}
	return secrets, nil
}

// Companies lists what a system told of its companies, by name, also those
// that it does not list any more.
func (s *Connections) Companies(ctx context.Context, connection string) ([]access.Company, error) {
	rows, err := s.core.q().Companies(ctx, connection)
	all, err := each(rows, err, sure(func(r db.Company) access.Company {
		return access.Company{Connection: r.Connection, ID: r.Company, Name: r.Name, Was: r.Was, SeenAt: instant(r.SeenAt), GoneAt: instant(r.GoneAt)}
	}))
	return all, fail("list the companies of connection "+connection, err)
}

// SetCompanies stores the whole of what a system told: those that are not in
// companies are gone.
func (s *Connections) SetCompanies(ctx context.Context, connection string, companies []access.Company, events ...access.Event) error {
	return s.core.write(ctx, "store the companies of connection "+connection, func(ctx context.Context, t *tx) error {
		now := time.Now().UnixMicro()
		for _, c := range companies {
			if err := t.PutCompany(ctx, db.PutCompanyParams{Connection: connection, Company: c.ID, Name: c.Name, SeenAt: now}); err != nil {
				return err
			}
		}
		if err := t.MissCompanies(ctx, db.MissCompaniesParams{Connection: connection, GoneAt: now, SeenAt: now}); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

func mappingOf(r db.Mapping) access.Mapping {
	return access.Mapping{Connection: r.Connection, Customer: r.Customer, Company: r.Company, Name: r.Name, MappedAt: instant(r.MappedAt)}
}

// Mapping reads which company a customer is; access.NotFound if none is chosen.
func (s *Connections) Mapping(ctx context.Context, connection, customer string) (access.Mapping, error) {
	row, err := s.core.q().Mapping(ctx, db.MappingParams{Connection: connection, Customer: customer})
	if err != nil {
		return access.Mapping{}, fail("read the company of customer "+customer, err)
	}
	return mappingOf(row), nil
}

// Mappings lists the mappings of a connection.
func (s *Connections) Mappings(ctx context.Context, connection string) ([]access.Mapping, error) {
	rows, err := s.core.q().MappingsOf(ctx, connection)
	all, err := each(rows, err, sure(mappingOf))
	return all, fail("list the mappings of connection "+connection, err)
}

// SetMapping stores m; with an empty Company it takes the mapping away. A
// company that another customer has is access.Conflict.
func (s *Connections) SetMapping(ctx context.Context, m access.Mapping, events ...access.Event) error {
	tried := "map customer " + m.Customer
	err := s.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		var err error
		if m.Company == "" {
			err = t.DropMapping(ctx, db.DropMappingParams{Connection: m.Connection, Customer: m.Customer})
		} else {
			err = t.PutMapping(ctx, db.PutMappingParams{Connection: m.Connection, Customer: m.Customer, Company: m.Company, Name: m.Name, MappedAt: micros(m.MappedAt)})
		}
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
	return exists(tried, err)
}

// CustomerDesk reads the connection that a customer uses instead of the
// default one; empty if it uses that.
func (s *Connections) CustomerDesk(ctx context.Context, customer string) (string, error) {
	connection, err := s.core.q().CustomerDesk(ctx, customer)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return connection, fail("read the ticket system of customer "+customer, err)
}

// SetCustomerDesk stores it; empty takes it away.
func (s *Connections) SetCustomerDesk(ctx context.Context, customer, connection string, events ...access.Event) error {
	return s.core.write(ctx, "set the ticket system of customer "+customer, func(ctx context.Context, t *tx) error {
		var err error
		if connection == "" {
			err = t.DropCustomerDesk(ctx, customer)
		} else {
			err = t.PutCustomerDesk(ctx, db.PutCustomerDeskParams{Customer: customer, Connection: connection})
		}
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}
