package broker_test

import (
	"strings"
	"sync"
	"testing"

	"jitney/access"
	"jitney/broker"
)

func TestAPasswordIsShownOnce(t *testing.T) {
	w := newWorld(t)
	g := w.active()
	var mu sync.Mutex
	var shown []broker.Shown
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			s, err := w.Access.Reveal(t.Context(), w.maya, g.ID)
			if err != nil && access.KindOf(err) != access.Conflict {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				shown = append(shown, s)
			}
		})
	}
	all.Wait()
	if len(shown) != 1 || w.events(g.ID, access.EventRevealed) != 1 {
		t.Fatalf("shown %d times, recorded %d times", len(shown), w.events(g.ID, access.EventRevealed))
	}
	check(t, w.realm.SignIn(shown[0].Username, shown[0].Password.Reveal()))
	if c, err := w.store.Credentials.Credential(t.Context(), g.Account); err != nil || c.Sealed != nil {
		t.Error("it is still stored")
	}
	if p, _ := w.Access.Grant(t.Context(), w.maya, g.ID); p.Password != broker.PasswordShown || p.May.Reveal {
		t.Errorf("password = %q", p.Password)
	}

	check(t, w.Access.NewPassword(t.Context(), w.maya, g.ID))
	if _, err := w.Access.Reveal(t.Context(), w.maya, g.ID); access.KindOf(err) != access.Conflict {
		t.Errorf("shown before the target took it: %v", err)
	}
	w.settle()
	again, err := w.Access.Reveal(t.Context(), w.maya, g.ID)
	check(t, err)
	if again.Password.Equal(shown[0].Password) || w.realm.SignIn(again.Username, again.Password.Reveal()) != nil || w.realm.SignIn(again.Username, shown[0].Password.Reveal()) == nil {
		t.Error("the new password does not replace the old one")
	}
}

func TestNothingIsLeftOfAPasswordNobodySaw(t *testing.T) {
	w := newWorld(t)
	g := w.active()
	_, err := w.Access.End(t.Context(), w.maya, g.ID)
	check(t, err)
	if _, err := w.Access.Reveal(t.Context(), w.maya, g.ID); access.KindOf(err) != access.Conflict {
		t.Errorf("shown after the end: %v", err)
	}
	w.settle()
	w.want(g.ID, access.Ended)
	if c, err := w.store.Credentials.Credential(t.Context(), g.Account); err != nil || c.Sealed != nil {
		t.Error("it is still stored")
	}
}

func TestReissuing(t *testing.T) {
	w := newWorld(t)
	g := w.active()
	if err := w.Access.Reissue(t.Context(), w.admin, g.ID, "  "); access.KindOf(err) != access.Invalid {
		t.Errorf("without a reason: %v", err)
	}
	check(t, w.Access.Reissue(t.Context(), w.admin, g.ID, "Maya is away, and the server burns."))
	w.settle()
	if _, err := w.Access.Reveal(t.Context(), w.maya, g.ID); access.KindOf(err) != access.Denied {
		t.Errorf("shown to the holder: %v", err)
	}
	s, err := w.Access.Reveal(t.Context(), w.admin, g.ID)
	check(t, err)
	check(t, w.realm.SignIn(s.Username, s.Password.Reveal()))
	p, err := w.Access.Grant(t.Context(), w.maya, g.ID)
	check(t, err)
	if len(p.Notices) != 1 || !strings.Contains(p.Notices[0], "the server burns") || p.Password != broker.PasswordOther {
		t.Errorf("notices = %q, password = %q", p.Notices, p.Password)
	}
	told := false
	for _, n := range p.Notes {
		told = told || n.Kind == "reissued" && strings.Contains(n.Body, "re-issued to an administrator (Person admin)")
	}
	if !told {
		t.Errorf("the ticket is not told: %+v", p.Notes)
	}
}

