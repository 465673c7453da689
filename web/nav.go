package web

import (
	"cmp"
	"fmt"
	"log/slog"
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
	here := cmp.Or(v.section, v.r.URL.Path)
	for i := range items {
		items[i].Current = here == items[i].Path || strings.HasPrefix(here, items[i].Path+"/")
	}
	items[1].Count, items[1].Red = s.held(v)
	items[1].Of = "not ended"
	if everything {
		alarm = s.alarm(v)
	}
	return items, alarm
}

// held counts what the visitor holds or waits for, and whether any of it is
// stuck. The bar is not worth failing a page for: an error is only logged.
func (s *Server) held(v *visit) (n int, stuck bool) {
	list, err := s.Broker.Access.List(v.ctx(), v.Person, access.GrantQuery{Requester: v.Person.ID, Open: true, Limit: 99})
	if err != nil {
		slog.WarnContext(v.ctx(), "counting grants for the bar failed", "err", err)
	}
	for _, r := range list.Rows {
		stuck = stuck || r.State == access.Overdue
	}
	return len(list.Rows), stuck
}

// alarm tells those who see everything about access that should be gone.
func (s *Server) alarm(v *visit) string {
	list, err := s.Broker.Access.List(v.ctx(), v.Person, access.GrantQuery{Open: true, States: []access.State{access.Overdue}, Limit: 99})
	switch n := len(list.Rows); {
	case err != nil:
		slog.WarnContext(v.ctx(), "looking for overdue grants failed", "err", err)
		return ""
	case n == 0:
		return ""
	case n == 1:
		return "1 access should be gone and is not."
	case list.Next != "":
		return "More than 99 accesses should be gone and are not."
	default:
		return fmt.Sprintf("%d accesses should be gone and are not.", n)
	}
}
