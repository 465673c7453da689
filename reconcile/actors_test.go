package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/target/fake"
)

// minutes draws a duration up to n minutes.
func (s *simulation) minutes(n int) time.Duration {
	return time.Duration(s.plan.IntN(n*60)) * time.Second
}

// later has do done at an instant after the beginning.
func (s *simulation) later(people *sync.WaitGroup, after time.Duration, do func()) {
	people.Go(func() {
		time.Sleep(time.Until(s.began.Add(after)))
		do()
	})
}

// stubborn tries until the program answers; everything else than its death is an answer.
func (s *simulation) stubborn(what string, do func(*broker.Broker) error) error {
	for range 60 {
		b := s.broker()
		if b == nil {
			time.Sleep(time.Second)
			continue
		}
		err := do(b)
		if errors.Is(err, errDead) {
			time.Sleep(time.Second)
			continue
		}
		s.tell("%s: %v", what, err)
		if err != nil && access.KindOf(err) == access.Internal {
			s.fault("%s: %v", what, err)
		}
		return err
	}
	return errDead
}

func (s *simulation) tell(format string, args ...any) {
	if *oneSeed == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told += time.Now().UTC().Format("15:04:05.000 ") + fmt.Sprintf(format, args...) + "\n"
}

// person asks for access once, and then does what people do with it.
func (s *simulation) person(people *sync.WaitGroup, n int) {
	who := s.people[s.plan.IntN(len(s.people))]
	where := s.somewhere()
	what := []string{fake.Admin, fake.Admin, fake.Helper}[s.plan.IntN(3)]
	ticket := []string{"1001", "1002"}[s.plan.IntN(2)]
	length := int64(3 + s.plan.IntN(38))
	asked := s.minutes(25)
	if n == 0 {
		asked = 0
	}
	var mu sync.Mutex
	var g access.Grant
	s.later(people, asked, func() {
		_ = s.stubborn(fmt.Sprintf("%s asks for %s on %s for %d min", who.ID, what, where, length), func(*broker.Broker) error {
			made, err := s.submit(who, where, what, ticket, length)
			mu.Lock()
			defer mu.Unlock()
			g = made
			return err
		})
	})
	with := func(after time.Duration, text string, do func(b *broker.Broker, id string) error) {
		s.later(people, asked+after, func() {
			mu.Lock()
			id := g.ID
			mu.Unlock()
			if id != "" {
				_ = s.stubborn(who.ID+" "+text+" "+id, func(b *broker.Broker) error { return do(b, id) })
			}
		})
	}
	ctx := s.t.Context()
	for range 3 {
		after := s.minutes(int(length) + 5)
		for range 2 { // with two hands at once
			with(after, "reveals", func(b *broker.Broker, id string) error { return s.reveal(b, who, id) })
		}
	}
	if s.plan.IntN(3) == 0 {
		with(s.minutes(40), "ends", func(b *broker.Broker, id string) error { _, err := b.Access.End(ctx, who, id); return err })
	}
	if s.plan.IntN(3) == 0 {
		more := int64(1 + s.plan.IntN(30))
		with(s.minutes(int(length)), "extends", func(b *broker.Broker, id string) error { _, err := b.Access.Extend(ctx, who, id, more); return err })
	}
	if s.plan.IntN(4) == 0 {
		with(s.minutes(int(length)), "wants a new password for", func(b *broker.Broker, id string) error { return b.Access.NewPassword(ctx, who, id) })
	}
	if s.plan.IntN(6) == 0 {
		after := s.minutes(int(length))
		with(after, "is locked out of", func(b *broker.Broker, id string) error { return b.Access.Reissue(ctx, s.admin, id, "Must get in.") })
		with(after+time.Minute, "does not see", func(b *broker.Broker, id string) error { return s.reveal(b, s.admin, id) })
	}
	if s.plan.IntN(6) == 0 {
		with(s.minutes(40), "is revoked", func(b *broker.Broker, id string) error {
			_, err := b.Access.Revoke(ctx, s.admin, broker.Scope{Grant: id}, "No longer needed.")
			return err
		})
	}
}

