package entra

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// Probe asks a real test Entra tenant what Microsoft's documentation leaves
// open: it makes a throw-away account, gives it roles, takes everything away
// again, and writes each request and answer to w as one JSON line, without
// secrets. It takes minutes, half an hour at most, and cleans up after itself
// even if ctx ends. It must not be pointed at an Entra tenant that people
// work in: for some minutes the account holds Global Administrator.
func Probe(ctx context.Context, s target.Settings, w io.Writer) error {
	return probeOver(ctx, s, w, &pool{}, usualPace())
}

func probeOver(ctx context.Context, s target.Settings, w io.Writer, shared *pool, p pace) error {
	opened, err := open(s, shared, p)
	if err != nil {
		return err
	}
	sys := opened.(*system)
	defer sys.Close()
	b := &prober{system: sys, out: json.NewEncoder(w), a: access.Account{ID: strings.ToLower(rand.Text()), Key: "live-probe",
		Holder: access.Holder{Login: "probe@jitney", Name: "Jitney live probe"}}}
	sys.record = b.wrote
	defer b.cleanUp(context.WithoutCancel(ctx))
	return explain(b.run(ctx), "probe the Entra tenant")
}

// A prober runs the questions, one step after the other.
type prober struct {
	*system
	a    access.Account
	ids  []string // of the accounts that were made
	step string

	mu  sync.Mutex
	out *json.Encoder
	err error // of writing
}

// A probeLine is one line of the record.
type probeLine struct {
	Step string `json:"step"`
	At   string `json:"at"`
	*exchange
	Note string `json:"note,omitempty"`
}

// wrote records one request and its answer.
func (b *prober) wrote(e exchange) {
	e.Request = hideKeys(e.Request)
	var answer any
	if json.Unmarshal(e.Answer, &answer) == nil {
		e.Answer, _ = json.Marshal(hideKeys(answer))
	}
	b.write(probeLine{exchange: &e})
}

func (b *prober) write(l probeLine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.Step, l.At = b.step, stamp(time.Now())
	if err := b.out.Encode(l); err != nil && b.err == nil {
		b.err = err
	}
}

func (b *prober) say(format string, args ...any) {
	b.write(probeLine{Note: fmt.Sprintf(format, args...)})
}

// hideKeys masks every value whose name says that it is a secret.
func hideKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			switch {
			case k == "password" || k == "temporaryAccessPass" || strings.Contains(strings.ToLower(k), "secret") || strings.Contains(strings.ToLower(k), "token"):
				if x != nil {
					x = "***"
				}
				out[k] = x
			default:
				out[k] = hideKeys(x)
			}
		}
		return out
	case []any:
		for i := range v {
			v[i] = hideKeys(v[i])
		}
	}
	return v
}

// run asks every question. An answer that nobody expected is an answer: only
// what makes the next question impossible is an error.
func (b *prober) run(ctx context.Context) error {
	b.step = "permissions"
	if _, err := b.tokens.get(ctx, ""); err != nil {
		return err
	}
	own, _ := b.tokens.claims()
	b.say("the token carries %s", strings.Join(own.Roles, " "))
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"404 or 403 first, for what does not exist", b.missing},
		{"policy for passes", func(ctx context.Context) error { _, err := b.graph.tapPolicy(ctx); return ignore(err) }},
		{"create a user, and how long until reads agree", b.makeUser},
		{"a pass before the role", b.makeOnePass},
		{"a role, and how long until it is listed", b.giveRole},
		{"a pass for an account that holds the role", b.makeOnePass},
		{"disable an account that holds the role", func(ctx context.Context) error { return ignore(b.graph.enable(ctx, b.ids[0], false)) }},
		{"a role with an end, deleted directly", b.tryPIM},
		{"delete after the role is off, and how long it is refused", b.deleteUser},
		{"the name in the bin, and whether it is taken", b.lookInBin},
		{"purge by an app", b.purgeAll},
		{"reads after the purge", b.readAfter},
	} {
		b.step = step.name
		if err := step.do(ctx); err != nil {
			err = explain(err, "go on")
			b.say("stopped: %v", err)
			return err
		}
	}
	b.step = "by hand"
	b.say("for a person: sign in with a pass, delete it, and see whether the session goes on; and try a create with User.Create as the only permission")
	return b.err
}

// ignore keeps only errors that are not answers.
func ignore(err error) error {
	if _, ok := errors.AsType[*graphError](err); ok {
		return nil
	}
	return err
}

