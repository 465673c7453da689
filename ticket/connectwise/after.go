package connectwise

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

var (
	_ ticket.Timer = (*system)(nil)
	_ ticket.Mover = (*system)(nil)
)

// onTicket is what an entry is charged to. The numbers of other things, such
// as tickets of projects, are counted apart.
const onTicket = "ServiceTicket"

// An entry is one of time, as it comes.
type entry struct {
	ID                   int64
	ChargeToID           int64
	ChargeToType         string
	Notes, InternalNotes string
	TimeStart            stamp
}

// Times reports the entries of time of a ticket that carry key. Every entry is
// read, for one that is missed would be booked again.
func (s *system) Times(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	if !isID(ticketID) || !ticket.ValidKey(key) {
		return nil, nil
	}
	q := url.Values{"conditions": {"chargeToId=" + ticketID}}
	return keyed(ctx, s, "time/entries", q, func(e entry) (id int64, at time.Time, ok bool) {
		ours := e.ChargeToType == onTicket && number(e.ChargeToID) == ticketID
		return e.ID, e.TimeStart.Time, ours && (ticket.Carries(e.Notes, key) || ticket.Carries(e.InternalNotes, key))
	})
}

// BookTime writes one entry of time for the member that the settings name: the
// API member is nobody who works. Without the flags it would be seen where
// customers are.
func (s *system) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	switch {
	case !isID(ticketID):
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Gone, Text: "ConnectWise PSA has no ticket with such a number."}
	case !ticket.ValidKey(e.Key) || e.Minutes <= 0:
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The entry of time has no usable key, or no time."}
	case s.member == "":
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The settings of the connection do not say for which member time is booked in ConnectWise PSA."}
	}
	n := ticketNumber(ticketID)
	body := map[string]any{
		"chargeToId": n, "chargeToType": onTicket, "member": map[string]string{"identifier": s.member},
		"timeStart": e.From.UTC().Format("2006-01-02T15:04:05Z"), "actualHours": math.Round(float64(e.Minutes)/60*100) / 100,
		"notes":                      quiet(ticket.Marked(reach.Body(e.Text), e.Key)),
		"addToInternalAnalysisFlag":  !s.discuss,
		"addToDetailDescriptionFlag": s.discuss,
		"addToResolutionFlag":        false,
		"emailResourceFlag":          false, "emailContactFlag": false, "emailCcFlag": false,
	}
	for name, id := range map[string]int64{"workType": s.workType, "workRole": s.workRole} {
		if id > 0 {
			body[name] = map[string]int64{"id": id}
		}
	}
	if s.billable != "" {
		body["billableOption"] = s.billable
	}
	var made entry
	a, err := s.do(ctx, reach.Call{Method: http.MethodPost, Path: "time/entries", Body: body, Into: &made, Writes: true})
	if err != nil {
		return ticket.NoteRef{}, refused(a, err, "the entry of time")
	}
	if made.ID <= 0 {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Doubtful, Text: "ConnectWise PSA did not say which entry of time it made."}
	}
	return ticket.NoteRef{ID: number(made.ID), At: made.TimeStart.Time}, nil
}

// refused adds to a refusal what ConnectWise says about it, such as that the
// ticket's status allows no time.
func refused(a reach.Answer, err error, what string) error {
	if ticket.TroubleOf(err) != ticket.Rejected || a.Status < 400 {
		return err
	}
	return &ticket.Trouble{Kind: ticket.Rejected, Text: "ConnectWise PSA does not take " + what + ": " + reach.Clean(said(a.Body), 200), Err: err}
}

// A change is one step of a PATCH. PUT would blank what it does not hold.
type change struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value int64  `json:"value"`
}

// SetStatus gives a ticket the status of that name on the ticket's board, for
// every board has statuses of its own.
func (s *system) SetStatus(ctx context.Context, ticketID, status string) error {
	records, err := s.read(ctx, []string{ticketID})
	if err != nil {
		return err
	}
	r, ok := records[ticketID]
	if !ok || r.Board.ID <= 0 {
		return &ticket.Trouble{Kind: ticket.Gone, Text: "ConnectWise PSA has no such ticket, or does not show it to the API member."}
	}
	var known []struct {
		ref
		Inactive bool
	}
	if err := s.get(ctx, "service/boards/"+number(r.Board.ID)+"/statuses", url.Values{"pageSize": {"1000"}, "page": {"1"}}, &known); err != nil {
		return err
	}
	names := map[int64]string{}
	for _, st := range known {
		if !st.Inactive && st.ID > 0 {
			names[st.ID] = st.Name
		}
	}
	id, err := reach.StatusNamed(names, status, "The board "+reach.Clean(r.Board.Name, 60)+" of ConnectWise PSA")
	if err != nil {
		return err
	}
	name := reach.Clean(status, 60)
	if r.Status.ID == id {
		return nil
	}
	a, err := s.do(ctx, reach.Call{Method: http.MethodPatch, Path: "service/tickets/" + ticketID, Body: []change{{"replace", "status/id", id}}, Writes: true})
	if err != nil {
		return refused(a, err, "the status "+name)
	}
	if records, err = s.read(ctx, []string{ticketID}); err != nil {
		return err
	}
	if records[ticketID].Status.ID != id {
		return &ticket.Trouble{Kind: ticket.Rejected, Text: "ConnectWise PSA did not give the ticket the status " + name + "; a workflow rule may have changed it."}
	}
	return nil
}
