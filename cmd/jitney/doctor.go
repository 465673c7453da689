package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"jitney/access"
	"jitney/target"
	"jitney/ticket"
)

// A diagnosis is one finding about one part of an installation.
type diagnosis struct {
	About string `json:"about"` // "data", "keys", "database", "audit", customer and target, or a ticket system
	access.Finding
}

func doctorCommand(sh *shell) *cobra.Command {
	p := &place{}
	var asJSON bool
	var only string
	var timeout time.Duration
	var probe liveProbe
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the installation, every target and every ticket system, and say what to fix",
		Long: `Check the data directory, the keys, the database, the audit log and every target:
whether access could be given and, above all, ended; and every ticket system
that is connected. Nothing is changed on any of them. The exit code is 1 if there is an error. With --quiet only errors and
warnings are printed.

With --live-probe something else happens: on an Entra tenant for tests, a
throw-away account gets Global Administrator for some minutes and is deleted, to
learn what Microsoft's documentation leaves open. Requests and answers go to a
file that only you can read, without secrets.`,
		Example: `  jitney doctor
  jitney doctor --target contoso.onmicrosoft.com
  jitney doctor --target contoso-test.onmicrosoft.com --live-probe --` + confirmProbe + ` --record probe.ndjson`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if probe.wanted {
				return probe.run(cmd.Context(), sh, p, only)
			}
			found, err := examine(cmd.Context(), sh, p, only, timeout)
			if err != nil {
				return err
			}
			return prescribe(sh, found, asJSON)
		},
	}
	p.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a finding")
	cmd.Flags().StringVar(&only, "target", "", "only the target with this name or ID, and no ticket system")
	probe.register(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", 45*time.Second, "for each target and ticket system")
	return cmd
}

func examine(ctx context.Context, sh *shell, p *place, only string, timeout time.Duration) ([]diagnosis, error) {
	if err := p.exists(); err != nil {
		return nil, err
	}
	found := examineFiles(p)
	prog, err := p.open(ctx, slog.New(slog.DiscardHandler), targetKinds())
	if err != nil {
		return append(found, diagnosis{"database", finding(err)}), nil
	}
	defer prog.close()
	found = append(found, prog.examineStore(ctx)...)
	targets, err := prog.examineTargets(ctx, only, timeout)
	found = append(found, targets...)
	if err != nil || only != "" {
		return found, err
	}
	desks, err := prog.examineDesks(ctx, timeout)
	return append(found, desks...), err
}

// examineFiles looks at what lies in the data directory.
func examineFiles(p *place) (found []diagnosis) {
	add := func(about, level, what, fix string) {
		found = append(found, diagnosis{about, access.Finding{Level: level, What: what, Fix: fix}})
	}
	if info, err := os.Stat(p.data); err == nil && info.Mode().Perm()&0o077 != 0 {
		add("data", "warning", fmt.Sprintf("%s can be read by others (mode %04o).", p.data, info.Mode().Perm()), "chmod 700 "+p.data)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(p.data, &disk); err == nil {
		switch free := int64(disk.Bavail) * int64(disk.Bsize) >> 20; {
		case free < 100:
			add("data", "error", fmt.Sprintf("Only %d MB are free on the disk of %s.", free, p.data), "Free some space: without it no access is given.")
		case free < 1000:
			add("data", "warning", fmt.Sprintf("Only %d MB are free on the disk of %s.", free, p.data), "Free some space soon.")
		default:
			add("data", "ok", fmt.Sprintf("%d GB are free on the disk of %s.", free>>10, p.data), "")
		}
	}
	return found
}

func (p *program) examineStore(ctx context.Context) (found []diagnosis) {
	add := func(about, level, what, fix string) {
		found = append(found, diagnosis{about, access.Finding{Level: level, What: what, Fix: fix}})
	}
	if err := p.store.Health(ctx); err != nil {
		found = append(found, diagnosis{"database", finding(err)})
	} else {
		add("database", "ok", "The database ("+p.store.Engine()+") can be read and written.", "")
	}
	if old, err := p.store.Keys.WrappedByOther(ctx, p.sealer.WrapKeys()[0]); err != nil {
		found = append(found, diagnosis{"keys", finding(err)})
	} else if len(old) > 0 {
		add("keys", "warning", fmt.Sprintf("%d data keys are wrapped by an old key.", len(old)), "Run jitney keys rotate to finish the rotation.")
	} else {
		add("keys", "ok", "Every data key is wrapped by the key in use.", "")
	}
	report, err := p.proof().Verify(ctx)
	switch {
	case err != nil:
		found = append(found, diagnosis{"audit", finding(err)})
	case !report.OK:
		add("audit", "error", report.Text, "Keep the database as it is, and compare it with a backup and with the checkpoints that you hold.")
	case report.Unsealed > 0 && time.Since(report.Oldest) > time.Minute:
		add("audit", "warning", fmt.Sprintf("%d audit records have waited for their place since %s.", report.Unsealed, clock(report.Oldest)), "Is a server running on this database?")
	default:
		add("audit", "ok", report.Text, "")
	}
	return found
}

// examineTargets runs the check of every target, some at a time.
func (p *program) examineTargets(ctx context.Context, only string, timeout time.Duration) ([]diagnosis, error) {
	all, err := p.store.Targets.Targets(ctx, "")
	if err != nil {
		return nil, failed("read the targets", err)
	}
	customers, err := p.store.Customers.Customers(ctx)
	if err != nil {
		return nil, failed("read the customers", err)
	}
	names := map[string]string{}
	for _, c := range customers {
		names[c.ID] = c.Name
	}
	if only != "" {
		all = slices.DeleteFunc(all, func(t access.Target) bool { return t.ID != only && !strings.EqualFold(t.Name, only) })
		if len(all) == 0 {
			return nil, &failure{code: exitNotFound, what: "find the target", err: fmt.Errorf("there is no target %s", only)}
		}
	}
	return abreast(all, func(t access.Target) []diagnosis {
		return checked(ctx, names[t.Customer]+", "+t.Name, timeout, func(ctx context.Context) ([]access.Finding, error) {
			system, err := p.opener.system(ctx, t.ID)
			if err != nil {
				return nil, err
			}
			if checker, ok := target.As[target.Checker](system); ok {
				return checker.Check(ctx)
			}
			return []access.Finding{{Level: "info", What: "This kind of target cannot be checked beforehand."}}, nil
		})
	}), nil
}

// examineDesks runs the check of every ticket system that is connected, also
// of those that are not used any more: their notes are still written.
func (p *program) examineDesks(ctx context.Context, timeout time.Duration) ([]diagnosis, error) {
	all, err := p.store.Connections.Connections(ctx)
	if err != nil {
		return nil, failed("read the ticket systems", err)
	}
	return abreast(all, func(c access.Connection) []diagnosis {
		return checked(ctx, "ticket system "+c.Name, timeout, func(ctx context.Context) ([]access.Finding, error) {
			system, err := p.tickets.system(ctx, c.ID)
			if err != nil {
				return nil, err
			}
			if checker, ok := ticket.As[ticket.Checker](system); ok {
				return checker.Check(ctx)
			}
			return []access.Finding{{Level: "info", What: "This kind of ticket system cannot be checked without a ticket."}}, nil
		})
	}), nil
}

// abreast examines all, some at a time, and reports what was found in their
// order.
func abreast[T any](all []T, examine func(T) []diagnosis) []diagnosis {
	results := make([][]diagnosis, len(all))
	slots := make(chan struct{}, 4)
	var wait sync.WaitGroup
	for i, one := range all {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = examine(one)
		})
	}
	wait.Wait()
	return slices.Concat(results...)
}

