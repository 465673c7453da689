// Package show prints the result of a command for programs: JSON on one line,
// YAML, plain text, NAME=value lines or CSV, after a JMESPath query if there is
// one. It never adds anything to what it is given.
package show

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/jmespath/go-jmespath"
	"go.yaml.in/yaml/v3"

	"jitney/cli/exit"
)

// An object is a JSON object in its order.
type object []member

type member struct {
	name  string
	value any
}

// Print writes value to w as format says: json, yaml, string, env or csv. Query
// is JMESPath or "". The error is one of use. Nothing is written if there is
// one.
func Print(w io.Writer, value any, format, query string) error {
	data, err := encode(value)
	if err != nil {
		return err
	}
	if query != "" {
		if data, err = search(data, query); err != nil {
			return err
		}
	}
	var out string
	switch format {
	case "json", "":
		out = string(data)
	default:
		v, err := decode(data)
		if err != nil {
			return err
		}
		if out, err = text(v, format); err != nil {
			return err
		}
		out = strings.Map(visible, out)
	}
	if !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	_, err = io.WriteString(w, out)
	return err
}

// visible drops what moves the cursor of a terminal; JSON escapes it.
func visible(c rune) rune {
	if unicode.IsControl(c) && !strings.ContainsRune("\n\r\t", c) {
		return -1
	}
	return c
}

// encode is JSON on one line, in which & in an address stays &.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

func search(data []byte, query string) ([]byte, error) {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	found, err := jmespath.Search(query, v)
	if err != nil {
		return nil, &exit.Error{Code: exit.Usage, Text: "The query is no JMESPath that fits.", Hint: "See https://jmespath.org for how one is written.", Err: err}
	}
	return encode(found)
}

// decode reads JSON and keeps the order of names.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return value(d)
}

func value(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		o := object{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := value(d)
			if err != nil {
				return nil, err
			}
			o = append(o, member{fmt.Sprint(name), v})
		}
		_, err = d.Token()
		return o, err
	default:
		return token, nil
	}
}

func text(v any, format string) (string, error) {
	switch format {
	case "yaml":
		data, err := yaml.Marshal(node(v))
		return string(data), err
	case "env":
		return variables(v)
	case "csv":
		return table(v)
	default:
		return plain(v), nil
	}
}

// node is v for YAML, in its order.
func node(v any) *yaml.Node {
	n := &yaml.Node{}
	switch v := v.(type) {
	case object:
		n.Kind = yaml.MappingNode
		for _, m := range v {
			n.Content = append(n.Content, node(m.name), node(m.value))
		}
	case []any:
		n.Kind = yaml.SequenceNode
		for _, item := range v {
			n.Content = append(n.Content, node(item))
		}
	case json.Number:
		n.Kind, n.Value = yaml.ScalarNode, v.String()
	default:
		if err := n.Encode(v); err != nil {
			n.Kind, n.Value = yaml.ScalarNode, fmt.Sprint(v)
		}
	}
	return n
}

// plain is v for people: text as it is, a list line by line.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		lines := make([]string, len(v))
		for i, item := range v {
			lines[i] = plain(item)
		}
		return strings.Join(lines, "\n")
	case object:
		lines := make([]string, len(v))
		for i, m := range v {
			lines[i] = m.name + ": " + flat(m.value)
		}
		return strings.Join(lines, "\n")
	default:
		return fmt.Sprint(v)
	}
}

// flat is v in one cell.
func flat(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		cells := make([]string, len(v))
		for i, item := range v {
			cells[i] = flat(item)
		}
		return strings.Join(cells, " ")
	case object:
		cells := make([]string, len(v))
		for i, m := range v {
			cells[i] = m.name + "=" + flat(m.value)
		}
		return strings.Join(cells, " ")
	default:
		return fmt.Sprint(v)
	}
}

// variables is one NAME=value line for each name, without quotes, as CI
// systems read them. A value that would begin a line of its own is refused.
func variables(v any) (string, error) {
	o, ok := v.(object)
	if !ok {
		return "", exit.New(exit.Usage, "-o env prints names with values, and this has no names.", "Choose some with -q '{NAME: …}'.")
	}
	var b strings.Builder
	for _, m := range o {
		cell := flat(m.value)
		if strings.ContainsAny(m.name+cell, "\r\n\x00") || strings.Contains(m.name, "=") {
			return "", exit.New(exit.Usage, "A value has more than one line and cannot be printed with -o env.", "Use -o json.")
		}
		b.WriteString(m.name + "=" + cell + "\n")
	}
	return b.String(), nil
}

// table is a head line and a row for each object.
func table(v any) (string, error) {
	rows, ok := v.([]any)
	if !ok {
		rows = []any{v}
	}
	var head []string
	for _, row := range rows {
		if o, ok := row.(object); ok {
			for _, m := range o {
				if !slices.Contains(head, m.name) {
					head = append(head, m.name)
				}
			}
		}
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	var errs []error
	if head != nil {
		errs = append(errs, w.Write(head))
	}
	for _, row := range rows {
		o, ok := row.(object)
		if !ok {
			errs = append(errs, w.Write([]string{flat(row)}))
			continue
		}
		cells := make(map[string]string, len(head))
		for _, m := range o {
			cells[m.name] = flat(m.value)
		}
		line := make([]string, 0, len(head))
		for _, name := range head {
			line = append(line, cells[name])
		}
		errs = append(errs, w.Write(line))
	}
	w.Flush()
	return b.String(), errors.Join(append(errs, w.Error())...)
}
