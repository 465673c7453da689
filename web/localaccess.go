package web

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

// Pairings lets command lines sign in as the person who authorizes them. Its
// errors are access.Denied if that person may not, and access.Conflict if
// somebody decided already or the time is up.
type Pairings interface {
	// Show is access.NotFound for one that somebody else decided about.
	Show(ctx context.Context, who access.Person, id string) (access.Pairing, error)
	// Find finds the one whose match code was typed; access.Unavailable after too many tries.
	Find(ctx context.Context, who access.Person, typed, address string) (access.Pairing, error)
	// Authorize reports the code that the command line is told, if it can be reached.
	Authorize(ctx context.Context, who access.Person, id, typed string) (access.Pairing, secret.Text, error)
	// Again makes another code for one that who authorized and that did not get it yet.
	Again(ctx context.Context, who access.Person, id string) (access.Pairing, secret.Text, error)
	Cancel(ctx context.Context, who access.Person, id string) (access.Pairing, error)
}

// The local pages ask people whether a command line may sign in as them.
type localPages struct{ *Server }

func (s localPages) routes(person func(pattern string, h handler)) {
	person("GET /local-access/{id}", s.showRequest)
	person("POST /local-access/{id}/authorize", s.authorize)
	person("POST /local-access/{id}/cancel", s.cancel)
	person("GET /local-access/{id}/done", s.done)
	person("GET /device", s.showDevice)
	person("POST /device", s.typeCode)
}

// typedKey keeps, in the session, the match code that was typed last, with the
// ID of its command line: whoever was sent only an address typed none.
const typedKey = "device"

type localBody struct {
	access.Pairing
	Action  string // address of the forms
	From    string // address that it asked from, in words
	Near    bool   // it asked from where the visitor is
	Left    string // how long there is to decide
	Ends    int64
	Until   string // when the sign-in ends that they would give
	Refused bool   // they are no requester
	NoAdmin bool   // it asks for admin access, which they do not have
}

