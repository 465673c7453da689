package login

import (
	"errors"
	"os/exec"
	"runtime"
)

// Open opens a link in the named browser, or the usual one if named is empty,
// and waits for the opener. The link shows in the list of processes.
func Open(link, named string, env func(string) string) error {
	argv := opener(runtime.GOOS, named, env, exec.LookPath)
	if argv == nil {
		return errors.New("no browser was found")
	}
	return launch(argv, link)
}
