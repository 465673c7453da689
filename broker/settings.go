package broker

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"jitney/access"
)

// The kinds of event about policies and settings.
const (
	EventPolicySaved  = "policy.saved"
	EventSettingSaved = "setting.saved"
)

// SettingTimeZone is the key of the time zone in which ticket notes tell times.
const SettingTimeZone = "time_zone"

// Settings is everything that administrators do with policies and with the
// settings of the whole installation.
type Settings struct {
	rules Rules
	gate  gate
}

// Policies lists the newest version of every policy.
func (s *Settings) Policies(ctx context.Context, who access.Person) ([]access.Policy, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return nil, err
	}
	return s.rules.Policies(ctx)
}

// Policy reads the newest version of one policy.
func (s *Settings) Policy(ctx context.Context, who access.Person, name string) (access.Policy, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return access.Policy{}, err
	}
	p, err := s.rules.Policy(ctx, name)
	return p, hide(err)
}

// SavePolicy stores p as a new version, or as the first one if p.Version is 0.
// Grants keep the version that allowed them; what is granted later, also of
// requests that wait, is checked against the newest.
func (s *Settings) SavePolicy(ctx context.Context, who access.Person, p access.Policy) (access.Policy, error) {
	who, err := s.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return access.Policy{}, err
	}
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`).MatchString(p.Name) {
		return access.Policy{}, invalid("name", "The name may have small letters, digits and hyphens, 40 at most.")
	}
	p.Title, p.Tickets.Status = clip(p.Title, 100), strings.TrimSpace(p.Tickets.Status)
	if err := p.Valid(); err != nil {
		return access.Policy{}, err
	}
	p.ChangedAt, p.ChangedBy = time.Now().UTC(), who.ID
	e := by(who, EventPolicySaved, "", "", p.Name, fmt.Sprintf("Saved the policy %q as version %d.", p.Title, p.Version+1))
	e.Data = map[string]string{
		"default": access.Length(p.Default), "max": access.Length(p.Max), "start_within": access.Length(p.StartWithin),
		"min_reason": fmt.Sprint(p.MinReason), "needs_approval": fmt.Sprint(p.NeedsApproval),
		"password": string(p.Password), "end_orphans": fmt.Sprint(p.EndOrphans),
		"no_ticket": fmt.Sprint(p.NoTicket), "no_reason": fmt.Sprint(p.NoReason),
		"unverified_tickets": fmt.Sprint(p.Tickets.Unverified), "assigned_only": fmt.Sprint(p.Tickets.Assigned),
		"end_on_close": fmt.Sprint(p.Tickets.EndOnClose), "close_grace": p.Tickets.CloseGrace.String(),
		"time_entry": fmt.Sprint(p.Tickets.TimeEntry), "status_after": p.Tickets.Status,
	}
	saved, err := s.rules.SavePolicy(ctx, p, e)
	return saved, hide(err)
}

// Setting reads a setting; empty if it was never set.
func (s *Settings) Setting(ctx context.Context, who access.Person, key string) (string, error) {
	if err := allow(who, access.Administrator, access.Auditor); err != nil {
		return "", err
	}
	if !known(key) {
		return "", notFound()
	}
	return s.rules.Setting(ctx, key)
}

// SetSetting stores a setting.
func (s *Settings) SetSetting(ctx context.Context, who access.Person, key, value string) error {
	who, err := s.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return err
	}
	if !known(key) {
		return notFound()
	}
	if _, err := time.LoadLocation(value); err != nil || value == "Local" {
		return invalid(key, "Choose a time zone such as Europe/London, or none.")
	}
	return s.rules.SetSetting(ctx, key, value, by(who, EventSettingSaved, "", "", key, "Set "+key+" to "+value+"."))
}

func known(key string) bool { return slices.Contains([]string{SettingTimeZone}, key) }
