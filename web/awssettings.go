package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jitney/access"
	"jitney/broker"
)

// Names of the settings, as people know them, and as files of elsewhere do.
const (
	nameValidity = access.TitleLength
	nameAdmin    = access.TitleAdminLength
	nameRoleMax  = access.TitleRoleMax
)

// A limitRow is one setting that is set.
type limitRow struct {
	Name, Setting, Place, Where, Seconds, Words, By, When, Edit string
}

// A settingRow is what counts for one level of one target, and why.
type settingRow struct {
	Tenant, Target, TargetID, Level, Seconds, Words, Why string
	Cut                                                  string // by the policy
	Edit                                                 string
	Role                                                 *roleRow
}

// A roleRow is what one role allows, as read.
type roleRow struct {
	Tenant, Target, TargetID, Level, Reads, Trouble string
	Short                                           bool
	Left                                            bool   // nothing is set for it any more, so it stays as it is
	Unset                                           string // what is to be set on it, and is not
	Wanted                                          string
	Raise                                           int64  // seconds to which it could be raised
	RaiseWords                                      string // what pressing the button does
	Place                                           string // at which that would be set
}

// An awsSettingsBody is the page of the switches and lengths.
type awsSettingsBody struct {
	Admin, NonAdmin, CanEdit, Read bool
	Limits                         []limitRow
	Rows                           []settingRow
	Roles                          []roleRow // what became of a change
	Done                           string
	Places                         []option // where Validity can stand
	RolePlaces                     []option // where the role's maximum can stand
	Hours                          []option
	Custom                         string
	Validity, AdminValue           string
	Wrong                          []wrongField
	Problem                        *access.Error
}

func (s awsPages) showSettings(v *visit) error { return s.settingsPage(v, awsSettingsBody{}, nil, nil) }
func (s awsPages) toSettings(v *visit) error   { return v.back("/settings/aws", "") }

