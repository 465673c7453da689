package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"jitney/access"
	"jitney/store/db"
)

// Rules keeps policies and the few settings of the whole installation.
type Rules struct {
	core   *core
	people *People
}

// Policy reads the newest version of a policy. Those that are built in are
// there also before they were ever saved.
func (r *Rules) Policy(ctx context.Context, name string) (access.Policy, error) {
	row, err := r.core.q().Policy(ctx, name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if p, ok := access.BuiltIn(name); ok {
			return p, nil
		}
		fallthrough
	case err != nil:
		return access.Policy{}, fail("read policy "+name, err)
	}
	return policyOf(row), nil
}

// Policies lists the newest version of every policy, by name.
func (r *Rules) Policies(ctx context.Context) ([]access.Policy, error) {
	rows, err := r.core.q().Policies(ctx)
	policies, err := each(rows, err, sure(policyOf))
	if err != nil {
		return nil, fail("list policies", err)
	}
	var missing []access.Policy
	for _, b := range access.BuiltIns() {
		if !slices.ContainsFunc(policies, func(p access.Policy) bool { return p.Name == b.Name }) {
			missing = append(missing, b)
		}
	}
	return append(missing, policies...), nil
}

// SavePolicy stores p as version p.Version+1; access.Conflict if p.Version is
// not the newest. Version 0 makes a new policy.
func (r *Rules) SavePolicy(ctx context.Context, p access.Policy, events ...access.Event) (access.Policy, error) {
	tried := "save policy " + p.Name
	err := r.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		newest, err := t.Policy(ctx, p.Name)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
			if b, ok := access.BuiltIn(p.Name); ok {
				newest.Version = b.Version
			}
		}
		if err != nil {
			return err
		}
		if newest.Version != p.Version {
			return conflict(tried)
		}
		err = t.InsertPolicy(ctx, db.InsertPolicyParams{
			Name: p.Name, Version: p.Version + 1, Title: p.Title, DefaultDuration: p.Default.Microseconds(), MaxDuration: p.Max.Microseconds(),
			StartWithin: p.StartWithin.Microseconds(), MinReason: int64(p.MinReason), NeedsApproval: p.NeedsApproval,
			Password: string(p.Password), EndOrphans: p.EndOrphans, ChangedAt: micros(p.ChangedAt), ChangedBy: p.ChangedBy,
			Rules: encodeAny(rulesOf(p)),
		})
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
	if isUnique(err) { // two replicas saved at once
		err = conflict(tried)
	}
	if err != nil {
		return access.Policy{}, err
	}
	p.Version++
	return p, nil
}

// Setting reads a setting; empty if it was never set.
func (r *Rules) Setting(ctx context.Context, key string) (string, error) {
	value, err := r.core.q().Setting(ctx, key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, fail("read setting "+key, err)
}

// SetSetting stores a setting.
func (r *Rules) SetSetting(ctx context.Context, key, value string, events ...access.Event) error {
	return r.core.write(ctx, "store setting "+key, func(ctx context.Context, t *tx) error {
		if err := t.PutSetting(ctx, db.PutSettingParams{Name: key, Value: value}); err != nil {
			return err
		}
		return t.record(ctx, events)
	})
}

// Person reads one person, as [People] does.
func (r *Rules) Person(ctx context.Context, id string) (access.Person, error) {
	return r.people.Person(ctx, id)
}
