package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jitney/access"
)

// A scribe writes down for the ticket what a look found.
type scribe struct{ *look }

// announce queues the ticket notes that follow from what changed in a grant.
// Each is rendered here, once, and stored with the change.
func (l scribe) announce(ctx context.Context, before, g access.Grant) {
	if before.VerifiedAt.IsZero() && !g.VerifiedAt.IsZero() {
		l.note(g, "granted", "Access granted", l.grantedBody(ctx, g))
	}
	if before.OverdueAt.IsZero() && !g.OverdueAt.IsZero() {
		l.note(g, "overdue", "Access does not end", l.overdueBody(ctx, g))
	}
	if g.Blocked != "" && before.Blocked != g.Blocked {
		l.note(g, "blocked-"+strings.ReplaceAll(g.Blocked, " ", "-"), "Access ends only with help", l.blockedBody(ctx, g))
	}
	if !before.EndedAt.IsZero() || g.EndedAt.IsZero() || g.ApprovedAt.IsZero() {
		return
	}
	defer l.settle(ctx, g)
	switch {
	case g.ContinuedBy != "" && !g.VerifiedAt.IsZero():
		l.note(g, "continued", "Access goes on", l.continuedBody(ctx, g))
	case g.VerifiedAt.IsZero():
		l.note(g, "notgiven", "Access not given", l.notGivenBody(ctx, g))
	default:
		l.note(g, "ended", "Access ended", l.endedBody(ctx, g))
	}
}

// note queues one note, with its key as the last line.
func (l scribe) note(g access.Grant, kind, subject string, lines []string) {
	l.noteN(g, kind, 1, subject, lines)
}

func (l scribe) noteN(g access.Grant, kind string, n int64, subject string, lines []string) {
	key := fmt.Sprintf("jitney:%s:%s:%d", g.ID, kind, n)
	for i := range lines { // a reason, or what the target calls something, must not pass for the key of another note
		lines[i] = strings.ReplaceAll(lines[i], "jitney:", "jitney ")
	}
	if l.r.cfg.Address != "" {
		lines = append(lines, "Grant: "+strings.TrimSuffix(l.r.cfg.Address, "/")+"/grants/"+g.ID)
	}
	lines = append(lines, "["+key+"]")
	written := access.Note{Key: key, Grant: g.ID, Ticket: g.Ticket, Subject: "Jitney: " + subject, Body: strings.Join(lines, "\n")}
	if !g.Ticket.None() {
		l.change.Notes = append(l.change.Notes, written)
	}
	l.mail(g, kind, written)
}

// reissued queues the notice that somebody else than the holder has the
// password now.
func (l scribe) reissued(g access.Grant) {
	c := l.c.Credential
	if c.Recipient == "" || c.Recipient == g.Requester {
		return
	}
	ctx := context.Background()
	l.noteN(g, "reissued", c.Seq, "Password re-issued", []string{
		"The password of " + l.username() + " was re-issued to an administrator" + l.named(ctx, c.Recipient, " (", ")") + " who must get in.",
		"The password that the requester has does not work any more.",
	})
}

func (l scribe) grantedBody(ctx context.Context, g access.Grant) []string {
	first := "Access has been given: " + l.username() + " is now enabled"
	if l.kind.GrantNote != nil {
		first = l.kind.GrantNote(l.c.Account, g.Entitlement)
	}
	lines := []string{first, "Reason: " + clean(g.Reason, access.MaxReason)}
	if g.Reason == "" {
		lines = lines[:1]
	}
	if name := l.name(ctx, g.Requester); name != "" {
		lines = append(lines, "Requested by: "+name)
	}
	return append(lines, "Ends: "+l.instant(ctx, g.ExpiresAt())+" ("+access.Length(g.Duration+g.Extension)+")")
}

func (l scribe) endedBody(ctx context.Context, g access.Grant) []string {
	seen := l.c.Account.Seen
	first := "Access has been revoked: " + l.username() + " has no access any more."
	switch {
	case !seen.Clean():
		first = "Access has been revoked: " + l.username() + " does not hold " + l.entitlement(g) + " any more. The account stays in use under another grant."
	case !seen.Exists && (l.kind.Shared || l.kind.EndNote == nil): // somebody else deleted it
		first = "Access has been revoked: the account " + l.username() + " does not exist any more."
	case l.kind.EndNote != nil:
		first = l.kind.EndNote(l.c.Account, g.Entitlement)
	}
	lines := append([]string{first}, l.whyLines(ctx, g)...)
	lines = append(lines, "Read back at "+l.instant(ctx, seen.At)+":")
	for i, f := range seen.Facts {
		if i == 40 {
			lines = append(lines, fmt.Sprintf("- and %d more", len(seen.Facts)-i))
			break
		}
		lines = append(lines, "- "+clean(f.Name, 100)+": "+clean(f.Found, 300))
	}
	for _, s := range seen.Silent {
		lines = append(lines, "Did not answer: "+clean(s, 200))
	}
	if l.kind.Outlives != "" {
		lines = append(lines, l.kind.Outlives)
	}
	return append(lines, l.findingLines(g)...)
}

