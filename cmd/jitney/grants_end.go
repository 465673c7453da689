package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jitney/access"
	"jitney/broker"
)

// An ending is what grants end was asked for.
type ending struct {
	customer, person string
	everything       bool
	reason           string
	wait             time.Duration
}

func grantsEnd(sh *shell, p *place, as *string) *cobra.Command {
	var e ending
	cmd := &cobra.Command{
		Use:   "end [GRANT]",
		Short: "End a grant, or many, now, and wait until they are read back as ended",
		Args:  arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := sh.atCounter(ctx, p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			scope, query, err := e.scope(ctx, c, args)
			if err != nil {
				return err
			}
			n, err := c.Access.Revoke(ctx, c.who, scope, e.reason)
			if err != nil {
				return failed("end "+e.what(args), err)
			}
			switch {
			case e.wait <= 0:
				sh.say(fmt.Sprintf("Ending %d grants. Nothing is proved yet: see jitney grants ls.", n))
				return nil
			case scope.Grant != "":
				if err := sh.watch(ctx, c, scope.Grant, e.wait, false); err != nil {
					return err
				}
				page, err := c.Access.Grant(ctx, c.who, scope.Grant)
				if err != nil {
					return failed("end "+e.what(args), err)
				}
				return goesOn(page)
			default:
				return sh.awaitAll(ctx, c, query, e.wait)
			}
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&e.customer, "customer", "", "everything at the customer with this name or ID")
	flags.StringVar(&e.person, "person", "", "everything of the person with this login")
	flags.BoolVar(&e.everything, "everything", false, "everything")
	flags.StringVar(&e.reason, "reason", "", "why, for the audit log and the ticket")
	flags.DurationVar(&e.wait, "wait", 2*time.Minute, "how long to wait for the proof; 0 not to wait. Exit code 8 if it did not come")
	return cmd
}

// goesOn is the error of a grant that is over while the same access lives
// under another grant of the person.
func goesOn(p broker.GrantPage) error {
	if p.State != access.Continued {
		return nil
	}
	return &failure{code: exitNotRemoved, what: "end grant " + p.Grant.ID, err: errors.New("the grant is over, and the same access goes on under another grant of the person"),
		hint: "End that one as well: jitney grants end " + p.Grant.ContinuedBy + "; or everything of the person with --person."}
}

func (e *ending) what(args []string) string {
	if len(args) == 1 {
		return "grant " + args[0]
	}
	return "grants"
}

// scope turns what was asked for into what is revoked, and into the query that
// finds what has not ended of it.
func (e *ending) scope(ctx context.Context, c *counter, args []string) (s broker.Scope, q access.GrantQuery, err error) {
	wrong := func(text, hint string) error {
		return &failure{code: exitUsage, what: "end " + e.what(args), err: errors.New(text), hint: hint}
	}
	named := len(args)
	for _, is := range []bool{e.customer != "", e.person != "", e.everything} {
		if is {
			named++
		}
	}
	if named != 1 {
		return s, q, wrong("say what to end", "Name one grant, or one of --customer, --person and --everything.")
	}
	if strings.TrimSpace(e.reason) == "" {
		return s, q, wrong("a reason is needed", "Say why with --reason; it goes into the audit log and the ticket.")
	}
	if s.Customer, s.Person, err = c.find(ctx, e.customer, e.person); err != nil {
		return s, q, err
	}
	s.Everything = e.everything
	if len(args) == 1 {
		s.Grant = args[0]
	}
	return s, access.GrantQuery{Customer: s.Customer, Requester: s.Person, Open: true, Limit: 1}, nil
}

// awaitAll waits until none of the grants of q is open.
func (sh *shell) awaitAll(ctx context.Context, c *counter, q access.GrantQuery, wait time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errNotRemoved)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := c.Access.List(ctx, c.who, q)
		if err != nil && ctx.Err() == nil {
			return failed("list grants", err)
		}
		if err == nil && len(list.Rows) == 0 {
			fmt.Fprintln(sh.out, "None is open any more: what was given of them was read back as ended.")
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return failed("end grants", context.Cause(ctx))
		}
	}
}
