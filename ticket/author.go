package ticket

import (
	"context"
	"strings"
	"sync"
)

// An Account is who a connection is in its system, as notes tell their author.
// It is asked for when it is first needed.
type Account struct {
	mu   sync.Mutex
	name string
	read bool
}

// Wrote reports whether what author wrote is ours. It is if the system does not
// tell the author, or not who we are: nobody else's note may pass for ours, but
// one of ours that is taken for another's would be written again. ask reads who
// we are; an answer that it is not for us to know is remembered as well.
func (a *Account) Wrote(ctx context.Context, author string, ask func(context.Context) (string, error)) (bool, error) {
	if author == "" {
		return true, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.read {
		name, err := ask(ctx)
		if err != nil && !Answered(err) {
			return false, err
		}
		a.name, a.read = name, true
	}
	return a.name == "" || strings.EqualFold(a.name, author), nil
}
