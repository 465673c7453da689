package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/broker"
)

// streamEvery is how often a stream looks whether a grant changed, and
// streamFor how long one stream lasts before the browser opens another, so
// that a session that ended does not read on.
const (
	streamEvery = time.Second
	streamFor   = 5 * time.Minute
)

// grantEvents streams the timeline of a grant: each new step as a line of the
// list, and "changed" when another part of the page is not what it was. The id
// of an event is the number of steps so far, so that a stream that broke
// resumes behind the last one that arrived. Without an event stream it is the
// same as the page of the grant.
func (s grantPages) grantEvents(v *visit) error {
	if !strings.Contains(v.r.Header.Get("Accept"), "text/event-stream") {
		http.Redirect(v.w, v.r, "/grants/"+v.r.PathValue("id"), http.StatusSeeOther)
		return nil
	}
	person := v.Person.ID
	if !s.streams.enter(person) {
		return &access.Error{Kind: access.Unavailable, Text: "You watch too many grants at once.", Hint: "Close some of the tabs."}
	}
	defer s.streams.leave(person)
	at, _ := strconv.Atoi(v.form("after"))
	if last := v.r.Header.Get("Last-Event-ID"); last != "" {
		at, _ = strconv.Atoi(last)
	}
	st := stream{s: s.Server, v: v, at: max(0, at), version: v.form("v"), out: http.NewResponseController(v.w)}
	if err := st.look(true); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(v.ctx(), streamFor)
	defer cancel()
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	for !st.over {
		select {
		case <-ctx.Done():
			return nil
		case <-s.closing:
			return nil
		case <-tick.C:
			if err := st.look(false); err != nil {
				return nil // the head is written: the browser opens a new stream and learns why
			}
		}
	}
	return nil
}

// streamsEach is how many streams one person may have open: more than anybody
// has tabs to watch, and few enough that nobody wears out the server.
const streamsEach = 24

// streams counts the open streams of each person.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// enter reports whether the person may open one more, and takes it.
func (s *streams) enter(person string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]int{}
	}
	if s.open[person] >= streamsEach {
		return false
	}
	s.open[person]++
	return true
}

func (s *streams) leave(person string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[person]--; s.open[person] <= 0 {
		delete(s.open, person)
	}
}

// A stream is one open event stream.
type stream struct {
	s       *Server
	v       *visit
	at      int              // steps that were sent
	version string           // of the page that the browser shows
	page    broker.GrantPage // as it was read last
	quiet   int              // looks without anything to send
	over    bool
	out     *http.ResponseController
}

// settled reports whether nothing will change on the page of p any more: the
// grant has ended, and so have its notes, or they do not come.
func settled(p broker.GrantPage, now time.Time) bool {
	ended := p.Grant.EndedAt
	if ended.IsZero() {
		return false
	}
	waits := slices.ContainsFunc(p.Notes, func(n broker.NoteView) bool { return n.State == broker.NoteWaits })
	return now.Sub(ended) > time.Minute || !waits && now.Sub(ended) > 5*time.Second
}

// read reads the page of the grant, or takes the one that was read before if
// nothing has changed since.
func (st *stream) read(first bool) (broker.GrantPage, error) {
	v, id := st.v, st.v.r.PathValue("id")
	if !first {
		mark, err := st.s.Broker.Access.Pulse(v.ctx(), v.Person, id)
		if err != nil || mark == st.page.Version {
			return st.page, err
		}
	}
	p, err := st.s.Broker.Access.Grant(v.ctx(), v.Person, id)
	if err == nil {
		st.page = p
	}
	return p, err
}

func (st *stream) look(first bool) error {
	v := st.v
	if !first { // rights may have changed since the stream was opened
		who, err := st.s.SignIn.Who(v.ctx())
		if err != nil {
			return err
		}
		v.Person = who
	}
	p, err := st.read(first)
	if err != nil {
		return err
	}
	if first {
		h := v.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
		if err := st.out.SetWriteDeadline(time.Now().Add(streamFor + time.Minute)); err != nil && !strings.Contains(err.Error(), "not supported") {
			return fmt.Errorf("set deadline of stream: %w", err)
		}
	}
	var b bytes.Buffer
	v.now = time.Now()
	for ; st.at < len(p.Timeline); st.at++ {
		var li bytes.Buffer
		if err := st.s.pages["grant"].ExecuteTemplate(&li, "step", stepOfLine(v.clock, p.Timeline[st.at])); err != nil {
			return fmt.Errorf("make step: %w", err)
		}
		fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", st.at+1, strings.ReplaceAll(li.String(), "\n", " "))
	}
	if p.Version != st.version {
		fmt.Fprint(&b, "event: changed\ndata: now\n\n")
		st.version = p.Version
	}
	if st.over = settled(p, v.now); st.over {
		fmt.Fprint(&b, "event: over\ndata: now\n\n")
	}
	if st.quiet++; b.Len() == 0 && st.quiet > 20 {
		fmt.Fprint(&b, ": still here\n\n")
	}
	if first && b.Len() == 0 {
		fmt.Fprint(&b, ": here\n\n")
	}
	if b.Len() == 0 {
		return nil
	}
	st.quiet = 0
	if _, err := b.WriteTo(v.w); err != nil {
		return err
	}
	return st.out.Flush()
}
