package store

import (
	"context"
	"slices"
	"strings"

	"jitney/access"
	"jitney/store/db"
)

// Customers keeps customers.
type Customers struct {
	core *core
}

// Customer reads one customer.
func (c *Customers) Customer(ctx context.Context, id string) (access.Customer, error) {
	row, err := c.core.q().Customer(ctx, id)
	if err != nil {
		return access.Customer{}, fail("read customer "+id, err)
	}
	return customerOf(row), nil
}

// Customers lists every customer, by name.
func (c *Customers) Customers(ctx context.Context) ([]access.Customer, error) {
	rows, err := c.core.q().Customers(ctx)
	customers, err := each(rows, err, sure(customerOf))
	return customers, fail("list customers", err)
}

// CustomersNamed lists the customers whose ID is name, or whose name it is
// without regard to case.
func (c *Customers) CustomersNamed(ctx context.Context, name string) ([]access.Customer, error) {
	isThat := func(c access.Customer) bool { return c.ID == name || strings.EqualFold(c.Name, name) }
	if !strings.ContainsFunc(name, func(r rune) bool { return r > '~' }) { // engines know no other letters alike
		rows, err := c.core.q().CustomersNamed(ctx, name)
		found, err := each(rows, err, sure(customerOf))
		if err != nil || slices.ContainsFunc(found, isThat) {
			return found, fail("find customer "+name, err)
		}
	}
	all, err := c.Customers(ctx)
	return slices.DeleteFunc(all, func(c access.Customer) bool { return !isThat(c) }), err
}

// SaveCustomer stores n; Version 0 creates.
func (c *Customers) SaveCustomer(ctx context.Context, n access.Customer, events ...access.Event) (access.Customer, error) {
	tried := "save customer " + n.ID
	err := c.core.write(ctx, tried, func(ctx context.Context, t *tx) error {
		var err error
		if n.Version == 0 {
			err = t.InsertCustomer(ctx, db.InsertCustomerParams{ID: n.ID, Name: n.Name, Note: n.Note, CreatedAt: micros(n.CreatedAt), ArchivedAt: micros(n.ArchivedAt)})
		} else {
			var changed int64
			changed, err = t.UpdateCustomer(ctx, db.UpdateCustomerParams{ID: n.ID, Version: n.Version, Name: n.Name, Note: n.Note, ArchivedAt: micros(n.ArchivedAt)})
			err = stale(tried, changed, err)
		}
		if err != nil {
			return err
		}
		return t.record(ctx, events)
	})
	if err != nil {
		return access.Customer{}, exists(tried, err)
	}
	n.Version++
	return n, nil
}
