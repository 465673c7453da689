package web

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/broker"
)

// grantView turns the broker's page into what the template shows.
func grantView(v *visit, p broker.GrantPage) grantBody {
	g := p.Grant
	b := grantBody{running: runningOf(p.GrantRow, v.now), Title: p.Entitlement + " on " + p.Customer, Short: short(g.ID), Kind: p.KindTitle + " · " + p.Target,
		Requester: p.Requester, Ticket: refLabel(g.Ticket), Reason: g.Reason, BackPath: "/access", BackName: "My access",
		Asked: access.Length(g.Duration), Policy: p.Policy, PolicyName: g.Policy, PolicyVersion: g.PolicyVersion, SubmittedAt: g.SubmittedAt,
		Live: g.EndedAt.IsZero(), Pending: p.State == access.Pending, Working: p.State == access.Starting || p.State == access.Ending,
		Findings: slices.Concat(p.Notices, g.Findings, p.Late), Deeds: p.Deeds, Word: broker.Word(p.Handover), Phase: stateBadges[p.State], PhaseText: phaseText(v, p)}
	if p.Waits { // it looks neither stuck nor ended
		b.State, b.Working = badge{"work", "refresh-cw", "Reading back"}, true
		b.Phase = b.State
	}
	if g.Requester != v.Person.ID {
		b.BackPath, b.BackName = "/grants", "Grants"
	}
	v.section = b.BackPath
	if g.Extension > 0 {
		b.Extension = access.Length(g.Extension)
	}
	if p.ApprovedBy != "" {
		b.Approved = "by " + p.ApprovedBy + ", " + v.Zoned(g.ApprovedAt)
	}
	b.TicketURL, b.TicketOut = ticketLink(g.Ticket)
	b.Unverified = g.Ticket.Unverified
	b.Cause = causeText(p)
	b.signIn(p)
	b.evidence(v, p)
	b.steps(v, p)
	b.rights(v, p)
	if (p.State == access.Overdue || p.State == access.Blocked) && !p.Waits {
		b.Stuck = stuck(v.clock, p)
	}
	return b
}

// ticketLink is where the page of a ticket is; out says that it is not here.
// The broker has seen to it that it is on the ticket system's own site.
func ticketLink(t access.TicketRef) (address string, out bool) {
	switch {
	case t.System == broker.BuiltInDesk && t.ID != "":
		return "/desk/" + url.PathEscape(t.ID), false
	case strings.HasPrefix(t.URL, "https://"):
		return t.URL, true
	}
	return "", false
}

func refLabel(t access.TicketRef) string {
	if t.Title == "" {
		return t.Number
	}
	return t.Number + " - " + t.Title
}

// short is an ID as it stands in crumbs.
func short(id string) string {
	if len(id) > 10 {
		return id[:10]
	}
	return id
}

