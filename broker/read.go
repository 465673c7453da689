package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/target"
)

// A GrantRow is a grant as lists show it, with the names of what it points to.
type GrantRow struct {
	Grant          access.Grant
	State          access.State
	Cause          access.Cause
	Requester      string // name
	RequesterLogin string
	Customer       string // name
	Target         string // name
	KindTitle      string
	Icon           string // of the kind
	Entitlement    string // title
	EndsAt         time.Time
}

// A GrantPage is everything that the page of one grant shows to one person.
type GrantPage struct {
	GrantRow
	Account     access.Account     // its Seen is what the target showed last
	SeenAge     time.Duration      // since then; 0 if the target was never looked at
	Policy      string             // title
	ApprovedBy  string             // name; empty while it is not approved
	StoppedBy   string             // name; empty if nobody stopped it
	ContinuedBy string             // ID of the grant under which it goes on, if the person may see that
	Handover    target.Handover    // how to get into the account, and what its credential is called
	Outlives    string             // what may outlive the end; may be empty
	ByHand      string             // how to end it without Jitney, steps one a line; may be empty
	Rows        []Comparison       // wanted and found
	Timeline    []Line             // oldest first
	Next        []Upcoming         // what will happen, in order
	Notes       []NoteView         // to the ticket
	Password    CredentialState    // what became of the password
	Deeds       []string           // what the account did, as the target told after the end, one sentence each
	Late        []string           // what was found beyond the grant after its end, one sentence each
	Notices     []string           // what the holder must know: re-issued, retrieved, taken away
	May         Rights             // what this person may do with it now
	ExtendUpTo  time.Duration      // 0 if it cannot be extended
	Offered     []time.Duration    // extensions to offer, at most ExtendUpTo
	Observation access.Observation // the same as Account.Seen
	Version     string             // changes whenever anything on the page does; the same as Access.Pulse
	Schedule    Schedule
	Waits       bool      // everything was done for the end; only another look can show the rest, which Observation.Left names
	Sessions    bool      // sessions are issued from it
	Keeps       bool      // and go on until their own limit if it is ended early
	Kept        time.Time // until when what was issued works, if nothing can end it sooner; zero if nothing works, or the end ends it
	Admin       bool      // and they are an administrator's
}

// A Schedule is how the account of a grant is looked after.
type Schedule struct {
	Attempts  int       // tries that failed since the last one that did not
	LastError string    // of the last of them; empty for whoever is no administrator
	NextTry   time.Time // zero: now, or nothing is to be done
	Known     bool      // false if this installation cannot tell
}

// A Comparison is one line of what is wanted and what was found.
type Comparison struct {
	What   string
	Wanted string // now
	Found  string // at the last look; "not looked at yet" before
	AtEnd  string // what is wanted at the end
	OK     bool   // found is as wanted
}

// A Line is one line of a timeline.
type Line struct {
	At    time.Time
	Kind  string // of the event
	Actor string // name
	Text  string
	Seq   int64 // in the audit log; -1 while it waits to be sealed
}

// An Upcoming is something that will happen.
type Upcoming struct {
	At   time.Time // zero: nobody knows when, or at once
	Text string
}

// A NoteView is one ticket note and whether it arrived.
type NoteView struct {
	WorkID  string
	Kind    string // "granted", "ended", …
	Subject string
	Body    string
	State   NoteState
	At      time.Time // when it reached that state
	Reason  string    // why it is parked, or what the ticket system calls it
}

// A NoteState is how far a ticket note is.
type NoteState string

const (
	NoteWaits  NoteState = "waits"   // to be written
	NoteDone   NoteState = "written" // read back, or confirmed by the ticket system
	NoteParked NoteState = "parked"  // given up until a person starts it again
)

// A CredentialState is what became of the password of a grant's account.
type CredentialState string

const (
	NoPassword    CredentialState = "none"     // this kind has none, or the grant is over
	PasswordSoon  CredentialState = "soon"     // the target still has to take it
	PasswordReady CredentialState = "ready"    // its recipient can reveal it
	PasswordShown CredentialState = "shown"    // and it is not kept
	PasswordKept  CredentialState = "kept"     // shown on the form; an administrator can retrieve it
	PasswordOther CredentialState = "reissued" // re-issued to somebody else
)

// Rights say what a person may do with a grant now.
type Rights struct {
	End, Withdraw, Extend, Revoke, Approve, Reveal, NewPassword, Reissue, Retrieve bool
}

