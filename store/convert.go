package store

import (
	"fmt"
	"strings"

	"jitney/access"
	"jitney/store/db"
)

// The functions here turn rows into what package access knows, and back.

func accountOf(r db.Account) (access.Account, error) {
	seen, err := decode[access.Observation](r.Seen)
	if err != nil {
		return access.Account{}, fmt.Errorf("read observation of account %s: %w", r.ID, err)
	}
	return access.Account{
		ID: r.ID, Customer: r.Customer, Target: r.Target, Key: r.HoldsKey,
		Holder:   access.Holder{Person: r.Holder, Login: r.HolderLogin, Name: r.HolderName},
		Username: r.Username, ObjectID: r.ObjectID, TriedAt: instant(r.TriedAt), Seen: seen, Baseline: r.Baseline, Trouble: r.Trouble, Version: r.Version,
	}, nil
}

// seenOf encodes an observation; one that never was is empty.
func seenOf(o access.Observation) string {
	if o.At.IsZero() {
		return ""
	}
	return encodeAny(o)
}

func grantOf(r db.Grant) (access.Grant, error) {
	findings, err := decode[[]string](r.Findings)
	if err != nil {
		return access.Grant{}, fmt.Errorf("read findings of grant %s: %w", r.ID, err)
	}
	return access.Grant{
		ID: r.ID,
		Request: access.Request{
			Requester: r.Requester, Customer: r.Customer, Target: r.Target, Entitlement: r.Entitlement,
			Ticket: access.TicketRef{System: r.TicketSystem, ID: r.TicketID, Number: r.TicketNumber, Title: r.TicketTitle, URL: r.TicketUrl, Unverified: r.TicketUnverified},
			Reason: r.Reason, Duration: span(r.Duration),
		},
		Policy: r.Policy, PolicyVersion: r.PolicyVersion, Account: r.Account, Patience: span(r.Patience),
		SubmittedAt: instant(r.SubmittedAt), ApprovedAt: instant(r.ApprovedAt), ApprovedBy: r.ApprovedBy,
		StartBy: instant(r.StartBy), Extension: span(r.Extension),
		StoppedAt: instant(r.StoppedAt), StoppedBy: r.StoppedBy, StopCause: access.Cause(r.StopCause), StopReason: r.StopReason,
		VerifiedAt: instant(r.VerifiedAt), LostAt: instant(r.LostAt), RemovingAt: instant(r.RemovingAt), OverdueAt: instant(r.OverdueAt),
		EndedAt: instant(r.EndedAt), ContinuedBy: r.ContinuedBy, Blocked: r.Blocked, Findings: findings, Version: r.Version,
	}, nil
}

func grantRow(g access.Grant) db.InsertGrantParams {
	return db.InsertGrantParams{
		ID: g.ID, Requester: g.Requester, Customer: g.Customer, Target: g.Target, Entitlement: g.Entitlement,
		TicketSystem: g.Ticket.System, TicketID: g.Ticket.ID, TicketNumber: g.Ticket.Number, TicketTitle: g.Ticket.Title,
		Reason: g.Reason, Duration: g.Duration.Microseconds(), Policy: g.Policy, PolicyVersion: g.PolicyVersion, Account: g.Account, Patience: g.Patience.Microseconds(),
		SubmittedAt: micros(g.SubmittedAt), ApprovedAt: micros(g.ApprovedAt), ApprovedBy: g.ApprovedBy,
		StartBy: micros(g.StartBy), Extension: g.Extension.Microseconds(),
		StoppedAt: micros(g.StoppedAt), StoppedBy: g.StoppedBy, StopCause: string(g.StopCause), StopReason: g.StopReason,
		VerifiedAt: micros(g.VerifiedAt), LostAt: micros(g.LostAt), RemovingAt: micros(g.RemovingAt), OverdueAt: micros(g.OverdueAt),
		EndedAt: micros(g.EndedAt), ContinuedBy: g.ContinuedBy, Findings: encode(g.Findings),
	}
}

func grantUpdate(g access.Grant) db.UpdateGrantParams {
	return db.UpdateGrantParams{
		ID: g.ID, Version: g.Version,
		ApprovedAt: micros(g.ApprovedAt), ApprovedBy: g.ApprovedBy, StartBy: micros(g.StartBy), Extension: g.Extension.Microseconds(),
		StoppedAt: micros(g.StoppedAt), StoppedBy: g.StoppedBy, StopCause: string(g.StopCause), StopReason: g.StopReason,
		VerifiedAt: micros(g.VerifiedAt), LostAt: micros(g.LostAt), RemovingAt: micros(g.RemovingAt), OverdueAt: micros(g.OverdueAt),
		EndedAt: micros(g.EndedAt), ContinuedBy: g.ContinuedBy, Blocked: g.Blocked, Findings: encode(g.Findings),
	}
}

func credentialOf(r db.Credential) access.Credential {
	return access.Credential{
		Account: r.Account, Seq: r.Seq, Place: r.Place, Sealed: r.Sealed, Recipient: r.Recipient, Retain: r.Retain,
		CreatedAt: instant(r.CreatedAt), SetAt: instant(r.SetAt), RevealedAt: instant(r.RevealedAt),
	}
}

func workOf(r db.Work) access.Work {
	return access.Work{
		ID: r.ID, Kind: r.Kind, Key: r.WorkKey, Group: r.GroupName, Lane: r.Lane, Grant: r.GrantID, Payload: r.Payload,
		CreatedAt: instant(r.CreatedAt), TriedAt: instant(r.TriedAt), DoneAt: instant(r.DoneAt), ParkedAt: instant(r.ParkedAt),
		Result: r.Result, Attempts: r.Attempts, Version: r.Version,
	}
}