func (b *prober) missing(ctx context.Context) error {
	none := newUUID()
	_, _, err := b.user(ctx, none)
	return errors.Join(ignore(err), ignore(b.graph.enable(ctx, none, false)), ignore(b.remove(ctx, none)), ignore(b.graph.purge(ctx, none)), ignore(b.unassign(ctx, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-1")))
}

func (b *prober) makeUser(ctx context.Context) error {
	upn, err := b.upn(ctx, b.a)
	if err != nil {
		return err
	}
	u, err := maker{b.system}.create(ctx, b.a, upn, secret.Password(32))
	if err != nil {
		return err
	}
	b.ids = append(b.ids, u.ID)
	return b.agree(ctx, "the user", func() (bool, error) { u, _, err := b.user(ctx, b.ids[0]); return u != nil, err })
}

// agree reads until five reads in a row agree, and notes how long it took.
func (b *prober) agree(ctx context.Context, what string, read func() (bool, error)) error {
	began, row := time.Now(), 0
	for try := 0; row < 5 && try < 60; try++ {
		shown, err := read()
		if ignore(err) != nil {
			return err
		}
		if row++; !shown {
			row = 0
		}
		if err := sleep(ctx, b.pace.step); err != nil {
			return err
		}
	}
	b.say("%s was shown by %d reads in a row after %s", what, row, time.Since(began).Round(time.Second))
	return nil
}

func (b *prober) makeOnePass(ctx context.Context) error {
	p, err := b.passPolicy(ctx)
	if err != nil {
		return ignore(err)
	}
	_, err = maker{b.system}.newPass(ctx, b.ids[0], p.minutes(time.Minute), p.Once)
	return ignore(err)
}

func (b *prober) giveRole(ctx context.Context) error {
	if err := b.eventually(ctx, func() error { return b.assign(ctx, b.ids[0], globalAdminID) }); err != nil {
		return err
	}
	return b.agree(ctx, "the role", func() (bool, error) { held, _, err := b.assignments(ctx, b.ids[0]); return len(held) > 0, err })
}

func (b *prober) tryPIM(ctx context.Context) error {
	reader := role{id: roleID("Global Reader"), title: "Global Reader"}
	if err := (pim{b.system}).schedule(ctx, b.a, b.ids[0], reader, time.Now().Add(time.Hour), false); err != nil {
		return ignore(err)
	}
	if err := sleep(ctx, 10*b.pace.step); err != nil {
		return err
	}
	held, _, err := b.assignments(ctx, b.ids[0])
	for _, h := range held {
		if strings.EqualFold(h.Role, reader.id) {
			err = errors.Join(ignore(err), ignore(b.unassign(ctx, h.ID)), ignore(pim{b.system}.unschedule(ctx, b.ids[0], reader.id, "/")))
		}
	}
	return ignore(err)
}

// deleteUser takes the roles off, and then notes how long deleting is refused.
func (b *prober) deleteUser(ctx context.Context) error {
	held, _, err := b.assignments(ctx, b.ids[0])
	if ignore(err) != nil {
		return err
	}
	for _, h := range held {
		if err := ignore(b.unassign(ctx, h.ID)); err != nil {
			return err
		}
	}
	for began := time.Now(); ; {
		err := b.remove(ctx, b.ids[0])
		if !is(err, http.StatusForbidden) || time.Since(began) > b.pace.grace {
			b.say("deleting was refused for %s after the role was taken off", time.Since(began).Round(time.Second))
			return ignore(err)
		}
		if err := sleep(ctx, 20*b.pace.step); err != nil {
			return err
		}
	}
}

func (b *prober) lookInBin(ctx context.Context) error {
	upn, err := b.upn(ctx, b.a)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(upn, "@")
	found, _, err := b.graph.bin(ctx, "mailNickname eq '"+name+"'")
	for _, u := range found {
		b.say("in the bin the name is %s, employeeId %q, jobTitle %q", u.UserPrincipalName, u.EmployeeID, u.JobTitle)
	}
	if ignore(err) != nil {
		return err
	}
	again, err := maker{b.system}.create(ctx, b.a, upn, secret.Password(32)) // while the first is in the bin
	if err == nil {
		b.ids = append(b.ids, again.ID)
		err = b.eventually(ctx, func() error { return b.remove(ctx, again.ID) })
	}
	return ignore(err)
}

func (b *prober) purgeAll(ctx context.Context) error {
	for _, id := range b.ids {
		if err := ignore(b.eventually(ctx, func() error { return b.graph.purge(ctx, id) })); err != nil {
			return err
		}
	}
	return nil
}

func (b *prober) readAfter(ctx context.Context) error {
	for range 5 {
		for _, id := range b.ids {
			_, _, err := b.user(ctx, id)
			_, _, berr := b.binned(ctx, id)
			_, _, rerr := b.assignments(ctx, id)
			if err := errors.Join(ignore(err), ignore(berr), ignore(rerr)); err != nil {
				return err
			}
		}
		if err := sleep(ctx, 5*b.pace.step); err != nil {
			return err
		}
	}
	return nil
}

// cleanUp ends whatever the probe made, however far it came.
func (b *prober) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	b.step = "clean-up"
	for _, id := range b.ids {
		a := b.a
		a.ObjectID = id
		var err error
		for try := 1; try <= 8; try++ {
			if err = b.Remove(ctx, a); err == nil || sleep(ctx, time.Duration(try)*b.pace.step*5) != nil {
				break
			}
		}
		if err != nil {
			b.say("the account with the object id %s may be left; delete it by hand: %v", id, err)
		}
	}
}
