package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jitney/access"
	"jitney/target/entra"
)

// A liveProbe is what somebody wants to know of a real Entra tenant.
type liveProbe struct {
	wanted    bool
	confirmed bool
	record    string // file
}

// confirmProbe is the flag without which no probe begins.
const confirmProbe = "this-entra-tenant-is-for-tests"

func (l *liveProbe) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&l.wanted, "live-probe", false, "try on the Entra tenant of --target what Microsoft's documentation leaves open; for tests only")
	flags.BoolVar(&l.confirmed, confirmProbe, false, "confirm that nobody works in the Entra tenant of --live-probe")
	flags.StringVar(&l.record, "record", "", "file for the requests and answers of --live-probe; else one in the current directory")
}

// run makes a throw-away Global Administrator on the target, takes it away
// again, and records what Microsoft said.
func (l *liveProbe) run(ctx context.Context, sh *shell, p *place, only string) (err error) {
	if err := l.check(p, only); err != nil {
		return err
	}
	prog, err := p.open(ctx, slog.New(slog.DiscardHandler), targetKinds())
	if err != nil {
		return err
	}
	defer prog.close()
	t, err := prog.findTarget(ctx, only)
	if err != nil {
		return err
	}
	kind, settings, err := prog.opener.settings(ctx, t)
	if err != nil {
		return failed("read the settings of "+t.Name, err)
	}
	if kind.Name != entra.Kind().Name {
		return &failure{code: exitUsage, what: "probe " + t.Name, err: fmt.Errorf("it is of the kind %s", kind.Title), hint: "Only Microsoft 365 leaves something open to probe."}
	}
	name := l.record
	if name == "" {
		name = "entra-probe-" + time.Now().UTC().Format("20060102-150405") + ".ndjson"
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return failed("make the file for the record", err)
	}
	fmt.Fprintf(sh.err, "Probing %s. This takes minutes, and half an hour at most; Ctrl-C ends it and cleans up.\n", plain(t.Name))
	err = entra.Probe(ctx, settings, file)
	if cerr := file.Close(); cerr != nil {
		err = errors.Join(err, cerr)
	}
	if err != nil {
		return &failure{what: "probe " + t.Name, err: err, hint: "What was learned until then is in " + name + "; its last lines say whether an account is left to delete by hand."}
	}
	fmt.Fprintf(sh.out, "%s holds every request and answer, without secrets. Its names and IDs are those of your Entra tenant: look it through before you pass it on.\n", name)
	return nil
}

// check refuses what could hurt before anything is opened.
func (l *liveProbe) check(p *place, only string) error {
	switch {
	case only == "":
		return &failure{code: exitUsage, what: "start the live probe", err: errors.New("no target is named"), hint: "Name one with --target."}
	case !l.confirmed:
		return &failure{code: exitUsage, what: "start the live probe", err: errors.New("it makes a Global Administrator for some minutes"),
			hint: "If the Entra tenant is for tests and nobody works in it, add --" + confirmProbe + "."}
	}
	return p.exists()
}

// findTarget finds a target by ID or name.
func (p *program) findTarget(ctx context.Context, only string) (access.Target, error) {
	all, err := p.store.Targets.Targets(ctx, "")
	if err != nil {
		return access.Target{}, failed("read the targets", err)
	}
	var found []access.Target
	for _, t := range all {
		if t.ID == only || strings.EqualFold(t.Name, only) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return access.Target{}, &failure{code: exitNotFound, what: "find the target", err: fmt.Errorf("there is no target %s", only)}
	case 1:
		return found[0], nil
	default:
		return access.Target{}, &failure{code: exitUsage, what: "find the target", err: fmt.Errorf("there are %d targets called %s", len(found), only), hint: "Name it by its ID."}
	}
}
