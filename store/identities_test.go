package store_test

import (
	"testing"
	"time"

	"jitney/access"
	"jitney/store"
)

func TestIdentities(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		for _, id := range []string{"maya", "priya"} {
			if _, err := s.People.SavePerson(ctx, access.Person{ID: id, Login: id + "@msp.example", Name: id, CreatedAt: now}); err != nil {
				t.Fatal(err)
			}
		}
		link := func(issuer, subject, person string) error {
			return s.People.Link(ctx, access.Identity{Issuer: issuer, Subject: subject, Person: person, Name: "name of " + subject, LinkedAt: now},
				access.Event{At: now, Kind: "person.linked", Actor: person, Subject: person})
		}
		if err := link("https://one.example", "s-1", "maya"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, link("https://one.example", "s-1", "priya"), access.Conflict)
		wantKind(t, link("https://one.example", "s-2", "maya"), access.Conflict)
		wantKind(t, link("https://one.example", "s-3", "nobody"), access.NotFound)
		for _, other := range [][3]string{{"https://one.example", "s-2", "priya"}, {"https://two.example", "s-1", "maya"}} {
			if err := link(other[0], other[1], other[2]); err != nil {
				t.Fatal(err)
			}
		}
		n, err := s.People.Identity(ctx, "https://one.example", "s-1")
		if err != nil || n.Person != "maya" || n.Name != "name of s-1" || !n.LinkedAt.Equal(now) {
			t.Errorf("%+v, %v", n, err)
		}
		_, err = s.People.Identity(ctx, "https://two.example", "s-2")
		wantKind(t, err, access.NotFound)

		visit := access.Visit{Key: "k", Person: "maya", Data: []byte("{}"), BegunAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
		if err := s.Sessions.AddSession(ctx, visit); err != nil {
			t.Fatal(err)
		}
		if err := s.People.Unlink(ctx, "maya", access.Event{At: now, Kind: "person.unlinked", Actor: "ada", Subject: "maya"}); err != nil {
			t.Fatal(err)
		}
		if all, err := s.People.IdentitiesOf(ctx, "maya"); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
		if all, err := s.People.IdentitiesOf(ctx, "priya"); err != nil || len(all) != 1 {
			t.Errorf("of somebody else: %+v, %v", all, err)
		}
		_, err = s.Sessions.Session(ctx, "k")
		wantKind(t, err, access.NotFound)
		if err := link("https://one.example", "s-4", "maya"); err != nil {
			t.Error("cannot be linked again:", err)
		}
	})
}
