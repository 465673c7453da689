package store

import (
	"context"

	"jitney/access"
	"jitney/store/db"
)

// Targets keeps targets and their sealed settings.
type Targets struct {
	core *core
}

// Target reads one target, without its secret settings.
func (s *Targets) Target(ctx context.Context, id string) (access.Target, error) {
	row, err := s.core.q().Target(ctx, id)
	if err != nil {
		return access.Target{}, fail("read target "+id, err)
	}
	return targetOf(row)
}

// Targets lists the targets of a customer, of every customer if it is empty,
// by name.
func (s *Targets) Targets(ctx context.Context, customer string) ([]access.Target, error) {
	var rows []db.Target
	var err error
	if customer == "" {
		rows, err = s.core.q().Targets(ctx)
	} else {
		rows, err = s.core.q().TargetsOf(ctx, customer)
	}
	targets, err := each(rows, err, targetOf)
	return targets, fail("list targets", err)
}

// SaveTarget stores n; Version 0 creates. Each sealed setting in secrets
// replaces the one of that name, an empty one erases it. The customer and the
// kind of a target never change.
func (s *Targets) SaveTarget(ctx context.Context, n access.Target, secrets map[string][]byte, events ...access.Event) (access.Target, error) {
	return s.save(ctx, n, secrets, events, nil)
}

// MoveTarget is SaveTarget with settings that lead elsewhere. If access is open
// at the target, it is access.Conflict with the code access.StillLive, and
// nothing is changed. Access that is asked for meanwhile waits until it is done.
func (s *Targets) MoveTarget(ctx context.Context, n access.Target, secrets map[string][]byte, events ...access.Event) (access.Target, error) {
	return s.save(ctx, n, secrets, events, func(ctx context.Context, t *tx) error {
		return t.vacant(ctx, onTarget(n.ID), n.ID, t.OpenOnTarget)
	})
}

// onTarget names what those who open access at a target are among.
func onTarget(id string) string { return "target " + id }

// vacant keeps others from opening access, and demands that find finds none.
func (t *tx) vacant(ctx context.Context, errand, id string, find func(context.Context, string) ([]string, error)) error {
	if err := t.alone(ctx, errand); err != nil {
		return err
	}
	found, err := find(ctx, id)
	if err == nil && len(found) > 0 {
		return &access.Error{Kind: access.Conflict, Code: access.StillLive, Text: "Access is live there.", Hint: "End it first."}
	}
	return err
}

func (s *Targets) save(ctx context.Context, n access.Target, secrets map[string][]byte, events []access.Event, first func(context.Context, *tx) error) (access.Target, error) {
	tried := "save target " + n.ID
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
		if err := saveTarget(ctx, t, tried, n, settings); err != nil {
			return err
		}
		for _, name := range sortedKeys(secrets) {
			var err error
			if sealed := secrets[name]; len(sealed) > 0 {
				err = t.PutTargetSecret(ctx, db.PutTargetSecretParams{Target: n.ID, Name: name, Sealed: sealed})
			} else {
				err = t.DropTargetSecret(ctx, db.DropTargetSecretParams{Target: n.ID, Name: name})
			}
			if err != nil {
				return err
			}
		}
		return t.record(ctx, events)
	})
	if err != nil {
		return access.Target{}, exists(tried, err)
	}
	n.Version++
	return n, nil
}

func saveTarget(ctx context.Context, t *tx, tried string, n access.Target, settings string) error {
	if n.Version == 0 {
		return t.InsertTarget(ctx, db.InsertTargetParams{
			ID: n.ID, Customer: n.Customer, Kind: n.Kind, Name: n.Name, Policy: n.Policy, AdminPolicy: n.AdminPolicy, Settings: settings,
			CreatedAt: micros(n.CreatedAt), DisabledAt: micros(n.DisabledAt), CheckedAt: micros(n.CheckedAt), Findings: encode(n.Findings),
		})
	}
	changed, err := t.UpdateTarget(ctx, db.UpdateTargetParams{
		ID: n.ID, Version: n.Version, Name: n.Name, Policy: n.Policy, AdminPolicy: n.AdminPolicy, Settings: settings,
		DisabledAt: micros(n.DisabledAt), CheckedAt: micros(n.CheckedAt), Findings: encode(n.Findings),
	})
	return stale(tried, changed, err)
}

// TargetSecrets reads the sealed settings of a target by name.
func (s *Targets) TargetSecrets(ctx context.Context, id string) (map[string][]byte, error) {
	rows, err := s.core.q().TargetSecrets(ctx, id)
	if err != nil {
		return nil, fail("read the sealed settings of target "+id, err)
	}
	secrets := make(map[string][]byte, len(rows))
	for _, r := range rows {
		secrets[r.Name] = r.Sealed
	}
	return secrets, nil
}
