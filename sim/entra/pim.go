package entra

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shortest is the least time that PIM lets a role be on.
const shortest = 5 * time.Minute

// A pimRequest is one state of a request to PIM.
type pimRequest struct {
	id, action, principal, role, scope string
	justification                      string
	ticketNumber, ticketSystem         string
	status                             string
	schedule                           string // of the assignment that it made
	kind                               string // of the expiration
	start, end, created                time.Time
	duration                           string
	dry                                bool
	by                                 *principal
}

// PIMRules are the rules for giving a role through PIM.
type PIMRules struct {
	// Max bounds the time; Required refuses requests without an end.
	Max      time.Duration
	Required bool
	// Demands are Justification, Ticketing, MultiFactorAuthentication; an app cannot meet the last.
	Demands []string
}

type pimRules struct{ PIMRules }

// SetPIMRules sets the rules for giving a role through PIM. Without it they are: at most 180 days, an end is not required,
// a justification is.
func (t *Tenant) SetPIMRules(role string, r PIMRules) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules[role] = &pimRules{r}
}

func rulesOf(t *Tenant, role string) PIMRules {
	if r := t.rules[role]; r != nil {
		return r.PIMRules
	}
	return PIMRules{Max: 180 * 24 * time.Hour, Demands: []string{"Justification"}}
}

func premium() *failure {
	return fail(http.StatusBadRequest, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.")
}

func gone() *failure {
	return fail(http.StatusBadRequest, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
}

func tooShort() *failure {
	return fail(http.StatusBadRequest, "ActiveDurationTooShort", "The Active duration is too short. Miniumum Required is 5 minutes.")
}

func createRequest(k *call) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	body, err := k.decode()
	if err != nil {
		return 0, nil, err
	}
	q, err := readRequest(k, body)
	if err != nil {
		return 0, nil, err
	}
	removeOnly := !k.may("RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory")
	switch {
	case q.action == "adminRemove":
		err = pimRemove(k, q)
	case removeOnly:
		err = denied()
	case q.action == "adminAssign":
		err = pimAssign(k, q)
	case q.action == "adminUpdate" || q.action == "adminExtend":
		err = pimExtend(k, q)
	default:
		err = fail(http.StatusBadRequest, "InvalidAction", "The action '"+q.action+"' is not supported for the caller.")
	}
	if err != nil {
		return 0, nil, err
	}
	if !q.dry {
		k.t.requests.put(q.id, q, k.t.spread(k.replica, k.now))
		k.t.writes++
	}
	return k.entity(http.StatusCreated, "roleManagement/directory/roleAssignmentScheduleRequests", &shape{name: requestShape.name}, requestObject(k, q, nil))
}

// readRequest checks a request's form and whom it is about.
func readRequest(k *call, body object) (*pimRequest, error) {
	principal, role, scope, err := grantee(k, body)
	if err != nil {
		return nil, err
	}
	q := &pimRequest{id: guid(k.t.dice), principal: principal, role: role, scope: scope, created: k.now, status: "Provisioned", by: k.p}
	q.action, _ = body.text("action")
	q.justification, _ = body.text("justification")
	q.dry, _ = body["isValidationOnly"].(bool)
	if ticket, ok := body["ticketInfo"].(map[string]any); ok {
		q.ticketNumber, _ = object(ticket).text("ticketNumber")
		q.ticketSystem, _ = object(ticket).text("ticketSystem")
	}
	if _, known := k.t.definition(role); !known {
		return nil, fail(http.StatusNotFound, "RoleNotFound", "The role is not found.")
	}
	if !k.exists(principal) {
		return nil, fail(http.StatusNotFound, "SubjectNotFound", "The subject is not found.")
	}
	info, _ := body["scheduleInfo"].(map[string]any)
	return q, q.schedules(object(info), k.now)
}

// schedules reads when a request's assignment begins and ends.
func (q *pimRequest) schedules(info object, now time.Time) error {
	bad := fail(http.StatusBadRequest, "InvalidScheduleInfo", "The schedule information of the request is not valid.")
	if q.start = now; info["startDateTime"] != nil {
		text, _ := info.text("startDateTime")
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return bad
		}
		if at.After(now) {
			q.start = at.UTC()
		}
	}
	expiration, _ := info["expiration"].(map[string]any)
	kind, _ := object(expiration).text("type")
	switch strings.ToLower(kind) {
	case "", "notspecified", "noexpiration":
		q.kind = "noExpiration"
	case "afterduration":
		q.kind = "afterDuration"
		q.duration, _ = object(expiration).text("duration")
		d, err := parseDuration(q.duration)
		if err != nil {
			return bad
		}
		q.end = q.start.Add(d)
	case "afterdatetime":
		q.kind = "afterDateTime"
		text, _ := object(expiration).text("endDateTime")
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return bad
		}
		q.end = at.UTC()
	default:
		return bad
	}
	return nil
}

