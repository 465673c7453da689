package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target"
)

// targetReader reads targets.
type targetReader interface {
	Target(ctx context.Context, id string) (access.Target, error)
}

// targetStore is the part of the store that an opener reads.
type targetStore interface {
	targetReader
	TargetSecrets(ctx context.Context, id string) (map[string][]byte, error)
}

// An opener opens the Systems of targets and keeps them open while their
// settings stay as they are.
type opener struct {
	kinds  []target.Kind
	store  targetStore
	sealer broker.Sealer
	count  func(provider, code string) // each call to a System; may be nil

	mu   sync.Mutex
	open map[string]*opened
}

type opened struct {
	version int64
	raw     target.System
	system  target.System
}

// system opens the System of a target, or reports the one that is open.
func (o *opener) system(ctx context.Context, id string) (target.System, error) {
	return o.systemFrom(ctx, o.store, id)
}

// systemFrom is system, with the target read from where the caller says. An
// older version than the one that is open does not open that one again.
func (o *opener) systemFrom(ctx context.Context, from targetReader, id string) (target.System, error) {
	t, err := from.Target(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read target %s: %w", id, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.open[id]
	if old != nil && old.version >= t.Version {
		return old.system, nil
	}
	kind, settings, err := o.settings(ctx, t)
	if err != nil {
		return nil, err
	}
	raw, err := kind.Open(ctx, id, settings)
	if err != nil {
		return nil, fmt.Errorf("open target %s: %w", id, err)
	}
	if o.open == nil {
		o.open = map[string]*opened{}
	}
	o.open[id] = &opened{version: t.Version, raw: raw, system: measured(raw, kind.Name, o.count)}
	if old != nil {
		closeSystem(old.raw) // calls that are under way end with an error and are tried again
	}
	return o.open[id].system, nil
}

// settings reads what the kind of a target needs to open it.
func (o *opener) settings(ctx context.Context, t access.Target) (target.Kind, target.Settings, error) {
	settings := target.Settings{Values: t.Settings, Secrets: map[string]secret.Text{}}
	sealed, err := o.store.TargetSecrets(ctx, t.ID)
	if err != nil {
		return target.Kind{}, settings, fmt.Errorf("read settings of target %s: %w", t.ID, err)
	}
	for name, box := range sealed {
		if len(box) == 0 {
			continue
		}
		if settings.Secrets[name], err = o.sealer.Open(ctx, t.Customer, broker.SettingPlace(t.ID, name), box); err != nil {
			return target.Kind{}, settings, fmt.Errorf("open setting %s of target %s: %w", name, t.ID, err)
		}
	}
	for _, k := range o.kinds {
		if k.Name == t.Kind {
			return k, settings, nil
		}
	}
	return target.Kind{}, settings, &access.Error{Kind: access.Invalid, Text: "This program does not know the kind of target " + t.Kind + ".",
		Hint: "Start the version of Jitney that made this target."}
}

func (o *opener) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.open {
		closeSystem(s.raw)
	}
	clear(o.open)
}

func closeSystem(s target.System) {
	if c, ok := s.(io.Closer); ok {
		_ = c.Close()
	} else if c, ok := s.(interface{ Close() }); ok {
		c.Close()
	}
}
