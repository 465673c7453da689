package broker

import (
	"errors"
	"slices"
	"strings"

	"jitney/access"
	"jitney/secret"
)

// readFields takes the fields of a connector, and nothing else, from what a
// form sent. old are the secrets that are stored already.
func readFields(fields []access.Field, values map[string]string, secrets map[string]secret.Text, old map[string][]byte,
	into map[string]string, intoSecrets map[string]secret.Text) (wrong []access.FieldError) {
	complain := func(f access.Field, text string) { wrong = append(wrong, access.FieldError{Field: f.Name, Text: text}) }
	for _, f := range fields {
		if f.Secret {
			s := secrets[f.Name]
			if !s.IsZero() {
				intoSecrets[f.Name] = s
			}
			if f.Required && s.IsZero() && len(old[f.Name]) == 0 {
				complain(f, f.Title+" is required.")
			}
			continue
		}
		v := strings.TrimSpace(values[f.Name])
		switch {
		case v == "" && len(f.Options) > 0:
			v = f.Options[0]
		case v == "" && f.Required:
			complain(f, f.Title+" is required.")
		case len(v) > 64<<10 || !f.Lines && (len(v) > 2000 || strings.ContainsAny(v, "\r\n")):
			complain(f, f.Title+" is too long, or has more than one line.")
		case len(f.Options) > 0 && !slices.Contains(f.Options, v):
			complain(f, "Choose one of the values in the list.")
		}
		into[f.Name] = v
	}
	return wrong
}

// settingsError is what a connector found wrong with settings as a whole.
func settingsError(err error) []access.FieldError {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*access.Error](err); ok {
		return []access.FieldError{{Field: "settings", Text: strings.TrimSpace(e.Text + " " + e.Hint)}}
	}
	return []access.FieldError{{Field: "settings", Text: "These settings cannot work."}}
}

// rerouted reports the secrets that are stored and would from now on be sent
// elsewhere: nobody can read one, so nobody shall have it sent to themselves.
func rerouted(fields []access.Field, was, now map[string]string, old map[string][]byte, sent map[string]secret.Text) (wrong []access.FieldError) {
	i := slices.IndexFunc(fields, func(f access.Field) bool {
		before := was[f.Name]
		if before == "" && len(f.Options) > 0 {
			before = f.Options[0]
		}
		return f.Route && before != now[f.Name]
	})
	if i < 0 {
		return nil
	}
	for _, f := range fields {
		if f.Secret && len(old[f.Name]) > 0 && sent[f.Name].IsZero() {
			wrong = append(wrong, access.FieldError{Field: f.Name, Text: f.Title + " must be entered again, because " + fields[i].Title + " changes: what is stored is sent nowhere else."})
		}
	}
	return wrong
}
