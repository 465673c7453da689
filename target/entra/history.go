package entra

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// Bounds of what is told of one account.
const (
	maxEvents  = 300
	maxChecked = 10
)

// outlive is how long access tokens that were issued before the end can work.
const outlive = 75 * time.Minute

// An event is one entry of the directory's audit log.
// https://learn.microsoft.com/graph/api/resources/directoryaudit
type event struct {
	ID       string    `json:"id"`
	At       time.Time `json:"activityDateTime"`
	Activity string    `json:"activityDisplayName"`
	Result   string    `json:"result"`
	By       struct {
		User *principal `json:"user"`
		App  *principal `json:"app"`
	} `json:"initiatedBy"`
	Targets []struct {
		ID   string `json:"id"`
		Name string `json:"displayName"`
		UPN  string `json:"userPrincipalName"`
		Type string `json:"type"`
	} `json:"targetResources"`
}

type principal struct {
	ID        string `json:"id"`
	Name      string `json:"displayName"`
	UPN       string `json:"userPrincipalName"`
	Principal string `json:"servicePrincipalId"`
}

// History tells from the directory's audit log what the account did, what was
// done to it by others, and what it left behind. The log shows things minutes
// to hours late, and keeps them 7 days without a P1 licence, 30 with one.
func (s *system) History(ctx context.Context, a access.Account, from, to time.Time) ([]string, error) {
	id := strings.ToLower(a.ObjectID)
	if !validGUID(id) {
		return nil, nil // there never was an account
	}
	h := historian{s}
	did, err := h.events(ctx, "initiatedBy/user/id eq '"+id+"'", from, to)
	if err != nil {
		return nil, explain(err, "read the audit log")
	}
	suffered, err := h.events(ctx, "targetResources/any(t:t/id eq '"+id+"')", from, to)
	if err != nil {
		return nil, explain(err, "read the audit log")
	}
	var out []string
	for _, e := range did {
		out = append(out, e.did())
	}
	own, _ := s.tokens.claims()
	for _, e := range suffered {
		byUs := e.By.App != nil && own.Object != "" && strings.EqualFold(e.By.App.Principal, own.Object)
		byItself := e.By.User != nil && strings.EqualFold(e.By.User.ID, id)
		if !byUs && !byItself {
			out = append(out, e.suffered())
		}
	}
	left, err := h.leftBehind(ctx, id, did)
	return append(out, left...), explain(err, "look for what the account left behind")
}

// A historian reads the audit log.
type historian struct{ *system }

// events reads entries of the log, oldest first.
func (s historian) events(ctx context.Context, filter string, from, to time.Time) ([]event, error) {
	all, _, err := list[event](ctx, s.client, call{path: "/auditLogs/directoryAudits", class: reports, needs: mayAudit,
		query: url.Values{"$filter": {filter + " and activityDateTime ge " + stamp(from) + " and activityDateTime le " + stamp(to.Add(outlive))}}})
	slices.SortFunc(all, func(a, b event) int { return a.At.Compare(b.At) })
	return all[:min(len(all), maxEvents)], err
}

func (e event) did() string {
	return fmt.Sprintf("At %s it did “%s”%s%s.", e.At.UTC().Format("15:04:05"), clip(e.Activity, 80), e.about(), e.outcome())
}

func (e event) suffered() string {
	who := "somebody"
	switch {
	case e.By.User != nil && e.By.User.UPN != "":
		who = clip(e.By.User.UPN, 120)
	case e.By.App != nil && e.By.App.Name != "":
		who = "the app " + clip(e.By.App.Name, 80)
	}
	return fmt.Sprintf("At %s %s did “%s” to it%s.", e.At.UTC().Format("15:04:05"), who, clip(e.Activity, 80), e.outcome())
}

// about names what the event was done to.
func (e event) about() string {
	var names []string
	for _, t := range e.Targets {
		name := t.UPN
		if name == "" {
			name = t.Name
		}
		if name == "" {
			name = t.ID
		}
		if name != "" && len(names) < 4 {
			names = append(names, clip(name, 120))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " to " + strings.Join(names, ", ")
}

func (e event) outcome() string {
	if e.Result == "" || strings.EqualFold(e.Result, "success") {
		return ""
	}
	return " (" + clip(e.Result, 30) + ")"
}

// leftBehind looks for users that the account made and roles that it gave,
// and that are still there.
func (s historian) leftBehind(ctx context.Context, id string, did []event) (out []string, err error) {
	made, raised := []string{}, []string{}
	for _, e := range did {
		for _, t := range e.Targets {
			of := strings.ToLower(t.ID)
			if !validGUID(of) || of == id || !strings.EqualFold(t.Type, "User") {
				continue
			}
			switch {
			case e.Activity == "Add user" && !slices.Contains(made, of):
				made = append(made, of)
			case strings.HasPrefix(e.Activity, "Add member to role") && !slices.Contains(raised, of):
				raised = append(raised, of)
			}
		}
	}
	for _, of := range made[:min(len(made), maxChecked)] {
		u, _, err := s.user(ctx, of)
		if err != nil {
			return out, err
		}
		if u != nil {
			out = append(out, "Left behind: the user "+clip(u.UserPrincipalName, 120)+", which it made.")
		}
	}
	for _, of := range raised[:min(len(raised), maxChecked)] {
		held, _, err := s.assignments(ctx, of)
		if err != nil {
			return out, err
		}
		for _, h := range held {
			out = append(out, "Left behind: "+s.nameOf(ctx, of)+" holds "+roleTitle(strings.ToLower(h.Role))+", and it gave that user a role.")
		}
	}
	return out, nil
}

func (s historian) nameOf(ctx context.Context, id string) string {
	if u, _, err := s.user(ctx, id); err == nil && u != nil {
		return clip(u.UserPrincipalName, 120)
	}
	return "the user " + id
}
