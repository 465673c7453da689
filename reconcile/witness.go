package reconcile

import (
	"context"
	"slices"
	"time"

	"jitney/access"
	"jitney/target"
)

// baseline remembers, before the first grant of an account, who is privileged
// on the target. A witness that fails holds nothing up.
func (l *look) baseline(ctx context.Context) {
	w, ok := target.As[target.Witness](l.sys)
	if !ok || l.c.Account.Baseline != "" || slices.ContainsFunc(l.c.Grants, func(g access.Grant) bool { return !g.VerifiedAt.IsZero() }) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.r.cfg.Witness)
	defer cancel()
	shot, err := w.Snapshot(ctx)
	if err != nil {
		l.r.cfg.Log.Warn("could not read who is privileged", "target", l.where.ID, "account", l.c.Account.ID, "err", err)
		return
	}
	l.c.Account.Baseline = shot
}

// witness compares, when the last grant of the account has just ended, who is
// privileged on the target with who was before the first one. It forgets the
// password too.
func (l *look) witness(ctx context.Context) {
	ended := false
	for _, g := range l.c.Grants {
		switch {
		case g.ApprovedAt.IsZero():
		case g.EndedAt.IsZero():
			return
		case l.stored[g.ID].EndedAt.IsZero():
			ended = true
		}
	}
	if !ended || l.doubt != nil {
		return
	}
	l.change.DropSeq = l.c.Credential.Seq
	l.askLater()
	w, ok := target.As[target.Witness](l.sys)
	if !ok || !slices.ContainsFunc(l.c.Grants, l.endsNow) {
		return
	}
	l.compared = true
	if l.c.Account.Baseline == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.r.cfg.Witness)
	defer cancel()
	after, err := w.Snapshot(ctx)
	if err == nil {
		l.differ, err = w.Compare(l.c.Account.Baseline, after)
	}
	l.c.Account.Baseline = ""
	if err != nil {
		l.r.cfg.Log.Warn("could not compare who is privileged", "target", l.where.ID, "account", l.c.Account.ID, "err", err)
		return
	}
	l.matched = true
	for i, f := range l.differ {
		if i == maxFindings {
			break
		}
		l.found(clean(f, 500))
	}
}

// maxFindings bounds how many differences become findings of a grant.
const maxFindings = 50

// endsNow reports whether g was usable and ends in this look.
func (l *look) endsNow(g access.Grant) bool {
	return !g.VerifiedAt.IsZero() && !g.EndedAt.IsZero() && l.stored[g.ID].EndedAt.IsZero() && g.ContinuedBy == ""
}

// found adds a finding to the grants that end in this look.
func (l *look) found(text string) {
	for _, g := range slices.Clone(l.c.Grants) {
		if l.endsNow(g) && !slices.Contains(g.Findings, text) {
			g.Findings = append(slices.Clone(g.Findings), text)
			l.replace(g)
			l.change.Events = append(l.change.Events, access.Event{At: time.Now().UTC(), Kind: access.EventFinding, Actor: "jitney",
				Customer: g.Customer, Grant: g.ID, Subject: g.Target, Text: "Different from before the access: " + text})
		}
	}
}
