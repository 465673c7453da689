package aws

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jitney/access"
	"jitney/target"
)

// usualLength is how long a session lasts if nobody says.
const usualLength = time.Hour

// Session makes keys of the entitlement's role that are denied everything from
// ask.Until on. If they last shorter than asked, Notices says why.
func (s *system) Session(ctx context.Context, a access.Account, ask target.SessionAsk) (target.Keys, error) {
	r, ok := s.find(ask.Entitlement)
	if !ok {
		return target.Keys{}, unknown(ask.Entitlement)
	}
	region := ask.Region
	if region == "" {
		region = s.region
	}
	if p, ok := partitionOf(region); !ok || p.name != s.partition.name {
		return target.Keys{}, invalid("The region must be one of the account's partition, such as "+s.region+".", "")
	}
	m := maker{system: s, a: a, ask: ask, role: r}
	if err := m.make(ctx); err != nil {
		return target.Keys{}, err
	}
	expires := m.keys.expires.Add(-min(s.wire.off(), 0)).UTC()
	ends := m.plan.ends
	if expires.Before(ends) {
		ends = expires
	}
	return target.Keys{ID: m.keys.id, Secret: m.keys.secret, Token: m.keys.token, Account: s.account, Partition: s.partition.name, Region: region,
		Name: sessionName(a), ExpiresAt: expires, EndsAt: ends, Notices: m.plan.notices}, nil
}

// A maker makes one session.
type maker struct {
	*system
	a    access.Account
	ask  target.SessionAsk
	role role
	plan plan
	keys issued
}

// A plan says how long a session shall last.
type plan struct {
	life    time.Duration // of the keys
	ends    time.Time     // by our clock: from then on their policy denies everything
	notices []string
}

// planFor decides how long a session that is asked for at now can last.
func (m *maker) planFor(now time.Time) plan {
	length := m.ask.Length
	if length <= 0 {
		length = usualLength
	}
	asked, why := length, ""
	cut := func(to time.Duration, text string) {
		if to < length {
			length, why = to, text
		}
	}
	cut(mostLimit, "AWS lets no session last longer.")
	if m.chains(now) {
		cut(chainLimit, "Jitney's own AWS credentials are those of a role, and what such credentials make lasts one hour at most.")
	}
	cut(m.known(m.role, now), "the role "+m.role.name+" allows no longer session.")
	cut(m.ask.Until.Sub(now), "the grant ends then.")
	p := plan{life: length.Truncate(time.Second), ends: m.ask.Until.Truncate(time.Second)}
	if why != "" && asked-length >= time.Minute { // less is not worth a word
		said := length
		if said > 2*time.Minute {
			said = said.Round(time.Minute)
		}
		p.notices = append(p.notices, "Cut to "+inWords(said)+": "+why)
	}
	if p.life < shortest {
		p.life = shortest
		if end := now.Add(length).Truncate(time.Second); end.Before(p.ends) {
			p.ends = end
		}
		p.notices = append(p.notices, "AWS makes no session of less than 15 min, so this one carries a policy that denies it everything from "+clock(p.ends)+" on.")
	}
	return p
}

// make asks for the session, again if it turns out to be too long for the
// role, or if the clocks differ by more than was known.
func (m *maker) make(ctx context.Context) error {
	for try := 0; ; try++ {
		now := time.Now()
		if !m.ask.Until.Truncate(time.Second).After(now) {
			return &access.Error{Kind: access.Denied, Text: "The grant is over, so no session is made from it.", Hint: "Ask for a new one."}
		}
		m.plan = m.planFor(now)
		off := m.wire.off()
		q := request{role: m.role, name: sessionName(m.a), life: m.plan.life, tags: tagsOf(m.a, m.ask.Grant), source: sourceIdentity(m.a)}
		if m.readOnly && m.role.entitlement == Tenant {
			q.limit = "arn:" + m.partition.name + ":iam::aws:policy/ReadOnlyAccess"
		}
		// Where our clock is behind, the end stays: the clock may be set right before it.
		q.policy = m.sessionPolicy(m.plan.ends.Add(min(off, 0)), q.limit != "")
		keys, err := m.assume(ctx, q)
		switch {
		case m.wire.off().Abs() >= maxSkew:
			return skewed(m.wire.off())
		case tooLong(err) && try < 3:
			if err := m.shorten(ctx, err); err != nil {
				return err
			}
			continue
		case err != nil:
			return m.explainAssume(err, m.role)
		}
		if (m.wire.off()-off).Abs() > 3*time.Second && try < 3 {
			continue // the end in its policy is not the grant's; nobody gets these keys
		}
		m.keys = keys
		return nil
	}
}

// tooLong reports whether STS refused the length of a session.
func tooLong(err error) bool {
	return has(err, "ValidationError", "Validation") && mentions(err, "DurationSeconds exceeds", "MaxSessionDuration", "role chaining")
}

// shorten learns what limits the length: the hour of a role's own
// credentials, or the role's maximum.
func (m *maker) shorten(ctx context.Context, refused error) error {
	if mentions(refused, "chaining") {
		m.learnChain()
		return nil
	}
	most, _, _, err := m.getRole(ctx, m.role)
	switch {
	case ctx.Err() != nil:
		return explain(fault("iam:GetRole", ctx.Err()), "read the role "+m.role.name)
	case err != nil: // it may not be read; an hour is what every role allows
		m.learn(m.role, leastLimit)
	case most >= m.plan.life: // it is not the role
		m.learnChain()
		m.learn(m.role, min(most, chainLimit))
	default:
		m.learn(m.role, most)
	}
	return nil
}

// skewed is the error of a clock that is wrong.
func skewed(off time.Duration) error {
	how := "behind"
	if off < 0 {
		how = "ahead of"
	}
	return &access.Error{Kind: access.Denied, Text: fmt.Sprintf("The clock of this server is %s %s AWS's.", inWords(off.Abs()), how), Hint: "Correct it: sessions would end at the wrong time."}
}

// inWords is a length for people: "1 h 30 min", "47 min", "30 s".
func inWords(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", max(d, 0)/time.Second)
	}
	h, m := d/time.Hour, d%time.Hour/time.Minute
	var parts []string
	if h > 0 {
		parts = append(parts, fmt.Sprintf("%d h", h))
	}
	if m > 0 {
		parts = append(parts, fmt.Sprintf("%d min", m))
	}
	return strings.Join(parts, " ")
}

// clock is a time for people.
func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// stamp is a time for people, with its day.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
