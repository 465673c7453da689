package signin

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

func TestHash(t *testing.T) {
	ctx := t.Context()
	old, now := newHasher(cost{cheapKiB, 1, 1}), newHasher(cost{cheapKiB * 2, 2, 1})
	hash, err := old.Hash(ctx, secret.New(good))
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Fatalf("%s: %v", hash, err)
	}
	again, _ := old.Hash(ctx, secret.New(good))
	if again == hash {
		t.Error("two hashes with one salt")
	}
	for _, tt := range []struct {
		name           string
		h              *hasher
		hash, password string
		fits, outdated bool
	}{
		{"the right password fits", old, hash, good, true, false},
		{"another does not", old, hash, good + " ", false, false},
		{"one of an earlier cost fits, and is outdated", now, hash, good, true, true},
		{"no hash fits nothing", old, "", "", false, false},
	} {
		fits, outdated, err := tt.h.Check(ctx, tt.hash, secret.New(tt.password))
		if fits != tt.fits || outdated != tt.outdated || err != nil {
			t.Errorf("%s: %v %v %v", tt.name, fits, outdated, err)
		}
	}
	for _, hostile := range []string{"x", "$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$argon2id$v=19$m=8,t=4000000,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"} {
		if fits, _, err := old.Check(ctx, hostile, secret.New(good)); fits || err == nil {
			t.Errorf("%s was taken", hostile)
		}
	}
}

func TestAHashIsRenewedAtSignIn(t *testing.T) {
	h := newHouse(t)
	before := h.hashes["maya"]
	h.door.hasher = newHasher(cost{cheapKiB * 2, 1, 1})
	if err := h.browser().in(maya, good); err != nil {
		t.Fatal(err)
	}
	if h.hashes["maya"] == before || !strings.Contains(h.hashes["maya"], "m=16,") {
		t.Error("the hash is still of the earlier cost")
	}
	if err := h.browser().in(maya, good); err != nil {
		t.Error(err)
	}
}

func TestAFloodOfSignInsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cost{cheapKiB, 1, 1})
		for range hashesAtOnce {
			h.slots <- struct{}{} // all are taken
		}
		h.waiting.Add(hashesAtOnce)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var mu sync.Mutex
		busy, cancelled := 0, 0
		for range 200 {
			wg.Go(func() {
				_, err := h.Hash(ctx, secret.New(good))
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, errBusy) {
					busy++
				} else if errors.Is(err, context.Canceled) {
					cancelled++
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if busy != 200-hashesWait || cancelled != hashesWait || h.waiting.Load() != hashesAtOnce {
			t.Errorf("%d refused, %d waited, %d left", busy, cancelled, h.waiting.Load())
		}
	})
}

