package aws

import (
	"context"
	"strings"
	"testing"
	"time"

	"jitney/access"
	sim "jitney/sim/aws"
)

func TestADenyOfOnePersonByTheCustomerIsNoProof(t *testing.T) {
	inTime(t, sim.Options{Delay: 30 * time.Second}, func(t *testing.T, w *world) {
		w.putPolicy("northwind-prod", "guard", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["iam:*"],"Resource":"*","Condition":{"StringLike":{"aws:userid":"*:ada.lovelace@*"}}},{"Effect":"Allow","Action":["sts:GetAccessKeyInfo","iam:GetRole"],"Resource":"*"}]}`)
		time.Sleep(time.Minute)
		a := account(firstID)
		k := w.session(w.open(), &a, asked(30*time.Minute))
		w.remove(w.open(), a)
		time.Sleep(10 * time.Second)
		if o := w.observe(w.open(), a); o.Clean() || !w.lists(k) {
			t.Fatalf("works %v: %+v", w.lists(k), o)
		}
		time.Sleep(time.Minute)
		if o := w.observe(w.open(), a); !o.Clean() || w.lists(k) {
			t.Errorf("works %v: %+v", w.lists(k), o)
		}
	})
}

func TestAClockThatJumpsAheadEndsNothing(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		w.SetSkew(0)
		a := account(firstID)
		k := w.session(w.open(), &a, asked(time.Hour))
		time.Sleep(2 * time.Hour)
		w.SetSkew(-2 * time.Hour) // it was not two hours, but two minutes
		o, err := w.open().Observe(context.Background(), a)
		if err == nil && o.Clean() && w.lists(k) {
			t.Errorf("clean, and the keys work: %+v", o)
		}
	})
}

func TestADenyFromTheFutureIsWrittenAgain(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(), &a, asked(8*time.Hour))
		w.putPolicy("northwind-prod", denyName(k.ExpiresAt.Add(time.Second), markOf(a)), denyText(time.Now().Add(3*time.Hour), 0, markOf(a)))
		o := w.settle(a, 5*time.Minute)
		if w.lists(k) || !strings.Contains(o.Facts[0].Found, "read back") {
			t.Errorf("%+v", o)
		}
	})
}

func TestTheLongestOfSeveralSessionsCounts(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a, ask := account(firstID), asked(3*time.Hour)
		ask.Length = 3 * time.Hour
		w.values[fieldTenant] = "Admin2"
		w.other.AddRole(sim.RoleSpec{Name: "Admin2", MaxSession: 12 * time.Hour, Trust: trustOf(alsoTags), Policies: map[string]string{"s3": s3Policy}})
		long := w.session(w.open(), &a, ask)
		ask.Length = 15 * time.Minute
		short := w.session(w.open(), &a, ask)
		a.Issued = []access.Issued{{Entitlement: Tenant, Count: 1, EndsAt: long.EndsAt, ExpiresAt: long.ExpiresAt}, {Entitlement: Tenant, Count: 1, EndsAt: short.EndsAt, ExpiresAt: short.ExpiresAt}}
		time.Sleep(time.Hour)
		for _, edit := range []string{yes, no} {
			if o := w.observe(w.open(fieldEdit, edit), a); o.Clean() || !o.Shows(Tenant) || !w.lists(long) {
				t.Errorf("the long one works %v: %+v", w.lists(long), o)
			}
		}
		w.settle(a, time.Minute)
		if w.lists(long) {
			t.Error("the keys work")
		}
		a.Issued[0].ExpiresAt = a.Issued[0].ExpiresAt.Add(time.Hour) // the deny would go too early
		if o := w.observe(w.open(), a); o.Clean() {
			t.Errorf("a deny that goes before the last key does: %+v", o)
		}
	})
}

// TestAnEndThatWasProvedIsOnlyReadAgain is about looks long after the end: as
// long as the very deny stands that was proved, nothing is tried again.
func TestAnEndThatWasProvedIsOnlyReadAgain(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		w.session(w.open(), &a, asked(time.Hour))
		a.Seen = w.settle(a, time.Minute)
		proof := a.Seen.Facts[1]
		time.Sleep(5 * time.Minute)
		tries := len(w.tenant.Sessions())
		if a.Seen = w.observe(w.open(), a); !a.Seen.Clean() || a.Seen.Facts[1] != proof || len(w.tenant.Sessions()) != tries {
			t.Errorf("tried again: %+v", a.Seen)
		}
		w.dropPolicy(ours(w.tenant)[0])
		if o := w.observe(w.open(), a); o.Clean() {
			t.Errorf("deleted: %+v", o)
		}
		w.remove(w.open(), a)
		time.Sleep(2 * believed)
		if o := w.observe(w.open(), a); !o.Clean() || o.Facts[1] == proof || len(w.tenant.Sessions()) == tries {
			t.Errorf("put again, and not tried: %+v", o)
		}
	})
}

// TestAMergeThatHasRoomForHalf is about a role on which not all denies fit into
// one: those that were left out must stay.
func TestAMergeThatHasRoomForHalf(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		accounts, keys := w.ended(6)
		w.fill(230) // for three of them
		sys := w.open()
		all, err := ledger{sys.client}.denies(t.Context(), sys.roles[0])
		if err != nil || len(all) != 6 {
			t.Fatalf("%d denies, %v", len(all), err)
		}
		left, err := ledger{sys.client}.merge(t.Context(), sys.roles[0], all, 2, 0)
		if err != nil || len(left) != 4 || len(ours(w.tenant)) != 4 {
			t.Errorf("%d are left, and %q: %v", len(left), ours(w.tenant), err)
		}
		time.Sleep(2 * believed)
		for i, k := range keys {
			if w.lists(k) || !w.observe(w.open(), accounts[i]).Clean() {
				t.Errorf("session %d works again", i)
			}
		}
	})
}

func TestADenyThatDoesNotCountIsWrittenAgain(t *testing.T) {
	inTime(t, sim.Options{Delay: 10 * time.Minute}, func(t *testing.T, w *world) {
		a := account(firstID)
		w.session(w.open(), &a, asked(time.Hour))
		w.remove(w.open(), a)
		name := ours(w.tenant)[0]
		first := w.tenant.Policies()[name]
		time.Sleep(patient / 2)
		if w.remove(w.open(), a); w.tenant.Policies()[name] != first {
			t.Error("it was written again at once")
		}
		time.Sleep(patient)
		if w.remove(w.open(), a); w.tenant.Policies()[name] == first {
			t.Error("it was not written again")
		}
	})
}

func TestARoleThatIsNotGivenAnyMoreProvesNothing(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(), &a, asked(30*time.Minute))
		w.trust(strings.ReplaceAll(trustOf(""), extID, "an-external-id-of-others"))
		w.SetDelay(20*time.Minute, 0)
		w.remove(w.open(), a)
		time.Sleep(time.Minute)
		if o := w.observe(w.open(), a); o.Clean() || !w.lists(k) {
			t.Errorf("works %v: %+v", w.lists(k), o)
		}
		time.Sleep(30 * time.Minute)
		if o := w.observe(w.open(), a); !o.Clean() || w.lists(k) {
			t.Errorf("after the end: %+v", o)
		}
	})
}

// TestCollectingLeavesTheLastDeny puts denies on a role by hand: what goes
// earlier, or is the last of its kind, holds nobody else's.
func TestCollectingLeavesTheLastDeny(t *testing.T) {
	const x, y = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
	at := func(h int) time.Time { return time.Date(2000, 1, 2, h, 0, 0, 0, time.UTC) }
	for _, row := range []struct {
		name        string
		first, then deny
		left        int
	}{
		{"one that goes earlier", deny{name: denyName(at(5), x), members: []string{x}}, deny{name: denyName(at(4), "merged-1"), members: []string{x, y}}, 2},
		{"one that goes as late", deny{name: denyName(at(5), x), members: []string{x}}, deny{name: denyName(at(5), "merged-1"), members: []string{x, y}}, 1},
		{"one for others", deny{name: denyName(at(5), x), members: []string{x}}, deny{name: denyName(at(5), "merged-1"), members: []string{y, y}}, 2},
		{"two of the same", deny{name: denyName(at(5), "merged-0"), members: []string{x, y}}, deny{name: denyName(at(5), "merged-1"), members: []string{y, x}}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			inTime(t, sim.Options{}, func(t *testing.T, w *world) {
				for _, d := range []deny{row.first, row.then} {
					w.putPolicy("northwind-prod", d.name, denyText(time.Now(), 0, d.members...))
				}
				sys := w.open()
				all, err := ledger{sys.client}.denies(t.Context(), sys.roles[0])
				if err != nil {
					t.Fatal(err)
				}
				left := ledger{sys.client}.collect(t.Context(), sys.roles[0], all)
				if len(left) != row.left || len(ours(w.tenant)) != row.left {
					t.Errorf("left: %q", ours(w.tenant))
				}
			})
		})
	}
}
