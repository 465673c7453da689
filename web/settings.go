package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
)

// The rules page is policies and settings.
type rules struct{ *Server }

type policyForm struct {
	ID, Name, Title, Changed  string
	Version, Following        int64
	Default, Max, Start       int64 // minutes
	MinReason                 int
	OnForm, Approval, Orphans bool
	NoTicket, NoReason        bool
	Tickets                   access.TicketRules
	Grace                     int64 // minutes
	Sum                       string
	Unfolded                  bool
}

type settingsBody struct {
	Policies        []policyForm
	TimeZone        string
	Search          string
	CanEdit, Adding bool
	Many            bool // enough policies to search among
	Wrong           []wrongField
	Problem         *access.Error
}

func (s rules) showSettings(v *visit) error { return s.settingsPage(v, nil, nil) }

func formOf(v *visit, p access.Policy) policyForm {
	changed := ""
	if !p.ChangedAt.IsZero() {
		changed = v.Short(p.ChangedAt)
	}
	return policyForm{ID: "policy-" + p.Name, Name: p.Name, Title: p.Title, Changed: changed, Version: p.Version, Following: p.Version + 1,
		Default: int64(p.Default / time.Minute), Max: int64(p.Max / time.Minute), Start: int64(p.StartWithin / time.Minute),
		MinReason: p.MinReason, OnForm: p.Password == access.ChosenOnForm, Approval: p.NeedsApproval, Orphans: p.EndOrphans,
		NoTicket: p.NoTicket, NoReason: p.NoReason, Tickets: p.Tickets, Grace: int64(p.Tickets.CloseGrace / time.Minute), Sum: sumOf(p)}
}

// sumOf says in one line what a policy demands.
func sumOf(p access.Policy) string {
	demands := []string{access.Length(p.Default) + ", at most " + access.Length(p.Max)}
	for _, d := range []struct {
		holds bool
		text  string
	}{{p.NeedsApproval, "needs an approver"}, {!p.NoTicket, "needs a ticket"}, {p.Tickets.EndOnClose, "ends when the ticket is closed"}, {!p.NoReason, "needs a reason"}} {
		if d.holds {
			demands = append(demands, d.text)
		}
	}
	return strings.Join(demands, "; ")
}

