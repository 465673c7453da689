package redmine

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// Notes reports the notes of a ticket whose text carries key.
func (s *system) Notes(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	if !isID(ticketID) || !ticket.ValidKey(key) {
		return nil, nil
	}
	i, err := s.issue(ctx, ticketID, true)
	if err != nil {
		if ticket.TroubleOf(err) == ticket.Gone {
			return nil, nil // the note that follows will say so
		}
		return nil, err
	}
	var refs []ticket.NoteRef
	for _, j := range i.Journals {
		if !ticket.Carries(j.Notes, key) {
			continue
		}
		if ours, err := s.self.Wrote(ctx, string(j.User.ID), s.myID); err != nil {
			return nil, err
		} else if ours {
			refs = append(refs, ticket.NoteRef{ID: string(j.ID), At: j.CreatedOn.UTC()})
		}
	}
	return refs, nil
}

func (s *system) issue(ctx context.Context, id string, journals bool) (issue, error) {
	var found struct{ Issue issue }
	q := url.Values{}
	if journals {
		q.Set("include", "journals")
	}
	_, err := s.get(ctx, "issues/"+id+".json", q, &found)
	if err == nil && string(found.Issue.ID) != id {
		return issue{}, &ticket.Trouble{Kind: ticket.Down, Text: "Redmine answered with another ticket than the one asked for.", Err: errors.New("redmine: asked for " + id)}
	}
	return found.Issue, err
}

// AddNote writes one note with one request that writes. It looks at the rights
// before, and for the note afterwards.
func (s *system) AddNote(ctx context.Context, ticketID string, n ticket.Note) (ticket.NoteRef, error) {
	if !isID(ticketID) {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Gone, Text: "Redmine has no ticket of that number."}
	}
	if !ticket.ValidKey(n.Key) || len(n.Body) > s.Limits().Body {
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Rejected, Text: "The note is too long for Redmine, or has no key."}
	}
	if err := s.mayWrite(ctx, ticketID); err != nil {
		return ticket.NoteRef{}, err
	}
	note := map[string]any{"notes": s.literal(ticket.Marked(n.Body, n.Key)), "private_notes": !s.public}
	_, err := s.client.Do(ctx, reach.Call{Method: http.MethodPut, Path: "issues/" + ticketID + ".json", Body: map[string]any{"issue": note}, Writes: true})
	if err != nil {
		return ticket.NoteRef{}, err
	}
	refs, err := s.Notes(ctx, ticketID, n.Key)
	switch {
	case err != nil:
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Doubtful, Text: "Redmine took the note, and could not be asked whether it kept it.", Err: err}
	case len(refs) == 0:
		return ticket.NoteRef{}, &ticket.Trouble{Kind: ticket.Forbidden, Text: "Redmine took the note without keeping it. The account of this connection needs the permission Add notes in the project."}
	default:
		return refs[0], nil
	}
}

// mayWrite makes sure, before anything is written, that a note meant to be
// private will be: without the permission Redmine publishes it and says
// nothing. Yes is believed for some minutes.
func (s *system) mayWrite(ctx context.Context, ticketID string) error {
	if s.public {
		return nil
	}
	i, err := s.issue(ctx, ticketID, false)
	if err != nil {
		return before(err)
	}
	project := string(i.Project.ID)
	s.mu.Lock()
	known := time.Now().Before(s.rights[project])
	s.mu.Unlock()
	if known {
		return nil
	}
	me, err := s.me(ctx)
	if err != nil {
		return before(err)
	}
	may, err := s.mayHide(ctx, me, project)
	if err != nil {
		return before(err)
	}
	if !may {
		return &ticket.Trouble{Kind: ticket.Forbidden, Text: "Redmine would show this note to everybody on the project, so it was not written. The account of this connection must be a member of the project with the permissions Add notes and Set notes as private."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rights[project] = time.Now().Add(5 * time.Minute)
	return nil
}

// before says that err came before anything was written.
func before(err error) error {
	if t, ok := errors.AsType[*ticket.Trouble](err); ok && t.Kind == ticket.Doubtful {
		return &ticket.Trouble{Kind: ticket.Down, Text: t.Text, Err: t.Err}
	}
	return err
}

// A person is who the key belongs to.
type person struct {
	ID          ident
	Login       string
	Admin       bool
	Memberships []struct {
		Project ref
		Roles   []ref
	}
}

func (s *system) me(ctx context.Context) (person, error) {
	var found struct{ User person }
	_, err := s.get(ctx, "users/current.json", url.Values{"include": {"memberships"}}, &found)
	return found.User, err
}

// myID is the number of who the key belongs to.
func (s *system) myID(ctx context.Context) (string, error) {
	me, err := s.me(ctx)
	return string(me.ID), err
}

// mayHide reports whether p may write private notes in a project.
func (s *system) mayHide(ctx context.Context, p person, project string) (bool, error) {
	if p.Admin {
		return true, nil
	}
	all, err := s.permissions(ctx, p, project)
	return slices.Contains(all, "set_notes_private") && (slices.Contains(all, "add_issue_notes") || slices.Contains(all, "edit_issues")), err
}

// permissions are what p may do in a project, for others than administrators.
func (s *system) permissions(ctx context.Context, p person, project string) (all []string, err error) {
	for _, m := range p.Memberships {
		if p.Admin || string(m.Project.ID) != project {
			continue
		}
		for _, r := range m.Roles {
			if !isID(string(r.ID)) {
				continue
			}
			var found struct {
				Role struct{ Permissions []string }
			}
			if _, err := s.get(ctx, "roles/"+string(r.ID)+".json", nil, &found); err != nil {
				return nil, err
			}
			all = append(all, found.Role.Permissions...)
		}
	}
	return all, nil
}

// literal is text as Redmine shows it letter by letter: without macros, links
// and markup, and without calling people by their names.
func (s *system) literal(text string) string {
	text = strings.NewReplacer("{{", "{ {", "~~~", "~ ~ ~", "```", "` ` `", "</", "< /").Replace(reach.Body(text))
	var out strings.Builder
	last := ' '
	for _, r := range text {
		out.WriteRune(r)
		if r == '@' && !isWord(last) { // a name after a letter is an address
			out.WriteByte(' ')
		}
		last = r
	}
	if s.markdown {
		return "~~~\n" + out.String() + "\n~~~"
	}
	return "<pre>\n" + out.String() + "\n</pre>"
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
