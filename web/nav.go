package web

import (
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

// nav lists what the visitor may open.
func (s *Server) nav(v *visit) []navItem {
	everything := v.Person.Is(access.Administrator) || v.Person.Is(access.Auditor)
	items := []navItem{
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
	for i := range items {
		items[i].Current = v.r.URL.Path == items[i].Path || strings.HasPrefix(v.r.URL.Path, items[i].Path+"/")
	}
	return items
}
