package fake

import (
	"context"
	"strings"

	"jitney/access"
	"jitney/target"
)

// Name is the stored name of the kind.
const Name = "fake"

// The entitlements of a practice target.
const (
	Admin  = "admin"
	Helper = "helper"
)

// Kind describes practice targets. realm finds the Realm of a target by its
// ID; it is called once for every System that is opened.
func Kind(realm func(targetID string) *Realm) target.Kind {
	return target.Kind{
		Name: Name, Title: "Practice target", Icon: "flask-conical",
		Fields: []target.Field{{Name: "domain", Title: "Domain", Help: "What comes after the @ of account names.", Example: "practice.example"}},
		Entitlements: target.Offer(
			target.Entitlement{Name: Admin, Title: "Administrator", Help: "Everything on the practice target."},
			target.Entitlement{Name: Helper, Title: "Helper", Help: "A little on the practice target."},
		),
		Handover: target.Password("There is nothing to sign in to: this target is for practice."),
		Shared:   true,
		AtTheEnd: "The account loses its rights, is disabled, and its password is reset twice.",
		Outlives: "Nothing outlives the end on a practice target.",
		Username: func(s target.Settings, h access.Holder) string { return username(s.Values["domain"], h) },
		GrantNote: func(a access.Account, _ string) string {
			return "The practice account " + a.Username + " is now enabled"
		},
		EndNote: func(a access.Account, _ string) string {
			return "Access has been revoked: the practice account " + a.Username + " has lost its rights, is disabled, and its password has been reset."
		},
		Open: func(_ context.Context, targetID string, s target.Settings) (target.System, error) {
			return &System{realm: realm(targetID), domain: s.Values["domain"]}, nil
		},
	}
}

func username(domain string, h access.Holder) string {
	if domain == "" {
		domain = "practice.example"
	}
	name, _, _ := strings.Cut(h.Login, "@")
	return name + "@" + domain
}
