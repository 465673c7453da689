package broker

import (
	"context"

	"jitney/access"
	"jitney/target"
)

// names turns IDs into what people call things.
type names struct {
	people    People
	customers Customers
	targets   Targets
	kinds     []target.Kind
}

// A book is everything that has a name, read once for one page.
type book struct {
	people    map[string]access.Person
	customers map[string]access.Customer
	targets   map[string]access.Target
	kinds     []target.Kind
}

func (n *names) read(ctx context.Context) (book, error) {
	people, err := n.people.People(ctx)
	if err != nil {
		return book{}, err
	}
	customers, err := n.customers.Customers(ctx)
	if err != nil {
		return book{}, err
	}
	targets, err := n.targets.Targets(ctx, "")
	if err != nil {
		return book{}, err
	}
	b := book{people: map[string]access.Person{}, customers: map[string]access.Customer{}, targets: map[string]access.Target{}, kinds: n.kinds}
	for _, p := range people {
		b.people[p.ID] = p
	}
	for _, c := range customers {
		b.customers[c.ID] = c
	}
	for _, t := range targets {
		b.targets[t.ID] = t
	}
	return b, nil
}

// only reads, by their IDs, what one page names. An ID that is not there stays
// without a name.
func (n *names) only(ctx context.Context, customer, targetID string, people []string) (book, error) {
	b := book{people: map[string]access.Person{}, customers: map[string]access.Customer{}, targets: map[string]access.Target{}, kinds: n.kinds}
	absent := func(err error) bool { return err != nil && access.KindOf(err) == access.NotFound }
	for _, id := range people {
		if _, ok := b.people[id]; ok || id == "" || id == "jitney" || id == "policy" {
			continue
		}
		p, err := n.people.Person(ctx, id)
		if err != nil && !absent(err) {
			return book{}, err
		}
		if err == nil {
			b.people[id] = p
		}
	}
	c, err := n.customers.Customer(ctx, customer)
	if err != nil && !absent(err) {
		return book{}, err
	}
	if err == nil {
		b.customers[customer] = c
	}
	t, err := n.targets.Target(ctx, targetID)
	if err != nil && !absent(err) {
		return book{}, err
	}
	if err == nil {
		b.targets[targetID] = t
	}
	return b, nil
}

// person names the one who did something.
func (b book) person(id string) string {
	switch p, ok := b.people[id]; {
	case id == "jitney":
		return "Jitney"
	case id == "policy":
		return "the policy"
	case !ok:
		return id
	case p.Name == "":
		return p.Login
	default:
		return p.Name
	}
}

func (b book) customer(id string) string {
	if c, ok := b.customers[id]; ok {
		return c.Name
	}
	return id
}

func (b book) target(id string) string {
	if t, ok := b.targets[id]; ok {
		return t.Name
	}
	return id
}

func (b book) kind(targetID string) target.Kind {
	k, _ := findKind(b.kinds, b.targets[targetID].Kind)
	return k
}

func (b book) handover(targetID string) target.Handover {
	return handover(b.kinds, b.targets[targetID])
}

func (b book) entitlement(targetID, name string) string {
	if e, ok := b.kind(targetID).Find(settingsOf(b.targets[targetID]), name); ok {
		return e.Title
	}
	return name
}