// Grant reads the page of one grant.
func (a *Access) Grant(ctx context.Context, who access.Person, grantID string) (GrantPage, error) {
	g, err := a.visible(ctx, who, grantID)
	if err != nil {
		return GrantPage{}, err
	}
	var pulse access.Pulse // before all else, so that a later change shows as one
	if a.Pulses != nil {
		if pulse, err = a.Pulses.Pulse(ctx, grantID); err != nil {
			return GrantPage{}, hide(err)
		}
	}
	records, err := a.Log.Timeline(ctx, grantID)
	if err != nil {
		return GrantPage{}, err
	}
	people := []string{g.Requester, g.ApprovedBy, g.StoppedBy}
	for _, r := range records {
		people = append(people, r.Actor)
	}
	b, err := a.names.only(ctx, g.Customer, g.Target, people)
	if err != nil {
		return GrantPage{}, err
	}
	c, err := a.Grants.Case(ctx, g.Account)
	if err != nil {
		return GrantPage{}, hide(err)
	}
	now := time.Now().UTC()
	p := GrantPage{GrantRow: b.row(g, now), Account: c.Account, Observation: c.Account.Seen, Policy: g.Policy,
		Handover: b.handover(g.Target), Outlives: b.kind(g.Target).Outlives,
		ByHand: b.kind(g.Target).ByHand, Sessions: b.kind(g.Target).Sessions}
	if right, ok := b.kind(g.Target).Find(settingsOf(b.targets[g.Target]), g.Entitlement); ok {
		p.Admin = right.Admin
	}
	if !c.Account.Seen.At.IsZero() {
		p.SeenAge = now.Sub(c.Account.Seen.At)
	}
	if g.ApprovedBy != "" {
		p.ApprovedBy = b.person(g.ApprovedBy)
	}
	if g.StoppedBy != "" {
		p.StoppedBy = b.person(g.StoppedBy)
	}
	if g.ContinuedBy != "" {
		if _, err := a.visible(ctx, who, g.ContinuedBy); err == nil {
			p.ContinuedBy = g.ContinuedBy
		}
	}
	if err := (reader{a}).rules(ctx, &p, now); err != nil {
		return GrantPage{}, err
	}
	if err := (reader{a}).history(ctx, b, records, &p); err != nil {
		return GrantPage{}, err
	}
	p.Waits = waits(p.State, p.Observation)
	p.Rows = compare(p.Entitlement, g, c, now)
	atTheEnd, keeps := b.kind(g.Target).End(settingsOf(b.targets[g.Target]))
	if p.Keeps = keeps; keeps {
		p.Kept = lives(c.Account, g, now)
	}
	p.Next = upcoming(atTheEnd, p)
	p.Password = credentialState(b.handover(g.Target), g, c.Credential, now)
	p.May = rights(who, p, c.Credential, now)
	p.Version = fmt.Sprintf("%d.%d.%d.%d.%s.%s", g.Version, c.Account.Seen.At.UnixMicro(), len(p.Timeline), c.Credential.Seq, p.Password, p.State)
	for _, n := range p.Notes {
		p.Version += "." + string(n.State)
	}
	if a.Pulses != nil {
		p.Version = markOf(pulse, p.State)
		p.Schedule = Schedule{Attempts: pulse.Attempts, NextTry: pulse.NextTry, Known: true}
		if who.Is(access.Administrator) {
			p.Schedule.LastError = clip(pulse.LastError, 500)
		}
	}
	return p, nil
}

// lives is until when what was issued from g works by its own limit; zero if
// nothing does.
func lives(a access.Account, g access.Grant, now time.Time) (last time.Time) {
	for _, i := range a.Issued {
		if i.Entitlement == g.Entitlement && g.EndedAt.IsZero() && i.EndsAt.After(now) && i.EndsAt.After(last) {
			last = i.EndsAt
		}
	}
	return last
}

func markOf(p access.Pulse, state access.State) string { return p.Mark + "." + string(state) }

// Pulse tells cheaply whether the page of a grant is what it was: it is the
// Version that [Access.Grant] would report.
func (a *Access) Pulse(ctx context.Context, who access.Person, grantID string) (string, error) {
	if a.Pulses == nil {
		p, err := a.Grant(ctx, who, grantID)
		return p.Version, err
	}
	g, err := a.visible(ctx, who, grantID)
	if err != nil {
		return "", err
	}
	p, err := a.Pulses.Pulse(ctx, grantID)
	return markOf(p, g.State(time.Now().UTC())), hide(err)
}

func (b book) row(g access.Grant, now time.Time) GrantRow {
	k := b.kind(g.Target)
	return GrantRow{Grant: g, State: g.State(now), Cause: g.Cause(now), Requester: b.person(g.Requester), RequesterLogin: b.people[g.Requester].Login,
		Customer: b.customer(g.Customer), Target: b.target(g.Target), KindTitle: k.Title, Icon: k.Icon,
		Entitlement: b.entitlement(g.Target, g.Entitlement), EndsAt: g.EndsAt()}
}

// A reader gathers what a page needs.
type reader struct{ *Access }

