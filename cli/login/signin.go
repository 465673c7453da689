package login

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"jitney/cli/exit"
	"jitney/cli/keep"
)

// signIn goes through the browser: on from where the last call stopped, else
// from the start. The lock is held.
func (a *attempt) signIn(ctx context.Context) (keep.Token, error) {
	old, ok := a.load()
	if ok && old.RefusedAt.After(a.began) {
		return keep.Token{}, cancelled() // it was meant for this call too
	}
	if ok && a.goesOn(old) {
		d, err := a.door(old)
		if err == nil {
			t, err := a.finish(ctx, old, d, true)
			if !errors.Is(err, errGone) {
				return t, err
			}
		}
	}
	if ctx.Err() != nil { // it waited for another call until now
		return keep.Token{}, a.stillPending(old)
	}
	p, d, err := a.begin(ctx)
	if err != nil {
		return keep.Token{}, err
	}
	t, err := a.finish(ctx, p, d, false)
	if errors.Is(err, errGone) {
		err = &exit.Error{Code: exit.Login, Text: "The sign-in was not finished in time.", Hint: "Repeat to begin a new one.", Err: err}
	}
	return t, err
}

// begin asks Jitney for a new pairing. It listens first: the port is part of
// what is asked.
func (a *attempt) begin(ctx context.Context) (pending, *door, error) {
	p := pending{Device: a.device(), Admin: a.Admin, Verifier: unguessable(), State: unguessable(), Port: a.Port}
	d, err := a.door(p)
	if err != nil {
		return p, nil, &exit.Error{Code: exit.Usage, Text: fmt.Sprintf("Port %d on 127.0.0.1 cannot be listened on.", a.Port),
			Hint: "Give another --port, or none.", Err: err}
	}
	if d != nil {
		p.Port = d.port
	}
	if err := a.pair(ctx, &p); err != nil {
		d.close()
		return p, nil, err
	}
	if err := a.save(p); err != nil {
		d.close()
		return p, nil, err
	}
	return p, d, nil
}

// door opens the door of a pairing that has one.
func (a *attempt) door(p pending) (*door, error) {
	if p.Device {
		return nil, nil
	}
	return openDoor(p.Port, p.State, a.origin)
}

// A wait is a sign-in that waits for its person.
type wait struct {
	*attempt
	pending
	door    *door
	resumed bool       // an earlier call began it
	opened  chan error // what became of opening the browser
	silent  error      // why Jitney was not reached last time, or nil
	ready   int        // how often in a row it said "authorized"
}

// finish waits until the person has decided, and closes the door.
func (a *attempt) finish(ctx context.Context, p pending, d *door, resumed bool) (keep.Token, error) {
	defer d.close()
	w := &wait{attempt: a, pending: p, door: d, resumed: resumed, opened: make(chan error, 1)}
	ctx, cancel := w.start(ctx)
	defer cancel()
	if resumed {
		if t, over, err := w.ask(ctx); over {
			return t, err
		}
		if w.ready > 0 && !p.Device {
			w.open()
		}
	}
	tick := time.NewTicker(w.every())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if w.silent != nil {
				return keep.Token{}, w.silent
			}
			return keep.Token{}, a.stillPending(p)
		case in := <-d.arrivals():
			if t, over, err := w.arrived(ctx, in); over {
				return t, err
			}
		case err := <-w.opened:
			if err != nil {
				a.say("No browser could be opened (%v). Open the link yourself, or use --device-code.", err)
			}
		case <-tick.C:
			if t, over, err := w.ask(ctx); over {
				return t, err
			}
		}
	}
}

// start tells the person what to do, and opens the browser if this is the
// first call. Its context ends early if nobody can see it meanwhile, unless a
// code was asked for: whoever asks reads it somehow.
func (w *wait) start(ctx context.Context) (context.Context, context.CancelFunc) {
	out, seen, done := screen(w.Err)
	defer done()
	opens := false
	switch {
	case w.pending.Device:
		fmt.Fprintf(out, "Open %s and type %s\n", w.URL, w.Code)
	case w.resumed:
		fmt.Fprintf(out, "A sign-in waits in your browser, with the code %s: %s\n", w.Code, w.URL)
		opens = true
	default:
		fmt.Fprintf(out, "Sign in with your browser, which shows the same code %s: %s\n", w.Code, w.URL)
		opens = w.open()
	}
	if !seen && !opens && !w.Request.Device {
		return context.WithTimeout(ctx, unseen)
	}
	return context.WithCancel(ctx)
}

