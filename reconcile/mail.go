package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"jitney/access"
	"jitney/schedule"
)

// Mailer sends mail to people.
type Mailer interface {
	// Send sends one message of plain text to all of to. An error that will
	// pass is access.Unavailable, one that never will is access.Invalid.
	Send(ctx context.Context, to []string, subject, body string) error
}

// Staff finds who is told of what goes wrong.
type Staff interface {
	People(ctx context.Context) ([]access.Person, error)
}

// mail queues the message that goes with a note of some kinds: what failed,
// and what people must help with. Nothing is queued if no mail can be sent.
func (l scribe) mail(g access.Grant, kind string, n access.Note) {
	var admins bool
	switch {
	case l.r.Mailer == nil:
		return
	case kind == "notgiven":
		if c := g.StopCause; c == access.ByDenial || c == access.ByWithdrawal || c == access.ByHolder {
			return // whoever did that knows
		}
	case kind == "overdue", strings.HasPrefix(kind, "blocked-"):
		admins = true
	default:
		return
	}
	body := strings.TrimSuffix(n.Body, "\n["+n.Key+"]")
	subject := n.Subject
	if g.Ticket.ID != "" {
		subject += " (ticket " + clean(g.Ticket.Number, 100) + ")"
	}
	payload, err := json.Marshal(access.Letter{Person: g.Requester, Admins: admins, Subject: subject, Body: body})
	if err != nil {
		l.r.cfg.Log.Error("cannot queue mail", "grant", g.ID, "err", err)
		return
	}
	l.change.Work = append(l.change.Work, access.Work{Kind: WorkMail, Key: "mail:" + strings.TrimPrefix(n.Key, "jitney:"), Group: WorkMail, Lane: "mail/" + n.Key, Grant: g.ID, Payload: payload})
}

// post sends one letter. Lost answers can make it arrive twice, which for mail
// is better than not at all.
func (r *Reconciler) post(ctx context.Context, item schedule.Item[access.Work]) (schedule.Result, error) {
	var l access.Letter
	if err := json.Unmarshal(item.Value.Payload, &l); err != nil || l.Subject == "" {
		return r.answered(ctx, item, "The stored mail cannot be read.")
	}
	if r.Mailer == nil {
		return r.answered(ctx, item, "No mail can be sent from here.")
	}
	people, err := r.Staff.People(ctx)
	if err != nil {
		return schedule.Result{}, fmt.Errorf("find whom to tell: %w", err)
	}
	var to []string
	for _, p := range people {
		concerned := p.ID == l.Person || l.Admins && p.Is(access.Administrator)
		if at := strings.IndexByte(p.Login, '@'); concerned && p.DisabledAt.IsZero() && at > 0 && !slices.Contains(to, p.Login) {
			to = append(to, p.Login)
		}
	}
	if len(to) == 0 {
		return r.answered(ctx, item, "Nobody concerned has a login that is a mail address.")
	}
	err = r.Mailer.Send(ctx, to, l.Subject, l.Body)
	if access.KindOf(err) == access.Invalid {
		return r.answered(ctx, item, troubleText(err))
	}
	if err != nil {
		return schedule.Result{}, fmt.Errorf("send mail: %w", err)
	}
	return r.answered(ctx, item, fmt.Sprintf("sent to %d", len(to)))
}
