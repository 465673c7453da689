package profile

import (
	"slices"
	"strings"
)

// A file is a configuration file as lines, each with its end.
type file struct {
	lines []string
	end   string // of a new line
}

func read(data []byte) *file {
	f := &file{end: "\n"}
	text := string(data)
	if strings.Contains(text, "\r\n") {
		f.end = "\r\n"
	}
	for text != "" {
		i := strings.IndexByte(text, '\n') + 1
		if i == 0 {
			i = len(text)
		}
		f.lines = append(f.lines, text[:i])
		text = text[i:]
	}
	return f
}

func (f *file) bytes() []byte { return []byte(strings.Join(f.lines, "")) }

// heading reports the name of the section that begins in a line, with one
// space between its words and without quotes.
func (f *file) heading(i int) (string, bool) {
	line := strings.TrimPrefix(f.lines[i], "\ufeff")
	if !strings.HasPrefix(line, "[") {
		return "", false
	}
	name, _, ok := strings.Cut(line[1:], "]")
	if !ok {
		return "", false
	}
	name = strings.TrimSpace(name)
	if rest, ok := strings.CutPrefix(name, "profile"); ok && rest != "" && strings.ContainsRune(" \t", rune(rest[0])) {
		return "profile " + strings.Trim(strings.TrimSpace(rest), `"'`), true
	}
	return strings.Trim(name, `"'`), true
}

// section reports the line of the first of these headings, and the line after
// the section's last; -1 if there is none.
func (f *file) section(names []string) (from, to int) {
	from = -1
	for i := range f.lines {
		name, ok := f.heading(i)
		switch {
		case ok && from >= 0:
			return from, i
		case ok && slices.Contains(names, name):
			from = i
		}
	}
	return from, len(f.lines)
}

// setting reports the name, in lower case, and the value of a line that is a
// setting, not one below a setting.
func (f *file) setting(i int) (name, value string, ok bool) {
	line := f.lines[i]
	if remark(line) || line[0] == '[' || f.below(i) {
		return "", "", false
	}
	at := strings.IndexAny(line, "=:")
	if at < 0 {
		return "", "", false
	}
	return strings.ToLower(strings.TrimSpace(line[:at])), strings.TrimSpace(line[at+1:]), true
}

// remark reports whether a line says nothing.
func remark(line string) bool {
	text := strings.TrimSpace(line)
	return text == "" || text[0] == '#' || text[0] == ';'
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// below reports whether a line belongs to the setting before it, since it is
// indented deeper. A whole section may be indented: botocore takes that.
func (f *file) below(i int) (below bool) {
	if indent(f.lines[i]) == 0 {
		return false
	}
	from := i
	for ok := false; from > 0 && !ok; {
		from--
		_, ok = f.heading(from)
	}
	level := -1
	for _, line := range f.lines[from+1 : i+1] {
		if remark(line) {
			continue
		}
		if below = level >= 0 && indent(line) > level; !below {
			level = indent(line)
		}
	}
	return below
}

// line reports where a section has a setting, or -1.
func (f *file) line(from, to int, name string) int {
	for i := from + 1; i < to; i++ {
		if got, _, ok := f.setting(i); ok && got == name {
			return i
		}
	}
	return -1
}

// set puts a setting into a section and reports where that ends now.
func (f *file) set(from, to int, s Setting) int {
	if i := f.line(from, to, s.Name); i >= 0 {
		if _, old, _ := f.setting(i); !s.Usual && old != s.Value {
			line := f.lines[i]
			at := strings.IndexAny(line, "=:") + 1
			for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
				at++
			}
			end := line[len(strings.TrimRight(line, "\r\n")):]
			f.lines[i] = line[:at] + s.Value + end
		}
		return to
	}
	// After the last line that says something: what follows may be a comment
	// on the next section.
	last := from
	for i := from + 1; i < to; i++ {
		if text := strings.TrimSpace(f.lines[i]); text != "" && text[0] != '#' && text[0] != ';' {
			last = i
		}
	}
	if !strings.HasSuffix(f.lines[last], "\n") {
		f.lines[last] += f.end
	}
	f.lines = slices.Insert(f.lines, last+1, s.Name+"="+s.Value+f.end)
	return to + 1
}
