package broker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"jitney/access"
	"jitney/ticket"
)

// A MappingPage lays the customers beside the companies of a ticket system.
type MappingPage struct {
	ConnectionPage
	Rows      []MappingRow     // one for each customer that is not archived
	Companies []access.Company // that can be chosen, by name
	Unmapped  []access.Company // that no customer is
	ReadAt    time.Time        // when the system was asked for its companies; zero: never
}

// A MappingRow is one customer and its company.
type MappingRow struct {
	Customer  access.Customer
	Company   access.Company // zero if none is chosen
	Suggested access.Company // of the same name; zero if none, or one is chosen
	Trouble   string         // what is wrong with the choice: renamed, or gone
}

// Mapping reads the mapping page of a connection.
func (c *Connections) Mapping(ctx context.Context, who access.Person, id string) (MappingPage, error) {
	page, err := c.Get(ctx, who, id)
	if err != nil {
		return MappingPage{}, err
	}
	customers, err := c.ports.Customers.Customers(ctx)
	if err != nil {
		return MappingPage{}, err
	}
	companies, err := c.ports.Connections.Companies(ctx, id)
	if err != nil {
		return MappingPage{}, err
	}
	mappings, err := c.ports.Connections.Mappings(ctx, id)
	if err != nil {
		return MappingPage{}, err
	}
	p := MappingPage{ConnectionPage: page}
	byID, taken, chosen := map[string]access.Company{}, map[string]bool{}, map[string]access.Mapping{}
	for _, m := range mappings {
		taken[m.Company], chosen[m.Customer] = true, m
	}
	for _, company := range companies {
		byID[company.ID] = company
		if company.SeenAt.After(p.ReadAt) {
			p.ReadAt = company.SeenAt
		}
		if !company.GoneAt.IsZero() {
			continue
		}
		p.Companies = append(p.Companies, company)
		if !taken[company.ID] {
			p.Unmapped = append(p.Unmapped, company)
		}
	}
	for _, customer := range customers {
		if customer.ArchivedAt.IsZero() {
			p.Rows = append(p.Rows, rowOf(customer, chosen[customer.ID], byID, p.Unmapped))
		}
	}
	return p, nil
}

func rowOf(customer access.Customer, m access.Mapping, companies map[string]access.Company, free []access.Company) MappingRow {
	row := MappingRow{Customer: customer}
	if m.Company == "" {
		row.Suggested = suggest(customer.Name, free)
		return row
	}
	company, known := companies[m.Company]
	row.Company = access.Company{Connection: m.Connection, ID: m.Company, Name: cmp.Or(company.Name, m.Name)}
	switch {
	case !known || !company.GoneAt.IsZero():
		row.Trouble = "The ticket system does not list this one any more: it was deleted or merged, or is not visible to us."
	case company.Name != m.Name:
		row.Trouble = fmt.Sprintf("It was called %q when it was chosen.", clip(m.Name, 100))
	}
	return row
}

// suggest finds the one free company whose name says the same.
func suggest(name string, free []access.Company) (found access.Company) {
	for _, c := range free {
		if plainName(c.Name) != plainName(name) {
			continue
		}
		if found.ID != "" {
			return access.Company{} // two of that name: people decide
		}
		found = c
	}
	return found
}

// plainName leaves of a company's name what tells it from others: no case, no
// punctuation, no legal form.
func plainName(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' })
	words = slices.DeleteFunc(words, func(w string) bool {
		return slices.Contains([]string{"inc", "llc", "ltd", "gmbh", "ag", "bv", "sa", "srl", "co", "corp", "the", "and"}, w)
	})
	return strings.ReplaceAll(strings.Join(words, " "), "'", "")
}

// Refresh asks the ticket system for its companies.
func (c *Connections) Refresh(ctx context.Context, who access.Person, id string) (int, error) {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return 0, err
	}
	if _, err := c.ports.Connections.Connection(ctx, id); err != nil {
		return 0, hide(err)
	}
	sys, err := c.ports.OpenDesk(ctx, id)
	if err != nil {
		return 0, &access.Error{Kind: access.Unavailable, Text: saidBy(err), Hint: "Check the connection.", Err: err}
	}
	importer, ok := ticket.As[ticket.Importer](sys)
	if !ok {
		return 0, &access.Error{Kind: access.Conflict, Text: "This ticket system has no list of companies."}
	}
	told, err := importer.Companies(ctx)
	if err != nil {
		return 0, &access.Error{Kind: access.Unavailable, Text: saidBy(err), Hint: "Try again in a moment.", Err: err}
	}
	var all []access.Company
	for _, t := range told {
		if t.ID != "" && len(t.ID) <= 200 && !t.Closed {
			all = append(all, access.Company{Connection: id, ID: t.ID, Name: clip(t.Name, 200)})
		}
	}
	err = c.ports.Connections.SetCompanies(ctx, id, all, by(who, EventCompaniesRead, "", "", id, fmt.Sprintf("Read %d companies from the ticket system.", len(all))))
	return len(all), hide(err)
}

// Map says that a customer is a company of the ticket system, or, if company
// is empty, none.
func (c *Connections) Map(ctx context.Context, who access.Person, id, customer, company string) error {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return err
	}
	one, err := c.ports.Customers.Customer(ctx, customer)
	if err != nil {
		return hide(err)
	}
	m := access.Mapping{Connection: id, Customer: customer, Company: company, MappedAt: time.Now().UTC()}
	text := one.Name + " is no company of the ticket system any more."
	if company != "" {
		known, err := c.ports.Connections.Companies(ctx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(known, func(k access.Company) bool { return k.ID == company && k.GoneAt.IsZero() })
		if i < 0 {
			return invalid("company", "Choose one from the list. If it is new, refresh the list first.")
		}
		m.Name = known[i].Name
		text = fmt.Sprintf("%s is %s (%s) in the ticket system.", one.Name, m.Name, clip(company, 100))
	}
	err = c.ports.Connections.SetMapping(ctx, m, by(who, EventMapped, customer, "", id, text))
	if access.KindOf(err) == access.Conflict {
		return invalid("company", "Another customer is that one already. Take it away there first.")
	}
	return hide(err)
}

// Adopt makes customers of companies that no customer is.
func (c *Connections) Adopt(ctx context.Context, who access.Person, id string, companies []string) (made int, err error) {
	page, err := c.Mapping(ctx, who, id)
	if err != nil {
		return 0, err
	}
	if who, err = c.gate.fresh(ctx, who, access.Administrator); err != nil {
		return 0, err
	}
	for _, company := range page.Unmapped {
		if !slices.Contains(companies, company.ID) {
			continue
		}
		customer := access.Customer{ID: newID(), Name: company.Name, CreatedAt: time.Now().UTC()}
		if customer.Name == "" {
			customer.Name = company.ID
		}
		if _, err := c.ports.Customers.SaveCustomer(ctx, customer, by(who, EventCustomerSaved, customer.ID, "", customer.ID, "Added the customer "+customer.Name+" from the ticket system.")); err != nil {
			return made, hide(err)
		}
		if err := c.Map(ctx, who, id, customer.ID, company.ID); err != nil {
			return made, err
		}
		made++
	}
	return made, nil
}
