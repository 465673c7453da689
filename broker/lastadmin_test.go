package broker_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/lab"
	"jitney/store"
)

// TestTwoProcessesLeaveAnAdministrator lets two administrators, each at another
// process of one database, disable each other or take away each other's role
// in the same moment.
func TestTwoProcessesLeaveAnAdministrator(t *testing.T) {
	for engine, name := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(t.TempDir(), "jitney.db") },
		"postgres": func() string { return lab.Postgres(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			ctx, name := t.Context(), name()
			var stores [2]*store.Store
			var people [2]access.Person
			for i := range stores {
				s, err := store.Open(ctx, name)
				check(t, err)
				t.Cleanup(func() { check(t, s.Close()) })
				stores[i] = s
				id := fmt.Sprint("admin", i)
				people[i], err = s.People.SavePerson(ctx, access.Person{ID: id, Login: id, Name: id, Roles: []access.Role{access.Administrator}, CreatedAt: time.Now()})
				check(t, err)
			}
			for round := range 20 {
				var both sync.WaitGroup
				now := make(chan struct{})
				for i, s := range stores {
					staff := broker.New(broker.Ports{People: s.People}).People
					me, other := people[i], people[1-i]
					both.Go(func() {
						<-now
						if round%2 == 0 {
							_, _ = staff.Disable(ctx, me, other.ID, false, "Leaving.")
							return
						}
						_, _ = staff.Save(ctx, me, broker.PersonInput{ID: other.ID, Version: other.Version, Login: other.Login, Name: other.Name, Roles: []access.Role{access.Auditor}})
					})
				}
				close(now)
				both.Wait()
				left := 0
				for i, was := range people {
					now, err := stores[0].People.Person(ctx, was.ID)
					check(t, err)
					if now.Is(access.Administrator) && now.DisabledAt.IsZero() {
						left++
					}
					was.Version = now.Version
					people[i], err = stores[0].People.SavePerson(ctx, was)
					check(t, err)
				}
				if left != 1 {
					t.Fatalf("round %d: %d administrators are left, want the one who was first", round, left)
				}
			}
		})
	}
}
