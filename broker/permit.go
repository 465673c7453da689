package broker

import (
	"context"
	"errors"

	"jitney/access"
)

// notFound is the one answer for what does not exist and for what is not
// yours to see.
func notFound() error {
	return &access.Error{Kind: access.NotFound, Text: "There is nothing here, or it is not yours to see.",
		Hint: "Check the address, or ask an administrator for access to the customer."}
}

func denied(text, hint string) error {
	return &access.Error{Kind: access.Denied, Text: text, Hint: hint}
}

// hide turns every NotFound into the one that tells nothing.
func hide(err error) error {
	if err != nil && access.KindOf(err) == access.NotFound {
		return notFound()
	}
	return err
}

// gate knows what a person may do.
type gate struct{ people People }

// fresh reads who again, so that rights taken away a moment ago are gone, and
// demands one of the roles; none means that any person who is enabled will do.
func (g gate) fresh(ctx context.Context, who access.Person, roles ...access.Role) (access.Person, error) {
	p, err := g.people.Person(ctx, who.ID)
	if err != nil {
		return access.Person{}, hide(err)
	}
	return p, allow(p, roles...)
}

// allow demands that who is enabled and holds one of the roles. What it
// refuses does not exist for who.
func allow(who access.Person, roles ...access.Role) error {
	if who.ID == "" || !who.DisabledAt.IsZero() {
		return notFound()
	}
	for _, r := range roles {
		if who.Is(r) {
			return nil
		}
	}
	if len(roles) == 0 {
		return nil
	}
	return notFound()
}

// sees reports whether who may know about things of the customer.
func sees(who access.Person, customer string) bool {
	switch {
	case who.ID == "" || !who.DisabledAt.IsZero():
		return false
	case who.Is(access.Administrator), who.Is(access.Auditor):
		return true
	default:
		return (who.Is(access.Requester) || who.Is(access.Approver)) && who.WorksFor(customer)
	}
}

// seesGrant reports whether who may see g. Whoever holds access may always see
// it, so that they can end it, even when they work for the customer no more.
func seesGrant(who access.Person, g access.Grant) bool {
	if who.ID == "" || !who.DisabledAt.IsZero() {
		return false
	}
	return g.Requester == who.ID || sees(who, g.Customer)
}

// asks reports whether who may ask for access to the customer's targets.
func asks(who access.Person, customer string) bool {
	return who.ID != "" && who.DisabledAt.IsZero() && who.Is(access.Requester) && who.WorksFor(customer)
}

// visible lists the customers that who sees; nil means all.
func visible(who access.Person) []string {
	switch {
	case who.ID == "" || !who.DisabledAt.IsZero():
		return []string{}
	case who.Is(access.Administrator), who.Is(access.Auditor):
		return nil
	case !who.Is(access.Requester) && !who.Is(access.Approver):
		return []string{}
	case who.AllCustomers:
		return nil
	case who.Customers == nil:
		return []string{}
	default:
		return who.Customers
	}
}

// An Invalid says what is wrong with each field of an input. It unwraps to an
// *access.Error of Kind access.Invalid.
type Invalid struct {
	Fields []access.FieldError
}

func (e *Invalid) Error() string { return e.sum().Error() }

// Unwrap reports the first problem as an *access.Error.
func (e *Invalid) Unwrap() error { return e.sum() }

func (e *Invalid) sum() *access.Error {
	out := &access.Error{Kind: access.Invalid, Text: "Something is missing or wrong."}
	if len(e.Fields) > 0 {
		out.Text = e.Fields[0].Text
	}
	return out
}

// FieldsOf reports what err says about single fields; nil if nothing.
func FieldsOf(err error) []access.FieldError {
	if e, ok := errors.AsType[*Invalid](err); ok {
		return e.Fields
	}
	return nil
}

func invalid(field, text string) error {
	return &Invalid{Fields: []access.FieldError{{Field: field, Text: text}}}
}
