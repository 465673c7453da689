package directory

import (
	"slices"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Operation is a kind of request that a Fault can hit.
type Operation string

// The operations.
const (
	Bind     Operation = "bind"
	Search   Operation = "search"
	Modify   Operation = "modify"
	Add      Operation = "add"
	Delete   Operation = "delete"
	Rename   Operation = "rename"
	Extended Operation = "extended"
)

// Fault spoils requests. The zero Fault drops the connection of every request before it has an effect.
type Fault struct {
	Operation Operation // "" is any
	// Controller is 1 for the first; 0 is any.
	Controller int
	// After lets the request have its effect and spoils only the answer.
	After bool
	// Code is the LDAP result to answer; 0 drops the connection instead.
	Code int
	Text string // the answer's diagnostic text
	// Skip lets so many matching requests pass first; Times is how many are hit then, 0 for all.
	Skip, Times int
	// Rate hits that share of the matching requests, drawn from the domain's seed; 0 is all.
	Rate float64

	seen, hit int // guarded by Domain.mu
}

// Fail arranges for a fault. The returned function takes it away and tells how many requests it hit.
func (d *Domain) Fail(f Fault) (stop func() int) {
	own := &f
	d.mu.Lock()
	d.faults = append(d.faults, own)
	d.mu.Unlock()
	return func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.faults = slices.DeleteFunc(d.faults, func(x *Fault) bool { return x == own })
		return own.hit
	}
}

// strike finds the fault, if any, that hits a request before or after its effect.
func (d *Domain) strike(dc int, op Operation) (before, after *Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.faults {
		if f.Operation != "" && f.Operation != op || f.Controller != 0 && f.Controller != dc+1 {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || f.Times > 0 && f.hit >= f.Times || f.Rate > 0 && d.dice.Float64() >= f.Rate {
			continue
		}
		f.hit++
		if f.After {
			return nil, f
		}
		return f, nil
	}
	return nil, nil
}

// drop answers a request as the fault says, and reports whether the connection goes on.
func (f *Fault) drop(p *peer, m message, tag ber.Tag) bool {
	if f.Code == 0 {
		return false
	}
	return p.result(m, tag, refuse(f.Code, "%s", f.Text), nil, nil)
}

// SetLatency makes every request wait so long before it is carried out.
func (c *Controller) SetLatency(latency time.Duration) {
	c.mu.Lock()
	c.latency = latency
	c.mu.Unlock()
}

// Freeze makes the controller hang: connections stay open and nothing is answered, until Thaw.
func (c *Controller) Freeze() {
	c.mu.Lock()
	if c.thaw == nil {
		c.thaw = make(chan struct{})
	}
	c.mu.Unlock()
}

// Thaw ends a Freeze. Requests that waited are carried out.
func (c *Controller) Thaw() {
	c.mu.Lock()
	if c.thaw != nil {
		close(c.thaw)
		c.thaw = nil
	}
	c.mu.Unlock()
}

// SetDown ends all connections and refuses new ones, or takes them again. What the others changed meanwhile arrives
// when the controller is back.
func (c *Controller) SetDown(down bool) {
	c.mu.Lock()
	c.isDown = down
	if down {
		for nc := range c.open {
			_ = nc.Close()
		}
	}
	c.mu.Unlock()
}

func (c *Controller) down() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isDown
}

// wait sits out latency and freezing, and reports whether the controller still runs.
func (c *Controller) wait() bool {
	c.mu.Lock()
	latency := c.latency
	c.mu.Unlock()
	if latency > 0 {
		time.Sleep(latency)
	}
	for {
		c.mu.Lock()
		thaw, gone := c.thaw, c.isClosed || c.isDown
		c.mu.Unlock()
		if gone {
			return false
		}
		if thaw == nil {
			return true
		}
		<-thaw
	}
}