// rules reads what the policy of the grant still allows.
func (a reader) rules(ctx context.Context, p *GrantPage, now time.Time) error {
	policy, err := a.Rules.Policy(ctx, p.Grant.Policy)
	switch {
	case err != nil && access.KindOf(err) == access.NotFound:
		return nil
	case err != nil:
		return err
	}
	p.Policy = policy.Title
	if policy.CheckExtension(p.Grant, time.Minute, now) != nil {
		return nil
	}
	p.ExtendUpTo = min(policy.Max, access.Ceiling) - p.Grant.Duration - p.Grant.Extension
	for _, d := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if d <= p.ExtendUpTo {
			p.Offered = append(p.Offered, d)
		}
	}
	if len(p.Offered) == 0 {
		p.Offered = []time.Duration{p.ExtendUpTo}
	}
	return nil
}

// history fills in the timeline, and reads the notes.
func (a reader) history(ctx context.Context, b book, records []access.Record, p *GrantPage) error {
	for _, r := range records {
		p.Timeline = append(p.Timeline, Line{At: r.At, Kind: r.Kind, Actor: b.person(r.Actor), Text: r.Text, Seq: r.Seq})
		switch r.Kind {
		case access.EventHistory:
			p.Deeds = append(p.Deeds, r.Text)
		case access.EventFinding:
			ended := p.Grant.EndedAt
			if !ended.IsZero() && r.At.After(ended) && r.Subject != p.Grant.Ticket.ID && !slices.Contains(p.Grant.Findings, r.Text) {
				p.Late = append(p.Late, r.Text)
			}
		case access.EventReissued, access.EventRetrieved:
			p.Notices = append(p.Notices, r.Text)
		case access.EventStopped:
			if r.Actor != p.Grant.Requester {
				p.Notices = append(p.Notices, r.Text)
			}
		}
	}
	works, err := a.Notes.WorkOf(ctx, p.Grant.ID)
	if err != nil {
		return err
	}
	for _, w := range works {
		if noteKind(w.Key) != "" {
			p.Notes = append(p.Notes, far(noteView(w), works))
		}
	}
	return nil
}

// far is v, as far as the note is that brings it along, if one does.
func far(v NoteView, works []access.Work) NoteView {
	with, ok := strings.CutPrefix(v.Reason, access.GoesWith)
	for _, w := range works {
		if other := noteView(w); ok && w.Key == with {
			v.WorkID, v.State, v.At, v.Reason = other.WorkID, other.State, other.At, other.Reason
		}
	}
	return v
}

func noteView(w access.Work) NoteView {
	v := NoteView{WorkID: w.ID, Kind: noteKind(w.Key), State: NoteWaits, At: w.CreatedAt, Reason: w.Result}
	switch {
	case !w.DoneAt.IsZero():
		v.State, v.At = NoteDone, w.DoneAt
	case !w.ParkedAt.IsZero():
		v.State, v.At = NoteParked, w.ParkedAt
	}
	var n access.Note
	if json.Unmarshal(w.Payload, &n) == nil {
		v.Subject, v.Body = n.Subject, n.Body
	}
	return v
}

func credentialState(h target.Handover, g access.Grant, c access.Credential, now time.Time) CredentialState {
	switch {
	case h.Word == "", over(g, now), g.ApprovedAt.IsZero():
		return NoPassword
	case c.Account == "", c.Waits(), h.Issued && c.Missing(), g.VerifiedAt.IsZero():
		return PasswordSoon
	case c.Recipient != g.Requester && c.Recipient != "":
		return PasswordOther
	case c.Retain && c.Sealed != nil:
		return PasswordKept
	case c.Ready():
		return PasswordReady
	default:
		return PasswordShown
	}
}

func rights(who access.Person, p GrantPage, c access.Credential, now time.Time) Rights {
	g := p.Grant
	holder, admin := g.Requester == who.ID, who.Is(access.Administrator)
	pending := p.State == access.Pending
	active := g.Wanted(now) && !g.VerifiedAt.IsZero()
	passwords := active && p.Password != NoPassword
	works := holder && asks(who, g.Customer)
	return Rights{
		End:         holder && g.Wanted(now),
		Withdraw:    holder && pending,
		Extend:      works && p.ExtendUpTo > 0,
		Revoke:      admin && !over(g, now),
		Approve:     pending && !holder && who.Is(access.Approver) && who.WorksFor(g.Customer),
		Reveal:      active && c.Recipient == who.ID && (works || admin) && c.Ready() && !c.Retain,
		NewPassword: passwords && works && p.Password != PasswordSoon,
		Reissue:     passwords && admin && p.Password != PasswordSoon,
		Retrieve:    passwords && admin && c.Retain && c.Sealed != nil && !c.SetAt.IsZero(),
	}
}