// open opens the link in the browser and reports whether that was tried.
func (w *wait) open() bool {
	if w.NoBrowser {
		return false
	}
	argv := w.opener()
	if argv == nil {
		w.opened <- errors.New("none was found")
		return false
	}
	go func() { w.opened <- w.launch(argv, w.URL) }()
	return true
}

func (w *wait) every() time.Duration {
	switch {
	case w.poll > 0:
		return w.poll
	case w.pending.Device:
		return 2 * time.Second
	default:
		return 5 * time.Second // the browser brings the answer; this is for when it cannot
	}
}

// ask asks Jitney how the sign-in stands, without a code. It reports whether
// it is over.
func (w *wait) ask(ctx context.Context) (keep.Token, bool, error) {
	g, err := w.fetch(ctx, w.pending, "")
	w.silent = nil
	switch {
	case err == nil && g.Token != "":
		t, err := w.granted(g)
		return t, true, err
	case err == nil && g.State == "authorized":
		if w.ready++; w.ready == 3 && !w.pending.Device {
			w.say("It is authorized, but the browser did not come back to 127.0.0.1:%d. If it runs on another computer, repeat with --device-code.", w.pending.Port)
		}
	case err == nil:
		w.ready = 0
	case errors.Is(err, errRefused):
		w.refuse(w.pending)
		w.seeOff(ctx)
		return keep.Token{}, true, refusal(err)
	case errors.Is(err, errGone):
		w.drop()
		return keep.Token{}, true, err
	case ctx.Err() == nil:
		w.silent = err // the next question may do better
	}
	return keep.Token{}, false, nil
}

// seeOff waits a moment for the browser that Jitney is sending here, lest it
// finds nobody.
func (w *wait) seeOff(ctx context.Context) {
	if w.door == nil || w.resumed {
		return
	}
	select {
	case in := <-w.door.arrivals():
		in.answer(w.done())
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}

// done is the page that the browser goes on to.
func (w *wait) done() string { return w.origin + "/local-access/" + w.ID + "/done" }

// arrived takes what the browser brought, which had the right state.
func (w *wait) arrived(ctx context.Context, in arrival) (keep.Token, bool, error) {
	if in.denied {
		in.answer(w.done())
		w.refuse(w.pending)
		return keep.Token{}, true, cancelled()
	}
	g, err := w.redeem(ctx, in.code)
	if err == nil && g.Token != "" {
		t, err := w.granted(g)
		next := w.done()
		if err != nil {
			next = ""
		}
		in.answer(next)
		return t, true, err
	}
	in.answer("")
	if r, ok := errors.AsType[*reply](err); ok {
		w.say("What the browser brought was not accepted: %s", cmp.Or(clip(r.Detail, 300), r.Error()))
	}
	// A wrong code ends nothing; whether it was the code, Jitney knows.
	return w.ask(ctx)
}

// redeem fetches the token with the code, which the browser will not bring
// again: so it tries again if Jitney was busy or out of reach.
func (w *wait) redeem(ctx context.Context, code string) (g given, err error) {
	for pause := w.every() / 10; ; pause *= 2 {
		g, err = w.fetch(ctx, w.pending, code)
		if exit.Code(err) != exit.Unreachable {
			return g, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return g, err
		}
	}
}

// granted checks and keeps the token that Jitney gave.
func (w *wait) granted(g given) (keep.Token, error) {
	t, err := g.token(w.pending.Admin)
	if err != nil {
		return keep.Token{}, err
	}
	w.drop()
	w.say("Signed in as %s.", t.Login) // whoever authorized: also if that was somebody else
	if err := w.Store.Put(w.origin, t); err != nil {
		w.say("%s The sign-in holds for this call only.", err)
	}
	return t, nil
}

// unguessable reports 256 random bits as text for a URL.
func unguessable() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64url(b)
}
