package ticket

import (
	"context"

	"jitney/access"
	"jitney/secret"
)

// Settings are the values of a Kind's fields for one connection.
type Settings struct {
	Values  map[string]string      // fields that are no secret
	Secrets map[string]secret.Text // fields that are
}

// A Kind describes one kind of ticket system, and opens it. The settings form
// is made from it.
type Kind struct {
	Name  string // stable, stored in the database: "rt"
	Title string // for people: "Request Tracker"

	// Company is what the system calls that which is mapped to a customer, one
	// word in lower case such as "queue"; empty if a customer's own ID is used
	// and there is nothing to map.
	Company string
	Fields  []Field // none if there is nothing to set

	// Sites are domains on whose hosts people open tickets, beside the host of
	// the setting "url": "autotask.net". Links to any other are not shown.
	Sites []string

	// Valid reports what is wrong with settings, as *access.Error; nil if
	// nothing. A Kind without fields has none.
	Valid func(Settings) error

	// Open prepares a System; it connects when it is used. Settings that Valid
	// refuses are its only error. The System is used by many goroutines at
	// once, and closed by Close if it has that method.
	Open func(ctx context.Context, s Settings) (System, error)
}

// A Field is one setting of a Kind.
type Field = access.Field

// A Company is what tickets are told apart by, such as a queue or a project.
type Company struct {
	ID     string // immutable, the system's own
	Name   string
	Closed bool // still there, but not in use any more
}

// An Importer is a System that can list its companies, for the mapping to
// customers.
type Importer interface {
	// Companies lists those that can be seen, at most some thousands.
	Companies(ctx context.Context) ([]Company, error)
}

// An Option is one value that can be chosen for a Field.
type Option struct{ Value, Title string }

// A Picker is a System that can tell what can be chosen for a field.
type Picker interface {
	Options(ctx context.Context, field string) ([]Option, error)
}

// An Editioned is a System that knows which version of its connection's
// settings it was opened with.
type Editioned interface{ Edition() int64 }

// As finds what else s, or the System that it wraps, can do: it is a Checker,
// an Importer or a Picker. A System that wraps one has the method
// Unwrap() System.
func As[Ability any](s System) (Ability, bool) {
	for s != nil {
		if able, ok := s.(Ability); ok {
			return able, true
		}
		w, ok := s.(interface{ Unwrap() System })
		if !ok {
			break
		}
		s = w.Unwrap()
	}
	var none Ability
	return none, false
}
