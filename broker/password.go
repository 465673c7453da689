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
	h, err := keeper{a}.holding(ctx, who, grantID)
	if err != nil {
		return Shown{}, err
	}
	c := h.Credential
	switch {
	case c.Recipient != h.who.ID, !h.holds() && !h.who.Is(access.Administrator):
		return Shown{}, denied("This "+h.word+" is not for you to see.", "The holder can make a new one; an administrator can re-issue it.")
	case strings.HasPrefix(c.Place, "offer:"):
		return Shown{}, conflict("This "+h.word+" was shown on the form, and is not shown again.", "Make a new "+h.word+".")
	case !c.RevealedAt.IsZero():
		return Shown{}, h.gone()
	case !c.Ready():
		return Shown{}, conflict("The "+h.word+" is not ready yet.", "Wait until the account is ready.")
	}
	return keeper{a}.take(ctx, h, h.event(access.EventRevealed, "The "+h.word+" was shown to "+clip(h.who.Name, 100)+"."))
}

// Retrieve shows an administrator a password that was chosen on the form and
// is kept while the grant lives. It demands a reason, and the holder sees it.
func (a *Access) Retrieve(ctx context.Context, who access.Person, grantID, reason string) (Shown, error) {
	h, err := keeper{a}.holding(ctx, who, grantID)
	if err != nil {
		return Shown{}, err
	}
	if !h.who.Is(access.Administrator) {
		return Shown{}, denied("Only an administrator can retrieve "+Indefinite(h.word)+".", "")
	}
	if reason, err = demand("reason", reason, "Reason is required."); err != nil {
		return Shown{}, err
	}
	if c := h.Credential; !c.Retain || c.Sealed == nil || c.SetAt.IsZero() {
		return Shown{}, conflict("There is no kept "+h.word+" to retrieve.", "Re-issue it instead.")
	}
	return keeper{a}.take(ctx, h, h.event(access.EventRetrieved, "An administrator retrieved the "+h.word+": "+reason))
}

// NewPassword replaces the password of a live grant for its holder. It is
// ready to be revealed when the target has taken it, or has made it.
func (a *Access) NewPassword(ctx context.Context, who access.Person, grantID string) error {
	h, err := keeper{a}.holding(ctx, who, grantID)
	switch {
	case err != nil:
		return err
	case h.grant.Requester != h.who.ID:
		return denied("Only the person who holds this access can make a new "+h.word+".", "An administrator can re-issue it.")
	case !h.holds():
		return denied("You do not work for this customer any more, so there is no new "+h.word+".", "Ask an administrator.")
	}
	return keeper{a}.replace(ctx, h, h.event("credential.renewed", "The holder asked for a new "+h.word+"."))
}

