package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/target"
)

// CheckFor bounds one check of a connection.
const CheckFor = 45 * time.Second

// Unexplained begins the findings that name who holds the highest privileges
// of a target without a grant.
const Unexplained = "No grant explains: "

// mostUnexplained bounds how many of them are kept.
const mostUnexplained = 50

// Check tries the connection of a target, changes nothing there, and keeps
// what it found. A target that can tell who else is powerful is asked too.
func (p *Places) Check(ctx context.Context, who access.Person, id string) ([]access.Finding, error) {
	who, err := p.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return nil, err
	}
	t, err := p.ports.Targets.Target(ctx, id)
	if err != nil {
		return nil, hide(err)
	}
	findings := p.try(ctx, id)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	worst := "ok"
	for _, f := range findings {
		if f.Level == "error" || f.Level == "warning" && worst == "ok" {
			worst = f.Level
		}
	}
	t.CheckedAt, t.Findings = time.Now().UTC(), findings
	e := by(who, EventTargetChecked, t.Customer, "", t.ID, "Checked the connection of "+t.Name+": "+worst+".")
	if _, err := p.ports.Targets.SaveTarget(ctx, t, nil, e); err != nil {
		return findings, hide(err)
	}
	return findings, nil
}

func (p *Places) try(ctx context.Context, id string) []access.Finding {
	ctx, cancel := context.WithTimeout(ctx, CheckFor)
	defer cancel()
	sys, err := p.ports.Open(ctx, id)
	if err != nil {
		return []access.Finding{problem(err, "The target could not be opened.")}
	}
	checker, ok := target.As[target.Checker](sys)
	if !ok {
		return append([]access.Finding{{Level: "info", What: "This kind of target cannot be checked beforehand."}}, oversee(ctx, sys)...)
	}
	findings, err := checker.Check(ctx)
	if err != nil {
		return append(findings, problem(err, "The check took too long."))
	}
	return append(findings, oversee(ctx, sys)...)
}

// oversee asks who holds the highest privileges without a grant. Most targets
// have such people, so it is nothing that must be mended.
func oversee(ctx context.Context, sys target.System) (out []access.Finding) {
	overseer, ok := target.As[target.Overseer](sys)
	if !ok {
		return nil
	}
	found, err := overseer.Unexplained(ctx)
	if err != nil {
		f := problem(err, "Who else holds the highest privileges could not be read.")
		f.Level = "warning"
		return []access.Finding{f}
	}
	for i, one := range found {
		if i == mostUnexplained {
			return append(out, access.Finding{Level: "info", What: Unexplained + fmt.Sprintf("%d more.", len(found)-i)})
		}
		out = append(out, access.Finding{Level: "info", What: Unexplained + clip(strings.TrimSpace(one), 300)})
	}
	return out
}

func problem(err error, text string) access.Finding {
	if e, ok := errors.AsType[*access.Error](err); ok {
		return access.Finding{Level: "error", What: e.Text, Fix: e.Hint}
	}
	return access.Finding{Level: "error", What: text, Fix: "The server's log says more."}
}
