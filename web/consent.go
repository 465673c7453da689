package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
)

// The consent pages ask the people of a customer to admit jitney, at the
// target's own page, and take what comes back from there.
type consentPages struct{ *Server }

const (
	// consentFor is how long an answer is waited for.
	consentFor = time.Hour
	// handedOn begins the state of a link that somebody else opens.
	handedOn = "handed-on."
)

// An asking is kept in the session of the one who asked, until the answer
// comes, so that nobody else's answer counts, and each one once.
type asking struct {
	State    string    `json:"state"`
	Person   string    `json:"person"`
	Customer string    `json:"customer"`
	Target   string    `json:"target"`
	Until    time.Time `json:"until"`
}

// A stepMark is how far one step of connecting a target is.
type stepMark struct {
	Done       bool
	Icon, Tone string
	Text       string
}

func markOf(done bool, text string) stepMark {
	if done {
		return stepMark{Done: true, Icon: "circle-check", Tone: "ok", Text: text}
	}
	return stepMark{Icon: "circle-dashed", Tone: "next", Text: text}
}

// An onboarding is what it takes to connect a target whose people must agree.
type onboarding struct {
	Settings, Consent, Check stepMark
	Needs                    string // the settings of the first step
	Button, Help             string
	Link                     string // for the customer's own administrator; empty if it cannot be made yet
	Redirect                 string // what must be registered as the address to come back to
	Done                     bool
}

// onboarding tells how far connecting the target of p is; nil if its kind
// needs no consent.
func (s *Server) onboarding(v *visit, p broker.TargetPage) (*onboarding, error) {
	kind := p.Kind.Consent
	if !p.Consent.Needed || kind == nil {
		return nil, nil
	}
	o := onboarding{Button: kind.Title, Help: kind.Help, Redirect: s.address(v.r) + "/consent"}
	var needs []string
	for _, f := range p.Kind.Fields {
		if f.Required {
			needs = append(needs, f.Title)
		}
	}
	o.Needs = strings.Join(needs, ", ")
	errors := 0
	for _, f := range p.Target.Findings {
		if f.Level == "error" {
			errors++
		}
	}
	checked := !p.Target.CheckedAt.IsZero()
	o.Settings = markOf(p.Consent.Ready, p.Consent.Wrong)
	o.Check = markOf(checked && errors == 0, "Tries everything that granting and removing need, and changes nothing.")
	if checked {
		o.Check.Text = "Checked " + v.Ago(p.Target.CheckedAt) + "."
	}
	if checked && errors > 0 {
		o.Check.Icon, o.Check.Tone = "octagon-alert", "bad"
		o.Check.Text = "Checked " + v.Ago(p.Target.CheckedAt) + ": " + counted(errors, "thing", "things") + " must be mended, see below."
	}
	o.Consent = markOf(p.Consent.Agreed || o.Check.Done, "")
	if !p.Consent.At.IsZero() {
		o.Consent.Text = v.Zoned(p.Consent.At) + ": " + p.Consent.Text
		if !p.Consent.Agreed && !o.Check.Done {
			o.Consent.Icon, o.Consent.Tone = "circle-x", "bad"
		}
	}
	o.Done = o.Settings.Done && o.Consent.Done && o.Check.Done
	if !p.Consent.Ready || !v.Person.Is(access.Administrator) {
		return &o, nil
	}
	link, err := s.Broker.Places.ConsentURL(v.ctx(), v.Person, p.Target.ID, o.Redirect, handedOn+strings.ToLower(rand.Text()))
	if err != nil {
		return nil, err
	}
	o.Link = link
	return &o, nil
}

type leavingBody struct{ To, Host, Customer string }