func TestAPasswordChosenOnTheForm(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.change(func(p *access.Policy) { p.Password = access.ChosenOnForm })
	if _, err := w.Access.Submit(ctx, w.maya, w.ask()); len(broker.FieldsOf(err)) != 1 || broker.FieldsOf(err)[0].Field != "password" {
		t.Errorf("without a password: %v", err)
	}
	first, err := w.Access.Offer(ctx, w.maya, "target-aviary")
	check(t, err)
	offer, err := w.Access.Offer(ctx, w.maya, "target-aviary")
	check(t, err)
	if offer.Password.Equal(first.Password) || len(offer.Password.Reveal()) < 16 {
		t.Error("Refresh makes the same password, or a short one")
	}
	s := w.ask()
	s.Offer = offer.ID
	if _, err := w.Access.Submit(ctx, w.noor, s); access.KindOf(err) != access.Invalid {
		t.Errorf("with somebody else's offer: %v", err)
	}
	g := w.submit(w.maya, s)
	if _, err := w.Access.Submit(ctx, w.maya, s); access.KindOf(err) != access.Invalid {
		t.Errorf("with an offer that was used: %v", err)
	}
	w.settle()
	w.want(g.ID, access.Active)
	check(t, w.realm.SignIn("maya@t.example", offer.Password.Reveal()))
	if _, err := w.Access.Reveal(ctx, w.maya, g.ID); access.KindOf(err) != access.Conflict {
		t.Errorf("shown again: %v", err)
	}
	if _, err := w.Access.Retrieve(ctx, w.admin, g.ID, ""); access.KindOf(err) != access.Invalid {
		t.Errorf("retrieved without a reason: %v", err)
	}
	for range 2 {
		got, err := w.Access.Retrieve(ctx, w.admin, g.ID, "Maya lost it.")
		check(t, err)
		if !got.Password.Equal(offer.Password) {
			t.Error("retrieved another password")
		}
	}
	if w.events(g.ID, access.EventRetrieved) != 2 {
		t.Error("retrieving is not recorded each time")
	}
	if p, _ := w.Access.Grant(ctx, w.maya, g.ID); len(p.Notices) != 2 || p.Password != broker.PasswordKept {
		t.Errorf("notices = %q, password = %q", p.Notices, p.Password)
	}
	_, err = w.Access.End(ctx, w.maya, g.ID)
	check(t, err)
	w.settle()
	if c, err := w.store.Credentials.Credential(ctx, g.Account); err != nil || c.Sealed != nil {
		t.Error("it is still stored after the end")
	}
}

// A password that somebody with the database moved to another account, or to
// another recipient, opens nowhere.
func TestAMovedPasswordDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	mine := w.active()
	stolen, err := w.store.Credentials.Credential(ctx, mine.Account)
	check(t, err)
	theirs := w.submit(w.noor, w.ask())
	w.settle()
	for name, place := range map[string]string{"as it is": stolen.Place, "renamed": theirs.Account + "/stolen"} {
		c := stolen
		c.Account, c.Recipient, c.Place, c.Seq = theirs.Account, "noor", place, 0
		_, err := w.store.Credentials.Replace(ctx, c)
		check(t, err)
		w.settle()
		s, err := w.Access.Reveal(ctx, w.noor, theirs.ID)
		if err == nil && w.realm.SignIn("maya@t.example", s.Password.Reveal()) == nil {
			t.Errorf("%s: noor has the password of maya", name)
		}
	}
}

// Access that lives on when somebody works for the customer no more is theirs
// to end, but no password of it comes into their hands.
func TestWhoWorksThereNoMoreGetsNoPassword(t *testing.T) {
	w := newWorld(t)
	g := w.active()
	moved, err := w.People.Save(t.Context(), w.admin, broker.PersonInput{ID: "maya", Version: w.maya.Version, Login: w.maya.Login, Name: w.maya.Name, Roles: w.maya.Roles, Customers: []string{"kestrel"}})
	check(t, err)
	if _, err := w.Access.Reveal(t.Context(), moved, g.ID); access.KindOf(err) != access.Denied {
		t.Errorf("revealed: %v", err)
	}
	if err := w.Access.NewPassword(t.Context(), moved, g.ID); access.KindOf(err) != access.Denied {
		t.Errorf("a new one is made: %v", err)
	}
	p, err := w.Access.Grant(t.Context(), moved, g.ID)
	check(t, err)
	if want := (broker.Rights{End: true}); p.May != want {
		t.Errorf("may %+v", p.May)
	}
}
