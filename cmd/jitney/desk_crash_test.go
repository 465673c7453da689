//go:build crashpoints

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/reconcile"
	"jitney/secret"
	simconnectwise "jitney/sim/connectwise"
	simrt "jitney/sim/rt"
	"jitney/target/fake"
)

// crashesDesk are the places at which a process that writes notes is killed,
// one process each, one after the other on the same installation: between
// every two steps of a note, around the transactions, and while the request is
// under way, which then takes effect at once, late, or never.
var crashesDesk = []string{
	"note.begun:1", "note.looked:1", "note.tried:1", "note.added:1", "note.done:1",
	"note.begun:2", "note.looked:3", "note.tried:2", "note.added:3", "note.done:2",
	"store.commit.before:1", "store.commit.after:1", "store.commit.before:2", "store.commit.after:2", "store.commit.before:4", "store.commit.after:3",
	diesDone, diesLate, diesLost, diesDone,
}

const (
	diesDone = "request:done" // the process dies when the request has taken effect
	diesLate = "request:late" // it dies, and the request takes effect later
	diesLost = "request:lost" // it dies, and so does the request
)

// TestCrashWhileNotesAreWritten kills processes that write notes through the
// real connectors to simulated desks, which live on. In the end each note is on
// its ticket once.
func TestCrashWhileNotesAreWritten(t *testing.T) {
	t.Parallel()
	key := secret.New("Key0001")
	cw, rt := simconnectwise.New(simconnectwise.Switches{}, key), simrt.New(simrt.Switches{})
	company, queue := cw.AddCompany("Aviary"), rt.AddQueue("Aviary")
	desks := []crashDesk{
		{name: "ConnectWise PSA", sim: cw, writes: "/notes", add: func(title string) string { return cw.AddTicket(company, 1, title) },
			notes: func(part string) int { texts, _ := cw.Notes(part); return len(texts) }, company: company,
			in: broker.ConnectionInput{Kind: "connectwise", Values: map[string]string{"company": simconnectwise.Company, "public_key": simconnectwise.PublicKey},
				Secrets: map[string]secret.Text{"private_key": key, "client_id": secret.New(simconnectwise.ClientID)}}},
		{name: "Request Tracker", sim: rt, writes: "/comment", add: func(title string) string { return rt.AddTicket(queue, title, "") },
			notes: func(part string) int { return len(rt.Comments(part)) }, company: queue,
			in: broker.ConnectionInput{Kind: "rt", Values: map[string]string{"key_field": simrt.KeyField},
				Secrets: map[string]secret.Text{"token": secret.New(rt.Token("jitney", true))}}},
	}
	for _, d := range desks {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			d.run(t)
		})
	}
}

// A crashDesk is a simulated desk behind processes that die.
type crashDesk struct {
	name   string
	sim    http.Handler
	writes string // how the path of a request that writes a note ends
	add    func(title string) string
	notes  func(part string) int
	in     broker.ConnectionInput

	company string // to which the tickets belong
}

func (d crashDesk) run(t *testing.T) {
	line := &deadly{sim: d.sim, writes: d.writes}
	server := httptest.NewServer(line)
	defer server.Close()
	d.in.Values["url"] = server.URL
	data := t.TempDir()
	keys := d.queue(t, data)
	for _, point := range crashesDesk {
		p := line.start(t, data, point)
		select {
		case <-p.done:
		case <-time.After(patience):
			t.Fatalf("the process does not come to %s:\n%s", point, p.output())
		}
		if !line.struck() && !strings.Contains(p.output(), "crashpoint: ") {
			t.Errorf("the process ended before it came to %s:\n%s", point, p.output())
		}
	}
	last := line.start(t, data, "")
	select {
	case <-last.done:
	case <-time.After(patience):
	}
	if !strings.Contains(last.output(), "PASS") {
		t.Errorf("the last process does not write what is left:\n%s", last.output())
	}
	line.late.Wait()
	for _, key := range keys {
		if n := d.notes("[" + key + "]"); n != 1 {
			t.Errorf("the note %s is there %d times; want once", key, n)
		}
	}
}

