package broker

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"jitney/access"
	"jitney/target"
)

// The kinds of event about asking the people of a customer to admit jitney.
const (
	EventConsentAgreed  = "consent.agreed"
	EventConsentRefused = "consent.refused"
)

// A ConsentState is what became of asking for consent to a target.
type ConsentState struct {
	Needed bool      // the kind has it
	Ready  bool      // the settings are complete enough to ask
	Wrong  string    // why they are not, one sentence
	Agreed bool      // the last answer that came back
	At     time.Time // when it came; zero if none did
	Text   string    // what it said
}

// A ConsentAnswer is what came back from the page of a target.
type ConsentAnswer struct {
	Target   access.Target // without its settings
	Customer string        // name
	Agreed   bool
	Text     string // if they did not: what went wrong
	Hint     string // and what to do
}

// Consents is asking the people of a customer to admit jitney.
type consents struct{ *Places }

// state reads what became of it.
func (p consents) state(ctx context.Context, page TargetPage) (ConsentState, error) {
	if page.Kind.Consent == nil {
		return ConsentState{}, nil
	}
	s := ConsentState{Needed: true}
	if _, err := page.Kind.Consent.URL(settingsOf(page.Target), "https://jitney.invalid/consent", "x"); err != nil {
		s.Wrong = textOf(err)
	} else {
		s.Ready = true
	}
	records, err := p.ports.Records.Records(ctx, access.RecordQuery{Subject: page.Target.ID, Kind: "consent.", Limit: 1})
	if err != nil {
		return s, err
	}
	for _, r := range records {
		s.At, s.Text, s.Agreed = r.At, r.Text, r.Kind == EventConsentAgreed
	}
	return s, nil
}

func textOf(err error) string {
	if e, ok := errors.AsType[*access.Error](err); ok {
		return strings.TrimSpace(e.Text + " " + e.Hint)
	}
	return "These settings cannot work."
}

// ConsentURL is the page at which people of the customer admit jitney to a
// target. It leads them back to redirect, with state. Nothing is changed.
func (p *Places) ConsentURL(ctx context.Context, who access.Person, targetID, redirect, state string) (string, error) {
	if _, err := p.gate.fresh(ctx, who, access.Administrator); err != nil {
		return "", err
	}
	_, kind, settings, err := consents{p}.asks(ctx, targetID)
	if err != nil {
		return "", err
	}
	return kind.Consent.URL(settings, redirect, state)
}

// asks reads a target whose people must consent.
func (p consents) asks(ctx context.Context, id string) (access.Target, target.Kind, target.Settings, error) {
	t, err := p.ports.Targets.Target(ctx, id)
	if err != nil {
		return t, target.Kind{}, target.Settings{}, hide(err)
	}
	kind, ok := findKind(p.ports.Kinds, t.Kind)
	if !ok || kind.Consent == nil {
		return t, kind, target.Settings{}, notFound()
	}
	return t, kind, settingsOf(t), nil
}

// Consented judges and records what came back from the page of a target. The
// caller has made sure that who asked for this very target.
func (p *Places) Consented(ctx context.Context, who access.Person, targetID string, answer url.Values) (ConsentAnswer, error) {
	who, err := p.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return ConsentAnswer{}, err
	}
	t, kind, settings, err := consents{p}.asks(ctx, targetID)
	if err != nil {
		return ConsentAnswer{}, err
	}
	customer, err := p.ports.Customers.Customer(ctx, t.Customer)
	if err != nil {
		return ConsentAnswer{}, hide(err)
	}
	out := ConsentAnswer{Target: t, Customer: customer.Name}
	out.Target.Settings, out.Target.Findings = nil, nil
	e := by(who, EventConsentAgreed, t.Customer, "", t.ID, "Came back with the consent to "+t.Name+".")
	refused := kind.Consent.Answer(settings, answer)
	if out.Agreed = refused == nil; !out.Agreed {
		out.Text, out.Hint = "The answer could not be understood.", "Ask again."
		if said, ok := errors.AsType[*access.Error](refused); ok {
			out.Text, out.Hint = said.Text, said.Hint
		}
		e.Kind, e.Text = EventConsentRefused, "Came back without the consent to "+t.Name+": "+clip(out.Text, 300)
		if said := clip(strings.TrimSpace(answer.Get("error")+" "+answer.Get("error_description")), 300); said != "" {
			e.Data = map[string]string{"said": strings.ToValidUTF8(said, "")}
		}
	}
	return out, p.ports.Log.Write(ctx, e)
}
