package directory

import (
	"maps"
	"slices"
	"time"
)

// A delivery is one object on its way from one controller to another.
type delivery struct {
	due      time.Time
	from, to int
	id       guid
}

// commit marks entries as changed on one controller and sends them to the others, now or later.
func (d *Domain) commit(dc int, changed ...*entry) {
	now := d.opt.Now()
	for _, e := range changed {
		stamp := d.dcs[dc].tree.stamp()
		e.set(stamp, "whenChanged", generalTime(now))
		e.setNumber(stamp, "uSNChanged", int64(stamp))
		if d.opt.ReplicationDelay < 0 {
			continue
		}
		for n := range d.dcs {
			if n != dc {
				d.pending = append(d.pending, delivery{due: now.Add(d.opt.ReplicationDelay), from: dc, to: n, id: e.id})
			}
		}
	}
	d.deliver()
}

// deliver applies what is due. A controller that is down gets it when it is back.
func (d *Domain) deliver() {
	now := d.opt.Now()
	d.pending = slices.DeleteFunc(d.pending, func(p delivery) bool {
		if p.due.After(now) || d.dcs[p.to].down() || d.dcs[p.from].down() {
			return false
		}
		d.dcs[p.to].tree.merge(d.dcs[p.from].tree.entries[p.id])
		return true
	})
}

// Replicate brings all controllers to the same state at once, those that are down as well.
func (d *Domain) Replicate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = nil
	for range 2 { // the second round carries what one merge made of two
		for _, from := range d.dcs {
			for _, to := range d.dcs {
				if from == to {
					continue
				}
				for _, id := range slices.Collect(maps.Keys(from.tree.entries)) {
					to.tree.merge(from.tree.entries[id])
				}
			}
		}
	}
}

// merge takes over every part of an object that changed later than the tree's own copy.
func (t *tree) merge(src *entry) {
	e := t.entries[src.id]
	if e == nil {
		e = &entry{id: src.id, attrs: map[string]*attribute{}, links: map[guid]link{}, stamps: map[string]uint64{}}
	} else if t.places[e.place()] == e.id {
		delete(t.places, e.place())
	}
	for part, stamp := range src.stamps {
		if stamp <= e.stamps[part] {
			continue
		}
		e.stamps[part] = stamp
		switch part {
		case "#place":
			e.parent, e.rdnType, e.rdn = src.parent, src.rdnType, src.rdn
		case "#password":
			e.pw = src.pw
		case "#acl":
			e.acl, e.guarded = slices.Clone(src.acl), src.guarded
		case "#deleted":
			e.deleted = src.deleted
		default:
			if a := src.attrs[part]; a != nil {
				e.attrs[part] = &attribute{name: a.name, values: slices.Clone(a.values)}
			} else {
				delete(e.attrs, part)
			}
		}
	}
	for id, l := range src.links {
		if l.stamp > e.links[id].stamp {
			e.links[id] = l
		}
	}
	t.entries[e.id] = e
	if e.deleted {
		return
	}
	if other, taken := t.places[e.place()]; taken && other != e.id {
		t.conflict(t.entries[other], e)
	}
	t.places[e.place()] = e.id
}

// conflict renames the older of two objects that were made under one name on two controllers.
func (t *tree) conflict(a, b *entry) {
	loser := a
	if a.stamps["#place"] > b.stamps["#place"] {
		loser = b
	}
	delete(t.places, a.place())
	loser.rdn += "\nCNF:" + loser.id.String()
	loser.stamps["#place"] = t.stamp()
	t.places[a.place()] = a.id
	t.places[b.place()] = b.id
}