// queue makes an installation with a connection to the desk and six notes to
// each of five tickets waiting, and reports their keys.
func (d crashDesk) queue(t *testing.T, data string) (keys []string) {
	t.Helper()
	ctx := t.Context()
	p, err := (&place{data: data, private: []string{"127.0.0.1"}}).open(ctx, slog.New(slog.DiscardHandler), targetKinds())
	must(t, err)
	defer p.close()
	who := access.Person{ID: "local:test", Login: "test", Roles: []access.Role{access.Administrator}, AllCustomers: true}
	b := p.brokers(localPeople{p.store.People, who})
	customer, err := b.Places.SaveCustomer(ctx, who, access.Customer{Name: "Aviary"})
	must(t, err)
	where, err := p.store.Targets.SaveTarget(ctx, access.Target{ID: "practice", Customer: customer.ID, Kind: fake.Name, Name: "Practice", Policy: "default", CreatedAt: time.Now()}, nil)
	must(t, err)
	saved, err := b.Tickets.Save(ctx, who, d.in)
	must(t, err)
	must(t, b.Tickets.Choose(ctx, who, saved.ID))
	_, err = b.Tickets.Refresh(ctx, who, saved.ID)
	must(t, err)
	must(t, b.Tickets.Map(ctx, who, saved.ID, customer.ID, d.company))
	_, err = p.store.Grants.Create(ctx, access.NewGrant{Grant: access.Grant{ID: "crash", SubmittedAt: time.Now(), Policy: "default", PolicyVersion: 1,
		Request: access.Request{Requester: who.ID, Customer: customer.ID, Target: where.ID, Entitlement: fake.Admin, Reason: "Patching.", Duration: time.Hour}},
		Account: access.Account{ID: "crash", Customer: customer.ID, Target: where.ID, Key: who.ID}})
	must(t, err)
	for range 5 {
		id := d.add("The printer")
		for n := range 6 {
			note := access.Note{Key: fmt.Sprintf("jitney:crash-%s:granted:%d", id, n), Grant: "crash", Ticket: access.TicketRef{System: saved.ID, ID: id}}
			note.Body = "The tech account is now enabled\n[" + note.Key + "]"
			payload, err := json.Marshal(note)
			must(t, err)
			must(t, p.store.Outbox.Add(ctx, access.Work{Kind: reconcile.WorkNote, Key: note.Key, Group: saved.ID, Lane: saved.ID + "/" + id, Grant: note.Grant, Payload: payload}))
			keys = append(keys, note.Key)
		}
	}
	return keys
}

// A deadly is the line between processes and a desk. It kills the process whose
// request comes at the wrong time.
type deadly struct {
	sim    http.Handler
	writes string
	late   sync.WaitGroup
	gate   sync.RWMutex // locked while a late request takes effect

	mu     sync.Mutex
	fate   string // of the next request that writes; empty once it was met
	met    bool
	victim *process
	began  time.Time // the first request of the process that runs: before it tried anything
}

// struck reports whether the process that runs was killed by its fate.
func (d *deadly) struck() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.met
}

// start starts a process that writes notes until none is left, or dies where
// point says.
func (d *deadly) start(t *testing.T, data, point string) *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	env := []string{"JITNEY_TEST_MAIN=", "JITNEY_TEST_DESK=" + data, "JITNEY_CRASH=" + point}
	d.victim = start(t, env, "-test.run=^TestCrashDeskWriter$")
	d.fate, d.met, d.began = "", false, time.Time{}
	if strings.HasPrefix(point, "request:") {
		d.fate = point
	}
	return d.victim
}

func (d *deadly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	fate, victim := "", d.victim
	if d.began.IsZero() {
		d.began = time.Now()
	}
	began := d.began
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, d.writes) {
		fate, d.fate = d.fate, ""
		d.met = d.met || fate != ""
	}
	d.mu.Unlock()
	if fate == "" {
		d.gate.RLock()
		defer d.gate.RUnlock()
		d.sim.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	again := r.Clone(context.Background())
	again.Body = io.NopCloser(bytes.NewReader(body))
	if fate == diesDone {
		d.sim.ServeHTTP(httptest.NewRecorder(), again)
	}
	_ = victim.cmd.Process.Kill()
	<-victim.done
	if fate == diesLate {
		d.late.Go(func() {
			<-time.After(deskGrace / 10)
			d.gate.Lock() // nobody looks between asking for the time and the effect
			defer d.gate.Unlock()
			if time.Since(began) < deskGrace/2 { // else the machine is so busy that it would come after the grace, which no request does
				d.sim.ServeHTTP(httptest.NewRecorder(), again)
			}
		})
	}
	panic(http.ErrAbortHandler)
}

// TestCrashDeskWriter is no test of its own: it plays the process that is
// killed.
func TestCrashDeskWriter(t *testing.T) {
	data := os.Getenv("JITNEY_TEST_DESK")
	if data == "" {
		return
	}
	p, err := (&place{data: data, private: []string{"127.0.0.1"}}).open(t.Context(), slog.New(slog.DiscardHandler), targetKinds())
	must(t, err)
	hasten(p)
	_, work := p.loops(p.reconciler(""))
	ctx, stop := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() { work.Run(ctx) })
	poll(t, "the last note", func() bool {
		all, err := p.store.Outbox.WorkOf(ctx, "crash")
		must(t, err)
		return !slices.ContainsFunc(all, func(w access.Work) bool { return w.Kind == reconcile.WorkNote && w.DoneAt.IsZero() })
	})
	stop()
	loop.Wait()
	p.close()
}
