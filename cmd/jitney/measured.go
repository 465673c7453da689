package main

import (
	"context"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// measured makes a System that counts the calls to s by how they ended. It can
// do what s can do, and not more.
func measured(s target.System, provider string, count func(provider, code string)) target.System {
	if count == nil {
		return s
	}
	base := counted{s, func(err error) error { count(provider, code(err)); return err }}
	list, canList := s.(target.Lister)
	see, canSee := s.(target.Witness)
	check, canCheck := s.(target.Checker)
	switch {
	case canList && canSee && canCheck:
		return struct {
			counted
			target.Lister
			target.Witness
			target.Checker
		}{base, list, see, check}
	case canList && canSee:
		return struct {
			counted
			target.Lister
			target.Witness
		}{base, list, see}
	case canList && canCheck:
		return struct {
			counted
			target.Lister
			target.Checker
		}{base, list, check}
	case canSee && canCheck:
		return struct {
			counted
			target.Witness
			target.Checker
		}{base, see, check}
	case canList:
		return struct {
			counted
			target.Lister
		}{base, list}
	case canSee:
		return struct {
			counted
			target.Witness
		}{base, see}
	case canCheck:
		return struct {
			counted
			target.Checker
		}{base, check}
	default:
		return base
	}
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
