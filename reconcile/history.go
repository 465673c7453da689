package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/target"
)

// A question is the payload of work that asks what an account did.
type question struct {
	Account access.Account   `json:"account"`
	Grant   string           `json:"grant"`
	Ticket  access.TicketRef `json:"ticket"`
	From    time.Time        `json:"from"`
	To      time.Time        `json:"to"`
	Due     time.Time        `json:"due"`
	Last    bool             `json:"last"` // nobody asks again after this
}

// historyWithin is how long after its due time an answer is waited for.
const historyWithin = 24 * time.Hour

// askLater queues the questions what the account of each grant that ends now
// did. A target's own log is minutes to hours behind, so they are asked twice.
func (l *look) askLater() {
	if _, ok := target.As[target.Historian](l.sys); !ok {
		return
	}
	for _, g := range l.c.Grants {
		if !l.endsNow(g) {
			continue
		}
		account := l.c.Account
		account.Seen, account.Baseline, account.Trouble = access.Observation{}, "", ""
		for i, after := range l.r.cfg.History {
			q := question{Account: account, Grant: g.ID, Ticket: g.Ticket, From: g.ApprovedAt, To: g.EndedAt, Due: g.EndedAt.Add(after), Last: i == len(l.r.cfg.History)-1}
			payload, err := json.Marshal(q)
			if err != nil {
				l.r.cfg.Log.Error("cannot queue what to ask the target later", "grant", g.ID, "err", err)
				return
			}
			l.change.Work = append(l.change.Work, access.Work{Kind: WorkHistory, Key: fmt.Sprintf("history:%s:%d", g.ID, i+1),
				Group: "history/" + g.Target, Lane: "history/" + g.ID, Grant: g.ID, Payload: payload})
		}
	}
}

// A historian asks what accounts did.
type historian struct{ *Reconciler }

// history asks what an account did, and tells what was not told before. It
// never holds up an end, because it begins after it.
func (r historian) history(ctx context.Context, item schedule.Item[access.Work]) (schedule.Result, error) {
	var q question
	if err := json.Unmarshal(item.Value.Payload, &q); err != nil || q.Grant == "" {
		return r.answered(ctx, item, "The stored question cannot be read.")
	}
	if left := time.Until(q.Due); left > 0 {
		return schedule.In(left), nil
	}
	did, err := r.ask(ctx, q)
	switch {
	case err != nil && access.KindOf(err) != access.Denied && time.Since(q.Due) < historyWithin:
		return schedule.Result{}, fmt.Errorf("ask what account %s did: %w", q.Account.ID, err)
	case err != nil && q.Last:
		return r.answered(ctx, item, "not answered", r.historyEvent(q, "What the account did could not be read: "+troubleText(err)))
	case err != nil:
		return r.answered(ctx, item, "not answered")
	}
	records, err := r.Log.Timeline(ctx, q.Grant)
	if err != nil {
		return schedule.Result{}, fmt.Errorf("read the timeline of grant %s: %w", q.Grant, err)
	}
	told := func(text string) bool {
		return slices.ContainsFunc(records, func(rec access.Record) bool { return rec.Kind == access.EventHistory && rec.Text == text })
	}
	var events []access.Event
	var lines []string
	for _, text := range did {
		if text = clean(text, 500); !told(text) && len(events) < maxFindings {
			events, lines = append(events, r.historyEvent(q, text)), append(lines, "- "+text)
		}
	}
	if none := "The target's own log tells of nothing that the account changed."; len(did) == 0 && q.Last && !told(none) {
		events = append(events, r.historyEvent(q, none))
	}
	if len(lines) > 0 {
		if err := r.tellHistory(ctx, item, q, lines); err != nil {
			return schedule.Result{}, err
		}
	}
	return r.answered(ctx, item, fmt.Sprintf("%d told", len(events)), events...)
}

func (r historian) ask(ctx context.Context, q question) ([]string, error) {
	sys, err := r.Open(ctx, q.Account.Target)
	if err != nil {
		return nil, err
	}
	historian, ok := target.As[target.Historian](sys)
	if !ok {
		return nil, &access.Error{Kind: access.Denied, Text: "The target does not tell any more."}
	}
	return historian.History(ctx, q.Account, q.From, q.To)
}

func (r historian) historyEvent(q question, text string) access.Event {
	return access.Event{At: time.Now().UTC(), Kind: access.EventHistory, Actor: "jitney", Customer: q.Account.Customer, Grant: q.Grant, Subject: q.Account.Target, Text: text}
}

// tellHistory queues the note about it. Its key holds the number of the
// question, so that the same answer is not told twice.
func (r historian) tellHistory(ctx context.Context, item schedule.Item[access.Work], q question, lines []string) error {
	number := item.Value.Key[strings.LastIndexByte(item.Value.Key, ':')+1:]
	n := access.Note{Key: "jitney:" + q.Grant + ":history:" + number, Grant: q.Grant, Ticket: q.Ticket, Subject: "Jitney: What the account did"}
	if q.Ticket.None() {
		return nil
	}
	body := append([]string{"What " + clean(q.Account.Username, 300) + " did, as the target's own log tells:"}, lines...)
	if r.cfg.Address != "" {
		body = append(body, "Grant: "+strings.TrimSuffix(r.cfg.Address, "/")+"/grants/"+q.Grant)
	}
	n.Body = strings.Join(append(body, "["+n.Key+"]"), "\n")
	payload, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write down note %s: %w", n.Key, err)
	}
	return r.Outbox.Add(ctx, access.Work{Kind: WorkNote, Key: n.Key, Group: n.Ticket.System, Lane: n.Ticket.System + "/" + n.Ticket.ID, Grant: n.Grant, Payload: payload})
}

func (r *Reconciler) answered(ctx context.Context, item schedule.Item[access.Work], result string, events ...access.Event) (schedule.Result, error) {
	kctx, cancel := r.keep(ctx)
	defer cancel()
	if err := r.Outbox.Finish(kctx, item.Lease, result, false, events...); err != nil {
		return schedule.Result{}, fmt.Errorf("record that work %s is done: %w", item.Value.Key, err)
	}
	return schedule.Recorded(), nil
}
