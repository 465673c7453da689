package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"jitney/cli/call"
	"jitney/cli/exit"
)

// An action is what a command does.
type action struct {
	do     func(context.Context, *app) error
	remote bool // it needs to be told the address of Jitney
}

// actions lists what the words mean.
func actions() map[string]action {
	return map[string]action{
		"aws":               {printAWS, true},
		"aws console":       {openConsole, true},
		"aws env":           {printEnv, true},
		"aws exec":          {execCommand, true},
		"aws update-config": {updateConfig, true},
		"aws tenants":       {listTenants, true},
		"aws end":           {endAccess, true},
		"login":             {signIn, true},
		"logout":            {signOut, false},
		"whoami":            {whoami, false},
		"cache clear":       {clearCache, false},
	}
}

// translate turns words of other programs into ours.
func (a *app) translate(words []string, f flags) ([]string, error) {
	if a.program == "duplo-jit" && len(words) > 0 {
		switch words[0] {
		case "clear-cache":
			return append([]string{"cache", "clear"}, words[1:]...), nil
		case "help":
			return []string{"aws", "help"}, nil
		case "version", "aws":
			return words, nil
		}
		return nil, a.unknown(words[0])
	}
	if a.program == "duploctl" && len(words) > 0 && !slices.Contains([]string{"jit", "cache", "version"}, words[0]) {
		return nil, a.unknown(words[0])
	}
	if len(words) == 0 {
		if f.version {
			return []string{"version"}, nil
		}
		return []string{"aws", "help"}, nil
	}
	if words[0] == "jit" {
		if len(words) == 1 {
			return []string{"aws", "help"}, nil
		}
		switch words[1] {
		case "aws":
			words = words[1:]
		case "web":
			words = append([]string{"aws", "console"}, words[2:]...)
		case "update_aws_config":
			words = append([]string{"aws", "update-config"}, words[2:]...)
		default:
			return nil, a.unknown(words[1])
		}
	}
	if len(words) > 1 && words[0] == "aws" {
		switch words[1] {
		case "web":
			words[1] = "console"
		case "update_aws_config", "configure":
			words[1] = "update-config"
		case "creds", "credentials":
			words = append(words[:1:1], words[2:]...)
		}
	}
	return words, nil
}

// unknown says what to do instead of a word that is not ours.
func (a *app) unknown(word string) error {
	why := fmt.Sprintf("There is no command %q here.", call.Clean(word))
	switch word {
	case "token":
		why = "Jitney does not print the token of a sign-in: who has it is you."
	case "duplo":
		why = "There is no Duplo token to print: this is Jitney."
	case "gcp", "k8s", "k8s_context", "argo_wf", "update_kubeconfig":
		why = fmt.Sprintf("Jitney gives access to AWS; it has no %q.", word)
	}
	hint := "Of duploctl it knows: jit aws, jit web, jit update_aws_config, cache clear."
	if a.program == "duplo-jit" {
		hint = "Of duplo-jit it knows: aws, clear-cache, version."
	}
	if word == "token" {
		hint = "Make an API token on the page API tokens, and give it in JITNEY_TOKEN or --token-file."
	}
	return exit.New(exit.Usage, why, hint)
}

// find finds the action that the words name. What is left of them are the
// action's arguments.
func (a *app) find(f flags) (action, error) {
	words := a.words
	if len(words) > 1 && words[len(words)-1] == "help" || f.help {
		return action{do: help}, nil
	}
	if words[0] == "version" || f.version && len(words) == 0 {
		return action{do: printVersion}, nil
	}
	all := actions()
	for n := min(2, len(words)); n > 0; n-- {
		run, ok := all[strings.Join(words[:n], " ")]
		if !ok {
			continue
		}
		most := 0
		if path := strings.Join(words[:n], " "); path == "aws update-config" || path == "aws env" {
			most = 1
		}
		if left := len(words) - n; left > most {
			a.words = words[:n]
			return action{}, wrong(fmt.Sprintf("There is no command %q in %s.", call.Clean(words[n+most]), strings.Join(words[:n], " ")))
		}
		a.words, a.rest = words[:n], append(slices.Clone(words[n:]), a.rest...)
		return run, nil
	}
	if words[0] == "cache" {
		return action{}, wrong("The only command of cache is clear.")
	}
	return action{}, a.unknown(words[len(words)-1])
}
