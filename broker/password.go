package broker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
)

// A Shown is a password at the one moment when a person sees it.
type Shown struct {
	Username string
	Word     string // what the credential is called
	Password secret.Text
	SignIn   string // how to sign in, one sentence; may be empty
}

// OfferFor is how long a password that a form has shown can be used.
const OfferFor = 30 * time.Minute

// Reveal shows the password to its recipient, once. The audit record is
// written, and the password erased, before it is shown.
func (a *Access) Reveal(ctx context.Context, who access.Person, grantID string) (Shown, error) {
	who, g, c, err := keeper{a}.holding(ctx, who, grantID)
	if err != nil {
		return Shown{}, err
	}
	switch {
	case c.Credential.Recipient != who.ID:
		return Shown{}, denied("This password is not for you to see.", "The holder can make a new one; an administrator can re-issue it.")
	case strings.HasPrefix(c.Credential.Place, "offer:"):
		return Shown{}, &access.Error{Kind: access.Conflict, Text: "This password was shown on the form, and is not shown again.", Hint: "Make a new password."}
	case !c.Credential.RevealedAt.IsZero():
		return Shown{}, &access.Error{Kind: access.Conflict, Text: "The password was shown already, and is not kept.", Hint: "Make a new password."}
	case !c.Credential.Ready():
		return Shown{}, &access.Error{Kind: access.Conflict, Text: "The password is not ready yet.", Hint: "Wait until the account is ready."}
	}
	return keeper{a}.take(ctx, g, c, by(who, access.EventRevealed, g.Customer, g.ID, g.Account, "The password was shown to "+clip(who.Name, 100)+"."))
}

// Retrieve shows an administrator a password that was chosen on the form and
// is kept while the grant lives. It demands a reason, and the holder sees it.
func (a *Access) Retrieve(ctx context.Context, who access.Person, grantID, reason string) (Shown, error) {
	who, g, c, err := keeper{a}.holding(ctx, who, grantID)
	if err != nil {
		return Shown{}, err
	}
	if !who.Is(access.Administrator) {
		return Shown{}, denied("Only an administrator can retrieve a password.", "")
	}
	if reason, err = demand("reason", reason, "Reason is required."); err != nil {
		return Shown{}, err
	}
	if !c.Credential.Retain || c.Credential.Sealed == nil || c.Credential.SetAt.IsZero() {
		return Shown{}, &access.Error{Kind: access.Conflict, Text: "There is no kept password to retrieve.", Hint: "Re-issue it instead."}
	}
	e := by(who, access.EventRetrieved, g.Customer, g.ID, g.Account, "An administrator retrieved the password: "+reason)
	return keeper{a}.take(ctx, g, c, e)
}

// NewPassword replaces the password of a live grant for its holder. It is
// ready to be revealed when the target has taken it.
func (a *Access) NewPassword(ctx context.Context, who access.Person, grantID string) error {
	who, g, c, err := keeper{a}.holding(ctx, who, grantID)
	switch {
	case err != nil:
		return err
	case g.Requester != who.ID:
		return denied("Only the person who holds this access can make a new password.", "An administrator can re-issue it.")
	}
	return keeper{a}.replace(ctx, c, who, by(who, "credential.renewed", g.Customer, g.ID, g.Account, "The holder asked for a new password."))
}

// Reissue replaces the password of a live grant for an administrator who must
// get in. It demands a reason; the holder and the ticket are told.
func (a *Access) Reissue(ctx context.Context, who access.Person, grantID, reason string) error {
	who, g, c, err := keeper{a}.holding(ctx, who, grantID)
	switch {
	case err != nil:
		return err
	case !who.Is(access.Administrator):
		return denied("Only an administrator can re-issue a password.", "")
	}
	if reason, err = demand("reason", reason, "Reason is required."); err != nil {
		return err
	}
	return keeper{a}.replace(ctx, c, who, by(who, access.EventReissued, g.Customer, g.ID, g.Account, "An administrator re-issued the password to get in: "+reason))
}

// An OfferView is a password for the form, shown before the request is sent.
type OfferView struct {
	ID        string // to be sent with the Submission
	Password  secret.Text
	ExpiresAt time.Time
}

