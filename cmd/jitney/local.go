package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
)

// localPeople are the people of an installation and, beside them, whoever may
// read its database and keys on the server itself. That one acts as an
// administrator and is recorded by the name that the system knows.
type localPeople struct {
	people broker.People
	local  access.Person
}

// Person reads one person.
func (l localPeople) Person(ctx context.Context, id string) (access.Person, error) {
	if id == l.local.ID {
		return l.local, nil
	}
	return l.people.Person(ctx, id)
}

// People lists everybody.
func (l localPeople) People(ctx context.Context) ([]access.Person, error) {
	all, err := l.people.People(ctx)
	for _, p := range all {
		if p.ID == l.local.ID {
			return all, err
		}
	}
	return append(all[:len(all):len(all)], l.local), err
}

// SavePerson stores a person; the one at the server is none of them.
func (l localPeople) SavePerson(ctx context.Context, p access.Person, events ...access.Event) (access.Person, error) {
	return l.people.SavePerson(ctx, p, events...)
}

// SavePersonIf stores a person. The one at the server counts as well: they can
// add the first people, and make another administrator at any time.
func (l localPeople) SavePersonIf(ctx context.Context, p access.Person, allowed func([]access.Person) error, events ...access.Event) (access.Person, error) {
	return l.people.SavePersonIf(ctx, p, func(stored []access.Person) error {
		return allowed(append(stored[:len(stored):len(stored)], l.local))
	}, events...)
}

// actor is who acts on the server's own terminal: the administrator with the
// login as, or, if that is empty, the user of the operating system.
func actor(ctx context.Context, people broker.People, as string) (access.Person, error) {
	if as == "" {
		return osUser(), nil
	}
	all, err := people.People(ctx)
	if err != nil {
		return access.Person{}, err
	}
	for _, p := range all {
		if !strings.EqualFold(p.Login, as) || !p.DisabledAt.IsZero() {
			continue
		}
		if !p.Is(access.Administrator) {
			return access.Person{}, &failure{code: exitDenied, what: "act as " + as, err: errors.New("not an administrator"), hint: "Name an administrator with --as, or leave it out."}
		}
		return p, nil
	}
	return access.Person{}, &failure{code: exitNotFound, what: "act as " + as, err: errors.New("nobody who may sign in has this login"), hint: "Name an administrator with --as, or leave it out."}
}

// osUser is the user of the operating system as a person of jitney. With sudo
// it is the one who called it.
func osUser() access.Person {
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); err == nil && (name == "" || u.Uid != "0") {
		name = u.Username
	}
	if name == "" {
		name = "unknown"
	}
	return access.Person{ID: "local:" + name, Login: name, Name: name + " (on the server)", Roles: []access.Role{access.Administrator, access.Auditor},
		AllCustomers: true, CreatedAt: time.Now().UTC()}
}