// Reissue replaces the password of a live grant for an administrator who must
// get in. It demands a reason; the holder and the ticket are told.
func (a *Access) Reissue(ctx context.Context, who access.Person, grantID, reason string) error {
	h, err := keeper{a}.holding(ctx, who, grantID)
	switch {
	case err != nil:
		return err
	case !h.who.Is(access.Administrator):
		return denied("Only an administrator can re-issue "+Indefinite(h.word)+".", "")
	}
	if reason, err = demand("reason", reason, "Reason is required."); err != nil {
		return err
	}
	return keeper{a}.replace(ctx, h, h.event(access.EventReissued, "An administrator re-issued the "+h.word+" to get in: "+reason))
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
	if h := handover(a.Kinds, t); h.Word == "" {
		return OfferView{}, noCredential()
	} else if !onForm(h, policy) {
		return OfferView{}, conflict("The "+h.Word+" for this target is shown when the account is ready, not before.", "Send the form without one.")
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

// A held is a grant that is active, with its account and credential.
type held struct {
	who   access.Person // as stored now
	grant access.Grant
	access.Case
	into target.Handover
	word string // what its credential is called
}

func (h held) event(kind, text string) access.Event {
	return by(h.who, kind, h.grant.Customer, h.grant.ID, h.grant.Account, text)
}

// holds reports whether it is the holder who acts, and still works there.
func (h held) holds() bool {
	return h.grant.Requester == h.who.ID && asks(h.who, h.grant.Customer)
}

func (h held) gone() error {
	return conflict("The "+h.word+" was shown already, and is not kept.", "Make a new "+h.word+".")
}

func noCredential() error {
	return conflict("Accounts on this target need no credential.", "Load the page again.")
}

// holding reads a grant that must be active.
func (a keeper) holding(ctx context.Context, who access.Person, grantID string) (h held, err error) {
	if h.who, err = a.gate.fresh(ctx, who); err != nil {
		return h, err
	}
	if h.grant, err = a.visible(ctx, h.who, grantID); err != nil {
		return h, err
	}
	t, err := a.Targets.Target(ctx, h.grant.Target)
	if err != nil && access.KindOf(err) != access.NotFound {
		return h, err
	}
	h.into = handover(a.Kinds, t)
	h.word = Word(h.into)
	if !h.grant.Wanted(time.Now()) || h.grant.VerifiedAt.IsZero() {
		return h, conflict("This access is not active, so it has no "+h.word+".", "Load the page again.")
	}
	h.Case, err = a.Grants.Case(ctx, h.grant.Account)
	return h, hide(err)
}

// take records event, takes the sealed password and opens it.
func (a keeper) take(ctx context.Context, h held, event access.Event) (Shown, error) {
	cred := h.Credential
	if !placed(cred) {
		return Shown{}, &access.Error{Kind: access.Internal, Text: "The stored " + h.word + " does not belong to this account, so it is not shown.", Hint: "Make a new " + h.word + ", and tell an administrator."}
	}
	event.Data = map[string]string{"seq": fmt.Sprint(cred.Seq)}
	sealed, err := a.Credentials.Take(ctx, cred.Account, cred.Seq, event)
	switch {
	case access.KindOf(err) == access.Conflict && err != nil:
		return Shown{}, h.gone()
	case err != nil:
		return Shown{}, hide(err)
	}
	password, err := a.Sealer.Open(ctx, h.grant.Customer, secret.Place{Table: "credentials", Row: cred.Place, Column: "sealed"}, sealed)
	if err != nil {
		return Shown{}, &access.Error{Kind: access.Internal, Text: "The stored " + h.word + " could not be opened.", Hint: "Make a new " + h.word + ".", Err: err}
	}
	return Shown{Username: h.Account.Username, Password: password, Word: h.word, SignIn: h.into.SignIn}, nil
}

// placed reports whether a credential lies where it was sealed for, so that a
// row that was moved to another account opens nowhere.
func placed(c access.Credential) bool {
	return c.Account != "" && (strings.HasPrefix(c.Place, c.Account+"/") || strings.HasPrefix(c.Place, "offer:"+c.Recipient+":"))
}

// replace asks for another password, for the person who acts.
func (a keeper) replace(ctx context.Context, h held, event access.Event) error {
	cred := access.Credential{Account: h.Account.ID, Recipient: h.who.ID, CreatedAt: time.Now().UTC()}
	switch {
	case h.into.Word == "":
		return noCredential()
	case h.into.Issued: // the target makes it when the account is looked at
		_, err := a.Credentials.Replace(ctx, cred, event)
		return hide(err)
	}
	cred.Place = h.Account.ID + "/" + newID()
	place := secret.Place{Table: "credentials", Row: cred.Place, Column: "sealed"}
	var err error
	if cred.Sealed, err = a.Sealer.Seal(ctx, h.Account.Customer, place, a.Password()); err != nil {
		return fmt.Errorf("seal new %s: %w", h.word, err)
	}
	_, err = a.Credentials.Replace(ctx, cred, event)
	return hide(err)
}
