package store_test

import (
	"testing"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store"
)

func TestTokens(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		add := func(id, kind, person string, customers []string, expires time.Time) {
			t.Helper()
			n := access.Token{ID: id, Kind: kind, Name: "Name of " + id, Person: person, Admin: id == "one", Customers: customers,
				CreatedAt: now, CreatedBy: "ada", ExpiresAt: expires, Machine: "m", Application: "a"}
			if err := s.Tokens.AddToken(ctx, n, "hash of "+id, access.Letter{}, access.Event{At: now, Kind: "token.created", Actor: "ada", Subject: person}); err != nil {
				t.Fatal(err)
			}
		}
		read := func(id string) access.Token {
			t.Helper()
			n, err := s.Tokens.TokenByHash(ctx, "hash of "+id)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		add("one", access.TokenAPI, "maya", []string{"aviary"}, now.Add(time.Hour))
		add("none", access.TokenAPI, "maya", []string{}, now.Add(time.Hour))
		add("cli", access.TokenCLI, "maya", nil, now.Add(time.Hour))
		add("other", access.TokenAPI, "priya", nil, now.Add(time.Hour))
		one := read("one")
		if !one.Admin || len(one.Customers) != 1 || one.Name != "Name of one" || !one.ExpiresAt.Equal(now.Add(time.Hour)) || one.Machine != "m" || one.CreatedBy != "ada" {
			t.Errorf("%+v", one)
		}
		if n := read("none"); n.Customers == nil || len(n.Customers) != 0 {
			t.Errorf("a token for no customer is for %v", n.Customers)
		}
		if n := read("cli"); n.Customers != nil || n.Admin {
			t.Errorf("%+v", n)
		}
		wantKind(t, s.Tokens.AddToken(ctx, access.Token{ID: "again"}, "hash of one", access.Letter{}), access.Conflict)
		_, err := s.Tokens.TokenByHash(ctx, "one")
		wantKind(t, err, access.NotFound)

		for _, at := range []time.Duration{time.Minute, time.Second} { // the later use stays
			if err := s.Tokens.UseToken(ctx, "one", now.Add(at), "192.0.2."+at.String()); err != nil {
				t.Fatal(err)
			}
		}
		if one = read("one"); !one.UsedAt.Equal(now.Add(time.Minute)) || one.UsedFrom != "192.0.2.1m0s" {
			t.Errorf("used %v from %s", one.UsedAt, one.UsedFrom)
		}
		for _, by := range []string{"ada", "somebody"} { // the first revocation stays
			if err := s.Tokens.RevokeToken(ctx, "one", now, by); err != nil {
				t.Fatal(err)
			}
		}
		if one = read("one"); one.RevokedBy != "ada" || one.Live(now) {
			t.Errorf("%+v", one)
		}
		if all, err := s.Tokens.Tokens(ctx, "maya"); err != nil || len(all) != 3 {
			t.Errorf("%d of maya, %v", len(all), err)
		}
		if all, err := s.Tokens.Tokens(ctx, ""); err != nil || len(all) != 4 {
			t.Errorf("%d in all, %v", len(all), err)
		}
		add("old", access.TokenCLI, "maya", nil, now.AddDate(0, 0, -8))
		add("new", access.TokenCLI, "maya", nil, now.Add(time.Hour))
		_, err = s.Tokens.TokenByHash(ctx, "hash of old")
		wantKind(t, err, access.NotFound)
	})
}

