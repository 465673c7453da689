package web

import (
	"net/http"
	"strings"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
)

// The mine page is what people set for themselves.
type mine struct{ *Server }

type sessionRow struct {
	ID, Agent, From, Since, Seen string
	Here                         bool
}

type meBody struct {
	Themes    []option
	Zones     []string
	Sessions  []sessionRow
	Ending    int // of their API tokens, soon
	Passwords bool
	AWS       awsMenu
	Wrong     []wrongField
	Problem   *access.Error
}

func (s mine) showMe(v *visit) error { return s.mePage(v, nil) }

func (s mine) mePage(v *visit, failed error) error {
	sessions, err := s.Accounts.Sessions(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	ending, err := s.endingTokens(v)
	if err != nil {
		return err
	}
	chosen := theme(v.r)
	s.reachAWS(v)
	v.formsTo = strings.Join(consoles(v.reach.Endpoint), " ")
	b := meBody{Ending: ending, Passwords: !s.NoPasswords, Zones: []string{"UTC", "Europe/London", "Europe/Berlin", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
		"Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney"}}
	v.menu(&b.AWS, true)
	for _, t := range [][2]string{{"auto", "As the system"}, {"light", "Light"}, {"dark", "Dark"}} {
		b.Themes = append(b.Themes, option{Value: t[0], Label: t[1], Selected: t[0] == chosen})
	}
	for _, x := range sessions {
		b.Sessions = append(b.Sessions, sessionRow{ID: x.ID, Agent: agentName(x.Agent), From: x.From, Since: v.Short(x.Since), Seen: v.Ago(x.SeenAt), Here: x.Here})
	}
	status := http.StatusOK
	if failed != nil {
		if b.Wrong = wrongOf(broker.FieldsOf(failed)); len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	return s.show(v, status, "me", "Profile", b)
}

// done goes back to the visitor's page, or shows there what went wrong.
func (s mine) done(v *visit, message string, err error) error {
	if err != nil {
		return s.mePage(v, err)
	}
	return v.back("/me", message)
}

func (s mine) saveMe(v *visit) error {
	_, err := s.Broker.People.SetTimeZone(v.ctx(), v.Person, v.form("time_zone"))
	return s.done(v, "saved", err)
}

func (s mine) changePassword(v *visit) error {
	err := s.Accounts.Change(v.ctx(), v.Person, secret.New(v.r.PostFormValue("current")), secret.New(v.r.PostFormValue("password")))
	return s.done(v, "password", err)
}

func (s mine) endMySessions(v *visit) error {
	return s.done(v, "sessions", s.Accounts.End(v.ctx(), v.Person, v.Person.ID, v.form("id")))
}
