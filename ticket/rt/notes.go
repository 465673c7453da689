package rt

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// Notes reports the notes of a ticket that carry key, by the custom field of
// transactions where the ticket's queue has it, else by their text.
func (s *system) Notes(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	if !isID(ticketID) || !ticket.ValidKey(key) {
		return nil, nil
	}
	if s.keyField != "" {
		if refs, err := s.notesByField(ctx, ticketID, key); err != nil || len(refs) > 0 {
			return refs, err
		}
	}
	var t one
	if _, err := s.get(ctx, "ticket/"+ticketID, nil, &t); err != nil {
		if ticket.TroubleOf(err) == ticket.Gone {
			return nil, nil // the note that follows will say so
		}
		return nil, err
	}
	if !isID(string(t.ID)) {
		return nil, s.odd("a ticket without a number")
	}
	if keyed, err := s.hasKeys(ctx, string(t.Queue.ID)); err != nil || keyed {
		return nil, err
	}
	return s.notesByText(ctx, string(t.ID), key)
}

// notesByField finds transactions by the key field. The search is not kept to
// the ticket: what was written to one before it was merged stays with the old
// number, while what is written to it afterwards bears the new one. The
// comparison of Request Tracker does not tell apart upper and lower case.
func (s *system) notesByField(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	var found list[one]
	if _, err := s.get(ctx, "transactions", url.Values{
		"query": {"CF.{" + s.keyField + "} = " + quoted(key)}, "fields": {"CustomFields"}, "per_page": {"20"},
	}, &found); err != nil {
		return nil, err
	}
	for _, t := range found.Items {
		if !isID(string(t.ID)) || !slices.Contains(t.custom(s.keyField), key) {
			continue
		}
		var whole one
		if _, err := s.get(ctx, "transaction/"+string(t.ID), nil, &whole); err != nil {
			return nil, err
		}
		here, err := s.same(ctx, string(whole.Object.ID), ticketID)
		if err == nil && here {
			here, err = s.self.Wrote(ctx, string(whole.Creator.ID), whoami(s))
		}
		if err != nil {
			return nil, err
		}
		if here {
			refs = append(refs, ticket.NoteRef{ID: string(t.ID), At: whole.Created.UTC()})
		}
	}
	return refs, nil
}

// same reports whether two ids stand for one ticket now.
func (s *system) same(ctx context.Context, a, b string) (bool, error) {
	if a == b || !isID(a) {
		return a == b, nil
	}
	var err error
	for _, id := range []*string{&a, &b} {
		if *id, err = s.effective(ctx, *id); err != nil {
			return false, err
		}
	}
	return a == b, nil
}

// notesByText finds the texts on a ticket that carry the key. The filter is
// that of Request Tracker; what it lets through is compared here.
func (s *system) notesByText(ctx context.Context, ticketID, key string) (refs []ticket.NoteRef, err error) {
	seen := map[ident]bool{} // a transaction can have several parts
	for page := 1; page <= 20; page++ {
		var found list[struct {
			TransactionID ident `json:"TransactionId"`
			Content       string
			Creator       ref
			Created       stamp
		}]
		if _, err := s.client.Do(ctx, reach.Call{
			Method: http.MethodPost, Path: root + "ticket/" + ticketID + "/attachments", // a search, though it is called POST
			Query: url.Values{"fields": {"Content,TransactionId,Creator,Created"}, "per_page": {"20"}, "page": {strconv.Itoa(page)}},
			Body:  []map[string]string{{"field": "Content", "operator": "LIKE", "value": key}},
			Into:  &found,
		}); err != nil {
			return nil, err
		}
		for _, a := range found.Items {
			if id := a.TransactionID; ticket.Carries(a.Content, key) && !seen[id] && isID(string(id)) {
				if ours, err := s.self.Wrote(ctx, string(a.Creator.ID), whoami(s)); err != nil || !ours {
					if err != nil {
						return nil, err
					}
					continue
				}
				seen[id] = true
				refs = append(refs, ticket.NoteRef{ID: string(id), At: a.Created.UTC()})
			}
		}
		if found.NextPage == "" && len(found.Items) < 20 {
			break
		}
	}
	return refs, nil
}

// hasKeys reports whether transactions of tickets in a queue have the key
// field. Yes is believed for some minutes.
func (s *system) hasKeys(ctx context.Context, queue string) (bool, error) {
	if s.keyField == "" || !isID(queue) {
		return false, nil
	}
	s.mu.Lock()
	known := time.Now().Before(s.keys[queue])
	s.mu.Unlock()
	if known {
		return true, nil
	}
	q, err := s.queue(ctx, queue)
	if err != nil || !slices.Contains(q.transactionFields(), s.keyField) {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[queue] = time.Now().Add(5 * time.Minute)
	return true, nil
}

// AddNote writes one comment with one request. The answer names no id.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	return comment(ctx, s, ticketID, n, 0)
}

// comment writes one comment that took minutes.
func comment(ctx context.Context, s *system, ticketID string, n ticket.Note, minutes int64) (ticket.NoteRef, error) {
	if !isID(ticketID) {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Gone, Text: "Request Tracker has no ticket of that number."}
	}
	body := reach.Body(ticket.Marked(n.Body, n.Key))
	if !ticket.ValidKey(n.Key) || len(n.Body) > s.Limits().Body {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The note is too long for Request Tracker, or has no key."}
	}
	comment := map[string]any{"Content": body, "ContentType": "text/plain"} // without a type it is refused
	if n.Subject != "" {
		comment["Subject"] = reach.Clean(n.Subject, 150)
	}
	if minutes > 0 {
		comment["TimeTaken"] = minutes
	}
	if s.keyField != "" { // a queue without that field takes the note and leaves the key out
		comment["TxnCustomFields"] = map[string]string{s.keyField: n.Key}
	}
	a, err := s.client.Do(ctx, reach.Call{Method: http.MethodPost, Path: root + "ticket/" + ticketID + "/comment", Body: comment, Writes: true})
	if err != nil {
		return ticket.NoteRef{}, s.refused(ctx, ticketID, a, err)
	}
	return ticket.NoteRef{At: time.Now().UTC()}, nil
}

// refused tells what a refusal means: status 400 stands for a ticket that does
// not exist as well as for a right that is missing.
func (s *system) refused(ctx context.Context, ticketID string, a reach.Answer, err error) error {
	if a.Status != http.StatusBadRequest || ticket.TroubleOf(err) != ticket.Rejected {
		return err
	}
	var t one
	if _, ferr := s.get(ctx, "ticket/"+ticketID, nil, &t); ticket.TroubleOf(ferr) == ticket.Gone && ferr != nil {
		return ferr
	}
	return &ticket.Trouble{Kind: ticket.Forbidden, Text: "Request Tracker does not let the account of this connection comment on the ticket; it needs the rights CommentOnTicket and ShowTicketComments on the queue.", Err: err}
}