// settingsPage shows the settings, with what the roles said if they were asked,
// or with why something was not done.
func (s awsPages) settingsPage(v *visit, b awsSettingsBody, roles []broker.RoleLimit, failed error) error {
	all, err := s.Broker.Sessions.Settings(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	b.Admin, b.NonAdmin, b.CanEdit = all.Admin, all.NonAdmin, v.Person.Is(access.Administrator)
	for _, l := range all.Limits {
		b.Limits = append(b.Limits, limitRowOf(v, all, l))
	}
	slices.SortFunc(b.Limits, func(x, y limitRow) int { return strings.Compare(x.Name+x.Where, y.Name+y.Where) })
	for _, r := range all.Rows {
		b.Rows = append(b.Rows, settingRowOf(all, r, roles))
	}
	b.choices(v, all)
	status := http.StatusOK
	if failed != nil {
		if b.Wrong = lengthWrong(v, failed); len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	v.section = "/settings"
	return s.show(v, status, "awssettings", "AWS sessions", b)
}

// lengthWrong puts a complaint at the field of the form that was sent.
func lengthWrong(v *visit, failed error) (out []wrongField) {
	for _, f := range broker.FieldsOf(failed) {
		out = append(out, wrongField{Anchor: map[string]string{nameAdmin: "admin-seconds", nameRoleMax: "custom"}[v.form("name")], Text: f.Text})
		if out[len(out)-1].Anchor == "" {
			out[len(out)-1].Anchor = "seconds"
		}
	}
	return out
}

func limitRowOf(v *visit, all broker.SessionSettings, l access.Limit) limitRow {
	q := url.Values{"setting": {l.Setting}, "place": {l.Place}}
	anchor := "#validity"
	switch limitName(l) {
	case nameAdmin:
		anchor = "#admin-length"
	case nameRoleMax:
		anchor = "#role-max"
	}
	return limitRow{Name: limitName(l), Setting: l.Setting, Place: l.Place, Where: placeName(all, l.Place), Seconds: fmt.Sprint(int64(l.Length / time.Second)),
		Words: inWords(l.Length), By: all.Names[l.SetBy], When: v.Short(l.SetAt), Edit: "/settings/aws?" + q.Encode() + anchor}
}

func limitName(l access.Limit) string {
	switch {
	case l.Setting == access.RoleMax:
		return nameRoleMax
	case l.Place == access.AtScope(true):
		return nameAdmin
	default:
		return nameValidity
	}
}

// placeName says where a setting stands.
func placeName(all broker.SessionSettings, place string) string {
	kind, _, _ := strings.Cut(place, ":")
	switch {
	case place == access.Everywhere:
		return "Everywhere"
	case place == access.AtScope(true):
		return "Admin level"
	case place == access.AtScope(false):
		return "Tenant level"
	case kind == "customer":
		return "Tenant " + all.Names[place]
	default:
		return "Target " + all.Names[place]
	}
}

// why says which setting wins.
func why(r broker.SessionSetting) string {
	if r.Wins.Setting == "" {
		return "Nothing is set: one hour"
	}
	return r.Wins.Title()
}

func settingRowOf(all broker.SessionSettings, r broker.SessionSetting, roles []broker.RoleLimit) settingRow {
	level := broker.Capital(levelName(r.Right.Admin))
	q := url.Values{"setting": {access.SessionLength}, "place": {access.AtTarget(r.Target.ID)}}
	lasts := min(r.Length, r.Policy.Max)
	row := settingRow{Tenant: r.Customer.Name, Target: r.Target.Name, TargetID: r.Target.ID, Level: level, Words: inWords(lasts), Why: why(r),
		Seconds: fmt.Sprint(int64(lasts / time.Second)), Edit: "/settings/aws?" + q.Encode() + "#validity"}
	if r.Policy.Max < r.Length {
		row.Cut = fmt.Sprintf("Cut from %s by the policy %q.", inWords(r.Length), r.Policy.Title)
	}
	for _, role := range roles {
		if role.TargetID == r.Target.ID && role.Right == r.Right.Title {
			one := roleRowOf(role, r, roles)
			row.Role = &one
		}
	}
	return row
}

// roleRowOf tells what a role allows, and where raising it would be set: where
// the setting of its maximum stands now, else at the target. That is about every
// role of the target, so none of them is lowered by it.
func roleRowOf(role broker.RoleLimit, r broker.SessionSetting, all []broker.RoleLimit) roleRow {
	out := roleRow{Tenant: role.Customer, Target: role.Target, TargetID: role.TargetID, Level: broker.Capital(strings.TrimPrefix(role.Right, "AWS ")), Trouble: role.Trouble,
		Short: role.Short(), Wanted: inWords(role.Wanted), Place: access.AtTarget(role.TargetID)}
	if role.Read > 0 {
		out.Reads = secondsOf(role.Read)
	}
	out.Left = role.Read > 0 && role.Wanted == 0
	if r.RoleMax.Setting != "" && role.Read > 0 && role.Read != r.RoleMax.Length {
		out.Unset = inWords(r.RoleMax.Length)
	}
	to := max(role.Wanted, access.ShortestRoleMax)
	switch {
	case out.Unset != "" && r.RoleMax.Length >= role.Wanted:
		to, out.Place, out.RaiseWords = r.RoleMax.Length, r.RoleMax.Place, "Set it on the role"
	case r.RoleMax.Setting != "":
		out.Place, out.RaiseWords = r.RoleMax.Place, "Raise "+nameRoleMax+" to "+inWords(to)
	default:
		for _, other := range all {
			if other.TargetID == role.TargetID {
				to = max(to, other.Read)
			}
		}
		out.RaiseWords = "Raise this target's roles to " + inWords(to)
	}
	out.Raise = int64(to / time.Second)
	return out
}

// choices fills in the forms: where settings can stand, and the hours; those
// of the address are chosen.
func (b *awsSettingsBody) choices(v *visit, all broker.SessionSettings) {
	setting, place := v.form("setting"), v.form("place")
	chosen := time.Duration(0)
	for _, l := range all.Limits {
		if l.Setting == setting && l.Place == place {
			chosen = l.Length
		}
	}
	places := []option{{Value: access.Everywhere, Label: "Everywhere"}, {Value: access.AtScope(false), Label: "Tenant level"}}
	role := []option{{Value: access.Everywhere, Label: "Everywhere"}, {Value: access.AtScope(false), Label: "Tenant roles"}, {Value: access.AtScope(true), Label: "Admin roles"}}
	var seen []string
	for _, r := range all.Rows {
		for _, o := range []option{{Value: access.AtCustomer(r.Customer.ID), Label: "Tenant " + r.Customer.Name}, {Value: access.AtTarget(r.Target.ID), Label: "Target " + r.Target.Name}} {
			if !slices.Contains(seen, o.Value) {
				seen, places, role = append(seen, o.Value), append(places, o), append(role, o)
			}
		}
	}
	for i := range places {
		places[i].Selected = setting == access.SessionLength && places[i].Value == place
	}
	for i := range role {
		role[i].Selected = setting == access.RoleMax && role[i].Value == place
	}
	b.Places, b.RolePlaces = places, role
	seconds := fmt.Sprint(int64(chosen / time.Second))
	whole := chosen > 0 && setting == access.RoleMax && chosen%time.Hour == 0
	for h := int64(1); h <= 12; h++ {
		label := fmt.Sprintf("%d hours", h)
		if h == 1 {
			label = "1 hour"
		}
		b.Hours = append(b.Hours, option{Value: fmt.Sprint(h * 3600), Label: label, Selected: whole && chosen == time.Duration(h)*time.Hour})
	}
	custom := option{Value: "custom", Label: "Custom"}
	switch {
	case chosen == 0:
	case setting == access.RoleMax && !whole:
		b.Custom, custom.Selected = seconds, true
	case setting == access.SessionLength && place == access.AtScope(true):
		b.AdminValue = seconds
	case setting == access.SessionLength:
		b.Validity = seconds
	}
	b.Hours = append(b.Hours, custom)
}

// readRoles asks every role what it allows.
func (s awsPages) readRoles(v *visit) error {
	roles, err := s.Broker.Sessions.Roles(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	return s.settingsPage(v, awsSettingsBody{Read: true}, roles, nil)
}

// saveFlags turns switches, those that change.
func (s awsPages) saveFlags(v *visit) error {
	all, err := s.Broker.Sessions.Settings(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, field string
		is          bool
	}{{access.SwitchAdmin, "admin", all.Admin}, {access.SwitchNonAdmin, "nonadmin", all.NonAdmin}} {
		if want := v.form(f.field) != ""; want != f.is {
			if err := s.Broker.Sessions.Switch(v.ctx(), v.Person, f.name, want); err != nil {
				return err
			}
		}
	}
	return v.back("/settings/aws", "saved")
}

// saveLimit sets or removes one setting, and shows what the roles it is about
// said.
func (s awsPages) saveLimit(v *visit) error {
	l := access.Limit{Setting: access.SessionLength, Place: v.form("place")}
	value := v.form("seconds")
	switch v.form("name") {
	case nameAdmin:
		l.Place = access.AtScope(true)
	case nameRoleMax:
		l.Setting = access.RoleMax
		if hours := v.form("hours"); hours != "custom" && hours != "" {
			value = hours
		}
	}
	if v.form("remove") == "" {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 || n > 1e6 {
			n = 1 // the broker says what would be right
		}
		l.Length = time.Duration(n) * time.Second
	}
	roles, err := s.Broker.Sessions.SetLimit(v.ctx(), v.Person, l)
	if err != nil {
		return s.settingsPage(v, awsSettingsBody{}, nil, err)
	}
	if len(roles) == 0 && l.Length == 0 {
		return v.back("/settings/aws", "removed")
	}
	b := awsSettingsBody{Done: map[string]string{nameAdmin: "The Admin-JIT session duration is configured", nameRoleMax: "The Tenant JIT session duration is configured"}[limitName(l)]}
	switch {
	case l.Length == 0:
		b.Done = "Removed. What the roles allow now is below."
	case b.Done == "":
		b.Done = "The AWS Access Token Validity is configured"
	}
	all, err := s.Broker.Sessions.Settings(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	for _, role := range roles {
		i := slices.IndexFunc(all.Rows, func(r broker.SessionSetting) bool { return r.Target.ID == role.TargetID && r.Right.Title == role.Right })
		if i >= 0 {
			b.Roles = append(b.Roles, roleRowOf(role, all.Rows[i], roles))
		}
	}
	v.r.Form.Del("place") // the form is done
	return s.settingsPage(v, b, nil, nil)
}