// checked is what a check found that has so much time.
func checked(ctx context.Context, about string, timeout time.Duration, check func(context.Context) ([]access.Finding, error)) (found []diagnosis) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	findings, err := check(ctx)
	for _, f := range findings {
		found = append(found, diagnosis{about, f})
	}
	switch {
	case err != nil && ctx.Err() != nil:
		found = append(found, diagnosis{about, access.Finding{Level: "error", What: "The check was not finished in " + timeout.String() + ".", Fix: "Try --timeout with more time."}})
	case err != nil:
		found = append(found, diagnosis{about, finding(err)})
	}
	return found
}

// finding turns an error into one.
func finding(err error) access.Finding {
	if known, ok := errors.AsType[*access.Error](err); ok {
		return access.Finding{Level: "error", What: known.Text, Fix: known.Hint}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return access.Finding{Level: "error", What: f.Error(), Fix: f.hint}
	}
	if t, ok := errors.AsType[*ticket.Trouble](err); ok {
		return access.Finding{Level: "error", What: t.Text}
	}
	return access.Finding{Level: "error", What: err.Error()}
}

// prescribe prints findings; one that is an error makes the command fail.
func prescribe(sh *shell, found []diagnosis, asJSON bool) error {
	marks := map[string]string{"ok": "ok      ", "info": "info    ", "warning": "warning ", "error": "ERROR   "}
	count, out := map[string]int{}, json.NewEncoder(sh.out)
	for _, d := range found {
		count[d.Level]++
		if asJSON {
			if err := out.Encode(d); err != nil {
				return err
			}
			continue
		}
		if sh.quiet && d.Level != "error" && d.Level != "warning" {
			continue
		}
		fmt.Fprintf(sh.out, "%s%s: %s\n", marks[d.Level], plain(d.About), plain(d.What))
		if d.Fix != "" && d.Level != "ok" {
			fmt.Fprintf(sh.out, "        → %s\n", plain(d.Fix))
		}
	}
	total := plural(count["error"], "error") + ", " + plural(count["warning"], "warning")
	if count["error"] > 0 {
		return &failure{code: exitFailed, what: "jitney doctor", err: errors.New(total), hint: "Fix them before the next grant; each line above says how."}
	}
	if !asJSON && !sh.quiet {
		fmt.Fprintf(sh.err, "%s, %d in order.\n", total, len(found)-count["warning"])
	}
	return nil
}

// plural is a number of things in words: "no error", "1 error", "2 errors".
func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
