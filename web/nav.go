package web

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"jitney/access"
)

// A navItem is one link of the bar at the top. On a phone the bar is at the
// bottom, and what is Wide moves into the account menu.
type navItem struct {
	Name, Path, Icon string
	Current, Wide    bool
	Count            int
	Of               string
	Red              bool
}

// nav lists what the visitor may open, and says whether something is stuck
// that they should know about.
func (s *Server) nav(v *visit) (items []navItem, alarm string) {
	everything := v.Person.Is(access.Administrator) || v.Person.Is(access.Auditor)
	items = []navItem{
		{Name: "Request", Path: "/request", Icon: "key-round"},
		{Name: "My access", Path: "/access", Icon: "shield-check"},
		{Name: "Grants", Path: "/grants", Icon: "list"},
		{Name: "Tickets", Path: "/desk", Icon: "ticket"},
		{Name: "Customers", Path: "/customers", Icon: "building-2", Wide: true},
	}
	if everything {
		items = append(items,
			navItem{Name: "People", Path: "/people", Icon: "users", Wide: true},
			navItem{Name: "Audit", Path: "/audit", Icon: "scroll-text", Wide: true},
			navItem{Name: "Settings", Path: "/settings", Icon: "settings", Wide: true})
	}
	if v.reach.Target != "" || v.reach.Exists && everything {
		items = slices.Insert(items, 2, navItem{Name: "AWS", Path: "/aws", Icon: "cloud"})
	}
	here := cmp.Or(v.section, v.r.URL.Path)
	for i := range items {
		items[i].Current = here == items[i].Path || strings.HasPrefix(here, items[i].Path+"/")
	}
	bar, err := s.Broker.Access.Bar(v.ctx(), v.Person)
	if err != nil { // the bar is not worth failing a page for
		slog.WarnContext(v.ctx(), "counting for the bar failed", "err", err)
	}
	items[1].Count, items[1].Red, items[1].Of = bar.Held, bar.Stuck, "not ended"
	switch n := bar.Overdue; {
	case n == 1:
		alarm = "1 access should be gone and is not."
	case n > 99:
		alarm = "More than 99 accesses should be gone and are not."
	case n > 0:
		alarm = fmt.Sprintf("%d accesses should be gone and are not.", n)
	}
	return items, alarm
}
