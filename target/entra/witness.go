package entra

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"jitney/access"
)

// maxWatched bounds how many holders a snapshot holds.
const maxWatched = 2000

// A snapshot is who held Global Administrator at one moment, by object id.
type snapshot struct {
	Holders map[string]watched `json:"holders"`
	Partial bool               `json:"partial,omitempty"`
}

type watched struct {
	Name  string `json:"name"`
	Scope string `json:"scope,omitempty"` // empty: everywhere
	Ours  bool   `json:"ours,omitempty"`  // bears our mark
}

// Snapshot reads who holds Global Administrator.
func (s *system) Snapshot(ctx context.Context) (string, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return "", explain(err, "read who holds Global Administrator")
	}
	b, err := json.Marshal(snap)
	return string(b), err
}

func (s *system) snapshot(ctx context.Context) (snapshot, error) {
	snap := snapshot{Holders: map[string]watched{}}
	all, err := s.holders(ctx, globalAdminID)
	if err != nil {
		return snap, err
	}
	for _, h := range all {
		if len(snap.Holders) == maxWatched {
			snap.Partial = true
			break
		}
		if h.Principal == "" {
			continue
		}
		w := watched{Name: holderName(h), Scope: strings.TrimPrefix(h.Scope, "/")}
		if h.Holder != nil {
			// Marks can be copied, so they hide nobody whom the sweep's list would miss.
			w.Ours = h.Holder.marked() != "" && strings.HasPrefix(strings.ToLower(h.Holder.UserPrincipalName), aliasPrefix)
		}
		snap.Holders[clip(h.Principal, 60)] = w
	}
	return snap, nil
}

// holderName says who holds a role, as an administrator would look for them.
func holderName(h assignment) string {
	if h.Holder == nil {
		return clip(h.Principal, 60)
	}
	kind := strings.TrimPrefix(h.Holder.Type, "#microsoft.graph.")
	name := clip(h.Holder.DisplayName, 80)
	switch {
	case h.Holder.UserPrincipalName != "":
		return name + " (" + clip(h.Holder.UserPrincipalName, 120) + ")"
	case kind == "group":
		return "the group " + name
	case kind == "servicePrincipal":
		return "the app " + name
	case name != "":
		return name
	}
	return clip(h.Principal, 60)
}

// Compare reports who holds Global Administrator and did not, and the other
// way round.
func (s *system) Compare(before, after string) ([]string, error) {
	var a, b snapshot
	if json.Unmarshal([]byte(before), &a) != nil || json.Unmarshal([]byte(after), &b) != nil {
		return nil, &access.Error{Kind: access.Internal, Text: "A snapshot of who holds Global Administrator cannot be read."}
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(b.Holders)) {
		if _, had := a.Holders[id]; !had && !b.Holders[id].Ours {
			out = append(out, b.Holders[id].Name+" was given Global Administrator.")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.Holders)) {
		if _, has := b.Holders[id]; !has && !a.Holders[id].Ours {
			out = append(out, a.Holders[id].Name+" does not hold Global Administrator any more.")
		}
	}
	if a.Partial || b.Partial {
		out = append(out, "Not all holders of Global Administrator were compared; there are too many.")
	}
	return out, nil
}

// Unexplained reports who holds Global Administrator and is no account of ours.
func (s *system) Unexplained(ctx context.Context) ([]string, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, explain(err, "read who holds Global Administrator")
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(snap.Holders)) {
		if w := snap.Holders[id]; !w.Ours {
			out = append(out, w.Name+" holds Global Administrator")
		}
	}
	return out, nil
}