func (s *simulation) reveal(b *broker.Broker, who access.Person, id string) error {
	shown, err := b.Access.Reveal(s.t.Context(), who, id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.shown++
	if s.seen[shown.Password.Reveal()] {
		defer s.fault("a password of grant %s was shown twice", id)
	}
	s.seen[shown.Password.Reveal()] = true
	return nil
}

// somewhere is the target of something.
func (s *simulation) somewhere() string { return s.targets[[]int{0, 0, 1, 2}[s.plan.IntN(4)]].ID }

// others are those who change things around the grants.
func (s *simulation) others(people *sync.WaitGroup) {
	byHand := func(odds int, text string, do func(r *fake.Realm, mark string) bool) {
		if s.plan.IntN(odds) != 0 {
			return
		}
		id := s.somewhere()
		s.later(people, s.minutes(50), func() {
			for _, mark := range s.realms[id].Marks() {
				if len(s.realms[id].Usable(mark)) > 0 && do(s.realms[id], mark) {
					s.tell("somebody %s %s on %s", text, mark, id)
				}
			}
		})
	}
	byHand(3, "takes admin from", func(r *fake.Realm, mark string) bool { return r.TakeAway(mark, fake.Admin) })
	byHand(3, "gives more to", func(r *fake.Realm, mark string) bool { return r.AddExtra(mark, "member of Back Door Operators") })
	byHand(6, "disables", func(r *fake.Realm, mark string) bool { return r.Disable(mark) })
	byHand(6, "promotes a friend of", func(r *fake.Realm, mark string) bool { r.Promote("friend of " + mark); return true })
	byHand(8, "deletes", func(r *fake.Realm, mark string) bool {
		s.mu.Lock()
		s.deaths[mark]++
		s.mu.Unlock() // r rolls dice for its faults, and s.mu guards them
		return r.Delete(mark)
	})
	if s.plan.IntN(5) == 0 {
		s.later(people, s.minutes(50), func() {
			_ = s.stubborn("everything is revoked", func(b *broker.Broker) error {
				_, err := b.Access.Revoke(s.t.Context(), s.admin, broker.Scope{Everything: true}, "Incident.")
				return err
			})
		})
	}
	if s.plan.IntN(5) == 0 {
		s.later(people, s.minutes(30), func() { s.paper.setOpen("1002", false); s.tell("ticket 1002 is closed") })
	}
	if s.plan.IntN(5) == 0 {
		blind := s.targets[0].ID
		s.later(people, s.minutes(20), func() { s.realms[blind].BlindWitness(true) })
	}
}

// judge looks at what is left when everything is over.
func (s *simulation) judge() {
	ctx := s.t.Context()
	for _, key := range s.missing() {
		s.fault("the note %s never arrived", key)
	}
	count := map[string]int{}
	for _, n := range s.paper.all() {
		for _, key := range keysOf(n) {
			if count[key]++; count[key] == 2 {
				s.fault("the note %s is there more than once", key)
			}
		}
		for password := range s.seen {
			if strings.Contains(n.Body, password) {
				s.fault("the note %s holds a password", n.Key)
			}
		}
	}
	for _, g := range s.all() {
		stored, err := s.store.Grants.Grant(ctx, g.ID)
		if err != nil {
			s.fault("grant %s vanished: %v", g.ID, err)
			continue
		}
		if stored.Version != g.Version {
			s.fault("grant %s is stored as version %d, and version %d was acknowledged", g.ID, stored.Version, g.Version)
		}
		if n := s.ended[g.ID]; n != 1 {
			s.fault("grant %s ended %d times", g.ID, n)
		}
		keys := s.paper.keys(g.Ticket.ID)
		if kinds := notesOf(g); len(kinds) > 1 && slices.Index(keys, "jitney:"+g.ID+":granted:1") > slices.Index(keys, "jitney:"+g.ID+":"+kinds[len(kinds)-1]+":1") {
			s.fault("the ticket tells of the end of grant %s before its beginning: %q", g.ID, keys)
		}
		s.judgeRecords(g)
		if g.StopCause == access.ByDrift {
			s.tally.drifts++
		}
		if c, err := s.store.Credentials.Credential(ctx, g.Account); err == nil && c.Sealed != nil {
			s.fault("a password of account %s is still stored", g.Account)
		}
	}
	for id, realm := range s.realms {
		for _, mark := range realm.Marks() {
			if usable := realm.Usable(mark); len(usable) > 0 {
				s.fault("when everything is over, account %s on %s still has %v", mark, id, usable)
			}
			if n := realm.Made(mark); n > 1+s.deaths[mark] {
				s.fault("account %s on %s was made %d times", mark, id, n)
			}
		}
	}
}

// judgeRecords looks at the audit records of a grant: each fact of its life is
// there, once.
func (s *simulation) judgeRecords(g access.Grant) {
	records, err := s.store.Log.Timeline(s.t.Context(), g.ID)
	if err != nil {
		s.fault("timeline of grant %s: %v", g.ID, err)
		return
	}
	count := map[string]int{}
	for _, r := range records {
		count[r.Kind]++
	}
	want := map[string]int{access.EventSubmitted: 1, access.EventVerified: 0, access.EventOverdue: 0, access.EventEnded: 0, access.EventContinued: 0}
	set := func(kind string, is bool) {
		if is {
			want[kind] = 1
		}
	}
	set(access.EventVerified, !g.VerifiedAt.IsZero())
	set(access.EventOverdue, !g.OverdueAt.IsZero())
	set(access.EventEnded, !g.EndedAt.IsZero() && g.ContinuedBy == "" && !g.ApprovedAt.IsZero())
	set(access.EventContinued, g.ContinuedBy != "")
	for kind, n := range want {
		if count[kind] != n {
			s.fault("grant %s has %d records %q, want %d\n%s", g.ID, count[kind], kind, n, s.story(g.ID))
		}
	}
	if count[access.EventRemoving] > 1 {
		s.fault("grant %s has %d records of its clean-up beginning\n%s", g.ID, count[access.EventRemoving], s.story(g.ID))
	}
}

// watch looks at the targets every few seconds, and at whether what can be
// used there is covered by a live grant.
func (s *simulation) watch(over interface{ Err() error }) {
	for over.Err() == nil {
		time.Sleep(5 * time.Second)
		now := time.Now()
		var grants []access.Grant
		for id, realm := range s.realms {
			for _, mark := range realm.Marks() {
				for _, right := range realm.Usable(mark) {
					if grants == nil {
						grants = s.all()
					}
					s.cover(grants, id, mark, right, now)
				}
			}
		}
	}
}

// cover checks one right of one account.
func (s *simulation) cover(grants []access.Grant, target, mark, right string, now time.Time) {
	offered := right == fake.Admin || right == fake.Helper
	var since time.Time
	known := false
	for _, g := range grants {
		if g.Account != mark || offered && g.Entitlement != right {
			continue
		}
		known = true
		if g.Wanted(now) {
			return
		}
		if end := g.EndsAt(); end.After(since) {
			since = end
		}
	}
	s.mu.Lock()
	for _, t := range []time.Time{s.bad[target], s.lastBirth()} {
		if t.After(since) {
			since = t
		}
	}
	beyond := now.Sub(since)
	s.tally.worst = max(s.tally.worst, beyond)
	s.mu.Unlock()
	if !known {
		s.fault("account %s on %s has %s, and no grant was ever stored for it", mark, target, right)
	}
	if beyond > bound && !slices.Contains(s.toldOf, mark+right) {
		s.toldOf = append(s.toldOf, mark+right)
		s.fault("account %s on %s has %s, %s after its last grant ended and the last thing went wrong", mark, target, right, beyond)
	}
}

// lastBirth is when the program started last.
func (s *simulation) lastBirth() time.Time {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return s.lastStart
}
