package web

import "net/http"

// A flash is a short message after something was done. Only these exist: the
// cookie that carries one holds its name and never text.
type flash struct{ Tone, Icon, Text string }

var flashes = map[string]flash{
	"requested":   {"ok", "circle-check", "Request sent. This page follows what happens."},
	"ending":      {"ok", "circle-check", "The access is being removed. It counts as ended when it was read back as gone."},
	"extended":    {"ok", "clock-plus", "Extended."},
	"approved":    {"ok", "circle-check", "Approved."},
	"denied":      {"ok", "circle-x", "Denied."},
	"withdrawn":   {"ok", "ban", "Request withdrawn."},
	"newpassword": {"ok", "key-round", "A new one is on its way. It can be revealed when the account is ready for it."},
	"reissued":    {"warn", "key-round", "A new one is on its way for you. This was recorded, and the requester is told."},
	"retried":     {"ok", "refresh-cw", "Trying again now."},
	"awspending":  {"ok", "hourglass", "The request was sent. An approver decides; after that, press the same button again."},
	"saved":       {"ok", "circle-check", "Saved."},
	"savednot":    {"warn", "triangle-alert", "Saved. AWS Role Max Session Duration is not set on its roles yet: see Settings, AWS sessions, Read what the roles allow."},
	"created":     {"ok", "circle-check", "Created."},
	"removed":     {"ok", "circle-check", "Removed."},
	"read":        {"ok", "refresh-cw", "Read from the ticket system."},
	"checked":     {"ok", "circle-check", "Checked. What was found is below."},
	"disabled":    {"ok", "ban", "Disabled. Their sessions are over."},
	"enabled":     {"ok", "circle-check", "Enabled."},
	"unlinked":    {"ok", "ban", "Unlinked. Their sessions are over."},
	"sessions":    {"ok", "log-out", "The sessions are over."},
	"password":    {"ok", "circle-check", "The password was changed."},
	"revoked":     {"ok", "ban", "Revoked. It is of no use from now on."},
	"closed":      {"ok", "circle-check", "Ticket closed."},
	"opened":      {"ok", "circle-check", "Ticket opened."},
}

// takeFlash reads the message that waits for the visitor, and forgets it.
func takeFlash(v *visit) *flash {
	c, err := v.r.Cookie("flash")
	if err != nil {
		return nil
	}
	http.SetCookie(v.w, &http.Cookie{Name: "flash", Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.https})
	f, ok := flashes[c.Value]
	if !ok {
		return nil
	}
	return &f
}

// theme is the class that the visitor's cookie asks for.
func theme(r *http.Request) string {
	c, err := r.Cookie("theme")
	if err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "auto"
}

// setTheme stores the chosen theme in a cookie and goes back.
func (s entry) setTheme(v *visit) error {
	http.SetCookie(v.w, &http.Cookie{Name: "theme", Value: map[string]string{"light": "light", "dark": "dark"}[v.form("theme")],
		Path: "/", MaxAge: 400 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.https})
	return v.back(localPath(v.form("back"), "/request"), "")
}
