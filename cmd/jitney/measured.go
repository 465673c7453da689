package main

import (
	"context"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// measured makes a System that counts the calls to s by how they ended. What
// else s can do is found by target.As.
func measured(s target.System, provider string, count func(provider, code string)) target.System {
	if count == nil {
		return s
	}
	return counted{s, func(err error) error { count(provider, code(err)); return err }}
}

// code is how a call ended, for the metric: "ok" or the kind of its error.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	return string(access.KindOf(err))
}

type counted struct {
	target.System
	seen func(error) error
}

// Unwrap is what target.As looks into.
func (c counted) Unwrap() target.System { return c.System }

func (c counted) Observe(ctx context.Context, a access.Account) (access.Observation, error) {
	o, err := c.System.Observe(ctx, a)
	return o, c.seen(err)
}

func (c counted) Apply(ctx context.Context, a access.Account, want access.Want, password secret.Text) error {
	return c.seen(c.System.Apply(ctx, a, want, password))
}

func (c counted) Remove(ctx context.Context, a access.Account) error {
	return c.seen(c.System.Remove(ctx, a))
}
