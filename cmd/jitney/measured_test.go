package main

import (
	"context"
	"errors"
	"testing"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// modest is a System that can do no more, and fails as it is told.
type modest struct{ err error }

func (p modest) Observe(context.Context, access.Account) (access.Observation, error) {
	return access.Observation{}, p.err
}
func (p modest) Apply(context.Context, access.Account, access.Want, secret.Text) error { return p.err }
func (p modest) Remove(context.Context, access.Account) error                          { return p.err }

type lister struct{}

func (lister) List(context.Context) ([]access.Account, error) { return nil, nil }

type witness struct{}

func (witness) Snapshot(context.Context) (string, error)       { return "", nil }
func (witness) Compare(before, after string) ([]string, error) { return nil, nil }

type checker struct{}

func (checker) Check(context.Context) ([]access.Finding, error) { return nil, nil }

// A measured System must be able to do what the System can, and not more: the
// program asks for each ability and believes the answer.
func TestMeasuredKeepsAbilities(t *testing.T) {
	for name, s := range map[string]target.System{
		"nothing more": modest{},
		"list": struct {
			modest
			lister
		}{},
		"witness": struct {
			modest
			witness
		}{},
		"check": struct {
			modest
			checker
		}{},
		"list and witness": struct {
			modest
			lister
			witness
		}{},
		"list and check": struct {
			modest
			lister
			checker
		}{},
		"witness and check": struct {
			modest
			witness
			checker
		}{},
		"everything": struct {
			modest
			lister
			witness
			checker
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			m := measured(s, "test", func(string, string) {})
			_, list := target.As[target.Lister](s)
			_, see := target.As[target.Witness](s)
			_, check := target.As[target.Checker](s)
			if _, ok := target.As[target.Lister](m); ok != list {
				t.Errorf("lists: %v; want %v", ok, list)
			}
			if _, ok := target.As[target.Witness](m); ok != see {
				t.Errorf("sees: %v; want %v", ok, see)
			}
			if _, ok := target.As[target.Checker](m); ok != check {
				t.Errorf("checks: %v; want %v", ok, check)
			}
		})
	}
}

func TestMeasuredCounts(t *testing.T) {
	counts := map[string]int{}
	count := func(provider, code string) { counts[provider+" "+code]++ }
	for _, err := range []error{nil, &access.Error{Kind: access.Unavailable}, errors.New("anything")} {
		m := measured(modest{err}, "ad", count)
		_, _ = m.Observe(t.Context(), access.Account{})
		_ = m.Apply(t.Context(), access.Account{}, access.Want{}, secret.Text{})
		_ = m.Remove(t.Context(), access.Account{})
	}
	for _, code := range []string{"ad ok", "ad unavailable", "ad internal"} {
		if counts[code] != 3 {
			t.Errorf("%s was counted %d times; want 3", code, counts[code])
		}
	}
}
