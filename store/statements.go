package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// preparer is a *sql.DB or a *sql.Conn.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements is a db.DBTX that prepares each statement once and keeps it. It is
// for those whose text does not depend on input.
type statements struct {
	on   preparer
	mu   sync.RWMutex
	kept map[string]*sql.Stmt

	wrote bool // set by every statement that may have changed something; for the one goroutine that writes
	sole  bool // whether there is such a goroutine
}

func newStatements(on preparer) *statements {
	return &statements{on: on, kept: map[string]*sql.Stmt{}}
}

// PrepareContext implements db.DBTX.
func (s *statements) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	stmt, ok := s.kept[query]
	s.mu.RUnlock()
	if ok {
		return stmt, nil
	}
	stmt, err := s.on.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, ok := s.kept[query]; ok {
		return first, stmt.Close()
	}
	s.kept[query] = stmt
	return stmt, nil
}

// ExecContext implements db.DBTX.
func (s *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := stmt.ExecContext(ctx, args...)
	if s.sole {
		s.wrote = s.wrote || err != nil || changedRows(r)
	}
	return r, err
}

// QueryContext implements db.DBTX.
func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if s.sole {
		s.wrote = true // it may be an INSERT … RETURNING
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext implements db.DBTX.
func (s *statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		// A *sql.Row cannot be made with an error; let the engine say it again.
		if db, ok := s.on.(interface {
			QueryRowContext(context.Context, string, ...any) *sql.Row
		}); ok {
			return db.QueryRowContext(ctx, query, args...)
		}
	}
	if s.sole {
		s.wrote = true
	}
	return stmt.QueryRowContext(ctx, args...)
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all error
	for _, stmt := range s.kept {
		all = errors.Join(all, stmt.Close())
	}
	s.kept = map[string]*sql.Stmt{}
	return all
}

func changedRows(r sql.Result) bool {
	n, err := r.RowsAffected()
	return err != nil || n > 0
}