func causeText(p broker.GrantPage) string {
	g := p.Grant
	if p.Cause == access.NotOver {
		return ""
	}
	text := string(p.Cause)
	if p.StoppedBy != "" && p.Cause == g.StopCause {
		text += ", by " + p.StoppedBy
	}
	if g.StopReason != "" {
		text += ": " + g.StopReason
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func phaseText(v *visit, p broker.GrantPage) string {
	g := p.Grant
	if p.Waits {
		text := "Everything was done for the end. It counts as ended when that is certain."
		if left := sentence(strings.Join(p.Observation.Left, "; ")); left != "" {
			text = left + " Nothing is left to be done but that; it counts as ended when it is certain."
		}
		return text + " The next look is at " + v.Second(p.Observation.At.Add(p.Observation.Settling)) + "."
	}
	switch p.State {
	case access.Pending:
		return "An approver of this customer decides. Nothing is given before that."
	case access.Starting:
		return "The account is being made ready. The clock starts when access was read back as usable."
	case access.Ending, access.Overdue:
		if !p.Kept.IsZero() {
			return kept(v, p) + " It counts as ended after that."
		}
		if p.State == access.Overdue {
			return "The target still shows access, or does not answer."
		}
		return "Rights are being taken away. It counts as ended when the target was read back without them."
	case access.Ended:
		return "Read back as gone at " + v.Zoned(g.EndedAt) + "."
	case access.Continued:
		return "This grant is over; the same access goes on under another grant of the same person."
	case access.NotGiven:
		if g.ApprovedAt.IsZero() {
			return "Nothing was ever given for this request."
		}
		return "No access was given. Read back at " + v.Zoned(g.EndedAt) + ": nothing of it is there."
	}
	return ""
}

// sentence makes a sentence of a phrase that the target's connector wrote.
func sentence(phrase string) string {
	phrase = strings.TrimSpace(phrase)
	if phrase == "" || strings.HasSuffix(phrase, ".") {
		return broker.Capital(phrase)
	}
	return broker.Capital(phrase) + "."
}

func (b *grantBody) signIn(p broker.GrantPage) {
	if p.State != access.Starting && p.State != access.Active && p.State != access.Expiring {
		return
	}
	b.Username, b.SignIn = p.Account.Username, p.Handover.SignIn
	b.Passwords = p.Password != broker.NoPassword
	b.KeptText = "After that it is not kept: nobody, not even an administrator, can read it again."
	switch p.Password {
	case broker.PasswordSoon:
		b.PasswordText = "Not ready yet: the account has not taken it"
		if p.Handover.Issued {
			b.PasswordText = "Not ready yet: the target has not made it"
		}
	case broker.PasswordReady:
		b.PasswordText = "Ready to be revealed, once"
	case broker.PasswordShown:
		b.PasswordText = "Was shown, and is not kept"
	case broker.PasswordKept:
		b.PasswordText, b.KeptText = "You copied it from the form", "An administrator can retrieve it, with a reason that is recorded."
	case broker.PasswordOther:
		b.PasswordText = "Was re-issued to an administrator"
	}
}

// instant finds instants in what a connector read.
var instant = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
})

func (b *grantBody) evidence(v *visit, p broker.GrantPage) {
	b.ReadAt, b.EndLabel, b.Silent = p.Observation.At, "At the end", p.Observation.Silent
	if b.Pending {
		return
	}
	if b.Ticking {
		b.EndLabel = "At " + v.Short(p.EndsAt)
	}
	over := !p.Grant.Wanted(v.now)
	for _, r := range p.Rows {
		f := factView{Name: r.What, Wanted: r.Wanted, Found: r.Found, Then: r.AtEnd, Class: "ok", Icon: "circle-check"}
		switch {
		case r.Wanted == "" && (r.OK || !over): // evidence that has no wish of its own
			f.Class, f.Icon = "plainmark", "circle-dot"
			if over && r.OK {
				f.Class, f.Icon = "ok", "circle-check"
			}
		case !r.OK && (b.Working || p.Observation.At.IsZero()):
			f.Class, f.Icon = "warnmark", "refresh-cw"
		case !r.OK:
			f.Class, f.Icon = "bad", "octagon-alert"
		}
		for _, cell := range []*string{&f.Wanted, &f.Found, &f.Then} {
			if at, err := time.Parse("2006-01-02 15:04:05 UTC", *cell); err == nil {
				*cell = v.Zoned(at)
			}
			*cell = instant().ReplaceAllStringFunc(*cell, func(text string) string {
				if at, err := time.Parse(time.RFC3339, text); err == nil {
					return v.Zoned(at)
				}
				return text
			})
			if *cell == "" || *cell == "—" {
				*cell = "–"
			}
		}
		if r.Wanted == "" {
			if f.Class == "ok" {
				f.Class = "plainmark good"
			}
			if r.What == "May outlive the end" { // told honestly, not proven
				f.Class, f.Icon = "plainmark", "info"
			}
			b.Evidence = append(b.Evidence, f)
			continue
		}
		b.Facts = append(b.Facts, f)
	}
}