func TestChangingAPassword(t *testing.T) {
	h := newHouse(t)
	here, there := h.browser(), h.browser()
	for _, b := range []*browser{here, there} {
		if err := b.in(maya, good); err != nil {
			t.Fatal(err)
		}
	}
	change := func(current, next string) error {
		return here.do(func(ctx context.Context) error {
			return h.door.Change(ctx, h.people["maya"], secret.New(current), secret.New(next))
		})
	}
	const next = "sparrow copper delta 41"
	for _, tt := range []struct{ name, current, next, field string }{
		{"the present one must be right", "not this one", next, "current"},
		{"too short", good, "short", "password"},
		{"too few characters", good, "aaaaaaaaaaaaaaaa", "password"},
		{"a row of the keyboard", good, "qwertyuiopas", "password"},
		{"the login in it", good, "my " + maya, "password"},
		{"no change", good, good, "password"},
	} {
		h.door.limits = newLimits()
		fields := broker.FieldsOf(change(tt.current, tt.next))
		if len(fields) != 1 || fields[0].Field != tt.field {
			t.Errorf("%s: %v", tt.name, fields)
		}
	}
	h.door.limits = newLimits()
	if err := change(good, next); err != nil {
		t.Fatal(err)
	}
	if here.who() != "maya" || there.who() != "" {
		t.Errorf("here %q, there %q", here.who(), there.who())
	}
	if err := h.browser().in(maya, good); access.KindOf(err) != access.Denied {
		t.Errorf("the old password: %v", err)
	}
	if err := h.browser().in(maya, next); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestAdministratorsIssuePasswordsAndEndSessions(t *testing.T) {
	h := newHouse(t)
	h.add(t, access.Person{ID: "tom", Login: "tom@msp.example", Roles: []access.Role{access.Requester}}, good)
	admin, other := h.people["maya"], h.people["tom"]
	tom, root := h.browser(), h.browser()
	for b, login := range map[*browser]string{tom: other.Login, root: admin.Login} {
		if err := b.in(login, good); err != nil {
			t.Fatal(err)
		}
	}
	err := tom.do(func(ctx context.Context) error {
		_, err := h.door.Reset(ctx, other, "maya")
		return errors.Join(err, h.door.End(ctx, other, "maya", ""))
	})
	if access.KindOf(err) != access.NotFound || root.who() != "maya" {
		t.Fatalf("a requester governs an administrator: %v", err)
	}
	var issued secret.Text
	err = root.do(func(ctx context.Context) (err error) {
		issued, err = h.door.Reset(ctx, admin, "tom")
		return err
	})
	if err != nil || tom.who() != "" {
		t.Fatalf("reset: %v; tom is %q", err, tom.who())
	}
	if err := tom.in(other.Login, issued.Reveal()); err != nil {
		t.Fatal(err)
	}
	if err := root.do(func(ctx context.Context) error { return h.door.End(ctx, admin, "tom", "") }); err != nil || tom.who() != "" || root.who() != "maya" {
		t.Errorf("end: %v; tom is %q, maya %q", err, tom.who(), root.who())
	}
}

func TestVisits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		here, there := h.browser(), h.browser()
		there.address = "192.0.2.7:1"
		for _, b := range []*browser{there, here} {
			if err := b.in(maya, good); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		err := here.do(func(ctx context.Context) error {
			all, err := h.door.Visits(ctx, h.people["maya"])
			if err != nil {
				return err
			}
			if len(all) != 2 || !all[0].Here || all[1].Here || all[1].From != "192.0.2.7" {
				t.Errorf("visits: %+v", all)
			}
			return h.door.End(ctx, h.people["maya"], "maya", all[1].ID)
		})
		if err != nil || there.who() != "" || here.who() != "maya" {
			t.Errorf("%v; here %q, there %q", err, here.who(), there.who())
		}
	})
}

func TestTheFirstAdministrator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		clear(h.people)
		ctx := t.Context()
		first := func(token string) error {
			return h.door.First(ctx, secret.New(token), "Ada", "ada@msp.example", secret.New(good))
		}
		if err := first(""); access.KindOf(err) != access.Denied {
			t.Fatalf("before there was a token: %v", err)
		}
		stale, _, err := h.door.Invite(ctx)
		if err != nil || stale == "" {
			t.Fatal(err)
		}
		time.Sleep(setupFor)
		if err := first(stale); access.KindOf(err) != access.Denied {
			t.Fatalf("an hour later: %v", err)
		}
		void, _, _ := h.door.Invite(ctx)
		token, _, _ := h.door.Invite(ctx)
		for _, bad := range []string{"", "x", void, stale, strings.ToLower(token)} {
			if err := first(bad); access.KindOf(err) != access.Denied {
				t.Fatalf("with %q: %v", bad, err)
			}
		}
		if strings.Contains(h.settings[setupSetting], token) {
			t.Error("the store has the token itself")
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range 8 {
			wg.Go(func() {
				if err := first(" " + token); err == nil {
					mu.Lock()
					defer mu.Unlock()
					made++
				} else if k := access.KindOf(err); k != access.NotFound && k != access.Denied {
					t.Errorf("err = %v", err)
				}
			})
		}
		wg.Wait()
		if made != 1 || len(h.people) != 1 {
			t.Errorf("%d made, %d there", made, len(h.people))
		}
		if err := first(token); access.KindOf(err) != access.NotFound {
			t.Errorf("afterwards: %v", err)
		}
		if again, _, err := h.door.Invite(ctx); again != "" || err != nil {
			t.Errorf("a token though there is somebody: %v", err)
		}
		if err := h.browser().in("ada@msp.example", good); err != nil {
			t.Error(err)
		}
	})
}