func (l scribe) findingLines(g access.Grant) (lines []string) {
	if len(g.Findings) > 0 {
		lines = append(lines, "Found, and not part of this grant:")
		for i, f := range g.Findings {
			if i == 40 {
				lines = append(lines, fmt.Sprintf("- and %d more; see the grant", len(g.Findings)-i))
				break
			}
			lines = append(lines, "- "+clean(f, 500))
		}
	}
	switch {
	case !l.compared:
	case l.matched && len(l.differ) == 0:
		lines = append(lines, "Who is privileged on the target was compared before and after: no difference.")
	case !l.matched:
		lines = append(lines, "Who is privileged on the target could not be compared with before.")
	}
	return lines
}

// whyLines say why g is over, and who did it.
func (l scribe) whyLines(ctx context.Context, g access.Grant) []string {
	text := map[access.Cause]string{
		access.ByExpiry:   "its time was reached",
		access.ByHolder:   "ended early by its holder",
		access.ByRevoking: "revoked by an administrator" + l.named(ctx, g.StoppedBy, " (", ")"),
		access.ByDrift:    "somebody took the access away on the target",
		access.ByLapse:    "it did not become usable in time",
		access.ByRefusal:  "it was not allowed any more",
		access.ByTicket:   "its ticket was closed, or is not what it was taken for",
	}[g.Cause(time.Now())]
	if text == "" {
		text = string(g.Cause(time.Now()))
	}
	lines := []string{"Why: " + text}
	if g.StopReason != "" {
		lines = append(lines, "Said: "+clean(g.StopReason, access.MaxReason))
	}
	return lines
}

func (l scribe) notGivenBody(ctx context.Context, g access.Grant) []string {
	first, left := "No access was given for this request", "; nothing is left on the target."
	if !g.RemovingAt.IsZero() {
		first, left = "It was never read back as usable; what had been prepared was taken away", ", and nothing is left on the target."
	}
	if !l.c.Account.Seen.Clean() {
		left = ". The account " + l.username() + " stays in use under another grant."
	}
	return append([]string{first + left}, l.whyLines(ctx, g)...)
}

func (l scribe) continuedBody(ctx context.Context, g access.Grant) []string {
	lines := append([]string{"This grant is over. The same access of " + l.username() + " goes on under another grant."}, l.whyLines(ctx, g)...)
	for _, o := range l.c.Grants {
		if o.ID == g.ContinuedBy {
			lines = append(lines, "That one ends: "+l.instant(ctx, o.EndsAt()))
		}
	}
	return lines
}

func (l scribe) overdueBody(ctx context.Context, g access.Grant) []string {
	return l.lastSeen(ctx, []string{
		"The access of " + l.username() + " should have ended at " + l.instant(ctx, g.EndsAt()) + " and could not be read back as gone.",
		"Jitney keeps removing it, at least once a minute, and reports here when it is gone.",
	})
}

func (l scribe) blockedBody(ctx context.Context, g access.Grant) []string {
	return l.lastSeen(ctx, []string{
		"The access of " + l.username() + " should have ended at " + l.instant(ctx, g.EndsAt()) + ", and the end needs a person: " + g.Blocked + ".",
		clean(l.blockedText, 1000),
		"Jitney keeps trying, and reports here when it is gone.",
	})
}

// lastSeen adds to lines what the target showed last.
func (l scribe) lastSeen(ctx context.Context, lines []string) []string {
	seen := l.c.Account.Seen
	if !seen.At.IsZero() {
		lines = append(lines, "Last seen at "+l.instant(ctx, seen.At)+":")
		for i, f := range seen.Facts {
			if i == 40 {
				break
			}
			lines = append(lines, "- "+clean(f.Name, 100)+": "+clean(f.Found, 300))
		}
	}
	return lines
}

// instant writes a time for people, with the name of its zone.
func (l scribe) instant(ctx context.Context, t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	zone := l.r.cfg.Zone(ctx)
	out := t.In(zone).Format("2006-01-02 15:04:05 MST")
	if name := zone.String(); name != "" && name != "UTC" && name != "Local" {
		out += " (" + name + ")"
	}
	return out
}

func (l scribe) username() string {
	if l.c.Account.Username == "" {
		return "the temporary account"
	}
	return clean(l.c.Account.Username, 300)
}

func (l scribe) entitlement(g access.Grant) string {
	if e, ok := l.kind.Find(settingsOf(l.where), g.Entitlement); ok {
		return e.Title
	}
	return clean(g.Entitlement, 80)
}

func (l scribe) name(ctx context.Context, id string) string {
	if id == "" || id == "jitney" {
		return ""
	}
	return clean(l.r.cfg.Person(ctx, id), 200)
}

func (l scribe) named(ctx context.Context, id, before, after string) string {
	if name := l.name(ctx, id); name != "" {
		return before + name + after
	}
	return ""
}