// Offer makes a password for a form about a target whose policy wants it
// chosen there. Every call makes another; what was offered before stays
// unused.
func (a *Access) Offer(ctx context.Context, who access.Person, targetID string) (OfferView, error) {
	who, err := a.gate.fresh(ctx, who, access.Requester)
	if err != nil {
		return OfferView{}, err
	}
	t, err := a.Targets.Target(ctx, targetID)
	switch {
	case err != nil:
		return OfferView{}, hide(err)
	case !asks(who, t.Customer) || !t.DisabledAt.IsZero():
		return OfferView{}, notFound()
	}
	policy, err := policyOf(ctx, a.Rules, t)
	if err != nil {
		return OfferView{}, err
	}
	if !onForm(handover(a.Kinds, t), policy) {
		return OfferView{}, &access.Error{Kind: access.Conflict, Text: "The password for this target is shown after the account is ready."}
	}
	password := a.Password()
	o := access.Offer{ID: newID(), Person: who.ID, Customer: t.Customer, ExpiresAt: time.Now().UTC().Add(OfferFor)}
	place := secret.Place{Table: "credentials", Row: "offer:" + who.ID + ":" + o.ID, Column: "sealed"}
	if o.Sealed, err = a.Sealer.Seal(ctx, t.Customer, place, password); err != nil {
		return OfferView{}, fmt.Errorf("seal offered password: %w", err)
	}
	if err := a.Credentials.PutOffer(ctx, o); err != nil {
		return OfferView{}, err
	}
	return OfferView{ID: o.ID, Password: password, ExpiresAt: o.ExpiresAt}, nil
}

// onForm reports whether the form shows the password before it is sent.
func onForm(h target.Handover, p access.Policy) bool {
	return h.Word != "" && !h.Issued && p.Password == access.ChosenOnForm
}

// A keeper has to do with passwords that are stored.
type keeper struct{ *Access }

// holding reads a grant that is active, with its account and credential.
func (a keeper) holding(ctx context.Context, who access.Person, grantID string) (access.Person, access.Grant, access.Case, error) {
	who, err := a.gate.fresh(ctx, who)
	if err != nil {
		return who, access.Grant{}, access.Case{}, err
	}
	g, err := a.visible(ctx, who, grantID)
	if err != nil {
		return who, g, access.Case{}, err
	}
	if !g.Wanted(time.Now()) || g.VerifiedAt.IsZero() {
		return who, g, access.Case{}, &access.Error{Kind: access.Conflict, Text: "This access is not active, so it has no password.", Hint: "Load the page again."}
	}
	c, err := a.Grants.Case(ctx, g.Account)
	return who, g, c, hide(err)
}

// take records event, takes the sealed password and opens it.
func (a keeper) take(ctx context.Context, g access.Grant, c access.Case, event access.Event) (Shown, error) {
	cred := c.Credential
	if !placed(cred) {
		return Shown{}, &access.Error{Kind: access.Internal, Text: "The stored password does not belong to this account, so it is not shown.", Hint: "Make a new password, and tell an administrator."}
	}
	event.Data = map[string]string{"seq": fmt.Sprint(cred.Seq)}
	sealed, err := a.Credentials.Take(ctx, cred.Account, cred.Seq, event)
	if err != nil {
		return Shown{}, hide(err)
	}
	password, err := a.Sealer.Open(ctx, g.Customer, secret.Place{Table: "credentials", Row: cred.Place, Column: "sealed"}, sealed)
	if err != nil {
		return Shown{}, &access.Error{Kind: access.Internal, Text: "The stored password could not be opened.", Hint: "Make a new password.", Err: err}
	}
	shown := Shown{Username: c.Account.Username, Password: password}
	if t, err := a.Targets.Target(ctx, g.Target); err == nil {
		h := handover(a.Kinds, t)
		shown.SignIn, shown.Word = h.SignIn, h.Word
	}
	return shown, nil
}

// placed reports whether a credential lies where it was sealed for, so that a
// row that was moved to another account opens nowhere.
func placed(c access.Credential) bool {
	return c.Account != "" && (strings.HasPrefix(c.Place, c.Account+"/") || strings.HasPrefix(c.Place, "offer:"+c.Recipient+":"))
}

func (a keeper) replace(ctx context.Context, c access.Case, recipient access.Person, event access.Event) error {
	t, err := a.Targets.Target(ctx, c.Account.Target)
	if err != nil {
		return hide(err)
	}
	h := handover(a.Kinds, t)
	cred := access.Credential{Account: c.Account.ID, Recipient: recipient.ID, CreatedAt: time.Now().UTC()}
	switch {
	case h.Word == "":
		return &access.Error{Kind: access.Conflict, Text: "Accounts on this target have no credential."}
	case h.Issued: // the target makes it when the account is looked at
		_, err = a.Credentials.Replace(ctx, cred, event)
		return hide(err)
	}
	cred.Place = c.Account.ID + "/" + newID()
	place := secret.Place{Table: "credentials", Row: cred.Place, Column: "sealed"}
	if cred.Sealed, err = a.Sealer.Seal(ctx, c.Account.Customer, place, a.Password()); err != nil {
		return fmt.Errorf("seal new password: %w", err)
	}
	_, err = a.Credentials.Replace(ctx, cred, event)
	return hide(err)
}
