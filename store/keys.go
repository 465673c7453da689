package store

import (
	"context"
	"database/sql"
	"errors"

	"jitney/secret"
	"jitney/store/db"
)

// DataKeys keeps the wrapped keys that seal the secrets of customers. It is
// [secret.DataKeys].
type DataKeys struct {
	core *core
}

func dataKeyOf(r db.DataKey) secret.DataKey {
	return secret.DataKey{ID: r.ID, Customer: r.Customer, WrappedBy: r.WrappedBy, Wrapped: r.Wrapped, CreatedAt: instant(r.CreatedAt)}
}

// DataKey reads a key by ID.
func (d *DataKeys) DataKey(ctx context.Context, id string) (secret.DataKey, error) {
	row, err := d.core.q().DataKey(ctx, id)
	if err != nil {
		return secret.DataKey{}, fail("read data key "+id, err)
	}
	return dataKeyOf(row), nil
}

// CustomerKey reads the key of a customer; false if it has none yet.
func (d *DataKeys) CustomerKey(ctx context.Context, customer string) (secret.DataKey, bool, error) {
	row, err := d.core.q().CustomerKey(ctx, customer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return secret.DataKey{}, false, nil
	case err != nil:
		return secret.DataKey{}, false, fail("read the data key of customer "+customer, err)
	}
	return dataKeyOf(row), true, nil
}

// AddDataKey stores k unless its customer has one already, and reports the one
// that the customer then has.
func (d *DataKeys) AddDataKey(ctx context.Context, k secret.DataKey) (secret.DataKey, error) {
	has := k
	err := d.core.write(ctx, "store a data key", func(ctx context.Context, t *tx) error {
		n, err := t.InsertDataKey(ctx, db.InsertDataKeyParams{ID: k.ID, Customer: k.Customer, WrappedBy: k.WrappedBy, Wrapped: k.Wrapped, CreatedAt: micros(k.CreatedAt)})
		if err != nil || n > 0 {
			return err
		}
		row, err := t.CustomerKey(ctx, k.Customer)
		has = dataKeyOf(row)
		return err
	})
	if err != nil {
		return secret.DataKey{}, err
	}
	return has, nil
}

// WrappedByOther lists the keys that are not wrapped by the named one.
func (d *DataKeys) WrappedByOther(ctx context.Context, wrappedBy string) ([]secret.DataKey, error) {
	rows, err := d.core.q().DataKeysWrappedByOther(ctx, wrappedBy)
	keys, err := each(rows, err, sure(dataKeyOf))
	return keys, fail("list data keys", err)
}

// Rewrap replaces how k is wrapped, if it is still wrapped by was; else it
// changes nothing, because somebody else was first.
func (d *DataKeys) Rewrap(ctx context.Context, k secret.DataKey, was string) error {
	return d.core.write(ctx, "re-wrap data key "+k.ID, func(ctx context.Context, t *tx) error {
		_, err := t.RewrapDataKey(ctx, db.RewrapDataKeyParams{ID: k.ID, WrappedBy: k.WrappedBy, Wrapped: k.Wrapped, Was: was})
		return err
	})
}