// showRequest asks whether the command line may sign in.
func (s localPages) showRequest(v *visit) error {
	p, err := s.Pairings.Show(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	switch p.StateAt(v.now) {
	case access.PairingAuthorized:
		if !p.Device() {
			return s.again(v, p.ID)
		}
		return s.outcome(v, p)
	case access.PairingWaiting:
		if p.Device() && s.typed(v, p.ID) == "" {
			return v.back("/device", "")
		}
		return s.ask(v, http.StatusOK, p)
	default:
		return s.outcome(v, p)
	}
}

func (s localPages) ask(v *visit, status int, p access.Pairing) error {
	b := localBody{Pairing: p, Action: "/local-access/" + p.ID, From: p.Address, Near: p.Address != "" && p.Address == s.visitorAddress(v),
		Ends: p.ExpiresAt.UnixMilli(), Left: v.Zoned(p.ExpiresAt), Until: v.Zoned(v.now.Add(cmp.Or(s.CommandLines, access.CLISignIn))), Refused: !v.Person.Is(access.Requester),
		NoAdmin: p.Admin && !v.Person.Is(access.Administrator)}
	if !p.Device() {
		v.formsTo = loopback(p.Port)
	}
	v.w.Header().Set("Referrer-Policy", "no-referrer")
	return s.show(v, status, "localaccess", "Local Access Requested", b)
}

// visitorAddress is where the visitor is, as the pairing would call it.
func (s localPages) visitorAddress(v *visit) string {
	if s.From != nil {
		return s.From(v.r)
	}
	host, _, err := net.SplitHostPort(v.r.RemoteAddr)
	if err != nil {
		return v.r.RemoteAddr
	}
	return host
}

// loopback is where a command line listens: this computer and no other.
func loopback(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

// typed is the match code that the visitor typed for a pairing; empty if they
// did not.
func (s localPages) typed(v *visit, id string) string {
	kept := s.SignIn.Swap(v.ctx(), typedKey, "")
	s.SignIn.Swap(v.ctx(), typedKey, kept)
	of, code, _ := strings.Cut(kept, " ")
	if of != id {
		return ""
	}
	return code
}

func (s localPages) authorize(v *visit) error {
	id := v.r.PathValue("id")
	p, code, err := s.Pairings.Authorize(v.ctx(), v.Person, id, s.typed(v, id))
	if err != nil {
		return s.decided(v, id, err)
	}
	if p.Device() {
		s.SignIn.Swap(v.ctx(), typedKey, "")
		return v.back("/local-access/"+id+"/done", "")
	}
	return s.tell(v, p, url.Values{"code": {code.Reveal()}})
}

func (s localPages) again(v *visit, id string) error {
	p, code, err := s.Pairings.Again(v.ctx(), v.Person, id)
	if err != nil {
		return s.decided(v, id, err)
	}
	return s.tell(v, p, url.Values{"code": {code.Reveal()}})
}

func (s localPages) cancel(v *visit) error {
	id := v.r.PathValue("id")
	p, err := s.Pairings.Cancel(v.ctx(), v.Person, id)
	if err != nil {
		return s.decided(v, id, err)
	}
	if p.Device() {
		s.SignIn.Swap(v.ctx(), typedKey, "")
		return v.back("/local-access/"+id+"/done", "")
	}
	return s.tell(v, p, url.Values{"error": {"access_denied"}})
}

// decided goes to the outcome if somebody decided already or the time is up.
func (s localPages) decided(v *visit, id string, err error) error {
	if access.KindOf(err) == access.Conflict {
		return v.back("/local-access/"+id+"/done", "")
	}
	return err
}

// tell sends the browser to the command line with the answer.
func (s localPages) tell(v *visit, p access.Pairing, answer url.Values) error {
	answer.Set("state", p.State)
	h := v.w.Header()
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	http.Redirect(v.w, v.r, loopback(p.Port)+"/?"+answer.Encode(), http.StatusSeeOther)
	return nil
}

func (s localPages) done(v *visit) error {
	p, err := s.Pairings.Show(v.ctx(), v.Person, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.outcome(v, p)
}

type outcomeBody struct {
	Tone, Icon, Title, Text string
	Account                 bool // offer the page on which the sign-in can be ended
}

// outcome says what became of a command line's wish.
func (s localPages) outcome(v *visit, p access.Pairing) error {
	b := outcomeBody{Tone: "ok", Icon: "circle-check", Account: true}
	where := p.Application + " on " + p.Machine
	switch p.StateAt(v.now) {
	case access.PairingDelivered:
		b.Title, b.Text = "Signed in", where+" is signed in as you. You can close this page."
	case access.PairingAuthorized:
		b.Title, b.Text = "Authorized", "Go back to "+where+": it signs in by itself. You can close this page."
	case access.PairingCancelled:
		b = outcomeBody{Tone: "bad", Icon: "ban", Title: "Cancelled", Text: where + " was not signed in, and cannot be with this request. You can close this page."}
	case access.PairingEnded:
		b = outcomeBody{Tone: "bad", Icon: "hourglass", Title: "The time is up", Text: "Nobody authorized " + where + " within 10 minutes. Run the command again."}
	default:
		return v.back("/local-access/"+p.ID, "")
	}
	return s.show(v, http.StatusOK, "localdone", b.Title, b)
}

type deviceBody struct {
	Code    string
	Problem *access.Error
	Wrong   []wrongField
}

func (s localPages) showDevice(v *visit) error {
	return s.show(v, http.StatusOK, "device", "Sign in a command line", deviceBody{})
}

// typeCode finds the command line whose match code was typed, and asks about it.
func (s localPages) typeCode(v *visit) error {
	typed := v.form("code")
	p, err := s.Pairings.Find(v.ctx(), v.Person, typed, s.visitorAddress(v))
	if err == nil {
		s.SignIn.Swap(v.ctx(), typedKey, p.ID+" "+p.Code)
		return v.back("/local-access/"+p.ID, "")
	}
	b := deviceBody{}
	if b.Wrong = wrongOf(broker.FieldsOf(err)); len(b.Wrong) == 0 {
		if b.Problem, err = problem(err); err != nil {
			return err
		}
	} else {
		b.Code = typed[:min(20, len(typed))]
	}
	status := http.StatusUnprocessableEntity
	if b.Problem != nil {
		status = statuses[b.Problem.Kind]
		if b.Problem.After > 0 {
			v.w.Header().Set("Retry-After", strconv.Itoa(int(b.Problem.After/time.Second)))
		}
	}
	return s.show(v, status, "device", "Sign in a command line", b)
}
