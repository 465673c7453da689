package notify_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"jitney/access"
	"jitney/notify"
	"jitney/secret"
)

// A postOffice is a mail server on this machine, which takes what it is told to.
type postOffice struct {
	address string
	refuse  string // answer to the sender; empty to take everything

	mu    sync.Mutex
	taken []string // what came after DATA
	to    []string
}

func openPost(t *testing.T, refuse string) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{address: l.Addr().String(), refuse: refuse}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { o.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return o
}

func (o *postOffice) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(text string) { fmt.Fprintf(c, "%s\r\n", text) }
	say("220 office")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO", "RSET", "NOOP":
			say("250 fine")
		case "MAIL":
			if o.refuse != "" {
				say(o.refuse)
				continue
			}
			say("250 fine")
		case "RCPT":
			o.mu.Lock()
			o.to = append(o.to, rest)
			o.mu.Unlock()
			say("250 fine")
		case "DATA":
			say("354 go on")
			var body strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				body.WriteString(line)
			}
			o.mu.Lock()
			o.taken = append(o.taken, body.String())
			o.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 no")
		}
	}
}

func TestAMessageArrives(t *testing.T) {
	o := openPost(t, "")
	m, err := notify.Open(notify.Server{Address: o.address, From: "Jitney <jitney@msp.example>"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), []string{"maya@msp.example", "no address", "ada@msp.example"}, "Access ends only\r\nBcc: x@evil.example with help", "The access of Maya should have ended.\n.\nJitney keeps trying.\n"); err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.taken) != 1 || len(o.to) != 2 {
		t.Fatalf("%d messages to %q", len(o.taken), o.to)
	}
	head, body, _ := strings.Cut(o.taken[0], "\r\n\r\n")
	if !strings.Contains(body, "Jitney keeps trying.") || strings.Contains(head, "\r\nBcc:") || !strings.Contains(head, "Subject: Access ends only Bcc: x@evil.example with help") {
		t.Errorf("message:\n%s", o.taken[0])
	}
}

func TestWhatAMailServerRefusesIsTold(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   access.Kind
	}{{"550 not from here", access.Invalid}, {"451 later", access.Unavailable}} {
		o := openPost(t, tt.answer)
		m, err := notify.Open(notify.Server{Address: o.address, From: "jitney@msp.example"})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Send(t.Context(), []string{"maya@msp.example"}, "x", "y"); access.KindOf(err) != tt.want {
			t.Errorf("after %q: %v", tt.answer, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	m, err := notify.Open(notify.Server{Address: closed, From: "jitney@msp.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), []string{"maya@msp.example"}, "x", "y"); access.KindOf(err) != access.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	for _, s := range []notify.Server{{}, {Address: "mail.example.net", From: "a@b.example"}, {Address: "mail.example.net:x", From: "a@b.example"}, {Address: "mail.example.net:587", From: "nobody"}} {
		if _, err := notify.Open(s); access.KindOf(err) != access.Invalid {
			t.Errorf("%+v: %v", s, err)
		}
	}
	// A password is never sent over a connection without TLS, except on this machine.
	m, err := notify.Open(notify.Server{Address: "mail.example.net:587", From: "a@b.example", User: "u", Password: secret.New("mail-password")})
	if err != nil || strings.Contains(fmt.Sprintf("%+v", m), "mail-password") {
		t.Errorf("%v, or the password can be printed", err)
	}
}
