package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

// The requests pages are the form.
type requests struct{ *Server }

// mostTickets is how many tickets the form lists; a search finds the others.
const mostTickets = 200

// An option is one entry of a select, a row of chips or tiles.
type option struct {
	Value, Label       string
	Selected, Disabled bool
}

type kindTile struct {
	Value, Title, Icon, Sub string
	Checked                 bool
}

// A fieldErr is what is wrong with one field, and the id under which it stands.
type fieldErr struct{ ID, Text string }

type requestErrs struct {
	Kind, Customer, Target, Ticket, Duration, Reason, Password fieldErr
}

// A wrongField is one line of the list of what is wrong.
type wrongField struct{ Anchor, Text string }

// An emptiness is what a list shows that has nothing in it.
type emptiness struct{ Icon, Title, Text, Link, Label string }

type preview struct {
	Username, Entitlement, Help, Target, Policy, AtTheEnd, Outlives, Ticket, TicketNote, Password, Length, Word string
	Approval, Shares                                                                                            bool
	EndsAt                                                                                                      time.Time
}

type requestBody struct {
	Form          string // title of the policy
	Kinds         []kindTile
	Customers     []option
	CustomersHint string
	Targets       []option // only if there is a choice
	Helps         []option // what each entitlement gives, if there is a choice
	Warning       string   // of what the chosen target must warn
	Missing       []findingView
	TargetID      string
	TargetName    string
	CanOpen       bool   // the page of the target
	Word          string // what the credential is called
	Sessions      bool   // sessions are issued from it, so there is no credential
	Tickets       []option
	TicketPrompt  string
	TicketsHint   string
	TicketsOld    bool // the list is not of just now
	TicketFind    string
	TicketSearch  bool // there is enough to search in
	TicketTyped   bool // a number may be typed
	TicketNumber  string
	NoTicket      bool // the policy does without
	Length        chips
	MaxText       string
	EndsAt        time.Time
	Reason        string
	Offered       bool
	OfferID       string
	OfferText     secret.Text
	Preview       *preview
	Again         []option
	Wrong         []wrongField
	Err           requestErrs
	Empty         emptiness

	chosen broker.TargetChoice
	sub    broker.Submission
}

// asked reads the form, or the address of a link that fills it in.
func asked(v *visit) (s broker.Submission, kind string) {
	s = broker.Submission{Customer: v.form("customer"), Ticket: v.form("ticket"), Number: v.form("number"), Reason: v.form("reason"), Offer: v.form("offer")}
	s.Target, s.Entitlement, _ = strings.Cut(v.form("target"), "|")
	s.Minutes = minutesOf(v)
	return s, v.form("kind")
}

// minutesOf reads a duration in whole minutes; -1 if there is none, 0 if it is no number.
func minutesOf(v *visit) int64 {
	text := v.form("minutes")
	if text == "other" {
		text = v.form("other")
	}
	if text == "" {
		return -1
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// showRequest shows the form, filled in as the address says.
func (s requests) showRequest(v *visit) error {
	if !v.Person.Is(access.Requester) {
		http.Redirect(v.w, v.r, "/grants", http.StatusSeeOther)
		return nil
	}
	sub, kind := asked(v)
	b, err := s.requestView(v, sub, kind)
	if err != nil {
		return err
	}
	if b.Again, err = s.again(v); err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "request", "Request access", b)
}

// previewRequest shows the form as it was sent, with what would happen.
func (s requests) previewRequest(v *visit) error {
	sub, kind := asked(v)
	b, err := s.requestView(v, sub, kind)
	if err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "request", "Request access", b)
}

// offerPassword shows the form with a new password. It is the only answer that
// holds it.
func (s requests) offerPassword(v *visit) error {
	sub, kind := asked(v)
	b, err := s.requestView(v, sub, kind)
	if err != nil {
		return err
	}
	if b.chosen.Target.ID == "" || !b.Offered {
		return s.show(v, http.StatusOK, "request", "Request access", b)
	}
	o, err := s.Broker.Access.Offer(v.ctx(), v.Person, b.chosen.Target.ID)
	if err != nil {
		return err
	}
	b.OfferID, b.OfferText = o.ID, o.Password
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	return s.show(v, http.StatusOK, "request", "Request access", b)
}

// submitRequest makes a grant of the form, or shows it again with what is wrong.
func (s requests) submitRequest(v *visit) error {
	sub, kind := asked(v)
	b, err := s.requestView(v, sub, kind)
	if err != nil {
		return err
	}
	g, err := s.Broker.Access.Submit(v.ctx(), v.Person, b.sub)
	if err == nil {
		return v.back("/grants/"+g.ID, "requested")
	}
	wrong := broker.FieldsOf(err)
	if len(wrong) == 0 {
		return err
	}
	b.complain(wrong)
	return s.show(v, http.StatusUnprocessableEntity, "request", "Request access", b)
}

// complain puts each complaint at its field, and in the list above.
func (b *requestBody) complain(wrong []access.FieldError) {
	at := map[string]*fieldErr{"kind": &b.Err.Kind, "customer": &b.Err.Customer, "target": &b.Err.Target, "entitlement": &b.Err.Target,
		"ticket": &b.Err.Ticket, "duration": &b.Err.Duration, "reason": &b.Err.Reason, "password": &b.Err.Password}
	for _, w := range wrong {
		field := w.Field
		if (field == "target" || field == "entitlement") && len(b.Targets) == 0 {
			if b.Err.Customer.Text != "" {
				continue // said already: without a customer there is no target
			}
			field = "customer"
		}
		e, ok := at[field]
		if !ok || e.Text != "" {
			continue
		}
		*e = fieldErr{ID: "err-" + field, Text: w.Text}
		b.Wrong = append(b.Wrong, wrongField{Anchor: field, Text: w.Text})
	}
}
