package login

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// device reports whether the code is to be typed, in a browser that may be
// anywhere: if asked for, or if no browser can be opened on this computer
// that could come back to it.
func (a *attempt) device() bool {
	switch {
	case a.Device:
		return true
	case a.Port != 0 || a.Browser != "":
		return false // who says so knows a way back
	case a.Env("SSH_CONNECTION") != "":
		return true
	case first(listed(runtime.GOOS, a.Env), a.Env, exec.LookPath) != nil:
		return false
	case headless(runtime.GOOS, a.Env):
		return true
	}
	return !a.NoBrowser && a.opener() == nil
}

// headless reports whether there is no screen to open a browser on.
func headless(goos string, env func(string) string) bool {
	return goos != "windows" && goos != "darwin" && env("DISPLAY") == "" && env("WAYLAND_DISPLAY") == ""
}

// opener reports the command that opens a link, without the link; nil if there
// is none.
func (a *attempt) opener() []string { return opener(runtime.GOOS, a.Browser, a.Env, exec.LookPath) }

// usual reports the programs that open a link in the usual browser.
func usual(goos string) [][]string {
	switch goos {
	case "darwin":
		return [][]string{{"/usr/bin/open"}}
	case "windows":
		return [][]string{{`%SystemRoot%\System32\rundll32.exe`, "url.dll,FileProtocolHandler"}}
	default:
		return [][]string{{"xdg-open"}, {"wslview"}, {"sensible-browser"}}
	}
}

// called reports what opens the browser that people know by a name, where it
// is no program of that name.
func called(goos, name string) [][]string {
	kind := goos
	if kind != "darwin" && kind != "windows" {
		kind = "unix"
	}
	switch kind + " " + name {
	case "darwin chrome":
		return [][]string{{"/usr/bin/open", "-a", "Google Chrome"}}
	case "darwin chromium":
		return [][]string{{"/usr/bin/open", "-a", "Chromium"}}
	case "darwin edge":
		return [][]string{{"/usr/bin/open", "-a", "Microsoft Edge"}}
	case "darwin firefox":
		return [][]string{{"/usr/bin/open", "-a", "Firefox"}}
	case "darwin opera":
		return [][]string{{"/usr/bin/open", "-a", "Opera"}}
	case "darwin safari":
		return [][]string{{"/usr/bin/open", "-a", "Safari"}}
	case "windows chrome":
		return [][]string{{`%ProgramFiles%\Google\Chrome\Application\chrome.exe`}, {`%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe`}}
	case "windows edge":
		return [][]string{{`%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe`}, {`%ProgramFiles%\Microsoft\Edge\Application\msedge.exe`}}
	case "windows firefox":
		return [][]string{{`%ProgramFiles%\Mozilla Firefox\firefox.exe`}}
	case "unix chrome":
		return [][]string{{"google-chrome"}, {"google-chrome-stable"}}
	case "unix chromium":
		return [][]string{{"chromium"}, {"chromium-browser"}}
	case "unix edge":
		return [][]string{{"microsoft-edge"}, {"microsoft-edge-stable"}}
	}
	return nil
}

// listed reports what $BROWSER names: a list as xdg-open and Python take it,
// whose parts may have arguments.
func listed(goos string, env func(string) string) (all [][]string) {
	separator := ":"
	if goos == "windows" {
		separator = ";"
	}
	for part := range strings.SplitSeq(env("BROWSER"), separator) {
		all = append(all, []string{part}, strings.Fields(part))
	}
	return all
}

// opener chooses the browser that was named, or else one of $BROWSER or a
// usual one. No shell reads any of it.
func opener(goos, named string, env func(string) string, look func(string) (string, error)) []string {
	if named != "" {
		return first(append(called(goos, strings.ToLower(named)), []string{named}), env, look)
	}
	return first(append(listed(goos, env), usual(goos)...), env, look)
}

// first reports the first command that is there; nil if none is.
func first(all [][]string, env func(string) string, look func(string) (string, error)) []string {
	for _, argv := range all {
		if len(argv) == 0 || argv[0] == "" {
			continue
		}
		program := argv[0]
		for _, folder := range []string{"ProgramFiles", "ProgramFiles(x86)", "SystemRoot"} {
			program = strings.ReplaceAll(program, "%"+folder+"%", env(folder))
		}
		if path, err := look(program); err == nil {
			return append([]string{path}, argv[1:]...)
		}
	}
	return nil
}

// launch runs a command with a link, which pair has checked, in place of %s or
// behind its arguments, and reports how it ended. It gets no terminal, no part
// of what is piped to or from this program, and no secrets.
func launch(argv []string, link string) error {
	args := slices.Clone(argv[1:])
	placed := false
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "%s", link)
		placed = placed || args[i] != arg
	}
	if !placed {
		args = append(args, link)
	}
	cmd := exec.Command(argv[0], args...)
	cmd.SysProcAttr = detached()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(strings.ToUpper(pair), "=")
		if !strings.HasSuffix(name, "TOKEN") && !strings.HasPrefix(name, "AWS_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	return cmd.Run()
}