// violated are the policy rules that a request breaks.
func violations(k *call, q *pimRequest) error {
	r := rulesOf(k.t, q.role)
	var broken []string
	if q.end.IsZero() && r.Required || !q.end.IsZero() && q.end.Sub(q.start) > r.Max {
		broken = append(broken, `"ExpirationRule"`)
	}
	if slices.Contains(r.Demands, "Justification") && q.justification == "" {
		broken = append(broken, `"JustificationRule"`)
	}
	if slices.Contains(r.Demands, "Ticketing") && q.ticketNumber == "" {
		broken = append(broken, `"TicketingRule"`)
	}
	if slices.Contains(r.Demands, "MultiFactorAuthentication") {
		broken = append(broken, `"MfaRule"`)
	}
	if len(broken) > 0 {
		return fail(http.StatusBadRequest, "RoleAssignmentRequestPolicyValidationFailed", "The following policy rules failed: ["+strings.Join(broken, ",")+"]")
	}
	if !q.end.IsZero() && q.end.Sub(q.start) < shortest {
		return tooShort()
	}
	return nil
}

func pimAssign(k *call, q *pimRequest) error {
	if err := violations(k, q); err != nil {
		return err
	}
	if k.t.same(q.principal, q.role, q.scope) != nil {
		return fail(http.StatusBadRequest, "RoleAssignmentExists", "The Role assignment already exists.")
	}
	if q.start.After(k.now) {
		q.status = "PendingProvisioning"
	}
	if q.dry {
		q.status = "Granted"
		return nil
	}
	q.schedule = guid(k.t.dice)
	k.grant(assignment{principal: q.principal, role: q.role, scope: q.scope, pim: true, schedule: q.schedule, start: q.start, end: q.end})
	return nil
}

func pimExtend(k *call, q *pimRequest) error {
	if err := violations(k, q); err != nil {
		return err
	}
	a := k.t.same(q.principal, q.role, q.scope)
	if a == nil || !a.pim {
		return gone()
	}
	if q.schedule = a.schedule; q.dry {
		return nil
	}
	k.t.putAssignment(a.id, a.with(func(n *assignment) { n.end = q.end }), k.replica, k.now)
	delete(k.t.timed, a.id)
	if !q.end.IsZero() {
		k.t.later(a.id, q.end)
	}
	return nil
}

func pimRemove(k *call, q *pimRequest) error {
	q.kind, q.end, q.status = "noExpiration", time.Time{}, "Revoked"
	a := k.t.same(q.principal, q.role, q.scope)
	switch {
	case a == nil:
		return gone()
	case !a.start.After(k.now) && k.now.Sub(a.start) < shortest:
		return tooShort()
	}
	if q.schedule = a.schedule; !q.dry {
		k.withdraw(a)
	}
	return nil
}

func cancelRequest(k *call) (int, any, error) {
	if k.t.licence < P2 {
		return 0, nil, premium()
	}
	q := k.t.requests.at(strings.ToLower(k.path("request")), authority, k.now)
	if q == nil {
		return 0, nil, notFound(k.path("request"))
	}
	a := k.t.same(q.principal, q.role, q.scope)
	if q.status != "PendingProvisioning" || a == nil || a.schedule != q.schedule || !a.start.After(k.now) {
		return 0, nil, fail(http.StatusBadRequest, "RequestCannotBeCancelled", "The request cannot be canceled in its present state.")
	}
	k.withdraw(a)
	n := *q
	n.status = "Canceled"
	k.t.requests.put(n.id, &n, k.t.spread(k.replica, k.now))
	return http.StatusNoContent, nil, nil
}

// parseDuration reads ISO 8601 durations of days and less: P180D, PT1H30M.
func parseDuration(text string) (time.Duration, error) {
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || rest == "" {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	days, clock, _ := strings.Cut(rest, "T")
	var total time.Duration
	if days != "" {
		n, err := strconv.Atoi(strings.TrimSuffix(days, "D"))
		if err != nil || !strings.HasSuffix(days, "D") {
			return 0, fmt.Errorf("%q is no duration", text)
		}
		total = time.Duration(n) * 24 * time.Hour
	}
	if clock == "" {
		return total, nil
	}
	d, err := time.ParseDuration(strings.ToLower(clock))
	return total + d, err
}

// formatDuration writes a duration as Graph does.
func formatDuration(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("P%dD", d/(24*time.Hour))
	}
	return "PT" + strings.ToUpper(d.String())
}