func TestANewPasswordEndsCommandLines(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC()
		if _, err := s.People.SavePerson(ctx, access.Person{ID: "maya", Login: "maya@msp.example", CreatedAt: t0}); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{access.TokenAPI, access.TokenCLI} {
			if err := s.Tokens.AddToken(ctx, access.Token{ID: kind, Kind: kind, Person: "maya", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, kind, access.Letter{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.People.SetPassword(ctx, "maya", "hash", ""); err != nil {
			t.Fatal(err)
		}
		for kind, want := range map[string]bool{access.TokenAPI: true, access.TokenCLI: false} {
			if n, err := s.Tokens.TokenByHash(ctx, kind); err != nil || n.Live(now) != want {
				t.Errorf("%s: live is %v, %v", kind, n.Live(now), err)
			}
		}
	})
}

func TestPeopleAreToldBeforeATokenEnds(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC()
		letter := access.Letter{Person: "maya", Admins: true, Subject: "It ends", Body: "Soon."}
		for id, left := range map[string]time.Duration{"short": time.Hour, "due": access.TokenWarning + 300*time.Millisecond, "long": access.TokenLongest, "gone": access.TokenWarning + 300*time.Millisecond} {
			n := access.Token{ID: id, Kind: access.TokenAPI, Person: "maya", CreatedAt: now, ExpiresAt: now.Add(left)}
			if err := s.Tokens.AddToken(ctx, n, id, letter); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Tokens.RevokeToken(ctx, "gone", now, "ada"); err != nil {
			t.Fatal(err)
		}
		var keys []string
		deadline := time.Now().Add(time.Minute)
		for len(keys) == 0 && time.Now().Before(deadline) {
			items, err := s.Outbox.Claim(ctx, schedule.Claim{Owner: "me", For: time.Minute, Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range items {
				keys = append(keys, i.Value.Key)
			}
		}
		if len(keys) != 1 || keys[0] != "mail:token:due" {
			t.Errorf("to be sent: %v", keys)
		}
	})
}

func TestPairings(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		n := access.Pairing{ID: "p1", Application: "jitney", Machine: "dev-box", User: "maya", Tenant: "Aviary Foods", Admin: true, Challenge: "challenge",
			State: "state", Port: 43123, Code: "ABCD-EFGH", Address: "192.0.2.7", CreatedAt: now, ExpiresAt: now.Add(access.PairingFor)}
		if err := s.Pairings.AddPairing(ctx, n); err != nil {
			t.Fatal(err)
		}
		twin := n
		twin.ID = "p2"
		wantKind(t, s.Pairings.AddPairing(ctx, twin), access.Conflict)
		read, err := s.Pairings.PairingByCode(ctx, "ABCD-EFGH")
		n.Version = 1
		if err != nil || read != n {
			t.Errorf("%+v, %v", read, err)
		}
		stale := read
		read.Person, read.Login, read.OneTime, read.DecidedAt = "maya", "maya@msp.example", "hash", now
		if err := s.Pairings.UpdatePairing(ctx, read, access.Event{At: now, Kind: "pairing.authorized", Actor: "maya", Subject: "p1"}); err != nil {
			t.Fatal(err)
		}
		stale.Person = "priya"
		wantKind(t, s.Pairings.UpdatePairing(ctx, stale), access.Conflict)
		token := access.Token{ID: "t1", Kind: access.TokenCLI, Person: "maya", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
		wantKind(t, s.Pairings.DeliverPairing(ctx, stale, token, "hash of t1"), access.Conflict)
		if _, err := s.Tokens.TokenByHash(ctx, "hash of t1"); access.KindOf(err) != access.NotFound {
			t.Errorf("a token of a pairing that was not delivered: %v", err)
		}
		if read, err = s.Pairings.Pairing(ctx, "p1"); err != nil || read.Person != "maya" || read.OneTime != "hash" || read.StateAt(now) != access.PairingAuthorized {
			t.Errorf("%+v, %v", read, err)
		}
		read.DeliveredAt, read.OneTime = now, ""
		if err := s.Pairings.DeliverPairing(ctx, read, token, "hash of t1"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Pairings.DeliverPairing(ctx, read, token, "hash of t2"), access.Conflict)
		if _, err := s.Tokens.TokenByHash(ctx, "hash of t1"); err != nil {
			t.Error(err)
		}
		old := access.Pairing{ID: "old", Code: "OLDO-LDOL", ExpiresAt: now.Add(-2 * time.Hour)}
		for _, p := range []access.Pairing{old, {ID: "next", Code: "NEXT-NEXT", ExpiresAt: now.Add(time.Minute)}} {
			if err := s.Pairings.AddPairing(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		_, err = s.Pairings.Pairing(ctx, "old")
		wantKind(t, err, access.NotFound)
	})
}
