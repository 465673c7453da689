// Package profile edits the configuration file of the AWS CLI and SDKs in
// place: it changes the lines it must and keeps every other byte, comments,
// order, case and line ends included. It never overwrites a profile that gets
// its keys in another way, and never writes a secret.
package profile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"jitney/cli/exit"
)

// A Setting is one line of a profile. One that is Usual is written only where
// the profile has none.
type Setting struct {
	Name, Value string
	Usual       bool
}

// Set returns a configuration file in which the profile has these settings,
// of which one is credential_process. added says that there was no such
// profile. The error says why the profile is not touched.
func Set(data []byte, name string, settings []Setting) (out []byte, added bool, err error) {
	if err := checkName(name); err != nil {
		return nil, false, err
	}
	f := read(data)
	from, to := f.section(heading(name))
	if from < 0 {
		return f.append(name, settings), true, nil
	}
	if kind := f.foreign(from, to, settings); kind != "" {
		return nil, false, exit.New(exit.Usage, fmt.Sprintf("The profile %s gets its keys in another way (%s) and is left as it is.", name, kind),
			"Name another profile, or delete that one first.")
	}
	for _, s := range settings {
		to = f.set(from, to, s)
	}
	return f.bytes(), false, nil
}

// Has reports whether a section has a setting; section is a name such as
// "profile dev", or "dev" in a credentials file.
func Has(data []byte, section, name string) bool {
	f := read(data)
	from, to := f.section([]string{section})
	return from >= 0 && f.line(from, to, name) >= 0
}

// HoldsToken reports the profile whose credential_process has a token on its
// command line, or "".
func HoldsToken(data []byte) string {
	f, section := read(data), ""
	for i := range f.lines {
		if name, ok := f.heading(i); ok {
			section = strings.TrimPrefix(name, "profile ")
		}
		name, value, ok := f.setting(i)
		if !ok || name != "credential_process" {
			continue
		}
		words := strings.Fields(value)
		for _, w := range words {
			if w == "-t" || w == "--token" || w == "-token" || strings.HasPrefix(w, "--token=") || strings.HasPrefix(w, "-token=") {
				return section
			}
		}
	}
	return ""
}

// WithoutKeys returns a file in which the section gets no keys in any way;
// changed says whether that made a difference.
func WithoutKeys(data []byte, section string) (out []byte, changed bool) {
	f := read(data)
	from, to := f.section([]string{section})
	if from < 0 {
		return data, false
	}
	kept, dropping := slices.Clone(f.lines[:from+1]), false
	for i := from + 1; i < to; i++ {
		if name, _, ok := f.setting(i); ok {
			dropping = name == "credential_process" || slices.Contains(others(), name)
			changed = changed || dropping
		}
		if dropping && !remark(f.lines[i]) { // with what stands below it
			continue
		}
		kept = append(kept, f.lines[i])
	}
	f.lines = append(kept, f.lines[to:]...)
	return f.bytes(), changed
}

// others are the settings by which a profile gets keys without a process.
func others() []string {
	return []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "role_arn", "source_profile", "credential_source",
		"web_identity_token_file", "sso_session", "sso_start_url", "sso_account_id", "sso_role_name", "login_session"}
}

// foreign reports by what a profile gets its keys, if not by us or by what we
// stand in for; else "". What runs the same program as the new settings is
// ours under whatever name.
func (f *file) foreign(from, to int, settings []Setting) string {
	us := ""
	for _, s := range settings {
		if s.Name == "credential_process" {
			us = firstWord(s.Value)
		}
	}
	for i := from + 1; i < to; i++ {
		name, value, ok := f.setting(i)
		switch {
		case !ok:
		case slices.Contains(others(), name):
			return name
		case name == "credential_process" && firstWord(value) != us && !isOurs(value):
			return "a credential_process of another program"
		}
	}
	return ""
}

// isOurs reports whether a command line begins with our name, or one of those
// we stand in for.
func isOurs(command string) bool {
	word := firstWord(command)
	word = word[strings.LastIndexAny(word, `/\`)+1:]
	return slices.Contains([]string{"jitney", "duploctl", "duplo-jit", "duplo-aws-credential-process"}, strings.TrimSuffix(strings.ToLower(word), ".exe"))
}

func firstWord(command string) string {
	command = strings.TrimLeft(command, " ")
	if command != "" && strings.ContainsRune(`"'`, rune(command[0])) {
		word, _, _ := strings.Cut(command[1:], command[:1])
		return word
	}
	word, _, _ := strings.Cut(command, " ")
	return word
}

func checkName(name string) error {
	if name == "" || len(name) > 200 || name != strings.TrimSpace(name) || strings.ContainsAny(name, "[]\"'#;\\") || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return exit.New(exit.Usage, "That is no name for a profile.", "Use letters, digits, dots and dashes.")
	}
	return nil
}

// heading lists the names under which a profile may stand.
func heading(name string) []string {
	if name == "default" {
		return []string{"default", "profile default"}
	}
	return []string{"profile " + name}
}

// append adds a section at the end.
func (f *file) append(name string, settings []Setting) []byte {
	var b bytes.Buffer
	b.Write(f.bytes())
	if n := b.Len(); n > 0 {
		if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
			b.WriteString(f.end)
		}
		if last := len(f.lines) - 1; last >= 0 && strings.TrimSpace(f.lines[last]) != "" {
			b.WriteString(f.end)
		}
	}
	title := "profile " + name
	if strings.ContainsAny(name, " \t") {
		title = `profile "` + name + `"`
	}
	if name == "default" {
		title = name
	}
	b.WriteString("[" + title + "]" + f.end)
	for _, s := range settings {
		b.WriteString(s.Name + "=" + s.Value + f.end)
	}
	return b.Bytes()
}