// settingsPage shows the policies; typed is one that could not be saved.
func (s rules) settingsPage(v *visit, typed *access.Policy, failed error) error {
	policies, err := s.Broker.Settings.Policies(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	b := settingsBody{CanEdit: v.Person.Is(access.Administrator), Adding: v.form("add") == "policy" || typed != nil && typed.Version == 0}
	b.Search, b.Many = strings.TrimSpace(v.form("q")), len(policies) > 3
	for _, p := range policies {
		if !matches(p, b.Search) {
			continue
		}
		if typed != nil && typed.Name == p.Name && typed.Version > 0 {
			typed.ChangedAt = p.ChangedAt
			p = *typed
		}
		f := formOf(v, p)
		f.Unfolded = typed != nil && typed.Name == p.Name
		b.Policies = append(b.Policies, f)
	}
	if len(b.Policies) == 1 {
		b.Policies[0].Unfolded = true
	}
	if b.Adding && b.CanEdit {
		p := access.DefaultPolicy()
		p.Title = ""
		if i := slices.IndexFunc(policies, func(p access.Policy) bool { return p.Name == v.form("from") }); i >= 0 {
			p = policies[i]
			p.Title = "Copy of " + p.Title
		}
		p.Name, p.Version, p.ChangedAt = "", 0, time.Time{}
		if typed != nil {
			p = *typed
		}
		f := formOf(v, p)
		f.ID, f.Unfolded = "policy-", true
		b.Policies = append(b.Policies, f)
	}
	if b.TimeZone, err = s.Broker.Settings.Setting(v.ctx(), v.Person, broker.SettingTimeZone); err != nil {
		return err
	}
	status := http.StatusOK
	if failed != nil {
		if b.Wrong = wrongOf(broker.FieldsOf(failed)); len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		for i := range b.Wrong {
			if b.Wrong[i].Anchor == "name" {
				b.Wrong[i].Anchor = "policy--name"
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	return s.show(v, status, "settings", "Settings", b)
}

// matches reports whether a policy has text in its name or title.
func matches(p access.Policy, text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(p.Name, text) || strings.Contains(strings.ToLower(p.Title), text)
}

// An exportedPolicy is a policy as a file tells it.
type exportedPolicy struct {
	Name          string `json:"name"`
	Title         string `json:"title"`
	Version       int64  `json:"version"`
	Default       int64  `json:"default_minutes"`
	Max           int64  `json:"max_minutes"`
	StartWithin   int64  `json:"start_within_minutes"`
	MinReason     int    `json:"min_reason"`
	NeedsApproval bool   `json:"needs_approval"`
	Password      string `json:"password"`
	EndOrphans    bool   `json:"end_orphans"`

	NoTicket   bool   `json:"no_ticket"`
	NoReason   bool   `json:"no_reason"`
	Unverified bool   `json:"unverified_tickets"`
	Assigned   bool   `json:"assigned_only"`
	EndOnClose bool   `json:"end_on_close"`
	CloseGrace int64  `json:"close_grace_minutes"`
	TimeEntry  bool   `json:"time_entry"`
	Status     string `json:"status_after"`
}

func exportOf(p access.Policy) exportedPolicy {
	t := p.Tickets
	return exportedPolicy{Name: p.Name, Title: p.Title, Version: p.Version, Default: int64(p.Default / time.Minute), Max: int64(p.Max / time.Minute),
		StartWithin: int64(p.StartWithin / time.Minute), MinReason: p.MinReason, NeedsApproval: p.NeedsApproval, Password: string(p.Password), EndOrphans: p.EndOrphans,
		NoTicket: p.NoTicket, NoReason: p.NoReason, Unverified: t.Unverified, Assigned: t.Assigned, EndOnClose: t.EndOnClose,
		CloseGrace: int64(t.CloseGrace / time.Minute), TimeEntry: t.TimeEntry, Status: t.Status}
}

// exportPolicies answers the policies, or the one that is named, as JSON.
func (s rules) exportPolicies(v *visit) error {
	policies, err := s.Broker.Settings.Policies(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	out := []exportedPolicy{}
	for _, p := range policies {
		if name := v.form("policy"); name == "" || name == p.Name {
			out = append(out, exportOf(p))
		}
	}
	if len(out) == 0 {
		return notFound()
	}
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Content-Disposition", `attachment; filename="jitney-policies.json"`)
	return json.NewEncoder(v.w).Encode(out)
}

func (s rules) savePolicy(v *visit) error {
	minutes := func(name string) time.Duration {
		d, _ := access.Minutes(number(v.form(name))) // what is wrong with it, Valid says
		return d
	}
	p := access.Policy{Name: v.form("name"), Title: v.form("title"), Version: number(v.form("version")), Default: minutes("default"), Max: minutes("max"),
		StartWithin: minutes("start"), MinReason: int(min(max(number(v.form("min_reason")), 0), 1000)), NeedsApproval: v.form("approval") != "",
		Password: access.PasswordMode(v.form("password")), EndOrphans: v.form("orphans") != "",
		NoTicket: v.form("no_ticket") != "", NoReason: v.form("no_reason") != "", Tickets: ticketRulesOf(v)}
	if _, err := s.Broker.Settings.SavePolicy(v.ctx(), v.Person, p); err != nil {
		if access.KindOf(err) == access.NotFound {
			return err
		}
		return s.settingsPage(v, &p, err)
	}
	return v.back("/settings", "saved")
}

// ticketRulesOf reads what a policy says of tickets from its form.
func ticketRulesOf(v *visit) access.TicketRules {
	grace := -time.Minute // what is wrong with it, Valid says
	switch text := v.form("grace"); {
	case text == "":
		grace = access.DefaultCloseGrace
	case text == "0" || number(text) > 0:
		grace = time.Duration(min(number(text), 10000)) * time.Minute
	}
	return access.TicketRules{Unverified: v.form("unverified") != "", Assigned: v.form("assigned") != "", EndOnClose: v.form("end_on_close") != "",
		CloseGrace: grace, TimeEntry: v.form("time_entry") != "", Status: v.form("status_after")}
}

func (s rules) saveSettings(v *visit) error {
	if err := s.Broker.Settings.SetSetting(v.ctx(), v.Person, broker.SettingTimeZone, v.form("time_zone")); err != nil {
		if access.KindOf(err) == access.NotFound {
			return err
		}
		return s.settingsPage(v, nil, err)
	}
	return v.back("/settings", "saved")
}
