package web

import (
	"net/http"
	"net/url"
	"time"

	"jitney/access"
	"jitney/broker"
)

// The grantPages are the page of one grant and what can be done there.
type grantPages struct{ *Server }

type stepView struct {
	Tone, Icon, Text, By string
	When                 moment
}

type nextView struct{ Text, When string }

type factView struct {
	Name, Wanted, Found, Then, Class, Icon string
}

type noteRow struct {
	Level, Icon, What, Why, Retry string
}

// A stuckView is what a person must know when access should be gone and is not.
type stuckView struct {
	Title, Icon string
	Needs       string // what a person must solve; empty if nothing is known
	Since       time.Time
	Left        []string
	Trouble     string
	Error       string // in the words of the log, for administrators
	Attempts    int
	Next        string
	ByHand      []string
}

// A running is what countdowns of pages and lists need.
type running struct {
	ID                 string
	State              badge
	Ticking            bool
	EndsAt, VerifiedAt time.Time
	Whole, Remaining   int64 // milliseconds
	Urgent             int64 // milliseconds left from which it counts as expiring
}

func runningOf(r broker.GrantRow, now time.Time) running {
	g := r.Grant
	whole := g.Duration + g.Extension
	return running{ID: g.ID, State: stateBadges[r.State], Ticking: r.State == access.Active || r.State == access.Expiring,
		EndsAt: r.EndsAt, VerifiedAt: g.VerifiedAt, Whole: whole.Milliseconds(), Remaining: max(0, r.EndsAt.Sub(now)).Milliseconds(),
		Urgent: min(max(10*time.Minute, whole/6), whole/2).Milliseconds()}
}

type grantBody struct {
	running
	Title, Short, Kind, Requester, Ticket, TicketURL, Reason string
	TicketOut, Unverified                                    bool
	BackPath, BackName                                       string
	Asked, Extension, Approved, Policy, PolicyName, Cause    string
	PolicyVersion                                            int64
	SubmittedAt                                              time.Time
	Live, Pending, Working                                   bool
	Phase                                                    badge
	PhaseText                                                string
	Stuck                                                    *stuckView
	Findings                                                 []string
	Deeds                                                    []string // what the account did

	Username, PasswordText, KeptText, SignIn string
	Word                                     string // what the credential is called
	Passwords                                bool
	Shown                                    *broker.Shown

	Facts    []factView
	Evidence []factView // what was read and is not wanted one way or the other
	ReadAt   time.Time
	EndLabel string
	Silent   []string

	Timeline []stepView
	LastStep int
	Seen     string // changes whenever anything on the page does
	Next     []nextView
	Notes    []noteRow

	CanEnd, CanExtend, CanRevoke, CanApprove, CanReveal, CanRenew, CanReissue, CanRetrieve bool
	Extend                                                                                 chips
	ExtendMax                                                                              string
	ExtendTo                                                                               time.Time

	AWS     *awsGrant
	Wrong   []wrongField
	Problem *access.Error
}

func (s grantPages) showGrant(v *visit) error {
	return s.grantPage(v, http.StatusOK, nil, nil)
}

// grantPage shows a grant, with a password if one was just taken, or with the
// reason why something was not done.
func (s grantPages) grantPage(v *visit, status int, shown *broker.Shown, failed error) error {
	p, err := s.Broker.Access.Grant(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	b := grantView(v, p)
	if err := s.awsOf(v, p, &b); err != nil {
		return err
	}
	if shown != nil {
		b.Shown, b.Username = shown, shown.Username
		v.w.Header().Set("Referrer-Policy", "no-referrer")
	}
	if failed != nil {
		for _, f := range broker.FieldsOf(failed) {
			b.Wrong = append(b.Wrong, wrongField{Anchor: map[string]string{"comment": "comment", "minutes": "other"}[f.Field], Text: f.Text})
		}
		if len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	return s.show(v, status, "grant", b.Title, b)
}

// act does something to the grant of the address and goes back to its page. If
// it could not be done, the page says why.
func (s grantPages) act(message string, do func(v *visit, id string) error) handler {
	return func(v *visit) error {
		id := v.r.PathValue("id")
		err := do(v, id)
		if err == nil {
			return v.back("/grants/"+id, message)
		}
		if k := access.KindOf(err); k == access.NotFound || k == access.Internal {
			return err
		}
		return s.grantPage(v, http.StatusOK, nil, err)
	}
}

func (s grantPages) endGrant(v *visit, id string) error {
	_, err := s.Broker.Access.End(v.ctx(), v.Person, id)
	return err
}

func (s grantPages) extendGrant(v *visit, id string) error {
	_, err := s.Broker.Access.Extend(v.ctx(), v.Person, id, max(0, minutesOf(v)))
	return err
}

func (s grantPages) revokeGrant(v *visit, id string) error {
	_, err := s.Broker.Access.Revoke(v.ctx(), v.Person, broker.Scope{Grant: id}, v.form("reason"))
	return err
}

func (s grantPages) approveGrant(v *visit, id string) error {
	_, err := s.Broker.Access.Approve(v.ctx(), v.Person, id, v.form("comment"))
	return err
}

func (s grantPages) denyGrant(v *visit, id string) error {
	_, err := s.Broker.Access.Deny(v.ctx(), v.Person, id, v.form("comment"))
	return err
}

func (s grantPages) newPassword(v *visit, id string) error {
	return s.Broker.Access.NewPassword(v.ctx(), v.Person, id)
}

func (s grantPages) reissue(v *visit, id string) error {
	return s.Broker.Access.Reissue(v.ctx(), v.Person, id, v.form("reason"))
}

// reveal shows the password in its answer, and in no other.
func (s grantPages) reveal(v *visit) error {
	shown, err := s.Broker.Access.Reveal(v.ctx(), v.Person, v.r.PathValue("id"))
	return s.showOnce(v, shown, err)
}

// afterwards goes back to the grant when the address of a shown password is
// opened again: it was the answer to a form, and is not shown by address.
func (s grantPages) afterwards(v *visit) error {
	return v.back("/grants/"+url.PathEscape(v.r.PathValue("id")), "")
}

// retrieve shows an administrator a kept password in its answer.
func (s grantPages) retrieve(v *visit) error {
	shown, err := s.Broker.Access.Retrieve(v.ctx(), v.Person, v.r.PathValue("id"), v.form("reason"))
	return s.showOnce(v, shown, err)
}

func (s grantPages) showOnce(v *visit, shown broker.Shown, err error) error {
	switch k := access.KindOf(err); {
	case err == nil:
		return s.grantPage(v, http.StatusOK, &shown, nil)
	case k == access.NotFound || k == access.Internal:
		return err
	}
	return s.grantPage(v, http.StatusOK, nil, err)
}

func (s grantPages) retryNote(v *visit, id string) error {
	return s.Broker.Access.RetryNote(v.ctx(), v.Person, id, v.r.PathValue("work"))
}
