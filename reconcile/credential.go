package reconcile

import (
	"context"
	"fmt"
	"time"

	"jitney/access"
	"jitney/crashpoint"
	"jitney/secret"
	"jitney/target"
)

// settingsOf are the settings of t that are no secret.
func settingsOf(t access.Target) target.Settings { return target.Settings{Values: t.Settings} }

// A keymaker sees to the credential of a look's account.
type keymaker struct{ *look }

// password finds the password that the step must set: one that waits, a new
// one for an account that is to be enabled, or none.
func (l keymaker) password(ctx context.Context, plan access.Plan) (secret.Text, error) {
	if l.c.Issued || l.kind.Into(settingsOf(l.where)).Word == "" {
		return secret.Text{}, nil
	}
	cred := l.c.Credential
	switch {
	case cred.Waits() && ours(cred):
		text, err := l.r.Sealer.Open(ctx, l.c.Account.Customer, place(cred), cred.Sealed)
		if err == nil {
			return text, nil
		}
		// It opens nowhere any more; a new one takes its place.
		l.r.cfg.Log.Error("a stored password cannot be opened", "account", cred.Account, "seq", cred.Seq, "err", err)
	case !cred.Waits() && !plan.Fresh:
		return secret.Text{}, nil
	}
	text := l.r.Password()
	return text, l.keep(ctx, text)
}

// keep seals text as the next credential of the account, to be recorded. Its
// recipient is who asked for it, or else the holder.
func (l keymaker) keep(ctx context.Context, text secret.Text) (err error) {
	old := l.c.Credential
	recipient := l.c.Account.Holder.Person
	if asked := old.Waits() || old.Missing(); asked && old.Recipient != "" {
		recipient = old.Recipient
	}
	cred := access.Credential{Account: l.c.Account.ID, Seq: old.Seq + 1, Place: l.c.Account.ID + "/" + newID(), Recipient: recipient, CreatedAt: time.Now().UTC()}
	if cred.Sealed, err = l.r.Sealer.Seal(ctx, l.c.Account.Customer, place(cred), text); err != nil {
		return fmt.Errorf("seal credential of account %s: %w", cred.Account, err)
	}
	l.c.Credential, l.change.Credential = cred, &cred
	return nil
}

// issue has the target make the credential, if there is none that waits, and
// stores it before the account gets any power. What is made and not stored is
// made again.
func (l keymaker) issue(ctx context.Context, plan access.Plan) error {
	cred := l.c.Credential
	if !cred.Missing() && (!plan.Fresh || cred.Waits()) {
		return nil
	}
	issuer, ok := target.As[target.Issuer](l.sys)
	if !ok {
		return &access.Error{Kind: access.Internal, Text: "The connector of this target does not issue credentials, although it says so."}
	}
	if !cred.Missing() {
		// The target may replace the one that is stored and lose its answer: from
		// here on none is known to be good.
		asked := access.Credential{Account: cred.Account, Seq: cred.Seq + 1, Recipient: cred.Recipient, CreatedAt: time.Now().UTC()}
		l.c.Credential, l.change.Credential = asked, &asked
		if err := l.record(ctx); err != nil {
			return err
		}
	}
	crashpoint.At("look.issue.before")
	issued, err := issuer.Issue(ctx, l.c.Account, later(plan.Want, l.r.cfg.Rules.Slack))
	if err != nil {
		return fmt.Errorf("issue a credential for account %s: %w", l.c.Account.ID, err)
	}
	crashpoint.At("look.issue.after")
	if issued.Text.IsZero() {
		return &access.Error{Kind: access.Unavailable, Text: "The target made no credential."}
	}
	if issued.ObjectID != "" {
		l.c.Account.ObjectID = clean(issued.ObjectID, 300)
	}
	if issued.Username != "" {
		l.c.Account.Username = clean(issued.Username, 300)
	}
	if err := l.keep(ctx, issued.Text); err != nil {
		return err
	}
	return l.record(ctx)
}

// credentialSet notes that the account can be used with the credential.
func (l keymaker) credentialSet() {
	now := time.Now().UTC()
	l.c.Credential.SetAt = now
	l.change.SetSeq = l.c.Credential.Seq
	for _, g := range l.c.Grants {
		if g.Wanted(now) {
			l.event(g, access.EventCredential, fmt.Sprintf("The target took %s number %d.", l.kind.Into(settingsOf(l.where)).Word, l.c.Credential.Seq))
			scribe{l.look}.reissued(g)
		}
	}
}