// askConsent sends the visitor to the page at which the customer's people
// admit jitney to the target. It is no redirect of the form, because our
// policy would have a browser stop that, also at every later hop.
func (s consentPages) askConsent(v *visit) error {
	id := v.r.PathValue("id")
	p, err := s.Broker.Places.Target(v.ctx(), v.Person, id)
	if err != nil {
		return err
	}
	a := asking{State: strings.ToLower(rand.Text()) + "." + id, Person: v.Person.ID, Customer: p.Target.Customer, Target: id, Until: v.now.Add(consentFor)}
	to, err := s.Broker.Places.ConsentURL(v.ctx(), v.Person, id, s.address(v.r)+"/consent", a.State)
	if access.KindOf(err) == access.Invalid && err != nil {
		return places(s).targetAgain(v, err)
	}
	if err != nil {
		return err
	}
	customer, err := s.Broker.Places.Customer(v.ctx(), v.Person, a.Customer)
	if err != nil {
		return err
	}
	kept, err := json.Marshal(a)
	if err != nil {
		return err
	}
	s.SignIn.Swap(v.ctx(), "consent:"+id, string(kept))
	site, err := url.Parse(to)
	if err != nil || site.Host == "" || site.Scheme != "https" && site.Scheme != "http" {
		return fmt.Errorf("the page for the consent to target %s has no address that a browser may go to", id)
	}
	v.w.Header().Set("Refresh", "0; url="+site.String())
	return s.show(v, http.StatusOK, "leaving", "On to the consent", leavingBody{To: site.String(), Host: site.Host, Customer: customer.Customer.Name})
}

type consentBody struct {
	Agreed                             bool
	Customer, Target, TargetID         string
	Text, Hint                         string
	Title, Icon, Tone, Explain, Button string
}

// takeConsent takes what the target's page sent back. Only the answer to a
// question of this very session counts; every other one changes nothing. The
// customer's own administrator, who was handed the link, comes back here too.
func (s consentPages) takeConsent(v *visit) error {
	q := v.r.URL.Query()
	state := q.Get("state")
	who, err := s.SignIn.Who(v.ctx())
	switch {
	case err != nil && access.KindOf(err) != access.Denied:
		return err
	case err != nil || strings.HasPrefix(state, handedOn):
		return s.show(v, http.StatusOK, "thanks", "Thank you", nil)
	}
	v.is(who)
	v.section = "/customers"
	a, ok := s.asked(v, state)
	if !ok {
		return &access.Error{Kind: access.Invalid, Text: "This is not the answer to anything that you asked for in this browser within the last hour.",
			Hint: "Nothing was changed. Open the page of the target and ask again."}
	}
	p, err := s.Broker.Places.Target(v.ctx(), v.Person, a.Target)
	if err != nil {
		return err
	}
	if p.Target.Customer != a.Customer {
		return notFound()
	}
	answer, err := s.Broker.Places.Consented(v.ctx(), v.Person, a.Target, q)
	if err != nil {
		return err
	}
	b := consentBody{Agreed: answer.Agreed, Customer: answer.Customer, Target: answer.Target.Name, TargetID: a.Target, Text: answer.Text, Hint: answer.Hint,
		Title: "Not agreed", Icon: "circle-x", Tone: "bad"}
	if b.Agreed {
		b.Title, b.Icon, b.Tone = "Agreed", "circle-check", "ok"
	}
	b.Button = p.Kind.Consent.Title
	return s.show(v, http.StatusOK, "consent", b.Title, b)
}

// asked finds the question that state belongs to, in the session of the
// visitor, and forgets it: it is answered once.
func (s consentPages) asked(v *visit, state string) (a asking, ok bool) {
	_, id, found := strings.Cut(state, ".")
	if !found || len(state) > 200 {
		return a, false
	}
	key := "consent:" + id
	kept := s.SignIn.Swap(v.ctx(), key, "")
	if kept == "" || json.Unmarshal([]byte(kept), &a) != nil {
		return a, false
	}
	if subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) != 1 {
		s.SignIn.Swap(v.ctx(), key, kept) // somebody's guess takes nothing away
		return a, false
	}
	return a, a.Person == v.Person.ID && a.Target == id && v.now.Before(a.Until)
}
