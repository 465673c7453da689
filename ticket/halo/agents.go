package halo

import (
	"context"
	"net/http"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// An agent is what the one with a number is called; empty if that is not to be
// known.
type agent struct {
	name  string
	until time.Time
}

const (
	agentAge   = 10 * time.Minute
	agentRetry = 30 * time.Second
	agentsMost = 5000
	agentsOnce = 20 // that one list may ask for
)

// nameAgents puts names in the place of the numbers of agents, where Halo
// tells nothing else.
func nameAgents(ctx context.Context, s *system, records []record) {
	asked := 0
	for i := range records {
		r := &records[i]
		if r.AgentName != "" || r.AgentID <= 1 { // 1 is the agent called Unassigned
			continue
		}
		s.mu.Lock()
		known := s.agents[r.AgentID]
		s.mu.Unlock()
		if time.Now().After(known.until) && asked < agentsOnce {
			asked++
			known = askAgent(ctx, s, r.AgentID)
		}
		r.AgentName = known.name
	}
}

func askAgent(ctx context.Context, s *system, id int64) agent {
	var found named
	_, err := s.do(ctx, reach.Call{Method: http.MethodGet, Path: "api/Agent/" + number(id), Into: &found})
	a := agent{until: time.Now().Add(agentAge)}
	switch kind := ticket.TroubleOf(err); {
	case err == nil && found.ID == id:
		a.name = reach.Clean(found.Name, 100)
	case err != nil && kind != ticket.Gone && kind != ticket.Forbidden:
		a.until = time.Now().Add(agentRetry)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agents == nil || len(s.agents) > agentsMost {
		s.agents = map[int64]agent{}
	}
	s.agents[id] = a
	return a
}
