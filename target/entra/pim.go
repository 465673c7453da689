package entra

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jitney/access"
)

// Privileged Identity Management gives a role until an instant that Entra
// itself keeps: a second clock. It needs the licence P2, and has rules of its
// own that an app cannot always meet; then roles are given directly.
// https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignmentschedulerequests

const (
	pimRequests  = "/roleManagement/directory/roleAssignmentScheduleRequests"
	pimInstances = "/roleManagement/directory/roleAssignmentScheduleInstances"
)

// pimRetry is how long roles are given directly after PIM has refused.
const pimRetry = 6 * time.Hour

// scheduled is one role that PIM has made active.
type scheduled struct {
	ID        string    `json:"id"`
	Principal string    `json:"principalId"`
	Role      string    `json:"roleDefinitionId"`
	Scope     string    `json:"directoryScopeId"`
	End       time.Time `json:"endDateTime"`
}

func (p scheduled) assignment() assignment {
	return assignment{ID: p.ID, Principal: p.Principal, Role: p.Role, Scope: p.Scope}
}

// usesPIM reports whether roles shall be given with an end.
func (s *system) usesPIM() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.pim && time.Now().After(s.noPIM)
}

// pimRefused reports whether err means that PIM cannot be used here: there is
// no licence, or a rule that no app can meet. It is remembered.
func (s *system) pimRefused(err error) bool {
	refused := says(err, "AadPremiumLicenseRequired", "Authentication_RequestFromNonPremiumTenantOrB2CTenant") ||
		says(err, "RoleAssignmentRequestPolicyValidationFailed") || is(err, http.StatusBadRequest) && mentions(err, "policy rules failed")
	if refused {
		s.mu.Lock()
		s.noPIM = time.Now().Add(pimRetry)
		s.mu.Unlock()
	}
	return refused
}

// instances lists the roles that PIM has made active for a principal.
func (c graph) instances(ctx context.Context, id string) ([]scheduled, reply, error) {
	return list[scheduled](ctx, c.client, call{path: pimInstances, query: url.Values{"$filter": {"principalId eq '" + id + "'"}}, needs: maySched})
}

// pim gives roles with an end, and takes roles away however they were given.
type pim struct{ *system }

// schedule has PIM give a role until an end, or move the end of one.
func (s pim) schedule(ctx context.Context, a access.Account, id string, r role, until time.Time, held bool) error {
	action := "adminAssign"
	if held {
		action = "adminUpdate"
	}
	err := s.eventually(ctx, func() error {
		_, err := s.do(ctx, call{method: http.MethodPost, path: pimRequests, once: true, needs: mayAssign, body: map[string]any{
			"action": action, "principalId": id, "roleDefinitionId": r.id, "directoryScopeId": "/",
			"justification": "Temporary access given by Jitney.",
			"ticketInfo":    map[string]any{"ticketNumber": clip(a.Key, 60), "ticketSystem": "Jitney"},
			"scheduleInfo":  map[string]any{"expiration": map[string]any{"type": "afterDateTime", "endDateTime": stamp(until)}},
		}})
		return err
	})
	switch {
	case alreadyThere(err):
		return nil // only reading decides
	case says(err, "PendingRoleAssignmentRequest"):
		return &access.Error{Kind: access.Conflict, After: 15 * time.Second, Err: err, Text: "Another request for this role is still being worked on.", Hint: "Jitney looks again."}
	}
	return err
}

// unschedule has PIM take a role away. What is not there, was just taken, or
// is too young for PIM to take, is no error: reading decides, and the
// assignment can still be deleted directly.
func (s pim) unschedule(ctx context.Context, id, role, scope string) error {
	_, err := s.do(ctx, call{method: http.MethodPost, path: pimRequests, once: true, needs: mayAssign,
		body: map[string]any{"action": "adminRemove", "principalId": id, "roleDefinitionId": role, "directoryScopeId": scope, "justification": "Temporary access ended by Jitney."}})
	if isGone(err) || says(err, "RoleAssignmentDoesNotExist", "ActiveDurationTooShort", "PendingRoleAssignmentRequest", "SubjectNotFound", "RoleNotFound") || s.pimRefused(err) {
		return nil
	}
	return err
}

// takeAway ends one role of a principal: by PIM if that gave it, and directly.
func (s pim) takeAway(ctx context.Context, id string, h assignment, ends []scheduled) error {
	var first error
	for _, p := range ends {
		if p.Scope == h.Scope && strings.EqualFold(p.Role, h.Role) && !p.End.IsZero() {
			if first = s.unschedule(ctx, id, strings.ToLower(h.Role), h.Scope); first == nil {
				break
			}
		}
	}
	err := s.unassign(ctx, h.ID)
	switch {
	case !is(err, http.StatusBadRequest, http.StatusForbidden) || first != nil:
		return err
	case len(ends) > 0:
		return nil // PIM was told; reading decides
	case is(err, http.StatusBadRequest): // maybe PIM gave it, for somebody else
		if s.unschedule(ctx, id, strings.ToLower(h.Role), h.Scope) == nil {
			return nil
		}
	}
	return err
}

// endOf is when PIM ends r, and whether it does.
func (g *granter) endOf(r role) (time.Time, bool) {
	for _, p := range g.ends {
		if strings.ToLower(p.Role) == r.id && p.Scope == "/" && !p.End.IsZero() {
			return p.End, true
		}
	}
	return time.Time{}, false
}

// until is the end that Entra enforces for every role that v shows: the
// earliest; zero if one of them has none.
func (v view) until() (end time.Time) {
	for _, h := range v.held {
		var of time.Time
		for _, p := range v.scheduled {
			if p.Scope == h.Scope && strings.EqualFold(p.Role, h.Role) && p.End.After(of) {
				of = p.End
			}
		}
		if of.IsZero() {
			return time.Time{}
		}
		if end.IsZero() || of.Before(end) {
			end = of
		}
	}
	return end.UTC()
}
