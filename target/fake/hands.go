package fake

import "time"

// These are the hands of others: what people do on the target behind the back
// of jitney. Each reports whether there was such an account to do it to.

// TakeAway takes an entitlement from an account by hand.
func (r *Realm) TakeAway(mark, entitlement string) bool {
	return r.byHand(mark, func(a *account) { delete(a.entitlements, entitlement) })
}

// AddExtra gives an account a right that nobody asked for.
func (r *Realm) AddExtra(mark, right string) bool {
	return r.byHand(mark, func(a *account) { a.extra[right] = true })
}

// Disable disables an account by hand.
func (r *Realm) Disable(mark string) bool {
	return r.byHand(mark, func(a *account) { a.enabled = false })
}

// Enable enables an account by hand, with no end of its own.
func (r *Realm) Enable(mark string) bool {
	return r.byHand(mark, func(a *account) { a.enabled, a.until = true, time.Time{} })
}

// Give gives an entitlement by hand.
func (r *Realm) Give(mark, entitlement string) bool {
	return r.byHand(mark, func(a *account) { a.entitlements[entitlement] = true })
}

// Delete deletes an account by hand.
func (r *Realm) Delete(mark string) bool {
	return r.byHand(mark, func(a *account) {
		a.object, a.enabled, a.password = "", false, ""
		clear(a.entitlements)
		clear(a.extra)
	})
}

// Plant makes an account that bears mark and that nobody asked for.
func (r *Realm) Plant(mark string, entitlements ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.make(mark, mark, "")
	a.enabled, a.password = true, "planted"
	for _, e := range entitlements {
		a.entitlements[e] = true
	}
}

// Squat makes an account of somebody else under a name.
func (r *Realm) Squat(username string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.squatted[username] = true
}

// Promote makes somebody else privileged, as a back door would.
func (r *Realm) Promote(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.privileged[name] = true
}

// BlindWitness has Snapshot fail from now on, or work again.
func (r *Realm) BlindWitness(blind bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noWitness = blind
}

func (r *Realm) byHand(mark string, do func(*account)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.accounts[mark]
	if a == nil || !a.exists() {
		return false
	}
	do(a)
	return true
}