func (b *grantBody) steps(v *visit, p broker.GrantPage) {
	for _, l := range p.Timeline {
		b.Timeline = append(b.Timeline, stepOfLine(v.clock, l))
	}
	b.LastStep, b.Seen = len(p.Timeline), p.Version
	for _, u := range p.Next {
		n := nextView{Text: u.Text}
		if !u.At.IsZero() {
			n.When = v.Short(u.At)
		}
		b.Next = append(b.Next, n)
	}
	for _, n := range p.Notes {
		row := noteRow{Level: "info", Icon: "hourglass", What: noteTitle(n.Kind) + " waits to be written", Why: n.Reason}
		switch n.State {
		case broker.NoteDone:
			row = noteRow{Level: "ok", Icon: "circle-check", What: noteTitle(n.Kind) + " was written", Why: v.Zoned(n.At)}
		case broker.NoteParked:
			row = noteRow{Level: "warning", Icon: "triangle-alert", What: noteTitle(n.Kind) + " could not be written", Why: n.Reason}
			if p.May.Revoke || p.Grant.Requester == v.Person.ID || v.Person.Is(access.Administrator) {
				row.Retry = n.WorkID
			}
		}
		b.Notes = append(b.Notes, row)
	}
}

func noteTitle(kind string) string {
	switch kind {
	case "":
		return "A note"
	case "time":
		return "The time of the access"
	case "status":
		return "The new status of the ticket"
	}
	return "The note “" + kind + "”"
}

func stepOfLine(c clock, l broker.Line) stepView {
	look := stepOf(l.Kind)
	by := l.Actor
	if by == "Jitney" {
		by = ""
	}
	return stepView{Tone: look.Tone, Icon: look.Icon, Text: l.Text, By: by, When: c.at(l.At, c.Second(l.At))}
}

func (b *grantBody) rights(v *visit, p broker.GrantPage) {
	m := p.May
	b.CanEnd, b.CanExtend, b.CanRevoke, b.CanApprove = m.End || m.Withdraw, m.Extend, m.Revoke, m.Approve
	b.CanReveal, b.CanRenew, b.CanReissue, b.CanRetrieve = m.Reveal, m.NewPassword, m.Reissue, m.Retrieve
	if !m.Extend || len(p.Offered) == 0 {
		b.CanExtend = false
		return
	}
	offered := make([]int64, 0, len(p.Offered))
	for _, d := range p.Offered {
		offered = append(offered, int64(d/time.Minute))
	}
	b.Extend = durationChips(offered[0], "", offered, p.ExtendUpTo)
	b.ExtendMax, b.ExtendTo = access.Length(p.ExtendUpTo), p.EndsAt.Add(p.Offered[0])
}

// stuck gathers what a person needs to end by hand what does not end by itself.
func stuck(c clock, p broker.GrantPage) *stuckView {
	s := &stuckView{Since: p.EndsAt, Attempts: p.Schedule.Attempts, Error: p.Schedule.LastError, Next: "Now, and again for ever"}
	if next := p.Schedule.NextTry; next.After(c.now) {
		s.Next = c.Second(next) + " " + c.ZoneName() + ", and again for ever"
	}
	for _, r := range p.Rows {
		if !r.OK && !p.Observation.At.IsZero() {
			s.Left = append(s.Left, r.What+": "+r.Found)
		}
	}
	s.Title, s.Icon = "Access should be gone and is not", "octagon-alert"
	for _, l := range p.Timeline {
		if l.Kind == access.EventTrouble && !l.At.Before(p.EndsAt) {
			s.Trouble = l.Text
		}
	}
	if p.State == access.Blocked {
		s.Title, s.Icon, s.Needs = "Access should be gone, and a person must help", "hand", broker.Capital(p.Grant.Blocked)
		s.Trouble = p.Account.Trouble // says what to do
	}
	name := p.Account.Username
	if name == "" {
		name = "the temporary account"
	}
	steps := p.ByHand
	if steps == "" {
		steps = "Disable {account} first: that takes the access away at once.\n" +
			"Take away {right} and every other right of that account, and reset its password."
	}
	steps = strings.NewReplacer("{account}", name, "{right}", p.Entitlement).Replace(steps)
	s.ByHand = append([]string{fmt.Sprintf("Sign in to %s with an administrator of its own.", p.Target)}, strings.Split(steps, "\n")...)
	s.ByHand = append(s.ByHand, "That is all. Jitney reads it back at its next try, and then shows Ended, verified.")
	return s
}
