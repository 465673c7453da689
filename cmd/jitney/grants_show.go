package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"jitney/access"
	"jitney/broker"
)

func grantsShow(sh *shell, p *place, as *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show GRANT",
		Short: "Show one grant with its evidence and timeline",
		Args:  arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := sh.atCounter(cmd.Context(), p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			page, err := c.Access.Grant(cmd.Context(), c.who, args[0])
			if err != nil {
				return failed("show grant "+args[0], err)
			}
			if asJSON {
				return json.NewEncoder(sh.out).Encode(pageLine(page))
			}
			return showPage(sh, page)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// A grantDetail is what show --json prints beyond grantLine.
type grantDetail struct {
	grantLine
	Account  string         `json:"account,omitempty"`
	SeenAt   time.Time      `json:"seen_at,omitzero"`
	Found    []detailRow    `json:"found,omitempty"`
	Timeline []timelineLine `json:"timeline"`
	Notes    []noteLine     `json:"notes,omitempty"`
}

type detailRow struct {
	What   string `json:"what"`
	Wanted string `json:"wanted,omitempty"`
	Found  string `json:"found"`
	OK     bool   `json:"ok"`
}

type timelineLine struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Actor string    `json:"actor"`
	Text  string    `json:"text"`
	Seq   int64     `json:"seq"` // in the audit log; -1 while it waits for its place
}

type noteLine struct {
	Kind   string    `json:"kind"`
	State  string    `json:"state"`
	At     time.Time `json:"at,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

func pageLine(p broker.GrantPage) grantDetail {
	d := grantDetail{grantLine: line(p.GrantRow), Account: p.Account.Username, SeenAt: p.Observation.At, Timeline: []timelineLine{}}
	for _, r := range p.Rows {
		d.Found = append(d.Found, detailRow{r.What, r.Wanted, r.Found, r.OK})
	}
	for _, l := range p.Timeline {
		d.Timeline = append(d.Timeline, timelineLine{l.At, l.Kind, l.Actor, l.Text, l.Seq})
	}
	for _, n := range p.Notes {
		d.Notes = append(d.Notes, noteLine{n.Kind, string(n.State), n.At, n.Reason})
	}
	return d
}

func showPage(sh *shell, p broker.GrantPage) error {
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	state := string(p.State)
	if p.Cause != "" {
		state += " (" + string(p.Cause) + ")"
	}
	over := "Over since"
	if p.State == access.Ended {
		over = "Ended"
	}
	for _, row := range [][2]string{
		{"Grant", p.Grant.ID}, {"State", state}, {"Requester", p.Requester + " <" + p.RequesterLogin + ">"}, {"Customer", p.Customer},
		{"Access", p.Target + ": " + p.Entitlement}, {"Account", p.Account.Username}, {"Ticket", p.Grant.Ticket.Number + " " + p.Grant.Ticket.Title},
		{"Reason", p.Grant.Reason}, {"Submitted", clock(p.Grant.SubmittedAt)}, {"Active since", clock(p.Grant.VerifiedAt)},
		{"Ends", clock(p.EndsAt)}, {over, clock(p.Grant.EndedAt)},
	} {
		fmt.Fprintf(w, "%s:\t%s\n", row[0], plain(row[1]))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range p.Grant.Findings {
		fmt.Fprintf(sh.out, "Found: %s\n", plain(f))
	}
	fmt.Fprintf(sh.out, "\nRead back %s:\n", age(p))
	for _, r := range p.Rows {
		mark := "  "
		if !r.OK && (r.Wanted != "" || !p.Grant.Wanted(time.Now())) {
			mark = "! "
		}
		fmt.Fprintf(w, "%s%s\t%s\n", mark, plain(r.What), plain(r.Found))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(sh.out, "\nTimeline:")
	for _, l := range p.Timeline {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", clock(l.At), plain(l.Actor), plain(l.Text))
	}
	return w.Flush()
}

func age(p broker.GrantPage) string {
	if p.Observation.At.IsZero() {
		return "never"
	}
	return clock(p.Observation.At) + " (" + p.SeenAge.Round(time.Second).String() + " ago)"
}

func grantsWatch(sh *shell, p *place, as *string) *cobra.Command {
	var asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "watch GRANT",
		Short: "Watch one grant until it has ended",
		Long: `Watch one grant until it has ended. At a terminal one line is kept up to date;
otherwise each change is a line, with --json a JSON object.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := sh.atCounter(cmd.Context(), p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			return sh.watch(cmd.Context(), c, args[0], timeout, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a change")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up after this long, with exit code 8; 0 never")
	return cmd
}

// watch prints a grant whenever it changes, until it has ended or timeout is
// over.
func (sh *shell) watch(ctx context.Context, c *counter, id string, timeout time.Duration, asJSON bool) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errNotRemoved)
		defer cancel()
	}
	live := !asJSON && isTerminal(sh.out)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	shown := ""
	for {
		page, err := c.Access.Grant(ctx, c.who, id)
		if err != nil && ctx.Err() == nil {
			return failed("watch grant "+id, err)
		}
		if err == nil {
			if text := sh.status(page, live, asJSON); text != shown {
				sh.update(text, live)
				shown = text
			}
			if !page.Grant.EndedAt.IsZero() {
				if live {
					fmt.Fprintln(sh.out)
				}
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if live {
				fmt.Fprintln(sh.out)
			}
			return failed("watch grant "+id, context.Cause(ctx))
		}
	}
}

var errNotRemoved = &failure{code: exitNotRemoved, what: "wait for the end", err: errPatience{},
	hint: "Jitney keeps trying. See jitney grants show for what was found, and the target itself."}

type errPatience struct{}

func (errPatience) Error() string { return "the access was not read back as ended in time" }

// status is what watch prints about a grant.
func (sh *shell) status(p broker.GrantPage, live, asJSON bool) string {
	if asJSON {
		text, _ := json.Marshal(line(p.GrantRow))
		return string(text)
	}
	text := string(p.State)
	switch {
	case p.State == access.Ended:
		text = "ended, verified " + clock(p.Grant.EndedAt) + " (" + string(p.Cause) + ")"
	case !p.Grant.EndedAt.IsZero():
		text += " (" + string(p.Cause) + ")"
	case !p.EndsAt.IsZero():
		text += ", ends " + clock(p.EndsAt)
	}
	if left := time.Until(p.EndsAt).Round(time.Second); live && left > 0 && !p.Grant.VerifiedAt.IsZero() && p.Grant.EndedAt.IsZero() {
		text += " (" + left.String() + " left)"
	}
	return strings.Join([]string{p.Grant.ID, plain(p.Customer), plain(p.Entitlement), text}, "  ")
}

func (sh *shell) update(text string, live bool) {
	if live {
		fmt.Fprintf(sh.out, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(sh.out, text)
}
