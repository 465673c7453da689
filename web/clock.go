package web

import (
	"fmt"
	"time"

	"jitney/access"
)

// A clock writes times for one person: in their zone, and shorter when near.
type clock struct {
	now  time.Time
	zone *time.Location
}

// Short writes 15:42 for an instant of today, and Tue 24 Nov 15:42 otherwise.
func (c clock) Short(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t, now := t.In(c.zone), c.now.In(c.zone)
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("Mon 2 Jan 15:04")
	default:
		return t.Format("2 Jan 2006 15:04")
	}
}

// Second is Short with seconds, for the steps of a timeline.
func (c clock) Second(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return c.Short(t) + t.In(c.zone).Format(":05")
}

// Exact writes an instant in full, for those who point at a short one.
func (c clock) Exact(t time.Time) string {
	return t.In(c.zone).Format("Mon 2 Jan 2006 15:04:05 ") + c.ZoneName()
}

// A moment is an instant as a list shows it. Stamp and Exact are empty if there is none.
type moment struct{ Text, Stamp, Exact string }

// at makes a moment of an instant and the text for it.
func (c clock) at(t time.Time, text string) moment {
	if t.IsZero() {
		return moment{Text: text}
	}
	return moment{Text: text, Stamp: c.Stamp(t), Exact: c.Exact(t)}
}

// Zoned writes an instant with its zone.
func (c clock) Zoned(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return c.Short(t) + " " + c.ZoneName()
}

// Stamp writes an instant for machines.
func (c clock) Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Ago writes how long ago t was.
func (c clock) Ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := max(0, c.now.Sub(t))
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min ago", int(d.Round(time.Minute).Minutes()))
	case d < 36*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Round(time.Hour).Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// Left writes how long it is until t as a countdown, 47:12 or 3:05:00.
func (c clock) Left(t time.Time) string {
	s := int(max(0, t.Sub(c.now)+time.Second-1).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

// Length writes a duration of whole minutes.
func (c clock) Length(d time.Duration) string { return access.Length(d) }

// ZoneName is the name of the person's zone.
func (c clock) ZoneName() string { return c.zone.String() }

// NowMilli is the moment of the page in milliseconds since 1970.
func (c clock) NowMilli() int64 { return c.now.UnixMilli() }

// Milli writes an instant in milliseconds since 1970; 0 if there is none.
func (c clock) Milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Now is the moment of the page.
func (c clock) Now() time.Time { return c.now }

// Day is one day in the zone of the person, as date fields send it; zero if it is none.
func (c clock) Day(text string) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, text, c.zone)
	if err != nil {
		return time.Time{}
	}
	return t
}