func customerOf(r db.Customer) access.Customer {
	return access.Customer{ID: r.ID, Name: r.Name, Note: r.Note, CreatedAt: instant(r.CreatedAt), ArchivedAt: instant(r.ArchivedAt), Version: r.Version}
}

func targetOf(r db.Target) (access.Target, error) {
	settings, err := decode[map[string]string](r.Settings)
	if err != nil {
		return access.Target{}, fmt.Errorf("read settings of target %s: %w", r.ID, err)
	}
	findings, err := decode[[]access.Finding](r.Findings)
	if err != nil {
		return access.Target{}, fmt.Errorf("read findings of target %s: %w", r.ID, err)
	}
	return access.Target{
		ID: r.ID, Customer: r.Customer, Kind: r.Kind, Name: r.Name, Policy: r.Policy, AdminPolicy: r.AdminPolicy, Settings: settings,
		CreatedAt: instant(r.CreatedAt), DisabledAt: instant(r.DisabledAt), CheckedAt: instant(r.CheckedAt), Findings: findings, Version: r.Version,
	}, nil
}

func personOf(r db.Person) (access.Person, error) {
	roles, err := decode[[]access.Role](r.Roles)
	if err != nil {
		return access.Person{}, fmt.Errorf("read roles of person %s: %w", r.ID, err)
	}
	customers, err := decode[[]string](r.Customers)
	if err != nil {
		return access.Person{}, fmt.Errorf("read customers of person %s: %w", r.ID, err)
	}
	return access.Person{
		ID: r.ID, Login: r.Login, Name: r.Name, Roles: roles, Customers: customers, AllCustomers: r.AllCustomers,
		TimeZone: r.TimeZone, CreatedAt: instant(r.CreatedAt), DisabledAt: instant(r.DisabledAt), Version: r.Version,
	}, nil
}

// policyRules are what the column rules of a policy holds.
type policyRules struct {
	NoTicket bool `json:"no_ticket,omitempty"`
	NoReason bool `json:"no_reason,omitempty"`
	ticketRules
}

// ticketRules are what a policy says of tickets.
type ticketRules struct {
	Unverified bool   `json:"unverified_tickets,omitempty"`
	Assigned   bool   `json:"assigned_only,omitempty"`
	EndOnClose bool   `json:"end_on_close,omitempty"`
	CloseGrace *int64 `json:"close_grace,omitempty"` // microseconds
	TimeEntry  bool   `json:"time_entry,omitempty"`
	Status     string `json:"status_after,omitempty"`
}

func rulesOf(p access.Policy) policyRules {
	t, grace := p.Tickets, p.Tickets.CloseGrace.Microseconds()
	return policyRules{NoTicket: p.NoTicket, NoReason: p.NoReason,
		ticketRules: ticketRules{t.Unverified, t.Assigned, t.EndOnClose, &grace, t.TimeEntry, t.Status}}
}

func (t ticketRules) of() access.TicketRules {
	grace := access.DefaultCloseGrace
	if t.CloseGrace != nil {
		grace = span(*t.CloseGrace)
	}
	return access.TicketRules{Unverified: t.Unverified, Assigned: t.Assigned, EndOnClose: t.EndOnClose, CloseGrace: grace, TimeEntry: t.TimeEntry, Status: t.Status}
}

// loginKey is a login without regard to case.
func loginKey(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

func policyOf(r db.Policy) access.Policy {
	more, _ := decode[policyRules](r.Rules) // we wrote it; if not, the stricter rules hold
	return access.Policy{
		NoTicket: more.NoTicket, NoReason: more.NoReason, Tickets: more.of(),
		Name: r.Name, Title: r.Title, Version: r.Version, Default: span(r.DefaultDuration), Max: span(r.MaxDuration),
		StartWithin: span(r.StartWithin), MinReason: int(r.MinReason), NeedsApproval: r.NeedsApproval,
		Password: access.PasswordMode(r.Password), EndOrphans: r.EndOrphans, ChangedAt: instant(r.ChangedAt), ChangedBy: r.ChangedBy,
	}
}

func deskTicketOf(r db.DeskTicket) access.DeskTicket {
	return access.DeskTicket{
		ID: r.ID, Number: fmt.Sprint(r.Number), Customer: r.Customer, Title: r.Title, OpenedBy: r.OpenedBy,
		OpenedAt: instant(r.OpenedAt), ClosedAt: instant(r.ClosedAt), UpdatedAt: instant(r.UpdatedAt), Version: r.Version,
	}
}

func deskNoteOf(r db.DeskNote) access.DeskNote {
	return access.DeskNote{ID: r.ID, Ticket: r.Ticket, Key: r.NoteKey.String, Subject: r.Subject, Body: r.Body, At: instant(r.At)}
}

// each converts rows, and stops at the first that cannot be.
func each[R, V any](rows []R, err error, convert func(R) (V, error)) ([]V, error) {
	if err != nil {
		return nil, err
	}
	out := make([]V, 0, len(rows))
	for _, r := range rows {
		v, err := convert(r)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// sure makes a conversion that cannot fail fit each.
func sure[R, V any](convert func(R) V) func(R) (V, error) {
	return func(r R) (V, error) { return convert(r), nil }
}
