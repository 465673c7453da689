package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"jitney/access"
	"jitney/broker"
)

// A counter is the services as somebody at the server's own terminal uses
// them.
type counter struct {
	*program
	*broker.Broker
	who access.Person
}

// atCounter opens the installation for a person at the server's terminal.
func (sh *shell) atCounter(ctx context.Context, p *place, as string) (*counter, error) {
	if err := p.exists(); err != nil {
		return nil, err
	}
	prog, err := p.open(ctx, slog.New(slog.DiscardHandler), targetKinds())
	if err != nil {
		return nil, err
	}
	who, err := actor(ctx, prog.store.People, as)
	if err != nil {
		prog.close()
		return nil, failed("read the people", err)
	}
	return &counter{program: prog, Broker: prog.brokers(localPeople{prog.store.People, who}), who: who}, nil
}

func grantsCommand(sh *shell) *cobra.Command {
	p, as := &place{}, ""
	cmd := group("grants", "List, show, watch and end grants", grantsLs(sh, p, &as), grantsShow(sh, p, &as), grantsWatch(sh, p, &as), grantsEnd(sh, p, &as))
	p.register(cmd)
	_ = cmd.PersistentFlags().MarkHidden("allow-private") // taken, and of no use here
	cmd.PersistentFlags().StringVar(&as, "as", "", "login of the administrator to act as; else the system's user is recorded")
	return cmd
}

func grantsLs(sh *shell, p *place, as *string) *cobra.Command {
	var customer, requester, ticketNumber string
	var states []string
	var all, asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List grants that have not ended",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := sh.atCounter(ctx, p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			q := access.GrantQuery{Ticket: ticketNumber, Open: !all, Limit: limit}
			if q.States, err = readStates(states); err != nil {
				return err
			}
			if len(q.States) > 0 {
				q.Open = false
			}
			if q.Customer, q.Requester, err = c.find(ctx, customer, requester); err != nil {
				return err
			}
			list, err := c.Access.List(ctx, c.who, q)
			if err != nil {
				return failed("list grants", err)
			}
			if asJSON {
				return printRows(sh, list.Rows)
			}
			return table(sh, list)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&customer, "customer", "", "only of the customer with this name or ID")
	flags.StringVar(&requester, "requester", "", "only of the person with this login")
	flags.StringVar(&ticketNumber, "ticket", "", "only for the ticket with this number")
	flags.StringSliceVar(&states, "state", nil, "only in these states, such as active,overdue")
	flags.BoolVar(&all, "all", false, "also those that are over")
	flags.IntVar(&limit, "limit", 100, "at most this many, 500 at most")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object a line")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(stateNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// find turns a customer's name and a person's login into IDs.
func (c *counter) find(ctx context.Context, customer, login string) (customerID, personID string, err error) {
	if customer != "" {
		all, err := c.store.Customers.Customers(ctx)
		if err != nil {
			return "", "", failed("read the customers", err)
		}
		i := slices.IndexFunc(all, func(o access.Customer) bool { return o.ID == customer || strings.EqualFold(o.Name, customer) })
		if i < 0 {
			return "", "", &failure{code: exitNotFound, what: "find the customer", err: fmt.Errorf("there is no customer %s", customer)}
		}
		customerID = all[i].ID
	}
	if login != "" {
		all, err := c.store.People.People(ctx)
		if err != nil {
			return "", "", failed("read the people", err)
		}
		i := slices.IndexFunc(all, func(o access.Person) bool { return o.ID == login || strings.EqualFold(o.Login, login) })
		if i < 0 {
			return "", "", &failure{code: exitNotFound, what: "find the person", err: fmt.Errorf("there is no person %s", login)}
		}
		personID = all[i].ID
	}
	return customerID, personID, nil
}

func stateNames() []string {
	return []string{string(access.Pending), string(access.Starting), string(access.Active), string(access.Expiring), string(access.Ending),
		string(access.Overdue), string(access.Blocked), string(access.Ended), string(access.Continued), string(access.NotGiven)}
}

func readStates(names []string) (states []access.State, err error) {
	for _, name := range names {
		if !slices.Contains(stateNames(), name) {
			return nil, &failure{code: exitUsage, what: "read --state", err: fmt.Errorf("there is no state %q", name), hint: "States are: " + strings.Join(stateNames(), ", ") + "."}
		}
		states = append(states, access.State(name))
	}
	return states, nil
}

// A grantLine is one grant as --json prints it. Times are RFC 3339 in UTC; one
// that has not come is left out.
type grantLine struct {
	ID          string    `json:"id"`
	State       string    `json:"state"`
	Cause       string    `json:"cause,omitempty"`
	Requester   string    `json:"requester"`
	Customer    string    `json:"customer"`
	Target      string    `json:"target"`
	Entitlement string    `json:"entitlement"`
	Ticket      string    `json:"ticket"`
	Reason      string    `json:"reason"`
	Minutes     int       `json:"minutes"`
	Submitted   time.Time `json:"submitted"`
	Verified    time.Time `json:"verified,omitzero"`
	EndsAt      time.Time `json:"ends_at,omitzero"`
	Ended       time.Time `json:"ended,omitzero"` // when it was read back as gone
	Over        time.Time `json:"over,omitzero"`  // since when nobody looks after it: as ended, or not given, or continued
	Findings    []string  `json:"findings,omitempty"`
}

func line(r broker.GrantRow) grantLine {
	g := r.Grant
	l := grantLine{ID: g.ID, State: string(r.State), Cause: string(r.Cause), Requester: r.RequesterLogin, Customer: r.Customer, Target: r.Target,
		Entitlement: r.Entitlement, Ticket: g.Ticket.Number, Reason: g.Reason, Minutes: int((g.Duration + g.Extension) / time.Minute),
		Submitted: g.SubmittedAt, Verified: g.VerifiedAt, EndsAt: r.EndsAt, Over: g.EndedAt, Findings: g.Findings}
	if r.State == access.Ended {
		l.Ended = g.EndedAt
	}
	return l
}

func printRows(sh *shell, rows []broker.GrantRow) error {
	out := json.NewEncoder(sh.out)
	for _, r := range rows {
		if err := out.Encode(line(r)); err != nil {
			return err
		}
	}
	return nil
}

func table(sh *shell, list broker.GrantList) error {
	if len(list.Rows) == 0 {
		sh.say("There are no such grants.")
		return nil
	}
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GRANT\tSTATE\tREQUESTER\tCUSTOMER\tACCESS\tTICKET\tENDS")
	for _, r := range list.Rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Grant.ID, r.State, plain(r.RequesterLogin), plain(r.Customer),
			plain(r.Target+": "+r.Entitlement), plain(r.Grant.Ticket.Number), clock(r.EndsAt))
	}
	if list.Next != "" {
		sh.say("There are more; narrow the list, or raise --limit.")
	}
	return w.Flush()
}

// say tells something that is not data.
func (sh *shell) say(text string) {
	if !sh.quiet {
		fmt.Fprintln(sh.err, text)
	}
}

// plain drops what could drive a terminal from text that people wrote.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, s)
}

// clock writes an instant with its zone.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}
