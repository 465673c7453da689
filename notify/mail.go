// Package notify sends mail to people through a mail server that the
// installation names. It never sends without TLS, unless the server is on this
// very machine, and never writes down the password.
package notify

import (
	"context"
	"errors"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"jitney/access"
	"jitney/secret"
)

// A Server is how mail is sent.
type Server struct {
	Address  string // host:port; port 465 speaks TLS from the start, others STARTTLS
	From     string // such as "Jitney <jitney@msp.example>"
	User     string // empty if the server asks for none
	Password secret.Text
}

// Open checks s and makes a Mailer; it connects when something is sent.
func Open(s Server) (*Mailer, error) {
	invalid := func(text, hint string, err error) error {
		return &access.Error{Kind: access.Invalid, Text: text, Hint: hint, Err: err}
	}
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, invalid("The address of the mail server is not host:port.", "Name it like mail.example.net:587.", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" {
		return nil, invalid("The address of the mail server is not host:port.", "Name it like mail.example.net:587.", err)
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		return nil, invalid("The sender of mail is no mail address.", "Name it like jitney@example.net.", err)
	}
	options := []gomail.Option{gomail.WithPort(int(number)), gomail.WithTimeout(15 * time.Second)}
	switch ip := net.ParseIP(host); {
	case host == "localhost" || ip != nil && ip.IsLoopback():
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case number == 465:
		options = append(options, gomail.WithSSL())
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User), gomail.WithPassword(s.Password.Reveal()))
	}
	if _, err := gomail.NewClient(host, options...); err != nil {
		return nil, invalid("These settings of the mail server cannot work.", "Compare them with what your mail server asks for.", nil)
	}
	return &Mailer{host: host, from: s.From, options: options}, nil
}

// A Mailer sends mail. It may be used by many goroutines.
type Mailer struct {
	host, from string
	options    []gomail.Option
}

// Send sends one message of plain text to all of to, in one go. What will pass
// is access.Unavailable; what the server will never take is access.Invalid.
func (m *Mailer) Send(ctx context.Context, to []string, subject, body string) error {
	msg := gomail.NewMsg()
	if err := msg.From(m.from); err != nil {
		return &access.Error{Kind: access.Invalid, Text: "The sender of mail is no mail address.", Err: err}
	}
	added := 0
	for _, address := range to {
		if err := msg.AddTo(address); err == nil {
			added++
		}
	}
	if added == 0 {
		return &access.Error{Kind: access.Invalid, Text: "None of those to be told has a mail address."}
	}
	msg.Subject(strings.Join(strings.Fields(subject), " "))
	msg.SetBodyString(gomail.TypeTextPlain, body)
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return unavailable(err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		var refused *gomail.SendError
		if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
			return &access.Error{Kind: access.Invalid, Text: "The mail server does not take the message.", Hint: "Look at its log.", Err: err}
		}
		return unavailable(err)
	}
	return nil
}

func unavailable(err error) error {
	return &access.Error{Kind: access.Unavailable, Text: "The mail server does not take mail now.", Hint: "Jitney tries again.", Err: err}
}
