package lab

import (
	"errors"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

// Redmine says how to reach one Redmine. None of its keys is a secret: it is all thrown away.
type Redmine struct {
	URL    string
	Key    string // of a user who may write private notes in every project
	Loud   string // of one who may write notes, but none that are private
	Mute   string // of one who may only read
	Worker string // of one who may also book time and give tickets a status
	Admin  string
}

// projects counts the projects of the Redmine of this test binary that were given out.
var projects atomic.Int64

// RunRedmine returns the Redmine of this test binary, started at first use in some fifteen seconds.
// JITNEY_TEST_REDMINE names the env file of a running one.
func RunRedmine(t testing.TB) Redmine {
	t.Helper()
	env, err := map[string]string(nil), error(nil)
	if file := os.Getenv("JITNEY_TEST_REDMINE"); file != "" {
		env, err = readEnv(file)
	} else {
		env, err = once("redmine", func() (map[string]string, error) {
			if os.Geteuid() != 0 {
				return nil, errors.New("an instance of Debian's Redmine needs root")
			}
			if _, err := os.Stat("/usr/share/redmine/config.ru"); err != nil {
				return nil, err
			}
			return hold(nil, "redmine", address(2), "8091")
		})
	}
	if err != nil {
		missing(t, "Redmine (lab/redmine install)", err)
	}
	return Redmine{URL: env["REDMINE_URL"], Key: env["REDMINE_JITNEY"], Loud: env["REDMINE_LOUD"], Mute: env["REDMINE_MUTE"], Worker: env["REDMINE_WORKER"], Admin: env["REDMINE_ADMIN"]}
}

// Project returns the id of a project that no other test of this binary uses.
func (Redmine) Project(t testing.TB) string {
	t.Helper()
	n := projects.Add(1)
	if n > 60 {
		t.Fatal("lab: Redmine has no more projects; make more in lab/redmine.rb")
	}
	return strconv.Itoa(int(n))
}
