package web

import "jitney/access"

func (s *Server) customerOptions(v *visit, chosen string) (out []option, err error) {
	customers, err := s.Broker.Places.Customers(v.ctx(), v.Person)
	for _, c := range customers {
		out = append(out, option{Value: c.ID, Label: c.Name, Selected: c.ID == chosen})
	}
	return out, err
}

// personOptions lists everybody for those who may see that, and nobody else.
func (s *Server) personOptions(v *visit, chosen string) (out []option, err error) {
	people, err := s.Broker.People.People(v.ctx(), v.Person)
	if err != nil && access.KindOf(err) == access.NotFound {
		return nil, nil
	}
	for _, p := range people {
		out = append(out, option{Value: p.ID, Label: p.Name, Selected: p.ID == chosen})
	}
	return out, err
}

func (s *Server) customerNames(v *visit) (map[string]string, error) {
	customers, err := s.Broker.Places.Customers(v.ctx(), v.Person)
	names := map[string]string{}
	for _, c := range customers {
		names[c.ID] = c.Name
	}
	return names, err
}
