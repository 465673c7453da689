package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

type memLog struct{ *memory }

func (m memLog) Timeline(_ context.Context, grant string) (out []access.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if r.Grant == grant {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m memLog) Write(_ context.Context, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write(events...)
	return nil
}

func (m memLog) WorkOf(_ context.Context, grant string) (out []access.Work, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.works {
		if w.Grant == grant {
			out = append(out, w)
		}
	}
	return out, nil
}

func (m memLog) Retry(_ context.Context, id string, events ...access.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.works {
		if m.works[i].ID == id {
			m.works[i].ParkedAt = time.Time{}
		}
	}
	m.write(events...)
	return nil
}

func (m memLog) Records(_ context.Context, q access.RecordQuery) (out []access.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.records)
	slices.Reverse(all)
	if i := slices.IndexFunc(all, func(r access.Record) bool { return r.ID == q.Before }); i >= 0 {
		all = all[i+1:]
	}
	for _, r := range all {
		kind := q.Kind == "" || r.Kind == q.Kind || strings.HasSuffix(q.Kind, ".") && strings.HasPrefix(r.Kind, q.Kind)
		if kind && (q.Subject == "" || r.Subject == q.Subject) && (q.Customer == "" || r.Customer == q.Customer) && (q.Actor == "" || r.Actor == q.Actor) && len(out) < cmp.Or(q.Limit, 100) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m memLog) Verify(context.Context) (broker.AuditReport, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := broker.AuditReport{OK: !m.tampered, Size: int64(len(m.records)), Checkpoint: time.Now().Add(-40 * time.Second), Text: "Every record is where it was written, and the signed checkpoints agree."}
	if m.tampered {
		r.Text = "Record 3 is not the one that was sealed."
	}
	return r, nil
}

func (m memLog) Export(_ context.Context, w io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, string(b))
	}
	return nil
}

type memDesk struct{ *memory }

func (m memDesk) DeskTickets(_ context.Context, customer string, closed bool) (out []access.DeskTicket, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tickets {
		if (customer == "" || t.Customer == customer) && (closed || t.ClosedAt.IsZero()) {
			out = append(out, t)
		}
	}
	slices.Reverse(out)
	return out, nil
}

func (m memDesk) DeskTicket(_ context.Context, id string) (access.DeskTicket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tickets {
		if t.ID == id {
			return t, nil
		}
	}
	return access.DeskTicket{}, &access.Error{Kind: access.NotFound, Text: "No such ticket."}
}

func (m memDesk) DeskNotes(_ context.Context, id string) (out []access.DeskNote, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.notes {
		if n.Ticket == id {
			out = append(out, n)
		}
	}
	return out, nil
}

func (m memDesk) SaveDeskTicket(_ context.Context, t access.DeskTicket, events ...access.Event) (access.DeskTicket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write(events...)
	if i := slices.IndexFunc(m.tickets, func(o access.DeskTicket) bool { return o.ID == t.ID }); i >= 0 {
		m.tickets[i] = t
		return t, nil
	}
	t.Number = fmt.Sprint(13250 + len(m.tickets))
	m.tickets = append(m.tickets, t)
	return t, nil
}

// plainSealer seals nothing, but opens only at the place that it sealed for.
type plainSealer struct{}

func (plainSealer) Seal(_ context.Context, customer string, at secret.Place, text secret.Text) ([]byte, error) {
	return []byte(fmt.Sprint(customer, at, "\x00") + text.Reveal()), nil
}

func (plainSealer) Open(_ context.Context, customer string, at secret.Place, sealed []byte) (secret.Text, error) {
	text, ok := strings.CutPrefix(string(sealed), fmt.Sprint(customer, at, "\x00"))
	if !ok {
		return secret.Text{}, fmt.Errorf("sealed for another place")
	}
	return secret.New(text), nil
}
